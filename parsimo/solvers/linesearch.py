"""How long a step of proximal gradient is: constant, by backtracking, or by Barzilai and Borwein with a safeguard."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from parsimo._array import Array, array_namespace, blocks, inner, to_float
from parsimo.core.validation import check_number

__all__ = [
    "Backtracking",
    "BarzilaiBorwein",
    "Constant",
    "StepRule",
    "Trial",
    "along",
    "curvature_along_gradient",
    "rounding_of",
]

_ROUNDING = 8  # units in the last place that two objectives may be apart and count as equal
_TINY = 1e-307
_SHORT = 0.2  # a short step of Barzilai and Borwein is taken where it is below this share of the long one
_LONGEST = 1e10  # times the first found by (7.3), and the inverse of the shortest that is tried first
_SLACK = 1e3  # C - F in units of |dx|^2 / (2 gamma), at most: so C comes down to F where the steps vanish
_SHORTEST = 1e-100  # of the first step, but no denormal number: shorter ones are taken whatever they do, for the loop


class Trial(NamedTuple):
    """x+ = prox_{gamma R}(v - gamma grad f(base)), tried."""

    x: Array
    """x+, (n,)."""
    u: Any
    """Auxiliary variables that go with it."""
    base: Array
    """The point of the linearization, (n,)."""
    length: float
    """|x+ - base|^2."""
    step_size: float
    """gamma."""


Test = Callable[[Trial], float | None]
"""None if the trial is to be halved; else by how much the merit may exceed the objective there."""


class StepRule(Protocol):
    """Which trials are taken, and which comes next."""

    def at(self, problem: Any, state: Any, base: Array) -> tuple[Array, Test]:
        """The gradient of f at the point of the linearization, and the test of trials from there."""

    def next_step(self, f: Any, state: Any, grad: Array, taken: Trial) -> float:
        """The first gamma to try next; `grad` is the gradient where the last step was taken from."""


@dataclass(frozen=True)
class Constant:
    """One step for all; nothing is tested, and no value of f is asked for."""

    def at(self, problem: Any, state: Any, base: Array) -> tuple[Array, Test]:
        """The gradient, and no test."""
        return problem.f.grad(base), _always

    def next_step(self, f: Any, state: Any, grad: Array, taken: Trial) -> float:
        """The same."""
        return taken.step_size


def _always(trial: Trial) -> float | None:
    return 0.0


@dataclass(frozen=True)
class Backtracking:
    """Half the step until f lies below the model of the descent lemma:

        f(x+) <= f(v) + <grad f(v), x+ - v> + theta |x+ - v|^2 / (2 gamma).                        (7.2)

    The step never grows again. theta = gamma L is the solver's (docs/algorithms.md, 1).
    """

    def at(self, problem: Any, state: Any, base: Array) -> tuple[Array, Test]:
        """(7.2), up to rounding of f.

        Near a minimizer the last term falls below the rounding of f, long before that of its gradient. There the test
        is taken to second order, <grad f(x+) - grad f(v), x+ - v> <= theta |x+ - v|^2 / gamma: noise would shrink
        gamma forever.
        """
        f = problem.f
        start, grad = f.value_and_grad(base)
        epsilon, shortest = _epsilon(base), _shortest(state)

        def test(trial: Trial) -> float | None:
            value = f.value(trial.x)
            if not math.isfinite(start) or trial.step_size < shortest:
                return 0.0
            if not (math.isfinite(value) and math.isfinite(trial.length)):
                return None
            allowance = state.theta * trial.length / (2 * trial.step_size)
            if value <= start + along(grad, trial) + allowance + rounding_of(base, start):
                return 0.0
            hidden = allowance <= math.sqrt(epsilon) * abs(start)
            return 0.0 if hidden and along(f.grad(trial.x) - grad, trial) <= 2 * allowance else None

        return grad, test

    def next_step(self, f: Any, state: Any, grad: Array, taken: Trial) -> float:
        """The same."""
        return taken.step_size


@dataclass(frozen=True)
class BarzilaiBorwein:
    """A step of Barzilai and Borwein, halved until the objective is low enough. With dx = x - x_previous and dg the
    change of grad f on the coordinates that moved,

        long = |dx|^2 / <dx, dg>,  short = <dx, dg> / |dg|^2,  gamma = short if short < long / 5, else long,   (7.3)
        F(x+) <= C - decrease |x+ - x|^2 / (2 gamma),                                                          (7.4)
        C <- min(C + (F(x+) - C) / memory, F(x+) + 1000 |x+ - x|^2 / (2 gamma)).

    1/long is the curvature of f along the last step, so long >= 1/L, and L need not be known. The coordinates that
    rest, at a kink of R, say nothing of the next step. Where there is no curvature, or a negative one, gamma is
    doubled. Objectives may rise; their running average C falls at every step (docs/theory.md, Proposition 7.4).

    Parameters
    ----------
    memory : float
        About how many objectives the average is over, at least 1. With 1 every step lowers the objective.
    decrease : float
        Between 0 and 1, both excluded.

    Notes
    -----
    Steps stay within 1e-10 and 1e10 times the first that is found so. Barzilai and Borwein, IMA J. Numer. Anal. 8
    (1988) 141-148; Zhou, Gao and Dai, Comput. Optim. Appl. 35 (2006) 69-86, for the choice between the two; Zhang and
    Hager, SIAM J. Optim. 14 (2004) 1043-1056, for the average; Wright, Nowak and Figueiredo, IEEE Trans. Signal
    Process. 57 (2009) 2479-2493, for these steps in proximal gradient.
    """

    memory: float = 10.0
    decrease: float = 1e-3

    def __post_init__(self) -> None:
        for name in ("memory", "decrease"):
            object.__setattr__(self, name, check_number(getattr(self, name), f"BarzilaiBorwein: {name}", positive=True))
        if self.memory < 1:
            raise ValueError(f"BarzilaiBorwein: memory must be at least 1, got {self.memory}")
        if self.decrease >= 1:
            raise ValueError(f"BarzilaiBorwein: decrease must be below 1, got {self.decrease}")

    def at(self, problem: Any, state: Any, base: Array) -> tuple[Array, Test]:
        """(7.4), up to rounding of F."""
        _, grad = problem.f.value_and_grad(base)
        ceiling = problem.value(state.x, state.u) + state.excess  # the problem may have changed since the last step
        rounding, shortest = rounding_of(base, ceiling), _shortest(state)

        def test(trial: Trial) -> float | None:
            objective = problem.value(trial.x, trial.u)
            if not math.isfinite(ceiling) or trial.step_size < shortest:
                return 0.0
            work = trial.length / (2 * trial.step_size)
            if not (math.isfinite(objective) and objective <= ceiling - self.decrease * work + rounding):
                return None
            return min((1 - 1 / self.memory) * max(ceiling - objective, 0.0), _SLACK * work)

        return grad, test

    def next_step(self, f: Any, state: Any, grad: Array, taken: Trial) -> float:
        """(7.3)."""
        if not taken.length > 0:
            return taken.step_size
        new, first = f.grad(taken.x), state.scale
        bend, square = _bend(taken, grad, new, 1.0)
        if bend <= 0:
            step = 2 * taken.step_size
        else:
            long, short = taken.length / bend, bend / square if square > 0 else math.inf
            if not 0 < square < math.inf:  # overflowed, or vanished: dg in units of the curvature is of the size of dx
                square = _bend(taken, grad, new, bend / taken.length)[1]
                short = long * (taken.length / square) if square > 0 else math.inf
            step = short if short < _SHORT * long else long
        if not 0 < step < math.inf:  # sums overflowed
            return taken.step_size
        if state.residual == math.inf:  # the first such step, which says what is long and short
            return step
        return min(max(step, first / _LONGEST), _LONGEST * first)


def along(a: Array, trial: Trial) -> float:
    """<a, x+ - base>."""
    return sum(inner(a[part], trial.x[part] - trial.base[part]) for part in blocks(a))


def curvature_along_gradient(f: Any, x: Array) -> float:
    """<g, grad f(x + s g) - g> / (s |g|^2) for g = grad f(x) and a short s; 1 where it is not positive.

    At most L, so that its inverse is a step that is not too short.
    """
    xp = array_namespace(x)
    grad = f.grad(x)
    largest = to_float(xp.max(xp.abs(grad)))
    direction = grad / largest if largest > 0 else xp.ones_like(x)  # scaled before anything is squared
    length = math.sqrt(_epsilon(x)) * (1 + to_float(xp.max(xp.abs(x))))
    bend = inner(f.grad(x + length * direction) - grad, direction) / (length * inner(direction, direction))
    return bend if 0 < bend < math.inf else 1.0


def _bend(taken: Trial, grad: Array, new: Array, unit: float) -> tuple[float, float]:
    """<dx, dg> / unit and |dg / unit|^2, dg the change of the gradient on the coordinates that moved."""
    xp, bend, square = array_namespace(grad), 0.0, 0.0
    for part in blocks(taken.x):
        moved = taken.x[part] - taken.base[part]
        change = xp.where(moved != 0, new[part] - grad[part], 0.0)
        change = change if unit == 1 else change / unit
        bend, square = bend + inner(change, moved), square + inner(change, change)
    return bend, square


def _shortest(state: Any) -> float:
    return max(_SHORTEST * float(state.setting.first_step), _TINY)


def rounding_of(x: Array, value: float) -> float:
    """By how much an objective of this size may be wrong: evaluations closer than this count as equal."""
    return _ROUNDING * _epsilon(x) * abs(value)


def _epsilon(x: Array) -> float:
    return float(array_namespace(x).finfo(x.dtype).eps)
