"""What not knowing a body exactly adds to the uncertainty of its organ doses: outlines, places, completion.

Every modality that computes doses in a segmented or completed body has these components.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, BodyRegion, Origin
from omnidose.anatomy.organs import combined_organs
from omnidose.anatomy.segmentation.expected import expected_dice, mask_std_rel
from omnidose.dosimetry.organ_doses import parts_of, rows_of
from omnidose.dosimetry.results import Distribution, DoseMap, OrganDoses, UncertaintyComponent

ArrayF8 = npt.NDArray[np.float64]

#: From this mass on an organ counts as large, g.
LARGE_G = 100.0
#: Least standard uncertainty of an organ's dose from its outline, by origin: (large organs, smaller ones).
#: Segmented: measured on lungs and skeleton. Fitted organs have more where their overlap is poor.
OUTLINE_STD_REL = {Origin.SEGMENTED: (0.03, 0.05), Origin.ATLAS: (0.05, 0.15)}
#: Standard uncertainty of a fitted organ's place along the body, mm, and what each mm beyond the images adds.
#: Measured on the ICRP 110 phantoms (chest, abdomen, head): 20 mm within the images; beyond them 20 to 40 mm
#: at 5 to 10 cm, 80 mm at 35 cm.
PLACE_MM, PLACE_PER_MM = 25.0, 0.2
#: Standard uncertainty of the completed share of a dose besides its place: depth, size and outline of organs
#: that belong to somebody else.
COMPLETION_STD_REL = 0.3
#: A displaced organ is not given less than this share of its dose: the map holds no photons that far away.
LEAST_FACTOR = 1e-3
#: Density of soft tissue, in which the fall of the dose along the body is measured, g/cm3.
SOFT_G_CM3 = (0.85, 1.15)
#: Displacements (standard deviations) and their weights: Gauss-Hermite quadrature of a normal distribution.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)


def anatomy_components(
    body: BodyModel, doses: OrganDoses, dose: DoseMap | None = None
) -> tuple[UncertaintyComponent, ...]:
    """Return what outlines, places and completion add to the uncertainty, per organ.

    Parameters
    ----------
    doses
        Organ doses in this body.
    dose
        The dose in every voxel of the body, unsmoothed; without it the place adds nothing.

    Returns
    -------
    tuple of UncertaintyComponent
        ``outline-<origin>:<body>``, ``place:<body>``, ``phantom:<body>``, as far as they are not zero. Their
        figures are checked by ``omnidose validate exams.segmentation`` and ``exams.completion``.
    """
    found = _outlines(body, doses)
    if dose is not None:
        place = place_std_rel(body, doses.organs, np.asarray(dose.volume.array))
        if np.any(place > 0):
            found.append(
                UncertaintyComponent(
                    key=f"place:{body.name}",
                    distribution=Distribution.LOGNORMAL,
                    std_rel=tuple(float(v) for v in place),
                    text=f"place along the body of organs that no image shows or no mask gives "
                    f"({PLACE_MM:.0f} mm, and {100 * PLACE_PER_MM:.0f} mm more per 10 cm beyond the images)",
                )
            )
    if body.completed is not None:
        share = np.where(
            np.isfinite(doses.completion_share), doses.completion_share, 1 - doses.imaged_fraction
        )
        std = COMPLETION_STD_REL * np.clip(np.nan_to_num(share, nan=1.0), 0.0, 1.0)
        if np.any(std > 0):
            found.append(
                UncertaintyComponent(
                    key=f"phantom:{body.name}",
                    distribution=Distribution.LOGNORMAL,
                    std_rel=tuple(float(v) for v in std),
                    text="share of the dose that rests on anatomy completed beyond the images",
                )
            )
    return tuple(found)


def _outlines(body: BodyModel, doses: OrganDoses) -> list[UncertaintyComponent]:
    found = []
    large = doses.mass_g >= LARGE_G
    for origin, (heavy, light) in OUTLINE_STD_REL.items():
        own = np.array([item is origin for item in doses.origin])
        if own.any():
            std = np.where(large, heavy, light)
            if origin is Origin.ATLAS:
                std = np.maximum(std, [_measured_outline(key) for key in doses.organs])
            found.append(
                UncertaintyComponent(
                    key=f"outline-{origin.value}:{body.name}",
                    distribution=Distribution.NORMAL,
                    std_rel=tuple(float(value) for value in np.where(own, std, 0.0)),
                    text=f"outlines of {origin.value} organs",
                )
            )
    return found


def _measured_outline(key: str) -> float:
    """Return what the overlap of a fitted organ with its true outline is worth, from our own table."""
    members = combined_organs().get(key, ())
    if members and expected_dice(key) == expected_dice(""):
        return sum(_measured_outline(member) for member in members) / len(members)
    return mask_std_rel(expected_dice(key.removesuffix("-contents")))


def place_std_rel(body: BodyModel, organs: Sequence[str], dose: npt.NDArray[np.floating]) -> ArrayF8:
    """Return the relative standard uncertainty of organ doses from the place of the organs along z, [n].

    Parameters
    ----------
    organs
        Rows of the organ doses.
    dose
        [z, y, x] dose in the body.

    Notes
    -----
    A fitted organ sits a few centimetres too high or too low. In the middle of a scan that changes little;
    at its edge, where the dose falls by half within 3 to 4 cm, it changes much. The fall is taken from the
    mean dose of soft tissue in every layer, D(z): the organ's dose at displacement d is its dose times
    sum w(z) D(z + d) / sum w(z) D(z), with w(z) its mass per layer. All organs move together, the farther
    beyond the images the more. The spread is taken of the logarithm: a dose outside the beam is uncertain by
    factors, and what is returned is the standard deviation of the lognormal distribution with that spread.
    """
    profile = _soft_tissue_profile(body, dose)
    place = _place_layers(body)
    parts = parts_of(body)
    factor, share = np.ones((len(parts), _NODES.size)), np.zeros(len(parts))
    for i, part in enumerate(parts):
        factor[i] = _moved(body, part, profile, place)
        share[i] = _dose_times_mass(body, part, dose)
    out = np.zeros(len(organs))
    rows = dict(rows_of([part.key for part in parts], skeletal_sites=True))
    weights = _WEIGHTS / _WEIGHTS.sum()
    for row, key in enumerate(organs):
        members = rows.get(key, [])
        total = share[members].sum()
        if total <= 0:
            continue
        moved = np.log(np.maximum(share[members] @ factor[members] / total, LEAST_FACTOR))
        variance = float(weights @ (moved - weights @ moved) ** 2)
        out[row] = float(np.sqrt(np.expm1(variance)))
    return out


def _soft_tissue_profile(body: BodyModel, dose: npt.NDArray[np.floating]) -> ArrayF8:
    """Return the mean dose of soft tissue in every layer; layers without any take their neighbours' dose."""
    mean = np.full(dose.shape[0], np.nan)
    for k in range(mean.size):
        density = body.density_g_cm3[k]
        soft = (body.labels[k] > 0) & (density > SOFT_G_CM3[0]) & (density < SOFT_G_CM3[1])
        if soft.any():
            mean[k] = float(dose[k][soft].mean())
    known = np.flatnonzero(np.isfinite(mean))
    if known.size == 0:
        return np.ones(mean.size)
    return np.asarray(np.interp(np.arange(mean.size), known, mean[known]))


