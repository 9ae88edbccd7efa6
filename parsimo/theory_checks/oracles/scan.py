"""Minima and suprema on a line, from the values of a function alone; many lines at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

__all__ = [
    "entrywise",
    "grid_supremum",
    "line_minima",
    "prox_minima",
    "prox_scan",
    "scan",
]

Function = Callable[[float], float]
Rows = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes the numbers of r lines and r x m points on them, and returns r x m values."""

_PARTS = 8  # a round of zooming cuts the distance to each neighbour into so many parts
_ROUNDS = 12  # 8^-12 of a grid's spacing is left: a kink's value is off by that, a smooth minimum's by its square
_BLOCK = 512  # lines at a time, so that a block of values stays in the cache
_LINEAR = np.linspace(-1.0, 1.0, 64)
_NEAR = np.concatenate([sign * 2.0 ** (-1.5 * np.arange(1, 17)) for sign in (-1, 1)])


def line_minima(
    function: Rows, points: np.ndarray, basins: int = 4, rounds: int = _ROUNDS
) -> tuple[np.ndarray, np.ndarray]:
    """The lowest valleys of a function on each of n lines, the lowest first.

    The lowest `basins` of the local minima over the points of a line are zoomed: the distances to both neighbours are
    cut into 8 parts, the lowest of all these points becomes the new middle, its neighbours the new ends, and so on.
    A minimum is found if the function has one valley between some point and its neighbours, or if it is at a given
    point: jumps and kinks belong among the points. The least value never rises above that at any point.

    Parameters
    ----------
    function : callable
        Values for (numbers of lines, points on them).
    points : array of shape (n, m)
        In any order; those of a line nearer than 1e-9 of its length count as one when neighbours are sought.

    Returns
    -------
    values, minimizers : arrays of shape (n, basins)
        Infinity and NaN where a line has fewer valleys.
    """
    values, minimizers = np.full((len(points), basins), np.inf), np.full((len(points), basins), np.nan)
    for first in range(0, len(points), _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, len(points)))
        values[rows], minimizers[rows] = _zoomed(function, rows, np.sort(points[rows], axis=1), basins, rounds)
    return values, minimizers


