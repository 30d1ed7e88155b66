"""What came out of an electron simulation, per emitted electron."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from omnidose.physics.spectra import Spectrum
from omnidose.transport.tally import RegionTally

ArrayF8 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronTally(RegionTally):
    """Energies per emitted electron, with the batches that make honest errors possible.

    Attributes
    ----------
    keys
        Names of the regions, length n.
    mass_g
        [n] mass of each region.
    batch_energy_kev
        [n_batches, n] mean energy left per history in each batch.
    batch_balance_kev
        [n_batches, 4] per history: emitted, deposited, escaped from the grid, carried off by
        bremsstrahlung. The first is the sum of the others.
    voxel_dose_kev_g
        float32 [z, y, x] mean energy per history and gram in each voxel, or None.
    voxel_std_kev_g
        Standard error of it, from the batches, or None. Never add it up to an organ's: voxels share
        histories.
    radiated_kev
        float32 [z, y, x] bremsstrahlung energy set free in each voxel per history, or None.
    photons
        Spectrum of the bremsstrahlung photons above ``photon_cut_kev``, or None; with their number per
        electron and ``radiated_kev`` the source of a photon simulation.
    photon_count
        Number of them in the whole run.
    stops
        float32 [z, y, x] share of the emitted electrons that come to rest in each voxel, or None: for
        positrons the map of the annihilation, the activity of a source of two 511 keV photons each.
    """

    batch_balance_kev: ArrayF8
    voxel_dose_kev_g: npt.NDArray[np.float32] | None
    voxel_std_kev_g: npt.NDArray[np.float32] | None
    radiated_kev: npt.NDArray[np.float32] | None
    photons: Spectrum | None
    photon_count: int
    photon_cut_kev: float
    stops: npt.NDArray[np.float32] | None
    counters: dict[str, float] = field(default_factory=dict)

    @property
    def photons_per_electron(self) -> float:
        """Bremsstrahlung photons above ``photon_cut_kev`` per emitted electron."""
        return self.photon_count / self.histories

    @property
    def emitted_kev(self) -> float:
        """Mean energy emitted per history."""
        return float(self.batch_balance_kev[:, 0].mean())

    @property
    def deposited_kev(self) -> float:
        """Mean energy left in the grid per history."""
        return float(self.batch_balance_kev[:, 1].mean())

    @property
    def escaped_kev(self) -> float:
        """Mean energy of electrons that leave the grid, per history."""
        return float(self.batch_balance_kev[:, 2].mean())

    @property
    def bremsstrahlung_kev(self) -> float:
        """Mean energy of bremsstrahlung per history; it is not followed."""
        return float(self.batch_balance_kev[:, 3].mean())

    @property
    def imbalance_rel(self) -> float:
        """What the balance misses, over what was emitted."""
        emitted, *parts = self.batch_balance_kev.sum(axis=0)
        return float(abs(emitted - sum(parts)) / emitted)
