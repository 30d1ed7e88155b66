"""A fine body inside a coarser room: the same world as one grid, and what each part scores."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from omnidose.errors import GeometryError
from omnidose.physics.material_library import material
from omnidose.physics.spectra import Spectrum
from omnidose.transport.engine import simulate
from omnidose.transport.problem import compile_problem
from omnidose.transport.room import all_voxels, nested_cells, regions_in_row, scene_bounds_mm
from omnidose.transport.scene import AIR, Box, Scene, Sphere, VoxelGrid
from omnidose.transport.sources import IsotropicSource, ParallelSource
from omnidose.transport.tally import Region, Tally
from omnidose.transport.validity import check_scene
from omnidose.volume import Grid

WATER, LEAD, ALUMINIUM = material("water"), material("lead"), material("aluminium")
LINE = Spectrum.line(80.0)
#: A body of 160 mm in the middle of a room of 960 mm; the room's voxels are 80 mm.
BODY = Grid.centred((16, 16, 16), (10.0, 10.0, 10.0))
ROOM = Grid.centred((12, 12, 12), (80.0, 80.0, 80.0))


def body() -> VoxelGrid:
    """Water with an aluminium corner."""
    index = np.zeros(BODY.shape_zyx, dtype=np.uint8)
    density = np.ones(BODY.shape_zyx, dtype=np.float32)
    index[:10, :10, :10] = 1
    density[:10, :10, :10] = 2.7
    return VoxelGrid(grid=BODY, materials=(WATER, ALUMINIUM), material_index=index, density_g_cm3=density)


def room() -> VoxelGrid:
    """Air, a floor of water below (z) and a block of aluminium beside."""
    index = np.zeros(ROOM.shape_zyx, dtype=np.uint8)
    density = np.full(ROOM.shape_zyx, 0.0012, dtype=np.float32)
    index[0], density[0] = 1, 1.0
    index[5:7, 5:7, 9], density[5:7, 5:7, 9] = 2, 2.7
    return VoxelGrid(
        grid=ROOM, materials=(AIR, WATER, ALUMINIUM), material_index=index, density_g_cm3=density
    )


def one_grid() -> VoxelGrid:
    """The same world in voxels of 10 mm."""
    inner, outer = body(), room()
    index, density = (np.repeat(np.repeat(np.repeat(a, 8, 0), 8, 1), 8, 2) for a in (
        outer.material_index, outer.density_g_cm3,
    ))  # fmt: skip
    where = (slice(40, 56),) * 3
    index = np.array([2, 0, 1], dtype=np.uint8)[index]
    index[where], density[where] = inner.material_index, inner.density_g_cm3
    return VoxelGrid(
        grid=Grid.centred((96, 96, 96), (10.0, 10.0, 10.0)), materials=(WATER, ALUMINIUM, AIR),
        material_index=index, density_g_cm3=density,
    )  # fmt: skip


def regions() -> dict[str, Region]:
    corner = np.zeros(BODY.shape_zyx, dtype=bool)
    corner[:10, :10, :10] = True
    floor = np.zeros(ROOM.shape_zyx, dtype=bool)
    floor[0] = True
    block = np.zeros(ROOM.shape_zyx, dtype=bool)
    block[5:7, 5:7, 9] = True
    return {
        "corner": Region(key="corner", voxels=np.flatnonzero(corner)),
        "soft": Region(key="soft", voxels=np.flatnonzero(~corner)),
        "floor": Region(key="floor", voxels=np.flatnonzero(floor), grid="room"),
        "block": Region(key="block", voxels=np.flatnonzero(block), grid="room"),
    }


def fine_regions() -> list[Region]:
    out = []
    for key, region in regions().items():
        mask = np.zeros((96, 96, 96), dtype=bool)
        if region.grid == "body":
            small = np.zeros(BODY.voxel_count, dtype=bool)
            small[region.voxels] = True
            mask[40:56, 40:56, 40:56] = small.reshape(BODY.shape_zyx)
        else:
            large = np.zeros(ROOM.voxel_count, dtype=bool)
            large[region.voxels] = True
            mask = np.repeat(np.repeat(np.repeat(large.reshape(ROOM.shape_zyx), 8, 0), 8, 1), 8, 2)
        out.append(Region(key=key, voxels=np.flatnonzero(mask)))
    return out


SOURCES = {
    "in the body": IsotropicSource(centre_mm=(10, 20, 30), spectrum=LINE),
    "in the room": IsotropicSource(centre_mm=(150, 120, -90), spectrum=LINE, radius_mm=30),
    "outside": ParallelSource(
        centre_mm=(-700, 0, 0), direction=(1, 0, 0.05), up=(0, 0, 1), half_widths_mm=(150, 150), spectrum=LINE
    ),
}


def same(one: Tally, two: Tally) -> None:
    for key in one.keys:
        a, b = one.index(key), two.index(key)
        assert one.mass_g[a] == pytest.approx(two.mass_g[b], rel=1e-5)
        std = math.hypot(one.std_kev[a], two.std_kev[b])
        assert abs(one.energy_kev[a] - two.energy_kev[b]) < 4 * std, key
        assert std < 0.35 * one.energy_kev[a]


@pytest.mark.parametrize("place", SOURCES)
def test_two_grids_are_one_world(place: str) -> None:
    source = SOURCES[place]
    scene = Scene(voxels=body(), room=room())
    nested = simulate(
        scene, source, regions=list(regions().values()), histories=60_000, seed=1, backend="cpu"
    )
    single = simulate(
        Scene(voxels=one_grid()), source, regions=fine_regions(), histories=60_000, seed=2, backend="cpu"
    )
    same(nested, single)
    balance = nested.balance
    assert abs(balance.missing_rel) < 1e-6
    # of the same histories: the differences are smaller than either error
    std_kev = math.hypot(balance.expected_std_kev, balance.deposited_std_kev)
    assert abs(balance.expected_kev - balance.deposited_kev) < min(4 * std_kev, 0.03 * balance.deposited_kev)


def test_shapes_lie_in_body_and_room() -> None:
    """A ball that reaches from the body into the room and a plate far away, against one grid."""
    shapes = (
        Sphere(key="ball", material=ALUMINIUM, centre_mm=(80, 0, 0), radius_mm=50),
        Box(key="plate", material=LEAD, lower_mm=(-450, -400, -300), upper_mm=(-440, 400, 300)),
    )
    source = SOURCES["in the room"]
    nested = simulate(
        Scene(voxels=body(), room=room(), shapes=shapes), source, regions=list(regions().values()),
        histories=60_000, seed=3, backend="cpu",
    )  # fmt: skip
    single = simulate(
        Scene(voxels=one_grid(), shapes=shapes), source, regions=fine_regions(), histories=60_000, seed=4,
        backend="cpu",
    )  # fmt: skip
    same(nested, single)


def test_the_map_holds_the_body_only() -> None:
    everything = Region(key="all", voxels=np.arange(BODY.voxel_count))
    tally = simulate(
        Scene(voxels=body(), room=room()), SOURCES["in the body"], regions=[everything], histories=4000,
        voxel_map=True, backend="cpu",
    )  # fmt: skip
    assert tally.voxel_dose_kev_g is not None
    assert tally.voxel_dose_kev_g.shape == BODY.shape_zyx
    mass_g = body().density_g_cm3 * BODY.voxel_volume_cm3
    mapped = float((tally.voxel_dose_kev_g * mass_g).sum(dtype=np.float64))
    assert mapped == pytest.approx(tally.energy_kev[0], rel=1e-4)


def test_every_voxel_of_both_grids_is_bounded() -> None:
    rng = np.random.default_rng(3)
    outer = replace(
        room(), material_index=rng.integers(0, 3, ROOM.shape_zyx).astype(np.uint8),
        density_g_cm3=rng.uniform(0.001, 9, ROOM.shape_zyx).astype(np.float32),
    )  # fmt: skip
    grid = Grid(shape_zyx=(5, 7, 9), spacing_mm=(3.0, 4.0, 5.0), origin_mm=(33.0, -20.0, 11.0))
    inner = VoxelGrid(
        grid=grid, materials=(WATER, LEAD), material_index=rng.integers(0, 2, (5, 7, 9)).astype(np.uint8),
        density_g_cm3=rng.uniform(0.1, 12, (5, 7, 9)).astype(np.float32),
    )  # fmt: skip
    scene = Scene(voxels=inner, room=outer)
    mu = np.array([0.2, 5.0, 0.15, 0.2, 0.3, 0.15])[:, None]  # body's, room's and the world's materials
    parts = nested_cells(scene, mu, [], 0)
    joined = all_voxels(scene)
    assert joined is not None
    lower, upper = scene_bounds_mm(scene)
    for number, part in enumerate(parts):
        assert part is not None
        macro = part.macro
        bound = (part.class_density[:, :, None] * mu[None]).max(axis=1)[:, 0][part.cell_class]
        high = macro.lower_mm + macro.n_cell * macro.cell_mm
        points = rng.uniform(np.maximum(macro.lower_mm, lower), np.minimum(high, upper), (20_000, 3))
        place = np.floor((points - macro.lower_mm) / macro.cell_mm).astype(int)
        nx, ny, _nz = macro.n_cell
        cell = (place[:, 2] * ny + place[:, 1]) * nx + place[:, 0]
        at = np.full(len(points), -1)
        base = 0
        for voxels in (inner, outer):
            k = np.floor((points - voxels.grid.lower_mm) / voxels.grid.spacing_mm).astype(int)
            n = np.array(voxels.grid.shape_zyx[::-1])
            here = np.all((k >= 0) & (k < n), axis=1) & (at < 0)
            at[here] = base + ((k[:, 2] * n[1] + k[:, 1]) * n[0] + k[:, 0])[here]
            base += voxels.grid.voxel_count
        if number == 1:  # what lies in the inner grid is never asked of the outer one
            at[at < inner.grid.voxel_count] = -1
        at, cell = at[at >= 0], cell[at >= 0]
        sigma = joined.density_g_cm3.ravel()[at] * mu[joined.material_index.ravel()[at], 0]
        assert np.all(bound[cell] >= sigma * (1 - 1e-6))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(GeometryError, match="needs a voxel grid inside"):
        Scene(room=room())
    many = replace(room(), materials=(AIR, WATER, ALUMINIUM) * 90)
    with pytest.raises(GeometryError, match="materials together"):
        Scene(voxels=body(), room=many)
    floor = Region(key="floor", voxels=np.arange(3), grid="room")
    with pytest.raises(GeometryError, match="which the scene has not"):
        regions_in_row(Scene(voxels=body()), [floor])
    beyond = Region(key="far", voxels=np.array([ROOM.voxel_count]), grid="room")
    with pytest.raises(GeometryError, match="outside the grid"):
        compile_problem(Scene(voxels=body(), room=room()), SOURCES["outside"], regions=[beyond])
    endless = replace(room(), grid=replace(ROOM, origin_mm=(math.nan, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="a number of the room's grid is not finite"):
        check_scene(Scene(voxels=body(), room=endless))
