# mypy: ignore-errors
"""Kernels of the projector: turn, absorb, blur from plane to plane. Arrays are [y, x, z] and [depth, u, z].

A blur that grows with distance is a chain of small ones: what lies furthest away passes through all of them.
Each is three taps along u and z with exactly the variance that the step adds; they are symmetric, so that
running the chain backwards is exactly the transpose.
"""

import math

import numba
import numpy as np

jit = numba.njit(cache=True, fastmath=True, nogil=True)


@jit
def _corner(depth, u, n, angle, size):
    """Return the lower corner of the cell that holds a point of the turned frame, and its place in it."""
    s = (depth - 0.5 * (n - 1)) * size[0]
    t = (u - 0.5 * (n - 1)) * size[0]
    x = (s * math.cos(angle) - t * math.sin(angle)) / size[0] + 0.5 * (size[2] - 1)
    y = (s * math.sin(angle) + t * math.cos(angle)) / size[0] + 0.5 * (size[1] - 1)
    ix, iy = math.floor(x), math.floor(y)
    return iy, ix, np.float32(y - iy), np.float32(x - ix)


@jit
def turn(image, angle, out, size):
    """Bilinear values of [y, x, z] in the frame of a head, [depth, u, z]; the head lies beyond the last."""
    ny, nx, nz = image.shape
    n = out.shape[0]
    for k in range(n):
        for i in range(n):
            iy, ix, fy, fx = _corner(k, i, n, angle, size)
            row = out[k, i]
            row[:] = 0.0
            for dy in range(2):
                for dx in range(2):
                    y, x = iy + dy, ix + dx
                    if 0 <= y < ny and 0 <= x < nx:
                        w = (fy if dy else 1 - fy) * (fx if dx else 1 - fx)
                        line = image[y, x]
                        for z in range(nz):
                            row[z] += w * line[z]


@jit
def turn_back(turned, angle, image, size):
    """Transpose of ``turn``: add to [y, x, z]."""
    ny, nx, nz = image.shape
    n = turned.shape[0]
    for k in range(n):
        for i in range(n):
            iy, ix, fy, fx = _corner(k, i, n, angle, size)
            row = turned[k, i]
            for dy in range(2):
                for dx in range(2):
                    y, x = iy + dy, ix + dx
                    if 0 <= y < ny and 0 <= x < nx:
                        w = (fy if dy else 1 - fy) * (fx if dx else 1 - fx)
                        line = image[y, x]
                        for z in range(nz):
                            line[z] += w * row[z]


@jit
def absorb(mu, half):
    """Turn attenuation per voxel [depth, u, z] into what passes from the middle of each voxel to the head."""
    n, m, nz = mu.shape
    behind = np.zeros((m, nz), np.float32)
    for k in range(n - 1, -1, -1):
        for i in range(m):
            for z in range(nz):
                step = mu[k, i, z]
                mu[k, i, z] = math.exp(-(behind[i, z] + half * step))
                behind[i, z] += 2 * half * step


@jit
def blur(plane, variance, spare):
    """Blur [u, z] in place by a variance in voxels^2 along both axes; steps of at most 0.6."""
    m, nz = plane.shape
    steps = max(1, math.ceil(variance / 0.6))
    a = np.float32(0.5 * variance / steps)
    c = np.float32(1.0) - 2 * a
    if variance <= 0.0:
        return
    for _ in range(steps):
        for i in range(m):
            for z in range(nz):
                spare[i, z] = c * plane[i, z]
            for z in range(1, nz):
                spare[i, z] += a * plane[i, z - 1]
            for z in range(nz - 1):
                spare[i, z] += a * plane[i, z + 1]
        for i in range(m):
            for z in range(nz):
                plane[i, z] = c * spare[i, z]
            if i > 0:
                for z in range(nz):
                    plane[i, z] += a * spare[i - 1, z]
            if i < m - 1:
                for z in range(nz):
                    plane[i, z] += a * spare[i + 1, z]


@jit
def passing(mu, angle, size, out):
    """Fill [depth, u, z] with the share that reaches the head from the middle of each voxel."""
    turn(mu, angle, out, size)
    absorb(out, np.float32(0.5))


@jit
def forward(image, through, angle, steps, size, plane):
    """Fill one projection [u, z] of [y, x, z]. ``steps`` [depth]: variance added behind each plane."""
    n, nz = through.shape[0], image.shape[2]
    turned = np.empty((n, n, nz), np.float32)
    spare = np.empty((n, nz), np.float32)
    turn(image, angle, turned, size)
    plane[:] = 0.0
    for k in range(n):
        for i in range(n):
            for z in range(nz):
                plane[i, z] += turned[k, i, z] * through[k, i, z]
        blur(plane, steps[k], spare)


@jit
def backward(projection, through, angle, steps, size, image):
    """Add the transpose of ``forward`` to an image [y, x, z]."""
    n, nz = through.shape[0], projection.shape[1]
    turned = np.empty((n, n, nz), np.float32)
    spare = np.empty((n, nz), np.float32)
    plane = projection.copy()
    for k in range(n - 1, -1, -1):
        blur(plane, steps[k], spare)
        for i in range(n):
            for z in range(nz):
                turned[k, i, z] = plane[i, z] * through[k, i, z]
    turn_back(turned, angle, image, size)
