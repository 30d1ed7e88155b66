"""From PET series to records: contract, form, what is assumed, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.anatomy.body import BodyModel
from omnidose.dicom.inventory import read_inventory
from omnidose.errors import ContradictionError, InputError, RangeError
from omnidose.modalities import Claim, ClaimKind, Modality, modalities
from omnidose.modalities.nuclear import MODALITY
from omnidose.modalities.nuclear.checks import bone_warnings, plausibility_warnings
from omnidose.modalities.nuclear.exposure import DoseMethod, NuclearExam, Unseen
from omnidose.modalities.nuclear.form import FIELDS, checked_values, given_moment, zone_of
from omnidose.modalities.nuclear.proofs._small_exam import F18_H, small_exam, write_small
from omnidose.testing import IGNORED, check_modality

Ingested = Callable[..., NuclearExam]


def test_it_is_a_registered_modality() -> None:
    assert isinstance(MODALITY, Modality)
    assert modalities()["nuclear"].title == "Nuclear medicine"


def test_contract(tmp_path: Path, small: BodyModel) -> None:
    found = check_modality(MODALITY, small_exam(), small, tmp_path, ignored=IGNORED | {"activity"})
    assert found.title == "PET, FDG (F-18), 200 MBq"
    assert found.hours_to_reference == pytest.approx(1.0)
    assert found.hours_to_scan == pytest.approx(1 + (1.5 + 1.0) / 60)
    assert found.seen_fraction == pytest.approx(0.5 * 2 ** (1 / F18_H), rel=1e-3)


def test_what_a_person_says_fills_and_is_marked(ingested: Ingested) -> None:
    def silent(item: Any, _number: int) -> None:
        inside = item.RadiopharmaceuticalInformationSequence[0]
        inside.RadionuclideTotalDose, inside.RadiopharmaceuticalStartDateTime = "", ""
        inside.RadiopharmaceuticalStartTime, inside.RadionuclideCodeSequence = "", []
        inside.RadionuclideHalfLife, inside.Radiopharmaceutical = "", "tracer"

    found = ingested(
        silent,
        nuclide="18F",
        injected_mbq=205.0,
        residual_mbq=5.0,
        injection_time="09:30",
        effective_half_life_h=1.2,
        unseen="excreted",
        method="local",
    )
    assert found.entered == ("injected_mbq", "injection_time", "nuclide")
    assert any("entered by a person" in a.text for a in found.assumptions)
    assert found.administration.net_mbq == pytest.approx(200.0)
    assert (found.unseen, found.method, found.effective_half_life_h) == (
        Unseen.EXCRETED,
        DoseMethod.LOCAL,
        1.2,
    )


def test_saying_the_same_is_no_contradiction(ingested: Ingested) -> None:
    found = ingested(None, injected_mbq=201.0, nuclide="F-18")
    assert found.entered == ()


def test_contradictions_stop(ingested: Ingested) -> None:
    with pytest.raises(ContradictionError, match="the data name F-18"):
        ingested(None, nuclide="Ga-68")
    with pytest.raises(ContradictionError, match="the data give 200 MBq"):
        ingested(None, injected_mbq=240.0)


def test_an_impossible_activity_gives_way_to_a_person(ingested: Ingested) -> None:
    def in_mbq(item: Any, _number: int) -> None:
        item.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = "200"

    found = ingested(in_mbq, injected_mbq=200.0)
    assert found.administration.net_mbq == 200.0
    assert any("impossible in its unit" in w for w in found.warnings)


def test_images_of_the_injections_moment(ingested: Ingested) -> None:
    """Values corrected to the injection are integrated from there."""
    from omnidose.modalities.nuclear.time_integrals import hours_per_mbq

    start = ingested()

    def to_injection(item: Any, _number: int) -> None:
        item.DecayCorrection = "ADMIN"
        item.DecayFactor = f"{float(item.DecayFactor) * 2 ** (1 / F18_H):.9g}"
        item.RescaleSlope = f"{float(item.RescaleSlope) * 2 ** (1 / F18_H):.9g}"

    admin = ingested(to_injection)
    assert admin.hours_to_reference == 0.0
    ratio = admin.seen_mbq * sum(hours_per_mbq(admin)) / (start.seen_mbq * sum(hours_per_mbq(start)))
    assert ratio == pytest.approx(1.0, rel=1e-6)


def test_claims_name_what_cannot_be_estimated(tmp_path: Path) -> None:
    def uncorrected(item: Any, _number: int) -> None:
        item.CorrectedImage = ["NORM", "DECY"]

    write_small(tmp_path / "nac", uncorrected)
    with read_inventory(tmp_path / "nac") as inventory:
        claims = MODALITY.claims(inventory)
        assert [c.estimable for c in claims] == [False]
        assert "attenuation" in claims[0].reason
        with pytest.raises(InputError, match="cannot be estimated"):
            MODALITY.ingest(claims[0])


def test_two_reconstructions_are_one_administration(tmp_path: Path) -> None:
    def other(item: Any, number: int) -> None:
        item.SeriesInstanceUID = "2.25.99"
        item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = f"2.25.99{number}"

    write_small(tmp_path / "a")
    write_small(tmp_path / "b", other)
    with read_inventory(tmp_path) as inventory:
        claims = [c for c in MODALITY.claims(inventory) if c.kind is ClaimKind.EXPOSURE]
        assert len(claims) == 1
        assert len(claims[0].series_uids) == 2
        assert any("2 PET series" in a.text for a in MODALITY.ingest(claims[0]).assumptions)


def test_foreign_claims_are_refused() -> None:
    with pytest.raises(InputError, match="no administration"):
        MODALITY.ingest(Claim(modality="ct", kind=ClaimKind.EXPOSURE, key="1", title="x"))


def test_form_checks_numbers_and_words() -> None:
    assert checked_values({"injected_mbq": "200", "nuclide": " F-18 ", "method": None}) == {
        "injected_mbq": 200.0,
        "nuclide": "F-18",
    }
    for bad in ({"injected_mbq": -1}, {"weight_kg": "heavy"}, {"detector_heads": 1.5}):
        with pytest.raises(RangeError):
            checked_values(bad)
    for bad in ({"method": "magic"}, {"unseen": "lost"}, {"speed": 3}, {"injected_mbq": "10 mCi"}):
        with pytest.raises(InputError):
            checked_values(bad)
    assert len({item.key for item in FIELDS}) == len(FIELDS)


def test_times_as_people_type_them() -> None:
    scan = datetime(2026, 3, 4, 10, 30)
    nine = datetime(2026, 3, 4, 9, 30)
    for typed in (
        "09:30",
        "9:30:00",
        "2026-03-04 09:30",
        "2026-03-04T09:30:00",
        nine,
        nine.replace(tzinfo=UTC),
    ):
        assert given_moment(typed, scan=scan) == nine
    with pytest.raises(InputError, match="no time of injection"):
        given_moment("half past nine", scan=scan)


def test_zones() -> None:
    zone, known = zone_of("-0530")
    assert known
    assert zone.utcoffset(None) == -timedelta(hours=5, minutes=30)
    assert zone_of("") == (UTC, False)
    assert zone_of("+9900") == (UTC, False)
    assert zone_of("+0100", "Europe/Berlin")[0].utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)
    with pytest.raises(InputError, match="no time zone"):
        zone_of("", "Atlantis/Capital")


def test_records_refuse_what_cannot_be() -> None:
    with pytest.raises(InputError, match="longer than the physical"):
        small_exam(effective_half_life_h=2.0)
    with pytest.raises(InputError, match="half-life of -1"):
        small_exam(effective_half_life_h=-1.0)
    with pytest.raises(ContradictionError, match="twice"):
        small_exam(seen_mbq=300.0)
    early = small_exam().scan
    with pytest.raises(InputError, match="before the injection"):
        small_exam(scan=replace(early, reference=early.first - timedelta(hours=2)))


@given(seen=st.floats(1.0, 170.0))
def test_shares_that_are_unusual_get_a_word(seen: float) -> None:
    exam = small_exam(seen_mbq=seen)
    words = " ".join(plausibility_warnings(exam))
    assert ("only" in words) == (exam.seen_fraction < 0.4)
    assert ("disagree" in words) == (exam.seen_fraction > 1.02)


def test_the_dose_report_fills_what_images_do_not_say() -> None:
    from omnidose.dicom.radiopharmaceutical import Radiopharmaceutical
    from omnidose.modalities.nuclear.claims import Reported
    from omnidose.modalities.nuclear.ingest_values import Notes, with_report

    report = Reported(agent="FDG", total_mbq=210.0, start="20260304094000")
    notes = Notes()
    filled = with_report(Radiopharmaceutical(nuclide="F-18"), report, notes)
    assert (filled.total_mbq, filled.start, filled.agent) == (210.0, "20260304094000", "FDG")
    assert filled.has_date
    assert len(notes.assumptions) == 2
    notes = Notes()
    own = Radiopharmaceutical(total_mbq=200.0, start="20260304093000", has_date=True, agent="own")
    assert with_report(own, report, notes) == own
    assert len(notes.warnings) == 2


def test_a_ct_of_the_study_gives_the_anatomy(tmp_path: Path, small: BodyModel) -> None:
    import numpy as np

    from omnidose.dicom.synthetic_ct import SyntheticStudy, write_ct_series
    from omnidose.modalities.nuclear.synthetic import write_exam
    from omnidose.volume import Grid

    study = SyntheticStudy(key="petct", date="20260304", time="103000")
    write_exam(small_exam(), small, tmp_path / "pet", study=study)
    hu = np.where(small.labels > 0, 0, -1000)
    write_ct_series(tmp_path / "ct", hu, small.grid, study=study)

    def anatomy() -> str:
        with read_inventory(tmp_path) as inventory:
            claim = next(c for c in MODALITY.claims(inventory) if c.kind is ClaimKind.EXPOSURE)
            assert MODALITY.ingest(claim).has_ct == claim.payload.has_ct
            return str(claim.payload.series.modality)

    assert anatomy() == "CT"
    # a CT that shows a third of the PET is not enough
    for path in (tmp_path / "ct").iterdir():
        path.unlink()
    short = Grid(shape_zyx=(4, 24, 24), spacing_mm=small.grid.spacing_mm, origin_mm=small.grid.origin_mm)
    write_ct_series(tmp_path / "ct", hu[:4], short, study=study)
    assert anatomy() == "PT"


@pytest.mark.parametrize(
    ("nuclide", "agent"),
    [("Ra-223", ""), ("F-18", "18F-NaF"), ("Tc-99m", "MDP 99mTc"), ("Tc-99m", "oxidronate HDP")],
)
def test_bone_seekers_are_told(nuclide: str, agent: str) -> None:
    assert "surfaces of bone" in bone_warnings(nuclide, agent)[0]


@pytest.mark.parametrize(
    ("nuclide", "agent"), [("F-18", "FDG"), ("Lu-177", "DOTATATE"), ("F-18", "Fluorodopa")]
)
def test_others_are_not(nuclide: str, agent: str) -> None:
    assert bone_warnings(nuclide, agent) == ()
