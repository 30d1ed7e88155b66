"""``omnidose nuclear``: curves, kernels, organ doses and therapy plans of nuclear medicine."""

from __future__ import annotations

import typer

from omnidose.cli.nuclear_breastfeeding import breastfeeding
from omnidose.cli.nuclear_conceptus import conceptus
from omnidose.cli.nuclear_fit import fit
from omnidose.cli.nuclear_kernel import kernel
from omnidose.cli.nuclear_organ import organ
from omnidose.cli.nuclear_plan import sirt
from omnidose.cli.nuclear_plan_cycles import lutetium, marrow
from omnidose.cli.nuclear_plan_iodine import thyroid, thyroid_cancer
from omnidose.cli.nuclear_plan_verify import verify_

nuclear_app = typer.Typer(
    name="nuclear",
    help="Nuclear medicine: curves to decays, dose kernels, therapy plans.",
    no_args_is_help=True,
)
plan_app = typer.Typer(
    name="plan",
    help="Activity of a therapy, with the probability that a limit is kept.",
    no_args_is_help=True,
)
plan_app.command()(lutetium)
plan_app.command()(marrow)
plan_app.command()(sirt)
plan_app.command()(thyroid)
plan_app.command("thyroid-cancer")(thyroid_cancer)
plan_app.command("verify")(verify_)
nuclear_app.command()(fit)
nuclear_app.command()(kernel)
nuclear_app.command()(organ)
nuclear_app.command()(conceptus)
nuclear_app.command()(breastfeeding)
nuclear_app.add_typer(plan_app)


@nuclear_app.callback()
def nuclear() -> None:
    """Nuclear medicine: curves to decays, dose kernels, therapy plans."""
