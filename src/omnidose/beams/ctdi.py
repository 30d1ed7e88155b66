"""CTDI of a fan beam, simulated in the PMMA phantom with the same engine that computes the patient.

What the chambers read is air kerma over 100 mm. The model leaves PMMA where the chambers are and scores
the kerma of *air* in the photon fluence there, so nothing disturbs anything. The central chamber is a
rod of the bore's 13.1 mm; the outer ones, at the same depth all around and alike when the tube turns once
around, become one ring at the radius of their axes. Its half width is sqrt(3)/2 of the bore's radius:
then the mean squared distance from the axis' radius equals that of the round bore.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose import data
from omnidose.beams.bowtie import Bowtie
from omnidose.beams.fan import FanBeam
from omnidose.beams.materials import PMMA
from omnidose.errors import InputError, OmnidoseError, RangeError
from omnidose.transport.scene import AIR, Scene, VoxelGrid
from omnidose.transport.tally import MGY_PER_KEV_G, Region, Tally
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

#: Length of the phantom (IEC 60601-2-44: at least 14 cm; those in use have 15 cm).
PHANTOM_LENGTH_MM = 150.0
#: Sensitive length of the pencil chamber.
CHAMBER_LENGTH_MM = 100.0
#: Axis of an outer chamber below the phantom's surface.
CHAMBER_DEPTH_MM = 10.0
BORE_RADIUS_MM = 6.55
RING_HALF_MM = BORE_RADIUS_MM * sqrt(3) / 2
#: Voxels of the phantom: (x, y) and z; edge voxels have partial density, the chamber ends are faces.
VOXEL_MM = (2.0, 2.0, 25.0)
#: Tentative collisions per cm in the central rod, which few photons cross.
CENTRE_SAMPLING_PER_CM = 1.0
#: Widest collimation for which CTDI100 is used as it is, and the reference width for wider beams.
WIDE_BEAM_MM = 40.0
REFERENCE_COLLIMATION_MM = 20.0
DEFAULT_HISTORIES = 2_000_000
#: Raise when the phantom model changes, so that cached results are made again.
MODEL_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CtdiResult:
    """CTDI per emitted photon of one axial rotation.

    Attributes
    ----------
    centre_mgy, periphery_mgy, weighted_mgy
        CTDI100 in the centre and at the periphery, and CTDIw, mGy per photon.
    centre_std_rel, periphery_std_rel, weighted_std_rel, ratio_std_rel
        Relative standard errors of the Monte Carlo.
    collimation_mm
        Collimation the numbers are for.
    simulated_collimation_mm
        Collimation that was simulated (smaller for wide beams, see :func:`simulate_ctdi`).
    """

    phantom_cm: int
    collimation_mm: float
    simulated_collimation_mm: float
    centre_mgy: float
    periphery_mgy: float
    weighted_mgy: float
    centre_std_rel: float
    periphery_std_rel: float
    weighted_std_rel: float
    ratio_std_rel: float
    histories: int
    seed: int

    @property
    def ratio(self) -> float:
        """Centre / periphery."""
        return self.centre_mgy / self.periphery_mgy

    @property
    def line_mgy_cm(self) -> float:
        """CTDIw times collimation, mGy cm per photon: what scales a scan, whatever its pitch."""
        return self.weighted_mgy * 0.1 * self.collimation_mm


def ctdi_phantom(phantom_cm: int) -> tuple[Scene, tuple[Region, Region]]:
    """Return the CTDI phantom of 16 or 32 cm and its regions ``centre`` and ``periphery``.

    Raises
    ------
    InputError
        For any other size.
    """
    if phantom_cm not in (16, 32):
        raise InputError(f"there is no CTDI phantom of {phantom_cm} cm", allowed="16 (head) or 32 (body)")
    radius_mm = 5.0 * phantom_cm
    n = int(np.ceil(2 * radius_mm / VOXEL_MM[0])) + 2
    n_z = round(PHANTOM_LENGTH_MM / VOXEL_MM[2])
    grid = Grid.centred((n_z, n, n), VOXEL_MM)
    fill = _share_inside(grid, 0.0, radius_mm)
    density = np.broadcast_to(fill * PMMA.density_g_cm3, grid.shape_zyx)
    material = np.broadcast_to(fill > 0, grid.shape_zyx)
    air_density = np.where(material, density, AIR.density_g_cm3)
    voxels = VoxelGrid(
        grid=grid,
        materials=(AIR, PMMA),
        material_index=np.ascontiguousarray(material, dtype=np.uint8),
        density_g_cm3=np.ascontiguousarray(air_density, dtype=np.float32),
    )
    ring_mm = radius_mm - CHAMBER_DEPTH_MM
    regions = (
        _chamber(grid, "centre", 0.0, BORE_RADIUS_MM),
        _chamber(grid, "periphery", ring_mm - RING_HALF_MM, ring_mm + RING_HALF_MM),
    )
    return Scene(voxels=voxels), regions


def _share_inside(grid: Grid, inner_mm: float, outer_mm: float) -> ArrayF8:
    """Return the share of each (y, x) voxel column between two radii, from 10 x 10 points each."""
    fine = (np.arange(10) + 0.5) / 10 - 0.5
    x = (grid.axis_mm(0)[:, None] + fine * grid.spacing_mm[0]).ravel()
    y = (grid.axis_mm(1)[:, None] + fine * grid.spacing_mm[1]).ravel()
    radius2 = y[:, None] ** 2 + x[None, :] ** 2
    inside = (radius2 >= inner_mm**2) & (radius2 < outer_mm**2)
    _, n_y, n_x = grid.shape_zyx
    return np.asarray(inside.reshape(n_y, 10, n_x, 10).mean(axis=(1, 3)))


def _chamber(grid: Grid, key: str, inner_mm: float, outer_mm: float) -> Region:
    share = _share_inside(grid, inner_mm, outer_mm)
    along = np.abs(grid.axis_mm(2)) < CHAMBER_LENGTH_MM / 2
    weights = (along[:, None, None] * share[None]).ravel()
    voxels = np.flatnonzero(weights)
    return Region(key=key, voxels=voxels, weights=weights[voxels].astype(np.float32), medium=AIR)


def simulate_ctdi(
    beam: FanBeam,
    phantom_cm: int,
    *,
    histories: int = DEFAULT_HISTORIES,
    seed: int = 1,
    simulate: Callable[..., Tally] | None = None,
) -> CtdiResult:
    """Simulate CTDI100 of one axial rotation in the PMMA phantom.

    Collimations above 40 mm follow IEC 60601-2-44 ed. 3.1: a reference collimation (20 mm) is
    simulated and scaled with the ratio of the CTDI free in air of the two collimations.

    Parameters
    ----------
    phantom_cm
        16 or 32.
    histories
        Photons.
    simulate
        The engine; default :func:`omnidose.transport.engine.simulate`.

    Returns
    -------
    CtdiResult
        mGy per emitted photon.
    """
    if simulate is None:
        from omnidose.transport.engine import simulate as engine

        simulate = engine
    used = beam
    if beam.collimation_mm > WIDE_BEAM_MM:
        used = replace(beam, collimation_mm=REFERENCE_COLLIMATION_MM, heel=False)
    segments = np.array([[0.0, 2 * pi, 0.0, 0.0, 1.0]])
    scene, regions = ctdi_phantom(phantom_cm)
    tally = simulate(
        scene,
        used.source(segments),
        regions=regions,
        histories=histories,
        seed=seed,
        voxel_map=False,
        sampling_per_cm={"centre": CENTRE_SAMPLING_PER_CM},
    )
    scale = 1.0
    if used is not beam:
        # per photon the CTDI free in air is (kerma along the axis) / (N T)
        scale = (beam.air_kerma_line_mgy_cm() / beam.collimation_mm) / (
            used.air_kerma_line_mgy_cm() / used.collimation_mm
        )
    return _result(tally, beam, used, phantom_cm, scale, seed)


def _result(
    tally: Tally, beam: FanBeam, used: FanBeam, phantom_cm: int, scale: float, seed: int
) -> CtdiResult:
    columns = [tally.index("centre"), tally.index("periphery")]
    # CTDI100 = integral of the kerma over 100 mm / (N T) = mean kerma x 100 mm / (N T)
    to_mgy = MGY_PER_KEV_G / tally.mass_g[columns] * CHAMBER_LENGTH_MM / used.collimation_mm * scale
    batches = tally.batch_energy_kev[:, columns] * to_mgy
    mean = batches.mean(axis=0)
    if np.any(mean <= 0):
        raise RangeError("no photon reached the chambers of the CTDI phantom", todo="use more histories")
    covariance = np.cov(batches, rowvar=False) / batches.shape[0] / np.outer(mean, mean)
    share = np.array([mean[0], 2 * mean[1]]) / (mean[0] + 2 * mean[1])
    return CtdiResult(
        phantom_cm=phantom_cm,
        collimation_mm=beam.collimation_mm,
        simulated_collimation_mm=used.collimation_mm,
        centre_mgy=float(mean[0]),
        periphery_mgy=float(mean[1]),
        weighted_mgy=float((mean[0] + 2 * mean[1]) / 3),
        centre_std_rel=float(np.sqrt(covariance[0, 0])),
        periphery_std_rel=float(np.sqrt(covariance[1, 1])),
        weighted_std_rel=float(np.sqrt(share @ covariance @ share)),
        ratio_std_rel=float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0))),
        histories=tally.histories,
        seed=seed,
    )


def cached_ctdi(
    beam: FanBeam,
    phantom_cm: int,
    *,
    histories: int = DEFAULT_HISTORIES,
    seed: int = 1,
    simulate: Callable[..., Tally] | None = None,
) -> CtdiResult:
    """Return :func:`simulate_ctdi`, from the user's cache folder if it was computed before.

    The key is a hash of everything that goes in: beam, phantom, histories, seed, the packaged photon
    and tube tables, and the version of omnidose. An unreadable cache is ignored, never trusted.
    """
    key = _cache_key(beam, phantom_cm, histories, seed)
    path = data.user_cache_dir() / "ctdi" / f"{key}.json"
    if simulate is None:
        try:
            return CtdiResult(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            pass
    result = simulate_ctdi(beam, phantom_cm, histories=histories, seed=seed, simulate=simulate)
    if simulate is None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{id(result):x}.tmp")
            partial.write_text(json.dumps(asdict(result)), "utf-8")
            partial.replace(path)
        except OSError:
            pass  # a read-only cache costs seconds, not correctness
    return result


def _cache_key(beam: FanBeam, phantom_cm: int, histories: int, seed: int) -> str:
    from omnidose import __version__

    tables: dict[str, str] = {}
    for name in ("photons", "tube_spectra"):
        try:
            tables[name] = data.load(name).sha256
        except OmnidoseError:
            tables[name] = "absent"
    inputs: dict[str, Any] = {
        "beam": asdict(beam),
        "phantom_cm": phantom_cm,
        "histories": histories,
        "seed": seed,
        "tables": tables,
        "model": MODEL_VERSION,
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]


def fit_bowtie(
    beam: FanBeam,
    phantom_cm: int,
    target_ratio: float,
    *,
    tolerance_rel: float = 0.01,
    histories: int = DEFAULT_HISTORIES,
    seed: int = 1,
    simulate: Callable[..., Tally] | None = None,
) -> tuple[Bowtie, CtdiResult]:
    """Fit the strength of a bow-tie so that centre/periphery in the CTDI phantom meets a target.

    Regula falsi (Illinois) on common random numbers; the ratio rises with the strength.

    Parameters
    ----------
    beam
        Its bow-tie gives name, material and radius; its strength is replaced.
    target_ratio
        Wanted CTDI100 centre / periphery.
    tolerance_rel
        Accepted relative distance from the target.

    Returns
    -------
    (Bowtie, CtdiResult)
        The fitted filter and the CTDI it gives.

    Raises
    ------
    RangeError
        If even no bow-tie exceeds the target, or the strongest stays below it.
    """

    def excess(strength: float) -> tuple[float, CtdiResult, Bowtie]:
        bowtie = replace(beam.bowtie, strength_mm_per_mm=strength)
        result = simulate_ctdi(
            replace(beam, bowtie=bowtie), phantom_cm, histories=histories, seed=seed, simulate=simulate
        )
        return result.ratio / target_ratio - 1, result, bowtie

    low, high = 0.0, 0.8
    f_low, result, bowtie = excess(low)
    if abs(f_low) <= tolerance_rel:
        return bowtie, result
    f_high, result, bowtie = excess(high)
    if f_low > 0 or f_high < 0:
        raise RangeError(
            f"no bow-tie strength gives a centre/periphery ratio of {target_ratio:g}",
            allowed=f"{(1 + f_low) * target_ratio:.3f} to {(1 + f_high) * target_ratio:.3f}",
        )
    for _ in range(12):
        strength = (low * f_high - high * f_low) / (f_high - f_low)
        value, result, bowtie = excess(strength)
        if abs(value) <= tolerance_rel:
            return bowtie, result
        if value > 0:
            high, f_high, f_low = strength, value, 0.5 * f_low
        else:
            low, f_low, f_high = strength, value, 0.5 * f_high
    raise RangeError("the bow-tie fit did not converge", todo="use more histories or a wider tolerance")
