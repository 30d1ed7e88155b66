"""From records to doses: time integrals, three ways to dose, organ means, uncertainty."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidose.anatomy.body import BodyModel, Organ, Origin
from omnidose.errors import GeometryError, InputError
from omnidose.modalities.nuclear.doses import emitted_by, progeny_notes, voxel_doses
from omnidose.modalities.nuclear.estimate import estimate
from omnidose.modalities.nuclear.exposure import DoseMethod, NuclearExam, Unseen
from omnidose.modalities.nuclear.mean_doses import mean_doses
from omnidose.modalities.nuclear.place import place_component
from omnidose.modalities.nuclear.proofs._small_exam import F18_H, small_body, small_exam
from omnidose.modalities.nuclear.synthetic import activity_of
from omnidose.modalities.nuclear.time_integrals import hours_per_mbq, integrate, on_grid
from omnidose.physics.nuclides import nuclide
from omnidose.transport.tally import MGY_PER_KEV_G
from omnidose.volume import Grid, Volume

LAMBDA = math.log(2) / F18_H


@pytest.fixture(scope="module")
def exam() -> NuclearExam:
    """100 MBq in the small body, 30 of them in the ball, an hour after 200 MBq were given."""
    return small_exam(activity=activity_of(small_body(), 100.0, {"liver": 0.3}))


@given(effective_h=st.floats(0.05, F18_H))
def test_integral_of_one_time_point(effective_h: float) -> None:
    """Physical decay until the scan, the effective half-life after it."""
    exam = small_exam(effective_half_life_h=effective_h)
    before, after = hours_per_mbq(exam)
    t = exam.hours_to_scan
    per_mbq_at_scan = math.exp(-LAMBDA * (t - 1.0))
    assert before == pytest.approx(per_mbq_at_scan * (math.exp(LAMBDA * t) - 1) / LAMBDA, rel=1e-9)
    assert after == pytest.approx(per_mbq_at_scan * effective_h / math.log(2), rel=1e-9)


def test_physical_decay_alone_is_activity_at_injection_times_mean_life() -> None:
    assert sum(hours_per_mbq(small_exam())) == pytest.approx(math.exp(LAMBDA) / LAMBDA, rel=1e-12)


@settings(max_examples=10)
@given(shift=st.tuples(*[st.floats(-3, 3)] * 3), spacing=st.floats(3.0, 6.0))
def test_activity_and_its_middle_are_kept_on_a_finer_grid(
    shift: tuple[float, float, float], spacing: float
) -> None:
    own = Grid.centred((8, 8, 8), (8.0, 8.0, 8.0))
    values = np.zeros(own.shape_zyx, dtype=np.float32)
    values[2:6, 2:6, 2:6] = np.random.default_rng(1).random((4, 4, 4))
    x, y, z = (-11.5 * spacing + s for s in shift)
    other = Grid(shape_zyx=(24, 24, 24), spacing_mm=(spacing,) * 3, origin_mm=(x, y, z))
    found = on_grid(Volume.on_grid(values, own), other)
    assert float(found.sum()) == pytest.approx(float(values.sum()), rel=1e-4)
    for axis, others in ((0, (0, 1)), (1, (0, 2)), (2, (1, 2))):
        middle = float(found.sum(axis=others) @ other.axis_mm(axis)) / found.sum()
        assert middle == pytest.approx(
            float(values.sum(axis=others) @ own.axis_mm(axis)) / values.sum(), abs=0.5
        )


def test_grids_of_one_spacing_are_copied() -> None:
    own = Grid.centred((4, 4, 4), (8.0, 8.0, 8.0))
    values = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    larger = Grid(shape_zyx=(6, 4, 5), spacing_mm=(8.0,) * 3, origin_mm=(-12.0, -12.0, -28.0))
    found = on_grid(Volume.on_grid(values, own), larger)
    assert np.array_equal(found[2:, :, :4], values)
    far = replace(larger, origin_mm=(1000.0, 0.0, 0.0))
    with pytest.raises(GeometryError, match="overlap"):
        on_grid(Volume.on_grid(values, own), far)


def with_legs(body: BodyModel) -> BodyModel:
    """The body, the lower half of it marked as completed; the ball is half seen."""
    completed = np.zeros(body.labels.shape, dtype=bool)
    completed[:5] = True
    organs = tuple(replace(o, imaged_fraction=0.6) for o in body.organs)
    return replace(body, completed=completed, organs=organs)


def cut(exam: NuclearExam, body: BodyModel) -> NuclearExam:
    assert exam.activity is not None
    seen = exam.activity.array.copy()
    seen[:5] = 0
    return replace(
        exam,
        activity=Volume.on_grid(seen, body.grid),
        seen_mbq=float(seen.sum()),
        administration=replace(exam.administration, assay_mbq=150.0),
    )


@pytest.mark.parametrize("unseen", list(Unseen))
def test_what_is_given_is_seen_unseen_or_excreted(exam: NuclearExam, unseen: Unseen) -> None:
    body = with_legs(small_body())
    short = replace(cut(exam, body), unseen=unseen)
    found = integrate(short, body)
    per_mbq = sum(hours_per_mbq(short))
    total = (found.seen_mbq_h + found.unseen_mbq_h) / per_mbq / short.left_mbq + found.excreted_fraction
    assert total == pytest.approx(1.0, rel=1e-6)
    assert float(found.mbq_s.array.sum(dtype=np.float64)) / 3600 == pytest.approx(
        found.seen_mbq_h + found.unseen_mbq_h, rel=1e-5
    )
    assert (found.unseen_mbq_h == 0) == (unseen is Unseen.EXCRETED)
    if unseen is Unseen.BODY:
        assert found.excreted_fraction == pytest.approx(0.0, abs=1e-6)
    if unseen is Unseen.TISSUE:
        array = found.mbq_s.array
        ball, rest = body.labels == 2, body.labels == 1
        assert array[:5][rest[:5]].mean() == pytest.approx(np.median(array[5:][rest[5:]]), rel=0.02)
        assert array[:5][ball[:5]].mean() == pytest.approx(array[5:][ball[5:]].mean(), rel=0.02)


def test_an_image_elsewhere_is_refused(exam: NuclearExam) -> None:
    assert exam.activity is not None
    affine = exam.activity.affine_lps_mm.copy()
    affine[0, 3] += 120.0
    with pytest.raises(GeometryError, match="lies in the body"):
        integrate(replace(exam, activity=replace(exam.activity, affine_lps_mm=affine)), small_body())
    with pytest.raises(GeometryError, match="no image"):
        integrate(replace(exam, activity=None), small_body())


@pytest.fixture(scope="module")
def by_method(exam: NuclearExam) -> dict[DoseMethod, Any]:
    """Results of the three ways."""
    body = small_body()
    return {m: estimate(replace(exam, method=m), body, histories=200_000) for m in DoseMethod}


def test_local_electrons_are_energy_over_mass(exam: NuclearExam, by_method: dict[DoseMethod, Any]) -> None:
    """The ball's electron dose by hand: decays x mean energy / mass (1 g/cm3)."""
    body = small_body()
    decays = 30.0 * sum(hours_per_mbq(exam)) * 3600 * 1e6
    mass_g = body.organ_mass_g["liver"]
    expected = decays * nuclide("F-18").electron_energy_per_decay_kev / mass_g * MGY_PER_KEV_G
    doses = by_method[DoseMethod.LOCAL].organ_doses
    found = doses.dose_mgy[doses.organs.index("liver"), doses.qualities.index("electron")]
    assert found == pytest.approx(expected, rel=2e-3)


