"""``omnidose nuclear organ``: organ doses of activity in source regions, or of an agent with a model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from omnidose.errors import InputError

if TYPE_CHECKING:
    from omnidose.dosimetry.internal.fractions import AbsorbedFractions
    from omnidose.dosimetry.results import OrganDoses

#: Phantoms by the word that names them; those of the ICRP must be imported first.
ADULTS = ("adult-male", "adult-female")
IMPORTED = {"icrp110-male": "AM", "icrp110-female": "AF"}
#: Hours between voids of the models of the ICRP.
VOID_H = 3.5
#: Decays of progeny per decay below which they are not spoken of.
_FEW_DECAYS = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was given: a nuclide, hours in source regions by sex (``""`` for either), and what to say."""

    nuclide: str
    hours_by_sex: dict[str, dict[str, float]]
    notes: tuple[str, ...]
    marrow_from_blood: tuple[float, float] | None = None  # hours in 1 mL of blood; marrow to blood

    def hours(self, sex: str) -> dict[str, float]:
        """Return the coefficients of a phantom's sex.

        Raises
        ------
        InputError
            If they are of the other sex alone.
        """
        found = self.hours_by_sex.get("") or self.hours_by_sex.get(sex)
        if found is None:
            raise InputError(
                f"the coefficients are of {', '.join(self.hours_by_sex)} persons",
                todo="choose the phantom of that sex",
            )
        return found


