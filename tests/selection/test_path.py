"""Paths: right points, warm starts, early ends, interruptions, and what is left behind."""

from __future__ import annotations

import itertools
import math
import pickle
import sys
from typing import Any

import numpy as np
import pytest

import parsimo as ps
from parsimo.selection import Path, regularization_path, suited_solver
from parsimo.selection.path import weight_grid

RNG = np.random.default_rng(1)
A = np.asfortranarray(RNG.normal(size=(40, 15)))
TRUTH = np.zeros(15)
TRUTH[:3] = [3.0, -2.0, 1.5]
B = A @ TRUTH + 0.3 * RNG.normal(size=40)
F = ps.LeastSquares(A, B, average=True)
SOLVERS = (None, ps.ProximalGradient())


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("penalty", ["l1", "zero-norm", "mcp", "scad", "capped-l1"])
def test_points_are_solutions(penalty: str, solver: Any):
    path = regularization_path(F, penalty, count=6, solver=solver).require()
    assert path.supports[0] == 0
    found = set(np.flatnonzero(path.points[3]).tolist())
    assert found >= {0, 1, 2} if penalty == "l1" else found == {0, 1, 2}
    assert (np.diff(path.losses) <= 1e-9).all()
    for weight, result in zip(path.weights, path.results, strict=True):
        again = ps.solve(ps.Composite(F, path.family(weight)), ps.ProximalGradient(), x0=result.x)
        assert again.objective == pytest.approx(result.objective, rel=1e-9)
        assert result.certificate == ps.certificate(ps.Composite(F, path.family(weight)), result.x)


@pytest.mark.parametrize("penalty", ["mcp", "scad", "capped-l1"])
def test_a_named_penalty_has_no_unit(penalty: str):
    """Neither the scale of A nor that of the objective changes the problem; gamma is 3 where columns have length 1."""
    usual = regularization_path(F, penalty, count=8)
    for f, unit in ((ps.LeastSquares(A, B), 1.0), (ps.LeastSquares(100 * A, B, average=True), 100.0)):
        path = regularization_path(f, penalty, count=8)
        assert path.supports.tolist() == usual.supports.tolist()
        np.testing.assert_allclose(path.coefficients * unit, usual.coefficients, atol=1e-5)
    first, curvature = usual.family(2.0), float(F.coordinate_curvature.max())
    alpha = float(first.slopes(np.array([1e-12]))[0][0])
    gamma = 3.7 if penalty == "scad" else 3.0
    assert first.flat_point * curvature == pytest.approx(gamma * alpha)


def test_just_below_the_first_weight_something_enters():
    path = regularization_path(F, "l1", ratio=0.999, count=2)
    assert path.supports.tolist() == [0, 1]


def test_the_l1_path_agrees_with_scikit_learn():
    from sklearn.linear_model import lasso_path

    path = regularization_path(F, "l1", count=5, tolerance=1e-9)
    _, coefs, _ = lasso_path(A, B, alphas=path.weights, tol=1e-10)
    np.testing.assert_allclose(path.coefficients, coefs.T, atol=1e-7)


def test_weights_as_given():
    path = regularization_path(F, "mcp", [0.0, 0.5, 100.0, 0.5])
    assert path.weights.tolist() == [100.0, 0.5, 0.0]
    assert path.supports.tolist() == [0, 3, 15]
    np.testing.assert_allclose(path.points[-1], np.linalg.lstsq(A, B, rcond=None)[0], atol=1e-6)
    fixed = regularization_path(F, ps.MCP(1.0, 0.7), [0.5])
    assert fixed.family(0.5).flat_point == 0.7
    scaled = regularization_path(F, ps.MCP(1.0, 0.7), [0.25], flat_point="scaled")
    assert scaled.family(0.25).flat_point == 0.35


def test_nothing_to_explain_is_one_point():
    path = regularization_path(ps.LeastSquares(A, np.zeros(40)), "mcp").require()
    assert path.weights.tolist() == [0.0]
    assert path.supports.tolist() == [0]


