"""Media of dose kernels, and the limits of the kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnidose.errors import InputError
from omnidose.physics.material_library import material

#: Electrons and photons below are absorbed where they are set free: ranges of 2.5 and 2 micrometres in
#: water, against voxels of 1 mm.
LOWEST_ELECTRON_KEV, LOWEST_PHOTON_KEV = 10.0, 2.0
#: Ends of the packaged tables.
HIGHEST_ELECTRON_KEV, HIGHEST_PHOTON_KEV = 4000.0, 5000.0
#: Nothing is denser (osmium 22.6).
HIGHEST_G_CM3 = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """An endless medium.

    Attributes
    ----------
    composition
        Name in the material library: attenuation of photons, bremsstrahlung of electrons.
    scale
        Electrons: distances in g/cm2 times this are those in water. 0.985 for soft tissue and 0.95 for
        cortical bone (W. G. Cross, Phys. Med. Biol. 13 (1968) 611, and Cross, Freedman, Wong, Health
        Phys. 63 (1992) 160, as quoted in later tables: grade C).
    """

    name: str
    density_g_cm3: float
    composition: str = "water"
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.density_g_cm3) and 0.001 <= self.density_g_cm3 <= HIGHEST_G_CM3):
            raise InputError(
                f"a density of {self.density_g_cm3:g} g/cm3",
                where=self.name,
                allowed=f"0.001 to {HIGHEST_G_CM3:g} g/cm3",
            )
        material(self.composition)  # an unknown one is refused here
        if not 0.5 <= self.scale <= 2:
            raise InputError(
                f"distances scaled by {self.scale:g}", where=self.name, allowed="0.5 to 2 (water: 1)"
            )


_TISSUE = "soft tissue, four components"
MEDIA = {
    medium.name: medium
    for medium in (
        Medium(name="water", density_g_cm3=1.0),
        Medium(name="soft tissue", density_g_cm3=1.04, composition=_TISSUE, scale=0.985),
        Medium(name="bone", density_g_cm3=1.92, composition="cortical bone", scale=0.95),
        Medium(name="lung", density_g_cm3=0.296, composition="lung tissue", scale=0.985),
    )
}


def medium_of(medium: Medium | str) -> Medium:
    """Return a medium by name, or itself.

    Raises
    ------
    InputError
        For an unknown name.
    """
    if isinstance(medium, Medium):
        return medium
    try:
        return MEDIA[medium]
    except KeyError:
        raise InputError(
            f"there is no medium '{medium}'",
            where="medium",
            allowed=f"{', '.join(MEDIA)}, or a Medium with its density and scale",
        ) from None
