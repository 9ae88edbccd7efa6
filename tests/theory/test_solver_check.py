"""`check_solver` passes solvers that keep the protocol, and sees each planted fault; the plain reference is right."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plain_solver import Plain, State

import parsimo as ps
from parsimo.core.functions import Zero
from parsimo.theory_checks import check_solver
from parsimo.theory_checks.oracles.convex import convex_minimum
from parsimo.theory_checks.oracles.plain import plain_minimum
from parsimo.theory_checks.solvers import random_problem


class WrongProxStep(Plain):
    """The prox with twice the step: fixed points of another problem."""

    def step(self, problem: Any, state: State) -> State:
        t = state.step_size
        x, u = problem.prox(state.x - t * problem.f.grad(state.x), 2 * t, state.u)
        return replace(state, x=x, u=u, residual=float(np.linalg.norm(x - state.x)) / t)


class WrongGradient(Plain):
    """Halved: fixed points of another problem."""

    def step(self, problem: Any, state: State) -> State:
        t = state.step_size
        x, u = problem.prox(state.x - t * problem.f.grad(state.x) / 2, t, state.u)
        return replace(state, x=x, u=u, residual=float(np.linalg.norm(x - state.x)) / t)


class WritesToItsState(Plain):
    def step(self, problem: Any, state: State) -> State:
        following = super().step(problem, state)
        state.x[0] = following.x[0]
        return following


class CountsItsCalls(Plain):
    """The step depends on how often it was called."""

    calls = itertools.count(1)

    def step(self, problem: Any, state: State) -> State:
        t = state.step_size
        following = super().step(problem, replace(state, step_size=t * (1 - 0.1 / next(self.calls))))
        return replace(following, step_size=t)


class Noisy(Plain):
    rng = np.random.default_rng(0)

    def step(self, problem: Any, state: State) -> State:
        following = super().step(problem, state)
        return replace(following, x=following.x + 1e-6 * self.rng.standard_normal(following.x.shape))


class Memory:
    """What a solver carries along in an object of its own."""

    def __init__(self) -> None:
        self.past: list[np.ndarray] = []
        self.rng = np.random.default_rng(0)


class Remembers(Plain):
    """An append to a list that the state holds."""

    def init(self, problem: Any, x0: np.ndarray) -> State:
        return replace(super().init(problem, x0), u=Memory())

    def step(self, problem: Any, state: State) -> State:
        state.u.past.append(state.x)
        return super().step(problem, state)


class DrawsFromItsState(Remembers):
    """The generator that the state holds moves on."""

    def step(self, problem: Any, state: State) -> State:
        state.u.rng.random()
        return Plain.step(self, problem, state)


class TooLongAStep(Plain):
    """Up to 2/L the iterates of convex problems converge, but not beyond."""

    def init(self, problem: Any, x0: np.ndarray) -> State:
        return replace(super().init(problem, x0), step_size=2.3 / problem.f.lipschitz)


class RisingMerit(Plain):
    """The distance from 0 is no merit."""

    def merit(self, problem: Any, state: State) -> float:
        return -float(np.abs(state.x).sum()) - state.step_size


class MeritIsNotANumber(Plain):
    def merit(self, problem: Any, state: State) -> float:
        return float("nan")


class NoMerit(Plain):
    def merit(self, problem: Any, state: Any) -> float:
        return 0.0


class HighMerit(Plain):
    """A bound of every objective that falls, and says nothing."""

    def merit(self, problem: Any, state: Any) -> float:
        return 1e9


class MeritOfTheStart(Plain):
    """Constant: right at the start, and never below the objective."""

    def init(self, problem: Any, x0: np.ndarray) -> State:
        return replace(super().init(problem, x0), u=problem.value(x0))

    def merit(self, problem: Any, state: State) -> float:
        return float(state.u)


class MeritOfTheEnd(Plain):
    """Constant from the first step on, and right at the start."""

    def merit(self, problem: Any, state: State) -> float:
        return super().merit(problem, state) if state.residual == np.inf else 0.0


class RoundedMerit(Plain):
    def merit(self, problem: Any, state: State) -> float:
        return round(super().merit(problem, state), 2)


class ItsOwnStart(Plain):
    """x0 is ignored."""

    def init(self, problem: Any, x0: np.ndarray) -> State:
        return super().init(problem, 0 * x0)


class ZerosOut(Plain):
    """It stops at 0, which is critical for a zero norm but no minimum of a lasso."""

    def step(self, problem: Any, state: State) -> State:
        return replace(super().step(problem, state), x=np.zeros_like(state.x))


class SinglePrecision(Plain):
    def step(self, problem: Any, state: State) -> State:
        following = super().step(problem, state)
        return replace(following, x=following.x.astype(np.float32))


FAULTY = (
    WrongProxStep,
    WrongGradient,
    WritesToItsState,
    CountsItsCalls,
    Noisy,
    Remembers,
    DrawsFromItsState,
    TooLongAStep,
    RisingMerit,
    MeritIsNotANumber,
    NoMerit,
    HighMerit,
    MeritOfTheStart,
    MeritOfTheEnd,
    RoundedMerit,
    ItsOwnStart,
    ZerosOut,
    SinglePrecision,
)


def brief(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
    """`solve`, of which the sound solver needs no more."""
    return ps.solve(problem, solver, x0, stop=ps.stopping.first_of(stop, ps.stopping.max_iterations(1000)))


def test_a_plain_solver_keeps_its_promises():
    assert check_solver(Plain(), trials=3, run=brief).holds
    evidence = check_solver(Plain(), trials=16)
    assert evidence.holds, evidence
    assert evidence.trials > 500


@pytest.mark.parametrize("solver", FAULTY)
def test_a_faulty_solver_is_seen(solver: type):
    evidence = check_solver(solver(), trials=3, run=brief)
    assert evidence.verdict == "fails", evidence
    assert evidence.worst_case.startswith("solve(random_problem(")


def claims_convergence(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
    result = ps.solve(problem, solver, x0, stop=ps.stopping.max_iterations(3))
    return replace(result, status=ps.Status.CONVERGED)


def claims_a_certificate(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
    return replace(ps.solve(problem, solver, x0, stop=stop), certificate=0.0)


def claims_an_objective(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
    result = ps.solve(problem, solver, x0, stop=stop)
    return replace(result, objective=result.objective - 1e-6)


def moves_x0(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
    result = ps.solve(problem, solver, x0, stop=stop)
    x0 += 1e-9
    return result


def stops_early(problem: Any, solver: Any, x0: Any, stop: Any) -> Any:
    return ps.solve(problem, solver, x0, stop=ps.stopping.max_iterations(3))


@pytest.mark.parametrize("run", [claims_convergence, claims_a_certificate, claims_an_objective, moves_x0, stops_early])
def test_a_run_that_lies_is_seen(run: Any):
    assert check_solver(Plain(), trials=4).holds
    evidence = check_solver(Plain(), trials=4, run=run)
    assert evidence.verdict == "fails", evidence


def test_a_merit_need_not_fall_where_none_is_promised():
    """The objective and the square of the last step: it rises at first, and comes down to the objective."""

    class Restless(Plain):
        def merit(self, problem: Any, state: State) -> float:
            return super().merit(problem, state) + (state.residual**2 if state.residual < np.inf else 0.0)

    assert check_solver(Restless(), trials=4, merit_falls=False).holds
    assert not check_solver(Restless(), trials=4).holds
    assert not check_solver(RisingMerit(), trials=4, merit_falls=False).holds


def test_problems_of_your_own():
    f = random_problem(0, 1).f
    nonconvex = ps.ZeroNormProblem(f, 0.1)
    path = nonconvex.to_mpec(ps.phi.mcp()).penalize(rho="exact").eliminate()
    problems = [ps.Composite(f, ps.L1(0.2)), nonconvex, path, ps.ClusteringProblem(f, 0.2, k=2)]
    for solver in (Plain(), ps.ProximalADMM()):
        assert check_solver(solver, trials=4, problems=problems).holds
    assert not check_solver(WrongProxStep(), trials=2, problems=problems).holds


def test_refused_problems_are_left_out():
    """The exact step of P-ADMM needs a prox of f, which the logistic loss does not have."""
    only_squares = ps.ProximalADMM(x_step=ps.Exact())
    evidence = check_solver(only_squares, trials=4)
    assert evidence.holds, evidence
    assert evidence.trials < check_solver(Plain(), trials=4).trials
    untried = check_solver(only_squares, problems=[random_problem(1, 0)])
    assert untried.verdict == "untried"


def test_no_solver_at_all():
    with pytest.raises(TypeError, match="is no solver: it lacks init, step, measures, merit, notes"):
        check_solver(object())
    with pytest.raises(TypeError, match="is no solver: it is a class; pass an object"):
        check_solver(Plain)


def test_what_the_loop_reads_is_asked_for():
    class Silent(Plain):
        def measures(self, state: Any) -> dict[str, float]:
            return {"step_size": state.step_size}

    class Pointless(Plain):
        def init(self, problem: Any, x0: np.ndarray) -> Any:
            return {"x": x0}

    class ArrayMerit(Plain):
        def merit(self, problem: Any, state: Any) -> Any:
            return np.array([super().merit(problem, state)])

    with pytest.raises(
        ValueError, match=r"measures of .*Silent.* must be a dict with `residual`.*, got {'step_size': "
    ):
        check_solver(Silent())
    with pytest.raises(TypeError, match=r"the state of .*Pointless.* lacks point and u; give it `point`"):
        check_solver(Pointless())
    with pytest.raises(
        TypeError, match=r"merit of .*ArrayMerit.* must be a float, got array\(.* return problem.value\("
    ):
        check_solver(ArrayMerit())


def test_what_tries_nothing_is_refused():
    with pytest.raises(ValueError, match="trials must be at least 1, got 0"):
        check_solver(Plain(), trials=0)
    with pytest.raises(ValueError, match="tolerance must be a positive number, got -1"):
        check_solver(Plain(), tolerance=-1.0)
    with pytest.raises(ValueError, match="check_solver: problems is empty; pass at least one"):
        check_solver(Plain(), problems=[])


def test_checks_repeat():
    assert check_solver(Plain(), 3, trials=2) == check_solver(Plain(), 3, trials=2)


@pytest.mark.parametrize("kind", [0, 1])
def test_the_plain_reference_against_cvxpy(kind: int):
    f = random_problem(kind, 5).f
    for g in (ps.L1(0.2), ps.L1(np.linspace(0, 1, f.shape[0])), ps.Box(-0.1, 0.2), ps.Box(lower=0.0), Zero()):
        problem = ps.Composite(f, g)
        value, x = plain_minimum(problem)
        assert value == pytest.approx(convex_minimum(problem)[0], abs=1e-8)
        assert value == pytest.approx(problem.value(x), abs=1e-10)
    with pytest.raises(TypeError, match="plain_minimum: g must be L1, Box or Zero, got MCP"):
        plain_minimum(ps.Composite(f, ps.MCP(1.0, 1.0)))


def test_without_cvxpy_the_plain_reference_is_taken(monkeypatch: pytest.MonkeyPatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cvxpy" else find(name))
    evidence = check_solver(Plain(), trials=2)
    assert evidence.holds
    assert "L-BFGS-B" in evidence.reference
    assert not check_solver(WrongProxStep(), trials=2).holds
