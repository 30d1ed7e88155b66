"""From a series of known activities to doses: integrals, methods, uncertainties, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp, log
from typing import Any

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, Origin
from omnidose.dosimetry.results import ExposureResult
from omnidose.errors import GeometryError, InputError
from omnidose.modalities.nuclear import MODALITY
from omnidose.modalities.nuclear.exposure import DoseMethod
from omnidose.modalities.nuclear.series.alignment import align
from omnidose.modalities.nuclear.series.exam import OnePoint, SeriesExam
from omnidose.quantities import WeightedOrganSum
from omnidose.report.content import ReportContent
from omnidose.report.html import render
from omnidose.transport.dose_kernels.spheres import sphere_s
from omnidose.volume import Volume

#: The small body of the conftest.
Case = Any
HISTORIES = 30_000


@pytest.fixture(scope="session")
def found(case: Case, series: SeriesExam) -> ExposureResult:
    """The result of four scans."""
    return MODALITY.estimate(series, case.body, histories=HISTORIES)


def figure(result: ExposureResult, key: str) -> dict[str, Any]:
    return next(f.data for f in result.figures if f.key == key)


def rows(result: ExposureResult) -> dict[str, dict[str, Any]]:
    return {row["organ"]: row for row in figure(result, "series-outlines")["rows"]}


@pytest.mark.parametrize(("key", "tolerance"), [("left-kidney", 0.03), ("liver", 0.03), ("lesion-1", 0.05)])
def test_decays_of_outlines_are_found(found: ExposureResult, case: Case, key: str, tolerance: float) -> None:
    assert rows(found)[key]["integral_mbq_h"] == pytest.approx(case.true_mbq_h(key), rel=tolerance)


def test_doses_are_those_of_spheres_with_photons(found: ExposureResult) -> None:
    doses = found.organ_doses
    for key, row in rows(found).items():
        own = 3600 * row["integral_mbq_h"] * sphere_s("Lu-177", row["mass_g"]).electron_mgy
        i = doses.organs.index(key)
        assert doses.dose_mgy[i, doses.qualities.index("electron")] == pytest.approx(own, rel=2e-3)
        assert 0 < doses.dose_mgy[i, doses.qualities.index("photon")] < 0.2 * own
        assert doses.dose_of(key) == pytest.approx(row["dose_mgy"])


def test_both_kidneys_are_their_mean_by_mass(found: ExposureResult) -> None:
    doses = found.organ_doses
    sides = [doses.organs.index(k) for k in ("left-kidney", "right-kidney")]
    mean = np.average(doses.total_mgy[sides], weights=doses.mass_g[sides])
    assert doses.dose_of("kidneys") == pytest.approx(mean)


def test_the_lesion_is_taken_out_of_the_liver(found: ExposureResult, case: Case) -> None:
    assert rows(found)["liver"]["without"] == ["lesion-1"]
    assert any(a.key == "nuclear.inside" for a in found.provenance.assumptions)
    whole = case.body.organ_mass_g["liver"]
    lesion = case.body.lesions[0].voxels.size * case.body.grid.voxel_volume_cm3
    assert rows(found)["liver"]["mass_g"] == pytest.approx(whole - lesion, rel=0.02)


def test_the_map_has_the_decays_of_the_outlines(found: ExposureResult, case: Case) -> None:
    assert found.dose_map is not None
    array = found.dose_map.volume.array
    mask = case.body.mask("left-kidney")
    assert float(array[mask].mean()) == pytest.approx(found.organ_doses.dose_of("left-kidney"), rel=0.06)
    assert found.organ_doses.dvh["left-kidney"].volume_fraction[0] == pytest.approx(1.0)
    assert not array[case.body.labels == 0].any()


def test_every_scan_says_how_it_came_there(found: ExposureResult) -> None:
    text = next(a.text for a in found.provenance.assumptions if a.key == "nuclear.registration")
    assert "scan 2 (24 h): its CT is the anatomy" in text
    assert "scan 3 (72 h): registered by its CT" in text
    assert "scan 4 (168 h): no CT; taken as it lies" in text


def test_uncertainties_are_components_and_the_largest_is_named(found: ExposureResult) -> None:
    doses = found.organ_doses
    keys = {c.key.partition(":")[0]: c for c in doses.components}
    assert {"calibration", "recovery", "volume", "curve", "registration", "dose-factor"} <= set(keys)
    assert keys["calibration"].key == "calibration:camera A"
    for key, row in rows(found).items():
        i = doses.organs.index(key)
        parts = row["parts_rel"]
        for component in doses.components:
            name = component.key.partition(":")[0].replace("-", " ")
            std = component.std_rel[i] if isinstance(component.std_rel, tuple) else component.std_rel
            assert std == pytest.approx(parts.get(name, 0.0), abs=1e-9)
        assert row["largest"] == max(parts, key=parts.__getitem__)
        assert row["low95_mgy"] < row["dose_mgy"] < row["high95_mgy"]
    # an organ that was only fitted lies beside its shape
    assert doses.std_mgy[doses.organs.index("stomach")] > 0.1 * doses.dose_of("stomach")


def test_three_methods_stand_side_by_side(found: ExposureResult, case: Case, series: SeriesExam) -> None:
    data = figure(found, "series-methods")
    assert data["used"] == "monte-carlo"
    local, kernels, followed = (np.array(data["mgy"][m.value]) for m in DoseMethod)
    assert (local > kernels).all()  # nothing leaves
    assert kernels == pytest.approx(followed, rel=0.05)
    other = MODALITY.estimate(replace(series, method=DoseMethod.LOCAL), case.body, histories=HISTORIES)
    used = [other.organ_doses.dose_of(key) for key in figure(other, "series-methods")["organ"]]
    assert used == pytest.approx(local, rel=1e-6)
    assert other.provenance.settings["method"] == "local"
    assert any(c.key == "kernel:photons" for c in other.organ_doses.components)


def test_a_therapy_has_effects_and_limits_but_no_weighted_sum(
    found: ExposureResult, case: Case, series: SeriesExam
) -> None:
    assert found.therapy
    assert not found.quantities
    data = figure(found, "series-effects")
    kidneys = next(row for row in data["rows"] if row["organ"] == "kidneys")
    # one exponential of 50 h: G = T_rep / (T_rep + T), and D (1 + G D / (a/b))
    protraction = 2.8 / (2.8 + 50.0)
    dose_gy = kidneys["dose_mgy"] / 1000
    assert kidneys["bed_mgy"] / 1000 == pytest.approx(dose_gy * (1 + protraction * dose_gy / 2.6), rel=0.01)
    assert kidneys["eqd2_mgy"] == pytest.approx(kidneys["bed_mgy"] / (1 + 2 / 2.6))
    limit = next(row for row in data["limits"] if row["unit"] == "Gy" and row["organ"] == "kidneys")
    assert limit["used_fraction"] == pytest.approx(kidneys["dose_mgy"] / 23_000)
    diagnosis = MODALITY.estimate(replace(series, therapy=False), case.body, histories=HISTORIES)
    assert isinstance(diagnosis.quantities["w_T-weighted sum"], WeightedOrganSum)
    assert all(f.key != "series-effects" for f in diagnosis.figures)


def test_tails_are_flagged(found: ExposureResult) -> None:
    curves = {c["name"]: c for c in figure(found, "series-activity")["curves"]}
    assert curves["lesion-1"]["tail_fraction"] == pytest.approx(2 ** (-168 / 100), rel=0.05)
    assert curves["lesion-1"]["flagged"]
    assert not curves["left-kidney"]["flagged"]
    assert any("lie after the last scan" in w and "lesion 1 31 %" in w for w in found.warnings)


def test_a_blur_that_nobody_said_is_a_warning(case: Case, series: SeriesExam) -> None:
    silent = MODALITY.estimate(replace(series, image_fwhm_mm=None), case.body, histories=HISTORIES)
    assert any(w.startswith("Nobody said how blurred") for w in silent.warnings)
    assert rows(silent)["lesion-1"]["largest"] == "recovery"


def test_organs_that_hold_activity_and_were_not_drawn_get_no_dose(
    series: SeriesExam, body_with: Callable[..., BodyModel]
) -> None:
    body = body_with(left_kidney=Origin.ATLAS)
    result = MODALITY.estimate(series, body, histories=HISTORIES)
    assert {"left-kidney", "kidneys"}.isdisjoint(result.organ_doses.organs)
    assert "right-kidney" in result.organ_doses.organs
    assert any(w.startswith("No dose of left kidney") for w in result.warnings)


def test_a_sum_with_a_ct_leaves_out_what_the_series_does_not_know(
    found: ExposureResult, series: SeriesExam, body_with: Callable[..., BodyModel]
) -> None:
    from omnidose.exams.run import _organs_of_all

    result = MODALITY.estimate(series, body_with(left_kidney=Origin.ATLAS), histories=HISTORIES)
    ct = replace(found, figures=(), therapy=False)
    kept = _organs_of_all([result, ct], found.organ_doses.organs)
    assert "kidneys" not in kept
    assert "right-kidney" in kept
    part = found.organ_doses.only(kept)
    assert part.organs == tuple(kept)
    assert part.interval_mgy[part.organs.index("liver")] == pytest.approx(
        found.organ_doses.interval_mgy[found.organ_doses.organs.index("liver")]
    )


def test_nothing_drawn_is_refused(series: SeriesExam, body_with: Callable[..., BodyModel]) -> None:
    fitted = body_with(left_kidney=Origin.ATLAS, right_kidney=Origin.ATLAS, liver=Origin.ATLAS)
    with pytest.raises(InputError, match="--masks"):
        MODALITY.estimate(series, replace(fitted, regions=()), histories=HISTORIES)


def test_a_diagnosis_without_masks_takes_the_map(
    series: SeriesExam, body_with: Callable[..., BodyModel]
) -> None:
    """As one PET does: with the place of fitted shapes in the intervals, and a warning."""
    fitted = body_with(left_kidney=Origin.ATLAS, right_kidney=Origin.ATLAS, liver=Origin.ATLAS)
    exam = replace(series, therapy=False)
    result = MODALITY.estimate(exam, replace(fitted, regions=()), histories=HISTORIES)
    doses = result.organ_doses
    i = doses.organs.index("kidneys")
    assert doses.std_mgy[i] > 0.3 * doses.dose_of("kidneys")
    assert any(w.startswith("The shapes of") for w in result.warnings)
    assert not rows(result)
    assert not figure(result, "series-methods")["organ"]
    page = render(ReportContent(title="Organ doses", results=(result,)))
    assert "Activity against time" in page


def test_one_scan_by_physical_decay_is_an_upper_bound(case: Case) -> None:
    exam = case.exam(case.point(24.0))
    result = MODALITY.estimate(exam, case.body, histories=HISTORIES)
    kidney = rows(result)["left-kidney"]
    rate = log(2) / exam.half_life_h
    at_scan = 80.0 * 2 ** (-24 / 50)
    assert kidney["integral_mbq_h"] == pytest.approx(at_scan * exp(24 * rate) / rate, rel=0.03)
    assert any("upper bound" in w for w in result.warnings)
    i = result.organ_doses.organs.index("left-kidney")
    assert (
        result.organ_doses.interval_mgy[i, 0]
        < kidney["dose_mgy"] * case.true_mbq_h("left-kidney") / kidney["integral_mbq_h"]
    )


def test_one_scan_with_a_half_life_that_was_said(case: Case) -> None:
    exam = case.exam(case.point(24.0), effective_half_life_h=50.0)
    result = MODALITY.estimate(exam, case.body, histories=HISTORIES)
    assert rows(result)["left-kidney"]["integral_mbq_h"] == pytest.approx(
        case.true_mbq_h("left-kidney"), rel=0.03
    )
    haenscheid = case.exam(case.point(72.0), one_point=OnePoint.HAENSCHEID)
    result = MODALITY.estimate(haenscheid, case.body, histories=HISTORIES)
    assert rows(result)["left-kidney"]["integral_mbq_h"] == pytest.approx(
        80.0 * 2 ** (-72 / 50) * 2 * 72 / log(2), rel=0.03
    )


def test_a_scan_without_ct_elsewhere_is_refused(case: Case) -> None:
    exam = case.exam(case.point(24.0), case.point(72.0, frame="1.2.7"))
    with pytest.raises(GeometryError, match=r"scan 2 \(72 h\) has no CT and lies in another frame"):
        MODALITY.estimate(exam, case.body, histories=HISTORIES)


def test_the_ct_of_something_else_is_refused(case: Case) -> None:
    late = case.point(72.0, ct=True, frame="1.2.7")
    assert late.ct_hu is not None
    noise = np.random.default_rng(1).uniform(-300, 300, late.ct_hu.array.shape).astype(np.float32)
    other = replace(late, ct_hu=Volume.on_grid(noise, late.ct_hu.grid))
    with pytest.raises(GeometryError, match="does not fit the CT of the anatomy"):
        MODALITY.estimate(case.exam(case.point(24.0), other), case.body, histories=HISTORIES)


@pytest.mark.parametrize("by_mm", [(0.0, 0.0, 60.0), (300.0, -50.0, 700.0)])
def test_a_table_somewhere_else_does_not_matter(case: Case, by_mm: tuple[float, float, float]) -> None:
    """Every study has its own origin: CTs need not overlap before they are registered."""

    def moved(volume: Volume) -> Volume:
        affine = volume.affine_lps_mm.copy()
        affine[:3, 3] += by_mm
        return replace(volume, affine_lps_mm=affine)

    late = case.point(72.0, steps_zyx=(0, -2, 1), ct=True, frame="1.2.9")
    assert late.ct_hu is not None
    far = replace(late, activity=moved(late.activity), ct_hu=moved(late.ct_hu))
    found = align(case.exam(case.point(24.0), far), case.body)
    motion = found.motions[1]
    assert motion is not None
    # in the plane; along the body this cylinder looks nearly the same everywhere
    assert motion.shift_mm[:2] == pytest.approx((by_mm[0] + 4.0, by_mm[1] - 8.0), abs=0.5)
    assert motion.shift_mm[2] == pytest.approx(by_mm[2], abs=3.0)
    assert found.maps[1].sum() == pytest.approx(far.seen_mbq, rel=0.03)


def test_alpha_particles_are_kept_apart(case: Case) -> None:
    points = (case.point(4.0), case.point(24.0), case.point(72.0))
    exam = case.exam(*points, name="Ac-225", agent="225Ac-TEST", reference=1)
    result = MODALITY.estimate(exam, case.body, histories=HISTORIES)
    doses = result.organ_doses
    assert doses.qualities == ("electron", "photon", "alpha")
    i = doses.organs.index("left-kidney")
    alpha = doses.dose_mgy[i, 2]
    assert alpha > 20 * doses.dose_mgy[i, 0]  # 28 MeV beside 0.7
    data = figure(result, "series-effects")
    row = next(r for r in data["rows"] if r["organ"] == "kidneys")
    assert row["rbe_weighted_mgy"] == pytest.approx(row["dose_mgy"] + 4 * row["alpha_mgy"])
    assert not data["limits"]  # made for electrons and photons
