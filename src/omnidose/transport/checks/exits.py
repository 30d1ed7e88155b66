"""Photons that leave: image of primary ones, classes of scattered ones, their list; the balance of energy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from omnidose.physics.elements import Process
from omnidose.physics.material_library import material
from omnidose.physics.photons import mass_attenuation_cm2_g
from omnidose.physics.spectra import Spectrum
from omnidose.transport.checks._rows import SIGMAS, TABLE_REL, known_row
from omnidose.transport.engine import BATCHES, simulate
from omnidose.transport.folding import groups
from omnidose.transport.outputs import ImagePlane
from omnidose.transport.scene import VACUUM, Box, Scene, Sphere
from omnidose.transport.sources import ParallelSource, PyramidSource
from omnidose.transport.tally import Tally
from omnidose.validation import Row, within

ArrayF8 = npt.NDArray[np.float64]

#: Groups of a run with a fixed number of histories: what its errors rest on.
GROUPS = len(list(groups(0, BATCHES)))
WATER = material("water")


def chi_square(
    name: str,
    ours: ArrayF8,
    std: ArrayF8,
    expected: ArrayF8,
    *,
    groups_behind: int | None = None,
    note: str = "",
) -> Row:
    """Reduced chi-square of independent numbers; ``groups_behind`` their errors, if stated."""
    error = np.sqrt(std**2 + (TABLE_REL * expected) ** 2)
    z = (ours - expected) / error
    # the square of a number over an error of n degrees of freedom (F distribution)
    mean, variance = 1.0, 2.0
    if groups_behind is not None:
        degrees = groups_behind - 1
        mean = degrees / (degrees - 2)
        variance = 2 * degrees**2 * (degrees - 1) / ((degrees - 2) ** 2 * (degrees - 4))
    reach = SIGMAS * math.sqrt(variance / z.size)
    return within(
        name,
        float(np.mean(z**2)),
        mean,
        unit="1",
        source="closed form",
        bounds=(mean - reach, mean + reach),
        note=f"{z.size} values, mean deviation {100 * (ours.sum() / expected.sum() - 1):+.3f} %, "
        f"largest {np.abs(z).max():.1f} sigma{'; ' if note else ''}{note}",
    )


def _pyramid_share(u: ArrayF8, v: ArrayF8, limit: float) -> ArrayF8:
    """Return d(solid angle)/du dv at slopes over the solid angle of the whole pyramid."""
    node, weight = np.polynomial.legendre.leggauss(40)
    a, b = np.meshgrid(limit * node, limit * node)
    whole = float(np.sum(np.outer(weight, weight) * (1 + a**2 + b**2) ** -1.5)) * limit**2
    return np.asarray((1 + u**2 + v**2) ** -1.5 / whole)


def check_exits(histories: float) -> Iterator[Row]:
    """Image of primary photons behind a slab, classes of scattered ones, phase space and balance."""
    energy_kev, thickness_cm, distance_mm, limit = 60.0, 10.0, 1000.0, 0.1
    slab = Box(key="slab", material=WATER, lower_mm=(-300, -300, 0), upper_mm=(300, 300, 10 * thickness_cm))
    beam = PyramidSource(
        position_mm=(0, 0, -500), direction=(0, 0, 1), up=(0, 1, 0),
        half_tangents=(-limit, limit, -limit, limit), spectrum=Spectrum.line(energy_kev),
    )  # fmt: skip
    n, size_mm = 16, 180.0
    plane = ImagePlane(
        centre_mm=(0, 0, distance_mm - 500), direction=(0, 0, 1), up=(0, 1, 0),
        size_mm=(size_mm, size_mm), pixels=(n, n), weigh="photons",
    )  # fmt: skip
    tally = simulate(
        Scene(shapes=(slab,), world=VACUUM), beam, histories=histories, image=plane,
        phase_space=int(2 * histories), threads=1, backend="cpu",
    )  # fmt: skip
    assert tally.image is not None
    assert tally.phase_space is not None
    node, weight = np.polynomial.legendre.leggauss(4)
    pitch = size_mm / n / distance_mm
    slopes = ((np.arange(n) + 0.5) * pitch - 0.5 * n * pitch)[:, None] + 0.5 * pitch * node
    u, v = np.meshgrid(slopes.ravel(), slopes.ravel())
    mu = WATER.density_g_cm3 * float(mass_attenuation_cm2_g(WATER, energy_kev))
    density = _pyramid_share(u, v, limit) * np.exp(-mu * thickness_cm * np.sqrt(1 + u**2 + v**2))
    outer = np.tile(weight, n)
    expected = (density * np.outer(outer, outer)).reshape(n, 4, n, 4).sum(axis=(1, 3)) * (0.5 * pitch) ** 2
    true_std = np.sqrt(expected * (1 - expected) / tally.histories)  # photons or none: binomial
    yield chi_square(
        "primary photons in 16x16 pixels behind 100 mm of water (60 keV): chi-square to the closed form",
        tally.image.primary.ravel(),
        true_std.ravel(),
        expected.ravel(),
    )
    ratio = tally.image.std[0].ravel() ** 2 / true_std.ravel() ** 2
    reach = SIGMAS * math.sqrt(2 / (GROUPS - 1) / ratio.size) + SIGMAS / math.sqrt(
        tally.histories * expected.sum()
    )
    yield within(
        "stated variance of pixels / binomial variance, mean of the pixels",
        float(ratio.mean()),
        1.0,
        unit="1",
        source="statistics",
        bounds=(1 - reach, 1 + reach),
    )
    yield from _check_phase_space(tally)
    yield from _check_classes(histories)


def _check_phase_space(tally: Tally) -> Iterator[Row]:
    """The list of photons against the balance and the image of the same run."""
    space, image, balance = tally.phase_space, tally.image, tally.balance
    assert space is not None
    assert image is not None
    yield within(
        "energies of the phase space",
        float(space.energy_kev.sum()) / tally.histories if space.complete else math.nan,
        balance.escaped_kev,
        unit="keV/history",
        source="escaped energy of the balance",
        tolerance_rel=1e-9,
        note=f"{space.left} photons, all in the list",
    )
    yield within(
        "deposited + escaped energy",
        balance.deposited_kev + balance.escaped_kev,
        balance.emitted_kev,
        unit="keV/history",
        source="emitted energy",
        tolerance_rel=1e-6,
    )
    yield known_row(
        "expected deposits in the balance",
        balance.expected_kev,
        math.hypot(balance.deposited_std_kev, balance.expected_std_kev),
        balance.deposited_kev,
        unit="keV/history",
        source="real deposits, same run",
    )
    u, v, w = image.plane.frame
    towards = space.direction @ w
    ahead = towards > 0
    t = (np.asarray(image.plane.centre_mm) - space.position_mm) @ w / np.where(ahead, towards, 1.0)
    hit = space.position_mm + t[:, None] * space.direction - image.plane.centre_mm
    width_mm, height_mm = image.plane.pixel_mm
    columns, rows = image.plane.pixels
    column, row = hit @ u / width_mm + columns / 2, hit @ v / height_mm + rows / 2
    seen = ahead & (t >= 0) & (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    again = np.zeros(image.mean.shape)
    np.add.at(again, (space.kind[seen], row[seen].astype(int), column[seen].astype(int)), 1)
    moved = float(np.abs(again - image.mean * tally.histories).sum()) / 2
    yield within(
        "photons of the phase space that meet another pixel than in the image",
        moved / float(seen.sum()),
        0.0,
        unit="1",
        source="the image of the same run",
        bounds=(0.0, 2e-4),
        note=f"{int(seen.sum())} photons; float32 at the borders of pixels",
    )


def _check_classes(histories: float) -> Iterator[Row]:
    """Photons scattered once in a thin ball: share of Rayleigh scattering, and number of primary ones."""
    energy_kev, radius_mm, density = 30.0, 10.0, 0.05
    thin = replace(WATER, density_g_cm3=density)
    ball = Sphere(key="ball", material=thin, centre_mm=(0, 0, 0), radius_mm=radius_mm)
    beam = ParallelSource(
        centre_mm=(0, 0, -15), direction=(0, 0, 1), up=(0, 1, 0), half_widths_mm=(0.1, 0.1),
        spectrum=Spectrum.line(energy_kev),
    )  # fmt: skip
    tally = simulate(
        Scene(shapes=(ball,), world=VACUUM), beam, histories=histories, phase_space=int(2 * histories),
        threads=1, backend="cpu",
    )  # fmt: skip
    assert tally.phase_space is not None
    number = np.bincount(tally.phase_space.kind, minlength=4)
    part = {p: float(mass_attenuation_cm2_g(WATER, energy_kev, p)) for p in Process}
    scattering = part[Process.COHERENT] + part[Process.INCOHERENT]
    mfp = density * sum(part.values()) * 2 * radius_mm / 10
    once = int(number[1] + number[2])
    unscattered = ("share of unscattered photons behind a thin ball of water (30 keV)", number[0], histories)
    rayleigh = ("share of Rayleigh scattering among photons scattered once", number[2], once)
    for (name, count, of), expected in (
        (unscattered, math.exp(-mfp)),
        (rayleigh, part[Process.COHERENT] / scattering),
    ):
        std = math.sqrt(expected * (1 - expected) / of)
        yield known_row(
            name,
            float(count / of),
            std,
            expected,
            unit="1",
            source="cross sections",
            table_rel=TABLE_REL,
            note=f"own standard error {std:.2g}; {number[3]} photons of other kinds",
        )
