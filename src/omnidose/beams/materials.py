"""Materials of filters and dosimetry phantoms."""

from __future__ import annotations

from omnidose.physics.materials import Material

#: Filter and equivalent-filter metal.
ALUMINIUM = Material(name="aluminium", weight_fractions={13: 1.0}, density_g_cm3=2.699)
#: Added filter of low-noise protocols ("Sn100 kV").
TIN = Material(name="tin", weight_fractions={50: 1.0}, density_g_cm3=7.31)
#: Polymethyl methacrylate (C5H8O2)n; density of CTDI phantoms as in IEC 60601-2-44 (1.19 g/cm3).
PMMA = Material(name="PMMA", weight_fractions={1: 0.0805, 6: 0.5999, 8: 0.3196}, density_g_cm3=1.19)
#: Liquid water (H2O), for size phantoms.
WATER = Material(name="water", weight_fractions={1: 0.1119, 8: 0.8881}, density_g_cm3=0.998)

#: Filters a bow-tie or a beam can be made of, by name.
FILTERS = {material.name: material for material in (ALUMINIUM, TIN, PMMA)}
