"""Masks of lesions: names, the organ they lie in, and their place in the body."""

from __future__ import annotations

import numpy as np
import pytest

from omnidose.dicom.masks import MaskSet
from omnidose.errors import InputError
from omnidose.exams.given_masks import canonical_labels, into_hosts, lesion_key, with_lesions
from omnidose.volume import Grid

GRID = Grid.centred((12, 12, 12), (2.5, 2.5, 2.5))


def masks(names: dict[int, str]) -> MaskSet:
    labels = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    labels[1:11, 1:11, 1:11] = 1
    labels[4:7, 4:7, 4:7] = 2
    return MaskSet(labels=labels, grid=GRID, names=names, kind="SEG")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("lesion 1", "lesion-1"),
        ("Lesion_2", "lesion-2"),
        ("Tumour left", "lesion-tumour-left"),
        ("GTV1", "lesion-gtv1"),
        ("gtv 1", "lesion-gtv-1"),
        ("liver metastasis", "lesion-liver-metastasis"),
        ("liver", ""),
        ("ROI 3", ""),
    ],
)
def test_names_of_lesions(name: str, key: str) -> None:
    assert lesion_key(name) == key


def test_a_lesion_is_no_organ_and_lies_in_one() -> None:
    found = canonical_labels(masks({1: "liver", 2: "lesion 1"}))
    assert found.names == {1: "liver"}
    assert int(found.lesions["lesion-1"].sum()) == 27
    assert not (found.labels[4:7, 4:7, 4:7]).any()
    filled = into_hosts(found.labels, found.lesions)
    assert (filled[4:7, 4:7, 4:7] == 1).all()
    assert not found.labels[5, 5, 5]  # the given array is not changed


def test_lesions_come_back_with_the_organs() -> None:
    found = canonical_labels(masks({1: "liver", 2: "lesion 1"}))
    filled = into_hosts(found.labels, found.lesions)
    shown, names = with_lesions(filled, found.names, found.lesions)
    assert names == {1: "liver", 2: "lesion-1"}
    assert (shown[4:7, 4:7, 4:7] == 2).all()
    assert canonical_labels(masks(names)).lesions["lesion-1"].sum() == 27


def test_lesions_alone_are_masks_enough() -> None:
    found = canonical_labels(masks({1: "tumour", 2: "lesion 1"}))
    assert set(found.lesions) == {"lesion-tumour", "lesion-1"}
    assert not found.names


def test_names_of_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="organ or a lesion"):
        canonical_labels(masks({1: "roi", 2: "box"}))
