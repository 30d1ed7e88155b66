"""The organ level beside the voxels: the same decays in a reference adult, through its S values."""

from __future__ import annotations

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.organs import combined_organs
from omnidose.anatomy.segmentation.location import bone_keys
from omnidose.dosimetry.internal.doses import organ_doses_of_activity
from omnidose.dosimetry.internal.fractions import AbsorbedFractions, adult
from omnidose.dosimetry.results import Figure, OrganDoses
from omnidose.modalities.nuclear.exposure import NuclearExam

REMAINDER = "remainder"
PHANTOMS = {"M": "adult-male", "F": "adult-female"}
#: Adults only: the packaged fractions are those of adults.
ADULT_Y = 18.0


def source_coefficients_h(coefficients_h: dict[str, float], fractions: AbsorbedFractions) -> dict[str, float]:
    """Return coefficients by the source regions of a phantom.

    Parameters
    ----------
    coefficients_h
        Organ of the body -> time-integrated activity coefficient.

    Returns
    -------
    dict
        Parts join their whole (``left-kidney`` the kidneys, bones the skeleton); what is no source of the
        phantom is in the remainder.
    """
    whole_of = {part: whole for whole, parts in combined_organs().items() for part in parts}
    out: dict[str, float] = {}
    for key, hours in coefficients_h.items():
        name = "skeleton" if key in bone_keys() else key
        while name not in fractions.sources and name in whole_of:
            name = whole_of[name]
        if name not in fractions.sources or name == "soft-tissue":
            name = REMAINDER
        out[name] = out.get(name, 0.0) + hours
    return out


def organ_level_doses(
    exam: NuclearExam, body: BodyModel, coefficients_h: dict[str, float], masses_g: dict[str, float]
) -> OrganDoses | None:
    """Return the doses of the same decays in a reference adult; None for children and unknown sex.

    Parameters
    ----------
    masses_g
        Masses of the body's organs, to which those of the phantom are scaled.
    """
    age_y = body.person.age_y
    if body.person.sex not in PHANTOMS or (age_y is not None and age_y < ADULT_Y):
        return None
    fractions = adult(PHANTOMS[body.person.sex])
    return organ_doses_of_activity(
        fractions,
        source_coefficients_h(coefficients_h, fractions),
        exam.nuclide,
        activity_mbq=exam.administration.net_mbq,
        masses_g={k: m for k, m in masses_g.items() if k in fractions.tissues and k != "skeleton" and m > 0},
    )


def organ_level_figure(ours: OrganDoses, theirs: OrganDoses) -> Figure:
    """Return both doses of every organ that both have, as data."""
    both = [key for key in ours.organs if key in theirs.organs and ours.dose_of(key) > 0]
    return Figure(
        key="nuclear-organ-level",
        title="Voxels beside the organ level (the same decays in a reference adult)",
        data={
            "organ": both,
            "voxels_mgy": [ours.dose_of(key) for key in both],
            "organ_level_mgy": [theirs.dose_of(key) for key in both],
        },
    )
