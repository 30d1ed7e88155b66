"""The organ vocabulary is unambiguous and closes on itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidose.anatomy.organs import (
    ALIASES,
    combined_organs,
    from_totalsegmentator,
    members,
    organ,
    organs,
    organs_of_tissue,
)
from omnidose.errors import InputError

KEYS = st.sampled_from(sorted(organs()))


@given(KEYS)
def test_round_trip(key: str) -> None:
    assert organ(key).key == key
    assert organ(key.replace("-", " ").title()).key == key
    assert organ(key.replace("-", "_").upper()).key == key


@given(KEYS)
def test_totalsegmentator_round_trip(key: str) -> None:
    for name in organ(key).totalsegmentator:
        assert from_totalsegmentator(name) == key


@given(KEYS)
def test_paired_organs_have_both_sides_and_a_parent(key: str) -> None:
    item = organ(key)
    if item.laterality:
        other = {"left": "right", "right": "left"}[item.laterality]
        twin = organ(key.replace(item.laterality, other, 1))
        assert twin.parent == item.parent != ""
        assert twin.tissue == item.tissue
        assert twin.snomed_code == item.snomed_code
        # a name with a side never lands on the other side
        assert all(item.laterality in name for name in item.totalsegmentator)


def test_names_are_unique() -> None:
    classes = [name for item in organs().values() for name in item.totalsegmentator]
    assert len(classes) == len(set(classes))
    titles = [item.name for item in organs().values()]
    assert len(titles) == len(set(titles))
    assert not set(ALIASES) & set(organs())
    assert set(ALIASES.values()) <= set(organs())


def test_snomed_codes_come_with_a_meaning() -> None:
    for item in organs().values():
        assert bool(item.snomed_code) == bool(item.snomed_meaning), item.key
        assert item.snomed_code.isdigit() or not item.snomed_code


def test_snomed_codes_agree_with_the_dictionary_of_pydicom() -> None:
    concepts = pytest.importorskip("pydicom.sr._concepts_dict").concepts["SCT"]
    known = {code for entry in concepts.values() for code in entry}
    assert {item.snomed_code for item in organs().values() if item.snomed_code} <= known


def test_parents_exist_and_every_combination_has_members() -> None:
    for item in organs().values():
        assert item.parent == "" or item.parent in organs()
    order = list(combined_organs())
    assert members("kidneys") == ("left-kidney", "right-kidney")
    assert "rectum" in members("colon")
    assert order.index("femora") < order.index("skeleton")


def test_tissue_groups() -> None:
    assert set(organs_of_tissue("gonads")) >= {"testes", "ovaries", "left-ovary"}
    assert from_totalsegmentator("lung_middle_lobe_right") == "right-lung"
    assert from_totalsegmentator("vertebrae_T12") == "thoracic-spine"
    assert from_totalsegmentator("kidney_cyst_left") is None


def test_unknown_organ_is_refused_with_close_names() -> None:
    with pytest.raises(InputError, match="left-kidney"):
        organ("left kidny")
