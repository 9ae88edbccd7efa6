"""How proximal gradient makes use of the steps before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from parsimo._array import Array, array_namespace
from parsimo.core.validation import check_number
from parsimo.solvers.anderson import Anderson
from parsimo.solvers.linesearch import Trial, along, rounding_of

__all__ = ["Acceleration", "Extrapolation", "Inertial", "Nesterov", "Plain", "Start", "weak_convexity"]

_SHARE = 0.95  # of the admissible range of gamma L


class Start(NamedTuple):
    """Where a step begins."""

    v: Array
    """x, or an extrapolation of it, (n,)."""
    base: Array
    """Where f is linearized, (n,)."""
    objective: float
    """F at x, NaN where it is not needed."""


class Acceleration(Protocol):
    """Where a step of proximal gradient starts, and what becomes of it."""

    def first(self, problem: Any, x0: Array, u: Any) -> Any:
        """What is kept at the start; refuses a problem it is not for."""

    def start(self, problem: Any, state: Any) -> Start:
        """Where the next step starts."""

    def offer(self, problem: Any, state: Any, trial: Trial) -> Trial:
        """What the rule is to judge: the trial, or another point in its place, with the length of the trial's step."""

    def end(self, problem: Any, state: Any, start: Start, taken: Trial, excess: float) -> tuple[Array, Any, Any, float]:
        """The next point with its u, what is kept, and by how much the merit exceeds the objective there."""


@dataclass(frozen=True)
class Plain:
    """Steps from x."""

    def first(self, problem: Any, x0: Array, u: Any) -> Any:
        """Nothing."""

    def start(self, problem: Any, state: Any) -> Start:
        """x itself."""
        return Start(state.x, state.x, math.nan)

    def offer(self, problem: Any, state: Any, trial: Trial) -> Trial:
        """The trial."""
        return trial

    def end(self, problem: Any, state: Any, start: Start, taken: Trial, excess: float) -> tuple[Array, Any, Any, float]:
        """The step."""
        return taken.x, taken.u, None, excess


@dataclass(frozen=True)
class Nesterov:
    """Steps from v = x + beta_k (x - x_previous), beta_k = (t_k - 1)/t_{k+1}, t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2.

    For convex f and R. The momentum is dropped, t = 1, whenever <v - x+, x+ - x> > 0: it points uphill. Objectives may
    rise on the way.

    Notes
    -----
    Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009) 183-202; O'Donoghue and Candes, Found. Comput. Math. 15 (2015)
    715-732, for the restart.
    """

    def first(self, problem: Any, x0: Array, u: Any) -> tuple[Array, float]:
        """x_previous and t.

        Raises
        ------
        ValueError
            If f or R is not known to be convex; G(., u) may be where R, its minimum over u, is not.
        """
        R, f = problem.given(u), problem.f
        if not (u is None and R.traits.convex and getattr(f, "convex", False)):
            raise ValueError(
                f"Nesterov() needs convex f and R, but {type(problem).__name__} has f={f!r} and R={R!r}; use "
                "Anderson() or Inertial(), or a convex penalty such as L1"
            )
        return x0, 1.0

    def start(self, problem: Any, state: Any) -> Start:
        """v."""
        x_previous, t = state.kept
        v = state.x + (t - 1) / _next(t) * (state.x - x_previous) if t > 1 else state.x
        return Start(v, v, math.nan)

    def offer(self, problem: Any, state: Any, trial: Trial) -> Trial:
        """The trial."""
        return trial

    def end(self, problem: Any, state: Any, start: Start, taken: Trial, excess: float) -> tuple[Array, Any, Any, float]:
        """The step, with t_{k+1} or 1."""
        uphill = along(taken.x - state.x, taken) < 0
        return taken.x, taken.u, (state.x, 1.0 if uphill else _next(state.kept[1])), excess


def _next(t: float) -> float:
    return (1 + math.sqrt(1 + 4 * t * t)) / 2


