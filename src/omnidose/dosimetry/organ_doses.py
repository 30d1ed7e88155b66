"""From a body to the regions that are scored, and from the tally to organ doses.

Exclusive organs and fractional regions (marrow by skeletal site, skin shell, lens) are scored in one run;
the share of each that rests on completed anatomy comes from the map of the dose per voxel. Combined organs
(both lungs, the colon's parts, marrow over sites) are formed afterwards as mass-weighted means with the
full covariance of the batches, because organs share histories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnidose.anatomy import skeleton
from omnidose.anatomy.body import BodyModel, BodyRegion, Origin
from omnidose.anatomy.organs import combined_organs
from omnidose.dosimetry import dvh
from omnidose.dosimetry.results import DoseMap, Normalisation, OrganDoses, UncertaintyComponent
from omnidose.errors import InputError
from omnidose.physics.materials import Material
from omnidose.transport.tally import MGY_PER_KEV_G, FluenceResponse, Region, Tally
from omnidose.volume import Volume

ArrayF8 = npt.NDArray[np.float64]

#: From trustworthy to weak: a combined organ has the weakest origin of its members.
_ORIGINS = (Origin.SEGMENTED, Origin.ATLAS, Origin.PHANTOM, Origin.ABSENT)


def regions_of(body: BodyModel) -> tuple[Region, ...]:
    """Return what is to be scored for a body.

    Parameters
    ----------
    body
        Where a region has the key of an organ (skin as a shell instead of whole voxels), the
        region stands for it. Organs in ``body.absent`` are left out.

    Returns
    -------
    tuple of Region
        Keys: canonical organs and region keys (``red-marrow/<site>``).

    Raises
    ------
    InputError
        If a region asks for the dose in a medium that nobody knows.
    """
    return tuple(
        Region(key=part.key, voxels=part.voxels, weights=part.weights, medium=_medium(body, part.response))
        for part in parts_of(body)
    )


def organ_doses(
    tally: Tally,
    body: BodyModel,
    normalisation: Normalisation,
    *,
    components: Sequence[UncertaintyComponent] = (),
    skeletal_sites: bool = False,
) -> OrganDoses:
    """Return the organ doses of a run over ``regions_of(body)``.

    Parameters
    ----------
    tally
        Result of ``simulate(…, regions=regions_of(body))``.
    body
        The body it was run on.
    normalisation
        Emitted photons of the exposure (or per unit of what the result is relative to).
    components
        Systematic uncertainties besides those of the normalisation.
    skeletal_sites
        Also list marrow and endosteum of every skeletal site.

    Returns
    -------
    OrganDoses
        Exclusive organs and regions, then combined organs; quality ``photon``. Absent organs and
        organs without voxels are not listed.
    """
    leaves = _leaves(tally, body)
    if not leaves:
        raise InputError("the body has no organ: there is no organ dose", where=body.name)
    rows = rows_of([leaf.key for leaf in leaves], skeletal_sites)
    columns = [tally.index(leaf.key) for leaf in leaves]
    mass = tally.mass_g[columns]
    scale = MGY_PER_KEV_G * normalisation.particles / mass
    dose = tally.energy_kev[columns] * scale
    covariance = _covariance_kev2(tally, columns) * np.outer(scale, scale)
    matrix = np.zeros((len(rows), len(leaves)))
    for i, (_key, parts) in enumerate(rows):
        matrix[i, parts] = mass[parts] / mass[parts].sum()
    total = matrix @ dose

    def weighted(values: ArrayF8) -> ArrayF8:
        """Average a property of the leaves with their share of each row's energy."""
        known = np.where((dose > 0) & np.isfinite(values), values, 0.0) * dose
        unknown = (matrix > 0) @ (~np.isfinite(values) & (dose > 0))
        mean = (matrix @ known) / np.where(total > 0, total, 1.0)
        return np.where((total > 0) & (unknown == 0), mean, np.nan)

    origins = [max((leaves[p].origin for p in parts), key=_ORIGINS.index) for _key, parts in rows]
    return OrganDoses(
        organs=tuple(key for key, parts_of in rows),
        dose_mgy=total[:, None],
        covariance_mgy2=matrix @ covariance @ matrix.T,
        mass_g=np.array([mass[parts].sum() for _key, parts in rows]),
        origin=tuple(origins),
        imaged_fraction=matrix @ np.array([leaf.imaged_fraction for leaf in leaves]),
        primary_fraction=weighted(tally.primary_fraction[columns]),
        completion_share=weighted(np.array([_completion_share(tally, body, leaf) for leaf in leaves])),
        components=(*normalisation.components, *components),
        relative_to=normalisation.relative_to,
    )


def _covariance_kev2(tally: Tally, columns: list[int]) -> ArrayF8:
    """Return the covariance of the means; a region that no photon reached is not known to be 0 exactly.

    None seen means fewer than about one: its standard error is the energy of one photon absorbed there.
    """
    covariance = np.array(tally.covariance_kev2[np.ix_(columns, columns)])
    unseen = np.flatnonzero(tally.energy_kev[columns] <= 0)
    photon_kev = float(tally.batch_analog_kev[:, 0].mean())
    covariance[unseen, unseen] = (photon_kev / tally.histories) ** 2
    return covariance


