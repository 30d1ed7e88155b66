"""Regions of a body and organ doses from a tally whose numbers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnidose.anatomy import skeleton
from omnidose.anatomy.body import BodyModel, BodyRegion, Organ, Origin
from omnidose.dosimetry.organ_doses import dose_map, organ_doses, regions_of, rows_of, with_histograms
from omnidose.dosimetry.results import Distribution, Normalisation, UncertaintyComponent
from omnidose.errors import InputError
from omnidose.physics.materials import Material
from omnidose.transport.tally import MGY_PER_KEV_G, FluenceResponse, Region, Tally
from omnidose.volume import Grid

WATER = Material(name="water", weight_fractions={1: 0.111894, 8: 0.888106}, density_g_cm3=1.0)
AIR = Material(name="air", weight_fractions={7: 0.76, 8: 0.24}, density_g_cm3=0.0012)


def make_body() -> BodyModel:
    """Two lungs, a liver, a pelvis with marrow at two sites, skin as organ and as shell."""
    grid = Grid(shape_zyx=(2, 4, 8), spacing_mm=(10.0, 10.0, 10.0), origin_mm=(0, 0, 0))
    labels = np.zeros(grid.shape_zyx, dtype=np.uint8)
    labels[:, 0, :4] = 1
    labels[:, 0, 4:] = 2
    labels[:, 1, :] = 3
    labels[:, 2, :] = 4
    labels[:, 3, :] = 5
    completed = np.zeros(grid.shape_zyx, dtype=bool)
    completed[1, 1, :] = True
    completed[:, 0, 4:] = True
    pelvis = np.flatnonzero(labels.ravel() == 4)
    skin = np.flatnonzero(labels.ravel() == 5)
    regions = (
        BodyRegion(
            key="red-marrow/pelvis",
            voxels=pelvis[:8],
            weights=np.full(8, 0.3, np.float32),
            response="red-marrow/pelvis",
        ),
        BodyRegion(
            key="red-marrow/sacrum",
            voxels=pelvis[8:],
            weights=np.full(8, 0.1, np.float32),
            response="red-marrow/sacrum",
            origin=Origin.PHANTOM,
        ),
        BodyRegion(key="skin", voxels=skin, weights=np.full(16, 0.25, np.float32)),
    )
    return BodyModel(
        name="test",
        grid=grid,
        materials=(AIR, WATER),
        material_index=np.ones(grid.shape_zyx, dtype=np.uint8),
        density_g_cm3=np.where(labels == 1, 0.4, 1.0).astype(np.float32),
        labels=labels,
        organs=(
            Organ(key="left-lung", label=1, origin=Origin.SEGMENTED),
            Organ(key="right-lung", label=2, origin=Origin.ATLAS, imaged_fraction=0.0),
            Organ(key="liver", label=3, origin=Origin.SEGMENTED, imaged_fraction=0.5),
            Organ(key="pelvis", label=4, origin=Origin.SEGMENTED),
            Organ(key="skin", label=5, origin=Origin.SEGMENTED),
            Organ(key="uterus", label=6, origin=Origin.PHANTOM),
        ),
        regions=regions,
        completed=completed,
    )


def make_tally(body: BodyModel, regions: tuple[Region, ...], n_batches: int = 50, seed: int = 4) -> Tally:
    """Make a tally in which every region's energy is known and neighbours share their noise."""
    rng = np.random.default_rng(seed)
    density = body.density_g_cm3.ravel()
    mass = []
    for region in regions:
        weight = 1.0 if region.weights is None else region.weights
        mass.append(float(np.sum(density[region.voxels] * weight)) * body.grid.voxel_volume_cm3)
    mean = np.arange(1.0, len(regions) + 1) * np.array(mass)
    noise = rng.normal(size=(n_batches, len(regions) + 1))
    energy = mean * (1 + 0.02 * (noise[:, 1:] + noise[:, :1]))
    return Tally(
        keys=tuple(region.key for region in regions),
        mass_g=np.array(mass),
        histories=n_batches * 100,
        batch_energy_kev=energy,
        batch_primary_kev=0.25 * energy,
        batch_analog_kev=np.zeros((n_batches, 4)),
        voxel_dose_kev_g=np.ones(body.grid.shape_zyx, dtype=np.float32),
        seed=1,
    )


