"""`check_solver` sees what a solver does on nonconvex problems, in float32 and at the end of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plain_solver import Plain, State

import parsimo as ps
from parsimo.core.result import History
from parsimo.theory_checks import Evidence, check_solver
from parsimo.theory_checks.solvers import random_problem


def seen(solver: Any, words: str, trials: int = 8, **options: Any) -> Evidence:
    """The evidence, which fails with these words."""
    evidence = check_solver(solver, trials=trials, **options)
    assert evidence.verdict == "fails", evidence
    assert words in evidence.worst_case, evidence
    return evidence


# ---- nonconvex problems


@pytest.mark.parametrize("penalty", ["L1", "ZeroNorm", "Box", "MCP", "SCAD", "CappedL1", "Clustering"])
def test_every_penalty_is_met_in_eight_trials(penalty: str):
    class Crashes(Plain):
        def step(self, problem: Any, state: State) -> State:
            if type(problem.g).__name__ == penalty:
                raise RuntimeError(f"no {penalty}, please")
            return super().step(problem, state)

    with pytest.raises(RuntimeError, match=f"no {penalty}, please"):
        check_solver(Crashes(), trials=8)


def test_sixteen_trials_pair_each_penalty_with_each_loss():
    pairs = {(type(p.f).__name__, repr(p.g)) for p in (random_problem(trial, 0) for trial in range(16))}
    assert len(pairs) == 16


class StaysWhereNonconvex(Plain):
    def step(self, problem: Any, state: State) -> State:
        return super().step(problem, state) if problem.g.traits.convex else state


class CreepsWhereNonconvex(Plain):
    def step(self, problem: Any, state: State) -> State:
        shorter = 1.0 if problem.g.traits.convex else 1e-6
        following = super().step(problem, replace(state, step_size=shorter * state.step_size))
        return replace(following, step_size=state.step_size)


def test_a_solver_must_move_where_g_is_nonconvex():
    seen(StaysWhereNonconvex(), "at the start", trials=2)
    seen(CreepsWhereNonconvex(), "at the start", trials=2)


def test_a_run_must_go_on_where_g_is_nonconvex():
    def none_at_all(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
        convex = problem.g.traits.convex
        return ps.solve(problem, solver, x0, stop=stop if convex else ps.stopping.max_iterations(0))

    seen(Plain(), "at the start", run=none_at_all)


def test_a_run_ends_no_higher_than_it_began():
    """At a critical point far off, of which the certificate says nothing bad."""

    def from_far_off(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
        return ps.solve(problem, solver, np.full_like(x0, 5.0), stop=ps.stopping.max_iterations(0))

    f = ps.LeastSquares(np.eye(2), np.zeros(2))
    problems = [ps.Composite(f, ps.Clustering(6.0, np.array([0.0, 5.0])))]
    assert check_solver(Plain(), problems=problems).holds
    seen(Plain(), "the run ends at 25.0, and began at", problems=problems, run=from_far_off)


# ---- what a result says


def saying(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """`solve`, with a result that is changed."""
    return lambda problem, solver, x0, stop: change(ps.solve(problem, solver, x0, stop=stop))


UNTRUE: dict[str, tuple[Callable[[Any], Any], str]] = {
    **{
        status.name: (lambda result, status=status: replace(result, status=status), status.name)
        for status in ps.Status
        if status is not ps.Status.CONVERGED
    },
    "iterations": (lambda result: replace(result, iterations=-5), "-5 iterations"),
    "one iteration more": (lambda result: replace(result, iterations=result.iterations + 1), "iterations"),
    "figures": (lambda result: replace(result, figures={"|x|_0": 0}), "figures {'|x|_0': 0}, not"),
    "no figures": (lambda result: replace(result, figures={}), "figures {}, not"),
    "objective": (lambda result: replace(result, objective=result.objective - 1e-6), "objective"),
    "certificate": (lambda result: replace(result, certificate=result.certificate + 1e-6), "certificate"),
}


@pytest.mark.parametrize("name", UNTRUE)
def test_an_untrue_result_is_seen(name: str):
    change, words = UNTRUE[name]
    seen(Plain(), words, run=saying(change))


@pytest.mark.parametrize("status", [ps.Status.DIVERGED, ps.Status.NONFINITE])
def test_a_run_diverges_only_where_the_history_shows_it(status: ps.Status):
    """Ten steps: the point is not critical yet, and nothing has grown."""

    def given_up(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
        result = ps.solve(problem, solver, x0, stop=ps.stopping.max_iterations(10))
        return replace(result, status=status)

    slow = ps.LeastSquares(np.diag([1.0, 0.3]), np.ones(2))
    seen(
        Plain(),
        f"{status.name} with certificate",
        trials=1,
        problems=[ps.Composite(slow, ps.MCP(1e-6, 1.0))],
        run=given_up,
    )


def test_a_run_that_diverges_says_so_and_still_fails():
    """The status is in order: what fails is that the merit rises, and that no critical point is met."""

    class Explodes(Plain):
        def init(self, problem: Any, x0: np.ndarray) -> State:
            return replace(super().init(problem, x0), step_size=30.0)

    def watched(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
        return ps.solve(problem, solver, x0, stop=ps.stopping.first_of(stop, ps.stopping.diverged()))

    problems = [ps.Composite(ps.LeastSquares(np.eye(2), np.ones(2)), ps.Clustering(0.1, np.zeros(1)))]
    evidence = check_solver(Explodes(), trials=1, problems=problems, run=watched)
    assert evidence.verdict == "fails"
    assert "DIVERGED" not in evidence.worst_case


# ---- the residual


def measuring(residual: Callable[[State], float]) -> Any:
    """The plain solver, whose residual after the first step is another."""
    measures = lambda self, state: {"residual": residual(state) if state.residual < np.inf else np.inf}  # noqa: E731
    return type("Mismeasured", (Plain,), {"measures": measures})()


def test_a_finite_residual_before_any_step_is_seen():
    finite = type("Finite", (Plain,), {"measures": lambda self, state: {"residual": min(state.residual, 1e3)}})()
    seen(finite, "residual 1000.0 before the first step")


@pytest.mark.parametrize("residual", [1.0, np.nan])
def test_a_residual_that_does_not_vanish_is_seen(residual: float):
    seen(measuring(lambda state: residual), "MAX_ITERATIONS with certificate", trials=1)


@pytest.mark.parametrize("factor", [0.0, 1e-8])
def test_a_residual_that_is_too_small_is_seen(factor: float):
    seen(measuring(lambda state: factor * state.residual), "which is of length")


def test_converged_is_more_than_a_certificate():
    """0 is critical for a zero norm, and no fixed point."""

    def at_the_first_critical_point(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
        result = ps.solve(problem, solver, 0 * x0, stop=ps.stopping.max_iterations(1))
        history = History()
        history.append({**{name: column[0] for name, column in result.history.items()}})
        figures = problem.describe(0 * x0)
        return replace(
            result,
            x=0 * x0,
            status=ps.Status.CONVERGED,
            iterations=0,
            history=history,
            objective=problem.value(0 * x0),
            certificate=0.0,
            figures=figures,
        )

    f = ps.LeastSquares(np.eye(2), np.array([3.0, 3.0]))
    problems = [ps.Composite(f, ps.ZeroNorm(0.1))]
    said = "CONVERGED with certificate 0.0 and residual inf of the last step"
    seen(Plain(), said, problems=problems, run=at_the_first_critical_point)


# ---- float32


class RefusesFloat32(Plain):
    error: Exception = TypeError("the data must be float64, got float32; cast it")

    def init(self, problem: Any, x0: np.ndarray) -> State:
        if x0.dtype != np.float64:
            raise self.error
        return super().init(problem, x0)


def test_float32_is_tried_and_may_be_refused_in_so_many_words():
    tried, refused = check_solver(Plain(), trials=8), check_solver(RefusesFloat32(), trials=8)
    assert tried.holds
    assert refused.holds
    assert refused.trials < tried.trials
    for error in (TypeError("no"), ValueError("float32")):
        spoiled = type("Refuses", (RefusesFloat32,), {"error": error})()
        seen(spoiled, f"is refused with {error!r}; say float32 in a TypeError")
    with pytest.raises(RuntimeError, match="anything else"):
        check_solver(type("Crashes", (RefusesFloat32,), {"error": RuntimeError("anything else")})(), trials=8)


def test_a_wrong_answer_in_float32_is_seen():
    class Halved(Plain):
        def step(self, problem: Any, state: State) -> State:
            if state.x.dtype == np.float64:
                return super().step(problem, state)
            t = np.float32(state.step_size)
            x, u = problem.prox(state.x - t * problem.f.grad(state.x) / 2, float(t), state.u)
            return replace(state, x=x, u=u, residual=float(np.linalg.norm(x - state.x)) / float(t))

    evidence = check_solver(Halved(), trials=8)
    assert evidence.verdict == "fails"
    assert "random_problem(0, " in evidence.worst_case
    assert '"float32")' in evidence.worst_case


@pytest.mark.parametrize("seed", range(3))
def test_problems_in_float32_hold(seed: int):
    """Merits, certificates and statuses to the rounding of the dtype."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((60, 20)).astype(np.float32)
    b = (A @ np.where(np.arange(20) < 4, 2.0, 0.0).astype(np.float32) + 0.1 * rng.standard_normal(60)).astype("float32")
    f = ps.LeastSquares(A, b)
    problems = [ps.Composite(f, g) for g in (ps.L1(0.1), ps.MCP(0.1, 0.3), ps.ZeroNorm(0.5), ps.SCAD(0.1, 0.3))]
    for solver in (Plain(), ps.ProximalGradient(), ps.ProximalADMM(), ps.AlternatingMinimization()):
        evidence = check_solver(solver, seed, problems=problems, trials=8)
        assert evidence.holds, evidence
