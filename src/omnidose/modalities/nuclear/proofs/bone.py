"""Claim ``bone``: alphas and electrons of bone surfaces and of the volume of bone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.skeleton import target_mass_g
from omnidose.modalities.nuclear.proofs import bone_doses
from omnidose.modalities.nuclear.proofs._bone_lattice import same_chords, shares_in_lattice
from omnidose.modalities.nuclear.proofs._one_cavity import Cavity, alpha_shares
from omnidose.physics.alpha_stopping import alpha_range_g_cm2
from omnidose.physics.electron_stopping import csda_range_g_cm2
from omnidose.physics.material_library import material
from omnidose.physics.nuclides import nuclide
from omnidose.transport.dose_kernels.bone import (
    BONE_G_CM3,
    BORDER_MARROW_FRACTION,
    MARROW_G_CM3,
    BoneShares,
    BoneSlabs,
    Place,
    TrabecularBone,
    absorbed_fractions,
    nuclide_in_bone,
)
from omnidose.transport.electrons.simulate import simulate_electrons
from omnidose.transport.electrons.sources import ElectronRectangle, ElectronSource, ElectronVolume
from omnidose.transport.emission import EmissionSpectrum
from omnidose.transport.scene import VoxelGrid
from omnidose.transport.tally import Region
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

_OF_EMITTED = "of emitted"
#: Plates of whole voxels of 0.05 mm; their mean chords are twice as long.
_PLATES = BoneSlabs(marrow_mm=1.2, bone_mm=0.25)
_VOXEL_MM = 0.05
#: Far wider than any range: nothing leaves at the sides.
_WIDE_MM = 4000.0
_SOURCES: tuple[Place, ...] = ("surface", "bone", "marrow")
#: Share of the emitted energy that the kernel may put elsewhere.
_MOST_OFF = 0.015
_NUCLIDES: tuple[tuple[str, dict[str, float], Place], ...] = (
    ("Ra-223", bone_doses.RADIUM, "surface"),
    ("Sr-89", {}, "bone"),
    ("Sm-153", {}, "surface"),
    ("Lu-177", {}, "bone"),
)
#: Red over all marrow in an adult's spine (ICRP Publication 70; recalled, grade C).
_CELLULARITY = 0.7


def check(context: Context) -> Iterator[Row]:
    """Closed forms, balance, a second code for alphas, ICRP 30, and electron Monte Carlo in plates."""
    yield from _closed_forms()
    yield from _one_cavity()
    yield _endosteum_mass()
    yield from _balance(context)
    yield from _icrp30()
    yield from bone_doses.check(context)
    yield from _lattice(context)
    yield from _border(context)
    yield from _electrons_in_plates(context)


def _closed_forms() -> Iterator[Row]:
    for kev in (5000.0, 8000.0):
        yield within(
            f"alphas of {kev / 1000:g} MeV in plates of bone: share that leaves bone",
            absorbed_fractions("alpha", kev, "bone", bone=_PLATES).marrow_fraction,
            _leaves_plates(kev, _PLATES.bone_mm),
            unit=_OF_EMITTED,
            source="surface / (4 x volume) x integral of the rest energy over the range, ASTAR",
            tolerance_rel=0.005,
        )
    thin = replace(_PLATES, endosteum_mm=0.01)
    yield within(
        "alphas of 6 MeV on a flat surface: share of 10 micrometres of endosteum",
        absorbed_fractions("alpha", 6000.0, "surface", bone=thin).endosteum_fraction,
        _first_layer(6000.0, thin.endosteum_mm),
        unit=_OF_EMITTED,
        source="integral over directions, ASTAR",
        tolerance_rel=0.005,
    )
    for kev in (2000.0, 5000.0):
        yield within(
            f"alphas of {kev / 1000:g} MeV on a flat surface: share of bone",
            absorbed_fractions("alpha", kev, "surface", bone=_PLATES).bone_fraction,
            0.5,
            unit=_OF_EMITTED,
            source="half of the directions",
            tolerance_rel=0.002,
        )
    fine = TrabecularBone(marrow_chord_mm=0.12, bone_chord_mm=0.05, endosteum_mm=0.01)
    shares = absorbed_fractions("electron", 1500.0, "bone", bone=fine)
    yield within(
        "electrons of 1.5 MeV in bone so fine that they cross tens of trabeculae: share of bone",
        shares.bone_fraction / (1 - shares.radiated_fraction),
        _split(1500.0, fine),
        unit="of deposited",
        source="mass x mean stopping power of each medium (ICRU 37)",
        tolerance_rel=0.02,
    )


def _leaves_plates(kev: float, bone_mm: float) -> float:
    """Return the share of an isotropic source in a plate that leaves it, for ranges below its thickness."""
    grid = np.geomspace(1.0, kev, 6000)
    range_mm = 10 * alpha_range_g_cm2(grid, "cortical bone ICRP") / BONE_G_CM3
    path = np.linspace(0.0, range_mm[-1], 6001)
    rest = np.interp(range_mm[-1] - path, range_mm, grid, left=0.0)
    return float(np.trapezoid(rest, path)) / kev / (2 * bone_mm)


def _first_layer(kev: float, depth_mm: float) -> float:
    """Return the share of a film's energy in the first layer of marrow."""
    cosine = (np.arange(20_000) + 0.5) / 20_000
    grid = np.geomspace(1.0, kev, 6000)
    ranges = alpha_range_g_cm2(grid)
    left = np.interp(ranges[-1] - 0.1 * MARROW_G_CM3 * depth_mm / cosine, ranges, grid, left=0.0)
    return float(0.5 * np.mean(1 - left / kev))


