"""What this room must show: the rows of ``omnidose validate transport``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from omnidose.transport import iodine_sphere, tg195
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Box, Scene
from omnidose.transport.sources import ParallelSource
from omnidose.validation import Claim, Context, Row, State, Suite, within

TG195 = "AAPM TG-195, Sechopoulos 2015, mean and range of EGSnrc, Geant4, MCNP, PENELOPE"
CASE2_MODES = {"radiography": 0.0, "tomosynthesis": 15.0}
CASE2_BEAMS = ("56.4 keV", "120 kVp")
CASE2_TOLERANCES = {"Total body": 0.0015, "VOI 6": 0.015, "VOI 7": 0.015, "VOI 9": 0.015}
CASE2_FULL_HISTORIES = {"radiography": 8e7, "tomosynthesis": 1.3e8}
CASE2_QUICK_HISTORIES = {"56.4 keV": 3e7, "120 kVp": 3e7}
EV = "eV/history"


def _against(
    name: str, ours: float, std: float, reference: tg195.Published, tolerance_rel: float, unit: str
) -> Row:
    """Compare with the four codes; our own standard error must be at most a third of the tolerance."""
    row = within(
        name,
        ours,
        reference.mean,
        unit=unit,
        source=TG195,
        tolerance_rel=tolerance_rel,
        bounds=(reference.lower, reference.upper) if reference.lower < reference.upper else None,
        note=f"{100 * (ours / reference.mean - 1):+.2f} %, own standard error {100 * std / ours:.2f} %",
    )
    if not std / ours <= tolerance_rel / 3:
        return Row(
            name=name,
            ours=ours,
            unit=unit,
            reference=reference.mean,
            source=TG195,
            tolerance=row.tolerance,
            state=State.FAILED,
            note=f"{row.note}: more than a third of the tolerance",
        )
    return row


def check_case1(context: Context) -> Iterator[Row]:
    """HVL and QVL ratios of four beams (MC of primary and scatter in narrow geometry)."""
    beams = tg195.FILTERS_MM if context.full else {"100 kVp": tg195.FILTERS_MM["100 kVp"]}
    for beam, filters in beams.items():
        context.progress(f"case 1, {beam}")
        open_beam = tg195.run_case1(beam, 0.0, histories=6e6, seed=1)
        mode = "monoenergetic" if beam.endswith("keV") else "polyenergetic"
        full = tg195.published("Case 1", beam, mode, "NoneFilter").mean
        kerma, std_rel = open_beam.energy_kev[-1], open_beam.std_rel[-1]  # the detector is the last column
        for name, thickness in zip(("HVL", "QVL"), filters, strict=True):
            filtered = tg195.run_case1(beam, thickness, histories=1.2e7, seed=2)
            ratio = filtered.energy_kev[-1] / kerma
            std = ratio * math.hypot(filtered.std_rel[-1], std_rel)
            mean = tg195.published("Case 1", beam, mode, f"{name}Filter").mean / full
            yield _against(
                f"case 1, {beam}, {name}",
                float(ratio),
                float(std),
                tg195.Published(mean=mean, lower=mean, upper=mean),
                0.003,
                "kerma ratio",
            )


def check_case2(context: Context) -> Iterator[Row]:
    """Body totals always; tomosynthesis and the nine volumes of interest with ``--full``.

    The total at 120 kVp lies 0.13 % below the mean of the four codes, 0.02 % from the end of their range: the
    short run must know it to 0.015 % (see docs/methods/engine.md for the likely reason).
    """
    modes = CASE2_MODES if context.full else {"radiography": 0.0}
    for beam in CASE2_BEAMS:
        for mode, angle in modes.items():
            context.progress(f"case 2, {beam}, {mode}")
            histories = CASE2_FULL_HISTORIES[mode] if context.full else CASE2_QUICK_HISTORIES[beam]
            tally = tg195.run_case2(beam, angle, histories=histories, seed=21, volumes=context.full)
            for volume, (ours, std) in tg195.case2_energies_ev(tally).items():
                reference = tg195.published("Case 2", beam, mode, volume)
                tolerance = CASE2_TOLERANCES.get(volume, 0.01)
                yield _against(f"case 2, {beam}, {mode}, {volume}", ours, std, reference, tolerance, EV)


def _case4_tolerance(value_ev: float) -> float:
    return 0.01 if value_ev > 1 else 0.02


def check_case4(context: Context) -> Iterator[Row]:
    """CT fan on a PMMA cylinder: slabs, centre and outer rods."""
    runs = [(b, c) for b in CASE2_BEAMS for c in (10, 80)] if context.full else [("120 kVp", 10)]
    for beam, collimation in runs:
        mode = f"{collimation}mm collimation"
        context.progress(f"case 4, {beam}, {mode}")
        slabs = tg195.run_case4_part1(beam, collimation, histories=1e7 if context.full else 2e6, seed=31)
        for k in range(4):
            volume = f"VOI {k + 1}"
            column = slabs.index(volume)
            ours, std = 1000 * slabs.energy_kev[column], 1000 * slabs.std_kev[column]
            reference = tg195.published("Case 4.1", beam, mode, volume)
            tolerance = _case4_tolerance(reference.mean)
            yield _against(f"case 4.1, {beam}, {mode}, {volume}", ours, std, reference, tolerance, EV)
        yield from _case4_rods(context, beam, mode, collimation)


def _case4_rods(context: Context, beam: str, mode: str, collimation: int) -> Iterator[Row]:
    """The centre needs 3e7 photons for 0.33 % and the far rods 1.7e8: only the mean of all is quick."""
    rods = tg195.run_case4_part2(beam, collimation, histories=2e8 if context.full else 4e6, seed=32)
    outer = tg195.case4_periphery_ev(rods)
    if context.full:
        # the beam sees the centre the same way from every angle: one value for all 36 and their mean
        k = rods.index("Center")
        ours, std = 1000 * float(rods.energy_kev[k]), 1000 * float(rods.std_kev[k])
        yield _mean_of_angles(f"case 4.2, {beam}, centre, {mode}", beam, f"Center {mode}", ours, std)
    yield _mean_of_angles(
        f"case 4.2, {beam}, outer rod, {mode}", beam, f"Periphery {mode}", *outer.pop("Continuous")
    )
    for angle, (ours, std) in outer.items() if context.full else ():
        reference = tg195.published("Case 4.2", beam, f"Periphery {mode}", angle)
        tolerance = _case4_tolerance(reference.mean)
        yield _against(
            f"case 4.2, {beam}, outer rod, {mode}, {angle} deg", ours, std, reference, tolerance, EV
        )


def _mean_of_angles(name: str, beam: str, mode: str, ours: float, std: float) -> Row:
    """Compare with the mean of the published angles; the report's own "Continuous" is told in the note."""
    row = _against(
        f"{name}, mean of 36 angles", ours, std, tg195.published_mean_of_angles(beam, mode), 0.01, EV
    )
    line = tg195.published("Case 4.2", beam, mode, "Continuous")
    return replace(
        row,
        note=f"{row.note}; the report's line Continuous (two codes) says {line.mean:g} "
        f"[{line.lower:g}, {line.upper:g}] and contradicts its angles",
    )


