"""Rows of a real whole-body FDG PET: from DICOM to organ doses, beside published doses of patients.

The images (public, QIN-HEADNECK of The Cancer Imaging Archive, CC BY 3.0) name no nuclide, no height and no
date of the injection, were given other dates when names were removed, and have no CT beside them.
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from omnidose.anatomy.body import BodyModel
from omnidose.dosimetry.results import ExposureResult, OrganDoses
from omnidose.errors import OmnidoseError
from omnidose.modalities.nuclear.exposure import DoseMethod, NuclearExam
from omnidose.modalities.nuclear.proofs.rows import said_row
from omnidose.validation import Context, Row, within

#: Inside the reference folder.
IMAGES, OTHERS = "dicom/pet_wb_qin_headneck_01_0024.tar.xz", "dicom/rdsr"
#: Published FDG doses, mGy/MBq: lowest and highest of those named. Brain: 0.028 ICRP 80; 0.038 ICRP 106;
#: means of 8 men and 6 women by PET 0.042 and 0.053 (Absorbed dose to the adult male and female brain from
#: 18F-fluorodeoxyglucose, Health Phys 2001; abstract read).
BRAIN = (0.028, 0.053)
#: Bladder wall: 10 volunteers measured to 8 h 0.0586 with a standard deviation of 0.0239 (EJNMMI Phys
#: 2021, doi 10.1186/s40658-021-00395-2, table 5, read), ICRP 106 0.13, ICRP 80 0.16. The lower bound is one
#: deviation down.
BLADDER = (0.035, 0.16)
#: Effective dose, mSv/MBq: the same volunteers 0.0141 with 0.0018; ICRP 106 0.019. A patient's w_T-weighted
#: sum is not an effective dose: only its size is compared.
WEIGHTED = (0.0123, 0.0210)
#: 11:39:00 to 13:02:44.678, from the headers by hand.
ELAPSED_H = 1 + 23 / 60 + 44.678 / 3600


def check_pet(context: Context) -> Iterator[Row]:
    """Run the real PET to organ doses."""
    from omnidose.anatomy.body import Person
    from omnidose.dicom.inventory import read_inventory
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.pet_patients import body_of_pet
    from omnidose.modalities.nuclear import MODALITY

    assert context.reference is not None
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(context.reference / IMAGES) as archive:
            archive.extractall(folder, filter="data")
        context.progress("PET: reading")
        with read_inventory(folder) as inventory:
            claim = MODALITY.claims(inventory)[0]
            exam = MODALITY.ingest(claim)
            assert isinstance(exam, NuclearExam)
            yield from _reading(exam, Path(folder))
            again = MODALITY.ingest(claim)
            assert isinstance(again, NuclearExam)
            assert exam.activity is not None
            assert again.activity is not None
            same = again == exam and np.array_equal(again.activity.array, exam.activity.array)
            yield said_row("PET: read twice", str(same), "True", source="the same record and image")
            context.progress("PET: body and doses")
            person = Person(sex="M", age_y=43.0, weight_kg=66.2)
            body = body_of_pet(inventory.series[0], person, EstimateOptions()).body
    result = MODALITY.estimate(exam, body)
    yield from _doses(exam, result)
    if context.full:
        twice = MODALITY.estimate(exam, body)
        same = np.array_equal(result.organ_doses.dose_mgy, twice.organ_doses.dose_mgy)
        yield said_row("PET: estimated twice", str(same), "True", source="the same doses to the last bit")
        context.progress("PET: photons by Monte Carlo")
        yield from _monte_carlo(exam, body, result.organ_doses)
    yield from _others(context.reference / OTHERS)


def _reading(exam: NuclearExam, folder: Path) -> Iterator[Row]:
    yield said_row(
        "PET: radionuclide of an empty code",
        exam.nuclide,
        "F-18",
        source="half-life 6586.2 s and 0.97 positrons",
    )
    yield within(
        "PET: from injection to the moment of the image",
        exam.hours_to_reference,
        ELAPSED_H,
        unit="h",
        source="11:39:00 and 13:02:44.678 in the headers, shifted dates",
        tolerance_rel=1e-6,
    )
    yield within(
        "PET: activity in the images",
        exam.seen_mbq,
        _raw_mbq(folder),
        unit="MBq",
        source="sum of stored values x slope x voxel, slice by slice",
        tolerance_rel=1e-5,
    )
    yield within(
        "PET: share of what decay leaves of 381.47 MBq that is in the images",
        exam.seen_fraction,
        0.8,
        unit="1",
        source="head to thigh: most of the body is seen, a tenth or two is excreted or beyond",
        bounds=(0.5, 1.0),
    )


def _raw_mbq(folder: Path) -> float:
    """Sum the images without any reader of ours."""
    import pydicom

    total = 0.0
    for path in folder.rglob("*.dcm"):
        item = pydicom.dcmread(path)
        volume_cm3 = float(np.prod([float(v) for v in item.PixelSpacing])) * 3.375 / 1000
        total += float(item.pixel_array.sum(dtype=np.int64)) * float(item.RescaleSlope) * volume_cm3
    return total / 1e6


def _doses(exam: NuclearExam, result: ExposureResult) -> Iterator[Row]:
    doses, given = result.organ_doses, exam.administration.net_mbq
    for name, key, bounds, reference, source in (
        ("brain", "brain", BRAIN, 0.042, "FDG: ICRP 80 to the mean of women by PET; reference: men by PET"),
        ("bladder wall", "bladder", BLADDER, 0.0586, "FDG: volunteers measured to 8 h, to ICRP 80"),
    ):
        yield within(
            f"PET: dose of the {name} per administered activity",
            doses.dose_of(key) / given,
            reference,
            unit="mGy/MBq",
            source=source,
            bounds=bounds,
            note="one patient, physical decay after the scan; doses of people scatter by tens of per cent",
        )
    yield within(
        "PET: w_T-weighted sum per administered activity",
        float(result.quantities["w_T-weighted sum"].value) / given,
        0.0171,
        unit="mSv/MBq",
        source="effective dose of FDG: volunteers less one deviation, to ICRP 106 and a tenth more",
        bounds=WEIGHTED,
        note="the sum of one patient is not an effective dose: only its size is compared",
    )
    yield from _energy(exam, result)
    yield from _organ_level(result)


def _energy(exam: NuclearExam, result: ExposureResult) -> Iterator[Row]:
    """Electrons are all absorbed in the body, but for what blur put outside of it."""
    from omnidose.physics.nuclides import nuclide
    from omnidose.transport.tally import MGY_PER_KEV_G

    doses = result.organ_doses
    column = doses.qualities.index("electron")
    organs = set(result.provenance.settings["labelled_organs"])
    rows = [i for i, key in enumerate(doses.organs) if key in organs]
    absorbed = float((doses.dose_mgy[rows, column] * doses.mass_g[rows]).sum()) / MGY_PER_KEV_G
    assert result.normalisation is not None
    emitted = result.normalisation.particles * nuclide(exam.nuclide).electron_energy_per_decay_kev
    outside = result.provenance.settings["outside_fraction"]
    yield within(
        "PET: energy of positrons absorbed in all organs over what they carry",
        absorbed / emitted,
        1 - outside,
        unit="1",
        source="decays in the images x mean energy, less the share of the image in the air around the body",
        tolerance_rel=0.02,
    )


def _organ_level(result: ExposureResult) -> Iterator[Row]:
    """Two ways from the same decays: kernels in the patient's voxels, S values of a reference adult."""
    data = next(f.data for f in result.figures if f.key == "nuclear-organ-level")
    voxels = dict(zip(data["organ"], data["voxels_mgy"], strict=True))
    organs = dict(zip(data["organ"], data["organ_level_mgy"], strict=True))
    for key, tolerance in (("brain", 0.05), ("lungs", 0.15), ("liver", 0.25)):
        yield within(
            f"PET: {key} by voxels beside the organ level",
            voxels[key],
            organs[key],
            unit="mGy",
            source="the same decays and masses of organs, S values of the equation-based adult",
            tolerance_rel=tolerance,
            note="the organ level spreads what has no organ over the whole body, legs included; the patient "
            "is smaller than the reference adult",
        )


