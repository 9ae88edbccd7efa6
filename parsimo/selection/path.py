"""A path: the solutions at a grid of weights, each started from the one before."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from parsimo._array import Array, epsilon
from parsimo.core.problem import Composite, count_nonzero, starting_point
from parsimo.core.result import Result, Status
from parsimo.core.validation import check_number
from parsimo.selection.families import FlatPoint, family_of, gentler
from parsimo.selection.outcome import Path
from parsimo.selection.starts import Starts
from parsimo.selection.suited import Measured, suited_solver
from parsimo.selection.weight_max import Null
from parsimo.solvers.loop import solve
from parsimo.solvers.stopping import Stop

__all__ = ["regularization_path", "weight_grid"]

_TIE = 64  # units in the last place above `weight_max`: at it the null model may tie with a point beyond a jump


def regularization_path(
    f: Any,
    penalty: Any,
    weights: Iterable[float] | None = None,
    *,
    count: int = 30,
    ratio: float = 1e-3,
    flat_point: FlatPoint | None = None,
    anneal: Sequence[float] = (),
    solver: Any = None,
    stop: Stop | None = None,
    tolerance: float = 1e-6,
    max_iterations: int = 10_000,
    max_support: int | None = None,
    least_loss: float = 0.0,
    x0: Array | None = None,
) -> Path:
    """Minimize f + g_w for weights w from the largest to the smallest, each from the solution before.

    Parameters
    ----------
    f : Smooth
        Such as `LeastSquares(A, b)`.
    penalty : str, Proximable, Family or callable
        g_w: a name, "l1", "zero-norm", "mcp", "scad" or "capped-l1" (the last three with a flat point of gamma times
        the slope at 0 over the largest curvature of f along a coordinate, gamma = 3, 3.7 and 3); a penalty, whose
        weight is multiplied by w; a `Family`; or a function of w.
    weights : iterable of float, optional
        Nonnegative, in any order. By default `count` of them in geometric progression, from just above `weight_max`
        down.
    count : int
        How many weights.
    ratio : float
        The smallest weight over the largest, in (0, 1]. Where the flat point is scaled, slopes fall with the square
        root of it, as do the magnitudes that a zero norm lets in.
    flat_point : "fixed" or "scaled", optional
        Of a penalty given as template: "scaled" lets its flat point grow with the square root of the weight.
    anneal : sequence of float
        Factors > 1, falling: at each weight the penalty is first solved with weight and flat point multiplied by
        them, one after the other (`gentler`), which leads from an almost convex problem to the one asked for.
    solver : Solver, optional
        By default the one that f and the penalty allow (`suited_solver`); the notes name it. Then, for least squares
        with a zero norm, each point starts at the best support of `subset_path` up to size 50 (`max_support` where
        that is given), if it is better than the point before.
    stop : Stop, optional
        For each weight. By default that of `solve`, with `max_iterations`, and a certificate that must fall below
        `tolerance` times the norm of grad f at the null model.
    tolerance, max_iterations : float, int
        Of the default rule.
    max_support : int, optional
        End the path after the first point with more nonzeros.
    least_loss : float
        End it after the first point where f is at most this share of f at the null model. Where classes can be
        separated, a penalty that is flat has no minimizer beyond: coefficients grow without end.
    x0 : array, optional
        Start of the first point; the null model by default.

    Returns
    -------
    Path
        With a `Result` for each weight. A point that did not converge is named in `failures` and by `require()`. If
        it is interrupted from the keyboard, the points so far.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of its kind, or there is no `weight_max` and no weights are given.
    KeyboardInterrupt
        If it comes before the first point.

    Notes
    -----
    docs/paths.md, and docs/theory.md, 12. The points of a nonconvex problem depend on where they start; this path
    begins at the null model.
    """
    family, factors = family_of(penalty, flat_point, f), _factors(anneal)
    tolerance = check_number(tolerance, "regularization_path: tolerance", positive=True)
    enough = check_number(least_loss, "regularization_path: least_loss")
    null = Null.of(f, family)
    if weights is None:
        grid = weight_grid(null.weight_max * (1 + _TIE * epsilon(null.x)), count, ratio)
    else:
        grid = _falling(weights)
    rule = Measured(tolerance * null.slope, max_iterations) if stop is None else stop
    first = family(float(grid[0]))
    x = starting_point(Composite(f, first), null.x if x0 is None else x0)
    chosen, why = suited_solver(f, first) if solver is None else (solver, "as given")
    notes = [f"solver: {chosen!r} ({why})"]
    starts = Starts(f, family(float(grid[-1])), float(grid[-1]), max_support) if solver is None else None
    if starts is not None and starts.subsets is not None:
        notes.append(f"points start at the best of {len(starts.subsets)} supports of subset_path, or the one before")
    if weights is None:
        notes.append(f"from weight {null.weight_max:.6g} on the null model is {null.proved}")

    results: list[Result] = []
    try:
        for weight in grid.tolist():
            g = family(weight)
            x = x if starts is None else starts.best(g, weight, x)
            for stage in (*(gentler(g, factor) for factor in factors), g):
                result = solve(Composite(f, stage), chosen, x0=x, stop=rule)
                if result.status is Status.INTERRUPTED:
                    break
                x = x if result.status.cut_short else result.x
            if stage is g:
                results.append(result)
            if result.status is Status.INTERRUPTED:
                raise KeyboardInterrupt
            if max_support is not None and count_nonzero(result.x) > max_support:
                notes.append(f"ended by max_support = {max_support} after {len(results)} of {grid.size} weights")
                break
            if enough > 0 and f.value(result.x) <= enough * f.value(null.x):
                notes.append(f"ended by least_loss = {enough} after {len(results)} of {grid.size} weights")
                break
    except KeyboardInterrupt:
        if not results:
            raise
        notes.append(f"interrupted from the keyboard after {len(results)} of {grid.size} weights")
    return Path(grid[: len(results)], tuple(results), f, family, chosen, rule, tuple(notes))


def weight_grid(largest: float, count: int = 30, ratio: float = 1e-3) -> np.ndarray:
    """`count` weights from the largest down to `ratio` times it; 0 alone where the largest is 0.

    At a `weight_max` of 0 the null model is optimal at every weight: there is one point.

    Raises
    ------
    ValueError
        If count is less than 1, or the ratio is not in (0, 1].
    """
    if not isinstance(count, int | np.integer) or count < 1:
        raise ValueError(f"regularization_path: count must be an integer >= 1, got {count!r}")
    ratio = check_number(ratio, "regularization_path: ratio", positive=True)
    if ratio > 1:
        raise ValueError(f"regularization_path: ratio must be in (0, 1], got {ratio}")
    if largest == 0:
        return np.zeros(1)
    return largest * np.geomspace(1.0, ratio, count) if count > 1 else np.array([float(largest)])


def _falling(weights: Iterable[float]) -> np.ndarray:
    """Weights as they were given, from the largest to the smallest."""
    grid = np.array([check_number(w, "regularization_path: weights") for w in np.ravel(np.asarray(weights))])
    if grid.size == 0:
        raise ValueError("regularization_path: weights is empty; give at least one, or leave it out")
    return -np.unique(-grid)


def _factors(anneal: Sequence[float]) -> tuple[float, ...]:
    factors = tuple(check_number(factor, "regularization_path: anneal", positive=True) for factor in anneal)
    if any(not 1 < low < high for high, low in itertools.pairwise((math.inf, *factors))):
        raise ValueError(f"regularization_path: anneal must hold falling factors > 1, got {anneal!r}")
    return factors
