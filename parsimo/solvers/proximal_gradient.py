"""Proximal gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from parsimo._array import Array, squared_distance
from parsimo.core.problem import Problem, natural_residual
from parsimo.core.validation import check_number
from parsimo.solvers.acceleration import Acceleration, Extrapolation, Inertial, Nesterov, Plain, weak_convexity
from parsimo.solvers.anderson import Anderson
from parsimo.solvers.linesearch import (
    Backtracking,
    BarzilaiBorwein,
    Constant,
    StepRule,
    Trial,
    curvature_along_gradient,
)
from parsimo.solvers.lipschitz import Curvature, curvature_at
from parsimo.solvers.working_sets import OnWorkingSets, WorkingSets, can_be_restricted

__all__ = ["ProximalGradient"]


@dataclass(frozen=True)
class Setting:
    """What is settled at the start of a run."""

    rule: StepRule
    """The step rule in use."""
    acceleration: Acceleration
    """What is done with the steps before."""
    curvature: Curvature
    """L, or what the first step was made of."""
    theta: float
    """gamma L, for the descent test."""
    first_step: float
    """The first gamma tried."""
    scale: float
    """The gamma found after the first step: what others are long or short against."""


class State(NamedTuple):
    """Where proximal gradient stands."""

    x: Array
    """The iterate, (n,)."""
    u: Any
    """Auxiliary variables that go with x."""
    residual: float
    """|x - v| / gamma of the last step, v the point it was taken from, or that of a step from x where x was offered in
    its place; infinite before the first."""
    step_size: float
    """gamma of the last step; of the first, before it."""
    next_step: float
    """The gamma to try next."""
    excess: float
    """By how much the merit exceeds the objective at x."""
    kept: Any
    """What the acceleration remembers of the steps before."""
    setting: Setting
    """What stays the same in a run."""

    @property
    def point(self) -> Array:
        """x."""
        return self.x

    @property
    def theta(self) -> float:
        """gamma L, for the descent test."""
        return self.setting.theta

    @property
    def scale(self) -> float:
        """What a gamma is long or short against."""
        return self.setting.scale


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
        `Nesterov()` for convex f and R; `Anderson()` and `Inertial()` for any; none with `BarzilaiBorwein`.
        `WorkingSets()` with it, for separable R and f with columns at hand; by default, where that saves time and no
        other argument is given.

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
    acceleration: Nesterov | Anderson | Inertial | WorkingSets | None = None

    def __post_init__(self) -> None:
        if self.step_size is not None:
            step_size = check_number(self.step_size, "ProximalGradient: step_size", positive=True)
            object.__setattr__(self, "step_size", step_size)
        _check_part(self.step_rule, "step_rule", (BarzilaiBorwein, Backtracking, Constant))
        _check_part(self.acceleration, "acceleration", (Nesterov, Anderson, Inertial, WorkingSets))
        adaptive, fixed = (BarzilaiBorwein, WorkingSets), (Backtracking, Constant, Nesterov, Anderson, Inertial)
        parts = self.step_rule, self.acceleration
        if any(isinstance(part, adaptive) for part in parts) and any(isinstance(part, fixed) for part in parts):
            raise ValueError(
                f"ProximalGradient: {self.step_rule!r} and {self.acceleration!r} do not go together: WorkingSets() is "
                "for BarzilaiBorwein(), and the others extrapolate steps of one length; use one of them"
            )

    def init(self, problem: Problem, x0: Array) -> State:
        """The state at x0.

        Raises
        ------
        ValueError
            If `Nesterov()` is asked for where f or R is not known to be convex.
        """
        f, u = problem.f, problem.auxiliary(x0)
        acceleration = self._acceleration(problem)
        kept = acceleration.first(problem, x0, u)
        rule, w = self._rule(f), weak_convexity(problem, u)
        curvature = self._curvature(f, x0, rule)
        if isinstance(acceleration, Inertial):
            gamma = self.step_size or acceleration.step_size(curvature.value, w)
            if isinstance(rule, Backtracking):
                gamma = min(gamma, acceleration.longest(w))
            theta = acceleration.theta(gamma, w)
        else:
            theta = 1.0 if w == 0 else 0.9  # 1 is safe where R is convex; less makes each step pay where it is not
            gamma = self.step_size or theta / curvature.value
            if isinstance(rule, Constant):
                theta = gamma * curvature.value
        setting = Setting(rule, acceleration, curvature, theta, gamma, gamma)
        return State(x0, u, math.inf, gamma, gamma, 0.0, kept, setting)

    def step(self, problem: Problem, state: State) -> State:
        """x+ = prox_{gamma R}(v - gamma grad f(base)), or what is offered in its place; gamma halved until the rule
        takes one of them (7.1)."""
        setting, gamma = state.setting, state.next_step
        acceleration = setting.acceleration
        start = acceleration.start(problem, state)
        v, base, _ = start
        grad, test = setting.rule.at(problem, state, base)
        while True:
            x, u = problem.prox(_forward(v, gamma, grad), gamma, state.u)
            trial = Trial(x, u, base, squared_distance(x, base), gamma)
            taken = acceleration.offer(problem, state, trial)
            excess = test(taken)
            if excess is None and taken is not trial:
                taken, excess = trial, test(trial)
            if excess is not None:
                break
            gamma, v = gamma / 2, base
        x, u, kept, excess = acceleration.end(problem, state, start, taken, excess)
        residual = math.sqrt(trial.length) / gamma if taken is trial else natural_residual(problem, x, gamma, u)
        if x is not trial.x:
            trial = Trial(x, u, base, squared_distance(x, base), gamma)
        next_step = setting.rule.next_step(problem.f, state, grad, trial)
        if state.residual == math.inf:
            setting = replace(setting, scale=next_step)
        return State(x, u, residual, gamma, next_step, excess, kept, setting)

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
        setting, L, gamma = state.setting, state.setting.curvature.value, state.step_size
        origin = "known" if setting.curvature.known else "estimated at the start"
        if isinstance(setting.rule, BarzilaiBorwein):
            first = "as given" if self.step_size else "by the curvature along the gradient, estimated at the start"
            return (f"step size {gamma:.6g} by {setting.rule!r}; the first {setting.first_step:.6g}, {first}",)
        if isinstance(setting.rule, Backtracking):
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
        if isinstance(self.acceleration, WorkingSets) or (self.step_size is None and self.acceleration is None):
            return BarzilaiBorwein()
        return Backtracking() if self.step_size is None and f.lipschitz is None else Constant()

    def _curvature(self, f: Any, x0: Array, rule: StepRule) -> Curvature:
        """What the first step is made of: L, or for Barzilai and Borwein the curvature along the gradient."""
        if self.step_size is not None and (isinstance(rule, BarzilaiBorwein) or f.lipschitz is None):
            return Curvature(1 / self.step_size, known=True)  # what the given step stands for
        if isinstance(rule, BarzilaiBorwein):
            return Curvature(curvature_along_gradient(f, x0), known=False)
        return curvature_at(f, x0)

    def _acceleration(self, problem: Problem) -> Acceleration:
        """The one that was asked for, or the default."""
        if isinstance(self.acceleration, Anderson):
            return Extrapolation(self.acceleration)
        if isinstance(self.acceleration, WorkingSets):
            return OnWorkingSets(self.acceleration, _by_barzilai_borwein)
        if self == ProximalGradient() and can_be_restricted(problem):
            return OnWorkingSets(WorkingSets(), _by_barzilai_borwein)
        return self.acceleration or Plain()


def _by_barzilai_borwein(step_size: float) -> ProximalGradient:
    return ProximalGradient(step_size, BarzilaiBorwein())


def _check_part(part: Any, name: str, kinds: tuple[type, ...]) -> None:
    if part is not None and not isinstance(part, kinds):
        names = ", ".join(f"{kind.__name__}()" for kind in kinds)
        raise TypeError(f"ProximalGradient: {name} must be one of {names}, got {part!r}")


def _forward(v: Array, gamma: float, grad: Array) -> Array:
    """v - gamma grad, with one new array."""
    forward = -gamma * grad
    forward += v
    return forward
