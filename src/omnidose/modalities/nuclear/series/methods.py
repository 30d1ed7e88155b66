"""Doses of the outlines in three ways: energy that stays, kernels, photons by Monte Carlo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import hypot

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.modalities.nuclear.doses import VoxelDoses, emitted_by
from omnidose.modalities.nuclear.exposure import DoseMethod
from omnidose.modalities.nuclear.series.choosing import Chosen
from omnidose.modalities.nuclear.series.decays import SeriesDecays
from omnidose.modalities.nuclear.series.doses import S_PER_H, dose_of
from omnidose.modalities.nuclear.series.exam import SeriesExam
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.modalities.nuclear.series.results import OutlineDose
from omnidose.modalities.nuclear.series.sight import Errors
from omnidose.physics.material_library import material
from omnidose.transport.dose_kernels.media import medium_of
from omnidose.transport.dose_kernels.monoenergetic import radiated_share
from omnidose.transport.tally import MGY_PER_KEV_G


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinePhotons:
    """Photon dose of every outline.

    Attributes
    ----------
    mgy
        Outline -> mean over its mass, from the map of one method.
    """

    mgy: dict[str, float]

    @classmethod
    def of(
        cls, voxels: VoxelDoses, masks: Mapping[str, npt.NDArray[np.bool_]], body: BodyModel
    ) -> OutlinePhotons:
        """Average a map of photon dose over outlines."""
        out = {}
        for name, mask in masks.items():
            mass = body.density_g_cm3[mask].astype(np.float64)
            out[name] = float(mass @ voxels.photon[mask]) / float(mass.sum())
        return cls(mgy=out)


def by_method(
    method: DoseMethod,
    exam: SeriesExam,
    chosen: Chosen,
    found: SeriesDecays,
    photons: OutlinePhotons,
    *,
    blur: ImageBlur,
    errors: Errors,
) -> dict[str, OutlineDose]:
    """Return the doses of all outlines.

    Local: all energy of electrons stays in the outline. The other two: electrons of a sphere of the outline's
    mass, some of whose energy leaves. Photons are those of the method's map.
    """
    out = {}
    for name, sight in chosen.sights.items():
        dose = dose_of(
            sight,
            found.curves[name],
            emitter=exam.nuclide,
            photon_mgy=photons.mgy[name],
            blur=blur,
            calibration=exam.calibration,
            errors=errors,
        )
        whole = found.curves[name].integral.value_mbq_h * local_mgy_g_per_mbq_h(exam.nuclide) / sight.mass_g
        dose = _with_shape(dose, whole)
        out[name] = replace(dose, electron_mgy=whole) if method is DoseMethod.LOCAL else dose
    return out


def _with_shape(dose: OutlineDose, whole_mgy: float) -> OutlineDose:
    """Add what an outline that is no sphere may lose or get otherwise: half of what leaves the sphere.

    A flat organ loses more to its neighbours, and gets some of theirs.
    """
    leaves = max(0.0, 1 - dose.electron_mgy / whole_mgy) * dose.electron_mgy / float(dose.dose.value)
    parts = tuple(
        replace(part, std_rel=hypot(part.std_rel, 0.5 * leaves)) if part.name == "dose factor" else part
        for part in dose.parts
    )
    return replace(dose, parts=parts)


def local_mgy_g_per_mbq_h(nuclide: str) -> float:
    """Return electrons' energy per decay, less bremsstrahlung, as mGy g per MBq h."""
    energy, number = emitted_by(nuclide).electrons()
    made_of = material(medium_of("soft tissue").composition)
    kept_kev = float(energy @ (number * (1 - radiated_share(made_of, energy))))
    return 1e6 * S_PER_H * MGY_PER_KEV_G * kept_kev
