"""The whole estimate on a small body, and what it says besides organ doses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.dosimetry.anatomy_uncertainty import COMPLETION_STD_REL, anatomy_components
from omnidose.dosimetry.results import ExposureResult
from omnidose.modalities.ct import MODALITY
from omnidose.modalities.ct.checks import plausibility_warnings
from omnidose.modalities.ct.estimate import is_head, named_quantities, precise_keys
from omnidose.modalities.ct.exposure import CtScan
from omnidose.modalities.ct.ssde import water_equivalent_diameter_cm
from omnidose.transport import cpu  # first: its kernels are cached where the environment says at import
from omnidose.transport.tally import Region

Maker = Callable[..., CtScan]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(cache: Path, monkeypatch: pytest.MonkeyPatch, torso: BodyModel) -> Callable[..., ExposureResult]:
    """Estimate with few photons; the CTDI phantom is simulated once per module, with few photons too."""
    assert cpu.run_batches is not None
    monkeypatch.setenv("OMNIDOSE_CACHE_DIR", str(cache))
    monkeypatch.setattr("omnidose.beams.ctdi.cached_ctdi.__kwdefaults__", {
        "histories": 200_000, "seed": 1, "simulate": None,
    })  # fmt: skip

    def estimate(scan: CtScan, **options: Any) -> ExposureResult:
        return MODALITY.estimate(scan, torso, **({"histories": 40_000} | options))

    return estimate


def test_estimate_of_a_torso(run: Callable[..., ExposureResult], make_scan: Maker) -> None:
    told: list[tuple[float, str]] = []
    result = run(make_scan(), progress=lambda fraction, text: told.append((fraction, text)))
    doses = result.organ_doses
    assert doses.relative_to == ""
    # inside the beam of 10 mGy (32 cm) and 27 cm water-equivalent, SSDE is about 14 mGy
    assert 9 < doses.dose_of("liver") < 18
    assert 11 < doses.dose_of("lungs") < 21
    assert result.quantities["DLP"].value == pytest.approx(270.0)
    assert 12 < result.quantities["SSDE"].value < 17
    keys = {c.key for c in doses.components}
    assert {"ctdivol:SIEMENS SOMATOM Test", "ct-source:body", "outline-atlas:test torso"} <= keys
    assert np.all(doses.std_mgy > doses.statistical_std_mgy)
    assert result.dose_map is not None
    assert {f.key for f in result.figures} == {"ct-current", "ct-size", "ct-dose-along-z"}
    settings = result.provenance.settings
    assert settings["seed"] == 1
    assert settings["particles"] > 1e13
    assert "photons" in result.provenance.tables
    assert told[0][0] == 0.0
    assert told[-1][0] == 1.0


def test_dose_is_linear_in_ctdivol_and_relative_without(
    run: Callable[..., ExposureResult], make_scan: Maker
) -> None:
    ten, three = run(make_scan()), run(make_scan(ctdivol_mgy=3.0))
    relative = run(make_scan(ctdivol_mgy=None))
    assert ten.organ_doses.total_mgy == pytest.approx(three.organ_doses.total_mgy * 10 / 3, rel=1e-6)
    assert relative.organ_doses.total_mgy == pytest.approx(ten.organ_doses.total_mgy / 10, rel=1e-6)
    assert relative.organ_doses.relative_to == "mGy CTDIvol (32 cm)"
    assert relative.quantities == {}
    assert not any(c.key.startswith("ctdivol:") for c in relative.organ_doses.components)


def test_same_seed_same_result(run: Callable[..., ExposureResult], make_scan: Maker) -> None:
    a, b, c = run(make_scan()), run(make_scan()), run(make_scan(), seed=2)
    assert np.array_equal(a.organ_doses.dose_mgy, b.organ_doses.dose_mgy)
    assert not np.array_equal(a.organ_doses.dose_mgy, c.organ_doses.dose_mgy)


def test_tube_current_moves_the_dose(run: Callable[..., ExposureResult], make_scan: Maker) -> None:
    """More current at the lungs (upper half) than at the liver, same CTDIvol."""
    flat = run(make_scan()).organ_doses
    tilted = run(make_scan(current_z_mm=(1100.0, 1340.0), current_rel=(0.4, 1.6))).organ_doses
    assert tilted.dose_of("lungs") > 1.1 * flat.dose_of("lungs")
    assert tilted.dose_of("liver") < 0.8 * flat.dose_of("liver")


def test_precision_asks_for_heavy_organs_in_the_beam(make_scan: Maker, torso: BodyModel) -> None:
    regions = [Region(key=o.key, voxels=np.array([0])) for o in torso.organs]
    assert set(precise_keys(make_scan(), torso, regions)) == {"left-lung", "right-lung", "liver"}
    low = make_scan(z_start_mm=1010.0, z_end_mm=1020.0)
    assert precise_keys(low, torso, regions) == ("soft-tissue",)


def test_completion_adds_to_the_uncertainty(
    run: Callable[..., ExposureResult], make_scan: Maker, torso: BodyModel
) -> None:
    doses = run(make_scan()).organ_doses
    share = np.linspace(0.0, 1.0, len(doses.organs))
    body = replace(torso, completed=np.zeros(torso.grid.shape_zyx, dtype=bool))
    components = {c.key: c for c in anatomy_components(body, replace(doses, completion_share=share))}
    std = components["phantom:test torso"].std_rel
    assert np.asarray(std) == pytest.approx(COMPLETION_STD_REL * share)
    assert "phantom:test torso" not in {c.key for c in anatomy_components(torso, doses)}


def test_heads_in_the_small_phantom_get_no_trunk_factor(make_scan: Maker, torso: BodyModel) -> None:
    brain = replace(torso, organs=(*torso.organs[:3], Organ(key="brain", label=4, origin=Origin.SEGMENTED)))
    diameter = water_equivalent_diameter_cm(brain)
    low = make_scan(phantom_cm=16, imaged_z_mm=(1080.0, 1180.0), z_start_mm=1080.0, z_end_mm=1180.0)
    assert is_head(low, brain, np.arange(100) < 45)
    quantities, notes = named_quantities(low, brain, diameter)
    assert "SSDE" not in quantities
    assert "293" in notes[0]
    assert "SSDE" in named_quantities(replace(low, phantom_cm=32), brain, diameter)[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kv": 62.0}, "unusual"),
        ({"pitch": 3.0}, "two tubes"),
        ({"pitch": 0.05}, "again and again"),
        ({"ctdivol_mgy": 500.0}, "plausible range"),
        ({"dlp_mgy_cm": 900.0}, "images may be missing"),
        ({"tilt_deg": 18.0}, "tilted"),
        ({"model": "SOMATOM Confidence", "ctdivol_mgy": 20.0}, "nCTDIw"),
    ],
)
def test_plausibility(make_scan: Maker, changes: dict[str, Any], words: str) -> None:
    assert plausibility_warnings(make_scan()) == ()
    assert any(words in w for w in plausibility_warnings(make_scan(**changes)))
