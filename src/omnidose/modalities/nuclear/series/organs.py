"""Organ doses of a series: outlines by the EANM 2018 chain, others by the map; their uncertainties."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import BodyModel, BodyRegion, Origin
from omnidose.anatomy.organs import combined_organs
from omnidose.dosimetry.anatomy_uncertainty import anatomy_components
from omnidose.dosimetry.organ_doses import parts_of, rows_of
from omnidose.dosimetry.results import Distribution, DoseMap, OrganDoses, UncertaintyComponent
from omnidose.modalities.nuclear.doses import VoxelDoses
from omnidose.modalities.nuclear.exposure import DoseMethod
from omnidose.modalities.nuclear.mean_doses import kernel_component
from omnidose.modalities.nuclear.place import place_component
from omnidose.modalities.nuclear.series.curves import RegionCurve
from omnidose.modalities.nuclear.series.decays import SeriesDecays
from omnidose.modalities.nuclear.series.exam import SeriesExam
from omnidose.modalities.nuclear.series.recovery import ImageBlur
from omnidose.modalities.nuclear.series.results import OutlineDose

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]

#: Blur changes no dose of an organ by more than this logarithm.
MOST_BLUR = 1.5
#: Standard uncertainty of a place along each axis, mm: of organs fitted to a CT and of a phantom. Wider than
#: for one PET: beside hot organs a dose falls by a factor of ten within 20 mm.
PLACE_MM = {Origin.ATLAS: 25.0, Origin.PHANTOM: 25.0}
#: Names of the chain's parts in the result: key, text.
PARTS = {
    "calibration": "calibration of the camera and of the activity meter",
    "recovery": "partial volume: scatter of the blur of the images, and what is not corrected in organs "
    "without an outline",
    "volume": "borders of the outlines: voxels and resolution of the image in which they were drawn",
    "curve": "time-integrated activity: counts of the points, and what they cannot tell of the curve",
    "registration": "place of every scan beside the others, and of organs that move",
    "dose factor": "energy per decay, density, and photons",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """How the rows of organ doses are made of parts of the body.

    Attributes
    ----------
    weight
        [rows, parts] mass-weighted means.
    """

    parts: tuple[BodyRegion, ...]
    weight: ArrayF8

    @classmethod
    def of(cls, body: BodyModel, doses: OrganDoses) -> Rows:
        """Return those of a body."""
        parts = tuple(parts_of(body))
        members = dict(rows_of([part.key for part in parts], skeletal_sites=False))
        mass = np.array([body.masses_g(part).sum() for part in parts])
        weight = np.zeros((len(doses.organs), len(parts)))
        for i, key in enumerate(doses.organs):
            own = members.get(key, [])
            if own and mass[own].sum() > 0:
                weight[i, own] = mass[own] / mass[own].sum()
        return cls(parts=parts, weight=weight)

    def spread(self, per_part: Callable[[BodyRegion], float]) -> ArrayF8:
        """[rows] mean of what each part has: parts of one organ are wrong together."""
        return np.asarray(self.weight @ np.array([per_part(part) for part in self.parts]))


def with_outlines(doses: OrganDoses, outlines: Mapping[str, OutlineDose]) -> OrganDoses:
    """Put the doses of outlines in the place of the map's; wholes are means of their members again."""
    dose, mass = doses.dose_mgy.copy(), doses.mass_g.copy()
    rows = {key: i for i, key in enumerate(doses.organs)}
    for name, found in outlines.items():
        parts = {"electron": found.electron_mgy, "photon": found.photon_mgy, "alpha": found.alpha_mgy}
        dose[rows[name]] = [parts[quality] for quality in doses.qualities]
        mass[rows[name]] = found.mass_g
    changed = set(outlines)
    for parent, members in combined_organs().items():  # innermost first
        own = [rows[key] for key in members if key in rows]
        if parent in rows and parent not in outlines and changed & set(members):
            changed.add(parent)
            dose[rows[parent]] = mass[own] @ dose[own] / mass[own].sum()
            mass[rows[parent]] = mass[own].sum()
    return replace(doses, dose_mgy=dose, mass_g=mass)


