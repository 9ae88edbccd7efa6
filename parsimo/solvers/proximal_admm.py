"""Proximal ADMM."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from parsimo._array import Array, inner, norm
from parsimo.core.problem import Problem
from parsimo.core.validation import check_number
from parsimo.solvers.lipschitz import Curvature, curvature_at
from parsimo.solvers.x_steps import Exact, Linearized, MeritConstants, XStep

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
    """|x - previous x|; infinite before the first step."""
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

    @property
    def point(self) -> Array:
        """z."""
        return self.z


@dataclass(frozen=True)
class ProximalADMM:
    """Minimize f(x) + R(z) subject to x = z by proximal alternating directions, in the order z, x, y:

        z+ = argmin_z R(z) - <y, z> + sigma/2 |x - z|^2 + tau_z/2 |z - z_k|^2                      (6.1)
        x+ = argmin_x f(x) + <y, x> + sigma/2 |x - z+|^2 + tau_x/2 |x - x_k|^2, or near it         (6.2)
        y+ = y + sigma (x+ - z+)                                                                  (6.3)

    Assumptions: f has an L-Lipschitz gradient and is m-weakly convex (m <= L); R has a computable prox and may be
    nonconvex; f + R is bounded below. For every admissible sigma the merit function falls at each step by the bound
    of Theorem 6.2 (docs/theory.md), and cluster points are critical. What is returned is z.

    Parameters
    ----------
    sigma : float, optional
        By default 1.25 times the smallest admissible value for L, m and the x-step. A smaller one than admissible
        is taken, and the result says so.
    x_step : XStep, optional
        `Exact()`, `Linearized()` or `Inexact()`. By default exact where f has a prox, linearized otherwise; the
        result says which.
    proximal_x, proximal_z : float
        tau_x and tau_z, nonnegative. With tau_z > 0 the support of a zero-norm problem changes finitely often.

    Notes
    -----
    docs/algorithms.md, 2. Where f gives no L it is estimated at the start and raised, sigma with it, whenever a
    step shows more curvature.
    """

    sigma: float | None = None
    x_step: XStep | None = None
    proximal_x: float = 0.0
    proximal_z: float = 0.0

    def __post_init__(self) -> None:
        if self.sigma is not None:
            object.__setattr__(self, "sigma", check_number(self.sigma, "ProximalADMM: sigma", positive=True))
        for name in ("proximal_x", "proximal_z"):
            object.__setattr__(self, name, check_number(getattr(self, name), f"ProximalADMM: {name}"))
        if isinstance(self.x_step, type):
            raise TypeError(f"ProximalADMM: x_step={self.x_step.__name__} is a class; pass {self.x_step.__name__}()")

    def init(self, problem: Problem, x0: Array) -> State:
        """x = z = x0 and y = -grad f(x0), so that the dual bound holds from the first step on."""
        f = problem.f
        x_step = self.x_step or (Linearized() if getattr(f, "prox", None) is None else Exact())
        x_step.check(f)
        curvature = curvature_at(f, x0)
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
            weak_convexity=_weak_convexity(f, curvature.value),
            x_step=x_step,
        )
        return replace(state, sigma=self._sigma(state))

    def step(self, problem: Problem, state: State) -> State:
        """(6.1), (6.2), (6.3)."""
        f, sigma = problem.f, state.sigma
        x, y = state.x, state.y

        s = sigma + self.proximal_z
        z, u = problem.prox((sigma * x + y + self.proximal_z * state.z) / s, 1 / s, state.u)
        x_new, grad = state.x_step(f, x, state.grad, z, y, sigma, self.proximal_x, state.curvature.value)
        y = y + sigma * (x_new - z)

        new = replace(state, x=x_new, z=z, y=y, u=u, grad=grad, dx=norm(x_new - x), dz=norm(z - state.z))
        return self._with_curvature(f, new, state.curvature.seen(x, x_new, state.grad, grad))

    def constants(self, state: State) -> MeritConstants:
        """p, q and memory of Theorem 6.2."""
        return state.x_step.constants(state.curvature.value, state.weak_convexity, self.proximal_x)

    def guaranteed_decrease(self, state: State) -> float:
        """The least fall of the merit in the step that led here, by Theorem 6.2; negative if sigma is too small.

        NaN where that step raised an estimated L: the merits before and after it have different constants.
        """
        if math.isinf(state.dx):  # no step was taken
            return 0.0
        if not state.constants_held:
            return math.nan
        return self.constants(state).decrease(state.sigma) * state.dx**2 + self.proximal_z / 2 * state.dz**2

    def merit(self, problem: Problem, state: State) -> float:
        """L_sigma(x, z, y) + (memory / sigma) |dx|^2."""
        gap = state.x - state.z
        penalty = problem.value(state.z, state.u) - problem.f.value(state.z)
        lagrangian = problem.f.value(state.x) + penalty + inner(state.y, gap) + state.sigma / 2 * inner(gap, gap)
        memory = self.constants(state).memory / state.sigma
        return lagrangian + (memory * state.dx**2 if math.isfinite(state.dx) else 0.0)

    def measures(self, state: State) -> dict[str, float]:
        """Primal residual |x - z|, dual residual sigma |dx|, sigma, and the decrease the theory guarantees."""
        primal, dual = norm(state.x - state.z), state.sigma * state.dx
        return {
            "residual": max(state.sigma * primal, dual),
            "primal": primal,
            "dual": dual,
            "sigma": state.sigma,
            "guaranteed_decrease": self.guaranteed_decrease(state),
        }

    def notes(self, state: State) -> tuple[str, ...]:
        """The x-step, sigma with its admissible range, and where L comes from."""
        smallest = self.constants(state).smallest_sigma
        verdict = "admissible" if state.sigma > smallest else "NOT admissible, nothing is guaranteed"
        return (
            f"x-step {state.x_step!r}, sigma = {state.sigma:.6g} ({verdict}: sigma > {smallest:.6g} by Theorem 6.2)",
            f"{state.curvature}; m = {state.weak_convexity:.6g}",
        )

    def _sigma(self, state: State) -> float:
        return self.sigma or _SAFETY * self.constants(state).smallest_sigma

    def _with_curvature(self, f: Any, state: State, curvature: Curvature) -> State:
        """The state under a raised estimate of L: m follows where it was taken from L, and sigma unless given."""
        if curvature is state.curvature:
            return replace(state, constants_held=True)
        m = _weak_convexity(f, curvature.value)
        state = replace(state, curvature=curvature, weak_convexity=m, constants_held=False)
        return replace(state, sigma=self._sigma(state))


def _weak_convexity(f: Any, L: float) -> float:
    """f's own m where it states one, 0 where it is convex, and L, which always holds, otherwise."""
    if getattr(f, "convex", False):
        return 0.0
    m = getattr(f, "weak_convexity", None)
    return L if m is None else min(float(m), L)
