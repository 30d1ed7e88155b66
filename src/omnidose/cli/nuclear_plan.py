"""``omnidose nuclear plan sirt``: activity of microspheres, and what is shown beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from omnidose.cli.nuclear_plan_table import mbq, print_end, print_json, print_plan, say
from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.modalities.nuclear.planning.microspheres import PartitionModel

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
    from omnidose.modalities.nuclear.planning.therapies import plan_microspheres

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
    plan = plan_microspheres(
        model,
        normal_limit_mgy=1000 * normal_limit_gy,
        goal_mgy=None if goal_gy is None else 1000 * goal_gy,
        lungs_before_mgy=1000 * lung_before_gy,
        probability_fraction=probability_fraction,
    )
    beside = _beside(model, plan.activity_mbq, residue_fraction, height_cm, weight_kg)
    if as_json:
        print_json({"plan": plan, "flags": plan.flags, "fractions": model.fractions, **beside})
        return
    console = Console()
    print_plan(console, plan)
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in model.fractions.items())
    say(console, f"Of the activity: {shares}; {beside['joule_per_gbq']:.2f} J/GBq")
    _print_beside(console, beside, residue_fraction)
    say(console, f"Relative uncertainties: ratio {ratio_std_rel:g}, shunt {shunt_std_rel:g}, masses "
        f"{mass_std_rel:g}; lungs {lung_g:g} g")  # fmt: skip
    print_end(console, (*(arm.source for arm in plan.arms), spheres.TCP50_SOURCE))


def _beside(
    model: PartitionModel,
    activity_mbq: float,
    residue_fraction: float,
    height_cm: float | None,
    weight_kg: float | None,
) -> dict[str, Any]:
    """Return what is shown beside a plan of microspheres: response, one compartment, BSA formula."""
    from omnidose.modalities.nuclear.planning import microspheres as spheres

    perfused_g = model.tumour_g + model.normal_g
    one = spheres.one_compartment(
        perfused_g,
        perfused_std_rel=0.0,
        lung_shunt_fraction=model.lung_shunt_fraction,
        residue_fraction=residue_fraction,
    )
    vial_mbq = activity_mbq / (1 - residue_fraction)
    bsa_mbq = None
    if (height_cm is None) != (weight_kg is None):
        raise InputError("the BSA formula needs height and weight", where="--height-cm, --weight-kg")
    if height_cm is not None and weight_kg is not None:
        bsa_mbq = spheres.bsa_activity_mbq(
            height_cm=height_cm, weight_kg=weight_kg, tumour_cm3=model.tumour_g, liver_cm3=perfused_g
        )
    tumour = model.tumour()
    return {
        "joule_per_gbq": spheres.complete_decay_mgy_g_per_mbq() / 1000,
        "vial_mbq": vial_mbq,
        "tumour_mgy": tumour.dose_mgy(activity_mbq),
        "tumour_95_mgy": tumour.interval_mgy(activity_mbq),
        "tcp50_mgy": spheres.TCP50_MGY,
        "one_compartment_mgy": one.dose_mgy(vial_mbq),
        "bsa_mbq": bsa_mbq,
    }


def _print_beside(console: Console, beside: dict[str, Any], residue_fraction: float) -> None:
    low, high = beside["tumour_95_mgy"]
    mean, response = beside["tumour_mgy"] / 1000, beside["tcp50_mgy"] / 1000
    say(console, f"Tumour: {mean:.3g} Gy ({low / 1000:.3g} – {high / 1000:.3g}); half of the tumours "
        f"responded with {response:g} Gy (mRECIST, glass, 90Y PET)")  # fmt: skip
    say(console, f"One compartment: {beside['one_compartment_mgy'] / 1000:.3g} Gy in the perfused volume")
    if residue_fraction > 0:
        say(console, f"In the vial, with {100 * residue_fraction:g} % residue: {mbq(beside['vial_mbq'])} MBq")
    if beside["bsa_mbq"] is not None:
        say(console, f"BSA formula, for comparison only (it knows no dose): {mbq(beside['bsa_mbq'])} MBq")
