from __future__ import annotations

import pydicom
import pytest

from omnidose.dicom.dose_report import (
    AcquisitionType,
    IrradiationEvent,
    ReportKind,
    TubeSource,
    belongs_to,
    check_same_study,
    latest_reports,
    read_dose_report,
    unique_events,
)
from omnidose.dicom.inventory import read_inventory
from omnidose.dicom.sr import parse_number
from omnidose.dicom.synthetic_ct import SyntheticStudy, write_ct_series
from omnidose.dicom.synthetic_rdsr import write_ct_rdsr
from omnidose.dicom.units import factor_to
from omnidose.errors import ContradictionError, DicomError
from omnidose.validation import reference_dir

EVENTS = (
    IrradiationEvent(
        uid="1.2.3.1",
        acquisition_type=AcquisitionType.CONSTANT_ANGLE,
        protocol="Topogram",
        target_region="Chest",
        target_region_code=("51185008", "SCT"),
        sources=(TubeSource(label="A", kvp_kv=120.0, mean_tube_current_ma=35.0, max_tube_current_ma=35.0),),
        exposure_time_s=5.0,
        scanning_length_mm=500.0,
        ctdivol_mgy=0.14,
        ctdi_phantom="32",
        dlp_mgy_cm=7.0,
    ),
    IrradiationEvent(
        uid="1.2.3.2",
        acquisition_type=AcquisitionType.STATIONARY,
        protocol="PreMonitoring",
        target_region="Chest",
        target_region_code=("51185008", "SCT"),
        ctdivol_mgy=1.2,
        ctdi_phantom="32",
        dlp_mgy_cm=1.2,
        bolus_tracking=True,
    ),
    IrradiationEvent(
        uid="1.2.3.3",
        acquisition_type=AcquisitionType.SPIRAL,
        protocol="Thorax",
        target_region="Chest",
        target_region_code=("51185008", "SCT"),
        sources=(
            TubeSource(
                label="A",
                kvp_kv=100.0,
                mean_tube_current_ma=180.0,
                max_tube_current_ma=320.0,
                rotation_time_s=0.5,
            ),
            TubeSource(label="B", kvp_kv=150.0, mean_tube_current_ma=90.0, max_tube_current_ma=150.0),
        ),
        exposure_time_s=5.2,
        single_collimation_mm=0.6,
        total_collimation_mm=38.4,
        pitch=0.9,
        scanning_length_mm=330.0,
        exposed_range_mm=360.0,
        reconstruction_length_mm=300.0,
        reconstruction_top_z_mm=150.5,
        reconstruction_bottom_z_mm=-149.5,
        frame_of_reference_uid="1.2.3.4",
        ctdivol_mgy=6.5,
        ctdi_phantom="32",
        dlp_mgy_cm=214.5,
        modulation="XYZ_EC",
        comment="a remark",
    ),
)


def test_a_report_comes_back_as_it_was_written(tmp_path):
    study = SyntheticStudy()
    write_ct_rdsr(tmp_path / "r", EVENTS, study=study)
    report = read_dose_report(tmp_path / "r")
    assert report.events == EVENTS
    assert report.kind is ReportKind.CT
    assert report.study_uid == study.study_uid
    assert report.total_dlp_mgy_cm == pytest.approx(222.7)
    assert (report.manufacturer, report.model) == ("omnidose", "synthetic CT")
    assert report.events[0].is_localizer
    assert report.events[2].kvp_kv == 100.0
    assert not report.notes


def test_the_last_report_of_an_accumulating_study_counts(tmp_path):
    for number in (1, 2, 3):
        write_ct_rdsr(tmp_path / f"r{number}", EVENTS[:number])
    reports = [read_dose_report(tmp_path / f"r{n}") for n in (3, 1, 2)]
    assert [len(r.events) for r in latest_reports(reports)] == [3]
    assert unique_events(reports) == EVENTS


def test_a_report_of_another_study_is_refused(tmp_path, marker_hu, marker_grid):
    study, other = SyntheticStudy(key="a"), SyntheticStudy(key="b")
    write_ct_series(tmp_path / "ct", marker_hu, marker_grid, study=study)
    write_ct_rdsr(tmp_path / "own", EVENTS, study=study)
    write_ct_rdsr(tmp_path / "other", EVENTS, study=other)
    series = read_inventory(tmp_path / "ct").series
    check_same_study(read_dose_report(tmp_path / "own"), series)
    with pytest.raises(ContradictionError, match="belongs to another study than the images"):
        check_same_study(read_dose_report(tmp_path / "other"), series)
    by_event = IrradiationEvent(uid=study.event_uid("scan"), acquisition_type=AcquisitionType.SPIRAL)
    write_ct_rdsr(tmp_path / "event", [by_event], study=other)
    assert belongs_to(read_dose_report(tmp_path / "event"), series)


