"""The fan beam of a CT scanner: spectrum, bow-tie and heel as a table over the aperture.

The central ray's spectrum is an *equivalent* one (Turner et al. 2009, Med. Phys. 36:2154): a tungsten
spectrum with as much aluminium as gives the stated first half-value layer. Scanners measured at
120 kV have 7 to 8.5 mm Al; the aluminium found at 120 kV stays in the beam at every other tube
voltage, so that the half-value layers there follow from physics and not from a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import asin, radians, tan

import numpy as np
import numpy.typing as npt

from omnidose.beams.bowtie import Bowtie
from omnidose.beams.materials import ALUMINIUM, FILTERS, TIN
from omnidose.errors import RangeError
from omnidose.physics.photons import mass_attenuation_cm2_g, mass_energy_transfer_cm2_g
from omnidose.physics.spectra import Spectrum
from omnidose.physics.tube import filter_spectrum, half_value_layer_mm, tube_spectrum, tune_to_hvl
from omnidose.transport.scene import AIR
from omnidose.transport.sources import RotatingSource
from omnidose.transport.tally import MGY_PER_KEV_G

ArrayF8 = npt.NDArray[np.float64]

#: First half-value layer at 120 kV of a scanner about which nothing is known (middle of 7 to 8.5 mm).
GENERIC_HVL_120KV_MM = 7.75
GENERIC_ANODE_ANGLE_DEG = 8.0
#: Half the scan field of view that the fan covers.
FAN_RADIUS_MM = 250.0
#: Fan bins; odd, so that one is the central ray.
FAN_BINS = 61
#: Mean depth of photon production in tungsten times the attenuation there (heel model, see below).
_HEEL_DEPTH_CM = 5e-4
_TUNGSTEN_PER_CM = 71.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FanBeam:
    """One tube setting of a CT scanner.

    Attributes
    ----------
    focus_mm
        Focal spot to isocentre.
    collimation_mm
        Nominal beam width N x T at the isocentre. The model has no penumbra: the actual beam is a
        little wider, which CTDI normalisation cancels except at the ends of a scan.
    hvl_120kv_mm
        First half-value layer on the central ray at 120 kV, mm Al, without tin.
    tin_mm
        Added tin.
    heel
        Whether the fluence falls towards the anode (-z), see :func:`heel_transmission`.
    """

    kv: float
    focus_mm: float
    collimation_mm: float
    bowtie: Bowtie
    hvl_120kv_mm: float = GENERIC_HVL_120KV_MM
    tin_mm: float = 0.0
    heel: bool = False
    anode_angle_deg: float = GENERIC_ANODE_ANGLE_DEG
    fan_radius_mm: float = FAN_RADIUS_MM

    def __post_init__(self) -> None:
        if not 60 <= self.kv <= 150:
            raise RangeError(f"{self.kv:g} kV is no CT tube voltage", allowed="60 to 150 kV")
        if not 300 <= self.focus_mm <= 1000 or not 0.3 <= self.collimation_mm <= 200:
            raise RangeError(
                f"focus {self.focus_mm:g} mm or collimation {self.collimation_mm:g} mm is no CT geometry",
                allowed="focus to isocentre 300 to 1000 mm, total collimation 0.3 to 200 mm",
            )
        if not 0 < self.fan_radius_mm < 0.9 * self.focus_mm:
            raise RangeError("the fan radius must lie between 0 and 0.9 times the focus distance")

    @property
    def half_tangents(self) -> tuple[float, float, float, float]:
        """Limits of the ray slopes (u in the plane of rotation, v along z)."""
        u = tan(asin(self.fan_radius_mm / self.focus_mm))
        v = 0.5 * self.collimation_mm / self.focus_mm
        return (-u, u, -v, v)

    @property
    def spectrum(self) -> Spectrum:
        """Spectrum on the central ray (thinnest part of the bow-tie included)."""
        return central_spectrum(self.kv, self.hvl_120kv_mm, self.tin_mm, self.anode_angle_deg)

    @property
    def hvl_mm(self) -> float:
        """First half-value layer of the central ray at this tube voltage, mm Al."""
        return float(half_value_layer_mm(self.spectrum))

    def fan_slopes(self) -> ArrayF8:
        """Return the centres of the fan bins, [n_u]."""
        lower, upper, _, _ = self.half_tangents
        edges = np.linspace(lower, upper, FAN_BINS + 1)
        return np.asarray(0.5 * (edges[1:] + edges[:-1]))

    def tables(self) -> tuple[ArrayF8, tuple[Spectrum, ...]]:
        """Return relative fluence per solid angle [n_u, n_v] and one spectrum per fan bin."""
        spectrum = self.spectrum
        material = FILTERS[self.bowtie.material]
        mu_per_cm = np.asarray(mass_attenuation_cm2_g(material, spectrum.energy_kev)) * material.density_g_cm3
        thickness_mm = self.bowtie.thickness_mm(self.fan_slopes(), self.focus_mm)
        weights = spectrum.weight * np.exp(-0.1 * thickness_mm[:, None] * mu_per_cm)
        fluence = weights.sum(axis=1)
        spectra = tuple(
            Spectrum(
                energy_kev=spectrum.energy_kev,
                weight=row,
                bin_width_kev=spectrum.bin_width_kev,
                name=f"{spectrum.name}, fan bin {number}",
            )
            for number, row in enumerate(weights)
        )
        along_z = self.heel_profile()
        return np.asarray(fluence[:, None] * along_z[None, :]), spectra

    def heel_profile(self) -> ArrayF8:
        """Return the relative fluence along z, [n_v] (ones without heel)."""
        if not self.heel:
            return np.ones(1)
        _, _, lower, upper = self.half_tangents
        n_v = max(9, 2 * int(self.collimation_mm / 10) + 1)
        edges = np.linspace(lower, upper, n_v + 1)
        return heel_transmission(0.5 * (edges[1:] + edges[:-1]), self.anode_angle_deg)

    def source(self, segments: ArrayF8, isocentre_mm: tuple[float, float] = (0.0, 0.0)) -> RotatingSource:
        """Return the rotating source of this beam along ``segments`` (see :class:`RotatingSource`)."""
        transmission, spectra = self.tables()
        return RotatingSource(
            isocentre_mm=isocentre_mm,
            focus_mm=self.focus_mm,
            segments=segments,
            half_tangents=self.half_tangents,
            transmission=transmission,
            spectra=spectra,
        )

    def air_kerma_line_mgy_cm(self) -> float:
        """Return the air kerma free in air integrated along the axis of rotation, per emitted photon.

        Analytic: fluence per solid angle on the ray through the axis, divided by the squared
        distance, times energy and mass energy-transfer coefficient of air; air's own attenuation on
        the way (about 1 %) is left out.

        Returns
        -------
        float
            mGy cm per photon of one rotation.
        """
        transmission, spectra = self.tables()
        lower_u, upper_u, lower_v, upper_v = self.half_tangents
        u = self.fan_slopes()
        n_v = transmission.shape[1]
        v_edges = np.linspace(lower_v, upper_v, n_v + 1)
        v = 0.5 * (v_edges[1:] + v_edges[:-1])
        du, dv = (upper_u - lower_u) / u.size, (upper_v - lower_v) / n_v
        solid_angle = du * dv / (1 + u[:, None] ** 2 + v[None, :] ** 2) ** 1.5
        emitted = float((transmission * solid_angle).sum())
        middle = u.size // 2
        spectrum = spectra[middle]
        kerma_kev_cm2_g = float(
            spectrum.weight @ (spectrum.energy_kev * mass_energy_transfer_cm2_g(AIR, spectrum.energy_kev))
        )
        focus_cm = 0.1 * self.focus_mm
        fluence_per_cm2 = transmission[middle] / emitted / (focus_cm**2 * (1 + v**2))
        return float((fluence_per_cm2 * focus_cm * dv).sum() * kerma_kev_cm2_g * MGY_PER_KEV_G)


@lru_cache(maxsize=64)
def equivalent_aluminium_mm(hvl_120kv_mm: float, anode_angle_deg: float) -> float:
    """Return the aluminium that brings a 120 kV tungsten spectrum to a half-value layer.

    Raises
    ------
    RangeError
        If no filter can do it.
    """
    if not 4 <= hvl_120kv_mm <= 12:
        raise RangeError(
            f"a half-value layer of {hvl_120kv_mm:g} mm Al at 120 kV is no CT beam", allowed="4 to 12 mm Al"
        )
    return tune_to_hvl(tube_spectrum(120.0, anode_angle_deg), hvl_120kv_mm)[1]


@lru_cache(maxsize=64)
def central_spectrum(kv: float, hvl_120kv_mm: float, tin_mm: float, anode_angle_deg: float) -> Spectrum:
    """Return the spectrum of the central ray (see the module's text for the method)."""
    spectrum = tube_spectrum(kv, anode_angle_deg)
    spectrum = filter_spectrum(spectrum, ALUMINIUM, equivalent_aluminium_mm(hvl_120kv_mm, anode_angle_deg))
    if tin_mm > 0:
        spectrum = filter_spectrum(spectrum, TIN, tin_mm)
    return spectrum


def heel_transmission(slope: npt.ArrayLike, anode_angle_deg: float) -> ArrayF8:
    """Return the fluence along z relative to the central ray, from self-absorption in the anode.

    Photons born at one depth d below a plane anode leave at take-off angle a + theta and cross
    d / tan(a + theta) of tungsten; with mu d = 0.036 (5 um, 71 /cm at about 60 keV) this gives
    -11 % to +7 % over +-2 degrees at 7 degrees. A simple model: helical scans average it out, only
    wide stationary beams keep it, and on which side the anode lies is not in the headers (here -z).

    Parameters
    ----------
    slope
        Slope v of the rays along +z.

    Raises
    ------
    RangeError
        If part of the beam lies behind the anode's horizon.
    """
    take_off = radians(anode_angle_deg) + np.arctan(np.asarray(slope, dtype=np.float64))
    if np.any(take_off < radians(0.5)):
        raise RangeError(
            f"the beam reaches behind the horizon of an anode of {anode_angle_deg:g} degrees",
            allowed="a larger anode angle or a narrower collimation",
        )
    path = 1 / np.tan(take_off) - 1 / tan(radians(anode_angle_deg))
    return np.asarray(np.exp(-_TUNGSTEN_PER_CM * _HEEL_DEPTH_CM * path))