def without(doses: OrganDoses, keys: Sequence[str]) -> OrganDoses:
    """Leave out organs, and wholes of which they are a part, before anything else is added."""
    gone = set(keys)
    for parent, members in combined_organs().items():  # innermost first
        if gone & set(members):
            gone.add(parent)
    return doses.only([key for key in doses.organs if key not in gone])


def components(
    exam: SeriesExam,
    body: BodyModel,
    doses: OrganDoses,
    outlines: Mapping[str, OutlineDose],
    found: SeriesDecays,
    voxels: VoxelDoses,
    blur: ImageBlur,
) -> tuple[UncertaintyComponent, ...]:
    """Return every contribution as a component, per organ.

    Outlines have the parts of their chain. Organs without one have the curve of the map, what a second blur
    by the camera would change (a measure of what the first one did), and outline and place of their shapes.
    """
    rows = Rows.of(body, doses)
    blurred = _blur_changes(body, voxels.total, blur)

    def of_part(part: BodyRegion, name: str) -> float:
        if part.key in outlines:
            return outlines[part.key].part(name)
        if name == "calibration":
            return exam.calibration.std_rel
        if name == "recovery":
            return blurred(part)
        if name == "curve":
            return _map_curve(part.key, found).std_rel_of_integral
        return 0.01 if name == "dose factor" else 0.0

    out = []
    for name, text in PARTS.items():
        std = rows.spread(partial(of_part, name=name))
        if np.any(std > 0):
            out.append(
                UncertaintyComponent(
                    key=f"{name.replace(' ', '-')}:{_owner(name, exam, body)}",
                    distribution=Distribution.LOGNORMAL,
                    std_rel=tuple(float(v) for v in std),
                    text=text,
                )
            )
    drawn = rows.spread(lambda part: float(part.key in outlines))
    place = place_component(body, doses, voxels.total, place_mm=PLACE_MM)
    for component in (*anatomy_components(body, doses), *([place] if place is not None else [])):
        out.append(_only_without_outline(component, drawn))
    if voxels.method is not DoseMethod.MONTE_CARLO:
        out.append(kernel_component(doses))
    return tuple(out)


def _owner(name: str, exam: SeriesExam, body: BodyModel) -> str:
    """Return what shares this error: the camera, the outlines of this body, or this administration."""
    if name in ("calibration", "recovery"):
        return exam.device
    if name == "volume":
        return body.name
    return exam.nuclide if name == "dose factor" else exam.key  # curves of two cycles err apart


def _map_curve(key: str, found: SeriesDecays) -> RegionCurve:
    return found.organ_curves.get(key, found.rest)


def _only_without_outline(component: UncertaintyComponent, drawn: ArrayF8) -> UncertaintyComponent:
    """Take outlines out: the border of a drawn outline is in its chain."""
    std = np.broadcast_to(np.asarray(component.std_rel, dtype=np.float64), drawn.shape) * (1 - drawn)
    return replace(component, std_rel=tuple(float(v) for v in std))


def _blur_changes(body: BodyModel, total_mgy: ArrayF4, blur: ImageBlur) -> Callable[[BodyRegion], float]:
    """Return part -> change (logarithm, without sign) of its mean dose if the map is blurred once more."""
    tissue = (body.labels > 0).astype(np.float32)
    weight = np.maximum(blur.applied(tissue, body.grid.spacing_mm), 1e-3)
    again = (blur.applied(total_mgy * tissue, body.grid.spacing_mm) / weight).ravel()
    flat = total_mgy.ravel()

    def change(part: BodyRegion) -> float:
        mass = body.masses_g(part)
        here, there = float(mass @ flat[part.voxels]), float(mass @ again[part.voxels])
        if here <= 0 or there <= 0:
            return 0.0
        return float(min(abs(np.log(there / here)), MOST_BLUR))

    return change


def with_histograms_of(
    doses: OrganDoses, map_: DoseMap, body: BodyModel, masks: Mapping[str, npt.NDArray[np.bool_]]
) -> OrganDoses:
    """Add DVH; those of outlines without the lesions in them."""
    from omnidose.dosimetry import dvh
    from omnidose.dosimetry.organ_doses import with_histograms

    out = with_histograms(doses, map_, body)
    own = {
        name: dvh.cumulative_histogram(np.asarray(map_.volume.array)[mask], bins=200)
        for name, mask in masks.items()
        if name in out.organs
    }
    return replace(out, dvh={**out.dvh, **own})
