"""How runs end: each status, and that none claims more than the certificate proves."""

from __future__ import annotations

import itertools
import math
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import parsimo as ps
from parsimo.core.problem import starting_point
from parsimo.solvers import Linearized, ProximalADMM, ProximalGradient, stopping
from parsimo.solvers.stopping import Report


def lasso(seed: int = 0, weight: float = 0.1) -> ps.Composite:
    rng = np.random.default_rng(seed)
    return ps.Composite(ps.LeastSquares(rng.standard_normal((12, 5)) / 4, rng.standard_normal(12)), ps.L1(weight))


class Planned:
    """f(x) = |x|^2 / 2 whose calls number `at` and later do what the test plans; L is as given."""

    convex = True

    def __init__(self, value: Any = None, grad: Any = None, at: int = 0, lipschitz: float | None = 1.0) -> None:
        self._value, self._grad, self.at, self.lipschitz = value, grad, at, lipschitz
        self.values = self.gradients = 0

    def start(self) -> np.ndarray:
        return np.array([4.0, -2.0])

    def value(self, x: np.ndarray) -> float:
        self.values += 1
        planned = self._value is not None and self.values > self.at
        return self._value(x) if planned else float(x @ x) / 2

    def grad(self, x: np.ndarray) -> np.ndarray:
        self.gradients += 1
        planned = self._grad is not None and self.gradients > self.at
        return self._grad(x) if planned else x.copy()

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), self.grad(x)


SMALL = ProximalGradient(step_size=0.1)
DEFAULT = stopping.default_stop()


def test_converged_with_the_certificate_recomputed():
    prob = lasso()
    result = ps.solve(prob, ProximalADMM())
    assert result.status is ps.Status.CONVERGED
    x, grad = result.x, prob.f.grad(result.x)
    own = np.where(x != 0, grad + 0.1 * np.sign(x), np.maximum(np.abs(grad) - 0.1, 0))
    assert np.linalg.norm(own) <= 1e-8
    assert result.require() is result


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("solver", [ProximalGradient(), ProximalADMM(), ps.AlternatingMinimization()], ids=repr)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-6, 1e-10])
def test_converged_claims_no_more_than_the_certificate_proves(seed: int, solver: Any, tolerance: float):
    rng = np.random.default_rng(seed)
    prob = ps.ZeroNormProblem(ps.LeastSquares(rng.standard_normal((9, 4)), rng.standard_normal(9)), 0.3)
    stop = stopping.first_of(stopping.certificate_below(tolerance, relative=0.0), stopping.max_iterations(3000))
    result = ps.solve(prob, solver, rng.standard_normal(4), stop=stop)
    assert result.status is ps.Status.CONVERGED
    assert np.linalg.norm(prob.f.grad(result.x)[result.x != 0]) <= tolerance


@pytest.mark.parametrize("solver", [ProximalGradient(), ProximalADMM(), ps.AlternatingMinimization()], ids=repr)
def test_a_critical_start_is_not_called_converged_before_a_step_confirms_it(solver: Any):
    """At 0 the certificate of every zero-norm problem is 0; only where no step leaves it is it an answer."""
    f = ps.LeastSquares(np.diag([1.0, 2.0]), np.array([3.0, 4.0]))
    moves = ps.solve(ps.ZeroNormProblem(f, 0.1), solver)
    assert moves.history["certificate"][0] == 0.0
    assert moves.iterations > 1
    np.testing.assert_allclose(moves.x, [3.0, 2.0], atol=1e-8)
    stays = ps.solve(ps.ZeroNormProblem(f, 1000.0), solver)
    assert stays.status is ps.Status.CONVERGED
    assert stays.iterations == 1
    assert (stays.x == 0).all()


def test_a_nan_residual_is_never_converged():
    history = ps.History()
    history.append({"certificate": 1.0, "residual": math.inf, "objective": 1.0})
    for certificate, residual in itertools.product((0.0, math.nan), repeat=2):
        report = Report(1, np.zeros(2), certificate, residual, 1.0, 0.0, history)
        verdict = stopping.certificate_below()(report)
        assert (verdict is ps.Status.CONVERGED) is (certificate == residual == 0.0)


