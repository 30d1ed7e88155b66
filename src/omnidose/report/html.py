"""``render(content) -> str``: the whole report as one HTML page that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
from math import floor
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from omnidose.quantities import EffectiveDose, Quantity, WeightedOrganSum
from omnidose.report import charts, pictures, series, words
from omnidose.report.content import ReportContent

QUANTITY_NAMES = {"ctdivol": "CTDIvol", "dlp": "DLP", "ssde": "SSDE"}


def render(content: ReportContent) -> str:
    """Write the report.

    Parameters
    ----------
    content
        What to show. Every text in it is escaped: DICOM strings may hold anything.

    Returns
    -------
    str
        One HTML document: pictures, styles and script inside; a content security policy forbids
        every request.
    """
    environment = _environment()
    style = environment.get_template("style.css.j2").render()
    script = environment.get_template("script.js.j2").render()
    drawn, no_picture = pictures.try_pictures(content.ct, content.dose, content.labels)
    return environment.get_template("report.html.j2").render(
        content=content,
        exams=[_exam(content, result) for result in content.results],
        drawn=drawn,
        no_picture=no_picture,
        palette=[f"rgb({r},{g},{b})" for r, g, b in pictures.COLOURS],
        scale_ticks=_scale_ticks(drawn.top_mgy) if drawn else [],
        risk=_risk(content),
        person=_person(content),
        facts=_facts(content),
        warnings=_warnings(content),
        assumptions=_assumptions(content),
        provenance=_provenance(content),
        limits=(*content.limits, *words.LIMITS),
        t=words.TEXT,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("omnidose.report"),
        autoescape=select_autoescape(["html.j2", "html"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = words.number
    environment.filters["percent"] = words.percent
    environment.filters["whole"] = words.whole
    environment.filters["per_100_000"] = _per_100_000
    environment.filters["share"] = _share
    return environment


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def _share(value: float) -> str:
    """Write a fraction as per cent; a dash if unknown."""
    if value != value:
        return "–"
    return f"{100 * value:.0f} %"


def _person(content: ReportContent) -> str:
    sex = {"F": "female", "M": "male"}.get(content.person.sex, "sex not known")
    age_y = content.person.age_y
    return f"{sex}, {floor(age_y)} years" if age_y is not None else f"{sex}, age not known"


def _quantity_name(key: str, quantity: Quantity) -> str:
    if isinstance(quantity, EffectiveDose):
        return "Effective dose (reference person)"
    if isinstance(quantity, WeightedOrganSum):
        return "w_T-weighted sum of organ doses"
    phantom = getattr(quantity, "phantom_cm", None)
    name = QUANTITY_NAMES.get(key.lower(), key.replace("_", " ").replace("-", " "))
    return f"{name} ({phantom} cm phantom)" if phantom else name


def _facts(content: ReportContent) -> list[tuple[str, str, str]]:
    """Return (name, value, remark) of what a reader looks for first: doses of a therapy before all else."""
    therapies = [result for result in content.results if result.therapy]
    out = [fact for result in therapies for fact in series.therapy_facts(result)]
    for result in content.results:
        for key, quantity in result.quantities.items():
            # a sum of relative doses is relative too
            unit = quantity.unit
            relative_to = result.organ_doses.relative_to
            if relative_to and isinstance(quantity, EffectiveDose | WeightedOrganSum):
                unit = f"{unit} per {relative_to}"
            remark = result.title if len(content.results) > 1 else ""
            if isinstance(quantity, EffectiveDose) and not relative_to:
                remark = words.background_phrase(quantity, content.background_msv_per_y)
            if isinstance(quantity, WeightedOrganSum):
                remark = words.TEXT["no_sums"]
            value = f"{words.number(float(quantity.value))} {unit}"
            out.append((_quantity_name(key, quantity), value, remark))
    alike = [r for r in content.results if r.organ_doses.relative_to == content.relative_to]
    rows = [row for result in alike for row in charts.weighted_rows(result.organ_doses)]
    if rows and not therapies:
        row = max(rows, key=lambda row: float(row["dose_mgy"]))
        name = words.organ_name(str(row["organ"]))
        value = f"{words.number(row['dose_mgy'])} {row['unit']}"
        low, high = (words.number(row[key], 2) for key in ("low95_mgy", "high95_mgy"))
        remark = f"95 % interval {low} to {high}, statistical and systematic together"
        out.append((f"Highest organ dose: {name}", value, remark))
    return out


def _exam(content: ReportContent, result: Any) -> dict[str, Any]:
    doses = result.organ_doses
    unit = f"mGy per {doses.relative_to}" if doses.relative_to else "mGy"
    rows, bars, lesions = charts.organ_rows(doses), charts.organ_bars(doses), charts.lesion_bars(doses)
    absent = [
        words.organ_name(o) for o, kind in zip(doses.organs, doses.origin, strict=True) if kind == "absent"
    ]
    return {
        "result": result,
        "note": " ".join(words.exam_note(key, result.modality) for key in ("bars_note", "origin_note")),
        "unit": unit,
        "bars": bars,
        "lesion_bars": lesions,
        "rows": [{**row, "name": words.organ_name(str(row["organ"]))} for row in rows],
        "absent": absent,
        "more": len(rows) - len(bars) - len(lesions),
        "dvh": charts.dvh_chart(doses, unit),
        "figures": [c for f in result.figures if (c := charts.figure_chart(f)) is not None],
        "components": doses.components,
        "mean_component": _mean_std(doses.components),
        "series": series.section(result),
    }


def _mean_std(components: Any) -> list[tuple[str, str, str]]:
    """Return (key, relative standard uncertainty, text) of the systematic components."""
    out = []
    for component in components:
        std = component.std_rel
        if isinstance(std, tuple):
            finite = [s for s in std if s == s]
            text = f"{100 * min(finite):.0f} to {100 * max(finite):.0f} %" if finite else "–"
        else:
            text = f"{100 * std:.0f} %" if std >= 0.095 else f"{100 * std:.1f} %"
        out.append((component.key, text, component.text))
    return out


def _scale_ticks(top: float) -> list[tuple[float, str]]:
    return [(100 * t / top, words.tick(t)) for t in charts.nice_ticks(top, 4) if t <= top * 1.0001]


def _risk(content: ReportContent) -> dict[str, Any] | None:
    risk = content.risk
    if risk is None:
        return None
    counts = words.counts(risk.total, risk.baseline_fraction)
    upper = max(risk.total.upper_fraction, 0.0)
    return {
        "result": risk,
        "counts": counts,
        "group_name": words.group_name(risk.sex, risk.age_y),
        "band": words.band_phrase(risk.total),
        "dots": charts.people_dots(counts, risk.total.central_fraction, upper),
        "patient": words.patient_paragraph(risk),
        "referrer": words.referrer_paragraph(risk),
        "physicist": words.physicist_paragraph(risk),
        "sites": [
            {"site": s, "name": words.SITE_NAMES.get(s.site, s.site)}
            for s in sorted(risk.sites, key=lambda s: -s.risk.central_fraction)
        ],
        "left": _by_reason(risk.not_estimated),
        "group": words.whole(counts.group),
        "baseline": words.whole(counts.baseline),
        "extra": words.people(counts.extra),
        "low": words.people(counts.low),
        "high": words.people(counts.high),
    }


def _by_reason(left: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return reason -> names of the sites left out for it."""
    groups: dict[str, list[str]] = {}
    for site, reason in left:
        groups.setdefault(reason, []).append(words.SITE_NAMES.get(site, site))
    return {reason: ", ".join(names) for reason, names in groups.items()}


