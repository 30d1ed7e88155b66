"""From an administration, its image and a body to organ doses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from omnidose import data
from omnidose.anatomy.body import BodyModel
from omnidose.dosimetry.results import (
    Distribution,
    DoseMap,
    ExposureResult,
    Figure,
    Normalisation,
    OrganDoses,
    UncertaintyComponent,
)
from omnidose.modalities.nuclear.checks import limits, plausibility_warnings
from omnidose.modalities.nuclear.doses import VoxelDoses, voxel_doses
from omnidose.modalities.nuclear.exposure import DoseMethod, NuclearExam
from omnidose.modalities.nuclear.mean_doses import kernel_component, mean_doses
from omnidose.modalities.nuclear.organ_level import organ_level_doses, organ_level_figure
from omnidose.modalities.nuclear.partial_volume import FWHM_STD_MM
from omnidose.modalities.nuclear.place import place_component
from omnidose.modalities.nuclear.time_integrals import TimeIntegrals, hours_per_mbq, integrate
from omnidose.provenance import Assumption, Provenance
from omnidose.quantities import Quantity, WeightedOrganSum
from omnidose.volume import Volume

if TYPE_CHECKING:
    from omnidose.transport.tally import Tally

#: Packaged tables an estimate rests on.
TABLES = ("nuclides", "nuclides_pinned", "dose_kernel_electrons", "dose_kernel_photons", "photons")
#: Standard uncertainty of the camera's calibration against the dose calibrator: 5 % (EANM accreditation
#: accepts 10 %; our choice).
CALIBRATION_STD_REL = 0.05
#: Standard uncertainties of the integral before and after the scan from one time point, relative to that
#: part; and for urine, which fills and is voided. Expert judgement (grade D), not a measurement.
HEAD_STD_REL, TAIL_STD_REL, URINE_STD_REL = 0.2, 0.15, 0.5
URINE = frozenset({"bladder", "bladder-contents"})


def estimate(
    exam: NuclearExam,
    body: BodyModel,
    *,
    simulate: Callable[..., Tally] | None = None,
    histories: int | None = None,
    precision: float | None = None,
    seed: int = 1,
    progress: Callable[[float, str], None] | None = None,
    cluster: Any = None,
) -> ExposureResult:
    """Estimate the organ doses of one administration.

    Parameters
    ----------
    exam
        Record with its image of the activity.
    body
        Made from the CT of the study or from the PET itself; the image is brought onto its grid.
    simulate, histories, precision, cluster
        For photons by Monte Carlo: the default if there is a CT. Else everything is done by kernels.

    Raises
    ------
    GeometryError
        If image and body do not lie in one place.
    """
    method = exam.method or (DoseMethod.MONTE_CARLO if exam.has_ct else DoseMethod.CONVOLUTION)
    _tell(progress, 0.0, "Integrating activity over time")
    integrals = integrate(exam, body)
    voxels = voxel_doses(
        method,
        integrals.mbq_s,
        exam.nuclide,
        body,
        simulate=simulate,
        histories=histories,
        precision=precision,
        seed=seed,
        progress=progress,
        cluster=cluster,
    )
    _tell(progress, 1.0, "Collecting organ doses")
    doses = mean_doses(voxels, body)
    array = np.where(body.labels > 0, voxels.total, np.float32(0.0))
    map_ = DoseMap(
        volume=Volume.on_grid(array, body.grid, frame_of_reference_uid=body.frame_of_reference_uid)
    )
    doses = replace(
        doses, components=(*components(exam, integrals, doses, voxels), *_anatomy(body, doses, map_))
    )
    doses = _with_histograms(doses, map_, body)
    return ExposureResult(
        exposure_key=exam.key,
        modality="nuclear",
        title=exam.title,
        organ_doses=doses,
        dose_map=map_,
        normalisation=Normalisation(
            particles=1e6 * 3600 * (integrals.seen_mbq_h + integrals.unseen_mbq_h),
            source="decays in the body, from the image and the given activity",
        ),
        quantities=_quantities(doses, body),
        figures=figures(exam, integrals, doses, body),
        warnings=tuple(
            dict.fromkeys(
                (
                    *exam.warnings,
                    *plausibility_warnings(exam),
                    *integrals.notes,
                    *(note for note in voxels.notes if "g/cm3 was set to 0" not in note),
                    *limits(exam),
                    *(voxels.tally.warnings if voxels.tally is not None else ()),
                    *([voxels.tally.message] if voxels.tally is not None and voxels.tally.message else ()),
                )
            )
        ),
        provenance=_provenance(exam, body, integrals, voxels, seed, precision),
        person=body.person,
    )


def _tell(progress: Callable[[float, str], None] | None, fraction: float, text: str) -> None:
    if progress is not None:
        progress(fraction, text)


def _anatomy(body: BodyModel, doses: OrganDoses, map_: DoseMap) -> tuple[UncertaintyComponent, ...]:
    """Return what outlines, completion and places add: places by the map, not by the fall along the body."""
    from omnidose.dosimetry.anatomy_uncertainty import anatomy_components

    place = place_component(body, doses, np.asarray(map_.volume.array))
    return (*anatomy_components(body, doses), *([place] if place is not None else []))


def _with_histograms(doses: OrganDoses, map_: DoseMap, body: BodyModel) -> OrganDoses:
    from omnidose.dosimetry.organ_doses import with_histograms

    return with_histograms(doses, map_, body)


def components(
    exam: NuclearExam, integrals: TimeIntegrals, doses: OrganDoses, voxels: VoxelDoses
) -> tuple[UncertaintyComponent, ...]:
    """Return the uncertainties of activity, time integral and photon transport, per organ."""
    device = f"{exam.manufacturer} {exam.model}".strip() or "camera"
    kinetics = float(np.hypot(HEAD_STD_REL * integrals.head_fraction, TAIL_STD_REL * integrals.tail_fraction))
    per_organ = tuple(URINE_STD_REL if key in URINE else kinetics for key in doses.organs)
    found = [
        UncertaintyComponent(
            key=f"calibration:{device}",
            distribution=Distribution.NORMAL,
            std_rel=CALIBRATION_STD_REL,
            text="calibration of the camera and of the dose calibrator",
        ),
        UncertaintyComponent(
            key=f"kinetics:{exam.agent or exam.nuclide}",
            distribution=Distribution.LOGNORMAL,
            std_rel=per_organ,
            text="time-integrated activity from one time point; urine fills and is voided (expert judgement)",
        ),
    ]
    if voxels.method is not DoseMethod.MONTE_CARLO:
        found.append(kernel_component(doses))
    sharper = integrals.partial_volume
    if sharper is not None:
        found.append(
            UncertaintyComponent(
                key=f"recovery:{device}",
                distribution=Distribution.LOGNORMAL,
                std_rel=tuple(sharper.std_rel(key) for key in doses.organs),
                text=f"partial volume: blur of the images known to {FWHM_STD_MM:g} mm (expert judgement)",
            )
        )
    return tuple(found)


def _quantities(doses: OrganDoses, body: BodyModel) -> dict[str, Quantity]:
    from omnidose.dosimetry.weighting import weighted_sum

    if body.person.sex not in ("M", "F"):
        return {}
    return {"w_T-weighted sum": WeightedOrganSum(float(weighted_sum(doses, sex=body.person.sex).value.value))}


def figures(
    exam: NuclearExam, integrals: TimeIntegrals, doses: OrganDoses, body: BodyModel
) -> tuple[Figure, ...]:
    """Return pictures as data: activity against time, where activity is, dose of every slice."""
    time_h = np.linspace(0.0, 5 * exam.half_life_h, 61)
    physical = np.exp(-np.log(2) * time_h / exam.half_life_h)
    seen = exam.seen_mbq * np.exp(np.log(2) * (exam.hours_to_reference - time_h) / exam.half_life_h)
    if exam.effective_half_life_h:
        late = time_h > exam.hours_to_scan
        at_scan = exam.seen_mbq * np.exp(
            np.log(2) * (exam.hours_to_reference - exam.hours_to_scan) / exam.half_life_h
        )
        seen[late] = at_scan * np.exp(
            -np.log(2) * (time_h[late] - exam.hours_to_scan) / exam.effective_half_life_h
        )
    per_mbq = sum(hours_per_mbq(exam)) / exam.administration.net_mbq
    shares = _activity_shares(exam, integrals, body)
    masses = dict(zip(doses.organs, (float(m) for m in doses.mass_g), strict=True))
    reference = organ_level_doses(exam, body, shares, masses)
    return (
        *([organ_level_figure(doses, reference)] if reference is not None else []),
        Figure(
            key="nuclear-activity",
            title="Activity against time",
            data={
                "time_h": time_h.tolist(),
                "given_mbq": (exam.administration.net_mbq * physical).tolist(),
                "in_field_of_view_mbq": seen.tolist(),
                "scan_h": [
                    exam.hours_to_scan - exam.scan.duration_s / 7200,
                    exam.hours_to_scan + exam.scan.duration_s / 7200,
                ],
            },
        ),
        Figure(
            key="nuclear-integrals",
            title="Time-integrated activity per administered activity",
            data={
                "organ": list(shares),
                "coefficient_h": list(shares.values()),
                "head_fraction": integrals.head_fraction,
                "tail_fraction": integrals.tail_fraction,
                "hours_per_mbq": per_mbq,
            },
        ),
        Figure(
            key="nuclear-dvh",
            title="Dose-volume histograms",
            data={
                key: {"dose_mgy": h.dose_mgy.tolist(), "volume_fraction": h.volume_fraction.tolist()}
                for key, h in doses.dvh.items()
                if key in ("brain", "heart", "liver", "bladder", "left-kidney", "right-kidney", "spleen")
            },
        ),
    )


def _activity_shares(exam: NuclearExam, integrals: TimeIntegrals, body: BodyModel) -> dict[str, float]:
    """Return time-integrated activity coefficients of organs, h."""
    array: npt.NDArray[np.floating] = integrals.mbq_s.array
    sums = np.bincount(body.labels.ravel(), weights=array.ravel(), minlength=256) / 3600
    return {o.key: float(sums[o.label]) / exam.administration.net_mbq for o in body.organs}


def _provenance(
    exam: NuclearExam,
    body: BodyModel,
    integrals: TimeIntegrals,
    voxels: VoxelDoses,
    seed: int,
    precision: float | None,
) -> Provenance:
    assumptions = [
        *exam.assumptions,
        Assumption(
            key="nuclear.kinetics",
            text=integrals.notes[0],
            effect=f"{100 * integrals.tail_fraction:.0f} % of the integral lies after the scan",
        ),
        *(Assumption(key="body", text=note) for note in body.notes),
    ]
    known = data.table_names()
    tally = voxels.tally
    return Provenance(
        inputs=(exam.series_uid,) if exam.series_uid else (),
        tables={name: data.load(name).sha256 for name in TABLES if name in known},
        settings={
            "method": voxels.method.value,
            "seed": seed,
            "precision": precision,
            "histories": tally.histories if tally is not None else 0,
            "nuclide": exam.nuclide,
            "net_mbq": exam.administration.net_mbq,
            "hours_to_scan": exam.hours_to_scan,
            "seen_fraction": exam.seen_fraction,
            "unseen_fraction": integrals.unseen_mbq_h / sum(hours_per_mbq(exam)) / exam.left_mbq,
            "excreted_fraction": integrals.excreted_fraction,
            "labelled_organs": [o.key for o in body.organs],
            "outside_fraction": integrals.outside_fraction,
            "head_fraction": integrals.head_fraction,
            "tail_fraction": integrals.tail_fraction,
            "unseen": exam.unseen.value,
            "image_fwhm_mm": exam.image_fwhm_mm,
            "recovery_fraction": integrals.partial_volume.recovery_fraction
            if integrals.partial_volume
            else {},
            "entered": list(exam.entered),
        },
        assumptions=tuple(assumptions),
    )