def check_balance(context: Context) -> Iterator[Row]:
    """Emitted = deposited + escaped, and the two estimators of the deposit agree."""
    for name, energy_kev in (("water", 60.0), ("soft tissue with 2 % iodine", 40.0), ("lead", 2000.0)):
        material = iodine_sphere.MATERIALS[name]
        block = Box(key="block", material=material, lower_mm=(-50, -50, -50), upper_mm=(50, 50, 50))
        source = ParallelSource(
            centre_mm=(0, 0, -100),
            direction=(0, 0, 1),
            up=(0, 1, 0),
            half_widths_mm=(40, 40),
            spectrum=tg195.spectrum(f"{energy_kev} keV"),
        )
        tally = simulate(Scene(shapes=(block,)), source, histories=1e6 if context.full else 2e5, seed=4)
        emitted, deposited, escaped, expected = tally.batch_analog_kev.T
        yield within(
            f"{name}, {energy_kev:g} keV: deposited + escaped",
            float(deposited.mean() + escaped.mean()),
            float(emitted.mean()),
            unit="keV/history",
            source="conservation of energy",
            tolerance_rel=1e-6,
        )
        difference = expected - deposited
        std = float(difference.std(ddof=1)) / math.sqrt(difference.size)
        yield within(
            f"{name}, {energy_kev:g} keV: expected-value total minus analog total",
            float(difference.mean()) / std,
            0.0,
            unit="standard errors",
            source="two estimators of one quantity",
            bounds=(-3.0, 3.0),
            note=f"analog {deposited.mean():.4f}, expected value {expected.mean():.4f} keV/history",
        )


