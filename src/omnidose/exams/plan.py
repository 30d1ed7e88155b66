"""``survey`` (what is there) and ``plan`` (what will be done with it, and what not)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnidose.anatomy.body import Person
from omnidose.dicom.dose_report import belongs_to, read_dose_report
from omnidose.dicom.inventory import Inventory, ReportObject, Series, read_inventory
from omnidose.dicom.patient import merge_person, single_patient
from omnidose.errors import DicomError, InputError, OmnidoseError
from omnidose.exams.options import EstimateOptions
from omnidose.exams.said import OF_ONE
from omnidose.modalities import Claim, ClaimKind, Exposure, Modality, modalities

#: Called with (stage, share of the stage done or NaN, one line of text).
StageProgress = Callable[[str, float, str], None]

#: More damaged files than this share of all images, and the exam is refused instead of patched.
MAX_DAMAGED_FRACTION = 0.05
#: Modalities of objects that hold outlines, not images.
_OUTLINES = ("SEG", "RTSTRUCT")


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
    if not inventory.series and not inventory.reports:
        _refuse_empty(inventory)
    _check_damage(inventory)
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
        if series.series_uid not in claimed | listed and series.modality not in _OUTLINES:
            left_out.append(
                LeftOut(what=_describe(series), reason="no modality of this version estimates it")
            )
    left_out += _reports_left(inventory)
    if not exposures:
        _refuse(left_out)
    if options.given and all(item.modality.name == "ct" for item in exposures):
        raise InputError(
            f"{', '.join(sorted(options.given))}: said of an exam in which only CT is estimated",
            where="--given",
            todo="leave it out; a CT has --kv and --ctdivol-mgy",
        )
    _check_one(exposures, options)
    return Plan(
        person=person,
        exposures=tuple(exposures),
        left_out=tuple(left_out),
        found=tuple(_found(inventory)),
        problems=tuple(f"{p.sentence}" for p in inventory.problems),
        notes=(*info.notes, *inventory.notes, *_unused_masks(inventory, options)),
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
    faults: list[OmnidoseError] = []
    for modality in modalities().values():
        claims = [c for c in modality.claims(inventory) if c.kind is ClaimKind.EXPOSURE]
        for claim in claims:
            series = _series_of(inventory, claim)
            if not claim.estimable or series is None:
                left_out.append(LeftOut(what=claim.title, reason=claim.reason, facts=dict(claim.facts)))
                refused.append(claim)
                continue
            try:
                exposure = modality.ingest(claim, {} if claim.borrowed else _given(options, modality.name))
            except OmnidoseError as error:
                if modality.name == "ct" or options.given:
                    raise  # somebody asked for this one
                faults.append(error)
                left_out.append(
                    LeftOut(what=claim.title, reason=str(error).rstrip("."), facts=dict(claim.facts))
                )
                refused.append(claim)
                continue
            own_images.append(modality.name == "ct" and not claim.borrowed)
            planned.append(PlannedExposure(modality=modality, claim=claim, exposure=exposure, series=series))
    if faults and not planned:
        raise faults[0]
    # A therapy, then scans with images of their own come first: the report shows the first.
    planned.sort(key=lambda item: (not getattr(item.exposure, "therapy", False), item.claim.borrowed))
    if options.ctdivol_mgy is not None and sum(own_images) > 1:
        raise InputError(
            f"--ctdivol-mgy was given, but {sum(own_images)} scans were found and each has its own CTDIvol",
            where="--ctdivol-mgy",
            todo="give the folder of one scan, or add the dose report of the exam",
        )
    return planned, left_out, refused


def _given(options: EstimateOptions, modality: str) -> dict[str, Any]:
    """Return what a person said to a modality; ``given`` is meant for all but CT, which has options."""
    if modality == "ct":
        return {"ctdivol_mgy": options.ctdivol_mgy, "kv": options.kv}
    said = dict(options.given)
    if modality != "nuclear" or options.weight_kg is None:
        return said
    if "weight_kg" in said:
        raise InputError(
            "the weight was said twice", where="--weight-kg and --given weight_kg", todo="say it once"
        )
    return {**said, "weight_kg": options.weight_kg}


def _check_one(exposures: list[PlannedExposure], options: EstimateOptions) -> None:
    """Refuse what belongs to one administration if there are several.

    Raises
    ------
    InputError
        With the number of administrations.
    """
    said = sorted(OF_ONE & set(options.given))
    others = [item for item in exposures if item.modality.name != "ct"]
    if said and len(others) > 1:
        raise InputError(
            f"{', '.join(said)} was said, but {len(others)} administrations were found",
            where="--given",
            todo="give the folder of one of them",
        )


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
    lines += [_count(len(inventory.reports), "structured report")] if inventory.reports else []
    lines += [_count(len(inventory.nifti), "NIfTI file")] if inventory.nifti else []
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _reports_left(inventory: Inventory) -> list[LeftOut]:
    """Return the reports that say nothing about these images: unreadable, or of another study."""
    images = [s for s in inventory.series if s.modality not in _OUTLINES]
    out = []
    for item in inventory.reports:
        what, reason = "structured report", _report_fault(item, images)
        if reason:
            out.append(LeftOut(what=what, reason=reason))
    return out


def _report_fault(item: ReportObject, images: list[Series]) -> str:
    try:
        report = read_dose_report(item)
    except OmnidoseError as error:
        return str(error).rstrip(".")
    if images and not belongs_to(report, images):
        return (
            "this dose report belongs to another study than the images (study, irradiation events and frame "
            "of reference all differ) and is not used; add the report of this exam, or give --ctdivol-mgy"
        )
    return ""


def _unused_masks(inventory: Inventory, options: EstimateOptions) -> list[str]:
    """Say that masks lie beside the images but are not used unless they are asked for."""
    kinds = {s.modality for s in inventory.series if s.modality in _OUTLINES}
    kinds |= {"NIfTI"} if inventory.nifti else set()
    if not kinds or options.masks is not None:
        return []
    return [f"{' and '.join(sorted(kinds))} files beside the images are not used: give masks with --masks."]


def _check_damage(inventory: Inventory) -> None:
    """Refuse an exam of which more is damaged than can be interpolated.

    Raises
    ------
    DicomError
        With the number of damaged files and the first sentence about them.
    """
    damaged = [p for p in inventory.problems if p.kind in ("truncated", "unreadable")]
    images = sum(len(s.instances) for s in inventory.series)
    if len(damaged) <= max(1.0, MAX_DAMAGED_FRACTION * (images + len(damaged))):
        return
    raise DicomError(
        f"{len(damaged)} of {images + len(damaged)} DICOM files are damaged or truncated",
        where=f"{damaged[0].where} and others",
        allowed=f"at most {100 * MAX_DAMAGED_FRACTION:.0f} %, which are interpolated",
        todo="copy or export the exam again",
    )


def _refuse_empty(inventory: Inventory) -> None:
    """Say why a folder without a usable object cannot be used, in one sentence."""
    if inventory.problems:
        first, more = inventory.problems[0], len(inventory.problems) - 1
        also = f", and {_count(more, 'more file')} could not be read" if more else ""
        raise DicomError(
            f"nothing in it can be read: {first.sentence.rstrip('.')}{also}",
            where="the given folder",
            todo="copy or export the exam again",
        )
    beside = _count(inventory.other_files, "file") + " of other kinds" if inventory.other_files else "nothing"
    if inventory.nifti:
        beside = f"{_count(len(inventory.nifti), 'NIfTI file')}, which say nothing about the exposure"
    raise InputError(
        f"no images and no dose reports were found, only {beside}"
        if beside != "nothing"
        else "no images and no dose reports were found: the folder is empty",
        where="the given folder",
        allowed="DICOM files of a CT, PET or SPECT/CT exam, also nested or zipped",
        todo="give the folder that holds the exam",
    )


def _refuse(left_out: list[LeftOut]) -> None:
    """Say why nothing can be estimated, in one sentence."""
    reasons = "; ".join(dict.fromkeys(f"{item.what}: {item.reason}" for item in left_out))
    raise InputError(
        f"nothing here can be estimated: {reasons}" if reasons else "nothing here can be estimated",
        where="the given folder",
        allowed="a CT or PET series of slices, or a SPECT/CT",
        todo="add the series of slices of the exam",
    )
