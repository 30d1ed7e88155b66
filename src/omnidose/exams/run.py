"""``run``: from a plan to organ doses, dose maps and risk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from omnidose.anatomy.body import LESION, BodyModel, Person
from omnidose.anatomy.organs import organ
from omnidose.dicom.inventory import Series
from omnidose.dosimetry.results import ExposureResult, OrganDoses
from omnidose.dosimetry.totals import total_organ_doses
from omnidose.errors import CancelledError, InputError, OmnidoseError
from omnidose.exams.bodies import PatientBody, body_of
from omnidose.exams.options import EstimateOptions
from omnidose.exams.plan import LeftOut, Plan, PlannedExposure, StageProgress
from omnidose.ledger.events import DoseEvent, History
from omnidose.risk.exposures import dose_event

if TYPE_CHECKING:
    from omnidose.risk.results import RiskResult

#: Pseudonymous key of the one person of an exam; the ledger has its own keys.
PERSON_KEY = "this-person"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamResult:
    """What one job found.

    Attributes
    ----------
    results
        One per exposure.
    total
        Organ doses of all exposures; None if one of several is only relative.
    bodies
        :func:`body_key` of the series -> body the doses were computed in.
    without_contrast
        Number of the scan (from 1) -> organ doses as they would be without its contrast medium.
    risk, risk_reason
        Lifetime risk, or why there is none.
    """

    plan: Plan = field(repr=False)
    person: Person
    results: tuple[ExposureResult, ...]
    total: OrganDoses | None
    bodies: dict[str, PatientBody] = field(repr=False)
    without_contrast: dict[int, OrganDoses] = field(default_factory=dict)
    risk: RiskResult | None = None
    risk_reason: str = ""
    history: History = ()
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()


def _options_of(plan: Plan, item: PlannedExposure) -> EstimateOptions:
    """Return the options for one body: masks of a therapy or a time series are those of its reference CT."""
    own = _drawn_on(plan)
    if plan.options.masks is None or not own or body_key(item.series) in own:
        return plan.options
    return replace(plan.options, masks=None)


def _drawn_on(plan: Plan) -> set[str]:
    """Return the bodies that masks are meant for, where an exam has CTs that they are not meant for."""
    return {
        body_key(e.series)
        for e in plan.exposures
        if getattr(e.exposure, "therapy", False) or len(getattr(e.exposure, "points", ())) > 1
    }


def body_key(series: Series) -> str:
    """Return what a body is kept under: two phases in one series are two bodies."""
    return f"{series.series_uid}/{series.part}" if series.part else series.series_uid


def run(
    plan: Plan, *, progress: StageProgress | None = None, simulate: Callable[..., Any] | None = None
) -> ExamResult:
    """Estimate every planned exposure.

    Parameters
    ----------
    progress
        Called with (stage, share of the stage done, text).
    simulate
        Another engine with the signature of :func:`omnidose.transport.engine.simulate`.

    Raises
    ------
    CancelledError
        If the user stopped it (Ctrl-C); nothing has been written then.
    """
    with _workers(plan.options.cluster) as cluster:
        return _run(plan, progress or (lambda _stage, _share, _text: None), simulate, cluster)


@contextmanager
def _workers(address: str) -> Iterator[Any]:
    """Yield the client of the cluster that the user named, checked before any time is spent; else None."""
    if not address:
        yield None
        return
    from omnidose.transport.workers import check_workers, connect

    with connect(address) as client:
        check_workers(client)
        yield client


def _run(plan: Plan, tell: StageProgress, simulate: Callable[..., Any] | None, cluster: Any) -> ExamResult:
    bodies: dict[str, PatientBody] = {}
    results: list[ExposureResult] = []
    plain: dict[int, OrganDoses] = {}
    done: list[PlannedExposure] = []
    errors: list[OmnidoseError] = []
    failed: list[LeftOut] = []
    try:
        for number, item in enumerate(plan.exposures, start=1):
            key = body_key(item.series)
            stage = (
                "Photons" if len(plan.exposures) == 1 else f"Photons, scan {number} of {len(plan.exposures)}"
            )
            try:
                if key not in bodies:
                    options = _options_of(plan, item)
                    bodies[key] = body_of(item.series, plan.person, options, progress=tell)
                body = bodies[key]
                result = _estimate(item, body.body, plan, stage, tell, simulate, cluster)
                if body.without_contrast is not None:
                    stage = f"{stage}, without contrast medium"
                    other = _estimate(item, body.without_contrast, plan, stage, tell, simulate, cluster)
                    plain[len(results) + 1] = other.organ_doses
            except CancelledError:
                raise
            except OmnidoseError as error:  # the other scans of the exam are estimated all the same
                errors.append(error)
                failed.append(LeftOut(what=item.claim.title, reason=str(error).rstrip(".")))
                continue
            done.append(item)
            results.append(_with_map_of_images(result, body))
    except KeyboardInterrupt:
        raise CancelledError("the job was stopped; nothing was written") from None
    if not results:
        raise errors[0]
    plan = replace(plan, exposures=tuple(done))
    absolute = all(not r.organ_doses.relative_to for r in results)
    total = None
    if absolute or len(results) == 1:
        total = total_organ_doses(with_one_set_of_qualities([r.organ_doses for r in results]))
        total = total.only(_organs_of_all(results, total.organs))
    tell("Risk", float("nan"), "")
    history, risk, reason = _risk(plan, results)
    warnings = [f"{item.what} could not be estimated: {item.reason}." for item in failed]
    if failed:
        warnings.append(f"Sums and risk leave out {len(failed)} of {len(failed) + len(done)} scans.")
    drawn_on = len(_drawn_on(plan) & set(bodies))
    if plan.options.masks is not None and drawn_on > 1:
        warnings.append(
            f"The same masks were laid on {drawn_on} CTs, as they lie. They belong to the one on which they "
            "were drawn: the doses of others are wrong where the patient lay elsewhere. Estimate one "
            "administration at a time, each with its own masks."
        )
    warnings += [w for body in bodies.values() for w in body.warnings]
    warnings += [w for result in results for w in result.warnings]
    warnings += [contrast_sentence(results[k - 1].organ_doses, doses) for k, doses in plain.items()]
    return ExamResult(
        plan=plan,
        person=plan.person,
        results=tuple(results),
        total=total,
        bodies=bodies,
        without_contrast=plain,
        risk=risk,
        risk_reason=reason,
        history=history,
        left_out=(*plan.left_out, *failed),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _organs_of_all(results: Sequence[ExposureResult], organs: Sequence[str]) -> list[str]:
    """Return the organs to which every time series gave a known dose: a sum without it would be too small.

    A series leaves out organs whose dose nobody can tell; what a CT gave them is no sum of the exam.
    """
    known = [
        set(result.organ_doses.organs)
        for result in results
        if any(figure.key == "series-outlines" for figure in result.figures)
    ]
    return [key for key in organs if all(key in own for own in known)]


def with_one_set_of_qualities(parts: Sequence[OrganDoses]) -> list[OrganDoses]:
    """Return the doses with the qualities of all: a scan without electrons of its own has 0 of them.

    What X-rays deposit is deposited by photons, with the electrons that they set free; electrons of a nuclide
    are a quality beside them.
    """
    qualities = tuple(dict.fromkeys(quality for part in parts for quality in part.qualities))
    return [_widened(part, qualities) for part in parts]


def _widened(part: OrganDoses, qualities: tuple[str, ...]) -> OrganDoses:
    if part.qualities == qualities:
        return part
    n, q = len(part.organs), len(qualities)
    column = np.array([qualities.index(quality) for quality in part.qualities])
    dose, covariance = np.zeros((n, q)), np.zeros((n * q, n * q))
    dose[:, column] = part.dose_mgy
    flat = (np.arange(n)[:, None] * q + column).ravel()
    covariance[np.ix_(flat, flat)] = part.covariance_mgy2
    return replace(part, qualities=qualities, dose_mgy=dose, covariance_mgy2=covariance)


def _estimate(
    item: PlannedExposure,
    body: BodyModel,
    plan: Plan,
    stage: str,
    tell: StageProgress,
    simulate: Callable[..., Any] | None,
    cluster: Any,
) -> ExposureResult:
    options = plan.options
    return item.modality.estimate(
        item.exposure,
        body,
        simulate=simulate,
        histories=int(options.histories) if options.histories is not None else None,
        precision=options.precision,
        seed=options.seed,
        progress=lambda share, text: tell(stage, share, text),
        cluster=cluster,
    )


def _with_map_of_images(result: ExposureResult, body: PatientBody) -> ExposureResult:
    """Cut the dose map to the images, over which people lay it; organ doses keep what lies beyond."""
    if result.dose_map is None:
        return result
    part = result.dose_map.volume.array[body.image_box]
    volume = replace(
        result.dose_map.volume, array=np.ascontiguousarray(part), affine_lps_mm=body.image.affine_lps_mm
    )
    return replace(result, dose_map=replace(result.dose_map, volume=volume))


#: Why a therapy has no lifetime risk.
THERAPY_REASON = (
    "A treatment: models of lifetime risk hold for doses far below these, and what counts here are effects "
    "on tumour and organs."
)
#: Organs whose rise by contrast medium is worth a word: at least this much, and this many at most.
CONTRAST_RISE, CONTRAST_NAMED = 0.03, 4


def contrast_sentence(with_medium: OrganDoses, without: OrganDoses) -> str:
    """Say in one sentence how much contrast medium raises which organs' doses."""
    rises = []
    for i, key in enumerate(with_medium.organs):
        if key not in without.organs or key.startswith(LESION) or not without.dose_of(key) > 0:
            continue
        j = without.organs.index(key)
        difference = with_medium.dose_of(key) - without.dose_of(key)
        noise = math.hypot(with_medium.statistical_std_mgy[i], without.statistical_std_mgy[j])
        rise = difference / without.dose_of(key)
        if rise >= CONTRAST_RISE and difference > 3 * noise:
            rises.append((rise, key))
    rises.sort(reverse=True)
    if not rises:
        return f"Contrast medium was found; it raises no organ dose by {100 * CONTRAST_RISE:.0f} % or more."
    shown = ", ".join(f"{organ(key).name} {100 * rise:.0f} %" for rise, key in rises[:CONTRAST_NAMED])
    return f"Contrast medium was found; it raises doses, most of all: {shown} (both are in organ_doses.csv)."


