"""The demo of a therapy: a simulated patient after 177Lu-DOTATATE, scanned four times. Nobody's data."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from omnidose.modalities.nuclear.imaging.clinic import FULL, Setting, blur_of
from omnidose.modalities.nuclear.imaging.patients import MEMBERS, ORGANS, Patient, draw_patient
from omnidose.modalities.nuclear.imaging.truth import Truth
from omnidose.volume import Volume

#: The patient of the demo, the first one drawn.
SEED = 1
INJECTED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTherapy:
    """A simulated patient on disk.

    Attributes
    ----------
    folder
        ``exam`` (a folder per scan), ``masks`` and ``truth.csv``.
    given
        What a person says because no header holds it.
    calibration_rel
        Wrong over true calibration of the camera.
    """

    folder: Path
    patient: Patient
    truth: Mapping[str, Truth]
    given: dict[str, Any]
    calibration_rel: float

    def scans(self, *numbers: int) -> list[Path]:
        """Folders of some scans (from 1)."""
        return [self.folder / "exam" / f"scan{n}" for n in numbers]


def region_key(region: str) -> str:
    """Return the name of a region of the truth in the results."""
    return region.replace("lesion ", "lesion-")


def write_therapy(seed: int, setting: Setting, folder: Path) -> WrittenTherapy:
    """Scan a simulated patient; write SPECT, CT, masks of organs and lesions, and what is true.

    Parameters
    ----------
    folder
        Receives ``exam``, ``masks`` and ``truth.csv``; they must not exist.
    """
    from omnidose.dicom.nifti import write_nifti
    from omnidose.modalities.nuclear.imaging.objects import write_patient

    patient = draw_patient(seed, grid=setting.grid, phantom_voxel_mm=setting.phantom_mm)
    written = write_patient(folder / "exam", patient, camera=setting.camera, injected=INJECTED)
    masks = folder / "masks"
    masks.mkdir()
    shapes = {key: patient.anatomy.mask(key) for organ in ORGANS for key in MEMBERS[organ]}
    shapes |= {region_key(item.name): item.depth_mm(setting.grid) > 0 for item in patient.lesions}
    for name, mask in shapes.items():
        volume = Volume.on_grid(mask.astype(np.uint8), setting.grid)
        write_nifti(masks / f"{name}.nii.gz", volume, description=name)
    _write_truth(folder / "truth.csv", written.truth)
    return WrittenTherapy(
        folder=folder,
        patient=patient,
        truth=written.truth,
        given={**written.given, "image_fwhm_mm": round(blur_of(setting)[0].fwhm_mm, 1)},
        calibration_rel=1 + patient.calibration_error_rel,
    )


def _write_truth(path: Path, truth: Mapping[str, Truth]) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("organ", "dose_mgy", "volume_cm3"))
        rows.writerows(
            (region_key(key), f"{item.dose_mgy:.6g}", f"{item.volume_cm3:.4g}") for key, item in truth.items()
        )


def write_demo_therapy(folder: Path) -> WrittenTherapy:
    """Write the demo into ``folder``; an earlier one is replaced only when the new one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".demo-", dir=folder))
    try:
        written = write_therapy(SEED, FULL, scratch)
        for name in ("exam", "masks", "truth.csv"):
            old = folder / name
            if old.is_dir():
                shutil.rmtree(old)
            (scratch / name).replace(old)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return replace(written, folder=folder)
