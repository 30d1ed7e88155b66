"""``omnidose nuclear plan``: what the commands print, their JSON, one clear error each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnidose.cli.nuclear_plan_table import mbq, plain

SIRT = (
    "--tumour-g",
    "150",
    "--normal-g",
    "1200",
    "--ratio",
    "4",
    "--lung-shunt",
    "0.06",
    "--normal-limit",
    "40",
)
CANCER = ("--body-kg", "70", "--retention", "0.08", "--at", "48", "--sex", "F")


@pytest.fixture
def cycles(tmp_path: Path) -> Path:
    path = tmp_path / "cycles.csv"
    path.write_text(
        "organ,activity_mbq,dose_gy,std_rel\nkidneys,7400,2.9,0.08\nkidneys,7350,3.2,0.08\n"
        "red-marrow,7400,0.22,0.2\nred-marrow,7350,0.28,0.2\n",
        "utf-8",
    )
    return path


def test_cycles(cli: Callable[..., Any], cycles: Path) -> None:
    limits = ("--limit", "kidneys-bed", "--limit", "red-marrow", "--half-life", "50")
    said = cli("nuclear", "plan", "lutetium", cycles, *limits)
    assert said.code == 0, said.err
    text = " ".join(said.out.split())
    assert "Next cycle: 7400 MBq; 4 of them keep every limit" in text
    assert "common to all cycles 0.1" in text
    assert "No effective dose" in text
    content = json.loads(cli("nuclear", "plan", "lutetium", cycles, *limits, "--json").out)
    organs = {organ["organ"]: organ for organ in content["plan"]["organs"]}
    assert organs["red-marrow"]["used_mgy"] == pytest.approx(500.0)
    assert organs["kidneys"]["used_mgy"] > 6100.0
    assert content["plan"]["by"] == "red-marrow"
    assert content["effective_dose"] is None


def test_before_the_first_cycle(cli: Callable[..., Any]) -> None:
    options = ("--limit", "kidneys", "--expected", "kidneys:0.43:0.3", "--probability", "0.5", "--json")
    content = json.loads(cli("nuclear", "plan", "lutetium", *options).out)
    assert content["plan"]["organs"][0]["largest_mbq"] == pytest.approx(23_000 / 0.43, rel=0.01)


def test_microspheres(cli: Callable[..., Any]) -> None:
    said = cli(
        "nuclear", "plan", "sirt", *SIRT, "--goal", "120", "--height-cm", "172", "--weight-kg", "75",
        "--residue", "0.02", "--lung-before", "25",
    )  # fmt: skip
    assert said.code == 0, said.err
    text = " ".join(said.out.split())
    for words in (
        "decided by normal liver",
        "120 Gy need",
        "49.56 J/GBq",
        "292 Gy",
        "BSA formula",
        "In the vial",
    ):
        assert words in text, words
    content = json.loads(cli("nuclear", "plan", "sirt", *SIRT, "--json").out)
    assert sum(content["fractions"].values()) == pytest.approx(1.0)
    assert content["bsa_mbq"] is None
    assert content["flags"] == []
    missed = json.loads(cli("nuclear", "plan", "sirt", *SIRT, "--goal", "300", "--json").out)
    assert "300 Gy need" in missed["flags"][0]
    assert content["plan"]["decides"] == "limit"
    arms = {arm["name"]: arm for arm in content["plan"]["arms"]}
    assert arms["normal liver"]["probability_fraction"] == pytest.approx(0.9)


def test_thyroid(cli: Callable[..., Any]) -> None:
    by_hand = 200 * 40 / 2.911 / (0.5 * 132 / 24 / 0.6931)
    one = ("--goal", "200", "--mass-g", "40", "--uptake", "0.5", "--half-life", "132")
    content = json.loads(cli("nuclear", "plan", "thyroid", *one, "--json").out)
    assert content["best_estimate_mbq"] == pytest.approx(by_hand, rel=0.001)
    assert content["plan"]["activity_mbq"] > 1.2 * by_hand
    said = cli(
        "nuclear", "plan", "thyroid", "--goal", "200", "--mass-g", "40", "--uptakes", "4:0.2,24:0.45,96:0.33"
    )
    assert "Best estimate" in said.out
    assert "Note. 64 %" in said.out


def test_thyroid_cancer(cli: Callable[..., Any], tmp_path: Path) -> None:
    said = cli("nuclear", "plan", "thyroid-cancer", *CANCER, "--height-cm", "165")
    text = " ".join(said.out.split())
    assert "decided by blood" in text
    assert "coefficients of EANM 2008" in text
    late = json.loads(
        cli("nuclear", "plan", "thyroid-cancer", *CANCER, "--blood-cm3", "4000", "--at", "96", "--json").out
    )
    assert "not 96 h" in late["flags"][0]
    blood, body = tmp_path / "blood.csv", tmp_path / "body.csv"
    blood.write_text("time_h,activity_mbq\n2,0.012\n6,0.008\n24,0.003\n48,0.001\n96,0.0002\n", "utf-8")
    body.write_text("time_h,activity_mbq\n2,190\n6,160\n24,80\n48,30\n96,5\n", "utf-8")
    curves = ("--blood", blood, "--body", body, "--tracer", "200", "--point-std", "0.05")
    content = json.loads(
        cli("nuclear", "plan", "thyroid-cancer", "--body-kg", "70", "--sex", "M", *curves, "--json").out
    )
    assert 0.05 < content["blood_mgy_per_mbq"] < 0.3
    assert content["plan"]["activity_mbq"] < content["best_estimate_mbq"]


def test_marrow(cli: Callable[..., Any], tmp_path: Path) -> None:
    blood, body = tmp_path / "blood.csv", tmp_path / "body.csv"
    blood.write_text("time_h,activity_mbq\n2,0.3\n6,0.14\n24,0.03\n48,0.012\n96,0.004\n", "utf-8")
    body.write_text("time_h,activity_mbq\n2,6500\n6,4200\n24,1800\n48,1200\n96,700\n168,380\n", "utf-8")
    options = ("--administered", "7400", "--body-kg", "70", "--sex", "M", "--std", "0.05")
    said = cli("nuclear", "plan", "marrow", blood, body, *options)
    assert said.code == 0, said.err
    # blood in two phases: one exponential would leave chi^2 at 403 with 3 degrees of freedom and give 0.0305
    assert "Red marrow: 0.0421 Gy/GBq" in said.out
    content = json.loads(cli("nuclear", "plan", "marrow", blood, body, *options, "--json").out)
    assert content["dose_mgy"] == pytest.approx(7400 * content["dose"]["median_mgy_per_mbq"])


def test_verification(cli: Callable[..., Any]) -> None:
    options = (
        "--planned", "0.43", "--planned-std", "0.25", "--administered", "7400", "--achieved", "2.7",
        "--achieved-std", "0.13",
    )  # fmt: skip
    said = cli("nuclear", "plan", "verify", *options, "--prescription", "2.5", "--name", "kidneys")
    assert "kidneys: -15 % against the plan, within" in said.out
    assert "with a probability of 72 %" in said.out
    assert "Next cycle: at least 0 MBq" not in said.out
    assert json.loads(cli("nuclear", "plan", "verify", *options, "--json").out)["ratio"] == pytest.approx(
        0.8485, abs=1e-3
    )


def test_verification_from_a_curve_with_earlier_cycles(cli: Callable[..., Any], tmp_path: Path) -> None:
    curve, cycles = tmp_path / "kidney.csv", tmp_path / "cycles.csv"
    curve.write_text("time_h,activity_mbq\n3.74,98.56\n27.73,73.6\n103.09,25.4\n123.98,19.05\n", "utf-8")
    cycles.write_text("organ,activity_mbq,dose_gy,std_rel\nkidneys,7400,4.1,0.08\n", "utf-8")
    options = (
        "--planned", "0.43", "--planned-std", "0.2", "--planned-activity", "7400", "--administered", "7210",
        "--curve", curve, "--mass-g", "150", "--point-std", "0.05", "--planned-half-life", "55",
        "--name", "kidneys", "--limit", "kidneys", "--cycles", cycles,
    )  # fmt: skip
    said = cli("nuclear", "plan", "verify", *options)
    assert said.code == 0, said.err
    text = " ".join(said.out.split())
    for words in (
        "effective half-life 50.3 h",
        "Against the plan: activity given -3 %, effective half-life -9 %",
        "Next cycle: at most",
        "sphere of soft tissue",
        "common to cycles 0.11",
    ):
        assert words in text, words
    content = json.loads(cli("nuclear", "plan", "verify", *options, "--json").out)
    dose = content["delivered"]["dose_mgy"]
    assert dose == pytest.approx(7651 * 3.6e9 * 147.3 * 1.602176634e-16 / 0.150 * 1000, rel=0.03)
    # 23 Gy, of which 4.1 Gy and this one are gone, with a margin
    most = (23_000 - 4100 - dose) / ((4100 / 7400 * dose / 7210) ** 0.5)
    assert 0.6 * most < content["next_cycle_mbq"]["limit"] < most


def test_verification_counts_what_a_lesion_still_needs(cli: Callable[..., Any], tmp_path: Path) -> None:
    cycles = tmp_path / "cycles.csv"
    cycles.write_text("organ,activity_mbq,dose_gy,std_rel\nlesion,7400,30,0\n", "utf-8")
    options = (
        "--planned", "4.2", "--planned-std", "0.3", "--administered", "7400", "--achieved", "30",
        "--achieved-std", "0", "--name", "lesion", "--prescription", "90", "--change-std", "0", "--cycles",
        cycles,
    )  # fmt: skip
    content = json.loads(cli("nuclear", "plan", "verify", *options, "--json").out)
    assert content["next_cycle_mbq"]["prescription"] == pytest.approx(7400.0)
    assert content["reached_fraction"] == 0.0


_VERIFY = ("verify", "--planned", "0.4", "--planned-std", "0.2", "--administered", "7400")
_ACHIEVED = (*_VERIFY, "--achieved", "2.6", "--achieved-std", "0.1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (_VERIFY, "either --achieved"),
        ((*_VERIFY, "--curve", "x.csv"), "without the mass"),
        ((*_ACHIEVED, "--curve", "x.csv"), "either --achieved"),
        ((*_ACHIEVED, "--planned-half-life", "50"), "needs the measured one"),
        ((*_ACHIEVED, "--limit", "kidneys"), "the limit is of kidneys"),
        ((*_ACHIEVED, "--cycles", "x.csv"), "need a --prescription"),
        ((*_ACHIEVED, "--name", "kidneys", "--limit", "kidneys", "--common-std", "0.3"), "cannot share"),
    ],
)
def test_verification_refuses_what_says_nothing(
    cli: Callable[..., Any], arguments: tuple[str, ...], words: str
) -> None:
    said = cli("nuclear", "plan", *arguments)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("lutetium", "--limit", "kidneys-bed", "--expected", "kidneys:0.4:0.3"),
            "needs dose rate and repair",
        ),
        (
            ("lutetium", "--limit", "kidneys-bed", "--half-life", "400", "--expected", "kidneys:0.4:0.3"),
            "longer than",
        ),
        (("lutetium", "--limit", "heart"), "no limit 'heart'"),
        (("lutetium", "--limit", "spleen=x"), "'spleen=x' is no limit"),
        (("lutetium", "--limit", "spleen=20"), "from the first cycle"),
        (("lutetium", "--limit", "kidneys", "--expected", "kidneys:0.4"), "no dose per activity"),
        (
            (
                "lutetium",
                "--limit",
                "kidneys",
                "--expected",
                "kidneys:0.4:0.3",
                "--expected",
                "liver:0.3:0.3",
            ),
            "no limit of liver",
        ),
        (("lutetium", "none.csv", "--limit", "kidneys"), "cannot be read"),
        (("sirt", *SIRT, "--lung-shunt", "6"), "lung shunt of 6"),
        (("sirt", *SIRT, "--probability", "90"), "probability of 90"),
        (("sirt", *SIRT, "--residue", "1"), "residue_fraction"),
        (("thyroid", "--goal", "200", "--mass-g", "40"), "either --uptake"),
        (("thyroid", "--goal", "200", "--mass-g", "40", "--uptake", "0.4"), "how long it stays"),
        (("thyroid", "--goal", "200", "--mass-g", "40", "--uptakes", "4;0.2"), "no list of pairs"),
        (("thyroid", "--goal", "200", "--mass-g", "40", "--uptakes", "24:0.4"), "does not say how long"),
        (("thyroid", "--goal", "200", "--mass-g", "40", "--uptakes", "24:0.2,48:0.42"), "no plan can rest"),
        (("thyroid-cancer", "--body-kg", "70", "--sex", "F"), "either --retention"),
        (("thyroid-cancer", "--body-kg", "70", "--retention", "0.1"), "sex is not known"),
        (("thyroid-cancer", *CANCER), "blood volume is not known"),
        (("thyroid-cancer", "--body-kg", "70", "--sex", "F", "--blood", "x.csv"), "curves need"),
        (("thyroid-cancer", "--body-kg", "70", "--sex", "F", "--retention", "0.1"), "needs its time"),
    ],
)
def test_errors_are_one_sentence(cli: Callable[..., Any], arguments: tuple[str, ...], words: str) -> None:
    said = cli("nuclear", "plan", *arguments)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""


def test_doses_without_a_limit_are_not_passed_over(cli: Callable[..., Any], cycles: Path) -> None:
    said = cli("nuclear", "plan", "lutetium", cycles, "--limit", "kidneys")
    assert "doses but no limit of red-marrow" in said.err
    broken = cycles.with_name("broken.csv")
    broken.write_text("organ,activity_mbq,dose_gy,std_rel\nkidneys,7400,much,0.1\n", "utf-8")
    assert "no number" in cli("nuclear", "plan", "lutetium", broken, "--limit", "kidneys").err
    broken.write_text("organ,dose_gy\nkidneys,3\n", "utf-8")
    assert (
        "lack activity_mbq, std_rel" in cli("nuclear", "plan", "lutetium", broken, "--limit", "kidneys").err
    )


def test_numbers_for_people_and_for_json() -> None:
    assert [mbq(x) for x in (42_731.0, 1337.2, 881.53, float("inf"))] == ["42730", "1337", "881.5", "–"]
    assert plain({"a": (1.0, float("nan"))}) == {"a": [1.0, None]}


def test_marrow_says_what_speaks_against_its_curves(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Points that no curve passes near: a result that does not say so looks right."""
    blood, body = tmp_path / "blood.csv", tmp_path / "body.csv"
    blood.write_text("time_h,activity_mbq\n2,0.3\n6,0.05\n24,0.09\n48,0.01\n96,0.03\n", "utf-8")
    body.write_text("time_h,activity_mbq\n2,6500\n6,4200\n24,1800\n48,1200\n96,700\n168,380\n", "utf-8")
    options = ("--administered", "7400", "--body-kg", "70", "--sex", "M", "--std", "0.05")
    content = json.loads(cli("nuclear", "plan", "marrow", blood, body, *options, "--json").out)
    assert any(f.startswith("blood: the points lie further") for f in content["flags"])
    said = cli("nuclear", "plan", "marrow", blood, body, *options)
    assert "the points lie further" in said.out


