"""Part of claim ``bone``: red marrow and endosteum beside published fractions and doses."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from omnidose.anatomy.skeleton import BONE_G_CM3, MARROW_G_CM3, MEDULLARY, target_mass_g
from omnidose.dosimetry.internal.fractions import adult
from omnidose.dosimetry.internal.marrow import (
    BONE_SHARE,
    CAVITY_CM,
    CELLULARITY,
    FAT_CHORD_CM,
    own_fraction,
)
from omnidose.dosimetry.internal.s_values import QUALITIES, SValues, s_values
from omnidose.physics.alpha_stopping import alpha_range_g_cm2
from omnidose.transport.dose_kernels.bone import BoneShares, Place, TrabecularBone, nuclide_in_bone
from omnidose.validation import Context, Row, within

#: Decays of the progeny of Ra-223 in equilibrium.
RADIUM = {"Rn-219": 1.0, "Po-215": 1.0, "Pb-211": 1.0, "Bi-211": 1.0, "Tl-207": 0.9972, "Po-211": 0.0028}
_ICRP30 = "ICRP Publication 30, part 1 (1979), table 7.4 (recalled: grade C)"
#: Nuclide, kind, place, shares of ICRP 30: red marrow, endosteum of 10 micrometres (None: its threshold of
#: 200 keV lies inside the spectrum).
_CASES: tuple[tuple[str, str, Place, float, float | None], ...] = (
    ("P-32", "electrons", "bone", 0.35, 0.025),
    ("P-32", "electrons", "surface", 0.5, 0.025),
    ("Sr-89", "electrons", "bone", 0.35, 0.025),
    ("Sr-89", "electrons", "surface", 0.5, 0.025),
    ("Sm-153", "electrons", "bone", 0.35, 0.025),
    ("Sm-153", "electrons", "surface", 0.5, None),
    ("Ra-223", "alphas", "bone", 0.05, 0.025),
    ("Ra-223", "alphas", "surface", 0.5, 0.25),
)
#: Radius of a fat cell of marrow: 3/4 of its mean chord.
_FAT_RADIUS_MM = 10 * 3 / 4 * FAT_CHORD_CM
#: Alpha dose of endosteum and red marrow of 21 MBq of Ra-223, Gy.
_RADIUM_GY = (16.0, 1.5)
_RADIUM_SOURCE = (
    "Lassmann and Nosske 2013, Eur J Nucl Med Mol Imaging 40:207, abstract: 16 and 1.5 Gy of 21 MBq"
)
#: Endosteum of ICRP 30 (10 micrometres, Haversian canals with it), and its red marrow, kg.
_ICRP30_ENDOSTEUM_KG, _ICRP30_MARROW_KG = 0.120, 1.5


def check(context: Context) -> Iterator[Row]:
    """Shares of four nuclides beside ICRP 30, Lu-177 beside OLINDA, radium beside its published doses."""
    yield from _icrp30()
    yield from _fat()
    yield from _radium()
    if context.reference is not None:
        path = context.reference / "nm" / "svalues_177Lu_adult_male_mGy_per_MBq_s.csv"
        if path.exists():
            yield from _olinda(path)


def red_in_active_sites() -> float:
    """Return red over all marrow, mean over the sites with red marrow, weighted with their bone surface."""
    active = {site: mass for site, mass in _trabecular_g().items() if site in CELLULARITY}
    return sum(mass * CELLULARITY[site] for site, mass in active.items()) / sum(active.values())


def active_share() -> float:
    """Return the share of the trabecular surface that lies in sites with red marrow."""
    masses = _trabecular_g()
    return sum(mass for site, mass in masses.items() if site in CELLULARITY) / sum(masses.values())


def _trabecular_g() -> dict[str, float]:
    """Return the endosteum of a man's spongiosa, site by site: in proportion to its surface."""
    masses = target_mass_g("endosteum", "M")
    return {site: mass for site, mass in masses.items() if not site.endswith(MEDULLARY)}


def _icrp30() -> Iterator[Row]:
    thin = TrabecularBone(endosteum_mm=0.01)
    cellularity = red_in_active_sites()
    for name, kind, place, marrow, endosteum in _CASES:
        found = nuclide_in_bone(name, place, progeny=RADIUM if name == "Ra-223" else None, bone=thin)
        shares: BoneShares | None = found.alpha if kind == "alphas" else found.electron
        assert shares is not None
        where = "volume" if place == "bone" else "surface"
        for target, ours, theirs, why in (
            (
                "red marrow",
                shares.red_marrow_fraction(cellularity),
                marrow,
                f"{cellularity:.2f} of all marrow where there is red marrow; "
                + ("ICRP 30 counts no fat" if marrow == 0.5 else "one number for all energies"),
            ),
            (
                "10 micrometres of endosteum",
                shares.endosteum_fraction,
                endosteum,
                "one number for all energies",
            ),
        ):
            if theirs is not None:
                yield within(
                    f"{kind} of {name} from the {where} of trabeculae: share of {target}",
                    ours,
                    theirs,
                    unit="of emitted",
                    source=_ICRP30,
                    bounds=(theirs / 2, theirs * 2),
                    note=f"a factor of 2: {why}",
                )


