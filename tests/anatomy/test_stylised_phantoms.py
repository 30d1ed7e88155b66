"""Phantoms from equations: volumes against published masses, size, posture, sides, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.organs import organs as vocabulary
from omnidose.anatomy.stylised import (
    COLUMNS,
    fit_dimensions,
    make_phantom,
    media,
    reference_dimensions,
    stylised_to_hu,
)
from omnidose.anatomy.stylised.shapes import body_parts
from omnidose.data import load
from omnidose.errors import InputError, RangeError

#: Rows of ``stylised_masses`` -> labels. Rows that are not drawn as one label each are left out below.
ROWS = {
    "adrenals": ("left-adrenal", "right-adrenal"),
    "kidneys": ("left-kidney", "right-kidney"),
    "testes": ("left-testis", "right-testis"),
    "ovaries": ("left-ovary", "right-ovary"),
    "gall_bladder_contents": ("gall-bladder-contents",),
    "heart_wall": ("heart",),
    "heart_contents": ("heart-contents",),
    "small_intestine_wall_and_contents": ("small-intestine",),
    "stomach_wall": ("stomach",),
    "stomach_contents": ("stomach-contents",),
    "urinary_bladder_wall": ("bladder",),
    "urinary_bladder_contents": ("bladder-contents",),
    "upper_large_intestine_wall": ("ascending-colon", "transverse-colon"),
    "lower_large_intestine_wall": ("descending-colon", "sigmoid-colon"),
    "brain": ("brain",),
    "liver": ("liver",),
    "pancreas": ("pancreas",),
    "spleen": ("spleen",),
    "thymus": ("thymus",),
    "thyroid": ("thyroid",),
    "lungs": ("left-lung", "right-lung"),
}
AGES = {"newborn": 0.0, "1y": 1.0, "5y": 5.0, "10y": 10.0, "15y": 15.0, "adult": None}


def region_mass_g(body: BodyModel, key: str) -> float:
    """Sum the mass of all regions whose key starts so."""
    density = body.density_g_cm3.ravel()
    total = 0.0
    for region in body.regions:
        if region.key.startswith(key):
            weights = 1.0 if region.weights is None else region.weights
            total += float(np.sum(weights * density[region.voxels]))
    return total * body.grid.voxel_volume_cm3


@pytest.fixture(scope="module")
def adult() -> BodyModel:
    return make_phantom("hermaphrodite", voxel_mm=4.0)


@pytest.mark.parametrize(("age", "voxel_mm"), [("newborn", 2.0), ("5y", 2.5), ("15y", 4.0), ("adult", 4.0)])
def test_organ_masses_are_the_published_ones(age: str, voxel_mm: float) -> None:
    body = make_phantom("hermaphrodite", age_y=AGES[age], voxel_mm=voxel_mm)
    masses = body.organ_mass_g
    table = load("stylised_masses")
    checked = 0
    for row_age, organ, published in zip(table["age"], table["organ"], table["mass_g"], strict=True):
        if row_age != age or organ not in ROWS:
            continue
        ours = sum(masses[key] for key in ROWS[organ])
        # Half a voxel of rounding per label is the voxeliser's own limit for tiny organs.
        slack = 0.5 * len(ROWS[organ]) * 1.04 * body.grid.voxel_volume_cm3
        assert abs(ours - published) <= 0.02 * published + slack, organ
        checked += 1
    assert checked >= 6


def test_adult_body_and_skin_mass(adult: BodyModel) -> None:
    # Cristy and Eckerman 1987 adult: 73.7 kg, skin 3.01 kg (from memory in the literature: 2 % here).
    assert adult.person.weight_kg == pytest.approx(73.7, rel=0.01)
    assert adult.person.height_cm == pytest.approx(174.0, abs=0.1)
    assert region_mass_g(adult, "skin") == pytest.approx(3010, rel=0.02)
    assert region_mass_g(adult, "left-lens") == pytest.approx(0.2, rel=0.1)


def test_marrow_and_endosteum_have_the_reference_masses(adult: BodyModel) -> None:
    assert region_mass_g(adult, "red-marrow") == pytest.approx(1170, rel=0.01)
    assert region_mass_g(adult, "endosteum") == pytest.approx(544, rel=0.05)
    for region in adult.regions:
        if region.weights is not None:
            assert region.weights.min() >= 0
            assert region.weights.max() <= 1


def test_names_are_of_the_vocabulary(adult: BodyModel) -> None:
    known = vocabulary()
    assert {organ.key for organ in adult.organs} <= set(known)
    for region in adult.regions:
        target, _, site = region.key.partition("/")
        assert target in known
        assert not site or site in known


def test_left_is_plus_x_and_the_front_is_minus_y(adult: BodyModel) -> None:
    x, y, z = (adult.grid.axis_mm(axis) for axis in range(3))

    def centroid(key: str) -> list[float]:
        index = np.argwhere(adult.mask(key)).mean(axis=0)
        return [
            float(np.interp(i, np.arange(a.size), a)) for i, a in zip(index[::-1], (x, y, z), strict=True)
        ]

    assert centroid("left-kidney")[0] > 40
    assert centroid("right-kidney")[0] < -40
    assert centroid("liver")[0] < -20
    assert centroid("spleen")[0] > 80
    assert centroid("left-eye")[0] > 0
    assert centroid("left-eye")[1] < -60
    assert centroid("thoracic-spine")[1] > 40
    assert centroid("brain")[2] > centroid("left-lung")[2] > centroid("pelvis")[2]


def test_every_labelled_voxel_is_inside_the_body(adult: BodyModel) -> None:
    inside = adult.material_index > 0
    assert (adult.labels[~inside] == 0).all()
    assert (adult.labels[inside] > 0).all()
    border = [adult.labels[0], adult.labels[-1], adult.labels[:, 0], adult.labels[:, :, 0]]
    assert not any(face.any() for face in border)


@settings(max_examples=30, deadline=None)
@given(
    sex=st.sampled_from(["M", "F"]),
    height=st.floats(140, 205),
    bmi=st.floats(17, 45),
    head=st.sampled_from(["1987", "1996"]),
)
def test_dimensions_meet_height_and_weight(sex: str, height: float, bmi: float, head: str) -> None:
    weight = bmi * (height / 100) ** 2
    d = fit_dimensions(sex, height_cm=height, weight_kg=weight, head=head)
    assert d.height_cm == pytest.approx(height, rel=1e-6)
    assert d.mass_kg == pytest.approx(weight, rel=1e-3)
    assert d.across <= d.along + 1e-9  # obesity is fat around the organs, not larger organs


@pytest.mark.parametrize(("sex", "height", "weight"), [("F", 158.0, 48.0), ("M", 185.0, 120.0)])
def test_a_person_of_any_size_has_that_mass(sex: str, height: float, weight: float) -> None:
    body = make_phantom(sex, height_cm=height, weight_kg=weight, voxel_mm=5.0)
    assert body.person.weight_kg == pytest.approx(weight, rel=0.03)
    assert body.person.height_cm == pytest.approx(height, abs=0.2)


def test_heavier_means_more_fat_and_equal_organs() -> None:
    slim = make_phantom("F", height_cm=165, weight_kg=57.8, voxel_mm=6.0).organ_mass_g
    heavy = make_phantom("F", height_cm=165, weight_kg=90, voxel_mm=6.0).organ_mass_g
    assert heavy["liver"] == pytest.approx(slim["liver"], rel=0.01)
    assert heavy["adipose-tissue"] > 25_000


def test_sexes_have_their_organs() -> None:
    keys = {sex: {o.key for o in make_phantom(sex, voxel_mm=8.0).organs} for sex in ("M", "F")}
    assert {"left-testis", "prostate"} <= keys["M"]
    assert not {"uterus", "left-ovary"} & keys["M"]
    assert {"uterus", "left-ovary", "right-breast"} <= keys["F"]
    assert "left-testis" not in keys["F"]


def test_raised_arms_leave_the_trunk() -> None:
    up = make_phantom("M", arms="up", voxel_mm=6.0)
    down = make_phantom("M", voxel_mm=6.0)
    chest = 450.0
    widths = []
    for body in (up, down):
        layer = body.material_index[int(np.argmin(abs(body.grid.axis_mm(2) - chest)))]
        widths.append(layer.any(axis=0).sum() * 6.0)
    assert widths[0] == pytest.approx(346, abs=13)
    assert widths[1] == pytest.approx(400, abs=13)
    z = up.grid.axis_mm(2)[np.argwhere(up.mask("humeri-upper"))[:, 0]]
    assert z.min() > 690


def test_children_say_that_they_are_unverified() -> None:
    child = make_phantom("F", age_y=3.0, voxel_mm=5.0)
    assert any("UNVERIFIED" in note for note in child.notes)
    assert not any("UNVERIFIED" in note for note in make_phantom("F", voxel_mm=8.0).notes)
    ages = [reference_dimensions("M", age).height_cm for age in (0, 1, 3, 5, 8, 10, 13, 15, 18)]
    assert ages == sorted(ages)


def test_the_same_call_gives_the_same_voxels() -> None:
    one, two = (make_phantom("M", voxel_mm=9.0) for _ in range(2))
    assert np.array_equal(one.labels, two.labels)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"sex": "X"}, InputError),
        ({"sex": "M", "arms": "sideways"}, InputError),
        ({"sex": "M", "voxel_mm": 0.1}, InputError),
        ({"sex": "M", "head": "1990"}, InputError),
        ({"sex": "M", "age_y": -1.0}, RangeError),
        ({"sex": "M", "height_cm": 60.0}, RangeError),
        ({"sex": "M", "weight_kg": 9.0}, RangeError),
    ],
)
def test_impossible_persons_are_refused(arguments: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error, match="allowed"):
        make_phantom(**arguments)  # type: ignore[arg-type]


def test_ct_numbers_follow_from_attenuation(adult: BodyModel) -> None:
    hu = stylised_to_hu(adult, 120.0)
    value = {key: int(np.median(hu[adult.mask(key)])) for key in ("liver", "left-lung", "pelvis")}
    assert hu[0, 0, 0] == pytest.approx(-1000, abs=2)
    assert 15 <= value["liver"] <= 50
    assert -730 <= value["left-lung"] <= -690
    assert 450 <= value["pelvis"] <= 750
    assert int(np.median(stylised_to_hu(adult, 80.0)[adult.mask("pelvis")])) > value["pelvis"] + 50
    noisy = stylised_to_hu(adult, 120.0, noise_hu=15.0, seed=3)[adult.mask("liver")]
    assert noisy.std() == pytest.approx(15, rel=0.05)
    assert media()["lung"].density_g_cm3 == 0.296


def test_ct_like_bodies_have_fat_and_an_airway() -> None:
    body = make_phantom("M", ct_like=True, voxel_mm=4.0)
    masses = body.organ_mass_g
    assert masses["adipose-tissue"] > 5000
    airway = float(body.mask("air-in-body").sum()) * body.grid.voxel_volume_cm3
    assert 25 < airway < 60


#: Age column -> height (cm), volume of head and neck (cm3), 1987 and 1996: from the published dimensions.
HEADS = {
    "newborn": ((51.5, 965), (51.0, 832)),
    "y1": ((75.0, 2409), (74.4, 2073)),
    "y5": ((109.0, 3673), (109.1, 3172)),
    "y10": ((138.6, 4297), (139.8, 3813)),
    "y15": ((164.1, 4923), (168.1, 4696)),
    "adult": ((174.0, 5433), (178.6, 5247)),
}


@pytest.mark.parametrize("column", list(HEADS))
def test_both_heads_have_the_published_height_and_volume(column: str) -> None:
    for head, (height_cm, head_cm3) in zip(("1987", "1996"), HEADS[column], strict=True):
        d = reference_dimensions("M", COLUMNS[column], head=head)
        assert d.height_cm == pytest.approx(height_cm, abs=0.06)
        assert d.head_cm3 == pytest.approx(head_cm3, rel=1e-3)


@pytest.fixture(scope="module", params=["adult", "y5"])
def with_neck(request: pytest.FixtureRequest) -> BodyModel:
    adult = request.param == "adult"
    return make_phantom("M", age_y=None if adult else 5.0, voxel_mm=4.0 if adult else 2.5, head="1996")


def z_mm(body: BodyModel, key: str) -> tuple[float, float]:
    """Return lowest and highest layer of an organ."""
    layers = body.grid.axis_mm(2)[np.flatnonzero(body.mask(key).any(axis=(1, 2)))]
    return float(layers[0]), float(layers[-1])


def test_the_neck_holds_thyroid_and_spine_and_no_jaw(with_neck: BodyModel) -> None:
    body = with_neck
    d = reference_dimensions("M", body.person.age_y, head="1996")
    z, step = body.grid.axis_mm(2), body.grid.spacing_mm[2]
    above = body.material_index[z > 10 * d["trunk_c"]] > 0
    assert above.sum() * body.grid.voxel_volume_cm3 == pytest.approx(d.head_cm3, rel=0.02)
    neck = (z > 10 * d["trunk_c"]) & (z < 10 * d.head_base_cm)
    width = (body.material_index[neck] > 0).any(axis=1).sum(axis=1) * step
    assert width == pytest.approx(20 * d["neck_r"], abs=step)
    assert z_mm(body, "mandible")[0] == pytest.approx(10 * d.head_base_cm, abs=step)
    # From the trunk to the skull without a gap.
    assert z_mm(body, "cervical-spine")[0] - z_mm(body, "thoracic-spine")[1] == pytest.approx(step)
    k, j, i = np.argwhere(body.mask("cervical-spine")).T
    middle = int(np.median(j)), int(np.median(i))
    top = k[(j == middle[0]) & (i == middle[1])].max()
    assert body.mask("cranium")[(top + 1, *middle)]
    assert abs(z_mm(body, "thyroid")[0] - 10 * d["trunk_c"]) <= step
    assert not body.labels[body.material_index == 0].any()
    plain = make_phantom("M", age_y=body.person.age_y, voxel_mm=step).organ_mass_g
    for key in ("thyroid", "brain", "left-eye"):
        assert body.organ_mass_g[key] == pytest.approx(plain[key], rel=0.02), key


@pytest.mark.parametrize("column", list(HEADS))
def test_neck_and_underside_of_the_head_are_covered_by_skin(column: str) -> None:
    d = reference_dimensions("M", COLUMNS[column], head="1996")
    head = body_parts(d, "down")[3]
    line = np.arange(-10.5, 10.5, 0.01)
    x, y = line[None, None, :], line[None, :, None]

    def areas_cm2(z_cm: float) -> tuple[float, float]:
        z = np.full((1, 1, 1), z_cm)
        outside = head.outside(x, y, z)
        return float(outside.sum()) * 1e-4, float((outside & ~head.inside_skin(x, y, z)).sum()) * 1e-4

    r, t = d["neck_r"], d["skin"]
    neck, inner = np.pi * r**2, np.pi * (r - t) ** 2
    total, skin = areas_cm2(d["trunk_c"] + 0.5 * d["neck_h"])
    assert total == pytest.approx(neck, rel=0.01)
    assert skin == pytest.approx(neck - inner, rel=0.02)
    total, skin = areas_cm2(d.head_base_cm + 0.5 * t)
    assert total == pytest.approx(np.pi * d["head_a"] * d["head_b"], rel=0.01)
    assert skin == pytest.approx(total - inner, rel=0.01)


def test_a_ct_like_body_has_the_thyroid_at_the_lungs_tips_and_round_the_trachea() -> None:
    body = make_phantom("F", ct_like=True, arms="up", voxel_mm=4.0)
    assert "1996" in body.name
    assert "1996" not in make_phantom("F", voxel_mm=8.0).name
    low, high = z_mm(body, "thyroid")
    # ICRP Publication 110: 8 to 15 mm below and 34 to 40 mm above the lungs' tips.
    apex = z_mm(body, "left-lung")[1]
    assert 4 <= apex - low <= 18
    assert 26 <= high - apex <= 42
    axis = body.grid.axis_mm(1)
    layers = slice(*(int(np.searchsorted(body.grid.axis_mm(2), v)) for v in (low, high)))
    y = [axis[np.argwhere(body.mask(key)[layers])[:, 1]].mean() for key in ("thyroid", "air-in-body")]
    assert 0 < y[1] - y[0] < 25  # in front of the trachea
    assert z_mm(body, "air-in-body")[1] > z_mm(body, "mandible")[0]
