"""Second derivatives from differences of gradients: where f bends most and least, and the Hessian that it offers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.theory_checks.evidence import Trials
from parsimo.theory_checks.oracles.differences import extrapolated

__all__ = ["Bend", "bend_of", "derivative_along", "extreme_directions", "slopes_of", "try_hessian"]

_LANCZOS_STEPS = 40  # each costs two gradients; the directions are exact eigenvectors in so many variables
_COLUMNS = 8  # of the Hessian, looked at in a trial
_ULPS = 8.0  # of the largest entry: the rounding of a Hessian
_STEPS = range(-14, 9)  # powers of 4, in units of the larger of 1 and x: 4e-9 to 7e4
_SHORTEST = 64.0  # steps, in units in the last place of x
_EXACT = 1e-6  # a relative change of the curvature that needs no longer step
_SETTLED = 0.05  # a relative change of the curvature that is small
_SAFETY = 4.0  # a change of the curvature is seen where it is so many times what rounding makes
_CHANGED = 0.1  # a relative change of the curvature by which f is no quadratic any more


@dataclass(frozen=True)
class Bend:
    """The lengths on which the gradient of f changes, about one point."""

    step: float
    """At which differences of gradients are exact, or as exact as can be."""
    curvature: float
    """About |f''(x) d|; 0 where rounding hides it, or it changes at all lengths."""
    scale: float
    """Above which f is seen to be no quadratic; infinite where that is not seen."""

    @property
    def unit(self) -> float:
        """The scale, or 1 where f has none or is quadratic at none."""
        return self.scale if math.isfinite(self.scale) and self.curvature > 0 else 1.0


def bend_of(f: Any, x: Array, direction: np.ndarray) -> Bend:
    """From quotients (grad f(x + h d) - grad f(x)) / h along one direction, ahead and behind, with h of all sizes.

    Rounding parts the quotients of a step that is too short from the next ones, higher derivatives those of a long one.
    """
    d = direction / float(np.linalg.norm(direction))
    point, slopes = to_numpy(x).astype(np.float64), slopes_of(f)
    largest = float(np.abs(point).max())
    size = max(1.0, largest)
    steps = size * 4.0 ** np.array(_STEPS)
    steps = steps[steps >= _SHORTEST * _epsilon(x) * largest]
    at_x = slopes(x)

    def quotient(h: float) -> np.ndarray:
        y = asarray_like(point + h * d, x)
        return (slopes(y) - at_x) / float((to_numpy(y).astype(np.float64) - point) @ d)

    images = np.array([np.concatenate([quotient(h), quotient(-h)]) / math.sqrt(2) for h in steps])
    sizes = np.linalg.norm(images, axis=1)
    changes = np.linalg.norm(np.diff(images, axis=0), axis=1) / (sizes[1:] + sizes[:-1])
    rounding = 2 * _epsilon(x) * (float(np.linalg.norm(at_x)) / sizes + largest) / steps  # of gradients, and of points
    changed = np.flatnonzero((changes > _CHANGED) & (_SAFETY * rounding[:-1] < _CHANGED))
    last = int(changed[0]) if changed.size else len(changes)
    scale = float(steps[last]) if changed.size else math.inf
    within = np.where(np.isfinite(changes), changes + rounding[:-1], math.inf)[:last]  # 0/0 where f is linear
    if not (within <= _SETTLED).any():
        return Bend(_epsilon(x) ** (1 / 3) * size, 0.0, scale)
    best = int(np.argmax(within <= max(_EXACT, float(within.min()))))
    return Bend(float(steps[best]), float(sizes[best]), scale)


def derivative_along(
    function: Callable[[Array], np.ndarray], f: Any, x: Array, direction: np.ndarray, enough: float, bend: Bend
) -> tuple[np.ndarray, np.ndarray]:
    """The derivative of `function`, the values or the gradient of f, and its error, by steps on which f bends little.

    Where these do not settle it, and f bends less along this direction than `bend` says, by longer ones.
    """
    best, error = extrapolated(function, x, direction, enough, bend.scale)
    if (error > enough).any():
        own = bend_of(f, x, direction)
        longest = own.scale / float(np.linalg.norm(direction))
        if longest > bend.scale:
            other, smaller = extrapolated(function, x, direction, enough, longest)
            best, error = np.where(smaller < error, other, best), np.fmin(smaller, error)
    return best, error


def extreme_directions(f: Any, x: Array, step: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Unit vectors d along which d' f''(x) d is about least and about largest.

    Lanczos iteration with full orthogonalization, on the products f''(x) d ~ (grad f(x + h d) - grad f(x - h d)) / 2h.
    Their errors spoil no claim: the directions are only where it is tried. None where gradients are not finite.
    """
    product = _differences(f, x)
    first = rng.standard_normal(x.shape[0])
    basis, images = [first / np.linalg.norm(first)], []
    for _ in range(min(first.size, _LANCZOS_STEPS)):
        image = product(basis[-1], step)
        if not np.isfinite(image).all():
            break
        images.append(image)
        Q = np.array(basis)
        rest = image - Q.T @ (Q @ image)
        rest -= Q.T @ (Q @ rest)
        size = float(np.linalg.norm(rest))
        if size < 1e-300:
            break
        basis.append(rest / size)
    if not images:
        return ()
    Q = np.array(basis[: len(images)])
    projected = Q @ np.array(images).T
    vectors = np.linalg.eigh((projected + projected.T) / 2)[1]
    return Q.T @ vectors[:, 0], Q.T @ vectors[:, -1]


