"""The report: self-contained, escaped, sides right, numbers with their unit and both uncertainties."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import io
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnidose.anatomy.body import Origin, Person
from omnidose.dosimetry.results import (
    Distribution,
    DoseMap,
    DoseVolumeHistogram,
    ExposureResult,
    Figure,
    Normalisation,
    OrganDoses,
    UncertaintyComponent,
)
from omnidose.errors import InputError, QuantityKindError
from omnidose.provenance import Assumption, Provenance
from omnidose.quantities import CtdiVol, DoseLengthProduct, EffectiveDose, WeightedOrganSum
from omnidose.report import charts, pictures, words
from omnidose.report.content import FoundItem, ReportContent
from omnidose.report.html import render
from omnidose.risk import dose_event, exposure_risk
from omnidose.risk.results import RiskEstimate
from omnidose.volume import Grid, Volume

ORGANS = (
    "lungs",
    "heart",
    "breasts",
    "liver",
    "stomach",
    "thyroid",
    "red-marrow",
    "colon",
    "spleen",
    "uterus",
)
DOSES = (11.2, 12.4, 10.1, 8.3, 6.9, 5.2, 3.9, 0.9, 7.1, float("nan"))


def volume(array: Any) -> Volume:
    return Volume.on_grid(array, Grid.centred(array.shape, (4.0, 4.0, 5.0)), frame_of_reference_uid="1.2.3")


def ct_and_dose() -> tuple[Volume, Volume]:
    """Return an elliptic body with two lungs, and a dose that is highest on the patient's left."""
    z, y, x = np.meshgrid(
        np.linspace(-1, 1, 24), np.linspace(-1, 1, 40), np.linspace(-1, 1, 60), indexing="ij"
    )
    hu = np.full(x.shape, -1000, dtype=np.int16)
    body = (x / 0.9) ** 2 + (y / 0.8) ** 2 < 1
    hu[body] = 30
    for side in (-0.4, 0.4):
        hu[((x - side) / 0.28) ** 2 + (y / 0.5) ** 2 + (z / 0.9) ** 2 < 1] = -750
    dose = np.where(body, 10 * np.exp(-(z**2) * 2) * (1 + 0.6 * x), 0.0).astype(np.float32)
    return volume(hu), volume(dose)


def doses(relative_to: str = "") -> OrganDoses:
    n = len(ORGANS)
    mean = np.array(DOSES)[:, None]
    origins = [Origin.SEGMENTED] * 6 + [Origin.ATLAS, Origin.PHANTOM, Origin.SEGMENTED, Origin.ABSENT]
    edges = np.linspace(0, 25, 200)
    return OrganDoses(
        organs=ORGANS,
        dose_mgy=mean,
        covariance_mgy2=np.diag(np.nan_to_num(0.01 * mean[:, 0]) ** 2),
        mass_g=np.full(n, 500.0),
        origin=tuple(origins),
        imaged_fraction=np.array([1, 1, 1, 1, 1, 0.9, 0.35, 0.0, 1, np.nan]),
        primary_fraction=np.full(n, 0.4),
        completion_share=np.array([0, 0, 0, 0.02, 0.05, 0.1, 0.3, 1.0, 0, np.nan]),
        components=(
            UncertaintyComponent(
                key="ctdivol:scanner",
                distribution=Distribution.LOGNORMAL,
                std_rel=0.10,
                text="CTDIvol display",
            ),
            UncertaintyComponent(
                key="masks", distribution=Distribution.NORMAL, std_rel=tuple([0.03] * 7 + [0.2, 0.03, 0.0])
            ),
        ),
        relative_to=relative_to,
        dvh={
            organ: DoseVolumeHistogram(dose_mgy=edges, volume_fraction=1 / (1 + np.exp((edges - dose) * 1.2)))
            for organ, dose in zip(ORGANS[:5], DOSES)
        },
        hot_mgy={"lungs": 15.0},
    )