def _monte_carlo(exam: NuclearExam, body: BodyModel, by_kernel: OrganDoses) -> Iterator[Row]:
    """The photons of the same decays followed through the same body."""
    from omnidose.modalities.nuclear import MODALITY

    followed = MODALITY.estimate(
        replace(exam, method=DoseMethod.MONTE_CARLO), body, histories=2_000_000
    ).organ_doses
    for key, tolerance in (
        ("brain", 0.05),
        ("liver", 0.05),
        ("kidneys", 0.07),
        ("lungs", 0.05),
        ("skin", 0.1),
    ):
        yield within(
            f"PET: {key} by kernels beside Monte Carlo",
            by_kernel.dose_of(key),
            followed.dose_of(key),
            unit="mGy",
            source="photons through the body by the engine, electrons local",
            tolerance_rel=tolerance,
            note=f"standard error of the Monte Carlo "
            f"{followed.statistical_std_mgy[followed.organs.index(key)]:.2g} mGy",
        )


def _others(folder: Path) -> Iterator[Row]:
    """Images and reports that cannot be estimated are named with the reason."""
    from omnidose.dicom.inventory import read_inventory
    from omnidose.modalities.nuclear import MODALITY

    expected = (
        ("NM-PetIm-Siemens.dcm", "one PET slice of many", "one slice is no volume"),
        ("NM-NmIm-Siemens.dcm", "a planar bone scan", "no third dimension"),
        ("NM-NmIm-Siemens-s1-1.dcm", "projections of a SPECT", "projections of a SPECT"),
        ("NM-RRDSR-Siemens.dcm", "a dose report without images", "no images show where"),
    )
    for name, what, words in expected:
        with read_inventory(folder / name) as inventory:
            claims = MODALITY.claims(inventory)
            reason = claims[0].reason if claims else "not claimed"
            if claims and claims[0].estimable:
                try:
                    MODALITY.ingest(claims[0])
                    reason = "accepted"
                except OmnidoseError as error:
                    reason = str(error)
        yield said_row(
            f"PET and NM: {what}",
            words if words in reason else reason,
            words,
            source=name,
            tolerance="named with this reason",
        )
