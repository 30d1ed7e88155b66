"""Photon Monte Carlo in voxels and analytic shapes: ``simulate(scene, source) -> Tally``."""
