"""Doses of organs that a scan does not show: completed with our phantom, beside the truth of a whole body.

An ICRP 110 phantom is scanned. Only the scanned part is given, as CT numbers, to segmentation and
completion; the doses in the completed body are compared with those in the whole phantom, with the same
source. The phantom that completes is the stylised one of the same height and weight: another anatomy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from omnidose.anatomy.body import BodyModel, Person
from omnidose.anatomy.organs import organs as vocabulary
from omnidose.dosimetry.results import OrganDoses
from omnidose.validation import Context, Row, State
from omnidose.volume import Grid, Volume

if TYPE_CHECKING:
    from omnidose.modalities.ct.exposure import CtScan

#: Organs below this share of the highest organ dose are left out: nobody acts on them.
LEAST_SHARE = 0.02
#: Share of organs that must lie within their 95 % interval: a little below, because 20 organs of one person
#: are misplaced together.
LEAST_INSIDE = 0.85
#: Size of the reference persons (ICRP Publication 89).
PERSONS = {
    "AF": Person(sex="F", age_y=35.0, height_cm=163.0, weight_kg=60.0),
    "AM": Person(sex="M", age_y=35.0, height_cm=176.0, weight_kg=73.0),
}
#: Statistics of both runs.
HISTORIES = 2_000_000
#: Components of the uncertainty that both bodies share: they cancel in the comparison.
_SHARED = ("ctdivol", "ct-source", "ct-ctdi-simulation")


def check_completion(context: Context) -> Iterator[Row]:
    """Chest, abdomen and head of both ICRP 110 phantoms."""
    from omnidose.anatomy.icrp110 import load_reference_phantom
    from omnidose.modalities.ct.estimate import estimate
    from omnidose.modalities.ct.validation import phantom_scans

    for name, person in PERSONS.items():
        whole = load_reference_phantom(name)
        for part, scan in phantom_scans(whole).items():
            context.progress(f"completion: ICRP 110 {name}, {part}")
            truth = estimate(scan, whole, histories=HISTORIES).organ_doses
            body = completed_part(whole, scan, person)
            ours = estimate(scan, body, histories=HISTORIES).organ_doses
            yield from _rows(f"ICRP 110 {name}, {part}", ours, truth, person.sex)


def completed_part(whole: BodyModel, scan: CtScan, person: Person) -> BodyModel:
    """Return the body that the job would make from the scanned layers of a phantom, whose arms are down."""
    from omnidose.anatomy.stylised import stylised_to_hu
    from omnidose.dicom.ct_series import CtVolume
    from omnidose.exams.bodies import body_from_ct
    from omnidose.exams.options import EstimateOptions

    z = whole.grid.axis_mm(2)
    rows = np.flatnonzero((z >= scan.imaged_z_mm[0]) & (z <= scan.imaged_z_mm[1]))
    hu = np.asarray(stylised_to_hu(whole))[rows[0] : rows[-1] + 1].astype(np.float32)
    hu += 15.0 * np.random.default_rng(7).standard_normal(hu.shape, dtype=np.float32)
    margin = 12  # voxels of air around the phantom, whose array ends at its skin
    hu = np.pad(hu, ((0, 0), (margin, margin), (margin, margin)), constant_values=-1000.0)
    dx, dy, dz = whole.grid.spacing_mm
    grid = Grid(
        shape_zyx=(hu.shape[0], hu.shape[1], hu.shape[2]),
        spacing_mm=(dx, dy, dz),
        origin_mm=(
            whole.grid.origin_mm[0] - margin * dx,
            whole.grid.origin_mm[1] - margin * dy,
            float(z[rows[0]]),
        ),
    )
    ct = CtVolume(
        volume=Volume.on_grid(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), grid),
        slices=(),
        imaged=np.ones((1, 1, 1), dtype=np.bool_),
    )
    return body_from_ct(ct, person, EstimateOptions()).body


def _rows(title: str, ours: OrganDoses, truth: OrganDoses, sex: str) -> Iterator[Row]:
    used, outside = 0, []
    for organ in comparable(ours, truth):
        used += 1
        deviation = standardised(ours, truth, organ)
        if abs(deviation) > 1.96:
            ratio = ours.dose_of(organ) / truth.dose_of(organ)
            outside.append(f"{organ} x {ratio:.2f}")
    inside = 1 - len(outside) / used
    yield Row(
        name=f"{title}: organs within their 95 % interval",
        ours=inside,
        unit="share",
        reference=1.0,
        source="the same scan of the whole phantom",
        tolerance=f"at least {LEAST_INSIDE:g}",
        state=State.PASSED if inside >= LEAST_INSIDE else State.FAILED,
        note=f"{used} organs of ICRP 103; outside: {', '.join(outside) or 'none'}",
    )
    ratio, std_rel = weighted_ratio(ours, truth, sex)
    deviation = np.log(ratio) / np.sqrt(np.log1p(std_rel**2))
    yield Row(
        name=f"{title}: sum of organ doses with w_T",
        ours=ratio,
        unit="completed / whole",
        reference=1.0,
        source="the same scan of the whole phantom",
        tolerance="within its own 95 % interval",
        state=State.PASSED if abs(deviation) <= 1.96 else State.FAILED,
        note=f"over the tissues that both bodies have; stated standard uncertainty {100 * std_rel:.0f} %",
    )


def comparable(ours: OrganDoses, truth: OrganDoses) -> list[str]:
    """Return the organs of ICRP 103 that both have, with at least 2 % of the highest dose in one of them."""
    known = vocabulary()
    weighted = [o for o in ours.organs if o in truth.organs and o in known and known[o].tissue]
    limit = LEAST_SHARE * max(truth.dose_of(o) for o in weighted)
    return [o for o in weighted if max(ours.dose_of(o), truth.dose_of(o)) >= limit]


def standardised(ours: OrganDoses, truth: OrganDoses, organ: str) -> float:
    """Return ln(ours / truth) in standard deviations of what the two bodies do not share."""
    i = ours.organs.index(organ)
    a, b = ours.dose_of(organ), truth.dose_of(organ)
    variance = (ours.statistical_std_mgy[i] / a) ** 2
    variance += (truth.statistical_std_mgy[truth.organs.index(organ)] / b) ** 2
    for component in ours.components:
        if not component.key.startswith(_SHARED):
            std = np.broadcast_to(np.asarray(component.std_rel), len(ours.organs))[i]
            variance += float(std) ** 2
    return float(np.log(a / b) / np.sqrt(np.log1p(variance)))


def weighted_ratio(ours: OrganDoses, truth: OrganDoses, sex: str) -> tuple[float, float]:
    """Return the ratio of the sums with w_T over the tissues that both bodies have, and its uncertainty.

    The relative standard uncertainty is that of our sum from what the bodies do not share: equal keys are
    fully correlated between organs.
    """
    from omnidose.dosimetry.weighting import remainder_weight, tissues, weighted_sum

    pair = [weighted_sum(doses, sex=sex).tissue_msv for doses in (ours, truth)]
    both = [t for t in tissues() if all(t.key in found for found in pair)]
    members = sum(t.in_remainder for t in both)
    weights = {t.key: remainder_weight() / members if t.in_remainder else t.weight for t in both}
    sums = [sum(found[key] * weight for key, weight in weights.items()) for found in pair]
    variance = 0.0
    for component in ours.components:
        if component.key.startswith(_SHARED):
            continue
        std = np.broadcast_to(np.asarray(component.std_rel), len(ours.organs))
        rise = sum(
            weights[t.key] * pair[0][t.key] * float(std[ours.organs.index(t.organ[sex])]) for t in both
        )
        variance += (rise / sums[0]) ** 2
    return sums[0] / sums[1], float(np.sqrt(variance))
