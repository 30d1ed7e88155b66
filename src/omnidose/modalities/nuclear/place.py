"""What not knowing the place of an organ does to the dose that it gets from activity around it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, BodyRegion, Origin
from omnidose.dosimetry.organ_doses import parts_of, rows_of
from omnidose.dosimetry.results import Distribution, OrganDoses, UncertaintyComponent

ArrayF8 = npt.NDArray[np.float64]

#: Standard uncertainty of an organ's place along each axis, mm: fitted to a CT, and of a phantom (the
#: latter as for organs of phantoms in :mod:`omnidose.dosimetry.anatomy_uncertainty`).
PLACE_MM = {Origin.ATLAS: 10.0, Origin.PHANTOM: 25.0}


def place_component(
    body: BodyModel,
    doses: OrganDoses,
    total_mgy: npt.NDArray[np.float32],
    *,
    place_mm: Mapping[Origin, float] = PLACE_MM,
) -> UncertaintyComponent | None:
    """Return the uncertainty of organ doses from the place of organs that nobody saw; None if all were seen.

    Parameters
    ----------
    total_mgy
        [z, y, x] dose in the body.
    place_mm
        Standard uncertainty of the place along each axis, by origin.

    Notes
    -----
    Every such organ is moved by its standard uncertainty to both sides along each axis; the mean dose there
    (within the body) over the mean dose at its place gives a logarithm, and the squares of the six are added,
    halved for the two sides. The result is the relative standard deviation of the lognormal distribution.
    """
    parts = parts_of(body)
    variance = np.array([_variance(part, body, total_mgy, place_mm.get(part.origin)) for part in parts])
    if not np.any(variance > 0):
        return None
    rows = dict(rows_of([part.key for part in parts], skeletal_sites=False))
    mass = np.array([body.masses_g(part).sum() for part in parts])
    out = []
    for key in doses.organs:
        members = rows.get(key, [])
        weight = mass[members].sum() if members else 0.0
        # organs of one phantom are displaced together: spreads add, weighted by mass
        spread = float((mass[members] * np.sqrt(variance[members])).sum() / weight) if weight > 0 else 0.0
        out.append(float(np.sqrt(np.expm1(min(spread, 1.5) ** 2))))
    return UncertaintyComponent(
        key=f"place:{body.name}",
        distribution=Distribution.LOGNORMAL,
        std_rel=tuple(out),
        text=f"place of organs that no image shows ({place_mm[Origin.PHANTOM]:.0f} mm along each axis; "
        f"{place_mm[Origin.ATLAS]:.0f} mm if fitted to a CT)",
    )


def _variance(
    part: BodyRegion, body: BodyModel, total_mgy: npt.NDArray[np.float32], distance_mm: float | None
) -> float:
    if distance_mm is None or part.key == "skin" or part.voxels.size == 0:
        return 0.0
    shape = body.labels.shape
    index = np.array(np.unravel_index(part.voxels, shape))
    mass = body.masses_g(part)
    here = float(mass @ total_mgy.ravel()[part.voxels]) / float(mass.sum())
    if here <= 0:
        return 0.0
    sum_squares = 0.0
    for axis in range(3):
        step = round(distance_mm / body.grid.spacing_mm[2 - axis])
        for sign in (-1, 1):
            moved = index.copy()
            moved[axis] += sign * step
            inside = (moved[axis] >= 0) & (moved[axis] < shape[axis])
            flat = np.ravel_multi_index(tuple(moved[:, inside]), shape)
            tissue = body.labels.ravel()[flat] > 0
            weight = mass[inside][tissue]
            if weight.sum() < 0.5 * mass.sum():
                continue  # an organ does not lie outside the body
            there = float(weight @ total_mgy.ravel()[flat[tissue]]) / float(weight.sum())
            sum_squares += 0.5 * float(np.log(max(there, 1e-3 * here) / here)) ** 2
    return sum_squares
