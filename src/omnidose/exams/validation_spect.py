"""Rows of ``nuclear.spect``: simulated patients written as DICOM, and the job that a clinic runs on them.

Everything is on disk as a camera leaves it: counts, low-dose CTs, masks of organs and lesions. What no header
says (calibration, dead time, blur) is given as a person gives it. The camera's factor is wrong by a few per
cent, which no way of working within a series can see: doses are compared with it taken out, intervals with
it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from omnidose.errors import InputError
from omnidose.exams.demo_therapy import WrittenTherapy, region_key, write_therapy
from omnidose.exams.options import EstimateOptions
from omnidose.exams.plan import plan, survey
from omnidose.exams.run import THERAPY_REASON, ExamResult, run
from omnidose.modalities.nuclear.imaging.clinic import FULL, SMALL
from omnidose.modalities.nuclear.imaging.patients import ORGANS
from omnidose.modalities.nuclear.proofs.rows import said_row
from omnidose.validation import Context, Row, within

#: Not the patients of the claim "patients" (seeds 1 to 6), whose bounds these are; "coverage" counts them
#: among its 200.
SEEDS, SMALL_SEEDS = (21, 22), (21,)
LEAST_LESION_CM3 = 10.0
SOURCE = "truth of the simulated patient, written as DICOM and estimated as a user would"
HISTORIES = 400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What the job found, with the names of the truth."""

    result: ExamResult = field(repr=False)

    def dose_mgy(self, region: str) -> float:
        """Dose of an organ or lesion of the patient."""
        return self.result.results[0].organ_doses.dose_of(region_key(region))

    def holds(self, region: str, true_mgy: float) -> bool:
        """Whether the 95 % interval holds the truth."""
        doses = self.result.results[0].organ_doses
        low, high = doses.interval_mgy[doses.organs.index(region_key(region))]
        return bool(low <= true_mgy <= high)

    def figure(self, key: str) -> dict[str, Any]:
        """Data of one figure."""
        return next(f.data for f in self.result.results[0].figures if f.key == key)


def estimate(written: WrittenTherapy, scans: list[Path], *, masks: bool = True, **said: Any) -> Done:
    """Run the job, without the CTs as exposures of their own."""
    person = written.patient.anatomy.body.person
    options = EstimateOptions(
        sex=person.sex,
        age_y=60.0,
        masks=written.folder / "masks" if masks else None,
        histories=HISTORIES,
        given={**written.given, **said},
    )
    with survey(scans) as inventory:
        planned = plan(inventory, options)
        own = tuple(item for item in planned.exposures if item.modality.name == "nuclear")
        return Done(result=run(replace(planned, exposures=own)))


def check(context: Context) -> Iterator[Row]:
    """Every patient with all scans; the first also with fewer, and without masks."""
    setting, seeds = (FULL, SEEDS) if context.full else (SMALL, SMALL_SEEDS)
    # voxels of 8 mm and 30 views lose more than a clinic's images: wider bounds
    organ_rel, lesion_rel = (0.05, 0.10) if context.full else (0.10, 0.20)
    for seed in seeds:
        with tempfile.TemporaryDirectory() as name:
            context.progress(f"SPECT: patient {seed}, scans")
            written = write_therapy(seed, setting, Path(name))
            context.progress(f"SPECT: patient {seed}, doses")
            done = estimate(written, written.scans(1, 2, 3, 4))
            yield from _doses(written, done, organ_rel, lesion_rel)
            yield from _methods(written, done)
            if seed == seeds[0]:
                yield from _therapy(done)
                context.progress(f"SPECT: patient {seed}, one scan")
                yield from _one_point(written)
                yield from _refusal(written)


