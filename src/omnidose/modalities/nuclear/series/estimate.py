"""From a series of scans and a body to organ and lesion doses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from omnidose import data
from omnidose.anatomy.body import BodyModel
from omnidose.dosimetry.bed import DoseRate
from omnidose.dosimetry.results import DoseMap, ExposureResult, Normalisation, OrganDoses
from omnidose.modalities.nuclear.doses import VoxelDoses, voxel_doses
from omnidose.modalities.nuclear.exposure import DoseMethod
from omnidose.modalities.nuclear.mean_doses import mean_doses
from omnidose.modalities.nuclear.series.alignment import AlignedSeries, align
from omnidose.modalities.nuclear.series.blur import blur_of
from omnidose.modalities.nuclear.series.choosing import Chosen, choose
from omnidose.modalities.nuclear.series.decays import SeriesDecays, decays
from omnidose.modalities.nuclear.series.exam import SeriesExam
from omnidose.modalities.nuclear.series.figures import figures
from omnidose.modalities.nuclear.series.methods import OutlinePhotons, by_method
from omnidose.modalities.nuclear.series.organs import components, with_histograms_of, with_outlines, without
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.modalities.nuclear.series.results import OutlineDose
from omnidose.modalities.nuclear.series.sight import Errors
from omnidose.modalities.nuclear.series.statements import assumptions, warnings
from omnidose.provenance import Provenance
from omnidose.quantities import Quantity, WeightedOrganSum
from omnidose.volume import Volume

if TYPE_CHECKING:
    from omnidose.transport.tally import Tally

#: Packaged tables an estimate rests on.
TABLES = ("nuclides", "nuclides_pinned", "dose_kernel_electrons", "dose_kernel_photons", "photons")
#: Photons of the Monte Carlo that stands beside another method.
BESIDE_HISTORIES = 1_000_000
#: Relative standard error of organs above 100 g where Monte Carlo is the method and nothing else was asked.
PRECISION = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesWork:
    """Everything between the images and the result: for figures, statements and tests."""

    exam: SeriesExam
    body: BodyModel = field(repr=False)
    blur: ImageBlur
    blur_said: str
    errors: Errors
    aligned: AlignedSeries = field(repr=False)
    chosen: Chosen = field(repr=False)
    decays: SeriesDecays = field(repr=False)
    method: DoseMethod
    voxels: dict[DoseMethod, VoxelDoses] = field(repr=False)
    outlines: dict[DoseMethod, dict[str, OutlineDose]]

    @property
    def rates(self) -> dict[str, DoseRate]:
        """Organ -> dose rate against time; kidneys have that of both sides, marrow without one the rest's."""
        found = {key: curve.rate for key, curve in self.decays.organ_curves.items()}
        found |= {key: curve.rate for key, curve in self.decays.curves.items()}
        sides = [found[key] for key in ("left-kidney", "right-kidney") if key in found]
        if sides:
            found["kidneys"] = DoseRate(
                amplitudes=tuple(a for rate in sides for a in rate.amplitudes),
                half_lives_h=tuple(t for rate in sides for t in rate.half_lives_h),
            )
        found.setdefault("red-marrow", self.decays.rest.rate)
        return found


def estimate_series(
    exam: SeriesExam,
    body: BodyModel,
    *,
    simulate: Callable[..., Tally] | None = None,
    histories: int | None = None,
    precision: float | None = None,
    seed: int = 1,
    progress: Callable[[float, str], None] | None = None,
    cluster: Any = None,
) -> ExposureResult:
    """Estimate the organ and lesion doses of one administration from its scans.

    Parameters
    ----------
    body
        Made from the CT of the reference scan.
    simulate, histories, precision, cluster
        For the photons' Monte Carlo.

    Raises
    ------
    GeometryError
        If a scan cannot be brought onto the reference scan, or does not lie in the body.
    InputError
        For a nuclide whose progeny is not known to stay, or a therapy of which no organ and no lesion was
        drawn.
    """
    tell = progress or (lambda _fraction, _text: None)
    tell(0.0, "Registering the scans")
    aligned = align(exam, body, progress=lambda text: tell(0.05, text))
    blur, blur_said = blur_of(exam)
    errors = errors_of(body)
    tell(0.15, "Outlines and partial volume")
    chosen = choose(aligned, body, reference=exam.reference, blur=blur, errors=errors, strict=exam.therapy)
    tell(0.3, "Integrating activity over time")
    found = decays(exam, body, aligned, chosen, blur, errors)
    method = exam.method or DoseMethod.MONTE_CARLO
    options: dict[str, Any] = {"simulate": simulate, "seed": seed, "cluster": cluster}
    chosen_options = (
        {"histories": histories, "precision": None if histories else precision or PRECISION}
        if method is DoseMethod.MONTE_CARLO
        else {"histories": histories or BESIDE_HISTORIES}
    )
    voxels: dict[DoseMethod, VoxelDoses] = {}
    for start, end, way in ((0.35, 0.5, DoseMethod.CONVOLUTION), (0.5, 1.0, DoseMethod.MONTE_CARLO)):
        tell(start, f"Dose, {way.value}")
        voxels[way] = voxel_doses(
            way,
            found.mbq_s,
            exam.nuclide,
            body,
            progress=_part_of(tell, start, end),
            **options,
            **(chosen_options if way is DoseMethod.MONTE_CARLO else {}),
        )
    voxels[DoseMethod.LOCAL] = _local(voxels)
    outlines = {
        way: by_method(
            way,
            exam,
            chosen,
            found,
            OutlinePhotons.of(voxels[way], chosen.masks, body),
            blur=blur,
            errors=errors,
        )
        for way in DoseMethod
    }
    work = SeriesWork(
        exam=exam,
        body=body,
        blur=blur,
        blur_said=blur_said,
        errors=errors,
        aligned=aligned,
        chosen=chosen,
        decays=found,
        method=method,
        voxels=voxels,
        outlines=outlines,
    )
    tell(1.0, "Collecting organ doses")
    return _result(work, seed=seed, precision=precision)


