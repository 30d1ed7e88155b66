"""The nuclides of ICRP 107, where a user has installed them: ``library="icrp107"``.

Emissions come from the package icrp107-database, half-lives and progeny from radioactivedecay. Neither is a
dependency of omnidose: the data are free for education, research and non-profit use only (the notice of
ICRP Publication 107 comes with both), so that every user decides. Unlike the bundled library they list the
softest Auger electrons (I-125 19.2 keV per decay, bundled 16.5), and fold Y-89m into Zr-89 and Hf-177m into
Lu-177m.

All 1252 but einsteinium, fermium and six second isomers (``Sb-124n``). What spontaneous fission sends out is
not in the records.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omnidose.errors import DependencyError, InputError
from omnidose.physics.beta import BetaBranch, beta_continuum
from omnidose.physics.nuclides_names import parse
from omnidose.physics.nuclides_spectra import BINS, ArrayF8, Continuum, Lines, tilted

if TYPE_CHECKING:
    from omnidose.physics.nuclides import Daughter, Nuclide

_PACKAGES = ("icrp107_database", "radioactivedecay")
_MODES = {"β-": "beta-", "β+ & EC": "ec", "β+": "ec", "EC": "ec", "α": "alpha", "IT": "it"}


def has(name: str) -> bool:
    """Whether ICRP 107 holds a nuclide of this name, and we can name it.

    Raises
    ------
    DependencyError
        If its packages are not installed.
    """
    file = _folder() / f"{name}.json"
    try:
        parse(name)
    except InputError:
        return False
    return file.is_file()


def load_icrp107(name: str) -> Nuclide:
    """Return a nuclide of ICRP 107 by its standard name (see :func:`has` and its errors)."""
    return _load(name)


@cache
def _folder() -> Path:
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        raise DependencyError(
            f"the library icrp107 needs {' and '.join(missing)}",
            todo="pip install icrp107-database radioactivedecay, if your use is education, research or "
            "non-profit, or take the bundled library",
        )
    spec = find_spec(_PACKAGES[0])
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "icrp107"


@cache
def _load(name: str) -> Nuclide:
    from omnidose.physics.nuclides import Nuclide

    text = json.loads((_folder() / f"{name}.json").read_text("utf-8"))
    emissions = json.loads(text)["emissions"] if isinstance(text, str) else text["emissions"]
    z, a, isomer = parse(name)
    half_life_s, progeny = _decay(name)
    betas, positrons = _continua(emissions, z, a)
    return Nuclide(
        name=name,
        z=z,
        a=a,
        isomer=isomer,
        half_life_s=half_life_s,
        progeny=progeny,
        gamma_lines=_lines(emissions, "gamma"),
        x_lines=_lines(emissions, "X"),
        annihilation_lines=_lines(emissions, "annihilation"),
        electron_lines=_lines(emissions, "auger", "IE"),
        beta_branches=Lines(),
        positron_branches=Lines(),
        beta_spectrum=betas,
        positron_spectrum=positrons,
        alpha_lines=_lines(emissions, "alpha"),
    )


def _decay(name: str) -> tuple[float, tuple[Daughter, ...]]:
    from omnidose.physics.nuclides import Daughter

    item: Any = import_module("radioactivedecay").Nuclide(name)
    progeny = tuple(
        Daughter(name=str(daughter), branching_fraction=float(share), mode=_MODES.get(str(mode), str(mode)))
        for daughter, share, mode in zip(
            item.progeny(), item.branching_fractions(), item.decay_modes(), strict=True
        )
        if daughter != "SF"
    )
    return float(item.half_life("s")), progeny


def _lines(emissions: dict[str, Any], *kinds: str) -> Lines:
    rows = sorted(pair for kind in kinds for pair in emissions.get(kind, ()) if pair[1] > 0)
    if not rows:
        return Lines()
    table = np.array(rows, dtype=np.float64)
    return Lines(energy_kev=1000 * table[:, 0], per_decay=table[:, 1])


def _continua(emissions: dict[str, Any], z: int, a: int) -> tuple[Continuum, Continuum]:
    """Return betas and positrons out of the one spectrum that ICRP 107 has for both."""
    minus, plus = _lines(emissions, "beta-"), _lines(emissions, "beta+")
    if not len(minus) and not len(plus):
        return Continuum(), Continuum()
    if emissions.get("fission"):  # the spectrum holds the betas of its products too
        return _from_means(minus, z + 1, a, positron=False), _from_means(plus, z - 1, a, positron=True)
    points = np.array(emissions["b-spectra"], dtype=np.float64)
    edges = 1000 * points[:, 0]
    number = 0.5 * (points[1:, 1] + points[:-1, 1]) * np.diff(points[:, 0])
    if not len(plus):
        return _scaled(edges, number, minus), Continuum()
    if not len(minus):
        return Continuum(), _scaled(edges, number, plus)
    positrons = _from_means(plus, z - 1, a, positron=True)
    inside = np.interp(edges, positrons.edges_kev, np.append(0.0, np.cumsum(positrons.per_decay)))
    rest = np.clip(number - np.diff(inside), 0.0, None)
    return _scaled(edges, rest, minus), positrons


def _scaled(edges_kev: ArrayF8, number: ArrayF8, listed: Lines) -> Continuum:
    """Return the spectrum with the number and the mean energy that the lines of mean energies have."""
    total = listed.number_per_decay
    scaled = number * total / number.sum()
    return Continuum(
        edges_kev=edges_kev, per_decay=tilted(edges_kev, scaled, listed.energy_per_decay_kev / total)
    )


def _from_means(listed: Lines, daughter_z: int, mass_number: int, *, positron: bool) -> Continuum:
    """Return betas or positrons of allowed shape whose branches have the listed mean energies.

    End points are not listed; a branch's is found by bisection.
    """
    if not len(listed):
        return Continuum()
    branches = []
    for mean_kev, number in zip(listed.energy_kev, listed.per_decay, strict=True):
        low, high = float(mean_kev) * 1.2, float(mean_kev) * 4.0
        for _ in range(40):
            middle = 0.5 * (low + high)
            edges, spectrum = beta_continuum(
                [BetaBranch(endpoint_kev=middle)],
                daughter_z=daughter_z,
                mass_number=mass_number,
                positron=positron,
                bins=BINS,
            )
            mean = float(0.5 * (edges[1:] + edges[:-1]) @ spectrum)
            low, high = (middle, high) if mean < mean_kev else (low, middle)
        branches.append(BetaBranch(endpoint_kev=high, intensity_rel=min(float(number), 1.0)))
    edges, spectrum = beta_continuum(
        branches, daughter_z=daughter_z, mass_number=mass_number, positron=positron, bins=BINS
    )
    return Continuum(edges_kev=edges, per_decay=spectrum)
