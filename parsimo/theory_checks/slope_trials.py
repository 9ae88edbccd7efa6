"""Trials of the certificates of a penalty: of a sum over coordinates by slopes, of any other one by points nearby."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.contract import name_of, require_float
from parsimo.theory_checks.evidence import Trials
from parsimo.theory_checks.oracles.scan import one_sided_slope

__all__ = ["try_array_slopes", "try_slopes"]

_ROUNDING = 1e-13  # of a slope from differences, relative to values over widths
_MOST = 4  # coordinates of a sum
_FEW = 6  # coordinates up to which all subsets of them are moved
_WIDTHS = (1e-4, 1e-6)  # of the size of x: where the two disagree, a kink lies between
_SHRINK = 16  # a value that is continuous along a direction comes nearer when the way is so many times shorter
_STEP = 1e-2  # of the way: a prox step is shorter than what it starts from is off
_NEARBY = 1e-3  # relative to 1 + |q|, what points nearby say of distances and rates


# ---- sums over coordinates


def try_slopes(
    g: Any, outcome: Trials, rng: np.random.Generator, trials: int, breakpoints: tuple[float, ...], tolerance: float
) -> None:
    """Up to four coordinates at a time: the square of a distance, or of a rate, is the sum of those of coordinates."""
    width = 1e-6 * max((abs(kink) for kink in breakpoints), default=1.0)
    kinks = np.array([0.0, *breakpoints])
    for _ in range(trials):
        n, t = int(rng.integers(1, _MOST + 1)), float(10 ** rng.uniform(-2, 2))
        v = np.array([_input(g, t, rng, kinks) for _ in range(n)])
        _try_prox_point(g, outcome, v, t, tolerance)

        x = np.where(rng.random(n) < 0.5, v, rng.choice(kinks, size=n))
        nearest = kinks[np.abs(x[:, None] - kinks).argmin(axis=1)]
        x = np.where(np.abs(x - nearest) < 100 * width, nearest, x)  # differences must stay on one side
        q = rng.normal(size=n) * 10 ** rng.uniform(-1, 1, size=n)
        heights = np.array([float(g.value(x[i : i + 1])) for i in range(n)])
        left, right = (np.array([side * _slope(g, x_i, side, width) for x_i in x]) for side in (-1, 1))
        known = heights[np.isfinite(heights)]
        allowed = tolerance * (math.sqrt(n) + float(np.linalg.norm(q))) + _ROUNDING * float(known.sum()) / width
        distances = [_distance(-q[i], left[i], right[i], heights[i]) for i in range(n)]
        _compare(g, outcome, "subdiff_distance", x, q, float(np.linalg.norm(distances)), allowed)
        if hasattr(g, "descent_rate") and known.size == n:
            rates = np.maximum(np.maximum(left + q, -(q + right)), 0.0)
            _compare(g, outcome, "descent_rate", x, q, float(np.linalg.norm(rates)), allowed)


def _compare(
    g: Any, outcome: Trials, method: str, x: np.ndarray, q: np.ndarray, expected: float, allowed: float
) -> None:
    got, case = _called(g, method, x, q)
    error = 0.0 if got == expected else abs(got - expected)
    outcome.add(allowed - error, f"{case}  # is {got!r}, expected {expected!r}")


def _called(g: Any, method: str, x: np.ndarray, q: np.ndarray) -> tuple[float, str]:
    """What the method returns at x for the gradient q, and the call in words."""
    case = f"{name_of(g)}.{method}({text_of(x)}, {text_of(q)})"
    return require_float(getattr(g, method)(x, q), case), case


def _try_prox_point(g: Any, outcome: Trials, v: np.ndarray, t: float, tolerance: float) -> np.ndarray:
    """(v - p) / t is a subgradient at p = prox(v, t), which is returned."""
    p = g.prox(v, t)
    got, case = _called(g, "subdiff_distance", p, (p - v) / t)
    allowed = tolerance * (1.0 + float(np.linalg.norm(v)) / t)
    outcome.add(allowed - got, f"{case}  # 0 at the prox of {text_of(v)} with step {t!r}, is {got!r}")
    return np.asarray(p)


def _slope(g: Any, x: float, side: int, width: float) -> float:
    """The slope to one side; infinity too where it grows as the width falls, as that of a root at 0."""
    near, nearer = (one_sided_slope(g, x, side, each) for each in (width, width / 256))
    rounding = 4096 * _ROUNDING * (1 + abs(float(g.value(np.array([x]))))) / width
    return math.inf if math.isfinite(near) and nearer > near + 0.2 * abs(near) + rounding else near


def _distance(slope: float, left: float, right: float, value: float) -> float:
    if value == math.inf:
        return math.inf
    if left <= right:
        return max(left - slope, slope - right, 0.0)
    return min(abs(slope - left), abs(slope - right))


def _input(g: Any, step_size: float, rng: np.random.Generator, kinks: np.ndarray) -> float:
    """v: a landmark, close to one, or anywhere on their scale."""
    threshold = g.threshold(step_size) if hasattr(g, "threshold") else 0.0
    landmarks = [threshold, -threshold, *kinks]
    landmark = float(rng.choice(landmarks))
    kind = rng.integers(4)
    if kind == 0:
        return landmark
    if kind == 1:
        return landmark * (1 + float(rng.choice([-1, 1])) * 10 ** rng.uniform(-9, -2))
    return float(2 * max(1e-3, np.max(np.abs(landmarks))) * rng.uniform(-1, 1))


# ---- arrays


def try_array_slopes(
    g: Any, outcome: Trials, rng: np.random.Generator, trials: int, shape: tuple[int, ...], tolerance: float
) -> None:
    """At prox points the subgradient is known; at any x, points nearby bound the distance and the rate.

    Let f = g + <q, .>, and call the steepest rate at which f falls from a point its slope there. If that is below c at
    x', then x' is a local minimizer of f + c|. - x'|, so that some subgradient of f at x' has a length of at most c. By
    closedness the distance at x is at most each limit of slopes at points x' -> x with g(x') -> g(x); and it is one of
    them, since slopes are at most the lengths of regular subgradients. Hence it is too small if all slopes found nearby
    are larger. A prox step of size t from x' ends in p with the subgradient (x' - p)/t of f: the distance is too large
    if such a length is smaller. The rate of descent is the slope at x itself; its square, times t/2, is what a prox
    step of size t gains, to first order, and then |x - p|/t is the rate.
    """
    for trial in range(trials):
        t = float(10 ** rng.uniform(-1, 1))
        v = rng.normal(size=shape) * 10 ** rng.uniform(-0.5, 0.5) * (rng.random(shape) < 0.8)
        x = _try_prox_point(g, outcome, v, t, tolerance)
        q = rng.normal(size=shape) * 10 ** rng.uniform(-1, 1)
        if trial % 4 == 1:
            q = q + (x - v) / t
        elif trial % 4 == 2:
            x = np.where(rng.random(shape) < 0.5, x, 0.0)
        elif trial % 4 == 3:
            x = v
        if float(g.value(x)) == math.inf:
            _compare(g, outcome, "subdiff_distance", x, q, math.inf, tolerance)
            continue
        wide, narrow = (_nearby(g, x, q, width, np.random.default_rng(trial)) for width in _WIDTHS)
        allowed = _NEARBY * (1.0 + float(np.linalg.norm(q)))
        if wide.differs(narrow) > allowed / 2:
            continue
        got, case = _called(g, "subdiff_distance", x, q)
        if x.size <= _FEW:
            said = f"{case}  # is {got!r}, but all slopes found about this point are {narrow.least_slope!r} at least"
            outcome.add(got - narrow.least_slope + allowed, said)
        said = f"{case}  # is {got!r}, but a subgradient about this point is as near as {narrow.nearest!r}"
        outcome.add(narrow.nearest + allowed - got, said)
        if hasattr(g, "descent_rate"):
            got, case = _called(g, "descent_rate", x, q)
            outcome.add(got - narrow.slope + allowed, f"{case}  # is {got!r}, but values fall at {narrow.slope!r}")
            outcome.add(narrow.step + allowed - got, f"{case}  # is {got!r}, but a prox step falls at {narrow.step!r}")


@dataclass(frozen=True)
class _Nearby:
    """What prox steps and differences of values say of f = g + <q, .> about one point."""

    slope: float
    """The steepest fall found from the point itself."""
    step: float
    """The length of the prox step from it, by its size."""
    least_slope: float
    """The least such slope from a point nearby."""
    nearest: float
    """The least such length, which is the distance of -q from a subgradient there."""

    def differs(self, other: _Nearby) -> float:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return max(abs(mine - others) for mine, others in pairs)


def _nearby(g: Any, x: np.ndarray, q: np.ndarray, width: float, rng: np.random.Generator) -> _Nearby:
    way = width * max(float(np.abs(x).max()), 1e-1) / _SHRINK
    size = _STEP * way / (1.0 + float(np.linalg.norm(q)))
    steps = [_steepest(g, y, q, size, way, rng) for y in (x, *_points_nearby(g, x, q, way, rng))]
    return _Nearby(*steps[0], *(min(column) for column in zip(*steps, strict=True)))


def _points_nearby(g: Any, x: np.ndarray, q: np.ndarray, way: float, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """x moved along the designs, or the prox of that, where the value of g moves continuously."""
    here = float(g.value(x))
    for design in _designs(x, q, rng):
        for project in (False, True):
            far, near = ((g.prox(y, way**2) if project else y) for y in (x + _SHRINK * way * design, x + way * design))
            before, after = float(g.value(far)) - here, float(g.value(near)) - here
            close = np.abs(near - x).max() <= 2 * way * (1 + np.abs(design).max())
            if close and math.isfinite(before) and abs(after) <= abs(before) / 2 + 1e-14 * (1 + abs(here)):
                yield near


def _designs(x: np.ndarray, q: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Directions in which a support, or a rank, can grow; in few coordinates every support."""
    masks: Any = itertools.product((0.0, 1.0), repeat=x.size) if x.size <= _FEW else rng.random((8, x.size)) < 0.5
    for mask in masks:
        yield rng.choice([-1.0, 1.0], size=x.shape) * rng.uniform(0.5, 1.0, size=x.shape) * np.reshape(mask, x.shape)
    if x.ndim == 2:
        left, singular, right = np.linalg.svd(x)
        rank = int(np.count_nonzero(singular > 1e-12 * max(singular[0], 1e-3)))
        u, _, w = np.linalg.svd(left[:, rank:].T @ q @ right[rank:].T)
        u, w = left[:, rank:] @ u, w @ right[rank:]
        for kept in itertools.islice(itertools.product((0.0, 1.0), repeat=min(u.shape[1], len(w))), 64):
            yield (u[:, : len(kept)] * np.array(kept)) @ w[: len(kept)]


def _steepest(
    g: Any, y: np.ndarray, q: np.ndarray, size: float, way: float, rng: np.random.Generator
) -> tuple[float, float]:
    """The steepest fall of f = g + <q, .> found from y, and the length of a prox step by its size."""
    height = float(g.value(y))
    to = g.prox(y - size * q, size) - y
    length = float(np.linalg.norm(to))
    directions = [to, -y, -q, *rng.normal(size=(2, *y.shape))]
    moves = [d * (_STEP * way / norm) for d in directions if (norm := float(np.linalg.norm(d))) > 0]
    if length > size / 20:  # below, rounding is seen instead of a slope
        moves.append(to)
    falls = [(height - float(g.value(y + m)) - float((q * m).sum())) / float(np.linalg.norm(m)) for m in moves]
    return max(0.0, *falls), length / size
