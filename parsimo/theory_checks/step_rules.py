"""Proximal gradient with nonmonotone steps, extrapolation and inertia: its merit falls by what was proved."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.problem import Composite
from parsimo.penalties import MCP, Box
from parsimo.solvers import (
    Anderson,
    Backtracking,
    BarzilaiBorwein,
    Constant,
    Inertial,
    ProximalGradient,
    WorkingSets,
)
from parsimo.solvers.linesearch import StepRule
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import PENALTY_KINDS, PartedQuadratic, Quadratic, run_text

__all__ = [
    "CHECKS",
    "average_decrease",
    "check_average_descent",
    "check_extrapolated_descent",
    "check_inertial_descent",
    "check_working_sets",
    "inertial_decrease",
]

_ROUNDING = 1e-11  # relative to the merits that are compared
_STEPS = 12
_SEEN = 1e-14  # |T(x) - x|^2 from which on a fall of the objective is above rounding


def average_decrease(delta: float, memory: float, gamma: float) -> float:
    """The least fall of the average for each unit of |dx|^2."""
    return delta / (2 * memory * gamma)


def inertial_decrease(L: float, w: float, gamma: float, beta: float) -> float:
    """((1 - 2 beta)/gamma + max(1/gamma - w, 0) - L)/2, the least fall of the merit for each unit of |dx|^2."""
    return ((1 - 2 * beta) / gamma + max(1 / gamma - w, 0.0) - L) / 2


def check_average_descent(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalGradient,
    decrease: Callable[[float, float, float], float] = average_decrease,
    shortest: Callable[[float, float], float] = lambda delta, L: (1 - delta) / (2 * L),
) -> Evidence:
    """Barzilai-Borwein steps lower C, the average of the objectives, by delta |dx|^2 / (2 memory gamma) at least;
    the objective stays below C, and gamma is at least (1 - delta)/(2 L) or the first that was tried.

    One trial in three is an equality in its first step: f of curvature L, R = 0, gamma = (2 - delta)/L.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the average of the objectives falls by delta/(2 memory gamma) |dx|^2 at least, and bounds the objective",
        "docs/theory.md, Proposition 7.4",
        "quadratic f of any signs, penalties of every kind; averages over 1 to 10 objectives",
    )
    for trial in range(trials):
        delta, memory = float(rng.choice([1e-3, 0.3, 0.9])), float(rng.choice([1.0, 3.0, 10.0]))
        step_size = float(10 ** rng.uniform(-2, 2))
        problem, x0 = _random_problem(rng)
        if trial % 3 == 0:
            L = float(10 ** rng.uniform(-1, 1))
            problem, x0 = Composite(Quadratic(np.array([[L]]), np.zeros(1)), Box(-1e3, 1e3)), rng.uniform(0.5, 1, 1)
            step_size = (2 - delta) / L
        solver = make(step_size=step_size, step_rule=BarzilaiBorwein(memory, delta))
        state = solver.init(problem, x0)
        before = solver.merit(problem, state)
        for k in range(_STEPS):
            old, state = state, solver.step(problem, state)
            gamma, length = state.step_size, float(np.sum((state.x - old.x) ** 2))
            after, objective = solver.merit(problem, state), problem.value(state.x)
            least = decrease(delta, memory, gamma) * length
            floor = min(old.next_step, shortest(delta, problem.f.lipschitz))
            slack = min(before - after - least, after - objective) / (1 + abs(before) + abs(after))
            said = f"C falls from {before!r} to {after!r}, by {least!r} at least, over an objective of {objective!r}"
            case = partial(run_text, problem, solver, x0, k + 1)
            outcome.add(slack + _ROUNDING, partial(case, said))
            outcome.add(gamma / floor - 1 + _ROUNDING, partial(case, f"gamma is {gamma!r}, at least {floor!r}"))
            before = after
    return outcome.evidence()


