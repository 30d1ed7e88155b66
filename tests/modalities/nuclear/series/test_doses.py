"""A time series to doses: one sphere in tissue, known from its kernel; intervals and what is largest."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from omnidose.dosimetry.internal_uncertainty import Calibration
from omnidose.errors import InputError
from omnidose.modalities.nuclear.imaging.bodies import Sphere
from omnidose.modalities.nuclear.series.doses import fitted, series_doses
from omnidose.modalities.nuclear.series.outlines import REST, Outlines, outlines
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.modalities.nuclear.series.results import OutlineDose, Part
from omnidose.modalities.nuclear.series.sight import Errors, Sight, sights
from omnidose.transport.dose_kernels.spheres import sphere_s
from omnidose.volume import Grid

GRID = Grid.centred((24, 24, 24), (6.0, 6.0, 6.0))
BLUR = ImageBlur(fwhm_mm=9.0, std_mm=1.0)
TIMES = np.array([4.0, 24.0, 72.0, 168.0])
CAMERA = Calibration(cps_per_mbq=10.0, std_rel=0.05, camera="a")


def drawn() -> Outlines:
    depth = Sphere(name="", centre_mm=(0.0, 0.0, 0.0), volume_cm3=60.0, host="").depth_mm(GRID)
    shapes = [{"lesion": np.clip(0.5 + (depth + s) / 6, 0, 1).astype(np.float32)} for s in (0.0, 0.5, -0.5)]
    density = np.full(GRID.shape_zyx, 1.04, np.float32)
    return outlines(GRID, shapes[0], density, larger=shapes[1], smaller=shapes[2], step_mm=0.5)


def series(found: Outlines, half_life_h: float = 80.0) -> np.ndarray:
    own, rest = found.regions()["lesion"], found.regions()[REST]
    image = BLUR.applied(100 * own / own.sum() + 50 * rest / rest.sum(), GRID.spacing_mm)
    return np.array([image * np.float32(exp(-log(2) / half_life_h * t)) for t in TIMES])


def test_a_sphere_gets_the_dose_of_its_kernel() -> None:
    found = drawn()
    result = series_doses(series(found), TIMES, found, emitter="Lu-177", blur=BLUR, calibration=CAMERA)
    lesion = result.outlines["lesion"]
    integral = 100 * 80 / log(2)
    assert lesion.integral_mbq_h == pytest.approx(integral, rel=1e-3)
    sphere = sphere_s("Lu-177", lesion.mass_g)
    assert lesion.electron_mgy == pytest.approx(3600 * integral * sphere.electron_mgy, rel=2e-3)
    # photons of the lesion as the blurred image shows it, and a little of what is around
    assert lesion.photon_mgy == pytest.approx(3600 * integral * sphere.photon_mgy, rel=0.25)
    assert lesion.dose.value == lesion.electron_mgy + lesion.photon_mgy
    parts = {part.name: part.std_rel for part in lesion.parts}
    assert set(parts) == {"volume", "recovery", "calibration", "curve", "registration", "dose factor"}
    assert parts["calibration"] == 0.05
    assert lesion.largest == max(parts, key=parts.__getitem__)
    low, high = lesion.interval_mgy
    assert low * high == pytest.approx(float(lesion.dose.value) ** 2)
    assert result.integral_mbq_h.array.sum() == pytest.approx(150 * 80 / log(2), rel=0.03)


def test_the_dose_does_not_hang_on_the_calibration_twice() -> None:
    found = drawn()
    one = series_doses(series(found), TIMES, found, emitter="Lu-177", blur=BLUR, calibration=CAMERA)
    other = Calibration(cps_per_mbq=20.0, std_rel=0.05, camera="a")
    two = series_doses(series(found), TIMES, found, emitter="Lu-177", blur=BLUR, calibration=other)
    assert two.outlines["lesion"].dose.value == pytest.approx(one.outlines["lesion"].dose.value)


def test_slow_clearance_is_not_taken_for_retention() -> None:
    """AICc would: it cost 12 % of the integral."""
    sight = sights(series(drawn(), 140.0), drawn(), BLUR, Errors())["lesion"]
    fit = fitted(sight, TIMES, 159.5)
    assert fit.shape.value == "mono"
    assert fit.integral.value_mbq_h == pytest.approx(100 * 140 / log(2), rel=1e-3)


def test_what_does_not_leave_is_retained() -> None:
    activity = 100 * np.exp(-log(2) / 159.5 * TIMES) * np.array([0.98, 0.99, 1.01, 1.02])
    sight = Sight(
        name="lesion", activity_mbq=activity, std_rel=np.full(4, 0.03), volume_cm3=10, mass_g=10,
        recovery_fraction=0.7, spill_in_fraction=0, size_rel_per_mm=-0.2, blur_rel_per_mm=0.05,
    )  # fmt: skip
    assert fitted(sight, TIMES, 159.5).shape.value == "retained"


def test_parts_add_in_quadrature() -> None:
    dose = OutlineDose(
        name="a", integral_mbq_h=1, volume_cm3=1, mass_g=1, recovery_fraction=1, spill_in_fraction=0,
        electron_mgy=90, photon_mgy=10, curve="mono",
        parts=(Part(name="volume", std_rel=0.03), Part(name="curve", std_rel=0.04)),
    )  # fmt: skip
    assert dose.std_rel == pytest.approx(0.05)
    assert dose.largest == "curve"
    assert dose.interval_mgy == pytest.approx((100 * exp(-0.098), 100 * exp(0.098)), rel=1e-4)


def test_maps_that_do_not_fit_are_refused() -> None:
    found = drawn()
    with pytest.raises(InputError, match="do not fit"):
        series_doses(series(found)[:3], TIMES, found, emitter="Lu-177", blur=BLUR, calibration=CAMERA)


def test_voxels_may_have_curves_of_their_own() -> None:
    found = drawn()
    both = [
        series_doses(
            series(found), TIMES, found, emitter="Lu-177", blur=BLUR, calibration=CAMERA, own_curves=own
        )
        for own in (False, True)
    ]
    assert both[1].integral_mbq_h.array == pytest.approx(both[0].integral_mbq_h.array, rel=1e-3)
    assert both[1].outlines["lesion"].dose.value == pytest.approx(both[0].outlines["lesion"].dose.value)


def test_five_points_can_show_an_uptake() -> None:
    time = np.array([1.0, 4.0, 24.0, 72.0, 120.0, 168.0])
    activity = 100 * (np.exp(-log(2) / 60 * time) - np.exp(-log(2) / 3 * time))
    sight = Sight(
        name="lesion", activity_mbq=activity, std_rel=np.full(6, 0.02), volume_cm3=10, mass_g=10,
        recovery_fraction=0.7, spill_in_fraction=0, size_rel_per_mm=-0.2, blur_rel_per_mm=0.05,
    )  # fmt: skip
    fit = fitted(sight, time, 159.5)
    assert fit.shape.value == "uptake"
    assert fit.integral.value_mbq_h == pytest.approx(100 * 57 / log(2), rel=1e-3)
