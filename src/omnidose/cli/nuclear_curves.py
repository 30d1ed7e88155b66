"""Time-activity curves from a CSV file, for ``omnidose nuclear``."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from omnidose.errors import InputError
from omnidose.kinetics.curves import TimeActivityCurve

#: What a column may be called: names say their unit.
NAMES = {
    "time": ("time_h", "t_h", "hours"),
    "activity": ("activity_mbq", "mbq"),
    "std": ("std_mbq", "u_mbq", "uncertainty_mbq"),
    "region": ("region", "organ", "name"),
}
#: Points that are less certain than their own value say nothing.
MOST_STD_REL = 1.0


def read_curves(
    path: Path, *, std_rel: float | None = None, corrected_half_life_h: float | None = None
) -> tuple[TimeActivityCurve, ...]:
    """Return the curves of a CSV file, one for each region.

    Parameters
    ----------
    path
        Columns time_h, activity_mbq and, if known, std_mbq and region, named in the first line.
    std_rel
        Relative standard uncertainty of every point, where there is no column of it.
    corrected_half_life_h
        Activities were corrected for decay to the injection with this half-life; None: they were not.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing, a cell is no number, or nothing says how certain the
        points are.
    """
    rows = _rows(path)
    regions = list(dict.fromkeys(row.get("region", "") for row in rows))
    found = []
    for region in regions:
        mine = sorted((r for r in rows if r.get("region", "") == region), key=lambda r: float(r["time"]))
        time = np.array([float(r["time"]) for r in mine])
        activity = np.array([float(r["activity"]) for r in mine])
        has_std = "std" in mine[0]
        if has_std and std_rel is not None:
            raise InputError(
                "the file has a column of uncertainties", where="--std", todo="leave out one of the two"
            )
        if not has_std and std_rel is None:
            raise InputError(
                "nothing says how certain the points are",
                where=str(path),
                todo="add a column std_mbq, or say --std 0.05 for 5 % each",
            )
        if not has_std and not 0 < (std_rel or 0.0) <= MOST_STD_REL:
            raise InputError(
                f"a relative uncertainty of {std_rel:g} cannot be used",
                where="--std",
                allowed=f"above 0 to {MOST_STD_REL:g} (0.05 for 5 %)",
            )
        std = np.array([float(r["std"]) for r in mine]) if has_std else np.abs(activity) * (std_rel or 0.0)
        name = region or path.stem
        if corrected_half_life_h is None:
            curve = TimeActivityCurve(time_h=time, activity_mbq=activity, std_mbq=std, name=name)
        else:
            curve = TimeActivityCurve.from_decay_corrected(
                time, activity, std, half_life_h=corrected_half_life_h, name=name
            )
        found.append(curve)
    return tuple(found)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"the curve cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise InputError("the curve is no text file", where=str(path), allowed="CSV in UTF-8") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    table = list(csv.reader(lines))
    if len(table) < 2:
        raise InputError("the file holds no curve", where=str(path), allowed="a line of names, then points")
    columns = _columns(table[0], path)
    rows = []
    for number, cells in enumerate(table[1:], start=2):
        row = {what: cells[i].strip() if i < len(cells) else "" for what, i in columns.items()}
        for what in ("time", "activity", "std"):
            if what in row:
                _check_number(row[what], what, f"{path}, row {number}")
        rows.append(row)
    return rows


def _columns(header: list[str], path: Path) -> dict[str, int]:
    known = [name.strip().lower() for name in header]
    found = {}
    for what, names in NAMES.items():
        places = [known.index(name) for name in names if name in known]
        if places:
            found[what] = places[0]
    for what in ("time", "activity"):
        if what not in found:
            raise InputError(
                f"there is no column of {what}",
                where=str(path),
                allowed=f"one named {', '.join(NAMES[what])}",
                todo="name the columns in the first line: time_h,activity_mbq,std_mbq",
            )
    return found


def _check_number(cell: str, what: str, where: str) -> None:
    try:
        float(cell)
    except ValueError:
        raise InputError(
            f"'{cell}' is no number ({what})", where=where, allowed="a number with a decimal point"
        ) from None


def read_curve(path: Path, *, std_rel: float | None = None) -> TimeActivityCurve:
    """Return the one curve of a CSV file.

    Raises
    ------
    InputError
        For several curves, or what :func:`read_curves` refuses.
    """
    curves = read_curves(path, std_rel=std_rel)
    if len(curves) > 1:
        names = ", ".join(c.name for c in curves)
        raise InputError(f"the file holds {len(curves)} curves ({names})", where=str(path), allowed="one")
    return curves[0]
