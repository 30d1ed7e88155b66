"""Absorbed fractions: packaged tables, interpolation, reciprocity, the remainder, and a small Monte Carlo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.anatomy.stylised import media
from omnidose.dosimetry.internal.charged import all_targets, assumptions, charged_saf_per_kg
from omnidose.dosimetry.internal.compute import compute_absorbed_fractions
from omnidose.dosimetry.internal.fractions import PHANTOMS, AbsorbedFractions, adult, packaged
from omnidose.dosimetry.internal.regions import (
    Kind,
    drawn_source,
    group_of,
    remainder_region,
    source_regions,
    unnamed_tissues,
)
from omnidose.errors import InputError, RangeError
from omnidose.physics.electron_stopping import csda_range_g_cm2
from omnidose.volume import Grid


def cube() -> BodyModel:
    """Return a block of soft tissue: a liver, a bladder with its contents, and the rest."""
    labels = np.ones((10, 10, 10), dtype=np.uint8)
    labels[2:5, 2:8, 2:8] = 2
    labels[6:9, 3:7, 3:7] = 3
    labels[7, 4:6, 4:6] = 4
    tissue = media()["soft-tissue"]
    return BodyModel(
        name="cube",
        grid=Grid(shape_zyx=(10, 10, 10), spacing_mm=(10.0, 10.0, 10.0), origin_mm=(0.0, 0.0, 0.0)),
        materials=(tissue,),
        material_index=np.zeros((10, 10, 10), dtype=np.uint8),
        density_g_cm3=np.full((10, 10, 10), 1.04, dtype=np.float32),
        labels=labels,
        organs=tuple(
            Organ(key=key, label=i, origin=Origin.PHANTOM)
            for i, key in enumerate(("soft-tissue", "liver", "bladder", "bladder-contents"), start=1)
        ),
    )


@pytest.fixture(scope="module")
def small() -> AbsorbedFractions:
    """Absorbed fractions of the block."""
    return compute_absorbed_fractions(
        cube(),
        ["liver", "bladder", "bladder-contents", "soft-tissue", "total-body"],
        energies_kev=(50.0, 500.0),
        histories=4000,
        threads=1,
        cached=False,
    )


def test_regions_fill_the_body_without_overlap() -> None:
    regions = source_regions(cube())
    assert {k for k, r in regions.items() if r.kind is Kind.TISSUE} == {"soft-tissue", "liver", "bladder"}
    assert regions["bladder-contents"].kind is Kind.CONTENTS
    assert regions["total-body"].total_g == pytest.approx(1040.0)
    rest = remainder_region(regions, ["liver", "bladder-contents"])
    left = regions["soft-tissue"].total_g + regions["bladder"].total_g
    assert rest.total_g == pytest.approx(left)


def test_remainder_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no tissue is left"):
        remainder_region(source_regions(cube()), ["liver", "bladder", "soft-tissue"])


def test_paired_organs_are_one_source() -> None:
    assert group_of("left-kidney") == "kidneys"
    assert group_of("femora-upper") == "skeleton"
    assert group_of("no-organ") == "no-organ"


def test_bone_sources_start_in_the_skeleton() -> None:
    assert drawn_source("cortical-bone", ("skeleton",), "a phantom") == "skeleton"
    with pytest.raises(InputError, match="no source region 'tail'"):
        drawn_source("tail", ("skeleton",), "a phantom")


def test_contents_leave_their_wall_to_the_remainder() -> None:
    tissues = ["small-intestine", "bladder", "skeleton"]
    assert unnamed_tissues(tissues, ["small-intestine-contents", "bladder-contents"]) == tissues
    assert unnamed_tissues(tissues, ["cortical-bone"]) == ["small-intestine", "bladder"]


def test_monte_carlo_keeps_energy_and_order(small: AbsorbedFractions) -> None:
    whole = small.target("total-body")
    parts = [small.target(k) for k in ("liver", "bladder", "bladder-contents", "soft-tissue")]
    absorbed = small.saf_per_kg * small.target_mass_g / 1000
    np.testing.assert_allclose(absorbed[:, :, parts].sum(axis=2), absorbed[:, :, whole], rtol=1e-9)
    assert np.all(absorbed[:, :, whole] < 1)
    assert np.all(
        small.saf_per_kg[0, :, small.target("liver")] > small.saf_per_kg[1, :, small.target("liver")]
    )


def test_walls_of_voxels_get_what_crosses_their_area(small: AbsorbedFractions) -> None:
    """Contents of 1 x 2 x 2 voxels of 1 cm have 16 faces; straight tracks carry A R / (8 V) through them."""
    assert small.contact_cm2 == {"bladder-contents": 16.0}
    wall = all_targets(small).index("bladder")
    contents_g, wall_g = 4 * 1.04, float(small.target_mass_g[small.target("bladder")])
    for energy_kev in (100.0, 500.0, 4000.0):
        range_g_cm2 = float(csda_range_g_cm2(media()["soft-tissue"], energy_kev))
        value = charged_saf_per_kg(small, "bladder-contents", energy_kev=energy_kev)[wall]
        assert value == pytest.approx(1000 * 16 * range_g_cm2 / (8 * contents_g * wall_g))
    wide = replace(small, contact_cm2={"bladder-contents": 1e4})
    assert charged_saf_per_kg(wide, "bladder-contents")[wall] == pytest.approx(500 / contents_g)
    surface = replace(small, contact_cm2={})
    assert charged_saf_per_kg(surface, "bladder-contents")[wall] == pytest.approx(500 / contents_g)
    assert charged_saf_per_kg(small, "bladder-contents", particle="alpha")[wall] == 0


@pytest.mark.parametrize(
    ("sources", "voxels", "word"),
    [
        (["bladder-contents"], True, "mean dose of the wall"),
        (["bladder-contents"], False, "dose at the surface"),
        (["stomach-contents"], True, "dose at the surface"),
        (["bladder-contents", "stomach-contents"], True, "mean dose of the wall"),
        (["bladder-contents", "stomach-contents"], True, "dose at the surface"),
        (["cortical-bone"], False, "compact bone"),
        (["skeleton"], False, "bone seekers"),
    ],
)
def test_what_is_assumed_is_said(sources: list[str], voxels: bool, word: str) -> None:
    assert any(word in text for text in assumptions(sources, voxels=voxels))
    assert assumptions(["liver"], voxels=voxels) == ()


def test_body_is_the_sum_of_its_parts(small: AbsorbedFractions) -> None:
    parts, error, mass_g = small.sum_of_parts()
    whole = small.source("total-body")
    assert mass_g == pytest.approx(1040.0, rel=1e-5)
    sigma = np.hypot(error, small.std_rel[whole])
    assert np.all(np.abs(np.log(parts / small.saf_per_kg[whole])) < 5 * sigma)


def test_remainder_computed_is_remainder_summed(small: AbsorbedFractions) -> None:
    named = ["liver", "bladder-contents"]
    direct = compute_absorbed_fractions(
        cube(), [*named, "remainder"], energies_kev=(50.0, 500.0), histories=4000, threads=1, cached=False
    )
    value, error, mass_g = direct.remainder(named)
    summed, summed_error, summed_mass_g = small.remainder(named)
    assert mass_g == pytest.approx(summed_mass_g, rel=1e-5)
    keys = [direct.target(k) for k in small.targets]
    ratio = np.log(value[:, keys] / summed)
    assert np.all(np.abs(ratio) < 5 * np.hypot(error[:, keys], summed_error))
    with pytest.raises(InputError, match="remainder of this table"):
        direct.remainder(["liver"])
    with pytest.raises(InputError, match="no photons were followed"):
        replace(direct, sources=("liver", "bladder-contents", "other")).remainder(["liver"])


def test_results_are_kept_and_damage_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIDOSE_CACHE_DIR", str(tmp_path))
    settings = {"energies_kev": (50.0, 500.0), "histories": 1000.0, "threads": 1}
    first = compute_absorbed_fractions(cube(), ["liver"], **settings)
    (file,) = (tmp_path / "absorbed-fractions").iterdir()
    monkeypatch.setattr("omnidose.dosimetry.internal.compute.simulate", None)
    again = compute_absorbed_fractions(cube(), ["liver"], **settings)
    np.testing.assert_array_equal(first.saf_per_kg, again.saf_per_kg)
    monkeypatch.undo()
    monkeypatch.setenv("OMNIDOSE_CACHE_DIR", str(tmp_path))
    file.write_bytes(b"not a zip")
    np.testing.assert_array_equal(
        first.saf_per_kg, compute_absorbed_fractions(cube(), ["liver"], **settings).saf_per_kg
    )


@pytest.mark.parametrize("sources", [["spleen"], ["remainder", "tail"]])
def test_unknown_sources_are_refused(sources: list[str]) -> None:
    with pytest.raises(InputError, match="no source region"):
        compute_absorbed_fractions(cube(), sources, cached=False)


def test_one_energy_is_refused() -> None:
    with pytest.raises(InputError, match="rising energies"):
        compute_absorbed_fractions(cube(), ["liver"], energies_kev=(50.0,), cached=False)


@pytest.mark.parametrize("phantom", list(PHANTOMS))
def test_packaged_tables(phantom: str) -> None:
    raw, used = packaged(phantom), adult(phantom)
    assert raw.sex == PHANTOMS[phantom]
    assert raw.source_mass_g[raw.source("total-body")] == pytest.approx(
        raw.target_mass_g[raw.target("total-body")], rel=1e-5
    )
    # what is absorbed in the body cannot exceed what is emitted, beyond statistics
    whole = raw.target("total-body")
    absorbed = raw.saf_per_kg[:, :, whole] * raw.target_mass_g[whole] / 1000
    assert np.all(absorbed <= 1 + 4 * raw.std_rel[:, :, whole])
    better = np.minimum(used.std_rel, 1e3) <= np.minimum(raw.std_rel, 1e3) + 1e-9
    assert better.mean() > 0.95
    np.testing.assert_array_equal(
        used.saf_per_kg[used.source("skeleton")], raw.saf_per_kg[raw.source("skeleton")]
    )


def test_unknown_phantom_source_and_target() -> None:
    with pytest.raises(InputError, match="no absorbed fractions of 'giant'"):
        adult("giant")
    with pytest.raises(InputError, match="no source region 'tail'"):
        adult("adult-male").source("tail")
    with pytest.raises(InputError, match="no target 'tail'"):
        adult("adult-male").target("tail")


@given(st.floats(10.0, 4000.0))
def test_interpolation_stays_between_the_nodes(energy_kev: float) -> None:
    fractions = adult("adult-male")
    value, std_rel = fractions.at("kidneys", energy_kev)
    nodes = fractions.energies_kev
    right = int(np.clip(np.searchsorted(nodes, energy_kev), 1, nodes.size - 1))
    pair = fractions.saf_per_kg[fractions.source("kidneys"), right - 1 : right + 1]
    assert np.all(value[0] <= pair.max(axis=0) * (1 + 1e-9) + 1e-11)
    assert np.all(value[0] >= pair.min(axis=0) * (1 - 1e-9) - 1e-11)
    assert np.all(std_rel >= 0)


def test_nodes_are_met_and_outside_is_refused() -> None:
    fractions = adult("adult-female")
    value, _std = fractions.at("liver", 500.0)
    place = int(np.searchsorted(fractions.energies_kev, 500.0))
    expected = fractions.saf_per_kg[fractions.source("liver"), place]
    np.testing.assert_allclose(value[0][expected > 1e-10], expected[expected > 1e-10], rtol=1e-9)
    for energy_kev in (9.0, 5000.0):
        with pytest.raises(RangeError, match="no absorbed fraction of photons"):
            fractions.at("liver", energy_kev)


def two_organs(saf_per_kg: object, std_rel: object) -> AbsorbedFractions:
    """Return a table of a liver and a spleen at two energies."""
    return replace(
        adult("adult-male"),
        sources=("liver", "spleen"),
        kinds=(Kind.TISSUE, Kind.TISSUE),
        targets=("liver", "spleen"),
        energies_kev=np.array([100.0, 1000.0]),
        saf_per_kg=np.array(saf_per_kg),
        std_rel=np.array(std_rel),
        source_mass_g=np.array([1800.0, 180.0]),
        target_mass_g=np.array([1800.0, 180.0]),
        tissues=("liver", "spleen"),
    )


def test_reciprocity_weights_with_the_masses_of_the_targets() -> None:
    fractions = two_organs(
        [[[0.1, 0.002], [0.1, 0.0]], [[0.001, 0.2], [0.003, 0.2]]],
        [[[0.001, 0.5], [0.001, np.inf]], [[0.01, 0.001], [0.1, 0.001]]],
    )
    better = fractions.with_reciprocity()
    assert better.saf_per_kg[1, 0, 0] == 0.001  # good enough as it is
    spleen, liver = 180 / 1980, 1800 / 1980
    assert better.saf_per_kg[0, 0, 1] == pytest.approx(spleen * 0.002 + liver * 0.001)
    assert better.saf_per_kg[0, 1, 1] == pytest.approx(liver * 0.003)  # nothing on the way there: 0 counts
    expected = np.hypot(spleen * 0.002 * 0.5, liver * 0.001 * 0.01) / better.saf_per_kg[0, 0, 1]
    assert better.std_rel[0, 0, 1] == pytest.approx(expected)
    assert better.std_rel[0, 1, 1] == pytest.approx(0.1)


def test_reciprocity_prefers_no_result_that_is_low_by_chance() -> None:
    """Few scores of different size on both ways: the mean over many pairs of runs is the true value."""
    rng = np.random.default_rng(3)
    true_per_kg, scores = 0.002, {"spleen": 3.0, "liver": 30.0}
    means = []
    for _ in range(2000):
        found = {}
        for target, expected in scores.items():
            score = rng.exponential(size=rng.poisson(expected))
            std_rel = np.sqrt((score**2).sum()) / score.sum() if score.size else np.inf
            found[target] = (true_per_kg * score.sum() / expected, std_rel)
        (there, there_rel), (back, back_rel) = found["spleen"], found["liver"]
        table = two_organs(
            [[[0.1, there], [0.1, there]], [[back, 0.2], [back, 0.2]]],
            [[[0.001, there_rel], [0.001, there_rel]], [[back_rel, 0.001], [back_rel, 0.001]]],
        )
        means.append(table.with_reciprocity().saf_per_kg[0, 0, 1])
    error = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means) - true_per_kg) < 4 * error
    assert np.std(means) / true_per_kg == pytest.approx(np.sqrt(2 / 33), rel=0.1)


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        replace(adult("adult-male"), sources=("liver",))
