"""Outlines on the grid of an image: who lies in whom, what each sees, and how its size changes that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.modalities.nuclear.series.recovery import ImageBlur, seen_shares
from omnidose.volume import Grid

ArrayF4 = npt.NDArray[np.float32]
ArrayF8 = npt.NDArray[np.float64]

#: The name of what is in the body and in no outline.
REST = "rest of the body"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """Disjoint outlines, and the rest of the body.

    Attributes
    ----------
    share
        Name -> float32 [z, y, x] share of each voxel inside; the last is the rest of the body.
    density_g_cm3
        [z, y, x] from the CT.
    without
        Outline -> those taken out of it.
    larger, smaller
        Name -> the outline drawn ``step_mm`` further out and further in.
    """

    grid: Grid
    share: dict[str, ArrayF4]
    density_g_cm3: ArrayF4 = field(repr=False)
    without: dict[str, tuple[str, ...]]
    larger: dict[str, ArrayF4] = field(repr=False)
    smaller: dict[str, ArrayF4] = field(repr=False)
    step_mm: float

    @property
    def names(self) -> tuple[str, ...]:
        """Outlines that were drawn."""
        return tuple(name for name in self.share if name != REST)

    def volume_cm3(self, name: str) -> float:
        """Volume inside an outline."""
        return float(self.share[name].sum(dtype=np.float64)) * self.grid.voxel_volume_cm3

    def mass_g(self, name: str) -> float:
        """Mass inside an outline."""
        inside = (self.share[name] * self.density_g_cm3).sum(dtype=np.float64)
        return float(inside) * self.grid.voxel_volume_cm3

    def regions(self) -> dict[str, ArrayF4]:
        """Where activity is taken to be: even in each outline, by mass in the rest."""
        return {k: (v * self.density_g_cm3 if k == REST else v) for k, v in self.share.items()}

    def redrawn(self, name: str, *, larger: bool) -> Outlines:
        """Return the same with the border of one outline moved by :attr:`step_mm`.

        Neighbours give and take in proportion to what they have of each voxel; where they have nothing, the
        rest does. Outlines inside this one stay.
        """
        guests = self.without.get(name, ())
        kept = sum((self.share[g] for g in guests), np.zeros(self.grid.shape_zyx, np.float32))
        inside = sum(self.share.values()) - kept
        wanted = (self.larger if larger else self.smaller)[name] - kept
        changed = np.clip(wanted, 0, inside)
        others = inside - self.share[name]
        scale = np.divide(inside - changed, others, out=np.zeros_like(others), where=others > 1e-3)
        share = {
            key: changed if key == name else value if key in guests else value * scale
            for key, value in self.share.items()
        }
        share[REST] = share[REST] + np.where(others > 1e-3, 0, inside - changed).astype(np.float32)
        return replace(self, share=share)

    def seen(self, blur: ImageBlur, *, more_mm: float = 0.0) -> ArrayF8:
        """[names + rest, names + rest] share of each region's activity that each outline shows."""
        return seen_shares(self.regions(), self.share, blur, self.grid.spacing_mm, more_mm=more_mm)


def outlines(
    grid: Grid,
    drawn: Mapping[str, ArrayF4],
    density_g_cm3: ArrayF4,
    *,
    larger: Mapping[str, ArrayF4],
    smaller: Mapping[str, ArrayF4],
    step_mm: float,
    body_g_cm3: float = 0.1,
) -> Outlines:
    """Make outlines disjoint: a smaller one is taken out of a larger one that holds it, and that is said.

    Parameters
    ----------
    drawn
        Name -> [z, y, x] share of each voxel inside, 0 to 1.
    larger, smaller, step_mm
        The same outlines drawn a step further out and further in, in the image in which they were drawn.
    body_g_cm3
        Density from which a voxel belongs to the body.

    Raises
    ------
    InputError
        For arrays that do not fit, empty outlines, or the reserved name.
    """
    left = (density_g_cm3 >= body_g_cm3).astype(np.float32)
    if density_g_cm3.shape != grid.shape_zyx:
        raise InputError(
            f"densities {density_g_cm3.shape} do not fit {grid.shape_zyx}", where="density_g_cm3"
        )
    for name, share in drawn.items():
        if share.shape != grid.shape_zyx or not share.any() or name == REST:
            raise InputError(
                "an outline is empty, does not fit the image, or has the name of the rest",
                where=name,
                allowed=f"an array of {grid.shape_zyx} with values above 0",
            )
        if name not in larger or name not in smaller:
            raise InputError("an outline was not drawn larger and smaller", where=name)
    found: dict[str, ArrayF4] = {}
    without: dict[str, tuple[str, ...]] = {}
    for name in sorted(drawn, key=lambda n: float(drawn[n].sum(dtype=np.float64))):
        share = np.minimum(np.clip(drawn[name], 0, 1), left)
        lost = float((drawn[name] - share).sum(dtype=np.float64))
        # soft borders of neighbours overlap too: inside is what lies there with most of itself
        inside = [
            n
            for n, s in found.items()
            if float(np.minimum(s, drawn[name]).sum(dtype=np.float64)) > 0.5 * float(s.sum(dtype=np.float64))
        ]
        without[name] = tuple(inside) if lost > 0.5 else ()
        found[name] = share
        left = left - share
    ordered = {name: found[name] for name in drawn}
    return Outlines(
        grid=grid,
        share={**ordered, REST: left},
        density_g_cm3=density_g_cm3,
        without=without,
        larger={name: np.clip(larger[name], 0, 1) for name in drawn},
        smaller={name: np.clip(smaller[name], 0, 1) for name in drawn},
        step_mm=step_mm,
    )
