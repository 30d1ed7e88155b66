"""Reading and writing the files of the ICRP 110 phantoms: the ICRP's own, ours, the developers'."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from omnidose.errors import DataError, InputError, OutputError
from omnidose.provenance import Provenance
from omnidose.validation import reference_dir

#: name -> (columns, rows, slices), voxel (mm), total mass (kg); ICRP 110, table 5.1.
SHAPES = {
    "AM": ((254, 127, 222), (2.137, 2.137, 8.0), 73.0),
    "AF": ((299, 137, 348), (1.775, 1.775, 4.84), 60.0),
}
MASS_TOLERANCE = 0.001
MAX_ID = 141
MAX_FILE_BYTES = 250_000_000
ELEMENTS = {"H": 1, "C": 6, "N": 7, "O": 8, "Na": 11, "Mg": 12, "P": 15, "S": 16, "Cl": 17, "K": 19}
ELEMENTS |= {"Ca": 20, "Fe": 26, "I": 53}
TABLES = ("organs", "media", "spongiosa", "blood")
NOTICE = (
    "These files were made from the electronic supplement of ICRP Publication 110 (Adult reference\n"
    "computational phantoms, Ann. ICRP 39(2), 2009), copyright ICRP. They were imported by the user and are\n"
    "for the user's own work under the terms of the ICRP. They are not part of omnidose: do not pass\n"
    "them on.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomData:
    """A phantom as published.

    Attributes
    ----------
    organ_id
        uint8 [z, y, x], 0 to 141.
    voxel_mm
        (dx, dy, dz).
    organs
        Identification number -> (name, medium, density in g/cm3).
    media
        Medium -> (name, Z -> share of the mass).
    red_marrow_fraction
        Medium -> share of red marrow in the mass of its voxels.
    """

    name: str
    organ_id: npt.NDArray[np.uint8]
    voxel_mm: tuple[float, float, float]
    organs: dict[int, tuple[str, int, float]]
    media: dict[int, tuple[str, dict[int, float]]]
    red_marrow_fraction: dict[int, float]


Files = dict[str, Callable[[], bytes]]


def read_source(path: Path) -> list[PhantomData]:
    """Read every phantom in a zip or folder, fully checked."""
    if not path.exists():
        raise InputError("there is no such file or folder", where=str(path))
    files: Files = {}
    for name, read in _walk(path):
        files.setdefault(name.lower(), read)
    present = [name for name in SHAPES if f"{name.lower()}.dat" in files]
    if not present:
        raise InputError(
            "no ICRP 110 phantom was found",
            where=str(path),
            allowed="AM.dat or AF.dat with its _organs.dat, _media.dat, _spongiosa.dat and _blood.dat",
            todo="get the supplement of ICRP Publication 110 from the ICRP and give its zip or folder",
        )
    found = []
    for name in present:
        missing = [f"{name}_{t}.dat" for t in TABLES if f"{name.lower()}_{t}.dat" not in files]
        if missing:
            raise InputError(
                f"the tables of the phantom {name} are missing: {', '.join(missing)}", where=str(path)
            )
        texts = {t: files[f"{name.lower()}_{t}.dat"]().decode("latin-1") for t in TABLES}
        data = PhantomData(
            name=name,
            organ_id=parse_array(name, files[f"{name.lower()}.dat"]()),
            voxel_mm=SHAPES[name][1],
            organs=parse_organs(texts["organs"]),
            media=parse_media(texts["media"]),
            red_marrow_fraction={m: row[0] for m, row in parse_numbers(texts["spongiosa"], 3).items()},
        )
        parse_numbers(texts["blood"], 1)
        check_phantom(data)
        found.append(data)
    return found


def _walk(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield (file name without folders, reader). Nothing is unpacked to disk, so no path can escape."""
    if path.is_dir():
        for entry in sorted(path.rglob("*")):
            if entry.is_file() and entry.suffix.lower() in (".dat", ".zip"):
                if entry.suffix.lower() == ".zip":
                    yield from _walk_zip(entry, entry.name, depth=1)
                else:
                    yield entry.name, partial(_read_file, entry)
    elif zipfile.is_zipfile(path):
        yield from _walk_zip(path, path.name, depth=0)
    else:
        raise InputError("this is neither a folder nor a zip file", where=str(path))


