"""Compiled passes of coordinate descent over a quadratic model d'(x - x0) + (x - x0)'H(x - x0)/2 + g(x).

Each pass is cyclic and works in place: x_j+ = prox_{g_j / L_j}(x_j - s_j / L_j), s the slope of the model (11.1). The
three kinds differ in what they keep up to date: the slopes themselves, through the Gram matrix H, or the image
diag(h) A (x - x0), of which a slope is one product with a column. As many passes are made as `iterates` has rows, each
of which receives x, or fewer: up to one whose largest L_j |x_j+ - x_j| is at most the target. How many were made, and
that largest move of the last one, are returned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from parsimo.solvers.compiled.proxes import best, is_zero_at_zero, profile

__all__ = [
    "block",
    "dense_passes",
    "extrapolation",
    "gram_passes",
    "gram_shift",
    "prox_moves",
    "shapes",
    "sparse_passes",
    "total",
]


@njit(cache=True, fastmath={"reassoc", "contract"})
def _gram_pass(x: Any, slopes: Any, gram: Any, curvatures: Any, kinds: Any, rows: Any) -> float:
    largest = 0.0
    for j in range(x.size):
        L = curvatures[j]
        new = best(kinds, rows, j, x[j], slopes[j], L)
        delta = new - x[j]
        if delta != 0:
            x[j] = new
            row = gram[j]
            for i in range(x.size):
                slopes[i] += delta * row[i]
            largest = max(largest, L * abs(delta))
    return largest


@njit(cache=True, fastmath={"reassoc", "contract"})
def gram_passes(
    x: Any, slopes: Any, gram: Any, curvatures: Any, kinds: Any, rows: Any, target: float, iterates: Any
) -> tuple[int, float]:
    """Passes that keep the slopes: a coordinate that rests costs its prox alone."""
    made, largest = 0, np.inf
    while made < iterates.shape[0] and largest > target:
        largest = _gram_pass(x, slopes, gram, curvatures, kinds, rows)
        iterates[made] = x
        made += 1
    return made, largest


@njit(cache=True, fastmath={"reassoc", "contract"})
def _dense_pass(
    x: Any, start: Any, image: Any, columns: Any, weights: Any, curvatures: Any, kinds: Any, rows: Any
) -> float:
    largest = 0.0
    for j in range(x.size):
        column, L, slope = columns[j], curvatures[j], 0.0
        for i in range(column.size):
            slope += column[i] * image[i]
        new = best(kinds, rows, j, x[j], start[j] + slope, L)
        delta = new - x[j]
        if delta != 0:
            x[j] = new
            for i in range(column.size):
                image[i] += delta * column[i] * weights[i]
            largest = max(largest, L * abs(delta))
    return largest


@njit(cache=True, fastmath={"reassoc", "contract"})
def dense_passes(
    x: Any,
    start: Any,
    image: Any,
    columns: Any,
    weights: Any,
    curvatures: Any,
    kinds: Any,
    rows: Any,
    target: float,
    iterates: Any,
) -> tuple[int, float]:
    """Passes over columns that are the rows of `columns`; `start` holds the slopes at x0."""
    made, largest = 0, np.inf
    while made < iterates.shape[0] and largest > target:
        largest = _dense_pass(x, start, image, columns, weights, curvatures, kinds, rows)
        iterates[made] = x
        made += 1
    return made, largest


@njit(cache=True)
def _sparse_pass(
    x: Any,
    start: Any,
    image: Any,
    data: Any,
    indices: Any,
    ends: Any,
    weights: Any,
    curvatures: Any,
    kinds: Any,
    rows: Any,
) -> float:
    largest = 0.0
    for j in range(x.size):
        L, slope = curvatures[j], start[j]
        for k in range(ends[j], ends[j + 1]):
            slope += data[k] * image[indices[k]]
        new = best(kinds, rows, j, x[j], slope, L)
        delta = new - x[j]
        if delta != 0:
            x[j] = new
            for k in range(ends[j], ends[j + 1]):
                image[indices[k]] += delta * data[k] * weights[indices[k]]
            largest = max(largest, L * abs(delta))
    return largest


@njit(cache=True)
def sparse_passes(
    x: Any,
    start: Any,
    image: Any,
    data: Any,
    indices: Any,
    ends: Any,
    weights: Any,
    curvatures: Any,
    kinds: Any,
    rows: Any,
    target: float,
    iterates: Any,
) -> tuple[int, float]:
    """Passes over the columns of a matrix in compressed column format; `start` holds the slopes at x0."""
    made, largest = 0, np.inf
    while made < iterates.shape[0] and largest > target:
        largest = _sparse_pass(x, start, image, data, indices, ends, weights, curvatures, kinds, rows)
        iterates[made] = x
        made += 1
    return made, largest


@njit(cache=True, fastmath={"reassoc", "contract"})
def gram_shift(slopes: Any, gram: Any, step: Any) -> None:
    """slopes + H step, in place, from the rows of H at which the step is not 0."""
    for j in range(step.size):
        if step[j] != 0:
            row = gram[j]
            for i in range(slopes.size):
                slopes[i] += step[j] * row[i]


@njit(cache=True)
def block(matrix: Any, index: Any) -> Any:
    """The entries of a matrix with both indices among these."""
    found = np.empty((index.size, index.size))
    for i in range(index.size):
        row = matrix[index[i]]
        for j in range(index.size):
            found[i, j] = row[index[j]]
    return found


@njit(cache=True)
def prox_moves(x: Any, slopes: Any, curvatures: Any, kinds: Any, rows: Any) -> Any:
    """prox_{g_j / L_j}(x_j - s_j / L_j) - x_j for each coordinate by itself."""
    moves = np.empty_like(x)
    for j in range(x.size):
        moves[j] = best(kinds, rows, j, x[j], slopes[j], curvatures[j]) - x[j]
    return moves


@njit(cache=True)
def extrapolation(iterates: Any) -> Any:
    """Anderson's combination of the iterates, (p + 1, k), whose p differences add to the least.

    As they are where all differences are 0.
    """
    p, k = iterates.shape[0] - 1, iterates.shape[1]
    products, weights = np.zeros((p, p)), np.ones(p)
    for a in range(p):
        for b in range(a + 1):
            product = 0.0
            for i in range(k):
                product += (iterates[a + 1, i] - iterates[a, i]) * (iterates[b + 1, i] - iterates[b, i])
            products[a, b] = products[b, a] = product
    ridge = 1e-12 * np.trace(products)
    if ridge > 0:
        weights = np.linalg.solve(products + ridge * np.eye(p), weights)
    return (weights / weights.sum()) @ iterates[1:]


@njit(cache=True)
def total(x: Any, kinds: Any, rows: Any) -> float:
    """The sum of g_j(x_j)."""
    value = 0.0
    for j in range(x.size):
        if x[j] != 0 or not is_zero_at_zero(kinds[j]):
            value += profile(kinds, rows, j, x[j])[0]
    return value


@njit(cache=True)
def shapes(x: Any, kinds: Any, rows: Any) -> Any:
    """Value, slope and curvature of g_j at x_j for each coordinate, as the rows of a matrix."""
    found = np.empty((3, x.size))
    for j in range(x.size):
        found[0, j], found[1, j], found[2, j] = profile(kinds, rows, j, x[j])
    return found
