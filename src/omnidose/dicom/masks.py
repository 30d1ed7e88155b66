"""Given organ masks -> :class:`MaskSet` on the CT's or the transport grid.

Accepted: DICOM SEG, RTSTRUCT, NIfTI label map, folder of NIfTI masks named by organ (TotalSegmentator's
names), or a zip of these. Masks on another frame of reference, or nowhere on the images, are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from omnidose.dicom.inventory import Inventory, NiftiFile, Series, read_inventory
from omnidose.dicom.nifti import read_nifti
from omnidose.dicom.resampling import Method, resample_labels
from omnidose.dicom.rtstruct import read_contours
from omnidose.dicom.seg import SEG_CLASSES, read_segments
from omnidose.errors import GeometryError, InputError
from omnidose.volume import Grid, Volume

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
Kind = Literal["SEG", "RTSTRUCT", "NIfTI"]

#: A mask that lies outside the images by more than this share of its volume is reported.
_OUTSIDE_FRACTION = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskSet:
    """Exclusive organ labels on a grid.

    Attributes
    ----------
    labels
        uint8 (or uint16 from 256 organs on) [z, y, x]; 0 means no organ.
    names
        Label -> name as the masks give it (not yet a canonical organ name).
    kind
        Where the masks come from, in words.
    warnings
        Overlaps, organs cut by the edge of the images, names without voxels.
    """

    labels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    grid: Grid
    names: dict[int, str]
    kind: Kind
    source_uids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def mask(self, name: str) -> npt.NDArray[np.bool_]:
        """Return the voxels of one name as bool [z, y, x] (KeyError if there is none)."""
        for label, known in self.names.items():
            if known == name:
                return np.asarray(self.labels == label)
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class _Piece:
    """One mask on the target grid, with the volume it had before it was put there."""

    name: str
    mask: npt.NDArray[np.bool_]
    volume_mm3: float


def read_masks(
    path: Path | str | Sequence[Path | str] | Inventory | Series,
    grid: Grid,
    *,
    frame_of_reference_uid: str = "",
    label_names: Mapping[int, str] | None = None,
    method: Method = "nearest",
) -> MaskSet:
    """Read masks and put them on ``grid``.

    Parameters
    ----------
    path
        File, folder or zip with masks of one kind; or an inventory or series that was read already.
    frame_of_reference_uid
        Of the images; DICOM masks must have the same. NIfTI files carry none.
    label_names
        Names of a multi-label NIfTI map (TotalSegmentator's class map), used for files that do not name
        their labels themselves in a header extension.
    method
        ``nearest``: a voxel gets the label at its centre. ``majority``: the label that fills most of it (for
        grids coarser than the masks).

    Raises
    ------
    InputError
        If no mask is found, or masks of several kinds, or a label map without names.
    GeometryError
        If the masks lie on another frame of reference, or do not touch the grid.
    """
    series, files = _find(path)
    if series and series[0].sop_class in SEG_CLASSES:
        kind: Kind = "SEG"
        pieces = _from_seg(series, grid, frame_of_reference_uid, method)
    elif series:
        kind = "RTSTRUCT"
        pieces = _from_rtstruct(series, grid, frame_of_reference_uid, method)
    else:
        kind = "NIfTI"
        pieces = _from_nifti(files, grid, label_names, method)
    uids = tuple(i.sop_instance_uid for s in series for i in s.instances)
    return _combine(list(pieces), grid, kind, uids)


def _find(
    path: Path | str | Sequence[Path | str] | Inventory | Series,
) -> tuple[tuple[Series, ...], tuple[NiftiFile, ...]]:
    found: tuple[Series, ...]
    files: tuple[NiftiFile, ...]
    if isinstance(path, Series):
        found, files = (path,), ()
    else:
        inventory = path if isinstance(path, Inventory) else read_inventory(path)
        found, files = inventory.series, inventory.nifti
    segs = tuple(s for s in found if s.sop_class in SEG_CLASSES)
    structures = tuple(s for s in found if s.sop_class == RT_STRUCTURE_SET)
    kinds = [n for n, v in (("SEG", segs), ("RTSTRUCT", structures), ("NIfTI", files)) if v]
    where = "--masks" if isinstance(path, (Inventory, Series)) else str(path)
    if not kinds:
        raise InputError("no masks were found", where=where, allowed="DICOM SEG, RTSTRUCT or NIfTI files")
    if len(kinds) > 1:
        raise InputError(
            f"masks of several kinds were found ({', '.join(kinds)})", where=where, todo="give one kind only"
        )
    return segs or structures, files


def _from_seg(series: Sequence[Series], grid: Grid, frame_uid: str, method: Method) -> Iterator[_Piece]:
    for item in series:
        _check_frame(item.frame_of_reference_uid, frame_uid, "segmentation")
        for instance in item.instances:
            for name, volume in read_segments(instance.path):
                yield _piece(name, volume, grid, method)


def _from_rtstruct(series: Sequence[Series], grid: Grid, frame_uid: str, method: Method) -> Iterator[_Piece]:
    for item in series:
        for instance in item.instances:
            for roi in read_contours(instance.path):
                _check_frame(roi.frame_of_reference_uid, frame_uid, "structure set")
                mask = roi.to_mask(grid, subsamples=3 if method == "majority" else 1)
                yield _Piece(roi.name, mask, roi.volume_mm3())


def _from_nifti(
    files: Sequence[NiftiFile], grid: Grid, label_names: Mapping[int, str] | None, method: Method
) -> Iterator[_Piece]:
    several = len(files) > 1
    for file in files:
        volume, own_names = read_nifti(file.path)
        array = volume.array
        if not np.array_equal(array, np.rint(array)) or array.min() < 0 or array.max() > 65535:
            if several:
                continue  # the images themselves beside their masks
            raise InputError(
                "the NIfTI file holds no labels", where=file.path.name, allowed="whole numbers from 0"
            )
        volume = Volume(array=array.astype(np.uint16), affine_lps_mm=volume.affine_lps_mm)
        if int(volume.array.max(initial=0)) <= 1:
            yield _piece(_stem(file.path), volume, grid, method)
            continue
        names = own_names or label_names or {}
        yield from _pieces_of_map(volume, names, grid, method, file.path.name)


def _pieces_of_map(
    volume: Volume, names: Mapping[int, str], grid: Grid, method: Method, where: str
) -> Iterator[_Piece]:
    counts = np.bincount(volume.array.ravel())
    present = [int(v) for v in np.flatnonzero(counts) if v > 0]
    nameless = [v for v in present if v not in names]
    if nameless:
        raise InputError(
            f"the label map has labels without a name ({', '.join(map(str, nameless[:8]))})",
            where=where,
            todo="give masks with TotalSegmentator's labels, or one file per organ named after it",
        )
    on_grid = resample_labels(volume, grid, method)
    voxel_mm3 = abs(float(np.linalg.det(volume.affine_lps_mm[:3, :3])))
    for value in present:
        yield _Piece(names[value], np.asarray(on_grid == value), float(counts[value]) * voxel_mm3)


def _piece(name: str, volume: Volume, grid: Grid, method: Method) -> _Piece:
    voxel_mm3 = abs(float(np.linalg.det(volume.affine_lps_mm[:3, :3])))
    mask = resample_labels(volume, grid, method) > 0
    return _Piece(name, mask, float(np.count_nonzero(volume.array)) * voxel_mm3)


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".nii.gz", ".nii"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem


def _check_frame(masks: str, images: str, what: str) -> None:
    if masks and images and masks != images:
        raise GeometryError(
            f"the {what} lies on another frame of reference than the images",
            where="FrameOfReferenceUID (0020,0052)",
            allowed="masks drawn on these images",
            todo="give the masks of this series, or transfer them to it with a registration tool",
        )


def _combine(pieces: list[_Piece], grid: Grid, kind: Kind, uids: tuple[str, ...]) -> MaskSet:
    """Paint large masks first, so that small ones inside them stay."""
    if not any(p.mask.any() for p in pieces):
        raise GeometryError(
            "no mask touches the images",
            where=f"{kind} masks",
            todo="check that the masks belong to this series and were written with its orientation",
        )
    dtype = np.uint8 if len(pieces) < 256 else np.uint16
    labels = np.zeros(grid.shape_zyx, dtype=dtype)
    names: dict[int, str] = {}
    warnings: list[str] = []
    voxel_mm3 = 1000.0 * grid.voxel_volume_cm3
    merged: dict[str, _Piece] = {}
    for piece in pieces:
        if piece.name in merged:
            old = merged[piece.name]
            piece = _Piece(piece.name, old.mask | piece.mask, old.volume_mm3 + piece.volume_mm3)
        merged[piece.name] = piece
    ordered = sorted(merged.values(), key=lambda p: -np.count_nonzero(p.mask))
    for label, piece in enumerate(ordered, start=1):
        names[label] = piece.name
        count = int(np.count_nonzero(piece.mask))
        overlap = int(np.count_nonzero(labels[piece.mask]))
        if 0.02 * count < overlap < 0.98 * count:  # wholly inside (heart in body) is no fault
            part = 100 * overlap / count
            warnings.append(f"Mask '{piece.name}' overlaps larger ones with {part:.0f} % of it; it wins.")
        inside = count * voxel_mm3
        if count == 0:
            warnings.append(f"Mask '{piece.name}' has no voxel on the images.")
        elif piece.volume_mm3 > 64 * voxel_mm3 and inside < (1 - _OUTSIDE_FRACTION) * piece.volume_mm3:
            share = 100 * (1 - inside / piece.volume_mm3)
            warnings.append(f"Mask '{piece.name}' lies outside the images with {share:.0f} % of its volume.")
        labels[piece.mask] = label
    left = np.bincount(labels.ravel(), minlength=len(ordered) + 1)
    for label, piece in enumerate(ordered, start=1):
        if piece.mask.any() and not left[label]:
            warnings.append(f"Mask '{piece.name}' lies wholly under others: nothing of it is left.")
    return MaskSet(
        labels=labels, grid=grid, names=names, kind=kind, source_uids=uids, warnings=tuple(warnings)
    )
