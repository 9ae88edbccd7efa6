"""Gradients from values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from parsimo._array import Array, asarray_like, to_numpy

__all__ = ["difference_gradient", "directional_derivative", "extrapolated", "extrapolated_gradient"]

_STEP, _RATIO = 0.05, 4  # steps are 0.05 / 4^k, in units of the larger of 1 and x
_STEPS = (range(7), range(11), range(-9, 11))  # the k: 0.05 to 1e-5; where these do not settle it, to 5e-8; to 1e4
_FEWEST = 3  # steps that say something
_ORDERS = 6  # powers of h^2 that are removed
_NOISY = 3  # so many changes between the finest differences are due to rounding alone, where f is smooth
_ULPS = 16.0  # steps shorter than so many units in the last place of x are none
_ROUNDED = 4.0  # units in the last place of the largest entry: the rounding of values
_COARSEST = 1e-6  # of the largest value: what is taken for rounding to fewer digits than x has
_SETTLED = 1e-9  # of the derivative itself
_SAFETY = 4.0  # a difference of two entries of the tableau may underrate the error of the better one


def difference_gradient(f: Any, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of f at x with one step: an error of order step^2 and of rounding over step."""
    shifts = step * np.eye(x.size)
    return np.array([(f.value(x + e) - f.value(x - e)) / (2 * step) for e in shifts])


