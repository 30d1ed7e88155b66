"""The validation pages follow from results.json and nothing else."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_validation_pages", DOCS / "make_validation_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(name: str, state: str = "passed", suite: str = "one") -> dict[str, Any]:
    return {
        "suite": suite, "claim": "c", "name": name, "ours": 1.23456789, "unit": "mGy", "reference": None,
        "source": "a | b", "tolerance": "1 %", "state": state, "note": "", "passed": state == "passed",
    }  # fmt: skip


def results(rows: list[dict[str, Any]]) -> dict[str, Any]:
    suite = {"title": "Suite", "command": "x", "date": "2026-01-01", "version": "1", "claims": {"c": "claim"}}
    return {"one": {**suite, "rows": rows}}


def test_the_committed_pages_follow_from_the_committed_results(maker: ModuleType, tmp_path: Path) -> None:
    stored = DOCS / "validation" / "results.json"
    if not stored.is_file():
        pytest.skip("no validation results in this tree")
    assert stored.stat().st_size < 1_000_000
    maker.write_pages(json.loads(stored.read_text("utf-8")), tmp_path)
    for page in tmp_path.iterdir():
        assert page.read_text("utf-8") == (DOCS / "validation" / page.name).read_text("utf-8"), page.name


def test_pages_show_every_row_and_list_what_failed(maker: ModuleType, tmp_path: Path) -> None:
    maker.write_pages(results([row("good"), row("bad", "failed")]), tmp_path)
    index = (tmp_path / "index.md").read_text("utf-8")
    page = (tmp_path / "one.md").read_text("utf-8")
    assert "1 passed, 1 failed" in index
    assert "## Failed" in index
    assert "| one | bad | 1.23457 |" in index
    assert "| good | 1.23457 |" in page
    assert "a \\| b" in page


def test_a_state_nobody_knows_is_refused(maker: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no row can have"):
        maker.write_pages(results([row("x", "splendid")]), tmp_path)


def test_a_suite_run_in_part_is_refused(maker: ModuleType) -> None:
    rows = [{**row("x", suite="transport"), "claim": "balance"}]
    with pytest.raises(ValueError, match="only in part"):
        maker.take_in({}, rows, full=True, date="2026-01-01", version="1")


def test_a_short_run_does_not_replace_a_full_one(maker: ModuleType) -> None:
    stored = {"transport": {"command": "omnidose validate transport --full --json"}}
    rows = [row("x", suite="transport")]
    assert maker.take_in(stored, rows, full=False, date="2026-01-01", version="1") == ["transport"]
    assert list(stored["transport"]) == ["command"]


def test_a_page_of_a_suite_that_is_gone_is_removed(maker: ModuleType, tmp_path: Path) -> None:
    maker.write_pages({"old": results([row("x")])["one"]}, tmp_path)
    maker.write_pages(results([row("x")]), tmp_path)
    assert not (tmp_path / "old.md").exists()