def result(relative_to: str = "", **changes: Any) -> ExposureResult:
    base = ExposureResult(
        exposure_key="1.2.840.1",
        modality="ct",
        title="Chest CT, helical, 120 kV",
        organ_doses=doses(relative_to),
        dose_map=DoseMap(volume=ct_and_dose()[1], relative_to=relative_to),
        normalisation=Normalisation(
            particles=1e12, source="CTDIvol of the dose report (32 cm), 8.4 mGy.", relative_to=relative_to
        ),
        quantities={"ctdivol": CtdiVol(8.4, 32), "dlp": DoseLengthProduct(301.0, 32)},
        figures=(
            Figure(
                key="ma",
                title="Tube current along the scan",
                data={
                    "x": np.linspace(-120, 120, 50),
                    "y": 180 + 60 * np.sin(np.linspace(0, 6, 50)),
                    "x_label": "Position, mm",
                    "y_label": "Tube current, mA",
                },
            ),
        ),
        warnings=("The uterus lies outside the images.",),
        provenance=Provenance(
            inputs=("1.2.840.1.1", "1.2.840.1.2"),
            tables={"photons": "a" * 64},
            settings={"seed": 1, "histories": 20_000_000},
            assumptions=(
                Assumption(key="ct.bowtie", text="Bow-tie fitted to CTDI.", effect="3 % at the skin"),
            ),
        ),
        person=Person(sex="F", age_y=54.3),
    )
    return replace(base, **changes)


def content(relative_to: str = "", **changes: Any) -> ReportContent:
    ct, dose = ct_and_dose()
    one = result(relative_to)
    risk = None
    reason = ""
    if relative_to:
        reason = "The organ doses are relative."
    else:
        risk = exposure_risk(one, draws=2000)
    labels = volume((ct.array < -500).astype(np.uint8))
    base = ReportContent(
        title="Chest CT",
        results=(one,),
        person=one.person,
        ct=ct,
        dose=dose,
        labels=labels,
        organ_names={1: "lungs"},
        found=(FoundItem(what="CT series 2, 24 slices", use="anatomy and exposure"),),
        not_estimated=(FoundItem(what="Localizer", use="no dose data"),),
        risk=risk,
        risk_reason=reason,
        provenance=one.provenance,
    )
    return replace(base, **changes)


@pytest.fixture(scope="module")
def page() -> str:
    return render(content())


