"""Proximal ADMM."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from parsimo._array import Array, distance, inner, norm
from parsimo.core.problem import Problem
from parsimo.core.validation import check_number
from parsimo.solvers.balancing import Balancing
from parsimo.solvers.late_phase import Candidate, LatePhase, Memory
from parsimo.solvers.lipschitz import Curvature, curvature_at, weak_convexity_of
from parsimo.solvers.merits import MeritLaw, SharpConstants
from parsimo.solvers.x_steps import Exact, Linearized, XStep

__all__ = ["ProximalADMM"]

_SAFETY = 1.25  # the default sigma, in units of the smallest admissible one


@dataclass(frozen=True)
class State:
    """Where P-ADMM stands."""

    x: Array
    """The smooth block's copy, (n,)."""
    z: Array
    """The penalty's copy, (n,): exactly sparse or clustered, and the point that is returned."""
    y: Array
    """The multiplier of x = z, (n,)."""
    u: Any
    """Auxiliary variables that go with z."""
    grad: Array
    """The gradient of f at x, (n,)."""
    dx: float
    """|x - previous x|; infinite before the first step, 0 after a leap."""
    dz: float
    """|z - previous z|; infinite before the first step."""
    sigma: float
    """The penalty parameter of the coupling."""
    curvature: Curvature
    """L, known or estimated."""
    weak_convexity: float
    """m: f + m|x|^2/2 is convex."""
    x_step: XStep
    """The x-step in use."""
    constants_held: bool = True
    """Whether L held in the step that led here; False where that step raised it."""
    required: float | None = None
    """What the merit had to fall by where y starts afresh, after a leap or a change of sigma; None after a step."""
    late: Memory | None = None
    """What acceleration remembers; None without it."""
    every_sigma: bool = False
    """Whether the steps converge for every sigma, by Proposition 6.13: exact ones, f and R convex."""
    steps: int = 0
    """Steps taken; counted where sigma is balanced."""
    balanced: tuple[int, ...] = ()
    """The steps after which residual balancing changed sigma."""

    @property
    def point(self) -> Array:
        """z."""
        return self.z


