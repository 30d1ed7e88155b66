"""Photon dose of a map of activity in a body, by the engine: where a kernel of one medium is not enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.physics.material_library import material
from omnidose.physics.nuclides import Nuclide
from omnidose.transport.dose_kernels.bremsstrahlung import bremsstrahlung
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.media import medium_of
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.emission import EmissionSpectrum
from omnidose.transport.engine import simulate
from omnidose.transport.problem import CUTOFF_KEV
from omnidose.transport.scene import Scene, VoxelGrid
from omnidose.transport.sources import ActivitySource
from omnidose.transport.tally import MGY_PER_KEV_G, Region, Tally
from omnidose.volume import Volume

ArrayF8 = npt.NDArray[np.float64]

#: A region is asked for precision from this volume and this share of the largest photon dose on.
LEAST_CM3, LEAST_SHARE = 10.0, 0.01
#: Histories of the run that finds those regions.
PILOT_HISTORIES = 200_000
MAX_HISTORIES = 1e9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhotonDose:
    """Photon dose in a body: mGy per s of a map in MBq, or mGy of time-integrated activity in MBq s.

    Attributes
    ----------
    keys, dose_mgy, std_mgy
        [n] regions, their mean doses and standard errors.
    map
        float32 [z, y, x] on the body's grid; None if none was asked for. No error can be summed from it.
    judged
        Regions that the precision was asked for.
    tally
        Per photon, with batches: covariances of the regions come from it.
    """

    keys: tuple[str, ...]
    dose_mgy: ArrayF8
    std_mgy: ArrayF8
    map: npt.NDArray[np.float32] | None = field(repr=False)
    judged: tuple[str, ...]
    tally: Tally = field(repr=False)

    def of(self, key: str) -> float:
        """Return the dose of one region (mGy)."""
        return float(self.dose_mgy[self.tally.index(key)])


def photon_spectrum(emitted: RadiationYield, medium: str = "soft tissue") -> EmissionSpectrum:
    """Return the photons of one decay, with the bremsstrahlung of its electrons in a medium.

    Photons below the engine's 1 keV are left out: they are absorbed within micrometres and carry less than
    0.1 % of the energy of any nuclide of the library.

    Raises
    ------
    InputError
        If the decay sends out no photon.
    """
    more_kev, more = bremsstrahlung(material(medium_of(medium).composition), *emitted.electrons())
    spectrum = EmissionSpectrum(
        name=emitted.name,
        line_kev=np.concatenate([emitted.photon_kev, more_kev]),
        line_per_decay=np.concatenate([emitted.photon_per_decay, more]),
    )
    return spectrum.above(CUTOFF_KEV)


def transport_photons(
    activity: Volume,
    emitted: RadiationYield | Nuclide | str,
    body: VoxelGrid,
    *,
    regions: Sequence[Region],
    medium: str = "soft tissue",
    precision: float | None = None,
    histories: float | None = None,
    voxel_map: bool = True,
    **options: Any,
) -> PhotonDose:
    """Follow the photons of a map of activity through a body.

    Parameters
    ----------
    activity
        MBq (or MBq s) per voxel; its grid need not be the body's.
    emitted
        Radiations per decay, or a nuclide (without progeny).
    regions
        At least one.
    medium
        In which the electrons stop, for their bremsstrahlung.
    precision
        Relative standard error of every region of at least 10 cm3 with at least 1 % of the largest photon
        dose; a short run finds them. Else give ``histories``.
    options
        For :func:`omnidose.transport.engine.simulate` (seed, threads, progress, cluster, backend).

    Raises
    ------
    InputError
        For activity below 0, not finite or all 0, or a decay without photons; as ``simulate``.
    """
    if (precision is None) == (histories is None):
        raise InputError("give either precision or histories", todo="for example precision=0.02")
    if isinstance(emitted, Nuclide | str):
        emitted = yield_of(emitted)
    upright = activity.to_lps()
    spectrum = photon_spectrum(emitted, medium)
    source = ActivitySource(
        grid=upright.grid, activity=np.asarray(upright.array, dtype=np.float64), spectrum=spectrum
    )
    scene = Scene(voxels=body)
    judged: tuple[str, ...] = ()
    if precision is not None:
        seed = {"seed": options["seed"] + 2**40} if "seed" in options else {}
        pilot = simulate(
            scene, source, regions=regions, histories=PILOT_HISTORIES, voxel_map=False, **{**options, **seed}
        )
        judged = regions_that_matter(pilot, regions, body.grid.voxel_volume_cm3)
        options = {"max_histories": MAX_HISTORIES, **options, "precision_keys": judged}
    tally = simulate(
        scene,
        source,
        regions=regions,
        histories=histories,
        precision=precision,
        voxel_map=voxel_map,
        **options,
    )
    decays = 1e6 * float(upright.array.sum(dtype=np.float64))
    unit_mgy = decays * spectrum.histories_per_decay * MGY_PER_KEV_G
    in_voxels = tally.voxel_dose_kev_g
    return PhotonDose(
        keys=tally.keys,
        dose_mgy=tally.dose_kev_g * unit_mgy,
        std_mgy=tally.std_kev / tally.mass_g * unit_mgy,
        map=None if in_voxels is None else in_voxels * np.float32(unit_mgy),
        judged=judged,
        tally=tally,
    )


def regions_that_matter(tally: Tally, regions: Sequence[Region], voxel_cm3: float) -> tuple[str, ...]:
    """Return the regions of at least 10 cm3 with at least 1 % of the largest dose among these.

    Raises
    ------
    InputError
        If no region is that large.
    """
    weight = {r.key: r.voxels.size if r.weights is None else float(r.weights.sum()) for r in regions}
    large = [key for key in tally.keys if weight.get(key, 0) * voxel_cm3 >= LEAST_CM3]
    if not large:
        raise InputError(
            f"no region has {LEAST_CM3:g} cm3 or more",
            where="precision",
            todo="give histories= instead",
        )
    dose = {key: float(tally.dose_kev_g[tally.index(key)]) for key in large}
    return tuple(key for key in large if dose[key] >= LEAST_SHARE * max(dose.values()) > 0)
