"""Gradients from values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from parsimo._array import Array, asarray_like, to_numpy

__all__ = ["difference_gradient", "directional_derivative", "extrapolated_gradient"]

_WIDEST, _LEVELS = 0.05, 10  # the steps, in units of the larger of 1 and x: 0.05 down to 1e-4
_SAFETY = 2.0  # a difference of two entries of the tableau may underrate the error of the better one


def difference_gradient(f: Any, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of f at x with one step: an error of order step^2 and of rounding over step."""
    shifts = step * np.eye(x.size)
    return np.array([(f.value(x + e) - f.value(x - e)) / (2 * step) for e in shifts])


def extrapolated_gradient(f: Any, x: Array, coordinates: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """The partial derivatives of f at x from values alone, and estimates of their errors.

    Parameters
    ----------
    f : Smooth
        Its `value` is the only thing that is used.
    x : array of shape (n,)
        Of any library.
    coordinates : sequence of int, optional
        Which derivatives; all by default.

    Returns
    -------
    derivatives, errors : arrays of float64, one entry for each coordinate
    """
    point = to_numpy(x).astype(np.float64)
    chosen = range(point.size) if coordinates is None else coordinates
    pairs = [directional_derivative(f, x, np.eye(1, point.size, i)[0]) for i in chosen]
    derivatives, errors = np.array(pairs).reshape(-1, 2).T
    return derivatives, errors


def directional_derivative(f: Any, x: Array, direction: np.ndarray) -> tuple[float, float]:
    """d/dt f(x + t direction) at t = 0, and an estimate of the error, by Richardson extrapolation.

    Central differences D(h) have an error that is a power series in h^2. The tableau

        T_{i,0} = D(h / 2^i),   T_{i,j} = T_{i,j-1} + (T_{i,j-1} - T_{i-1,j-1}) / (4^j - 1)

    removes one power a column; rounding takes over where h is small. The entry that differs least from its two
    neighbours is returned (Ridders' rule). The error is that difference, the rounding of the values behind it, and
    what parts it from the finest D(h), where f has a feature that wide steps do not see.
    """
    point = to_numpy(x).astype(np.float64)
    epsilon = float(np.finfo(to_numpy(x).dtype).eps)
    largest = float(np.abs(direction).max())
    widest = _WIDEST * max(1.0, float(np.abs(point[direction != 0]).max())) / largest

    def difference(h: float) -> tuple[float, float]:
        ahead, behind = asarray_like(point + h * direction, x), asarray_like(point - h * direction, x)
        # in the precision of x the two points lie where rounding has put them
        apart = to_numpy(ahead).astype(np.float64) - to_numpy(behind).astype(np.float64)
        width = float(apart @ direction) / float(direction @ direction)
        high, low = f.value(ahead), f.value(behind)
        return (high - low) / width, epsilon * (abs(high) + abs(low)) / width

    best, error = math.nan, math.inf
    row: list[float] = []
    for level in range(_LEVELS):
        finest, rounding = difference(widest / 2**level)
        above, row = row, [finest]
        for j, before in enumerate(above):
            row.append(row[j] + (row[j] - before) / (4 ** (j + 1) - 1))
            gap = max(abs(row[j + 1] - row[j]), abs(row[j + 1] - before)) + rounding
            if gap < error:
                best, error = row[j + 1], gap
    unseen = abs(best - finest) - abs(finest - above[0]) - rounding
    return best, _SAFETY * max(error, unseen)
