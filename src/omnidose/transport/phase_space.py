"""``PhaseSpace``: photons where they left the world, to be listed, written and read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.transport.kernels.outputs import EXIT_NUMBERS

ArrayF8 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhaseSpace:
    """Photons where they left the world, in the order of their histories.

    Attributes
    ----------
    position_mm, direction
        [n, 3] on the box where the world ends; unit vectors.
    energy_kev
        [n].
    interactions
        [n] number of interactions on its way. A fluorescence or annihilation photon inherits those of the
        photon that made it.
    kind
        [n] index into ``omnidose.transport.outputs.CLASSES``.
    history
        [n] number of the history, from 0.
    left
        Photons that left in the whole run; more than n if the list was full.
    histories, seed
        Of the run.
    """

    position_mm: ArrayF8
    direction: ArrayF8
    energy_kev: ArrayF8
    interactions: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]
    history: npt.NDArray[np.int64]
    left: int
    histories: int
    seed: int

    @classmethod
    def from_rows(
        cls, rows: ArrayF8, origin_mm: ArrayF8, *, left: int, histories: int, seed: int
    ) -> PhaseSpace:
        """Make it from what the kernels wrote ([n, 9], see ``kernels/outputs.py``)."""
        past = rows[:, 7].astype(np.int64)
        return cls(
            position_mm=10 * rows[:, :3] + origin_mm,
            direction=rows[:, 3:6].copy(),
            energy_kev=rows[:, 6].copy(),
            interactions=(past // 4).astype(np.int32),
            kind=(past % 4).astype(np.uint8),
            history=rows[:, 8].astype(np.int64),
            left=left,
            histories=histories,
            seed=seed,
        )

    @property
    def complete(self) -> bool:
        """Whether every photon that left is in the list."""
        return self.left == self.energy_kev.size

    def write(self, path: Path) -> None:
        """Write ``.npz`` (these arrays under these names) or ``.csv`` (names with units, then photons).

        Raises
        ------
        InputError
            If the name ends otherwise.
        """
        if path.suffix == ".npz":
            arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in self.__slots__}
            np.savez_compressed(path, **arrays)
            return
        if path.suffix != ".csv":
            raise InputError(
                f"a phase space in {path.name}", where=str(path), allowed="names in .npz or .csv"
            )
        numbers = (self.interactions, self.kind, self.history)
        with path.open("w", encoding="ascii", newline="\n") as file:
            file.write(
                f"# photons that left: {self.left}, in this file: {self.energy_kev.size}, "
                f"histories: {self.histories}, seed: {self.seed}\n"
                "x_mm,y_mm,z_mm,u,v,w,energy_kev,interactions,kind,history\n"
            )
            real = np.column_stack([self.position_mm, self.direction, self.energy_kev])
            for values, *whole in zip(real, *numbers, strict=True):
                file.write(",".join([*(f"{v:.7g}" for v in values), *(str(n) for n in whole)]) + "\n")

    @classmethod
    def read(cls, path: Path) -> PhaseSpace:
        """Read what ``write`` wrote as ``.npz``.

        Raises
        ------
        InputError
            If it is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                given: dict[str, Any] = {name: file[name] for name in cls.__slots__}
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"no phase space can be read ({error})", where=str(path)) from error
        given.update({name: int(given[name]) for name in ("left", "histories", "seed")})
        return cls(**given)


def exit_bytes(photons: int) -> int:
    """Return the memory of a list of photons that leave (bytes)."""
    return 8 * EXIT_NUMBERS * photons
