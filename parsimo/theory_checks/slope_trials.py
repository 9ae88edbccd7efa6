"""Trials of the certificates of a sum over coordinates, by the slopes of its terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.contract import name_of, require_float
from parsimo.theory_checks.evidence import Trials
from parsimo.theory_checks.oracles.scan import entrywise
from parsimo.theory_checks.oracles.slopes import one_sided_slopes

__all__ = ["SINGLE", "Terms", "Unit", "called", "compare", "try_prox_point", "try_separable_slopes", "try_slopes"]

SINGLE = 1e-3  # relative to the slopes and q: above what float32 makes of them
_MOST = 4  # coordinates of a sum,
_LONG = 40  # and those of every fifth
_SIZES = 8  # powers of ten on either side of 1, of a quarter of the entries of every other trial
_REACH = 1e4  # sizes of x, from which on differences need not begin: a root bends at the scale of x
_BESIDE = 1e-6  # of a kink: what is nearer is put on it, so that differences stay on one side
_OFF = 1e-2  # of a kink: what is nearer may be on another side of it in float32


@dataclass(frozen=True)
class Terms:
    """A sum over coordinates by its terms: their values, kinks and sizes."""

    values: Callable[[np.ndarray], np.ndarray]
    """The terms, entry by entry, of stacks of arrays of the shape of x, and of such arrays."""
    kinks: np.ndarray
    """Where they may have kinks and jumps; among them 0."""
    size: float
    """Of numbers on whose scale the terms bend."""
    level: float
    """Of the values there."""
    named: bool = True
    """Whether there are no other kinks, so that slopes from both sides agree elsewhere."""

    @classmethod
    def of(cls, g: Any, breakpoints: tuple[float, ...]) -> Terms:
        """The terms of one function for all coordinates, whose kinks are named."""
        kinks = np.unique([0.0, *breakpoints])
        size = float(np.abs(kinks).max()) or 1.0
        heights = entrywise(g)(np.append(kinks, [size, -size]))
        return cls(entrywise(g), kinks, size, float(np.abs(heights[np.isfinite(heights)]).max(initial=0.0)))

    def slopes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The left and the right slope at points of the domain, and the error of both."""
        left, left_error = self._slope(x, -1)
        right, right_error = self._slope(x, 1)
        if not self.named:
            return left, right, np.maximum(left_error, right_error)
        at_kink = (x[..., None] == self.kinks).any(axis=-1)
        smooth = np.where(left_error < right_error, left, right)
        error = np.where(at_kink, np.maximum(left_error, right_error), np.minimum(left_error, right_error))
        return np.where(at_kink, left, smooth), np.where(at_kink, right, smooth), error

    def _slope(self, x: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        way = side * (self.kinks - x[..., None])
        room = np.where(way > 0, way, np.inf).min(axis=-1)
        sizes = np.abs(x)
        room = np.minimum(room, np.where(sizes > 0, np.clip(self.size, sizes, _REACH * sizes), self.size))
        slopes, errors = one_sided_slopes(self.values, x, side, room, self.level)
        return side * slopes, errors

    def beside(self, x: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        """The nearest kinks other than 0, and where they are nearer than a share of their size."""
        others = self.kinks[self.kinks != 0]
        if others.size == 0:
            return np.zeros_like(x), np.zeros(x.shape, dtype=bool)
        nearest = others[np.abs(x[..., None] - others).argmin(axis=-1)]
        return nearest, np.abs(x - nearest) < share * np.abs(nearest)

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Whether each entry is in the domain."""
        return np.isfinite(self.values(x))


def try_slopes(
    g: Any, outcome: Trials, rng: np.random.Generator, trials: int, breakpoints: tuple[float, ...], tolerance: float
) -> None:
    """Up to four coordinates at a time, and forty; vectors, some matrices, some in float32; entries of every size."""
    terms = Terms.of(g, breakpoints)
    kinks, matrices = terms.kinks, _takes_matrices(g)
    for trial in range(trials):
        n, t = int(rng.integers(1, _MOST + 1)), float(10 ** rng.uniform(-2, 2))
        n = _LONG if trial % 5 == 4 else 2 * n if trial % 5 == 2 else n
        v = np.array([_input(g, t, rng, kinks) for _ in range(n)])
        if trial % 2 == 0:
            v = np.where(rng.random(n) < 0.25, rng.choice([-1.0, 1.0], n) * 10 ** rng.uniform(-_SIZES, _SIZES, n), v)
        p = try_prox_point(g, outcome, v, t, tolerance)
        x = np.where(rng.random(n) < 0.5, v, rng.choice(kinks, size=n))
        if rng.random() < 0.75:
            x = np.where(terms.inside(x), x, p)
        if trial % 5 == 3:
            _try_float32(g, outcome, terms, x, rng)
            continue
        x = np.where(terms.beside(x, _BESIDE)[1], terms.beside(x, _BESIDE)[0], x)
        _try_slopes_at(g, outcome, terms, x.reshape(2, -1) if matrices and trial % 5 == 2 else x, rng, tolerance)


def try_separable_slopes(
    g: Any, outcome: Trials, rng: np.random.Generator, trials: int, shape: tuple[int, ...], tolerance: float
) -> None:
    """The same for arrays of one shape, where each coordinate may have a function of its own; its kinks are not known.

    x is at random, at prox points, or at either with entries set to zero.
    """
    for trial in range(trials):
        t = float(10 ** rng.uniform(-1, 1))
        v = rng.normal(size=shape) * 10 ** rng.uniform(-2, 1) * (rng.random(shape) < 0.8)
        p = try_prox_point(g, outcome, v, t, tolerance)
        x = np.where(rng.random(shape) < (0.0, 0.5, 1.0)[trial % 3], p, v)
        x = np.where((rng.random(shape) < 0.3) & np.isfinite(g.terms(0 * x)), 0.0, x)
        heights, value = g.terms(x), float(g.value(x))
        total = float(heights.sum())
        apart = Unit(float(np.abs(heights).sum()), 1e-14, tolerance)
        outcome.add(
            apart.margin(0.0 if value == total else abs(value - total)),
            f"{name_of(g)}.value({text_of(x)})  # is {value!r}, but the terms add up to {total!r}",
        )
        size = float(np.abs(v).max()) or 1.0
        level = float(np.abs(heights[np.isfinite(heights)]).max(initial=0.0))
        terms = Terms(_stacked(g.terms, shape), np.zeros(1), size, level, named=False)
        if trial % 4 == 3:
            _try_float32(g, outcome, terms, rng.normal(size=shape), rng)
        else:
            _try_slopes_at(g, outcome, terms, x, rng, tolerance)


def _stacked(terms: Callable[[np.ndarray], Any], shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Terms of arrays of one shape, for stacks of them too."""

    def values(x: np.ndarray) -> np.ndarray:
        return np.asarray(terms(x)) if x.shape == shape else np.stack([terms(y) for y in x])

    return values


def _try_slopes_at(
    g: Any, outcome: Trials, terms: Terms, x: np.ndarray, rng: np.random.Generator, tolerance: float
) -> None:
    """The square of a distance, or of a rate, is the sum of those of the coordinates."""
    inside = terms.inside(x)
    left, right, error = terms.slopes(_moved_inside(terms, x))
    sizes = np.where(inside, np.fmax(_finite(left), _finite(right)), 0.0)
    q = _gradient(sizes, rng)
    unit = Unit(float(np.linalg.norm(sizes) + np.linalg.norm(q)), float(np.linalg.norm(error[inside])), tolerance)
    distances = np.where(inside, _distances(-q, left, right), np.inf)
    compare(g, outcome, "subdiff_distance", x, q, float(np.linalg.norm(distances)), unit)
    if hasattr(g, "descent_rate") and inside.all():
        rates = np.maximum(np.maximum(left + q, -(q + right)), 0.0)
        compare(g, outcome, "descent_rate", x, q, float(np.linalg.norm(rates)), unit)


def _try_float32(g: Any, outcome: Trials, terms: Terms, x: np.ndarray, rng: np.random.Generator) -> None:
    """In single precision, off the kinks, at which it may see another side."""
    x = np.where(terms.beside(x, _OFF)[1], 0.0, x).astype(np.float32)
    double = x.astype(np.float64)
    inside = terms.inside(double)
    left, right, error = terms.slopes(_moved_inside(terms, double))
    sizes = np.where(inside, np.fmax(_finite(left), _finite(right)), 0.0)
    q = _gradient(sizes, rng).astype(np.float32)
    unit = Unit(float(np.linalg.norm(sizes) + np.linalg.norm(q)), float(np.linalg.norm(error[inside])), SINGLE)
    distances = np.where(inside, _distances(-q.astype(np.float64), left, right), np.inf)
    compare(g, outcome, "subdiff_distance", x, q, float(np.linalg.norm(distances)), unit)


def _moved_inside(terms: Terms, x: np.ndarray) -> np.ndarray:
    """x with its entries outside the domain put on a kink inside; where there is none, at random points of x."""
    inside = terms.inside(x)
    homes = np.concatenate([terms.kinks[terms.inside(terms.kinks)] if terms.named else [], x[inside]])
    return x if inside.all() or homes.size == 0 else np.where(inside, x, homes[0])


def _finite(slopes: np.ndarray) -> np.ndarray:
    """Sizes of slopes; an infinite one has none."""
    return np.where(np.isfinite(slopes), np.abs(slopes), 0.0)


def _gradient(slopes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """q of the size of the slopes, or of 1."""
    typical = float(np.median(slopes[slopes > 0])) if (slopes > 0).any() and rng.random() < 0.5 else 1.0
    return typical * rng.normal(size=slopes.shape) * 10 ** rng.uniform(-1, 1, size=slopes.shape)


def _distances(slope: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """From the interval of the two slopes, or from the nearer of them at a concave kink."""
    from_interval = np.maximum(np.maximum(left - slope, slope - right), 0.0)
    return np.where(left <= right, from_interval, np.minimum(np.abs(slope - left), np.abs(slope - right)))


@dataclass(frozen=True)
class Unit:
    """What the error of a distance or of a rate is measured by."""

    size: float
    """Of slopes and q."""
    known: float
    """The error of what is expected."""
    tolerance: float

    def margin(self, error: float) -> float:
        """The tolerance less the error beyond the known one, by the size."""
        beyond = 0.0 if error <= self.known else error - self.known
        return self.tolerance - (beyond / self.size if beyond != 0 and self.size > 0 else beyond)


def compare(g: Any, outcome: Trials, method: str, x: np.ndarray, q: np.ndarray, expected: float, unit: Unit) -> None:
    """One trial: what the method returns is what is expected."""
    got, case = called(g, method, x, q)
    error = 0.0 if got == expected else abs(got - expected)
    outcome.add(unit.margin(error), lambda: f"{case()}  # is {got!r}, expected {expected!r}")


def called(g: Any, method: str, x: np.ndarray, q: np.ndarray) -> tuple[float, Callable[[], str]]:
    """What the method returns at x for the gradient q, and a function that writes the call."""

    def case() -> str:
        return f"{name_of(g)}.{method}({text_of(x)}, {text_of(q)})"

    got = getattr(g, method)(x, q)
    return got if isinstance(got, float) else require_float(got, case()), case


def try_prox_point(g: Any, outcome: Trials, v: np.ndarray, t: float, tolerance: float) -> np.ndarray:
    """(v - p) / t is a subgradient at p = prox(v, t), which is returned."""
    p = g.prox(v, t)
    got, case = called(g, "subdiff_distance", p, (p - v) / t)
    unit = Unit(float(np.linalg.norm(v)) / t, 0.0, tolerance)
    outcome.add(unit.margin(got), lambda: f"{case()}  # 0 at the prox of {text_of(v)} with step {t!r}, is {got!r}")
    return np.asarray(p)


def _takes_matrices(g: Any) -> bool:
    """Whether `subdiff_distance` takes arrays of two dimensions: with a TypeError or a ValueError it may say no."""
    x = np.array([[1.0, 2.0], [-1.0, 0.0]])
    try:
        g.subdiff_distance(x, x)
    except (TypeError, ValueError):
        return False
    return True


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