@pytest.mark.parametrize("case", ["one row", "one column", "constant", "duplicates", "zero column", "tiny", "huge"])
def test_odd_data(case: str):
    matrices = {
        "one row": (A[:1], B[:1]),
        "one column": (A[:, :1], B),
        "constant": (np.ones((40, 2)), B),
        "duplicates": (np.hstack([A, A]), B),
        "zero column": (np.hstack([A, np.zeros((40, 1))]), B),
        "tiny": (A, 1e-150 * B),
        "huge": (A, 1e140 * B),
    }
    matrix, targets = matrices[case]
    f = ps.LeastSquares(matrix, targets, average=True)
    for penalty in ("l1", "mcp", "zero-norm"):
        path = regularization_path(f, penalty, count=4).require()
        assert path.objectives[0] == pytest.approx(f.value(np.zeros(matrix.shape[1])), rel=1e-9)  # a tie
        assert (path.objectives <= f.value(np.zeros(matrix.shape[1])) * (1 + 1e-12)).all()


def test_early_ends_are_said():
    by_support = regularization_path(F, "l1", max_support=3)
    assert by_support.supports[-1] > 3 >= by_support.supports[-2]
    assert any("max_support = 3" in note for note in by_support.notes)
    by_loss = regularization_path(F, "l1", least_loss=0.1)
    share = by_loss.losses / F.value(np.zeros(15))
    assert share[-1] <= 0.1 < share[-2]
    assert any("least_loss = 0.1" in note for note in by_loss.notes)


def test_gentler_problems_come_first():
    problems: list[Any] = []

    class Listening(ps.ProximalGradient):
        def init(self, problem: Any, x0: Any) -> Any:
            problems.append(problem.g)
            return super().init(problem, x0)

    regularization_path(F, ps.MCP(1.0, 0.5), [0.3, 0.1], anneal=(4.0, 2.0), solver=Listening())
    assert [(g.weight, g.flat_point) for g in problems] == [
        (pytest.approx(w * c), 0.5 * c) for w in (0.3, 0.1) for c in (4.0, 2.0, 1.0)
    ]


def test_the_zero_norm_starts_at_the_best_supports():
    A = np.random.default_rng(6).normal(size=(30, 12))
    A += 2 * A[:, :1]  # columns that lean one way
    f = ps.LeastSquares(A, A[:, 3:7].sum(axis=1))
    plain = regularization_path(f, "zero-norm", solver=ps.ProximalGradient())
    path = regularization_path(f, "zero-norm")
    assert any("subset_path" in note for note in path.notes)
    assert (path.objectives <= plain.objectives * (1 + 1e-9)).all()
    assert (path.objectives < plain.objectives * 0.99).any()


class _Interrupting(ps.ProximalGradient):
    """Ctrl-C during the solve of a given number."""

    calls = itertools.count()
    at = 0

    def init(self, problem: Any, x0: Any) -> Any:
        type(self).now = next(self.calls)
        return super().init(problem, x0)

    def step(self, problem: Any, state: Any) -> Any:
        if self.now == self.at:
            raise KeyboardInterrupt
        return super().step(problem, state)


def interrupted_at(call: int, **options: Any) -> Path:
    solver = type("Interrupting", (_Interrupting,), {"calls": itertools.count(), "at": call})()
    return regularization_path(F, "mcp", count=5, solver=solver, **options)


def test_an_interruption_loses_nothing():
    path = interrupted_at(3)
    assert [s.name for s in path.statuses] == ["CONVERGED"] * 3 + ["INTERRUPTED"]
    assert len(path.weights) == len(path.points) == 4
    assert "interrupted from the keyboard after 4 of 5 weights" in path.notes
    assert "point 4 of 4): INTERRUPTED" in path.failures[0]
    with pytest.raises(ps.NotConvergedError, match="point 4"):
        path.require()
    whole = regularization_path(F, "mcp", count=5, solver=ps.ProximalGradient())
    np.testing.assert_array_equal(path.points[2], whole.points[2])
    between = interrupted_at(4, anneal=(2.0,))  # at the gentler problem of the third weight
    assert [s.name for s in between.statuses] == ["CONVERGED"] * 2
    with pytest.raises(KeyboardInterrupt):
        interrupted_at(0, anneal=(2.0,))


