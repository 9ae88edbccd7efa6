"""The prox and the subdifferential of a penalty against their definitions, one coordinate at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.scan import one_sided_slope, prox_scan
from parsimo.theory_checks.subjects import PENALTIES

__all__ = ["CHECKS", "check_prox", "check_subdifferential"]

_ROUNDING = 1e-13  # of a slope from differences, relative to values over widths


def check_prox(
    g: Any, rng: Seed = 0, trials: int = 60, breakpoints: Sequence[float] = (), tolerance: float = 1e-9
) -> Evidence:
    """`prox` and `prox_set` minimize g(x) + (x - v)^2 / (2 t), and `prox_set` leaves no minimizer out.

    Parameters
    ----------
    g : Proximable
        Nonnegative, with a scalar weight.
    breakpoints : sequence of float
        Where g has jumps and kinks other than 0; v is put on and about them, and about `g.threshold(t)`.
    tolerance : float
        On objective values; positions may differ by a thousand times the root of it.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{g!r}: prox and prox_set are the global minimizers of g(x) + (x - v)^2 / (2t)",
        "definition of the prox, by a scan of values",
        "steps t from 0.01 to 100, v at random, at 0, at breakpoints and at thresholds",
    )
    for _ in range(trials):
        step_size = 10 ** rng.uniform(-2, 2)
        v = _input(g, step_size, rng, breakpoints)

        def objective(x: float, v: float = v, step_size: float = step_size) -> float:
            return float(g.value(np.array([x]))) + (x - v) ** 2 / (2 * step_size)

        least, minimizers = prox_scan(g, v, step_size, breakpoints)
        returned = float(g.prox(np.array([v]), step_size)[0])
        listed = g.prox_set(v, step_size)
        excess = max(objective(x) - least for x in (returned, *listed))
        outcome.add(tolerance - excess, f"g.prox(np.array([{v!r}]), {step_size!r})")
        if excess <= tolerance:
            missed = max(min(abs(x - p) for p in listed) for x in minimizers)
            allowed = 1e3 * math.sqrt(tolerance) * (1 + abs(v))
            outcome.add(allowed - missed, f"g.prox_set({v!r}, {step_size!r})")
    return outcome.evidence()


def check_subdifferential(
    g: Any, rng: Seed = 0, trials: int = 60, breakpoints: Sequence[float] = (), tolerance: float = 1e-6
) -> Evidence:
    """`subdiff_distance` is the distance of -q from the limiting subdifferential of g.

    On a line, with one-sided slopes l and r of g at x, it is [l, r] where l <= r, and {l, r} at a concave kink. The
    slopes come from differences of values. And (v - p) / t must be a subgradient at p = prox(v, t).
    """
    rng = np.random.default_rng(rng)
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
        outcome.add(
            tolerance * scale - at_prox, f"g.subdiff_distance(np.array([{p!r}]), ({p!r} - {v!r}) / {step_size!r})"
        )

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
        case = f"g.subdiff_distance(np.array([{x!r}]), np.array([{q!r}])) is not {expected}"
        outcome.add(allowed - error, case)
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
        trials = 2 if name == "polygon" else 15  # values found by numeric maximization are slow
        yield Check(14, f"prox of {name}", partial(check_prox, g, trials=trials, breakpoints=breakpoints))
        if name != "polygon":  # between pieces of phi it takes one of two slopes
            function = partial(check_subdifferential, g, trials=3 * trials, breakpoints=breakpoints)
            yield Check(18, f"subdifferential of {name}", function)


CHECKS = tuple(_checks())
