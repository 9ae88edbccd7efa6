"""The checks of coordinate descent fail for broken passes and runs, and for a decrease a little too good."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from planting import fails, times

from parsimo.solvers import CoordinateDescent
from parsimo.theory_checks import check_coordinate_descent, check_coordinate_passes
from parsimo.theory_checks.coordinates import move_decrease, one_pass

# ---- passes


def all_at_once(form: str, compiled: bool, g: Any, A: Any, h: Any, d: Any, x: Any, y: Any) -> Any:
    """Every coordinate moves by the slopes at the start of the pass."""
    H = A.T @ (h[:, None] * A)
    L = np.maximum(np.diag(H), 1e-10)
    return np.where(np.diag(H) > 0, g.prox(y - (d + H @ (y - x)) / L, 1 / L), y)


def long_moves(*data: Any) -> Any:
    """A tenth too far."""
    y = data[-1]
    return y + 1.1 * (one_pass(*data) - y)


def no_move(*data: Any) -> Any:
    """Nothing is done."""
    return data[-1]


def without_weights(form: str, compiled: bool, g: Any, A: Any, h: Any, d: Any, x: Any, y: Any) -> Any:
    """The curvatures of the rows are forgotten."""
    return one_pass(form, compiled, g, A, np.ones_like(h), d, x, y)


def out_of_the_domain(*data: Any) -> Any:
    """A coordinate is moved by a difference, which rounding may carry over the end of a box."""
    y = data[-1]
    return y + (one_pass(*data) - y)


@pytest.mark.parametrize("broken", [all_at_once, long_moves, no_move, without_weights])
def test_a_broken_pass_is_seen(broken: Any):
    assert fails(check_coordinate_passes(sweep=broken))


def test_a_pass_that_leaves_the_domain_by_rounding_is_seen():
    assert check_coordinate_passes(sweep=out_of_the_domain, trials=400).margin == -np.inf


def test_the_decrease_of_a_pass_cannot_be_raised():
    assert fails(check_coordinate_passes(decrease=times(1.01, move_decrease)))
    assert fails(check_coordinate_passes(decrease=lambda curvature, w: curvature / 2))


# ---- runs


@dataclass(frozen=True)
class Overshooting(CoordinateDescent):
    """Goes twice as far."""

    def step(self, problem: Any, state: Any) -> Any:
        new = super().step(problem, state)
        return self._looked_at(problem, replace(new, x=2 * new.x - state.x))


@dataclass(frozen=True)
class Narrow(CoordinateDescent):
    """Looks at its working set alone."""

    def measures(self, state: Any) -> dict[str, float]:
        inside = state.working.index
        moves = np.abs(state.terms.moves(state.x, state.slopes, state.curvatures) * state.curvatures)[inside]
        return super().measures(state) | {"residual": float(np.max(moves, initial=0.0))}


@dataclass(frozen=True)
class Blind(CoordinateDescent):
    """The merit leaves out the penalty."""

    def merit(self, problem: Any, state: Any) -> float:
        return float(problem.f.value(state.x))


@dataclass(frozen=True)
class Complacent(CoordinateDescent):
    """Says that it is at rest after a step."""

    def measures(self, state: Any) -> dict[str, float]:
        return super().measures(state) | {"residual": 0.0}


@pytest.mark.parametrize("broken", [Overshooting, Narrow, Blind, Complacent])
def test_a_broken_run_is_seen(broken: Any):
    assert fails(check_coordinate_descent(make=broken))