BODY = make_body()
REGIONS = regions_of(BODY)
TALLY = make_tally(BODY, REGIONS)
SCALE = Normalisation(
    particles=1e10,
    components=(UncertaintyComponent(key="ctdivol:x", distribution=Distribution.NORMAL, std_rel=0.1),),
)


def test_regions_of_a_body() -> None:
    by_key = {region.key: region for region in REGIONS}
    assert set(by_key) == {
        "left-lung",
        "right-lung",
        "liver",
        "pelvis",
        "red-marrow/pelvis",
        "red-marrow/sacrum",
        "skin",
    }
    assert by_key["skin"].weights is not None  # the shell stands for the organ
    medium = by_key["red-marrow/pelvis"].medium
    assert isinstance(medium, FluenceResponse)
    expected = skeleton.response("red-marrow", "pelvis").at(77.0)
    assert medium.at(77.0) == pytest.approx(expected)
    for organ in ("left-lung", "right-lung", "liver", "pelvis"):
        assert np.array_equal(by_key[organ].voxels, np.flatnonzero(BODY.mask(organ).ravel()))


def test_absent_organs_are_not_scored() -> None:
    body = replace(BODY, absent=frozenset({"right-lung", "red-marrow"}))
    keys = {region.key for region in regions_of(body)}
    assert "right-lung" not in keys
    assert not any(key.startswith("red-marrow") for key in keys)
    doses = organ_doses(make_tally(body, regions_of(body)), body, SCALE)
    assert "right-lung" not in doses.organs
    assert doses.mass_g[doses.organs.index("lungs")] == pytest.approx(doses.mass_g[0])


def test_medium_by_material_name_and_unknown_medium() -> None:
    voxels = np.array([0], dtype=np.int64)
    body = replace(BODY, regions=(BodyRegion(key="x", voxels=voxels, response="water"),))
    assert next(r for r in regions_of(body) if r.key == "x").medium is WATER
    bad = replace(BODY, regions=(BodyRegion(key="x", voxels=voxels, response="cheese"),))
    with pytest.raises(InputError, match="cheese"):
        regions_of(bad)


def test_scale_and_combined_organs() -> None:
    doses = organ_doses(TALLY, BODY, SCALE)
    kev_g = TALLY.dose_kev_g
    liver = kev_g[TALLY.index("liver")] * 1e10 * MGY_PER_KEV_G
    assert doses.dose_of("liver") == pytest.approx(liver)
    left, right = TALLY.index("left-lung"), TALLY.index("right-lung")
    energy = TALLY.energy_kev[left] + TALLY.energy_kev[right]
    mass = TALLY.mass_g[left] + TALLY.mass_g[right]
    assert doses.dose_of("lungs") == pytest.approx(energy / mass * 1e10 * MGY_PER_KEV_G)
    assert doses.mass_g[doses.organs.index("lungs")] == pytest.approx(mass)
    assert "red-marrow" in doses.organs
    assert "red-marrow/pelvis" not in doses.organs
    assert "red-marrow/pelvis" in organ_doses(TALLY, BODY, SCALE, skeletal_sites=True).organs
    assert doses.relative_to == ""


def test_covariance_of_a_combined_organ_is_that_of_the_summed_batches() -> None:
    """Exactly the spread of the batch sums: errors of organs that share histories are not added blindly."""
    doses = organ_doses(TALLY, BODY, SCALE)
    columns = [TALLY.index("left-lung"), TALLY.index("right-lung")]
    batches = TALLY.batch_energy_kev[:, columns].sum(axis=1) / TALLY.mass_g[columns].sum()
    std = batches.std(ddof=1) / np.sqrt(batches.size) * 1e10 * MGY_PER_KEV_G
    assert doses.statistical_std_mgy[doses.organs.index("lungs")] == pytest.approx(std, rel=1e-9)
    eigenvalues = np.linalg.eigvalsh(doses.covariance_mgy2)
    assert eigenvalues.min() > -1e-9 * eigenvalues.max()


