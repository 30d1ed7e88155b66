"""Rows of what a plan does not count: refused with a sentence, never left out in silence."""

from __future__ import annotations

from collections.abc import Iterator

from omnidose.errors import InputError
from omnidose.modalities.nuclear.planning import blood
from omnidose.modalities.nuclear.proofs.rows import said_row
from omnidose.physics.nuclides import nuclide
from omnidose.transport.tally import MGY_PER_KEV_G
from omnidose.validation import Row, within


def refusal_rows() -> Iterator[Row]:
    """Alpha emitters and late progeny are refused; progeny that decays at once is counted."""
    for name, words in (
        ("Ra-223", "alpha particles"),
        ("Ac-225", "alpha particles"),
        ("At-211", "alpha particles"),
        ("Th-227", "alpha particles"),
        ("Pb-212", "decays later"),
        ("Mo-99", "decays later"),
    ):
        try:
            blood.blood_terms(name)
            answer = ""
        except InputError as error:
            answer = str(error)
        yield said_row(
            f"{name} in blood: alpha particles or late progeny are refused",
            str(words in answer),
            "True",
            source=f"a sentence with '{words}'",
        )
    alone, isomer = nuclide("Zr-89"), nuclide("Y-89m")
    kept = [
        sum(float((p.energy_kev * p.per_decay * blood.body_absorbs(p.energy_kev, "M")).sum()) for p in parts)
        for parts in ((alone.photon_lines, alone.annihilation_lines), (isomer.photon_lines,))
    ]
    mass_g = blood.body_reference_g("M")
    unit = 3.6e9 * MGY_PER_KEV_G / mass_g * (mass_g / 1000) ** (2 / 3)
    yield within(
        "89Zr with 89mY, photons of the whole body: coefficient times M^(2/3)",
        blood.blood_terms("Zr-89").body_mgy_kg23_per_mbq_h,
        unit * (kept[0] + 0.9987 * kept[1]),
        unit="Gy kg^(2/3)/(GBq h)",
        source="both nuclides' photons by hand, 0.9987 isomers per decay",
        tolerance_rel=0.002,
        note=f"without the isomer {unit * kept[0]:.4f}",
    )
