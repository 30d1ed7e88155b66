"""``write``: the files of one job, all or none."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from omnidose import __version__
from omnidose.anatomy.organs import organ
from omnidose.dicom.masks import MaskSet
from omnidose.dicom.nifti import write_nifti
from omnidose.dicom.writers import write_rt_dose, write_seg
from omnidose.dosimetry.results import ExposureResult, OrganDoses
from omnidose.errors import CancelledError, InputError, OutputError
from omnidose.exams.plan import StageProgress
from omnidose.exams.run import ExamResult, body_key
from omnidose.ledger.events import history_to_json
from omnidose.report.content import FoundItem, ReportContent
from omnidose.report.html import render
from omnidose.volume import Volume

SCHEMA = "omnidose-exam-1"
#: Names of our own results: those of an earlier job leave the folder when new ones come.
_OURS = re.compile(
    r"organ_doses\.(csv|json)|history\.json|report\.html|dose(_\d+)?\.(nii\.gz|dcm)|organs(_\d+)?\.dcm"
)
LIMITS = ("Not for treatment and not a substitute for the judgement of a medical physics expert.",)
#: What limits the results of one modality.
LIMITS_OF = {
    "ct": (
        "Photons only: electrons deposit their energy where they are set free (kerma approximation), "
        "which matters within a few millimetres of air and lung borders at high energies.",
        "The displayed CTDIvol carries an uncertainty of about 10 %, which all organs share.",
    ),
    "nuclear": (
        "Activity from images at one moment: kinetics before and after it are assumed, and hot structures "
        "smaller than about 2 cm are blurred by the camera.",
        "Electrons and positrons are averaged over the voxels of the image; nothing is said about cells.",
    ),
}
SERIES_LIMITS = (
    "Activity is even within each outline where blur is corrected; outlines and scans lie as rigid bodies.",
    "Electrons are averaged over outlines or voxels of the image; nothing is said about cells.",
    "BED, EQD2 and limits of practice rest on models of external beams; none of them is measured here.",
)
LIMITS_OF_ALL = (
    "Organs that are not wholly in the images rest on a phantom scaled to the person.",
    "Lifetime risks are means over populations; they do not predict what happens to one person.",
)


def check_output(folder: Path) -> None:
    """Make sure, before any work, that results can be written to ``folder``.

    Raises
    ------
    OutputError
        If the folder cannot be made or written, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(
            f"{folder.name} is a file", where="--out", todo="name a folder that does not exist yet"
        )
    parent = folder if folder.is_dir() else _first_existing(folder)
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise OutputError(
            f"results cannot be written to {folder} ({error.strerror})",
            where="--out",
            todo="give a folder with write rights: --out FOLDER",
        ) from error


def _first_existing(folder: Path) -> Path:
    for parent in folder.resolve().parents:
        if parent.exists():
            return parent
    return Path.cwd()


def write(result: ExamResult, folder: Path, *, progress: StageProgress | None = None) -> dict[str, Path]:
    """Write every file of a job into a hidden folder beside ``folder``, then move them in place.

    Returns
    -------
    dict
        ``organ_doses_csv``, ``organ_doses_json``, ``history``, ``report``, and for every scan
        ``dose``, ``dose_dicom``, ``organs_dicom`` (numbered from the second scan on).

    Raises
    ------
    OutputError
        If the disk refuses; then nothing new remains.
    """
    tell = progress or (lambda _stage, _share, _text: None)
    check_output(folder)
    folder = folder.absolute()
    new_parents = [parent for parent in folder.parents if not parent.exists()]  # innermost first
    scratch: Path | None = None
    done = False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
        names = _write_all(result, scratch, tell)
        _publish(scratch, folder, names)
        done = True
    except KeyboardInterrupt:
        raise CancelledError("the job was stopped; nothing was written") from None
    except (OSError, OutputError) as error:
        cause = error.__cause__ if isinstance(error, OutputError) else error
        reason = getattr(cause, "strerror", None) or type(cause or error).__name__
        raise OutputError(
            f"the results could not be written ({reason}), so none are kept",
            where=str(folder),
            todo="free some space or name another folder with --out",
        ) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        for parent in () if done else new_parents:
            with suppress(OSError):  # somebody else may have put something there meanwhile
                parent.rmdir()
    return {key: folder / name for key, name in names.items()}