def _place_layers(body: BodyModel) -> ArrayF8:
    """Return the standard uncertainty of the place of what lies in each layer, in layers."""
    n, dz = body.labels.shape[0], body.grid.spacing_mm[2]
    beyond = np.zeros(n)
    if body.completed is not None:
        imaged = np.flatnonzero(((body.labels > 0) & ~body.completed).any(axis=(1, 2)))
        if imaged.size:
            k = np.arange(n)
            beyond = np.maximum(0, np.maximum(imaged[0] - k, k - imaged[-1])) * dz
    return np.asarray((PLACE_MM + PLACE_PER_MM * beyond) / dz)


def _moved(body: BodyModel, part: BodyRegion, profile: ArrayF8, place: ArrayF8) -> ArrayF8:
    """Return the factors of a part's dose when it is displaced by each node, [nodes]."""
    per_layer = body.labels.shape[1] * body.labels.shape[2]
    layer = part.voxels // per_layer
    completed = None if body.completed is None else body.completed.ravel()[part.voxels]
    out = np.ones(_NODES.size)
    # Skin in the images is seen, however little of the whole it is.
    if part.origin is Origin.SEGMENTED or part.key == "skin":
        if completed is None or not completed.any():
            return out
        free = completed
    else:
        free = np.ones(layer.size, dtype=np.bool_)
    mass = body.density_g_cm3.ravel()[part.voxels].astype(np.float64)
    if part.weights is not None:
        mass = mass * part.weights
    n = profile.size
    moving = np.bincount(layer[free], weights=mass[free], minlength=n)
    fixed = np.bincount(layer[~free], weights=mass[~free], minlength=n)
    total = float((moving + fixed) @ profile)
    if total <= 0:
        return out
    z = np.arange(n)
    for i, node in enumerate(_NODES):
        displaced = np.interp(z + node * place, z, profile)
        out[i] = (float(moving @ displaced) + float(fixed @ profile)) / total
    return out


def _dose_times_mass(body: BodyModel, part: BodyRegion, dose: npt.NDArray[np.floating]) -> float:
    energy = dose.ravel()[part.voxels] * body.density_g_cm3.ravel()[part.voxels]
    if part.weights is not None:
        energy = energy * part.weights
    return float(energy.sum(dtype=np.float64))
