"""A small body and scans of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, Organ, Origin, Person
from omnidose.beams.materials import WATER
from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.transport.scene import AIR
from omnidose.volume import Grid


@pytest.fixture(scope="session")
def torso() -> BodyModel:
    """An elliptical water trunk with two lungs and a liver, 4 mm voxels, centre (10, -20), z 1000 to 1400."""
    grid = Grid(shape_zyx=(100, 60, 90), spacing_mm=(4.0, 4.0, 4.0), origin_mm=(-168.0, -138.0, 1002.0))
    z, y, x = np.meshgrid(grid.axis_mm(2), grid.axis_mm(1), grid.axis_mm(0), indexing="ij")
    x, y = x - 10.0, y + 20.0
    inside = (x / 165) ** 2 + (y / 110) ** 2 < 1
    labels = np.where(inside, 1, 0).astype(np.uint8)
    for label, side in ((2, 1), (3, -1)):
        lung = ((x - side * 75) / 55) ** 2 + (y / 75) ** 2 + ((z - 1280) / 90) ** 2 < 1
        labels[lung & inside] = label
    liver = ((x + 60) / 70) ** 2 + (y / 70) ** 2 + ((z - 1130) / 60) ** 2 < 1
    labels[liver & inside & (labels == 1)] = 4
    density = np.where(labels > 0, 1.0, 0.001205).astype(np.float32)
    density[(labels == 2) | (labels == 3)] = 0.26
    return BodyModel(
        name="test torso",
        grid=grid,
        materials=(AIR, WATER),
        material_index=(labels > 0).astype(np.uint8),
        density_g_cm3=density,
        labels=labels,
        organs=(
            Organ(key="soft-tissue", label=1, origin=Origin.SEGMENTED),
            Organ(key="left-lung", label=2, origin=Origin.SEGMENTED),
            Organ(key="right-lung", label=3, origin=Origin.SEGMENTED),
            Organ(key="liver", label=4, origin=Origin.ATLAS),
        ),
        person=Person(sex="F", age_y=50.0),
    )


@pytest.fixture
def make_scan() -> Callable[..., CtScan]:
    """Return a function that makes a helical scan of the torso; keyword arguments replace fields."""

    def make(**changes: Any) -> CtScan:
        fields: dict[str, Any] = {
            "key": "scan",
            "scan_type": ScanType.HELICAL,
            "kv": 120.0,
            "collimation_mm": 20.0,
            "pitch": 1.0,
            "z_start_mm": 1085.0,
            "z_end_mm": 1355.0,
            "phantom_cm": 32,
            "ctdivol_mgy": 10.0,
            "scale": ScaleSource.DOSE_REPORT,
            "scale_std_rel": 0.1,
            "focus_mm": 570.0,
            "isocentre_mm": (12.0, -25.0),
            "imaged_z_mm": (1100.0, 1340.0),
            "manufacturer": "SIEMENS",
            "model": "SOMATOM Test",
            "mean_current_ma": 200.0,
            "rotation_s": 0.5,
            "protocol": "Thorax",
        }
        fields |= changes
        if fields["ctdivol_mgy"] is None:
            fields |= {"scale": ScaleSource.NONE, "scale_std_rel": 0.0}
        return CtScan(**fields)

    return make
