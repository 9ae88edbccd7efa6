"""Trials of a prox of arrays, which is no sum over coordinates: lower points are sought, and ties are made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.contract import name_of, takes
from parsimo.theory_checks.evidence import Trials
from parsimo.theory_checks.oracles.descent import lowest_found, restarted_descent, subsets
from parsimo.theory_checks.prox_trials import BISECTIONS, SINGLE, comment, scale_of

__all__ = ["array_input", "try_shape"]

_SIMPLEX_SIZE = 6  # coordinates up to which a simplex descends well
_RAY = np.geomspace(1e-3, 1e3, 25)  # factors of v among which the prox is seen to jump
_ULPS = np.arange(-4, 5) * np.finfo(np.float64).eps  # about a jump, where a tie is looked for
_ROUNDING = 8 * np.finfo(np.float64).eps  # of heights, within which two points tie

Objective = Callable[[np.ndarray], float]


def try_shape(
    g: Any,
    outcome: Trials,
    rng: np.random.Generator,
    trials: int,
    shape: tuple[int, ...],
    tolerance: float,
    steps: tuple[float, float],
) -> None:
    """A search for lower points at each trial, by descent too where there are few coordinates; on some of them a step
    for each entry, float32, prox_set, and ties.

    The prox_set of a sum over coordinates takes one number, and is left to `try_coordinates`.
    """
    lists = hasattr(g, "prox_set") and not getattr(getattr(g, "traits", None), "separable", False)
    for trial in range(trials):
        t = float(10 ** rng.uniform(*np.log10(steps)))
        v = array_input(g, t, shape, rng)
        _try_search(g, outcome, rng, v, t, tolerance, by_descent=trial % 4 == 0)
        metric = t * np.where(rng.random(shape) < 0.5, 1.0, 10 ** rng.uniform(-1, 1))
        if takes(g, v, metric):
            _try_search(g, outcome, rng, v, metric, tolerance)
        if trial % 2 == 0:
            _try_float32(g, outcome, v.astype(np.float32), t)
        if lists and trial % 2 == 0:
            _try_listed(g, outcome, v, t, tolerance)
        if lists:
            _try_jump(g, outcome, t, rng.normal(size=shape), tolerance)
            _try_equal_sizes(g, outcome, rng, t, v, tolerance)


def _objective(g: Any, v: np.ndarray, t: Any) -> Objective:
    def objective(y: np.ndarray) -> float:
        return float(g.value(y)) + float(((y - v) ** 2 / (2 * t)).sum())

    return objective


def _scale(objective: Objective, v: np.ndarray, least: float) -> float:
    return float(scale_of(least, *(objective(factor * v) for factor in (0.0, 1.0, 0.5, 2.0))))


def _text(v: np.ndarray, t: Any) -> str:
    return f"({text_of(v)}, {text_of(t) if np.ndim(t) else repr(t)})"


def _try_search(
    g: Any,
    outcome: Trials,
    rng: np.random.Generator,
    v: np.ndarray,
    t: Any,
    tolerance: float,
    by_descent: bool = False,
) -> None:
    x, objective = g.prox(v, t), _objective(g, v, t)
    spread = float(np.abs(v).max()) + 1e-3
    others = [g.prox(v + spread * rng.normal(size=v.shape), t) for _ in range(4)]
    least, better = lowest_found(objective, x, v, others, rng)
    if by_descent and x.size <= _SIMPLEX_SIZE:
        descent = restarted_descent(objective, ((x + v) / 2, others[0]))
        least, better = min((least, better), descent, key=lambda pair: pair[0])
    excess = objective(x) - least
    said = comment(text_of(x), excess, text_of(better), least)
    outcome.add(tolerance - excess / _scale(objective, v, least), f"{name_of(g)}.prox{_text(v, t)}{said}")


def _try_float32(g: Any, outcome: Trials, v: np.ndarray, t: float) -> None:
    """At the same v and t, float32 gives about the point of double precision, or one about as good."""
    double = v.astype(np.float64)
    x, expected, objective = g.prox(v, t), g.prox(double, t), _objective(g, double, t)
    least = objective(expected)
    if not math.isfinite(least):
        return  # double precision leaves the domain, which is seen without this
    rise = (objective(x.astype(np.float64)) - least) / _scale(objective, double, least)
    distance = float(np.abs(x - expected).max()) / max(float(np.abs(double).max()), np.finfo(np.float64).tiny)
    said = f"  # returns {x.tolist()}, and in float64 {expected.tolist()}"
    outcome.add(SINGLE - min(distance, rise), f"{name_of(g)}.prox{_text(v, t)}{said}")


def _try_listed(g: Any, outcome: Trials, v: np.ndarray, t: float, tolerance: float) -> None:
    """All that prox_set lists are as low as the lowest of them, and as the prox."""
    objective = _objective(g, v, t)
    listed = [objective(y) for y in g.prox_set(v, t)]
    here = objective(g.prox(v, t))
    least = min(here, *listed)
    excess = (max(listed) - least) / _scale(objective, v, least)
    said = f"  # objectives {listed}, that of prox {here!r}"
    outcome.add(tolerance - excess, f"{name_of(g)}.prox_set{_text(v, t)}{said}")


def _missed(objective: Objective, m: np.ndarray, listed: Sequence[np.ndarray]) -> float:
    """How far the objective rises halfway from a minimizer to the listed point that is easiest to reach."""
    return min(objective((m + y) / 2) for y in listed) - objective(m)


def _try_jump(g: Any, outcome: Trials, t: float, ray: np.ndarray, tolerance: float) -> None:
    """Where the prox jumps along a ray, the points on either side tie: a few ulps about the jump, both are listed."""
    factor, sides = _jump(g, t, ray)
    rises = []
    for v in ((1 + ulps) * factor * ray for ulps in _ULPS):
        objective, listed = _objective(g, v, t), g.prox_set(v, t)
        rise = max(_missed(objective, m, listed) for m in sides)
        rises.append(rise / _scale(objective, v, objective(sides[0])))
    both = f"  # both {sides[0].tolist()} and {sides[1].tolist()} are minimizers, up to rounding"
    outcome.add(tolerance - min(rises), f"{name_of(g)}.prox_set{_text(factor * ray, t)}{both}")


def _jump(g: Any, t: float, ray: np.ndarray) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """The factor of v where the prox jumps most along a ray, to the last bit, and its values on either side."""
    points = [g.prox(factor * ray, t) for factor in _RAY]
    lengths = [float(np.linalg.norm(step)) for step in np.diff(points, axis=0)]
    k = int(np.argmax(np.array(lengths) - np.diff(_RAY) * np.linalg.norm(ray)))
    low, high, x_low, x_high = float(_RAY[k]), float(_RAY[k + 1]), points[k], points[k + 1]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        x = g.prox(middle * ray, t)
        if np.linalg.norm(x - x_low) < np.linalg.norm(x - x_high):
            low, x_low = middle, x
        else:
            high, x_high = middle, x
    return high, (x_low, x_high)


def _try_equal_sizes(
    g: Any, outcome: Trials, rng: np.random.Generator, t: float, v: np.ndarray, tolerance: float
) -> None:
    """Where entries of v have one size, subsets of v that tie with the prox are listed."""
    sizes = np.abs(v).reshape(-1)
    chosen = rng.random(v.size) < rng.uniform(0.3, 1.0)
    v = np.sign(v) * np.where(chosen, sizes[0], sizes).reshape(v.shape)
    objective, listed = _objective(g, v, t), g.prox_set(v, t)
    candidates = [*subsets(v, rng), g.prox(v, t)]
    values = np.array([objective(y) for y in candidates])
    scale = _scale(objective, v, float(values.min()))
    tied = [y for y, value in zip(candidates, values, strict=True) if value <= values.min() + _ROUNDING * scale]
    rises = [_missed(objective, m, listed) / scale for m in tied]
    said = f"  # {tied[int(np.argmax(rises))].tolist()} is a minimizer, up to rounding"
    outcome.add(tolerance - max(rises), f"{name_of(g)}.prox_set{_text(v, t)}{said}")


def array_input(g: Any, t: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """v of any scale: random, with zeros, with entries of one size, of low rank, or where the support changes."""
    v = rng.normal(size=shape) * 10 ** rng.uniform(-1.5, 1.5)
    kind = rng.integers(5)
    if kind == 0:
        return np.where(rng.random(shape) < 0.4, 0.0, v)
    if kind == 1:
        return np.sign(v) * np.abs(v).flat[0]
    if kind == 2 and len(shape) == 2:
        return np.outer(v[:, 0], v[0])
    return _about_a_change(g, t, v, rng) if kind == 3 else v


def _about_a_change(g: Any, t: float, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A multiple of v close to where the number of nonzeros of the prox changes, if it does."""

    def nonzeros(factor: float) -> int:
        return int(np.count_nonzero(np.abs(g.prox(factor * v, t)) > 1e-12))

    low, high = 0.0, 1.0 + 1e3 / max(float(np.abs(v).max()), 1e-3)
    below = nonzeros(low)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if nonzeros(middle) == below else (low, middle)
    off = float(rng.choice([0.0, -1.0, 1.0])) * 10 ** rng.uniform(-9, -2)
    return (high if math.isfinite(high) else 1.0) * (1 + off) * v
