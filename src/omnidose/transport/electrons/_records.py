"""Flat records that the electron kernels read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F8 = npt.NDArray[np.float64]
I4 = npt.NDArray[np.int32]

#: Columns of ``ElectronPhysics.rows`` (per gram and cm2; energies in keV).
SOFT_STOPPING = 0  # keV cm2/g of collisions and photons below the cut-offs
SOFT_RADIATED = 1  # share of it that photons carry off
STRAGGLING = 2  # keV2 cm2/g
TOTAL_BOUND = 3  # bound of all single events on the way down to 0.8 E
ELASTIC = 4
KNOCK_ON = 5
PHOTON = 6
SOFT_FIRST = 7  # first and second transport coefficient of what is not a single event
SOFT_SECOND = 8
RANGE = 9  # g/cm2, continuous slowing down
YIELD = 10  # radiation yield
ANGLE_CUT = 11  # (1 - cos)/2 from which deflections are single events
SCREENING = 12
MOTT = 13  # five coefficients of (1 - cos)^(j/2)
MOTT_BOUND = 18
N_COLUMNS = 19


class ElectronPhysics(NamedTuple):
    """Interaction data on a grid equidistant in ln E.

    Attributes
    ----------
    rows
        [n_material, n_energy, N_COLUMNS].
    photon_cut
        Photons from here on are single events (keV).
    knock_on_cut
        Electrons set free from here on are single events (keV).
    absorb
        Electrons below stay where they are (keV).
    reject_below
        Electrons below whose range ends inside the voxel stay there (keV).
    photon_table
        [n_material, n_row, n_quantile] ln(photon energy/E) / ln(cut/E) at equal probabilities.
    step
        [n_material] longest step (g/cm2).
    loss
        Largest mean share of the energy lost in one step.
    """

    ln_energy_0: float
    inv_d_ln_energy: float
    n_energy: int
    rows: F8
    photon_cut: float
    knock_on_cut: float
    absorb: float
    reject_below: float
    photon_table: F8
    photon_ln_0: float
    photon_inv_d_ln: float
    step: F8
    loss: float


class ElectronGeometry(NamedTuple):
    """Voxels; lengths in cm from the lower corner of the grid, x fastest.

    Attributes
    ----------
    region_first, region_index, region_weight
        Voxel v scores in the regions ``region_index[region_first[v]:region_first[v + 1]]``.
    """

    n_voxel: I4
    size: F8
    material: npt.NDArray[np.uint8]
    density: npt.NDArray[np.float32]
    region_first: I4
    region_index: I4
    region_weight: F8


class ElectronBeam(NamedTuple):
    """A source in flat form; lengths in cm from the lower corner of the grid.

    Attributes
    ----------
    kind
        0 point, 1 voxels, 2 rectangle, 3 faces of voxels.
    direction
        0 isotropic, 1 isotropic into the half-space of the normal, 2 along the normal.
    frame
        [4, 3]: centre, axis u, axis v (times the half widths), normal.
    place, place_prob, place_alias
        [n, 2] voxel and face of each place an electron may start from, and Walker's table over them.
    energy, half_width, energy_prob, energy_alias
        [n_e] keV, half width of each bin, Walker's table.
    """

    kind: int
    direction: int
    frame: F8
    place: npt.NDArray[np.int64]
    place_prob: npt.NDArray[np.float32]
    place_alias: I4
    energy: F8
    half_width: F8
    energy_prob: npt.NDArray[np.float32]
    energy_alias: I4
