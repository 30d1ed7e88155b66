"""Photons of a map of activity through a body: energy, units, what is asked for, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from omnidose.errors import InputError
from omnidose.physics.material_library import material
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.photon_transport import (
    PhotonDose,
    photon_spectrum,
    regions_that_matter,
    transport_photons,
)
from omnidose.transport.scene import VoxelGrid
from omnidose.transport.tally import MGY_PER_KEV_G, Region
from omnidose.volume import Grid, Volume

N, SPACING_MM = 20, 20.0
GRID = Grid.centred((N, N, N), (SPACING_MM,) * 3)
EVERY = np.arange(N**3)


def body() -> VoxelGrid:
    """A cube of water of 40 cm."""
    return VoxelGrid(
        grid=GRID,
        materials=(material("water"),),
        material_index=np.zeros((N, N, N), np.uint8),
        density_g_cm3=np.ones((N, N, N), np.float32),
    )


def point(mbq: float = 2.0) -> Volume:
    activity = np.zeros((N, N, N), np.float32)
    activity[N // 2, N // 2, N // 2] = mbq
    return Volume(array=activity, affine_lps_mm=GRID.affine_lps_mm)


def regions() -> list[Region]:
    place = EVERY.reshape(N, N, N)
    return [Region(key="all", voxels=EVERY), Region(key="corner", voxels=place[0, 0, :1])]


def run(**options: Any) -> PhotonDose:
    options = {"regions": regions(), "histories": 20_000, "backend": "cpu", "threads": 1, **options}
    return transport_photons(point(), "Lu-177", body(), **options)


def test_doses_are_energies_of_all_decays_over_mass() -> None:
    found = run()
    spectrum = photon_spectrum(yield_of("Lu-177"))
    emitted = 2e6 * spectrum.energy_per_decay_kev * MGY_PER_KEV_G
    mass_g = 40.0**3
    assert 0.5 * emitted < found.of("all") * mass_g < emitted
    assert found.map is not None
    assert float(found.map.sum(dtype=np.float64)) * mass_g / N**3 == pytest.approx(
        found.of("all") * mass_g, rel=1e-3
    )
    assert 0 < found.std_mgy[0] < 0.05 * found.of("all")


def test_doses_are_linear_in_the_activity() -> None:
    once = run()
    twice = transport_photons(
        point(4.0), "Lu-177", body(), regions=regions(), histories=20_000, backend="cpu", threads=1
    )
    assert twice.dose_mgy == pytest.approx(2 * once.dose_mgy)


def test_photons_of_a_nuclide_and_bremsstrahlung_of_its_betas() -> None:
    spectrum = photon_spectrum(yield_of("Lu-177"))
    lines = spectrum.line_per_decay[np.abs(spectrum.line_kev - 208.4) < 0.5].sum()
    assert lines == pytest.approx(0.104, rel=0.03)  # 10.4 per 100 decays (DDEP)
    pure = photon_spectrum(yield_of("Y-90"))
    # 4.2 keV of bremsstrahlung per decay in soft tissue, from radiative stopping
    assert pure.energy_per_decay_kev == pytest.approx(4.2, rel=0.1)


def test_small_regions_and_faint_ones_are_not_waited_for() -> None:
    found = run(histories=None, precision=0.05, max_histories=100_000)
    assert found.judged == ("all",)
    with pytest.raises(InputError, match="no region has 10 cm3"):
        regions_that_matter(found.tally, regions()[1:], 8.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"histories": None}, "either precision or histories"),
        ({"precision": 0.1}, "either precision or histories"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(**options)


def test_activity_below_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no distribution of decays"):
        transport_photons(point(-1.0), "Lu-177", body(), regions=regions(), histories=1000)