def organ(
    nuclide: Annotated[str, typer.Argument(help="Lu-177, F-18 …; not needed with --agent.")] = "",
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REGION=HOURS",
            help="Decays per activity in a region (MBq h/MBq); repeat. kidneys, bladder-contents, "
            "red-marrow, trabecular-bone-surface, cortical-bone …",
        ),
    ] = None,
    blood_h: Annotated[
        float | None,
        typer.Option(
            "--blood",
            metavar="H",
            help="Decays in 1 mL of blood per activity (MBq h/MBq/mL): red marrow from blood.",
        ),
    ] = None,
    marrow_ratio_rel: Annotated[
        float | None,
        typer.Option(
            "--marrow-ratio", metavar="RATIO", help="Activity of a gram of red marrow over a gram of blood."
        ),
    ] = None,
    agent: Annotated[str, typer.Option(help="A radiopharmaceutical with a packaged model: FDG …")] = "",
    phantom: Annotated[
        list[str] | None,
        typer.Option(help="adult-male, adult-female, icrp110-male …; repeat. Else both adults."),
    ] = None,
    activity_mbq: Annotated[
        float | None, typer.Option("--activity", metavar="MBQ", help="Administered activity.")
    ] = None,
    mass: Annotated[
        list[str] | None, typer.Option(metavar="REGION=G", help="Mass of the patient's organ, g; repeat.")
    ] = None,
    void_h: Annotated[
        float, typer.Option("--void", metavar="H", help="Hours between voids, for --agent.")
    ] = VOID_H,
    effective_dose: Annotated[
        bool, typer.Option("--effective-dose", help="Also the effective dose (diagnostics, two sexes).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Give the dose of every organ from activity in source regions; remainder is all other tissue."""
    asked = with_blood(asked_for(nuclide, source or [], agent, void_h), blood_h, marrow_ratio_rel)
    masses = pairs(mass or [], "--mass", "kidneys=290")
    names = list(dict.fromkeys(phantom or ADULTS))
    doses = {}
    for name in names:
        if masses and len(names) > 1:
            raise InputError("masses of one patient in two phantoms", todo="choose one with --phantom")
        doses[name] = _doses(name, asked, activity_mbq, masses)
    content = content_of(asked, doses, activity_mbq)
    if effective_dose:
        content["effective_dose"] = _effective(doses)
    if as_json:
        print(json.dumps(content, indent=1, allow_nan=False))
        return
    _print(Console(), content)


def with_blood(asked: Asked, blood_h: float | None, ratio_rel: float | None) -> Asked:
    """Return what was asked for with red marrow from blood, if that was given.

    Raises
    ------
    InputError
        For one of both without the other, or red marrow twice.
    """
    if blood_h is None and ratio_rel is None:
        return asked
    if blood_h is None or ratio_rel is None:
        raise InputError(
            "red marrow from blood needs the decays in 1 mL of blood and the ratio of marrow to blood",
            where="--blood, --marrow-ratio",
            todo="the ratio is 1 for 177Lu-DOTATATE, 0.36 for what stays in plasma",
        )
    if any("red-marrow" in hours for hours in asked.hours_by_sex.values()):
        raise InputError("red marrow has a coefficient already", where="--blood", todo="give one of both")
    text = (
        f"red marrow from blood: {blood_h:g} h in 1 mL, a gram of marrow {ratio_rel:g} times a gram of blood"
    )
    return replace(asked, notes=(*asked.notes, text), marrow_from_blood=(blood_h, ratio_rel))


def pairs(texts: Sequence[str], option: str, example: str) -> dict[str, float]:
    """Return ``name=number`` pairs as a dictionary.

    Raises
    ------
    InputError
        For anything else, or a name that comes twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        key = re.sub(r"[\s_]+", "-", name.strip().lower())
        if not key or not math.isfinite(value) or key in found:
            raise InputError(
                f"'{text}' is no pair of a name and a number, or comes twice",
                where=option,
                todo=f"for example {option} {example}",
            )
        found[key] = value
    return found


def asked_for(nuclide: str, source: Sequence[str], agent: str, void_h: float) -> Asked:
    """Return nuclide and coefficients from the options.

    Raises
    ------
    InputError
        If both or none of sources and agent are given, or the nuclide is not the agent's.
    """
    from omnidose.physics.nuclides import nuclide as known

    if bool(source) == bool(agent):
        raise InputError(
            "give either --source or --agent", todo="for example --source kidneys=1.2 --source liver=3.1"
        )
    if not agent:
        if not nuclide:
            raise InputError("sources need a nuclide", todo="for example omnidose nuclear organ Lu-177 …")
        from omnidose.modalities.nuclear.planning.plausible import check_decays

        hours = pairs(source, "--source", "kidneys=1.2")
        check_decays(sum(hours.values()), half_life_h=known(nuclide).half_life_h, where="--source")
        return Asked(nuclide=known(nuclide).name, hours_by_sex={"": hours}, notes=())
    found = _agent(agent, void_h)
    if nuclide and known(nuclide).name != found.nuclide:
        raise InputError(f"{agent} carries {found.nuclide}, not {known(nuclide).name}", where="--agent")
    return found


def _agent(agent: str, void_h: float) -> Asked:
    """Find a model, or published coefficients, by a name with or without its nuclide."""
    from omnidose.data import load
    from omnidose.kinetics import biokinetics as bio
    from omnidose.kinetics.agents import find_agent
    from omnidose.kinetics.bladder import Voiding
    from omnidose.physics.nuclides import nuclide

    measured = list(dict.fromkeys(map(str, load(bio.COEFFICIENTS)["model"])))
    models, recalled = bio.model_names(), bio.model_names(recalled=True)
    name = find_agent(agent, [*models, *recalled, *measured])
    isotope = nuclide(name.partition("-")[0])
    if name in measured:
        return _measured(name, isotope.name)
    model = bio.biokinetic_model(name, recalled=name in recalled)
    voiding = Voiding(first_h=void_h, interval_h=void_h)
    hours = bio.time_integrated_coefficients_h(
        model, isotope.half_life_h, voiding=voiding, renal_transit_h=bio.RENAL_TRANSIT_H
    )
    notes = (
        *model.flags,
        f"source: {model.source}",
        f"the bladder is emptied every {void_h:g} h; urine is in the kidneys for "
        f"{60 * bio.RENAL_TRANSIT_H:g} min before",
    )
    return Asked(nuclide=isotope.name, hours_by_sex={"": hours}, notes=notes)


def _measured(name: str, isotope: str) -> Asked:
    from omnidose.kinetics.biokinetics import measured_coefficients

    found, notes = {}, []
    for person, sex in (("male", "M"), ("female", "F")):
        try:
            coefficients = measured_coefficients(name, person)
        except InputError:
            continue
        found[sex] = dict(coefficients.coefficients_h)
        notes = [f"source: {coefficients.source}"]
        if not coefficients.complete:
            notes.append("the published coefficients do not cover the whole body: doses are too low")
    return Asked(nuclide=isotope, hours_by_sex=found, notes=tuple(notes))


def _fractions(name: str, asked: Asked) -> AbsorbedFractions:
    from omnidose.dosimetry.internal.fractions import PHANTOMS, adult

    if name not in IMPORTED:
        if name not in PHANTOMS:
            raise InputError(f"there is no phantom '{name}'", allowed=", ".join([*PHANTOMS, *IMPORTED]))
        return adult(name)
    from omnidose.anatomy.icrp110 import load_reference_phantom
    from omnidose.dosimetry.internal.compute import compute_absorbed_fractions, energies_for

    body = load_reference_phantom(IMPORTED[name])
    say = Console(stderr=True)
    return compute_absorbed_fractions(
        body,
        [*asked.hours(body.person.sex), *(["red-marrow"] if asked.marrow_from_blood else [])],
        energies_kev=energies_for(asked.nuclide),
        progress=lambda text: say.print(f"[dim]{escape(text)}[/dim]", highlight=False),
    )


def _doses(name: str, asked: Asked, activity_mbq: float | None, masses_g: Mapping[str, float]) -> OrganDoses:
    from omnidose.dosimetry.internal.doses import organ_doses_of_activity
    from omnidose.dosimetry.internal.marrow import marrow_hours_from_blood

    fractions = _fractions(name, asked)
    hours = dict(asked.hours(fractions.sex))
    if asked.marrow_from_blood:
        marrow_g = masses_g.get("red-marrow") or fractions.target_mass_g[fractions.target("red-marrow")]
        hours["red-marrow"] = marrow_hours_from_blood(*asked.marrow_from_blood, float(marrow_g))
    return organ_doses_of_activity(
        fractions,
        hours,
        asked.nuclide,
        activity_mbq=activity_mbq,
        masses_g=masses_g,
    )


def content_of(asked: Asked, doses: Mapping[str, OrganDoses], activity_mbq: float | None) -> dict[str, Any]:
    """Return what is printed, as plain JSON types."""
    from omnidose.dosimetry.internal.charged import assumptions
    from omnidose.dosimetry.internal.s_values import decays_in_place

    progeny = {
        name: number for name, number in decays_in_place(asked.nuclide).items() if name != asked.nuclide
    }
    notes = list(asked.notes)
    if progeny:
        notes.append(f"progeny decay where they are made: {', '.join(progeny)}")
    named = [key for hours in asked.hours_by_sex.values() for key in hours]
    named += ["red-marrow"] if asked.marrow_from_blood else []
    for voxels in sorted({name in IMPORTED for name in doses}):
        notes += [text for text in assumptions(named, voxels=voxels) if text not in notes]
    notes += _left_out(asked.nuclide, {asked.nuclide, *progeny})
    if any(_alpha_mgy(result) > 0 for result in doses.values()):
        notes.append(
            "doses of alpha particles are in the totals as they are, without a factor for their effect"
        )
    return {
        "nuclide": asked.nuclide,
        "progeny_per_decay": progeny,
        "coefficients_h": asked.hours_by_sex.get("", asked.hours_by_sex),
        "activity_mbq": activity_mbq,
        "unit": "mGy" if activity_mbq is not None else "mGy/MBq",
        "doses": {name: _rows(result) for name, result in doses.items()},
        "notes": notes,
    }


def _alpha_mgy(doses: OrganDoses) -> float:
    """Return the largest dose of alpha particles that an organ gets."""
    if "alpha" not in doses.qualities:
        return 0.0
    return float(doses.dose_mgy[:, doses.qualities.index("alpha")].max())


def _left_out(parent: str, counted: set[str]) -> list[str]:
    """Say which progeny is not counted because it lives long, if it decays within a year in numbers."""
    from omnidose.physics.progeny import late_progeny

    missing = [
        f"{name} ({number:.2g} decays per decay of {parent})"
        for name, number in late_progeny(parent).decays
        if name not in counted and number > _FEW_DECAYS
    ]
    return [f"not counted, because it lives long: {', '.join(missing)}"] if missing else []


def _rows(doses: OrganDoses) -> list[dict[str, Any]]:
    found = []
    for i, key in enumerate(doses.organs):
        total = float(doses.total_mgy[i])
        row = {"organ": key, "dose": total, "std_statistical": float(doses.statistical_std_mgy[i])}
        row |= {quality: float(doses.dose_mgy[i, q]) for q, quality in enumerate(doses.qualities)}
        found.append({**row, "mass_g": float(doses.mass_g[i])})
    return sorted(found, key=lambda row: -row["dose"])


def _effective(doses: Mapping[str, OrganDoses]) -> dict[str, Any]:
    from omnidose.dosimetry.internal.doses import DIAGNOSTIC, effective_dose_of_activity

    by_sex = (
        {"M": [], "F": []}
        if not doses
        else {sex: [d for n, d in doses.items() if _is(n, sex)] for sex in "MF"}
    )
    if any(len(found) != 1 for found in by_sex.values()):
        raise InputError(
            "an effective dose is the mean of one man and one woman",
            where="--phantom",
            todo="give one of each",
        )
    result = effective_dose_of_activity(by_sex["M"][0], by_sex["F"][0], purpose=DIAGNOSTIC)
    per = f"/{result.relative_to}" if result.relative_to else ""
    return {
        "value_msv": float(result.value.value),
        "unit": f"mSv{per}",
        "missing_tissues": list(result.missing),
        "text": "ICRP 103, reference person, for diagnostics alone: no measure of one patient or a therapy",
    }


def _is(name: str, sex: str) -> bool:
    return name.endswith("female") == (sex == "F")


def _print(console: Console, content: dict[str, Any]) -> None:
    names = list(content["doses"])
    table = Table(
        title=f"{content['nuclide']}: organ doses ({content['unit']})",
        title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    table.add_column("organ")
    shown = ["photon"]
    if any(row.get("alpha", 0.0) > 0 for name in names for row in content["doses"][name]):
        shown.append("alpha")
    for name in names:
        table.add_column(name, justify="right")
        for quality in shown:
            table.add_column(f"{quality}s", justify="right")
    by_phantom = {name: {row["organ"]: row for row in content["doses"][name]} for name in names}
    organs = dict.fromkeys(row["organ"] for name in names for row in content["doses"][name])
    for key in sorted(organs, key=lambda k: -max(by_phantom[n].get(k, {"dose": 0.0})["dose"] for n in names)):
        cells = []
        for name in names:
            row = by_phantom[name].get(key)
            cells.append(f"{row['dose']:.3g}" if row else "–")
            for quality in shown:
                known = row is not None and row["dose"] > 0
                cells.append(f"{100 * row[quality] / row['dose']:.0f} %" if row and known else "–")
        table.add_row(key, *cells)
    console.print(table)
    if "effective_dose" in content:
        found = content["effective_dose"]
        console.print(
            f"Effective dose {found['value_msv']:.3g} {found['unit']} ({found['text']})", highlight=False
        )
    for note in content["notes"]:
        console.print(f"[dim]- {escape(note)}[/dim]", highlight=False)