def _read_file(path: Path) -> bytes:
    return _limited(path.stat().st_size, path.name, path.read_bytes)


def _walk_zip(source: Path | io.BytesIO, name: str, depth: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    try:
        with zipfile.ZipFile(source) as archive:
            infos = archive.infolist()
    except zipfile.BadZipFile as error:
        raise InputError("the zip file is damaged", where=name, todo="download it again") from error
    for info in infos:
        base = re.split(r"[/\\]", info.filename)[-1]
        if info.is_dir() or base.startswith("."):
            continue

        def read(info: zipfile.ZipInfo = info) -> bytes:
            return _limited(info.file_size, info.filename, lambda: _read_member(source, info))

        if base.lower().endswith(".dat"):
            yield base, read
        elif base.lower().endswith(".zip") and depth < 1:
            yield from _walk_zip(io.BytesIO(read()), f"{name}:{base}", depth + 1)


def _read_member(source: Path | io.BytesIO, info: zipfile.ZipInfo) -> bytes:
    """Read one member, never more than it declares."""
    try:
        with zipfile.ZipFile(source) as archive, archive.open(info) as handle:
            return handle.read(info.file_size + 1)[: info.file_size]
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise InputError("a file in the zip cannot be read", where=info.filename) from error


def _limited(size: int, name: str, read: Callable[[], bytes]) -> bytes:
    if size > MAX_FILE_BYTES:
        raise InputError(
            f"a file of {size / 1e6:.0f} MB cannot belong to ICRP 110",
            where=name,
            allowed=f"at most {MAX_FILE_BYTES / 1e6:.0f} MB",
        )
    return read()


def parse_array(name: str, raw: bytes) -> npt.NDArray[np.uint8]:
    """Return the identification numbers [z, y, x] from the free-format text of AM.dat or AF.dat."""
    if raw.translate(None, b"0123456789 \t\r\n\x1a"):
        raise DataError("the organ array holds something else than whole numbers", where=f"{name}.dat")
    numbers = np.fromstring(raw.replace(b"\x1a", b" ").decode("ascii"), dtype=np.int32, sep=" ")
    nx, ny, nz = SHAPES[name][0]
    if numbers.size != nx * ny * nz:
        raise DataError(
            f"the organ array has {numbers.size} numbers",
            where=f"{name}.dat",
            allowed=f"{nx} x {ny} x {nz} = {nx * ny * nz}",
            todo="the file may be cut off: download it again",
        )
    if int(numbers.max()) > MAX_ID:
        raise DataError(
            f"the organ array has the number {int(numbers.max())}",
            where=f"{name}.dat",
            allowed=f"0 to {MAX_ID}",
        )
    return numbers.astype(np.uint8).reshape(nz, ny, nx)


def parse_organs(text: str) -> dict[int, tuple[str, int, float]]:
    """Return identification number -> (name, medium, density)."""
    out = {}
    for line in text.splitlines():
        match = re.match(r"\s*(\d+)\s+(\S.*?)\s+(\d+)\s+(\d*\.\d+)\s*$", line)
        if match:
            out[int(match[1])] = (match[2], int(match[3]), float(match[4]))
    return out


def parse_media(text: str) -> dict[int, tuple[str, dict[int, float]]]:
    """Return medium -> (name, Z -> share of the mass)."""
    out = {}
    number = r"\s+(\d+\.\d+)" * len(ELEMENTS)
    for line in text.splitlines():
        match = re.match(rf"\s*(\d+)\s+(\S.*?){number}\s*$", line)
        if match:
            values = [float(match[i + 3]) / 100 for i in range(len(ELEMENTS))]
            shares = {z: w for z, w in zip(ELEMENTS.values(), values, strict=True) if w > 0}
            out[int(match[1])] = (match[2], shares)
    return out


def parse_numbers(text: str, columns: int) -> dict[int, tuple[float, ...]]:
    """Return the rows 'medium number ... number' of a table."""
    out = {}
    for line in text.splitlines():
        match = re.match(r"\s*(\d+)" + r"\s+(\d*\.\d+)" * columns + r"\s*$", line)
        if match:
            out[int(match[1])] = tuple(float(match[i + 2]) for i in range(columns))
    return out


def check_phantom(data: PhantomData) -> None:
    """Refuse a phantom whose numbers are not those of the publication.

    Compared are: the array's shape, the identification numbers, that every number present has an
    organ with a known medium whose composition sums to 1, and the mass of the body (numbers 1 to
    140: voxels x voxel volume x density) with 73 kg or 60 kg to 0.1 %.
    """
    (nx, ny, nz), voxel_mm, mass_kg = SHAPES[data.name]
    if data.organ_id.shape != (nz, ny, nx) or not np.allclose(data.voxel_mm, voxel_mm):
        raise DataError(
            f"the array is {data.organ_id.shape} voxels", where=data.name, allowed=f"{(nz, ny, nx)}"
        )
    counts = np.bincount(data.organ_id.ravel(), minlength=MAX_ID + 1)
    if counts.size > MAX_ID + 1:
        raise DataError(f"identification numbers above {MAX_ID}", where=data.name)
    unknown = [i for i in range(1, MAX_ID) if counts[i] and i not in data.organs]
    if unknown:
        raise DataError(
            f"organ numbers {unknown[:5]} are not in the organ table", where=f"{data.name}_organs.dat"
        )
    for organ_id, (_title, medium, _density) in data.organs.items():
        if medium not in data.media:
            raise DataError(
                f"organ {organ_id} has the unknown medium {medium}", where=f"{data.name}_media.dat"
            )
    for medium, (_title, shares) in data.media.items():
        if abs(sum(shares.values()) - 1) > 0.005:
            raise DataError(f"medium {medium} does not sum to 100 %", where=f"{data.name}_media.dat")
    if not any(fraction > 0 for fraction in data.red_marrow_fraction.values()):
        raise DataError("no spongiosa has red marrow", where=f"{data.name}_spongiosa.dat")
    volume_cm3 = float(np.prod(data.voxel_mm)) / 1000
    mass = sum(counts[i] * volume_cm3 * row[2] for i, row in data.organs.items() if 1 <= i < MAX_ID) / 1000
    if abs(mass / mass_kg - 1) > MASS_TOLERANCE:
        raise DataError(
            f"the body weighs {mass:.2f} kg (organ numbers 1 to 140, voxels x density)",
            where=data.name,
            allowed=f"{mass_kg:g} kg within {100 * MASS_TOLERANCE:g} %",
        )


def write_phantom(found: list[PhantomData], folder: Path, *, source: Path) -> tuple[Path, ...]:
    """Write phantoms, notice and provenance; each file appears whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".importing-", dir=folder) as scratch:
            names = []
            for data in found:
                _save(data, Path(scratch) / f"{data.name}.npz")
                raw = (Path(scratch) / f"{data.name}.npz").read_bytes()
                provenance = Provenance(
                    inputs=(source.name,),
                    settings={
                        "phantom": f"ICRP 110 {data.name}",
                        "sha256": hashlib.sha256(raw).hexdigest(),
                        "organ_id_sha256": hashlib.sha256(data.organ_id.tobytes()).hexdigest(),
                        "notice": NOTICE,
                    },
                )
                text = json.dumps(provenance.to_json(), indent=1)
                (Path(scratch) / f"{data.name}.json").write_text(text, "utf-8")
                names += [f"{data.name}.json", f"{data.name}.npz"]
            (Path(scratch) / "NOTICE.txt").write_text(NOTICE, "utf-8")
            for name in ("NOTICE.txt", *names):
                os.replace(Path(scratch) / name, folder / name)
    except OSError as error:
        raise OutputError(
            f"the phantom cannot be stored: {error.strerror or error}",
            where=str(folder),
            todo="free space or rights, or choose another folder with OMNIDOSE_DATA_DIR",
        ) from error
    return tuple(folder / f"{data.name}.npz" for data in found)


def _save(data: PhantomData, path: Path) -> None:
    tables = {
        "organs": {str(k): list(v) for k, v in data.organs.items()},
        "media": {str(k): [v[0], {str(z): w for z, w in v[1].items()}] for k, v in data.media.items()},
        "red_marrow_fraction": {str(k): v for k, v in data.red_marrow_fraction.items()},
    }
    np.savez_compressed(
        path,
        organ_id=data.organ_id,
        voxel_mm=np.array(data.voxel_mm),
        tables=np.frombuffer(json.dumps(tables).encode("utf-8"), dtype=np.uint8),
    )


def find_phantom(name: str, folder: Path | None, installed: Path) -> PhantomData:
    """Return a phantom's data from ``folder``, the user's data folder or the reference folder."""
    reference = reference_dir()
    developer = reference / "icrp110" if reference is not None else None
    for place in (folder, installed, developer):
        if place is None or not (place / f"{name}.npz").is_file():
            continue
        return (
            _load_developer(name, place) if (place / f"{name}_organs.csv").is_file() else _load(name, place)
        )
    raise InputError(
        f"the ICRP 110 phantom {name} is not installed",
        where=str(folder or installed),
        todo="get the supplement of ICRP Publication 110 from the ICRP and run: omnidose phantom import FILE",
    )


def _load(name: str, folder: Path) -> PhantomData:
    try:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as archive:
            tables = json.loads(archive["tables"].tobytes().decode("utf-8"))
            organ_id = archive["organ_id"]
            dx, dy, dz = (float(v) for v in archive["voxel_mm"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            "the imported phantom is damaged", where=f"{name}.npz", todo="import it again"
        ) from error
    return PhantomData(
        name=name,
        organ_id=organ_id,
        voxel_mm=(dx, dy, dz),
        organs={int(k): (str(v[0]), int(v[1]), float(v[2])) for k, v in tables["organs"].items()},
        media={
            int(k): (str(v[0]), {int(z): float(w) for z, w in v[1].items()})
            for k, v in tables["media"].items()
        },
        red_marrow_fraction={int(k): float(v) for k, v in tables["red_marrow_fraction"].items()},
    )


def _load_developer(name: str, folder: Path) -> PhantomData:
    """Read the developers' form: an npz and the tables as CSV."""
    import csv

    def rows(table: str) -> list[dict[str, str]]:
        with (folder / f"{name}_{table}.csv").open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))

    with np.load(folder / f"{name}.npz", allow_pickle=False) as archive:
        organ_id = archive["organ_id"]
        dx, dy, dz = (float(v) for v in archive["voxel_mm"])
    media = {}
    for row in rows("media"):
        shares = {z: float(row[e]) / 100 for e, z in ELEMENTS.items() if float(row[e]) > 0}
        media[int(row["medium_id"])] = (row["medium"], shares)
    return PhantomData(
        name=name,
        organ_id=organ_id,
        voxel_mm=(dx, dy, dz),
        organs={
            int(r["organ_id"]): (r["organ"], int(r["medium_id"]), float(r["density_g_cm3"]))
            for r in rows("organs")
        },
        media=media,
        red_marrow_fraction={int(r["medium_id"]): float(r["red_marrow"]) for r in rows("spongiosa")},
    )
