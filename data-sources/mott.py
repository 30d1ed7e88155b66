"""Make the packaged table ``electron_mott``: Mott over Rutherford scattering of electrons, Z = 1-98.

Computed afresh from Dirac's partial waves in the field of a point charge (N. F. Mott, Proc. R. Soc. A 124
(1929) 425 and 135 (1932) 429; series as in N. Sherman, Phys. Rev. 103 (1956) 1601, summed with the
reduction of D. R. Yennie, D. G. Ravenhall, R. N. Wilson, Phys. Rev. 95 (1954) 500).
``python data-sources/mott.py [FOLDER]``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.special import loggamma

sys.path.insert(0, str(Path(__file__).parent))
from _write import write_npz

Z_MAX = 98
ALPHA = 1 / 137.035999
MC2_KEV = 510.99895
ENERGY_KEV = np.array(
    [1, 2, 5, 10, 20, 40, 70, 100, 150, 200, 300, 400, 600, 1000, 2000, 4000, 10000, 30000.0]
)
POWERS = 5  # coefficients of (1 - cos theta)^(j/2), j = 1 .. 5; the constant is 1
_TERMS = 400
_REDUCTIONS = 4


def _reduced(a: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Sum of a_k P_k(cos) after multiplying the series with (1 - cos) several times."""
    k = np.arange(a.size)
    for _ in range(_REDUCTIONS):
        above = np.append(a[1:], 0.0)
        below = np.insert(a[:-1], 0, 0.0)
        a = a - above * (k + 1) / (2 * k + 3) - below * k / np.maximum(2 * k - 1, 1)
        a[-1] = 0.0
    polynomials = np.empty((a.size, cosine.size))
    polynomials[0], polynomials[1] = 1.0, cosine
    for n in range(1, a.size - 1):
        polynomials[n + 1] = ((2 * n + 1) * cosine * polynomials[n] - n * polynomials[n - 1]) / (n + 1)
    keep = a.size - 2 * _REDUCTIONS - 2
    return (a[:keep, None] * polynomials[:keep]).sum(axis=0) / (1 - cosine) ** _REDUCTIONS


def ratio(z: int, energy_kev: float, cosine: np.ndarray) -> np.ndarray:
    """Mott's cross section over Rutherford's (1/(4 sin^4(theta/2)) with beta and momentum) for electrons."""
    tau = energy_kev / MC2_KEV
    beta = np.sqrt(tau * (tau + 2)) / (tau + 1)
    q = ALPHA * z / beta
    k = np.arange(_TERMS + 2, dtype=np.float64)
    rho = np.sqrt(np.maximum(k**2 - (ALPHA * z) ** 2, 0))
    first = np.zeros(k.size, dtype=complex)
    second = np.zeros(k.size, dtype=complex)
    first[1:] = np.exp(loggamma(k[1:] - 1j * q) - loggamma(k[1:] + 1j * q) - 1j * np.pi * k[1:]) / (
        k[1:] + 1j * q
    )
    second[1:] = np.exp(loggamma(rho[1:] - 1j * q) - loggamma(rho[1:] + 1j * q) - 1j * np.pi * rho[1:]) / (
        rho[1:] + 1j * q
    )
    d = first - second
    sign = np.where(np.arange(_TERMS + 1) % 2, -1.0, 1.0)
    n = k[:-1]
    f1 = 0.5j * _reduced(sign * (n * d[:-1] + (n + 1) * d[1:]), cosine)
    g1 = 0.5j * _reduced(sign * (n**2 * d[:-1] - (n + 1) ** 2 * d[1:]), cosine)
    s2 = 0.5 * (1 - cosine)
    f0 = 0.5j * np.exp(loggamma(1 - 1j * q) - loggamma(1 + 1j * q) + 1j * q * np.log(s2))
    g0 = -1j * q * f0 * (1 - s2) / s2
    f, g = f0 + f1, g0 + g1
    # in units of (hbar/p)^2: q^2 (1 - beta^2) |F|^2 / sin^2 + |G|^2 / cos^2, over q^2 / (4 sin^4)
    mott = q**2 * (1 - beta**2) * np.abs(f) ** 2 / s2 + np.abs(g) ** 2 / (1 - s2)
    return mott * 4 * s2**2 / q**2


def make() -> dict[str, np.ndarray]:
    """Fit the coefficients at every energy and element."""
    theta = np.radians(np.linspace(10.0, 179.0, 60))
    cosine = np.cos(theta)
    basis = (1 - cosine)[:, None] ** (0.5 * np.arange(1, POWERS + 1))
    coefficients = np.zeros((Z_MAX, ENERGY_KEV.size, POWERS), np.float32)
    worst = 0.0
    for z in range(1, Z_MAX + 1):
        for i, kev in enumerate(ENERGY_KEV):
            exact = ratio(z, float(kev), cosine)
            fit = np.linalg.lstsq(basis, exact - 1, rcond=None)[0]
            coefficients[z - 1, i] = fit
            if kev >= 40:
                worst = max(worst, float(np.abs(basis @ fit + 1 - exact).max()))
    print(f"largest misfit from 40 keV: {worst:.4f} of Rutherford")
    return {"energy_kev": ENERGY_KEV, "coefficient": coefficients}


INFO = {
    "quantity": "Mott over Rutherford elastic scattering of electrons: "
    "1 + sum of c_j (1 - cos theta)^(j/2), j = 1 to 5",
    "unit": "keV; dimensionless; coefficient [Z - 1, energy, j - 1]",
    "source": "computed from Dirac's partial waves in a Coulomb field (N. F. Mott 1929, 1932; N. Sherman, "
    "Phys. Rev. 103 (1956) 1601)",
    "licence": "Apache-2.0",
    "made_by": "data-sources/mott.py",
    "verified": "D: derived here; agrees with the second Born approximation of McKinley and Feshbach for "
    "light elements (tests)",
    "notes": "point nucleus without screening: below about 20 keV in heavy elements the screened field "
    "differs",
}

if __name__ == "__main__":
    write_npz("electron_mott", make(), INFO, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
