"""Proximal gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from parsimo._array import Array, array_namespace, inner
from parsimo.core.problem import Problem
from parsimo.core.validation import check_number
from parsimo.solvers.acceleration import Acceleration, Anderson, Inertial, Nesterov
from parsimo.solvers.linesearch import (
    Backtracking,
    BarzilaiBorwein,
    Constant,
    StepRule,
    Trial,
    curvature_along_gradient,
    rounding_of,
)
from parsimo.solvers.lipschitz import Curvature, curvature_at

__all__ = ["ProximalGradient"]


@dataclass(frozen=True)
class State:
    """Where proximal gradient stands."""

    x: Array
    """The iterate, (n,)."""
    u: Any
    """Auxiliary variables that go with x."""
    x_previous: Array | None
    """The iterate before, (n,), where the acceleration needs it."""
    residual: float
    """|x - v| / gamma of the last step, v the point it was taken from; infinite before the first."""
    step_size: float
    """gamma of the last step; of the first, before it."""
    next_step: float
    """The gamma to try next."""
    excess: float
    """By how much the merit exceeds the objective at x."""
    beta: float
    """The weight of x - x_previous in the next step."""
    momentum: float
    """Nesterov's t_k; 1 after a restart."""
    memory: Anderson
    """The last points and their images; empty but for Anderson's extrapolation."""
    rule: StepRule
    """The step rule in use."""
    theta: float
    """gamma L, for the descent test and for the first step."""
    curvature: Curvature
    """What the first step was made of."""

    @property
    def point(self) -> Array:
        """x."""
        return self.x

    @property
    def first_step(self) -> float:
        """The first gamma of the run, for Barzilai and Borwein."""
        return 1 / self.curvature.value