def test_three_ways_agree(by_method: dict[DoseMethod, Any]) -> None:
    reference = by_method[DoseMethod.CONVOLUTION].organ_doses
    for method, result in by_method.items():
        doses = result.organ_doses
        assert doses.qualities == ("electron", "photon")
        # Photons of Monte Carlo see the end of a body of 16 cm, the kernel does not: the border gets less.
        tolerance = {DoseMethod.MONTE_CARLO: 0.15}.get(method, 0.05)
        for key in ("liver", "soft-tissue"):
            assert doses.dose_of(key) == pytest.approx(reference.dose_of(key), rel=tolerance)
        photon = doses.dose_mgy[0, 1]
        assert 0 < photon < 1.02 * reference.dose_mgy[0, 1]
    assert by_method[DoseMethod.MONTE_CARLO].organ_doses.statistical_std_mgy[0] > 0
    assert reference.statistical_std_mgy[0] == 0


def test_a_result_says_what_it_rests_on(exam: NuclearExam, by_method: dict[DoseMethod, Any]) -> None:
    result = by_method[DoseMethod.CONVOLUTION]
    keys = {c.key.split(":")[0] for c in result.organ_doses.components}
    assert {"calibration", "kinetics", "kernel"} <= keys
    assert result.provenance.settings["nuclide"] == "F-18"
    assert "nuclides" in result.provenance.tables
    assert {f.key for f in result.figures} == {
        "nuclear-activity",
        "nuclear-integrals",
        "nuclear-dvh",
        "nuclear-organ-level",
    }
    assert result.dose_map.volume.array.shape == small_body().grid.shape_zyx
    assert result.organ_doses.hot_mgy["liver"] >= result.organ_doses.dose_of("liver")
    assert any("One time point" in w for w in result.warnings)
    assert float(result.quantities["w_T-weighted sum"].value) > 0
    # same again, to the last bit
    again = estimate(replace(exam, method=DoseMethod.CONVOLUTION), small_body())
    assert np.array_equal(again.organ_doses.dose_mgy, result.organ_doses.dose_mgy)


def test_doses_go_with_activity(exam: NuclearExam, by_method: dict[DoseMethod, Any]) -> None:
    assert exam.activity is not None
    half = replace(
        exam,
        activity=replace(exam.activity, array=exam.activity.array / 2),
        seen_mbq=50.0,
        method=DoseMethod.CONVOLUTION,
    )
    found = estimate(half, small_body()).organ_doses.total_mgy
    assert found == pytest.approx(by_method[DoseMethod.CONVOLUTION].organ_doses.total_mgy / 2, rel=1e-4)


