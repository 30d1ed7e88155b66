"""``omnidose nuclear plan thyroid`` and ``thyroid-cancer``: activities of radioiodine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from omnidose.cli.nuclear_plan import AsJson, Probability
from omnidose.cli.nuclear_plan_table import mbq, note, print_end, print_json, print_plan, say
from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.kinetics.curves import TimeIntegratedActivity
    from omnidose.modalities.nuclear.planning.blood import BloodTerms
    from omnidose.modalities.nuclear.planning.confidence import DosePerActivity


def thyroid(
    goal_gy: Annotated[
        float, typer.Option("--goal", metavar="GY", help="Dose of the thyroid or the nodules.")
    ],
    mass_g: Annotated[float, typer.Option(help="Mass of what should get it, g.")],
    uptake_fraction: Annotated[
        float | None, typer.Option("--uptake", metavar="SHARE", help="At 24 h, e.g. 0.45.")
    ] = None,
    half_life_h: Annotated[
        float | None, typer.Option("--half-life", metavar="H", help="Effective half-life, with --uptake.")
    ] = None,
    uptakes: Annotated[
        str, typer.Option(metavar="H:SHARE,…", help="Several uptakes instead: 4:0.2,24:0.45,96:0.33.")
    ] = "",
    uptake_std_rel: Annotated[float, typer.Option("--uptake-std", metavar="REL")] = 0.05,
    half_life_std_rel: Annotated[float, typer.Option("--half-life-std", metavar="REL")] = 0.10,
    mass_std_rel: Annotated[float, typer.Option("--mass-std", metavar="REL")] = 0.15,
    probability_fraction: Probability = 0.9,
    as_json: AsJson = False,
) -> None:
    """Plan 131I for benign thyroid disease.

    Uncertainties (--uptake-std, --half-life-std, --mass-std) are assumptions of ours unless you give yours.
    """
    from omnidose.modalities.nuclear.planning import thyroid as planning
    from omnidose.modalities.nuclear.planning.therapies import plan_thyroid

    integral = _thyroid_integral(uptake_fraction, half_life_h, uptakes, uptake_std_rel, half_life_std_rel)
    plan = plan_thyroid(
        integral,
        mass_g=mass_g,
        mass_std_rel=mass_std_rel,
        goal_mgy=1000 * goal_gy,
        probability_fraction=probability_fraction,
    )
    dose = planning.thyroid_dose(integral, mass_g, mass_std_rel=mass_std_rel)
    half_mbq = dose.least_mbq(1000 * goal_gy, 0.5)
    energy = planning.thyroid_mgy_g_per_mbq_h(mass_g) * 24 / 1000
    if as_json:
        print_json(
            {
                "plan": plan,
                "best_estimate_mbq": half_mbq,
                "decays_per_activity_h": integral.value_mbq_h,
                "decays_std_rel": integral.std_rel,
                "dose_std_rel": dose.std_rel,
                "gy_g_per_mbq_d": energy,
                "flags": (*plan.flags, *integral.flags),
            }
        )
        return
    console = Console()
    print_plan(console, plan)
    say(console, f"Best estimate (as likely too little as too much): {mbq(half_mbq)} MBq")
    say(console, f"Decays per activity {integral.value_mbq_h:.4g} h ± {100 * integral.std_rel:.0f} %; dose ± "
        f"{100 * dose.std_rel:.0f} %, {energy:.3f} Gy g/(MBq d)")  # fmt: skip
    for flag in integral.flags:
        note(console, flag)
    print_end(console, (integral.method,))


def _thyroid_integral(
    uptake_fraction: float | None,
    half_life_h: float | None,
    uptakes: str,
    uptake_std_rel: float,
    half_life_std_rel: float,
) -> TimeIntegratedActivity:
    from omnidose.modalities.nuclear.planning import thyroid as planning

    if bool(uptakes) == (uptake_fraction is not None):
        raise InputError("give either --uptake with --half-life, or --uptakes")
    if uptake_fraction is not None:
        if half_life_h is None:
            raise InputError(
                "an uptake alone does not say how long it stays",
                where="--half-life",
                todo="give the effective half-life in hours, or several uptakes with --uptakes",
            )
        return planning.integral_from_uptake(
            uptake_fraction,
            half_life_h,
            uptake_std_rel=uptake_std_rel,
            half_life_std_rel=half_life_std_rel,
        )
    pairs = sorted(number_pairs(uptakes, "--uptakes"))
    return planning.integral_from_uptakes(
        [hours for hours, _share in pairs], [share for _hours, share in pairs], std_rel=uptake_std_rel
    )


def number_pairs(text: str, where: str) -> list[tuple[float, float]]:
    """Return the pairs of ``4:0.2,24:0.45``.

    Raises
    ------
    InputError
        If the text is no such list.
    """
    try:
        pairs = [tuple(float(x) for x in part.split(":")) for part in text.split(",")]
    except ValueError:
        pairs = []
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise InputError(f"'{text}' is no list of pairs", where=where, allowed="for example 4:0.2,24:0.45")
    return [(pair[0], pair[1]) for pair in pairs]


def thyroid_cancer(
    body_kg: Annotated[float, typer.Option(help="Body mass, kg.")],
    retention_fraction: Annotated[
        float | None,
        typer.Option("--retention", metavar="SHARE", help="Share still in the body, not decay corrected."),
    ] = None,
    at_h: Annotated[float | None, typer.Option("--at", metavar="H", help="When; 24 to 48 h.")] = None,
    blood: Annotated[
        Path | None, typer.Option(help="Or CSV: time_h,activity_mbq in 1 mL of blood (with --body).")
    ] = None,
    body: Annotated[Path | None, typer.Option(help="CSV: time_h,activity_mbq in the whole body.")] = None,
    tracer_mbq: Annotated[
        float | None, typer.Option("--tracer", metavar="MBQ", help="Activity that the curves are of.")
    ] = None,
    sex: Annotated[str, typer.Option(metavar="F|M", help="For the blood volume and the body.")] = "",
    height_cm: Annotated[float | None, typer.Option(help="For the blood volume.")] = None,
    blood_cm3: Annotated[float | None, typer.Option(help="Blood volume in mL instead.")] = None,
    limit_gy: Annotated[float, typer.Option("--limit", metavar="GY", help="Of the blood.")] = 2.0,
    std_rel: Annotated[
        float, typer.Option("--std", metavar="REL", help="Calibration, and tracer against therapy.")
    ] = 0.10,
    point_std_rel: Annotated[
        float | None, typer.Option("--point-std", metavar="REL", help="Of points, without a column of it.")
    ] = None,
    probability_fraction: Probability = 0.9,
    as_json: AsJson = False,
) -> None:
    """Find the largest 131I activity for thyroid cancer that keeps the dose to blood below 2 Gy."""
    from omnidose.modalities.nuclear.planning import blood as planning
    from omnidose.modalities.nuclear.planning.therapies import plan_blood

    if (retention_fraction is not None) == (blood is not None):
        raise InputError("give either --retention with --at, or curves with --blood and --body")
    if sex not in ("F", "M"):
        raise InputError("the sex is not known", where="--sex", allowed="F or M")
    both = (planning.blood_terms(sex=sex), planning.eanm_2008())
    if retention_fraction is not None:
        if blood_cm3 is None and height_cm is not None:
            blood_cm3 = planning.blood_volume_cm3(sex, height_cm=height_cm, weight_kg=body_kg)
        doses, flags = _from_retention(retention_fraction, at_h, blood_cm3, body_kg, std_rel, both)
    else:
        if blood is None or body is None or tracer_mbq is None:
            raise InputError("curves need --blood, --body and --tracer, the activity that they are of")
        in_blood, in_body = (
            decays_per_activity(path, tracer_mbq, point_std_rel, nuclide_name="I-131")
            for path in (blood, body)
        )
        flags = tuple(
            f"{where}: {flag}" for where, c in (("blood", in_blood), ("body", in_body)) for flag in c.flags
        )
        doses = [
            planning.blood_dose(in_blood, in_body, body_kg=body_kg, terms=terms, extra_std_rel=std_rel)
            for terms in both
        ]
    limit_mgy = 1000 * limit_gy
    plan = plan_blood(doses[0], limit_mgy=limit_mgy, probability_fraction=probability_fraction)
    other_mbq = doses[1].largest_mbq(limit_mgy, probability_fraction)
    half_mbq = doses[0].largest_mbq(limit_mgy, 0.5)
    if as_json:
        print_json(
            {
                "plan": plan,
                "best_estimate_mbq": half_mbq,
                "with_eanm_2008_coefficients_mbq": other_mbq,
                "blood_mgy_per_mbq": doses[0].median_mgy_per_mbq,
                "blood_std_rel": doses[0].std_rel,
                "terms": both[0],
                "blood_cm3": blood_cm3,
                "flags": (*plan.flags, *flags),
            }
        )
        return
    console = Console()
    print_plan(console, plan)
    say(console, f"Dose to blood {doses[0].median_mgy_per_mbq:.4g} Gy/GBq ± {100 * doses[0].std_rel:.0f} %; "
        f"on average just {limit_gy:g} Gy with {mbq(half_mbq)} MBq")  # fmt: skip
    say(console, f"With the coefficients of EANM 2008 (108 and 0.0188): {mbq(other_mbq)} MBq")
    if retention_fraction is not None:
        say(console, f"Blood volume {blood_cm3:.4g} mL; 14 % of the body's decays in it")
    for flag in flags:
        note(console, flag)
    print_end(console, (doses[0].source,))


def _from_retention(
    retention_fraction: float,
    at_h: float | None,
    blood_cm3: float | None,
    body_kg: float,
    std_rel: float,
    both: tuple[BloodTerms, ...],
) -> tuple[list[DosePerActivity], tuple[str, ...]]:
    """Return the dose of the blood with each set of coefficients, and remarks."""
    from omnidose.modalities.nuclear.planning.blood import TESTED_H, dose_from_one_retention

    if at_h is None:
        raise InputError("a retention needs its time", where="--at", todo="give hours after the intake")
    if blood_cm3 is None:
        raise InputError(
            "the blood volume is not known", where="--height-cm", todo="give the height, or --blood-cm3"
        )
    doses = [
        dose_from_one_retention(
            retention_fraction,
            at_h,
            blood_cm3=blood_cm3,
            body_kg=body_kg,
            terms=terms,
            extra_std_rel=std_rel,
        )
        for terms in both
    ]
    if TESTED_H[0] <= at_h <= TESTED_H[1]:
        return doses, ()
    return doses, (f"the method was tested for measurements after 1 to 2 days, not {at_h:g} h",)


def decays_per_activity(
    path: Path, administered_mbq: float, std_rel: float | None, *, nuclide_name: str
) -> TimeIntegratedActivity:
    """Return the decays per administered MBq of the one curve of a file.

    Raises
    ------
    InputError
        For several curves, or what :func:`read_curves` refuses.
    ContradictionError
        For more decays than were administered.
    """
    from omnidose.cli.nuclear_curves import read_curve
    from omnidose.kinetics.choice import choose_shape
    from omnidose.modalities.nuclear.planning.plausible import check_decays
    from omnidose.physics.nuclides import nuclide

    curve, half_life_h = read_curve(path, std_rel=std_rel), nuclide(nuclide_name).half_life_h
    choice = choose_shape(curve, half_life_h=half_life_h)
    found = choice.integral.per_activity(administered_mbq)
    check_decays(found.value_mbq_h, half_life_h=half_life_h, where=str(path))
    return found
