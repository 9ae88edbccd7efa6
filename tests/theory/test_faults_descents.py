"""The checks of descent methods fail for broken steps, and for constants that are a little too good to be true.

Most bounds are attained by some trial, so that one part in a hundred is seen. Where they are not, the factor that is
seen is the one planted here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from planting import fails, times

from parsimo.penalties import ZeroNorm
from parsimo.solvers import (
    AlternatingMinimization,
    ProximalADMM,
    ProximalGradient,
)
from parsimo.theory_checks import (
    FAMILY,
    check_admm_support_changes,
    check_alternating_certificate,
    check_alternating_descent,
    check_gradient_certificate,
    check_gradient_descent,
    check_majorized_step,
    check_majorizer,
    check_support_changes,
    check_worst_case,
    paste,
    standard_checks,
)
from parsimo.theory_checks.descents import gradient_decrease
from parsimo.theory_checks.functions import Quadratic, weighted_l1_minimum
from parsimo.theory_checks.majorization import mpec_weights
from parsimo.theory_checks.rates import worst_case

MODULES = [f"parsimo.theory_checks.{m}" for m in ("admm", "descents", "envelopes", "majorization", "rates")]

# ---- proximal gradient


@dataclass(frozen=True)
class OffGradientStep(ProximalGradient):
    """The gradient has an error of a thousandth."""

    def step(self, problem: Any, state: Any) -> Any:
        return super().step(replace(problem, f=Quadratic(problem.f.Q, problem.f.c + 1e-3)), state)


@dataclass(frozen=True)
class LongStep(ProximalGradient):
    """Steps are 2.5 times as long as the state says."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state._replace(next_step=2.5 * state.next_step))
        return new._replace(step_size=state.next_step, next_step=state.next_step, residual=2.5 * new.residual)


@dataclass(frozen=True)
class OldPoint(ProximalGradient):
    """Returns the point before the step."""

    def step(self, problem: Any, state: Any) -> Any:
        return super().step(problem, state)._replace(x=state.x)


@dataclass(frozen=True)
class HalfResidual(ProximalGradient):
    """Measures half of the step."""

    def measures(self, state: Any) -> dict[str, float]:
        measures = super().measures(state)
        return measures | {"residual": measures["residual"] / 2}


@pytest.mark.parametrize("broken", [OffGradientStep, LongStep])
def test_a_broken_gradient_step_is_seen(broken: Any):
    assert fails(check_gradient_descent(make=broken))


@pytest.mark.parametrize("broken", [OffGradientStep, OldPoint, HalfResidual])
def test_a_residual_that_does_not_bound_the_certificate_is_seen(broken: Any):
    assert fails(check_gradient_certificate(make=broken))


def test_gradient_constants_cannot_be_raised():
    assert fails(check_gradient_descent(decrease=times(1.01, gradient_decrease)))
    assert fails(check_gradient_descent(decrease=lambda L, gamma, convex: gradient_decrease(L, gamma, True)))
    assert fails(check_gradient_certificate(bound=lambda L, gamma: 0.99 * (1 + gamma * L)))
    assert fails(check_gradient_certificate(bound=lambda L, gamma: 1.0))


# ---- support changes


def test_support_changes_beyond_the_bound_are_seen():
    assert fails(check_support_changes(price=lambda weight, L, gamma: 1.01 * weight * (1 - gamma * L)))
    assert fails(check_support_changes(price=lambda weight, L, gamma: weight))  # the factor 1 - gamma L missing
    assert fails(check_admm_support_changes(price=lambda weight, sigma, tau: 1.01 * weight * tau / (sigma + tau)))
    assert fails(check_admm_support_changes(price=lambda weight, sigma, tau: weight))  # tau / (sigma + tau) missing


def test_a_method_whose_support_flickers_is_seen():
    @dataclass(frozen=True)
    class Flickering(ProximalGradient):
        """Every second step has a threshold a hundred times too high."""

        def step(self, problem: Any, state: Any) -> Any:
            new = super().step(problem, state)
            small = ZeroNorm(1e4 * problem.g.weight).prox(new.x, new.step_size)
            return new._replace(x=small if int(np.count_nonzero(state.x)) else new.x)

    assert fails(check_support_changes(make=Flickering))

    @dataclass(frozen=True)
    class Restless(ProximalADMM):
        """The proximal term of the z-step points the wrong way."""

        def step(self, problem: Any, state: Any) -> Any:
            return super().step(problem, replace(state, z=-state.z))

    assert fails(check_admm_support_changes(make=Restless))


