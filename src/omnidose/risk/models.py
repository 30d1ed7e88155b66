"""The door for risk models: the protocol and the small registry."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from omnidose.errors import InputError
from omnidose.provenance import Assumption
from omnidose.risk.exposures import SiteExposure
from omnidose.risk.population import Population

ArrayF8 = npt.NDArray[np.float64]


@runtime_checkable
class RiskModel(Protocol):
    """What the engine asks of a model.

    A model turns the exposures of one cancer site into excess cases per person exposed. It draws
    its parameters once (:meth:`sample`) so that every site and event shares them.
    """

    name: str
    source: str
    limit_mgy: float

    def sites(self, sex: str) -> tuple[str, ...]:
        """Return the cancer sites the model knows for this sex."""
        ...

    def central(self, site: str, exposures: tuple[SiteExposure, ...], people: Population) -> float:
        """Return the excess probability at central parameters and doses."""
        ...

    def sample(self, rng: np.random.Generator, draws: int, sex: str) -> object:
        """Draw all parameters once."""
        ...

    def drawn(
        self, site: str, exposures: tuple[SiteExposure, ...], people: Population, parameters: object
    ) -> ArrayF8:
        """Return [draws] of the excess probability with parameters from :meth:`sample`."""
        ...

    def needs_baseline(self, site: str, sex: str) -> bool:
        """Return True if the site has no absolute model, so that baseline statistics are a must."""
        ...

    def relative_share(self, site: str, sex: str) -> float:
        """Return the weight of the relative transfer (0: absolute only)."""
        ...

    def assumptions(self) -> tuple[Assumption, ...]:
        """Return what the model takes for granted."""
        ...

    def tables(self) -> dict[str, str]:
        """Return packaged table name -> sha256."""
        ...


def model_names() -> tuple[str, ...]:
    """Return the names of all registered models."""
    found = {point.name for point in entry_points(group="omnidose.risk_models")}
    return tuple(sorted(found | {"beir7"}))


def load_model(name: str) -> RiskModel:
    """Load a model by name: ``beir7`` or one announced in the group ``omnidose.risk_models``.

    Raises
    ------
    InputError
        If no model has this name, or what is announced does not keep the protocol.
    """
    if name == "beir7":
        from omnidose.risk.beir7 import Beir7

        return Beir7()
    for point in entry_points(group="omnidose.risk_models"):
        if point.name == name:
            model = point.load()()
            if not isinstance(model, RiskModel):
                raise InputError(f"'{name}' is not a risk model", where=point.value)
            return model
    raise InputError(f"there is no risk model '{name}'", allowed=", ".join(model_names()))
