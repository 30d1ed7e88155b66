"""A PET without a CT: outline, fitted phantom, hot organs; and a whole job."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, Origin, Person
from omnidose.dosimetry.results import OrganDoses
from omnidose.errors import InputError
from omnidose.exams.options import EstimateOptions
from omnidose.exams.pet_bodies import PetBody, body_from_pet
from omnidose.exams.pet_outline import see_body, see_hot_organ, shaved, trunk_of
from omnidose.exams.pet_patients import patient_from_pet
from omnidose.exams.plan import plan, survey
from omnidose.exams.run import ExamResult, run, with_one_set_of_qualities
from omnidose.exams.write import report_content, result_to_json
from omnidose.modalities.nuclear.proofs._small_exam import small_exam
from omnidose.modalities.nuclear.synthetic import activity_of, write_exam
from omnidose.volume import Grid, Volume

SHARES = {"brain": 0.08, "bladder-contents": 0.06, "heart": 0.04, "liver": 0.05}
PERSON = Person(sex="M", age_y=45.0, height_cm=170.0, weight_kg=70.0)


@pytest.fixture(scope="module")
def true_body() -> BodyModel:
    """A man of 8 mm voxels, whom the phantom of the fit resembles but for its voxels."""
    from omnidose.anatomy.stylised import make_phantom

    made = make_phantom("M", height_cm=176.0, weight_kg=74.0, voxel_mm=8.0, ct_like=True)
    return replace(made, person=PERSON)


@pytest.fixture(scope="module")
def image(true_body: BodyModel) -> Volume:
    """Blurred concentration from thigh to vertex, MBq per voxel."""
    from scipy import ndimage

    whole = activity_of(true_body, 100.0, SHARES)
    z = true_body.grid.axis_mm(2)
    first = int(np.searchsorted(z, -150.0))
    grid = replace(
        true_body.grid,
        shape_zyx=(z.size - first, *true_body.grid.shape_zyx[1:]),
        origin_mm=(*true_body.grid.origin_mm[:2], float(z[first])),
    )
    array = ndimage.gaussian_filter(whole.array, 3.0 / 8.0)[first:]
    return Volume.on_grid(np.ascontiguousarray(array, dtype=np.float32), grid)


@pytest.fixture(scope="module")
def phantom() -> BodyModel:
    from omnidose.anatomy.stylised import make_phantom

    return make_phantom("M", age_y=45.0, height_cm=170.0, weight_kg=70.0, voxel_mm=8.0, ct_like=True)


@pytest.fixture(scope="module")
def fitted(image: Volume, phantom: BodyModel) -> PetBody:
    return body_from_pet(image, PERSON, phantom=phantom)


def overlap(a: Any, b: Any) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_outline_is_the_skin(image: Volume, fitted: PetBody, true_body: BodyModel) -> None:
    inside = true_body.labels[-image.array.shape[0] :] > 0
    assert overlap(fitted.outline, inside) > 0.93
    assert set(np.unique(fitted.body.labels[~fitted.outline])) == {0}


def test_hot_organs_lie_where_they_are_seen(image: Volume, fitted: PetBody, true_body: BodyModel) -> None:
    truth = true_body.labels[-image.array.shape[0] :]
    assert set(fitted.seen) == {"brain", "bladder", "bladder-contents"}
    for key, least in (("brain", 0.85), ("bladder-contents", 0.75)):
        assert overlap(fitted.body.mask(key), truth == true_body.organ(key).label) > least
        assert fitted.body.organ(key).origin is Origin.SEGMENTED
    assert fitted.place_is_sure


def test_other_organs_are_near_and_say_that_nobody_saw_them(
    image: Volume, fitted: PetBody, true_body: BodyModel
) -> None:
    truth = true_body.labels[-image.array.shape[0] :]
    for key in ("liver", "left-kidney", "spleen", "left-lung"):
        ours, theirs = (
            np.argwhere(m).mean(axis=0) * 8.0
            for m in (fitted.body.mask(key), truth == true_body.organ(key).label)
        )
        assert np.linalg.norm(ours - theirs) < 30
        assert fitted.body.organ(key).origin is Origin.PHANTOM


def test_arms_beside_the_trunk_are_left_out_of_the_fit() -> None:
    grid = Grid.centred((3, 40, 80), (5.0, 5.0, 5.0))
    y, x = np.meshgrid(grid.axis_mm(1), grid.axis_mm(0), indexing="ij")
    trunk = (x / 110) ** 2 + (y / 80) ** 2 < 1
    arms = ((np.abs(x) - 155) / 30) ** 2 + (y / 35) ** 2 < 1
    body = np.broadcast_to(trunk | arms, grid.shape_zyx).copy()
    found = trunk_of(body, grid)
    assert not (found & arms).any()
    assert (found[1] == trunk).all()
    assert not trunk_of(np.zeros_like(body), grid).any()


def test_what_is_no_body_is_refused() -> None:
    grid = Grid.centred((6, 20, 20), (8.0, 8.0, 8.0))
    spot = np.zeros(grid.shape_zyx, dtype=np.float32)
    spot[3, 9:12, 9:12] = 5.0
    with pytest.raises(InputError, match="no part of a body"):
        see_body(spot, grid)
    with pytest.raises(InputError, match="no body stands out"):
        see_body(np.zeros_like(spot), grid)


def test_an_organ_that_is_not_hot_is_not_found(image: Volume, fitted: PetBody) -> None:
    flat = np.where(fitted.outline, 1.0, 0.0).astype(np.float32)
    expected = fitted.body.mask("brain")
    assert see_hot_organ("brain", flat, fitted.outline, expected, image.grid) is None
    nothing = np.zeros_like(expected)
    assert see_hot_organ("brain", image.array, fitted.outline, nothing, image.grid) is None


def test_the_patient_goes_on_beyond_the_images(
    image: Volume, monkeypatch: pytest.MonkeyPatch, phantom: Any
) -> None:
    monkeypatch.setattr("omnidose.exams.pet_bodies._phantom", lambda _person: phantom)
    patient = patient_from_pet(image, PERSON, EstimateOptions(absent=frozenset({"spleen"})))
    assert patient.body.completed is not None
    assert patient.body.completed.any()
    assert patient.body.organ("femora-lower").imaged_fraction < 0.5
    assert "spleen" not in {o.key for o in patient.body.organs}
    assert {"skin", "left-lens", "right-lens"} <= {r.key for r in patient.body.regions}
    assert patient.image.array.dtype == np.int16
    assert "There is no CT" in patient.warnings[0]
    box = patient.image_box
    assert patient.body.labels[box].shape == image.array.shape
    cut = patient_from_pet(image, Person(), EstimateOptions(completion=False))
    assert cut.body.completed is None
    assert any("sex is unknown" in w for w in cut.warnings)


@pytest.fixture(scope="module")
def exam_folder(tmp_path_factory: pytest.TempPathFactory, image: Volume, true_body: BodyModel) -> Path:
    """A PET of 100 MBq, most of them seen, an hour after 200 MBq."""
    folder = tmp_path_factory.mktemp("pet")
    z = image.grid.axis_mm(2)
    scan = small_exam().scan
    exam = small_exam(
        activity=image,
        seen_mbq=float(image.array.sum()),
        scan=replace(
            scan,
            bed_count=7,
            last=scan.first + timedelta(minutes=18),
            z_mm=(float(z[0]), float(z[-1])),
        ),
    )
    write_exam(exam, true_body, folder)
    return folder


@pytest.fixture(scope="module")
def result(exam_folder: Path, phantom: BodyModel) -> ExamResult:
    patch = pytest.MonkeyPatch()
    patch.setattr("omnidose.exams.pet_bodies._phantom", lambda _person: phantom)
    with patch.context(), survey(exam_folder) as inventory:
        found = run(plan(inventory))
    patch.undo()
    return found


def test_a_folder_becomes_organ_doses_and_a_risk(result: ExamResult) -> None:
    (one,) = result.results
    doses = one.organ_doses
    assert one.modality == "nuclear"
    assert doses.qualities == ("electron", "photon")
    assert doses.dose_of("brain") > 1.4 * doses.dose_of("liver") > 0
    assert doses.dose_of("bladder") > doses.dose_of("lungs") > 0
    assert one.provenance.settings["method"] == "convolution"
    assert result.risk is not None
    assert result.total is not None
    assert len(result.history) == 1


def test_seen_organs_have_the_doses_of_the_true_body(result: ExamResult, true_body: BodyModel) -> None:
    """The same activity in the body that it was drawn in: within what voxels of 8 mm allow."""
    from omnidose.modalities.nuclear.estimate import estimate

    truth = estimate(
        small_exam(activity=activity_of(true_body, 100.0, SHARES), seen_mbq=100.0), true_body
    ).organ_doses
    doses = result.results[0].organ_doses
    for key, tolerance in (("brain", 0.12), ("liver", 0.15), ("bladder-contents", 0.2)):
        assert doses.dose_of(key) == pytest.approx(truth.dose_of(key), rel=tolerance)


def test_reports_have_the_limits_of_the_modality(result: ExamResult) -> None:
    limits = " ".join(report_content(result).limits)
    assert "kinetics before and after it are assumed" in limits
    assert "The displayed CTDIvol" not in limits
    document = result_to_json(result, {})
    assert document["exposures"][0]["modality"] == "nuclear"


def test_nothing_in_words_is_of_a_ct_or_a_beam(result: ExamResult) -> None:
    from omnidose.report.html import render

    page = render(report_content(result))
    assert "The body model (no CT) has a window of" in page
    for wrong in ("CT window", "outside the beam", "scanner output", "the grey of the CT"):
        assert wrong not in page
    assert "activity and its course in time" in page


def test_marrow_has_the_origin_of_the_bones(result: ExamResult) -> None:
    doses = result.results[0].organ_doses
    place = next(c for c in doses.components if c.key.startswith("place:"))
    assert isinstance(place.std_rel, tuple)
    for key in ("red-marrow", "endosteum"):
        row = doses.organs.index(key)
        assert doses.origin[row] is Origin.PHANTOM
        assert place.std_rel[row] > 0


def test_what_a_person_says_reaches_the_modality(exam_folder: Path) -> None:
    with survey(exam_folder) as inventory:
        said = plan(inventory, EstimateOptions(given={"unseen": "body", "injected_mbq": 200}))
        assert said.exposures[0].exposure.unseen == "body"  # type: ignore[attr-defined]
        with pytest.raises(InputError, match="masks were given"):
            run(replace(said, options=EstimateOptions(masks=exam_folder)))


def test_sums_of_scans_with_other_qualities(result: ExamResult) -> None:
    electron_photon = result.results[0].organ_doses
    n = len(electron_photon.organs)
    photon = OrganDoses(
        organs=electron_photon.organs,
        dose_mgy=np.ones((n, 1)),
        covariance_mgy2=np.eye(n),
        mass_g=electron_photon.mass_g,
        origin=electron_photon.origin,
        imaged_fraction=electron_photon.imaged_fraction,
        primary_fraction=np.ones(n),
        completion_share=np.zeros(n),
    )
    one, two = with_one_set_of_qualities([photon, electron_photon])
    assert one.qualities == two.qualities == ("photon", "electron")
    assert np.array_equal(one.dose_mgy[:, 1], np.zeros(n))
    assert two.total_mgy == pytest.approx(electron_photon.total_mgy)
    assert one.statistical_std_mgy == pytest.approx(np.ones(n))


def test_an_outline_is_taken_in_to_a_volume() -> None:
    grid = Grid.centred((20, 40, 40), (5.0, 5.0, 5.0))
    _z, y, x = np.meshgrid(*(grid.axis_mm(a) for a in (2, 1, 0)), indexing="ij")
    wide = (x / 80) ** 2 + (y / 60) ** 2 < 1
    volume = float(wide.sum()) * grid.voxel_volume_cm3
    same, nothing = shaved(wide, grid, 1.1 * volume)
    assert nothing == 0
    assert (same == wide).all()
    less, taken_mm = shaved(wide, grid, 0.85 * volume)
    assert float(less.sum()) * grid.voxel_volume_cm3 == pytest.approx(0.85 * volume, rel=0.05)
    assert 0 < taken_mm < 8
    assert not (less & ~wide).any()
    assert less[0].any()  # the images end there, not the body


def test_a_pet_that_cannot_be_used_does_not_stop_the_ct(tmp_path: Path) -> None:
    from omnidose.dicom.synthetic_ct import CtTechnique, SyntheticStudy, write_ct_series
    from omnidose.modalities.nuclear.proofs._small_exam import small_body, write_small

    def silent(item: Any, _number: int) -> None:
        item.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = ""

    write_small(tmp_path / "pet", silent)
    with survey(tmp_path) as inventory, pytest.raises(InputError, match="injected_mbq"):
        plan(inventory)
    body = small_body()
    technique = CtTechnique(ctdivol_mgy=5.0, tube_current_ma=100, pitch=1.0, total_collimation_mm=20.0)
    hu = np.where(body.labels > 0, 0, -1000)
    write_ct_series(
        tmp_path / "ct",
        hu,
        body.grid,
        person=body.person,
        study=SyntheticStudy(key="beside"),
        technique=technique,
    )
    with survey(tmp_path) as inventory:
        made = plan(inventory)
        assert [item.modality.name for item in made.exposures] == ["ct"]
        assert any("injected_mbq" in item.reason for item in made.left_out)
        both = plan(inventory, EstimateOptions(given={"injected_mbq": 200}))
        assert {item.modality.name for item in both.exposures} == {"ct", "nuclear"}
    for path in (tmp_path / "pet").iterdir():
        path.unlink()
    with survey(tmp_path) as inventory, pytest.raises(InputError, match="only CT is estimated"):
        plan(inventory, EstimateOptions(given={"injected_mbq": 200}))