@pytest.mark.parametrize("nuclide", ["Ra-223", "Ac-225", "Pb-212", "Mo-99"])
def test_marrow_refuses_alphas_and_late_progeny(
    cli: Callable[..., Any], tmp_path: Path, nuclide: str
) -> None:
    curve = tmp_path / "curve.csv"
    curve.write_text("time_h,activity_mbq\n2,0.3\n6,0.25\n24,0.1\n", "utf-8")
    options = ("--administered", "7", "--body-kg", "70", "--sex", "M", "--std", "0.05", "--nuclide", nuclide)
    said = cli("nuclear", "plan", "marrow", curve, curve, *options)
    assert said.code != 0
    assert "alpha particles" in said.err or "decays later" in said.err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("sirt", *SIRT, "--height-cm", "172"), "needs height and weight"),
        (("sirt", *SIRT, "--height-cm", "1.72", "--weight-kg", "75"), "nobody has a height of 1.72 cm"),
        (("sirt", *SIRT, "--lung-before", "-5"), "earlier sessions"),
        (("thyroid-cancer", *CANCER, "--height-cm", "1.65"), "nobody has a height of 1.65 cm"),
        (
            ("lutetium", "--limit", "kidneys", "--expected", "kidneys:0.43:30"),
            "relative uncertainty of 30 cannot be used",
        ),
    ],
)
def test_numbers_that_nobody_has_are_refused(
    cli: Callable[..., Any], command: tuple[str, ...], message: str
) -> None:
    said = cli("nuclear", "plan", *command)
    assert said.code == 2
    assert message in said.err
    assert said.err.count("\n") == 1


