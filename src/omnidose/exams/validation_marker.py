"""Rows of the claim ``exams.marker``: left stays left, front stays front, head stays head, in every output.

A trunk of nobody holds one dense ball on its left, in front, near the head. It is written as a scanner
would for four patient positions, the whole job runs, and every output is read with other code than ours:
nibabel, bare pydicom, and for the report the pictures inside the page with the letters at their edges.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnidose.anatomy.body import Person
from omnidose.dicom.synthetic_ct import write_ct_series
from omnidose.validation import Context, Row, within
from omnidose.volume import Grid

ArrayF8 = npt.NDArray[np.float64]

POSITIONS = ("HFS", "FFS", "HFP", "FFP")
GRID = Grid(shape_zyx=(20, 48, 64), spacing_mm=(7.0, 7.0, 8.0), origin_mm=(-220.5, -164.5, 1000.0))
#: Left (+x), front (-y) and near the head (+z), LPS, of the ball's centre; its radius.
MARKER_MM = (101.5, -66.5, 1112.0)
RADIUS_MM = 22.0
SOFT_HU, MARKER_HU = 40, 1500
PERSON = Person(sex="F", age_y=52.0, height_cm=166.0, weight_kg=71.0)
HISTORIES = 400_000.0
#: Half a voxel diagonal: the nearest wrong side is 130 mm away.
TOLERANCE_MM = 6.5
#: What is bright: above this share of the highest value.
BRIGHT = 0.6


def marked_hu() -> npt.NDArray[np.int16]:
    """Return CT numbers [z, y, x] of an elliptical trunk with the ball."""
    z, y, x = (GRID.axis_mm(axis) for axis in (2, 1, 0))
    middle = 0.5 * (GRID.lower_mm + GRID.upper_mm)
    hu = np.full(GRID.shape_zyx, -1000, dtype=np.int16)
    hu[:, ((x[None] - middle[0]) / 170) ** 2 + ((y[:, None] - middle[1]) / 115) ** 2 < 1] = SOFT_HU
    dx, dy, dz = x - MARKER_MM[0], y[:, None] - MARKER_MM[1], z[:, None, None] - MARKER_MM[2]
    hu[dx**2 + dy**2 + dz**2 < RADIUS_MM**2] = MARKER_HU
    return hu


def check_marker(context: Context) -> Iterator[Row]:
    """Yield where each output shows the ball, as a distance from where it is."""
    for position in POSITIONS:
        context.progress(f"marker, {position}")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            run_job(folder, position)
            for title, read in READERS.items():
                found = read(folder / "out")
                yield within(
                    f"{position}: the ball in {title}",
                    float(np.linalg.norm(found - MARKER_MM)),
                    0.0,
                    unit="mm",
                    source="place of the ball in the patient",
                    bounds=(0.0, TOLERANCE_MM),
                    note="found at " + ", ".join(f"{v:.1f}" for v in found) + " mm (LPS)",
                )


def run_job(folder: Path, position: str) -> None:
    """Write the series for a patient position and do the whole job."""
    from omnidose.exams.bad_input import TECHNIQUE
    from omnidose.exams.options import EstimateOptions
    from omnidose.exams.plan import plan, survey
    from omnidose.exams.run import run
    from omnidose.exams.write import write

    write_ct_series(
        folder / "exam", marked_hu(), GRID, person=PERSON, technique=TECHNIQUE, patient_position=position
    )
    with survey(folder / "exam") as inventory:
        write(run(plan(inventory, EstimateOptions(histories=HISTORIES))), folder / "out")


def marker_in_nifti(out: Path) -> ArrayF8:
    """Return where ``dose.nii.gz`` has its highest dose (LPS mm), read with nibabel."""
    import nibabel as nib

    image: Any = nib.load(out / "dose.nii.gz")
    index = _bright(np.asarray(image.dataobj, dtype=np.float64)).mean(axis=0)
    right_anterior_superior = np.asarray(image.affine @ (*index, 1.0))[:3]
    return np.asarray(right_anterior_superior * (-1.0, -1.0, 1.0))


def marker_in_dose_object(out: Path) -> ArrayF8:
    """Return where ``dose.dcm`` has its highest dose (LPS mm), read with bare pydicom."""
    import pydicom

    dataset = pydicom.dcmread(out / "dose.dcm")
    frame, row, column = _bright(dataset.pixel_array.astype(np.float64)).mean(axis=0)
    along, down = np.asarray(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
    offset = np.interp(
        frame,
        np.arange(len(dataset.GridFrameOffsetVector)),
        [float(v) for v in dataset.GridFrameOffsetVector],
    )
    place = np.asarray(dataset.ImagePositionPatient, dtype=float) + offset * np.cross(along, down)
    return np.asarray(
        place + column * float(dataset.PixelSpacing[1]) * along + row * float(dataset.PixelSpacing[0]) * down
    )


def marker_in_seg(out: Path) -> ArrayF8:
    """Return the centre of the only bone in ``organs.dcm`` (LPS mm), the ball, read with bare pydicom."""
    import pydicom

    from omnidose.anatomy.segmentation.location import bone_keys

    dataset = pydicom.dcmread(out / "organs.dcm")
    bones = {item.SegmentNumber for item in dataset.SegmentSequence if item.SegmentLabel in bone_keys()}
    shared = dataset.SharedFunctionalGroupsSequence[0]
    along, down = np.asarray(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(
        2, 3
    )
    spacing = [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing]
    points = []
    for groups, frame in zip(dataset.PerFrameFunctionalGroupsSequence, dataset.pixel_array, strict=True):
        if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber not in bones:
            continue
        corner = np.asarray(groups.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        rows, columns = np.nonzero(frame)
        points.append(corner + np.outer(columns * spacing[1], along) + np.outer(rows * spacing[0], down))
    return np.asarray(np.concatenate(points).mean(axis=0))


def marker_in_report_ct(out: Path) -> ArrayF8:
    """Return where the axial CT pictures of ``report.html`` are white (LPS mm)."""
    return _in_pictures(out, lambda frame: np.asarray(_picture(frame["ct"]).convert("L"), dtype=float))


def marker_in_report_dose(out: Path) -> ArrayF8:
    """Return where the axial dose pictures of ``report.html`` are brightest (LPS mm)."""
    from scipy import ndimage

    def brightness(frame: dict[str, str]) -> ArrayF8:
        pixels = np.asarray(_picture(frame["dose"]).convert("RGBA"), dtype=float)
        colour = pixels[..., :3].sum(axis=2) * (pixels[..., 3] > 0)
        size = round(3 * colour.shape[1] / GRID.shape_zyx[2])  # three voxels: single ones are forgiven
        return np.asarray(ndimage.median_filter(colour, size))

    return _in_pictures(out, brightness, share=0.75)


def _in_pictures(out: Path, of_frame: Callable[[dict[str, str]], ArrayF8], share: float = 0.9) -> ArrayF8:
    """Return the centre of the brightest pixels of the axial stack; the letters at the edges say where."""
    page = (out / "report.html").read_text("utf-8")
    figure = re.search(r'<figure class="plane" data-plane="axial">.*?</figure>', page, re.DOTALL)
    stack = re.search(r'<script type="application/json" id="frames-axial">(.*?)</script>', page, re.DOTALL)
    assert figure is not None, "the report has no axial picture"
    assert stack is not None, "the report has no axial stack"
    marks = dict(re.findall(r'<span class="mark m(\d)"[^>]*>(\w)</span>', figure[0]))
    frames = json.loads(html.unescape(stack[1]))
    pictures = [of_frame(frame) for frame in frames]
    top = max(float(picture.max()) for picture in pictures)
    points = []
    for frame, picture in zip(frames, pictures, strict=True):
        rows, columns = np.nonzero(picture > share * top)
        x = _along(marks["0"] + marks["1"], (columns + 0.5) / picture.shape[1])
        y = _along(marks["2"] + marks["3"], (rows + 0.5) / picture.shape[0])
        points.append(np.column_stack([x, y, np.full(x.size, float(frame["mm"].removesuffix(" mm")))]))
    return np.asarray(np.concatenate(points).mean(axis=0))


def _along(letters: str, fraction: ArrayF8) -> ArrayF8:
    """Return the patient coordinate of a share of a picture's width or height between two letters."""
    axis, ascending = {"RL": (0, True), "LR": (0, False), "AP": (1, True), "PA": (1, False)}[letters]
    low, high = GRID.lower_mm[axis], GRID.upper_mm[axis]
    return np.asarray(low + (high - low) * (fraction if ascending else 1 - fraction))


def _picture(uri: str) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))


def _bright(array: ArrayF8) -> npt.NDArray[np.int64]:
    """Return the indices of the voxels whose neighbourhood is brightest; the median forgives single ones."""
    from scipy import ndimage

    smooth = ndimage.median_filter(array, 3)
    return np.argwhere(smooth > BRIGHT * smooth.max())


READERS: dict[str, Callable[[Path], ArrayF8]] = {
    "dose.nii.gz": marker_in_nifti,
    "organs.dcm (SEG)": marker_in_seg,
    "dose.dcm (dose object)": marker_in_dose_object,
    "report.html, CT": marker_in_report_ct,
    "report.html, dose": marker_in_report_dose,
}