def _doses(written: WrittenTherapy, done: Done, organ_rel: float, lesion_rel: float) -> Iterator[Row]:
    name, outside = written.patient.name, []
    for region in written.patient.regions:
        true = written.truth[region]
        ours = done.dose_mgy(region)
        if not done.holds(region, true.dose_mgy):
            outside.append(region)
        large = region in ORGANS or true.volume_cm3 >= LEAST_LESION_CM3
        if large:
            yield within(
                f"SPECT, {name}: {region} of {true.volume_cm3:.0f} mL, dose over truth",
                ours * written.calibration_rel / true.dose_mgy, 1.0, unit="1", source=SOURCE,
                tolerance_rel=organ_rel if region in ORGANS else lesion_rel,
                note=f"{ours / 1000:.3g} Gy; error of the camera's factor "
                f"({100 * written.calibration_rel - 100:+.1f} %) taken out",
            )  # fmt: skip
    yield within(
        f"SPECT, {name}: outlines whose 95 % interval misses the truth",
        len(outside), 0, unit="1", source=SOURCE, bounds=(0, 1),
        note=f"of {len(written.patient.regions)}, all sizes, error of the camera's factor in it"
        + (f"; missed: {', '.join(outside)}" if outside else ""),
    )  # fmt: skip


def _methods(written: WrittenTherapy, done: Done) -> Iterator[Row]:
    """Three ways to one dose: where electrons are short, they must agree."""
    data = done.figure("series-methods")
    beside = np.array(data["mgy"]["convolution"]) / np.array(data["mgy"]["monte-carlo"])
    stays = np.array(data["mgy"]["local"]) / np.array(data["mgy"]["convolution"])
    for label, ratio, bounds in (
        ("kernels over Monte Carlo of photons", beside, (0.97, 1.03)),
        ("all energy stays over kernels", stays, (1.0, 1.05)),
    ):
        worst = float(ratio[np.argmax(np.abs(np.log(ratio)))])
        yield within(
            f"SPECT, {written.patient.name}: {label}, the worst outline", worst, 1.0, unit="1",
            source="electrons of Lu-177 fly 2 mm at most; photons bring a few per cent", bounds=bounds,
        )  # fmt: skip


def _therapy(done: Done) -> Iterator[Row]:
    result = done.result.results[0]
    said = done.result.risk_reason if done.result.risk is None else "a risk"
    yield said_row("SPECT: lifetime risk of a therapy", said, THERAPY_REASON, source="none is stated")
    quantities = ", ".join(result.quantities) or "none"
    yield said_row("SPECT: sums with tissue weights of a therapy", quantities, "none", source="EANM 2024")
    limits = {row["organ"] for row in done.figure("series-effects")["limits"]}
    yield said_row(
        "SPECT: limits that doses stand beside", ", ".join(sorted(limits)), "kidneys, red-marrow",
        source="limits of practice for this nuclide",
    )  # fmt: skip


def _one_point(written: WrittenTherapy) -> Iterator[Row]:
    """The scan of the first day alone."""
    scans, true = written.scans(2), written.truth["kidneys"].dose_mgy
    half_life_h = max(written.patient.kinetics["kidneys"].half_life_h)
    done = estimate(written, scans, effective_half_life_h=round(half_life_h, 1))
    yield within(
        "SPECT, one scan: kidneys with their true effective half-life, dose over truth",
        done.dose_mgy("kidneys") * written.calibration_rel / true, 1.0, unit="1", source=SOURCE,
        tolerance_rel=0.12,
        note=f"{half_life_h:.0f} h said; the uptake phase is not known",
    )  # fmt: skip
    done = estimate(written, scans)
    over = {r: done.dose_mgy(r) * written.calibration_rel / written.truth[r].dose_mgy for r in ORGANS}
    yield within(
        "SPECT, one scan: physical decay alone, least dose over truth of three organs",
        min(over.values()), 1.0, unit="1", source="an upper bound, as it says", bounds=(1.0, 4.0),
        note=", ".join(f"{key} {value:.2f}" for key, value in over.items()),
    )  # fmt: skip
    missed = [r for r in written.patient.regions if not done.holds(r, written.truth[r].dose_mgy)]
    yield within(
        "SPECT, one scan: outlines whose 95 % interval misses the truth",
        len(missed), 0, unit="1", source=SOURCE, bounds=(0, 1), note=", ".join(missed),
    )  # fmt: skip


def _refusal(written: WrittenTherapy) -> Iterator[Row]:
    try:
        estimate(written, written.scans(2), masks=False)
        said = "accepted"
    except InputError as error:
        said = error.todo
    words = "give masks"
    yield said_row(
        "SPECT without masks: hot organs are not taken from fitted shapes",
        words if words in said else said, words, source="kidneys lay beside their fitted shape",
        tolerance="refused with what to do",
    )  # fmt: skip
