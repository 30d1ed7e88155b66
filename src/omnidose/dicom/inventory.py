"""What lies in a folder, file or zip: ``read_inventory`` -> :class:`Inventory`. No pixel data are read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnidose.dicom.archives import TemporaryFolder, is_zip, unpack
from omnidose.dicom.headers import is_compressed, number, numbers, quiet, text, texts
from omnidose.dicom.identities import PatientIdentity, identity_of, is_anonymous, merge_identities
from omnidose.dicom.patient import PatientInfo, merge_person, single_patient
from omnidose.errors import InputError

__all__ = [
    "Instance",
    "Inventory",
    "NiftiFile",
    "PatientIdentity",
    "PatientInfo",
    "Problem",
    "ReportObject",
    "Series",
    "is_nifti",
    "looks_like_dicom",
    "merge_person",
    "read_header",
    "read_inventory",
    "single_patient",
]

Progress = Callable[[int, int], None]

MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
SR_CLASSES = "1.2.840.10008.5.1.4.1.1.88."
#: Values longer than this are not kept in memory (overlays, vendor blobs); pixel data never are.
_MAX_KEPT_BYTES = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One file (or set of files) that could not be used, and why, in one sentence.

    Attributes
    ----------
    kind
        ``unreadable``, ``truncated``, ``archive``, ``duplicate`` or ``incomplete``.
    where
        Name of the file, without its folders (which are often named after the patient).
    """

    kind: str
    sentence: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One DICOM object: where it lies and its header without pixel data."""

    path: Path
    sop_instance_uid: str
    header: Any = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """DICOM objects of one series, sorted by instance number.

    Attributes
    ----------
    series_uid
        Series Instance UID, or a stable key beginning with ``no-uid-`` if the headers have none.
    part
        Empty, or which part of the series this is after :func:`omnidose.dicom.ct_series.split_series`.
    keep
        What must stay alive while the paths are used (folder of an unpacked zip).
    """

    series_uid: str
    study_uid: str
    modality: str
    description: str
    frame_of_reference_uid: str
    sop_class: str
    image_type: tuple[str, ...]
    instances: tuple[Instance, ...]
    part: str = ""
    keep: TemporaryFolder | None = field(default=None, repr=False, compare=False)

    @property
    def header(self) -> Any:
        """Header of the first instance."""
        return self.instances[0].header


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportObject:
    """A structured report (dose report or other), not yet interpreted."""

    path: Path
    sop_instance_uid: str
    study_uid: str
    sop_class: str
    header: Any = field(repr=False, compare=False)
    keep: TemporaryFolder | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NiftiFile:
    """A NIfTI file found beside the DICOM objects."""

    path: Path
    keep: TemporaryFolder | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything that was found.

    Attributes
    ----------
    notes
        Remarks for the user that are no fault: duplicates counted once, files that are no images.
    other_files
        Number of files that are neither DICOM nor NIfTI.
    """

    series: tuple[Series, ...]
    reports: tuple[ReportObject, ...]
    nifti: tuple[NiftiFile, ...] = ()
    problems: tuple[Problem, ...] = ()
    patients: tuple[PatientIdentity, ...] = ()
    notes: tuple[str, ...] = ()
    other_files: int = 0
    keep: TemporaryFolder | None = field(default=None, repr=False, compare=False)

    def close(self) -> None:
        """Remove what was unpacked from zips; paths into it are dead afterwards."""
        if self.keep is not None:
            self.keep.remove()

    def __enter__(self) -> Inventory:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def looks_like_dicom(first: bytes) -> bool:
    """Return True if the first 132 bytes are a DICOM preamble, or a bare data set in little endian."""
    if first[128:132] == b"DICM":
        return True
    if len(first) < 8:
        return False
    group, element = int.from_bytes(first[:2], "little"), int.from_bytes(first[2:4], "little")
    if group not in (0x0002, 0x0008) or element > 0x0070:
        return False
    return first[4:6].isalpha() or int.from_bytes(first[4:8], "little") < 256


def is_nifti(name: str) -> bool:
    """Return True for the file names of NIfTI-1 single files."""
    return name.lower().endswith((".nii", ".nii.gz"))


