"""The study of random instances sees a penalty that is not exact, and repeats."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parsimo as ps

SOURCE = Path(__file__).parents[2] / "benchmarks" / "equivalence.py"
SPEC = importlib.util.spec_from_file_location("equivalence_study", SOURCE)
assert SPEC is not None
assert SPEC.loader is not None
study: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(study)


@pytest.mark.parametrize("kind", range(5))
def test_an_instance_of_each_kind(kind: int):
    row, again = study.study(10 * kind + 2, 0), study.study(10 * kind + 2, 0)
    assert row["agrees"]
    assert row["below"]["found"]
    assert row["member"] == "mcp"
    assert row["kind"] == study.KINDS[kind]
    row.pop("seconds"), again.pop("seconds")
    assert row == again
    assert study.study(10 * kind + 2, 1)["minimum"] != row["minimum"]


@pytest.mark.parametrize("excess", [0.999, 1.02])
def test_a_penalty_that_is_not_exact_is_a_failure(excess: float):
    """(x - sqrt 2)^2 / 2 and MCP about its largest flat point sqrt 2."""
    problem = ps.ZeroNormProblem(ps.LeastSquares(np.eye(2), np.array([math.sqrt(2), 4.0])), 1.0)
    penalized = problem.to_mpec(ps.phi.mcp()).penalize(2 / (excess * math.sqrt(2)))
    assert study.least_squares(penalized)["agrees"] == (excess < 1)


def test_a_missing_minimizer_is_a_failure():
    """Values agree, but one of two tied minimizers is not there."""
    problem = ps.ZeroNormProblem(ps.LeastSquares(np.eye(1), np.array([math.sqrt(2)])), 1.0)
    penalized = problem.to_mpec(ps.phi.mcp()).penalize("exact")
    assert study.compared(penalized, 1.0, np.array([[0.0], [math.sqrt(2)]]), None)["agrees"]
    assert not study.compared(penalized, 1.0, np.array([[0.0]]), None)["agrees"]


def test_a_grid_is_compared_point_by_point():
    line = np.array([-1.0, 0.0, 1.0])
    f = np.array([2.0, 1.0, 0.0])  # 0 and 1 tie at weight 1
    points = line[:, None]
    above = study.grid_comparison(ps.phi.mcp(), f, points, line, 1.0, 2.1)
    assert above["agrees"]
    assert above["minimizers"] == 2
    assert not study.grid_comparison(ps.phi.mcp(), f, points, line, 1.0, 1.9)["agrees"]


def test_the_command_writes_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr(sys, "argv", ["equivalence", "--instances", "3", "--out", str(tmp_path / "results")])
    study.main()
    written = json.loads((tmp_path / "results" / "equivalence.json").read_text())
    assert [row["member"] for row in written["instances"]] == ["capped_l1", "scad", "mcp"]
    assert list((tmp_path / "results").iterdir()) == [tmp_path / "results" / "equivalence.json"]
    assert "| all | 3 | 0 |" in capsys.readouterr().out