def extrapolated_gradient(
    f: Any, x: Array, coordinates: Any = None, enough: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The partial derivatives of f at x from values alone, and estimates of their errors.

    Parameters
    ----------
    f : Smooth
        Its `value` is the only thing that is used.
    x : array of shape (n,)
        Of any library.
    coordinates : sequence of int, optional
        Which derivatives; all by default.
    enough : float
        A derivative whose error is below this, or below 1e-9 of itself, is tried with no further steps.

    Returns
    -------
    derivatives, errors : arrays of float64, one entry for each coordinate
    """
    n = x.shape[0]
    chosen = range(n) if coordinates is None else coordinates
    pairs = [directional_derivative(f, x, np.eye(1, n, i)[0], enough) for i in chosen]
    derivatives, errors = np.array(pairs).reshape(-1, 2).T
    return derivatives, errors


def directional_derivative(
    f: Any, x: Array, direction: np.ndarray, enough: float = 0.0, longest: float = math.inf
) -> tuple[float, float]:
    """d/dt f(x + t direction) at t = 0, and an estimate of the error, by `extrapolated` differences of values."""
    derivative, error = extrapolated(lambda y: np.array([f.value(y)]), x, direction, enough, longest)
    return float(derivative[0]), float(error[0])


def extrapolated(
    function: Callable[[Array], np.ndarray],
    x: Array,
    direction: np.ndarray,
    enough: float = 0.0,
    longest: float = math.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """The derivative at t = 0 of each entry of function(x + t direction), and estimates of the errors.

    Central differences D(h) have an error that is a power series in h^2. With steps h_i = h_0 / 4^i, Richardson's
    tableau

        T_{i,0} = D(h_i),   T_{i,j} = T_{i,j-1} + (T_{i,j-1} - T_{i-1,j-1}) / (16^j - 1)

    removes one power a column; rounding takes over where h is small. The entry that differs least from its two
    neighbours is returned (Ridders' rule). Its error is that difference, the rounding of the values behind it, and
    what parts it from the finer D(h), where the function has a feature that wide steps do not see. Rounding is what
    parts the finest differences, over h. First h_0 = 0.05, in units of the larger of 1 and x, or a quarter of
    `longest`. Where the error stays above `enough`, finer and then wider steps are tried, none above `longest`: the
    function may change on another scale than x. Errors are infinite where it is not finite.
    """
    point = to_numpy(x).astype(np.float64)
    epsilon = float(np.finfo(to_numpy(x).dtype).eps)
    largest, size = float(np.abs(direction).max()), float(np.abs(point[direction != 0]).max())
    first, shortest = min(_STEP * max(1.0, size), longest / _RATIO) / largest, _ULPS * epsilon * size / largest
    seen: dict[float, tuple[np.ndarray, np.ndarray]] = {}
    at_x = function(x)

    def difference(h: float) -> tuple[np.ndarray, np.ndarray]:
        """D(h), and the sizes of the values behind it."""
        ahead, behind = asarray_like(point + h * direction, x), asarray_like(point - h * direction, x)
        # in the precision of x the two points lie where rounding has put them
        apart = to_numpy(ahead).astype(np.float64) - to_numpy(behind).astype(np.float64)
        width = float(apart @ direction) / float(direction @ direction)
        high, low = function(ahead), function(behind)
        return (high - low) / width, np.abs(high) + np.abs(low)

    best = error = np.full(at_x.shape, math.inf)
    for exponents in _STEPS:
        steps = [h for h in first / float(_RATIO) ** np.array(exponents) if shortest <= h <= longest]
        if len(steps) < _FEWEST:
            continue
        seen |= {h: difference(h) for h in steps if h not in seen}
        D, sizes = (np.array(arrays) for arrays in zip(*(seen[h] for h in steps), strict=True))
        widths = np.array(steps)[:, None]
        # a value that is small at x has the rounding of its terms, whose size is seen a little apart
        sizes = np.maximum(sizes, np.max(sizes, axis=0, where=widths <= first, initial=0.0))
        best, error = _least_gap(D, _ROUNDED * epsilon * sizes / widths, widths, _COARSEST * np.abs(at_x).max())
        if (error <= np.maximum(enough, _SETTLED * np.abs(best))).all():
            break
    return best, error


def _least_gap(
    D: np.ndarray, rounding: np.ndarray, steps: np.ndarray, coarsest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ridders' choice in each column of differences D[i] with step h_i, and its error."""
    changes, level = np.abs(np.diff(D, axis=0)), np.arange(len(D))[:, None]

    def noise_until(last: Any) -> np.ndarray:
        """What the changes before a level tell of rounding."""
        recent = (level[:-1] > last - _NOISY) & (level[:-1] <= last)
        return np.where(recent, changes * steps[1:], 0.0).max(axis=0)

    noise = noise_until(len(D) - 2)
    # values that no longer change are flat, or were rounded to fewer digits than x has: as far as they last changed
    last = np.where(changes > 0, level[:-1], -1).max(axis=0)
    digits = noise_until(last)
    rounded = digits <= coarsest
    noise = np.maximum(rounding, np.where(rounded, digits, noise) / steps)
    # finer D(h) are off by a sixteenth of what D[i] is, and by noise, which is at most their changes
    neighbours = np.maximum(np.concatenate([changes[:1], changes]), np.concatenate([changes, changes[-1:]]))
    neighbours = np.where(rounded & (level > last), noise, neighbours)
    slack = 2 * np.fmin(noise, np.maximum(rounding, neighbours))
    above, below = _of_finer(np.fmin, D + slack), _of_finer(np.fmax, D - slack)
    above[-1], below[-1] = np.inf, -np.inf
    entries, gaps, T = [], [], D
    for j in range(1, min(_ORDERS, len(D) - 1) + 1):
        finer, wider = T[1:], T[:-1]
        T = finer + (finer - wider) / (_RATIO ** (2 * j) - 1)
        gap = np.maximum(np.abs(T - finer), np.abs(T - wider)) + noise[j:]
        unseen = np.fmax(T - above[j:], below[j:] - T) - np.abs(T - D[j:]) / 4
        entries.append(T)
        gaps.append(np.maximum(gap, unseen))
    every, gap = np.concatenate(entries), np.concatenate(gaps)
    gap = np.where(np.isfinite(gap), gap, np.inf)
    least = gap.argmin(axis=0)[None]
    best, error = (np.take_along_axis(a, least, axis=0)[0] for a in (every, gap))
    return best, _SAFETY * error


def _of_finer(extreme: np.ufunc, bounds: np.ndarray) -> np.ndarray:
    """In each row the extreme of all later ones; the last row has none."""
    return np.roll(extreme.accumulate(bounds[::-1], axis=0)[::-1], -1, axis=0)
