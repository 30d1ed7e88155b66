"""Units as dose reports write them -> the canonical unit of omnidose. An unknown unit is an error.

Reports of different makers give one quantity in several units (kerma-area product in Gy.m2, dGy.cm2,
mGy.cm2; dose at the reference point in Gy or mGy), and spell one unit in several ways (``mGy.cm``,
``mGycm``). The unit is therefore always read from MeasurementUnitsCodeSequence, through this table.
"""

from __future__ import annotations

from omnidose.errors import DicomError

#: canonical unit -> {spelling without dots, spaces and braces: factor to the canonical unit}
_FACTORS: dict[str, dict[str, float]] = {
    "mGy": {"mGy": 1.0, "Gy": 1e3, "uGy": 1e-3, "cGy": 10.0, "dGy": 100.0},
    "mGy.cm": {"mGycm": 1.0, "Gycm": 1e3, "mGym": 100.0, "uGym": 0.1, "Gym": 1e5},
    "Gy.cm2": {
        "Gym2": 1e4, "Gycm2": 1.0, "dGycm2": 0.1, "cGycm2": 1e-2, "mGycm2": 1e-3, "uGym2": 1e-2,
        "mGym2": 10.0, "uGycm2": 1e-6,
    },
    "mm": {"mm": 1.0, "cm": 10.0, "m": 1e3, "um": 1e-3},
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0},
    "kV": {"kV": 1.0, "V": 1e-3, "kVp": 1.0},
    "mA": {"mA": 1.0, "A": 1e3, "uA": 1e-3},
    "mA.s": {"mAs": 1.0, "uAs": 1e-3, "As": 1e3},
    "MBq": {"MBq": 1.0, "Bq": 1e-6, "kBq": 1e-3, "GBq": 1e3, "mCi": 37.0},
    "mSv": {"mSv": 1.0, "Sv": 1e3, "uSv": 1e-3},
    "1": {"1": 1.0, "ratio": 1.0, "{ratio}": 1.0, "%": 0.01, "{events}": 1.0, "events": 1.0,
          "nounits": 1.0, "": 1.0},
}  # fmt: skip


def factor_to(canonical: str, code: str, *, where: str = "") -> float:
    """Return the factor from the unit ``code`` to the canonical unit.

    Raises
    ------
    DicomError
        If the code is not a known spelling of a unit of that quantity.
    """
    table = _FACTORS[canonical]
    cleaned = code.strip().replace("\u00b5", "u").replace("*", "").replace("^", "").replace(" ", "")
    for spelling in (cleaned, cleaned.replace(".", "").replace("\u00b2", "2").replace("\u00b7", "")):
        if spelling in table:
            return table[spelling]
    if cleaned.startswith("{") and cleaned.endswith("}") and canonical == "1":
        return 1.0
    raise DicomError(
        f"the unit '{code}' is not one in which this quantity is known",
        where=where or "MeasurementUnitsCodeSequence (0040,08EA)",
        allowed=", ".join(sorted(table)),
        todo="report the device and its report so that the unit can be added",
    )
