"""What looks right and is not: outlines beside the activity, outlines too small to see, a short scan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, BodyRegion
from omnidose.modalities.nuclear.series.agreement import best_move_mm, misplaced, turned_over
from omnidose.modalities.nuclear.series.alignment import align
from omnidose.modalities.nuclear.series.blur import blur_of
from omnidose.modalities.nuclear.series.choosing import Chosen, choose
from omnidose.modalities.nuclear.series.decays import decays
from omnidose.modalities.nuclear.series.exam import SeriesExam, TimePoint
from omnidose.modalities.nuclear.series.sight import Errors
from omnidose.volume import Grid, Volume

Case = Any
TIMES_H = (4.0, 24.0, 72.0, 168.0)


def chosen_of(exam: SeriesExam, body: BodyModel) -> tuple[Any, Chosen]:
    aligned = align(exam, body)
    return aligned, choose(
        aligned, body, reference=exam.reference, blur=blur_of(exam)[0], errors=Errors(), strict=exam.therapy
    )


def sentences(exam: SeriesExam, body: BodyModel) -> list[str]:
    aligned, chosen = chosen_of(exam, body)
    return misplaced(exam, aligned, chosen, blur_of(exam)[0])


def exam_of(case: Case, *points: TimePoint) -> SeriesExam:
    return case.exam(*points, reference=1)


def test_a_move_is_found_with_its_direction() -> None:
    grid = Grid.centred((20, 24, 28), (4.0, 3.0, 5.0))
    expected = np.zeros(grid.shape_zyx, np.float32)
    expected[8:12, 9:13, 10:14] = 1
    move, gain = best_move_mm(expected, np.roll(expected, (1, -2, 3), (0, 1, 2)), grid)
    assert move == pytest.approx((3 * grid.spacing_mm[0], -2 * grid.spacing_mm[1], grid.spacing_mm[2]))
    assert gain > 0.5
    assert best_move_mm(expected, expected, grid)[1] == pytest.approx(0, abs=1e-5)


def test_the_end_of_the_range_is_no_move() -> None:
    grid = Grid.centred((20, 24, 60), (4.0, 4.0, 4.0))
    expected = np.zeros(grid.shape_zyx, np.float32)
    expected[8:12, 9:13, 10:14] = 1
    image = expected.copy()
    image[8:12, 9:13, 24:50] = 100  # something hotter further away
    assert best_move_mm(expected, image, grid) == ((0.0, 0.0, 0.0), 0.0)


def test_scans_that_lie_right_are_not_talked_about(case: Case, series: SeriesExam) -> None:
    assert not sentences(series, case.body)


def test_a_scan_beside_its_outlines_is_named(case: Case) -> None:
    points = [case.point(t) for t in TIMES_H]
    points[2] = case.point(TIMES_H[2], steps_zyx=(0, 0, 4))  # 16 mm to the left, in the same frame
    said = sentences(exam_of(case, *points), case.body)
    assert len(said) == 1
    assert said[0].startswith("Scan 3 (72 h): the activity lies 16 mm")
    assert "16 mm to the left" in said[0]


def test_masks_of_another_ct_are_named_in_every_scan(case: Case) -> None:
    points = [case.point(t, steps_zyx=(0, -4, 0)) for t in TIMES_H]
    said = sentences(exam_of(case, *points), case.body)
    assert len(said) == 4
    assert all("16 mm to the front" in sentence for sentence in said)


@pytest.mark.parametrize(("axis", "words"), [(0, "head and feet"), (2, "left and right")])
def test_a_scan_that_is_stored_the_wrong_way_round_is_named(case: Case, axis: int, words: str) -> None:
    points = [case.point(t) for t in TIMES_H]
    image = points[2].activity
    mirrored = np.flip(image.array, axis)
    points[2] = replace(points[2], activity=Volume.on_grid(np.ascontiguousarray(mirrored), image.grid))
    exam = exam_of(case, *points)
    aligned, chosen = chosen_of(exam, case.body)
    said = turned_over(exam, aligned, chosen, blur_of(exam)[0])
    assert [sentence[:6] for sentence in said] == ["Scan 3"]
    assert f"with {words} exchanged" in said[0]


def test_scans_the_right_way_round_are_not_talked_about(case: Case, series: SeriesExam) -> None:
    aligned, chosen = chosen_of(series, case.body)
    assert not turned_over(series, aligned, chosen, blur_of(series)[0])


def test_an_outline_smaller_than_the_camera_resolves_gets_no_dose(case: Case, series: SeriesExam) -> None:
    lesion = case.body.lesions[0].voxels
    one = BodyRegion(key="lesion-1", voxels=lesion[lesion.size // 2 :][:1])
    _, chosen = chosen_of(series, replace(case.body, regions=(one,)))
    assert "lesion-1" in chosen.no_dose
    assert "smaller than the camera resolves" in chosen.dropped["lesion-1"]
    assert "left-kidney" in chosen.sights


def test_an_outline_in_the_air_gets_no_dose(case: Case, series: SeriesExam) -> None:
    air = np.zeros(case.body.grid.shape_zyx, np.bool_)
    air[16:20, 0:3, 26:30] = True  # in front of the body, where the images still reach
    lesions = (*case.body.regions, BodyRegion(key="lesion-2", voxels=np.flatnonzero(air).astype(np.int64)))
    _, chosen = chosen_of(series, replace(case.body, regions=lesions))
    assert "lesion-2" in chosen.no_dose
    assert "lesion-1" in chosen.sights


def test_a_short_scan_does_not_take_a_part_of_the_rest_away(case: Case) -> None:
    """The rest of the body keeps its half-life where one scan ends before the others."""
    points = [case.point(t) for t in TIMES_H]
    whole = points[2].activity
    keep = whole.array.shape[0] - 6  # kidneys and liver lie in it, 24 mm at the head end do not
    part = Grid(
        shape_zyx=(keep, *whole.grid.shape_zyx[1:]),
        spacing_mm=whole.grid.spacing_mm,
        origin_mm=whole.grid.origin_mm,
    )
    points[2] = replace(points[2], activity=Volume.on_grid(whole.array[:keep], part))
    found = {}
    for name, scans in (("cut", points), ("whole", [case.point(t) for t in TIMES_H])):
        exam = exam_of(case, *scans)
        aligned, chosen = chosen_of(exam, case.body)
        found[name] = decays(exam, case.body, aligned, chosen, blur_of(exam)[0], Errors())
    rest = found["cut"].rest
    seen = rest.activity_mbq / found["whole"].rest.activity_mbq
    assert seen == pytest.approx(np.full(4, seen[0]), rel=0.05)  # the same part of the body at all times
    assert rest.longest_half_life_h == pytest.approx(found["whole"].rest.longest_half_life_h, rel=0.05)
    total = found["cut"].seen_mbq_h + found["cut"].unseen_mbq_h
    assert total == pytest.approx(found["whole"].seen_mbq_h + found["whole"].unseen_mbq_h, rel=0.1)
