"""Plausible ranges of a CT scan, and the limits within which the method is valid."""

from __future__ import annotations

from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.modalities.ct.scale import expected_ctdivol_mgy

#: Largest accepted distance between displayed CTDIvol and nCTDIw x mAs / pitch.
CONSISTENCY_REL = 0.30
#: Plausible CTDIvol of one diagnostic scan by phantom (cm): lowest, highest (mGy).
PLAUSIBLE_CTDIVOL_MGY = {16: (0.5, 150.0), 32: (0.1, 80.0)}

#: What the method does not model; printed with every result.
LIMITS = (
    "Generic equivalent spectrum and bow-tie; scanner-specific ones are not published by the makers.",
    "No penumbra: over-beaming changes only the ends of the scan.",
    "Tube-current modulation along the patient only; modulation within a rotation is averaged out.",
    "The start angle of a helix is not recorded: doses to small organs near the surface depend on it.",
    "Kerma approximation: electrons deposit their energy where they are set free.",
)


def plausibility_warnings(scan: CtScan) -> tuple[str, ...]:
    """Return one sentence for everything about a scan that a physicist should look at.

    Nothing is refused here: what is impossible is refused when the record is made.
    """
    found = []
    if not 70 <= scan.kv <= 150:
        found.append(f"{scan.kv:g} kV is unusual for CT (70 to 150 kV).")
    if scan.scan_type is ScanType.HELICAL and not 0.1 <= scan.pitch <= 2.0:
        if scan.pitch > 3.5:
            found.append(f"Pitch {scan.pitch:g} is beyond any scanner (3.4 for dual source).")
        elif scan.pitch > 2.0:
            found.append(f"Pitch {scan.pitch:g} is only possible with two tubes; both are taken as one.")
        else:
            found.append(f"Pitch {scan.pitch:g}: the same place is scanned again and again (cardiac, 4D CT).")
    if scan.ctdivol_mgy is not None and scan.scan_type is not ScanType.LOCALIZER:
        low, high = PLAUSIBLE_CTDIVOL_MGY[scan.phantom_cm]
        if not low <= scan.ctdivol_mgy / scan.repeats <= high:
            found.append(
                f"CTDIvol {scan.ctdivol_mgy:g} mGy ({scan.phantom_cm} cm) is outside the plausible range "
                f"{low:g} to {high:g} mGy of one diagnostic scan."
            )
    consistency = consistency_warning(scan)
    if consistency:
        found.append(consistency)
    if scan.dlp_mgy_cm is not None and scan.ctdivol_mgy is not None:
        length_cm = scan.dlp_mgy_cm / scan.ctdivol_mgy
        if abs(length_cm * 10 - scan.length_mm) > max(0.3 * scan.length_mm, scan.collimation_mm):
            found.append(
                f"DLP / CTDIvol gives a scan of {length_cm:.1f} cm, the images and over-scan "
                f"{scan.length_mm / 10:.1f} cm: images may be missing."
            )
    if abs(scan.tilt_deg) > 0.5:
        found.append(
            f"The gantry was tilted by {scan.tilt_deg:g} degrees; the source turns about the patient's long "
            "axis instead, so doses near the ends of the scan (lenses) are less certain."
        )
    return tuple(found)


def consistency_warning(scan: CtScan) -> str:
    """Return a sentence if displayed CTDIvol and nCTDIw x mAs / pitch differ by more than 30 %, else ''."""
    expected = expected_ctdivol_mgy(scan)
    if expected is None or scan.ctdivol_mgy is None or scan.scale is ScaleSource.SCANNER_TABLE:
        return ""
    if abs(scan.ctdivol_mgy / expected - 1) <= CONSISTENCY_REL:
        return ""
    return (
        f"CTDIvol {scan.ctdivol_mgy:.3g} mGy differs by {100 * (scan.ctdivol_mgy / expected - 1):+.0f} % "
        "from "
        f"nCTDIw x mAs / pitch = {expected:.3g} mGy: check the phantom size, dual source, or doses summed "
        "over several scans."
    )
