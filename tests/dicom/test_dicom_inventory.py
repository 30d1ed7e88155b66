from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pydicom
import pytest

from omnidose.anatomy.body import Person
from omnidose.dicom.inventory import merge_person, read_inventory, single_patient
from omnidose.dicom.patient import PatientInfo, parse_age_y
from omnidose.dicom.synthetic_ct import SyntheticStudy, write_ct_series
from omnidose.errors import ContradictionError, InputError, OmnidoseError, RangeError


@pytest.fixture
def ct(tmp_path, marker_hu, marker_grid):
    person = Person(sex="F", age_y=43.5, height_cm=165.0, weight_kg=61.0)
    write_ct_series(tmp_path / "in" / "a" / "b", marker_hu, marker_grid, person=person)
    return tmp_path / "in"


def change(path, **values):
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def test_a_nested_mixed_folder_is_read(ct):
    (ct / "notes.txt").write_text("no image")
    (ct / "a" / "masks.nii.gz").write_bytes(b"whatever")
    (ct / ".hidden").mkdir()
    shutil.copy(ct / "a" / "b" / "IM0200001", ct / ".hidden" / "x")
    steps = []
    inventory = read_inventory(ct, progress=lambda done, total: steps.append((done, total)))
    (series,) = inventory.series
    assert (series.modality, len(series.instances)) == ("CT", 6)
    assert "PixelData" not in series.header
    assert [f.path.name for f in inventory.nifti] == ["masks.nii.gz"]
    assert inventory.other_files == 1
    assert not inventory.problems
    assert steps[-1] == (8, 8)


def test_copies_count_once(ct):
    shutil.copy(ct / "a" / "b" / "IM0200001", ct / "copy")
    inventory = read_inventory(ct)
    assert len(inventory.series[0].instances) == 6
    assert any("1 files are copies" in n for n in inventory.notes)


