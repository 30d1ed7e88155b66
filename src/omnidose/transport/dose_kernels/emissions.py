"""What one decay sends out, as dose kernels need it: lines and a continuum of electrons, photons, alphas."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.transport.dose_kernels.media import HIGHEST_ELECTRON_KEV, HIGHEST_PHOTON_KEV

ArrayF8 = npt.NDArray[np.float64]


def _none() -> ArrayF8:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RadiationYield:
    """Radiations per decay.

    Attributes
    ----------
    electron_kev, electron_per_decay
        [n] energies and numbers of monoenergetic electrons (conversion, Auger).
    beta_edges_kev, beta_per_decay
        [m + 1] rising edges and [m] betas of either sign per decay in each bin; uniform inside a bin.
    photon_kev, photon_per_decay
        [p] energies and numbers of photons, those of annihilation included.
    alpha_kev
        Energy of alphas per decay, with that of the recoil nuclei: absorbed where it is set free, but for
        spheres.
    alpha_line_kev, alpha_per_decay
        [a] energies and numbers of alphas, for spheres as small as their ranges; what they do not carry of
        ``alpha_kev`` stays where it is set free.

    Raises
    ------
    InputError
        For arrays that do not fit together, numbers that are not finite or below 0, energies beyond the
        tables, and a decay that emits nothing.
    """

    name: str
    electron_kev: ArrayF8 = field(default_factory=_none)
    electron_per_decay: ArrayF8 = field(default_factory=_none)
    beta_edges_kev: ArrayF8 = field(default_factory=_none)
    beta_per_decay: ArrayF8 = field(default_factory=_none)
    photon_kev: ArrayF8 = field(default_factory=_none)
    photon_per_decay: ArrayF8 = field(default_factory=_none)
    alpha_kev: float = 0.0
    alpha_line_kev: ArrayF8 = field(default_factory=_none)
    alpha_per_decay: ArrayF8 = field(default_factory=_none)

    def __post_init__(self) -> None:
        for key in _ARRAYS:
            array = np.array(getattr(self, key), dtype=np.float64, ndmin=1)
            array.setflags(write=False)  # a kernel is kept under their hash
            object.__setattr__(self, key, array)
        where = f"radiations of {self.name}"
        betas = self.beta_per_decay.size
        if (
            self.electron_kev.shape != self.electron_per_decay.shape
            or self.photon_kev.shape != self.photon_per_decay.shape
            or self.alpha_line_kev.shape != self.alpha_per_decay.shape
            or self.beta_edges_kev.size != (betas + 1 if betas else 0)
        ):
            raise InputError(
                "energies and numbers per decay do not fit together",
                where=where,
                allowed="as many numbers as lines, one edge more than bins",
            )
        everything = np.concatenate([*(getattr(self, key) for key in _ARRAYS), [self.alpha_kev]])
        if not (np.all(np.isfinite(everything)) and np.all(everything >= 0)):
            raise InputError("radiations hold numbers that are not finite or below 0", where=where)
        if np.any(np.diff(self.beta_edges_kev) <= 0):
            raise InputError("the edges of a beta spectrum must rise", where=where)
        if self.alpha_line_kev @ self.alpha_per_decay > (1 + 1e-9) * self.alpha_kev:
            raise InputError("lines of alphas hold more energy than all alphas", where=where)
        self._check_highest(self.electron_kev, HIGHEST_ELECTRON_KEV, "electron")
        self._check_highest(self.beta_edges_kev, HIGHEST_ELECTRON_KEV, "beta")
        self._check_highest(self.photon_kev, HIGHEST_PHOTON_KEV, "photon")
        if not self.emitted_electron_kev + self.emitted_photon_kev + self.alpha_kev > 0:
            raise InputError("a decay that emits nothing has no dose kernel", where=where)

    def _check_highest(self, energy_kev: ArrayF8, highest_kev: float, what: str) -> None:
        if energy_kev.size and energy_kev.max() > highest_kev:
            raise InputError(
                f"a {what} energy of {energy_kev.max():g} keV is beyond the dose kernels",
                where=f"radiations of {self.name}",
                allowed=f"up to {highest_kev:g} keV",
            )

    @property
    def beta_kev(self) -> float:
        """Mean beta energy per decay."""
        middle = 0.5 * (self.beta_edges_kev[1:] + self.beta_edges_kev[:-1])
        return float(middle @ self.beta_per_decay)

    @property
    def emitted_electron_kev(self) -> float:
        """Energy of all electrons and betas per decay."""
        return float(self.electron_kev @ self.electron_per_decay) + self.beta_kev

    @property
    def emitted_photon_kev(self) -> float:
        """Energy of all photons per decay, without bremsstrahlung."""
        return float(self.photon_kev @ self.photon_per_decay)

    def electrons(self, parts: int = 4) -> tuple[ArrayF8, ArrayF8]:
        """Return energies and numbers of all electrons; bins of betas as ``parts`` lines each."""
        low, width = self.beta_edges_kev[:-1], np.diff(self.beta_edges_kev)
        inside = low[:, None] + width[:, None] * (np.arange(parts) + 0.5) / parts
        number = np.repeat(self.beta_per_decay / parts, parts)
        energy = np.concatenate([self.electron_kev, inside.ravel()])
        return energy, np.concatenate([self.electron_per_decay, number])


_ARRAYS = (
    "electron_kev",
    "electron_per_decay",
    "beta_edges_kev",
    "beta_per_decay",
    "photon_kev",
    "photon_per_decay",
    "alpha_line_kev",
    "alpha_per_decay",
)