def _split(kev: float, bone: TrabecularBone) -> float:
    marrow, mineral = (float(csda_range_g_cm2(material(m), kev)) for m in ("red marrow", "cortical bone"))
    in_bone, in_marrow = (
        bone.bone_chord_mm * BONE_G_CM3 / mineral,
        bone.marrow_chord_mm * MARROW_G_CM3 / marrow,
    )
    return in_bone / (in_bone + in_marrow)


def _one_cavity() -> Iterator[Row]:
    """Alphas by rays against the quadrature of a single cavity, which shares no code but the ranges."""
    far = TrabecularBone(marrow_chord_mm=1.0, bone_chord_mm=10.0, diameter_shape=math.inf)
    places: tuple[Place, ...] = ("surface", "endosteum", "marrow", "bone")
    for place in places:
        other = alpha_shares(7000.0, place, cavity=Cavity(radius_mm=0.75, trabecula_mm=10.0))
        ours = absorbed_fractions("alpha", 7000.0, place, bone=far)
        of_bone = place in ("endosteum", "marrow")
        yield within(
            f"alphas of 7 MeV, source {place}, equal cavities far apart: share of "
            f"{'bone' if of_bone else 'endosteum'}",
            ours.bone_fraction if of_bone else ours.endosteum_fraction,
            other.bone_fraction if of_bone else other.endosteum_fraction,
            unit=_OF_EMITTED,
            source="one cavity in endless bone, by quadrature",
            tolerance_rel=0.01,
        )


def _endosteum_mass() -> Row:
    """The geometry itself: how much of the marrow is endosteum."""
    local = absorbed_fractions("electron", 1.0, "marrow")
    marrow, endosteum = (target_mass_g(t, "M") for t in ("red-marrow", "endosteum"))
    sites = ("cervical-spine", "thoracic-spine", "lumbar-spine")
    published = {s: endosteum[s] * _CELLULARITY / marrow[s] for s in sites}
    return within(
        "share of the marrow that is endosteum (50 micrometres)",
        local.endosteum_fraction / local.marrow_fraction,
        published["lumbar-spine"],
        unit="of marrow",
        source=f"ICRP Publication 116, table 3.2: spine of a man, cellularity {_CELLULARITY:g}",
        bounds=(min(published.values()), max(published.values())),
        note="cervical, thoracic, lumbar: " + ", ".join(f"{published[s]:.3f}" for s in sites),
    )


def _balance(context: Context) -> Iterator[Row]:
    places: tuple[Place, ...] = ("surface", "endosteum", "marrow", "bone")
    for name, progeny, quick in _NUCLIDES:
        members = [(nuclide(n), k) for n, k in {name: 1.0, **progeny}.items()]
        whole = f"{name} with progeny" if progeny else name
        emitted = sum(
            k * (n.energy_per_decay_kev["alpha"] + n.energy_per_decay_kev["recoil"]) for n, k in members
        ) + sum(k * n.electron_energy_per_decay_kev for n, k in members)
        for place in places if context.full else (quick,):
            found = nuclide_in_bone(name, place, progeny=progeny)
            yield within(
                f"{whole}, source {place}: energy in all zones and radiated",
                sum(found.alpha_kev) + sum(found.electron_kev) + found.radiated_kev,
                emitted,
                unit="keV per decay",
                source="energy per decay of decay_2012",
                tolerance_rel=0.005,
                note="; ".join(
                    f"{word}: marrow {s.marrow_fraction:.3f}, of it endosteum {s.endosteum_fraction:.3f}, "
                    f"bone {s.bone_fraction:.3f}"
                    for word, s in (("alphas", found.alpha), ("electrons", found.electron))
                    if s is not None
                ),
            )


