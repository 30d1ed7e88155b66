"""Importance of places: where photons are split so that organs far from the beam are seen by enough of them.

A short run shows how the dose falls with the distance from the beam. A cell whose dose is 2^-n of that in
the beam wants 2^n photons for one there, of weight 2^-n each, along the way to the organs that are asked for
and not elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from omnidose.errors import InputError
from omnidose.transport._records import Geometry, Importance
from omnidose.transport.problem import Problem
from omnidose.transport.runner import LocalRunner

F8 = npt.NDArray[np.float64]

#: Pilot runs, each with the importance that the one before it found.
PILOT_HISTORIES = (100_000, 200_000)
PILOT_BATCHES = 20
#: Edge of a cell; dose halves in two or three.
CELL_MM = 16.0
#: Tissue in which scattered photons of 50 keV are halved (mm): how fast importance may fall beside an organ.
HALVING_MM = 40.0
#: Largest importance: log2.
MAX_LEVEL = 14.0
#: Share of the cells with the highest dose that counts as in the beam.
BEAM_SHARE = 0.05
#: Cells with less than this density (g/cm3) on average are air: no collisions there.
AIR_BELOW_G_CM3 = 0.05


def with_importance(problem: Problem, keys: Sequence[str], threads: int | None = None) -> Problem:
    """Return the problem with photons split on their way to the regions ``keys``.

    Means do not change. Organs in the beam lose (photons cost more), organs far away win; balances of single
    batches then hold on average only.

    Raises
    ------
    InputError
        If the scene has no voxels, or a key is unknown or no region of voxels.
    """
    if problem.geometry.n_voxel[0, 0] == 0:
        raise InputError("importance needs a scene with voxels", todo="leave importance_keys out")
    if problem.geometry.n_voxel.shape[0] > 1:
        raise InputError("importance knows no room around the body", todo="leave importance_keys out")
    cells = _everywhere_one(problem.geometry)
    targets = _target_cells(problem, cells, keys)
    found = problem
    for n, histories in enumerate(PILOT_HISTORIES):
        dose, mass = _cell_dose(found, cells, histories, threads, seed_shift=n + 1)
        level = _levels(dose, mass, targets, cells)
        photons = (2.0**level).astype(np.float32).reshape(-1)
        found = replace(problem, importance=cells._replace(photons=photons))
    return found


def _everywhere_one(geo: Geometry) -> Importance:
    """Return cells over the macro grid. Its own are chosen for tracking, and may be as large as the body."""
    size_cm = np.array(geo.cell_cm) * np.array(geo.n_cell)
    n = np.maximum(size_cm / np.maximum(CELL_MM / 10, 1 / geo.inv_voxel[0]), 1).astype(np.int32)
    inv_cell = (n / size_cm).astype(np.float32)
    return Importance(
        inv_cell=(inv_cell[0], inv_cell[1], inv_cell[2]),
        n_cell=(n[0], n[1], n[2]),
        photons=np.ones(int(np.prod(n)), dtype=np.float32),
    )


def _cells_of_voxels(geo: Geometry, cells: Importance) -> list[npt.NDArray[np.intp]]:
    """Return the cell of every voxel along z, y and x."""
    out = []
    for axis in (2, 1, 0):
        centre = geo.voxel_lower[0, axis] + (np.arange(geo.n_voxel[0, axis]) + 0.5) / geo.inv_voxel[0, axis]
        out.append(np.clip((centre * cells.inv_cell[axis]).astype(np.intp), 0, cells.n_cell[axis] - 1))
    return out


def _target_cells(problem: Problem, cells: Importance, keys: Sequence[str]) -> list[npt.NDArray[np.bool_]]:
    """Return for every key the cells [z, y, x] that its region touches."""
    geo = problem.geometry
    unknown = [key for key in keys if key not in problem.keys]
    if unknown:
        raise InputError(
            f"no region called {unknown}", where="importance_keys", allowed=", ".join(problem.keys)
        )
    shape = tuple(int(n) for n in cells.n_cell[::-1])
    place = _cells_of_voxels(geo, cells)
    kind = (geo.word >> 16).reshape([int(n) for n in geo.n_voxel[0, ::-1]])
    out = []
    for key in keys:
        region = problem.keys.index(key)
        entries = np.flatnonzero(geo.kind_region[: geo.kind_first[-1]] == region)
        kinds = np.searchsorted(geo.kind_first, entries, side="right") - 1
        member = np.zeros(geo.kind_step.size, dtype=bool)
        member[kinds] = True
        k, j, i = np.nonzero(member[kind])
        touched = np.zeros(shape, dtype=bool)
        touched[place[0][k], place[1][j], place[2][i]] = True
        if not touched.any():
            raise InputError(f"'{key}' is no region of voxels", where="importance_keys")
        out.append(touched)
    return out


def _cell_dose(
    problem: Problem, cells: Importance, histories: int, threads: int | None, seed_shift: int
) -> tuple[F8, F8]:
    """Return the dose (any unit) and the density of the cells [z, y, x] from a short run."""
    geo = problem.geometry
    nz, ny, nx = (int(n) for n in geo.n_voxel[0, ::-1])
    voxel_shape = (nz, ny, nx)
    pilot = replace(problem, voxel_shape=voxel_shape, seed=(problem.seed + (seed_shift << 40)) % 2**64)
    runner = LocalRunner(pilot, threads)
    runner.run(0, PILOT_BATCHES, histories // PILOT_BATCHES)
    counts = runner.voxel_counts()
    assert counts is not None
    kind = geo.word >> np.uint32(16)
    density = ((geo.word & np.uint32(0xFFFF)) * geo.kind_step[kind]).reshape(voxel_shape)
    energy = _sum_in_cells(counts.reshape(voxel_shape) * density, geo, cells)
    mass = _sum_in_cells(density, geo, cells)
    number = _sum_in_cells(np.ones(voxel_shape, dtype=np.float32), geo, cells)
    dose = np.divide(energy, mass, out=np.zeros_like(energy), where=mass > 0)
    return dose, np.divide(mass, number, out=np.zeros_like(mass), where=number > 0)


def _sum_in_cells(values: npt.NDArray[np.floating], geo: Geometry, cells: Importance) -> F8:
    """Return the sums of voxel values in the cells [z, y, x]."""
    out = np.asarray(values, dtype=np.float64)
    for axis, cell in enumerate(_cells_of_voxels(geo, cells)):
        first = np.flatnonzero(np.diff(cell, prepend=-1))
        summed = np.add.reduceat(out, first, axis=axis)
        shape = list(summed.shape)
        shape[axis] = int(cells.n_cell[2 - axis])
        full = np.zeros(shape)
        full[tuple(cell[first] if a == axis else slice(None) for a in range(3))] = summed
        out = full
    return out


def _levels(dose: F8, density: F8, targets: list[npt.NDArray[np.bool_]], cells: Importance) -> F8:
    """Return log2 of the importance of every cell [z, y, x]."""
    cell_mm = 10 / np.array(cells.inv_cell[::-1], dtype=np.float64)
    seen = (dose > 0) & (density > AIR_BELOW_G_CM3)
    if not seen.any():  # nothing is known of the way
        return np.zeros(dose.shape)
    in_beam = np.quantile(dose[seen], 1 - BEAM_SHARE)
    fall = np.zeros(dose.shape)
    fall[seen] = np.log2(in_beam / dose[seen])
    fall = ndimage.gaussian_filter(fall, 1.0) / np.maximum(
        ndimage.gaussian_filter(seen.astype(float), 1.0), 1e-6
    )
    # where the short run has seen nothing the dose goes on falling
    away, nearest = ndimage.distance_transform_edt(~seen, sampling=cell_mm, return_indices=True)
    fall = fall[tuple(nearest)] + away / HALVING_MM
    level = np.zeros(dose.shape)
    for touched in targets:
        distance = ndimage.distance_transform_edt(~touched, sampling=cell_mm)
        level = np.maximum(level, np.minimum(fall, fall[touched].mean() - distance / HALVING_MM))
    return np.clip(level, 0.0, MAX_LEVEL)