def check_extrapolated_descent(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalGradient,
    decrease: Callable[[float, float, float], float] = lambda L, w, gamma: inertial_decrease(L, w, gamma, 0.0),
) -> Evidence:
    """With Anderson's extrapolation a step lowers the objective by what the plain step T(x) is sure of:
    (1/gamma + max(1/gamma - w, 0) - L) |T(x) - x|^2 / 2. `residual` is |T(x) - x| / gamma.

    One trial in three is an equality in its first step: f of curvature L, and R of curvature -w or affine.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "with Anderson's extrapolation each step lowers the objective by what the plain step is sure of",
        "docs/theory.md, Proposition 7.5",
        "quadratic f of any signs, penalties of every kind; steps up to 1/L",
    )
    for trial in range(trials):
        problem, x0 = _parabola(rng) if trial % 3 == 0 else _random_problem(rng)
        L, w = problem.f.lipschitz, _weak_convexity(problem.g)
        gamma = float(rng.choice([0.3, 0.9])) / max(L, w if w < math.inf else 0)
        solver = make(step_size=gamma, step_rule=Constant(), acceleration=Anderson(int(rng.integers(2, 6))))
        state = solver.init(problem, x0)
        for k in range(_STEPS):
            before = problem.value(state.x)
            state = solver.step(problem, state)
            after, length = problem.value(state.x), (gamma * solver.measures(state)["residual"]) ** 2
            least = decrease(L, w, gamma) * length
            said = f"the last step lowers the objective from {before!r} to {after!r}, by {least!r} at least"
            slack = (before - after - least) / (1 + abs(before) + abs(after))
            outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
    return outcome.evidence()


def check_inertial_descent(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalGradient,
    decrease: Callable[[float, float, float, float], float] = inertial_decrease,
) -> Evidence:
    """An inertial step lowers F(x) + beta/(2 gamma) |x - x_previous|^2 by
    ((1 - 2 beta)/gamma + max(1/gamma - w, 0) - L)/2 |dx|^2 at least; by backtracking, with theta/gamma for L.

    One trial in three is an equality in its second step: f of curvature L, R of curvature -w or affine, and
    beta = gamma (L - w), so that two steps are equally long.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "an inertial step lowers F(x) + beta/(2 gamma) |x - x_previous|^2 by the guaranteed decrease",
        "docs/theory.md, Proposition 7.6",
        "quadratic f of any signs, penalties of every kind; admissible beta and gamma, and by backtracking",
    )
    for trial in range(trials):
        problem, x0 = _parabola(rng) if trial % 3 == 0 else _random_problem(rng)
        L, w = problem.f.lipschitz, _weak_convexity(problem.g)
        rule: StepRule = Constant()
        if trial % 3 == 0:
            gamma = 0.5 * min(2 / (3 * L - w), 1 / w if w else math.inf)
            beta = gamma * (L - w)
        else:
            beta = float(rng.choice([0.0, 0.2, 0.45] if w == math.inf else [0.0, 0.3, 0.6, 0.9]))
            gamma = Inertial(beta).step_size(L, w) * float(rng.choice([0.5, 1.0]))
            if rng.integers(2):
                rule, gamma = Backtracking(), 5 * gamma
        solver = make(step_size=gamma, step_rule=rule, acceleration=Inertial(beta))
        state = solver.init(problem, x0)
        before = solver.merit(problem, state)
        for k in range(_STEPS):
            old, state = state, solver.step(problem, state)
            gamma, length = state.step_size, float(np.sum((state.x - old.x) ** 2))
            after = problem.value(state.x) + beta / (2 * gamma) * length
            bend = state.theta / gamma if isinstance(rule, Backtracking) else L
            least = decrease(bend, w, gamma, beta) * length
            said = f"the last step lowers the merit from {before!r} to {after!r}, by {least!r} at least"
            apart = abs(solver.merit(problem, state) - after)
            slack = min(before - after - least, -apart) / (1 + abs(before) + abs(after))
            outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
            before = after
    return outcome.evidence()


