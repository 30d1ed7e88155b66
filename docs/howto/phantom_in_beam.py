"""Organ doses of a phantom in a broad frontal beam of 60 keV, per air kerma: 1 mGy free in air."""

from omnidose.anatomy.stylised.make import make_phantom
from omnidose.dosimetry.organ_doses import organ_doses, regions_of
from omnidose.dosimetry.results import Normalisation
from omnidose.physics.photons import mass_energy_absorption_cm2_g
from omnidose.physics.spectra import Spectrum
from omnidose.transport.engine import simulate
from omnidose.transport.scene import AIR, Scene
from omnidose.transport.sources import ParallelSource
from omnidose.transport.tally import MGY_PER_KEV_G

ENERGY_KEV, HALF_WIDTH_MM, HALF_HEIGHT_MM = 60.0, 250.0, 950.0

body = make_phantom("F", height_cm=163, weight_kg=60, voxel_mm=5.0)
z = body.grid.axis_mm(2)
beam = ParallelSource(
    centre_mm=(0, float(body.grid.lower_mm[1]) - 10, float(z.mean())),  # in front: -y is the front
    direction=(0, 1, 0),
    up=(0, 0, 1),
    half_widths_mm=(HALF_WIDTH_MM, HALF_HEIGHT_MM),
    spectrum=Spectrum.line(ENERGY_KEV),
)
tally = simulate(Scene.from_body(body), beam, regions=regions_of(body), histories=5e5, seed=1)

# The number of photons of this beam that makes 1 mGy of air kerma: fluence x energy x mu_en/rho.
kerma_mgy_per_fluence = ENERGY_KEV * float(mass_energy_absorption_cm2_g(AIR, ENERGY_KEV)) * MGY_PER_KEV_G
area_cm2 = 4 * HALF_WIDTH_MM * HALF_HEIGHT_MM / 100
photons = Normalisation(particles=area_cm2 / kerma_mgy_per_fluence, source="1 mGy air kerma free in air")
doses = organ_doses(tally, body, photons)
for row in doses.rows():
    if row["organ"] in {"breasts", "lungs", "heart", "liver", "kidneys", "red-marrow", "skin"}:
        print(f"{row['organ']:>12}: {row['dose_mgy']:.3f} +- {row['std_statistical_mgy']:.3f} mGy")