def _publish(scratch: Path, folder: Path, names: dict[str, str]) -> None:
    """Move a complete set of results in place; an earlier set goes, or comes back if anything fails."""
    if not folder.exists():
        mask = os.umask(0)
        os.umask(mask)
        scratch.chmod(0o777 & ~mask)  # mkdtemp makes folders that only their owner can read
        scratch.rename(folder)
        return
    former = Path(tempfile.mkdtemp(prefix="former-", dir=scratch))
    old = [p.name for p in folder.iterdir() if _OURS.fullmatch(p.name) and p.is_file()]
    moved: list[str] = []
    try:
        for name in old:
            os.replace(folder / name, former / name)
        for name in names.values():
            os.replace(scratch / name, folder / name)
            moved.append(name)
    except BaseException:
        for name in moved:  # only those: a name not moved yet is still the earlier result
            (folder / name).unlink(missing_ok=True)
        for kept in former.iterdir():
            os.replace(kept, folder / kept.name)
        raise


def _write_all(result: ExamResult, scratch: Path, tell: StageProgress) -> dict[str, str]:
    names = {
        "organ_doses_csv": "organ_doses.csv",
        "organ_doses_json": "organ_doses.json",
        "history": "history.json",
        "report": "report.html",
    }
    written_bodies: set[str] = set()
    for number, (item, exposure) in enumerate(
        zip(result.plan.exposures, result.results, strict=True), start=1
    ):
        suffix = "" if number == 1 else f"_{number}"
        tell("Writing", float("nan"), f"dose of scan {number}")
        if exposure.dose_map is not None:
            dose = exposure.dose_map
            names[f"dose{suffix}"] = f"dose{suffix}.nii.gz"
            names[f"dose_dicom{suffix}"] = f"dose{suffix}.dcm"
            write_nifti(scratch / f"dose{suffix}.nii.gz", dose.volume, description=_unit(exposure)[:79])
            write_rt_dose(
                scratch / f"dose{suffix}.dcm",
                dose.volume,
                item.series,
                relative_to=dose.relative_to,
                therapy=exposure.therapy,
            )
        key = body_key(item.series)
        if key not in written_bodies:
            written_bodies.add(key)
            body = result.bodies[key]
            names[f"organs_dicom{suffix}"] = f"organs{suffix}.dcm"
            write_seg(
                scratch / f"organs{suffix}.dcm",
                MaskSet(
                    labels=body.image_labels.array,
                    grid=body.image_labels.grid,
                    names=body.organ_names,
                    kind="SEG",
                ),
                item.series,
                codes=_codes(body.organ_names),
                automatic=result.plan.options.masks is None,
            )
    (scratch / names["organ_doses_csv"]).write_text(organ_csv(result), "utf-8")
    document = result_to_json(result, {key: Path(name) for key, name in names.items()})
    (scratch / names["organ_doses_json"]).write_text(json.dumps(document, indent=1), "utf-8")
    (scratch / names["history"]).write_text(history_to_json(result.history), "utf-8")
    tell("Writing", float("nan"), "report")
    (scratch / names["report"]).write_text(render(report_content(result)), "utf-8")
    return names


def _unit(exposure: ExposureResult) -> str:
    relative = exposure.organ_doses.relative_to
    return f"absorbed dose in mGy per {relative}" if relative else "absorbed dose in mGy"


def _codes(names: dict[int, str]) -> dict[str, tuple[str, str, str]]:
    codes = {}
    for name in names.values():
        try:
            known = organ(name)
        except InputError:
            continue
        if known.snomed_code:
            codes[name] = (known.snomed_code, "SCT", known.snomed_meaning)
    return codes


