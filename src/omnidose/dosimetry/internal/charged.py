"""Electrons and alpha particles: what they leave where they start, in walls beside them, and in bone.

Their ranges are below the size of organs: the energy stays in the source region, in the wall around contents,
and in marrow and endosteum, whose cavities are as small as the ranges.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.organs import CONTENTS
from omnidose.anatomy.stylised import media
from omnidose.dosimetry.internal.bone import BONE_SOURCES, bone_assumptions, bone_fractions
from omnidose.dosimetry.internal.fractions import AbsorbedFractions
from omnidose.dosimetry.internal.marrow import own_fraction
from omnidose.dosimetry.internal.regions import (
    REMAINDER,
    TOTAL_BODY,
    WALLS_OF_VOXELS,
    drawn_source,
    unnamed_tissues,
)
from omnidose.errors import InputError
from omnidose.physics.electron_stopping import csda_range_g_cm2

ArrayF8 = npt.NDArray[np.float64]

ELECTRON, ALPHA = "electron", "alpha"
#: Mass of the wall over that of wall and contents where a phantom draws both as one: 516 g and 322 g in the
#: 15-year phantom, with the same ratio at every age (Cristy and Eckerman 1987, region masses of ORNL's DCAL).
SMALL_INTESTINE_WALL_SHARE = 516 / (516 + 322)
#: Energy of electrons where it does not matter, keV.
ANY_KEV = 200.0
#: Sources from which shares go with the energy.
BY_ENERGY = ("red-marrow", *BONE_SOURCES)


def all_targets(fractions: AbsorbedFractions) -> tuple[str, ...]:
    """Return the targets of results: those of the phantom, and muscle where soft tissue stands for it."""
    if "soft-tissue" in fractions.targets and "muscle" not in fractions.targets:
        return (*fractions.targets, "muscle")
    return fractions.targets


def charged_saf_per_kg(
    fractions: AbsorbedFractions,
    source: str,
    *,
    particle: str = ELECTRON,
    energy_kev: float = ANY_KEV,
    named: Collection[str] = (),
) -> ArrayF8:
    """Return the specific absorbed fractions of electrons or alpha particles from one region.

    Parameters
    ----------
    source
        A source region, also one of bone: ``cortical-bone``, ``trabecular-bone``, and their ``-surface``.
    particle
        ``electron`` or ``alpha``.
    energy_kev
        Of the particle; matters where :func:`by_energy` says so.
    named
        The regions that a source ``remainder`` leaves out.

    Returns
    -------
    ndarray
        [targets of :func:`all_targets`] 1/kg. In the source 1/m; electrons in the wall around contents as
        said below, alpha particles 0; from bone and marrow the shares of
        :func:`omnidose.dosimetry.internal.bone.bone_fractions` over the mass of the target; elsewhere 0.

    Notes
    -----
    Electrons of contents give the surface of the wall 1/(2 m of the contents): ICRP 30, OLINDA. Where the
    phantom was voxels and the area of contact is known, the walls of bladder, gall bladder and heart get the
    mean over their mass, as in the ICRP's own voxel phantoms (ICRP 133 and 155): straight tracks of range R
    carry A R / (8 V) of their energy through an area A out of a volume V, at most what the rule above says.

    Of what starts in red marrow it takes the share of
    :func:`omnidose.dosimetry.internal.marrow.own_fraction`, fat cells and trabeculae the rest.

    Raises
    ------
    InputError
        For a region that the phantom does not have, or another particle.
    """
    if particle not in (ELECTRON, ALPHA):
        raise InputError(f"no absorbed fraction of '{particle}'", allowed=f"{ELECTRON}, {ALPHA}")
    targets = all_targets(fractions)
    masses_kg = _masses_kg(fractions)
    drawn = drawn_source(source, fractions.sources, fractions.phantom)
    source_kg = float(fractions.source_mass_g[fractions.source(drawn)]) / 1000
    out = dict.fromkeys(targets, 0.0)
    out[TOTAL_BODY] = 1 / masses_kg[TOTAL_BODY]
    if source == TOTAL_BODY:
        out = dict.fromkeys(targets, 1 / source_kg)
    elif source == REMAINDER:
        _remainder(fractions, out, source_kg, named)
    elif source in BONE_SOURCES:
        _bone(fractions, out, source, particle, energy_kev)
    elif drawn == "red-marrow":
        _bone(fractions, out, "red-marrow", particle, energy_kev)
    elif source in CONTENTS:
        contents_kg = source_kg
        if drawn != source:  # wall and contents are drawn as one
            contents_kg *= 1 - SMALL_INTESTINE_WALL_SHARE
        if particle == ELECTRON and CONTENTS[source] in out:
            out[CONTENTS[source]] = _wall_per_kg(fractions, source, contents_kg, energy_kev)
        if source in out:
            out[source] = 1 / contents_kg
    else:
        _tissue(out, drawn, 1 / self_mass_kg(fractions, drawn))
    return np.array([out[key] for key in targets])


def by_energy(fractions: AbsorbedFractions, source: str) -> bool:
    """Return whether the shares of electrons or alphas from a source go with their energy."""
    return source in BY_ENERGY or source in fractions.contact_cm2


def _wall_per_kg(fractions: AbsorbedFractions, source: str, contents_kg: float, energy_kev: float) -> float:
    """Return the SAF of a wall for electrons of its contents."""
    at_surface = 0.5 / contents_kg
    if source not in fractions.contact_cm2:
        return at_surface
    range_g_cm2 = float(csda_range_g_cm2(media()["soft-tissue"], max(energy_kev, 1.0)))
    leaves = fractions.contact_cm2[source] * range_g_cm2 / (8 * 1000 * contents_kg)
    wall_g = float(fractions.target_mass_g[fractions.target(CONTENTS[source])])
    return min(1000 * leaves / wall_g, at_surface)


def assumptions(sources: Iterable[str], *, voxels: bool) -> tuple[str, ...]:
    """Return what a result must say about activity in contents, bone and marrow.

    Parameters
    ----------
    voxels
        Whether the phantom's areas of contact are known (an imported phantom, not the packaged tables).
    """
    named = set(sources)
    mean = named & {*WALLS_OF_VOXELS} if voxels else set()
    found = []
    if mean:
        found.append(
            "electrons of urine, bile and blood: mean dose of the wall, as in the ICRP's voxel phantoms; at "
            "the wall's surface (ICRP 30, OLINDA) it is up to 10 times as high"
        )
    if named & {*CONTENTS} - mean:
        found.append("electrons of contents: dose at the surface of the wall (ICRP 30, OLINDA), not its mean")
    return (*found, *bone_assumptions(named))


def _tissue(out: dict[str, float], key: str, per_kg: float) -> None:
    """Activity all over a tissue gives it, and the regions inside it, the same dose."""
    for target in (key, *_INSIDE.get(key, ())):
        if target in out:
            out[target] = per_kg


#: Targets that lie in a tissue and have no activity of their own; skin only where no organ is drawn for it.
_INSIDE = {
    "soft-tissue": ("skin", "muscle"),
    "skeleton": ("red-marrow", "endosteum"),
    "eyes": ("lenses",),
}


def _remainder(
    fractions: AbsorbedFractions, out: dict[str, float], source_kg: float, named: Collection[str]
) -> None:
    if "red-marrow" in named and "skeleton" not in named:  # the bones are left, without their marrow
        source_kg -= float(fractions.target_mass_g[fractions.target("red-marrow")]) / 1000
    for key in unnamed_tissues(fractions.tissues, named):
        for target in (key, *_INSIDE.get(key, ())):
            if target in out and target not in named:
                out[target] = 1 / source_kg


def _bone(
    fractions: AbsorbedFractions, out: dict[str, float], source: str, particle: str, energy_kev: float
) -> None:
    """Activity in or on bone, or in red marrow: shares over masses. The skeleton keeps all."""
    red, endosteum = bone_fractions(source, particle, energy_kev, fractions.sex)
    if source == "red-marrow":
        red = float(own_fraction(energy_kev, fractions.sex, particle=particle))
    for target, share in (("red-marrow", red), ("endosteum", endosteum), ("skeleton", 1.0)):
        if target in out:
            out[target] = 1000 * share / float(fractions.target_mass_g[fractions.target(target)])


def _masses_kg(fractions: AbsorbedFractions) -> dict[str, float]:
    return dict(zip(fractions.targets, (fractions.target_mass_g / 1000).tolist(), strict=True))


def self_mass_kg(fractions: AbsorbedFractions, key: str) -> float:
    """Return the mass that holds the activity: of a small intestine drawn with its contents, the wall."""
    source_kg = float(fractions.source_mass_g[fractions.source(key)]) / 1000
    if key == "small-intestine" and "small-intestine-contents" not in fractions.targets:
        return source_kg * SMALL_INTESTINE_WALL_SHARE
    return source_kg
