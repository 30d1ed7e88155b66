"""``Region`` (what is scored) and ``Tally`` (what came out), per emitted photon."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.materials import Material
from omnidose.transport.outputs import Balance, ExitImage, FluenceSpectra
from omnidose.transport.phase_space import PhaseSpace

ArrayF8 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FluenceResponse:
    """What a target takes up per photon fluence, as a table (marrow and endosteum of ICRP 116).

    Attributes
    ----------
    energy_kev
        [n] rising photon energies.
    response_kev_cm2_g
        [n] absorbed energy per mass of the target and per fluence (the counterpart of energy times
        mass energy-absorption coefficient); linear in the logarithms, end slopes continued.
    """

    name: str
    energy_kev: ArrayF8
    response_kev_cm2_g: ArrayF8

    def at(self, energy_kev: npt.ArrayLike) -> ArrayF8:
        """Return the response in keV cm2/g at photon energies in keV."""
        x = np.log(np.asarray(energy_kev, dtype=np.float64))
        table_x, table_y = np.log(self.energy_kev), np.log(self.response_kev_cm2_g)
        index = np.clip(np.searchsorted(table_x, x) - 1, 0, table_x.size - 2)
        slope = (table_y[index + 1] - table_y[index]) / (table_x[index + 1] - table_x[index])
        return np.asarray(np.exp(table_y[index] + slope * (x - table_x[index])), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Voxels of the scene's grid that are scored together.

    Attributes
    ----------
    voxels
        Flat indices into the [z, y, x] arrays of the grid.
    grid
        "body" for the scene's ``voxels``, "room" for its ``room``.
    weights
        Share of each voxel's mass that counts; None means all.
    medium
        None: the energy deposited in the voxels themselves. A material: the energy that this
        medium would take up in the voxels' photon fluence (mass energy-absorption coefficient of
        the medium, charged-particle equilibrium), as for marrow in bone. A response function: the
        same with a table instead of the coefficient.
    """

    key: str
    voxels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32] | None = None
    medium: Material | FluenceResponse | None = None
    grid: Literal["body", "room"] = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionTally:
    """Energies in regions per emitted particle, batch by batch: what errors and covariances come from.

    Attributes
    ----------
    keys, mass_g
        Names and masses of the regions, length n.
    batch_energy_kev
        [n_batches, n] mean energy per history in each batch.
    """

    keys: tuple[str, ...]
    mass_g: ArrayF8
    histories: int
    batch_energy_kev: ArrayF8
    seed: int

    @property
    def energy_kev(self) -> ArrayF8:
        """[n] mean energy per emitted particle."""
        return np.asarray(self.batch_energy_kev.mean(axis=0))

    @property
    def covariance_kev2(self) -> ArrayF8:
        """[n, n] covariance of the means, from the spread of the batches."""
        n_batches = self.batch_energy_kev.shape[0]
        return np.asarray(np.atleast_2d(np.cov(self.batch_energy_kev, rowvar=False)) / n_batches)

    @property
    def std_kev(self) -> ArrayF8:
        """[n] standard error of the mean energy."""
        return np.asarray(self.batch_energy_kev.std(axis=0, ddof=1) / np.sqrt(self.batch_energy_kev.shape[0]))

    @property
    def std_rel(self) -> ArrayF8:
        """[n] relative standard error; inf where nothing was scored."""
        mean = self.energy_kev
        return np.where(mean > 0, self.std_kev / np.where(mean > 0, mean, 1.0), np.inf)

    @property
    def dose_kev_g(self) -> ArrayF8:
        """[n] mean energy per gram and emitted particle; multiply by 1.602176634e-10 for mGy."""
        return np.asarray(self.energy_kev / self.mass_g)

    def index(self, key: str) -> int:
        """Return the position of a region.

        Raises
        ------
        InputError
            If there is no such region.
        """
        try:
            return self.keys.index(key)
        except ValueError:
            raise InputError(f"the tally has no region '{key}'", allowed=", ".join(self.keys)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally(RegionTally):
    """Energies per emitted photon, with the batches that make honest errors possible.

    Attributes
    ----------
    keys
        Names of the regions, length n: shapes' keys first, then the given regions.
    mass_g
        [n] mass of each region (for a region with a medium: the mass of its voxels x weights).
    batch_energy_kev
        [n_batches, n] mean energy per history in each batch (expected-value estimator).
    batch_primary_kev
        [n_batches, n] the part of it from photons that had not yet interacted.
    batch_analog_kev
        [n_batches, 4] analog balance per history: emitted, deposited, escaped, expected-value total.
    voxel_dose_kev_g
        float32 [z, y, x] mean energy per history and gram in each voxel, or None.
    voxel_std_kev_g
        float32 [z, y, x] standard errors of it, with all correlations within a history, if they were asked
        for. Voxels share histories: never add these up to an organ's error.
    spectra, image, phase_space
        Further outputs, if they were asked for.
    stopped
        Why the run ended: ``histories`` (all that were asked for), ``precision`` (it was reached), or ``cap``
        (it was not); ``message`` then names the regions that fell short, with their errors.
    warnings
        Where the result, kerma, is not the absorbed dose (:func:`omnidose.transport.kerma.kerma_warnings`).
    """

    batch_primary_kev: ArrayF8
    batch_analog_kev: ArrayF8
    voxel_dose_kev_g: npt.NDArray[np.float32] | None
    counters: dict[str, float] = field(default_factory=dict)
    stopped: str = "histories"
    message: str = ""
    warnings: tuple[str, ...] = ()
    voxel_std_kev_g: npt.NDArray[np.float32] | None = None
    spectra: FluenceSpectra | None = None
    image: ExitImage | None = None
    phase_space: PhaseSpace | None = None

    @property
    def balance(self) -> Balance:
        """Energy emitted, deposited and escaped per history, with standard errors."""
        return Balance.from_batches(self.batch_analog_kev)

    @property
    def primary_fraction(self) -> ArrayF8:
        """[n] share of the energy from unscattered photons (NaN where nothing was scored)."""
        mean = self.energy_kev
        return np.where(mean > 0, self.batch_primary_kev.mean(axis=0) / np.where(mean > 0, mean, 1.0), np.nan)


#: 1 keV/g in mGy (exact, SI 2019).
MGY_PER_KEV_G = 1.602176634e-10
