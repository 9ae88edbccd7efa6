"""Trials of the certificates of a penalty that is no sum over coordinates: points nearby bound them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.theory_checks.evidence import Trials
from parsimo.theory_checks.slope_trials import SINGLE, Unit, called, compare, try_prox_point

__all__ = ["try_array_slopes"]

_FEW = 6  # coordinates up to which all subsets of them are moved
_WIDTHS = (1e-4, 1e-6)  # of the size of x: where the two disagree, a kink lies between
_SHRINK = 16  # a value that is continuous along a direction comes nearer when the way is so many times shorter
_STEP = 1e-2  # of the way: a prox step is shorter than what it starts from is off
_NEARBY = 1e-3  # of the size of slopes + |q|: what points nearby say of distances and rates


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
        t, dense = float(10 ** rng.uniform(-1, 1)), rng.normal(size=shape)
        slope = _slope_size(g, dense)
        length = (slope * t if trial % 8 > 3 else 1.0) * 10 ** rng.uniform(-0.5, 0.5)
        scale = _Scale(length, slope)
        v = length * dense * (rng.random(shape) < 0.8)
        x = try_prox_point(g, outcome, v, t, tolerance)
        q = slope * rng.normal(size=shape) * 10 ** rng.uniform(-1, 1)
        _try_float32(g, outcome, (length * dense).astype(np.float32), q.astype(np.float32), slope)
        if trial % 4 == 1:
            q = q + (x - v) / t
        elif trial % 4 == 2:
            x = np.where(rng.random(shape) < 0.5, x, 0.0)
        elif trial % 4 == 3:
            x = v
        size = slope + float(np.linalg.norm(q))
        if float(g.value(x)) == math.inf:
            compare(g, outcome, "subdiff_distance", x, q, math.inf, Unit(size, 0.0, tolerance))
            continue
        wide, narrow = (_nearby(g, x, q, width, scale, np.random.default_rng(trial)) for width in _WIDTHS)
        if wide.differs(narrow) > _NEARBY * size / 2:
            continue
        got, case = called(g, "subdiff_distance", x, q)
        if x.size <= _FEW:
            said = f"{case()}  # is {got!r}, but all slopes found about this point are {narrow.least_slope!r} at least"
            outcome.add(_NEARBY + (got - narrow.least_slope) / size, said)
        said = f"{case()}  # is {got!r}, but a subgradient about this point is as near as {narrow.nearest!r}"
        outcome.add(_NEARBY + (narrow.nearest - got) / size, said)
        if hasattr(g, "descent_rate"):
            got, case = called(g, "descent_rate", x, q)
            said = f"{case()}  # is {got!r}, but "
            outcome.add(_NEARBY + (got - narrow.slope) / size, f"{said}values fall at {narrow.slope!r}")
            outcome.add(_NEARBY + (narrow.step - got) / size, f"{said}a prox step falls at {narrow.step!r}")


@dataclass(frozen=True)
class _Scale:
    """Of the points and of the slopes of a trial."""

    length: float
    slope: float


def _slope_size(g: Any, x: np.ndarray) -> float:
    """The slope of g along a dense x; 1 where it has none, or is infinite."""
    rise = abs(float(g.value(1.001 * x)) - float(g.value(x))) if math.isfinite(g.value(x)) else 0.0
    return rise / (1e-3 * float(np.linalg.norm(x))) if 1e-13 * abs(float(g.value(x))) < rise < math.inf else 1.0


def _try_float32(g: Any, outcome: Trials, x: np.ndarray, q: np.ndarray, slope: float) -> None:
    """At a dense point, single precision gives about the distance of double precision."""
    expected, _ = called(g, "subdiff_distance", x.astype(np.float64), q.astype(np.float64))
    compare(g, outcome, "subdiff_distance", x, q, expected, Unit(slope + float(np.linalg.norm(q)), 0.0, SINGLE))


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


def _nearby(g: Any, x: np.ndarray, q: np.ndarray, width: float, scale: _Scale, rng: np.random.Generator) -> _Nearby:
    way = width * max(float(np.abs(x).max()), 1e-1 * scale.length) / _SHRINK
    size = _STEP * way / (scale.slope + float(np.linalg.norm(q)))
    steps = [_steepest(g, y, q, size, way, rng) for y in (x, *_points_nearby(g, x, q, way, scale, rng))]
    return _Nearby(*steps[0], *(min(column) for column in zip(*steps, strict=True)))


def _points_nearby(
    g: Any, x: np.ndarray, q: np.ndarray, way: float, scale: _Scale, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """x moved along the designs, or the prox of that, where the value of g moves continuously."""
    here, t = float(g.value(x)), way**2 / (scale.length * scale.slope)
    rounding = 1e-14 * (scale.length * scale.slope + abs(here))
    for design in _designs(x, q, rng):
        for project in (False, True):
            far, near = ((g.prox(y, t) if project else y) for y in (x + _SHRINK * way * design, x + way * design))
            before, after = float(g.value(far)) - here, float(g.value(near)) - here
            close = np.abs(near - x).max() <= 2 * way * (1 + np.abs(design).max())
            if close and math.isfinite(before) and abs(after) <= abs(before) / 2 + rounding:
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
