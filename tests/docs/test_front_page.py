"""README, citation and packaging say the same, and what they point to exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import omnidose

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_versions_and_licence_agree() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    citation = dict(re.findall(r"^([\w-]+): (.+)$", read("CITATION.cff"), re.MULTILINE))
    assert project["version"] == citation["version"] == omnidose.__version__
    assert project["license"] == citation["license"] == "Apache-2.0"
    assert "Apache License" in read("LICENSE")[:400]
    assert "## [Unreleased]" in read("CHANGELOG.md") or f"## [{project['version']}]" in read("CHANGELOG.md")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "INTENDED_USE.md", "CHANGELOG.md"])
def test_links_of_the_front_pages_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", read(page)):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_first_screen_has_the_two_commands() -> None:
    first = "\n".join(read("README.md").splitlines()[:30])
    assert re.search(r"^ {4}make demo", first, re.MULTILINE)
    assert re.search(r"^ {4}make test", first, re.MULTILINE)
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b", read("README.md"))) <= targets
