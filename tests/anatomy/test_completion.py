"""A body cut out of a phantom and completed with that phantom must become the phantom again."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.anatomy.completion import complete_body
from omnidose.anatomy.stylised import make_phantom
from omnidose.volume import Grid

Box = tuple[slice, slice, slice]


@cache
def phantom() -> BodyModel:
    return make_phantom("F", voxel_mm=8.0, arms="up")


def cut_out(whole: BodyModel, box: Box) -> BodyModel:
    """Return the part of a body in a box, as segmented organs without regions."""
    start = [s.indices(n)[0] for s, n in zip(box, whole.labels.shape, strict=True)]
    labels = whole.labels[box]
    origin = [o + d * i for o, d, i in zip(whole.grid.origin_mm, whole.grid.spacing_mm, start[::-1])]
    present = set(np.unique(labels).tolist())
    return replace(
        whole,
        name="patient",
        grid=Grid(
            shape_zyx=(labels.shape[0], labels.shape[1], labels.shape[2]),
            spacing_mm=whole.grid.spacing_mm,
            origin_mm=(origin[0], origin[1], origin[2]),
        ),
        labels=labels.copy(),
        material_index=whole.material_index[box].copy(),
        density_g_cm3=whole.density_g_cm3[box].copy(),
        organs=tuple(
            Organ(key=o.key, label=o.label, origin=Origin.SEGMENTED)
            for o in whole.organs
            if o.label in present
        ),
        regions=(),
    )


def chest_layers(whole: BodyModel) -> slice:
    lungs = np.flatnonzero((whole.mask("left-lung") | whole.mask("right-lung")).any(axis=(1, 2)))
    return slice(int(lungs[0]) - 2, int(lungs[-1]) + 2)


def test_the_cut_phantom_becomes_whole_again() -> None:
    whole = phantom()
    layers = chest_layers(whole)
    part = cut_out(whole, (layers, slice(None), slice(None)))
    done = complete_body(part, whole, np.eye(4), body_mask=part.labels > 0)
    body = done.body
    assert np.array_equal(body.labels[done.image_box], part.labels)
    assert body.completed is not None
    assert not body.completed[done.image_box].any()
    assert done.truncated_slices == 0
    for organ in whole.organs:
        assert body.organ_mass_g[organ.key] == pytest.approx(
            whole.organ_mass_g[organ.key], rel=0.002, abs=0.5
        )
    assert body.organ("left-lung").imaged_fraction == 1.0
    assert body.organ("left-lung").origin is Origin.SEGMENTED
    assert body.organ("brain").imaged_fraction == 0.0
    assert body.organ("brain").origin is Origin.PHANTOM
    share = np.count_nonzero(part.labels == part.organ("liver").label) / np.count_nonzero(whole.mask("liver"))
    assert 0.1 < share < 0.5
    assert body.organ("liver").origin is Origin.PHANTOM  # mostly outside the images
    assert body.organ("liver").imaged_fraction == pytest.approx(share)
    # Materials of the phantom come after the body's own; air stays air.
    names = np.array([m.name for m in body.materials])
    theirs = np.array([m.name for m in whole.materials])
    tall = whole.labels.shape[0]
    assert np.array_equal(names[body.material_index[:tall]] == "lung", theirs[whole.material_index] == "lung")


def test_what_a_narrow_image_cuts_off_is_filled_in() -> None:
    whole = phantom()
    layers = chest_layers(whole)
    nx = whole.labels.shape[2]
    narrow = (layers, slice(None), slice(nx // 4, nx))
    part = cut_out(whole, narrow)
    done = complete_body(part, whole, np.eye(4), body_mask=part.labels > 0)
    assert done.truncated_slices > 0.8 * part.labels.shape[0]
    assert "cut the body at the side" in " ".join(done.notes)
    assert done.body.organ_mass_g["right-lung"] == pytest.approx(whole.organ_mass_g["right-lung"], rel=0.02)
    assert done.body.organ("right-lung").imaged_fraction < 0.99


def test_a_round_field_of_view() -> None:
    """The corners of the grid hold no image: they are filled where the circle cuts the body."""
    whole = phantom()
    layers = chest_layers(whole)
    part = cut_out(whole, (layers, slice(None), slice(None)))
    _nz, ny, nx = part.labels.shape
    y, x = np.ogrid[:ny, :nx]
    radius = 130.0 / 8.0
    seen = (np.hypot(x - (nx - 1) / 2, y - (ny - 1) / 2) <= radius)[None]
    gone = np.broadcast_to(~seen, part.labels.shape)
    for name in ("labels", "material_index"):
        getattr(part, name)[gone] = 0
    done = complete_body(part, whole, np.eye(4), body_mask=part.labels > 0, imaged=seen)
    assert done.truncated_slices > 0
    assert done.body.completed is not None
    assert not done.body.completed[done.image_box][~gone].any()
    trunk = np.count_nonzero(done.body.labels[done.image_box])
    assert trunk == pytest.approx(np.count_nonzero(whole.labels[layers]), rel=0.02)


def test_parts_join_the_wholes_that_the_body_knows() -> None:
    """A mask ``colon`` or ``stomach`` given by a user also takes the phantom's parts of it."""
    whole = phantom()
    part = cut_out(whole, (chest_layers(whole), slice(None), slice(None)))
    stomach = part.organ("stomach").label
    part.labels[part.labels == part.organ("stomach-contents").label] = stomach
    part.labels[0, 0, 0] = 255
    organs = (
        *(o for o in part.organs if o.key != "stomach-contents"),
        Organ(key="colon", label=255, origin=Origin.SEGMENTED),
    )
    part = replace(part, organs=organs)
    done = complete_body(part, whole, np.eye(4), body_mask=part.labels > 0, whole_organs={"stomach"})
    keys = {organ.key for organ in done.body.organs}
    assert not keys & {"ascending-colon", "transverse-colon", "sigmoid-colon", "stomach-contents"}
    theirs = whole.organ_mass_g["stomach"] + whole.organ_mass_g["stomach-contents"]
    assert done.body.organ_mass_g["stomach"] == pytest.approx(theirs, rel=0.002)


def test_a_slant_of_the_fit_does_not_carry_the_head_away() -> None:
    whole = phantom()
    part = cut_out(whole, (chest_layers(whole), slice(None), slice(None)))
    slanted = np.eye(4)
    slanted[0, 2] = 0.1
    slanted[0, 3] = -0.1 * float(part.grid.axis_mm(2).mean())
    done = complete_body(part, whole, slanted, body_mask=part.labels > 0)
    brain = np.argwhere(done.body.mask("brain")).mean(axis=0)
    x_mm = done.body.grid.origin_mm[0] + 8.0 * brain[2]
    # The brain's middle is about 250 mm above the cut: the slant alone would move it by more.
    assert abs(x_mm) < 25
    assert done.body.organ_mass_g["brain"] == pytest.approx(whole.organ_mass_g["brain"], rel=0.03)
