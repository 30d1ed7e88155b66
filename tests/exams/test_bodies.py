"""From a CT series to a body: labels from masks and our own segmentation, contrast, completion, regions."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from omnidose.anatomy.body import BodyModel, Organ, Origin, Person
from omnidose.anatomy.stylised import make_phantom
from omnidose.anatomy.stylised.ct_numbers import stylised_to_hu
from omnidose.dicom.inventory import Series, read_inventory
from omnidose.dicom.nifti import write_nifti
from omnidose.dicom.synthetic_ct import CtTechnique, SyntheticStudy, write_ct_series
from omnidose.errors import DependencyError, InputError
from omnidose.exams.bodies import PatientBody, body_of
from omnidose.exams.given_masks import NamedLabels, combine, from_masks
from omnidose.exams.options import EstimateOptions
from omnidose.volume import Grid, Volume

PERSON = Person(sex="F", age_y=50.0)
VOXEL_MM = 7.0


@cache
def phantom() -> BodyModel:
    return make_phantom("F", voxel_mm=VOXEL_MM, arms="up", ct_like=True)


def layers() -> slice:
    lungs = np.flatnonzero((phantom().mask("left-lung")).any(axis=(1, 2)))
    return slice(int(lungs[0]) - 5, int(lungs[-1]) + 3)


def chest_grid() -> Grid:
    g, part = phantom().grid, layers()
    return replace(
        g,
        shape_zyx=(part.stop - part.start, *g.shape_zyx[1:]),
        origin_mm=(g.origin_mm[0], g.origin_mm[1], g.origin_mm[2] + VOXEL_MM * part.start),
    )


def chest_hu(*, contrast_hu: int = 0) -> npt.NDArray[np.int16]:
    hu = np.asarray(stylised_to_hu(phantom()))[layers()].astype(np.int16)
    if contrast_hu:
        hu[phantom().mask("heart-contents")[layers()]] = contrast_hu
    return hu


def series_of(folder: Path, hu: npt.NDArray[np.int16]) -> Series:
    write_ct_series(
        folder,
        hu,
        chest_grid(),
        study=SyntheticStudy(key="bodies"),
        technique=CtTechnique(kvp_kv=120.0, ctdivol_mgy=5.0, total_collimation_mm=40.0, pitch=1.0),
    )
    return read_inventory(folder).series[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Series, PatientBody]:
    series = series_of(tmp_path_factory.mktemp("plain"), chest_hu())
    return series, body_of(series, PERSON, EstimateOptions())


def test_the_body_is_whole_and_says_what_rests_on_what(plain: tuple[Series, PatientBody]) -> None:
    body = plain[1].body
    keys = {organ.key: organ for organ in body.organs}
    assert keys["left-lung"].origin is Origin.SEGMENTED
    assert keys["heart"].origin is Origin.ATLAS
    assert keys["brain"].origin is Origin.PHANTOM
    assert keys["brain"].imaged_fraction == 0
    assert keys["left-lung"].imaged_fraction > 0.95
    assert plain[1].without_contrast is None
    assert body.labels[plain[1].image_box].shape == plain[1].image.array.shape
    mass_kg = sum(body.organ_mass_g.values()) / 1000
    assert 45 < mass_kg < 75
    regions = {region.key: region for region in body.regions}
    assert {"skin", "left-lens", "right-lens", "red-marrow/pelvis", "endosteum/ribs"} <= set(regions)
    assert 0.05 < regions["skin"].imaged_fraction < 0.5
    assert regions["red-marrow/ribs"].imaged_fraction > 0.8
    assert regions["red-marrow/pelvis"].imaged_fraction == 0
    assert regions["red-marrow/pelvis"].origin is Origin.PHANTOM
    weights = regions["red-marrow/ribs"].weights
    assert weights is not None
    density = body.density_g_cm3.ravel()[regions["red-marrow/ribs"].voxels]
    # Ribs carry the sternum's marrow where no sternum is drawn (ICRP 116 table 3.2, adult female).
    assert (weights * density).sum() * body.grid.voxel_volume_cm3 == pytest.approx(171, rel=0.2)


def test_without_completion_the_images_are_all(plain: tuple[Series, PatientBody]) -> None:
    alone = body_of(plain[0], PERSON, EstimateOptions(completion=False))
    assert alone.body.grid == alone.image.grid
    assert alone.body.completed is None
    assert "brain" not in {organ.key for organ in alone.body.organs}
    assert alone.body.organ("liver").imaged_fraction < 0.9
    assert alone.body.organ("liver").imaged_fraction == pytest.approx(
        plain[1].body.organ("liver").imaged_fraction
    )


def test_removed_organs_leave_soft_tissue(plain: tuple[Series, PatientBody]) -> None:
    without = body_of(plain[0], PERSON, EstimateOptions(absent=frozenset({"liver", "uterus"})))
    assert "liver" not in {organ.key for organ in without.body.organs if organ.imaged_fraction > 0}
    assert "liver" not in without.organ_names.values()
    assert {"liver", "uterus"} <= without.body.absent
    before = plain[1].body.organ_mass_g["soft-tissue"]
    assert without.body.organ_mass_g["soft-tissue"] > before + 200


def test_contrast_medium_in_the_heart(tmp_path: Path) -> None:
    series = series_of(tmp_path, chest_hu(contrast_hu=280))
    both = body_of(series, PERSON, EstimateOptions())
    assert both.without_contrast is not None
    names = [both.body.materials[i].name for i in np.unique(both.body.material_index)]
    assert any("iodine" in name for name in names)
    other = [both.body.materials[i].name for i in np.unique(both.without_contrast.material_index)]
    assert not any("iodine" in name for name in other)
    outside = np.ones(both.body.labels.shape, dtype=np.bool_)
    outside[both.image_box] = False
    assert np.array_equal(both.body.density_g_cm3[outside], both.without_contrast.density_g_cm3[outside])
    only = body_of(series, PERSON, EstimateOptions(contrast="without"))
    assert only.without_contrast is None
    assert np.array_equal(only.body.density_g_cm3, both.without_contrast.density_g_cm3)
    theirs = np.array([m.name for m in only.body.materials])[only.body.material_index]
    ours = np.array([m.name for m in both.body.materials])[both.without_contrast.material_index]
    assert np.array_equal(ours, theirs)


def test_given_masks_rule_over_our_own(plain: tuple[Series, PatientBody], tmp_path: Path) -> None:
    heart = (phantom().mask("heart") | phantom().mask("heart-contents"))[layers()]
    path = tmp_path / "heart.nii.gz"
    write_nifti(path, Volume.on_grid(heart.astype(np.uint8), chest_grid()))
    given = body_of(plain[0], PERSON, EstimateOptions(masks=path))
    assert given.body.organ("heart").origin is Origin.SEGMENTED
    assert "heart-contents" not in {organ.key for organ in given.body.organs}
    assert np.array_equal(given.body.mask("heart")[given.image_box], heart)
    assert given.body.organ("liver").origin in (Origin.ATLAS, Origin.PHANTOM)


def test_combination_rules() -> None:
    own = np.array([[[1, 2, 3, 4, 5, 6]]], dtype=np.uint8)
    organs = tuple(
        Organ(key=key, label=i + 1, origin=Origin.ATLAS)
        for i, key in enumerate(
            ("soft-tissue", "ascending-colon", "ribs", "left-kidney", "colon-contents", "spleen")
        )
    )
    given = NamedLabels(
        labels=np.array([[[0, 0, 0, 1, 0, 2]]], dtype=np.uint8), names={1: "colon", 2: "ribs"}
    )
    labels, found = combine(given, own, organs)
    key_of = {organ.label: organ.key for organ in found}
    assert [key_of[v] for v in labels.ravel().tolist()] == [
        "soft-tissue",
        "soft-tissue",  # a part of the given colon outside its mask is none of it
        "ribs",  # bone stays bone
        "colon",
        "soft-tissue",
        "ribs",
    ]
    assert next(o for o in found if o.key == "ribs").origin is Origin.SEGMENTED
    assert len({o.label for o in found}) == len(found)


def test_first_mask_keeps_a_voxel() -> None:
    one = np.array([[[True, True, False]]])
    two = np.array([[[False, True, True]]])
    labels = from_masks({"liver": one, "spleen": two})
    assert labels.labels.ravel().tolist() == [1, 1, 2]
    with pytest.raises(InputError):
        from_masks({})


def test_a_segmenter_that_is_not_installed_says_so(plain: tuple[Series, PatientBody]) -> None:
    with pytest.raises(DependencyError, match="TotalSegmentator is not installed"):
        body_of(plain[0], PERSON, EstimateOptions(segmenter="totalsegmentator"))
    with pytest.raises(InputError, match="built-in, totalsegmentator"):
        EstimateOptions(segmenter="magic")
