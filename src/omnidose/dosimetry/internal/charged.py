"""Electrons and alpha particles: what they leave where they start, in walls beside them, and in bone.

Their ranges are below the size of organs: the energy stays in the source region, in the wall around contents,
and in marrow and endosteum, whose cavities are as small as the ranges.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.organs import CONTENTS
from omnidose.dosimetry.internal.bone import BONE_SOURCES, bone_fractions
from omnidose.dosimetry.internal.fractions import AbsorbedFractions
from omnidose.dosimetry.internal.marrow import own_fraction
from omnidose.dosimetry.internal.regions import REMAINDER, TOTAL_BODY, drawn_source, unnamed_tissues
from omnidose.errors import InputError

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
        Of the particle; matters in bone and marrow (:data:`BY_ENERGY`) alone.
    named
        The regions that a source ``remainder`` leaves out.

    Returns
    -------
    ndarray
        [targets of :func:`all_targets`] 1/kg. In the source 1/m; electrons in the wall around contents
        1/(2 m of the contents), alpha particles 0; from bone and marrow the shares of
        :func:`omnidose.dosimetry.internal.bone.bone_fractions` over the mass of the target; elsewhere 0.

    Notes
    -----
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
            out[CONTENTS[source]] = 0.5 / contents_kg
        if source in out:
            out[source] = 1 / contents_kg
    else:
        _tissue(out, drawn, 1 / self_mass_kg(fractions, drawn))
    return np.array([out[key] for key in targets])


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
