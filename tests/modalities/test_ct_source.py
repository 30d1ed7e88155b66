"""The tube's path, the isocentre, the bow-ties and the scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel
from omnidose.beams.ctdi import CtdiResult
from omnidose.errors import GeometryError, InputError
from omnidose.modalities.ct.exposure import CtScan, ScaleSource, ScanType
from omnidose.modalities.ct.scale import (
    current_over_images,
    expected_ctdivol_mgy,
    nctdiw_mgy_per_100mas,
    photons_per_mgy,
)
from omnidose.modalities.ct.source import (
    bowtie,
    ct_source,
    fan_beam,
    isocentre_mm,
    scan_segments,
    start_angle_rad,
)

Maker = Callable[..., CtScan]


def ctdi(collimation_mm: float, weighted_mgy: float) -> CtdiResult:
    return CtdiResult(
        phantom_cm=32, collimation_mm=collimation_mm, simulated_collimation_mm=collimation_mm,
        centre_mgy=weighted_mgy, periphery_mgy=weighted_mgy, weighted_mgy=weighted_mgy, centre_std_rel=0.0,
        periphery_std_rel=0.0, weighted_std_rel=0.0, ratio_std_rel=0.0, histories=1, seed=1,
    )  # fmt: skip


def test_constant_helix_is_one_segment_with_the_right_number_of_turns(make_scan: Maker) -> None:
    (segment,) = scan_segments(make_scan(pitch=0.9), 1.0)
    assert segment[1] - segment[0] == pytest.approx(2 * np.pi * 270.0 / 18.0)
    assert segment[2:4].tolist() == [1085.0, 1355.0]


def test_modulated_helix_is_continuous_and_weighted(make_scan: Maker) -> None:
    scan = make_scan(current_z_mm=(1100.0, 1340.0), current_rel=(0.5, 1.5))
    segments = scan_segments(scan, 0.3)
    assert segments[0, 0] == 0.3
    assert np.allclose(segments[1:, 0], segments[:-1, 1])
    assert np.allclose(segments[1:, 2], segments[:-1, 3])
    weights = segments[:, 4]
    assert weights[0] / weights[-1] == pytest.approx(1 / 3)
    assert weights.sum() == pytest.approx(270.0, rel=1e-3)


def test_axial_rotations_are_full_turns(make_scan: Maker) -> None:
    scan = make_scan(
        scan_type=ScanType.AXIAL, pitch=0.0, step_mm=20.0, rotation_z_mm=(1110.0, 1130.0), z_start_mm=1110.0,
        z_end_mm=1130.0, current_z_mm=(1110.0, 1130.0), current_rel=(0.8, 1.2),
    )  # fmt: skip
    segments = scan_segments(scan, 0.0)
    assert np.allclose(segments[:, 1] - segments[:, 0], 2 * np.pi)
    assert segments[:, 2].tolist() == segments[:, 3].tolist() == [1110.0, 1130.0]
    assert segments[:, 4].tolist() == [0.8, 1.2]


def test_start_angle_is_random_but_repeatable() -> None:
    angles = [start_angle_rad(seed) for seed in range(50)]
    assert len(set(angles)) == 50
    assert start_angle_rad(7) == angles[7]
    assert 0 <= min(angles) < 1
    assert 5 < max(angles) < 2 * np.pi


def test_isocentre_from_header_or_body(make_scan: Maker, torso: BodyModel) -> None:
    assert isocentre_mm(make_scan(), torso) == (12.0, -25.0)
    found = isocentre_mm(make_scan(isocentre_mm=None, z_start_mm=1010.0, z_end_mm=1050.0), torso)
    assert found == pytest.approx((10.0, -20.0), abs=0.5)
    with pytest.raises(GeometryError, match="does not meet the body"):
        isocentre_mm(make_scan(z_start_mm=0.0, z_end_mm=100.0), torso)
    with pytest.raises(GeometryError, match="outside the body's grid"):
        isocentre_mm(make_scan(isocentre_mm=(0.0, 900.0)), torso)


def test_source_of_a_scan(make_scan: Maker, torso: BodyModel) -> None:
    source = ct_source(make_scan(), torso, seed=3)
    assert source.isocentre_mm == (12.0, -25.0)
    assert source.segments[0, 0] == start_angle_rad(3)
    assert source.transmission is not None
    assert source.transmission.shape == (61, 1)
    assert len(source.spectra) == 61
    wide = fan_beam(make_scan(collimation_mm=80.0))
    assert wide.heel
    assert wide.tables()[0].shape[1] > 1


def test_bowties_of_the_table() -> None:
    assert bowtie("none").strength_mm_per_mm == 0
    assert bowtie("head").radius_mm < bowtie("body").radius_mm
    assert bowtie("head").strength_mm_per_mm > 0
    with pytest.raises(InputError, match="head, body or none"):
        bowtie("cat")


def test_scale_does_not_depend_on_pitch_but_on_length(make_scan: Maker) -> None:
    result = ctdi(20.0, 2e-12)
    one = photons_per_mgy(make_scan(pitch=1.0), result)
    # 27 cm / (2e-12 mGy x 2 cm)
    assert one == pytest.approx(27.0 / 4e-12)
    assert photons_per_mgy(make_scan(pitch=0.5), result) == one
    assert photons_per_mgy(make_scan(z_end_mm=1220.0), result) == pytest.approx(0.5 * one)


def test_mean_over_images_is_not_the_mean_over_the_scan(make_scan: Maker) -> None:
    profile = {"current_z_mm": (1100.0, 1220.0, 1340.0), "current_rel": (2.0, 0.5, 0.5)}
    header = make_scan(scale=ScaleSource.IMAGE_HEADER, **profile)
    weights = scan_segments(header, 0.0)
    assert current_over_images(header) == pytest.approx(weights[:, 4].sum() / 270.0)
    assert current_over_images(make_scan(**profile)) == 1.0
    assert current_over_images(make_scan(scale=ScaleSource.IMAGE_HEADER)) == 1.0


def test_named_scanner(make_scan: Maker) -> None:
    assert nctdiw_mgy_per_100mas("Siemens Healthineers", "Biograph40_mCT 4R", 120.0, 32) == 7.31
    assert nctdiw_mgy_per_100mas("GE MEDICAL SYSTEMS", "Optima CT660", 120.0, 32) == pytest.approx(8.70)
    assert nctdiw_mgy_per_100mas("SIEMENS", "Biograph40_mCT", 100.0, 32) is None
    assert nctdiw_mgy_per_100mas("", "", 120.0, 32) is None
    scan = make_scan(model="SOMATOM Confidence", pitch=0.8)
    assert expected_ctdivol_mgy(scan) == pytest.approx(6.65 / 0.8)
    assert expected_ctdivol_mgy(replace(scan, repeats=3)) == pytest.approx(3 * 6.65 / 0.8)
    assert expected_ctdivol_mgy(replace(scan, rotation_s=0.0)) is None
