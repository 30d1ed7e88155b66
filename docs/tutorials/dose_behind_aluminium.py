"""Air kerma behind 1, 2 and 4 mm of aluminium: half-value layers by experiment, beside the formula."""

from omnidose.physics.material_library import material
from omnidose.physics.tube import filter_spectrum, half_value_layer_mm, tube_spectrum
from omnidose.transport.engine import simulate
from omnidose.transport.scene import AIR, Cylinder, Scene
from omnidose.transport.sources import PyramidSource

spectrum = tube_spectrum(80, filters=[("aluminium", 2.5)])
narrow = 0.006
beam = PyramidSource(
    position_mm=(0, 0, 0),
    direction=(0, 0, 1),
    up=(0, 1, 0),
    half_tangents=(-narrow, narrow, -narrow, narrow),
    spectrum=spectrum,
)
chamber = Cylinder(key="chamber", material=AIR, centre_mm=(0, 0, 1000), radius_mm=5, length_mm=2)


def chamber_energy_kev(thickness_mm: float) -> float:
    """Mean energy taken up by the air in the chamber per photon."""
    plate = Cylinder(
        key="plate",
        material=material("aluminium"),
        centre_mm=(0, 0, 100 + thickness_mm / 2),
        radius_mm=30,
        length_mm=max(thickness_mm, 1e-6),
    )
    shapes = (chamber,) if thickness_mm == 0 else (plate, chamber)
    # Few photons interact in thin air: ask for 20 scores per cm there (unbiased, only less noise).
    tally = simulate(Scene(shapes=shapes), beam, histories=4e5, seed=2, sampling_per_cm={"chamber": 20.0})
    return float(tally.energy_kev[tally.index("chamber")])


open_beam = chamber_energy_kev(0)
for thickness in (1, 2, 4):
    print(f"{thickness} mm Al: {chamber_energy_kev(thickness) / open_beam:.3f} of the open beam")
hvl = half_value_layer_mm(filter_spectrum(spectrum, AIR, 1000))  # 1 m of air hardens the beam a little
print(f"calculated half-value layer {hvl:.2f} mm; simulated there: {chamber_energy_kev(hvl) / open_beam:.3f}")
