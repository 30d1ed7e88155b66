"""``omnidose nuclear plan``: activities of therapies with microspheres and radioiodine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from omnidose.cli.nuclear_plan_table import mbq, note, print_end, print_json, print_plan, say
from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.kinetics.curves import TimeIntegratedActivity

Probability = Annotated[
    float, typer.Option("--probability", metavar="P", help="With which limits are kept and goals reached.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def sirt(
    tumour_g: Annotated[float, typer.Option(help="Tumour in the perfused volume, g.")],
    normal_g: Annotated[float, typer.Option(help="Normal liver in the perfused volume, g.")],
    ratio: Annotated[
        float, typer.Option(help="Tumour to normal liver, activity concentrations (99mTc-MAA).")
    ],
    shunt_fraction: Annotated[float, typer.Option("--lung-shunt", metavar="SHARE", help="0.05 for 5 %.")],
    normal_limit_gy: Annotated[
        float, typer.Option("--normal-limit", metavar="GY", help="Of the normal liver.")
    ],
    goal_gy: Annotated[
        float | None, typer.Option("--goal", metavar="GY", help="Dose that the tumour should reach.")
    ] = None,
    lung_g: Annotated[float, typer.Option(help="Mass of the lungs, g.")] = 1000.0,
    lung_before_gy: Annotated[
        float, typer.Option("--lung-before", metavar="GY", help="Lung dose of earlier sessions.")
    ] = 0.0,
    ratio_std_rel: Annotated[float, typer.Option("--ratio-std", metavar="REL")] = 0.25,
    shunt_std_rel: Annotated[float, typer.Option("--shunt-std", metavar="REL")] = 0.25,
    mass_std_rel: Annotated[float, typer.Option("--mass-std", metavar="REL")] = 0.10,
    residue_fraction: Annotated[
        float, typer.Option("--residue", metavar="SHARE", help="Stays in the vial: shown beside.")
    ] = 0.0,
    height_cm: Annotated[float | None, typer.Option(help="With the weight: BSA for comparison.")] = None,
    weight_kg: Annotated[float | None, typer.Option()] = None,
    probability_fraction: Probability = 0.9,
    as_json: AsJson = False,
) -> None:
    """Plan 90Y microspheres: partition model with tumour, normal liver and lungs.

    Uncertainties (--ratio-std, --shunt-std, --mass-std) are assumptions of ours unless you give yours.
    """
    from omnidose.modalities.nuclear.planning import microspheres as spheres
    from omnidose.modalities.nuclear.planning.activity import Goal, OrganAtRisk, plan_activity
    from omnidose.modalities.nuclear.planning.limits import Limit, packaged_limit
    from omnidose.quantities import AbsorbedDose

    model = spheres.PartitionModel(
        lung_shunt_fraction=shunt_fraction,
        lung_shunt_std_rel=shunt_std_rel,
        ratio=ratio,
        ratio_std_rel=ratio_std_rel,
        tumour_g=tumour_g,
        tumour_std_rel=mass_std_rel,
        normal_g=normal_g,
        normal_std_rel=mass_std_rel,
        lung_g=lung_g,
        lung_std_rel=mass_std_rel,
    )
    tumour, lungs = model.tumour(), model.lungs()
    normal = Limit(organ=spheres.NORMAL_LIVER, value=AbsorbedDose(1000 * normal_limit_gy))
    organs = [OrganAtRisk(dose=model.normal_liver(), limit=normal)]
    if lungs is not None:
        organs.append(OrganAtRisk(dose=lungs, limit=packaged_limit("lungs")))
        if lung_before_gy > 0:
            cumulated = packaged_limit("lungs-cumulated")
            organs.append(OrganAtRisk(dose=lungs, limit=cumulated, used_mgy=1000 * lung_before_gy))
    goals = [] if goal_gy is None else [Goal(dose=tumour, prescription_mgy=1000 * goal_gy)]
    plan = plan_activity(goals, organs, probability_fraction=probability_fraction)
    per_gbq = spheres.complete_decay_mgy_g_per_mbq() / 1000
    one = spheres.one_compartment(
        tumour_g + normal_g,
        perfused_std_rel=mass_std_rel,
        lung_shunt_fraction=shunt_fraction,
        residue_fraction=residue_fraction,
    )
    bsa_mbq = None
    if height_cm is not None and weight_kg is not None:
        bsa_mbq = spheres.bsa_activity_mbq(
            height_cm=height_cm, weight_kg=weight_kg, tumour_cm3=tumour_g, liver_cm3=tumour_g + normal_g
        )
    low, high = tumour.interval_mgy(plan.activity_mbq)
    vial_mbq = plan.activity_mbq / (1 - residue_fraction)
    if as_json:
        print_json(
            {
                "plan": plan,
                "vial_mbq": vial_mbq,
                "joule_per_gbq": per_gbq,
                "fractions": model.fractions,
                "tumour_mgy": tumour.dose_mgy(plan.activity_mbq),
                "tumour_95_mgy": [low, high],
                "one_compartment_mgy": one.dose_mgy(vial_mbq),
                "bsa_mbq": bsa_mbq,
                "tcp50_mgy": spheres.TCP50_MGY,
            }
        )
        return
    console = Console()
    print_plan(console, plan)
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in model.fractions.items())
    say(console, f"Of the activity: {shares}; {per_gbq:.2f} J/GBq")
    mean, response = tumour.dose_mgy(plan.activity_mbq) / 1000, spheres.TCP50_MGY / 1000
    say(console, f"Tumour: {mean:.3g} Gy ({low / 1000:.3g} – {high / 1000:.3g}); half of the tumours "
        f"responded with {response:g} Gy (mRECIST, glass microspheres, 90Y PET)")  # fmt: skip
    say(console, f"One compartment: {one.dose_mgy(vial_mbq) / 1000:.3g} Gy in the perfused volume")
    if residue_fraction > 0:
        say(console, f"In the vial, with {100 * residue_fraction:g} % residue: {mbq(vial_mbq)} MBq")
    if bsa_mbq is not None:
        say(console, f"BSA formula, for comparison only (it knows no dose): {mbq(bsa_mbq)} MBq")
    say(console, f"Relative uncertainties: ratio {ratio_std_rel:g}, shunt {shunt_std_rel:g}, masses "
        f"{mass_std_rel:g}; lungs {lung_g:g} g")  # fmt: skip
    print_end(console, (*(arm.source for arm in plan.arms), spheres.TCP50_SOURCE))


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
    from omnidose.modalities.nuclear.planning.activity import Goal, plan_activity

    integral = _thyroid_integral(uptake_fraction, half_life_h, uptakes, uptake_std_rel, half_life_std_rel)
    dose = planning.thyroid_dose(integral, mass_g, mass_std_rel=mass_std_rel)
    goal = Goal(dose=dose, prescription_mgy=1000 * goal_gy, source=integral.method)
    plan = plan_activity([goal], [], probability_fraction=probability_fraction)
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
                "flags": integral.flags,
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
    from omnidose.modalities.nuclear.planning.activity import OrganAtRisk, plan_activity
    from omnidose.modalities.nuclear.planning.limits import Limit
    from omnidose.quantities import AbsorbedDose

    if (retention_fraction is not None) == (blood is not None):
        raise InputError("give either --retention with --at, or curves with --blood and --body")
    if sex not in ("F", "M"):
        raise InputError("the sex is not known", where="--sex", allowed="F or M")
    own, published = planning.blood_terms(sex=sex), planning.eanm_2008()
    flags: tuple[str, ...] = ()
    if retention_fraction is not None:
        if at_h is None:
            raise InputError("a retention needs its time", where="--at", todo="give hours after the intake")
        if blood_cm3 is None:
            if height_cm is None:
                raise InputError(
                    "the blood volume is not known", where="--height-cm", todo="give height or --blood-cm3"
                )
            blood_cm3 = planning.blood_volume_cm3(sex, height_cm=height_cm, weight_kg=body_kg)
        doses = [
            planning.dose_from_one_retention(
                retention_fraction,
                at_h,
                blood_cm3=blood_cm3,
                body_kg=body_kg,
                terms=terms,
                extra_std_rel=std_rel,
            )
            for terms in (own, published)
        ]
        if not 20 <= at_h <= 52:
            flags = (f"the method was tested for measurements after 1 to 2 days, not {at_h:g} h",)
    else:
        if blood is None or body is None or tracer_mbq is None:
            raise InputError("curves need --blood, --body and --tracer, the activity that they are of")
        in_blood, in_body = (
            decays_per_activity(path, tracer_mbq, point_std_rel, nuclide_name="I-131")
            for path in (blood, body)
        )
        flags = (*in_blood.flags, *in_body.flags)
        doses = [
            planning.blood_dose(in_blood, in_body, body_kg=body_kg, terms=terms, extra_std_rel=std_rel)
            for terms in (own, published)
        ]
    limit = Limit(organ="blood", value=AbsorbedDose(1000 * limit_gy), source=doses[0].source)
    plan = plan_activity(
        [], [OrganAtRisk(dose=doses[0], limit=limit)], probability_fraction=probability_fraction
    )
    other_mbq = doses[1].largest_mbq(limit.value_mgy, probability_fraction)
    half_mbq = doses[0].largest_mbq(limit.value_mgy, 0.5)
    if as_json:
        print_json(
            {
                "plan": plan,
                "best_estimate_mbq": half_mbq,
                "with_eanm_2008_coefficients_mbq": other_mbq,
                "blood_mgy_per_mbq": doses[0].median_mgy_per_mbq,
                "blood_std_rel": doses[0].std_rel,
                "terms": own,
                "blood_cm3": blood_cm3,
                "flags": flags,
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


def decays_per_activity(
    path: Path, administered_mbq: float, std_rel: float | None, *, nuclide_name: str
) -> TimeIntegratedActivity:
    """Return the decays per administered MBq of the first curve of a file."""
    from omnidose.cli.nuclear_curves import read_curves
    from omnidose.cli.nuclear_fit import shapes_for
    from omnidose.kinetics.choice import choose_shape
    from omnidose.kinetics.curves import TimeIntegratedActivity
    from omnidose.physics.nuclides import nuclide

    curve = read_curves(path, std_rel=std_rel)[0]
    choice = choose_shape(curve, half_life_h=nuclide(nuclide_name).half_life_h, shapes=shapes_for(len(curve)))
    whole = choice.best.integral
    return TimeIntegratedActivity(
        value_mbq_h=whole.coefficient_h(administered_mbq),
        std_mbq_h=whole.std_mbq_h / administered_mbq,
        tail_fraction=whole.tail_fraction,
        head_fraction=whole.head_fraction,
        method=whole.method,
    )