@dataclass(frozen=True)
class ProximalGradient:
    """Minimize f + R by x+ = prox_{gamma R}(v - gamma grad f(v)), v = x or an extrapolation of it.

    Assumptions: f has an L-Lipschitz gradient, at least where the iterates are; R has a computable prox.

    By default gamma is the step of Barzilai and Borwein, safeguarded: it adapts to the curvature along the way and
    needs no L. A running average of the objectives falls at every step, and every cluster point is critical, for any
    R. With a constant step gamma < 1/L, or by backtracking, the objective itself falls at every step.

    Parameters
    ----------
    step_size : float, optional
        gamma: of every step where no rule is given, else the first to try. By default theta/L, theta = 1 for convex R
        and 0.9 otherwise; for `BarzilaiBorwein` 1/c, c the curvature of f at the start along its gradient.
    step_rule : StepRule, optional
        `BarzilaiBorwein()`, `Backtracking()` or `Constant()`. By default the first; with a `step_size` or an
        acceleration, constant where f knows L or the step is given, and by backtracking otherwise.
    acceleration : Acceleration, optional
        `Nesterov()` for convex f and R; `Anderson()` and `Inertial()` for any. Not with `BarzilaiBorwein`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of its kind, or the two do not go together.

    Notes
    -----
    docs/algorithms.md, 1.
    """

    step_size: float | None = None
    step_rule: StepRule | None = None
    acceleration: Acceleration | None = None

    def __post_init__(self) -> None:
        if self.step_size is not None:
            step_size = check_number(self.step_size, "ProximalGradient: step_size", positive=True)
            object.__setattr__(self, "step_size", step_size)
        _check_part(self.step_rule, "step_rule", (BarzilaiBorwein, Backtracking, Constant))
        _check_part(self.acceleration, "acceleration", (Nesterov, Anderson, Inertial))
        if self.acceleration is not None and isinstance(self.step_rule, BarzilaiBorwein):
            raise ValueError(
                f"ProximalGradient: {self.acceleration!r} extrapolates steps of one length, and {self.step_rule!r} "
                "changes it at every step; use one of them"
            )

    def init(self, problem: Problem, x0: Array) -> State:
        """The state at x0.

        Raises
        ------
        ValueError
            If `Nesterov()` is asked for where f or R is not known to be convex.
        """
        f, u = problem.f, problem.auxiliary(x0)
        if isinstance(self.acceleration, Nesterov) and not (_is_convex(problem, u) and getattr(f, "convex", False)):
            raise ValueError(
                f"ProximalGradient(acceleration=Nesterov()) needs convex f and R, but {type(problem).__name__} has "
                f"f={f!r} and R={problem.given(u)!r}; use Anderson() or Inertial(), or a convex penalty such as L1"
            )
        rule = self._rule(f)
        curvature, w = self._curvature(f, x0, rule), _weak_convexity(problem, u)
        inertial = self.acceleration if isinstance(self.acceleration, Inertial) else None
        step_size = self.step_size or self._first_step(problem, u, curvature.value)
        return State(
            x=x0,
            u=u,
            x_previous=x0 if isinstance(self.acceleration, Nesterov | Inertial) else None,
            residual=math.inf,
            step_size=step_size,
            next_step=step_size,
            excess=0.0,
            beta=inertial.weight(w) if inertial else 0.0,
            momentum=1.0,
            memory=self.acceleration if isinstance(self.acceleration, Anderson) else Anderson(),
            rule=rule,
            theta=inertial.theta(step_size, w) if inertial else _theta(problem, u),
            curvature=curvature,
        )

    def step(self, problem: Problem, state: State) -> State:
        """x+ = prox_{gamma R}(v - gamma grad f(v)), halving gamma until the rule takes it (7.1)."""
        x, gamma, beta, acceleration = state.x, state.next_step, state.beta, self.acceleration
        v = x + beta * (x - state.x_previous) if beta else x
        base = x if isinstance(acceleration, Inertial) else v  # where f is linearized

        grad, test = state.rule.at(problem, state, base)
        before = problem.value(x, state.u) if isinstance(acceleration, Anderson) else math.nan
        while True:
            x_new, u = problem.prox(_forward(v, gamma, grad), gamma, state.u)
            moved = x_new - base
            trial = Trial(x_new, u, moved, inner(moved, moved), gamma)
            excess = test(trial)
            if excess is not None:
                break
            gamma, v = gamma / 2, base  # a shorter step is taken without inertia

        x_previous, momentum, memory = None, 1.0, state.memory
        if isinstance(acceleration, Nesterov):
            uphill = inner(moved, x_new - x) < 0
            momentum = 1.0 if uphill else acceleration.next_t(state.momentum)
            x_previous, beta = x, acceleration.beta(momentum)
        elif isinstance(acceleration, Inertial):
            x_previous, excess = x, beta / (2 * gamma) * trial.length
        elif isinstance(acceleration, Anderson):
            x_new, u, memory = self._extrapolated(problem, state, trial, before)
        return State(
            x=x_new,
            u=u,
            x_previous=x_previous,
            residual=math.sqrt(trial.length) / gamma,
            step_size=gamma,
            next_step=state.rule.next_step(problem.f, state, grad, trial),
            excess=excess,
            beta=beta,
            momentum=momentum,
            memory=memory,
            rule=state.rule,
            theta=state.theta,
            curvature=state.curvature,
        )

    def _extrapolated(self, problem: Problem, state: State, step: Trial, before: float) -> tuple[Array, Any, Anderson]:
        """Anderson's point if F is lower there by all that the plain step is sure of, else that of the step (7.5)."""
        gamma = step.step_size
        kept = state.memory if gamma == state.step_size else state.memory.cleared()
        memory = kept.push(state.x, step.x)
        x = memory.extrapolated()
        if x is not None:
            x = array_namespace(x).where(step.x == 0, 0.0, x)  # what the step sets to zero stays there
            u = problem.auxiliary(x, step.u)
            convexity = max(1 - gamma * _weak_convexity(problem, state.u), 0.0)
            sure = max(1 + convexity - state.theta, 0.0) / (2 * gamma) * step.length
            if problem.value(x, u) <= before - sure + rounding_of(x, before):
                return x, u, memory
        return step.x, step.u, memory

    def measures(self, state: State) -> dict[str, float]:
        """The natural residual of the last step, and the step size."""
        return {"residual": state.residual, "step_size": state.step_size}

    def merit(self, problem: Problem, state: State) -> float:
        """What falls at every step (docs/theory.md, 7): the objective at x and an excess that vanishes with the steps.

        The excess is that of the running average for `BarzilaiBorwein`, beta/(2 gamma) |x - x_previous|^2 for
        `Inertial`, and 0 elsewhere. With `Nesterov` no decrease is promised.
        """
        return problem.value(state.x, state.u) + state.excess

    def notes(self, state: State) -> tuple[str, ...]:
        """The step and where it comes from."""
        L, gamma = state.curvature.value, state.step_size
        origin = "known" if state.curvature.known else "estimated at the start"
        if isinstance(state.rule, BarzilaiBorwein):
            first = "as given" if self.step_size else "by the curvature along the gradient, estimated at the start"
            return (f"step size {gamma:.6g} at the end, by {state.rule!r}; the first {state.first_step:.6g}, {first}",)
        if isinstance(state.rule, Backtracking):
            start = f"{self.step_size:.6g}" if self.step_size else f"{state.theta:.3g}/L, L = {L:.6g} {origin}"
            return (f"step size {gamma:.6g} by backtracking from {start}",)
        if self.step_size is None:
            return (f"step size {gamma:.6g} from L = {L:.6g}, {origin}",)
        longest = (state.theta if isinstance(self.acceleration, Inertial) else 1.0) / L
        above = f"above {longest:.6g}, the longest for L = {L:.6g}: no descent is guaranteed"
        return (f"step size {gamma:.6g}, {above if gamma > longest * (1 + 1e-12) else 'as given'}",)

    def _rule(self, f: Any) -> StepRule:
        """The rule that was asked for, or the default."""
        if self.step_rule is not None:
            return self.step_rule
        if self.step_size is None and self.acceleration is None:
            return BarzilaiBorwein()
        return Backtracking() if self.step_size is None and f.lipschitz is None else Constant()

    def _curvature(self, f: Any, x0: Array, rule: StepRule) -> Curvature:
        """What the first step is made of: L, or for Barzilai and Borwein the curvature along the gradient."""
        if self.step_size is not None and (isinstance(rule, BarzilaiBorwein) or f.lipschitz is None):
            return Curvature(1 / self.step_size, known=True)  # what the given step stands for
        if isinstance(rule, BarzilaiBorwein):
            return Curvature(curvature_along_gradient(f, x0), known=False)
        return curvature_at(f, x0)

    def _first_step(self, problem: Problem, u: Any, L: float) -> float:
        if isinstance(self.acceleration, Inertial):
            return self.acceleration.step_size(L, _weak_convexity(problem, u))
        return _theta(problem, u) / L


def _check_part(part: Any, name: str, kinds: tuple[type, ...]) -> None:
    if part is not None and not isinstance(part, kinds):
        names = ", ".join(f"{kind.__name__}()" for kind in kinds)
        raise TypeError(f"ProximalGradient: {name} must be one of {names}, got {part!r}")


def _forward(v: Array, gamma: float, grad: Array) -> Array:
    """v - gamma grad, with one new array."""
    forward = -gamma * grad
    forward += v
    return forward


def _theta(problem: Problem, u: Any) -> float:
    """gamma L: 1 is safe where R is convex; strictly less makes each step pay where it is not."""
    return 1.0 if _is_convex(problem, u) else 0.9


def _is_convex(problem: Problem, u: Any) -> bool:
    """Whether R is known to be convex; G(., u) may be where R, its minimum over u, is not."""
    return u is None and problem.given(u).traits.convex


def _weak_convexity(problem: Problem, u: Any) -> float:
    """w with R + w |x|^2 / 2 convex, infinite where none is known."""
    if u is not None:
        return math.inf
    traits = problem.given(u).traits
    return traits.weak_convexity if traits.convex or traits.weak_convexity > 0 else math.inf
