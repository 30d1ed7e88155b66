"""Beta spectra from their end points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.electron_stopping import ALPHA, MC2_KEV
from omnidose.physics.spectra import Spectrum

ArrayF8 = npt.NDArray[np.float64]

#: Reduced Compton wavelength of the electron in fm: nuclear radii in units of it.
_COMPTON_FM = 386.159268


Shape = Literal["allowed", "unique first"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaBranch:
    """One beta transition of a nuclide.

    Attributes
    ----------
    endpoint_kev, intensity_rel
        Largest kinetic energy, and transitions per decay.
    shape
        ``allowed`` also serves first-forbidden transitions that are not unique; ``unique first`` is for a
        spin change of 2 with change of parity (Y-90, Sr-90, Sr-89): q^2 + lambda p^2.
    """

    endpoint_kev: float
    intensity_rel: float = 1.0
    shape: Shape = "allowed"

    def __post_init__(self) -> None:
        if not (0 < self.endpoint_kev < 30_000 and 0 < self.intensity_rel <= 1):
            raise InputError(
                f"no beta branch: end point {self.endpoint_kev:g} keV, {self.intensity_rel:g} per decay",
                allowed="an end point above 0 and below 30 MeV, above 0 and at most 1 per decay",
            )
        if self.shape not in get_args(Shape):
            raise InputError(
                f"unknown shape '{self.shape}' of a beta spectrum", allowed=", ".join(get_args(Shape))
            )


def beta_continuum(
    branches: Sequence[BetaBranch],
    *,
    daughter_z: int,
    mass_number: int,
    positron: bool = False,
    bins: int = 200,
) -> tuple[ArrayF8, ArrayF8]:
    """Return edges (keV, [bins + 1]) and betas per decay in each bin ([bins]) of all branches together.

    Parameters
    ----------
    positron
        The daughter repels.

    Notes
    -----
    Phase space, Fermi function of a point charge at the nuclear radius 1.2 A^(1/3) fm, shape factor; no
    screening by electrons. H. Behrens, W. Buehring, *Electron Radial Wave Functions and Nuclear Beta-decay*
    (Oxford 1982). Mean energies against ICRP 107: Y-90 933.5 (933.0), Sr-89 584.6, I-131's main branch
    191.5, Lu-177's 149.3 keV.
    """
    if not (1 <= daughter_z <= 98 and mass_number >= daughter_z and bins >= 10 and branches):
        raise InputError(
            f"no beta decay: {len(branches)} branches, Z {daughter_z}, A {mass_number}, {bins} bins",
            allowed="at least one branch, Z 1 to 98, A >= Z, at least 10 bins",
        )
    edges = np.linspace(0.0, max(branch.endpoint_kev for branch in branches), bins + 1)
    x, weight = np.polynomial.legendre.leggauss(8)
    total = np.zeros(bins)
    for branch in branches:
        low, high = np.minimum(edges[:-1], branch.endpoint_kev), np.minimum(edges[1:], branch.endpoint_kev)
        kinetic = 0.5 * (high - low)[:, None] * (x + 1) + low[:, None]
        number = np.zeros(bins)
        used = high > low
        density = _density(kinetic[used], branch, -daughter_z if positron else daughter_z, mass_number)
        number[used] = (density * weight).sum(axis=1) * 0.5 * (high - low)[used]
        total += branch.intensity_rel * number / number.sum()
    return edges, total


def beta_spectrum(
    branch: BetaBranch,
    *,
    daughter_z: int,
    mass_number: int,
    positron: bool = False,
    bins: int = 200,
) -> Spectrum:
    """Return the spectrum of one branch (see :func:`beta_continuum`)."""
    edges, number = beta_continuum(
        (branch,), daughter_z=daughter_z, mass_number=mass_number, positron=positron, bins=bins
    )
    return Spectrum(
        energy_kev=0.5 * (edges[1:] + edges[:-1]), weight=number, bin_width_kev=float(edges[1] - edges[0])
    )


def _density(kinetic: ArrayF8, branch: BetaBranch, charge: int, mass_number: int) -> ArrayF8:
    w = 1 + kinetic / MC2_KEV
    p = np.sqrt(w**2 - 1)
    q = (branch.endpoint_kev - kinetic) / MC2_KEV
    radius = 1.2 * mass_number ** (1 / 3) / _COMPTON_FM
    first = _coulomb(1, charge, w, p, radius)
    number = first * p * w * q**2
    if branch.shape == "unique first":
        number *= q**2 + _coulomb(2, charge, w, p, radius) / first * p**2
    return np.asarray(number)


def _coulomb(k: int, charge: int, w: ArrayF8, p: ArrayF8, radius: float) -> ArrayF8:
    """Return the generalised Fermi function F_(k-1), which is 1 without charge."""
    from scipy.special import gammaln, loggamma

    az = ALPHA * charge
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
