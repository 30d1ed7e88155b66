"""Regions of a simulated patient are disjoint; outlines are true, or wrong as they say."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.modalities.nuclear.imaging.bodies import Sphere, StretchedBody
from omnidose.modalities.nuclear.imaging.drawn import drawn_outlines, true_outlines
from omnidose.modalities.nuclear.imaging.patients import REST, Clearance, Lie, Patient
from omnidose.physics.material_library import material
from omnidose.volume import Grid

GRID = Grid.centred((40, 40, 60), (3.0, 3.0, 3.0))
BOXES = {"liver": (5, 30), "spleen": (34, 42), "left-kidney": (44, 48), "right-kidney": (52, 56)}


@pytest.fixture(scope="module")
def patient() -> Patient:
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    labels[2:-2, 2:-2, 2:-2] = 9
    for number, (first, last) in enumerate(BOXES.values(), start=1):
        labels[8:32, 8:32, first:last] = number
    names = (*BOXES, "soft-tissue")
    body = BodyModel(
        name="boxes", grid=GRID, materials=(material("dry air"), material("water")),
        material_index=(labels > 0).astype(np.uint8),
        density_g_cm3=np.where(labels, 1.0, 0.0012).astype(np.float32), labels=labels,
        organs=tuple(
            Organ(key=key, label=9 if key == "soft-tissue" else i, origin=Origin.PHANTOM)
            for i, key in enumerate(names, start=1)
        ),
    )  # fmt: skip
    flat = Clearance(amplitude_mbq=(1.0,), half_life_h=(50.0,))
    still = Lie(shift_mm=(0.0, 0.0, 0.0), turn_deg=0.0)
    lesion = Sphere(name="lesion 1", centre_mm=(-36.0, 0.0, 0.0), volume_cm3=20.0, host="liver")
    return Patient(
        seed=1, name="boxes", anatomy=StretchedBody(body=body, grid=GRID), lesions=(lesion,),
        kinetics=dict.fromkeys(("kidneys", "spleen", "liver", "lesion 1", REST), flat), lies=(still,) * 4,
        wander_mm=({},) * 4, calibration_error_rel=0.0, scatter_error_rel=(0.0,) * 4,
        administered_mbq=7400.0, assay_mbq=7400.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shares(patient: Patient) -> dict[str, np.ndarray]:
    return patient.shares(GRID, patient.anatomy.labels, patient.anatomy.density_g_cm3)


def test_regions_are_disjoint_and_fill_the_body(patient: Patient, shares: dict[str, np.ndarray]) -> None:
    assert set(shares) == {*patient.regions, REST}
    assert sum(shares.values()) == pytest.approx((patient.anatomy.labels > 0).astype(float), abs=1e-6)
    cm3 = GRID.voxel_volume_cm3
    assert shares["liver"].sum() * cm3 == pytest.approx(24 * 24 * 25 * cm3 - 20, rel=0.005)


def test_true_outlines_hold_the_whole_organ(patient: Patient, shares: dict[str, np.ndarray]) -> None:
    found = true_outlines(patient, shares)
    cm3 = 8 * GRID.voxel_volume_cm3
    assert found.share["liver"].sum() * cm3 == pytest.approx(24 * 24 * 25 * cm3 / 8, rel=0.001)
    for name in patient.regions:
        assert found.smaller[name].sum() < found.share[name].sum() < found.larger[name].sum()
    # a box of 72 x 72 x 24 mm: 0.5 mm on every side
    growth = found.larger["spleen"].sum() / found.smaller["spleen"].sum()
    assert growth == pytest.approx(73 * 73 * 25 / (71 * 71 * 23), rel=0.02)


def test_drawn_outlines_are_wrong_as_they_say(patient: Patient, shares: dict[str, np.ndarray]) -> None:
    right = drawn_outlines(patient, shares, border_std_mm=0.0, beside_std_mm=0.0)
    true = true_outlines(patient, shares)
    for name in patient.regions:
        assert right.share[name].sum() == pytest.approx(true.share[name].sum(), rel=0.02)
    wrong, again = (drawn_outlines(patient, shares, border_std_mm=0.5, beside_std_mm=0.3) for _ in range(2))
    assert all(np.array_equal(wrong.share[name], again.share[name]) for name in patient.regions)
    ratio = wrong.share["spleen"].sum() / true.share["spleen"].sum()
    most = 0.5 * np.sqrt(3)
    assert 0.98 * (1 - 2 * most / 24) < ratio < 1.02 * (1 + 2 * most / 24) * (1 + 2 * most / 72) ** 2
    assert ratio != pytest.approx(1.0, abs=1e-3)