def read_inventory(path: Path | str | Sequence[Path | str], *, progress: Progress | None = None) -> Inventory:
    """Read all headers under one or several files, folders or zips.

    Parameters
    ----------
    path
        A DICOM file, a zip, a folder (nested, mixed, unsorted, with zips inside), or several of these.
    progress
        Called with (files done, files in all).

    Raises
    ------
    InputError
        If a path does not exist or cannot be read at all. Single bad files become ``problems``.
    """
    roots = [Path(p) for p in ([path] if isinstance(path, (str, Path)) else path)]
    collector = _Collector()
    candidates: list[tuple[Path, str]] = []
    for root in roots:
        if not root.exists():
            raise InputError("there is no such file or folder", where=str(root), todo="check the path")
        candidates.extend(_files(root, collector))
    for done, (file, label) in enumerate(candidates, start=1):
        collector.add(file, label)
        if progress is not None:
            progress(done, len(candidates))
    return collector.finish()


def _files(root: Path, collector: _Collector) -> Iterator[tuple[Path, str]]:
    """Yield (path, label) of all files, the members of zips included; symbolic links are not followed."""
    if root.is_file():
        found: Iterable[Path] = [root]
    else:
        try:
            found = sorted(p for p in root.rglob("*") if p.is_file() and not _hidden(p, root))
        except OSError as error:
            raise InputError("the folder cannot be read", where=str(root), todo="check its rights") from error
    for file in found:
        label = file.name  # never the folders: they are often named after the patient
        if is_zip(file):
            for member in collector.unzip(file, label):
                yield member, f"{label}: member {member.name}"
        else:
            yield file, label


