"""The checks of solver theory fail for broken steps, and for constants that are a little too good to be true.

Most bounds are attained by some trial, so that one part in a hundred is seen. Where they are not, the factor that is
seen is the one planted here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from parsimo.core.problem import Composite
from parsimo.penalties import L1, MCP, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import ClusteringProblem, ZeroNormProblem
from parsimo.solvers import (
    AlternatingMinimization,
    Exact,
    Inexact,
    Linearized,
    ProximalADMM,
    ProximalGradient,
    solve,
)
from parsimo.solvers.stopping import max_iterations
from parsimo.solvers.x_steps import MeritConstants
from parsimo.theory_checks import (
    FAMILY,
    Evidence,
    check_admm_rate,
    check_admm_support_changes,
    check_alternating_certificate,
    check_alternating_descent,
    check_certificate,
    check_douglas_rachford,
    check_envelope_decrease,
    check_gradient_certificate,
    check_gradient_descent,
    check_gradient_rate,
    check_lagrangian_bounds,
    check_majorized_step,
    check_majorizer,
    check_merit,
    check_sigma_sharp,
    check_support_changes,
    check_worst_case,
    standard_checks,
)
from parsimo.theory_checks.descents import gradient_decrease
from parsimo.theory_checks.envelopes import envelope_constant, exact_decrease
from parsimo.theory_checks.functions import Quadratic, weighted_l1_minimum
from parsimo.theory_checks.majorization import mpec_weights
from parsimo.theory_checks.rates import admm_rate, gradient_rate, worst_case

MODULES = [f"parsimo.theory_checks.{m}" for m in ("admm", "descents", "envelopes", "majorization", "rates")]
ROWS = ((Exact(), False), (Exact(), True), (Linearized(), False), (Linearized(), True), (Inexact(), None))


def times(factor: float, bound: Callable[..., float]) -> Callable[..., float]:
    return lambda *arguments: factor * bound(*arguments)


# ---- broken P-ADMM


@dataclass(frozen=True)
class WrongDualStep(ProximalADMM):
    """y moves away from the constraint."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return replace(new, y=2 * state.y - new.y)


@dataclass(frozen=True)
class OffGradient(ProximalADMM):
    """The x-step is a thousandth away from where the gradient vanishes."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        x = new.x + 1e-3
        return replace(new, x=x, y=state.y + state.sigma * (x - new.z), dx=float(np.linalg.norm(x - state.x)))


@dataclass(frozen=True)
class OldZ(ProximalADMM):
    """The x-step uses the z of the step before."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        x = problem.f.prox((state.sigma * state.z - state.y) / state.sigma, 1 / state.sigma)
        return replace(new, x=x, y=state.y + state.sigma * (x - new.z), dx=float(np.linalg.norm(x - state.x)))


@dataclass(frozen=True)
class WeakPenalty(ProximalADMM):
    """The merit counts half of the coupling."""

    def merit(self, problem: Any, state: Any) -> float:
        gap = state.x - state.z
        return super().merit(problem, state) - state.sigma / 4 * float(gap @ gap)


@dataclass(frozen=True)
class WrongSignOfY(ProximalADMM):
    """The merit pairs the multiplier with z - x."""

    def merit(self, problem: Any, state: Any) -> float:
        return super().merit(problem, state) - 2 * float(state.y @ (state.x - state.z))


@dataclass(frozen=True)
class HalfConstants(ProximalADMM):
    """q, which pays for the dual step, is halved."""

    def constants(self, state: Any) -> MeritConstants:
        c = super().constants(state)
        return replace(c, q=c.q / 2)