def check_working_sets(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalGradient,
    decrease: Callable[[float, float, float], float] = average_decrease,
    shortest: Callable[[float, float], float] = lambda delta, L: (1 - delta) / (2 * L),
) -> Evidence:
    """With points of working sets in place of steps C falls by delta |T(x) - x|^2 / (2 memory gamma) at least, T the
    step from x, and bounds the objective; gamma is no shorter than without; and the residual is that of a step from
    the point returned, |T(x+) - x+| / gamma, or of the step itself where that was taken.

    One trial in three is an equality in its first step: f of curvature L, R = 0, gamma = (2 - delta)/L.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "with points of working sets the average of the objectives falls by what the step from x is sure of",
        "docs/theory.md, Proposition 7.7",
        "quadratic f on 12 to 24 coordinates, of any signs in a box; separable penalties; small working sets",
    )
    separable = [g for g in PENALTY_KINDS if getattr(g, "restricted", None) is not None]
    for trial in range(trials):
        delta, memory = float(rng.choice([1e-3, 0.3, 0.9])), float(rng.choice([1.0, 3.0, 10.0]))
        sets = WorkingSets(int(rng.integers(1, 4)), 1.5, float(rng.choice([0.5, 0.01])))
        n, step_size = int(rng.integers(12, 25)), float(10 ** rng.uniform(-2, 0))
        g = separable[trial // 3 % len(separable)]
        f, x0 = Quadratic.random(rng, n, lowest=-2.0 if isinstance(g, Box) else 0.1), np.zeros(n)
        problem = Composite(PartedQuadratic(f.Q, 0.5 * f.c), g)
        if trial % 3 == 0:
            L = float(10 ** rng.uniform(-1, 1))
            f, x0 = PartedQuadratic(np.array([[L]]), np.zeros(1)), rng.uniform(0.5, 1, 1)
            problem = Composite(f, Box(-1e3, 1e3))
            step_size = (2 - delta) / L
        solver = make(step_size=step_size, step_rule=BarzilaiBorwein(memory, delta), acceleration=sets)
        state = solver.init(problem, x0)
        before = solver.merit(problem, state)
        for k in range(_STEPS):
            old, state = state, solver.step(problem, state)
            gamma, residual = state.step_size, solver.measures(state)["residual"]
            step, after = _plain_step(problem, old.x, gamma), solver.merit(problem, state)
            objective, length = problem.value(state.x), float(np.sum((step - old.x) ** 2))
            least = decrease(delta, memory, gamma) * length
            floor = min(old.next_step, shortest(delta, problem.f.lipschitz))
            slack = min(before - after - least, after - objective) / (1 + abs(before) + abs(after))
            said = f"C falls from {before!r} to {after!r}, by {least!r} at least, over an objective of {objective!r}"
            case = partial(run_text, problem, solver, x0, k + 1)
            outcome.add(slack + _ROUNDING, partial(case, said))
            if length > _SEEN:
                outcome.add(gamma / floor - 1 + _ROUNDING, partial(case, f"gamma is {gamma!r}, at least {floor!r}"))
            ahead = float(np.linalg.norm(_plain_step(problem, state.x, gamma) - state.x)) / gamma
            behind = math.sqrt(length) / gamma if np.array_equal(step, state.x) else ahead
            said = f"the residual is {residual!r}, and |T(x) - x| / gamma {ahead!r} there, {behind!r} before"
            apart = min(abs(residual - own) / (1 + own) for own in (ahead, behind))
            outcome.add(_ROUNDING - apart, partial(case, said))
            before = after
    return outcome.evidence()


def _plain_step(problem: Composite, x: np.ndarray, gamma: float) -> np.ndarray:
    """T(x), one step of proximal gradient."""
    return problem.g.prox(x - gamma * problem.f.grad(x), gamma)


def _random_problem(rng: np.random.Generator) -> tuple[Composite, np.ndarray]:
    n = int(rng.integers(1, 5))
    g = PENALTY_KINDS[int(rng.integers(len(PENALTY_KINDS)))]
    return Composite(Quadratic.random(rng, n), g), rng.uniform(-1, 1, n)


def _parabola(rng: np.random.Generator) -> tuple[Composite, np.ndarray]:
    """f of curvature L, and near x0 an R of curvature -w with w = L/2, or of none: F has slope L/20 at x0 = 1/2."""
    L, x0 = float(10 ** rng.uniform(-1, 1)), 0.5
    w = L / 2 * float(rng.integers(2))
    g, slope = (MCP(w / 2, 1.0), w * (1 - x0)) if w else (Box(-1e3, 1e3), 0.0)
    return Composite(Quadratic(np.array([[L]]), np.array([L * x0 + slope - L / 20])), g), np.array([x0])


def _weak_convexity(g: Any) -> float:
    return g.traits.weak_convexity


CHECKS = (
    Check(13, "descent of averages", check_average_descent),
    Check(13, "descent with extrapolation", check_extrapolated_descent),
    Check(13, "descent with inertia", check_inertial_descent),
    Check(13, "descent on working sets", check_working_sets),
)
