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
from omnidose.dicom.masks import MaskSet
from omnidose.dicom.nifti import write_nifti
from omnidose.dicom.synthetic_ct import CtTechnique, SyntheticStudy, write_ct_series
from omnidose.dosimetry.results import OrganDoses
from omnidose.errors import DependencyError, InputError
from omnidose.exams.bodies import PatientBody, body_of
from omnidose.exams.given_masks import NamedLabels, canonical_labels, combine, from_masks
from omnidose.exams.options import EstimateOptions
from omnidose.exams.run import contrast_sentence
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


def line(n: int) -> Grid:
    return Grid(shape_zyx=(1, 1, n), spacing_mm=(3.0, 3.0, 3.0), origin_mm=(0.0, 0.0, 0.0))


def test_a_mask_of_many_bones_leaves_each_voxel_its_site() -> None:
    """Marrow needs the single bone: a mask ``skeleton`` or ``femora`` must not hide it."""
    own = np.array([[[1, 2, 2, 1, 3, 3]]], dtype=np.uint8)
    keys = ("soft-tissue", "ribs", "pelvis")
    organs = tuple(Organ(key=key, label=i + 1, origin=Origin.SEGMENTED) for i, key in enumerate(keys))
    given = NamedLabels(labels=np.array([[[1, 1, 1, 1, 1, 1]]], dtype=np.uint8), names={1: "skeleton"})
    labels, found = combine(given, own, organs, line(6))
    key_of = {organ.label: organ.key for organ in found}
    assert [key_of[v] for v in labels.ravel().tolist()] == ["ribs"] * 3 + ["pelvis"] * 3 or [
        key_of[v] for v in labels.ravel().tolist()
    ] == ["ribs"] * 4 + ["pelvis"] * 2
    assert "skeleton" not in key_of.values()


def test_masks_of_skin_and_empty_masks_change_nothing() -> None:
    masks = MaskSet(
        labels=np.array([[[1, 1, 2, 0, 0, 0]]], dtype=np.uint8),
        grid=line(6),
        names={1: "Skin", 2: "liver", 3: "spleen"},
        kind="SEG",
    )
    named = canonical_labels(masks)
    assert named.labels.ravel().tolist() == [0, 0, 1, 0, 0, 0]
    assert named.names == {1: "liver"}
    assert any("Skin" in note for note in named.notes)
    assert any("1 masks hold no voxel" in note for note in named.notes)


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
    labels, found = combine(given, own, organs, line(6))
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


def test_noise_is_no_contrast_medium(tmp_path: Path) -> None:
    noise = np.random.default_rng(5).normal(0, 80, chest_hu().shape)
    noisy = np.clip(chest_hu() + noise, -1024, 3071).astype(np.int16)
    assert body_of(series_of(tmp_path, noisy), PERSON, EstimateOptions()).without_contrast is None


def test_a_child_is_said_to_be_unverified(plain: tuple[Series, PatientBody]) -> None:
    child = body_of(plain[0], Person(sex="F", age_y=12.0, height_cm=150.0), EstimateOptions())
    assert any("child" in warning for warning in child.warnings)
    assert any("UNVERIFIED" in note for note in child.body.notes)


def test_without_completion_marrow_says_what_it_lacks(plain: tuple[Series, PatientBody]) -> None:
    alone = body_of(plain[0], PERSON, EstimateOptions(completion=False))
    ribs = next(r for r in alone.body.regions if r.key == "red-marrow/ribs")
    assert ribs.imaged_fraction == alone.body.organ("ribs").imaged_fraction < 1
    assert any("--no-completion" in warning for warning in alone.warnings)


def test_removed_organs_take_their_parts_along() -> None:
    absent = EstimateOptions(absent=frozenset({"left-eye", "stomach"})).absent
    assert {"left-lens", "stomach-contents"} <= absent
    assert "right-lens" not in absent


def test_contrast_sentence_names_no_noise() -> None:
    def doses(values: list[float], std: list[float]) -> OrganDoses:
        n = len(values)
        return OrganDoses(
            organs=("kidneys", "testes", "liver")[:n],
            dose_mgy=np.array(values)[:, None],
            covariance_mgy2=np.diag(np.square(std)),
            mass_g=np.ones(n),
            origin=(Origin.SEGMENTED,) * n,
            imaged_fraction=np.ones(n),
            primary_fraction=np.ones(n),
            completion_share=np.zeros(n),
        )

    with_medium = doses([13.0, 0.03, 10.1], [0.05, 0.01, 0.02])
    text = contrast_sentence(with_medium, doses([10.0, 0.02, 10.0], [0.05, 0.01, 0.02]))
    assert "Kidneys 30 %" in text
    assert "Testes" not in text
    assert "no organ dose" in contrast_sentence(with_medium, with_medium)