def _icrp30() -> Iterator[Row]:
    """Conventional fractions without an energy: judged to 5 % for flat surfaces, else to a factor of 2."""
    thin = TrabecularBone(endosteum_mm=0.01)
    flat = replace(_PLATES, endosteum_mm=0.01)
    film = absorbed_fractions("alpha", 5500.0, "surface", bone=flat)
    volume = absorbed_fractions("alpha", 5500.0, "bone", bone=thin)
    cases = (
        ("alphas of 5.5 MeV on flat bone: marrow", film.marrow_fraction, 0.5, 0.05),
        ("alphas of 5.5 MeV on flat bone: endosteum", film.endosteum_fraction, 0.25, 0.05),
        ("alphas of 5.5 MeV in trabeculae: marrow", volume.marrow_fraction, 0.05, 1.0),
        ("alphas of 5.5 MeV in trabeculae: endosteum", volume.endosteum_fraction, 0.025, 1.0),
    )
    for name, ours, theirs, tolerance in cases:
        yield within(
            f"{name} (endosteum of 10 micrometres)",
            ours,
            theirs,
            unit=_OF_EMITTED,
            source="ICRP Publication 30, part 1 (1979), table 7.4 (recalled: grade C)",
            bounds=(theirs / (1 + tolerance), theirs * (1 + tolerance)),
            note="" if tolerance < 1 else "a factor of 2: one number for all energies",
        )


def _lattice(context: Context) -> Iterator[Row]:
    """Random chords against a real arrangement with the same means: what the shape of bone is worth."""
    for kev in (100.0, 200.0, 600.0) if context.full else (200.0,):
        for place in _SOURCES:
            theirs = float(shares_in_lattice(kev, place, 16_000 if context.full else 4000)[2])
            ours = absorbed_fractions("electron", kev, place, bone=same_chords(), model="straight")
            yield within(
                f"electrons of {kev:g} keV without scattering, source {place}, random chords: share of bone",
                ours.bone_fraction,
                theirs,
                unit=_OF_EMITTED,
                source="rays followed through equal cavities on a face-centred lattice, 70 % of the volume",
                bounds=(theirs - 0.06, theirs + 0.06),
                note="0.06 set after a first look: bone between spheres has necks and wide gaps, our chords "
                "of bone are those of spheres",
            )


def _border(context: Context) -> Iterator[Row]:
    """What bone scatters back, at energies beside the one constant."""
    histories = 160_000 if context.full else 8000
    for kev in (30.0, 150.0, 700.0) if context.full else (30.0, 700.0):
        side_mm = 10 * float(csda_range_g_cm2(material("water"), kev)) / 20
        zone = np.repeat([2, 0], 24)
        voxels = _plates_as_voxels(zone, side_mm)
        regions = [Region(key=str(k), voxels=np.flatnonzero(zone == k)) for k in (0, 2)]
        tally = simulate_electrons(
            voxels, _film(0.0, _line(kev)), regions=regions, histories=histories, seed=52, voxel_map=False
        )
        theirs = float(tally.energy_kev[0] / tally.energy_kev.sum())
        std = float(tally.std_kev[0]) / kev
        allowed = math.hypot(0.005, 3 * std)
        yield within(
            f"electrons of {kev:g} keV between endless bone and endless marrow: share of marrow",
            BORDER_MARROW_FRACTION,
            theirs,
            unit="of deposited",
            source="electron Monte Carlo of two half-spaces (the constant is from other energies and seeds)",
            bounds=(theirs - allowed, theirs + allowed),
            note=f"0.005 and three standard errors of {std:.4f} in quadrature; without scattering 0.5",
        )


