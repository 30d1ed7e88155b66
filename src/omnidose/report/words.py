"""The words of the report, in one place, and the phrases that are chosen from numbers.

Sentences are here, headings in the templates, everything else in a message of another room: a
translation has two places to look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor, log10

from omnidose.errors import QuantityKindError
from omnidose.quantities import EffectiveDose, Quantity
from omnidose.risk.results import RiskEstimate, RiskResult

#: Upper bound of the lifetime risk of each band, in the style of the HPA (Calman's scale).
BANDS = (
    (1e-6, "negligible"),
    (1e-5, "minimal"),
    (1e-4, "very low"),
    (1e-3, "low"),
    (1e-2, "moderate"),
    (1.0, "high"),
)
#: Group sizes in which a risk may be told.
GROUPS = (100, 1000, 10_000, 100_000, 1_000_000)
SPACE = "\u202f"  # narrow no-break space between thousands

SITE_NAMES = {
    "oral": "Mouth and throat",
    "oesophagus": "Oesophagus",
    "stomach": "Stomach",
    "colon": "Colon",
    "rectum": "Rectum",
    "liver": "Liver",
    "pancreas": "Pancreas",
    "lung": "Lung",
    "breast": "Breast",
    "prostate": "Prostate",
    "uterus": "Uterus",
    "ovary": "Ovary",
    "bladder": "Bladder",
    "kidney": "Kidney",
    "brain": "Brain",
    "thyroid": "Thyroid",
    "leukaemia": "Leukaemia (red marrow)",
    "remainder": "Other solid cancers",
}

TEXT = {
    "intended_use": "Made for medical physicists, for optimisation, research and teaching. It is "
    "not a medical "
    "device and not a basis for treatment.",
    "not_for_treatment": "Imaging dose – not for treatment",
    "therapy_stamp": "Dose after a therapy – not a basis for treatment",
    "others_relative": "The images of these scans say nothing about the output of the scanner: their doses "
    "are in mGy per mGy CTDIvol, and stand in no sum.",
    "relative": "The images say nothing about the output of the scanner, so every dose on this page is given "
    "in {unit}. Multiply by the displayed CTDIvol to get mGy. No risk can be stated.",
    "pictures_note": "Views are in radiological convention: the patient's right (R) is on the left "
    "of the picture. "
    "The {base} has a window of {level} ± {half} HU. Doses below {floor}, and air around the body, are left "
    "clear. The colours mix with the grey of the {base}: at full strength of the dose layer they are those "
    "of the scale.",
    "bars_note": "Mean absorbed dose of the tissues that have a weight in ICRP 103, of the lenses, and of "
    "lesions. The pale band is the 95 % interval of everything that is known of ({known}); for {far} it "
    "spans factors and may run off the scale. The dark line is the statistical part of the Monte Carlo, "
    "which alone is never the accuracy of the dose.",
    "origin_note": "Segmented: outlined in the patient's images. Atlas: placed by registration. "
    "Phantom: taken from a "
    "scaled phantom{phantom}.",
    "dvh_note": "Share of the organ's volume that gets at least the dose on the axis.",
    "icons_note": "Each dot is one person. Orange dots, at the beginning: extra cancers because of this "
    "exposure. Outlined dots: further extra cancers if the upper end of the 95 % interval is true. "
    "Dark dots: "
    "cancer at some time anyway. Pale dots: no cancer.",
    "no_pictures": "No pictures: the result has no dose map on a grid that can be shown.",
    "no_sums": "The w_T-weighted sum describes this one patient and is not an effective dose; it is "
    "not used for the risk.",
}

#: What the notes of an exam say of a beam from outside, and of activity in the body.
BEAM = {
    "known": "scanner output, source model, outlines and places of organs, completion of the body, "
    "statistics",
    "far": "organs outside the beam",
    "phantom": ", outside the images",
}
ACTIVITY = {
    "known": "activity and its course in time, calibration of the camera, outlines and places of organs, "
    "completion of the body, statistics",
    "far": "organs whose place no image shows",
    "phantom": ", outside the images or where they do not show the organ",
}

LIMITS = (
    "Organ doses hold for the exposure described and the outlines used; a wrong outline gives a wrong dose.",
    "The risk is the average of a large group of people with these organ doses. What happens to one person "
    "cannot be told from it.",
    "Below about 100 mGy an extra risk has not been observed directly: it is an extrapolation, and "
    "it may be zero.",
    "The benefit of the examination is not part of this page; it is usually much larger than the risk.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A risk told as people in a group, baseline and extra on the same group.

    Attributes
    ----------
    group
        Number of people.
    baseline, extra, low, high
        People of that group.
    """

    group: int
    baseline: int
    extra: float
    low: float
    high: float