def test_max_iterations():
    result = ps.solve(lasso(), SMALL, stop=stopping.max_iterations(3))
    assert result.status is ps.Status.MAX_ITERATIONS
    assert result.iterations == 3
    assert result.history.rows == 4
    assert result.history["iteration"] == [0, 1, 2, 3]
    with pytest.raises(ps.NotConvergedError, match=r"iteration limit reached.*\(certificate \d"):
        result.require()


def test_zero_iterations_return_the_start():
    x0 = np.arange(5.0)
    result = ps.solve(lasso(), SMALL, x0, stop=stopping.max_iterations(0))
    assert result.iterations == 0
    assert (result.x == x0).all()


def test_time_limit(monkeypatch: pytest.MonkeyPatch):
    """A clock that a test turns: each look at it takes one second."""
    ticks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr(sys.modules["parsimo.solvers.loop"], "time", clock)
    stop = stopping.first_of(stopping.certificate_below(), stopping.time_limit(100.0))
    result = ps.solve(lasso(), SMALL, stop=stop)
    assert result.status is ps.Status.TIME_LIMIT
    assert 0 < result.iterations < 100
    assert 95.0 <= result.seconds <= 100.0
    solver_seconds = result.history["seconds"]
    assert solver_seconds == sorted(solver_seconds)
    assert solver_seconds[-1] < 50.0  # evaluation is not the solver's time


def test_stalled_where_rounding_is_above_the_tolerance():
    scaled = lasso()
    stop = stopping.first_of(
        stopping.certificate_below(1e-30, relative=0.0), stopping.stalled(50), stopping.max_iterations(5000)
    )
    result = ps.solve(scaled, ProximalGradient(), stop=stop)
    assert result.status is ps.Status.STALLED
    assert result.iterations < 2000
    assert 1e-30 < result.certificate < 1e-10


def test_a_run_that_still_falls_has_not_stalled():
    stop = stopping.first_of(stopping.stalled(5), stopping.max_iterations(100))
    assert ps.solve(lasso(), ProximalGradient(step_size=1e-5), stop=stop).status is ps.Status.MAX_ITERATIONS


@pytest.mark.parametrize("every", [3, 11, 40])
def test_what_was_not_evaluated_has_not_stalled(every: int):
    """Rows without an evaluation say nothing, even where a whole window of them passed."""
    stop = stopping.first_of(stopping.stalled(10), stopping.max_iterations(200))
    result = ps.solve(lasso(), ProximalGradient(step_size=1e-5), stop=stop, every=every)
    assert result.status is ps.Status.MAX_ITERATIONS


def test_diverged_returns_the_best_point():
    result = ps.solve(lasso(), ProximalGradient(step_size=10.0), np.ones(5))
    assert result.status is ps.Status.DIVERGED
    assert result.objective == min(result.history["objective"])
    assert result.objective < result.history["objective"][-1]


@pytest.mark.parametrize("solver", [ProximalGradient(), ProximalADMM(x_step=Linearized())], ids=["gradient", "admm"])
def test_an_objective_without_a_lower_bound_diverges(solver: Any):
    """-|x|^2 + 0.1 |x|_1: the lowest objective met is returned, and nothing overflows on the way."""
    f = Planned(value=lambda x: -float(x @ x), grad=lambda x: -2 * x, lipschitz=2.0)
    f.convex = False
    result = ps.solve(ps.Composite(f, ps.L1(0.1)), solver)
    assert result.status is ps.Status.DIVERGED
    assert result.objective == min(result.history["objective"]) < -1e150


def test_a_nan_value_returns_the_best_finite_point():
    f = Planned(value=lambda x: math.nan, at=5)
    result = ps.solve(ps.Composite(f, ps.L1(0.1)), ProximalADMM(sigma=4.0))
    assert result.status is ps.Status.NONFINITE
    assert np.isfinite(result.x).all()
    assert np.isnan(result.history["objective"][-1])
    finite = [v for v in result.history["objective"] if not math.isnan(v)]
    best = int(np.argmin(finite))
    assert best > 0
    assert float(result.x @ result.x) / 2 + 0.1 * np.abs(result.x).sum() == pytest.approx(finite[best])


