"""The CTDI phantom: geometry, statistics, wide beams, cache, fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnidose.beams.bowtie import NO_BOWTIE, Bowtie
from omnidose.beams.ctdi import (
    BORE_RADIUS_MM,
    CtdiResult,
    cached_ctdi,
    ctdi_phantom,
    fit_bowtie,
    simulate_ctdi,
)
from omnidose.beams.fan import FanBeam
from omnidose.errors import InputError, RangeError
from omnidose.transport import cpu  # first: its kernels are cached where the environment says at import
from omnidose.transport.sources import RotatingSource
from omnidose.transport.tally import Tally

BEAM = FanBeam(kv=120.0, focus_mm=570.0, collimation_mm=20.0, bowtie=NO_BOWTIE)


def fake_engine(ratio: Callable[[float], float]) -> Callable[..., Tally]:
    """An engine that answers at once: 1 keV/g outside, ``ratio`` of the fan edge's loss in the centre."""

    def simulate(
        _scene: Any, source: RotatingSource, *, regions: Any, histories: int, seed: int, **_: Any
    ) -> Tally:
        assert source.transmission is not None
        centre = ratio(1 - float(source.transmission[0, 0] / source.transmission[30, 0]))
        batches = np.array([[centre, 2.0], [centre, 2.0], [1.02 * centre, 2.0]])
        return Tally(
            keys=("centre", "periphery"), mass_g=np.array([1.0, 2.0]), histories=histories,
            batch_energy_kev=batches, batch_primary_kev=batches, batch_analog_kev=np.zeros((3, 4)),
            voxel_dose_kev_g=None, seed=seed,
        )  # fmt: skip

    return simulate


@pytest.mark.parametrize("phantom_cm", [16, 32])
def test_phantom_volumes(phantom_cm: int) -> None:
    scene, (centre, ring) = ctdi_phantom(phantom_cm)
    assert scene.voxels is not None
    density = np.where(scene.voxels.material_index == 1, scene.voxels.density_g_cm3, 0.0)
    volume = scene.voxels.grid.voxel_volume_cm3
    assert density.sum(dtype=float) * volume == pytest.approx(1.19 * np.pi / 4 * phantom_cm**2 * 15, rel=1e-3)
    assert centre.weights is not None
    assert ring.weights is not None
    assert centre.weights.sum() * volume == pytest.approx(np.pi * (BORE_RADIUS_MM / 10) ** 2 * 10, rel=0.01)
    radius_cm, width_cm = phantom_cm / 2 - 1, BORE_RADIUS_MM / 10 * np.sqrt(3)
    assert ring.weights.sum() * volume == pytest.approx(2 * np.pi * radius_cm * width_cm * 10, rel=0.01)
    assert density.ravel()[ring.voxels].min() == pytest.approx(1.19)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="16 \\(head\\) or 32 \\(body\\)"):
        ctdi_phantom(20)


def test_weighting_and_errors() -> None:
    result = simulate_ctdi(BEAM, 32, histories=1000, simulate=fake_engine(lambda _: 0.5))
    assert result.weighted_mgy == pytest.approx((result.centre_mgy + 2 * result.periphery_mgy) / 3)
    assert result.periphery_mgy == pytest.approx(1.602176634e-10 * 100 / 20)
    assert result.periphery_std_rel == 0.0
    assert result.ratio_std_rel == pytest.approx(result.centre_std_rel)
    share = result.centre_mgy / 3 / result.weighted_mgy
    assert result.weighted_std_rel == pytest.approx(share * result.centre_std_rel)


def test_wide_beams_follow_the_iec_rule() -> None:
    """Simulated at 20 mm, scaled with CTDI free in air: the line integral per photon stays the same."""
    engine = fake_engine(lambda _: 0.5)
    narrow = simulate_ctdi(BEAM, 32, histories=1000, simulate=engine)
    wide = simulate_ctdi(replace(BEAM, collimation_mm=160.0), 32, histories=1000, simulate=engine)
    assert (wide.collimation_mm, wide.simulated_collimation_mm) == (160.0, 20.0)
    assert wide.weighted_mgy == pytest.approx(narrow.weighted_mgy / 8, rel=0.02)
    assert wide.line_mgy_cm == pytest.approx(narrow.line_mgy_cm, rel=0.02)
    at_limit = simulate_ctdi(replace(BEAM, collimation_mm=40.0), 32, histories=1000, simulate=engine)
    assert at_limit.simulated_collimation_mm == 40.0


def test_fit_meets_its_target_or_says_what_is_possible() -> None:
    engine = fake_engine(lambda loss: 0.4 + 0.5 * loss)
    start = replace(BEAM, bowtie=Bowtie(name="body"))
    bowtie, result = fit_bowtie(start, 32, 0.6, histories=1000, simulate=engine)
    assert result.ratio == pytest.approx(0.6, rel=0.01)
    assert 0 < bowtie.strength_mm_per_mm < 0.8
    with pytest.raises(RangeError, match="no bow-tie strength"):
        fit_bowtie(start, 32, 2.0, histories=1000, simulate=engine)
    with pytest.raises(RangeError, match="no bow-tie strength"):
        fit_bowtie(start, 32, 0.2, histories=1000, simulate=engine)


def test_real_engine_gives_a_plausible_phantom_and_its_cache_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cpu.run_batches is not None
    monkeypatch.setenv("OMNIDOSE_CACHE_DIR", str(tmp_path))
    beam = replace(BEAM, bowtie=Bowtie(name="body", strength_mm_per_mm=0.25))
    result = cached_ctdi(beam, 32, histories=100_000)
    assert 0.35 < result.ratio < 0.75
    assert result.weighted_std_rel < 0.03
    # CTDI in the body phantom is a third to a half of that free in air
    assert 0.25 < result.line_mgy_cm / beam.air_kerma_line_mgy_cm() < 0.55
    (file,) = (tmp_path / "ctdi").iterdir()
    text = file.read_text("utf-8").replace(f'"centre_mgy": {result.centre_mgy}', '"centre_mgy": 5.0')
    file.write_text(text, "utf-8")
    assert cached_ctdi(beam, 32, histories=100_000).centre_mgy == 5.0
    file.write_text("{}", "utf-8")
    assert cached_ctdi(beam, 32, histories=100_000) == result
    assert isinstance(result, CtdiResult)
