"""Depth dose in water under an 80 kV beam: scored in slabs, and in layers of 5 mm on the axis."""

from omnidose.physics.material_library import material
from omnidose.physics.tube import tube_spectrum
from omnidose.transport.engine import simulate
from omnidose.transport.scene import Box, Scene
from omnidose.transport.sources import PyramidSource

# A tank of 30 x 30 x 20 cm, 70 cm from the focal spot, and fifteen small boxes inside it.
# Later shapes win: the boxes cut their place out of the tank and score under their own keys.
water = material("water")
tank = Box(key="tank", material=water, lower_mm=(-150, -150, 700), upper_mm=(150, 150, 900))
layers = [
    Box(
        key=f"{depth} mm",
        material=water,
        lower_mm=(-20, -20, 700 + depth),
        upper_mm=(20, 20, 705 + depth),
    )
    for depth in range(0, 150, 10)
]
# 80 kV, 12 degree tungsten anode, 3 mm of aluminium; a field of 10 x 10 cm at the surface.
source = PyramidSource(
    position_mm=(0, 0, 0),
    direction=(0, 0, 1),
    up=(0, 1, 0),
    half_tangents=(-50 / 700, 50 / 700, -50 / 700, 50 / 700),
    spectrum=tube_spectrum(80, filters=[("aluminium", 3.0)]),
)
tally = simulate(Scene(shapes=(tank, *layers)), source, histories=4e5, seed=1)

surface = tally.dose_kev_g[tally.index("0 mm")]
for layer in layers:
    k = tally.index(layer.key)
    relative, error = tally.dose_kev_g[k] / surface, tally.std_rel[k]
    print(f"{layer.key:>7}: {relative:.3f} +- {100 * error:.1f} %, {tally.primary_fraction[k]:.0%} primary")