class Collector(html.parser.HTMLParser):
    """Collects tags and checks that they nest."""

    VOID = frozenset({"meta", "img", "input", "br", "line", "rect", "polyline", "path", "circle", "stop"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parse(page: str) -> Collector:
    collector = Collector()
    collector.feed(page)
    assert collector.open == []
    return collector


def test_nothing_is_asked_from_the_network(page: str) -> None:
    assert page.lstrip().startswith("<!doctype html>")
    for tag, attributes in parse(page).tags:
        assert tag not in ("link", "iframe", "object", "base", "form")
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#"))
        assert "style" not in attributes  # the policy would drop it
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in page
    assert len(page) < 6_000_000


def test_policy_allows_exactly_our_style_and_script(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    rules = html_unescape(policy.group(1))
    assert "default-src 'none'" in rules
    for tag, name in (("style", "style-src"), ("script", "script-src")):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        assert body is not None
        digest = base64.b64encode(hashlib.sha256(body.group(1).encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in rules
    assert "unsafe" not in rules


def html_unescape(text: str) -> str:
    import html as module

    return module.unescape(text)


def test_hostile_strings_stay_text() -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}"
    one = result(title=evil, warnings=(evil,))
    poor = replace(one.organ_doses, organs=(evil, *ORGANS[1:]), components=(), dvh={}, relative_to=evil)
    one = replace(
        one,
        organ_doses=poor,
        provenance=replace(one.provenance, settings={evil: evil}, tables={evil: evil}, inputs=(evil,)),
    )
    page = render(
        content(
            title=evil,
            results=(one,),
            found=(FoundItem(what=evil, use=evil),),
            not_estimated=(FoundItem(what=evil, use=evil),),
            risk=None,
            risk_reason=evil,
            warnings=(evil,),
            exam_date=evil,
            limits=(evil,),
        )
    )
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    scripts = [a for tag, a in parse(page).tags if tag == "script"]
    assert len(scripts) == 4  # three stacks of pictures and our own
    assert "{{7*7}}" in html_unescape(page)


def test_no_name_or_identifier_is_asked_for(page: str) -> None:
    assert "female, 54 years" in page
    assert "1.2.3" not in page  # frame of reference


def decode(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def test_patient_left_is_on_the_right_of_axial_and_coronal_pictures() -> None:
    marker = np.zeros((24, 40, 60), dtype=np.float32)
    marker[18:21, 5:8, 50:53] = 5.0  # left, front, head
    water = volume(np.zeros(marker.shape, dtype=np.int16))
    drawn = pictures.make_pictures(water, volume(marker))
    seen = {}
    for plane in drawn.planes:
        picture = np.asarray(decode(plane.centre.dose).convert("RGBA"))[..., 3] > 0
        rows, columns = np.nonzero(picture)
        seen[plane.name] = (columns.mean() / picture.shape[1], rows.mean() / picture.shape[0])
        assert picture.shape == (plane.height, plane.width)
    assert seen["axial"][0] > 0.8
    assert seen["axial"][1] < 0.25  # front is up
    assert seen["coronal"][0] > 0.8
    assert seen["coronal"][1] < 0.3  # head is up
    assert seen["sagittal"][0] < 0.25  # front is left
    assert seen["sagittal"][1] < 0.3
    marks = {plane.name: plane.marks for plane in drawn.planes}
    assert marks["axial"] == ("R", "L", "A", "P")
    assert marks["sagittal"] == ("A", "P", "H", "F")


def test_pictures_do_not_depend_on_how_the_array_is_stored() -> None:
    ct, dose = ct_and_dose()
    flipped_affine = dose.affine_lps_mm.copy()
    n = dose.array.shape[2]
    flipped_affine[:3, 3] += flipped_affine[:3, 0] * (n - 1)
    flipped_affine[:3, 0] *= -1
    flipped = Volume(array=dose.array[:, :, ::-1], affine_lps_mm=flipped_affine)
    assert pictures.make_pictures(ct, flipped) == pictures.make_pictures(ct, dose)


def test_dose_on_a_coarser_grid_lies_on_the_right_place() -> None:
    ct, dose = ct_and_dose()
    coarse = dose.array.reshape(12, 2, 20, 2, 30, 2).mean(axis=(1, 3, 5))
    other = Volume.on_grid(coarse, Grid.centred(coarse.shape, (8.0, 8.0, 10.0)))
    for one, two in zip(
        pictures.make_pictures(ct, dose).planes, pictures.make_pictures(ct, other).planes, strict=True
    ):
        fine, rough = (np.asarray(decode(p.centre.dose), dtype=float) for p in (one, two))
        assert fine.shape == rough.shape
        for axis in (0, 1):  # the same centre within a quarter of a coarse voxel
            places = np.arange(fine.shape[axis])
            centres = [np.dot(a.sum(axis=1 - axis), places) / a.sum() for a in (fine, rough)]
            assert abs(centres[0] - centres[1]) < 0.25 * fine.shape[axis] / (12 if axis == 0 else 30)


def clear_share(drawn: pictures.Pictures, where: Any) -> float:
    """Return the share of clear pixels of the axial centre picture inside a [y, x] mask of voxels."""
    plane = drawn.planes[0]
    clear = np.asarray(decode(plane.centre.dose).convert("RGBA"))[..., 3] == 0
    down, across = (
        ((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(clear.shape, where.shape, strict=True)
    )
    return float(clear[where[np.ix_(down, across)]].mean())


def test_noise_in_the_air_around_the_body_is_neither_shown_nor_sets_the_scale() -> None:
    ct, dose = ct_and_dose()
    air = ct.array < -950
    assert 0.1 < air.mean() < 0.9
    noisy = volume(np.where(air, 50 * dose.array.max(), np.maximum(dose.array, 1.0)).astype(np.float32))
    drawn = pictures.make_pictures(ct, noisy)
    assert drawn.top_mgy <= noisy.array[~air].max()
    middle = int(np.argmin(np.abs(ct.grid.axis_mm(2) - drawn.planes[0].centre.position_mm)))
    outside = air[middle]
    inner = ~outside & ~np.roll(outside, 2, 0) & ~np.roll(outside, -2, 0)
    inner &= ~np.roll(outside, 2, 1) & ~np.roll(outside, -2, 1)
    assert clear_share(drawn, outside) > 0.9  # but for the pixels that straddle the border
    assert clear_share(drawn, inner) < 0.01


def test_air_inside_an_organ_keeps_its_dose() -> None:
    ct = volume(np.full((10, 48, 56), -1000, dtype=np.int16))
    dose = volume(np.ones(ct.array.shape, dtype=np.float32))
    organ = np.zeros(ct.array.shape, dtype=np.uint8)
    organ[:, 12:36, 12:44] = 7
    drawn = pictures.make_pictures(ct, dose, volume(organ))
    assert clear_share(drawn, organ[5] == 0) > 0.9
    assert clear_share(drawn, organ[5] > 0) < 0.1


def test_settings_are_short_enough_to_read() -> None:
    from omnidose.report.html import _setting

    assert _setting(5.902069087722913) == "5.90207"
    assert _setting([0.39309184356115634, -1.7]) == "0.393092, -1.7"
    assert _setting(None) == "–"
    assert _setting(44854911519741.164) == "4.48549e+13"
    assert _setting("dose report") == "dose report"


def test_oblique_volumes_give_a_sentence_instead_of_pictures() -> None:
    ct, dose = ct_and_dose()
    turned = dose.affine_lps_mm.copy()
    turned[:2, :2] = [[3.0, -1.0], [1.0, 3.0]]
    page = render(content(dose=replace(dose, affine_lps_mm=turned)))
    assert "oblique" in page
    assert "<img" not in page
    assert "No pictures" in render(content(dose=None))
    assert ct.array.dtype == np.int16


def test_both_uncertainties_origin_and_completion_are_shown(page: str) -> None:
    text = html_unescape(page)
    assert "stat." in text
    assert "syst." in text
    assert "35 % imaged" in text
    assert "100 % of dose from completion" in text
    for badge in ("segmented", "atlas", "phantom"):
        assert f'class="badge {badge}"' in page
    assert "Uterus" in text.split("neither dose nor risk")[1][:40]
    assert "Found, not estimated." in text


def test_bars_are_sorted_and_lengths_follow_the_doses() -> None:
    bars = charts.organ_bars(doses())
    values = [bar.row["dose_mgy"] for bar in bars]
    assert values == sorted(values, reverse=True)
    assert len(bars) == 9  # the absent organ has none
    assert bars[0].length / bars[-1].length == pytest.approx(values[0] / values[-1])
    assert max(bar.all_to for bar in bars) <= 100
    assert bars[0].all_to == pytest.approx(
        100 * bars[0].row["high95_mgy"] / (values[0] / bars[0].length * 100)
    )
    assert bars[0].all_to - bars[0].all_from > 5 * (bars[0].stat_to - bars[0].stat_from)


def test_bones_and_contents_do_not_push_tissues_out_of_the_bars() -> None:
    named = ("ribs", "left-lung", "lungs", "heart-contents", "left-lens", "lenses", "red-marrow")
    n = len(named)
    dvh = DoseVolumeHistogram(dose_mgy=np.linspace(0, 40, 41), volume_fraction=np.linspace(1, 0, 41))
    table = replace(
        doses(),
        organs=named,
        dose_mgy=np.array([[28.0], [10.0], [9.9], [9.5], [1.1], [1.0], [5.0]]),
        covariance_mgy2=np.eye(n) * 1e-4,
        mass_g=np.ones(n),
        origin=(Origin.SEGMENTED,) * n,
        imaged_fraction=np.ones(n),
        primary_fraction=np.ones(n),
        completion_share=np.zeros(n),
        components=(),
        dvh={"ribs": dvh, "left-lung": dvh, "heart-contents": dvh},
    )
    assert [b.row["organ"] for b in charts.organ_bars(table)] == ["lungs", "red-marrow", "lenses"]
    chart = charts.dvh_chart(table, "mGy")
    assert chart is not None
    assert [line.name for line in chart.lines] == ["Left lung"]
    result = replace(content().results[0], organ_doses=table)
    page = render(content(results=(result,), risk=None))
    assert "Highest organ dose: Lungs" in page
    assert "4 more" in page
    only_bones = replace(
        table, organs=("ribs", "clavicles", "skeleton", "pelvis", "femora", "sternum", "cranium")
    )
    assert len(charts.organ_bars(only_bones)) == n


def test_relative_results_say_so_everywhere_and_have_no_risk() -> None:
    unit = "mGy per mGy CTDIvol (32 cm)"
    text = html_unescape(render(content("mGy CTDIvol (32 cm)")))
    assert "Relative result" in text
    assert text.count(unit) > 8
    assert "No risk is stated." in text
    doses_part = text.split('id="doses"')[1].split('id="risk"')[0]
    assert re.search(r"\d mGy(?! per| CTDIvol)", doses_part) is None
    with pytest.raises(InputError, match="--ctdivol-mgy"):
        dose_event(result("mGy CTDIvol (32 cm)"), person_key="p")


def test_an_unknown_age_is_refused_with_what_to_give() -> None:
    with pytest.raises(InputError, match="give --age"):
        dose_event(result(person=Person(sex="F")), person_key="p")
    with pytest.raises(InputError, match="give --sex"):
        exposure_risk(result(person=Person(age_y=40.0)))
    risk = exposure_risk(result(person=Person()), sex="F", age_y=40.0, draws=200)
    assert (risk.sex, risk.age_y) == ("F", 40.0)
    assert ("uterus", "organ removed: no risk") in risk.not_estimated
    event = dose_event(result(), person_key="p")
    assert {dose.organ for dose in event.doses} == set(ORGANS) - {"uterus"}
    assert event.components[1].std_rel == (0.03,) * 7 + (0.2, 0.03)


def test_risk_stands_beside_the_baseline_on_one_denominator() -> None:
    shown = content()
    assert shown.risk is not None
    c = words.counts(shown.risk.total, shown.risk.baseline_fraction)
    text = html_unescape(render(shown))
    assert f"{words.whole(c.baseline)} in {words.whole(c.group)}" in text
    assert f"{words.people(c.extra)} in {words.whole(c.group)}" in text
    paragraph = words.patient_paragraph(shown.risk)
    assert "between" in paragraph
    assert "women of age 54" in paragraph
    assert words.band_phrase(shown.risk.total) in paragraph
    assert "not certain" in paragraph  # doses below 100 mGy
    assert "per 100\u202f000" in text
    assert re.search(r"\b1 in ", paragraph) is None
    assert re.search(r"\d\.\d", paragraph) is None  # no parts of a person
    assert "w_T" in words.physicist_paragraph(shown.risk)


def estimate(central: float, low: float, high: float) -> RiskEstimate:
    return RiskEstimate(
        central_fraction=central, mean_fraction=central, lower_fraction=low, upper_fraction=high
    )


@pytest.mark.parametrize(
    ("values", "phrase"),
    [
        ((3e-4, 5e-5, 2e-3), "low (could be very low to moderate)"),
        ((3e-4, 2e-4, 8e-4), "low"),
        ((3e-4, 2e-4, 2e-3), "low (could be moderate)"),
        ((3e-4, -1e-4, 8e-4), "low (could be negligible)"),
        ((0.02, 0.012, 0.05), "high"),
        ((0.0, 0.0, 0.0), "negligible"),
    ],
)
def test_bands_follow_the_interval(values: tuple[float, float, float], phrase: str) -> None:
    assert words.band_phrase(estimate(*values)) == phrase


def test_counts_choose_a_group_that_shows_one_person() -> None:
    assert words.counts(estimate(3.2e-4, 1e-4, 9e-4), 0.4).group == 10_000
    assert words.counts(estimate(2.0e-3, 1e-3, 4e-3), 0.4).group == 1000
    c = words.counts(estimate(2.0e-7, 0, 4e-7), 0.4)
    assert (c.group, c.extra) == (1_000_000, 0.2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (12.345, "12.3"),
        (1234.0, "1\u202f230"),
        (0.01234, "0.0123"),
        (float("nan"), "–"),
        (9.999, "10.0"),
    ],
)
def test_numbers_for_people(value: float, text: str) -> None:
    assert words.number(value) == text


def test_dots_fill_the_group_exactly() -> None:
    dots = charts.people_dots(words.counts(estimate(2e-3, 1e-3, 5e-3), 0.4321), 2e-3, 5e-3)
    assert (dots.baseline, dots.extra, dots.further) == (430, 2, 3)
    area = 0.0
    for path in (dots.baseline_path, dots.extra_path, dots.further_path, dots.rest_path):
        for width, height in re.findall(r"h(\d+)v(\d+)h", path):
            area += int(width) * int(height)
    assert area == dots.group == 1000


def test_background_days_only_for_effective_dose() -> None:
    phrase = words.background_phrase(EffectiveDose(2.4), 2.4)
    assert phrase.startswith("as much as 1.0 years")
    assert "91 days" in words.background_phrase(EffectiveDose(0.6), 2.4)
    with pytest.raises(QuantityKindError, match="WeightedOrganSum"):
        words.background_phrase(WeightedOrganSum(2.4), 2.4)
    one = result(quantities={"sum": WeightedOrganSum(5.0)})
    text = html_unescape(render(content(results=(one,))))
    assert "w_T-weighted sum" in text
    assert "natural background" not in text


def test_every_picture_and_drawing_has_a_text(page: str) -> None:
    for tag, attributes in parse(page).tags:
        if tag == "img":
            assert attributes.get("alt")
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
        if tag == "input" and attributes.get("type") == "range" and attributes.get("id") != "opacity":
            assert attributes.get("aria-label")


def test_moments_and_ticks_are_short() -> None:
    assert words.moment("2026-11-24T08:47:25+00:00") == "2026-11-24 08:47 UTC"
    assert words.moment("yesterday") == "yesterday"
    assert [words.tick(t) for t in (0.0, 50.0, 0.25, 1e6)] == ["0", "50", "0.25", "1e+06"]


@pytest.mark.parametrize("top", [0.003, 0.9, 1.0, 7.3, 12.0, 999.0, 0.0])
def test_ticks_cover_the_range(top: float) -> None:
    ticks = charts.nice_ticks(top)
    assert ticks[0] == 0
    assert ticks[-1] >= top
    assert 2 <= len(ticks) <= 7


def test_pictures_keep_the_size_limit_for_a_large_volume() -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(-200, 200, size=(120, 160, 160)).astype(np.int16)
    dose = rng.random(noise.shape).astype(np.float32)
    drawn = pictures.make_pictures(volume(noise), volume(dose))
    size = sum(len(f.ct) + len(f.dose) for p in drawn.planes for f in p.frames)
    assert size <= pictures.BUDGET_BYTES
    assert all(plane.frames for plane in drawn.planes)
