"""Scalar kernels of the photon Monte Carlo: one photon history, from birth to the last deposit.

Plain functions over flat arrays. The free names ``jit`` and ``tally_add`` are put into this module
by :mod:`omnidose.transport._jit` before the body runs, so that the same source can be compiled for
other targets. Every constant is float32 or an explicitly typed integer: mixing would promote the
arithmetic to double precision.

Method: delta tracking with macro-cell majorants and integer stepping through the cells; at *every*
tentative collision the expected energy deposit is scored (E mu_dep / mu_majorant). The analog
deposits are kept as a balance. Photons only: electrons deposit where they are set free (kerma
approximation).

References
----------
Woodcock et al., ANL-7050 (1965) 557 (delta tracking); Williamson, Med. Phys. 14 (1987) 567
(expected-value kerma); Salmon et al., SC11 (2011) (Philox4x32-10); Kahn/Butcher-Messel composition
for Klein-Nishina as in EGS4, SLAC-265 (1985).
"""

import math

import numpy as np

u32 = np.uint32
u64 = np.uint64
i32 = np.int32
i64 = np.int64
f32 = np.float32
f64 = np.float64

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint32(0x9E3779B9)
_W1 = np.uint32(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_DROP = np.uint32(9)
_TO_UNIT = np.float32(2.0**-23)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_TWO = np.float32(2.0)
_TWO_PI = np.float32(6.283185307179586)
_BIG = np.float32(1e30)
_TINY = np.float32(1e-20)
_MEC2 = np.float32(510.99895)
_TWO_MEC2 = np.float32(1021.9979)
_INV_HC = np.float32(1.0 / 12.398419843)  # 1/(keV Angstrom)
_FIXED = np.float32(1048576.0)  # 2^20 counts per keV/(g/cm3) in the voxel map


# --- random numbers -------------------------------------------------------------------------
@jit
def philox(c0, c1, c2, c3, k0, k1):
    """Return the four 32-bit words of Philox4x32-10 for a counter and a key."""
    for _ in range(10):
        p0 = _M0 * u64(c0)
        p1 = _M1 * u64(c2)
        n0 = u32(u32(p1 >> _SHIFT) ^ c1 ^ k0)
        n2 = u32(u32(p0 >> _SHIFT) ^ c3 ^ k1)
        c1 = u32(p1 & _LOW)
        c3 = u32(p0 & _LOW)
        c0 = n0
        c2 = n2
        k0 = u32(k0 + _W0)
        k1 = u32(k1 + _W1)
    return c0, c1, c2, c3


@jit
def unit(word):
    """Return a float32 in the open interval (0, 1) from 23 bits of a random word."""
    return (f32(u32(word) >> _DROP) + _HALF) * _TO_UNIT


@jit
def four(history, block, seed):
    """Return four uniforms of one history's stream; ``block`` counts the calls."""
    a, b, c, d = philox(
        u32(history & _LOW), u32(history >> _SHIFT), u32(block), u32(0), u32(seed & _LOW), u32(seed >> _SHIFT)
    )
    return unit(a), unit(b), unit(c), unit(d)


# --- directions -----------------------------------------------------------------------------
@jit
def isotropic(r1, r2):
    """Return an isotropic direction."""
    w = _TWO * r1 - _ONE
    s = math.sqrt(max(_ZERO, _ONE - w * w))
    phi = _TWO_PI * r2
    return s * math.cos(phi), s * math.sin(phi), w


@jit
def rotate(u, v, w, cosine, phi):
    """Turn a direction by a polar cosine and an azimuth; the result is normalised."""
    sine = math.sqrt(max(_ZERO, _ONE - cosine * cosine))
    cp = sine * math.cos(phi)
    sp = sine * math.sin(phi)
    # Frisvad-like basis made stable at w = -1 by the sign (Duff et al., JCGT 6 (2017) 1)
    sign = _ONE if w >= _ZERO else -_ONE
    a = -_ONE / (sign + w)
    b = u * v * a
    nu = (_ONE + sign * u * u * a) * cp + b * sp + u * cosine
    nv = sign * b * cp + (sign + v * v * a) * sp + v * cosine
    nw = -sign * u * cp - v * sp + w * cosine
    norm = _ONE / math.sqrt(nu * nu + nv * nv + nw * nw)
    return nu * norm, nv * norm, nw * norm


# --- source ---------------------------------------------------------------------------------
@jit
def pick(prob, alias, r):
    """Return an index from Walker's alias table with one uniform."""
    n = prob.shape[0]
    scaled = r * f32(n)
    i = min(i32(scaled), i32(n - 1))
    if scaled - f32(i) < prob[i]:
        return i
    return alias[i]


@jit
def fan_transmission(table, fu, fv):
    """Return the bilinear relative fluence at the fractions (fu, fv) of the aperture."""
    nu, nv = table.shape
    a = min(max(fu * f32(nu) - _HALF, _ZERO), f32(nu - 1))
    b = min(max(fv * f32(nv) - _HALF, _ZERO), f32(nv - 1))
    i = i32(a)
    j = i32(b)
    i2 = min(i + 1, nu - 1)
    j2 = min(j + 1, nv - 1)
    a -= f32(i)
    b -= f32(j)
    low = table[i, j] * (_ONE - a) + table[i2, j] * a
    high = table[i, j2] * (_ONE - a) + table[i2, j2] * a
    return low * (_ONE - b) + high * b


@jit
def emit(beam, history, seed):
    """Return position, direction, energy of a new photon and the number of random blocks used."""
    block = i32(0)
    r1, r2, r3, r4 = four(history, block, seed)
    block += 1
    vectors = beam.vectors
    px = vectors[0, 0]
    py = vectors[0, 1]
    pz = vectors[0, 2]
    row = i32(0)
    if beam.kind == 2:
        u, v, w = isotropic(r1, r2)
        radius = beam.aperture[0]
        if radius > _ZERO:
            q1, q2, q3, _q4 = four(history, block, seed)
            block += 1
            ru, rv, rw = isotropic(q1, q2)
            radius *= math.pow(q3, f32(1.0 / 3.0))
            px += ru * radius
            py += rv * radius
            pz += rw * radius
    else:
        ux = vectors[1, 0]
        uy = vectors[1, 1]
        uz = vectors[1, 2]
        vx = vectors[2, 0]
        vy = vectors[2, 1]
        vz = vectors[2, 2]
        wx = vectors[3, 0]
        wy = vectors[3, 1]
        wz = vectors[3, 2]
        a_u = beam.aperture[0]
        b_u = beam.aperture[1]
        a_v = beam.aperture[2]
        b_v = beam.aperture[3]
        if beam.kind == 1:
            s = a_u + (b_u - a_u) * r1
            t = a_v + (b_v - a_v) * r2
            px += ux * s + vx * t
            py += uy * s + vy * t
            pz += uz * s + vz * t
            u = wx
            v = wy
            w = wz
        else:
            if beam.kind == 3:
                k = pick(beam.segment_prob, beam.segment_alias, r1)
                angle = beam.segments[k, 0] + (beam.segments[k, 1] - beam.segments[k, 0]) * r2
                ca = math.cos(angle)
                sa = math.sin(angle)
                focus = pz
                px += focus * ca
                py += focus * sa
                pz = beam.segments[k, 2] + (beam.segments[k, 3] - beam.segments[k, 2]) * r2
                ux = -sa
                uy = ca
                uz = _ZERO
                vx = _ZERO
                vy = _ZERO
                vz = _ONE
                wx = -ca
                wy = -sa
                wz = _ZERO
            # uniform in solid angle times bow-tie transmission, by rejection on the slope plane
            close_u = _ZERO if a_u <= _ZERO <= b_u else min(abs(a_u), abs(b_u))
            close_v = _ZERO if a_v <= _ZERO <= b_v else min(abs(a_v), abs(b_v))
            near = _ONE + close_u * close_u + close_v * close_v
            s = _ZERO
            t = _ZERO
            n2 = _ONE
            for _ in range(10000):
                q1, q2, q3, _q4 = four(history, block, seed)
                block += 1
                s = a_u + (b_u - a_u) * q1
                t = a_v + (b_v - a_v) * q2
                n2 = _ONE + s * s + t * t
                ratio = near / n2
                accept = ratio * math.sqrt(ratio)
                if beam.transmission.size > 1:
                    accept *= fan_transmission(beam.transmission, q1, q2)
                if q3 < accept:
                    if beam.energy_prob.shape[0] > 1:
                        rows = beam.energy_prob.shape[0]
                        row = min(i32(q1 * f32(rows)), i32(rows - 1))
                    break
            norm = _ONE / math.sqrt(n2)
            u = (wx + ux * s + vx * t) * norm
            v = (wy + uy * s + vy * t) * norm
            w = (wz + uz * s + vz * t) * norm
    k = pick(beam.energy_prob[row], beam.energy_alias[row], r3)
    energy = beam.energy[k] + beam.energy_half_width * (_TWO * r4 - _ONE)
    return px, py, pz, u, v, w, energy, block


# --- geometry -------------------------------------------------------------------------------
@jit
def box_entry(x, y, z, u, v, w, lx, ly, lz, hx, hy, hz):
    """Return the distances to enter and to leave a box along a ray (entry > exit: missed)."""
    t_in = -_BIG
    t_out = _BIG
    for axis in range(3):
        p, d, lo, hi = (x, u, lx, hx) if axis == 0 else ((y, v, ly, hy) if axis == 1 else (z, w, lz, hz))
        if abs(d) < _TINY:
            if p < lo or p > hi:
                return _BIG, -_BIG
        else:
            inv = _ONE / d
            t1 = (lo - p) * inv
            t2 = (hi - p) * inv
            t_in = max(t_in, min(t1, t2))
            t_out = min(t_out, max(t1, t2))
    return t_in, t_out


@jit
def find_shape(geo, cell, x, y, z):
    """Return the index of the last shape that holds a point of a macro cell, or -1."""
    size = geo.shape_size
    for entry in range(geo.cell_shape_first[cell], geo.cell_shape_first[cell + 1]):
        k = geo.cell_shape_list[entry]
        if geo.shape_kind[k] == 0:
            if (
                size[k, 0] <= x <= size[k, 3]
                and size[k, 1] <= y <= size[k, 4]
                and size[k, 2] <= z <= size[k, 5]
            ):
                return i32(k)
        else:
            dx = x - size[k, 0]
            dy = y - size[k, 1]
            dz = z - size[k, 2]
            r2 = dx * dx + dy * dy + dz * dz
            if geo.shape_kind[k] == 2:
                if r2 <= size[k, 3] * size[k, 3]:
                    return i32(k)
                continue
            axis = geo.shape_axis[k]
            along = dx if axis == 0 else (dy if axis == 1 else dz)
            if abs(along) <= size[k, 4] and r2 - along * along <= size[k, 3] * size[k, 3]:
                return i32(k)
    return i32(-1)


@jit
def voxel_at(geo, x, y, z):
    """Return the flat voxel index at a point of the macro grid, or -1 outside the voxel grid."""
    nx = geo.n_voxel[0]
    if nx == 0:
        return i64(-1)
    fx = (x - geo.voxel_lower[0]) * geo.inv_voxel[0]
    fy = (y - geo.voxel_lower[1]) * geo.inv_voxel[1]
    fz = (z - geo.voxel_lower[2]) * geo.inv_voxel[2]
    ny = geo.n_voxel[1]
    nz = geo.n_voxel[2]
    if fx < _ZERO or fy < _ZERO or fz < _ZERO or fx > f32(nx) or fy > f32(ny) or fz > f32(nz):
        return i64(-1)
    # a point may round onto the upper face
    ix = min(i32(fx), i32(nx - 1))
    iy = min(i32(fy), i32(ny - 1))
    iz = min(i32(fz), i32(nz - 1))
    return (i64(iz) * i64(ny) + i64(iy)) * i64(nx) + i64(ix)


# --- interactions ---------------------------------------------------------------------------
@jit
def energy_bin(phys, energy):
    """Return the bin and the fraction inside it on the logarithmic energy grid."""
    a = (math.log(energy) - phys.ln_energy_0) * phys.inv_d_ln_energy
    last = i32(phys.n_energy - 2)
    i = min(max(i32(a), i32(0)), last)
    return i, min(max(a - f32(i), _ZERO), _ONE)


@jit
def compton(phys, m, energy, history, block, seed):
    """Return the scattered energy, the polar cosine and the next block (Klein-Nishina x S(x))."""
    k = energy / _MEC2
    eps0 = _ONE / (_ONE + _TWO * k)
    eps0sq = eps0 * eps0
    alpha1 = -math.log(eps0)
    alpha2 = _HALF * (_ONE - eps0sq)
    share = alpha1 / (alpha1 + alpha2)
    eps = _ONE
    t = _ZERO
    s_max = scattering_function(phys, m, energy * _INV_HC)  # S rises with x: largest at 180 degrees
    for _ in range(100000):
        r1, r2, r3, _r4 = four(history, block, seed)
        block += 1
        if r1 < share:
            eps = math.exp(-alpha1 * r2)
        else:
            eps = math.sqrt(eps0sq + (_ONE - eps0sq) * r2)
        t = min(max((_ONE - eps) / (k * eps), _ZERO), _TWO)
        sin2 = t * (_TWO - t)
        g = _ONE - eps * sin2 / (_ONE + eps * eps)
        if r3 < g:
            x = energy * _INV_HC * math.sqrt(_HALF * t)
            if r3 * s_max < g * scattering_function(phys, m, x):
                break
    return energy * eps, _ONE - t, block


@jit
def scattering_function(phys, m, x):
    """Return S(x)/S_max of a material by interpolation in ln x."""
    if x < _TINY:
        return _ZERO
    a = (math.log(x) - phys.incoherent_ln_x0) * phys.incoherent_inv_d_ln_x
    if a < _ZERO:
        # S rises as x^2 near 0
        return phys.incoherent[m, 0] * math.exp(_TWO * a / phys.incoherent_inv_d_ln_x)
    n = phys.incoherent.shape[1]
    i = min(i32(a), i32(n - 2))
    a = min(a - f32(i), _ONE)
    return phys.incoherent[m, i] * (_ONE - a) + phys.incoherent[m, i + 1] * a


@jit
def rayleigh(phys, m, energy, history, block, seed):
    """Return the polar cosine of coherent scattering (F^2 times Thomson) and the next block."""
    x2_max = energy * _INV_HC
    x2_max *= x2_max
    grid = phys.coherent_x2
    cumulative = phys.coherent_cumulative[m]
    top_bin = i32(0)
    if x2_max > grid[1]:
        top_bin = i32((math.log(x2_max) - phys.coherent_ln_x2_1) * phys.coherent_inv_d_ln_x2) + i32(1)
        top_bin = min(top_bin, i32(grid.shape[0] - 2))
    a = min((x2_max - grid[top_bin]) / (grid[top_bin + 1] - grid[top_bin]), _ONE)
    top = cumulative[top_bin] * (_ONE - a) + cumulative[top_bin + 1] * a
    cosine = _ONE
    for _ in range(10000):
        r1, r2, _r3, _r4 = four(history, block, seed)
        block += 1
        wanted = r1 * top
        low = i32(0)
        high = i32(top_bin + 1)
        while high - low > 1:
            middle = (low + high) >> 1
            if cumulative[middle] <= wanted:
                low = i32(middle)
            else:
                high = i32(middle)
        step = cumulative[low + 1] - cumulative[low]
        a = (wanted - cumulative[low]) / step if step > _ZERO else _ZERO
        x2 = grid[low] + a * (grid[low + 1] - grid[low])
        cosine = max(_ONE - _TWO * x2 / x2_max, -_ONE)
        if _TWO * r2 < _ONE + cosine * cosine:
            break
    return cosine, block


@jit
def pick_line(phys, line_set, r):
    """Return the index of the line emitted after a vacancy, or -1 (none that is transported)."""
    for k in range(phys.line_kev.shape[1]):
        if r < phys.line_cumulative[line_set, k]:
            return i32(k)
    return i32(-1)


@jit
def fluorescence(phys, m, i, a, energy, r1, r2, r3):
    """Return the energies of up to two fluorescence photons after a photoelectric event (0 = none)."""
    line_set = i32(-1)
    for k in range(phys.vacancy_first[m], phys.vacancy_first[m + 1]):
        if r1 < phys.vacancy_cumulative[k, i] * (_ONE - a) + phys.vacancy_cumulative[k, i + 1] * a:
            line_set = phys.vacancy_set[k]
            break
    if line_set < 0:
        return _ZERO, _ZERO
    line = pick_line(phys, line_set, r2)
    if line < 0:
        return _ZERO, _ZERO
    first = phys.line_kev[line_set, line]
    second = _ZERO
    line_set = phys.line_next[line_set, line]
    if line_set >= 0:
        line = pick_line(phys, line_set, r3)
        if line >= 0:
            second = phys.line_kev[line_set, line]
    if first + second > energy:  # only inside the bin that holds an edge
        return _ZERO, _ZERO
    return first, second


# --- one history ----------------------------------------------------------------------------
@jit
def mass_coefficient(phys, m, i, a, column):
    """Return a column of the photon table by linear interpolation in ln E."""
    return phys.rows[m, i, column] * (_ONE - a) + phys.rows[m, i + 1, column] * a


@jit
def score(geo, phys, voxel, shape, i, a, flux_kev, deposit_kev, density, first, energies, primaries, voxels):
    """Score one tentative collision: expected deposit, or fluence times a medium's response.

    ``flux_kev`` is E/majorant (keV cm), ``deposit_kev`` the expected energy left behind.
    """
    if shape >= 0:
        r = geo.shape_region[shape]
        energies[r] += f64(deposit_kev)
        if first:
            primaries[r] += f64(deposit_kev)
        return
    if voxel < 0:
        return
    for layer in range(geo.layers.shape[1]):
        label = i32(geo.layers[voxel, layer])
        if label > 0:
            r = geo.layer_base[layer] + label - 1
            value = deposit_kev
            k = geo.region_response[r]
            if k >= 0:
                value = flux_kev * density * (phys.response[k, i] * (_ONE - a) + phys.response[k, i + 1] * a)
            column = geo.layer_weight[layer]
            if column >= 0:
                value *= geo.weights[voxel, column]
            energies[r] += f64(value)
            if first:
                primaries[r] += f64(value)
    if voxels.size > 0 and density > _ZERO:
        tally_add(voxels, voxel, i64(deposit_kev / density * _FIXED + _HALF))


@jit
def deposit_here(geo, voxel, shape, energy, energies, voxels, density):
    """Add a deposit that the expected-value scores do not know (a photon below the cut-off)."""
    if shape >= 0:
        energies[geo.shape_region[shape]] += f64(energy)
    elif voxel >= 0:
        for layer in range(geo.layers.shape[1]):
            label = i32(geo.layers[voxel, layer])
            if label > 0:
                column = geo.layer_weight[layer]
                share = geo.weights[voxel, column] if column >= 0 else _ONE
                energies[geo.layer_base[layer] + label - 1] += f64(energy * share)
        if voxels.size > 0 and density > _ZERO:
            tally_add(voxels, voxel, i64(energy / density * _FIXED + _HALF))


@jit
def fly(
    geo,
    phys,
    x,
    y,
    z,
    u,
    v,
    w,
    i,
    a,
    energy,
    first,
    history,
    block,
    seed,
    energies,
    primaries,
    analog,
    voxels,
):
    """Carry a photon to its next real collision, scoring on the way.

    Returns (hit, x, y, z, voxel, shape, material, density, r, block); ``hit`` 0 means escaped and
    ``r`` is a uniform left over from the choice between real and virtual collision.
    """
    nothing = i64(-1)
    none = i32(-1)
    hx = geo.cell_cm[0] * f32(geo.n_cell[0])
    hy = geo.cell_cm[1] * f32(geo.n_cell[1])
    hz = geo.cell_cm[2] * f32(geo.n_cell[2])
    left = False
    tau = _ZERO
    have_tau = False
    r_accept = _ZERO
    while True:
        inside = (not left) and _ZERO <= x <= hx and _ZERO <= y <= hy and _ZERO <= z <= hz
        if not inside:
            t_in, t_out = box_entry(x, y, z, u, v, w, _ZERO, _ZERO, _ZERO, hx, hy, hz)
            enters = (not left) and t_in < t_out and t_out > _ZERO
            if enters:
                path = max(t_in, _ZERO)
            else:
                _near, path = box_entry(
                    x,
                    y,
                    z,
                    u,
                    v,
                    w,
                    geo.world_lower[0],
                    geo.world_lower[1],
                    geo.world_lower[2],
                    geo.world_upper[0],
                    geo.world_upper[1],
                    geo.world_upper[2],
                )
                path = max(path, _ZERO)
            m = i32(geo.world_material)
            sigma = mass_coefficient(phys, m, i, a, 0) * geo.world_density
            if not have_tau:
                r1, r_accept, _r3, _r4 = four(history, block, seed)
                block += 1
                tau = -math.log(r1)
                have_tau = True
            if sigma * path > tau:
                step = tau / sigma
                flux = energy / sigma
                deposit = flux * geo.world_density * mass_coefficient(phys, m, i, a, 1)
                analog[3] += f64(deposit)
                return (
                    1,
                    x + u * step,
                    y + v * step,
                    z + w * step,
                    nothing,
                    none,
                    m,
                    geo.world_density,
                    r_accept,
                    block,
                )
            if not enters:
                return 0, x, y, z, nothing, none, none, _ZERO, _ZERO, block
            tau -= sigma * path
            x = min(max(x + u * path, _ZERO), hx)
            y = min(max(y + v * path, _ZERO), hy)
            z = min(max(z + w * path, _ZERO), hz)

        # integer walk through the macro cells
        nx = geo.n_cell[0]
        ny = geo.n_cell[1]
        nz = geo.n_cell[2]
        cx = min(i32(x * geo.inv_cell[0]), i32(nx - 1))
        cy = min(i32(y * geo.inv_cell[1]), i32(ny - 1))
        cz = min(i32(z * geo.inv_cell[2]), i32(nz - 1))
        iu = _ONE / u if abs(u) > _TINY else _BIG
        iv = _ONE / v if abs(v) > _TINY else _BIG
        iw = _ONE / w if abs(w) > _TINY else _BIG
        dx = geo.cell_cm[0] * abs(iu)
        dy = geo.cell_cm[1] * abs(iv)
        dz = geo.cell_cm[2] * abs(iw)
        tx = _BIG
        ty = _BIG
        tz = _BIG
        if abs(u) > _TINY:
            tx = max((f32(cx + 1 if u > _ZERO else cx) * geo.cell_cm[0] - x) * iu, _ZERO)
        if abs(v) > _TINY:
            ty = max((f32(cy + 1 if v > _ZERO else cy) * geo.cell_cm[1] - y) * iv, _ZERO)
        if abs(w) > _TINY:
            tz = max((f32(cz + 1 if w > _ZERO else cz) * geo.cell_cm[2] - z) * iw, _ZERO)
        t = _ZERO
        cell = (cz * ny + cy) * nx + cx
        majorant = geo.majorant[geo.cell_class[cell], i]
        if not have_tau:
            r1, r_accept, _r3, _r4 = four(history, block, seed)
            block += 1
            tau = -math.log(r1)
            have_tau = True
        while True:
            t_next = min(tx, min(ty, tz))
            cost = (t_next - t) * majorant
            if tau > cost:
                tau -= cost
                t = t_next
                if tx <= ty and tx <= tz:
                    cx += 1 if u > _ZERO else -1
                    tx += dx
                    if cx < 0 or cx >= nx:
                        break
                elif ty <= tz:
                    cy += 1 if v > _ZERO else -1
                    ty += dy
                    if cy < 0 or cy >= ny:
                        break
                else:
                    cz += 1 if w > _ZERO else -1
                    tz += dz
                    if cz < 0 or cz >= nz:
                        break
                cell = (cz * ny + cy) * nx + cx
                majorant = geo.majorant[geo.cell_class[cell], i]
                continue
            # a tentative collision in this cell
            t += tau / majorant
            px = x + u * t
            py = y + v * t
            pz = z + w * t
            analog[4] += 1.0
            shape = find_shape(geo, cell, px, py, pz)
            voxel = nothing
            if shape >= 0:
                m = geo.shape_material[shape]
                density = geo.shape_density[shape]
            else:
                voxel = voxel_at(geo, px, py, pz)
                if voxel >= 0:
                    m = i32(geo.material[voxel])
                    density = geo.density[voxel]
                else:
                    m = i32(geo.world_material)
                    density = geo.world_density
            sigma = mass_coefficient(phys, m, i, a, 0) * density
            flux = energy / majorant
            deposit = flux * density * mass_coefficient(phys, m, i, a, 1)
            analog[3] += f64(deposit)
            score(geo, phys, voxel, shape, i, a, flux, deposit, density, first, energies, primaries, voxels)
            threshold = r_accept * majorant
            if threshold < sigma:
                return 1, px, py, pz, voxel, shape, m, density, min(threshold / sigma, f32(0.9999999)), block
            r1, r_accept, _r3, _r4 = four(history, block, seed)
            block += 1
            tau = -math.log(r1)
        # left the macro grid: the rest of the way is world
        x = x + u * t
        y = y + v * t
        z = z + w * t
        left = True


@jit
def follow(history, seed, beam, geo, phys, energies, primaries, analog, voxels, stack):
    """Run one history: emit a photon and follow it and its secondaries to the end."""
    x, y, z, u, v, w, energy, block = emit(beam, history, seed)
    analog[0] += f64(energy)
    first = True
    waiting = 0
    alive = energy >= phys.cutoff
    if not alive:
        analog[2] += f64(energy)
        return
    while True:
        i, a = energy_bin(phys, energy)
        hit, x, y, z, voxel, shape, m, density, r, block = fly(
            geo,
            phys,
            x,
            y,
            z,
            u,
            v,
            w,
            i,
            a,
            energy,
            first,
            history,
            block,
            seed,
            energies,
            primaries,
            analog,
            voxels,
        )
        alive = False
        if hit == 0:
            analog[2] += f64(energy)
        else:
            analog[5] += 1.0
            first = False
            local = energy
            extra = _ZERO  # deposits that the expected values do not hold
            if r < mass_coefficient(phys, m, i, a, 2):
                r1, r2, r3, _r4 = four(history, block, seed)
                block += 1
                line1, line2 = fluorescence(phys, m, i, a, energy, r1, r2, r3)
                local = energy - line1 - line2
                if line1 > _ZERO:
                    q1, q2, q3, q4 = four(history, block, seed)
                    block += 1
                    if line2 > _ZERO:
                        su, sv, sw = isotropic(q3, q4)
                        waiting = push(stack, waiting, x, y, z, su, sv, sw, line2)
                    u, v, w = isotropic(q1, q2)
                    energy = line1
                    alive = True
            elif r < mass_coefficient(phys, m, i, a, 3):
                scattered, cosine, block = compton(phys, m, energy, history, block, seed)
                r1, _r2, _r3, _r4 = four(history, block, seed)
                block += 1
                u, v, w = rotate(u, v, w, cosine, _TWO_PI * r1)
                local = energy - scattered
                energy = scattered
                alive = scattered >= phys.cutoff
                if not alive:
                    extra = scattered
            elif r < mass_coefficient(phys, m, i, a, 4) or energy <= _TWO_MEC2:
                cosine, block = rayleigh(phys, m, energy, history, block, seed)
                r1, _r2, _r3, _r4 = four(history, block, seed)
                block += 1
                u, v, w = rotate(u, v, w, cosine, _TWO_PI * r1)
                local = _ZERO
                alive = True
            else:
                r1, r2, _r3, _r4 = four(history, block, seed)
                block += 1
                u, v, w = isotropic(r1, r2)
                waiting = push(stack, waiting, x, y, z, -u, -v, -w, _MEC2)
                local = energy - _TWO_MEC2
                energy = _MEC2
                alive = True
            analog[1] += f64(local) + f64(extra)
            if extra > _ZERO:
                analog[3] += f64(extra)
                deposit_here(geo, voxel, shape, extra, energies, voxels, density)
        if not alive:
            if waiting == 0:
                return
            waiting -= 1
            x = stack[waiting, 0]
            y = stack[waiting, 1]
            z = stack[waiting, 2]
            u = stack[waiting, 3]
            v = stack[waiting, 4]
            w = stack[waiting, 5]
            energy = stack[waiting, 6]


@jit
def push(stack, waiting, x, y, z, u, v, w, energy):
    """Keep a secondary photon for later; the stack holds what any cascade here can make."""
    stack[waiting, 0] = x
    stack[waiting, 1] = y
    stack[waiting, 2] = z
    stack[waiting, 3] = u
    stack[waiting, 4] = v
    stack[waiting, 5] = w
    stack[waiting, 6] = energy
    return waiting + 1
