"""The documentation builds without a warning, asks nobody else for anything, and names things that exist."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def build(target: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    """Build as ``make docs`` does (not quietly: MkDocs then does not count warnings), or skip aloud."""
    for package in ("mkdocs", "material", "mkdocstrings"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"THE DOCUMENTATION IS NOT TESTED: {package} is missing; pip install -e '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    return subprocess.run(
        [*command, "--config-file", str(config), "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",  # also where the locale is C
        timeout=300,
    )


def broken_copy(folder: Path) -> Path:
    """Write a tiny site with a link to nowhere."""
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text("[lost](nowhere.md)", "utf-8")
    config = folder / "mkdocs.yml"
    config.write_text("site_name: broken\n", "utf-8")
    return config


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = build(target)
    assert done.returncode == 0, done.stderr
    return target


def test_a_broken_link_would_fail_the_build(tmp_path: Path) -> None:
    done = build(tmp_path / "site", config=broken_copy(tmp_path))
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr


def test_the_site_builds_strictly(site: Path) -> None:
    assert (site / "index.html").is_file()
    pages = {p.relative_to(DOCS).with_suffix("").as_posix() for p in DOCS.rglob("*.md")}
    built = {p.parent.relative_to(site).as_posix() for p in site.rglob("index.html")}
    missing = {p for p in pages if p.removesuffix("/index").removesuffix("index") not in built | {""}}
    assert missing == set()


def test_included_files_arrive_in_the_pages(site: Path) -> None:
    tutorial = (site / "tutorials" / "own-experiment" / "index.html").read_text("utf-8")
    assert "PyramidSource" in tutorial
    assert "--8" not in tutorial
    assert "simulate" in (site / "reference" / "api" / "index.html").read_text("utf-8")


def test_pages_ask_no_other_host_for_anything(site: Path) -> None:
    loaded = re.compile(
        r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?(https?://[^"' >]+)"""
        r"""|<link\b[^>]*\brel=["']?(?:stylesheet|preconnect)["']?[^>]*\bhref=["']?(https?://[^"' >]+)"""
    )
    found = {page.name: loaded.findall(page.read_text("utf-8")) for page in site.rglob("*.html")}
    assert {name: hits for name, hits in found.items() if hits} == {}


def load_hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fill_navigation", DOCS / "fill_navigation.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_in_the_navigation() -> None:
    yaml = pytest.importorskip("yaml", reason="comes with mkdocs: pip install -e '.[docs]'")
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    nav = yaml.safe_load("nav:" + text.split("\nnav:")[1])["nav"]
    hook = load_hook()
    filled = hook.on_config({"nav": nav, "docs_dir": str(DOCS)})["nav"]
    pages = list(hook.named(filled))
    assert sorted(pages) == sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md"))


def test_a_pattern_stands_for_the_pages_that_are_not_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.md").touch()
    nav = [{"Section": ["c.md", "*.md"]}, {"Home": "b.md"}]
    assert load_hook().on_config({"nav": nav, "docs_dir": str(tmp_path)})["nav"] == [
        {"Section": ["c.md", "a.md"]},
        {"Home": "b.md"},
    ]


def test_pictures_of_the_documentation_are_small_and_used() -> None:
    text = "".join(p.read_text("utf-8") for p in [*DOCS.rglob("*.md"), ROOT / "README.md"])
    for picture in (DOCS / "images").iterdir():
        assert picture.stat().st_size < 300_000, picture.name
        assert f"images/{picture.name}" in text