def _hidden(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


class _Collector:
    """Sorts files into series, reports, NIfTI and problems."""

    def __init__(self) -> None:
        self.keep: TemporaryFolder | None = None
        self.series: dict[tuple[Any, ...], list[Instance]] = {}
        self.reports: dict[str, ReportObject] = {}
        self.nifti: list[NiftiFile] = []
        self.problems: list[Problem] = []
        self.identities: Counter[tuple[str, str, str, str, str]] = Counter()
        self.seen: set[str] = set()
        self.duplicates = 0
        self.other = 0

    def unzip(self, file: Path, label: str) -> list[Path]:
        if self.keep is None:
            self.keep = TemporaryFolder()
        try:
            files, refused = unpack(file, self.keep, wanted=self._wanted)
        except InputError as error:
            self.problems.append(Problem(kind="archive", sentence=str(error), where=label))
            return []
        for sentence, count in Counter(refused).items():
            times = "" if count == 1 else f" ({count} times)"
            self.problems.append(
                Problem(kind="archive", sentence=f"{label}: {sentence}{times}.", where=label)
            )
        return files

    def _wanted(self, name: str, first: bytes) -> bool:
        if "__MACOSX" in name:
            return False
        if is_nifti(name) or looks_like_dicom(first):
            return True
        if first[:4] == b"PK\x03\x04":
            self.problems.append(
                Problem(
                    kind="archive",
                    sentence="a zip inside a zip was not opened; unpack the outer one.",
                    where=name,
                )
            )
        self.other += 1
        return False

    def add(self, file: Path, label: str) -> None:
        if is_nifti(file.name):
            self.nifti.append(NiftiFile(path=file, keep=self.keep))
            return
        try:
            with file.open("rb") as stream:
                first = stream.read(132)
                if not looks_like_dicom(first):
                    self.other += 1
                    return
        except OSError as error:
            self._problem("unreadable", f"{label}: the file cannot be read ({error.strerror}).", label)
            return
        try:
            header, missing = read_header(file)
        except Exception:  # pydicom raises many kinds for damaged files; each is the same finding here
            self._problem("unreadable", f"{label}: a damaged or truncated DICOM file was left out.", label)
            return
        self._sort(file, label, header, missing)

    def _problem(self, kind: str, sentence: str, label: str) -> None:
        self.problems.append(Problem(kind=kind, sentence=sentence, where=label))

    def _sort(self, file: Path, label: str, header: Any, missing: int) -> None:
        meta = getattr(header, "file_meta", None) or {}
        sop_class = text(header, "SOPClassUID") or text(meta, "MediaStorageSOPClassUID")
        if sop_class == MEDIA_DIRECTORY or text(meta, "MediaStorageSOPClassUID") == MEDIA_DIRECTORY:
            return
        if missing > 0:
            self._problem(
                "truncated",
                f"{label}: the file is truncated ({missing} bytes of its pixel data are missing) and was "
                "left out; copy it again.",
                label,
            )
            return
        uid = text(header, "SOPInstanceUID") or text(meta, "MediaStorageSOPInstanceUID")
        if not uid:
            uid = "no-uid-" + hashlib.sha256(str(file).encode()).hexdigest()[:16]
        if uid in self.seen:
            self.duplicates += 1
            return
        modality = text(header, "Modality")
        if not sop_class and not modality:
            self._problem(
                "incomplete",
                f"{label}: neither SOP Class UID nor Modality says what this DICOM file is.",
                label,
            )
            return
        self.seen.add(uid)
        self.identities[identity_of(header)] += 1
        if sop_class.startswith(SR_CLASSES) or modality == "SR":
            self.reports[uid] = ReportObject(
                path=file,
                sop_instance_uid=uid,
                study_uid=text(header, "StudyInstanceUID"),
                sop_class=sop_class,
                header=header,
                keep=self.keep,
            )
            return
        key = (_series_key(header), text(header, "StudyInstanceUID"), modality, sop_class)
        self.series.setdefault(key, []).append(Instance(path=file, sop_instance_uid=uid, header=header))

    def finish(self) -> Inventory:
        notes = []
        if self.duplicates:
            notes.append(f"{self.duplicates} files are copies of objects already read and count once.")
        if self.other:
            notes.append(f"{self.other} files are neither DICOM nor NIfTI and were left aside.")
        nameless = sum(n for identity, n in self.identities.items() if is_anonymous(identity))
        if 0 < nameless < sum(self.identities.values()):
            notes.append(f"{nameless} files state no patient identity and are taken as the same patient's.")
        patients = merge_identities(self.identities)
        return Inventory(
            series=tuple(_make_series(key, found, self.keep) for key, found in self.series.items()),
            reports=tuple(self.reports.values()),
            nifti=tuple(self.nifti),
            problems=tuple(self.problems),
            patients=patients,
            notes=tuple(notes),
            other_files=self.other,
            keep=self.keep,
        )


def read_header(file: Path) -> tuple[Any, int]:
    """Read a header without pixel data.

    Returns
    -------
    tuple
        The pydicom data set, and how many bytes of uncompressed pixel data the file lacks (0: complete
        or compressed, where only decoding tells).
    """
    import pydicom

    with quiet(), file.open("rb") as stream:
        header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
        position = stream.tell()
        size = file.stat().st_size
    if len(header) == 0:
        raise ValueError("no data elements")
    for element in list(header.values()):
        value = getattr(element, "value", None)
        if isinstance(value, bytes) and len(value) > _MAX_KEPT_BYTES:
            del header[element.tag]
    return header, _missing_bytes(header, size - position)


def _missing_bytes(header: Any, left: int) -> int:
    """Compare what follows the header with Rows x Columns x Samples x Bits x Frames."""
    syntax = text(getattr(header, "file_meta", None) or {}, "TransferSyntaxUID")
    if is_compressed(header):
        return 0
    rows, columns = number(header, "Rows"), number(header, "Columns")
    bits = number(header, "BitsAllocated")
    if not rows or not columns or not bits or "PixelRepresentation" not in header:
        return 0
    if text(header, "SOPClassUID").startswith("1.2.840.10008.5.1.4.1.1.66"):
        return 0  # SEG and its kin: packed bits or frames that may be empty; their reader checks
    samples, frames = number(header, "SamplesPerPixel") or 1.0, number(header, "NumberOfFrames") or 1.0
    needed = int(rows * columns * samples * frames * bits // 8)
    element_header = 8 if syntax == "1.2.840.10008.1.2" else 12  # tag, VR and length of Pixel Data
    left -= element_header
    if left <= 0:
        return 0  # no pixel data at all: a header that was stripped on purpose; image readers refuse it
    return max(0, needed - left)


def _series_key(header: Any) -> str:
    uid = text(header, "SeriesInstanceUID")
    if uid:
        return uid
    parts = [
        text(header, k)
        for k in ("FrameOfReferenceUID", "SeriesNumber", "SeriesDescription", "SeriesTime", "Rows", "Columns")
    ]
    parts.append(str([round(v, 3) for v in numbers(header, "ImageOrientationPatient")]))
    return "no-uid-" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def _make_series(key: tuple[Any, ...], found: list[Instance], keep: TemporaryFolder | None) -> Series:
    ordered = sorted(found, key=lambda i: (number(i.header, "InstanceNumber") or 0.0, i.sop_instance_uid))
    header = ordered[0].header
    return Series(
        series_uid=key[0],
        study_uid=key[1],
        modality=key[2],
        description=text(header, "SeriesDescription"),
        frame_of_reference_uid=text(header, "FrameOfReferenceUID"),
        sop_class=key[3],
        image_type=texts(header, "ImageType"),
        instances=tuple(ordered),
        keep=keep,
    )
