"""Damaged input gives problems or one clear sentence, never a traceback."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnidose.dicom.ct_series import choose_reconstructions, read_ct_series
from omnidose.dicom.dose_report import AcquisitionType, IrradiationEvent, TubeSource, read_dose_report
from omnidose.dicom.inventory import read_inventory, single_patient
from omnidose.dicom.synthetic_ct import CtTechnique, write_ct_series
from omnidose.dicom.synthetic_rdsr import write_ct_rdsr
from omnidose.errors import OmnidoseError
from omnidose.volume import Grid

GRID = Grid(shape_zyx=(3, 16, 16), spacing_mm=(4.0, 4.0, 2.0), origin_mm=(0.0, 0.0, 0.0))
FUZZ = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Raw:
    """Bytes of the files, with a short repr for hypothesis."""

    def __init__(self, slices, report):
        self.slices, self.report = slices, report


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    hu = np.full(GRID.shape_zyx, -1000)
    hu[:, 4:12, 4:12] = 30
    technique = CtTechnique(tube_current_ma=100.0, ctdivol_mgy=5.0, pitch=1.0)
    paths = write_ct_series(folder, hu, GRID, technique=technique)
    event = IrradiationEvent(
        uid="1.2.3", acquisition_type=AcquisitionType.SPIRAL, ctdivol_mgy=5.0, ctdi_phantom="32",
        dlp_mgy_cm=50.0, sources=(TubeSource(kvp_kv=120.0),), pitch=1.0, scanning_length_mm=100.0,
    )  # fmt: skip
    write_ct_rdsr(folder / "rdsr", [event])
    return Raw([p.read_bytes() for p in paths], (folder / "rdsr").read_bytes())


def use_everything(folder):
    """Do with a folder what the exam does; only our own errors may come out, with one sentence."""
    try:
        inventory = read_inventory(folder)
    except OmnidoseError as error:
        sentence = str(error)
        assert "\n" not in sentence
        return
    for problem in inventory.problems:
        assert problem.sentence.strip()
    jobs = [lambda: single_patient(inventory), lambda: choose_reconstructions(inventory.series)]
    jobs += [lambda s=s: read_ct_series(s) for s in inventory.series]
    jobs += [lambda r=r: read_dose_report(r) for r in inventory.reports]
    for job in jobs:
        sentence = ""
        try:
            job()
        except OmnidoseError as error:
            sentence = str(error)
        assert "\n" not in sentence


def write(folder, slices, report):
    for number, data in enumerate(slices):
        (folder / f"s{number}").write_bytes(data)
    (folder / "r").write_bytes(report)


@FUZZ
@given(data=st.data())
def test_truncated_files(raw, tmp_path_factory, data):
    slices, report = raw.slices, raw.report
    cut = [s[: data.draw(st.integers(0, len(s)))] for s in slices]
    folder = tmp_path_factory.mktemp("cut")
    write(folder, cut, report[: data.draw(st.integers(0, len(report)))])
    use_everything(folder)


@FUZZ
@given(seed=st.integers(0, 2**32 - 1))
def test_flipped_bytes(raw, tmp_path_factory, seed):
    slices, report = raw.slices, raw.report
    folder = tmp_path_factory.mktemp("flip")
    rng = np.random.default_rng(seed)

    def damage(source, begin):
        array = np.frombuffer(source, dtype=np.uint8).copy()
        where = rng.integers(begin, min(len(array), begin + 1500), size=int(rng.integers(1, 12)))
        array[where] = rng.integers(0, 256, size=len(where))
        return array.tobytes()

    write(folder, [damage(s, 132) for s in slices], damage(report, 132))
    use_everything(folder)


@FUZZ
@given(data=st.data())
def test_missing_and_senseless_attributes(raw, tmp_path_factory, data):
    slices, report = raw.slices, raw.report
    folder = tmp_path_factory.mktemp("tags")
    write(folder, slices, report)
    dataset = pydicom.dcmread(folder / "s1")
    keywords = sorted(e.keyword for e in dataset if e.keyword)
    for keyword in data.draw(st.lists(st.sampled_from(keywords), min_size=1, max_size=4, unique=True)):
        how = data.draw(st.sampled_from(["delete", "empty"]))
        if how == "delete":
            del dataset[keyword]
        else:
            dataset[keyword].value = None
    dataset.save_as(folder / "s1", enforce_file_format=False)
    use_everything(folder)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        (0x00280030, b"0\\0 "),
        (0x00280030, b"abc\\1 "),
        (0x00200032, b"1e400\\0\\0 "),
        (0x00200037, b"1\\0\\0\\0\\1"),
        (0x00281053, b"nan "),
        (0x00180060, b"120kV "),
        (0x00101010, b"old "),
        (0x00080032, b"noon"),
        (0x00181151, b"1.5 "),
    ],
)
def test_values_outside_their_representation(raw, tmp_path, keyword, value):
    slices, report = raw.slices, raw.report
    write(tmp_path, slices, report)
    dataset = pydicom.dcmread(tmp_path / "s1")
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    vr = dataset[keyword].VR if keyword in dataset else "AS"
    dataset._dict[Tag(keyword)] = RawDataElement(Tag(keyword), vr, len(value), value, 0, False, True)
    dataset.save_as(tmp_path / "s1")
    use_everything(tmp_path)
