"""What this room must show: the rows of ``omnidose validate dosimetry``.

Effective dose per fluence of the ICRP 110 phantoms in broad parallel photon beams, beside ICRP
Publication 116. The phantoms stand in vacuum, as in the publication.

Two ways to the dose of marrow and endosteum are run side by side: the mean dose of the homogeneous
spongiosa, and the response functions of the publication's annex D (what omnidose uses for organ
doses). Table A.1 agrees with the first and lies up to 9 % above the second between 40 and 100 keV;
docs/methods/organ_doses.md discusses it. The rows are judged with the first and name the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal

import numpy as np

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.icrp110 import has_reference_phantom, load_reference_phantom
from omnidose.anatomy.skeleton import TARGETS
from omnidose.data import load
from omnidose.dosimetry.organ_doses import organ_doses, regions_of
from omnidose.dosimetry.results import Normalisation, OrganDoses
from omnidose.dosimetry.weighting import WeightedDose, effective_dose
from omnidose.errors import InputError
from omnidose.physics.spectra import Spectrum
from omnidose.quantities import EffectiveDose
from omnidose.transport.engine import simulate
from omnidose.transport.scene import VACUUM, Scene
from omnidose.transport.sources import ParallelSource
from omnidose.transport.tally import Region
from omnidose.validation import Claim, Context, Row, State, Suite, within

#: Where the photons fly to, LPS (+x is the phantom's left, +y its back, +z its head).
DIRECTIONS: dict[str, tuple[float, float, float]] = {
    "AP": (0.0, 1.0, 0.0),
    "PA": (0.0, -1.0, 0.0),
    "LLAT": (-1.0, 0.0, 0.0),
    "RLAT": (1.0, 0.0, 0.0),
}
#: Number of directions over which the rotational and the isotropic field are averaged.
ROTATIONAL, ISOTROPIC = 24, 48
#: mSv to pSv.
PSV_PER_MSV = 1e9
SOURCE = "ICRP Publication 116, table A.1 (with corrigendum)"
QUICK = ((40.0, 60.0, 100.0, 300.0, 1000.0), ("AP", "PA", "LLAT"))
QUICK_HISTORIES, FULL_HISTORIES = 1e6, 4e6
GAP_MM = 5.0
#: Prefix of the regions in which marrow and endosteum get the mean dose of their voxels.
SPONGIOSA = "spongiosa-"

Direction = str | Sequence[float]
SkeletalMethod = Literal["spongiosa", "response"]


def directions_of(direction: Direction) -> list[tuple[float, float, float]]:
    """Return the unit vectors, all of equal weight, along which photons fly.

    Parameters
    ----------
    direction
        AP, PA, LLAT, RLAT, ROT (around the long axis), ISO, or any vector (x, y, z) in LPS.
    """
    if not isinstance(direction, str):
        vector = np.asarray(direction, dtype=np.float64)
        if vector.shape != (3,) or not np.linalg.norm(vector) > 0:
            raise InputError(f"{direction} is no direction", allowed="a vector (x, y, z) that is not 0")
        x, y, z = (float(v) for v in vector / np.linalg.norm(vector))
        return [(x, y, z)]
    name = direction.upper()
    if name in DIRECTIONS:
        return [DIRECTIONS[name]]
    if name == "ROT":
        angles = 2 * np.pi * (np.arange(ROTATIONAL) + 0.5) / ROTATIONAL
        return [(float(np.cos(a)), float(np.sin(a)), 0.0) for a in angles]
    if name == "ISO":  # Fibonacci lattice: equal solid angles
        k = np.arange(ISOTROPIC) + 0.5
        cosine = 1 - 2 * k / ISOTROPIC
        sine, turn = np.sqrt(1 - cosine**2), k * np.pi * (1 + np.sqrt(5.0))
        points = np.stack([sine * np.cos(turn), sine * np.sin(turn), cosine], axis=1)
        return [(float(x), float(y), float(z)) for x, y, z in points]
    allowed = f"{', '.join(DIRECTIONS)}, ROT, ISO or a vector"
    raise InputError(f"there is no irradiation geometry '{direction}'", allowed=allowed)


def parallel_source(
    body: BodyModel, direction: Sequence[float], spectrum: Spectrum
) -> tuple[ParallelSource, float]:
    """Return a broad beam that just covers a body, and the beam's area in cm2.

    Parameters
    ----------
    body
        Its voxels with an organ label bound the beam.
    direction
        Unit vector of flight, LPS.
    spectrum
        Of the photons.

    Returns
    -------
    tuple
        Source and area: one photon per area is the fluence.
    """
    corners = _corners_mm(body)
    w = np.asarray(direction, dtype=np.float64)
    up = np.array([0.0, 0.0, 1.0]) if abs(w[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    v = up - (up @ w) * w
    v = v / np.linalg.norm(v)
    u = np.cross(v, w)
    along = [corners @ axis for axis in (u, v, w)]
    middle = [(c.min() + c.max()) / 2 for c in along[:2]]
    half = [(c.max() - c.min()) / 2 for c in along[:2]]
    centre = middle[0] * u + middle[1] * v + (along[2].min() - GAP_MM) * w
    source = ParallelSource(
        centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        direction=(float(w[0]), float(w[1]), float(w[2])),
        up=(float(v[0]), float(v[1]), float(v[2])),
        half_widths_mm=(float(half[0]), float(half[1])),
        spectrum=spectrum,
    )
    return source, 4 * float(half[0]) * float(half[1]) / 100


def _corners_mm(body: BodyModel) -> np.ndarray:
    """Return the eight corners of the box around all labelled voxels."""
    sides = []
    for axis in range(3):  # x, y, z
        array_axes = tuple(a for a in range(3) if a != 2 - axis)
        used = np.flatnonzero(body.labels.any(axis=array_axes))
        lower, spacing = body.grid.lower_mm[axis], body.grid.spacing_mm[axis]
        sides.append((lower + used[0] * spacing, lower + (used[-1] + 1) * spacing))
    return np.array([(x, y, z) for x in sides[0] for y in sides[1] for z in sides[2]])


@lru_cache(maxsize=2)
def _phantom(name: str) -> tuple[BodyModel, tuple[Region, ...]]:
    body = load_reference_phantom(name, surroundings=VACUUM)
    means = (replace(r, key=SPONGIOSA + r.key, response="") for r in body.regions)
    body = replace(body, regions=(*body.regions, *means))
    return body, regions_of(body)


def organ_doses_per_fluence(
    phantom: str, energy_kev: float, direction: Direction, histories: float, seed: int = 1
) -> OrganDoses:
    """Return the organ doses of an ICRP 110 phantom in a broad parallel beam.

    Parameters
    ----------
    phantom
        ``AM`` or ``AF``.
    energy_kev
        Photon energy.
    direction
        As in :func:`directions_of`.
    histories
        Photons in all directions together.
    seed
        Of the random numbers.

    Returns
    -------
    OrganDoses
        In mGy per (photon/cm2).
    """
    body, regions = _phantom(phantom)
    scene = replace(Scene.from_body(body), world=VACUUM)
    vectors = directions_of(direction)
    parts = []
    for number, vector in enumerate(vectors):
        source, area_cm2 = parallel_source(body, vector, Spectrum.line(energy_kev))
        tally = simulate(
            scene, source, regions=regions, histories=histories / len(vectors), seed=seed + 1000 * number
        )
        scale = Normalisation(particles=area_cm2, relative_to="photon/cm2")
        parts.append(organ_doses(tally, body, scale))
    n = len(parts)
    return replace(
        parts[0],
        dose_mgy=np.sum([p.dose_mgy for p in parts], axis=0) / n,
        covariance_mgy2=np.sum([p.covariance_mgy2 for p in parts], axis=0) / n**2,
        primary_fraction=np.sum([p.primary_fraction * p.total_mgy for p in parts], axis=0)
        / np.sum([p.total_mgy for p in parts], axis=0),
    )


def by_method(doses: OrganDoses, method: SkeletalMethod) -> OrganDoses:
    """Return the doses with marrow and endosteum by one method.

    Parameters
    ----------
    doses
        From :func:`organ_doses_per_fluence`.
    method
        ``response``: annex D of ICRP 116; ``spongiosa``: mean dose of the homogeneous voxels.
    """
    if method == "response":
        return doses
    if method != "spongiosa":
        raise InputError(f"there is no skeletal method '{method}'", allowed="spongiosa or response")
    names = {SPONGIOSA + t: t for t in TARGETS} | {t: f"response-{t}" for t in TARGETS}
    return replace(doses, organs=tuple(names.get(key, key) for key in doses.organs))


def effective_dose_per_fluence(
    energy_kev: float,
    direction: Direction,
    histories: float,
    seed: int = 1,
    method: SkeletalMethod = "spongiosa",
) -> WeightedDose[EffectiveDose]:
    """Return the effective dose per photon fluence of the ICRP reference adults.

    Parameters
    ----------
    energy_kev
        Photon energy.
    direction
        AP, PA, LLAT, RLAT, ROT, ISO, or a vector of flight (LPS).
    histories
        Photons per phantom.
    seed
        Of the random numbers.
    method
        For marrow and endosteum, see :func:`by_method`.

    Returns
    -------
    WeightedDose
        In mSv cm2; multiply by ``PSV_PER_MSV`` for the unit of ICRP 116.
    """
    male, female = _both(energy_kev, direction, histories, seed)
    return effective_dose(by_method(male, method), by_method(female, method))


def _both(
    energy_kev: float, direction: Direction, histories: float, seed: int
) -> tuple[OrganDoses, OrganDoses]:
    return (
        organ_doses_per_fluence("AM", energy_kev, direction, histories, seed),
        organ_doses_per_fluence("AF", energy_kev, direction, histories, seed + 1),
    )


def check_icrp116(context: Context) -> Iterator[Row]:
    """Yield one row per energy and direction: a subset, or with ``--full`` all from 20 keV to 2 MeV."""
    if not (has_reference_phantom("AM") and has_reference_phantom("AF")):
        yield Row(
            name="effective dose per fluence",
            ours=None,
            unit="pSv cm2",
            reference=None,
            source=SOURCE,
            tolerance="",
            state=State.NOT_RUN,
            note="the ICRP 110 phantoms are not installed: omnidose phantom import FILE",
        )
        return
    table = load("icrp116")
    for energy, direction, value in zip(
        table["energy_kev"], table["geometry"], table["psv_cm2"], strict=True
    ):
        wanted = 20 <= energy <= 2000 if context.full else energy in QUICK[0] and direction in QUICK[1]
        if not wanted:
            continue
        context.progress(f"ICRP 116 {direction} {energy:g} keV")
        histories = FULL_HISTORIES if context.full else QUICK_HISTORIES
        male, female = _both(float(energy), str(direction), histories, seed=1)
        result = effective_dose(by_method(male, "spongiosa"), by_method(female, "spongiosa"))
        other = float(effective_dose(male, female).value) * PSV_PER_MSV / value
        ours = float(result.value) * PSV_PER_MSV
        sigma = result.std_statistical_msv / float(result.value)
        missing = f"; without {', '.join(result.missing)}" if result.missing else ""
        yield within(
            f"effective dose per fluence, {direction}, {energy:g} keV",
            ours,
            float(value),
            unit="pSv cm2",
            source=SOURCE,
            tolerance_rel=0.03 if energy >= 40 else 0.05,
            note=(
                f"ours/theirs {ours / value:.4f}, statistical error {100 * sigma:.2f} %, with the marrow "
                f"response functions of annex D {other:.4f}{missing}"
            ),
        )


SUITE = Suite(
    name="dosimetry",
    title="Organ doses in the reference phantoms",
    claims=(
        Claim(
            name="icrp116",
            text=(
                "ICRP 110 male and female in broad parallel beams AP, PA, LLAT: effective dose per "
                "fluence within 3 % of ICRP 116 from 40 keV to 2 MeV, 5 % from 20 keV, marrow, endosteum "
                "and skin included"
            ),
            check=check_icrp116,
        ),
    ),
)
