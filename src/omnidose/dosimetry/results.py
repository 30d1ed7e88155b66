"""The words in which doses leave a modality: ``OrganDoses``, ``DoseMap``, ``ExposureResult``."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import Origin, Person
from omnidose.errors import InputError
from omnidose.provenance import Provenance
from omnidose.quantities import Quantity
from omnidose.volume import Volume

ArrayF8 = npt.NDArray[np.float64]


class Distribution(StrEnum):
    """Shape of an uncertainty component."""

    NORMAL = "normal"
    LOGNORMAL = "lognormal"
    UNIFORM = "uniform"
    TRIANGULAR = "triangular"


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertaintyComponent:
    """One systematic source of uncertainty.

    Attributes
    ----------
    key
        Equal keys (``ctdivol:<device>``, ``phantom:<name>``) mean fully correlated, also between
        exposures.
    std_rel
        Relative standard uncertainty: one number for all organs, or one per organ.
    text
        Where the number comes from, in one sentence.
    """

    key: str
    distribution: Distribution
    std_rel: float | tuple[float, ...]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """What turns a tally per emitted particle into mGy.

    Attributes
    ----------
    particles
        Number of emitted particles of the exposure (or per mGy CTDIvol if ``relative_to`` is set).
    relative_to
        Empty for absolute results in mGy; else what one unit of the result refers to, for example
        ``mGy CTDIvol (32 cm)``.
    quantity
        The measured quantity used (CTDIvol, KAP, air kerma, activity), if any.
    source
        Where the scale comes from, in words.
    """

    particles: float
    relative_to: str = ""
    quantity: Quantity | None = None
    source: str = ""
    components: tuple[UncertaintyComponent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseVolumeHistogram:
    """Cumulative dose-volume histogram of one organ.

    Attributes
    ----------
    dose_mgy
        Lower bin edges.
    volume_fraction
        Share of the organ's volume that gets at least that dose.
    """

    dose_mgy: ArrayF8
    volume_fraction: ArrayF8


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganDoses:
    """Absorbed dose of every organ and radiation quality.

    Attributes
    ----------
    organs
        Canonical names, length n.
    qualities
        Radiation qualities, length q; ``photon`` for X-rays (with the electrons they set free).
    dose_mgy
        [n, q] mean absorbed dose; NaN where an organ is absent.
    covariance_mgy2
        [n*q, n*q] statistical covariance (organ-major order).
    relative_to
        Empty for mGy, else the unit reads "mGy per <relative_to>".
    mass_g, primary_fraction, imaged_fraction, completion_share
        [n]; share of energy from unscattered photons, share of the organ in the images, share of
        the dose that rests on completion. NaN if unknown.
    """

    organs: tuple[str, ...]
    qualities: tuple[str, ...] = ("photon",)
    dose_mgy: ArrayF8
    covariance_mgy2: ArrayF8
    mass_g: ArrayF8
    origin: tuple[Origin, ...]
    imaged_fraction: ArrayF8
    primary_fraction: ArrayF8
    completion_share: ArrayF8
    components: tuple[UncertaintyComponent, ...] = ()
    relative_to: str = ""
    dvh: dict[str, DoseVolumeHistogram] = field(default_factory=dict)
    hot_mgy: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, q = len(self.organs), len(self.qualities)
        if self.dose_mgy.shape != (n, q) or self.covariance_mgy2.shape != (n * q, n * q):
            raise InputError(
                f"dose {self.dose_mgy.shape} and covariance {self.covariance_mgy2.shape} do not fit "
                f"{n} organs and {q} qualities"
            )

    @property
    def total_mgy(self) -> ArrayF8:
        """[n] absorbed dose summed over qualities."""
        return np.asarray(self.dose_mgy.sum(axis=1))

    @property
    def statistical_std_mgy(self) -> ArrayF8:
        """[n] standard error of the Monte Carlo of the total."""
        n, q = self.dose_mgy.shape
        cov = self.covariance_mgy2.reshape(n, q, n, q)
        variance = np.einsum("iaib->i", cov)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)

    @property
    def systematic_std_mgy(self) -> ArrayF8:
        """[n] all components in quadrature (different keys are independent)."""
        variance = np.zeros(len(self.organs))
        for component in self.components:
            variance += (np.asarray(component.std_rel) * self.total_mgy) ** 2
        return np.sqrt(variance)

    @property
    def std_mgy(self) -> ArrayF8:
        """[n] statistical and systematic standard uncertainty together."""
        return np.hypot(self.statistical_std_mgy, self.systematic_std_mgy)

    @property
    def interval_mgy(self) -> ArrayF8:
        """[n, 2] 95 % interval of everything that is known of, as of a lognormal distribution.

        A dose is positive, and one outside the beam is uncertain by factors: dose / k to dose x k with
        k = exp(1.96 s), s^2 = ln(1 + relative variance). For a few per cent that is the usual interval. An
        organ that no photon reached has 0 and twice its standard error.
        """
        dose, std = self.total_mgy, self.std_mgy
        safe = np.where(dose > 0, dose, 1.0)
        factor = np.exp(1.96 * np.sqrt(np.log1p((std / safe) ** 2)))
        low = np.where(dose > 0, dose / factor, 0.0)
        high = np.where(dose > 0, dose * factor, 1.96 * std)
        return np.stack([low, high], axis=1)

    def dose_of(self, organ: str) -> float:
        """Return the total dose of one organ in mGy (KeyError if there is none)."""
        try:
            return float(self.total_mgy[self.organs.index(organ)])
        except ValueError:
            raise KeyError(organ) from None

    def only(self, keys: Collection[str]) -> OrganDoses:
        """Return the rows of some organs, in their order, with what belongs to them."""
        kept = [i for i, key in enumerate(self.organs) if key in keys]
        flat = (
            np.array(kept, dtype=np.intp)[:, None] * len(self.qualities) + np.arange(len(self.qualities))
        ).ravel()
        components = tuple(
            replace(c, std_rel=tuple(c.std_rel[i] for i in kept)) if isinstance(c.std_rel, tuple) else c
            for c in self.components
        )
        return replace(
            self,
            organs=tuple(self.organs[i] for i in kept),
            dose_mgy=self.dose_mgy[kept],
            covariance_mgy2=self.covariance_mgy2[np.ix_(flat, flat)],
            mass_g=self.mass_g[kept],
            origin=tuple(self.origin[i] for i in kept),
            imaged_fraction=self.imaged_fraction[kept],
            primary_fraction=self.primary_fraction[kept],
            completion_share=self.completion_share[kept],
            components=components,
            dvh={key: found for key, found in self.dvh.items() if key in keys},
            hot_mgy={key: found for key, found in self.hot_mgy.items() if key in keys},
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per organ, ready for CSV, JSON or pandas."""
        stat, syst, total_std = self.statistical_std_mgy, self.systematic_std_mgy, self.std_mgy
        interval = self.interval_mgy
        unit = f"mGy per {self.relative_to}" if self.relative_to else "mGy"
        out = []
        for i, organ in enumerate(self.organs):
            out.append(
                {
                    "organ": organ,
                    "dose_mgy": float(self.total_mgy[i]),
                    "low95_mgy": float(interval[i, 0]),
                    "high95_mgy": float(interval[i, 1]),
                    "std_mgy": float(total_std[i]),
                    "std_statistical_mgy": float(stat[i]),
                    "std_systematic_mgy": float(syst[i]),
                    "unit": unit,
                    "mass_g": float(self.mass_g[i]),
                    "origin": self.origin[i].value,
                    "imaged_fraction": float(self.imaged_fraction[i]),
                    "primary_fraction": float(self.primary_fraction[i]),
                    "completion_share": float(self.completion_share[i]),
                    "hot_mgy": self.hot_mgy.get(organ, float("nan")),
                    **{f"{q}_mgy": self._quality_mgy(i, q) for q in ("photon", "electron", "alpha")},
                }
            )
        return out

    def _quality_mgy(self, row: int, quality: str) -> float:
        """Absorbed dose of one radiation quality; 0 if it is none of these."""
        return float(self.dose_mgy[row, self.qualities.index(quality)]) if quality in self.qualities else 0.0

    def to_csv(self) -> str:
        """Return the rows as CSV text."""
        rows = self.rows()
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, fieldnames=list(rows[0]) if rows else ["organ"], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: (f"{v:.6g}" if isinstance(v, float) else v) for k, v in row.items()})
        return buffer.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseMap:
    """Absorbed dose per voxel.

    Attributes
    ----------
    volume
        float32 [z, y, x] in mGy, or in mGy per ``relative_to``.
    """

    volume: Volume
    relative_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture as data: the report decides how to draw it."""

    key: str
    title: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureResult:
    """What a modality says about one exposure.

    Attributes
    ----------
    exposure_key
        Irradiation event UID or another stable key.
    quantities
        Named quantities with kinds: CTDIvol, DLP, SSDE, …
    therapy
        True if the exposure was meant to treat: its doses are no input to a lifetime risk.
    """

    exposure_key: str
    modality: str
    title: str
    organ_doses: OrganDoses
    dose_map: DoseMap | None = None
    normalisation: Normalisation | None = None
    quantities: dict[str, Quantity] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    warnings: tuple[str, ...] = ()
    provenance: Provenance
    person: Person = field(default_factory=Person)
    therapy: bool = False
