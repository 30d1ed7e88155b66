"""The photon table of :mod:`omnidose.physics` as the flat record that the kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.physics.elements import ENERGY_MAX_KEV
from omnidose.physics.materials import Material
from omnidose.physics.transport_tables import PhotonTable, build_photon_table
from omnidose.transport._records import Physics
from omnidose.transport.angles import build_angle_tables
from omnidose.transport.tally import FluenceResponse


def _response_row(
    response: Material | FluenceResponse, energy_kev: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Return what times E is the energy taken up per mass and fluence, cm2/g on the grid."""
    if isinstance(response, FluenceResponse):
        return (response.at(energy_kev) / energy_kev).astype(np.float32)
    from omnidose.physics.photons import mass_energy_absorption_cm2_g

    return np.asarray(mass_energy_absorption_cm2_g(response, energy_kev), dtype=np.float32)


def compile_physics(
    materials: Sequence[Material],
    responses: Sequence[Material | FluenceResponse],
    max_kev: float,
    cutoff_kev: float,
) -> Physics:
    """Tabulate materials and fluence responses from the cut-off to the largest source energy.

    Equal materials are tabulated once and copied, so that the index of a material in the scene is
    its index here.
    """
    unique = [m for i, m in enumerate(materials) if m not in materials[:i]]
    where = np.array([unique.index(m) for m in materials])
    # 1e-3 above the largest energy: float32 rounding must not leave the grid (at the end of the data the
    # kernels clip to the last bin)
    top_kev = min(max_kev * 1.001, ENERGY_MAX_KEV)
    table: PhotonTable = build_photon_table(unique, top_kev, cutoff_kev)
    angles = build_angle_tables(table)
    offset = table.vacancy_offset
    entries = [np.arange(offset[m], offset[m + 1]) for m in where]
    first = np.concatenate([[0], np.cumsum([e.size for e in entries])]).astype(np.int32)
    chosen = np.concatenate(entries).astype(np.intp)
    rows = [_response_row(r, table.energy_kev) for r in responses]
    none = np.zeros((1, table.n_energy), dtype=np.float32)
    return Physics(
        ln_energy_0=np.float32(table.ln_energy_0),
        inv_d_ln_energy=np.float32(table.inv_d_ln_energy),
        n_energy=table.n_energy,
        cutoff=np.float32(cutoff_kev),
        rows=np.ascontiguousarray(table.rows[where]),
        response=np.stack(rows) if rows else none,
        compton=np.ascontiguousarray(angles.compton[where]),
        rayleigh=np.ascontiguousarray(angles.rayleigh[where]),
        vacancy_first=first,
        vacancy_cumulative=np.ascontiguousarray(table.vacancy_cumulative[chosen]) if chosen.size else none,
        vacancy_set=np.ascontiguousarray(table.vacancy_set[chosen]) if chosen.size else np.zeros(1, np.int32),
        line_kev=_at_least_one(table.line_energy_kev),
        line_cumulative=_at_least_one(table.line_cumulative),
        line_next=_at_least_one(table.line_next.astype(np.int32)),
    )


def _at_least_one(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Kernels need arrays with a row even where nothing fluoresces."""
    return np.ascontiguousarray(array) if array.shape[0] else np.zeros((1, *array.shape[1:]), array.dtype)
