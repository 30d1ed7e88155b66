"""``survey`` (what is there) and ``plan`` (what will be done with it, and what not)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnidose.anatomy.body import Person
from omnidose.anatomy.organs import organ
from omnidose.dicom.inventory import Inventory, Series, read_inventory
from omnidose.dicom.patient import merge_person, single_patient
from omnidose.errors import InputError
from omnidose.exams.options import EstimateOptions
from omnidose.modalities import Claim, ClaimKind, Exposure, Modality, modalities

#: Called with (stage, share of the stage done or NaN, one line of text).
StageProgress = Callable[[str, float, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedExposure:
    """An exposure that will be estimated, and the series its body is made from."""

    modality: Modality = field(repr=False)
    claim: Claim
    exposure: Exposure
    series: Series = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something found that gets no estimate, with the reason."""

    what: str
    reason: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything decided before the first photon.

    Attributes
    ----------
    found
        What was found, one line each, without identities.
    left_out
        "Found, not estimated".
    problems
        Files that could not be read, one sentence each.
    """

    person: Person
    exposures: tuple[PlannedExposure, ...]
    left_out: tuple[LeftOut, ...]
    found: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    options: EstimateOptions
    inventory: Inventory = field(repr=False)


def survey(path: Path | str | Sequence[Path | str], *, progress: StageProgress | None = None) -> Inventory:
    """Read what is in a folder, file or zip (nothing but headers).

    Raises
    ------
    InputError
        If the path does not exist or holds nothing readable.
    """

    def told(done: int, total: int) -> None:
        if progress is not None:
            progress("Reading headers", done / total if total else float("nan"), f"{done} of {total} files")

    return read_inventory(path, progress=told)


def plan(inventory: Inventory, options: EstimateOptions | None = None) -> Plan:
    """Decide what will be estimated and say what will not.

    Raises
    ------
    InputError, ContradictionError, DicomError
        If there is nothing to estimate, two patients are mixed, or statements contradict each other.
    """
    options = options or EstimateOptions()
    for key in options.absent:
        organ(key)  # an unknown name is refused here, not after the simulation
    info = single_patient(inventory)
    person = merge_person(
        info,
        sex=options.sex,
        age_y=options.age_y,
        height_cm=options.height_cm,
        weight_kg=options.weight_kg,
    )
    exposures, left_out, refused = _exposures(inventory, options)
    claimed = {uid for p in exposures for uid in p.claim.series_uids}
    listed = {uid for item in refused for uid in item.series_uids}
    for series in inventory.series:
        if series.series_uid not in claimed | listed and series.modality not in ("SEG", "RTSTRUCT"):
            left_out.append(
                LeftOut(what=_describe(series), reason="no modality of this version estimates it")
            )
    if not exposures:
        _refuse(inventory, left_out)
    return Plan(
        person=person,
        exposures=tuple(exposures),
        left_out=tuple(left_out),
        found=tuple(_found(inventory)),
        problems=tuple(f"{p.sentence}" for p in inventory.problems),
        notes=(*info.notes, *inventory.notes),
        options=options,
        inventory=inventory,
    )


def _exposures(
    inventory: Inventory, options: EstimateOptions
) -> tuple[list[PlannedExposure], list[LeftOut], list[Claim]]:
    """Return the exposures to estimate, what is left out, and the claims behind the latter."""
    planned: list[PlannedExposure] = []
    left_out: list[LeftOut] = []
    refused: list[Claim] = []
    own_images = []
    for modality in modalities().values():
        claims = [c for c in modality.claims(inventory) if c.kind is ClaimKind.EXPOSURE]
        for claim in claims:
            series = _series_of(inventory, claim)
            if not claim.estimable or series is None:
                left_out.append(LeftOut(what=claim.title, reason=claim.reason, facts=dict(claim.facts)))
                refused.append(claim)
                continue
            own_images.append(not claim.borrowed)
            planned.append(
                PlannedExposure(
                    modality=modality,
                    claim=claim,
                    exposure=modality.ingest(claim, _given(options)),
                    series=series,
                )
            )
    if options.ctdivol_mgy is not None and sum(own_images) > 1:
        raise InputError(
            f"--ctdivol-mgy was given, but {sum(own_images)} scans were found and each has its own CTDIvol",
            where="--ctdivol-mgy",
            todo="give the folder of one scan, or add the dose report of the exam",
        )
    return planned, left_out, refused


def _given(options: EstimateOptions) -> dict[str, Any]:
    return {"ctdivol_mgy": options.ctdivol_mgy, "kv": options.kv}


def _series_of(inventory: Inventory, claim: Claim) -> Series | None:
    chosen = getattr(claim.payload, "series", None)
    if isinstance(chosen, Series):
        return chosen
    for uid in claim.series_uids:
        for series in inventory.series:
            if series.series_uid == uid:
                return series
    return None


def _describe(series: Series) -> str:
    count = len(series.instances)
    text = f"{series.modality} series of {count} object{'s' if count != 1 else ''}"
    return text + (f", {series.description}" if series.description else "")


def _found(inventory: Inventory) -> list[str]:
    lines = [_describe(s) for s in inventory.series]
    lines += ["dose report" for _ in inventory.reports]
    lines += [f"NIfTI file {n.path.name}" for n in inventory.nifti]
    if inventory.other_files:
        lines.append(f"{inventory.other_files} files that are not DICOM")
    return lines


def _refuse(inventory: Inventory, left_out: list[LeftOut]) -> None:
    """Say why nothing can be estimated, in one sentence."""
    if not inventory.series and not inventory.reports:
        problems = f" ({inventory.problems[0].sentence})" if inventory.problems else ""
        raise InputError(
            f"no images and no dose reports were found{problems}",
            where="the given folder",
            allowed="DICOM files of a CT exam, also nested or zipped",
        )
    reasons = "; ".join(dict.fromkeys(f"{item.what}: {item.reason}" for item in left_out))
    raise InputError(
        f"nothing here can be estimated: {reasons}" if reasons else "nothing here can be estimated",
        where="the given folder",
        allowed="a CT series of slices",
        todo="add the series of slices of the exam",
    )
