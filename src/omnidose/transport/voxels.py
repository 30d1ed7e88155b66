"""Voxels as words of 32 bits: everything that a collision asks of a voxel, in one read from memory.

Half of a word is the density, the other half a *kind*: a material together with the regions that score there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import GeometryError
from omnidose.transport.kernels._target import jit
from omnidose.transport.scene import VoxelGrid
from omnidose.transport.tally import Region

U4 = npt.NDArray[np.uint32]
F4 = npt.NDArray[np.float32]
I4 = npt.NDArray[np.int32]

MAX_KINDS = 65536
#: Densities are stored in this many steps of the largest density of their kind.
DENSITY_STEPS = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedVoxels:
    """Voxels and the kinds they are of; see :class:`omnidose.transport._records.Geometry`.

    Attributes
    ----------
    order
        Indices of the given regions in the order in which the tally stores them.
    """

    word: U4
    kind_step: F4
    kind_material: I4
    kind_first: I4
    kind_region: I4
    kind_weight: I4
    weights: F4
    order: tuple[int, ...]


@dataclass(slots=True)
class _Layer:
    """Regions that do not overlap: one label for each, 0 = none."""

    labels: npt.NDArray[np.uint8]
    members: list[int]
    weights: F4 | None


@jit
def _mark(kind, labels, seen):  # type: ignore[no-untyped-def]
    """Mark every (kind, label) that occurs."""
    for v in range(kind.shape[0]):
        seen[kind[v], labels[v]] = 1


@jit
def _renumber(kind, labels, number):  # type: ignore[no-untyped-def]
    """Put the number of its (kind, label) into every voxel."""
    for v in range(kind.shape[0]):
        kind[v] = number[kind[v], labels[v]]


@jit
def _largest(kind, density, out):  # type: ignore[no-untyped-def]
    """Raise ``out`` [n_kind] to the largest density of every kind."""
    for v in range(kind.shape[0]):
        out[kind[v]] = max(out[kind[v]], density[v])


@jit
def _join(kind, density, inv_step):  # type: ignore[no-untyped-def]
    """Turn kinds into words: the density code joins the kind."""
    for v in range(kind.shape[0]):
        k = kind[v]
        kind[v] = np.uint32(k << np.uint32(16)) | np.uint32(density[v] * inv_step[k] + np.float32(0.5))


def _layers(regions: Sequence[Region], n_voxels: int) -> list[_Layer]:
    """Put regions that do not overlap into one layer; weighted ones apart from whole ones."""
    layers: list[_Layer] = []
    for index, region in enumerate(regions):
        voxels = region.voxels
        if voxels.size and (int(voxels.min()) < 0 or int(voxels.max()) >= n_voxels):
            raise GeometryError(f"region '{region.key}' names voxels outside the grid of {n_voxels}")
        for layer in layers:
            same = (layer.weights is None) == (region.weights is None)
            if same and len(layer.members) < 255 and not np.any(layer.labels[voxels]):
                break
        else:
            weights = None if region.weights is None else np.zeros(n_voxels, dtype=np.float32)
            layer = _Layer(np.zeros(n_voxels, dtype=np.uint8), [], weights)
            layers.append(layer)
        layer.members.append(index)
        layer.labels[voxels] = len(layer.members)
        if layer.weights is not None and region.weights is not None:
            layer.weights[voxels] = region.weights
    return layers


def _split(kind: U4, labels: npt.NDArray[np.uint8], kinds: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Split kinds by the labels of one more layer; return (material, label, label, ...) of each."""
    seen = np.zeros((len(kinds), 256), dtype=np.uint8)
    _mark(kind, labels, seen)
    pairs = np.argwhere(seen)
    if len(pairs) > MAX_KINDS:
        raise GeometryError(
            f"the regions overlap in {len(pairs)} different ways",
            allowed=f"at most {MAX_KINDS} combinations of material and regions in one grid",
            todo="score fewer overlapping regions in one run",
        )
    number = np.zeros(seen.shape, dtype=np.uint32)
    number[pairs[:, 0], pairs[:, 1]] = np.arange(len(pairs))
    _renumber(kind, labels, number)
    return [(*kinds[k], int(label)) for k, label in pairs]


def pack_voxels(voxels: VoxelGrid | None, regions: Sequence[Region], first_region: int) -> PackedVoxels:
    """Pack materials, densities and regions; ``first_region`` is the index of the first one in the tally.

    Densities keep their value to 1/131070 of the largest density of their kind.
    """
    if voxels is None:
        empty = np.zeros(1, dtype=np.int32)
        return PackedVoxels(
            word=np.zeros(1, np.uint32),
            kind_step=np.zeros(1, np.float32),
            kind_material=empty,
            kind_first=np.zeros(2, np.int32),
            kind_region=empty,
            kind_weight=empty,
            weights=np.zeros((1, 1), np.float32),
            order=(),
        )
    n_voxels = voxels.grid.voxel_count
    layers = _layers(regions, n_voxels)
    kind = np.zeros(n_voxels, dtype=np.uint32)
    kinds = _split(kind, np.ascontiguousarray(voxels.material_index).reshape(-1), [()])
    for layer in layers:
        kinds = _split(kind, layer.labels, kinds)
    density = np.ascontiguousarray(voxels.density_g_cm3, dtype=np.float32).reshape(-1)
    largest = np.zeros(len(kinds), dtype=np.float32)
    _largest(kind, density, largest)
    step = largest / np.float32(DENSITY_STEPS)
    _join(kind, density, np.where(step > 0, 1 / np.where(step > 0, step, 1), 0).astype(np.float32))
    base = first_region + np.cumsum([0, *(len(layer.members) for layer in layers)])
    columns = np.cumsum([layer.weights is not None for layer in layers]) - 1
    entries: list[list[tuple[int, int]]] = [
        [
            (int(base[n]) + label - 1, int(columns[n]) if layers[n].weights is not None else -1)
            for n, label in enumerate(labels)
            if label
        ]
        for _material, *labels in kinds
    ]
    flat = [entry for of_kind in entries for entry in of_kind] or [(0, -1)]
    shares = [layer.weights for layer in layers if layer.weights is not None]
    return PackedVoxels(
        word=kind,
        kind_step=step,
        kind_material=np.array([material for material, *_labels in kinds], dtype=np.int32),
        kind_first=np.cumsum([0, *(len(of_kind) for of_kind in entries)]).astype(np.int32),
        kind_region=np.array([r for r, _c in flat], dtype=np.int32),
        kind_weight=np.array([c for _r, c in flat], dtype=np.int32),
        weights=_columns(shares, n_voxels),
        order=tuple(i for layer in layers for i in layer.members),
    )


def _columns(arrays: list[F4], n_rows: int) -> F4:
    """Return 1-D arrays as the columns of a matrix (``np.stack`` copies element by element: slow)."""
    if not arrays:
        return np.zeros((1, 1), dtype=np.float32)
    out = np.empty((n_rows, len(arrays)), dtype=np.float32)
    for j, array in enumerate(arrays):
        out[:, j] = array
    return out