@dataclass(frozen=True)
class ProximalADMM:
    """Minimize f(x) + R(z) subject to x = z by proximal alternating directions, in the order z, x, y:

        z+ = argmin_z R(z) - <y, z> + sigma/2 |x - z|^2 + tau_z/2 |z - z_k|^2                      (6.1)
        x+ = argmin_x f(x) + <y, x> + sigma/2 |x - v|^2 + tau_x/2 |x - x_k|^2, or near it          (6.2)
        y+ = y + sigma (x+ - v),   v = r z+ + (1 - r) x_k                                          (6.3)

    Assumptions: f has an L-Lipschitz gradient and is m-weakly convex (m <= L); R has a computable prox and may be
    nonconvex; f + R is bounded below. For every admissible sigma the merit function falls at each step by the bound
    of Theorem 6.2 or Proposition 6.10 (docs/theory.md), and cluster points are critical. What is returned is z.

    Parameters
    ----------
    sigma : float, optional
        By default 1.25 times the smallest admissible value for L, m and the x-step. A smaller one than admissible
        is taken, and the result says so.
    x_step : XStep, optional
        `Exact()`, `Linearized()`, `Inexact()` or `ConjugateGradient()`. By default exact where f has a prox, linearized
        otherwise; the result says which.
    proximal_x, proximal_z : float
        tau_x and tau_z, nonnegative. With tau_z > 0 the bare steps change the support of a zero-norm problem finitely
        often.
    relaxation : float
        r, in (0, 2); other than 1 for exact steps without proximal_x alone.
    balancing : Balancing, optional
        Let sigma follow the residuals, within the admissible range and finitely often.
    acceleration : LatePhase, optional
        Leap to points of Newton's and Anderson's methods where the merit falls as (6.6) demands; none below the
        admissible range. None leaves the bare steps.

    Notes
    -----
    docs/algorithms.md, 2. Where f gives no L it is estimated at the start and raised, sigma with it, whenever a
    step shows more curvature.
    """

    sigma: float | None = None
    x_step: XStep | None = None
    proximal_x: float = 0.0
    proximal_z: float = 0.0
    relaxation: float = 1.0
    balancing: Balancing | None = None
    acceleration: LatePhase | None = field(default_factory=LatePhase)

    def __post_init__(self) -> None:
        if self.sigma is not None:
            object.__setattr__(self, "sigma", check_number(self.sigma, "ProximalADMM: sigma", positive=True))
        for name in ("proximal_x", "proximal_z", "relaxation"):
            object.__setattr__(self, name, check_number(getattr(self, name), f"ProximalADMM: {name}"))
        if not 0 < self.relaxation < 2:
            raise ValueError(f"ProximalADMM: relaxation must be in (0, 2), got {self.relaxation}")
        for name in ("x_step", "balancing", "acceleration"):
            if isinstance(value := getattr(self, name), type):
                raise TypeError(f"ProximalADMM: {name}={value.__name__} is a class; pass {value.__name__}()")

    def init(self, problem: Problem, x0: Array) -> State:
        """x = z = x0 and y = -grad f(x0), so that the dual bound holds from the first step on."""
        f = problem.f
        x_step = self.x_step or (Linearized() if getattr(f, "prox", None) is None else Exact())
        x_step.check(f)
        if self.relaxation != 1 and not self._is_splitting(x_step):
            raise ValueError(
                f"ProximalADMM: relaxation={self.relaxation} is for exact x-steps without proximal_x, but the "
                f"x-step is {x_step!r} and proximal_x = {self.proximal_x}; use relaxation=1.0"
            )
        curvature = curvature_at(f, x0)
        late = None if self.acceleration is None else self.acceleration.start(f.value(x0))
        grad = f.grad(x0)
        state = State(
            x=x0,
            z=x0,
            y=-grad,
            u=problem.auxiliary(x0),
            grad=grad,
            dx=math.inf,
            dz=math.inf,
            sigma=0.0,
            curvature=curvature,
            weak_convexity=weak_convexity_of(f, curvature.value),
            x_step=x_step,
            late=late,
        )
        convex = getattr(f, "convex", False) and state.u is None and problem.given(None).traits.convex
        every_sigma = convex and self._is_splitting(x_step) and self.proximal_z == 0
        if math.isinf(self.constants(state).smallest_sigma):
            raise ValueError(
                f"ProximalADMM: L = {curvature.value:.3g} of {f!r} is so large that the constants of {x_step!r} "
                "overflow; scale f, for example by dividing A and its targets by a number"
            )
        return replace(state, sigma=self._sigma(state), every_sigma=every_sigma)

    def step(self, problem: Problem, state: State) -> State:
        """(6.1), then (6.2) and (6.3), or a leap that stands for them."""
        f, sigma = problem.f, state.sigma
        x, y, r = state.x, state.y, self.relaxation

        s = sigma + self.proximal_z
        z, u = problem.prox(_mean(sigma, x, y, self.proximal_z, state.z), 1 / s, state.u)
        if self.acceleration is not None and sigma > self.constants(state).smallest_sigma:
            on_s, bonus = self._is_splitting(state.x_step), self._remembered(state)
            leap, late, required = self.acceleration.leap(problem, state, z, u, r, on_s, bonus)
            if leap is not None:
                return self._landed(f, replace(state, late=late), leap, required, distance(z, state.z))
            state = replace(state, late=late)
        v = z if r == 1 else r * z + (1 - r) * x
        x_new, grad = state.x_step(f, x, state.grad, v, y, sigma, self.proximal_x, state.curvature.value)
        y = _ascended(y, sigma, x_new, v)

        dx, dz = distance(x_new, x), distance(z, state.z)
        new = replace(state, x=x_new, z=z, y=y, u=u, grad=grad, dx=dx, dz=dz, required=None)
        new = self._with_curvature(f, new, state.curvature.seen(x, x_new, state.grad, grad))
        return new if self.balancing is None else self._balanced(f, new)

    def constants(self, state: State) -> MeritLaw:
        """What Theorem 6.2, or Proposition 6.10, guarantees."""
        constants = state.x_step.constants(state.curvature.value, state.weak_convexity, self.proximal_x)
        return replace(constants, relaxation=self.relaxation) if isinstance(constants, SharpConstants) else constants

    def guaranteed_decrease(self, state: State) -> float:
        """The least fall of the merit in the step that led here; negative if sigma is too small.

        NaN where that step raised an estimated L: the merits before and after it have different constants.
        """
        if math.isinf(state.dx):  # no step was taken
            return 0.0
        if not state.constants_held:
            return math.nan
        of_x = (
            self.constants(state).decrease(state.sigma) * state.dx * state.dx
            if state.required is None
            else state.required
        )
        return of_x + self.proximal_z / 2 * state.dz * state.dz

    def merit(self, problem: Problem, state: State) -> float:
        """L_sigma(x, z, y) + (memory / sigma) |dx|^2."""
        gap = state.x - state.z
        penalty = problem.value(state.z, state.u) - problem.f.value(state.z)
        lagrangian = problem.f.value(state.x) + penalty + inner(state.y, gap) + state.sigma / 2 * inner(gap, gap)
        return lagrangian + self._remembered(state)

    def measures(self, state: State) -> dict[str, float]:
        """Primal residual |x - z|, dual residual sigma |dx|, sigma, and the decrease the theory guarantees."""
        primal, dual = distance(state.x, state.z), state.sigma * state.dx
        return {
            "residual": max(state.sigma * primal, dual),
            "primal": primal,
            "dual": dual,
            "sigma": state.sigma,
            "guaranteed_decrease": self.guaranteed_decrease(state),
            **({} if state.late is None else state.late.figures),
        }

    def notes(self, state: State) -> tuple[str, ...]:
        """The x-step, sigma with its admissible range, and where L comes from."""
        constants = self.constants(state)
        smallest = constants.smallest_sigma
        source = "Proposition 6.10" if isinstance(constants, SharpConstants) else "Theorem 6.2"
        verdict, theorem = "admissible", source
        if not state.sigma > smallest:
            verdict = "NOT admissible, nothing is guaranteed"
            if state.every_sigma:
                verdict, theorem = "NOT admissible, the merit may rise", "Proposition 6.13"
                source += "; f and R are convex, and it converges by Proposition 6.13"
        notes: tuple[str, ...] = (
            f"x-step {state.x_step!r}, sigma = {state.sigma:.6g} ({verdict}: sigma > {smallest:.6g} by {source})",
            f"{state.curvature}; m = {state.weak_convexity:.6g}",
        )
        if self.balancing is not None:
            changes = len(state.balanced)
            last = f", the last after step {state.balanced[-1]}; {theorem} holds from there on" if changes else ""
            notes += (f"balancing changed sigma {changes} times{last}",)
        return notes if state.late is None else (*notes, str(state.late))

    def _is_splitting(self, x_step: XStep) -> bool:
        """Whether the steps are those of Douglas-Rachford splitting (Proposition 6.7)."""
        return isinstance(x_step, Exact) and self.proximal_x == 0

    def _landed(self, f: Any, state: State, leap: Candidate, required: float, dz: float) -> State:
        """The state of a leap: it remembers no step, and y = -grad f(x) as at the start."""
        new = replace(
            state, x=leap.x, z=leap.z, y=-leap.grad, u=leap.u, grad=leap.grad, dx=0.0, dz=dz, required=required
        )
        return self._with_curvature(f, new, state.curvature.seen(state.x, leap.x, state.grad, leap.grad))

    def _remembered(self, state: State) -> float:
        """(memory / sigma) |dx|^2; 0 at the start, and wherever y starts from -grad f(x) as it does there."""
        afresh = math.isinf(state.dx) or state.required is not None
        return 0.0 if afresh else self.constants(state).remembered(state.sigma) * state.dx * state.dx

    def _sigma(self, state: State) -> float:
        return self.sigma or _SAFETY * self.constants(state).smallest_sigma

    def _balanced(self, f: Any, state: State) -> State:
        """The state under the sigma that its residuals ask for, if another change is allowed."""
        balancing: Any = self.balancing
        state = replace(state, steps=state.steps + 1)
        last = state.balanced[-1] if state.balanced else 0
        if len(state.balanced) >= balancing.changes or state.steps - last < balancing.every:
            return state
        primal = distance(state.x, state.z) / max(norm(state.x), norm(state.z), 1e-300)
        dual = state.sigma * state.dx / max(norm(state.y), 1e-300)
        free = balancing.beyond and state.every_sigma
        floor = 0.0 if free else _SAFETY * self.constants(state).smallest_sigma
        sigma = balancing.of(state.sigma, primal, dual, floor)
        if sigma == state.sigma:
            return state
        # from z again: F(z) is the merit there for every sigma, and no more than the merit was
        required, grad = self.constants(state).decrease(state.sigma) * state.dx * state.dx, f.grad(state.z)
        late = None if state.late is None else replace(state.late.cleared(), value=math.nan)
        balanced = (*state.balanced, state.steps)
        return replace(
            state, x=state.z, y=-grad, grad=grad, sigma=sigma, balanced=balanced, required=required, late=late
        )

    def _with_curvature(self, f: Any, state: State, curvature: Curvature) -> State:
        """The state under a raised estimate of L: m follows where it was taken from L, and sigma unless given."""
        if curvature is state.curvature:
            return replace(state, constants_held=True)
        m = weak_convexity_of(f, curvature.value)
        state = replace(state, curvature=curvature, weak_convexity=m, constants_held=False)
        sigma = self._sigma(state)
        late = None if state.late is None else state.late.cleared()
        return replace(state, sigma=max(sigma, state.sigma) if self.balancing else sigma, late=late)


def _mean(sigma: float, x: Array, y: Array, tau_z: float, z: Array) -> Array:
    """(sigma x + y + tau_z z) / (sigma + tau_z), with one new array where tau_z is 0."""
    mean = sigma * x
    mean += y
    if tau_z > 0:
        mean += tau_z * z
    mean /= sigma + tau_z
    return mean


def _ascended(y: Array, sigma: float, x: Array, v: Array) -> Array:
    """y + sigma (x - v), with one new array."""
    ascended = x - v
    ascended *= sigma
    ascended += y
    return ascended