# ---- majorization and alternating minimization


def at_the_wrong_argument(problem: Any, x: np.ndarray) -> np.ndarray:
    """h' at |x| instead of rho |x|."""
    return mpec_weights(problem, x / problem.rho)


def without_rho(problem: Any, x: np.ndarray) -> np.ndarray:
    return mpec_weights(problem, x) / problem.rho


def a_little_further(problem: Any, x: np.ndarray) -> np.ndarray:
    return mpec_weights(problem, 1.05 * x)


def one_percent_too_large(problem: Any, x: np.ndarray) -> np.ndarray:
    return 1.01 * mpec_weights(problem, x)


@pytest.mark.parametrize("member", ["capped_l1", "scad", "mcp", "log"])
@pytest.mark.parametrize("weights", [at_the_wrong_argument, without_rho, a_little_further, one_percent_too_large])
def test_wrong_weights_are_seen(member: str, weights: Any):
    assert fails(check_majorizer(FAMILY[member], weights=weights))


@pytest.mark.parametrize("member", ["capped_l1", "scad", "mcp", "log"])
@pytest.mark.parametrize("weights", [at_the_wrong_argument, without_rho])
def test_a_step_with_wrong_weights_is_seen(member: str, weights: Any):
    assert fails(check_majorized_step(FAMILY[member], weights=weights))


@pytest.mark.parametrize("member", FAMILY)
def test_the_decrease_of_the_majorized_step_cannot_be_raised(member: str):
    assert fails(check_majorized_step(FAMILY[member], trials=15, decrease=lambda gamma: 1.01 * gamma))


@dataclass(frozen=True)
class RandomU(AlternatingMinimization):
    """u of another point."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return replace(new, u=problem.auxiliary(new.x[::-1].copy()))


@dataclass(frozen=True)
class StaleGradient(AlternatingMinimization):
    """The inner step is taken at a tilted f."""

    def step(self, problem: Any, state: Any) -> Any:
        return super().step(replace(problem, f=Quadratic(problem.f.Q, problem.f.c + 1e-3)), state)


@dataclass(frozen=True)
class FirstResidual(AlternatingMinimization):
    """Measures half of the last inner step."""

    def measures(self, state: Any) -> dict[str, float]:
        measures = super().measures(state)
        return measures | {"residual": measures["residual"] / 2}


def test_broken_alternation_is_seen():
    assert fails(check_alternating_descent(make=RandomU))
    assert fails(check_alternating_descent(make=StaleGradient))
    assert fails(check_alternating_certificate(make=StaleGradient))
    assert fails(check_alternating_certificate(make=FirstResidual))


def test_alternating_constants_cannot_be_raised():
    assert fails(check_alternating_descent(decrease=lambda L, steps: 1.01 * L / (2 * steps)))
    assert fails(check_alternating_certificate(bound=lambda residual, change: 1.9 * residual + change))
    assert fails(check_alternating_certificate(bound=lambda residual, change: 2 * residual))  # the weights forgotten


# ---- the instances


def test_the_weighted_l1_minimum_is_that_of_a_hand_computation():
    f = Quadratic(np.diag([2.0, 1.0]), np.array([5.0, -0.3]))
    np.testing.assert_allclose(weighted_l1_minimum(f, np.array([1.0, 0.5])), [2.0, 0.0])


def test_the_worst_case_of_a_run_can_be_pasted():
    names = vars(paste)
    evidence = check_worst_case(trials=3)
    result = eval(evidence.worst_case, names)
    sigma, steps = evidence.worst_case.split("sigma=")[1].split(",")[0], result.iterations
    f, x0 = result.problem.f, np.ones(1)
    gap = f.value(x0) - f.value(np.array([result.problem.g.upper]))
    used = result.certificate / worst_case(f.lipschitz, f.weak_convexity, float(sigma), gap, steps)
    assert 1 - used == pytest.approx(evidence.margin, abs=1e-12)
    assert eval(check_support_changes(trials=1).worst_case, names).iterations == 200
    for check in standard_checks():
        if getattr(check.function, "func", check.function).__module__ in MODULES:
            for seed in range(3):
                eval(check.run(seed, trials=4).worst_case, names)
