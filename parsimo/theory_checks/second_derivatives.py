"""Second derivatives from differences of gradients: where f bends most and least, and the Hessian that it offers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.theory_checks.evidence import Trials

__all__ = ["extreme_directions", "try_hessian"]

_LANCZOS_STEPS = 40  # each costs two gradients; the directions are exact eigenvectors in so many variables
_COLUMNS = 8  # of the Hessian, looked at in a trial
_ULPS = 8.0  # of the largest entry: the rounding of a gradient


def extreme_directions(f: Any, x: Array, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Unit vectors d along which d' f''(x) d is about least and about largest.

    Lanczos iteration with full orthogonalization, on the products f''(x) d ~ (grad f(x + h d) - grad f(x - h d)) / 2h.
    Their errors spoil no claim: the directions are only where it is tried. None where gradients are not finite.
    """
    point = to_numpy(x).astype(np.float64)
    h = _epsilon(x) ** (1 / 3) * (1 + float(np.linalg.norm(point)))
    product = _differences(f, x)
    first = rng.standard_normal(point.size)
    basis, images = [first / np.linalg.norm(first)], []
    for _ in range(min(point.size, _LANCZOS_STEPS)):
        image = product(basis[-1], h)
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


def try_hessian(outcome: Trials, f: Any, x: Array, text: str, rng: np.random.Generator, tolerance: float) -> None:
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
        lambda k: f"f.hessian({text}, [{rows[k]}], {columns}) - f.hessian({text}, None, {columns})[{rows[k]}]",
    )
    product, largest = _differences(f, x), float(np.abs(to_numpy(f.grad(x))).max())
    for place, j in enumerate(columns):
        h = _epsilon(x) ** (1 / 5) * max(1.0, abs(float(x[j])))
        expected, errors = _extrapolated(product, np.eye(1, n, j)[0], h)
        errors += _ULPS * _epsilon(x) * (largest / h + np.abs(expected).max())
        if not np.isfinite(expected + errors).all():  # a step leaves the domain of f
            continue
        scale = np.abs(expected) + 1e-6 * (float(np.abs(expected).max()) + 1e-300)
        outcome.add_all(
            tolerance - np.maximum(np.abs(stated[:, place] - expected) - 2 * errors, 0.0) / scale,
            lambda i, j=j, d=expected: f"f.hessian({text}, [{i}], [{j}]) - ({float(d[i])!r})",  # type: ignore[misc]
        )


def _block(f: Any, x: Array, rows: list[int] | None, columns: list[int]) -> Array:
    block = f.hessian(x, rows, columns)
    expected = (x.shape[0] if rows is None else len(rows), len(columns))
    if getattr(block, "shape", None) != expected:
        raise ValueError(
            f"check_gradient: hessian(x, {rows}, {columns}) of {f!r} must be an array of shape {expected}, got "
            f"{getattr(block, 'shape', type(block).__name__)}"
        )
    return block


def _differences(f: Any, x: Array) -> Callable[[np.ndarray, float], np.ndarray]:
    """(d, h) -> f''(x) d, up to an error of order h^2 and rounding over h; NaN where a step leaves the domain."""
    point = to_numpy(x).astype(np.float64)

    def product(d: np.ndarray, h: float) -> np.ndarray:
        ahead, behind = asarray_like(point + h * d, x), asarray_like(point - h * d, x)
        if not (math.isfinite(f.value(ahead)) and math.isfinite(f.value(behind))):
            return np.full(point.size, math.nan)
        # in the precision of x the two points lie where rounding has put them
        width = float((to_numpy(ahead).astype(np.float64) - to_numpy(behind).astype(np.float64)) @ d) / float(d @ d)
        return (to_numpy(f.grad(ahead)).astype(np.float64) - to_numpy(f.grad(behind)).astype(np.float64)) / width

    return product


def _extrapolated(
    product: Callable[[np.ndarray, float], np.ndarray], d: np.ndarray, h: float
) -> tuple[np.ndarray, np.ndarray]:
    """Two Richardson extrapolations from the steps h, h/2 and h/4; the finer one, and what parts it from the other."""
    wide, middle, narrow = (product(d, h / 2**k) for k in range(3))
    coarse, fine = (4 * middle - wide) / 3, (4 * narrow - middle) / 3
    return fine, np.abs(fine - coarse)


def _epsilon(x: Array) -> float:
    return float(np.finfo(to_numpy(x).dtype).eps)