def _fat() -> Iterator[Row]:
    """Alphas of red marrow among fat cells: exponential chords against overlapping spheres."""
    for kev in (3000.0, 5000.0, 6000.0, 7500.0, 9000.0):
        yield within(
            f"alphas of {kev / 1000:g} MeV from red marrow: share of red marrow",
            float(own_fraction(kev, "M", particle="alpha")),
            _among_spheres(kev),
            unit="of emitted",
            source="fat cells as overlapping spheres of 57 micrometres at random places, in closed form",
            tolerance_rel=0.05,
            note="the share of trabeculae is the same in both; ICRP 30 and OLINDA have 1",
        )


def _among_spheres(kev: float) -> float:
    """Return the share, with the chance c^(1 - overlap) to be outside all spheres at two places.

    c is the cellularity, the overlap that of two balls at the distance of the places: two places are free if
    no centre lies in the union of both balls.
    """
    rest = np.linspace(100.0, kev, 2000)
    path_mm = 10 * (alpha_range_g_cm2(kev) - alpha_range_g_cm2(rest)) / MARROW_G_CM3
    apart = np.minimum(path_mm / _FAT_RADIUS_MM, 2.0)
    overlap = 1 - 0.75 * apart + apart**3 / 16
    masses = target_mass_g("red-marrow", "M")
    chance = sum(
        mass / sum(masses.values()) * CELLULARITY[site.removesuffix(MEDULLARY)] ** (1 - overlap)
        for site, mass in masses.items()
    )
    marrow, bone = CAVITY_CM, CAVITY_CM * BONE_SHARE / (1 - BONE_SHARE)
    own, other = marrow * MARROW_G_CM3, bone * BONE_G_CM3
    share = own / (own + other)
    in_cavity = share + (1 - share) * np.exp(-0.1 * path_mm * MARROW_G_CM3 * (1 / own + 1 / other))
    return float((np.trapezoid(chance * in_cavity, rest) + 100.0) / kev)


def _radium() -> Iterator[Row]:
    """Endosteum over red marrow: the published doses are of ICRP 30's fractions, ours of 50 micrometres."""
    table = s_values(adult("adult-male"), "Ra-223", ["trabecular-bone-surface", "cortical-bone-surface"])
    endosteum, marrow = (_alpha(table, target) for target in ("endosteum", "red-marrow"))
    old = (2 * 0.25 / _ICRP30_ENDOSTEUM_KG) / (0.5 / _ICRP30_MARROW_KG)
    published = _RADIUM_GY[0] / _RADIUM_GY[1]
    yield within(
        "Ra-223, equal parts on trabecular and cortical surfaces: alpha dose of endosteum over red marrow",
        endosteum / marrow,
        published,
        unit="1",
        source=_RADIUM_SOURCE,
        bounds=(published / 2, published * 2),
        note=f"a factor of 2: with the fractions and masses of ICRP 30 it is {old:.1f}; ours has 50 "
        f"micrometres in place of 10 and fat in the marrow. {endosteum / 2:.1f} and {marrow / 2:.2f} mGy per "
        "MBq and hour on bone surfaces",
    )


def _alpha(table: SValues, target: str) -> float:
    return float(table.s_mgy_per_mbq_h[:, table.targets.index(target), QUALITIES.index("alpha")].sum())


def _olinda(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = {row["Target"].strip(): row for row in csv.DictReader(handle)}
    table = s_values(adult("adult-male"), {"Lu-177": 1.0}, ["trabecular-bone", "cortical-bone"])
    source = "OLINDA/EXM 2 adult man, as carried by a public code"
    t, s = table.targets.index("red-marrow"), table.sources.index("trabecular-bone")
    photon, electron = (float(table.s_mgy_per_mbq_h[s, t, q]) / 3600 for q in (0, 1))
    yield within(
        "Lu-177 in trabecular bone of sites with red marrow: S of red marrow",
        photon + electron / active_share(),
        float(rows["Red Marrow"]["TrabBone"]),
        unit="mGy/(MBq s)",
        source=source,
        tolerance_rel=0.15,
        note=f"{100 * active_share():.0f} % of the trabecular surface; over the whole skeleton ours is "
        f"{photon + electron:.3g}. The place of OLINDA's source is concluded from this, not read",
    )
    yield within(
        "Lu-177 in cortical bone: S of red marrow (photons alone)",
        table.of("red-marrow", "cortical-bone") / 3600,
        float(rows["Red Marrow"]["CortBone"]),
        unit="mGy/(MBq s)",
        source=source,
        tolerance_rel=0.25,
        note="another phantom, bones drawn as one material",
    )
