"""After the therapy: what was planned beside what was reached."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, hypot, isfinite, log, sqrt

from omnidose.errors import InputError
from omnidose.kinetics.choice import choose_shape
from omnidose.kinetics.curves import TimeActivityCurve, TimeIntegratedActivity
from omnidose.modalities.nuclear.planning.confidence import (
    DosePerActivity,
    check_positive,
    check_std,
    factor_at,
)
from omnidose.modalities.nuclear.planning.emitters import low_let_decays
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.spheres import sphere_s

S_PER_H = 3600.0
#: A difference is said to be one beyond this many standard deviations (95 %).
_NOTABLE = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Planned and achieved dose of one tissue.

    Attributes
    ----------
    planned_mgy, achieved_mgy
        Best estimates (medians).
    planned_low95_mgy, planned_high95_mgy, achieved_low95_mgy, achieved_high95_mgy
        95 % intervals.
    ratio_std_rel
        Standard deviation of the logarithm of the ratio: what both share cancels.
    """

    name: str
    planned_mgy: float
    planned_low95_mgy: float
    planned_high95_mgy: float
    achieved_mgy: float
    achieved_low95_mgy: float
    achieved_high95_mgy: float
    ratio_std_rel: float

    @property
    def ratio(self) -> float:
        """Achieved over planned."""
        return self.achieved_mgy / self.planned_mgy

    @property
    def deviations(self) -> float:
        """Difference in standard deviations of the ratio; infinite if both are certain and differ."""
        difference = log(self.ratio)
        if self.ratio_std_rel == 0:
            return 0.0 if difference == 0 else float("inf") * (1 if difference > 0 else -1)
        return difference / self.ratio_std_rel

    @property
    def sentence(self) -> str:
        """What to make of it."""
        change = f"{100 * (self.ratio - 1):+.0f} %"
        if abs(self.deviations) > _NOTABLE:
            return (
                f"{self.name}: {change} against the plan, more than the uncertainties explain "
                f"({abs(self.deviations):.1f} standard deviations): look for the cause before the next cycle"
            )
        return f"{self.name}: {change} against the plan, within what the uncertainties explain"


