"""Lines and continua of a nuclide, and what turns evaluated beta branches into spectra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from omnidose.errors import DataError
from omnidose.physics.beta import BetaBranch, _density, beta_continuum
from omnidose.physics.electron_stopping import MC2_KEV

ArrayF8 = npt.NDArray[np.float64]

#: Bins of every continuum.
BINS = 200


def _empty() -> ArrayF8:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """Radiation of single energies: [n] energies in keV and [n] numbers per decay, by rising energy."""

    energy_kev: ArrayF8 = field(default_factory=_empty)
    per_decay: ArrayF8 = field(default_factory=_empty)

    @property
    def number_per_decay(self) -> float:
        """All of them."""
        return float(self.per_decay.sum())

    @property
    def energy_per_decay_kev(self) -> float:
        """Energy carried per decay."""
        return float(self.energy_kev @ self.per_decay)

    def strongest(self, count: int) -> Lines:
        """Return the ``count`` lines with the highest numbers per decay, highest first."""
        order = np.argsort(-self.per_decay, kind="stable")[:count]
        return Lines(energy_kev=self.energy_kev[order], per_decay=self.per_decay[order])

    def __len__(self) -> int:
        return int(self.energy_kev.size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Continuum:
    """Betas or positrons: [m + 1] edges in keV from 0 to the highest end point, [m] numbers per decay."""

    edges_kev: ArrayF8 = field(default_factory=_empty)
    per_decay: ArrayF8 = field(default_factory=_empty)

    @property
    def middle_kev(self) -> ArrayF8:
        """Centres of the bins."""
        return np.asarray(0.5 * (self.edges_kev[1:] + self.edges_kev[:-1]))

    @property
    def number_per_decay(self) -> float:
        """All of them."""
        return float(self.per_decay.sum())

    @property
    def energy_per_decay_kev(self) -> float:
        """Energy carried per decay."""
        return float(self.middle_kev @ self.per_decay) if self else 0.0

    @property
    def mean_kev(self) -> float:
        """Mean energy of one of them; 0 if there is none."""
        return self.energy_per_decay_kev / self.number_per_decay if self else 0.0

    @property
    def max_kev(self) -> float:
        """Highest end point; 0 if there is none."""
        return float(self.edges_kev[-1]) if self else 0.0

    def __bool__(self) -> bool:
        return self.per_decay.size > 0


def continuum(
    branches: Sequence[BetaBranch],
    *,
    daughter_z: int,
    mass_number: int,
    mean_kev: float,
    positron: bool = False,
) -> Continuum:
    """Return the spectrum of all branches with a given mean energy.

    Parameters
    ----------
    mean_kev
        The evaluated mean energy of one particle. 0: the mean that the shapes give is kept.

    Notes
    -----
    Allowed and unique shapes leave out what a forbidden transition's nuclear matrix elements do. The
    evaluated mean is met with one more factor exp(a E), which leaves end point and number alone and is 1 for
    a shape that is right already.
    """
    edges, number = beta_continuum(
        branches, daughter_z=daughter_z, mass_number=mass_number, positron=positron, bins=BINS
    )
    if mean_kev > 0:
        number = tilted(edges, number, mean_kev)
    return Continuum(edges_kev=edges, per_decay=number)


def tilted(edges_kev: ArrayF8, number: ArrayF8, mean_kev: float) -> ArrayF8:
    """Return the numbers per bin times exp(a E), with a chosen so that the mean is met; the sum stays.

    Raises
    ------
    DataError
        If no such spectrum has this mean.
    """
    middle = 0.5 * (edges_kev[1:] + edges_kev[:-1])
    x = middle / edges_kev[-1]
    wanted, a = mean_kev / edges_kev[-1], 0.0
    for _ in range(60):  # Newton: the derivative of the mean by a is the variance
        weight = number * np.exp(a * (x - wanted))
        weight /= weight.sum()
        mean = float(weight @ x)
        step = (wanted - mean) / float(weight @ (x - mean) ** 2)
        a += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-13:
            return np.asarray(weight * number.sum())
    raise DataError(
        f"no spectrum up to {edges_kev[-1]:g} keV has the mean {mean_kev:g} keV",
        allowed="an evaluated mean inside the spectrum",
    )


def split_positrons(
    q_kev: npt.ArrayLike,
    intensity: npt.ArrayLike,
    unique: npt.ArrayLike,
    positron_fraction: float,
    *,
    daughter_z: int,
    mass_number: int,
) -> ArrayF8:
    """Split transitions that evaluations list as "EC + beta+" and return the positrons per decay of each.

    Parameters
    ----------
    q_kev, intensity, unique
        [n] transition energies, transitions per decay, and whether the shape is unique first-forbidden.
    positron_fraction
        Positrons per decay of all together (half of the evaluated 511 keV yield).

    Notes
    -----
    For each transition beta+ : EC = f+(Q - 2 m c^2) : C Q^2 with the phase space f+ of the spectrum
    and the neutrino's phase space of capture, whose atomic factor C is nearly the same for all
    transitions of one nuclide (binding energies are small beside Q). C is what makes the sum right: no atomic
    theory is needed, and none of its errors enter.
    """
    q, total = np.asarray(q_kev, dtype=np.float64), np.asarray(intensity, dtype=np.float64)
    forbidden = np.asarray(unique, dtype=bool)
    open_ = q > 2 * MC2_KEV
    out = np.zeros_like(q)
    if positron_fraction <= 0:
        return out
    if not positron_fraction < total[open_].sum():
        raise DataError(
            f"{positron_fraction:g} positrons per decay, {total[open_].sum():g} transitions above 1022 keV",
            allowed="fewer positrons than such transitions",
        )
    phase = np.array(
        [
            _phase_space(energy, first, daughter_z, mass_number)
            for energy, first in zip(q[open_] - 2 * MC2_KEV, forbidden[open_], strict=True)
        ]
    )
    # a unique transition captures with the neutrino's q^2 once more, as its positrons have it in their shape
    capture = (q[open_] / MC2_KEV) ** np.where(forbidden[open_], 4, 2)
    low, high = -60.0, 60.0  # ln C
    for _ in range(200):
        middle = 0.5 * (low + high)
        share = phase / (phase + np.exp(middle) * capture)
        if float(share @ total[open_]) > positron_fraction:
            low = middle
        else:
            high = middle
    out[open_] = share * total[open_]
    return out


def _phase_space(endpoint_kev: float, unique: bool, daughter_z: int, mass_number: int) -> float:
    """Integrate the density that :mod:`omnidose.physics.beta` normalises away, in natural units."""
    x, weight = np.polynomial.legendre.leggauss(64)
    branch = BetaBranch(endpoint_kev=endpoint_kev, shape="unique first" if unique else "allowed")
    half_kev = 0.5 * endpoint_kev
    return float(_density(half_kev * (x + 1), branch, -daughter_z, mass_number) @ weight * half_kev / MC2_KEV)
