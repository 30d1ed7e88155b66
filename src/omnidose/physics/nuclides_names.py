"""Names of nuclides: every way people write one becomes ``Lu-177`` or ``Tc-99m``."""

from __future__ import annotations

import re
from difflib import get_close_matches

from omnidose.errors import InputError

#: Symbol and English name of the elements in the order of Z = 1 to 98.
_TABLE = """
hydrogen H, helium He, lithium Li, beryllium Be, boron B, carbon C, nitrogen N, oxygen O, fluorine F, neon Ne
sodium Na, magnesium Mg, aluminium Al, silicon Si, phosphorus P, sulphur S, chlorine Cl, argon Ar
potassium K, calcium Ca, scandium Sc, titanium Ti, vanadium V, chromium Cr, manganese Mn, iron Fe, cobalt Co
nickel Ni, copper Cu, zinc Zn, gallium Ga, germanium Ge, arsenic As, selenium Se, bromine Br, krypton Kr
rubidium Rb, strontium Sr, yttrium Y, zirconium Zr, niobium Nb, molybdenum Mo, technetium Tc, ruthenium Ru
rhodium Rh, palladium Pd, silver Ag, cadmium Cd, indium In, tin Sn, antimony Sb, tellurium Te, iodine I
xenon Xe, caesium Cs, barium Ba, lanthanum La, cerium Ce, praseodymium Pr, neodymium Nd, promethium Pm
samarium Sm, europium Eu, gadolinium Gd, terbium Tb, dysprosium Dy, holmium Ho, erbium Er, thulium Tm
ytterbium Yb, lutetium Lu, hafnium Hf, tantalum Ta, tungsten W, rhenium Re, osmium Os, iridium Ir, platinum Pt
gold Au, mercury Hg, thallium Tl, lead Pb, bismuth Bi, polonium Po, astatine At, radon Rn, francium Fr
radium Ra, actinium Ac, thorium Th, protactinium Pa, uranium U, neptunium Np, plutonium Pu, americium Am
curium Cm, berkelium Bk, californium Cf
"""
ELEMENTS: tuple[str, ...]
SYMBOLS: tuple[str, ...]
ELEMENTS, SYMBOLS = (
    tuple(words)
    for words in zip(*(pair.split() for pair in _TABLE.strip().replace("\n", ", ").split(", ")), strict=True)
)
_OTHER_SPELLINGS = {"aluminum": "aluminium", "sulfur": "sulphur", "cesium": "caesium", "lutecium": "lutetium"}
_Z = {symbol.lower(): z for z, symbol in enumerate(SYMBOLS, start=1)}
_Z |= {name: z for z, name in enumerate(ELEMENTS, start=1)}
_Z |= {other: _Z[name] for other, name in _OTHER_SPELLINGS.items()}
#: Mass number before the element (177mLu, 99m-Tc, ^{177}Lu, 99Tcm) and after it (Lu-177m, lutetium 177m).
_BEFORE = re.compile(r"(?P<a>\d{1,3})(?P<m>m[12])?(?P<e>[a-z]+)")
_AFTER = re.compile(r"(?P<e>[a-z]+)(?P<a>\d{1,3})(?P<m>m[12]?)?")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹ᵐ", "0123456789m")
#: What stands between element and number: spaces, brackets, and every dash that a text program puts for "-"
#: (hyphens U+2010 and U+2011, figure, en and em dash, bar, minus sign).
_BETWEEN = re.compile(r"[\s\-\u2010-\u2015\u2212_^{}()\[\]]+")


def parse(name: str) -> tuple[int, int, str]:
    """Return (Z, A, "" or "m") of a name.

    Raises
    ------
    InputError
        If this is no name of a nuclide: no element, no mass number, or no such atom.
    """
    text = _BETWEEN.sub("", name.translate(_SUPERSCRIPTS)).lower()
    for pattern in (_AFTER, _BEFORE):
        found = pattern.fullmatch(text)
        if found is None:
            continue
        readings = [(found["e"], found["m"])]
        if pattern is _BEFORE and found["e"].startswith("m"):
            readings.append((found["e"][1:], "m"))  # 99mTc; 99Mo and 52Mn are what they say
        if pattern is _BEFORE and found["e"].endswith("m") and not found["m"]:
            readings.append((found["e"][:-1], "m"))  # 99Tcm; 153Sm is what it says
        number = int(found["a"])
        for element, metastable in readings:
            z = _Z.get(element)
            if z is not None and z <= number <= 3 * z + 3:
                return z, number, "m" if metastable else ""
    close = get_close_matches(re.sub(r"\d", "", text), list(_Z), n=3)
    raise InputError(
        f"'{name}' is no name of a nuclide",
        allowed="element and mass number: Lu-177, 177Lu, Lu177, lutetium-177, Tc-99m, 99mTc",
        todo=f"did you mean {', '.join(SYMBOLS[_Z[c] - 1] for c in close)}" if close else "",
    )


def atomic_number(element: str) -> int:
    """Return Z of a symbol or an English name; a mass number around it is not looked at.

    Raises
    ------
    InputError
        If there is no such element.
    """
    z = _Z.get(re.sub(r"[^a-z]", "", element.lower()))
    if z is None:
        raise InputError(f"'{element}' is no element", allowed=f"{SYMBOLS[0]} to {SYMBOLS[-1]}, or names")
    return z


def standard_name(z: int, a: int, isomer: str = "") -> str:
    """Return ``Lu-177m`` of Z 71, A 177 and "m"."""
    return f"{SYMBOLS[z - 1]}-{a}{isomer}"


def standard(name: str) -> str:
    """Return the standard form of any spelling (``177mLu`` -> ``Lu-177m``)."""
    return standard_name(*parse(name))
