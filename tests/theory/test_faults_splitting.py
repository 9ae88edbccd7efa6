"""The checks of relaxed, balanced, leaping and shared P-ADMM fail for broken steps and constants too good."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from planting import fails, times

from parsimo.solvers import ConsensusADMM, LatePhase, ProximalADMM
from parsimo.solvers.merits import SharpConstants
from parsimo.theory_checks import (
    check_balancing,
    check_consensus,
    check_every_sigma,
    check_leaps,
    check_relaxed_decrease,
)


def of(name: str, **changed: Any) -> Any:
    """A bound of constants that are altered first."""
    return lambda constants, sigma: getattr(replace(constants, **changed), name)(sigma)


# ---- over-relaxation


def test_sharp_constants_cannot_be_raised():
    """The fall of the Lagrangian by one part in a thousand; nor sigma be lowered by one in a hundred."""
    assert fails(check_relaxed_decrease(decrease=times(1.001, SharpConstants.decrease)))
    assert fails(check_relaxed_decrease(envelope=times(1.001, SharpConstants.envelope)))
    assert fails(check_relaxed_decrease(factor=0.99))


def test_constants_of_another_setting_are_seen():
    assert fails(check_relaxed_decrease(decrease=of("decrease", relaxation=1.0)))
    assert fails(check_relaxed_decrease(envelope=of("envelope", relaxation=1.0)))
    assert fails(check_relaxed_decrease(decrease=of("decrease", m=0.0)))
    assert fails(check_relaxed_decrease(envelope=of("envelope", m=0.0)))
    assert fails(check_relaxed_decrease(envelope=times(0.5, SharpConstants.envelope)))  # below what others have


@dataclass(frozen=True)
class RelaxedTwice(ProximalADMM):
    """v is used in the x-step, and the y-step relaxes it again."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return replace(new, y=new.y + 0.1 * state.sigma * (1 - self.relaxation) * (new.z - state.x))


@dataclass(frozen=True)
class WrongDualStep(ProximalADMM):
    """y moves away from the constraint."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return replace(new, y=2 * state.y - new.y)


@pytest.mark.parametrize("broken", [RelaxedTwice, WrongDualStep])
def test_a_broken_relaxed_step_is_seen(broken: Any):
    assert fails(check_relaxed_decrease(make=broken))
    assert fails(check_every_sigma(make=broken))


# ---- leaps


@dataclass(frozen=True)
class Gullible(LatePhase):
    """Takes every point."""

    def accepts(self, fall: float, required: float, rounding: float, gap: float, gap_before: float) -> bool:
        return True


@dataclass(frozen=True)
class Content(LatePhase):
    """Takes every point at which the merit does not rise, though more is promised."""

    def accepts(self, fall: float, required: float, rounding: float, gap: float, gap_before: float) -> bool:
        return fall >= 0

    def leap(self, *arguments: Any) -> Any:
        candidate, late, required = super().leap(*arguments)
        return candidate, late, 100 * required


@dataclass(frozen=True)
class OldMultiplier(ProximalADMM):
    """A leap keeps the y from before."""

    def _landed(self, f: Any, state: Any, *arguments: Any) -> Any:
        return replace(super()._landed(f, state, *arguments), y=state.y)


@dataclass(frozen=True)
class WrongZ(ProximalADMM):
    """After a leap z is x."""

    def _landed(self, *arguments: Any) -> Any:
        new = super()._landed(*arguments)
        return replace(new, z=new.x + 1e-3)


@dataclass(frozen=True)
class LowMerit(ProximalADMM):
    """The merit of a leap is less than that of the state it leads to."""

    def merit(self, problem: Any, state: Any) -> float:
        return super().merit(problem, state) - (0.0 if state.required is None else 1e-3 * state.dz)


@pytest.mark.parametrize("leaps", [Gullible, Content])
def test_leaps_that_are_taken_too_lightly_are_seen(leaps: Any):
    assert fails(check_leaps(leaps=leaps))


@pytest.mark.parametrize("broken", [OldMultiplier, WrongZ, LowMerit, WrongDualStep])
def test_a_leap_to_an_inconsistent_state_is_seen(broken: Any):
    assert fails(check_leaps(make=broken))


# ---- balancing


@dataclass(frozen=True)
class GoesOn(ProximalADMM):
    """sigma changes, but x and y stay: the coupling is charged anew."""

    def _balanced(self, f: Any, state: Any) -> Any:
        new = super()._balanced(f, state)
        return new if new.sigma == state.sigma else replace(new, x=state.x, y=state.y, grad=state.grad)


@dataclass(frozen=True)
class Reckless(ProximalADMM):
    """sigma may fall to half of the smallest admissible one."""

    def _balanced(self, f: Any, state: Any) -> Any:
        new = super()._balanced(f, state)
        return replace(new, sigma=new.sigma / 2) if new.sigma < state.sigma else new


@dataclass(frozen=True)
class Restless(ProximalADMM):
    """Forgets how often sigma was changed."""

    def step(self, problem: Any, state: Any) -> Any:
        return super().step(problem, replace(state, balanced=()))


@pytest.mark.parametrize("broken", [GoesOn, Reckless, Restless, WrongDualStep])
def test_a_broken_balancing_is_seen(broken: Any):
    assert fails(check_balancing(make=broken))


# ---- every sigma


def test_bounds_that_are_too_good_for_convex_problems_are_seen():
    assert fails(check_every_sigma(share=lambda r: 1.001 * r * (2 - r)))
    assert fails(check_every_sigma(bound=lambda L, sigma: 0.9 * max(sigma, L - sigma)))
    assert fails(check_every_sigma(bound=lambda L, sigma: sigma))


# ---- consensus


@dataclass(frozen=True)
class Solo(ConsensusADMM):
    """The multipliers of the first block are not updated."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        n = new.point.shape[0]
        y = np.concatenate([state.copies.y[:n], new.copies.y[n:]])
        return replace(new, copies=replace(new.copies, y=y))


@dataclass(frozen=True)
class Mean(ConsensusADMM):
    """The merit is divided by the number of blocks."""

    def merit(self, problem: Any, state: Any) -> float:
        return super().merit(problem, state) / state.blocks


@pytest.mark.parametrize("broken", [Solo, Mean])
def test_a_broken_consensus_is_seen(broken: Any):
    assert fails(check_consensus(make=broken))


def test_a_prox_that_forgets_the_number_of_blocks_is_seen(monkeypatch: pytest.MonkeyPatch):
    from parsimo.solvers import consensus

    def prox(self: Any, v: Any, step_size: float, u: Any = None) -> Any:
        z, u = self.problem.prox(v.reshape(self.count, -1).mean(axis=0), step_size, u)
        return self.spread(z), u

    monkeypatch.setattr(consensus._Product, "prox", prox)
    assert fails(check_consensus())
