"""The prox and the subdifferential of a penalty against their definitions, from its values alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from parsimo.theory_checks.array_slope_trials import try_array_slopes
from parsimo.theory_checks.array_trials import try_shape
from parsimo.theory_checks.contract import (
    as_breakpoints,
    as_shape,
    require_methods,
    require_penalty,
    require_shaped_penalty,
    require_trials,
)
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.prox_trials import try_coordinates
from parsimo.theory_checks.slope_trials import Terms, try_separable_slopes, try_slopes
from parsimo.theory_checks.subjects import PENALTIES, STRUCTURED
from parsimo.theory_checks.trait_trials import try_array_traits, try_traits

__all__ = ["CHECKS", "check_prox", "check_subdifferential"]


def check_prox(
    g: Any,
    rng: Seed = 0,
    trials: int | None = None,
    breakpoints: float | Sequence[float] = (),
    shape: int | tuple[int, ...] | None = None,
    tolerance: float = 1e-9,
    steps: tuple[float, float] = (1e-3, 1e3),
    lower: float = 0.0,
) -> Evidence:
    """`prox` minimizes F(x) = g(x) + |x - v|^2 / (2 t) globally, and `prox_set`, where g has one, lists all minimizers.

    A sum over coordinates is held against the global minimum, which a scan of its values finds: with one step t, and
    with one for each entry where `prox` takes them; for vectors, for matrices where `prox` takes them, and for single
    entries. With `shape`, g may be any function of arrays of that shape; then lower points are sought, in diagonal
    metrics too where `prox` takes them, which can refute its prox and prove nothing. What float32 gives must be about
    the point of double precision, or one about as good: 1e-3 of v, or of the range below. `threshold`, where a sum over
    coordinates has one, is the largest v with 0 among the minimizers, to 1,000 tolerances.

    Parameters
    ----------
    g : object
        With `value(x)` and `prox(v, step_size)`; `prox_set`, `terms` and `threshold` are used where they exist.
        Without `shape`, one function for all coordinates, whose `terms` add up to its value, at sizes from 1e-8 to
        1e8. `prox` refuses matrices, or an array of steps, with a TypeError or a ValueError; what it does not refuse
        it must solve.
    rng : int or numpy.random.Generator
    trials : int, optional
        Pairs (v, t), by default 1,600 where g has `terms`, and 400 where each value is a call of its own; with
        `shape` searches, 40 by default. An eighth is added with |v| from 1e-8 to 1e8.
    breakpoints : number or sequence of numbers
        Where g has jumps and kinks other than 0. v is put on and about them, about `g.threshold(t)`, and about
        points where the prox itself jumps.
    shape : int or tuple of int, optional
        Of x, for a penalty that is no sum over coordinates: (n,) or (m, n).
    tolerance : float
        On the excess (F(x) - F(better)) / R, with the objective's own range
        R = max(|F(better)|, min(F(0), F(v)) - F(better)), but 1e-6 of |F| at 0, v/2, v and 2v at least, lest rounding
        counts. The margin is the tolerance minus the largest excess. A tied minimizer is missed if F rises by more
        than this halfway between it and each one listed.
    steps : pair of float
        t is log-uniform between them.
    lower : float
        A lower bound of g, which tells how far to look; not used with `shape`.

    Returns
    -------
    Evidence
        Its worst case can be pasted; the comment behind it gives a better point.

    Raises
    ------
    TypeError, ValueError
        Before any trial, where g lacks a method or returns what no minimization can use: a value that is no float,
        NaN, below `lower`, or infinite at 0 and at all breakpoints; a prox of another type, shape or dtype
        than v, or not finite.

    Notes
    -----
    Of the `prox_set` of a number all minimizers are known. With `shape` these are demanded: both sides of a jump of
    the prox along a ray, where they tie to 4 units in the last place; and, where entries of v have one size, each
    subset of v that is found to tie, of all in up to six coordinates. Three and more minimizers that tie at a jump,
    ties in a diagonal metric, and ties of other kinds are not tried; nor is anything listed of a sum over coordinates.

    Examples
    --------
    >>> from parsimo.penalties import MCP
    >>> check_prox(MCP(0.7, 0.8), breakpoints=(-0.8, 0.8)).verdict
    'holds'
    """
    require_trials(trials, tolerance, steps)
    breakpoints = as_breakpoints(breakpoints)
    rng = np.random.default_rng(rng)
    what = "prox and prox_set are" if hasattr(g, "prox_set") else "prox is"
    claim = f"{g!r}: {what} globally optimal for g(x) + |x - v|^2 / (2t)"
    of_steps = f"steps t from {steps[0]:g} to {steps[1]:g}"
    if shape is None:
        require_penalty(g, breakpoints, lower, rng)
        inputs = "v at random, at 0, at breakpoints, thresholds and jumps"
        outcome = Trials(claim, "definition of the prox, by a scan of values", f"{of_steps}, {inputs}")
        trials = trials or (1600 if hasattr(g, "terms") else 400)
        try_coordinates(g, outcome, rng, trials, breakpoints, tolerance, steps, lower)
    else:
        shape = as_shape(shape)
        require_shaped_penalty(g, shape)
        inputs = "v at random, with zeros and ties, and where supports change"
        outcome = Trials(claim, "definition of the prox, by search for lower points", f"{of_steps}, {inputs}")
        try_shape(g, outcome, rng, trials or 40, shape, tolerance, steps)
    return outcome.evidence()


def check_subdifferential(
    g: Any,
    rng: Seed = 0,
    trials: int | None = None,
    breakpoints: float | Sequence[float] = (),
    tolerance: float = 1e-6,
    shape: int | tuple[int, ...] | None = None,
) -> Evidence:
    """`subdiff_distance` is the distance of -q from the limiting subdifferential of g at x, and `descent_rate`, where g
    has one, max over |d| <= 1 of -(<q, d> + g'(x; d)).

    On a line, with one-sided slopes l and r of g at x, the subdifferential is [l, r] where l <= r, and {l, r} at a
    concave kink; the rate is max(l + q, -(q + r), 0). The slopes come from differences of values. Of several
    coordinates both numbers are the root of the sum of squares. And (v - p) / t must be a subgradient at
    p = prox(v, t). In float32 the distance must be the same to 1e-3.

    With `shape`, g may be any function of arrays of that shape. If its traits say that it is separable and it has
    `terms`, which must add up to its value, the slopes are those of the terms, of which each may be another function.
    Else, beside the subgradients at prox points, both numbers are held between bounds from points nearby, to 1e-3 of
    the slopes and |q|: the distance is at most that of a subgradient after a short prox step from a point about x, and
    at least the least of the slopes of g + <q, .> that values show at such points; the rate is at least the steepest
    fall of values from x that is found, and at most the length of a prox step by its size. Points about x have every
    support that contains that of x, and in matrices ranks that grow along the singular vectors of q; x is taken at prox
    points, at these with entries set to zero, and at random.

    What certificates rest on is tried too, where g states it: `traits.convex` and `traits.weak_convexity` on chords
    about 0, about the kinks and anywhere, `traits.lipschitz` on those along one coordinate, `traits.separable` with
    `shape`, and `sublevel_radius` on rays. That a constant is sharp is not asked for.

    Parameters
    ----------
    g : object
        With `value(x)`, `prox(v, step_size)` and `subdiff_distance(x, grad)`; `descent_rate(x, grad)`, `terms` and
        `threshold` are used where they exist. `subdiff_distance` refuses matrices with a TypeError or a ValueError.
    trials : int, optional
        60 by default, of which every fifth has 40 entries and every fifth a matrix; with `shape` 24.
    breakpoints : number or sequence of numbers
        Where g has jumps and kinks other than 0; not used with `shape`.
    tolerance : float
        Relative to the slopes of g and |q|, of which q has one size or the other; what differences lose to rounding is
        added. Entries of x are from 1e-8 to 1e8.
    shape : int or tuple of int, optional
        Of x, for a penalty that is no sum over coordinates, or has other parameters for each: (n,) or (m, n).

    Raises
    ------
    TypeError, ValueError
        Where g lacks a method, or returns what `check_prox` refuses; where a distance or a rate is no float; where g
        says that it is no sum over coordinates and there is no `shape`.

    Notes
    -----
    With `shape`, where g is no sum, a distance is not found too small in more than six coordinates, nor where a concave
    kink is at x; the prox is taken to be right. Trials whose bounds change with the scale of "nearby" are left out.
    """
    require_trials(trials, tolerance)
    breakpoints = as_breakpoints(breakpoints)
    require_methods(g, "value", "prox", "subdiff_distance")
    rng = np.random.default_rng(rng)
    rate = " and descent_rate the steepest rate of descent" if hasattr(g, "descent_rate") else ""
    claim = f"{g!r}: subdiff_distance is the distance from the limiting subdifferential{rate}"
    if shape is None:
        require_penalty(g, breakpoints, -math.inf, rng)
        inputs = "up to eight coordinates, and forty, at random, at 0, at breakpoints and at prox points"
        outcome = Trials(claim, "definition of the subdifferential, by one-sided differences", inputs)
        try_traits(g, outcome, rng, Terms.of(g, breakpoints))
        try_slopes(g, outcome, rng, trials or 60, breakpoints, tolerance)
    else:
        shape = as_shape(shape)
        require_shaped_penalty(g, shape)
        inputs = "x at prox points, at these with entries set to zero, and at random"
        separable = hasattr(g, "terms") and getattr(getattr(g, "traits", None), "separable", False)
        how = "one-sided differences" if separable else "slopes and subgradients nearby"
        outcome = Trials(claim, f"definition of the subdifferential, by {how}", inputs)
        try_array_traits(g, outcome, rng, shape)
        try_trials = try_separable_slopes if separable else try_array_slopes
        try_trials(g, outcome, rng, trials or 24, shape, tolerance)
    return outcome.evidence()


def _checks() -> Iterator[Check]:
    for name, (g, breakpoints) in PENALTIES.items():
        slow = name == "polygon"  # its values are found by numeric maximization
        prox = partial(check_prox, g, trials=60 if slow else None, breakpoints=breakpoints)
        yield Check(14, f"prox of {name}", prox)
        if not slow:  # between pieces of phi it takes one of two slopes
            yield Check(18, f"subdifferential of {name}", partial(check_subdifferential, g, breakpoints=breakpoints))
    for name, (g, shape) in STRUCTURED.items():
        yield Check(14, f"prox of {name}", partial(check_prox, g, shape=shape, trials=12))
        yield Check(18, f"subdifferential of {name}", partial(check_subdifferential, g, shape=shape, trials=16))


CHECKS = tuple(_checks())
