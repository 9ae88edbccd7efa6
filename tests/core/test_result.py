"""What a run leaves behind: the history as table and picture, the result as text."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import parsimo as ps
from parsimo.core.functions import Counting
from parsimo.solvers import ProximalADMM, ProximalGradient, stopping


@pytest.fixture
def problem() -> ps.ZeroNormProblem:
    rng = np.random.default_rng(0)
    return ps.ZeroNormProblem(ps.LeastSquares(rng.standard_normal((12, 5)), rng.standard_normal(12)), weight=0.2)


@pytest.fixture
def history(problem: ps.ZeroNormProblem) -> ps.History:
    return ps.solve(problem, ProximalADMM(acceleration=None), stop=stopping.max_iterations(6), every=2).history


def test_columns_come_in_a_fixed_order(history: ps.History):
    assert list(history)[:2] == ["objective", "certificate"]
    assert set(history) == {
        *("iteration", "objective", "certificate", "support", "seconds", "values", "gradients", "proxes"),
        *("merit", "residual", "primal", "dual", "sigma", "guaranteed_decrease"),
    }
    columns = ps.History()
    columns.append(dict.fromkeys("dbca", 0.0))
    assert list(columns) == list("dbca")


def test_columns_are_of_one_length_and_late_ones_are_filled():
    history = ps.History()
    history.append({"a": 1.0})
    history.append({"b": 2.0})
    history.extend_last_row({"c": 3.0})
    history.append({"a": 4.0})
    assert history.rows == 3
    assert len(history) == 3
    assert history["a"] == pytest.approx([1.0, math.nan, 4.0], nan_ok=True)
    assert history["b"] == pytest.approx([math.nan, 2.0, math.nan], nan_ok=True)
    assert history["c"] == pytest.approx([math.nan, 3.0, math.nan], nan_ok=True)
    assert repr(history) == "History(3 rows: a, b, c)"
    assert "d" not in history
    with pytest.raises(KeyError, match="no column 'd'; there are a, b, c"):
        history["d"]


def test_counts_never_fall(history: ps.History):
    for name in ("iteration", "values", "gradients", "proxes", "seconds"):
        assert (np.diff(history[name]) >= 0).all()
    assert history["guaranteed_decrease"][0] == 0.0  # no step was taken


def test_to_dataframe(history: ps.History):
    table = history.to_dataframe()
    assert list(table.columns) == list(history)
    assert len(table) == history.rows
    assert table["objective"].isna().tolist() == [k % 2 == 1 for k in range(7)]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_plot_writes_a_file(history: ps.History, tmp_path: Path, ending: str):
    path = tmp_path / f"run.{ending}"
    figure = history.plot(str(path))
    assert path.stat().st_size > 1000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # no temporary file stays behind
    assert [axes.get_title() for axes in figure.axes] == ["objective", "certificate", "primal", "support"]


def test_plot_of_nothing_and_to_nowhere(history: ps.History, tmp_path: Path):
    assert ps.History().plot().axes == []
    assert len(history.plot().axes) == 4
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        history.plot(str(tmp_path / "missing" / "run.png"))


def test_an_unknown_ending_leaves_no_file(history: ps.History, tmp_path: Path):
    with pytest.raises(ValueError, match="not supported"):
        history.plot(str(tmp_path / "run.nonsense"))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_told_with_its_extra(history: ps.History, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'plot needs matplotlib: pip install "parsimo\[plot\]"'):
        history.plot()
    with pytest.raises(ImportError, match=r'to_dataframe needs pandas: pip install "parsimo\[dataframe\]"'):
        history.to_dataframe()


def test_a_result_prints_what_is_known(problem: ps.ZeroNormProblem):
    surrogate = problem.to_mpec(ps.phi.mcp()).penalize(rho="exact").eliminate()
    result = ps.solve(surrogate, ProximalADMM(acceleration=None))
    lines = str(result).splitlines()
    assert lines[0] == ("CONVERGED: the certificate at the returned point and the last step are within the tolerance")
    assert re.fullmatch(
        rf"certificate \d\.\d+e-\d+ \(.+ at the start\) after {result.iterations} iterations, .+ s", lines[1]
    )
    nonzeros = int(np.count_nonzero(result.x))
    assert lines[2] == f"objective {result.objective:.10g}, |x|_0 = {nonzeros}, surrogate gap = 0"
    assert lines[3] == repr(ProximalADMM(acceleration=None))
    assert re.fullmatch(r"exact: rho = .+ > .+, Theorem 3\.3 \(curvature\): .+", lines[4])
    assert re.fullmatch(r"x-step Exact\(\), sigma = .+ \(admissible: sigma > .+ by \w+ 6\.\d+\)", lines[5])
    assert re.fullmatch(r"L = .+, known; m = 0", lines[6])
    assert len(lines) == 7


def test_a_result_says_that_a_small_rho_is_not_exact(problem: ps.ZeroNormProblem):
    surrogate = problem.to_mpec(ps.phi.capped_l1()).penalize(rho=1e-3).eliminate()
    text = str(ps.solve(surrogate, ProximalGradient()))
    assert "\nnot exact: rho = 0.001 <= " in text
    assert re.search(r"surrogate gap = 0\.\d+", text)


def test_a_result_of_clustering_prints_its_figures():
    rng = np.random.default_rng(0)
    f = ps.LeastSquares(rng.standard_normal((12, 5)), rng.standard_normal(12))
    text = str(ps.solve(ps.ClusteringProblem(f, weight=2.0, k=2), ProximalGradient()))
    assert "distinct values = 2, largest distance = 0" in text
    assert "not proven exact: f gives no coordinatewise Lipschitz constant" in text


def test_every_status_is_a_sentence_that_says_what_happened():
    for status in ps.Status:
        assert len(status.value.split()) > 7
        assert not status.value.endswith(".")


def test_require_carries_status_and_certificate(problem: ps.ZeroNormProblem):
    assert ps.solve(problem, ProximalGradient()).require().status is ps.Status.CONVERGED
    early = ps.solve(problem, ProximalGradient(), stop=stopping.max_iterations(1))
    with pytest.raises(ps.NotConvergedError, match=r"raise the limit or accept x \(certificate \d\.\d{3}e"):
        early.require()


def test_counting_counts_and_remembers_the_last_point():
    f = Counting(ps.LeastSquares(np.eye(2), np.ones(2)))
    x, y = np.zeros(2), np.zeros(2)
    f.value(x)
    f.value(x)
    f.grad(x)
    f.value_and_grad(x)
    assert f.calls == {"values": 1, "gradients": 1, "proxes": 0}
    value, gradient = f.value_and_grad(y)  # equal, but another array
    assert value == 1.0
    assert (gradient == -1).all()
    assert f.calls == {"values": 2, "gradients": 2, "proxes": 0}
    assert f.prox is not None
    f.prox(x, 1.0)
    assert f.calls["proxes"] == 1
    assert f.lipschitz == f.f.lipschitz
    assert repr(f) == repr(f.f) == "LeastSquares(2 x 2)"
    assert Counting(ps.Logistic(np.eye(2), np.ones(2))).prox is None


def test_natural_residual_and_certificate_of_known_points():
    prob = ps.ZeroNormProblem(ps.LeastSquares(np.eye(2), np.array([3.0, 0.5])), weight=0.5)
    solution = np.array([3.0, 0.0])
    assert ps.certificate(prob, solution) == 0.0
    assert ps.natural_residual(prob, solution, 1.0) == 0.0
    # 0 is critical, but a prox step leaves it
    assert ps.certificate(prob, np.zeros(2)) == 0.0
    assert ps.natural_residual(prob, np.zeros(2), 1.0) == pytest.approx(3.0)
    assert ps.certificate(prob, np.array([1.0, 0.0])) == pytest.approx(2.0)


def test_zero_makes_a_smooth_problem():
    f = ps.LeastSquares(np.eye(2), np.array([3.0, 4.0]))
    result = ps.solve(ps.Composite(f, ps.Zero()), ProximalADMM())
    np.testing.assert_allclose(result.x, [3.0, 4.0], atol=1e-8)
    assert ps.certificate(ps.Composite(f, ps.Zero()), np.zeros(2)) == pytest.approx(5.0)
    assert ps.Zero().prox_set(2.0, 1.0) == (2.0,)
    assert repr(ps.Zero()) == "Zero()"
