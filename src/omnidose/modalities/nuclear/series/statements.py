"""What a reader of a series' doses must know: assumptions, and warnings about this patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omnidose.anatomy.body import LESION
from omnidose.kinetics.curves import LARGE_TAIL_FRACTION
from omnidose.modalities.nuclear.checks import bone_warnings
from omnidose.modalities.nuclear.series.agreement import misplaced, turned_over
from omnidose.modalities.nuclear.series.blur import is_assumed
from omnidose.modalities.nuclear.series.choosing import LEAST_CM3, LEAST_CONTRAST
from omnidose.modalities.nuclear.series.exam import OnePoint
from omnidose.modalities.nuclear.series.sight import Errors
from omnidose.provenance import Assumption

if TYPE_CHECKING:
    from omnidose.modalities.nuclear.series.estimate import SeriesWork

#: A share below this in the first scan is worth a word, if it was soon after the injection.
LEAST_SEEN, SOON_H = 0.15, 8.0
#: An outline that shows less of its own activity has a dose that rests on the correction.
LOW_RECOVERY = 0.4
#: Notes of the voxels' doses that say nothing about these.
_NOT_HERE = ("g/cm3 was set to 0", "annihilation photons start there")
LIMITS = (
    "Activity is taken to be even within each outline where partial volume is corrected, and even by mass in "
    "the rest of the body.",
    "Organs without an outline (marrow too) have the mean of a map that is as blurred as the images and not "
    "corrected.",
    "Registration is rigid: organs that bend, breathe or fill lie beside their outlines.",
)


def assumptions(work: SeriesWork) -> tuple[Assumption, ...]:
    """Return every choice that the data did not make."""
    exam, found = work.exam, work.decays
    out = [
        *exam.assumptions,
        Assumption(
            key="nuclear.blur",
            text=work.blur_said,
            effect="part 'recovery' of every outline's uncertainty",
        ),
        Assumption(
            key="nuclear.outlines",
            text=f"Outlines: all lesions, and organs of {LEAST_CM3:g} cm3 and more that were drawn (not "
            f"fitted) and show at least {LEAST_CONTRAST:g} times the activity per volume of the rest of the "
            "body; all others have their dose from the map of decays",
        ),
        Assumption(key="nuclear.registration", text="; ".join(work.aligned.sentences)),
        Assumption(
            key="nuclear.curves",
            text="; ".join(
                f"{curve.name}: {curve.shape}, last half-life {curve.longest_half_life_h:.3g} h"
                for curve in (*found.curves.values(), found.rest)
            ),
            effect="share of the decays after the last scan: "
            + ", ".join(f"{c.name} {100 * c.integral.tail_fraction:.0f} %" for c in found.curves.values()),
        ),
        Assumption(key="nuclear.errors", text=_errors(work.errors)),
        Assumption(key="nuclear.unseen", text=" ".join(found.sentences)),
        *(Assumption(key="body", text=note) for note in work.body.notes),
    ]
    taken = [f"{name} without {', '.join(s.without)}" for name, s in work.chosen.sights.items() if s.without]
    if taken:
        out.append(
            Assumption(
                key="nuclear.inside",
                text=f"Outlines inside others were taken out of them: {'; '.join(taken)}",
                effect="a lesion left in a liver changed published doses by up to 36 %",
            )
        )
    return tuple(out)


def warnings(work: SeriesWork) -> tuple[str, ...]:
    """Return sentences that a report shows first."""
    exam, found, chosen = work.exam, work.decays, work.chosen
    said = [*exam.warnings]
    said += work.aligned.warnings
    if is_assumed(exam) and chosen.sights:
        said.append(f"{work.blur_said}.")
    said += _no_outline(work)
    said += _corrected_much(work)
    said += misplaced(exam, work.aligned, chosen, work.blur)
    said += turned_over(exam, work.aligned, chosen, work.blur)
    said += _kinetics(work)
    said += found.warnings
    first = exam.points[0]
    share = exam.seen_fraction(first)
    if exam.hours_to(first) < SOON_H and share < LEAST_SEEN:
        said.append(
            f"The first scan shows only {100 * share:.0f} % of what is left of the given activity: a short "
            "field of view, fast excretion, extravasation, or a wrong number."
        )
    if exam.administration.residual_time is None:
        said.append("No residue was measured: all of the activity in the syringe counts as given.")
    said += bone_warnings(exam.nuclide, exam.agent)
    voxels = work.voxels[work.method]
    said += LIMITS
    said += [note for note in voxels.notes if not any(words in note for words in _NOT_HERE)]
    if voxels.tally is not None:
        said += [*voxels.tally.warnings, *([voxels.tally.message] if voxels.tally.message else [])]
    return tuple(dict.fromkeys(said))


def _errors(errors: Errors) -> str:
    return (
        f"Standard uncertainties that no image tells: {100 * errors.point_rel:g} % of each point, "
        f"{errors.position_mm:g} mm of each registration along each axis, {100 * errors.shape_rel:g} % for "
        f"the shape of a curve, {errors.drawn_voxel_mm:.2g} mm voxels and {errors.drawn_fwhm_mm:g} mm "
        f"resolution where outlines were drawn, {100 * errors.dose_factor_rel:g} % for energy and density"
    )


def _name(key: str) -> str:
    return key.replace("-", " ").capitalize()


def _no_outline(work: SeriesWork) -> list[str]:
    chosen, out = work.chosen, []
    if chosen.fitted_organs:
        names = ", ".join(_name(key).lower() for key in chosen.fitted_organs)
        out.append(
            f"No dose of {names}: they hold activity, but their shapes were only fitted and may lie beside "
            "them. Give their masks (--masks, --segmenter)."
            if chosen.strict
            else f"The shapes of {names} were only fitted: their doses are means of a blurred map over a "
            "shape that may lie beside the organ. Give their masks (--masks, --segmenter)."
        )
        inside = [
            key
            for key in chosen.sights
            if key.startswith(LESION) and _host(work, key) in chosen.fitted_organs
        ]
        if inside:
            out.append(
                f"{', '.join(_name(key) for key in inside)}: in an organ with activity that was not drawn. "
                "What blur carries in from it is not taken off, and the dose is too high."
            )
    return out + [f"No dose of {_name(name).lower()}: {why}." for name, why in chosen.dropped.items()]


def _corrected_much(work: SeriesWork) -> list[str]:
    low = {
        k: s.recovery_fraction for k, s in work.chosen.sights.items() if s.recovery_fraction < LOW_RECOVERY
    }
    if not low:
        return []
    shares = ", ".join(f"{_name(key).lower()} {100 * share:.0f} %" for key, share in low.items())
    return [
        "Small for these images, so that the dose rests on the correction for partial volume (share of its "
        f"own activity that the outline shows): {shares}."
    ]


def _host(work: SeriesWork, lesion: str) -> str:
    """Return the organ that holds most of a lesion."""
    label = np.bincount(work.body.labels[work.chosen.masks[lesion]], minlength=256).argmax()
    return next((organ.key for organ in work.body.organs if organ.label == label), "")


def _kinetics(work: SeriesWork) -> list[str]:
    exam, out = work.exam, []
    curves = (*work.decays.curves.values(), work.decays.rest)
    if len(exam.points) == 1:
        half_life = exam.effective_half_life_h
        if half_life is not None:
            way = f"the effective half-life of {half_life:g} h that was said, in all organs and lesions"
        elif exam.one_point is OnePoint.HAENSCHEID:
            way = (
                "Haenscheid's approximation, good if the scan was 0.75 to 2.5 half-lives after the injection"
            )
        else:
            way = "physical decay alone, an upper bound: whatever leaves an organ afterwards is counted there"
        return [f"One time point: time-integrated activity by {way}."]
    long = [c for c in curves if c.integral.tail_fraction > LARGE_TAIL_FRACTION]
    if long:
        shares = ", ".join(f"{_name(c.name).lower()} {100 * c.integral.tail_fraction:.0f} %" for c in long)
        out.append(
            f"More than {100 * LARGE_TAIL_FRACTION:.0f} % of the decays lie after the last scan and are "
            f"extrapolated: {shares}."
        )
    for curve in curves:
        if curve.integral.remark:
            out.append(f"{_name(curve.name)}: {curve.integral.remark}.")
    if exam.effective_half_life_h is not None:
        out.append("The effective half-life that was said is not used: the scans show it.")
    return out