def test_origin_image_share_primary_and_completion() -> None:
    doses = organ_doses(TALLY, BODY, SCALE)

    def at(values: np.ndarray, key: str) -> float:
        return float(values[doses.organs.index(key)])

    assert doses.origin[doses.organs.index("lungs")] is Origin.ATLAS
    assert doses.origin[doses.organs.index("red-marrow")] is Origin.PHANTOM
    assert at(doses.imaged_fraction, "lungs") == pytest.approx(0.4 / 1.4)
    assert doses.primary_fraction == pytest.approx(0.25)
    dose = np.ones(BODY.grid.shape_zyx, dtype=np.float32)
    dose[1] = 3.0  # the completed half of the liver gets three times the dose of the other
    shaded = organ_doses(replace(TALLY, voxel_dose_kev_g=dose), BODY, SCALE)
    assert at(shaded.completion_share, "liver") == pytest.approx(0.75)
    assert at(doses.completion_share, "liver") == pytest.approx(0.5)
    unmapped = organ_doses(replace(TALLY, voxel_dose_kev_g=None), BODY, SCALE)
    assert np.isnan(at(unmapped.completion_share, "liver"))
    assert at(doses.completion_share, "left-lung") == 0
    assert at(doses.completion_share, "right-lung") == 1
    right = TALLY.energy_kev[TALLY.index("right-lung")]
    both = right + TALLY.energy_kev[TALLY.index("left-lung")]
    assert at(doses.completion_share, "lungs") == pytest.approx(right / both)
    assert doses.std_mgy[0] > 0.1 * doses.total_mgy[0]


def test_an_organ_that_no_photon_reached_is_not_zero_for_certain() -> None:
    energy = TALLY.batch_energy_kev.copy()
    energy[:, TALLY.index("left-lung")] = 0.0
    analog = np.zeros((50, 4))
    analog[:, 0] = 60.0
    doses = organ_doses(replace(TALLY, batch_energy_kev=energy, batch_analog_kev=analog), BODY, SCALE)
    lung = doses.organs.index("left-lung")
    assert doses.total_mgy[lung] == 0
    one_photon = 60.0 / TALLY.histories * 1e10 * MGY_PER_KEV_G / doses.mass_g[lung]
    assert doses.statistical_std_mgy[lung] == pytest.approx(one_photon)


def test_dose_map_and_histograms() -> None:
    mapped = dose_map(TALLY, BODY, SCALE)
    assert mapped.volume.array.dtype == np.float32
    assert mapped.volume.array == pytest.approx(1e10 * MGY_PER_KEV_G)
    full = with_histograms(organ_doses(TALLY, BODY, SCALE), mapped, BODY)
    assert set(full.dvh) == {"left-lung", "right-lung", "liver", "pelvis"}
    assert full.hot_mgy["liver"] == pytest.approx(1e10 * MGY_PER_KEV_G)
    with pytest.raises(InputError, match="voxel_map"):
        dose_map(replace(TALLY, voxel_dose_kev_g=None), BODY, SCALE)


def test_a_body_without_organs_is_refused() -> None:
    empty = replace(BODY, organs=(), regions=())
    with pytest.raises(InputError, match="no organ"):
        organ_doses(TALLY, empty, SCALE)


def test_a_whole_beside_its_members_holds_them_all() -> None:
    rows = dict(rows_of(["lungs", "left-lung", "right-lung", "liver"], skeletal_sites=False))
    assert sorted(rows["lungs"]) == [0, 1, 2]
    assert rows["left-lung"] == [1]
    assert rows["liver"] == [3]
