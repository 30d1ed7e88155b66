"""Import of the ICRP 110 phantoms in the format in which the ICRP gives them out."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from omnidose.anatomy import icrp110, skeleton
from omnidose.anatomy.icrp110 import MARROW_IDS, ORGAN_IDS, import_phantom, load_reference_phantom
from omnidose.anatomy.icrp110_files import parse_array, parse_media, parse_organs
from omnidose.anatomy.organs import organs
from omnidose.errors import DataError, InputError
from omnidose.validation import reference_dir

REFERENCE = reference_dir()


def test_merge_rule_covers_every_number_once() -> None:
    ids = [i for group in ORGAN_IDS.values() for i in group]
    assert sorted(ids) == list(range(1, 141))
    assert set(ORGAN_IDS) <= set(organs())
    for site, organ_id in MARROW_IDS.items():
        assert organ_id in ORGAN_IDS[site.removesuffix(skeleton.MEDULLARY)]


def test_tables_parse_as_printed() -> None:
    text = "Organs\n\n1     Adrenal, left               43    1.030\n140   Air inside body     53   0.001\n"
    assert parse_organs(text) == {1: ("Adrenal, left", 43, 1.03), 140: ("Air inside body", 53, 0.001)}
    shares = "10.4  23.1   2.8  62.7   0.1   0.0   0.2   0.3   0.2   0.2   0.0   0.0   0.0"
    row = f"45    Gallbladder, Pituitary gland, Trachea, ...    {shares}\n"
    (number,) = parse_media("header 1 6 7\n" + row)
    assert number == 45
    assert sum(parse_media(row)[45][1].values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("raw", "words"),
    [(b"1 2 3\n4 5", "5 numbers"), (b"1 2 x", "whole numbers"), (b"1 -2", "whole numbers")],
)
def test_damaged_arrays_are_refused(raw: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        parse_array("AM", raw)


def test_nothing_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such file"):
        import_phantom(tmp_path / "absent.zip")
    with pytest.raises(InputError, match="no ICRP 110 phantom"):
        import_phantom(tmp_path)
    (tmp_path / "AM.dat").write_text("1 2 3")
    with pytest.raises(InputError, match=r"AM_organs\.dat"):
        import_phantom(tmp_path)
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(InputError, match="zip"):
        import_phantom(tmp_path / "x.zip")
    monkeypatch.setenv("OMNIDOSE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("omnidose.anatomy.icrp110_files.reference_dir", lambda: None)
    with pytest.raises(InputError, match="phantom import"):
        load_reference_phantom("AM")
    with pytest.raises(InputError, match="AM or AF"):
        load_reference_phantom("baby")


def _as_published(name: str, folder: Path, *, edit: bool = False) -> Path:
    """Write AM.dat in free format, 16 numbers a line, from the developers' npz; copy the tables."""
    assert REFERENCE is not None
    source = REFERENCE / "icrp110"
    ids = np.load(source / f"{name}.npz")["organ_id"].ravel()
    if edit:
        ids = np.where(ids == 95, 61 + 34, ids)
        ids = np.where(ids == 107, 0, ids)
    text = np.char.mod("%3d", np.arange(256)).astype("S3")
    table = np.frombuffer(b"".join(b" " + t for t in text), dtype="S4")
    full = ids[: ids.size // 16 * 16].reshape(-1, 16)
    lines = table[full].view("S64").ravel()
    body = b"\n".join(lines) + b"\n" + b" ".join(str(int(i)).encode() for i in ids[full.size :]) + b"\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.dat").write_bytes(body)
    for table_name in ("organs", "media", "spongiosa", "blood"):
        raw = (source / "original_tables" / name / f"{name}_{table_name}.dat").read_bytes()
        (folder / f"{name}_{table_name}.dat").write_bytes(raw)
    return folder


