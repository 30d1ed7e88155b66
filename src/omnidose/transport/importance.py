"""Importance of places: where photons are split so that organs far from the beam are seen by enough of them.

A short run shows how the dose falls with the distance from the beam. A cell whose dose is 2^-n of that in
the beam wants 2^n photons for one there, of weight 2^-n each, along the way to the organs that are asked for
and not elsewhere. Around small organs lie balls into which scattered photons are aimed.
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
#: A small target lies in a ball with this much around it (mm); larger balls than the second are not made.
BALL_MARGIN_MM = 10.0
LARGEST_BALL_MM = 60.0
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
    voxels = _target_voxels(problem, keys)
    targets = [_touched(problem, cells, v) for v in voxels]
    balls = _balls(problem, voxels)
    found = problem
    for n, histories in enumerate(PILOT_HISTORIES):
        dose, mass = _cell_dose(found, cells, histories, threads, seed_shift=n + 1)
        level = _levels(dose, mass, targets, cells)
        photons = (2.0**level).astype(np.float32).reshape(-1)
        aimed = _wanted(balls, cells._replace(photons=photons))
        found = replace(problem, importance=cells._replace(photons=photons, ball=aimed))
    return found


def _wanted(balls: F8, cells: Importance) -> npt.NDArray[np.float32]:
    """Return the balls as the kernels read them: radii squared, and the photons that their centres want."""
    inverse, number = np.array(cells.inv_cell), np.array(cells.n_cell)
    x, y, z = np.clip((balls[:, :3] * inverse).astype(np.intp), 0, number - 1).T
    wanted = cells.photons[(z * number[1] + y) * number[0] + x]
    return np.column_stack([balls[:, :3], balls[:, 3] ** 2, wanted]).astype(np.float32)


def _everywhere_one(geo: Geometry) -> Importance:
    """Return cells over the macro grid. Its own are chosen for tracking, and may be as large as the body."""
    size_cm = np.array(geo.cell_cm) * np.array(geo.n_cell)
    n = np.maximum(size_cm / np.maximum(CELL_MM / 10, 1 / geo.inv_voxel[0]), 1).astype(np.int32)
    inv_cell = (n / size_cm).astype(np.float32)
    return Importance(
        inv_cell=(inv_cell[0], inv_cell[1], inv_cell[2]),
        n_cell=(n[0], n[1], n[2]),
        photons=np.ones(int(np.prod(n)), dtype=np.float32),
        ball=np.zeros((0, 5), dtype=np.float32),
    )


def _cells_of_voxels(geo: Geometry, cells: Importance) -> list[npt.NDArray[np.intp]]:
    """Return the cell of every voxel along z, y and x."""
    out = []
    for axis in (2, 1, 0):
        centre = geo.voxel_lower[0, axis] + (np.arange(geo.n_voxel[0, axis]) + 0.5) / geo.inv_voxel[0, axis]
        out.append(np.clip((centre * cells.inv_cell[axis]).astype(np.intp), 0, cells.n_cell[axis] - 1))
    return out


def _target_voxels(problem: Problem, keys: Sequence[str]) -> list[npt.NDArray[np.intp]]:
    """Return for every key the voxels [n, 3] (z, y, x) of its region."""
    geo = problem.geometry
    unknown = [key for key in keys if key not in problem.keys]
    if unknown:
        raise InputError(
            f"no region called {unknown}", where="importance_keys", allowed=", ".join(problem.keys)
        )
    kind = (geo.word >> 16).reshape([int(n) for n in geo.n_voxel[0, ::-1]])
    out = []
    for key in keys:
        region = problem.keys.index(key)
        entries = np.flatnonzero(geo.kind_region[: geo.kind_first[-1]] == region)
        kinds = np.searchsorted(geo.kind_first, entries, side="right") - 1
        member = np.zeros(geo.kind_step.size, dtype=bool)
        member[kinds] = True
        out.append(np.argwhere(member[kind]))
        if not out[-1].size:
            raise InputError(f"'{key}' is no region of voxels", where="importance_keys")
    return out


def _touched(problem: Problem, cells: Importance, voxels: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Return the cells [z, y, x] that some voxels touch."""
    place = _cells_of_voxels(problem.geometry, cells)
    out = np.zeros(tuple(int(n) for n in cells.n_cell[::-1]), dtype=bool)
    out[tuple(place[axis][voxels[:, axis]] for axis in range(3))] = True
    return out


def _balls(problem: Problem, voxels: list[npt.NDArray[np.intp]]) -> F8:
    """Return balls [n, 4] (centre x, y, z; radius; cm) around small targets, none that meets another."""
    geo = problem.geometry
    edge_cm = 1 / geo.inv_voxel[0, ::-1].astype(np.float64)
    balls: list[F8] = []
    for group in voxels:
        low, high = group.min(axis=0) * edge_cm, (group.max(axis=0) + 1) * edge_cm
        radius = 0.5 * float(np.linalg.norm(high - low)) + BALL_MARGIN_MM / 10
        centre = 0.5 * (low + high) + geo.voxel_lower[0, ::-1]
        ball = np.append(centre[::-1], radius)
        meets = [b for b in balls if np.linalg.norm(b[:3] - ball[:3]) < b[3] + ball[3]]
        if radius <= LARGEST_BALL_MM / 10 and not meets:
            balls.append(ball)
    return np.array(balls).reshape(-1, 4)


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