def test_doubtful_values_get_a_note(tmp_path):
    wrong = IrradiationEvent(
        uid="1.2", acquisition_type=AcquisitionType.SPIRAL, ctdivol_mgy=10.0, dlp_mgy_cm=900.0,
        scanning_length_mm=300.0, exposure_time_s=11912.0, pitch=1.0, single_collimation_mm=0.62,
        total_collimation_mm=5.0,
    )  # fmt: skip
    write_ct_rdsr(tmp_path / "r", [wrong], start="20250102101500", end="20250102101600")
    (event,) = read_dose_report(tmp_path / "r").events
    notes = " ".join(event.notes)
    assert event.exposure_time_s is None
    for words in ("longer than the whole", "16 or the 32 cm", "3.00 times", "not a whole number"):
        assert words in notes


@pytest.mark.parametrize(
    ("canonical", "code", "factor"),
    [
        ("mGy.cm", "mGycm", 1.0),
        ("mGy.cm", "mGy.cm", 1.0),
        ("Gy.cm2", "Gym2", 1e4),
        ("Gy.cm2", "Gy.m2", 1e4),
        ("Gy.cm2", "dGy.cm2", 0.1),
        ("mGy", "Gy", 1e3),
        ("s", "ms", 1e-3),
        ("1", "{ratio}", 1.0),
    ],
)
def test_units(canonical, code, factor):
    assert factor_to(canonical, code) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("canonical", "code"), [("mGy", "mGy.cm"), ("mGy", "R"), ("s", "mGy"), ("Gy.cm2", "m2")]
)
def test_unknown_units_are_refused(canonical, code):
    with pytest.raises(DicomError, match="is not one in which this quantity is known"):
        factor_to(canonical, code)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[0, 80, 60]", 70.0),
        ("1.6e-005", 1.6e-5),
        ([1.0, 3.0], 2.0),
        ("abc", None),
        (None, None),
        ("[0]", None),
    ],
)
def test_numbers_as_devices_write_them(value, expected):
    assert parse_number(value) == (None if expected is None else pytest.approx(expected))


REFUSED = {
    "CT-SC-Philips_Brilliance16P.dcm": "Secondary Capture",
    "DX-Im-Carestream_DR7500-1.dcm": "Computed Radiography",
    "DX-Im-GE_XR220-1.dcm": "Digital X-Ray",
    "DX-Im-SiemensMultix.dcm": "Computed Radiography",
    "ESR_non-dose.dcm": "no dose report",
    "MG-Im-GE_Seno_1_ForPresentation.dcm": "Mammography",
    "MG-Im-GE_Seno_1_ForProcessing.dcm": "Mammography",
    "NM-NmIm-Siemens-s1-1.dcm": "Nuclear Medicine",
    "NM-NmIm-Siemens.dcm": "Nuclear Medicine",
    "NM-PetIm-Siemens.dcm": "Positron Emission",
}
#: file -> (kind, events, first total in the canonical unit); values read by eye from a dump of the objects
READ = {
    "CT-ESR-GE_Optima.dcm": ("ct", 6, 415.82),
    "CT-RDSR-GEPixelMed.dcm": ("ct", 2, 586.34),
    "CT-RDSR-Philips_BigBore4DCT.dcm": ("ct", 1, 541.1),
    "CT-RDSR-Siemens-Multi-1.dcm": ("ct", 1, 7.46),
    "CT-RDSR-Siemens-Multi-2.dcm": ("ct", 2, 77.27),
    "CT-RDSR-Siemens-Multi-3.dcm": ("ct", 3, 236.09),
    "CT-RDSR-Siemens_Flash-TAP-SS.dcm": ("ct", 4, 724.52),
    "CT-RDSR-Toshiba_DoseCheck.dcm": ("ct", 2, 502.4),
    "DX-RDSR-Canon_CXDI.dcm": ("projection", 1, None),
    "DX-RDSR-Carestream_DRXEvolution.dcm": ("projection", 5, None),
    "MG-RDSR-GEPristina-2D.dcm": ("mammography", 8, None),
    "MG-RDSR-Hologic_2D.dcm": ("mammography", 2, 1.30),
    "NM-CT-RDSR-Siemens.dcm": ("ct", 2, 667.72),
    "NM-RRDSR-Siemens.dcm": ("radiopharmaceutical", 1, 394.0),
    "RF-RDSR-Canon-Ultimaxi-mGyDoseAtRP.dcm": ("projection", 18, 12.6596),
    "RF-RDSR-Eurocolumbus.dcm": ("projection", 4, 0.09),
    "RF-RDSR-GE.dcm": ("projection", 8, None),
    "RF-RDSR-Philips_Allura.dcm": ("projection", 3, None),
    "RF-RDSR-Siemens-Zee.dcm": ("projection", 8, None),
}


