"""A small PET exam for rows and tests: written in a moment, changed as a mistake needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from omnidose.anatomy.body import BodyModel, Organ, Origin, Person
from omnidose.kinetics.administration import Administration
from omnidose.modalities.nuclear.exposure import NuclearExam, PetScan
from omnidose.volume import Grid

F18_H = 1.8288
#: Changes one DICOM object of a series; the second argument counts them.
Change = Callable[[Any, int], None]


def small_body() -> BodyModel:
    """Return a cylinder of water with a hot ball: 12 slices of 24 x 24 voxels of 8 mm."""
    from omnidose.beams.materials import WATER
    from omnidose.transport.scene import AIR

    grid = Grid.centred((12, 24, 24), (8.0, 8.0, 8.0))
    z, y, x = np.meshgrid(*(grid.axis_mm(a) for a in (2, 1, 0)), indexing="ij")
    labels = np.where((x / 80) ** 2 + (y / 60) ** 2 < 1, 1, 0).astype(np.uint8)
    labels[x**2 + y**2 + z**2 < 30**2] = 2
    return BodyModel(
        name="small body",
        grid=grid,
        materials=(AIR, WATER),
        material_index=(labels > 0).astype(np.uint8),
        density_g_cm3=np.where(labels > 0, 1.0, AIR.density_g_cm3).astype(np.float32),
        labels=labels,
        organs=(
            Organ(key="soft-tissue", label=1, origin=Origin.SEGMENTED),
            Organ(key="liver", label=2, origin=Origin.SEGMENTED),
        ),
        person=Person(sex="F", age_y=50.0, weight_kg=60.0),
    )


def small_exam(**changes: Any) -> NuclearExam:
    """Return F-18 given at 9:30 with a scan of two beds from 10:30 on; keywords replace fields."""
    injection = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
    first = injection + timedelta(hours=1)
    fields: dict[str, Any] = {
        "key": "small",
        "nuclide": "F-18",
        "half_life_h": F18_H,
        "agent": "FDG",
        "administration": Administration(
            nuclide="F-18",
            half_life_h=F18_H,
            assay_mbq=200.0,
            assay_time=injection,
            injection_time=injection,
            assay_std_rel=0.05,
        ),
        "scan": PetScan(
            first=first,
            last=first + timedelta(minutes=3),
            reference=first,
            duration_s=120.0,
            bed_count=2,
            z_mm=(-44.0, 44.0),
        ),
        "seen_mbq": 100.0,
        "manufacturer": "omnidose",
        "model": "synthetic PET",
    }
    return NuclearExam(**(fields | changes))


def write_small(folder: Path, change: Change | None = None) -> None:
    """Write the small exam, every object changed."""
    import pydicom

    from omnidose.modalities.nuclear.synthetic import activity_of, write_exam

    body = small_body()
    exam = small_exam(activity=activity_of(body, 100.0, {"liver": 0.3}))
    for number, path in enumerate(write_exam(exam, body, folder)):
        if change is not None:
            item = pydicom.dcmread(path)
            change(item, number)
            item.save_as(path, enforce_file_format=True)


def ingest_folder(folder: Path, given: Mapping[str, Any] | None = None) -> NuclearExam:
    """Survey a folder and return the record of its first administration."""
    from omnidose.dicom.inventory import read_inventory
    from omnidose.dicom.patient import single_patient
    from omnidose.modalities.nuclear import MODALITY

    with read_inventory(folder) as inventory:
        single_patient(inventory)
        found = MODALITY.ingest(MODALITY.claims(inventory)[0], given)
    if not isinstance(found, NuclearExam):
        raise TypeError("the small exam is one PET")
    return found
