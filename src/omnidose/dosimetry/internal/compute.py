"""Absorbed fractions of photons by Monte Carlo, for any body and the sources that are asked for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel
from omnidose.anatomy.organs import CONTENTS
from omnidose.data import load, user_cache_dir
from omnidose.dosimetry.internal.fractions import ENERGIES_KEV, AbsorbedFractions
from omnidose.dosimetry.internal.regions import (
    REMAINDER,
    TOTAL_BODY,
    WALLS_OF_VOXELS,
    Kind,
    SourceRegion,
    drawn_source,
    remainder_region,
    source_regions,
)
from omnidose.dosimetry.internal.s_values import LOCAL_KEV, decays_in_place
from omnidose.dosimetry.organ_doses import regions_of, rows_of
from omnidose.errors import InputError
from omnidose.physics.nuclides import nuclide
from omnidose.transport.emission import EmissionSpectrum
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Scene
from omnidose.transport.sources import ActivitySource
from omnidose.transport.tally import Region, Tally

ArrayF8 = npt.NDArray[np.float64]

#: Raised whenever the method changes what a run gives.
METHOD = 1
#: Photons for each source and energy.
HISTORIES = 400_000


def compute_absorbed_fractions(
    body: BodyModel,
    sources: Sequence[str],
    *,
    energies_kev: Sequence[float] = ENERGIES_KEV,
    histories: float = HISTORIES,
    seed: int = 1,
    threads: int | None = None,
    cached: bool = True,
    progress: Callable[[str], None] = lambda _text: None,
) -> AbsorbedFractions:
    """Follow photons from source regions of a body and score all its organs.

    Parameters
    ----------
    body
        A phantom or a patient whose organs are labelled.
    sources
        Keys of :func:`omnidose.dosimetry.internal.regions.source_regions`; ``remainder`` stands for all
        tissue without the others in this list.
    energies_kev
        Photon energies, at least two, rising.
    histories
        Photons for each source and energy.
    cached
        Keep the results in the user's cache, one file for each source, found again by a hash of the body, the
        source and all settings.
    progress
        Called with one line of text before each source.

    Returns
    -------
    AbsorbedFractions
        With the standard errors of the Monte Carlo; energy is deposited where photons interact (kerma), which
        for organs differs from the dose by the few millimetres that electrons travel.

    Raises
    ------
    InputError
        For a source that the body does not have, or fewer than two energies.
    """
    energies = np.asarray(energies_kev, dtype=np.float64)
    if energies.size < 2 or np.any(np.diff(energies) <= 0):
        raise InputError("absorbed fractions need rising energies", where="energies_kev", allowed="2 or more")
    known = source_regions(body)
    regions = _asked_for(body, known, sources)
    scene, scored = Scene.from_body(body), regions_of(body)
    keys, mass_g, matrix = _targets(body, scored)
    words = {"method": METHOD, "histories": float(histories), "seed": seed, "energies": energies.tolist()}
    begun = _hash_of_body(body) if cached else ""
    values, errors = [], []
    for region in regions:
        progress(f"photons from {region.key} of {body.name}")
        path = _path(begun, region, words) if cached else None
        found = _read(path, (energies.size, len(keys))) if path else None
        if found is None:
            found = _run(body, scene, scored, region, energies, histories, seed, threads, matrix, mass_g)
            if path:
                _write(path, found)
        values.append(found[0])
        errors.append(found[1])
    return AbsorbedFractions(
        phantom=body.name,
        sex=body.person.sex,
        sources=tuple(r.key for r in regions),
        kinds=tuple(r.kind for r in regions),
        targets=keys,
        energies_kev=energies,
        saf_per_kg=np.array(values),
        std_rel=np.array(errors),
        source_mass_g=np.array([r.total_g for r in regions]),
        target_mass_g=mass_g,
        tissues=tuple(key for key, region in known.items() if region.kind is Kind.TISSUE),
        remainder_without=frozenset(sources) - {REMAINDER} if REMAINDER in sources else frozenset(),
        contact_cm2=contacts_cm2(body),
        notes=body.notes,
    )


def contacts_cm2(body: BodyModel) -> dict[str, float]:
    """Return the area of voxel faces between contents and their wall: bladder, gall bladder, heart.

    Faces of voxels are up to 1.5 times the smooth surface, as they are for electrons that are followed in
    them.
    """
    dx, dy, dz = (side / 10 for side in body.grid.spacing_mm)
    labels = {organ.key: organ.label for organ in body.organs if organ.key not in body.absent}
    found = {}
    for contents in WALLS_OF_VOXELS:
        wall = CONTENTS[contents]
        if contents not in labels or wall not in labels:
            continue
        area_cm2 = 0.0
        for axis, face_cm2 in enumerate((dx * dy, dx * dz, dy * dz)):
            first, second = (np.moveaxis(body.labels, axis, 0)[part] for part in (slice(-1), slice(1, None)))
            for inner, outer in ((first, second), (second, first)):
                area_cm2 += face_cm2 * np.count_nonzero((inner == labels[contents]) & (outer == labels[wall]))
        found[contents] = float(area_cm2)
    return found


def energies_for(parent: str) -> tuple[float, ...]:
    """Return the energies of the packaged tables that the photons of a nuclide with its progeny need."""
    found = [10.0]
    for name in decays_in_place(parent):
        item = nuclide(name)
        for lines in (item.gamma_lines, item.x_lines, item.annihilation_lines):
            found += lines.energy_kev[lines.energy_kev >= LOCAL_KEV].tolist()
    found = found[1:] or found
    first = max(sum(energy <= min(found) for energy in ENERGIES_KEV) - 1, 0)
    stop = sum(energy < max(found) for energy in ENERGIES_KEV) + 1
    return ENERGIES_KEV[min(first, len(ENERGIES_KEV) - 2) : max(stop, first + 2)]


def _asked_for(body: BodyModel, known: dict[str, SourceRegion], sources: Sequence[str]) -> list[SourceRegion]:
    out: dict[str, SourceRegion] = {}
    for key in sources:
        if key == REMAINDER:
            out[key] = remainder_region(known, sources)
        else:
            drawn = drawn_source(key, known, body.name)
            out[drawn] = known[drawn]
    return list(out.values())


def _targets(body: BodyModel, scored: Sequence[Region]) -> tuple[tuple[str, ...], ArrayF8, ArrayF8]:
    """Return keys and masses of organs that are part of no other, and [leaves, targets]: who is in whom.

    The whole body is the sum of all labelled voxels.
    """
    leaves = [region.key for region in scored]
    rows = rows_of(leaves, skeletal_sites=False)
    inside = {i for _key, parts in rows if len(parts) > 1 for i in parts}
    all_rows = [(k, p) for k, p in rows if len(p) > 1 or p[0] not in inside]
    outer = [(k, p) for k, p in all_rows if not any(set(p) < set(q) for _k, q in all_rows)]
    exclusive = {organ.key for organ in body.organs}
    whole = [i for i, region in enumerate(scored) if region.key in exclusive and region.weights is None]
    outer.append((TOTAL_BODY, whole))
    matrix = np.zeros((len(leaves), len(outer)))
    for column, (_key, parts) in enumerate(outer):
        matrix[parts, column] = 1.0
    return tuple(k for k, _p in outer), region_masses_g(body, scored) @ matrix, matrix


def region_masses_g(body: BodyModel, scored: Sequence[Region]) -> ArrayF8:
    """Return the masses to which the scores of the engine in regions belong."""
    density = body.density_g_cm3.ravel()
    volume = body.grid.voxel_volume_cm3
    out = []
    for region in scored:
        share = 1.0 if region.weights is None else region.weights.astype(np.float64)
        out.append(float(np.sum(density[region.voxels] * share, dtype=np.float64)) * volume)
    return np.array(out)


def _run(
    body: BodyModel,
    scene: Scene,
    scored: Sequence[Region],
    region: SourceRegion,
    energies: ArrayF8,
    histories: float,
    seed: int,
    threads: int | None,
    matrix: ArrayF8,
    mass_g: ArrayF8,
) -> tuple[ArrayF8, ArrayF8]:
    """Return [e, t] SAF and relative standard errors of one source."""
    activity = np.zeros(body.labels.size, dtype=np.float32)
    np.add.at(activity, region.voxels, region.mass_g)
    value, error = [], []
    for number, energy in enumerate(energies):
        line = EmissionSpectrum(line_kev=np.array([energy]), line_per_decay=np.ones(1))
        source = ActivitySource(grid=body.grid, activity=activity.reshape(body.grid.shape_zyx), spectrum=line)
        tally = simulate(
            scene, source, regions=scored, histories=histories, seed=1000 * seed + number, threads=threads
        )
        batches = _batches(tally, scored) @ matrix / (energy * mass_g / 1000)
        mean = batches.mean(axis=0)
        std = batches.std(axis=0, ddof=1) / np.sqrt(batches.shape[0])
        value.append(mean)
        error.append(np.where(mean > 0, std / np.where(mean > 0, mean, 1.0), np.inf))
    return np.array(value), np.array(error)


def _batches(tally: Tally, scored: Sequence[Region]) -> ArrayF8:
    """[batches, leaves] energy in the regions as they were given."""
    return tally.batch_energy_kev[:, [tally.index(region.key) for region in scored]]


def _hash_of_body(body: BodyModel) -> str:
    digest = hashlib.sha256(load("photons").sha256.encode())
    digest.update(repr((body.grid, body.materials, body.organs)).encode())
    for array in (body.material_index, body.density_g_cm3, body.labels):
        digest.update(np.ascontiguousarray(array).tobytes())
    for part in body.regions:
        digest.update(f"{part.key} {part.response}".encode())
        digest.update(part.voxels.tobytes())
        digest.update(b"" if part.weights is None else part.weights.tobytes())
    return digest.hexdigest()


def _path(body_hash: str, region: SourceRegion, words: dict[str, object]) -> Path:
    digest = hashlib.sha256(body_hash.encode())
    digest.update(json.dumps(words, sort_keys=True).encode())
    digest.update(region.voxels.tobytes() + region.mass_g.tobytes())
    return user_cache_dir() / "absorbed-fractions" / f"{digest.hexdigest()[:40]}.npz"


def _read(path: Path, shape: tuple[int, int]) -> tuple[ArrayF8, ArrayF8] | None:
    """Return what is kept; None if it is not there or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            saf, std = archive["saf_per_kg"], archive["std_rel"]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    return (saf, std) if saf.shape == std.shape == shape else None


def _write(path: Path, found: tuple[ArrayF8, ArrayF8]) -> None:
    """Keep a result: a reader sees the whole file or none. A full disk costs only the cache."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, saf_per_kg=found[0], std_rel=found[1])
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise
