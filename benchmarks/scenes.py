"""What is timed: the two anchor scenes (block of TG-195 case 2, chest of 1 mm), and a helical chest scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omnidose.transport.checks.anchors import (
    ANCHOR_SHAPE_ZYX,
    BEAM,
    Anchor,
    anchor_chest,
    helix,
    icrp_chest,
    organ_regions,
    plain_box,
    stylised_chest,
)
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Scene
from omnidose.transport.sources import RotatingSource
from omnidose.transport.tally import Region, Tally

__all__ = [
    "ANCHORS", "ANCHOR_SHAPE_ZYX", "BEAM", "Anchor", "Chest", "anchor_chest", "plain_box", "run_anchor",
    "run_engine",
]  # fmt: skip

#: Scan of the chest: height of the lungs in the family's adult (trunk base at 0).
CHEST_Z_MM = (400.0, 680.0)

#: Name on the command line -> anchor scene.
ANCHORS: dict[str, Callable[[], Anchor]] = {
    "case2": plain_box,
    "chest": icrp_chest,
    "stylised-chest": stylised_chest,
}


def run_anchor(anchor: Anchor, histories: float, *, seed: int = 1, threads: int | None = None) -> Tally:
    """Run an anchor scene in omnidose's engine."""
    return simulate(
        anchor.scene,
        anchor.source,
        regions=anchor.regions,
        histories=histories,
        seed=seed,
        threads=threads,
    )


def run_engine(histories: float, *, seed: int = 1, threads: int | None = None) -> Tally:
    """The block of case 2 in omnidose's engine."""
    return run_anchor(plain_box(), histories, seed=seed, threads=threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chest:
    """A stylised adult in voxels, scanned from the lower to the upper end of the lungs."""

    scene: Scene
    source: RotatingSource
    regions: tuple[Region, ...]

    @classmethod
    def make(cls, voxel_mm: float = 3.0) -> Chest:
        """Make body, source and one region per organ."""
        from omnidose.anatomy.stylised.make import make_phantom

        body = make_phantom("F", voxel_mm=voxel_mm, arms="up")
        return cls(
            scene=Scene.from_body(body),
            source=helix(CHEST_Z_MM),
            regions=organ_regions(body, body.labels),
        )

    def run(
        self, histories: float, *, seed: int = 1, threads: int | None = None, voxel_map: bool = False
    ) -> Tally:
        """Scan the chest."""
        return simulate(
            self.scene,
            self.source,
            regions=self.regions,
            histories=histories,
            seed=seed,
            threads=threads,
            voxel_map=voxel_map,
        )
