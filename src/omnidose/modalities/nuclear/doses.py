"""From time-integrated activity to dose per voxel, in three ways through one door: :func:`voxel_doses`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.errors import InputError
from omnidose.modalities.nuclear.exposure import DoseMethod
from omnidose.physics.progeny import late_progeny, prompt_progeny
from omnidose.transport.dose_kernels.convolution import convolve, local_deposition
from omnidose.transport.dose_kernels.emissions import RadiationYield
from omnidose.transport.dose_kernels.nuclide_yields import yield_of
from omnidose.transport.dose_kernels.voxels import VoxelKernel, voxel_s
from omnidose.volume import Volume

if TYPE_CHECKING:
    from omnidose.transport.tally import Tally

ArrayF4 = npt.NDArray[np.float32]

#: Decays of late progeny per decay below which they are not spoken of.
_FEW_DECAYS = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxelDoses:
    """Absorbed dose of every voxel in mGy, float32 [z, y, x].

    Attributes
    ----------
    tally, particles
        Of the photons' Monte Carlo and the histories that the exam stands for; None without it.
    """

    method: DoseMethod
    electron: ArrayF4
    photon: ArrayF4
    alpha: ArrayF4
    tally: Tally | None = None
    particles: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> ArrayF4:
        """Sum without weights."""
        return self.electron + self.photon + self.alpha


def emitted_by(name: str) -> RadiationYield:
    """Return what a decay sends out, with progeny that decays at once.

    Raises
    ------
    InputError
        For an unknown nuclide, or progeny that decays later, maybe elsewhere, and carries more than 1 % of
        the energy.
    """
    late = late_progeny(name)
    if late.notable:
        raise InputError(
            late.sentence,
            where="nuclide",
            allowed="nuclides whose progeny decays with them or carries less than 1 % of the energy",
            todo="give each nuclide its own decays: organ_doses_of_activity(by_nuclide_h=...)",
        )
    return yield_of(name, progeny=prompt_progeny(name))


def voxel_doses(
    method: DoseMethod,
    mbq_s: Volume,
    nuclide_name: str,
    body: BodyModel,
    *,
    simulate: Callable[..., Tally] | None = None,
    histories: int | None = None,
    precision: float | None = None,
    seed: int = 1,
    progress: Callable[[float, str], None] | None = None,
    cluster: Any = None,
) -> VoxelDoses:
    """Return the dose in every voxel of a body.

    Parameters
    ----------
    mbq_s
        Time-integrated activity per voxel, on the body's grid.
    histories, precision
        For Monte Carlo only: annihilations or photons, or the relative standard error of organs above 100 g.
    """
    emitted = emitted_by(nuclide_name)
    density = Volume.on_grid(body.density_g_cm3, body.grid)
    if method is DoseMethod.MONTE_CARLO:
        found = _monte_carlo(
            mbq_s, emitted, density, body, simulate, histories, precision, seed, progress, cluster
        )
    else:
        if progress is not None:
            progress(0.1, f"Dose kernel of {nuclide_name} for these voxels")
        kernel = voxel_s(emitted, body.grid.spacing_mm, reach_mm=_reach_mm(body))
        if progress is not None:
            progress(0.4, "Convolving activity and kernel")
        found = _by_kernel(method, mbq_s, emitted, kernel, density)
    return replace(found, notes=(*found.notes, *progeny_notes(nuclide_name)))


def progeny_notes(name: str) -> tuple[str, ...]:
    """Return what a dose takes for granted about progeny, as sentences."""
    members, late = prompt_progeny(name), late_progeny(name)
    out = []
    if members:
        out.append(f"Progeny is taken to decay where {late.parent} does: {', '.join(members)}.")
    small = [daughter for daughter, number in late.decays if number > _FEW_DECAYS]
    if small:
        out.append(
            f"Progeny that decays later is left out: {', '.join(small)} (at most "
            f"{100 * late.local_fraction:.2g} % of the energy of electrons and alpha particles)."
        )
    return tuple(out)


def _reach_mm(body: BodyModel) -> float:
    """Return how far photons are followed: across the body, at most as far as kernels reach."""
    from omnidose.transport.dose_kernels.radial import PHOTON_REACH_MM

    return float(min(PHOTON_REACH_MM, 128 * min(body.grid.spacing_mm)))


def _by_kernel(
    method: DoseMethod, mbq_s: Volume, emitted: RadiationYield, kernel: VoxelKernel, density: Volume
) -> VoxelDoses:
    rate = convolve(mbq_s, kernel, density=density)
    electron, alpha = rate.electron, rate.alpha
    notes = [*rate.notes, "Photons by kernel: as in an endless body of soft tissue (too high near the skin)."]
    if method is DoseMethod.LOCAL:
        local = local_deposition(mbq_s, emitted, density=density)
        electron, alpha = local.electron, local.alpha
    return VoxelDoses(method=method, electron=electron, photon=rate.photon, alpha=alpha, notes=tuple(notes))


def _monte_carlo(
    mbq_s: Volume,
    emitted: RadiationYield,
    density: Volume,
    body: BodyModel,
    simulate: Callable[..., Tally] | None,
    histories: int | None,
    precision: float | None,
    seed: int,
    progress: Callable[[float, str], None] | None,
    cluster: Any,
) -> VoxelDoses:
    from omnidose.dosimetry.organ_doses import regions_of
    from omnidose.transport.dose_kernels.photon_transport import photon_spectrum
    from omnidose.transport.scene import Scene
    from omnidose.transport.sources import ActivitySource
    from omnidose.transport.tally import MGY_PER_KEV_G

    spectrum = photon_spectrum(emitted)
    source = ActivitySource(grid=body.grid, activity=np.asarray(mbq_s.array), spectrum=spectrum)
    regions = regions_of(body)
    options: dict[str, Any] = {"histories": histories}
    if histories is None:
        heavy = {key for key, mass in body.organ_mass_g.items() if mass >= 100}
        keys = tuple(r.key for r in regions if r.key in heavy)
        options = {"precision": precision or 0.01, "precision_keys": keys or None, "min_histories": 2_000_000}
    if simulate is None:
        from omnidose.transport.engine import simulate as engine

        simulate = engine
        options["cluster"] = cluster
        if progress is not None:
            options["progress"] = lambda state: progress(
                float(state.fraction), f"{state.histories / 1e6:.1f} million photons"
            )
    tally = simulate(Scene.from_body(body), source, regions=regions, seed=seed, voxel_map=True, **options)
    decays = float(mbq_s.array.sum(dtype=np.float64)) * 1e6
    particles = decays * spectrum.histories_per_decay
    assert tally.voxel_dose_kev_g is not None
    photon = tally.voxel_dose_kev_g * np.float32(MGY_PER_KEV_G * particles)
    photon[body.density_g_cm3 < 0.1] = 0.0
    local = local_deposition(mbq_s, emitted, density=density)
    return VoxelDoses(
        method=DoseMethod.MONTE_CARLO,
        electron=local.electron,
        photon=photon,
        alpha=local.alpha,
        tally=tally,
        particles=particles,
        notes=(
            "Electrons and positrons stay in the voxel of their decay; annihilation photons start there.",
            *local.notes[1:],
        ),
    )