def _per_100_000(fraction: float) -> str:
    return words.number(1e5 * fraction, 2)


def _warnings(content: ReportContent) -> list[str]:
    out = list(content.warnings)
    for result in content.results:
        out += [text for text in result.warnings if text not in out]
    if content.risk is not None:
        out += [text for text in content.risk.warnings if text not in out]
    return out


def _assumptions(content: ReportContent) -> list[Any]:
    out: list[Any] = []
    sources = [result.provenance for result in content.results]
    if content.provenance is not None:
        sources.append(content.provenance)
    for source in sources:
        out += [a for a in source.assumptions if a not in out]
    if content.risk is not None:
        out += [a for a in content.risk.assumptions if a not in out]
    return out


def _setting(value: Any) -> str:
    """Write a setting short enough to read; the JSON file has every digit."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_setting(v) for v in value)
    return "–" if value is None else str(value)


def _provenance(content: ReportContent) -> dict[str, Any]:
    """Return software, settings, table hashes and inputs, joined over the results."""
    sources = [result.provenance for result in content.results]
    if content.provenance is not None:
        sources.insert(0, content.provenance)
    tables: dict[str, str] = {}
    settings: dict[str, Any] = {}
    inputs: list[str] = []
    for source in sources:
        tables.update(source.tables)
        for key, value in source.settings.items():
            settings.setdefault(key, value)
        inputs += [uid for uid in source.inputs if uid not in inputs]
    if content.risk is not None:
        tables.update(content.risk.tables)
        settings.setdefault("risk draws", content.risk.draws)
        settings.setdefault("risk seed", content.risk.seed)
    first = sources[0] if sources else None
    return {
        "software": first.software if first else "",
        "created": words.moment(first.created) if first else "",
        "system": f"{first.system}, Python {first.python}" if first else "",
        "tables": dict(sorted(tables.items())),
        "settings": {key: _setting(value) for key, value in settings.items()},
        "inputs": inputs,
    }
