"""Voxels by Monte Carlo: what the checks of the kernels rest on."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import Medium, medium_of
from omnidose.transport.dose_kernels.monte_carlo import absorbed_in_box, electron_voxels, photon_voxels
from omnidose.transport.tally import MGY_PER_KEV_G

SOFT = medium_of("soft tissue")
CUBE = (10.0, 10.0, 10.0)


def photons(energy_kev: float, number: float) -> RadiationYield:
    return RadiationYield(
        name="lines",
        photon_kev=np.array([1.0, energy_kev]),
        photon_per_decay=np.array([0.5, number]),
    )


def test_a_large_box_absorbs_all_of_soft_photons() -> None:
    absorbed, std = absorbed_in_box(photons(30.0, 0.8), CUBE, (150.0, 150.0, 150.0), SOFT, 2_000)
    assert absorbed == pytest.approx(0.5 + 24.0, abs=max(3 * std, 0.25))


def test_voxels_at_mirrored_offsets_are_taken_together() -> None:
    dense = Medium(name="dense", density_g_cm3=8.0)
    (source, std), (neighbour, _) = photon_voxels(
        photons(20.0, 1.0), CUBE, dense, [(0, 0, 0), (0, 0, 1)], 2_000
    )
    unit = 1e6 * MGY_PER_KEV_G / 8.0  # per keV in a voxel
    # a mean free path of 1.5 mm: nearly all stays in the voxel and its six neighbours, which are alike
    assert source + 6 * neighbour == pytest.approx(20.5 * unit, rel=0.04)
    assert 0.02 * source < neighbour < 0.08 * source
    assert std > 0


def test_electrons_stay_in_a_large_voxel() -> None:
    emitted = RadiationYield(name="line", electron_kev=np.array([100.0]), electron_per_decay=np.array([2.0]))
    ((dose, std),) = electron_voxels(emitted, CUBE, SOFT, [(0, 0, 0)], 2_000)
    assert dose == pytest.approx(200 * 1e6 * MGY_PER_KEV_G / 1.04, rel=0.02)
    assert 0 <= std < 0.02 * dose