def check_errors(context: Context) -> Iterator[Row]:
    """Stated standard errors against the spread of independent runs: nine small volumes of case 2."""
    seeds = 160 if context.full else 40
    runs = [tg195.run_case2("120 kVp", 0.0, histories=4e4, seed=1000 + k) for k in range(seeds)]
    columns = [runs[0].index(f"VOI {number}") for number in tg195.VOI_CENTRES_CM]
    means = np.array([run.energy_kev[columns] for run in runs])
    stated = np.array([run.std_kev[columns] ** 2 for run in runs]).mean(axis=0)
    ratios = means.var(axis=0, ddof=1) / stated
    yield within(
        f"variance of {seeds} runs / stated variance, mean of nine volumes",
        float(ratios.mean()),
        1.0,
        unit="1",
        source="statistics",
        bounds=(0.75, 1.35),
        note=f"single volumes {ratios.min():.2f} to {ratios.max():.2f}; the mean of nine is known to "
        f"{math.sqrt(2 / (seeds - 1) / ratios.size):.2f}",
    )


def check_iodine(context: Context) -> Iterator[Row]:
    """Fluorescence escape from a small sphere, against an integral without random numbers."""
    for energy_kev in (40.0, 60.0):
        ours, std, reference = iodine_sphere.compare(energy_kev, histories=4e6 if context.full else 1e6)
        yield within(
            f"10 cm3 sphere, 0.1 % iodine, {energy_kev:g} keV: energy of primary photons kept",
            ours,
            reference,
            unit="keV/history",
            source="deterministic integral over chords and fluorescence escape (transport/iodine_sphere.py)",
            tolerance_rel=0.01,
            note=f"own standard error {100 * std / ours:.2f} %",
        )


SUITE = Suite(
    name="transport",
    title="The Monte Carlo engine",
    claims=(
        Claim(name="tg195-case1", text="TG-195 case 1: HVL and QVL ratios within 0.3 %", check=check_case1),
        Claim(
            name="tg195-case2",
            text=(
                "TG-195 case 2: body totals within 0.15 % of the four codes' mean or inside their "
                "range; VOIs within 1 % (6, 7, 9: 1.5 %) or inside the range; own sigma at most a "
                "third of the tolerance"
            ),
            check=check_case2,
        ),
        Claim(
            name="tg195-case4",
            text=(
                "TG-195 case 4: bins above 1 eV/history within 1 % or inside the range, others 2 %, "
                "the mean of our 36 angles against that of the report's; own sigma at most a third of "
                "the tolerance"
            ),
            check=check_case4,
        ),
        Claim(
            name="balance",
            text=(
                "Analog balance: emitted = deposited + escaped to 1e-6; the expected-value total "
                "agrees within 3 sigma"
            ),
            check=check_balance,
        ),
        Claim(
            name="errors",
            text="Stated errors are honest: variance of repeated runs over the stated one in 0.75 to 1.35",
            check=check_errors,
        ),
        Claim(
            name="iodine-sphere",
            text=(
                "A 10 cm3 sphere with 0.1 % iodine against a deterministic integral with "
                "fluorescence escape: 1 %"
            ),
            check=check_iodine,
        ),
    ),
)
