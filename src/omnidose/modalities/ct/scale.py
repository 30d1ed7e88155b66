"""The absolute scale of a CT scan: how many photons left the tube, and how well that is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from omnidose import data
from omnidose.beams.ctdi import CtdiResult, cached_ctdi
from omnidose.dosimetry.results import Distribution, Normalisation, UncertaintyComponent
from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.modalities.ct.source import fan_beam, scan_segments
from omnidose.quantities import CtdiVol
from omnidose.transport.tally import Tally

#: Displayed against measured CTDIvol: scanners are accepted within 20 %, taken as two standard deviations.
DISPLAY_STD_REL = 0.10
#: nCTDIw of a scanner of the same name from other people's reports (tube-current means, other bow-ties).
TABLE_STD_REL = 0.20
#: What an equivalent source can miss once it is normalised to CTDIvol, see docs/methods/ct.md.
SOURCE_STD_REL = 0.05


def photons_per_mgy(scan: CtScan, ctdi: CtdiResult) -> float:
    """Return the photons emitted in the whole scan per mGy of CTDIvol.

    CTDIvol x L is the integral that DLP stands for, whatever the pitch: a scan of length L emits
    CTDIvol L / (CTDIw per photon x N T) photons.
    """
    return 0.1 * scan.length_mm / ctdi.line_mgy_cm


def current_over_images(scan: CtScan) -> float:
    """Return the mean tube current over the whole path relative to its mean over the images.

    A CTDIvol from image headers (or from the images' mean mAs) is a mean over the images; over-scan has the
    current of the first or last slice. A dose report's CTDIvol is the mean over the scan: factor 1.
    """
    if scan.scale not in (ScaleSource.IMAGE_HEADER, ScaleSource.SCANNER_TABLE) or not scan.current_rel:
        return 1.0
    segments = scan_segments(scan, 0.0)
    path = np.abs(segments[:, 3] - segments[:, 2]) if scan.scan_type is ScanType.HELICAL else 1.0
    mean_images = float(np.mean(scan.current_rel))
    return float(segments[:, 4].sum() / np.broadcast_to(path, segments[:, 4].shape).sum()) / mean_images


def normalisation(scan: CtScan, *, simulate: Callable[..., Tally] | None = None) -> Normalisation:
    """Return the normalisation of a scan, absolute or relative to 1 mGy of CTDIvol.

    Parameters
    ----------
    simulate
        Engine for the CTDI phantom; the default's results are cached in the user's cache folder.
    """
    ctdi = cached_ctdi(fan_beam(scan), scan.phantom_cm, simulate=simulate)
    per_mgy = photons_per_mgy(scan, ctdi)
    components = [
        UncertaintyComponent(
            key=f"ct-source:{scan.bowtie}",
            distribution=Distribution.NORMAL,
            std_rel=SOURCE_STD_REL,
            text="generic equivalent spectrum and bow-tie, after normalisation to CTDIvol",
        ),
        UncertaintyComponent(
            key=f"ct-ctdi-simulation:{scan.bowtie}-{scan.phantom_cm}-{scan.kv:g}",
            distribution=Distribution.NORMAL,
            std_rel=ctdi.weighted_std_rel,
            text="Monte Carlo error of the simulated CTDIw",
        ),
    ]
    if scan.ctdivol_mgy is None:
        return Normalisation(
            particles=per_mgy,
            relative_to=f"mGy CTDIvol ({scan.phantom_cm} cm)",
            source=scan.scale.value,
            components=tuple(components),
        )
    components.insert(
        0,
        UncertaintyComponent(
            key=f"ctdivol:{scan.device}",
            distribution=Distribution.NORMAL,
            std_rel=scan.scale_std_rel or DISPLAY_STD_REL,
            text=_scale_text(scan),
        ),
    )
    return Normalisation(
        particles=per_mgy * scan.ctdivol_mgy * current_over_images(scan),
        quantity=CtdiVol(scan.ctdivol_mgy, scan.phantom_cm),
        source=scan.scale.value,
        components=tuple(components),
    )


def _scale_text(scan: CtScan) -> str:
    if scan.scale is ScaleSource.SCANNER_TABLE:
        return "CTDIvol from nCTDIw of this scanner's name in other reports, times mAs / pitch"
    return "displayed against measured CTDIvol: accepted within 20 %, taken as two standard deviations"


def table_nctdiw_mgy(scan: CtScan) -> float | None:
    """Return nCTDIw in mGy per 100 mAs of a scanner of this name, kV and phantom, or None."""
    return nctdiw_mgy_per_100mas(scan.manufacturer, scan.model, scan.kv, scan.phantom_cm)


def nctdiw_mgy_per_100mas(manufacturer: str, model: str, kv: float, phantom_cm: int) -> float | None:
    """Return the mean nCTDIw of the table's rows whose scanner name begins like this one's, or None."""
    maker, name = manufacturer.upper().split()[:1], model.upper().strip()
    found = []
    for row in data.load("ct_nctdiw").rows():
        if (
            str(row["manufacturer"]).split()[:1] == maker
            and name.startswith(str(row["model"]).upper())
            and float(row["kv"]) == kv
            and round(row["phantom_cm"]) == phantom_cm
        ):
            found.append(float(row["mgy_per_100mas"]))
    return sum(found) / len(found) if found else None


def expected_ctdivol_mgy(scan: CtScan) -> float | None:
    """Return nCTDIw x mAs / pitch (axial: x N T / step), or None if something of it is unknown."""
    nctdiw = table_nctdiw_mgy(scan)
    if nctdiw is None or scan.mean_current_ma <= 0 or scan.rotation_s <= 0:
        return None
    mas = scan.mean_current_ma * scan.rotation_s
    overlap = scan.collimation_mm / scan.feed_mm if scan.feed_mm > 0 else 1.0
    rotations = scan.repeats if scan.scan_type is not ScanType.VOLUME else len(scan.rotation_z_mm)
    return nctdiw * mas / 100.0 * overlap * rotations
