"""Dose kernels of nuclides: points, voxels of any size and shape, spheres, convolution with an activity."""
