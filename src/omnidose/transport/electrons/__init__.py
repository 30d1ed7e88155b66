"""Electrons: condensed-history Monte Carlo in voxels, and point kernels in one material."""
