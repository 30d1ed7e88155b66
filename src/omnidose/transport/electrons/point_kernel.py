"""Dose around a point source of electrons in one medium: scaled point kernels.

``F(r/X90)`` is the share of the energy left per shell of scaled radius: its integral is the share that is not
carried off by bremsstrahlung. X90 is the radius of the sphere in which 90 % of the *deposited* energy stays
(the convention of M. J. Berger's tables; they count the emitted energy without bremsstrahlung).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError, RangeError
from omnidose.physics.electron_stopping import csda_range_g_cm2, energy_of_range_kev
from omnidose.physics.material_library import material
from omnidose.physics.materials import Material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.electrons.simulate import BATCHES, check_run
from omnidose.transport.electrons.sources import ElectronPoint, ElectronSpectrum, compile_beam
from omnidose.transport.electrons.tables import ELASTIC_SHARE, LOSS_SHARE, build_physics
from omnidose.transport.threads import share_out, thread_count
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

#: Shells up to this many CSDA ranges of the largest energy; nothing goes further.
_REACH = 1.15
SHELLS = 400
#: Electrons set free are followed from this share of the largest energy on, so that straggling is right.
KNOCK_ON_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class PointKernel:
    """Energy left around a point source, per emitted electron.

    Attributes
    ----------
    edge_g_cm2
        [n + 1] radii of the shells times density.
    batch_kev
        [n_batches, n] energy per electron left in each shell.
    emitted_kev, bremsstrahlung_kev
        Mean energy emitted and radiated per electron.
    csda_g_cm2
        Range in continuous slowing down of the largest energy.
    """

    material: Material
    edge_g_cm2: ArrayF8
    batch_kev: ArrayF8
    emitted_kev: float
    bremsstrahlung_kev: float
    csda_g_cm2: float
    histories: int
    seed: int

    @property
    def energy_kev(self) -> ArrayF8:
        """[n] mean energy left in each shell."""
        return np.asarray(self.batch_kev.mean(axis=0))

    @property
    def std_kev(self) -> ArrayF8:
        """[n] standard error of it, from the batches."""
        return np.asarray(self.batch_kev.std(axis=0, ddof=1) / math.sqrt(self.batch_kev.shape[0]))

    def radius_g_cm2(self, share: float) -> float:
        """Return the radius in which a share of the deposited energy stays."""
        if not 0 < share < 1:
            raise InputError(f"{share:g} is no share of the deposited energy", allowed="between 0 and 1")
        inside = np.concatenate([[0.0], np.cumsum(self.energy_kev)])
        inside /= inside[-1]
        last = int(np.searchsorted(inside, 1 - 1e-12)) + 1  # rising part
        return float(np.interp(share, inside[:last], self.edge_g_cm2[:last]))

    @property
    def x90_g_cm2(self) -> float:
        """Radius in which 90 % of the deposited energy stays."""
        return self.radius_g_cm2(0.9)

    def shape(self, ratio: npt.ArrayLike) -> ArrayF8:
        """Return F at r/X90: the share of the deposited energy per unit of r/X90 (integral 1)."""
        x90 = self.x90_g_cm2
        middle = 0.5 * (self.edge_g_cm2[1:] + self.edge_g_cm2[:-1]) / x90
        energy = self.energy_kev
        value = energy / energy.sum() / (np.diff(self.edge_g_cm2) / x90)
        return np.asarray(np.interp(np.asarray(ratio, dtype=np.float64), middle, value, right=0.0))

    def dose_kev_g(self, radius_mm: npt.ArrayLike, *, density_g_cm3: float | None = None) -> ArrayF8:
        """Return the dose per emitted electron at a distance from the point (mean over its shell)."""
        rho = self.material.density_g_cm3 if density_g_cm3 is None else density_g_cm3
        if not rho > 0:
            raise InputError("a kernel needs a density above 0")
        radius = np.asarray(radius_mm, dtype=np.float64) * rho / 10
        mass = 4 / 3 * np.pi * np.diff(self.edge_g_cm2**3) / rho**2
        k = np.searchsorted(self.edge_g_cm2, radius, side="right") - 1
        n = self.energy_kev.size
        inside = (k >= 0) & (k < n)
        return np.where(inside, (self.energy_kev / mass)[np.clip(k, 0, n - 1)], 0.0)

    def absorbed_fraction_of_sphere(self, radius_mm: float, *, density_g_cm3: float | None = None) -> float:
        """Return the share of the emitted energy absorbed in a sphere with uniform activity.

        In an endless medium of the same kind. A point at depth in the sphere sees the sphere's own
        chord distribution: the share of pairs at distance r that both lie inside is
        1 - 3r/(4R) + r^3/(16 R^3).
        """
        rho = self.material.density_g_cm3 if density_g_cm3 is None else density_g_cm3
        big = radius_mm * rho / 10
        if not big > 0:
            raise InputError("the radius of a sphere must be positive")
        low, high = self.edge_g_cm2[:-1], np.minimum(self.edge_g_cm2[1:], 2 * big)
        x, weight = np.polynomial.legendre.leggauss(4)
        r = 0.5 * (high - low)[:, None] * (x + 1) + low[:, None]
        inside = ((1 - 0.75 * r / big + r**3 / (16 * big**3)) * weight / 2).sum(axis=1)
        share = np.where(high > low, (high - low) / np.diff(self.edge_g_cm2), 0.0)
        return float((self.energy_kev * inside * share).sum() / self.emitted_kev)


def point_kernel(
    energy_kev: float | ElectronSpectrum,
    *,
    medium: Material | None = None,
    histories: float = 100_000,
    seed: int = 1,
    shells: int = SHELLS,
    reach_g_cm2: float | None = None,
    absorb_kev: float | None = None,
    elastic_rel: float = ELASTIC_SHARE,
    loss_rel: float = LOSS_SHARE,
) -> PointKernel:
    """Compute the point kernel of a line (keV) or a spectrum by Monte Carlo.

    Parameters
    ----------
    energy_kev
        Energy of a line, or a spectrum.
    medium
        Default: water.
    shells, reach_g_cm2
        Number of shells of equal width, and their outer radius; default 1.15 CSDA ranges of the largest
        energy. Energy beyond is put into the last shell.
    absorb_kev
        Electrons below stay where they are; default: a range of half a shell, at most 20 keV.
    """
    medium = medium or material("water")
    spectrum = Spectrum.line(float(energy_kev)) if isinstance(energy_kev, int | float) else energy_kev
    top = spectrum.max_kev
    if not 2.0 <= top <= 20_000.0:
        raise RangeError(f"a kernel of {top:g} keV electrons cannot be computed", allowed="2 keV to 20 MeV")
    check_run(histories, seed)
    csda = float(csda_range_g_cm2(medium, top))
    reach = _REACH * csda if reach_g_cm2 is None else reach_g_cm2
    if shells < 10 or not reach > 0:
        raise InputError("shells of a kernel", allowed="at least 10, out to a positive radius")
    width = reach / shells
    half_shell = energy_of_range_kev(medium, 0.5 * width)
    if absorb_kev is None:
        absorb_kev = min(half_shell, 20.0)
    knock_on = min(half_shell, max(KNOCK_ON_SHARE * top, 1.0))
    physics = build_physics(
        (medium,),
        top,
        absorb_kev=absorb_kev,
        knock_on_cut_kev=knock_on,
        photon_cut_kev=max(10.0, 0.005 * top),
        step_g_cm2=np.array([math.inf]),
        elastic_rel=elastic_rel,
        loss_rel=loss_rel,
    )
    from omnidose.transport.electrons._radial import run_radial

    unit = Grid.centred((1, 1, 1), (1.0, 1.0, 1.0))
    beam = compile_beam(ElectronPoint(position_mm=(0.0, 0.0, 0.0), spectrum=spectrum), unit)
    per_batch = math.ceil(histories / BATCHES)
    energy = np.zeros((BATCHES, shells))
    balance = np.zeros((BATCHES, 3))

    def work(batch: int, _thread: int) -> None:
        run_radial(batch, per_batch, np.uint64(seed), beam, physics, 1 / width, energy[batch], balance[batch])

    share_out(BATCHES, thread_count(), work)
    return PointKernel(
        material=medium,
        edge_g_cm2=np.linspace(0.0, reach, shells + 1),
        batch_kev=energy / per_batch,
        emitted_kev=float(balance[:, 0].sum() / (BATCHES * per_batch)),
        bremsstrahlung_kev=float(balance[:, 2].sum() / (BATCHES * per_batch)),
        csda_g_cm2=csda,
        histories=BATCHES * per_batch,
        seed=seed,
    )
