"""Trials of the prox of a sum over coordinates, against the global minimum of its objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.contract import name_of, takes, takes_array_steps, takes_matrices
from parsimo.theory_checks.evidence import Trials
from parsimo.theory_checks.oracles.scan import entrywise, prox_minima

__all__ = ["BISECTIONS", "SINGLE", "Pairs", "comment", "draw_pairs", "scale_of", "try_coordinates"]

BISECTIONS = 52
SINGLE = 1e-3  # of |v|, or of the objective's range: above what float32 and a numeric prox make of it together
_PER_STEP = 16  # inputs that share a step, and a call of the prox
_ALONE = 64  # inputs that get a call of their own, and whose prox_set is looked at
_ROWS = 8  # of inputs, given once more as a matrix and in float32
_FAR = 8  # powers of ten on either side of 1
_BESIDE = 1e3  # tolerances: how far off a threshold 0 is, and is not, the prox, relative to it
_ZERO = 1e-14  # of v: a prox below counts as 0
_FLOOR = 1e-6  # of the heights of an objective: 1e-9 of it is 4 units in the last place of them

Range = tuple[float, float]


def scale_of(least: Any, at_zero: Any, at_v: Any, *others: Any) -> np.ndarray:
    """The own range of a prox objective F, by which an excess is measured.

    It is max(|least|, min(F(0), F(v)) - least), what there is to gain or to lose: the better one of 0 and v is what
    may be had without a prox. Where both vanish it is 1e-6 of the largest |F| given, lest rounding counts.
    """
    heights = np.abs(np.array([at_zero, at_v, *others]))
    known = np.minimum(at_zero, at_v)
    gained = np.where(np.isfinite(known), known, least) - least
    floor = np.maximum(_FLOOR * np.where(np.isfinite(heights), heights, 0.0).max(axis=0), np.finfo(np.float64).tiny)
    return np.maximum(np.maximum(np.abs(least), gained), floor)


@dataclass(frozen=True)
class Pairs:
    """Prox problems of one function of a number, with their global minima; arrays of shape (n,)."""

    values: Callable[[np.ndarray], np.ndarray]
    """The function, entry by entry."""
    v: np.ndarray
    """The arguments; `per_step` neighbours share a step."""
    step: np.ndarray
    per_step: int
    least: np.ndarray
    """The least objectives."""
    minimizers: np.ndarray
    """Where they are taken: of shape (n, basins), NaN where there are fewer."""

    def objective(self, x: np.ndarray, k: Any = slice(None)) -> np.ndarray:
        """g(x) + (x - v)^2 / (2 step) of pair k."""
        return self.values(x) + (x - self.v[k]) ** 2 / (2 * self.step[k])

    def excess(self, x: np.ndarray, k: Any = slice(None)) -> np.ndarray:
        """How much higher than the least the objective of pair k is at x; infinity where x is not finite."""
        finite = np.isfinite(x)
        return np.where(finite, self.objective(np.where(finite, x, 0.0), k) - self.least[k], np.inf)

    @cached_property
    def scale(self) -> np.ndarray:
        """The range of each objective: see `scale_of`."""
        return scale_of(self.least, *(self.objective(factor * self.v) for factor in (0.0, 1.0, 0.5, 2.0)))

    def tied(self, k: int) -> np.ndarray:
        """The minimizers of pair k."""
        return self.minimizers[k][~np.isnan(self.minimizers[k])]

    def prox_by_rows(self, g: Any) -> np.ndarray:
        """g's prox of all pairs, one call for each step."""
        rows = zip(self.v.reshape(-1, self.per_step), self.step[:: self.per_step], strict=True)
        return np.concatenate([g.prox(row, float(t)) for row, t in rows])


