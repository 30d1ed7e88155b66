"""Partial volume of organs in one PET: a known truth comes back, activity is kept, misfits are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.errors import InputError
from omnidose.modalities.nuclear.exposure import NuclearExam
from omnidose.modalities.nuclear.partial_volume import FWHM_STD_MM, REST, correct
from omnidose.modalities.nuclear.proofs._small_exam import small_body, small_exam
from omnidose.modalities.nuclear.series.recovery import FWHM_PER_STD
from omnidose.volume import Grid, Volume

FWHM_MM = 7.0
TRUTH = {"soft-tissue": 1.0, "liver": 3.0, "left-kidney": 6.0, "spleen": 0.3}


@pytest.fixture(scope="module")
def body() -> BodyModel:
    """Soft tissue with a large warm, a small hot and a cold ball, voxels of 4 mm."""
    grid = Grid.centred((30, 50, 60), (4.0, 4.0, 4.0))
    z, y, x = np.meshgrid(*(grid.axis_mm(a) for a in (2, 1, 0)), indexing="ij")
    labels = np.where((x / 105) ** 2 + (y / 85) ** 2 < 1, 1, 0).astype(np.uint8)
    labels[(x + 40) ** 2 + y**2 + z**2 < 34**2] = 2
    labels[(x - 45) ** 2 + (y - 20) ** 2 + z**2 < 18**2] = 3
    labels[(x - 40) ** 2 + (y + 35) ** 2 + z**2 < 20**2] = 4
    small = small_body()
    return replace(
        small,
        grid=grid,
        labels=labels,
        material_index=(labels > 0).astype(np.uint8),
        density_g_cm3=np.where(labels > 0, 1.0, 0.0012).astype(np.float32),
        organs=tuple(
            Organ(key=key, label=number, origin=Origin.SEGMENTED) for number, key in enumerate(TRUTH, 1)
        ),
    )


def true_map(body: BodyModel) -> np.ndarray:
    out = np.zeros(body.labels.shape, dtype=np.float32)
    for organ in body.organs:
        out[body.labels == organ.label] = TRUTH[organ.key]
    return out


def seen(body: BodyModel, fwhm_mm: float = FWHM_MM) -> np.ndarray:
    std = [fwhm_mm / FWHM_PER_STD / s for s in body.grid.spacing_mm[::-1]]
    return np.asarray(gaussian_filter(true_map(body), std, mode="nearest"), dtype=np.float32)


def mean(array: np.ndarray, body: BodyModel, key: str) -> float:
    return float(array[body.labels == body.organ(key).label].mean())


def test_means_of_organs_come_back(body: BodyModel) -> None:
    blurred = seen(body)
    found, did = correct(blurred, body, FWHM_MM)
    for key, truth in TRUTH.items():
        before, after = mean(blurred, body, key), mean(found, body, key)
        assert after == pytest.approx(truth, rel=0.01)
        assert abs(after - truth) <= abs(before - truth) + 1e-6
    assert did.recovery_fraction["left-kidney"] == pytest.approx(
        mean(blurred, body, "left-kidney") / 6.0, rel=0.01
    )
    assert did.recovery_fraction["left-kidney"] < 0.9 < 1.1 < did.recovery_fraction["spleen"]
    assert did.total_rel == pytest.approx(1.0, abs=0.01)
    assert found[body.labels == 0].max() == 0.0
    assert "7 mm" in did.note
    assert "left-kidney" in did.note


def test_what_varies_inside_an_organ_is_kept(body: BodyModel) -> None:
    truth = true_map(body)
    z = np.arange(truth.shape[0])[:, None, None]
    liver = body.labels == body.organ("liver").label
    truth = np.where(liver, truth * (1 + 0.02 * (z - 15)), truth).astype(np.float32)
    std = [FWHM_MM / FWHM_PER_STD / 4.0] * 3
    blurred = np.asarray(gaussian_filter(truth, std, mode="nearest"), dtype=np.float32)
    found, _did = correct(blurred, body, FWHM_MM)
    slope = np.polyfit(np.nonzero(liver)[0] - 15.0, found[liver], 1)
    assert slope[0] / slope[1] == pytest.approx(0.02, rel=0.1)


def test_no_blur_changes_nothing(body: BodyModel) -> None:
    truth = true_map(body)
    found, did = correct(truth, body, 0.5)
    assert found == pytest.approx(truth, rel=1e-3)
    assert did.recovery_fraction[REST] == pytest.approx(1.0, abs=1e-3)


def test_a_wrong_blur_is_worth_what_the_uncertainty_says(body: BodyModel) -> None:
    blurred = seen(body)
    right, did = correct(blurred, body, FWHM_MM)
    wide, _ = correct(blurred, body, FWHM_MM + FWHM_STD_MM)
    change = mean(wide, body, "left-kidney") / mean(right, body, "left-kidney") - 1
    assert change == pytest.approx(did.std_rel("left-kidney"), rel=0.3)
    assert did.std_rel("kidneys") == did.std_rel("left-kidney")
    assert did.std_rel("brain") == 0.0
    assert did.std_rel("left-kidney") > did.std_rel("liver") > 0


def test_outlines_of_a_phantom_do_not_count(body: BodyModel) -> None:
    guessed = replace(body, organs=tuple(replace(o, origin=Origin.PHANTOM) for o in body.organs))
    with pytest.raises(InputError, match="no organ has an outline"):
        correct(seen(body), guessed, FWHM_MM)


def test_fitted_outlines_are_told(body: BodyModel) -> None:
    fitted = replace(body, organs=tuple(replace(o, origin=Origin.ATLAS) for o in body.organs))
    _found, did = correct(seen(body), fitted, FWHM_MM)
    assert did.fitted == ("liver", "left-kidney", "spleen")
    assert "3 outlines were fitted" in did.note
    assert "fitted" not in correct(seen(body), body, FWHM_MM)[1].note


def test_thin_regions_join_the_rest(body: BodyModel) -> None:
    labels = body.labels.copy()
    labels[15, 25:27, 28:31] = 5  # a speck of a few voxels
    more = replace(
        body,
        labels=labels,
        organs=(*body.organs, Organ(key="thyroid", label=5, origin=Origin.SEGMENTED)),
    )
    found, did = correct(seen(body), more, 12.0)
    assert did.left_out == ("thyroid",)
    assert np.isfinite(found).all()


def test_an_exam_needs_a_ct_for_it() -> None:
    with pytest.raises(InputError, match="without a CT"):
        small_exam(image_fwhm_mm=7.0)
    with pytest.raises(InputError, match="blurred"):
        small_exam(image_fwhm_mm=-1.0, has_ct=True)


def test_an_estimate_says_what_was_corrected() -> None:
    from omnidose.modalities.nuclear.estimate import estimate
    from omnidose.modalities.nuclear.exposure import DoseMethod
    from omnidose.modalities.nuclear.synthetic import activity_of

    body, wide_mm = small_body(), 16.0  # its voxels are coarse
    truth = activity_of(body, 100.0, {"liver": 0.3})
    std = wide_mm / FWHM_PER_STD / 8.0
    image = Volume.on_grid(np.asarray(gaussian_filter(truth.array, std), dtype=np.float32), body.grid)

    def made(**more: object) -> NuclearExam:
        return small_exam(
            activity=image, seen_mbq=float(image.array.sum()), has_ct=True, method=DoseMethod.LOCAL, **more
        )

    plain, sharp = estimate(made(), body), estimate(made(image_fwhm_mm=wide_mm), body)
    known = estimate(replace(made(), activity=truth, seen_mbq=100.0), body)
    target = known.organ_doses.dose_of("liver")
    assert plain.organ_doses.dose_of("liver") < 0.95 * target
    assert sharp.organ_doses.dose_of("liver") == pytest.approx(target, rel=0.03)
    assert any("Recovery is not corrected" in text for text in plain.warnings)
    assert not any("Recovery is not corrected" in text for text in sharp.warnings)
    assert any("Partial volume is corrected" in text for text in sharp.warnings)
    keys = [c.key.partition(":")[0] for c in sharp.organ_doses.components]
    assert "recovery" in keys
    assert sharp.provenance.settings["image_fwhm_mm"] == wide_mm


def test_what_a_person_says_of_the_blur_reaches_the_exam(tmp_path: Path) -> None:
    from omnidose.modalities.nuclear.proofs._small_exam import ingest_folder, write_small

    write_small(tmp_path)
    assert ingest_folder(tmp_path).image_fwhm_mm is None
    with pytest.raises(InputError, match="without a CT"):
        ingest_folder(tmp_path, {"image_fwhm_mm": "6.5"})
