"""The documentation builds without a warning, asks nobody else for anything, and names things that exist."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("mkdocs", "material", "mkdocstrings"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"THE DOCUMENTATION IS NOT TESTED: {package} is missing; pip install -e '.[docs]'")
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return target


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


def test_every_page_is_in_the_navigation() -> None:
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:")[1]))
    assert {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")} == named


def test_pictures_of_the_documentation_are_small_and_used() -> None:
    text = "".join(p.read_text("utf-8") for p in [*DOCS.rglob("*.md"), ROOT / "README.md"])
    for picture in (DOCS / "images").iterdir():
        assert picture.stat().st_size < 300_000, picture.name
        assert f"images/{picture.name}" in text
