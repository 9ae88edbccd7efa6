"""The checks of step rules and accelerations fail for tests left out, and for constants that are a little too good."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from planting import fails, times

from parsimo.solvers import BarzilaiBorwein, ProximalGradient
from parsimo.solvers.acceleration import Extrapolation, Inertial, Start
from parsimo.theory_checks import (
    check_average_descent,
    check_extrapolated_descent,
    check_inertial_descent,
    check_working_sets,
    paste,
)
from parsimo.theory_checks.step_rules import CHECKS, average_decrease, inertial_decrease

# ---- nonmonotone steps


class Reckless(BarzilaiBorwein):
    """Takes every step."""

    def at(self, problem: Any, state: Any, base: Any) -> Any:
        return super().at(problem, state, base)[0], lambda trial: 0.0


class Forgetful(BarzilaiBorwein):
    """C comes down by half of what it should."""

    def at(self, problem: Any, state: Any, base: Any) -> Any:
        grad, test = super().at(problem, state, base)
        ceiling = problem.value(state.x) + state.excess

        def slow(trial: Any) -> float | None:
            excess, objective = test(trial), problem.value(trial.x)
            return None if excess is None else excess + (ceiling - objective - excess) / 2

        return grad, slow


class Timid(BarzilaiBorwein):
    """Steps that would be taken are cut to an eighth."""

    def at(self, problem: Any, state: Any, base: Any) -> Any:
        grad, test = super().at(problem, state, base)
        return grad, lambda trial: test(trial) if 8 * trial.step_size < state.next_step else None


@pytest.mark.parametrize("rule", [Reckless, Forgetful, Timid])
def test_a_broken_average_is_seen(rule: Any):
    def make(step_size: float, step_rule: BarzilaiBorwein) -> ProximalGradient:
        return ProximalGradient(step_size, rule(step_rule.memory, step_rule.decrease))

    assert fails(check_average_descent(make=make))


def test_constants_of_the_average_cannot_be_raised():
    assert fails(check_average_descent(decrease=times(1.01, average_decrease)))
    assert fails(check_average_descent(decrease=lambda delta, memory, gamma: delta / (2 * gamma)))
    assert fails(check_average_descent(shortest=lambda delta, L: 1 / L))


# ---- extrapolation


@dataclass(frozen=True)
class Credulous(Extrapolation):
    """Takes every point of Anderson's."""

    def end(self, problem: Any, state: Any, start: Start, taken: Any, excess: float) -> Any:
        return super().end(problem, state, start._replace(objective=math.inf), taken, excess)


@dataclass(frozen=True)
class Extrapolating(ProximalGradient):
    def _acceleration(self, problem: Any) -> Any:
        return Credulous(self.acceleration)  # type: ignore[arg-type]


def test_points_taken_without_a_test_are_seen():
    assert fails(check_extrapolated_descent(make=Extrapolating))


def test_the_decrease_with_extrapolation_cannot_be_raised():
    assert fails(check_extrapolated_descent(decrease=lambda L, w, gamma: 1.01 * inertial_decrease(L, w, gamma, 0.0)))
    assert fails(check_extrapolated_descent(decrease=lambda L, w, gamma: inertial_decrease(L, 0.0, gamma, 0.0)))
    assert fails(check_extrapolated_descent(decrease=lambda L, w, gamma: inertial_decrease(L, 0.9 * w, gamma, 0.0)))


# ---- inertia


@dataclass(frozen=True)
class MoreInertia(Inertial):
    """Inertia of 1.2 beta."""

    def start(self, problem: Any, state: Any) -> Start:
        x_previous, beta = state.kept
        return super().start(problem, state._replace(kept=(x_previous, 1.2 * beta)))


@dataclass(frozen=True)
class FurtherGradient(Inertial):
    """The gradient is that of the extrapolated point."""

    def start(self, problem: Any, state: Any) -> Start:
        v = super().start(problem, state).v
        return Start(v, v, math.nan)


@dataclass(frozen=True)
class HalfMerit(Inertial):
    """Half of the second term of the merit."""

    def end(self, problem: Any, state: Any, start: Start, taken: Any, excess: float) -> Any:
        *rest, excess = super().end(problem, state, start, taken, excess)
        return (*rest, excess / 2)


@pytest.mark.parametrize("inertia", [MoreInertia, FurtherGradient, HalfMerit])
def test_broken_inertia_is_seen(inertia: Any):
    def make(step_size: float, step_rule: Any, acceleration: Inertial) -> ProximalGradient:
        return ProximalGradient(step_size, step_rule, inertia(acceleration.beta))

    assert fails(check_inertial_descent(make=make))


def test_the_decrease_with_inertia_cannot_be_raised():
    assert fails(check_inertial_descent(decrease=times(1.01, inertial_decrease)))
    assert fails(check_inertial_descent(decrease=lambda L, w, gamma, beta: inertial_decrease(L, 0.0, gamma, beta)))
    assert fails(check_inertial_descent(decrease=lambda L, w, gamma, beta: inertial_decrease(L, w, gamma, 0.99 * beta)))
    assert fails(check_inertial_descent(decrease=lambda L, w, gamma, beta: inertial_decrease(0.99 * L, w, gamma, beta)))


def test_worst_cases_can_be_pasted():
    for check in CHECKS:
        for seed in range(3):
            eval(check.run(seed, trials=4).worst_case, vars(paste))


# ---- working sets


@dataclass(frozen=True)
class Untested(ProximalGradient):
    """Steps to 1.01 times the point that passed the test."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return new._replace(x=1.01 * new.x)


@dataclass(frozen=True)
class Flattering(ProximalGradient):
    """Measures nine tenths of the residual."""

    def measures(self, state: Any) -> dict[str, float]:
        measures = super().measures(state)
        return measures | {"residual": 0.9 * measures["residual"]}


@dataclass(frozen=True)
class Lavish(ProximalGradient):
    """The merit is the objective, whose average it should be."""

    def merit(self, problem: Any, state: Any) -> float:
        return problem.value(state.x, state.u)


@pytest.mark.parametrize("broken", [Untested, Flattering, Lavish])
def test_broken_working_sets_are_seen(broken: Any):
    assert fails(check_working_sets(make=broken))


def test_constants_of_working_sets_cannot_be_raised():
    assert fails(check_working_sets(decrease=times(1.01, average_decrease)))
    assert fails(check_working_sets(decrease=lambda delta, memory, gamma: delta / (2 * gamma)))