def dose_map(tally: Tally, body: BodyModel, normalisation: Normalisation) -> DoseMap:
    """Return the dose in every voxel, in mGy (or per unit of what the result is relative to).

    Raises
    ------
    InputError
        If the run kept no voxel map.
    """
    if tally.voxel_dose_kev_g is None:
        raise InputError("the run kept no dose per voxel", todo="simulate with voxel_map=True")
    scale = np.float32(MGY_PER_KEV_G * normalisation.particles)
    volume = Volume.on_grid(
        tally.voxel_dose_kev_g * scale, body.grid, frame_of_reference_uid=body.frame_of_reference_uid
    )
    return DoseMap(volume=volume, relative_to=normalisation.relative_to)


def with_histograms(doses: OrganDoses, dose: DoseMap, body: BodyModel, *, bins: int = 200) -> OrganDoses:
    """Return the organ doses with a DVH and the 1 cm3 hot spot of every exclusive organ of the body."""
    from dataclasses import replace

    array = dose.volume.array
    flat = array.ravel()
    histograms, hot = {}, {}
    for part in parts_of(body):
        if part.key not in doses.organs or part.response or part.weights is not None:
            continue
        histograms[part.key] = dvh.cumulative_histogram(flat[part.voxels], bins=bins)
        hot[part.key] = dvh.hot_spot_mgy(array, part.voxels, body.grid)
    return replace(doses, dvh=histograms, hot_mgy=hot)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """One scored region that is not made of others."""

    key: str
    voxels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32] | None
    origin: Origin
    imaged_fraction: float


def parts_of(body: BodyModel) -> list[BodyRegion]:
    """Return organs and regions alike, organs first; regions replace organs of the same name."""
    gone = set(body.absent) | {region.key for region in body.regions}
    flat = body.labels.ravel()
    order = np.flatnonzero(flat)
    labels = flat[order]
    sorting = np.argsort(labels, kind="stable")
    order, labels = order[sorting], labels[sorting]
    parts = []
    for organ in body.organs:
        first, last = np.searchsorted(labels, [organ.label, organ.label + 1])
        if organ.key in gone or first == last or organ.origin is Origin.ABSENT:
            continue
        parts.append(
            BodyRegion(
                key=organ.key,
                voxels=order[first:last].astype(np.int64),
                origin=organ.origin,
                imaged_fraction=organ.imaged_fraction,
            )
        )
    parts += [r for r in body.regions if r.voxels.size and r.key.split("/")[0] not in body.absent]
    return parts


def _medium(body: BodyModel, response: str) -> Material | FluenceResponse | None:
    if not response:
        return None
    skeletal = skeleton.parse_response(response)
    if skeletal is not None:
        return FluenceResponse(
            name=skeletal.name,
            energy_kev=skeletal.energy_kev,
            response_kev_cm2_g=skeletal.response_kev_cm2_g,
        )
    for material in body.materials:
        if material.name == response:
            return material
    raise InputError(
        f"a region asks for the dose in '{response}'",
        where=body.name,
        allowed=f"{', '.join(skeleton.TARGETS)}, or a material of the body",
    )


def _leaves(tally: Tally, body: BodyModel) -> list[_Leaf]:
    out = []
    for part in parts_of(body):
        if tally.mass_g[tally.index(part.key)] > 0:
            out.append(
                _Leaf(
                    key=part.key,
                    voxels=part.voxels,
                    weights=part.weights,
                    origin=part.origin,
                    imaged_fraction=part.imaged_fraction,
                )
            )
    return out


def rows_of(leaves: list[str], skeletal_sites: bool) -> list[tuple[str, list[int]]]:
    """Return (key, indices of the leaves it is the mean of): leaves first, then combined organs."""
    rows = [(key, [i]) for i, key in enumerate(leaves) if "/" not in key or skeletal_sites]
    for target in dict.fromkeys(key.split("/")[0] for key in leaves if "/" in key):
        if target not in leaves:
            rows.append((target, [i for i, key in enumerate(leaves) if key.startswith(target + "/")]))
    under: dict[str, list[int]] = {key: [i] for i, key in enumerate(leaves)}
    for parent, children in combined_organs().items():
        parts = [i for child in children for i in under.get(child, [])]
        if not parts:
            continue
        if parent in under:
            # A mask of the whole beside masks of its members: what no member covers is a member too.
            parts = [*under[parent], *parts]
            rows = [(key, parts if key == parent else members) for key, members in rows]
        else:
            rows.append((parent, parts))
        under[parent] = parts
    return rows


def _completion_share(tally: Tally, body: BodyModel, leaf: _Leaf) -> float:
    """Return the share of a region's energy that falls into completed voxels (NaN if it cannot be told).

    The energy per voxel is that in the voxel's own medium: within one bone or organ its share is that of
    the marrow or the skin too.
    """
    if body.completed is None:
        return 0.0
    completed = body.completed.ravel()[leaf.voxels]
    if not completed.any() or completed.all():
        return float(completed[0])
    if tally.voxel_dose_kev_g is None:
        return float("nan")
    energy = tally.voxel_dose_kev_g.ravel()[leaf.voxels] * body.density_g_cm3.ravel()[leaf.voxels]
    if leaf.weights is not None:
        energy = energy * leaf.weights
    total = float(energy.sum(dtype=np.float64))
    return float(energy[completed].sum(dtype=np.float64)) / total if total > 0 else float("nan")