@pytest.mark.reference
@pytest.mark.skipif(REFERENCE is None, reason="no folder of published reference files")
class TestWithReference:
    def test_import_of_the_published_text_equals_the_developers_copy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = _as_published("AM", tmp_path / "in" / "P110 data" / "AM")
        packed = tmp_path / "P110.zip"
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path in folder.iterdir():
                archive.write(path, f"../../escape/{path.name}")  # names must never be used as paths
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("P110 data_V1.2/AM.zip", inner.getvalue())
        monkeypatch.setenv("OMNIDOSE_DATA_DIR", str(tmp_path / "data"))
        (written,) = import_phantom(packed)
        assert written.parent == icrp110.phantom_dir()
        assert sorted(p.name for p in written.parent.iterdir()) == ["AM.json", "AM.npz", "NOTICE.txt"]
        assert "copyright ICRP" in (written.parent / "NOTICE.txt").read_text()
        assert json.loads((written.parent / "AM.json").read_text())["inputs"] == ["P110.zip"]
        assert not (tmp_path / "escape").exists()
        assert not list(tmp_path.parent.glob("escape"))
        ours = load_reference_phantom("AM")
        assert REFERENCE is not None
        theirs = load_reference_phantom("AM", folder=REFERENCE / "icrp110")
        assert np.array_equal(ours.labels, theirs.labels)
        assert np.array_equal(ours.density_g_cm3, theirs.density_g_cm3)
        assert np.array_equal(ours.material_index, theirs.material_index)
        for one, other in zip(ours.materials, theirs.materials, strict=True):
            assert one.weight_fractions == pytest.approx(other.weight_fractions)
        assert [r.key for r in ours.regions] == [r.key for r in theirs.regions]

    def test_wrong_mass_is_refused_and_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = _as_published("AM", tmp_path / "in", edit=True)
        monkeypatch.setenv("OMNIDOSE_DATA_DIR", str(tmp_path / "data"))
        with pytest.raises(DataError, match="weighs"):
            import_phantom(folder)
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize(("name", "mass", "marrow"), [("AM", 72_990, 1170), ("AF", 60_000, 899)])
    def test_masses_and_speed(self, name: str, mass: float, marrow: float) -> None:
        assert REFERENCE is not None
        start = time.process_time()  # not the wall clock: the machine may be busy
        body = load_reference_phantom(name, folder=REFERENCE / "icrp110")
        assert time.process_time() - start < 2
        assert sum(body.organ_mass_g.values()) == pytest.approx(mass, rel=1e-3)
        density = body.density_g_cm3.ravel()
        total = {"red-marrow": 0.0, "endosteum": 0.0}
        published = {t: skeleton.target_mass_g(t, body.person.sex) for t in skeleton.TARGETS}
        for region in body.regions:
            assert region.weights is not None
            target, site = region.key.split("/")
            grams = float(density[region.voxels] @ region.weights) * body.grid.voxel_volume_cm3
            # two sources: spongiosa fractions of ICRP 110 and site masses of ICRP 116
            assert grams == pytest.approx(published[target][site], rel=0.015)  # type: ignore[index]
            total[target] += grams
        assert total["red-marrow"] == pytest.approx(marrow, rel=2e-3)

    def test_orientation_is_lps(self) -> None:
        """The liver lies right of the spleen, the sternum in front of the spine, the brain on top."""
        assert REFERENCE is not None
        body = load_reference_phantom("AM", folder=REFERENCE / "icrp110")

        def centre(key: str) -> np.ndarray:
            k, j, i = (w.mean() for w in np.nonzero(body.mask(key)))
            return np.array(body.grid.origin_mm) + np.array([i, j, k]) * np.array(body.grid.spacing_mm)

        assert centre("spleen")[0] > centre("liver")[0]
        assert centre("left-kidney")[0] > centre("right-kidney")[0]
        assert centre("thoracic-spine")[1] > centre("sternum")[1]
        assert centre("brain")[2] > centre("heart")[2] > centre("bladder")[2] > centre("foot-bones")[2]
        assert {o.key for o in body.organs} >= {"left-lens", "prostate", "left-testis"}
        assert "left-ovary" not in {o.key for o in body.organs}