@pytest.mark.parametrize("penalty", [ps.L1(0.1), ps.ZeroNorm(0.1), ps.Box(-9.0, 9.0), ps.MCP(0.1, 1.0)], ids=repr)
@pytest.mark.parametrize(
    "solver", [SMALL, ProximalADMM(acceleration=None), ps.AlternatingMinimization(inner=SMALL)], ids=repr
)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_nonfinite_gradient_returns_the_best_finite_point(penalty: Any, solver: Any, bad: float):
    f = Planned(grad=lambda x: np.full_like(x, bad), at=15)
    result = ps.solve(ps.Composite(f, penalty), solver)
    assert result.status is ps.Status.NONFINITE
    assert np.isfinite(result.x).all()
    assert math.isfinite(result.objective)
    assert result.objective <= result.history["objective"][0]


def test_a_nonfinite_gradient_of_a_clustering_problem_is_told_too():
    for solver in (SMALL, ProximalADMM(), ps.AlternatingMinimization(inner=SMALL)):
        f = Planned(grad=lambda x: np.full_like(x, math.nan), at=15)
        result = ps.solve(ps.ClusteringProblem(f, weight=0.1, k=2), solver, np.array([1.0, 3.0]))
        assert result.status is ps.Status.NONFINITE
        assert np.isfinite(result.x).all()


def test_an_infinite_gradient_certifies_nothing_even_on_the_end_of_a_box():
    f = Planned(grad=lambda x: np.full_like(x, math.inf))
    prob = ps.Composite(f, ps.Box(-1.0, 1.0))
    assert math.isnan(ps.certificate(prob, np.full(2, -1.0)))
    result = ps.solve(prob, SMALL, np.full(2, -1.0))
    assert result.status is ps.Status.NONFINITE
    assert result.iterations == 0
    with pytest.raises(FloatingPointError, match="has NaN or infinite entries at this point"):
        ps.solve(prob, ProximalADMM(), np.full(2, -1.0))


def test_unbounded_below_is_told():
    f = Planned(value=lambda x: -math.inf, at=3)
    result = ps.solve(ps.Composite(f, ps.L1(0.1)), SMALL)
    assert result.status is ps.Status.NONFINITE
    assert result.history["objective"][-1] == -math.inf


@pytest.mark.parametrize("every", [1, 100])
def test_an_interrupt_returns_the_best_point_so_far(every: int):
    def interrupt(report: Report) -> None:
        if report.iteration == 7:
            raise KeyboardInterrupt

    result = ps.solve(lasso(), SMALL, np.ones(5), observe=[interrupt], every=every)
    assert result.status is ps.Status.INTERRUPTED
    assert result.iterations == 7
    seven = ps.solve(lasso(), SMALL, np.ones(5), stop=stopping.max_iterations(7))
    assert (result.x == seven.x).all()  # proximal gradient descends: the last point is the best
    with pytest.raises(ps.NotConvergedError, match="INTERRUPTED: stopped from the keyboard"):
        result.require()


def test_an_interrupt_inside_f_returns_the_best_point_so_far():
    def interrupt_once(x: np.ndarray) -> np.ndarray:
        f._grad = None
        raise KeyboardInterrupt

    f = Planned(grad=interrupt_once, at=9)
    result = ps.solve(ps.Composite(f, ps.L1(0.1)), SMALL)
    assert result.status is ps.Status.INTERRUPTED
    assert 0 < result.iterations < 9
    assert result.objective == min(result.history["objective"])