def reference_report(name):
    root = reference_dir()
    if root is None or not (root / "dicom" / "rdsr").is_dir():
        pytest.skip("needs the folder of published reference files")
    return root / "dicom" / "rdsr" / name


@pytest.mark.reference
def test_every_file_of_the_folder_is_in_one_of_the_lists():
    folder = reference_report("")
    assert {p.name for p in folder.iterdir()} == set(REFUSED) | set(READ)
    assert len(REFUSED) + len(READ) == 29


@pytest.mark.reference
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_no_dose_report_is_refused_with_a_reason(name):
    with pytest.raises(DicomError, match=REFUSED[name]):
        read_dose_report(reference_report(name))


@pytest.mark.reference
@pytest.mark.parametrize("name", sorted(READ))
def test_real_reports_say_what_they_declare(name):
    kind, events, total = READ[name]
    report = read_dose_report(reference_report(name))
    assert (report.kind, len(report.events)) == (kind, events)
    assert report.study_uid
    assert all(e.uid for e in report.events)
    if total is not None:
        assert report.totals[0].value == pytest.approx(total)
    if report.kind is ReportKind.CT:
        assert report.stated_event_count == events
        assert all(e.acquisition_type for e in report.events)
        summed = sum(e.dlp_mgy_cm or 0.0 for e in report.events)
        assert summed == pytest.approx(report.total_dlp_mgy_cm, rel=0.01)


@pytest.mark.reference
def test_a_spiral_of_a_real_report_is_read_fully():
    event = read_dose_report(reference_report("CT-RDSR-Siemens_Flash-TAP-SS.dcm")).events[3]
    assert event.acquisition_type is AcquisitionType.SPIRAL
    assert (event.kvp_kv, event.mean_tube_current_ma, event.max_tube_current_ma) == (120.0, 176.0, 560.0)
    assert (event.rotation_time_s, event.exposure_time_s, event.pitch) == (0.5, 16.01, 0.6)
    assert (event.single_collimation_mm, event.total_collimation_mm) == (0.6, 38.4)
    assert (event.scanning_length_mm, event.ctdivol_mgy, event.dlp_mgy_cm) == (737.0, 9.91, 708.2)
    assert (event.ctdi_phantom, event.target_region) == ("32", "Abdomen")
    monitoring = read_dose_report(reference_report("CT-RDSR-Siemens_Flash-TAP-SS.dcm")).events[1:3]
    assert all(e.bolus_tracking for e in monitoring)


@pytest.mark.reference
def test_the_unit_trap_of_one_maker():
    report = read_dose_report(reference_report("RF-RDSR-Canon-Ultimaxi-mGyDoseAtRP.dcm"))
    values = {t.name: (t.value, t.unit) for t in report.totals}
    assert values["kerma area product"] == (pytest.approx(12.6596), "Gy.cm2")
    assert values["air kerma at the reference point"] == (pytest.approx(30.573), "mGy")


@pytest.mark.reference
def test_a_report_from_an_unknown_unit_is_refused(tmp_path):
    dataset = pydicom.dcmread(reference_report("CT-RDSR-Siemens-Multi-1.dcm"))
    for item in dataset.ContentSequence:
        for child in item.get("ContentSequence", []):
            if child.ConceptNameCodeSequence[0].CodeValue == "113813":
                child.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue = "rad.inch"
    dataset.save_as(tmp_path / "odd")
    with pytest.raises(DicomError, match=r"rad\.inch"):
        read_dose_report(tmp_path / "odd")
