"""Phantoms from equations: the Cristy-Eckerman family, any sex, age and size, as voxels."""

from __future__ import annotations

from omnidose.anatomy.stylised.ct_numbers import stylised_to_hu
from omnidose.anatomy.stylised.dimensions import COLUMNS, SEXES, fit_dimensions, media, reference_dimensions
from omnidose.anatomy.stylised.make import make_phantom

__all__ = [
    "COLUMNS",
    "SEXES",
    "fit_dimensions",
    "make_phantom",
    "media",
    "reference_dimensions",
    "stylised_to_hu",
]
