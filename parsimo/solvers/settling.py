"""Solving again on the coordinates where a separable penalty is smooth: Newton's method that never climbs."""

from __future__ import annotations

from typing import Any

from parsimo._array import Array, array_namespace, asarray_like, device_of, norm
from parsimo.core.problem import Composite
from parsimo.solvers import stopping
from parsimo.solvers.loop import run
from parsimo.solvers.proximal_gradient import ProximalGradient

__all__ = ["settled"]

_NEWTON_STEPS = 50
_LARGEST_NEWTON = 500  # coordinates; beyond them proximal gradient is cheaper
_HALVINGS = 10


def settled(problem: Composite, x: Array) -> Array:
    """x after a descent on the coordinates where the penalty is smooth; its objective is no higher."""
    if getattr(problem.f, "hessian", None) is None or len(_smooth(problem.g, x)) > _LARGEST_NEWTON:
        stop = stopping.first_of(stopping.certificate_below(1e-10), stopping.max_iterations(200))
        result = run(ProximalGradient(), problem, x, stop=stop, every=20)
        return result.x if result.objective <= problem.value(x) else x
    value = problem.value(x)
    for _ in range(_NEWTON_STEPS):
        step = _newton_step(problem, x)
        if step is None:
            break
        trial = _descent_along(problem, x, step, value)
        if trial is None:
            break
        x, last, value = trial, value, problem.value(trial)
        if last - value <= 1e-15 * abs(value):
            break
    return x


def _newton_step(problem: Composite, x: Array) -> Array | None:
    """-(H + D)^{-1} (d + g') on the coordinates with one slope g', 0 elsewhere; None where it would be 0.

    H is the Hessian of f there, D the curvature of the penalty by differences of its slope. Eigenvalues enter by
    their size, so that the step points downhill; those at rounding are left out.
    """
    f, g, xp = problem.f, problem.g, array_namespace(x)
    smooth = _smooth(g, x)
    if not smooth:
        return None
    index = xp.asarray(smooth, dtype=xp.int64, device=device_of(x))
    slope = xp.take(f.grad(x), index) + xp.take(g.slopes(x)[0], index)
    if norm(slope) == 0:
        return None
    width = float(xp.finfo(x.dtype).eps) ** (1 / 3) * xp.maximum(xp.abs(x), xp.full_like(x, 1e-3))
    bend = xp.take((g.slopes(x + width)[0] - g.slopes(x - width)[0]) / (2 * width), index)
    finite = xp.where(xp.isfinite(bend), bend, xp.zeros_like(bend))
    eigenvalues, basis = xp.linalg.eigh(
        f.hessian(x, smooth, smooth) + finite * xp.eye(len(smooth), dtype=x.dtype, device=device_of(x))
    )
    size = xp.abs(eigenvalues)
    floor = len(smooth) * float(xp.finfo(x.dtype).eps) * xp.max(size)
    inverse = xp.where(size > floor, 1 / xp.where(size > floor, size, xp.ones_like(size)), xp.zeros_like(size))
    step = xp.zeros_like(x)
    step[index] = -(basis @ (inverse * (basis.T @ slope)))
    return step


def _smooth(g: Any, x: Array) -> list[int]:
    """The coordinates where the penalty has one slope."""
    left, right = g.slopes(x)
    return [int(i) for i in array_namespace(x).nonzero(left == right)[0]]


def _descent_along(problem: Composite, x: Array, step: Array, value: float) -> Array | None:
    """The best of x + step and its first stop, a halved step, or one of proximal gradient; None if none is lower.

    A coordinate stops at 0 where the step would change its sign, and at the end of the domain where it would leave it.
    """
    xp, full = array_namespace(x), x + step
    outside = xp.isinf(problem.g.terms(full))
    stops = outside | (x * full < 0)
    candidates = [full]
    if bool(xp.any(stops)):
        nearest = problem.g.prox(full, float(xp.finfo(x.dtype).eps))  # as good as the projection onto the domain
        end = xp.where(outside, nearest, xp.zeros_like(x))
        shares = xp.where(stops, (end - x) / xp.where(stops, step, xp.ones_like(x)), xp.ones_like(x))
        first = xp.min(shares)
        candidates += [xp.where(outside, nearest, full), xp.where(stops & (shares == first), end, x + first * step)]
    best = min(candidates, key=problem.value)
    if problem.value(best) <= value:
        return best
    halved = (x + asarray_like(0.5**k, x) * step for k in range(1, _HALVINGS))
    lower = next((trial for trial in halved if problem.value(trial) < value), None)
    if lower is not None:
        return lower
    # halved steps only approach a kink that is not 0; a step of proximal gradient lands on it
    onto_the_kink = _proximal_step(problem, x)
    return onto_the_kink if onto_the_kink is not None and problem.value(onto_the_kink) < value else None


def _proximal_step(problem: Composite, x: Array) -> Array | None:
    """One step of proximal gradient on the coordinates where the penalty is smooth; None where f states no L."""
    f, g, xp = problem.f, problem.g, array_namespace(x)
    if not f.lipschitz:
        return None
    left, right = g.slopes(x)
    return xp.where(left == right, g.prox(x - f.grad(x) / f.lipschitz, 1 / f.lipschitz), x)