def organ_csv(result: ExamResult) -> str:
    """Return all organ doses as CSV: a column says which scan, ``all`` is their sum."""
    tables: list[tuple[str, OrganDoses]] = []
    for k, exposure in enumerate(result.results, start=1):
        tables.append((f"scan {k}", exposure.organ_doses))
        plain = result.without_contrast.get(k)
        if plain is not None:
            tables.append((f"scan {k} without contrast medium", plain))
    if result.total is not None:
        tables.append(("all", result.total))
    lines: list[str] = []
    for name, doses in tables:
        header, *rows = doses.to_csv().splitlines()
        if not lines:
            lines.append(f"exposure,{header}")
        lines += [f"{name},{row}" for row in rows]
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    """Return JSON types; NaN and infinity become null (JSON has neither)."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, frozenset, set)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value


def result_to_json(result: ExamResult, files: dict[str, Path]) -> dict[str, Any]:
    """Return the machine-readable result of a job (JSON types only)."""
    exposures = []
    for k, exposure in enumerate(result.results, start=1):
        plain = result.without_contrast.get(k)
        exposures.append(
            {
                "key": exposure.exposure_key,
                "modality": exposure.modality,
                "title": exposure.title,
                "organ_doses": exposure.organ_doses.rows(),
                "organ_doses_without_contrast": plain.rows() if plain is not None else None,
                "relative_to": exposure.organ_doses.relative_to,
                "components": [
                    {
                        "key": c.key,
                        "distribution": c.distribution.value,
                        "std_rel": c.std_rel,
                        "text": c.text,
                    }
                    for c in exposure.organ_doses.components
                ],
                "quantities": {k: q.to_json() for k, q in exposure.quantities.items()},
                "therapy": exposure.therapy,
                "figures": [
                    {"key": f.key, "title": f.title, "data": f.data}
                    for f in exposure.figures
                    if f.key.startswith("series-")
                ],
                "warnings": exposure.warnings,
                "provenance": exposure.provenance.to_json(),
            }
        )
    document = {
        "schema": SCHEMA,
        "software": f"omnidose {__version__}",
        "person": {
            "sex": result.person.sex,
            "age_y": result.person.age_y,
            "height_cm": result.person.height_cm,
            "weight_kg": result.person.weight_kg,
        },
        "found": result.plan.found,
        "not_estimated": [{"what": i.what, "reason": i.reason, "facts": i.facts} for i in result.left_out],
        "problems": result.plan.problems,
        "notes": result.plan.notes,
        "exposures": exposures,
        "total": result.total.rows() if result.total is not None else None,
        "risk": result.risk.to_json() if result.risk is not None else None,
        "risk_reason": result.risk_reason,
        "warnings": result.warnings,
        "files": {key: str(path) for key, path in files.items()},
    }
    jsonable: dict[str, Any] = _plain(document)
    return jsonable


def report_content(result: ExamResult) -> ReportContent:
    """Return what the report shows."""
    first = result.plan.exposures[0]
    body = result.bodies[body_key(first.series)]
    therapy = any(exposure.therapy for exposure in result.results)
    series = any(f.key == "series-outlines" for exposure in result.results for f in exposure.figures)
    kinds = dict.fromkeys(exposure.modality for exposure in result.results)
    dose: Volume | None = None
    if result.results[0].dose_map is not None:
        dose = result.results[0].dose_map.volume
    return ReportContent(
        title="Absorbed doses of this therapy" if therapy else "Organ doses of this examination",
        results=result.results,
        person=result.person,
        ct=body.image,
        base="CT" if first.series.modality == "CT" else "body model (no CT)",
        dose=dose,
        labels=body.image_labels,
        organ_names=body.organ_names,
        found=tuple(FoundItem(what=line) for line in (*result.plan.found, *result.plan.notes)),
        not_estimated=tuple(FoundItem(what=i.what, use=i.reason) for i in result.left_out),
        risk=result.risk,
        risk_reason=result.risk_reason,
        warnings=(*result.warnings, *result.plan.problems),
        provenance=result.results[0].provenance,
        limits=(
            *LIMITS,
            *(SERIES_LIMITS if series else ()),
            *(
                line
                for kind in kinds
                for line in LIMITS_OF.get(kind, ())
                if not (series and kind == "nuclear")
            ),
            *LIMITS_OF_ALL,
        ),
    )
