"""The theory checks of P-ADMM hold for the code as it is, and fail for code that was broken on purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from solver_cases import X_STEPS

from parsimo.solvers import Exact, Inexact, Linearized, ProximalADMM
from parsimo.solvers.merits import MeritLaw, SharpConstants
from parsimo.solvers.proximal_admm import State
from parsimo.theory_checks.admm import check_certificate, check_merit, check_sigma_sharp


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("x_step", X_STEPS, ids=repr)
def test_the_checks_hold(x_step: Any):
    for evidence in (check_merit(x_step, rng()), check_certificate(x_step, rng())):
        assert evidence.holds, evidence
        assert evidence.trials == 1000


def test_sigma_is_sharp():
    evidence = check_sigma_sharp(rng())
    assert evidence.holds, evidence
    assert evidence.margin > 0.01


def test_the_bound_of_the_exact_step_is_attained():
    """The worst trial leaves rounding only: nothing smaller than the constants of the exact step would do."""
    assert check_merit(Exact(), rng()).margin == pytest.approx(1e-11, abs=1e-12)


@dataclass(frozen=True)
class WrongDualStep(ProximalADMM):
    """y moves away from the constraint."""

    def step(self, problem: Any, state: State) -> State:
        new = super().step(problem, state)
        return replace(new, y=2 * state.y - new.y)


@dataclass(frozen=True)
class LongDualStep(ProximalADMM):
    """y moves one part in a thousand too far."""

    def step(self, problem: Any, state: State) -> State:
        new = super().step(problem, state)
        return replace(new, y=state.y + 1.001 * (new.y - state.y))


@dataclass(frozen=True)
class StaleZ(ProximalADMM):
    """The z-step leaves out its proximal term, although it is charged for."""

    def step(self, problem: Any, state: State) -> State:
        new = super().step(problem, replace(state, z=state.x))
        return replace(new, dz=float(np.linalg.norm(new.z - state.z)))


@dataclass(frozen=True)
class WeakPenalty(ProximalADMM):
    """The merit counts half of the coupling."""

    def merit(self, problem: Any, state: State) -> float:
        gap = state.x - state.z
        return super().merit(problem, state) - state.sigma / 4 * float(gap @ gap)


@dataclass(frozen=True)
class HalfConstants(ProximalADMM):
    """q, which pays for the dual step, is halved; of the sharp constants, a tenth of the curvatures is left out."""

    def constants(self, state: State) -> MeritLaw:
        c = super().constants(state)
        if isinstance(c, SharpConstants):
            return replace(c, L=0.9 * c.L, m=0.9 * c.m)
        return replace(c, new=c.new / 2**0.5, old=c.old / 2**0.5)  # type: ignore[type-var, attr-defined]


@dataclass(frozen=True)
class TimidConstants(ProximalADMM):
    """Curvatures are overestimated by a tenth: true, but not sharp."""

    def constants(self, state: State) -> MeritLaw:
        c: Any = super().constants(state)
        return replace(c, L=1.1 * c.L, m=1.1 * c.m)


@dataclass(frozen=True)
class Forgetful(ProximalADMM):
    """The merit does not remember the last step."""

    def _remembered(self, state: State) -> float:
        return 0.0


@pytest.mark.parametrize("broken", [WrongDualStep, LongDualStep, WeakPenalty, HalfConstants])
def test_a_broken_step_or_constant_breaks_the_merit(broken: Any):
    evidence = check_merit(Exact(), rng(), make=broken)
    assert not evidence.holds
    assert evidence.margin < -1e-9


@pytest.mark.parametrize("x_step", [Linearized(), Inexact()], ids=repr)
def test_wrong_code_is_caught_with_gradient_steps_too(x_step: Any):
    assert not check_merit(x_step, rng(), make=WrongDualStep).holds
    assert not check_certificate(x_step, rng(), make=WrongDualStep).holds


def test_a_forgotten_memory_is_caught():
    assert not check_merit(Linearized(), rng(), make=Forgetful).holds


@pytest.mark.parametrize("factor", [0.9, 0.99])
def test_below_the_admissible_sigma_the_merit_may_rise(factor: float):
    evidence = check_merit(Exact(), rng(), factor=factor)
    assert not evidence.holds
    assert "array([0.99])" in evidence.worst_case  # the instance for which the bound is an equality


@pytest.mark.parametrize("broken", [WrongDualStep, LongDualStep, StaleZ])
def test_a_broken_step_certifies_nothing(broken: Any):
    assert not check_certificate(Exact(), rng(), make=broken).holds


@pytest.mark.parametrize("broken", [HalfConstants, TimidConstants])
def test_a_smallest_sigma_that_is_too_small_or_too_large_is_not_sharp(broken: Any):
    evidence = check_sigma_sharp(rng(), make=broken)
    assert not evidence.holds
    assert evidence.margin < -0.01
