"""Fluorescence that escapes from a small sphere: the engine against an integral without random numbers.

A sphere of 10 cm3 of soft tissue with 0.1 % iodine (a thyroid) in a broad parallel beam. Scattering is
switched off on both sides, so that the energy kept is a closed integral: photoelectric absorption
along straight rays, isotropic re-emission of the iodine lines, absorption of the lines on their way
out. What is tested is the sampling of lines, their transport, and the expected deposit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from omnidose.physics.elements import Process, cross_section_cm2_g, emission_lines, vacancy_probabilities
from omnidose.physics.materials import Material
from omnidose.physics.photons import mass_attenuation_cm2_g, mean_fluorescence_kev
from omnidose.physics.spectra import Spectrum
from omnidose.transport._records import Physics
from omnidose.transport.engine import BATCHES, Run
from omnidose.transport.geometry import scene_materials
from omnidose.transport.problem import compile_problem
from omnidose.transport.runner import LocalRunner
from omnidose.transport.scene import VACUUM, Scene, Sphere
from omnidose.transport.sources import ParallelSource
from omnidose.transport.tg195 import SOFT_TISSUE

ArrayF8 = npt.NDArray[np.float64]


def with_iodine(share: float) -> Material:
    """Return soft tissue (TG-195) with a mass share of iodine."""
    fractions = {z: w * (1 - share) for z, w in SOFT_TISSUE.weight_fractions.items()}
    return Material(
        name=f"soft tissue with {100 * share:g} % iodine",
        weight_fractions=fractions | {53: share},
        density_g_cm3=SOFT_TISSUE.density_g_cm3,
    )


MATERIALS = {
    "water": Material(name="water", weight_fractions={1: 0.111898, 8: 0.888102}, density_g_cm3=1.0),
    "soft tissue with 2 % iodine": with_iodine(0.02),
    "lead": Material(name="lead", weight_fractions={82: 1.0}, density_g_cm3=11.35),
}
VOLUME_CM3 = 10.0
RADIUS_CM = (3 * VOLUME_CM3 / (4 * np.pi)) ** (1 / 3)


def emitted_lines(material: Material, energy_kev: float) -> list[tuple[float, float]]:
    """Return (line energy in keV, mean number per photoelectric event), K-L cascade included."""
    total = float(mass_attenuation_cm2_g(material, energy_kev, Process.PHOTOELECTRIC))
    lines = []
    for z, w in material.weight_fractions.items():
        share = w * float(np.squeeze(cross_section_cm2_g(z, energy_kev, Process.PHOTOELECTRIC))) / total
        vacancies = share * vacancy_probabilities(z, energy_kev)[:, 0]
        energy, probability, after = emission_lines(z)
        for shell in range(4):
            for k in range(energy.shape[1]):
                number = vacancies[shell] * probability[shell, k]
                if number > 0 and energy[shell, k] >= 1.0:
                    lines.append((float(energy[shell, k]), float(number)))
                    if after[shell, k] >= 0:
                        second = after[shell, k]
                        lines += [
                            (float(e), float(number * p))
                            for e, p in zip(energy[second], probability[second], strict=True)
                            if p > 0 and e >= 1.0
                        ]
    return lines


def photoelectric_only(physics: Physics, materials: Sequence[Material]) -> Physics:
    """Return the kernel tables with all other processes switched off."""
    rows = physics.rows.copy()
    energy = np.exp(float(physics.ln_energy_0) + np.arange(physics.n_energy) / float(physics.inv_d_ln_energy))
    energy[0] = max(energy[0], 1.0)
    for m, material in enumerate(materials):
        photo = mass_attenuation_cm2_g(material, energy, Process.PHOTOELECTRIC)
        rows[m, :, 0] = photo
        rows[m, :, 1] = photo * (1 - mean_fluorescence_kev(material, energy, 1.0) / energy)
        rows[m, :, 2:] = 1.0
    return physics._replace(rows=rows)


def kept_energy_kev(energy_kev: float, iodine_share: float = 0.001) -> float:
    """Return the energy kept per photon that hits the sphere, by Gauss-Legendre quadrature.

    Photoelectric absorption only. Emission points (rho, z) follow the beam's attenuation; from each
    the isotropic mean of 1 - exp(-mu s(direction)) is taken over 40 x 40 directions.
    """
    material = with_iodine(iodine_share)
    rho_g = material.density_g_cm3
    mu = rho_g * float(mass_attenuation_cm2_g(material, energy_kev, Process.PHOTOELECTRIC))
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = 0.5 * (nodes + 1)
    # impact parameter b = R sqrt(t): equal areas; depth along the chord
    b = RADIUS_CM * np.sqrt(half)
    chord = 2 * np.sqrt(RADIUS_CM**2 - b**2)
    absorbed = np.sum(0.5 * weights * (1 - np.exp(-mu * chord)))
    depth = chord[:, None] * half
    density = mu * np.exp(-mu * depth) * chord[:, None] * (0.5 * weights)[:, None] * (0.5 * weights)
    z = depth - chord[:, None] / 2
    kept = energy_kev * absorbed
    for line_kev, mean_per_event in emitted_lines(material, energy_kev):
        mu_line = rho_g * float(mass_attenuation_cm2_g(material, line_kev, Process.PHOTOELECTRIC))
        escape = _mean_escape(b[:, None] + 0 * z, z, mu_line, nodes, weights)
        kept -= line_kev * mean_per_event * float(np.sum(density * escape))
    return float(kept)


def _mean_escape(rho: ArrayF8, z: ArrayF8, mu: float, nodes: ArrayF8, weights: ArrayF8) -> ArrayF8:
    """Return the isotropic mean of exp(-mu s) from points at (rho, z) in the sphere."""
    cosine = nodes[:, None]
    phi = np.pi * 0.5 * (nodes[None, :] + 1)
    sine = np.sqrt(1 - cosine**2)
    solid = 0.5 * weights[:, None] * 0.5 * weights[None, :]
    along = rho[..., None, None] * sine * np.cos(phi) + z[..., None, None] * cosine
    r2 = (rho**2 + z**2)[..., None, None]
    path = -along + np.sqrt(np.maximum(along**2 + RADIUS_CM**2 - r2, 0))
    return np.asarray(np.sum(solid * np.exp(-mu * path), axis=(-2, -1)))


def compare(energy_kev: float, *, histories: float, seed: int = 5) -> tuple[float, float, float]:
    """Return (engine, its standard error, integral), keV kept per photon that hits the sphere."""
    radius_mm = 10 * RADIUS_CM
    sphere = Sphere(key="sphere", material=with_iodine(0.001), centre_mm=(0, 0, 0), radius_mm=radius_mm)
    source = ParallelSource(
        centre_mm=(0, 0, -50),
        direction=(0, 0, 1),
        up=(0, 1, 0),
        half_widths_mm=(radius_mm, radius_mm),
        spectrum=Spectrum.line(energy_kev),
    )
    scene = Scene(shapes=(sphere,), world=VACUUM)
    problem = compile_problem(scene, source, sampling_per_cm={"sphere": 1.0}, seed=seed)
    problem = replace(problem, physics=photoelectric_only(problem.physics, scene_materials(scene)))
    run = Run(problem, LocalRunner(problem))
    run.to_histories(int(histories), None)
    tally = run.tally()
    assert tally.batch_energy_kev.shape[0] == BATCHES
    hit = np.pi / 4  # a disc in its square
    return float(tally.energy_kev[0] / hit), float(tally.std_kev[0] / hit), kept_energy_kev(energy_kev)
