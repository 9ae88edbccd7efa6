"""Minima, suprema and slopes on a line, from the values of a function alone."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

__all__ = [
    "grid_supremum",
    "one_sided_slope",
    "prox_scan",
    "scan",
]

_GOLDEN = (math.sqrt(5) - 1) / 2
Function = Callable[[float], float]


def scan(
    function: Function, points: Iterable[float], rounding: float = 0.0, basins: int = 3
) -> tuple[float, list[float]]:
    """The least value of a function on a line, and the points where it is taken up to `rounding`.

    The lowest `basins` of the local minima over `points` are refined by golden section up to their neighbours. A
    minimum is found if the function has one valley between some two neighbours, or if it is at a given point: jumps
    and kinks belong among `points`.
    """
    grid = sorted(set(points))
    values = [function(x) for x in grid]
    found = list(zip(values, grid, strict=True))
    padded = [math.inf, *values, math.inf]
    low = [k for k in range(len(grid)) if padded[k + 1] <= min(padded[k], padded[k + 2])]
    apart = 1e-9 * (grid[-1] - grid[0])  # points nearer than this are one: a valley may begin beyond the twin
    for k in sorted(low, key=values.__getitem__)[:basins]:
        left, right = bisect_left(grid, grid[k] - apart) - 1, bisect_right(grid, grid[k] + apart)
        if left >= 0:
            found.append(_golden_section(function, grid[left], grid[k]))
        if right < len(grid):
            found.append(_golden_section(function, grid[k], grid[right]))
    best = min(found)[0]
    return best, [x for value, x in found if value <= best + rounding]


def _golden_section(function: Function, low: float, high: float) -> tuple[float, float]:
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_inner, at_outer = (function(inner), inner), (function(outer), outer)
    for _ in range(38):  # the interval shrinks by 1e-8, and a smooth minimum's error by its square
        if at_inner < at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - _GOLDEN * (high - low)
            at_inner = (function(inner), inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + _GOLDEN * (high - low)
            at_outer = (function(outer), outer)
    return min(at_inner, at_outer)


def prox_scan(g: Any, v: float, step_size: float, breakpoints: Iterable[float] = ()) -> tuple[float, list[float]]:
    """Global minimum and minimizers of g(x) + (x - v)^2 / (2 step_size) for one number, from g's values alone.

    Parameters
    ----------
    g : Proximable
        Nonnegative; its `value` is the only thing that is used.
    breakpoints : iterable of float
        Where g has jumps or kinks, other than 0.

    Notes
    -----
    Since g >= 0, a minimizer x has (x - v)^2 <= 2 step_size * (the least objective at any known point).
    """

    def objective(x: float) -> float:
        return float(g.value(np.array([x]))) + (x - v) ** 2 / (2 * step_size)

    known = {0.0, v, *breakpoints}
    radius = math.sqrt(2 * step_size * min(objective(x) for x in known))
    near_zero = [sign * radius * 2.0**-k for k in range(3, 24, 3) for sign in (-1, 1)]
    points = known | set(np.linspace(v - radius, v + radius, 97)) | set(near_zero)
    return scan(objective, points, rounding=np.finfo(float).eps * v * v / (2 * step_size))


def grid_supremum(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> float:
    """sup of a concave function over [low, high], by a grid that is refined twice around its best point."""
    for _ in range(4):
        grid = np.linspace(low, high, 1001)
        values = np.asarray(function(grid))
        k = int(values.argmax())
        low, high = grid[max(k - 1, 0)], grid[min(k + 1, grid.size - 1)]
    return float(values.max())


def one_sided_slope(g: Any, x: float, side: int, step: float = 1e-6) -> float:
    """lim (g(x + side h) - g(x)) / h as h falls to 0; infinity at a jump, or at the end of the domain.

    By Aitken's extrapolation of three difference quotients, which removes an error that falls like any power of h.
    """
    here = float(g.value(np.array([x])))
    widths = (step, step / 4, step / 16)
    first, second, third = ((float(g.value(np.array([x + side * h]))) - here) / h for h in widths)
    rounding = 1e-14 * (1 + abs(here))
    if third == math.inf or third > max(8 * abs(first), 100 * rounding / widths[2]):  # 16 times as steep: a jump
        return math.inf
    fall, next_fall = second - first, third - second
    if abs(fall) < rounding / widths[2] or abs(next_fall) > 0.99 * abs(fall):  # nothing left but rounding
        return third
    return third - next_fall**2 / (next_fall - fall)
