"""Regions of a patient's body: marrow and endosteum by site, skin, lenses, lesions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, BodyRegion, Origin, Person
from omnidose.anatomy.completion import Completion
from omnidose.anatomy.segmentation.location import bone_keys
from omnidose.anatomy.skeleton import regions_from_density
from omnidose.anatomy.skin import (
    SKIN_G_CM3,
    THICKNESS_MM,
    body_surface_m2,
    lens_region,
    skin_region,
    with_whole_skin,
)

Mask = npt.NDArray[np.bool_]
#: An eye of less than this is a remnant of a fit, in which no lens has its place, cm3.
EYE_CM3 = 2.0


def _skin_mass_g(person: Person, phantom: Person) -> float:
    """Return the mass of the skin of a person of this size; the phantom's where it is unknown."""
    height_cm = person.height_cm or phantom.height_cm or 170.0
    weight_kg = person.weight_kg or phantom.weight_kg or 65.0
    area_cm2 = 1e4 * body_surface_m2(height_cm, weight_kg)
    return area_cm2 * THICKNESS_MM[person.sex] / 10 * SKIN_G_CM3


def body_regions(
    body: BodyModel,
    box: tuple[slice, slice, slice],
    body_mask: Mask,
    completion: Completion,
    phantom: BodyModel,
) -> tuple[BodyRegion, ...]:
    """Return marrow and endosteum by site, skin, and lenses."""
    flat = body.labels.ravel()
    complete = body.completed is not None
    bones = {item.key: item for item in body.organs if item.key in bone_keys() and item.key != "teeth"}
    share = {key: item.imaged_fraction for key, item in bones.items()}
    marrow = regions_from_density(
        {key: np.flatnonzero(flat == item.label).astype(np.int64) for key, item in bones.items()},
        body.density_g_cm3,
        body.grid.voxel_volume_cm3,
        sex=body.person.sex if body.person.sex in ("M", "F") else "F",
        present_fraction=None if complete else share,
    )
    if not complete:
        marrow = tuple(replace(r, imaged_fraction=share[r.key.partition("/")[2]]) for r in marrow)
    found: list[BodyRegion] = list(marrow)
    inside = body.labels > 0
    inside[box] |= body_mask
    ends = (not complete, not complete)
    sides = not complete and completion.truncated_slices > 0
    skin = skin_region(
        inside,
        body.grid,
        thickness_mm=THICKNESS_MM[body.person.sex],
        cut_faces=(sides, sides, sides, sides, *ends),
        imaged_fraction=1.0 if complete else _imaged_skin(completion),
    )
    if body.completed is not None:
        skin = with_whole_skin(
            skin,
            body.completed,
            body.density_g_cm3,
            body.grid.voxel_volume_cm3,
            mass_g=_skin_mass_g(body.person, phantom.person),
        )
    found.append(skin)
    for side in ("left", "right"):
        keys = {item.key for item in body.organs}
        if f"{side}-lens" in body.absent | keys or f"{side}-eye" not in keys:
            continue  # removed, given as a mask, or no eye at all
        eye = body.mask(f"{side}-eye")
        if int(eye.sum()) * body.grid.voxel_volume_cm3 >= EYE_CM3:
            lens = lens_region(eye, body.grid, key=f"{side}-lens")
            found.append(replace(lens, origin=body.organ(f"{side}-eye").origin))
    return tuple(_with_origin(region, body) for region in found)


def lesion_regions(
    body: BodyModel, box: tuple[slice, slice, slice], lesions: dict[str, Mask]
) -> tuple[BodyRegion, ...]:
    """Return lesions, which masks of the images outline, as regions of the body."""
    found = []
    for key, mask in lesions.items():
        whole = np.zeros(body.grid.shape_zyx, dtype=np.bool_)
        whole[box] = mask
        voxels = np.flatnonzero(whole & (body.labels > 0)).astype(np.int64)
        if voxels.size:
            found.append(BodyRegion(key=key, voxels=voxels))
    return tuple(found)


def _imaged_skin(completion: Completion) -> float:
    """Return the share of the person's surface in the images, by the number of surface voxels."""
    whole = completion.body.labels > 0
    surface = skin_region(whole, completion.body.grid, cut_faces=(False,) * 6).voxels
    if completion.body.completed is None or surface.size == 0:
        return 1.0
    return 1.0 - float(completion.body.completed.ravel()[surface].mean())


def _with_origin(region: BodyRegion, body: BodyModel) -> BodyRegion:
    """Return a region of a completed body with the share of its mass in the images, and its origin."""
    if body.completed is None or region.voxels.size == 0:
        return region
    mass = body.density_g_cm3.ravel()[region.voxels]
    if region.weights is not None:
        mass = mass * region.weights
    imaged = 1.0 - float(mass[body.completed.ravel()[region.voxels]].sum() / mass.sum())
    origin = region.origin if imaged >= 0.5 else Origin.PHANTOM
    return replace(region, imaged_fraction=imaged, origin=origin)
