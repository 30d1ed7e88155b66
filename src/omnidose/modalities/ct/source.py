"""From a scan and a body to the source that the engine samples."""

from __future__ import annotations

from math import ceil, pi
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from omnidose import data
from omnidose.beams.bowtie import NO_BOWTIE, Bowtie
from omnidose.beams.fan import FanBeam
from omnidose.errors import GeometryError, InputError
from omnidose.modalities.ct.exposure import CtScan, ScanType
from omnidose.transport.sources import RotatingSource

if TYPE_CHECKING:
    from omnidose.anatomy.body import BodyModel

#: Collimation from which the heel effect is modelled: narrower beams average it out.
HEEL_FROM_MM = 40.0
#: Anode angle assumed for beams wider than 40 mm, which need a steeper anode.
WIDE_ANODE_ANGLE_DEG = 11.0
#: Longest piece of a helix with one tube current.
PIECE_MM = 2.0


def bowtie(name: str) -> Bowtie:
    """Return the generic bow-tie ``head``, ``body`` or ``none`` (table ``ct_bowtie``).

    Raises
    ------
    InputError
        For another name.
    """
    if name == "none":
        return NO_BOWTIE
    for row in data.load("ct_bowtie").rows():
        if row["name"] == name:
            return Bowtie(
                name=name,
                material=str(row["material"]),
                radius_mm=float(row["radius_mm"]),
                strength_mm_per_mm=float(row["strength_mm_per_mm"]),
            )
    raise InputError(f"there is no bow-tie '{name}'", allowed="head, body or none")


def fan_beam(scan: CtScan) -> FanBeam:
    """Return the fan beam of a scan: equivalent spectrum, bow-tie, heel for wide beams."""
    wide = scan.collimation_mm > HEEL_FROM_MM
    options: dict[str, Any] = {"anode_angle_deg": WIDE_ANODE_ANGLE_DEG} if wide else {}
    return FanBeam(
        kv=scan.kv,
        focus_mm=scan.focus_mm,
        collimation_mm=scan.collimation_mm,
        bowtie=bowtie(scan.bowtie),
        tin_mm=scan.tin_mm,
        heel=wide,
        **options,
    )


#: The tube of a localizer stands in front of the patient (above one who lies on the back).
LOCALIZER_ANGLE_RAD = -pi / 2


def start_angle_rad(seed: int) -> float:
    """Return the tube's start angle: random, since no header tells it, but the same for a seed."""
    return float(np.random.default_rng([seed, 0xC7]).uniform(0.0, 2 * pi))


def isocentre_mm(scan: CtScan, body: BodyModel) -> tuple[float, float]:
    """Return the axis of rotation: the header's, else the centroid of the body's mass in the scan.

    Raises
    ------
    GeometryError
        If the scan does not meet the body, or the axis lies outside the body's grid.
    """
    grid = body.grid
    low, high = scan.irradiated_z_mm
    if high < grid.lower_mm[2] or low > grid.upper_mm[2]:
        raise GeometryError(
            f"the scan (z {low:.0f} to {high:.0f} mm) does not meet the body "
            f"(z {grid.lower_mm[2]:.0f} to {grid.upper_mm[2]:.0f} mm)",
            todo="check that scan and body use the same frame of reference",
        )
    if scan.isocentre_mm is None:
        return body_centroid_mm(body, low, high)
    margin_mm = 100.0
    for axis, value in enumerate(scan.isocentre_mm):
        if not grid.lower_mm[axis] - margin_mm < value < grid.upper_mm[axis] + margin_mm:
            raise GeometryError(
                f"the isocentre ({scan.isocentre_mm[0]:.0f}, {scan.isocentre_mm[1]:.0f}) mm lies far "
                "outside the body's grid",
                todo="leave it out to use the centre of the body",
            )
    return scan.isocentre_mm


def body_centroid_mm(body: BodyModel, z_low_mm: float, z_high_mm: float) -> tuple[float, float]:
    """Return the (x, y) centre of mass of the labelled body between two heights.

    Voxels without a label (air, couch) do not count unless the body has no labels there.
    """
    grid = body.grid
    z = grid.axis_mm(2)
    rows = (z >= z_low_mm) & (z <= z_high_mm)
    if not rows.any():
        rows = np.abs(z - 0.5 * (z_low_mm + z_high_mm)) <= grid.spacing_mm[2]
    density = np.where(body.labels[rows] > 0, body.density_g_cm3[rows], 0.0)
    if not density.any():
        density = np.where(body.density_g_cm3[rows] > 0.2, body.density_g_cm3[rows], 0.0)
    total = float(density.sum())
    if total <= 0:
        raise GeometryError("there is no body where the scan is", where=f"z {z_low_mm:g} to {z_high_mm:g} mm")
    x = float(density.sum(axis=(0, 1)) @ grid.axis_mm(0)) / total
    y = float(density.sum(axis=(0, 2)) @ grid.axis_mm(1)) / total
    return (x, y)


def scan_segments(scan: CtScan, start_rad: float) -> npt.NDArray[np.float64]:
    """Return the tube's path, [n, 5]: start angle, end angle, start z, end z, weight.

    Weights are tube current x path, so that they are relative photon numbers. Repeated passes have the
    same path; only the scale knows how many there were.
    """
    if scan.scan_type is ScanType.HELICAL:
        return _helix(scan, start_rad)
    if scan.scan_type is ScanType.LOCALIZER:
        still = LOCALIZER_ANGLE_RAD
        return np.array([[still, still, scan.z_start_mm, scan.z_end_mm, 1.0]])
    z = np.asarray(scan.rotation_z_mm, dtype=np.float64)
    weight = scan.current_at(z)
    segments = np.empty((z.size, 5))
    segments[:, 0], segments[:, 1] = start_rad, start_rad + 2 * pi
    segments[:, 2] = segments[:, 3] = z
    segments[:, 4] = weight
    return segments


def _helix(scan: CtScan, start_rad: float) -> npt.NDArray[np.float64]:
    length = scan.z_end_mm - scan.z_start_mm
    constant = not scan.current_rel or np.ptp(scan.current_rel) == 0
    pieces = 1 if constant else max(1, ceil(length / PIECE_MM))
    edges = np.linspace(scan.z_start_mm, scan.z_end_mm, pieces + 1)
    angle = start_rad + 2 * pi * (edges - edges[0]) / scan.feed_mm
    middle = 0.5 * (edges[1:] + edges[:-1])
    weight = scan.current_at(middle) * np.diff(edges)
    return np.column_stack([angle[:-1], angle[1:], edges[:-1], edges[1:], weight])


def ct_source(scan: CtScan, body: BodyModel, *, seed: int = 1) -> RotatingSource:
    """Return the rotating source of a scan around a body.

    Parameters
    ----------
    seed
        Also fixes the random start angle (stated in the result's provenance).

    Raises
    ------
    GeometryError
        If scan and body do not meet.
    """
    return fan_beam(scan).source(scan_segments(scan, start_angle_rad(seed)), isocentre_mm(scan, body))
