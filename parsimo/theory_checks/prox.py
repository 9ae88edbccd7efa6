"""The prox and the subdifferential of a penalty against their definitions, from its values alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from parsimo.theory_checks.contract import (
    name_of,
    require_methods,
    require_penalty,
    require_shaped_penalty,
    require_trials,
)
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.scan import one_sided_slope
from parsimo.theory_checks.prox_trials import try_coordinates, try_shape
from parsimo.theory_checks.subjects import PENALTIES, STRUCTURED

__all__ = ["CHECKS", "check_prox", "check_subdifferential"]

_ROUNDING = 1e-13  # of a slope from differences, relative to values over widths


def check_prox(
    g: Any,
    rng: Seed = 0,
    trials: int | None = None,
    breakpoints: Sequence[float] = (),
    shape: tuple[int, ...] | None = None,
    tolerance: float = 1e-9,
    steps: tuple[float, float] = (1e-3, 1e3),
    lower: float = 0.0,
) -> Evidence:
    """`prox` minimizes F(x) = g(x) + |x - v|^2 / (2 t) globally, and `prox_set`, where g has one, lists all minimizers.

    A sum over coordinates is held against the global minimum, which a scan of its values finds. With `shape`, g may be
    any function of arrays of that shape; then lower points are sought, which can refute its prox and prove nothing.

    Parameters
    ----------
    g : object
        With `value(x)` and `prox(v, step_size)`; `prox_set`, `terms` and `threshold` are used where they exist.
        Without `shape`, one function for all coordinates.
    rng : int or numpy.random.Generator
    trials : int, optional
        Pairs (v, t), by default 1,600 where g has `terms`, and 400 where each value is a call of its own; with
        `shape` searches, 40 by default.
    breakpoints : sequence of float
        Where g has jumps and kinks other than 0. v is put on and about them, about `g.threshold(t)`, and about
        points where the prox itself jumps.
    shape : tuple of int, optional
        Of x, for a penalty that is no sum over coordinates: (n,) or (m, n).
    tolerance : float
        On the excess (F(x) - F(better)) / max(1, |F(better)|). The margin is the tolerance minus the largest excess.
        A tied minimizer is missed if F rises by more than this halfway between it and each one listed.
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

    Examples
    --------
    >>> from parsimo.penalties import MCP
    >>> check_prox(MCP(0.7, 0.8), breakpoints=(-0.8, 0.8)).verdict
    'holds'
    """
    require_trials(trials, tolerance, steps)
    rng = np.random.default_rng(rng)
    what = "prox and prox_set are" if hasattr(g, "prox_set") else "prox is"
    claim = f"{g!r}: {what} globally optimal for g(x) + |x - v|^2 / (2t)"
    of_steps = f"steps t from {steps[0]:g} to {steps[1]:g}"
    if shape is None:
        require_penalty(g, breakpoints, lower)
        inputs = "v at random, at 0, at breakpoints, thresholds and jumps"
        outcome = Trials(claim, "definition of the prox, by a scan of values", f"{of_steps}, {inputs}")
        trials = trials or (1600 if hasattr(g, "terms") else 400)
        try_coordinates(g, outcome, rng, trials, breakpoints, tolerance, steps, lower)
    else:
        require_shaped_penalty(g, shape)
        inputs = "v at random, with zeros and ties, and where supports change"
        outcome = Trials(claim, "definition of the prox, by search for lower points", f"{of_steps}, {inputs}")
        try_shape(g, outcome, rng, trials or 40, shape, tolerance, steps)
    return outcome.evidence()


def check_subdifferential(
    g: Any, rng: Seed = 0, trials: int = 60, breakpoints: Sequence[float] = (), tolerance: float = 1e-6
) -> Evidence:
    """`subdiff_distance` is the distance of -q from the limiting subdifferential of g.

    On a line, with one-sided slopes l and r of g at x, it is [l, r] where l <= r, and {l, r} at a concave kink. The
    slopes come from differences of values. And (v - p) / t must be a subgradient at p = prox(v, t).

    Parameters
    ----------
    g : object
        A sum over coordinates, with `value`, `prox` and `subdiff_distance`.
    breakpoints : sequence of float
        Where g has jumps and kinks other than 0.
    tolerance : float
        Relative to 1 + |q|; what differences lose to rounding is added.

    Raises
    ------
    TypeError
        If g lacks a method.
    """
    require_methods(g, "value", "prox", "subdiff_distance")
    rng, name = np.random.default_rng(rng), name_of(g)
    outcome = Trials(
        f"{g!r}: subdiff_distance is the distance from the limiting subdifferential",
        "definition of the subdifferential, by one-sided differences",
        "x at random, at 0, at breakpoints and at prox points",
    )
    for _ in range(trials):
        step_size = 10 ** rng.uniform(-2, 2)
        v = _input(g, step_size, rng, breakpoints)
        scale = 1.0 + abs(v) / step_size

        p = float(g.prox(np.array([v]), step_size)[0])
        at_prox = g.subdiff_distance(np.array([p]), np.array([(p - v) / step_size]))
        case = f"{name}.subdiff_distance(np.array([{p!r}]), np.array([({p!r} - {v!r}) / {step_size!r}]))"
        outcome.add(tolerance * scale - at_prox, f"{case}  # 0 at a prox, is {at_prox!r}")

        x = v if rng.random() < 0.5 else float(rng.choice([0.0, *breakpoints]))
        q = rng.normal() * 10 ** rng.uniform(-1, 1)
        width = 1e-6 * max((abs(kink) for kink in breakpoints), default=1.0)
        if any(0 < abs(x - kink) < 10 * width for kink in (0.0, *breakpoints)):
            continue  # differences would reach across the kink
        height = float(g.value(np.array([x])))
        left, right = -one_sided_slope(g, x, -1, width), one_sided_slope(g, x, 1, width)
        expected = _distance(-q, left, right, height)
        got = g.subdiff_distance(np.array([x]), np.array([q]))
        error = 0.0 if got == expected else abs(got - expected)
        allowed = tolerance * (1 + abs(q)) + (_ROUNDING * height / width if height < math.inf else 0.0)
        case = f"{name}.subdiff_distance(np.array([{x!r}]), np.array([{q!r}]))"
        outcome.add(allowed - error, f"{case}  # is {got!r}, expected {expected!r}")
    return outcome.evidence()


def _distance(slope: float, left: float, right: float, value: float) -> float:
    if value == math.inf:
        return math.inf
    if left <= right:
        return max(left - slope, slope - right, 0.0)
    return min(abs(slope - left), abs(slope - right))


def _input(g: Any, step_size: float, rng: np.random.Generator, breakpoints: Sequence[float]) -> float:
    """v: a landmark, close to one, or anywhere on their scale."""
    threshold = g.threshold(step_size) if hasattr(g, "threshold") else 0.0
    landmarks = [0.0, threshold, -threshold, *breakpoints]
    landmark = float(rng.choice(landmarks))
    kind = rng.integers(4)
    if kind == 0:
        return landmark
    if kind == 1:
        return landmark * (1 + float(rng.choice([-1, 1])) * 10 ** rng.uniform(-9, -2))
    return float(2 * max(1e-3, np.max(np.abs(landmarks))) * rng.uniform(-1, 1))


def _checks() -> Iterator[Check]:
    for name, (g, breakpoints) in PENALTIES.items():
        slow = name == "polygon"  # its values are found by numeric maximization
        prox = partial(check_prox, g, trials=60 if slow else None, breakpoints=breakpoints)
        yield Check(14, f"prox of {name}", prox)
        if not slow:  # between pieces of phi it takes one of two slopes
            yield Check(18, f"subdifferential of {name}", partial(check_subdifferential, g, breakpoints=breakpoints))
    for name, (g, shape) in STRUCTURED.items():
        yield Check(14, f"prox of {name}", partial(check_prox, g, shape=shape, trials=12))


CHECKS = tuple(_checks())
