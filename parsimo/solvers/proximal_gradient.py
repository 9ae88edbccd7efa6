"""Proximal gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from parsimo._array import Array, array_namespace, inner, norm
from parsimo.core.problem import Problem
from parsimo.core.validation import check_number
from parsimo.solvers.lipschitz import Curvature, curvature_at

__all__ = ["ProximalGradient"]


@dataclass(frozen=True)
class State:
    """Where proximal gradient stands."""

    x: Array
    """The iterate, (n,)."""
    u: Any
    """Auxiliary variables that go with x."""
    x_previous: Array
    """The iterate before, (n,); used by the extrapolation alone."""
    residual: float
    """|x - v| / gamma of the last step, v the point it was taken from; infinite before the first."""
    momentum: float
    """Nesterov's t_k; 1 after a restart."""
    step_size: float
    """gamma."""
    curvature: Curvature
    """L at the start of the run."""

    @property
    def point(self) -> Array:
        """x."""
        return self.x


@dataclass(frozen=True)
class ProximalGradient:
    """Minimize f + R by x+ = prox_{gamma R}(v - gamma grad f(v)), v = x or an extrapolation of it.

    Assumptions: f has an L-Lipschitz gradient, at least where the iterates are; R has a computable prox.

    With v = x and gamma < 1/L every step lowers the objective by at least (1/gamma - L) |x+ - x|^2 / 2, and every
    cluster point is critical. With `accelerate`, f and R convex and gamma <= 1/L, the objective gap falls like
    O(1/k^2) while no restart happens; the momentum is dropped whenever it points uphill.

    Parameters
    ----------
    step_size : float, optional
        gamma. By default 1/L for convex R, 0.9/L otherwise, where f knows L; else found by backtracking.
    backtracking : bool, optional
        Halve gamma until f(x+) <= f(v) + <grad f(v), x+ - v> + theta |x+ - v|^2 / (2 gamma), theta = 1 for convex R
        and 0.9 otherwise. By default where L is unknown and no step is given.
    accelerate : bool
        Nesterov's extrapolation with restart by the gradient test.

    Notes
    -----
    docs/algorithms.md, 1. Beck and Teboulle, SIAM J. Imaging Sci. 2 (2009) 183-202, for the extrapolation;
    O'Donoghue and Candes, Found. Comput. Math. 15 (2015) 715-732, for the restart.
    """

    step_size: float | None = None
    backtracking: bool | None = None
    accelerate: bool = False

    def __post_init__(self) -> None:
        if self.step_size is not None:
            step_size = check_number(self.step_size, "ProximalGradient: step_size", positive=True)
            object.__setattr__(self, "step_size", step_size)

    def init(self, problem: Problem, x0: Array) -> State:
        """The state at x0.

        Raises
        ------
        ValueError
            If `accelerate` is asked for where f or R is not known to be convex.
        """
        u = problem.auxiliary(x0)
        if self.accelerate and not (_is_convex(problem, u) and getattr(problem.f, "convex", False)):
            raise ValueError(
                f"ProximalGradient(accelerate=True) needs convex f and R, but {type(problem).__name__} has "
                f"f={problem.f!r} and R={problem.given(u)!r}; use accelerate=False, or a convex penalty such as L1"
            )
        if self.step_size is None or problem.f.lipschitz is not None:
            curvature = curvature_at(problem.f, x0)
        else:
            curvature = Curvature(1 / self.step_size, known=True)  # what the given step stands for
        step_size = self.step_size or _theta(problem, u) / curvature.value
        return State(x0, u, x0, residual=math.inf, momentum=1.0, step_size=step_size, curvature=curvature)

    def step(self, problem: Problem, state: State) -> State:
        """x+ = prox_{gamma R}(v - gamma grad f(v)) (7.1)."""
        f, gamma = problem.f, state.step_size
        t = (1 + math.sqrt(1 + 4 * state.momentum**2)) / 2
        beta = (state.momentum - 1) / t if self.accelerate else 0.0
        v = state.x + beta * (state.x - state.x_previous) if beta else state.x

        f_v, grad = f.value_and_grad(v)
        x, u = problem.prox(v - gamma * grad, gamma, state.u)
        if self._backtracks(state):
            theta = _theta(problem, state.u)
            while not _descends(f, v, f_v, grad, x, gamma, theta):
                gamma /= 2
                x, u = problem.prox(v - gamma * grad, gamma, state.u)

        if self.accelerate and inner(v - x, x - state.x) > 0:  # the momentum points uphill: restart
            t = 1.0
        residual = norm(x - v) / gamma
        return replace(state, x=x, u=u, x_previous=state.x, residual=residual, momentum=t, step_size=gamma)

    def _backtracks(self, state: State) -> bool:
        return not state.curvature.known if self.backtracking is None else self.backtracking

    def measures(self, state: State) -> dict[str, float]:
        """The natural residual of the last step, and the step size."""
        return {"residual": state.residual, "step_size": state.step_size}

    def merit(self, problem: Problem, state: State) -> float:
        """The objective, which falls at every step unless `accelerate` is on."""
        return problem.value(state.x, state.u)

    def notes(self, state: State) -> tuple[str, ...]:
        """The step and where it comes from."""
        L, gamma = state.curvature.value, state.step_size
        origin = "known" if state.curvature.known else "estimated at the start"
        if self._backtracks(state):
            start = f"1/L, L = {L:.6g} {origin}" if self.step_size is None else f"{self.step_size:.6g}"
            return (f"step size {gamma:.6g} by backtracking from {start}",)
        if self.step_size is None:
            return (f"step size {gamma:.6g} from L = {L:.6g}, {origin}",)
        verdict = f"above 1/L = {1 / L:.6g}, no descent is guaranteed" if gamma * L > 1 + 1e-12 else "as given"
        return (f"step size {gamma:.6g}, {verdict}",)


def _theta(problem: Problem, u: Any) -> float:
    """gamma L: 1 is safe where R is convex; strictly less makes each step pay where it is not."""
    return 1.0 if _is_convex(problem, u) else 0.9


def _is_convex(problem: Problem, u: Any) -> bool:
    """Whether R is known to be convex; G(., u) may be where R, its minimum over u, is not."""
    return u is None and problem.given(u).traits.convex


def _descends(f: Any, v: Array, f_v: float, grad: Array, x: Array, gamma: float, theta: float) -> bool:
    """f(x) <= f(v) + <grad, x - v> + theta |x - v|^2 / (2 gamma), up to rounding of f.

    Near a minimizer the last term falls below the rounding of f, long before that of its gradient. There the test is
    taken to second order, <grad f(x) - grad f(v), x - v> <= theta |x - v|^2 / gamma: noise would shrink gamma forever.
    """
    step = x - v
    length = inner(step, step)
    epsilon = float(array_namespace(x).finfo(x.dtype).eps)
    value = f.value(x)
    if not math.isfinite(value) or not math.isfinite(length):
        return not math.isfinite(f_v) or gamma < 1e-300
    allowance = theta * length / (2 * gamma)
    if value <= f_v + inner(grad, step) + allowance + 8 * epsilon * abs(f_v):
        return True
    hidden = allowance <= math.sqrt(epsilon) * abs(f_v)
    return hidden and inner(f.grad(x) - grad, step) <= 2 * allowance
