"""Random patients after 177Lu-DOTATATE: body, lesions, biokinetics, and how each scan will be wrong.

Uptakes and half-lives are log-normal around orders of magnitude that published cohorts agree on (kidneys 0.4
to 0.6 Gy/GBq, effective half-lives of two to three days, longer in tumours); the numbers are our choice, not
a table of anybody's. What matters is that the truth of each patient is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log

import numpy as np
import numpy.typing as npt

from omnidose.modalities.nuclear.imaging.bodies import Sphere, StretchedBody, sphere_shares, stretched
from omnidose.physics.nuclides import nuclide
from omnidose.volume import Grid

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]

NUCLIDE = "Lu-177"
ORGANS = ("kidneys", "spleen", "liver")
MEMBERS = {"kidneys": ("left-kidney", "right-kidney"), "spleen": ("spleen",), "liver": ("liver",)}
REST = "remainder"
SCANS_H = (4.0, 24.0, 72.0, 168.0)
#: Medians and relative spread (of the logarithm): share of the administered activity, effective half-life of
#: what clears slowly (h), half-time of uptake (h).
_DRAWN = {
    "kidneys": ((0.025, 0.25), (52.0, 0.15), (0.4, 0.3)),
    "spleen": ((0.022, 0.40), (68.0, 0.15), (0.4, 0.3)),
    "liver": ((0.040, 0.30), (72.0, 0.15), (0.4, 0.3)),
}
#: Of lesions: MBq per mL and GBq administered, effective half-life, uptake.
_LESION = ((0.3, 0.5), (95.0, 0.20), (0.8, 0.4))
#: Remainder: shares and effective half-lives of what leaves fast and slowly.
_REST_FAST, _REST_SLOW = ((0.65, 0.10), (2.5, 0.25)), ((0.10, 0.25), (50.0, 0.20))
#: Height above the base of the trunk that the camera is centred on.
MIDDLE_Z_MM = 330.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """Activity of one region: what comes with one half-time leaves with others.

    Attributes
    ----------
    amplitude_mbq, half_life_h
        [terms], effective; amplitudes are extrapolated to the injection.
    uptake_h
        Half-time of the rise; 0: all is there at once.
    """

    amplitude_mbq: tuple[float, ...]
    half_life_h: tuple[float, ...]
    uptake_h: float = 0.0

    def _terms(self) -> list[tuple[float, float]]:
        """Amplitude and constant of each exponential."""
        terms = [(a, log(2) / t) for a, t in zip(self.amplitude_mbq, self.half_life_h, strict=True)]
        if self.uptake_h:
            terms.append((-sum(self.amplitude_mbq), log(2) / self.uptake_h))
        return terms

    def activity_mbq(self, time_h: float) -> float:
        """Activity at a time after the injection."""
        return sum(a * exp(-rate * time_h) for a, rate in self._terms())

    @property
    def integral_mbq_h(self) -> float:
        """Time-integrated activity."""
        return sum(a / rate for a, rate in self._terms())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """How the patient lies in one scan: turned about the middle of the grid, then shifted.

    Attributes
    ----------
    shift_mm
        (x, y, z).
    turn_deg
        About the z axis.
    """

    shift_mm: tuple[float, float, float]
    turn_deg: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Patient:
    """One simulated patient: the truth, and the errors that the clinic does not know of.

    Attributes
    ----------
    kinetics
        Region -> its activity over time; regions are organs without their lesions, lesions, the remainder.
    lies
        Per scan; the second scan is the one in which volumes are drawn, and lies straight.
    wander_mm
        Per scan, region -> (x, y, z) by which it lies beside where its outline will be: breath and filling,
        which no rigid registration undoes.
    calibration_error_rel
        Of the camera's factor, one for all scans.
    scatter_error_rel
        Of the two-window estimate, one per scan.
    assay_mbq
        What the activity meter said; ``administered_mbq`` is what went in.
    """

    seed: int
    name: str
    anatomy: StretchedBody
    lesions: tuple[Sphere, ...]
    kinetics: dict[str, Clearance]
    lies: tuple[Lie, ...]
    wander_mm: tuple[dict[str, tuple[float, float, float]], ...]
    calibration_error_rel: float
    scatter_error_rel: tuple[float, ...]
    administered_mbq: float
    assay_mbq: float
    scans_h: tuple[float, ...] = field(default=SCANS_H)

    @property
    def regions(self) -> tuple[str, ...]:
        """Organs and lesions, without the remainder."""
        return tuple(key for key in self.kinetics if key != REST)

    def shares(self, grid: Grid, labels: npt.NDArray[np.uint8], density_g_cm3: ArrayF4) -> dict[str, ArrayF4]:
        """Region -> [z, y, x] share of each voxel that belongs to it; the remainder times its density."""
        left = np.ones(grid.shape_zyx, np.float32)
        out: dict[str, ArrayF4] = {}
        for lesion in self.lesions:
            flat, share = sphere_shares(lesion, grid)
            mine = np.zeros(grid.voxel_count, np.float32)
            mine[flat] = share
            out[lesion.name] = mine.reshape(grid.shape_zyx)
            left -= out[lesion.name]
        left = np.maximum(left, 0)
        taken = np.zeros(grid.shape_zyx, np.bool_)
        for organ in ORGANS:
            here = np.isin(labels, [self.anatomy.body.organ(key).label for key in MEMBERS[organ]])
            out[organ] = left * here
            taken |= here
        out[REST] = left * ((labels > 0) & ~taken) * density_g_cm3
        return out


def draw_patient(seed: int, *, grid: Grid, phantom_voxel_mm: float = 3.0) -> Patient:
    """Draw one patient.

    Parameters
    ----------
    grid
        Of the fine truth, around the camera's middle.
    phantom_voxel_mm
        Of the phantom that is stretched.
    """
    rng = np.random.default_rng([177, seed])
    sex = "M" if rng.random() < 0.5 else "F"
    along, across = (
        float(np.clip(rng.normal(0.98, 0.04), 0.88, 1.06)),
        float(np.clip(rng.normal(1, 0.05), 0.88, 1.1)),
    )
    anatomy = stretched(
        sex, factors=(along, across), grid=grid, middle_z_mm=MIDDLE_Z_MM, phantom_voxel_mm=phantom_voxel_mm
    )
    administered = 7400.0 * float(rng.normal(1, 0.03))
    kinetics = draw_kinetics(rng, administered, scale=along * across**2)
    lesions = _place_lesions(rng, anatomy)
    for lesion in lesions:
        kinetics[lesion.name] = draw_lesion(rng, administered, lesion.volume_cm3)
    return Patient(
        seed=seed,
        name=f"patient {seed}",
        anatomy=anatomy,
        lesions=lesions,
        kinetics=kinetics,
        lies=tuple(
            Lie(shift_mm=(0.0, 0.0, 0.0), turn_deg=0.0) if i == 1 else _lie(rng) for i in range(len(SCANS_H))
        ),
        wander_mm=_wander(seed, [key for key in kinetics if key != REST]),
        calibration_error_rel=float(rng.normal(0, CALIBRATION_STD_REL)),
        scatter_error_rel=tuple(float(e) for e in rng.normal(0, SCATTER_STD_REL, len(SCANS_H))),
        administered_mbq=administered,
        assay_mbq=administered * float(rng.normal(1, 0.02)),
    )


CALIBRATION_STD_REL, SCATTER_STD_REL = 0.05, 0.05
#: Of each organ and lesion in each scan along each axis.
WANDER_STD_MM = 1.0
#: Volumes of lesions.
LESION_CM3 = (2.0, 40.0)


def draw_kinetics(rng: np.random.Generator, administered_mbq: float, *, scale: float) -> dict[str, Clearance]:
    """Draw organs and remainder; ``scale`` is the organs' mass over the plain adult's."""
    physical = nuclide(NUCLIDE).half_life_h
    out = {}
    for organ, (share, half_life, uptake) in _DRAWN.items():
        out[organ] = Clearance(
            amplitude_mbq=(administered_mbq * scale * _lognormal(rng, share),),
            half_life_h=(min(_lognormal(rng, half_life), 0.98 * physical),),
            uptake_h=_lognormal(rng, uptake),
        )
    fast, slow = (administered_mbq * _lognormal(rng, part[0]) for part in (_REST_FAST, _REST_SLOW))
    out[REST] = Clearance(
        amplitude_mbq=(fast, slow),
        half_life_h=(_lognormal(rng, _REST_FAST[1]), min(_lognormal(rng, _REST_SLOW[1]), 0.98 * physical)),
    )
    return out


def draw_lesion(rng: np.random.Generator, administered_mbq: float, volume_cm3: float) -> Clearance:
    """Draw the activity of a lesion."""
    concentration = _lognormal(rng, _LESION[0]) * administered_mbq / 1000
    return Clearance(
        amplitude_mbq=(concentration * volume_cm3,),
        half_life_h=(min(_lognormal(rng, _LESION[1]), 0.98 * nuclide(NUCLIDE).half_life_h),),
        uptake_h=_lognormal(rng, _LESION[2]),
    )


def _lognormal(rng: np.random.Generator, median_and_spread: tuple[float, float]) -> float:
    median, spread = median_and_spread
    return float(median * np.exp(spread * rng.standard_normal()))


def _lie(rng: np.random.Generator) -> Lie:
    """Draw a shift of 3 to 5 mm in any direction, and a turn."""
    direction = rng.standard_normal(3)
    shift = direction / np.linalg.norm(direction) * rng.uniform(3, 5)
    return Lie(shift_mm=(float(shift[0]), float(shift[1]), float(shift[2])), turn_deg=float(rng.normal(0, 1)))


def _wander(seed: int, regions: list[str]) -> tuple[dict[str, tuple[float, float, float]], ...]:
    rng = np.random.default_rng([177, seed, 5])
    out = []
    for _scan in SCANS_H:
        moves = {key: rng.normal(0, WANDER_STD_MM, 3) for key in regions}
        out.append({key: (float(m[0]), float(m[1]), float(m[2])) for key, m in moves.items()})
    return tuple(out)


def _place_lesions(rng: np.random.Generator, anatomy: StretchedBody) -> tuple[Sphere, ...]:
    """Draw one to three spheres that lie wholly in the liver or in soft tissue, apart from each other."""
    from scipy.ndimage import distance_transform_edt

    depth = {
        host: distance_transform_edt(anatomy.mask(host), anatomy.grid.spacing_mm[::-1])
        for host in ("liver", "soft-tissue")
    }
    found: list[Sphere] = []
    for number in range(1, int(rng.integers(1, 4)) + 1):
        host = "liver" if rng.random() < 0.7 else "soft-tissue"
        volume = float(np.exp(rng.uniform(*np.log(LESION_CM3))))
        for _attempt in range(8):
            trial = Sphere(name=f"lesion {number}", centre_mm=(0, 0, 0), volume_cm3=volume, host=host)
            place = _free_place(rng, anatomy.grid, depth[host], trial, found)
            if place is not None:
                found.append(place)
                break
            volume = max(LESION_CM3[0], 0.7 * volume)
    return tuple(found)


def _free_place(
    rng: np.random.Generator, grid: Grid, depth_mm: ArrayF8, trial: Sphere, others: list[Sphere]
) -> Sphere | None:
    """Return the sphere at a place deep enough, away from others and from the ends of the field of view."""
    candidates = np.argwhere(depth_mm > trial.radius_mm + 3.0)
    ends = 40.0 / grid.spacing_mm[2]
    candidates = candidates[(candidates[:, 0] > ends) & (candidates[:, 0] < grid.shape_zyx[0] - ends)]
    for _attempt in range(20):
        if not len(candidates):
            return None
        z, y, x = candidates[rng.integers(len(candidates))]
        centre = (float(grid.axis_mm(0)[x]), float(grid.axis_mm(1)[y]), float(grid.axis_mm(2)[z]))
        if all(
            np.linalg.norm(np.subtract(centre, o.centre_mm)) > o.radius_mm + trial.radius_mm + 15.0
            for o in others
        ):
            return Sphere(name=trial.name, centre_mm=centre, volume_cm3=trial.volume_cm3, host=trial.host)
    return None
