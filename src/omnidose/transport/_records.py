"""Flat records that the kernels read. Arrays only, so that CPU and GPU can share them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

F4 = npt.NDArray[np.float32]
I4 = npt.NDArray[np.int32]
U1 = npt.NDArray[np.uint8]
#: Three numbers that kernels get by value.
Three = tuple[Any, Any, Any]


class Room(NamedTuple):
    """Macro cells of a room, around those of the body. Lengths in cm from the corner of the body's cells.

    Attributes
    ----------
    cell_lower
        [3] lower corner.
    cell_cm, inv_cell, n_cell, cell_class, majorant
        As in :class:`Geometry`; of the room.
    first_cell
        Where the room's cells begin in ``Geometry.cell_shape_first``, behind the body's.
    """

    cell_lower: F4
    cell_cm: F4
    inv_cell: F4
    n_cell: I4
    cell_class: U1
    majorant: F4
    first_cell: int


class Geometry(NamedTuple):
    """Macro cells, voxels and shapes. Lengths in cm from the lower corner of the macro grid.

    Attributes
    ----------
    cell_cm, inv_cell
        [3] size of a macro cell and its inverse (x, y, z).
    n_cell
        [3] number of macro cells (x, y, z).
    cell_class
        [n_cells] majorant class of each macro cell (x fastest).
    cell_shape_first, cell_shape_list
        Shapes that a point of cell c may belong to, the winning one first.
    majorant
        [n_energy, n_class] 1/cm; bin i bounds the cross section between energies i and i+1. One
        flight has one energy: its row stays in the nearest cache.
    voxel_lower, inv_voxel
        [1 or 2, 3] lower corner of the voxel grids (body, room) and inverse voxel size.
    n_voxel
        [1 or 2, 3] voxels (x, y, z); zeros without a grid.
    word
        uint32 [n_voxels] of the body's grid, then of the room's, x fastest: density code (low half) and kind
        (high half).
    kind_step, kind_material
        [n_kind] g/cm3 for one step of the density code, and material.
    kind_first, kind_region, kind_weight
        Regions that score in a voxel of kind k are ``kind_region[kind_first[k]:kind_first[k + 1]]``,
        each with a column of ``weights`` or -1 (whole voxels).
    weights
        [n_voxels or 1, n_weight] mass share.
    region_response
        [n_region] row of ``Physics.response``, -1 = energy deposited in the voxel.
    shape_kind, shape_region, shape_material
        [n_shape]; kinds 0 box, 1 cylinder, 2 sphere, 3 capsule.
    shape_size
        [n_shape, 8]: boxes lower and upper corner, 0, 0; the others centre, squared radius, half length
        (of a capsule: without its ends), unit vector along the axis.
    world_lower, world_upper
        [3] where photons escape.
    world_material
        Index of the world's material; its density is ``world_density``.
    """

    cell_cm: Three
    inv_cell: Three
    n_cell: Three
    cell_class: U1
    cell_shape_first: I4
    cell_shape_list: I4
    majorant: F4
    voxel_lower: F4
    inv_voxel: F4
    n_voxel: I4
    word: npt.NDArray[np.uint32]
    kind_step: F4
    kind_material: I4
    kind_first: I4
    kind_region: I4
    kind_weight: I4
    weights: F4
    region_response: I4
    shape_kind: I4
    shape_region: I4
    shape_material: I4
    shape_density: F4
    shape_size: F4
    world_lower: Three
    world_upper: Three
    world_material: int
    world_density: np.float32


class Importance(NamedTuple):
    """How many photons a place wants. Cells from the lower corner of the macro grid, of a size of their own.

    Attributes
    ----------
    inv_cell, n_cell
        [3] inverse size (1/cm) and number of cells (x, y, z).
    photons
        [n_cells], x fastest: photons that a collision in a cell wants, of weight 1 over it.
    ball
        [n, 5] balls around small targets into which scattered photons are aimed: centre, square of the
        radius, photons that it wants.
    """

    inv_cell: Three
    n_cell: Three
    photons: F4
    ball: F4


class Beam(NamedTuple):
    """A source in flat form; lengths in cm from the lower corner of the macro grid.

    A cumulative holds upper values, the last 1; its guide [2^k] tells where the search begins.

    Attributes
    ----------
    kind
        0 pyramid, 1 parallel, 2 isotropic ball, 3 rotating, 4 cone, 5 map, 6 surface (names in
        ``kernels/sources.py``).
    pair
        1 if every history emits a second photon of equal energy the opposite way.
    law, side
        Surface: 0 cosine, 1 isotropic, 2 along the normal; to 1 outside, -1 inside, 0 both.
    vectors
        [4, 3]: position, axis u, axis v, axis w (central direction; rotating: the two directions of
        angles 0 and 90 degrees and the axis of rotation; map: lower corner and sides of a voxel).
    aperture
        [5] limits of u and v: slopes (pyramid, rotating) or cm (parallel); the last is the distance of a
        rotating focus from its axis. Ball: radius. Cone: 1 - cosine of the half angle, and its
        tangent if there is a transmission.
    slope_cumulative, slope_guide
        [n_slope] equal steps of the slope along u.
    path, path_cumulative, path_guide
        [n_path, 4] pieces of the rotating source's way: angles and heights at both ends.
    transmission, transmission_top
        [n_u, n_v] relative fluence per solid angle, [n_u, 1] where it does not vary along v, and its
        largest value in each row (cone: 1).
    place_1, place_2, place_3
        [n1], [n1, n2], [n1, n2, n3] cumulatives over slices, rows in a slice and voxels in a row of a
        map; surface: over groups of patches and the patches in a group.
    patch_kind, patch_vectors
        [n_patch], [n_patch, 4, 3] pieces of a surface (see ``transport/surfaces.py``).
    energy_low, energy_width
        [n_e] keV: lower edges of bins and their widths, 0 for lines.
    energy_cumulative, energy_guide
        [n_rows, n_e]; rows are fan bins along u, or one.
    """

    kind: int
    pair: int
    law: int
    side: int
    vectors: F4
    aperture: F4
    slope_cumulative: F4
    slope_guide: I4
    path: F4
    path_cumulative: F4
    path_guide: I4
    transmission: F4
    transmission_top: F4
    place_1: F4
    place_2: F4
    place_3: F4
    patch_kind: I4
    patch_vectors: F4
    energy_low: F4
    energy_width: F4
    energy_cumulative: F4
    energy_guide: I4


class Physics(NamedTuple):
    """Interaction data on a grid equidistant in ln E.

    Attributes
    ----------
    rows
        [n_material, n_energy, 5] total mu/rho, expected local deposit (cm2/g, times E), cumulative
        probabilities of photoelectric, + incoherent, + coherent (the rest is pair production).
    response
        [n_response, n_energy] mu_en/rho of media in which a region's dose is asked.
    compton, rayleigh
        [n_material, n_coarse, n_quantile] 1 - cos(theta), see :class:`omnidose.transport.angles.AngleTables`.
    vacancy_first, vacancy_cumulative, vacancy_set
        Entries ``vacancy_first[m] …`` of a material: cumulative probability that a photoelectric
        event leaves this vacancy, and its line set.
    line_kev, line_cumulative, line_next
        [n_set, n_line] fluorescence lines: energy, cumulative probability per vacancy, line set of
        the vacancy left behind or -1.
    """

    ln_energy_0: np.float32
    inv_d_ln_energy: np.float32
    n_energy: int
    cutoff: np.float32
    rows: F4
    response: F4
    compton: F4
    rayleigh: F4
    vacancy_first: I4
    vacancy_cumulative: F4
    vacancy_set: I4
    line_kev: F4
    line_cumulative: F4
    line_next: I4


class Method(NamedTuple):
    """How a problem is run.

    Attributes
    ----------
    estimator
        0: expected deposits at every tentative collision; 1: real deposits at real collisions; 2: primaries
        along the whole ray, the others as 0.
    follow
        1 if it is kept what a photon has been through, for the photons that leave.
    bin_kev
        [n_bin + 1] edges of the energy bins of fluence spectra, or [0].
    plane
        [12] image plane: corner (cm), normal, directions of columns and rows (pixels per cm), or [0].
    n_pixel
        [2] columns and rows.
    weigh
        1: the image adds keV, 0: it counts photons.
    """

    estimator: int
    follow: int = 0
    bin_kev: F4 = np.zeros(0, dtype=np.float32)
    plane: F4 = np.zeros(0, dtype=np.float32)
    n_pixel: I4 = np.zeros(2, dtype=np.int32)
    weigh: int = 0


class Sums(NamedTuple):
    """What one batch adds to.

    Attributes
    ----------
    energies, primaries
        float64 [n_region] keV; the second from photons that had not yet interacted.
    balance
        float64 [6]: emitted, deposited, escaped, expected-value total (keV), tentative and real collisions.
    voxels
        int64 [n_voxels or 0] dose in steps of 2^-20 keV/(g/cm3).
    spectra
        int64 [(1 or 2) n_region n_bin or 0] track lengths in steps of 2^-20 cm: all photons, then
        primary ones.
    image
        int64 [4 n_row n_column or 0] photons, or steps of 2^-20 keV; classes as in ``kernels/outputs.py``.
    exit_count
        int64 [1 or 0] photons that left.
    exits
        float64 [9 capacity] the first of them, as in ``kernels/outputs.py``.
    """

    energies: npt.NDArray[np.float64]
    primaries: npt.NDArray[np.float64]
    balance: npt.NDArray[np.float64]
    voxels: npt.NDArray[np.int64]
    spectra: npt.NDArray[np.int64]
    image: npt.NDArray[np.int64]
    exit_count: npt.NDArray[np.int64]
    exits: npt.NDArray[np.float64]