@dataclass(frozen=True)
class Inertial:
    """Steps x+ = prox_{gamma R}(x - gamma grad f(x) + beta (x - x_previous)), with the gradient at x.

    For any R. The merit F(x) + beta/(2 gamma) |x - x_previous|^2 falls at every step where

        (1 - 2 beta)/gamma + max(1/gamma - w, 0) > L,

    w the weak convexity of R, infinite where there is none (docs/theory.md, Proposition 7.6). A step that backtracking
    has halved is taken without inertia.

    Parameters
    ----------
    beta : float, optional
        In [0, 1) where R has a w, and in [0, 1/2) where it has not. By default 0.7 and 0.2.

    Notes
    -----
    Ochs, Chen, Brox and Pock, SIAM J. Imaging Sci. 7 (2014) 1388-1419, for convex R.
    """

    beta: float | None = None

    def __post_init__(self) -> None:
        if self.beta is not None:
            object.__setattr__(self, "beta", check_number(self.beta, "Inertial: beta"))
            if self.beta >= 1:
                raise ValueError(f"Inertial: beta must be below 1, got {self.beta}")

    def first(self, problem: Any, x0: Array, u: Any) -> tuple[Array, float]:
        """x_previous and beta."""
        return x0, self.weight(weak_convexity(problem, u))

    def start(self, problem: Any, state: Any) -> Start:
        """x + beta (x - x_previous), and x."""
        x_previous, beta = state.kept
        return Start(state.x + beta * (state.x - x_previous), state.x, math.nan)

    def offer(self, problem: Any, state: Any, trial: Trial) -> Trial:
        """The trial."""
        return trial

    def end(self, problem: Any, state: Any, start: Start, taken: Trial, excess: float) -> tuple[Array, Any, Any, float]:
        """The step, with the second term of the merit."""
        beta = state.kept[1]
        return taken.x, taken.u, (state.x, beta), beta / (2 * taken.step_size) * taken.length

    def weight(self, w: float) -> float:
        """beta for a penalty of weak convexity w.

        Raises
        ------
        ValueError
            If it is not below 1/2 where w is infinite.
        """
        if self.beta is None:
            return 0.7 if w < math.inf else 0.2
        if self.beta >= 0.5 and w == math.inf:
            raise ValueError(
                f"Inertial: beta must be below 1/2 for a penalty that is not weakly convex, got {self.beta}"
            )
        return self.beta

    def theta(self, gamma: float, w: float) -> float:
        """0.95 times the largest gamma L that is admissible with this gamma; 0 or less where none is."""
        return _SHARE * (1 - 2 * self.weight(w) + max(1 - gamma * w, 0.0))

    def longest(self, w: float) -> float:
        """The longest gamma that backtracking starts from: for shorter ones theta only grows, and it is positive."""
        return (1 - self.weight(w)) / w if 0 < w < math.inf else math.inf

    def step_size(self, L: float, w: float) -> float:
        """The longest gamma with gamma L <= theta(gamma, w)."""
        beta = self.weight(w)
        convex = min(_SHARE * (2 - 2 * beta) / (L + _SHARE * w), 1 / w if w > 0 else math.inf)
        return max(_SHARE * (1 - 2 * beta) / L, convex)


@dataclass(frozen=True)
class Extrapolation:
    """Steps from x, then Anderson's point if F is lower there by all that the step is sure of:

        F(x_A) <= F(x) - (1 + max(1 - gamma w, 0) - gamma L) |x+ - x|^2 / (2 gamma).                          (7.5)

    So the objective falls as without it, for any f and R (docs/theory.md, Proposition 7.5). Coordinates that the step
    sets to zero stay there.
    """

    anderson: Anderson

    def first(self, problem: Any, x0: Array, u: Any) -> Anderson:
        """No points."""
        return self.anderson.cleared()

    def start(self, problem: Any, state: Any) -> Start:
        """x itself."""
        return Start(state.x, state.x, problem.value(state.x, state.u))

    def offer(self, problem: Any, state: Any, trial: Trial) -> Trial:
        """The trial."""
        return trial

    def end(self, problem: Any, state: Any, start: Start, taken: Trial, excess: float) -> tuple[Array, Any, Any, float]:
        """Anderson's point or the step, with one more pair."""
        gamma = taken.step_size
        kept = (state.kept if gamma == state.step_size else state.kept.cleared()).push(state.x, taken.x)
        x = kept.extrapolated()
        if x is not None:
            x = array_namespace(x).where(taken.x == 0, 0.0, x)
            u = problem.auxiliary(x, taken.u)
            convexity = max(1 - gamma * weak_convexity(problem, state.u), 0.0)
            sure = max(1 + convexity - state.theta, 0.0) * taken.length / (2 * gamma)
            if problem.value(x, u) <= start.objective - sure + rounding_of(x, start.objective):
                return x, u, kept, excess
        return taken.x, taken.u, kept, excess


def weak_convexity(problem: Any, u: Any) -> float:
    """w with R + w |x|^2 / 2 convex, infinite where none is known, as where R is a minimum over u."""
    if u is not None:
        return math.inf
    traits = problem.given(u).traits
    return traits.weak_convexity if traits.convex or traits.weak_convexity > 0 else math.inf
