"""Electron emissions of nuclides: beta spectra from their end points, and sets of spectra and lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.spectra import Spectrum

ArrayF8 = npt.NDArray[np.float64]

_ALPHA = 1 / 137.035999
_MC2_KEV = 510.99895
#: Reduced Compton wavelength of the electron in fm: nuclear radii in units of it.
_COMPTON_FM = 386.159268


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """What a decay emits: spectra with numbers of particles per decay.

    Attributes
    ----------
    parts
        (particles per decay, spectrum) of each branch or group of lines.
    """

    parts: tuple[tuple[float, Spectrum], ...]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.parts or min(n for n, _s in self.parts) < 0 or not self.per_decay > 0:
            raise InputError("an emission needs spectra with numbers >= 0, at least one of them positive")

    @property
    def per_decay(self) -> float:
        """Particles per decay."""
        return sum(n for n, _s in self.parts)

    @property
    def energy_per_decay_kev(self) -> float:
        """Mean energy per decay."""
        return sum(n * s.mean_kev for n, s in self.parts)

    @property
    def mean_kev(self) -> float:
        """Mean energy per particle."""
        return self.energy_per_decay_kev / self.per_decay

    @property
    def max_kev(self) -> float:
        """Largest energy."""
        return max(s.max_kev for n, s in self.parts if n > 0)


def beta_spectrum(
    *,
    daughter_z: int,
    mass_number: int,
    endpoint_kev: float,
    shape: Literal["allowed", "unique first"] = "allowed",
    positron: bool = False,
    bins: int = 200,
) -> Spectrum:
    """Return the spectrum of one beta branch: phase space, Fermi function, shape factor.

    Parameters
    ----------
    shape
        ``allowed`` also serves first-forbidden transitions that are not unique; ``unique first`` is for a
        spin change of 2 with change of parity (Y-90, Sr-90, Sr-89): q^2 + lambda p^2.
    positron
        The daughter repels.

    Notes
    -----
    Fermi function of a point charge at the nuclear radius 1.2 A^(1/3) fm, no screening by electrons.
    H. Behrens, W. Buehring, *Electron Radial Wave Functions and Nuclear Beta-decay* (Oxford 1982).
    """
    if not (1 <= daughter_z <= 98 and mass_number >= daughter_z and endpoint_kev > 0 and bins >= 10):
        raise InputError(
            f"no beta branch: Z {daughter_z}, A {mass_number}, end point {endpoint_kev:g} keV, {bins} bins",
            allowed="Z 1 to 98, A >= Z, a positive end point, at least 10 bins",
        )
    if shape not in ("allowed", "unique first"):
        raise InputError(f"unknown shape '{shape}' of a beta spectrum", allowed="allowed, unique first")
    width = endpoint_kev / bins
    sub = 8  # points inside a bin
    kinetic = (np.arange(bins * sub) + 0.5) * width / sub
    w = 1 + kinetic / _MC2_KEV
    p = np.sqrt(w**2 - 1)
    q = (endpoint_kev - kinetic) / _MC2_KEV
    radius = 1.2 * mass_number ** (1 / 3) / _COMPTON_FM
    charge = -daughter_z if positron else daughter_z
    first = _coulomb(1, charge, w, p, radius)
    number = first * p * w * q**2
    if shape == "unique first":
        number *= q**2 + _coulomb(2, charge, w, p, radius) / first * p**2
    weight = number.reshape(bins, sub).sum(axis=1)
    centre = (np.arange(bins) + 0.5) * width
    return Spectrum(energy_kev=centre, weight=weight, bin_width_kev=width)


def _coulomb(k: int, charge: int, w: ArrayF8, p: ArrayF8, radius: float) -> ArrayF8:
    """Return the generalised Fermi function F_(k-1), which is 1 without charge."""
    from scipy.special import gammaln, loggamma

    az = _ALPHA * charge
    gamma_k = np.sqrt(k**2 - az**2)
    y = az * w / p
    ln_f = (
        2 * (gammaln(2 * k + 1) - gammaln(k) - gammaln(1 + 2 * gamma_k))
        + 2 * (gamma_k - k) * np.log(2 * p * radius)
        + np.pi * y
        + 2 * np.real(loggamma(gamma_k + 1j * y))
        - 2 * gammaln(k)
    )
    return np.asarray(np.exp(ln_f) * (k + gamma_k) / (2 * k))
