"""What each maker means by the same tag."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """Meaning of a maker's tags.

    Attributes
    ----------
    exposure_is_effective
        Exposure (0018,1152) of a helix is mA x rotation time / pitch.
    time_is_effective
        ExposureTime (0018,1150) of a helix is rotation time / pitch.
    isocentre_at_origin
        Image coordinates have x = y = 0 on the axis of rotation.
    slice_ctdivol_of_max_current
        Older software writes CTDIvol for the maximum tube current into every slice.
    collimation_may_be_thickness
        The collimation of converted dose reports may be the slice thickness.
    """

    exposure_is_effective: bool = False
    time_is_effective: bool = False
    isocentre_at_origin: bool = False
    slice_ctdivol_of_max_current: bool = False
    collimation_may_be_thickness: bool = False


#: First word of the manufacturer's name -> what its tags mean. Siemens: 615 mA x 0.33 s / 0.8 = 254 is
#: written as Exposure 253. Philips: 0.5 s / 0.391 = 1.28 s is written as ExposureTime 1277 ms.
QUIRKS = {
    "SIEMENS": Quirk(exposure_is_effective=True),
    "PHILIPS": Quirk(exposure_is_effective=True, time_is_effective=True),
    "GE": Quirk(isocentre_at_origin=True, collimation_may_be_thickness=True),
    "TOSHIBA": Quirk(slice_ctdivol_of_max_current=True),
    "CANON": Quirk(),
}


def quirk_of(manufacturer: str) -> Quirk:
    """Return the meaning of a manufacturer's tags (the standard's own for an unknown one)."""
    words = manufacturer.upper().replace("_", " ").split()
    return QUIRKS.get(words[0], Quirk()) if words else Quirk()
