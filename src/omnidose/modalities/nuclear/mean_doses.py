"""Mean doses of organs from the dose in every voxel, radiation by radiation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, BodyRegion, Origin
from omnidose.dosimetry.organ_doses import organ_doses, parts_of, rows_of
from omnidose.dosimetry.results import Distribution, Normalisation, OrganDoses, UncertaintyComponent
from omnidose.errors import InputError
from omnidose.modalities.nuclear.doses import VoxelDoses

ArrayF8 = npt.NDArray[np.float64]
#: What a kernel of endless tissue may be off for photons, relative to their dose (our estimate).
KERNEL_PHOTON_STD_REL = 0.1
_ORIGINS = (Origin.SEGMENTED, Origin.ATLAS, Origin.PHANTOM, Origin.ABSENT)


def mean_doses(doses: VoxelDoses, body: BodyModel) -> OrganDoses:
    """Return mass-weighted mean doses of all organs and regions, then of combined organs.

    Returns
    -------
    OrganDoses
        Qualities ``electron`` and ``photon``, and ``alpha`` (with recoil, absorbed dose without weight) if
        there is any. The photons of a Monte Carlo are those of its own regions, with their covariance;
        marrow and endosteum then have the dose response of the engine's, else the dose of the voxels they
        lie in.

    Raises
    ------
    InputError
        If the body has no organ.
    """
    maps = {"electron": doses.electron, "photon": doses.photon}
    if doses.alpha.any():
        maps["alpha"] = doses.alpha
    parts = [part for part in parts_of(body) if body.masses_g(part).sum() > 0]
    if not parts:
        raise InputError("the body has no organ: there is no organ dose", where=body.name)
    rows = rows_of([part.key for part in parts], skeletal_sites=False)
    mass = np.array([body.masses_g(part).sum() for part in parts])
    per_part = np.array([[_mean(part, body, field) for field in maps.values()] for part in parts])
    share = np.array([_completed_share(part, body, doses.total) for part in parts])
    matrix = np.zeros((len(rows), len(parts)))
    for i, (_key, members) in enumerate(rows):
        matrix[i, members] = mass[members] / mass[members].sum()
    dose = matrix @ per_part
    total = per_part.sum(axis=1)
    weight = matrix @ total
    q = len(maps)
    found = OrganDoses(
        organs=tuple(key for key, _members in rows),
        qualities=tuple(maps),
        dose_mgy=dose,
        covariance_mgy2=np.zeros((len(rows) * q, len(rows) * q)),
        mass_g=np.array([mass[members].sum() for _key, members in rows]),
        origin=tuple(max((parts[p].origin for p in members), key=_ORIGINS.index) for _key, members in rows),
        imaged_fraction=matrix @ np.array([part.imaged_fraction for part in parts]),
        primary_fraction=np.full(len(rows), np.nan),
        completion_share=np.where(
            weight > 0, (matrix @ (share * total)) / np.where(weight > 0, weight, 1), np.nan
        ),
    )
    return found if doses.tally is None else _with_photons(found, doses, body)


def kernel_component(doses: OrganDoses) -> UncertaintyComponent:
    """Return what photons by a kernel of endless tissue add to the uncertainty."""
    photon = doses.dose_mgy[:, doses.qualities.index("photon")]
    total = doses.total_mgy
    share = np.divide(photon, total, out=np.zeros_like(total), where=total > 0)
    return UncertaintyComponent(
        key="kernel:photons",
        distribution=Distribution.NORMAL,
        std_rel=tuple(float(v) for v in KERNEL_PHOTON_STD_REL * share),
        text="photons by a kernel of endless soft tissue",
    )


def _mean(part: BodyRegion, body: BodyModel, field: npt.NDArray[np.float32]) -> float:
    mass = body.masses_g(part)
    return float(field.ravel()[part.voxels] @ mass) / float(mass.sum())


def _completed_share(part: BodyRegion, body: BodyModel, total: npt.NDArray[np.float32]) -> float:
    if body.completed is None:
        return 0.0
    completed = body.completed.ravel()[part.voxels]
    energy = total.ravel()[part.voxels] * body.masses_g(part)
    whole = float(energy.sum())
    return float(energy[completed].sum()) / whole if whole > 0 else float(completed.mean())


def _with_photons(found: OrganDoses, doses: VoxelDoses, body: BodyModel) -> OrganDoses:
    """Put the photons of the engine's regions, with their covariance, in the place of the voxels'."""
    from dataclasses import replace

    assert doses.tally is not None
    theirs = organ_doses(doses.tally, body, Normalisation(particles=doses.particles))
    dose, covariance = found.dose_mgy.copy(), found.covariance_mgy2.copy()
    q = len(found.qualities)
    column = found.qualities.index("photon")
    known = [key for key in found.organs if key in theirs.organs]
    here = np.array([found.organs.index(key) for key in known])
    there = np.array([theirs.organs.index(key) for key in known])
    dose[here, column] = theirs.dose_mgy[there, 0]
    flat = here * q + column
    covariance[np.ix_(flat, flat)] = theirs.covariance_mgy2[np.ix_(there, there)]
    return replace(found, dose_mgy=dose, covariance_mgy2=covariance)