def _local(voxels: dict[DoseMethod, VoxelDoses]) -> VoxelDoses:
    """Return the third way from the other two: electrons stay, photons by kernel; no array twice."""
    kernels, followed = voxels[DoseMethod.CONVOLUTION], voxels[DoseMethod.MONTE_CARLO]
    return VoxelDoses(
        method=DoseMethod.LOCAL,
        electron=followed.electron,
        photon=kernels.photon,
        alpha=followed.alpha,
        notes=kernels.notes,
    )


def errors_of(body: BodyModel) -> Errors:
    """Return what the images do not tell; outlines are no finer than the voxels of the body."""
    plain = Errors()
    return replace(plain, drawn_voxel_mm=max(plain.drawn_voxel_mm, float(np.mean(body.grid.spacing_mm))))


def _part_of(tell: Callable[[float, str], None], start: float, end: float) -> Callable[[float, str], None]:
    """Return a progress that fills a part of another."""
    return lambda share, text: tell(start + (end - start) * share, text)


def _result(work: SeriesWork, *, seed: int, precision: float | None) -> ExposureResult:
    exam, body = work.exam, work.body
    voxels, outlines = work.voxels[work.method], work.outlines[work.method]
    doses = with_outlines(without(mean_doses(voxels, body), work.chosen.no_dose), outlines)
    map_ = DoseMap(
        volume=Volume.on_grid(
            np.where(body.labels > 0, voxels.total, np.float32(0.0)),
            body.grid,
            frame_of_reference_uid=body.frame_of_reference_uid,
        )
    )
    doses = replace(doses, components=components(exam, body, doses, outlines, work.decays, voxels, work.blur))
    doses = with_histograms_of(doses, map_, body, work.chosen.masks)
    return ExposureResult(
        exposure_key=exam.key,
        modality="nuclear",
        title=exam.title,
        organ_doses=doses,
        dose_map=map_,
        normalisation=Normalisation(
            particles=1e6 * 3600 * (work.decays.seen_mbq_h + work.decays.unseen_mbq_h),
            source="decays in the body, from calibrated images at "
            + ", ".join(f"{t:.3g} h" for t in exam.times_h),
        ),
        quantities=_quantities(exam, doses, body),
        figures=figures(work, doses),
        warnings=warnings(work),
        provenance=_provenance(work, seed, precision),
        person=body.person,
        therapy=exam.therapy,
    )


def _quantities(exam: SeriesExam, doses: OrganDoses, body: BodyModel) -> dict[str, Quantity]:
    from omnidose.dosimetry.weighting import weighted_sum

    if exam.therapy or body.person.sex not in ("M", "F"):
        return {}  # a sum with tissue weights means nothing where tissue reactions count
    return {"w_T-weighted sum": WeightedOrganSum(float(weighted_sum(doses, sex=body.person.sex).value.value))}


def _provenance(work: SeriesWork, seed: int, precision: float | None) -> Provenance:
    exam, known = work.exam, data.table_names()
    tally = work.voxels[DoseMethod.MONTE_CARLO].tally
    return Provenance(
        inputs=tuple(point.series_uid for point in exam.points if point.series_uid),
        tables={name: data.load(name).sha256 for name in TABLES if name in known},
        settings={
            "method": work.method.value,
            "seed": seed,
            "precision": precision,
            "histories": tally.histories if tally is not None else 0,
            "nuclide": exam.nuclide,
            "net_mbq": exam.administration.net_mbq,
            "scans_h": list(exam.times_h),
            "seen_fraction": [exam.seen_fraction(point) for point in exam.points],
            "calibration_cps_per_mbq": exam.calibration.cps_per_mbq,
            "calibration_std_rel": exam.calibration.std_rel,
            "blur_fwhm_mm": work.blur.fwhm_mm,
            "blur_std_mm": work.blur.std_mm,
            "outlines": list(work.chosen.masks),
            "organs_with_own_curve": list(work.decays.organ_curves),
            "therapy": exam.therapy,
            "entered": list(exam.entered),
        },
        assumptions=assumptions(work),
    )