@dataclass(frozen=True)
class NoProximalZ(ProximalADMM):
    """The z-step leaves out its proximal term."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, replace(state, z=state.x))
        return replace(new, dz=float(np.linalg.norm(new.z - state.z)))


@pytest.mark.parametrize(("x_step", "proximal"), ROWS, ids=repr)
@pytest.mark.parametrize("broken", [WrongDualStep, WeakPenalty, HalfConstants])
def test_a_broken_merit_is_seen_in_every_row(x_step: Any, proximal: bool | None, broken: Any):
    """Half of q is seen in each of the five rows of Theorem 6.2."""
    assert fails(check_merit(x_step, make=broken, proximal=proximal))


@pytest.mark.parametrize("x_step", [Exact(), Linearized()], ids=repr)
def test_sigma_below_the_threshold_is_seen(x_step: Any):
    assert fails(check_merit(x_step, factor=0.99, proximal=False))
    assert fails(check_sigma_sharp(make=HalfConstants))


def test_a_broken_step_certifies_nothing():
    assert fails(check_certificate(Exact(), make=WrongDualStep))
    assert fails(check_certificate(Linearized(), make=NoProximalZ))


@pytest.mark.parametrize("broken", [WrongDualStep, OffGradient, OldZ, WeakPenalty, WrongSignOfY])
def test_a_lagrangian_outside_its_bounds_is_seen(broken: Any):
    assert fails(check_lagrangian_bounds(make=broken))


@pytest.mark.parametrize("broken", [WrongDualStep, OffGradient, OldZ, WeakPenalty, WrongSignOfY])
def test_what_is_not_douglas_rachford_is_seen(broken: Any):
    assert fails(check_douglas_rachford(make=broken))


@pytest.mark.parametrize("broken", [WrongDualStep, OffGradient, OldZ, WeakPenalty])
def test_a_broken_envelope_is_seen(broken: Any):
    assert fails(check_envelope_decrease(make=broken))


def test_sharp_constants_cannot_be_raised():
    """By one part in a thousand; nor sigma be lowered by one in a hundred."""
    assert fails(check_envelope_decrease(constant=times(1.001, envelope_constant)))
    assert fails(check_envelope_decrease(decrease=times(1.001, exact_decrease)))
    assert fails(check_envelope_decrease(factor=0.99))


def test_the_constant_of_convex_functions_is_seen_where_f_is_not_convex():
    assert fails(check_envelope_decrease(constant=lambda L, m, sigma: envelope_constant(L, 0.0, sigma)))
    assert fails(check_envelope_decrease(decrease=lambda L, m, sigma: exact_decrease(L, 0.0, sigma)))


# ---- worst case and rates


def test_seven_tenths_of_the_worst_case_is_seen():
    """The bound itself is not attained by any trial; a factor of 0.7 is the catchable one."""
    assert fails(check_worst_case(bound=times(0.7, worst_case)))
    assert fails(check_worst_case(bound=times(0.5, worst_case)))
    assert fails(check_worst_case(bound=lambda L, m, sigma, gap, K: worst_case(L, m, sigma, gap, K) / sigma * L))
    assert check_worst_case().margin < 0.3


def test_a_rate_too_fast_is_seen():
    assert fails(check_gradient_rate(rate=times(1.01, gradient_rate)))
    assert fails(check_gradient_rate(rate=lambda L, mu, gamma: gradient_rate(L, L, gamma)))
    assert fails(check_admm_rate(rate=times(1.05, admm_rate)))
    assert fails(check_admm_rate(rate=lambda L, mu, sigma: admm_rate(L, L, sigma)))


def test_a_step_that_is_too_short_is_slower_than_its_rate():
    @dataclass(frozen=True)
    class ShortStep(ProximalGradient):
        def step(self, problem: Any, state: Any) -> Any:
            new = super().step(problem, replace(state, step_size=0.9 * state.step_size))
            return replace(new, step_size=state.step_size)

    assert fails(check_gradient_rate(make=ShortStep))
    assert fails(check_admm_rate(make=WrongDualStep))


def test_a_method_that_is_slower_than_the_worst_case_is_seen():
    @dataclass(frozen=True)
    class Hesitant(ProximalADMM):
        """Goes one part in a hundred of the way."""

        def step(self, problem: Any, state: Any) -> Any:
            new = super().step(problem, state)
            x, z, y = (old + (there - old) / 100 for old, there in zip(*map(copies, (state, new)), strict=True))
            return replace(new, x=x, z=z, y=y, grad=problem.f.grad(x))

    def copies(state: Any) -> tuple[Any, Any, Any]:
        return state.x, state.z, state.y

    assert fails(check_worst_case(make=Hesitant))
    assert fails(check_worst_case(make=WrongDualStep))


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
        new = super().step(problem, replace(state, step_size=2.5 * state.step_size))
        return replace(new, step_size=state.step_size, residual=2.5 * new.residual)


@dataclass(frozen=True)
class OldPoint(ProximalGradient):
    """Returns the point before the step."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return replace(new, x=new.x_previous)


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
            return replace(new, x=small if int(np.count_nonzero(state.x)) else new.x)

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
    names = {
        "solve": solve, "Composite": Composite, "Quadratic": Quadratic, "max_iterations": max_iterations, "np": np,
        "array": np.array, "ProximalADMM": ProximalADMM, "Exact": Exact, "ProximalGradient": ProximalGradient,
        "Box": Box, "ZeroNorm": ZeroNorm, "Clustering": Clustering, "L1": L1, "MCP": MCP, "CappedL1": CappedL1,
        "ZeroNormProblem": ZeroNormProblem, "ClusteringProblem": ClusteringProblem, "FAMILY": FAMILY,
        "mpec_weights": mpec_weights, "AlternatingMinimization": AlternatingMinimization,
        "Linearized": Linearized, "Inexact": Inexact,
    }  # fmt: skip
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


def fails(evidence: Evidence) -> bool:
    """Whether the check has seen it, beyond rounding."""
    assert evidence.verdict == "fails", evidence
    assert evidence.margin < -1e-10, evidence
    return True
