"""Named materials from the packaged table ``materials``."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from omnidose.data import load
from omnidose.errors import InputError
from omnidose.physics.materials import Material


def material(name: str) -> Material:
    """Return a material of the library by its name or one of its other names, in any case.

    Raises
    ------
    InputError
        If the library has no such material.
    """
    library, other_names = _library()
    key = name.strip().lower()
    try:
        return library[other_names.get(key, key)]
    except KeyError:
        raise InputError(
            f"there is no material '{name}'",
            allowed=", ".join(library),
            todo="or make a Material from weight fractions and a density",
        ) from None


def material_names() -> tuple[str, ...]:
    """Return the names of all materials of the library."""
    return tuple(_library()[0])


def material_source(name: str) -> str:
    """Return where the composition of a library material was published."""
    row = material(name).name
    return next(str(entry["source"]) for entry in load("materials").rows() if entry["name"] == row)


@cache
def _library() -> tuple[MappingProxyType[str, Material], MappingProxyType[str, str]]:
    library: dict[str, Material] = {}
    other_names: dict[str, str] = {}
    for row in load("materials").rows():
        name = str(row["name"])
        library[name] = Material(
            name=name,
            weight_fractions=weights_from_text(str(row["weights_percent"])),
            density_g_cm3=float(row["density_g_cm3"]),
        )
        other_names |= {other: name for other in str(row["also"]).split(";") if other}
    return MappingProxyType(library), MappingProxyType(other_names)


def weights_from_text(text: str) -> dict[int, float]:
    """Read ``"1:11.19 8:88.81"`` (Z:per cent) as weight fractions."""
    pairs = (part.split(":") for part in text.split())
    return {int(z): float(percent) / 100 for z, percent in pairs}