def test_a_zip_is_unpacked_and_removed(ct, tmp_path):
    with zipfile.ZipFile(tmp_path / "exam.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((ct / "a" / "b").iterdir()):
            archive.write(file, f"Patient Name/{file.name}")
        archive.writestr("readme.txt", "hello")
    with read_inventory(tmp_path / "exam.zip") as inventory:
        path = inventory.series[0].instances[0].path
        assert len(inventory.series[0].instances) == 6
        assert path.exists()
    assert not path.exists()


def test_series_keep_an_unpacked_zip_alive(ct, tmp_path):
    with zipfile.ZipFile(tmp_path / "exam.zip", "w") as archive:
        archive.write(ct / "a" / "b" / "IM0200001", "1")
    inventory = read_inventory(tmp_path / "exam.zip")
    series = inventory.series[0]
    del inventory
    assert series.instances[0].path.exists()
    path = series.instances[0].path
    del series
    assert not path.exists()


def test_a_hostile_zip_writes_nothing_outside(ct, tmp_path):
    raw = (ct / "a" / "b" / "IM0200001").read_bytes()
    with zipfile.ZipFile(tmp_path / "exam.zip", "w") as archive:
        archive.writestr("../../evil", raw)
        archive.writestr("/etc/evil", raw)
        archive.writestr("C:\\evil", raw)
    inventory = read_inventory(tmp_path / "exam.zip")
    assert not inventory.series
    assert "outside the archive" in inventory.problems[0].sentence


def test_a_zip_bomb_is_stopped(ct, tmp_path, monkeypatch):
    raw = (ct / "a" / "b" / "IM0200001").read_bytes() + b"\0" * 10_000_000
    with zipfile.ZipFile(tmp_path / "exam.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image", raw)
    monkeypatch.setattr("omnidose.dicom.archives.MAX_TOTAL_BYTES", 1_000_000)
    inventory = read_inventory(tmp_path / "exam.zip")
    assert "holds more than" in inventory.problems[0].sentence


def test_a_damaged_zip_is_a_problem(ct, tmp_path):
    with zipfile.ZipFile(tmp_path / "exam.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(ct / "a" / "b" / "IM0200001", "1")
    raw = bytearray((tmp_path / "exam.zip").read_bytes())
    raw[200:400] = b"\xff" * 200
    (tmp_path / "exam.zip").write_bytes(raw)
    assert "damaged" in read_inventory(tmp_path / "exam.zip").problems[0].sentence


def test_a_truncated_file_is_named(ct):
    file = ct / "a" / "b" / "IM0200003"
    file.write_bytes(file.read_bytes()[:-500])
    inventory = read_inventory(ct)
    assert len(inventory.series[0].instances) == 5
    (problem,) = inventory.problems
    assert problem.kind == "truncated"
    assert "500 bytes" in problem.sentence
    assert "IM0200003" in problem.sentence


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_inventory(tmp_path / "nowhere")


def test_series_without_uids_are_still_grouped(ct):
    for file in (ct / "a" / "b").iterdir():
        change(file, SeriesInstanceUID="", StudyInstanceUID="")
    (series,) = read_inventory(ct).series
    assert len(series.instances) == 6
    assert series.series_uid.startswith("no-uid-")


def test_patient_info_from_headers(ct):
    info = single_patient(read_inventory(ct))
    assert (info.sex, info.age_y, info.height_cm, info.weight_kg) == ("F", 43.0, 165.0, 61.0)


def test_two_patients_are_refused_without_naming_them(ct, tmp_path, marker_hu, marker_grid):
    other = SyntheticStudy(key="other", patient_id="4711", patient_name="Doe^Jane")
    write_ct_series(ct / "other", marker_hu[:2], _first_planes(marker_grid), study=other)
    with pytest.raises(ContradictionError) as error:
        single_patient(read_inventory(ct))
    assert "patient 1: 6 files, patient 2: 2 files" in str(error.value)
    assert "4711" not in str(error.value)
    assert "Doe" not in str(error.value).title().replace("Does", "")
    assert "4711" not in repr(read_inventory(ct).patients)


def _first_planes(grid):
    return type(grid)(
        shape_zyx=(2, *grid.shape_zyx[1:]), spacing_mm=grid.spacing_mm, origin_mm=grid.origin_mm
    )


def test_identities_that_differ_by_issuer_get_their_own_sentence(ct):
    files = sorted((ct / "a" / "b").iterdir())
    for number, file in enumerate(files):
        change(file, IssuerOfPatientID="hospital A" if number % 2 else "hospital B")
    with pytest.raises(ContradictionError, match="issued by different institutions"):
        single_patient(read_inventory(ct))


def test_two_sexes_of_one_patient_are_refused(ct):
    change(ct / "a" / "b" / "IM0200001", PatientSex="M")
    with pytest.raises(ContradictionError, match="different sexes"):
        single_patient(read_inventory(ct))


def test_files_without_identity_join_with_a_note(ct):
    change(ct / "a" / "b" / "IM0200001", PatientID="", PatientName="")
    inventory = read_inventory(ct)
    assert len(inventory.patients) == 1
    assert any("state no patient identity" in n for n in inventory.notes)


def test_nothing_readable_is_said(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match="no readable DICOM"):
        single_patient(read_inventory(tmp_path))


@pytest.mark.parametrize(
    ("value", "age"),
    [("043Y", 43.0), ("006M", 0.5), ("010D", 10 / 365.25), ("", None), ("43", None), ("Y", None)],
)
def test_age_strings(value, age):
    assert parse_age_y(value) == (None if age is None else pytest.approx(age))


def test_birth_date_gives_the_age_and_a_contradiction_gives_none(ct):
    for file in (ct / "a" / "b").iterdir():
        change(file, PatientBirthDate="19810601")
    assert single_patient(read_inventory(ct)).age_y == pytest.approx(43.59, abs=0.01)
    for file in (ct / "a" / "b").iterdir():
        change(file, PatientBirthDate="19510601")
    info = single_patient(read_inventory(ct))
    assert info.age_y is None
    assert any("contradict" in n for n in info.notes)


def test_a_height_in_centimetres_is_not_believed(ct):
    for file in (ct / "a" / "b").iterdir():
        change(file, PatientSize="165")
    info = single_patient(read_inventory(ct))
    assert info.height_cm is None
    assert any("not a height in metres" in n for n in info.notes)


def test_options_fill_what_headers_leave_open():
    person = merge_person(PatientInfo(sex="F"), sex="f", age_y=40.0)
    assert person == Person(sex="F", age_y=40.0)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"sex": "M"}, ("--sex says M", "say F")),
        ({"age_y": 51.0}, ("--age says 51 y", "say 43 y")),
        ({"weight_kg": 120.0}, ("--weight-kg says 120 kg", "say 61 kg")),
    ],
)
def test_contradictions_show_both_values(options, shown):
    with pytest.raises(ContradictionError) as error:
        merge_person(PatientInfo(sex="F", age_y=43.0, weight_kg=61.0), **options)
    assert all(words in str(error.value) for words in shown)


@pytest.mark.parametrize("options", [{"sex": "x"}, {"age_y": -1.0}, {"height_cm": 1.7}])
def test_impossible_options_are_refused(options):
    with pytest.raises(RangeError):
        merge_person(PatientInfo(), **options)


def test_random_bytes_are_no_traceback(tmp_path):
    rng = np.random.default_rng(7)
    for number in range(20):
        (tmp_path / f"r{number}").write_bytes(b"\0" * 128 + b"DICM" + rng.bytes(400))
    with pytest.raises(OmnidoseError):
        single_patient(read_inventory(tmp_path))
