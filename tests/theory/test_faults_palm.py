"""The checks of PALM fail for broken steps, and for constants that are a little too good to be true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from planting import fails

from parsimo.problems import ClusteringProblem
from parsimo.solvers import PALM
from parsimo.solvers.palm import InertialConstants
from parsimo.theory_checks import check_palm_certificate, check_palm_descent
from parsimo.theory_checks.functions import Quadratic


@dataclass(frozen=True)
class OffGradient(PALM):
    """The gradient has an error of a hundredth."""

    def step(self, problem: Any, state: Any) -> Any:
        if not isinstance(problem.f, Quadratic):
            return super().step(problem, state)
        return super().step(replace(problem, f=Quadratic(problem.f.Q, problem.f.c + 1e-2)), state)


@dataclass(frozen=True)
class MoreInertia(PALM):
    """Steps out by 1.1 times the inertia it states."""

    def step(self, problem: Any, state: Any) -> Any:
        return super().step(problem, replace(state, x_previous=1.1 * state.x_previous - 0.1 * state.x))


@dataclass(frozen=True)
class StuckCodebook(PALM):
    """The u-step keeps the assignments that went with the x before."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return replace(new, u=state.u) if isinstance(problem, ClusteringProblem) else new


@dataclass(frozen=True)
class WrongU(PALM):
    """u of another point."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return replace(new, u=problem.auxiliary(new.x[::-1].copy()))


@dataclass(frozen=True)
class OldPoint(PALM):
    """Returns the point before the step."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return replace(new, x=state.x + 0.0)


@pytest.mark.parametrize("broken", [OffGradient, MoreInertia, StuckCodebook, WrongU])
def test_a_broken_step_is_seen(broken: Any):
    assert fails(check_palm_descent(make=broken))


@pytest.mark.parametrize("broken", [OffGradient, OldPoint])
def test_a_point_that_the_residual_does_not_certify_is_seen(broken: Any):
    assert fails(check_palm_certificate(make=broken))


def of_changed(memory: float = 1.0, decrease: float = 1.0, **hypotheses: Any) -> Any:
    """The constants of the proposition, times a factor, or under another hypothesis."""

    def of(L: float, m: float, alpha: float, gamma: float, convex: bool) -> InertialConstants:
        found = InertialConstants.of(L, hypotheses.get("m", m), alpha, gamma, hypotheses.get("convex", convex))
        return InertialConstants(memory * found.memory, decrease * found.decrease)

    return of


@pytest.mark.parametrize(
    "changed",
    [
        {"decrease": 1.01},
        {"memory": 0.9},  # too little is remembered
        {"memory": 1.1},  # with the same decrease
        {"memory": 0.0},
        {"m": 0.0},
        {"convex": True},
    ],
)
def test_constants_cannot_be_bettered(changed: dict[str, Any]):
    assert fails(check_palm_descent(constants=of_changed(**changed)))


@pytest.mark.parametrize(
    "bound",
    [
        lambda L, gamma, residual, change: 0.95 * (1 + gamma * L) * residual + change,
        lambda L, gamma, residual, change: (1 + gamma * L) * residual,  # the u-step forgotten
        lambda L, gamma, residual, change: residual + change,
    ],
)
def test_the_bound_of_the_certificate_cannot_be_lowered(bound: Any):
    assert fails(check_palm_certificate(bound=bound))


def test_blocks_that_are_coupled_by_the_absolute_distance_hold_each_other():
    """The example behind the choice of blocks: with the codebook fixed, x stays; for this x, the codebook does."""
    from parsimo.penalties import Clustering

    f = Quadratic(np.eye(2) / 2, np.full(2, 0.5))
    x, book = np.zeros(2), Clustering(1.0, np.zeros(1))
    assert (book.prox(x - f.grad(x), 1.0) == 0).all()
    problem = ClusteringProblem(f, 1.0, 1)
    assert problem.auxiliary(x)[0].codebook == 0
    solver = PALM()
    state = solver.init(problem, x)
    for _ in range(100):
        state = solver.step(problem, state)
    np.testing.assert_allclose(state.x, np.ones(2), atol=1e-10)