def test_a_point_that_fails_is_named_and_the_others_stand():
    path = regularization_path(F, "mcp", count=4, solver=ps.ProximalGradient(), max_iterations=2)
    assert path.failures
    assert "MAX_ITERATIONS" in path.failures[0]
    assert f"weight {path.weights[1]:.6g}" in str(path)


def test_what_a_path_offers(tmp_path: Any):
    path = regularization_path(F, "mcp", count=4)
    frame = path.to_dataframe()
    assert list(frame.columns) == list(path.table())
    assert len(frame) == 4
    assert frame["support"].tolist() == path.supports.tolist()
    path.plot(str(tmp_path / "path.png"))
    assert (tmp_path / "path.png").stat().st_size > 1000
    assert path.at(float(path.weights[2])) is path.results[2]
    between = path.at(float(path.weights[1:3].mean()))
    assert path.objectives[2] < between.objective < path.objectives[1]
    assert path.at(1e9).objective == pytest.approx(F.value(np.zeros(15)))
    assert repr(path).startswith("Path(4 weights")
    again = pickle.loads(pickle.dumps(path))
    np.testing.assert_array_equal(again.coefficients, path.coefficients)


def test_the_solver_is_chosen_and_said(monkeypatch: pytest.MonkeyPatch):
    solver, why = suited_solver(F, ps.MCP(1.0, 0.5))
    assert isinstance(solver, ps.CoordinateDescent)
    assert "compiled" in why
    assert isinstance(suited_solver(F, ps.phi.log().penalty(1.0, 0.5))[0], ps.ProximalGradient)
    assert "not separable" in suited_solver(F, ps.Group(ps.L1(1.0), np.arange(15) // 3))[1]
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in list(sys.modules):
        if name.startswith("parsimo.solvers.compiled.") and name.split(".")[-1] in ("sweeps", "proxes"):
            monkeypatch.delitem(sys.modules, name)
    path = regularization_path(F, "mcp", count=4).require()
    assert "numba is missing" in path.notes[0]


def test_grids():
    assert weight_grid(2.0, 3, 0.25).tolist() == [2.0, 1.0, 0.5]
    assert weight_grid(2.0, 1).tolist() == [2.0]
    assert weight_grid(0.0).tolist() == [0.0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": 0}, "count must be an integer >= 1"),
        ({"ratio": 2.0}, "ratio must be in"),
        ({"ratio": 0.0}, "must be a finite number > 0"),
        ({"weights": []}, "weights is empty"),
        ({"weights": [-1.0]}, "must be a finite number >= 0"),
        ({"anneal": (2.0, 4.0)}, "falling factors > 1"),
        ({"anneal": (1.0,)}, "falling factors > 1"),
        ({"tolerance": math.nan}, "must be a finite number"),
        ({"x0": np.zeros(3)}, "x0 must have shape"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        regularization_path(F, "mcp", **options)


def test_weights_that_are_given_ask_for_no_largest_one():
    """The family is defined for weights > 0 alone, and `weight_max` tries 0."""
    A, b = np.eye(3), np.array([3.0, 2.0, 1.0])
    path = ps.regularization_path(ps.LeastSquares(A, b), lambda w: ps.MCP.from_alpha_gamma(w, 3.0), [2.5, 1.5])
    assert [np.count_nonzero(point) for point in path.points] == [1, 2]


def test_the_first_point_of_a_path_is_the_null_model():
    """At weight_max itself a point beyond the jump of the prox is as good, in exact arithmetic."""
    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32):
        A = rng.standard_normal((30, 12)).astype(dtype)
        b = (A[:, 0] + 0.1 * rng.standard_normal(30)).astype(dtype)
        for penalty in ("l1", "mcp", "scad", "capped-l1"):
            assert not ps.regularization_path(ps.LeastSquares(A, b), penalty, count=2).points[0].any()