def _electrons_in_plates(context: Context) -> Iterator[Row]:
    """Electron Monte Carlo in plates against the kernel along rays, and against straight flight."""
    energies = (50.0, 100.0, 200.0, 600.0, 1500.0) if context.full else (50.0, 200.0, 600.0)
    histories = 80_000 if context.full else 4000
    ours, theirs, straight = [], [], []
    for kev in energies:
        for place in _SOURCES:
            context.progress(f"electrons of {kev:g} keV in plates of bone, Monte Carlo")
            shares, std = _plates_directly(kev, place, histories)
            ours.append(_zones(absorbed_fractions("electron", kev, place, bone=_PLATES)))
            straight.append(
                _zones(absorbed_fractions("electron", kev, place, bone=_PLATES, model="straight"))
            )
            theirs.append(shares)
            for zone, word in ((1, "endosteum"), (2, "bone")):
                theory = min(0.1 * float(shares[zone]), _MOST_OFF)
                allowed = math.hypot(theory, 3 * std[zone])
                yield within(
                    f"electrons of {kev:g} keV, source {place}, plates: share of {word}",
                    float(ours[-1][zone]),
                    float(shares[zone]),
                    unit=_OF_EMITTED,
                    source="electron Monte Carlo in plates of 1.2 mm of marrow and 0.25 mm of bone",
                    bounds=(float(shares[zone]) - allowed, float(shares[zone]) + allowed),
                    note=f"difference {ours[-1][zone] - shares[zone]:+.4f}, without scattering "
                    f"{straight[-1][zone] - shares[zone]:+.4f}; 10 % but at most {_MOST_OFF:g}, and three "
                    f"standard errors of {std[zone]:.4f} in quadrature, set after a first look",
                )
    rms, rms_straight = (
        float(np.sqrt(np.mean((np.array(m) - np.array(theirs)) ** 2))) for m in (ours, straight)
    )
    yield within(
        "electrons in plates, all zones: root mean square difference to Monte Carlo",
        rms,
        0.0,
        unit=_OF_EMITTED,
        source="the rows above; electrons without scattering must do worse",
        bounds=(0.0, min(0.008, rms_straight)),
        note=f"without scattering {rms_straight:.4f}",
    )


def _zones(shares: BoneShares) -> ArrayF8:
    return np.array([shares.deep_marrow_fraction, shares.endosteum_fraction, shares.bone_fraction])


def _plates_directly(kev: float, place: Place, histories: int) -> tuple[ArrayF8, ArrayF8]:
    """Return shares of deep marrow, endosteum and bone, and their standard errors, by Monte Carlo."""
    thickness = (_PLATES.bone_mm, _PLATES.endosteum_mm, _PLATES.marrow_mm - 2 * _PLATES.endosteum_mm)
    bone, endosteum, deep = (round(t / _VOXEL_MM) for t in thickness)
    turn = [2] * bone + [1] * endosteum + [0] * deep + [1] * endosteum
    reach_mm = 10 * float(csda_range_g_cm2(material("water"), kev))
    turns = math.ceil(reach_mm / (_VOXEL_MM * len(turn))) + 1
    zone = np.array(turn * (2 * turns + 1) + [2] * bone)
    voxels = _plates_as_voxels(zone, _VOXEL_MM)
    first = turns * len(turn)
    source: ElectronSource
    if place == "surface":
        source = _film(float(voxels.grid.lower_mm[2]) + _VOXEL_MM * (first + bone), _line(kev))
    else:
        activity = np.zeros(zone.size)
        activity[first : first + bone] = place == "bone"
        activity[first + bone : first + len(turn)] = place == "marrow"
        source = ElectronVolume(activity=activity[:, None, None], spectrum=_line(kev))
    regions = [Region(key=str(k), voxels=np.flatnonzero(zone == k)) for k in range(3)]
    tally = simulate_electrons(voxels, source, regions=regions, histories=histories, seed=51, voxel_map=False)
    return tally.energy_kev / kev, tally.std_kev / kev


def _line(kev: float) -> EmissionSpectrum:
    return EmissionSpectrum(line_kev=np.array([kev]), line_per_decay=np.ones(1))


def _film(height_mm: float, spectrum: EmissionSpectrum) -> ElectronRectangle:
    return ElectronRectangle(
        centre_mm=(0.0, 0.0, height_mm),
        normal=(0.0, 0.0, 1.0),
        up=(0.0, 1.0, 0.0),
        half_widths_mm=(1.0, 1.0),
        spectrum=spectrum,
        directions="isotropic",
    )


def _plates_as_voxels(zone: npt.NDArray[np.int64], side_mm: float) -> VoxelGrid:
    mineral = zone == 2
    densities = (MARROW_G_CM3, BONE_G_CM3)
    materials = tuple(
        replace(material(name), density_g_cm3=density)
        for name, density in zip(("red marrow", "cortical bone"), densities, strict=True)
    )
    return VoxelGrid(
        grid=Grid.centred((zone.size, 1, 1), (_WIDE_MM, _WIDE_MM, side_mm)),
        materials=materials,
        material_index=mineral.astype(np.uint8)[:, None, None],
        density_g_cm3=np.where(mineral, BONE_G_CM3, MARROW_G_CM3).astype(np.float32)[:, None, None],
    )