def test_prompt_progeny_is_counted() -> None:
    assert emitted_by("Zr-89").emitted_photon_kev > emitted_by("F-18").emitted_photon_kev
    # Rn-219, Po-215, Pb-211, Bi-211 and Tl-207 decay where and when Ra-223 does
    assert emitted_by("Ra-223").alpha_kev == pytest.approx(26_900, rel=0.01)


@pytest.mark.parametrize("name", ["Pb-212", "Th-227", "Mo-99", "Lu-177m"])
def test_progeny_that_comes_later_is_not_left_out_in_silence(name: str) -> None:
    with pytest.raises(InputError, match=f"the progeny of {name} decays later"):
        emitted_by(name)


def test_alpha_emitters_have_a_quality_of_their_own() -> None:
    body = small_body()
    field = Volume.on_grid((body.labels > 0).astype(np.float32), body.grid)
    doses = mean_doses(voxel_doses(DoseMethod.LOCAL, field, "Ac-225", body), body)
    assert doses.qualities == ("electron", "photon", "alpha")
    assert doses.dose_mgy[0, 2] > 10 * doses.dose_mgy[0, 0]


def test_what_is_taken_for_granted_about_progeny_is_said() -> None:
    body = small_body()
    field = Volume.on_grid((body.labels > 0).astype(np.float32), body.grid)
    said = " ".join(voxel_doses(DoseMethod.LOCAL, field, "Ac-225", body).notes)
    assert "taken to decay where Ac-225 does: Fr-221" in said
    assert "left out: Pb-209" in said
    assert progeny_notes("F-18") == ()
    assert progeny_notes("Tc-99m") == ()
    assert "Y-89m" in progeny_notes("Zr-89")[0]


def test_organs_that_nobody_saw_are_uncertain_in_place(by_method: dict[DoseMethod, Any]) -> None:
    result = by_method[DoseMethod.CONVOLUTION]
    body = small_body()
    total = result.dose_map.volume.array
    assert place_component(body, result.organ_doses, total) is None
    organs = (body.organs[0], Organ(key="liver", label=2, origin=Origin.PHANTOM))
    component = place_component(replace(body, organs=organs), result.organ_doses, total)
    assert component is not None
    by_organ = dict(zip(result.organ_doses.organs, component.std_rel, strict=True))  # type: ignore[arg-type]
    assert by_organ["liver"] > 0.2
    assert by_organ["soft-tissue"] == 0


def test_blur_across_the_skin_comes_back(exam: NuclearExam) -> None:
    """Activity just outside goes to the rim, activity far away stays where it is; nothing is lost."""
    from omnidose.modalities.nuclear.time_integrals import BLUR_MM

    assert exam.activity is not None
    body = small_body()
    array = exam.activity.array.copy()
    array[6, 12, 1] = 3.0  # 80 mm from the axis is skin: this voxel lies 4 mm outside of it
    array[6, 0, 0] = 2.0
    blurred = replace(exam, activity=Volume.on_grid(array, body.grid), seen_mbq=105.0)
    found = integrate(blurred, body)
    assert found.outside_fraction == pytest.approx(2.0 / 105.0, rel=1e-5)
    given_back = found.mbq_s.array / (3600 * sum(hours_per_mbq(exam)))
    assert float(given_back.sum()) == pytest.approx(105.0, rel=1e-5)
    assert given_back[6, 12, 1] == 0
    assert np.allclose(given_back[6, 12, 12], array[6, 12, 12])  # the middle is deeper than the rim
    assert BLUR_MM < 60
    assert any("outside of the skin" in note for note in found.notes)


def test_organ_level_stands_beside_for_adults_of_known_sex(by_method: dict[DoseMethod, Any]) -> None:
    """The ball as a liver of its own mass: electrons are the same; nothing for children or unknown sex."""
    from omnidose.anatomy.body import Person
    from omnidose.modalities.nuclear.organ_level import organ_level_doses, source_coefficients_h

    result = by_method[DoseMethod.LOCAL]
    shares = next(f.data for f in result.figures if f.key == "nuclear-integrals")
    coefficients = dict(zip(shares["organ"], shares["coefficient_h"], strict=True))
    body, ours = small_body(), result.organ_doses
    masses = body.organ_mass_g
    theirs = organ_level_doses(small_exam(), body, coefficients, masses)
    assert theirs is not None
    mine = ours.dose_mgy[ours.organs.index("liver"), ours.qualities.index("electron")]
    reference = theirs.dose_mgy[theirs.organs.index("liver"), theirs.qualities.index("electron")]
    assert reference == pytest.approx(mine, rel=0.03)
    for person in (Person(), Person(sex="F", age_y=5.0)):
        assert organ_level_doses(small_exam(), replace(body, person=person), coefficients, masses) is None
    from omnidose.dosimetry.internal.fractions import adult

    joined = source_coefficients_h(
        {"left-kidney": 0.1, "right-kidney": 0.2, "femora-upper": 0.3, "nose": 0.4}, adult("adult-male")
    )
    assert joined == pytest.approx({"kidneys": 0.3, "skeleton": 0.3, "remainder": 0.4})