def try_hessian(
    outcome: Trials, f: Any, x: Array, text: str, bend: Bend, rng: np.random.Generator, tolerance: float
) -> None:
    """`hessian(x, rows, columns)` holds the derivatives of `grad`; `text` is the expression that makes x.

    Some columns are compared entry by entry with extrapolated differences of gradients, less their errors. A block of
    some rows must be that part of the columns.

    Raises
    ------
    ValueError
        If the Hessian has another shape than len(rows) x len(columns), or than n x len(columns) where rows is None.
    """
    n = x.shape[0]
    columns, rows = ([int(i) for i in rng.permutation(n)[:_COLUMNS]] for _ in range(2))
    whole, block = _block(f, x, None, columns), _block(f, x, rows, columns)
    for name, array in ((f"None, {columns}", whole), (f"{rows}, {columns}", block)):
        alike = array_namespace(array) is array_namespace(x) and array.dtype == x.dtype
        outcome.add(tolerance if alike else -1.0, f"f.hessian({text}, {name}).dtype  # of the library and dtype of x")
    stated = to_numpy(whole).astype(np.float64)
    apart = np.abs(to_numpy(block) - stated[rows]) / (np.abs(stated).max() + 1e-300)
    outcome.add_all(
        tolerance - apart.max(axis=1),
        lambda k: f"f.hessian({text}, [{rows[k]}], {columns}) - f.hessian({text}, None, {columns})[{rows[k]}]  # 0",
    )
    slopes, epsilon = slopes_of(f), _epsilon(x)
    for place, j in enumerate(columns):
        column = stated[:, place]
        enough = 0.1 * tolerance * float(np.abs(column).max())
        expected, errors = derivative_along(slopes, f, x, np.eye(1, n, j)[0], enough, bend)
        told = np.flatnonzero(np.isfinite(errors))  # elsewhere all steps leave the domain of f
        if not told.size:
            continue
        scale = np.abs(expected) + 1e-6 * float(np.abs(expected[told]).max())
        allowed = tolerance * scale + 2 * errors + _ULPS * epsilon * float(np.abs(stated).max())
        margins = (allowed - np.abs(column - expected)) / (scale + allowed + 1e-300)

        def entry(k: int, j: int = j, d: np.ndarray = expected, allowed: np.ndarray = allowed, i: Any = told) -> str:
            return f"f.hessian({text}, [{i[k]}], [{j}]) - ({float(d[i[k]])!r})  # 0, up to {allowed[i[k]]:.2g}"

        outcome.add_all(margins[told], entry)


def _block(f: Any, x: Array, rows: list[int] | None, columns: list[int]) -> Array:
    block = f.hessian(x, rows, columns)
    expected = (x.shape[0] if rows is None else len(rows), len(columns))
    if getattr(block, "shape", None) != expected:
        raise ValueError(
            f"check_gradient: hessian(x, {rows}, {columns}) of {f!r} must be an array of shape {expected}, got "
            f"{getattr(block, 'shape', type(block).__name__)}"
        )
    return block


def slopes_of(f: Any) -> Callable[[Array], np.ndarray]:
    """The gradient in float64; NaN outside the domain of f."""

    def slopes(y: Array) -> np.ndarray:
        if not math.isfinite(f.value(y)):
            return np.full(y.shape[0], math.nan)
        return to_numpy(f.grad(y)).astype(np.float64)

    return slopes


def _differences(f: Any, x: Array) -> Callable[[np.ndarray, float], np.ndarray]:
    """(d, h) -> f''(x) d, up to an error of order h^2 and rounding over h; NaN where a step leaves the domain."""
    point, slopes = to_numpy(x).astype(np.float64), slopes_of(f)

    def product(d: np.ndarray, h: float) -> np.ndarray:
        ahead, behind = asarray_like(point + h * d, x), asarray_like(point - h * d, x)
        # in the precision of x the two points lie where rounding has put them
        width = float((to_numpy(ahead).astype(np.float64) - to_numpy(behind).astype(np.float64)) @ d) / float(d @ d)
        return (slopes(ahead) - slopes(behind)) / width

    return product


def _epsilon(x: Array) -> float:
    return float(np.finfo(to_numpy(x).dtype).eps)
