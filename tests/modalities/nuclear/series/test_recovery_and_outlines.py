"""Partial volume: shares that outlines see, the recovery curve, redrawn outlines, applied once."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.bodies import Sphere
from omnidose.modalities.nuclear.proofs._blurred_spheres import share_inside
from omnidose.modalities.nuclear.series.outlines import REST, Outlines, outlines
from omnidose.modalities.nuclear.series.recovery import (
    FWHM_PER_STD,
    ImageBlur,
    fit_blur,
    fit_recovery_curve,
    seen_shares,
)
from omnidose.modalities.nuclear.series.sight import Errors, sights
from omnidose.volume import Grid

GRID = Grid.centred((32, 32, 32), (4.0, 4.0, 4.0))
BLUR = ImageBlur(fwhm_mm=10.0, std_mm=1.0)
STEP = 0.5


def ball(volume_cm3: float, x_mm: float = 0.0, more_mm: float = 0.0) -> np.ndarray:
    depth = Sphere(name="", centre_mm=(x_mm, 0.0, 0.0), volume_cm3=volume_cm3, host="").depth_mm(GRID)
    return np.clip(0.5 + (depth + more_mm) / 4.0, 0, 1).astype(np.float32)


def drawn(lesion_more_mm: float = 0.0) -> Outlines:
    sizes = {"lesion": (20.0, 12.0, lesion_more_mm), "organ": (400.0, 0.0, 0.0)}
    by_step = {
        step: {name: ball(v, x, more + step) for name, (v, x, more) in sizes.items()}
        for step in (-STEP, 0, STEP)
    }
    density = np.full(GRID.shape_zyx, 1.04, np.float32)
    return outlines(GRID, by_step[0], density, larger=by_step[STEP], smaller=by_step[-STEP], step_mm=STEP)


def blurred(mbq: dict[str, float], found: Outlines) -> np.ndarray:
    regions = found.regions()
    return sum(BLUR.applied(mbq[k] * r / r.sum(), GRID.spacing_mm) for k, r in regions.items())[None]


MBQ = {"lesion": 60.0, "organ": 300.0, REST: 200.0}


def test_spheres_show_the_closed_share() -> None:
    sphere = ball(20.0)
    found = seen_shares({"a": sphere}, {"a": (sphere > 0.5).astype(np.float32)}, BLUR, GRID.spacing_mm)[0, 0]
    radius = np.array((3000 * 20 / 4 / np.pi) ** (1 / 3))
    expected = float(share_inside(radius, radius, np.array(10 / FWHM_PER_STD)))
    assert found == pytest.approx(expected, rel=0.05)  # voxels of 4 mm


def test_shares_of_a_wide_outline_and_no_blur() -> None:
    assert float(share_inside(*(np.array(v) for v in (60.0, 15.0, 4.0)))) == pytest.approx(1.0, abs=1e-4)
    assert float(share_inside(*(np.array(v) for v in (15.0, 15.0, 0.05)))) == pytest.approx(1.0, abs=0.01)


def test_a_smaller_outline_is_taken_out_of_the_larger_and_said() -> None:
    found = drawn()
    assert found.without == {"lesion": (), "organ": ("lesion",)}
    assert sum(found.share.values()) == pytest.approx(1.0, abs=1e-6)
    assert found.volume_cm3("organ") == pytest.approx(380, rel=0.02)
    assert found.mass_g("lesion") == pytest.approx(1.04 * found.volume_cm3("lesion"), rel=1e-6)


@pytest.mark.parametrize("name", ["lesion", "organ"])
def test_a_redrawn_outline_keeps_the_whole_and_its_guests(name: str) -> None:
    found = drawn()
    larger, smaller = (found.redrawn(name, larger=flag) for flag in (True, False))
    for changed in (larger, smaller):
        assert sum(changed.share.values()) == pytest.approx(1.0, abs=1e-5)
        assert min(float(s.min()) for s in changed.share.values()) >= 0
        if name == "organ":
            assert changed.share["lesion"] == pytest.approx(found.share["lesion"])
    assert smaller.volume_cm3(name) < found.volume_cm3(name) < larger.volume_cm3(name)
    radius = (3000 * 20 / 4 / np.pi) ** (1 / 3)
    if name == "lesion":
        rate = np.log(larger.volume_cm3(name) / smaller.volume_cm3(name)) / (2 * STEP)
        assert rate == pytest.approx(3 / radius, rel=0.05)


def test_activities_come_back_once_corrected() -> None:
    found = drawn()
    seen = sights(blurred(MBQ, found), found, BLUR, Errors())
    for name in ("lesion", "organ"):
        assert seen[name].activity_mbq == pytest.approx([MBQ[name]], rel=1e-4)
        assert 0.4 < seen[name].recovery_fraction < 0.9  # a second correction would show
    assert seen["organ"].spill_in_fraction > 0.02


def test_the_size_derivative_is_what_a_wrong_outline_does() -> None:
    maps = blurred(MBQ, drawn())
    good = sights(maps, drawn(), BLUR, Errors())["lesion"]
    wrong = sights(maps, drawn(0.4), BLUR, Errors())["lesion"]
    change = np.log(wrong.activity_mbq[0] / wrong.volume_cm3 / (good.activity_mbq[0] / good.volume_cm3))
    assert change == pytest.approx(0.4 * good.size_rel_per_mm, rel=0.1)
    growth_per_mm = np.log(wrong.volume_cm3 / good.volume_cm3) / 0.4
    assert -1 < good.size_rel_per_mm / growth_per_mm < 0  # counts gained make up for part of the mass


def test_the_blur_derivative_is_what_a_wrong_blur_does() -> None:
    maps = blurred(MBQ, drawn())
    good = sights(maps, drawn(), BLUR, Errors())["lesion"]
    wrong = sights(maps, drawn(), ImageBlur(fwhm_mm=10.3, std_mm=1), Errors())["lesion"]
    assert np.log(wrong.activity_mbq[0] / good.activity_mbq[0]) == pytest.approx(
        0.3 * good.blur_rel_per_mm, rel=0.1
    )


def test_a_phantom_gives_its_blur_and_curve() -> None:
    spheres = {f"{v:g} mL": ball(v, x) for v, x in ((4.0, -40.0), (30.0, 0.0), (10.0, 40.0))}
    regions = {**spheres, "water": 1 - sum(spheres.values())}
    mbq = {"4 mL": 4.0, "30 mL": 30.0, "10 mL": 10.0, "water": 100.0}
    image = sum(BLUR.applied(mbq[k] * r / r.sum(), GRID.spacing_mm) for k, r in regions.items())
    blur, recovery = fit_blur(image, regions, mbq, GRID.spacing_mm, spheres=tuple(spheres))
    assert blur.fwhm_mm == pytest.approx(10.0, abs=0.1)
    assert blur.std_mm < 0.1
    curve = fit_recovery_curve(np.array([4.0, 30.0, 10.0]), recovery)
    assert [curve.recovery_fraction(v) for v in (4.0, 30.0, 10.0)] == pytest.approx(recovery, abs=0.03)


def test_refusals() -> None:
    density = np.ones(GRID.shape_zyx, np.float32)
    good = {"a": ball(10.0)}
    with pytest.raises(InputError, match="empty"):
        outlines(GRID, {"a": 0 * good["a"]}, density, larger=good, smaller=good, step_mm=1)
    with pytest.raises(InputError, match="larger and smaller"):
        outlines(GRID, good, density, larger={}, smaller=good, step_mm=1)
    with pytest.raises(InputError, match="do not fit"):
        outlines(GRID, good, density[1:], larger=good, smaller=good, step_mm=1)
    with pytest.raises(InputError, match="three spheres"):
        fit_recovery_curve(np.array([1.0, 2.0]), np.array([0.3, 0.4]))
    with pytest.raises(InputError, match="0 to 1"):
        fit_recovery_curve(np.array([1.0, 2.0, 3.0]), np.array([0.3, 0.4, 1.2]))
    found = drawn()
    empty = blurred({"lesion": 0.0, "organ": 300.0, REST: 900.0}, found) * np.float32(0.99)
    with pytest.raises(InputError, match="no activity of its own"):
        sights(empty - 0.001, found, BLUR, Errors())
