"""A shape whose sizes are whole numbers is as large as one whose sizes are floats."""

from __future__ import annotations

import numpy as np

from omnidose.physics.material_library import material
from omnidose.physics.photons import mass_attenuation_cm2_g
from omnidose.physics.spectra import Spectrum
from omnidose.transport.engine import simulate
from omnidose.transport.scene import VACUUM, Cylinder, Scene, Sphere
from omnidose.transport.shapes import shape_bounds_mm
from omnidose.transport.sources import ParallelSource

ALUMINIUM = material("aluminium")


def test_integer_radius_does_not_cut_the_length() -> None:
    plate = Cylinder(key="plate", material=ALUMINIUM, centre_mm=(0, 0, 0), radius_mm=30, length_mm=1)
    lower, upper = shape_bounds_mm(plate)
    np.testing.assert_array_equal(upper, [30, 30, 0.5])
    np.testing.assert_array_equal(lower, [-30, -30, -0.5])
    lower, upper = shape_bounds_mm(Sphere(key="ball", material=ALUMINIUM, centre_mm=(0.5, 0, 0), radius_mm=3))
    np.testing.assert_array_equal(upper, [3.5, 3, 3])


def test_a_thin_plate_attenuates_as_the_formula_says() -> None:
    thickness_mm, energy_kev = 1, 40.0
    plate = Cylinder(
        key="plate", material=ALUMINIUM, centre_mm=(0, 0, 0), radius_mm=30, length_mm=thickness_mm
    )
    far = Cylinder(key="far", material=ALUMINIUM, centre_mm=(0, 0, 900), radius_mm=30, length_mm=100)
    source = ParallelSource(
        centre_mm=(0, 0, -20),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_widths_mm=(1, 1),
        spectrum=Spectrum.line(energy_kev),
    )
    tally = simulate(Scene(shapes=(plate, far), world=VACUUM), source, histories=40_000, seed=1)
    mu_per_cm = ALUMINIUM.density_g_cm3 * float(mass_attenuation_cm2_g(ALUMINIUM, energy_kev))
    passed = np.exp(-mu_per_cm * thickness_mm / 10)
    primary = tally.batch_primary_kev.mean(axis=0)
    # the far block stops nearly all primary photons that the plate lets through
    assert abs(primary[1] / primary.sum() - passed) < 0.01
