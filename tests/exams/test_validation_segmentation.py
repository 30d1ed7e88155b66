"""The comparison of organ doses over two sets of masks, on a made-up dose map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.anatomy.segmentation import Segmentation
from omnidose.anatomy.segmentation.expected import mask_std_rel
from omnidose.exams.segmentation_cases import Case, case_of_body
from omnidose.exams.validation_segmentation import (
    body_of_case,
    compare,
    joined_masks,
    summary_rows,
)
from omnidose.validation import State
from omnidose.volume import Grid, Volume

KEYS = {1: "liver", 2: "heart", 3: "heart-contents", 4: "thyroid", 5: "ribs", 6: "pelvis"}


@pytest.fixture
def case() -> Case:
    """A block with a liver of 256 cm3, a heart of two labels, a thyroid of 2 cm3 and two bones."""
    grid = Grid.centred((20, 24, 24), (5.0, 5.0, 5.0))
    labels = np.zeros(grid.shape_zyx, np.uint8)
    labels[2:10, 4:20, 4:20] = 1
    labels[11:15, 4:14, 4:14] = 2
    labels[12:14, 6:12, 6:12] = 3
    labels[18, 10:14, 10:14] = 4
    labels[16, 4:20, 4] = 5
    labels[17, 4:20, 4] = 6
    hu = np.full(grid.shape_zyx, -1000, np.int16)
    hu[1:, 2:-2, 2:-2] = 40
    return Case(
        name="block", group="synthetic", sex="F", ct=Volume.on_grid(hu, grid), reference=labels, names=KEYS
    )


def segmentation(case: Case, labels: np.ndarray, phantom: BodyModel | None = None) -> Segmentation:
    """Return a segmentation with the given labels under the case's names."""
    bones = {"ribs", "pelvis"}
    organs = tuple(
        Organ(key=key, label=label, origin=Origin.SEGMENTED if key in bones else Origin.ATLAS)
        for label, key in KEYS.items()
        if (labels == label).any()
    )
    body = case.ct.array > -300
    empty = np.zeros_like(body)
    return Segmentation(
        labels=labels,
        organs=organs,
        body=body,
        couch=empty,
        bone=empty,
        phantom=phantom,  # type: ignore[arg-type]
        affine_to_phantom_mm=np.eye(4),
    )


def test_equal_masks_have_no_difference_and_are_inside(case: Case) -> None:
    found = segmentation(case, case.reference)
    dose = np.random.default_rng(3).uniform(1, 2, case.ct.array.shape).astype(np.float32)
    rows = {c.organ: c for c in compare(case, found, body_of_case(case, found), [dose, dose])}
    assert set(rows) == {"liver", "heart", "thyroid", "skeleton"}
    assert all(c.dice == 1 and c.difference_rel == 0 and c.is_inside for c in rows.values())
    assert rows["liver"].is_large
    assert not rows["thyroid"].is_large
    assert rows["heart"].volume_cm3 == pytest.approx(400 * 0.125)


def test_a_moved_and_a_missing_organ_show(case: Case) -> None:
    labels = case.reference.copy()
    labels[labels == 4] = 0
    labels[labels == 1] = 0
    labels[4:10, 4:20, 4:20] = 1  # the liver without its two lowest layers
    found = segmentation(case, labels)
    z = np.arange(20, dtype=np.float32)[:, None, None]
    dose = np.broadcast_to(1 + z, case.ct.array.shape).astype(np.float32)
    rows = {c.organ: c for c in compare(case, found, body_of_case(case, found), [dose, dose])}
    # mean of layers 4 to 9 against 2 to 9, each plus one
    assert rows["liver"].difference_rel == pytest.approx(7.5 / 6.5 - 1, rel=1e-5)
    assert rows["thyroid"].difference_rel == -1
    assert not rows["thyroid"].is_inside
    states = {r.name: r.state for r in summary_rows("g", list(rows.values()), "")}
    assert states["g: median dose difference, large organs"] is State.FAILED
    assert states["g: organs inside the stated 95 % interval of outline and place"] is State.FAILED


def test_the_noise_is_half_the_difference_of_the_halves(case: Case) -> None:
    labels = case.reference.copy()
    labels[2, 4:20, 4:20] = 0
    found = segmentation(case, labels)
    flat = np.ones(case.ct.array.shape, np.float32)
    other = flat.copy()
    other[2] = 2
    row = next(
        c for c in compare(case, found, body_of_case(case, found), [flat, other]) if c.organ == "liver"
    )
    assert row.noise_rel == pytest.approx(abs(1 / (9 / 8) - 1) / 2, rel=1e-5)


def test_only_the_labelled_slices_are_compared(case: Case) -> None:
    part = replace(case, first_layer=10)
    found = segmentation(case, case.reference)
    dose = np.ones(case.ct.array.shape, np.float32)
    organs = {c.organ for c in compare(part, found, body_of_case(case, found), [dose, dose])}
    assert organs == {"heart", "thyroid", "skeleton"}


def test_walls_contents_and_bones_are_joined(case: Case) -> None:
    masks = joined_masks(case.reference, case.names)
    assert masks["heart"].sum() == 400
    assert masks["skeleton"].sum() == 32


def test_a_case_of_a_body_has_its_couch_and_noise() -> None:
    grid = Grid.centred((10, 20, 20), (5.0, 5.0, 5.0))
    labels = np.zeros(grid.shape_zyx, np.uint8)
    labels[:, 5:15, 5:15] = 1
    from omnidose.beams.materials import WATER
    from omnidose.transport.scene import AIR

    body = BodyModel(
        name="water",
        grid=grid,
        materials=(AIR, WATER),
        material_index=labels,
        density_g_cm3=np.where(labels, 1.0, 0.0012).astype(np.float32),
        labels=labels,
        organs=(Organ(key="soft-tissue", label=1, origin=Origin.PHANTOM),),
    )
    made = case_of_body(body, "F water", "synthetic", -15.0, 15.0, repeat_z=2)
    assert made.sex == "F"
    assert made.ct.grid.spacing_mm == (5.0, 5.0, 2.5)
    assert made.ct.array.shape == made.reference.shape == (12, 30, 28)
    inside = made.ct.array[made.reference > 0]
    assert abs(float(inside.mean())) < 5
    assert 10 < float(inside.std()) < 20
    plate = made.ct.array[:, int(np.flatnonzero(made.reference.any(axis=(0, 2)))[-1]) + 2, 8:-8]
    assert float(plate.mean()) > -10


def test_worse_outlines_are_less_sure() -> None:
    values = [mask_std_rel(d) for d in (0.0, 0.1, 0.3, 0.6, 0.9, 1.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 0.20
    assert values[-1] == 0.017