def exam_note(key: str, modality: str) -> str:
    """Return a note of :data:`TEXT` in the words that fit the modality."""
    text = TEXT[key]
    for name, words in (ACTIVITY if modality == "nuclear" else BEAM).items():
        text = text.replace(f"{{{name}}}", words)
    return text


def band(fraction: float) -> str:
    """Return the name of the band in which a lifetime risk lies (0 and below: negligible)."""
    for upper, name in BANDS:
        if fraction < upper:
            return name
    return BANDS[-1][1]


def band_phrase(risk: RiskEstimate) -> str:
    """Return the band of the central value, and those of the interval if they differ.

    For example ``low (could be very low to moderate)``.
    """
    middle = band(risk.central_fraction)
    low, high = band(max(risk.lower_fraction, 0.0)), band(risk.upper_fraction)
    if low == high == middle:
        return middle
    if low == middle:
        return f"{middle} (could be {high})"
    if high == middle:
        return f"{middle} (could be {low})"
    return f"{middle} (could be {low} to {high})"


def counts(risk: RiskEstimate, baseline_fraction: float) -> Counts:
    """Choose a group in which the central extra risk is at least one person, and count in it."""
    group = next((n for n in GROUPS[1:] if risk.central_fraction * n >= 1.0), GROUPS[-1])
    return Counts(
        group=group,
        baseline=int(significant(baseline_fraction * group, 2)),
        extra=significant(risk.central_fraction * group, 2),
        low=significant(max(risk.lower_fraction, 0.0) * group, 2),
        high=significant(risk.upper_fraction * group, 2),
    )


def significant(value: float, digits: int) -> float:
    """Round to significant digits."""
    if value == 0 or value != value:
        return value
    places = digits - 1 - floor(log10(abs(value)))
    return round(value, places)


def number(value: float, digits: int = 3) -> str:
    """Write a number for people: significant digits, thousands apart, no exponent for usual sizes."""
    if value != value:
        return "–"
    if value == 0:
        return "0"
    rounded = significant(value, digits)
    size = abs(rounded)
    if size < 1e-4:
        return f"{rounded:.{digits - 1}e}"
    places = max(digits - 1 - floor(log10(size)), 0)
    return f"{rounded:,.{places}f}".replace(",", SPACE)


def tick(value: float) -> str:
    """Write the number of an axis tick as short as it is exact."""
    return f"{value:.6g}"