def _risk(plan: Plan, results: list[ExposureResult]) -> tuple[History, RiskResult | None, str]:
    """Return the dose history, the lifetime risk, or the reason why there is none."""
    from omnidose.risk.engine import lifetime_risk

    therapy = any(result.therapy for result in results)
    events: list[DoseEvent] = []
    for result in results:
        try:
            events.append(dose_event(result, person_key=PERSON_KEY, age_y=plan.person.age_y))
        except InputError as error:
            if not therapy:
                return (), None, str(error)
    history = tuple(events)
    if therapy:  # its own event counts, whatever the CTs beside it lack
        return history, None, THERAPY_REASON
    if not plan.options.completion:
        return history, None, "Organs beyond the images are missing: leave out --no-completion for a risk."
    if not plan.person.sex:
        return history, None, "The sex of the person is unknown: give --sex F or --sex M."
    masses = {
        key: float(mass)
        for r in results
        for key, mass in zip(r.organ_doses.organs, r.organ_doses.mass_g, strict=True)
    }
    try:
        risk = lifetime_risk(
            history,
            sex=plan.person.sex,
            population=plan.options.population,
            seed=plan.options.seed,
            removed=plan.options.absent,
            masses_g=masses,
        )
    except InputError as error:
        return history, None, str(error)
    return history, risk, ""
