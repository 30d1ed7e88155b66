"""``NuclearExam``: what was given to whom, and when it was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from omnidose.errors import ContradictionError, InputError
from omnidose.kinetics.administration import Administration, hours_between
from omnidose.provenance import Assumption
from omnidose.volume import Volume

#: More than this share of what was given cannot be in the images: a unit, a time or a correction is wrong.
MOST_SEEN = 1.25


class DoseMethod(StrEnum):
    """How dose comes from time-integrated activity.

    Local: electrons stay in the voxel of the decay, photons by kernel. Convolution: both by kernel, divided
    by the voxel's density. Monte Carlo: photons through the body by the engine, electrons local.
    """

    LOCAL = "local"
    CONVOLUTION = "convolution"
    MONTE_CARLO = "monte-carlo"


class Unseen(StrEnum):
    """What is done with activity that was given and is not in the images.

    Tissue: the unseen body holds as much per mass as the typical seen tissue, at most what is left; the rest
    was excreted. Body: all of it is in the unseen body. Excreted: none of it is in the body any more.
    """

    TISSUE = "tissue"
    BODY = "body"
    EXCRETED = "excreted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PetScan:
    """When and where a PET was taken; moments with a time zone.

    Attributes
    ----------
    first, last
        Start of the first and the last bed.
    reference
        Moment of the values of the image.
    z_mm
        Lowest and highest slice, LPS.
    """

    first: datetime
    last: datetime
    reference: datetime
    duration_s: float = 0.0
    bed_count: int = 1
    z_mm: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NuclearExam:
    """One administration of one radiopharmaceutical and the images of it.

    Attributes
    ----------
    key
        Administration event UID, or the series UID of the images.
    agent
        Radiopharmaceutical, as written.
    seen_mbq
        Sum of the image at ``scan.reference``.
    effective_half_life_h
        After the scan, if a person said one; None: physical decay alone.
    unseen
        What is done with what was given and not seen.
    method
        None: chosen by the anatomy.
    image_fwhm_mm
        Blur of the images, if a person said one and wants the partial volume corrected; needs a CT.
    entered
        Keys that a person gave and the data did not.
    activity
        MBq per voxel at ``scan.reference``.
    """

    key: str
    nuclide: str
    half_life_h: float
    agent: str
    administration: Administration
    scan: PetScan
    seen_mbq: float
    effective_half_life_h: float | None = None
    unseen: Unseen = Unseen.TISSUE
    method: DoseMethod | None = None
    has_ct: bool = False
    image_fwhm_mm: float | None = None
    entered: tuple[str, ...] = ()
    manufacturer: str = ""
    model: str = ""
    series_uid: str = ""
    assumptions: tuple[Assumption, ...] = ()
    warnings: tuple[str, ...] = ()
    activity: Volume | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.half_life_h > 0:
            raise InputError("the half-life is not a positive number", where="half_life_h")
        effective = self.effective_half_life_h
        if effective is not None and not 0 < effective <= self.half_life_h * (1 + 1e-9):
            raise InputError(
                f"an effective half-life of {effective:g} h is longer than the physical one of "
                f"{self.nuclide} ({self.half_life_h:.3g} h)"
                if effective > 0
                else f"an effective half-life of {effective:g} h",
                where="effective_half_life_h",
                allowed=f"above 0, up to {self.half_life_h:.4g} h",
            )
        self._check_blur()
        if self.hours_to_reference < -0.05:
            raise InputError(
                f"the images show the activity {-self.hours_to_reference:.2f} h before the injection",
                where="injection_time",
                todo="correct the time of injection",
            )
        if not self.seen_mbq >= 0:
            raise InputError("the images hold no activity", where="seen_mbq")
        if self.seen_fraction > MOST_SEEN:
            raise ContradictionError(
                f"the images hold {self.seen_mbq:.4g} MBq, {100 * self.seen_fraction:.0f} % of what can "
                f"be left of the {self.administration.net_mbq:.4g} MBq that were given",
                where="RadionuclideTotalDose (0018,1074), Units (0054,1001), DecayCorrection (0054,1102)",
                allowed=f"up to {100 * MOST_SEEN:.0f} %",
                todo="check unit and amount, the times, and whether decay was corrected twice",
            )

    def _check_blur(self) -> None:
        fwhm = self.image_fwhm_mm
        if fwhm is None:
            return
        if not 0 < fwhm <= 40:
            raise InputError(
                f"images blurred by {fwhm:g} mm", where="image_fwhm_mm", allowed="above 0, to 40 mm"
            )
        if not self.has_ct:
            raise InputError(
                "the partial volume of a PET without a CT cannot be corrected: no outline is known",
                where="image_fwhm_mm",
                todo="add the CT of the study, or leave image_fwhm_mm out",
            )

    @property
    def title(self) -> str:
        """One line for a person."""
        words = self.agent or self.nuclide
        if self.agent and self.nuclide not in self.agent:
            words = f"{self.agent} ({self.nuclide})"
        return f"PET, {words}, {self.administration.net_mbq:.0f} MBq"

    @property
    def hours_to_reference(self) -> float:
        """From the injection to the moment of the image's values (0 if corrected to the injection)."""
        return hours_between(self.administration.injection_time, self.scan.reference)

    @property
    def hours_to_scan(self) -> float:
        """From the injection to the middle of the scan."""
        first = hours_between(self.administration.injection_time, self.scan.first)
        last = hours_between(self.administration.injection_time, self.scan.last)
        return 0.5 * (first + last + self.scan.duration_s / 3600)

    @property
    def left_mbq(self) -> float:
        """What physical decay leaves of the net activity at ``scan.reference``."""
        return self.administration.net_mbq * math.exp(
            -math.log(2) * self.hours_to_reference / self.half_life_h
        )

    @property
    def seen_fraction(self) -> float:
        """Share of the net activity that is in the images."""
        return self.seen_mbq / self.left_mbq
