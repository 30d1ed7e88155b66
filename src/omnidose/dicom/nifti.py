"""NIfTI-1 in and out. NIfTI is RAS, omnidose LPS: the first two axes change sign on the way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from omnidose.dicom.files import whole_file
from omnidose.errors import GeometryError, InputError
from omnidose.volume import Volume

_LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_nifti(path: Path | str, volume: Volume, *, description: str = "") -> None:
    """Write a volume (``.nii`` or ``.nii.gz``), its affine as both sform and qform.

    Parameters
    ----------
    path
        Written whole or not at all.
    volume
        Booleans are written as uint8, 64-bit floats as float32.
    description
        At most 79 characters.
    """
    import nibabel as nib

    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype == np.float64:
        array = array.astype(np.float32)
    image = nib.Nifti1Image(np.transpose(array), _LPS_RAS @ volume.affine_lps_mm, dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii", "replace")[:79]
    image.set_sform(image.affine, code="scanner")
    image.set_qform(image.affine, code="scanner")
    with whole_file(path) as temporary:
        nib.save(image, temporary)


def read_nifti(path: Path | str) -> tuple[Volume, dict[int, str]]:
    """Read a 3-D NIfTI file.

    Returns
    -------
    tuple
        The volume along its own index axes (LPS affine), and label names from the header extension that
        TotalSegmentator writes (empty if there is none).

    Raises
    ------
    InputError
        If the file is damaged or has no three dimensions.
    GeometryError
        If the file does not say where it lies.
    """
    import nibabel as nib

    path = Path(path)
    try:
        image: Any = nib.load(path)
        array = np.asanyarray(image.dataobj)
    except Exception as error:  # nibabel and zlib raise many kinds for damaged files
        raise InputError("the NIfTI file is damaged", where=path.name, todo="copy it again") from error
    array = array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array
    if array.ndim != 3:
        raise InputError(f"the NIfTI file has {array.ndim} dimensions", where=path.name, allowed="3")
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise GeometryError(
            "the NIfTI file does not say where it lies in the patient",
            where=f"{path.name}: sform and qform",
            todo="write it again with the orientation of the images",
        )
    affine = _LPS_RAS @ np.asarray(image.affine, dtype=np.float64)
    return Volume(array=np.transpose(array), affine_lps_mm=affine), _label_names(image)


def _label_names(image: Any) -> dict[int, str]:
    names: dict[int, str] = {}
    for extension in getattr(image.header, "extensions", ()):
        content = extension.get_content()
        words = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
        for tag, name in re.findall(r"<Label\b([^>]*)>(?:<!\[CDATA\[)?([^<\]]+)", words):
            key = re.search(r'Key="(\d+)"', tag)
            if key:
                names[int(key.group(1))] = name.strip()
    return names
