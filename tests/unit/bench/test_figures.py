"""Rows: ratios of medians, and targets that can be a ratio, a ceiling or a floor."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.bench_modules import bench_module


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    """The module, loaded from its file: `bench` is no package."""
    file = Path(__file__).parent.parent.parent.parent / "bench" / "figures.py"
    spec = importlib.util.spec_from_file_location("figures", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["figures"] = module
    spec.loader.exec_module(module)
    return module


def test_ratio_is_the_ratio_of_medians(figures: ModuleType) -> None:
    """One outlier on either side moves nothing."""
    row = figures.Row(what="w", unit="ms", floor=(10, 10, 99), harness=(11, 1, 12), target=1.1)
    assert (1.1, True) == (row.ratio, row.met)


@pytest.mark.parametrize(("at_least", "met"), [(True, False), (False, True)])
def test_a_target_without_floor_is_of_the_median(figures: ModuleType, at_least: bool, met: bool) -> None:
    """Rates have a lowest value, sizes a highest."""
    row = figures.Row(what="w", unit="MB", harness=(5, 6, 7), target=8, at_least=at_least)
    assert met is row.met


def test_nothing_promised_is_neither_met_nor_missed(figures: ModuleType) -> None:
    """A row without target says nothing in the last columns."""
    row = figures.Row(what="w", unit="s", harness=(1.0,))
    assert ["w", "s", "", "1", "1", "", "", ""] == row.cells()


def test_figures_go_into_the_rows_of_their_name(tmp_path: Path) -> None:
    """And nowhere else; a row that the file does not show is told."""
    publish, figures = bench_module("publish"), bench_module("figures")
    file = tmp_path / "README.md"
    file.write_text(
        "Measured 2026-11-22, 2 processors\n\n| figure | unit |\n|---|---|\n| w | s | old |\n| w, x | s |\n"
    )
    rows = [figures.Row(what=what, unit="s", harness=(1.5,)) for what in ("w", "absent")]
    assert ["absent"] == publish.publish(rows, file, "2026-11-25")
    expected = "| w | s |  | 1.5 | 1 |  |  |  |\n| w, x | s |\n"
    assert (
        f"Measured 2026-11-25, 2 processors\n\n| figure | unit |\n|---|---|\n{expected}" == file.read_text()
    )