def test_an_interrupt_before_the_first_iteration_is_passed_on():
    def interrupt(x: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ps.solve(ps.Composite(Planned(grad=interrupt, lipschitz=None), ps.L1(0.1)), ProximalADMM())


@pytest.mark.parametrize("solver", [ProximalGradient(), ProximalADMM(), ps.AlternatingMinimization()], ids=repr)
def test_an_infeasible_start_is_no_obstacle(solver: Any):
    """At the start the objective is infinite and so is the certificate; neither must loosen a rule or end the run."""
    prob = ps.Composite(lasso().f, ps.Box(-0.1, 0.1))
    result = ps.solve(prob, solver, np.full(5, 3.0))
    assert result.history["objective"][0] == math.inf
    assert result.history["certificate"][0] == math.inf
    assert result.status is ps.Status.CONVERGED
    assert result.certificate <= 2e-8
    feasible = ps.solve(prob, solver, np.zeros(5))
    np.testing.assert_allclose(result.x, feasible.x, atol=1e-7)


def test_an_interrupt_at_an_infeasible_start_returns_the_first_feasible_point():
    def interrupt(report: Report) -> None:
        if report.iteration == 2:
            raise KeyboardInterrupt

    prob = ps.Composite(lasso().f, ps.Box(-0.1, 0.1))
    result = ps.solve(prob, SMALL, np.full(5, 3.0), observe=[interrupt])
    assert math.isfinite(result.objective)


def test_observers_see_each_iteration_and_add_columns():
    seen: list[int] = []

    def observe(report: Report) -> dict[str, float]:
        seen.append(report.iteration)
        return {"largest": float(np.abs(report.x).max())}

    result = ps.solve(lasso(), SMALL, stop=stopping.max_iterations(4), observe=[observe, lambda report: None])
    assert seen == [0, 1, 2, 3, 4]
    assert result.history["largest"][-1] == float(np.abs(result.x).max())


def test_the_start_is_copied_and_defaults_to_f():
    prob = lasso()
    assert (starting_point(prob, None) == np.zeros(5)).all()
    x0 = np.ones(5)
    copy = starting_point(prob, x0)
    copy[0] = 7.0
    assert x0[0] == 1.0


class TestComposition:
    """Stop rules that compose."""

    history = ps.History()
    history.append({"certificate": 1.0, "residual": math.inf, "objective": 1.0})

    def report(self, iteration: int, certificate: float, seconds: float = 0.0) -> Report:
        return Report(iteration, np.zeros(2), certificate, certificate, 1.0, seconds, self.history)

    def test_first_of_takes_the_earliest_rule_that_fires(self):
        rule = stopping.first_of(stopping.certificate_below(1e-3), stopping.max_iterations(5))
        assert rule(self.report(1, 1.0)) is None
        assert rule(self.report(5, 1.0)) is ps.Status.MAX_ITERATIONS
        assert rule(self.report(5, 1e-4)) is ps.Status.CONVERGED
        assert stopping.first_of()(self.report(5, 0.0)) is None

    def test_all_of_waits_for_every_rule(self):
        rule = stopping.all_of(stopping.certificate_below(1e-3), stopping.max_iterations(5))
        assert rule(self.report(1, 1e-4)) is None
        assert rule(self.report(5, 1.0)) is None
        assert rule(self.report(5, 1e-4)) is ps.Status.CONVERGED
        assert stopping.all_of()(self.report(5, 0.0)) is None

    def test_rules_nest(self):
        slow = stopping.all_of(stopping.time_limit(2.0), stopping.max_iterations(5))
        rule = stopping.first_of(stopping.certificate_below(1e-3), slow)
        assert rule(self.report(9, 1.0, seconds=1.0)) is None
        assert rule(self.report(9, 1.0, seconds=3.0)) is ps.Status.TIME_LIMIT

    def test_the_relative_tolerance_is_of_the_size_at_the_start(self):
        rule = stopping.certificate_below(0.0, relative=0.1)
        assert rule(self.report(3, 0.11)) is None
        assert rule(self.report(3, 0.1)) is ps.Status.CONVERGED
        assert rule(self.report(3, 0.3)._replace(scale=3.0)) is ps.Status.CONVERGED  # |grad f| was larger
        assert rule(self.report(3, 0.11)._replace(scale=math.inf)) is None

    @pytest.mark.parametrize(
        ("make", "error", "match"),
        [
            (lambda: stopping.certificate_below(-1.0), ValueError, "absolute must be a finite number >= 0"),
            (lambda: stopping.certificate_below(relative=math.nan), ValueError, "relative must be a finite number"),
            (lambda: stopping.max_iterations(-1), ValueError, "limit must be an integer >= 0"),
            (lambda: stopping.max_iterations(2.5), ValueError, "limit must be an integer >= 0"),
            (lambda: stopping.max_iterations(math.inf), ValueError, "limit must be an integer >= 0"),
            (lambda: stopping.time_limit("long"), TypeError, "seconds must be a finite number >= 0"),
            (lambda: stopping.stalled(0), ValueError, "window must be at least 1"),
            (lambda: stopping.diverged(0.0), ValueError, "growth must be a finite number > 0"),
        ],
    )
    def test_wrong_arguments_are_refused(self, make: Any, error: type[Exception], match: str):
        with pytest.raises(error, match=match):
            make()
