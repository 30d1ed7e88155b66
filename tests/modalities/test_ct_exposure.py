"""CtScan: geometry, lengths and refusals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.errors import InputError, OmnidoseError, RangeError
from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.modalities.ct.form import FIELDS, axial_positions_mm, scan_from_form

Maker = Callable[..., CtScan]


def test_lengths(make_scan: Maker) -> None:
    helix = make_scan(pitch=0.8, collimation_mm=40.0)
    assert helix.feed_mm == pytest.approx(32.0)
    assert helix.length_mm == 270.0
    assert helix.irradiated_z_mm == (1065.0, 1375.0)
    axial = make_scan(
        scan_type=ScanType.AXIAL, pitch=0.0, rotation_z_mm=(0.0, 10.0, 20.0), step_mm=10.0,
        z_start_mm=0.0, z_end_mm=20.0,
    )  # fmt: skip
    assert axial.length_mm == 30.0
    volume = make_scan(
        scan_type=ScanType.VOLUME, pitch=0.0, rotation_z_mm=(5.0,), z_start_mm=5.0, z_end_mm=5.0,
        collimation_mm=160.0,
    )  # fmt: skip
    assert volume.length_mm == 160.0
    assert volume.irradiated_z_mm == (-75.0, 85.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"pitch": 0.0},
        {"z_end_mm": 0.0},
        {"phantom_cm": 20},
        {"ctdivol_mgy": -1.0},
        {"current_z_mm": (1.0, 0.0), "current_rel": (1.0, 1.0)},
        {"current_z_mm": (0.0,), "current_rel": ()},
        {"repeats": 0},
        {"scan_type": ScanType.AXIAL, "rotation_z_mm": (1.0,), "step_mm": 0.0},
        {"scan_type": ScanType.VOLUME},
    ],
)
def test_impossible_scans_are_refused(make_scan: Maker, changes: dict[str, object]) -> None:
    with pytest.raises(OmnidoseError):
        make_scan(**changes)


def test_scale_and_its_source_go_together(make_scan: Maker) -> None:
    scan = make_scan(ctdivol_mgy=None)
    assert scan.scale is ScaleSource.NONE
    with pytest.raises(InputError, match="where it comes from"):
        CtScan(
            key="x", scan_type=ScanType.HELICAL, kv=120, collimation_mm=20, pitch=1, z_start_mm=0,
            z_end_mm=10, phantom_cm=32, focus_mm=570, ctdivol_mgy=5.0,
        )  # fmt: skip


def test_current_is_constant_beyond_its_profile(make_scan: Maker) -> None:
    scan = make_scan(current_z_mm=(1100.0, 1300.0), current_rel=(0.5, 1.5))
    assert scan.current_at([0.0, 1200.0, 9999.0]).tolist() == [0.5, 1.0, 1.5]


@given(low=st.floats(-500, 500), length=st.floats(5, 800), step=st.floats(1, 60))
def test_axial_positions_cover_the_range_symmetrically(low: float, length: float, step: float) -> None:
    z = np.array(axial_positions_mm(low, low + length, step))
    assert z.mean() == pytest.approx(low + length / 2, abs=1e-6)
    assert abs(z.size * step - length) <= max(step, 1.0) * 0.5 + 1e-6 or z.size == 1


def test_form_makes_a_scan_with_over_scan() -> None:
    scan = scan_from_form(
        {
            "scan_type": "helical", "kv": 100, "collimation_mm": 40, "pitch": 1.0, "z_low_mm": 0,
            "z_high_mm": 300, "phantom_cm": 32, "manufacturer": "GE MEDICAL SYSTEMS",
        }
    )  # fmt: skip
    assert (scan.z_start_mm, scan.z_end_mm) == (-30.0, 330.0)
    assert scan.imaged_z_mm == (0.0, 300.0)
    assert scan.focus_mm == 541.0
    assert scan.scale is ScaleSource.NONE
    assert any("over-scan" in a.text for a in scan.assumptions)


def test_form_refuses_with_the_field() -> None:
    with pytest.raises(InputError, match="Tube voltage"):
        scan_from_form({"scan_type": "axial"})
    with pytest.raises(RangeError, match="60 to 150 kV"):
        scan_from_form({"kv": 12})
    with pytest.raises(InputError, match="no 'colour'"):
        scan_from_form({"colour": 1})
    assert {"kv", "ctdivol_mgy", "phantom_cm"} <= {f.key for f in FIELDS}
