"""TotalSegmentator as an optional segmenter (``pip install omnidose[totalsegmentator]``).

Its code and the weights of the task ``total`` are open (Apache-2.0). The weights are not part of any
package: the program fetches them at its first run, or ``totalseg_download_weights -t total`` fetches
them beforehand; the folder ``~/.totalsegmentator`` can be copied to a machine without a network.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.organs import from_totalsegmentator
from omnidose.errors import DependencyError
from omnidose.volume import Volume


def is_installed() -> bool:
    """Return whether the package is there (its weights may still be missing)."""
    return find_spec("totalsegmentator") is not None


def segment_with_totalsegmentator(ct: Volume, *, fast: bool = False) -> dict[str, npt.NDArray[np.bool_]]:
    """Segment a CT with TotalSegmentator's task ``total``.

    Parameters
    ----------
    ct
        CT numbers along +L, +P, +S.
    fast
        Use the 3 mm model.

    Returns
    -------
    dict
        Canonical organ name -> bool [z, y, x] on the CT's grid. Classes that are no organ of ours are
        left out.

    Raises
    ------
    DependencyError
        If the package is absent, or its weights are and cannot be fetched.
    """
    if not is_installed():
        raise DependencyError(
            "TotalSegmentator is not installed",
            todo="run: pip install 'omnidose[totalsegmentator]', or use the built-in segmentation",
        )
    import nibabel
    from totalsegmentator.map_to_binary import class_map
    from totalsegmentator.python_api import totalsegmentator

    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ct.grid.affine_lps_mm
    image = nibabel.Nifti1Image(np.ascontiguousarray(ct.array.transpose(2, 1, 0)).astype(np.int16), affine)
    try:
        result: Any = totalsegmentator(image, None, task="total", fast=fast, ml=True, quiet=True)
    except (OSError, RuntimeError) as error:
        raise DependencyError(
            f"TotalSegmentator could not run ({type(error).__name__}): its weights may be missing",
            where="~/.totalsegmentator or TOTALSEG_HOME_DIR",
            todo="run totalseg_download_weights -t total where there is a network, and copy that folder here",
        ) from error
    labels = np.asarray(result.dataobj).transpose(2, 1, 0)
    return masks_of_classes(labels, class_map["total"])


def masks_of_classes(labels: npt.NDArray[Any], classes: dict[int, str]) -> dict[str, npt.NDArray[np.bool_]]:
    """Join a label map of TotalSegmentator into masks by canonical organ name."""
    found: dict[str, npt.NDArray[np.bool_]] = {}
    for value, name in classes.items():
        key = from_totalsegmentator(name)
        mask = labels == value
        if key is None or not mask.any():
            continue
        found[key] = found[key] | mask if key in found else mask
    return found