def verify(
    planned: DosePerActivity,
    *,
    administered_mbq: float,
    achieved_mgy: float,
    achieved_std_rel: float,
    correlation_fraction: float,
) -> Verification:
    """Compare a plan with the dose measured after the therapy.

    Parameters
    ----------
    planned
        Dose per activity of the plan.
    administered_mbq
        What was given (not what was planned).
    correlation_fraction
        Correlation of the two errors, 0 to below 1: the same camera, calibration and outlined volume make
        both wrong together. 0 takes them as independent.

    Raises
    ------
    InputError
        For numbers out of range.
    """
    check_positive(administered_mbq=administered_mbq, achieved_mgy=achieved_mgy)
    check_std(achieved_std_rel=achieved_std_rel)
    if not (isfinite(correlation_fraction) and 0 <= correlation_fraction < 1):
        raise InputError(
            f"a correlation of {correlation_fraction:g} cannot be used",
            where="correlation",
            allowed="0 to below 1",
        )
    u, v = planned.std_rel, achieved_std_rel
    low, high = planned.interval_mgy(administered_mbq)
    factor = factor_at(0.975, achieved_std_rel)
    return Verification(
        name=planned.name,
        planned_mgy=planned.dose_mgy(administered_mbq),
        planned_low95_mgy=low,
        planned_high95_mgy=high,
        achieved_mgy=achieved_mgy,
        achieved_low95_mgy=achieved_mgy / factor,
        achieved_high95_mgy=achieved_mgy * factor,
        ratio_std_rel=sqrt(max(u * u + v * v - 2 * correlation_fraction * u * v, 0.0)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a changed dose per activity is made of: D / A goes as uptake over mass, times half-life.

    Attributes
    ----------
    activity_rel
        Given over planned activity; 1 where it is not known.
    half_life_rel
        Measured over planned effective half-life.
    uptake_rel
        What is left of the change: uptake over mass (one exponential, for both).
    """

    activity_rel: float
    half_life_rel: float
    uptake_rel: float

    @property
    def sentence(self) -> str:
        """The parts in words."""
        parts = (
            ("activity given", self.activity_rel),
            ("effective half-life", self.half_life_rel),
            ("uptake per mass", self.uptake_rel),
        )
        return ", ".join(
            f"{name} {100 * (ratio - 1):+.0f} %"
            for name, ratio in parts
            if ratio != 1.0 or name != "activity given"
        )


def split_change(
    found: Verification,
    *,
    planned_half_life_h: float,
    half_life_h: float,
    physical_half_life_h: float,
    activity_rel: float = 1.0,
) -> Change:
    """Split achieved over planned dose into half-life and uptake.

    Parameters
    ----------
    found
        Planned and achieved dose with the activity that was given.
    planned_half_life_h, half_life_h
        Effective half-lives of the plan and of the measurement.
    activity_rel
        Given over planned activity; it changes the dose beside what ``found`` compares.

    Raises
    ------
    InputError
        For numbers that are not above 0, or half-lives longer than the physical one.
    """
    check_positive(
        planned_half_life_h=planned_half_life_h, half_life_h=half_life_h, activity_rel=activity_rel
    )
    longest_h = max(planned_half_life_h, half_life_h)
    if longest_h > physical_half_life_h * (1 + 1e-6):
        raise InputError(
            f"an effective half-life of {longest_h:.4g} h is longer than the physical one, "
            f"{physical_half_life_h:.4g} h",
            where="half_life_h, planned_half_life_h",
            todo="check whether days were given, or the biological half-life",
        )
    by_half_life = half_life_h / planned_half_life_h
    return Change(
        activity_rel=activity_rel,
        half_life_rel=by_half_life,
        uptake_rel=found.ratio / by_half_life,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """Dose of a tissue that was measured after a therapy.

    Attributes
    ----------
    dose_mgy, std_rel
        Best estimate and relative standard uncertainty.
    integral
        Decays (MBq h) that it comes from.
    half_life_h
        Effective half-life of the last phase.
    assumptions
        What was taken for granted.
    """

    dose_mgy: float
    std_rel: float
    integral: TimeIntegratedActivity
    half_life_h: float
    assumptions: tuple[str, ...]


def delivered_dose(
    curve: TimeActivityCurve,
    *,
    nuclide: str,
    mass_g: float,
    mass_std_rel: float,
    calibration_std_rel: float,
) -> Delivered:
    """Return the dose of a tissue from its activity after the therapy, as a sphere of its mass.

    Parameters
    ----------
    curve
        Activity (MBq) in the whole tissue, corrected for partial volume, not for decay.
    nuclide
        Emitter of electrons and photons.
    mass_std_rel, calibration_std_rel
        Of the mass, and of the camera: both scale the dose.

    Raises
    ------
    InputError
        For alpha emitters, a mass that is none, or a curve that no shape describes.
    """

    check_positive(mass_g=mass_g)
    check_std(mass_std_rel=mass_std_rel, calibration_std_rel=calibration_std_rel)
    members = low_let_decays(nuclide)
    emitter = members[0][0]
    choice = choose_shape(curve, half_life_h=emitter.half_life_h)
    integral = choice.integral
    emitted = yield_of(emitter, progeny={item.name: number for item, number in members[1:]})
    per_mbq_h = sphere_s(emitted, mass_g).total_mgy * S_PER_H
    return Delivered(
        dose_mgy=per_mbq_h * integral.value_mbq_h,
        std_rel=hypot(integral.std_rel, mass_std_rel, calibration_std_rel),
        integral=integral,
        half_life_h=float(choice.best.effective_half_lives_h[0]),
        assumptions=(
            "the tissue is a sphere of soft tissue with uniform activity",
            "photons from activity elsewhere are left out",
            f"uncertainties: mass {mass_std_rel:g}, calibration {calibration_std_rel:g}",
        ),
    )


def dose_rate_mgy_per_h(dose_mgy: float, effective_half_life_h: float, time_h: float = 0.0) -> float:
    """Return the dose rate of one exponential at a time after the administration."""
    check_positive(dose_mgy=dose_mgy, effective_half_life_h=effective_half_life_h)
    decay = log(2) / effective_half_life_h
    return dose_mgy * decay * exp(-decay * time_h)
