"""From a scan and a body to organ doses: source, transport, scale, uncertainty, named quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from omnidose import data
from omnidose.anatomy.body import BodyModel
from omnidose.dosimetry.results import (
    DoseMap,
    ExposureResult,
    Figure,
    Normalisation,
)
from omnidose.dosimetry.smoothing import Smoothing, smooth
from omnidose.errors import OmnidoseError, RangeError
from omnidose.modalities.ct.checks import LIMITS, plausibility_warnings
from omnidose.modalities.ct.exposure import CtScan, ScanType
from omnidose.modalities.ct.scale import normalisation
from omnidose.modalities.ct.source import ct_source, fan_beam, start_angle_rad
from omnidose.modalities.ct.ssde import size_factor, water_equivalent_diameter_cm
from omnidose.provenance import Assumption, Provenance
from omnidose.quantities import CtdiVol, DoseLengthProduct, Quantity, SizeSpecificDoseEstimate
from omnidose.transport.scene import Scene, Shape

if TYPE_CHECKING:
    from omnidose.transport.tally import Region, Tally

ArrayF8 = npt.NDArray[np.float64]

#: Relative standard error at which a run stops if nothing else is asked.
DEFAULT_PRECISION = 0.01
#: Least number of photons of a run to a precision: a dose map needs more of them than organ means.
MAP_HISTORIES = 4_000_000
#: Relative standard error at which the run of a localizer stops.
LOCALIZER_PRECISION = 0.03
#: Typical photon energy in the body, at which materials are compared when the map is smoothed.
SMOOTHING_KEV = 60.0
#: Organs that must reach the precision: at least this heavy and this far inside the direct beam.
PRECISE_MASS_G = 100.0
PRECISE_SHARE = 0.8
#: Packaged tables a CT estimate rests on.
TABLES = ("photons", "tube_spectra", "ct_bowtie", "ssde_fit", "ct_nctdiw", "ct_geometry")


def estimate(
    scan: CtScan,
    body: BodyModel,
    *,
    simulate: Callable[..., Tally] | None = None,
    histories: int | None = None,
    precision: float | None = None,
    seed: int = 1,
    progress: Callable[[float, str], None] | None = None,
    shapes: tuple[Shape, ...] = (),
    cluster: Any = None,
) -> ExposureResult:
    """Estimate the organ doses of one CT scan in a body.

    Parameters
    ----------
    simulate
        The engine; default :func:`omnidose.transport.engine.simulate`. It also simulates the CTDI
        phantom that gives the scale.
    histories, precision
        Photons, or the relative standard error (default 1 %) of all organs of at least 100 g that
        lie to 80 % in the direct beam.
    shapes
        Analytic shapes around the body (a couch that is not in the voxels).
    cluster
        A ``distributed.Client`` whose workers follow the photons in the body; None: this machine. The CTDI
        phantom, which is cached, is always simulated here.

    Raises
    ------
    GeometryError
        If the scan does not meet the body.
    """
    from omnidose.dosimetry.anatomy_uncertainty import anatomy_components
    from omnidose.dosimetry.organ_doses import dose_map, organ_doses, regions_of, with_histograms

    if histories is None and precision is None:
        precision = DEFAULT_PRECISION
    _tell(progress, 0.0, "Simulating the CTDI phantom for the scale")
    norm = normalisation(scan, simulate=simulate)
    source = ct_source(scan, body, seed=seed)
    regions = regions_of(body)
    options: dict[str, Any] = {"histories": histories}
    if histories is None:
        options = {
            "precision": precision,
            "precision_keys": precise_keys(scan, body, regions),
            "min_histories": MAP_HISTORIES,
        }
    if scan.scan_type is ScanType.LOCALIZER and histories is None:
        # About a hundredth of an exam's dose: its statistics need not be better than its scale.
        options = {**options, "precision": max(LOCALIZER_PRECISION, precision or 0.0)}
        options["min_histories"] = MAP_HISTORIES // 8
    if simulate is None:
        from omnidose.transport.engine import simulate as engine

        simulate = engine
        options["cluster"] = cluster
        if progress is not None:
            options["progress"] = _engine_progress(progress)
    tally = simulate(
        Scene.from_body(body, shapes=shapes), source, regions=regions, seed=seed, voxel_map=True, **options
    )
    _tell(progress, 1.0, "Collecting organ doses")
    doses = organ_doses(tally, body, norm)
    raw = dose_map(tally, body, norm)
    doses = replace(doses, components=(*doses.components, *anatomy_components(body, doses, raw)))
    map_, smoothing = smooth(raw, body, energy_kev=SMOOTHING_KEV)
    map_ = inside_body(map_, body)
    doses = with_histograms(doses, map_, body)
    diameter_cm = water_equivalent_diameter_cm(body)
    quantities, notes = named_quantities(scan, body, diameter_cm)
    return ExposureResult(
        exposure_key=scan.key,
        modality="ct",
        title=scan.title,
        organ_doses=doses,
        dose_map=map_,
        normalisation=norm,
        quantities=quantities,
        figures=figures(scan, body, map_, diameter_cm),
        warnings=tuple(
            dict.fromkeys(
                (
                    *scan.warnings,
                    *plausibility_warnings(scan),
                    *notes,
                    *([tally.message] if tally.message else []),
                    *tally.warnings,
                )
            )
        ),
        provenance=provenance(scan, body, norm, tally, seed, source.isocentre_mm, precision, smoothing),
        person=body.person,
    )


def _tell(progress: Callable[[float, str], None] | None, fraction: float, text: str) -> None:
    if progress is not None:
        progress(fraction, text)


def _engine_progress(progress: Callable[[float, str], None]) -> Callable[[Any], None]:
    def report(state: Any) -> None:
        left = state.seconds_left_s
        tail = f", about {left:.0f} s left" if np.isfinite(left) else ""
        progress(float(state.fraction), f"{state.histories / 1e6:.1f} million photons{tail}")

    return report


def precise_keys(scan: CtScan, body: BodyModel, regions: Iterable[Region]) -> tuple[str, ...]:
    """Return the regions that must reach the precision: heavy organs within the direct beam.

    Falls back to the heaviest organ that the beam meets, then to all regions.
    """
    low, high = scan.irradiated_z_mm
    z = body.grid.axis_mm(2)
    inside = (z >= low) & (z <= high)
    known = {region.key for region in regions}
    mass_g = body.organ_mass_g
    total = np.zeros(256)
    direct = np.zeros(256)
    for k in range(z.size):
        count = np.bincount(body.labels[k].ravel(), minlength=256)
        total += count
        if inside[k]:
            direct += count
    share = {o.key: direct[o.label] / total[o.label] for o in body.organs if total[o.label] > 0}
    heavy = [
        key
        for key, part in share.items()
        if key in known and part >= PRECISE_SHARE and mass_g[key] >= PRECISE_MASS_G
    ]
    if heavy:
        return tuple(heavy)
    met = [key for key, part in share.items() if key in known and part > 0]
    return (max(met, key=lambda key: mass_g[key] * share[key]),) if met else tuple(sorted(known))


def named_quantities(
    scan: CtScan, body: BodyModel, diameter_cm: ArrayF8
) -> tuple[dict[str, Quantity], tuple[str, ...]]:
    """Return CTDIvol, DLP and SSDE (as far as there is a scale), and remarks.

    SSDE follows AAPM 204 and 220: the mean over the imaged slices of size factor x CTDIvol x relative
    tube current. Heads in the 16 cm phantom get none: AAPM Report 293 has factors of its own.
    """
    if scan.ctdivol_mgy is None:
        return {}, ()
    dlp = scan.dlp_mgy_cm if scan.dlp_mgy_cm is not None else scan.ctdivol_mgy * scan.length_mm / 10
    quantities: dict[str, Quantity] = {
        "CTDIvol": CtdiVol(scan.ctdivol_mgy, scan.phantom_cm),
        "DLP": DoseLengthProduct(dlp, scan.phantom_cm),
    }
    if scan.scan_type is ScanType.LOCALIZER:
        return quantities, ()
    z = body.grid.axis_mm(2)
    low, high = scan.imaged_z_mm if scan.imaged_z_mm[1] > scan.imaged_z_mm[0] else scan.irradiated_z_mm
    rows = (z >= low) & (z <= high) & (diameter_cm > 0)
    if not rows.any():
        return quantities, ("No body slice lies in the scan: no SSDE.",)
    if is_head(scan, body, rows):
        return quantities, ("No SSDE: size factors for heads (AAPM Report 293) are not packaged.",)
    try:
        factor = size_factor(diameter_cm[rows], scan.phantom_cm)
    except RangeError as error:
        return quantities, (f"No SSDE: {error}",)
    current = scan.current_at(z[rows])
    ssde = scan.ctdivol_mgy * float(np.mean(factor * current / current.mean()))
    quantities["SSDE"] = SizeSpecificDoseEstimate(ssde)
    return quantities, ()


def is_head(scan: CtScan, body: BodyModel, rows: npt.NDArray[np.bool_]) -> bool:
    """Return True if a scan normalised in the 16 cm phantom shows more brain than lung."""
    if scan.phantom_cm != 16:
        return False
    volume = {}
    for organ in body.organs:
        if organ.key == "brain" or "lung" in organ.key:
            volume[organ.key] = int(np.count_nonzero(body.labels[rows] == organ.label))
    brain = volume.pop("brain", 0)
    return brain > 0 and brain > sum(volume.values())


def figures(scan: CtScan, body: BodyModel, map_: DoseMap | None, diameter_cm: ArrayF8) -> tuple[Figure, ...]:
    """Return pictures as data: tube current, size, and mean dose along the patient."""
    z = body.grid.axis_mm(2)
    found = [
        Figure(
            key="ct-current",
            title="Tube current along the patient",
            data={
                "z_mm": list(scan.current_z_mm),
                "current_rel": list(scan.current_rel),
                "irradiated_z_mm": list(scan.irradiated_z_mm),
                "mean_current_ma": scan.mean_current_ma,
            },
        ),
        Figure(
            key="ct-size",
            title="Water-equivalent diameter along the patient",
            data={"z_mm": z.tolist(), "diameter_cm": [round(float(v), 2) for v in diameter_cm]},
        ),
    ]
    if map_ is not None:
        mean = slice_mean_dose(body, np.asarray(map_.volume.array))
        found.append(
            Figure(
                key="ct-dose-along-z",
                title="Mean dose of each slice of the body",
                data={
                    "z_mm": z.tolist(),
                    "dose_mgy": [None if not np.isfinite(v) else float(v) for v in mean],
                    "relative_to": map_.relative_to,
                },
            )
        )
    return tuple(found)


def inside_body(dose: DoseMap, body: BodyModel) -> DoseMap:
    """Return a dose map that is 0 outside the body.

    A voxel of air weighs so little that single photons give it the highest doses of the whole map, and
    nobody asks for the dose to the air of the room.
    """
    if not body.labels.any():
        return dose
    array = np.where(body.labels > 0, dose.volume.array, np.float32(0.0))
    return replace(dose, volume=replace(dose.volume, array=array))


def slice_mean_dose(body: BodyModel, dose: npt.NDArray[Any]) -> ArrayF8:
    """Return the mass-weighted mean dose of the labelled body in each slice, [nz] (NaN without body)."""
    out = np.full(dose.shape[0], np.nan)
    for k in range(out.size):
        inside = body.labels[k] > 0
        if not inside.any():
            inside = body.density_g_cm3[k] > 0.2
        mass = body.density_g_cm3[k][inside].astype(np.float64)
        if mass.size and mass.sum() > 0:
            out[k] = float(mass @ dose[k][inside]) / float(mass.sum())
    return out


def provenance(
    scan: CtScan,
    body: BodyModel,
    norm: Normalisation,
    tally: Tally,
    seed: int,
    isocentre_mm: tuple[float, float],
    precision: float | None,
    smoothing: Smoothing,
) -> Provenance:
    """Return what the result rests on."""
    beam = fan_beam(scan)
    assumptions = [
        *scan.assumptions,
        Assumption(
            key="ct.source",
            text=f"generic equivalent source: half-value layer {beam.hvl_mm:.2f} mm Al at {scan.kv:g} kV "
            f"(7.75 mm at 120 kV), bow-tie '{scan.bowtie}'",
            effect="a few percent for organs in the beam after normalisation to CTDIvol",
        ),
    ]
    if scan.isocentre_mm is None:
        assumptions.append(
            Assumption(
                key="ct.isocentre",
                text="the images do not give the axis of rotation: the body's centre of mass is taken",
                effect="off-centring by 3 cm changes surface doses by some 10 %",
            )
        )
    if scan.scan_type is ScanType.HELICAL:
        assumptions.append(
            Assumption(key="ct.start-angle", text="the tube's start angle is random, fixed by the seed")
        )
    if smoothing.sigma_mm > 0:
        assumptions.append(
            Assumption(
                key="dose-map.smoothing",
                text=f"the dose map, its histograms and hot spots are smoothed with a Gaussian of "
                f"{smoothing.sigma_mm:.1f} mm: noise per voxel {100 * smoothing.noise_before_rel:.0f} % "
                f"before, about {100 * smoothing.noise_after_rel:.0f} % after",
                effect="edges of the beam are blurred by that much; organ doses do not pass through the map",
            )
        )
    assumptions.extend(Assumption(key="body", text=text) for text in body.notes)
    assumptions.extend(Assumption(key="ct.limits", text=text) for text in LIMITS)
    tables = {}
    for name in TABLES:
        try:
            tables[name] = data.load(name).sha256
        except OmnidoseError:
            continue
    return Provenance(
        inputs=tuple(uid for uid in (scan.event_uid, scan.series_uid) if uid),
        tables=tables,
        settings={
            "seed": seed,
            "histories": tally.histories,
            "precision": precision,
            "start_angle_rad": start_angle_rad(seed),
            "isocentre_mm": list(isocentre_mm),
            "focus_mm": scan.focus_mm,
            "kv": scan.kv,
            "collimation_mm": scan.collimation_mm,
            "pitch": scan.pitch,
            "length_mm": scan.length_mm,
            "particles": norm.particles,
            "scale": scan.scale.value,
            "body": body.name,
        },
        assumptions=tuple(assumptions),
    )