def draw_pairs(
    g: Any, rng: np.random.Generator, trials: int, breakpoints: Sequence[float], steps: Range, lower: float = 0.0
) -> Pairs:
    """At least `trials` pairs: one step in each part of the range, v on, about and off the landmarks of g."""
    per_step = max(1, min(_PER_STEP, trials // 8))
    count = -(-trials // per_step)
    low, high = np.log10(steps)
    t = 10 ** (low + (high - low) * (np.arange(count) + rng.random(count)) / count)
    v, step, values = _inputs(g, t, per_step, rng, breakpoints), np.repeat(t, per_step), entrywise(g)
    return Pairs(values, v, step, per_step, *prox_minima(values, v, step, breakpoints, lower))


def _draw_far_pairs(g: Any, rng: np.random.Generator, near: Pairs, breakpoints: Sequence[float], lower: float) -> Pairs:
    """v of every size, at one in eight of the steps of other pairs."""
    step = near.step[:: 8 * near.per_step].repeat(near.per_step)
    v = rng.choice([-1.0, 1.0], size=step.size) * 10 ** rng.uniform(-_FAR, _FAR, size=step.size)
    return Pairs(near.values, v, step, near.per_step, *prox_minima(near.values, v, step, breakpoints, lower))


def comment(returned: str, excess: float, better: str, least: float) -> str:
    """What a worst case says behind its expression."""
    beaten = f"higher by {excess:.3g} than {better}, where the objective is {least!r}"
    return f"  # returns {returned}, {beaten if excess > 0 else 'and nothing lower was found'}"


def try_coordinates(
    g: Any,
    outcome: Trials,
    rng: np.random.Generator,
    trials: int,
    breakpoints: Sequence[float],
    tolerance: float,
    steps: Range,
    lower: float,
) -> None:
    """Calls of prox with one step and with arrays of steps, on vectors, matrices and single entries; prox_set on some.

    What is returned in float32 is compared with what is returned in double precision.
    """
    near = draw_pairs(g, rng, trials, breakpoints, steps, lower)
    for pairs in (near, _draw_far_pairs(g, rng, near, breakpoints, lower)):
        _try_vectors(g, outcome, pairs, tolerance)
        _try_alone(g, outcome, pairs, rng, tolerance)
    _try_matrices(g, outcome, near, rng, tolerance)
    _try_float32(g, outcome, near, rng)
    if hasattr(g, "threshold"):
        _try_threshold(g, outcome, near, breakpoints, lower, tolerance)


def _alone(g: Any, pairs: Pairs, k: int) -> str:
    return f"{name_of(g)}.prox(np.array([{float(pairs.v[k])!r}]), {float(pairs.step[k])!r})"


def _at(pairs: Pairs, k: int, x: Any) -> str:
    excess = float(pairs.excess(x, k))
    return comment(repr(float(x)), excess, repr(float(pairs.tied(k)[0])), float(pairs.least[k]))


def _try_vectors(g: Any, outcome: Trials, pairs: Pairs, tolerance: float) -> None:
    v, step, name = pairs.v, pairs.step, name_of(g)

    def add(x: np.ndarray, call: Callable[[int], str]) -> None:
        outcome.add_all(tolerance - pairs.excess(x) / pairs.scale, lambda k: call(k) + _at(pairs, k, x[k]))

    def in_its_row(k: int) -> str:
        if g.prox(v[k : k + 1], float(step[k]))[0] == rows[k]:
            return _alone(g, pairs, k)
        start = k - k % pairs.per_step  # right alone, wrong beside others
        return f"{name}.prox({text_of(v[start : start + pairs.per_step])}, {float(step[k])!r})[{k - start}]"

    def diagonal(k: int) -> str:
        return f"{name}.prox(np.array([{float(v[k])!r}]), np.array([{float(step[k])!r}]))"

    rows = pairs.prox_by_rows(g)
    add(rows, in_its_row)
    if takes_array_steps(g):
        add(g.prox(v, step), diagonal)


def _some_rows(pairs: Pairs, rng: np.random.Generator) -> np.ndarray:
    """Some rows of pairs of one step, as numbers of pairs."""
    rows = np.arange(pairs.v.size).reshape(-1, pairs.per_step)
    return rows[rng.permutation(len(rows))[:_ROWS]]


def _try_matrices(g: Any, outcome: Trials, pairs: Pairs, rng: np.random.Generator, tolerance: float) -> None:
    """Rows folded to two columns, which share a step; and pairs of all steps, with a matrix of steps."""
    if not takes_matrices(g):
        return
    folded = [row.reshape(-1, 2 - row.size % 2) for row in _some_rows(pairs, rng)]
    calls: list[tuple[np.ndarray, Any]] = [(k, float(pairs.step[k[0, 0]])) for k in folded]
    mixed = rng.permutation(pairs.v.size)[: 2 * _PER_STEP]
    mixed = mixed.reshape(-1, 2 - mixed.size % 2)
    if takes(g, pairs.v[mixed], pairs.step[mixed]):
        calls.append((mixed, pairs.step[mixed]))
    for k, t in calls:
        x = g.prox(pairs.v[k], t)
        margins = tolerance - pairs.excess(x, k) / pairs.scale[k]
        worst = np.unravel_index(int(margins.argmin()), k.shape)
        text = f"({text_of(pairs.v[k])}, {text_of(t) if np.ndim(t) else repr(t)})"
        where = "".join(f"[{int(i)}]" for i in worst)
        outcome.add(float(margins[worst]), f"{name_of(g)}.prox{text}{where}{_at(pairs, int(k[worst]), x[worst])}")


def _try_float32(g: Any, outcome: Trials, pairs: Pairs, rng: np.random.Generator) -> None:
    """At the same v and t, float32 gives about the point of double precision, or one about as good.

    Where double precision leaves the domain, or is not finite, that is seen without this.
    """
    for row in _some_rows(pairs, rng):
        v, step = pairs.v[row].astype(np.float32), pairs.step[row]
        t, double = float(step[0]), v.astype(np.float64)
        x, expected = g.prox(v, t), g.prox(double, t)
        finite = np.where(np.isfinite(expected), expected, 0.0)
        least = pairs.values(finite) + (finite - double) ** 2 / (2 * step)
        known = np.flatnonzero(np.isfinite(least) & np.isfinite(expected))
        if known.size == 0:
            continue
        same = Pairs(pairs.values, double[known], step[known], 1, least[known], expected[known, None])
        rise = same.excess(x[known].astype(np.float64)) / same.scale
        margins = SINGLE - np.fmin(_apart(x[known], expected[known], double[known]), rise)
        k = int(known[margins.argmin()])
        call = f"{name_of(g)}.prox({text_of(v)}, {t!r})[{k}]"
        outcome.add(float(margins.min()), f"{call}  # returns {float(x[k])!r}, and in float64 {float(expected[k])!r}")


def _apart(x: np.ndarray, expected: np.ndarray, v: np.ndarray) -> np.ndarray:
    """How far entries are from what is expected, relative to v; where v is small, to a thousandth of its largest."""
    floor = max(1e-3 * float(np.abs(v).max()), float(np.finfo(np.float64).tiny))
    return np.abs(x - expected) / np.maximum(np.maximum(np.abs(v), np.abs(expected)), floor)


def _try_alone(g: Any, outcome: Trials, pairs: Pairs, rng: np.random.Generator, tolerance: float) -> None:
    """Calls with one entry, and prox_set."""
    for k in map(int, rng.permutation(pairs.v.size)[:_ALONE]):
        v, t, scale = float(pairs.v[k]), float(pairs.step[k]), float(pairs.scale[k])
        x = g.prox(pairs.v[k : k + 1], t)
        outcome.add(tolerance - float(pairs.excess(x, k)[0]) / scale, _alone(g, pairs, k) + _at(pairs, k, x[0]))
        if hasattr(g, "prox_set"):
            listed = np.array(g.prox_set(v, t), dtype=np.float64)
            excess = max(float(pairs.excess(listed, k).max()), _missed(pairs, k, listed)) / scale
            all_of_them = f"  # all minimizers: {pairs.tied(k).tolist()}, up to rounding"
            outcome.add(tolerance - excess, f"{name_of(g)}.prox_set({v!r}, {t!r}){all_of_them}")


def _missed(pairs: Pairs, k: int, listed: np.ndarray) -> float:
    """The least height between a minimizer and those listed, for the minimizer farthest off: 0 if none is left out."""
    return max(float(pairs.excess((m + listed) / 2, k).min()) for m in pairs.tied(k))


def _try_threshold(
    g: Any, outcome: Trials, near: Pairs, breakpoints: Sequence[float], lower: float, tolerance: float
) -> None:
    """0 is a minimizer at v just below the threshold, and the prox is another point just above it."""
    step = near.step[:: near.per_step]
    threshold = np.array([g.threshold(float(t)) for t in step], dtype=np.float64)
    beside = _BESIDE * tolerance
    v = threshold - beside * np.abs(threshold)
    below = Pairs(near.values, v, step, 1, *prox_minima(near.values, v, step, breakpoints, lower))
    zero = np.zeros_like(v)

    def call(k: int) -> str:
        return f"{name_of(g)}.threshold({float(step[k])!r})"

    outcome.add_all(
        tolerance - below.excess(zero) / below.scale, lambda k: f"{call(k)}  # at v = {v[k]}, 0{_at(below, k, 0.0)}"
    )
    above = threshold + beside * np.where(threshold == 0, 1e-3, np.abs(threshold))
    x = np.array([g.prox(above[k : k + 1], float(step[k]))[0] for k in range(v.size)])
    outcome.add_all(
        np.where(np.abs(x) > _ZERO * np.abs(above), tolerance, -tolerance),
        lambda k: f"{call(k)}  # at v = {above[k]}, above it, the prox is {float(x[k])!r}",
    )


def _inputs(g: Any, t: np.ndarray, per_step: int, rng: np.random.Generator, breakpoints: Sequence[float]) -> np.ndarray:
    """v for each step: landmarks, numbers close to one, numbers of their scale, and numbers of any scale."""
    pays = t.size * per_step >= BISECTIONS  # it costs as many calls
    jumps = _jumps(g, t) if pays else np.zeros((t.size, 0))
    thresholds = np.array([[g.threshold(float(s))] for s in t]) if hasattr(g, "threshold") else np.zeros((t.size, 1))
    landmarks = np.hstack([thresholds, -thresholds, jumps, np.tile([0.0, *breakpoints], (t.size, 1))])
    size = np.maximum(np.abs(landmarks).max(axis=1), 1e-3)[:, None]
    shape = (t.size, per_step)
    chosen = np.take_along_axis(landmarks, rng.integers(landmarks.shape[1], size=shape), axis=1)
    sign = rng.choice([-1.0, 1.0], size=shape)
    kinds = (
        chosen,
        chosen + sign * size * 10 ** rng.uniform(-9, -2, size=shape),
        2 * size * rng.uniform(-1, 1, size=shape),
        sign * 10 ** rng.uniform(-3, 2, size=shape),
    )
    return np.choose(rng.integers(len(kinds), size=shape), kinds).reshape(-1)


def _jumps(g: Any, t: np.ndarray) -> np.ndarray:
    """Where the prox of each step jumps most, on either side of 0, to the last bit: shape (len(t), 4)."""
    arrays = takes_array_steps(g)

    def prox(v: np.ndarray) -> np.ndarray:
        if arrays:
            return np.asarray(g.prox(v.reshape(-1), np.repeat(t, v.shape[1]))).reshape(v.shape)
        return np.array([g.prox(row, float(s)) for row, s in zip(v, t, strict=True)])

    far = np.geomspace(1e-3, 1e3, 32)
    sides = []
    for grid in (np.append(0.0, far), np.append(-far[::-1], 0.0)):
        v = np.tile(grid, (t.size, 1))
        x = prox(v)
        k = (np.diff(x) - np.diff(v)).argmax(axis=1)[:, None]
        sides.append([np.take_along_axis(a, i, axis=1) for a in (v, x) for i in (k, k + 1)])
    low, high, x_low, x_high = (np.hstack(both) for both in zip(*sides, strict=True))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        x = prox(middle)
        left = np.abs(x - x_low) < np.abs(x - x_high)
        low, x_low = np.where(left, middle, low), np.where(left, x, x_low)
        high, x_high = np.where(left, high, middle), np.where(left, x_high, x)
    return np.hstack([low, high])
