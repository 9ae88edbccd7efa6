"""Newton's method on the coordinates where a separable penalty is smooth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from parsimo._array import Array, array_namespace, asarray_like, device_of, inner, norm, solve_positive
from parsimo.core.problem import Composite

__all__ = ["LARGEST_DENSE", "Trial", "newton_trial", "smooth_coordinates"]

LARGEST_DENSE = 500  # coordinates whose Hessian is factorized; beyond them conjugate gradients
_HALVINGS = 10
_FORCING = 1e-10  # residual of the Newton equation that conjugate gradients aim at, relative to its right side


class Trial(NamedTuple):
    """Where a Newton step leads, and what it took."""

    x: Array
    """The point; None where nothing lower was found."""
    columns: int
    """Columns that `hessian` was asked for, each at a gradient's price at most; gradients count apart."""


def newton_trial(problem: Composite, x: Array, grad: Array, slack: float = 0.0) -> Trial:
    """The best point along a Newton step of f + g from x, on the coordinates where g is smooth.

    Parameters
    ----------
    problem : Composite
        g separable with `terms` and `slopes`.
    grad : array
        The gradient of f at x.
    slack : float
        By how much the objective may rise: 0, or what rounding makes of a fall.

    Notes
    -----
    With `hessian` of f and at most 500 such coordinates the step is -(H + D)^{-1} (d + g'), eigenvalues by their size;
    else it comes from conjugate gradients, products with H from differences of gradients.
    """
    smooth = smooth_coordinates(problem.g, x)
    if not smooth:
        return Trial(None, 0)
    xp = array_namespace(x)
    index = xp.asarray(smooth, dtype=xp.int64, device=device_of(x))
    slope = xp.take(grad, index) + xp.take(problem.g.slopes(x)[0], index)
    if not 0 < norm(slope) < math.inf:
        return Trial(None, 0)
    bend = xp.take(_bend(problem.g, x), index)
    if getattr(problem.f, "hessian", None) is not None and len(smooth) <= LARGEST_DENSE:
        D = bend * xp.eye(len(smooth), dtype=x.dtype, device=device_of(x))
        step = _spread(-_solved(problem.f.hessian(x, smooth, smooth) + D, slope), index, x)
        return Trial(_descent_along(problem, x, step, grad, slack), len(smooth))
    step = _spread(_by_conjugate_gradients(problem.f, x, grad, index, bend, slope), index, x)
    return Trial(_descent_along(problem, x, step, grad, slack), 0)


def smooth_coordinates(g: Any, x: Array) -> list[int]:
    """The coordinates where the penalty has one slope."""
    left, right = g.slopes(x)
    return [int(i) for i in array_namespace(x).nonzero(left == right)[0]]


def _bend(g: Any, x: Array) -> Array:
    """The curvature of each term of the penalty, by differences of its slope; 0 where there is none."""
    xp = array_namespace(x)
    width = float(xp.finfo(x.dtype).eps) ** (1 / 3) * xp.maximum(xp.abs(x), xp.full_like(x, 1e-3))
    bend = (g.slopes(x + width)[0] - g.slopes(x - width)[0]) / (2 * width)
    return xp.where(xp.isfinite(bend), bend, xp.zeros_like(bend))


def _solved(H: Array, slope: Array) -> Array:
    """H^{-1} slope, eigenvalues by their size, so that minus it points downhill; those at rounding are left out."""
    solution = solve_positive(H, slope)
    if solution is not None:
        return solution
    xp = array_namespace(H)
    eigenvalues, basis = xp.linalg.eigh(H)
    size = xp.abs(eigenvalues)
    floor = H.shape[0] * float(xp.finfo(H.dtype).eps) * xp.max(size)
    inverse = xp.where(size > floor, 1 / xp.where(size > floor, size, xp.ones_like(size)), xp.zeros_like(size))
    return basis @ (inverse * (basis.T @ slope))


def _by_conjugate_gradients(f: Any, x: Array, grad: Array, index: Array, bend: Array, slope: Array) -> Array:
    """(H + D) d = -slope on some coordinates, up to the first direction without positive curvature."""
    xp = array_namespace(x)
    length = math.sqrt(float(xp.finfo(x.dtype).eps)) * (1 + norm(x))

    def product(d: Array) -> Array:
        share = length / norm(d)
        return xp.take(f.grad(x + share * _spread(d, index, x)) - grad, index) / share + bend * d

    step, r = xp.zeros_like(slope), slope
    d, square = -r, inner(r, r)
    target = _FORCING**2 * square
    for k in range(2 * slope.shape[0]):
        curved = product(d)
        curvature = inner(d, curved)
        if not curvature > 0:
            return d if k == 0 else step
        alpha = square / curvature
        step, r = step + alpha * d, r + alpha * curved
        square, last = inner(r, r), square
        if not square > target:
            break
        d = square / last * d - r
    return step


def _spread(values: Array, index: Array, x: Array) -> Array:
    """The values at these rising coordinates of x, 0 elsewhere; the standard has no assignment by an index."""
    xp = array_namespace(x)
    coordinates = xp.arange(x.shape[0], dtype=index.dtype, device=device_of(x))
    rank = xp.clip(xp.searchsorted(index, coordinates), 0, index.shape[0] - 1)
    return xp.where(xp.take(index, rank) == coordinates, xp.take(values, rank), xp.zeros_like(x))


def _descent_along(problem: Composite, x: Array, step: Array, grad: Array, slack: float) -> Array | None:
    """The best of x + step and its first stop, a halved step, or one of proximal gradient; None if none is lower.

    A coordinate stops at 0 where the step would change its sign, and at the end of the domain where it would leave it.
    """
    xp, full = array_namespace(x), x + step
    value: Callable[[Array], float] = problem.value
    here = value(x)
    outside = xp.isinf(problem.g.terms(full))
    stops = outside | (x * full < 0)
    candidates = [full]
    if bool(xp.any(stops)):
        nearest = problem.g.prox(full, float(xp.finfo(x.dtype).eps))  # as good as the projection onto the domain
        end = xp.where(outside, nearest, xp.zeros_like(x))
        shares = xp.where(stops, (end - x) / xp.where(stops, step, xp.ones_like(x)), xp.ones_like(x))
        first = xp.min(shares)
        candidates += [xp.where(outside, nearest, full), xp.where(stops & (shares == first), end, x + first * step)]
    values = [value(candidate) for candidate in candidates]
    lowest = min(values)
    if lowest <= here + slack:
        return candidates[values.index(lowest)]
    halved = (x + asarray_like(0.5**k, x) * step for k in range(1, _HALVINGS))
    lower = next((trial for trial in halved if value(trial) < here), None)
    if lower is not None:
        return lower
    # halved steps only approach a kink that is not 0; a step of proximal gradient lands on it
    onto_the_kink = _proximal_step(problem, x, grad)
    return onto_the_kink if onto_the_kink is not None and value(onto_the_kink) < here else None


def _proximal_step(problem: Composite, x: Array, grad: Array) -> Array | None:
    """One step of proximal gradient on the coordinates where the penalty is smooth; None where f states no L."""
    f, g = problem.f, problem.g
    if not f.lipschitz:
        return None
    left, right = g.slopes(x)
    return array_namespace(x).where(left == right, g.prox(x - grad / f.lipschitz, 1 / f.lipschitz), x)
