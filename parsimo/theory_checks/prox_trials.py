"""Trials of a prox: of a sum over coordinates against its global minimum, of any other penalty against a search."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.contract import name_of, takes_array_steps
from parsimo.theory_checks.evidence import Trials
from parsimo.theory_checks.oracles.descent import lowest_found, restarted_descent
from parsimo.theory_checks.oracles.scan import entrywise, prox_minima

__all__ = ["Pairs", "draw_pairs", "try_coordinates", "try_shape"]

_PER_STEP = 16  # inputs that share a step, and a call of the prox
_ALONE = 64  # inputs that get a call of their own, and whose prox_set is looked at
_BISECTIONS = 52
_SIMPLEX_SIZE = 6  # coordinates up to which a simplex descends well

Range = tuple[float, float]


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

    def excess(self, x: np.ndarray, k: Any = slice(None)) -> np.ndarray:
        """How much higher than the least the objective of pair k is at x, relative to max(1, |least|)."""
        finite = np.where(np.isfinite(x), x, 0.0)
        height = self.values(finite) + (finite - self.v[k]) ** 2 / (2 * self.step[k])
        return np.where(np.isfinite(x), height - self.least[k], np.inf) / np.maximum(1.0, np.abs(self.least[k]))

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


def _at(pairs: Pairs, k: int, x: Any, excess: float) -> str:
    return _comment(repr(float(x)), excess, repr(float(pairs.tied(k)[0])), float(pairs.least[k]))


def _comment(returned: str, excess: float, better: str, least: float) -> str:
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
    """Calls of prox with one step, with an array of steps and with one entry; prox_set on some."""
    name, pairs = name_of(g), draw_pairs(g, rng, trials, breakpoints, steps, lower)
    v, step = pairs.v, pairs.step

    def add(x: np.ndarray, call: Callable[[int], str]) -> None:
        excess = pairs.excess(x)
        outcome.add_all(tolerance - excess, lambda k: call(k) + _at(pairs, k, x[k], excess[k]))

    def alone(k: int) -> str:
        return f"{name}.prox(np.array([{float(v[k])!r}]), {float(step[k])!r})"

    def in_its_row(k: int) -> str:
        if g.prox(v[k : k + 1], float(step[k]))[0] == rows[k]:
            return alone(k)
        start = k - k % pairs.per_step  # right alone, wrong beside others
        return f"{name}.prox({text_of(v[start : start + pairs.per_step])}, {float(step[k])!r})[{k - start}]"

    def diagonal(k: int) -> str:
        return f"{name}.prox(np.array([{float(v[k])!r}]), np.array([{float(step[k])!r}]))"

    rows = pairs.prox_by_rows(g)
    add(rows, in_its_row)
    if takes_array_steps(g):
        add(g.prox(v, step), diagonal)
    for k in rng.permutation(v.size)[:_ALONE]:
        x = g.prox(v[k : k + 1], float(step[k]))
        excess = float(pairs.excess(x, k)[0])
        outcome.add(tolerance - excess, alone(k) + _at(pairs, k, x[0], excess))
        if hasattr(g, "prox_set"):
            listed = np.array(g.prox_set(float(v[k]), float(step[k])), dtype=np.float64)
            excess = max(float(pairs.excess(listed, k).max()), _missed(pairs, k, listed))
            call = f"{name}.prox_set({float(v[k])!r}, {float(step[k])!r})"
            outcome.add(tolerance - excess, f"{call}  # all minimizers: {pairs.tied(k).tolist()}, up to rounding")


def _missed(pairs: Pairs, k: int, listed: np.ndarray) -> float:
    """The least height between a minimizer and those listed, for the minimizer farthest off: 0 if none is left out."""
    return max(float(pairs.excess((m + listed) / 2, k).min()) for m in pairs.tied(k))


def _inputs(g: Any, t: np.ndarray, per_step: int, rng: np.random.Generator, breakpoints: Sequence[float]) -> np.ndarray:
    """v for each step: landmarks, numbers close to one, numbers of their scale, and numbers of any scale."""
    pays = t.size * per_step >= _BISECTIONS  # it costs as many calls
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
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        x = prox(middle)
        left = np.abs(x - x_low) < np.abs(x - x_high)
        low, x_low = np.where(left, middle, low), np.where(left, x, x_low)
        high, x_high = np.where(left, high, middle), np.where(left, x_high, x)
    return np.hstack([low, high])


def try_shape(
    g: Any,
    outcome: Trials,
    rng: np.random.Generator,
    trials: int,
    shape: tuple[int, ...],
    tolerance: float,
    steps: Range,
) -> None:
    """A search for lower points at each trial, by descent too where there are few coordinates; prox_set on some.

    The prox_set of a sum over coordinates takes one number, and is left to `try_coordinates`.
    """
    name = name_of(g)
    lists = hasattr(g, "prox_set") and not getattr(getattr(g, "traits", None), "separable", False)
    for trial in range(trials):
        t = float(10 ** rng.uniform(*np.log10(steps)))
        v = _array_input(g, t, shape, rng)
        x = g.prox(v, t)

        def objective(y: np.ndarray, v: np.ndarray = v, t: float = t) -> float:
            return float(g.value(y)) + float(((y - v) ** 2).sum()) / (2 * t)

        spread = float(np.abs(v).max()) + 1e-3
        others = [g.prox(v + spread * rng.normal(size=shape), t) for _ in range(4)]
        here = objective(x)
        least, better = lowest_found(objective, x, v, others, rng)
        if x.size <= _SIMPLEX_SIZE and trial % 4 == 0:
            descent = restarted_descent(objective, ((x + v) / 2, others[0]))
            least, better = min((least, better), descent, key=lambda pair: pair[0])
        excess = (here - least) / max(1.0, abs(least))
        call = f"({text_of(v)}, {t!r})"
        outcome.add(tolerance - excess, f"{name}.prox{call}" + _comment(text_of(x), excess, text_of(better), least))
        if lists and trial % 2 == 0:
            listed = [objective(y) for y in g.prox_set(v, t)]
            high = (max(listed) - min(here, *listed)) / max(1.0, abs(least))
            outcome.add(tolerance - high, f"{name}.prox_set{call}  # objectives {listed}, that of prox {here!r}")


def _array_input(g: Any, t: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
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
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if nonzeros(middle) == below else (low, middle)
    off = float(rng.choice([0.0, -1.0, 1.0])) * 10 ** rng.uniform(-9, -2)
    return (high if math.isfinite(high) else 1.0) * (1 + off) * v
