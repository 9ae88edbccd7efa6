"""The checks of P-ADMM and of rates fail for broken steps, and for constants that are a little too good to be true.

Most bounds are attained by some trial, so that one part in a hundred is seen. Where they are not, the factor that is
seen is the one planted here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from planting import fails, times

from parsimo.solvers import (
    Exact,
    Inexact,
    Linearized,
    ProximalADMM,
    ProximalGradient,
)
from parsimo.solvers.merits import MeritLaw, SharpConstants
from parsimo.theory_checks import (
    check_admm_rate,
    check_certificate,
    check_douglas_rachford,
    check_envelope_decrease,
    check_gradient_rate,
    check_lagrangian_bounds,
    check_merit,
    check_sigma_sharp,
    check_worst_case,
)
from parsimo.theory_checks.envelopes import envelope_constant, exact_decrease
from parsimo.theory_checks.rates import admm_rate, gradient_rate, worst_case

ROWS = ((Exact(), False), (Exact(), True), (Linearized(), False), (Linearized(), True), (Inexact(), None))

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
    """q, which pays for the dual step, is halved; of the sharp constants, a tenth of the curvatures is left out."""

    def constants(self, state: Any) -> MeritLaw:
        c = super().constants(state)
        if isinstance(c, SharpConstants):
            return replace(c, L=0.9 * c.L, m=0.9 * c.m)
        return replace(c, new=c.new / 2**0.5, old=c.old / 2**0.5)  # type: ignore[type-var, attr-defined]


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
            new = super().step(problem, state._replace(next_step=0.9 * state.next_step))
            return new._replace(step_size=state.next_step, next_step=state.next_step)

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