def test_mixed_units_of_curves_are_found(cli: Callable[..., Any], tmp_path: Path) -> None:
    blood, body = tmp_path / "blood.csv", tmp_path / "body.csv"
    blood.write_text("time_h,activity_mbq\n2,0.3\n6,0.14\n24,0.03\n48,0.012\n96,0.004\n", "utf-8")
    body.write_text("time_h,activity_mbq\n2,6500\n6,4200\n24,1800\n48,1200\n96,700\n168,380\n", "utf-8")
    person = ("--body-kg", "70", "--sex", "M", "--std", "0.05")
    gbq = cli("nuclear", "plan", "marrow", blood, body, "--administered", "7.4", *person)
    assert gbq.code != 0
    assert "more than all of it has" in gbq.err
    swapped = cli("nuclear", "plan", "marrow", body, blood, "--administered", "7400", *person)
    assert swapped.code != 0
    assert "the blood holds more decays" in swapped.err


def test_mixed_units_of_cycles_are_said(cli: Callable[..., Any], cycles: Path, tmp_path: Path) -> None:
    limits = ("--limit", "kidneys", "--limit", "red-marrow")
    said = cli("nuclear", "plan", "lutetium", cycles, *limits, "--planned", "7.4")
    assert "check MBq against GBq" in said.out
    said = cli("nuclear", "plan", "lutetium", cycles, *limits, "--expected", "kidneys:0.43:0.3")
    assert "the expected dose per activity is not used" in said.out
    milli = tmp_path / "milli.csv"
    milli.write_text("organ,activity_mbq,dose_gy,std_rel\nkidneys,7400,2900,0.08\n", "utf-8")
    content = json.loads(cli("nuclear", "plan", "lutetium", milli, "--limit", "kidneys", "--json").out)
    assert "mGy against Gy" in content["flags"][0]


def test_days_for_hours_are_doubted(cli: Callable[..., Any]) -> None:
    said = cli(
        "nuclear", "plan", "thyroid", "--goal", "200", "--mass-g", "40", "--uptake", "0.45",
        "--half-life", "5.5",
    )  # fmt: skip
    assert "days may have been given for hours" in said.out