def moment(text: str) -> str:
    """Write an ISO date-time for people; anything else stays as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = " UTC" if when.utcoffset() == timedelta(0) else ""
    return f"{when:%Y-%m-%d %H:%M}{zone}"


def some_people(value: float) -> str:
    """Write a number of people for somebody who is one of them: no part of a person."""
    if value < 1:
        return "less than one"
    return whole(int(significant(value, 2))) if value >= 10 else whole(round(value))


def whole(value: int) -> str:
    """Write a whole number, thousands apart."""
    return f"{value:,}".replace(",", SPACE)


def people(value: float) -> str:
    """Write a number of people, with at most two digits after the point for less than ten."""
    if value == 0:
        return "0"
    return number(value, 2)


def group_name(sex: str, age_y: float) -> str:
    """Return ``women of age 45`` and the like."""
    adult = age_y >= 18
    word = {("F", True): "women", ("M", True): "men", ("F", False): "girls", ("M", False): "boys"}
    return f"{word.get((sex, adult), 'people')} of age {floor(age_y)}"


def patient_paragraph(risk: RiskResult) -> str:
    """Say the risk in plain words: group, baseline, extra, interval, band; never "1 in N" alone."""
    c = counts(risk.total, risk.baseline_fraction)
    group = whole(c.group)
    baseline = whole(c.baseline)
    small = max((site.dose_mgy for site in risk.sites), default=0.0) < 100.0
    doubt = " Whether doses as small as these cause any cancer is not certain." if small else ""
    return (
        f"Think of {group} {group_name(risk.sex, risk.age_y)}. Without this examination about {baseline} of "
        "them get a cancer at some time in their lives. If all of them had the doses on this page, about "
        f"{some_people(c.extra)} more would get one; the true number is probably between "
        f"{some_people(c.low)} and {some_people(c.high)}.{doubt} An extra risk of this size is called "
        f"“{band_phrase(risk.total)}”. An examination is done because what it can find out matters more "
        "than this; if you have doubts, talk to the doctor who asked for it."
    )


def referrer_paragraph(risk: RiskResult) -> str:
    """Say the risk for the doctor who asked for the exam."""
    top = sorted(risk.sites, key=lambda s: -s.risk.central_fraction)[:3]
    names = ", ".join(
        f"{SITE_NAMES.get(s.site, s.site).lower()} ({percent(s.risk.central_fraction)})" for s in top
    )
    return (
        f"Lifetime attributable risk of cancer (incidence), all modelled sites: "
        f"{percent(risk.total.central_fraction)}, "
        f"95 % interval {percent(max(risk.total.lower_fraction, 0.0))} to "
        f"{percent(risk.total.upper_fraction)}, beside "
        f"a baseline of {percent(risk.baseline_fraction)} from age {floor(risk.age_y)} on. Largest "
        f"parts: {names}. "
        f"Band: {band_phrase(risk.total)}. The estimate is for the average person of this sex and "
        f"age with the life "
        "expectancy of the population; with a disease that shortens life it is lower."
    )


def physicist_paragraph(risk: RiskResult) -> str:
    """Say how the risk was made."""
    draws = whole(risk.draws)
    return (
        f"Model: {risk.model} ({risk.model_source}). Population: {risk.population_text}. Central "
        f"values use no random "
        f"numbers; the interval is 2.5 to 97.5 % of {draws} draws (seed {risk.seed}) in which one "
        f"vector of parameters "
        f"(slopes, DDREF, transfer, leukaemia covariance) and of dose errors is shared by all "
        f"organs; mean of the draws "
        f"{percent(risk.total.mean_fraction)}. Input is organ doses only, never a w_T-weighted sum."
    )


def percent(fraction: float) -> str:
    """Write a probability in per cent with two significant digits."""
    if fraction == 0:
        return "0 %"
    value = 100.0 * fraction
    if abs(value) < 0.001:
        return "under 0.001 %" if value > 0 else "below 0 %"
    return f"{number(value, 2)} %"


def background_phrase(dose: Quantity, background_msv_per_y: float) -> str:
    """Compare an effective dose with natural background.

    Raises
    ------
    QuantityKindError
        For anything but an effective dose: organ doses and w_T-weighted sums are not comparable.
    """
    if not isinstance(dose, EffectiveDose):
        raise QuantityKindError(
            f"a {type(dose).__name__} cannot be compared with natural background", allowed="EffectiveDose"
        )
    days = 365.25 * float(dose.value) / background_msv_per_y
    span = f"{number(days, 2)} days" if days < 365.25 else f"{number(days / 365.25, 2)} years"
    return (
        f"as much as {span} of natural background ({background_msv_per_y:g} mSv a year), for a "
        f"reference person"
    )


def organ_name(key: str) -> str:
    """Return an organ's name for people, also for one that the vocabulary does not know."""
    from omnidose.anatomy.organs import organs

    known = organs().get(key)
    text = known.name if known else key.replace("-", " ").replace("_", " ")
    return text[:1].upper() + text[1:]
