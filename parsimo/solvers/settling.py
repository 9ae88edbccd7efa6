"""Solving again on the coordinates where a separable penalty is smooth: Newton's method that never climbs."""

from __future__ import annotations

from parsimo._array import Array
from parsimo.core.problem import Composite
from parsimo.solvers import stopping
from parsimo.solvers.loop import run
from parsimo.solvers.proximal_gradient import ProximalGradient
from parsimo.solvers.support_newton import LARGEST_DENSE, newton_trial, smooth_coordinates

__all__ = ["settled"]

_NEWTON_STEPS = 50


def settled(problem: Composite, x: Array) -> Array:
    """x after a descent on the coordinates where the penalty is smooth; its objective is no higher."""
    if getattr(problem.f, "hessian", None) is None or len(smooth_coordinates(problem.g, x)) > LARGEST_DENSE:
        stop = stopping.first_of(stopping.certificate_below(1e-10), stopping.max_iterations(200))
        result = run(ProximalGradient(), problem, x, stop=stop, every=20)
        return result.x if result.objective <= problem.value(x) else x
    value = problem.value(x)
    for _ in range(_NEWTON_STEPS):
        trial = newton_trial(problem, x, problem.f.grad(x)).x
        if trial is None:
            break
        x, last, value = trial, value, problem.value(trial)
        if last - value <= 1e-15 * abs(value):
            break
    return x
