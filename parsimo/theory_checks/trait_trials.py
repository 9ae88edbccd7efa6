"""Trials of what certificates rest on: the traits of a penalty, and its sublevel radius."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.contract import name_of, require_float
from parsimo.theory_checks.evidence import Trials
from parsimo.theory_checks.slope_trials import Terms

__all__ = ["try_array_traits", "try_traits"]

_CHORDS = 400  # of a line
_ARRAY_CHORDS = 80
_LEVELS = 4  # on each ray
_SIZES = np.geomspace(1e-8, 1e8, 321)  # on a ray
_ARRAY_SIZES = np.geomspace(1e-3, 1e3, 25)
_ROUNDING = 32 * np.finfo(np.float64).eps  # of values
_EXACT = 1e-9  # within which a stated constant and a radius may round

Value = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Chord:
    """Values of g at a, at c = (1 - s) a + s b, and at b; arrays, one entry a chord."""

    a: np.ndarray
    c: np.ndarray
    b: np.ndarray
    s: np.ndarray
    ways: np.ndarray
    """|b - a|."""
    sizes: np.ndarray
    """|c|."""
    level: float
    """The size of numbers that values are differences of."""

    @property
    def rounding(self) -> np.ndarray:
        """Of the values, and of c."""
        rises = np.abs(self.c - self.a) / np.maximum(self.s, 1e-300)
        rises += np.abs(self.b - self.c) / np.maximum(1 - self.s, 1e-300)
        of_c = self.sizes * rises / np.maximum(self.ways, 1e-300)
        return _ROUNDING * (np.abs(self.a) + np.abs(self.b) + np.abs(self.c) + self.level + of_c)

    def bends(self, m: float) -> np.ndarray:
        """By how much g(c) stays below (1 - s) g(a) + s g(b) + m s (1 - s) |b - a|^2/2, by the size of all that.

        This says that g + m |x|^2/2 is convex. Infinite where a or b is outside the domain, or all is 0.
        """
        known = np.isfinite(self.a) & np.isfinite(self.b)
        a, b = np.where(known, self.a, 0.0), np.where(known, self.b, 0.0)
        allowance = m / 2 * self.s * (1 - self.s) * self.ways**2
        slack = (1 - self.s) * a + self.s * b + allowance + _EXACT * abs(allowance) - self.c
        with np.errstate(invalid="ignore"):  # of points outside the domain
            slack = slack + self.rounding
            size = np.abs(a) + np.abs(b) + np.abs(self.c) + np.abs(allowance)
            margins = np.where(np.isfinite(self.c), slack / np.maximum(size, 1e-300), -np.inf)
        return np.where(known & (size > 0), margins, np.inf)

    def rises(self, constant: float) -> np.ndarray:
        """By how much |g(b) - g(a)| stays below constant |b - a|, by the size of both."""
        known = np.isfinite(self.a) | np.isfinite(self.b)
        with np.errstate(invalid="ignore"):
            rise, allowance = np.abs(self.b - self.a), constant * self.ways
            slack = allowance * (1 + _EXACT) - rise + self.rounding
            margins = np.where(np.isfinite(rise), slack / (allowance + rise + 1e-300), -np.inf)
        return np.where(known, margins, np.inf)


def try_traits(g: Any, outcome: Trials, rng: np.random.Generator, terms: Terms) -> None:
    """One coordinate of a sum: chords about its kinks and anywhere, on every scale; rays for the radius."""
    a, c, b, s = _chords(terms, rng)
    values = terms.values
    if hasattr(g, "traits"):
        chord = Chord(values(a), values(c), values(b), s, np.abs(b - a), np.abs(c), terms.level)
        _try_chord(g, outcome, chord, lambda k: tuple(np.array([float(x[k])]) for x in (a, c, b)), along_one=True)
    if hasattr(g, "sublevel_radius"):
        for n in (1, 1, 2, 5, 40):
            ray = rng.normal(size=n) if n < 40 else rng.choice([-1.0, 1.0], size=n)
            heights = values(_SIZES[:, None] * ray).sum(axis=1)
            _try_radius(g, outcome, rng, ray, _SIZES, heights)


def _chords(terms: Terms, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """a, c, b and s: about a kink, from it, beside it, or far from all."""
    kink = rng.choice(terms.kinks, size=_CHORDS)
    first, second = (terms.size * 10 ** rng.uniform(-5, 1, size=_CHORDS) for _ in range(2))
    far = rng.choice([-1.0, 1.0], size=_CHORDS) * 10 ** rng.uniform(-8, 8, size=_CHORDS)
    side = rng.choice([-1.0, 1.0], size=_CHORDS)
    kind = rng.integers(4, size=_CHORDS)
    a = np.choose(kind, (kink - first, kink, kink + side * first, far))
    b = np.choose(kind, (kink + second, kink + side * second, kink + side * (first + second), far * (1 + first)))
    s = np.where(kind == 0, (kink - a) / (b - a), rng.uniform(0.05, 0.95, size=_CHORDS))
    c = np.where(kind == 0, kink, np.clip((1 - s) * a + s * b, np.minimum(a, b), np.maximum(a, b)))
    return a, c, b, s


def _try_chord(
    g: Any, outcome: Trials, chord: Chord, points: Callable[[int], tuple[np.ndarray, ...]], along_one: bool
) -> None:
    """Convexity and weak convexity as stated; where chords go along one coordinate, the Lipschitz constant."""

    def values_at(k: int) -> str:
        return f"[{name_of(g)}.value(x) for x in ({', '.join(text_of(x) for x in points(k))})]"

    traits = g.traits
    m = 0.0 if getattr(traits, "convex", False) else getattr(traits, "weak_convexity", math.inf)
    if m != math.inf:
        said = f"the second is above the chord of the others, with weak convexity {m!r}"
        outcome.add_all(
            chord.bends(m), lambda k: f"{values_at(k)}  # {said}, at {float(chord.s[k])!r} of the way from the first"
        )
    constant = getattr(traits, "lipschitz", math.inf)
    if along_one and constant != math.inf:
        said = f"first and last differ by more than {constant!r} times the distance"
        outcome.add_all(chord.rises(constant), lambda k: f"{values_at(k)}  # {said}")


def _try_radius(
    g: Any, outcome: Trials, rng: np.random.Generator, ray: np.ndarray, sizes: np.ndarray, heights: np.ndarray
) -> None:
    """No point of a ray that is as low as some level lies beyond the radius."""
    for k in rng.permutation(np.flatnonzero(np.isfinite(heights)))[:_LEVELS]:
        level = float(heights[k])
        last = int(np.flatnonzero(heights <= level)[-1])
        farthest = float(sizes[last] * np.linalg.norm(ray))
        call = f"{name_of(g)}.sublevel_radius({level!r})"
        radius = require_float(g.sublevel_radius(level), call)
        said = f"{text_of(sizes[last] * ray)} is as low, and {farthest!r} from 0"
        outcome.add(min(1.0, radius / farthest - 1 + _EXACT), f"{call}  # {said}")


# ---- arrays


def try_array_traits(g: Any, outcome: Trials, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
    """Chords through 0, to points with zeros, along single entries, and at random; rays for the radius."""
    if hasattr(g, "traits"):
        for alone in (True, False):
            _try_array_chords(g, outcome, _array_chords(g, rng, shape, alone), alone)
        if getattr(g.traits, "separable", False) and math.prod(shape) > 1:
            _try_separable(g, outcome, rng, shape)
    if hasattr(g, "sublevel_radius"):
        for n in (1, 2, math.prod(shape)):
            ray = rng.normal(size=shape) * np.reshape(rng.permutation(math.prod(shape)) < n, shape)
            heights = np.array([float(g.value(size * ray)) for size in _ARRAY_SIZES])
            _try_radius(g, outcome, rng, ray, _ARRAY_SIZES, heights)


Points = tuple[np.ndarray, np.ndarray, np.ndarray, float]
"""a, c and b of a chord, and s."""


def _try_array_chords(g: Any, outcome: Trials, chords: list[Points], along_one: bool) -> None:
    a, c, b = (np.array([float(g.value(chord[i])) for chord in chords]) for i in range(3))
    ways = np.array([float(np.linalg.norm(chord[2] - chord[0])) for chord in chords])
    sizes = np.array([float(np.linalg.norm(chord[1])) for chord in chords])
    values = Chord(a, c, b, np.array([chord[3] for chord in chords]), ways, sizes, 0.0)
    _try_chord(g, outcome, values, lambda k: chords[k][:3], along_one)


def _array_chords(g: Any, rng: np.random.Generator, shape: tuple[int, ...], alone: bool) -> list[Points]:
    """Chords with zeros at a or at c, along single entries, along directions with zeros, or between prox points."""
    chords = []
    for trial in range(_ARRAY_CHORDS):
        a = rng.normal(size=shape) * 10 ** rng.uniform(-2, 1) * (rng.random(shape) < rng.choice([0.5, 1.0]))
        way = rng.normal(size=shape) * (rng.random(shape) < 0.7)
        if alone:
            way = np.where(np.reshape(np.arange(a.size) == rng.integers(a.size), shape), way + 1e-3, 0.0)
        b = a + 10 ** rng.uniform(-4, 1) * way
        if trial % 4 == 2 and not alone:  # which are in the domain
            a, b = g.prox(a, 1.0), g.prox(b, 1.0)
        s = float(rng.uniform(0.05, 0.95))
        c = np.clip((1 - s) * a + s * b, np.minimum(a, b), np.maximum(a, b))
        if trial % 2:  # through c, with entries, or all of them, that vanish there
            c = np.where(rng.random(shape) < 0.5 if trial % 4 == 1 and not alone else way != 0, 0.0, a)
            step = (b - a) * (1.0 if alone else rng.random(shape) < 0.9)
            a, b = c - s * step, c + (1 - s) * step
        chords.append((a, c, b, s))
    return chords


def _try_separable(g: Any, outcome: Trials, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
    """What one entry adds does not depend on another: g(x) - g(x without i) is the same without j."""
    for _ in range(_ARRAY_CHORDS):
        x = rng.normal(size=shape) * 10 ** rng.uniform(-2, 2)
        i, j = rng.permutation(x.size)[:2]
        moved = [
            x,
            *(np.where(np.reshape(np.isin(np.arange(x.size), gone), shape), 0.0, x) for gone in ([i], [j], [i, j])),
        ]
        both, without_i, without_j, without = (float(g.value(y)) for y in moved)
        if not all(map(math.isfinite, (both, without_i, without_j, without))):
            continue
        size = abs(both) + abs(without_i) + abs(without_j) + abs(without)
        rounding = _EXACT * size + 1e-14
        error = abs(both - without_i - without_j + without)
        case = f"[{name_of(g)}.value(x) for x in ({', '.join(text_of(y) for y in moved)})]"
        outcome.add(
            (rounding - error) / (size + 1e-300), f"{case}  # first and last add up to the others in a separable g"
        )
