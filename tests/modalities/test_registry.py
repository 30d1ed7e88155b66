"""The modality protocol and its registry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnidose import modalities as room
from omnidose.anatomy.body import BodyModel
from omnidose.errors import InputError
from omnidose.modalities import Modality, modalities
from omnidose.modalities.ct import MODALITY, CtModality
from omnidose.testing import check_modality, record_differences


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    modalities.cache_clear()
    yield
    modalities.cache_clear()


def points(*pairs: tuple[str, object]) -> Any:
    made = [SimpleNamespace(name=n, value="x:Y", load=lambda o=o: o) for n, o in pairs]
    return lambda group: made if group == room.GROUP else []


def test_ct_fulfils_the_protocol_which_has_six_members() -> None:
    assert isinstance(MODALITY, Modality)
    members = {name for name in vars(Modality) if not name.startswith("_")}
    assert members == {"name", "title", "claims", "ingest", "estimate", "synthetic"}


def test_every_registered_modality_fulfils_the_protocol() -> None:
    assert modalities()["ct"] is MODALITY
    assert all(isinstance(item, Modality) for item in modalities().values())


def test_registry_finds_and_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "entry_points", points(("ct", MODALITY)))
    assert modalities() == {"ct": MODALITY}
    modalities.cache_clear()
    monkeypatch.setattr(room, "entry_points", points(("ct", object())))
    with pytest.raises(InputError, match="holds no modality"):
        modalities()
    modalities.cache_clear()
    monkeypatch.setattr(room, "entry_points", points(("mr", MODALITY)))
    with pytest.raises(InputError, match="of that name"):
        modalities()


def test_contract_catches_a_record_that_changes(tmp_path: Path, make_scan: Any, torso: BodyModel) -> None:
    class Wrong(CtModality):
        def ingest(self, claim: Any, given: Any = None) -> Any:
            return replace(super().ingest(claim, given), kv=80.0)

    with pytest.raises(AssertionError, match=r"kv: 120\.0 became 80\.0"):
        check_modality(Wrong(), make_scan(), torso, tmp_path)


def test_contract_catches_a_claim_on_nothing(tmp_path: Path, make_scan: Any, torso: BodyModel) -> None:
    class Greedy(CtModality):
        def claims(self, inventory: Any) -> Any:
            found = super().claims(inventory)
            return found if found else [replace(self.kept, key="again")]

        kept: Any = None

        def ingest(self, claim: Any, given: Any = None) -> Any:
            Greedy.kept = claim
            return super().ingest(claim, given)

    with pytest.raises(AssertionError, match="empty folder"):
        check_modality(Greedy(), make_scan(), torso, tmp_path)


def test_differences_of_records(make_scan: Any) -> None:
    scan = make_scan()
    assert record_differences(scan, replace(scan, kv=120.5), tolerance_rel=0.01) == []
    assert record_differences(scan, replace(scan, kv=120.5)) == ["kv: 120.0 became 120.5"]
    assert record_differences(scan, 5) == ["CtScan became int"]