def _zoomed(
    function: Rows, rows: np.ndarray, grid: np.ndarray, basins: int, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    heights = function(rows, grid)
    wall = np.full((len(rows), 1), np.inf)
    low = (heights < np.hstack([wall, heights[:, :-1]])) & (heights <= np.hstack([heights[:, 1:], wall]))
    order = np.argsort(np.where(low, heights, np.inf), axis=1, kind="stable")[:, :basins]
    line, rank = np.nonzero(np.take_along_axis(low, order, axis=1))
    column = order[line, rank]
    lows = (rows[line], grid[line, column], heights[line, column])
    least, where = _zoom(function, *lows, *_reach(grid, line, column), rounds)

    values, minimizers = np.full(order.shape, np.inf), np.full(order.shape, np.nan)
    values[line, rank], minimizers[line, rank] = least, where
    rising = np.argsort(values, axis=1, kind="stable")
    missing = ((0, 0), (0, basins - order.shape[1]))
    return (
        np.pad(np.take_along_axis(values, rising, axis=1), missing, constant_values=np.inf),
        np.pad(np.take_along_axis(minimizers, rising, axis=1), missing, constant_values=np.nan),
    )


def _reach(grid: np.ndarray, line: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distances to the next points left and right; twins parted by rounding are passed over."""
    here, apart = grid[line, column], 1e-9 * (grid[line, -1] - grid[line, 0])
    left, right = column.copy(), column.copy()
    for _ in range(4):
        left = np.where(here - grid[line, left] <= apart, np.maximum(left - 1, 0), left)
        right = np.where(grid[line, right] - here <= apart, np.minimum(right + 1, grid.shape[1] - 1), right)
    return here - grid[line, left], grid[line, right] - here


def _zoom(
    function: Rows,
    rows: np.ndarray,
    middle: np.ndarray,
    least: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    rounds: int,
) -> tuple[np.ndarray, np.ndarray]:
    parts = np.arange(1, _PARTS + 1) / _PARTS
    each = np.arange(len(rows))
    for _ in range(rounds):
        shifts = np.hstack([-left[:, None] * parts, right[:, None] * parts])
        heights = function(rows, middle[:, None] + shifts)
        best = heights.argmin(axis=1)
        moves, side = heights[each, best] < least, np.where(best < _PARTS, left, right)
        middle = np.where(moves, middle + shifts[each, best], middle)
        least = np.where(moves, heights[each, best], least)
        left, right = np.where(moves, side, left) / _PARTS, np.where(moves, side, right) / _PARTS
    return least, middle


def scan(
    function: Function, points: Iterable[float], rounding: float = 0.0, basins: int = 3
) -> tuple[float, list[float]]:
    """The least value of a function on a line, and the points where it is taken up to `rounding`: see `line_minima`."""

    def values(_: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.array([function(float(t)) for t in x.reshape(-1)]).reshape(x.shape)

    found, where = line_minima(values, np.array([[*points]]), basins)
    return float(found[0, 0]), _distinct(where[0][found[0] <= found[0, 0] + rounding])


def entrywise(g: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The values of a separable g of one number, for an array of numbers: by `terms` where g has it."""

    def by_terms(x: np.ndarray) -> np.ndarray:
        return np.asarray(g.terms(x.reshape(-1)), dtype=np.float64).reshape(x.shape)

    def one_by_one(x: np.ndarray) -> np.ndarray:
        return np.array([g.value(x_i) for x_i in x.reshape(-1, 1)], dtype=np.float64).reshape(x.shape)

    return by_terms if hasattr(g, "terms") else one_by_one


def prox_minima(
    values: Callable[[np.ndarray], np.ndarray],
    v: np.ndarray,
    step_size: np.ndarray,
    breakpoints: Sequence[float] = (),
    lower: float = 0.0,
    basins: int = 4,
) -> tuple[np.ndarray, np.ndarray]:
    """Global minima and minimizers of g(x) + (x - v)^2 / (2 step_size) for many pairs, from g's values alone.

    Parameters
    ----------
    values : callable
        g, entry by entry, of an array of any shape; see `entrywise`.
    v, step_size : arrays of shape (n,)
    breakpoints : sequence of float
        Where g has jumps or kinks, other than 0.
    lower : float
        A lower bound of g.

    Returns
    -------
    least : array of shape (n,)
    minimizers : array of shape (n, basins)
        All that were found, up to rounding; the others are NaN.

    Raises
    ------
    ValueError
        If g is infinite at 0, at v and at every breakpoint, so that there is nothing to start from.

    Notes
    -----
    A minimizer x has (x - v)^2 <= 2 step_size (F - lower), F the least objective at any known point. This
    interval is covered by an even grid, and by points that close in on 0, v and the breakpoints by a factor 2^1.5. A
    valley of a parabola beside a kink or a jump is seen down to 1e-7 of the interval.
    """

    def objective(rows: np.ndarray, x: np.ndarray) -> np.ndarray:
        return values(x) + (x - v[rows, None]) ** 2 / (2 * step_size[rows, None])

    anchors = np.hstack([v[:, None], np.tile([0.0, *breakpoints], (len(v), 1))])
    known = objective(np.arange(len(v)), anchors).min(axis=1)
    if not np.isfinite(known).all():
        k = int(np.flatnonzero(~np.isfinite(known))[0])
        raise ValueError(
            f"prox_minima: at v = {v[k]}, g is infinite at 0, at v and at every one of the breakpoints "
            f"{tuple(breakpoints)}; name a point of its domain among them"
        )
    radius = np.sqrt(2 * step_size * np.maximum(known - lower, 0.0))[:, None]
    near = (anchors[:, :, None] + radius[:, :, None] * _NEAR).reshape(len(v), -1)
    points = np.hstack([anchors, v[:, None] + radius * _LINEAR, near])
    found, where = line_minima(objective, points, basins)
    least = found[:, 0]
    rounding = np.finfo(np.float64).eps * np.maximum(np.abs(least), v**2 / (2 * step_size))
    return least, np.where(found <= (least + rounding)[:, None], where, np.nan)


def prox_scan(g: Any, v: float, step_size: float, breakpoints: Iterable[float] = ()) -> tuple[float, list[float]]:
    """`prox_minima` for one pair and a nonnegative g: the least objective, and where it is taken."""
    least, where = prox_minima(entrywise(g), np.array([v]), np.array([step_size]), tuple(breakpoints))
    return float(least[0]), _distinct(where[0][~np.isnan(where[0])])


def _distinct(points: np.ndarray) -> list[float]:
    """Rising, without those that follow another by no more than rounding."""
    rising = np.sort(points)
    return [float(x) for x in rising[np.diff(rising, prepend=-np.inf) > 1e-12 * np.abs(rising).max()]]


def grid_supremum(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> float:
    """sup of a concave function over [low, high], by a grid that is refined around its best point."""
    for _ in range(4):
        grid = np.linspace(low, high, 1001)
        values = np.asarray(function(grid))
        k = int(values.argmax())
        low, high = grid[max(k - 1, 0)], grid[min(k + 1, grid.size - 1)]
    return float(values.max())
