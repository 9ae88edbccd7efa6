"""Proximal alternating linearized minimization, plain and inertial."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any

from parsimo._array import Array, norm
from parsimo.core.problem import Problem
from parsimo.core.validation import check_number
from parsimo.solvers.lipschitz import Curvature, curvature_at, weak_convexity_of

__all__ = ["PALM", "InertialConstants"]


@dataclass(frozen=True)
class InertialConstants:
    """What Proposition 8.4 promises for an inertia alpha and a step gamma."""

    memory: float
    """kappa: the merit is f(x) + G(x, u) + kappa/2 |x - previous x|^2."""
    decrease: float
    """The merit falls by at least this for each unit of |x+ - x|^2."""

    @classmethod
    def of(cls, L: float, m: float, alpha: float, gamma: float, convex: bool) -> InertialConstants:
        """For f with an L-Lipschitz gradient, m-weakly convex, and a G(., u) that is convex or not."""
        excess = 1 / gamma - L
        memory = alpha * excess + alpha**2 * (L + m)
        strong = 1 / gamma if convex else 0.0
        return cls(memory, ((1 - alpha) * excess - memory + strong) / 2)


def longest_step(L: float, m: float, alpha: float) -> float:
    """The gamma below which every step lowers the merit, whatever G (Proposition 8.4)."""
    return 1 / (L + alpha**2 * (L + m) / (1 - 2 * alpha))


@dataclass(frozen=True)
class State:
    """Where PALM stands."""

    x: Array
    """The iterate, (n,)."""
    u: Any
    """The auxiliary variables."""
    x_previous: Array
    """The iterate before, (n,)."""
    k: int
    """How many steps were taken."""
    dx: float
    """|x - x_previous|; infinite before the first step."""
    residual: float
    """max(|x - v|, |dx|) / gamma, v the point that x was stepped to from; infinite before the first step."""
    step_size: float
    """gamma."""
    convex: bool
    """Whether G(., u) is known to be convex in the x-block."""
    curvature: Curvature
    """L, known or estimated."""
    weak_convexity: float
    """m: f + m|x|^2/2 is convex."""
    looked_at: tuple[Array, Array] | None = None
    """Where the last gradient was taken, and the gradient, (n,) each; None where L is known."""
    constants_held: bool = True
    """Whether L held in the step that led here; False where that step raised it."""

    @property
    def point(self) -> Array:
        """x."""
        return self.x


@dataclass(frozen=True)
class PALM:
    """Minimize f(x) + G(x, u) over x and u in turn, by one linearized step in x:

        v  = x + alpha (x - previous x)
        x+ = argmin_x <grad f(v), x> + G(x, u) + |x - v|^2 / (2 gamma)                            (8.2)
        u+ = argmin_u G(x+, u)

    For a clustering problem with the squared distance u is the codebook, found by exact clustering on the line, and
    the assignments go with x. With the absolute distance u is the assignment and the codebook goes with x: taken
    apart, x and codebook would hold each other where they meet. For the penalized zero-norm MPEC u is w. A plain
    penalty has no u, and the method is inertial proximal gradient for any penalty.

    Assumptions: f has an L-Lipschitz gradient and is m-weakly convex (m <= L); G(., u) has a computable prox and may be
    nonconvex. Then f(x) + G(x, u) + kappa/2 |x - previous x|^2 falls at each step (docs/theory.md, Proposition 8.4).

    Parameters
    ----------
    inertia : float
        alpha, at least 0 and below 1/2. 0 is PALM, more is iPALM.
    step_size : float, optional
        gamma. By default 1 / (L + alpha^2 (L + m) / (1 - 2 alpha)), times 0.9 where G(., u) is not known to be convex.
        A longer step is taken, and the result says so.
    exact_every : int
        Search the best u of all at every so many steps; in between by descent from the last u. Where the best u has a
        closed form, as w has, both are the same.

    Notes
    -----
    docs/algorithms.md, 3. Bolte, Sabach and Teboulle, Math. Program. 146 (2014) 459-494, for smooth couplings of two
    blocks; Pock and Sabach, SIAM J. Imaging Sci. 9 (2016), for the inertia. Where f gives no L it is estimated
    at the start and raised whenever a step shows more curvature.
    """

    inertia: float = 0.0
    step_size: float | None = None
    exact_every: int = 10

    def __post_init__(self) -> None:
        inertia = check_number(self.inertia, "PALM: inertia")
        if inertia >= 0.5:
            raise ValueError(f"PALM: inertia must be below 1/2, got {inertia}; take for example 0.3")
        object.__setattr__(self, "inertia", inertia)
        if self.step_size is not None:
            object.__setattr__(self, "step_size", check_number(self.step_size, "PALM: step_size", positive=True))
        if operator.index(self.exact_every) < 1:
            raise ValueError(f"PALM: exact_every must be at least 1, got {self.exact_every}")

    def init(self, problem: Problem, x0: Array) -> State:
        """u minimizing G(x0, .), and the step for f's constants."""
        u = problem.auxiliary(x0)
        convex = getattr(problem, "prox_given", None) is None and problem.given(u).traits.convex
        curvature = curvature_at(problem.f, x0)
        m = weak_convexity_of(problem.f, curvature.value)
        gamma = self._step_size(curvature.value, m, convex)
        return State(x0, u, x0, 0, math.inf, math.inf, gamma, convex, curvature, m)

    def step(self, problem: Problem, state: State) -> State:
        """x-block, then u-block (8.2)."""
        x, gamma = state.x, state.step_size
        v = x + self.inertia * (x - state.x_previous) if self.inertia else x
        grad = problem.f.grad(v)
        x_new, u = _prox_given(problem, v - gamma * grad, gamma, state.u)
        if u is not None:
            found = [problem.auxiliary(x_new, u)]
            if state.k % self.exact_every == 0:
                found.append(problem.auxiliary(x_new))
            u = min(found, key=lambda u: problem.value(x_new, u)) if len(found) > 1 else found[0]
        dx = norm(x_new - x)
        length = max(dx, norm(x_new - v)) if self.inertia else dx

        curvature, m = state.curvature, state.weak_convexity
        if not curvature.known and state.looked_at is not None:
            curvature = curvature.seen(state.looked_at[0], v, state.looked_at[1], grad)
        held = curvature is state.curvature
        if not held:
            m = weak_convexity_of(problem.f, curvature.value)
            gamma = self._step_size(curvature.value, m, state.convex)
        looked_at = None if curvature.known else (v, grad)
        residual = length / state.step_size
        return State(x_new, u, x, state.k + 1, dx, residual, gamma, state.convex, curvature, m, looked_at, held)

    def constants(self, state: State) -> InertialConstants:
        """kappa and the decrease of Proposition 8.4."""
        return InertialConstants.of(
            state.curvature.value, state.weak_convexity, self.inertia, state.step_size, state.convex
        )

    def merit(self, problem: Problem, state: State) -> float:
        """f(x) + G(x, u) + kappa/2 |x - previous x|^2."""
        inertia = (
            self.constants(state).memory / 2 * state.dx * state.dx if math.isfinite(state.dx) and self.inertia else 0.0
        )
        return problem.value(state.x, state.u) + inertia

    def measures(self, state: State) -> dict[str, float]:
        """The residual, the step size, and the decrease that the theory guarantees for the last step."""
        decrease = self.constants(state).decrease * state.dx * state.dx if state.constants_held else math.nan
        return {
            "residual": state.residual,
            "step_size": state.step_size,
            "guaranteed_decrease": decrease if math.isfinite(state.dx) else 0.0,
        }

    def notes(self, state: State) -> tuple[str, ...]:
        """The step, whether the merit is proved to fall, and where L comes from."""
        falls = self.constants(state).decrease > 0
        verdict = "the merit falls by Proposition 8.4" if falls else "too long, no descent is guaranteed"
        return (
            f"step size {state.step_size:.6g}, inertia {self.inertia:g}: {verdict}",
            f"{state.curvature}; m = {state.weak_convexity:.6g}",
        )

    def _step_size(self, L: float, m: float, convex: bool) -> float:
        return self.step_size or (1.0 if convex else 0.9) * longest_step(L, m, self.inertia)


def _prox_given(problem: Any, v: Array, step_size: float, u: Any) -> tuple[Array, Any]:
    """The x-block: argmin_x G(x, u) + |x - v|^2 / (2 step_size), and the u that x leaves behind."""
    own = getattr(problem, "prox_given", None)
    return (problem.given(u).prox(v, step_size), u) if own is None else own(v, step_size, u)
