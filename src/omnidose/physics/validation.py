"""What this room must show: the rows of ``omnidose validate physics``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from omnidose.data import load
from omnidose.physics.material_library import material, weights_from_text
from omnidose.physics.materials import Material
from omnidose.physics.photons import mass_attenuation_cm2_g, mass_energy_absorption_cm2_g
from omnidose.physics.spectra import Spectrum
from omnidose.physics.tube import filter_spectrum, half_value_layer_mm
from omnidose.validation import Claim, Context, Row, Suite, within

_NIST = "NIST, Hubbell & Seltzer 2004 (v1.4)"


def _worst(name: str, ours: np.ndarray, theirs: np.ndarray, energy_kev: np.ndarray, **more: Any) -> Row:
    """Make the row of the energy at which we deviate most."""
    i = int(np.argmax(np.abs(ours / theirs - 1)))
    note = f"worst of {energy_kev.size} energies from {energy_kev.min():g} to {energy_kev.max():g} keV"
    return within(
        f"{name} at {energy_kev[i]:g} keV",
        float(ours[i]),
        float(theirs[i]),
        unit="cm2/g",
        note=note,
        **more,
    )


def _material(name: str, weights_percent: str) -> Material:
    weights = weights_from_text(weights_percent)
    total = sum(weights.values())
    normalised = {z: w / total for z, w in weights.items()}
    return Material(name=name, weight_fractions=normalised, density_g_cm3=1.0)


def check_xcom(_context: Context) -> Iterator[Row]:
    """Compare mu/rho with XCOM between its nodes, and with NIST's printed tables at theirs."""
    table = load("xcom_checks")
    for name in dict.fromkeys(table["material"].tolist()):
        rows = table["material"] == name
        mixture = _material(name, str(table["weights_percent"][rows][0]))
        energy, theirs = table["energy_kev"][rows], table["mu_rho_cm2_g"][rows]
        ours = mass_attenuation_cm2_g(mixture, energy)
        source = "XCOM 3.1 rules on XCOM input data, between the nodes"
        yield _worst(f"mu/rho {name}", ours, theirs, energy, source=source, tolerance_rel=0.003)
    printed = load("nist_checks")
    for name in dict.fromkeys(printed["material"].tolist()):
        rows = printed["material"] == name
        energy, theirs = printed["energy_kev"][rows], printed["mu_rho_cm2_g"][rows]
        ours = mass_attenuation_cm2_g(material(name), energy)
        yield _worst(
            f"mu/rho {name}, printed",
            ours,
            theirs,
            energy,
            source=_NIST + " tables 3, 4",
            tolerance_rel=0.003,
        )


def check_energy_absorption(_context: Context) -> Iterator[Row]:
    """Compare mu_en/rho with NIST's printed tables, in the diagnostic range and above."""
    printed = load("nist_checks")
    for name, low, high, tolerance in (
        ("air", 10.0, 1500.0, 0.003),
        ("water", 10.0, 1500.0, 0.003),
        ("iodine", 10.0, 20_000.0, 0.01),
        ("air", 1600.0, 20_000.0, 0.015),
        ("water", 1600.0, 20_000.0, 0.015),
    ):
        energy_all = printed["energy_kev"]
        rows = (printed["material"] == name) & (energy_all >= low) & (energy_all <= high)
        energy, theirs = energy_all[rows], printed["mu_en_rho_cm2_g"][rows]
        ours = mass_energy_absorption_cm2_g(material(name), energy)
        yield _worst(
            f"mu_en/rho {name}", ours, theirs, energy, source=_NIST + " tables 3, 4", tolerance_rel=tolerance
        )


#: Table of TG-195's spectrum, nominal first half-value layer in mm Al, where it is stated.
_TG195_HVL = (
    ("tg195_spectrum_w100", "W 100 kV (RQR 8)", 3.95, "TG-195 case 1: filter of one HVL"),
    ("tg195_spectrum_w120", "W 120 kV (RQR 9)", 5.00, "IEC 61267:2005, RQR 9: nominal 5.00 mm Al"),
    ("tg195_spectrum_mo30", "Mo 30 kV (RQR-M 3)", 0.3431, "TG-195 case 1: filter of one HVL"),
)


def check_half_value_layers(_context: Context) -> Iterator[Row]:
    """Half-value layers behind 1 m of air of the spectra that TG-195 prescribes, against those it states."""
    for name, title, expected, source in _TG195_HVL:
        table = load(name)
        spectrum = Spectrum(
            energy_kev=table["energy_kev"], weight=table["weight"], bin_width_kev=0.5, name=title
        )
        ours = half_value_layer_mm(filter_spectrum(spectrum, "air", 1000.0))
        yield within(f"HVL of {title}", ours, expected, unit="mm Al", source=source, tolerance_rel=0.01)


SUITE = Suite(
    name="physics",
    title="Photon interaction data",
    claims=(
        Claim(
            name="xcom",
            text=(
                "mu/rho within 0.3 % of XCOM away from edges, 1 keV to 20 MeV: water, ICRU tissues, I, "
                "Al, Cu, W, Pb"
            ),
            check=check_xcom,
        ),
        Claim(
            name="energy-absorption",
            text=(
                "mu_en/rho of air and water within 0.3 % of NIST from 10 keV to 1.5 MeV (1.5 % to 20 MeV), "
                "of iodine 1 %"
            ),
            check=check_energy_absorption,
        ),
        Claim(
            name="half-value-layers",
            text="Half-value layers of the TG-195 spectra within 1 % of the stated ones",
            check=check_half_value_layers,
        ),
    ),
)
