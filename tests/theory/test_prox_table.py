"""The prox table: its rows are what the page shows, a wrong prox is counted, and peers are asked for by name."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parsimo.penalties import MCP
from parsimo.theory_checks import PENALTIES, STRUCTURED, check_prox
from parsimo.theory_checks.peers import Peer, mcp, pyproximal_penalties, scad, skglm_penalties

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("prox_table", ROOT / "benchmarks" / "prox_table.py")
assert SPEC is not None
assert SPEC.loader is not None
benchmark: Any = importlib.util.module_from_spec(SPEC)
sys.modules["prox_table"] = benchmark  # where its dataclass looks for the names in its annotations
SPEC.loader.exec_module(benchmark)


class SmallSteps:
    """MCP with the formula of small steps at every step, in the shape of skglm's penalties."""

    def value(self, x: np.ndarray) -> float:
        return float(mcp(x, 1.0, 3.0).sum())

    def prox_1d(self, v: float, step: float, j: int) -> float:
        if abs(v) <= step:
            return 0.0
        return v if abs(v) > 3 else float(np.sign(v)) * (abs(v) - step) / (1 - step / 3)


class Threshold:
    """Hard thresholding, in the shape of PyProximal's operators; its value forgets the weight."""

    def __call__(self, x: np.ndarray) -> float:
        return float(np.count_nonzero(x))

    def prox(self, v: np.ndarray, step: float) -> np.ndarray:
        return np.where(np.abs(v) <= np.sqrt(1.4 * step), 0.0, v)


WRONG = Peer("fake MCP", SmallSteps(), lambda x: mcp(x, 1.0, 3.0), (-3.0, 3.0))
RIGHT = Peer("fake L0", Threshold(), lambda x: 0.7 * (x != 0))


def test_the_page_shows_the_rows_of_the_file():
    report = json.loads((ROOT / "docs" / "results" / "prox_table.json").read_text())
    rows = [benchmark.Row(**row) for row in report["rows"]]
    assert benchmark.table(rows) in (ROOT / "docs" / "benchmarks.md").read_text()
    assert {row.library for row in rows} == {"parsimo", "skglm", "pyproximal"}
    assert {row.penalty for row in rows if row.library == "parsimo"} == {*PENALTIES, *STRUCTURED}
    assert all(row.pairs >= 10_000 for row in rows)


def test_a_wrong_prox_is_counted_with_its_steps():
    row = benchmark.measure("fake", "MCP", WRONG, WRONG.breakpoints, 0.0, 2000, 0)
    assert row.pairs == 2000
    assert 100 < row.wrong < 1000
    assert row.first_wrong_step == pytest.approx(3.0, rel=0.5)
    assert row.first_wrong_step > 3
    assert row.worst_excess > 0.1
    assert row.value_as_documented
    assert "wrong at steps from" in benchmark.table([row])


@pytest.mark.parametrize("name", STRUCTURED)
def test_penalties_of_arrays_are_tried_where_the_least_is_known(name: str):
    g, shape = STRUCTURED[name]
    row = benchmark.measure_structured(name, g, shape, 200, 0)
    assert row.pairs >= 200
    assert (row.wrong, row.verdict) == (0, "correct")
    known = {"penalty": g.penalty} if hasattr(g, "penalty") else {"k": g.k}
    lost = SimpleNamespace(**known, value=g.value, prox=lambda v, t: np.where(v == v.max(), 0.0, g.prox(v, t)))
    row = benchmark.measure_structured(name, lost, shape, 200, 0)
    assert row.wrong > 20


def test_a_right_prox_is_correct_whatever_its_value_says():
    row = benchmark.measure("fake", "L0", RIGHT, (), 0.0, 2000, 0)
    assert (row.wrong, row.first_wrong_step, row.verdict) == (0, None, "correct")
    assert not row.value_as_documented
    assert "`L0` *" in benchmark.table([row])


def test_a_prox_that_is_not_finite_is_counted_apart():
    class Broken(Threshold):
        def prox(self, v: np.ndarray, step: float) -> np.ndarray:
            return np.where(v > 30, np.nan, super().prox(v, step))

    row = benchmark.measure("fake", "NaN", Peer("fake NaN", Broken(), RIGHT.terms), (), 0.0, 2000, 0)
    assert row.wrong == row.not_finite > 0
    assert np.isfinite(row.worst_excess)


def test_a_peer_is_a_subject_of_the_check():
    assert check_prox(RIGHT, trials=200).holds
    evidence = check_prox(WRONG, trials=800, breakpoints=WRONG.breakpoints)
    assert not evidence.holds
    assert evidence.claim.startswith("<fake MCP>: prox is globally optimal")
    assert RIGHT.own_value(np.array([0.0, 2.0])) == 1.0
    assert RIGHT.value(np.array([0.0, 2.0])) == 0.7


def test_the_documented_functions_are_those_of_this_package_in_other_words():
    x = np.linspace(-6, 6, 201)
    np.testing.assert_allclose(mcp(x, 1.2, 3.0), MCP.from_alpha_gamma(1.2, 3.0).terms(x), atol=1e-14)
    np.testing.assert_allclose(scad(x, 1.2, 3.7), PENALTIES["SCAD"][0].from_alpha_gamma(1.2, 3.7).terms(x), atol=1e-14)


@pytest.mark.parametrize(("module", "penalties"), [("skglm", skglm_penalties), ("pyproximal", pyproximal_penalties)])
def test_a_missing_library_is_asked_for(monkeypatch: pytest.MonkeyPatch, module: str, penalties: Callable[[], Any]):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ImportError, match=rf'need the package {module}: install it with pip install "parsimo\[peers\]"'
    ):
        penalties()
