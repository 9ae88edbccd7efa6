"""Proximal gradient on working sets: the promised descent, the same answers, in every library and storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_strict
import numpy as np
import pytest
import scipy.sparse as sp
import torch

import parsimo as ps
from parsimo._array import to_numpy
from parsimo.core import Zero
from parsimo.solvers import BarzilaiBorwein, ProximalGradient, stopping, working_sets
from parsimo.solvers.acceleration import Plain
from parsimo.solvers.working_sets import OnWorkingSets, WorkingSets

SHAPE, NONZEROS = (90, 700), 8
PENALTIES: dict[str, Callable[[float], Any]] = {
    "l1": ps.L1,
    "weighted l1": lambda w: ps.L1(w * np.linspace(0.5, 2.0, SHAPE[1])),
    "mcp": lambda w: ps.MCP.from_alpha_gamma(w, 4.0),
    "scad": lambda w: ps.SCAD.from_alpha_gamma(w, 4.0),
    "zero norm": lambda w: ps.ZeroNorm(w),
}
LIBRARIES: dict[str, Callable[[np.ndarray], Any]] = {
    "columns": np.asfortranarray,
    "rows": np.ascontiguousarray,
    "csc": sp.csc_array,
    "csr": sp.csr_array,
    "torch": torch.from_numpy,
    "strict": array_api_strict.asarray,
}
PLAIN = ProximalGradient(step_rule=BarzilaiBorwein())


def data(seed: int = 0, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal(SHAPE) / np.sqrt(SHAPE[0])
    truth = np.zeros(SHAPE[1])
    truth[rng.permutation(SHAPE[1])[:NONZEROS]] = rng.choice([-2.0, 2.0], NONZEROS)
    return A.astype(dtype), (A @ truth + 0.05 * rng.standard_normal(SHAPE[0])).astype(dtype)


def solved(problem: Any, solver: Any = None, **options: Any) -> ps.Result:
    return ps.solve(problem, solver or ProximalGradient(), **options)


def uses_working_sets(problem: Any, solver: Any = None) -> bool:
    state = (solver or ProximalGradient()).init(problem, problem.f.start())
    return isinstance(state.setting.acceleration, OnWorkingSets)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_points_are_certified_and_no_worse_than_plain_ones(penalty: str):
    problem = ps.Composite(ps.LeastSquares(*data()), PENALTIES[penalty](0.1))
    assert uses_working_sets(problem)
    assert not uses_working_sets(problem, PLAIN)
    result, plain = solved(problem).require(), solved(problem, PLAIN).require()
    assert result.iterations < plain.iterations
    if problem.g.traits.convex:
        np.testing.assert_allclose(result.x, plain.x, atol=1e-7)
    gradient = problem.f.design.A.T @ (problem.f.design.A @ result.x - problem.f.targets)
    assert problem.g.subdiff_distance(result.x, gradient) <= 1e-8


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_merit_falls_by_what_the_step_promises(penalty: str):
    problem = ps.Composite(ps.LeastSquares(*data(1)), PENALTIES[penalty](0.1))
    solver = ProximalGradient()
    state = solver.init(problem, np.random.default_rng(0).standard_normal(SHAPE[1]))
    for _ in range(15):
        before, merit = state, solver.merit(problem, state)
        state = solver.step(problem, state)
        step = problem.prox(before.x - state.step_size * problem.f.grad(before.x), state.step_size)[0] - before.x
        promised = 1e-3 * float(step @ step) / (2 * 10 * state.step_size)
        assert merit - solver.merit(problem, state) >= promised - 1e-12 * merit


@pytest.mark.parametrize("library", LIBRARIES)
def test_all_libraries_and_storages_agree(library: str):
    A, b = data()
    make = LIBRARIES[library]
    f = ps.LeastSquares(make(A), b if "cs" in library else make(b))
    problem = ps.Composite(f, ps.L1(0.1))
    assert uses_working_sets(problem)
    expected = solved(ps.Composite(ps.LeastSquares(A, b), ps.L1(0.1)), PLAIN)
    np.testing.assert_allclose(to_numpy(solved(problem).require().x), expected.x, atol=1e-7)


def test_logistic_and_averages():
    A, b = data()
    for f in (ps.Logistic(10 * A, np.where(b > 0, 1.0, -1.0)), ps.LeastSquares(A, b, average=True)):
        g = ps.L1(float(np.abs(f.grad(f.start())).max()) / 5)
        problem = ps.Composite(f, g)
        result = solved(problem).require()
        np.testing.assert_allclose(result.x, solved(problem, PLAIN).require().x, atol=1e-5)


def test_single_precision():
    A, b = data(dtype=np.float32)
    problem = ps.Composite(ps.LeastSquares(A, b), ps.L1(0.1))
    result = solved(problem).require()
    assert result.x.dtype == np.float32
    exact = ps.Composite(ps.LeastSquares(*map(np.float64, (A, b))), ps.L1(0.1))
    assert exact.value(result.x.astype(float)) <= solved(exact).require().objective * (1 + 1e-6)


@pytest.mark.parametrize("scale", [1e-120, 1e120])
def test_extreme_scales(scale: float):
    """f in units of scale^2: both its value and its gradient stay finite."""
    A, b = data()
    problem = ps.Composite(ps.LeastSquares(A, scale * b), ps.L1(0.1 * scale))
    stop = stopping.first_of(stopping.certificate_below(1e-8 * scale), stopping.max_iterations(500))
    expected = solved(ps.Composite(ps.LeastSquares(A, b), ps.L1(0.1)))
    np.testing.assert_allclose(solved(problem, stop=stop).require().x / scale, expected.x, atol=1e-7)


@dataclass(frozen=True)
class Misled(OnWorkingSets):
    """Offers points that are worse than the step."""

    def _descent(self, small: Any, x: Any, step_size: float, residual: float) -> Any:
        return x + 10.0


def test_a_point_that_is_no_better_is_not_taken(monkeypatch: pytest.MonkeyPatch):
    problem = ps.Composite(ps.LeastSquares(*data()), ps.L1(0.1))
    expected = solved(problem, PLAIN).require()
    monkeypatch.setattr("parsimo.solvers.proximal_gradient.OnWorkingSets", Misled)
    result = solved(problem).require()
    assert result.iterations == expected.iterations
    np.testing.assert_array_equal(result.x, expected.x)


def test_they_are_used_where_they_save_time():
    A, b = data()
    few = ps.LeastSquares(A[:, :50], b)
    operator = ps.LeastSquares(sp.linalg.aslinearoperator(A), b)
    whole = ps.LeastSquares(A, b)
    cheap = ps.Composite(few, ps.L1(0.1)), ps.Composite(operator, ps.L1(0.1)), ps.ZeroNormProblem(few, 0.1)
    for problem in (*cheap, ps.Composite(whole, Zero())):
        assert isinstance(ProximalGradient().init(problem, problem.f.start()).setting.acceleration, Plain)
        with pytest.raises(ValueError, match=r"WorkingSets\(\) needs f and g that can be restricted"):
            solved(problem, ProximalGradient(acceleration=WorkingSets()))
    assert uses_working_sets(ps.Composite(whole, ps.L1(0.1)), ProximalGradient(acceleration=WorkingSets(smallest=5)))
    assert uses_working_sets(ps.Composite(whole, ps.L1(0.1)), ProximalGradient(0.1, acceleration=WorkingSets()))


def test_a_dense_answer_is_found_by_plain_steps():
    """The working set would be nearly all coordinates."""
    A, b = data()
    problem = ps.Composite(ps.LeastSquares(A, b), ps.L1(0.0))
    stop = stopping.first_of(stopping.certificate_below(1e-6), stopping.max_iterations(2000))
    result = solved(problem, stop=stop).require()
    assert int(np.count_nonzero(result.x)) > SHAPE[1] // 2
    assert result.objective < 1e-10


def test_wrong_arguments_are_refused():
    for name in ("smallest", "iterations"):
        with pytest.raises(ValueError, match=f"WorkingSets: {name} must be an integer >= 1, got 0"):
            WorkingSets(**{name: 0})
    with pytest.raises(ValueError, match=r"growth must be at least 1, got 0\.5"):
        WorkingSets(growth=0.5)
    with pytest.raises(ValueError, match=r"accuracy must be below 1, got 1\.0"):
        WorkingSets(accuracy=1.0)
    for rule in (ps.Constant(), ps.Backtracking()):
        with pytest.raises(ValueError, match=r"WorkingSets\(\) is for BarzilaiBorwein\(\)"):
            ProximalGradient(step_rule=rule, acceleration=WorkingSets())


def test_values_are_spread_over_the_chosen_coordinates():
    chosen = np.array([True, False, False, True, True])
    np.testing.assert_array_equal(working_sets._spread(np.array([1.0, 2.0, 3.0]), chosen), [1.0, 0.0, 0.0, 2.0, 3.0])
    np.testing.assert_array_equal(
        working_sets._spread(np.array([4.0]), ~chosen & [False, True, False, False, False]), [0, 4, 0, 0, 0]
    )
