"""The stationarity ladder against brute force: values on grids, and nothing else, say whether each reading is true."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.problem import Composite
from parsimo.penalties import L1, MCP, SCAD, Box, CappedL1, ZeroNorm
from parsimo.problems import LeastSquares, Logistic
from parsimo.solvers import Ladder, Rung, certify, polish
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials

__all__ = ["CHECKS", "check_ladder"]

_REACH = 4.0
_GRID = np.unique(np.concatenate([np.linspace(-_REACH, _REACH, 801), [0.5, -0.5, 0.3, -0.3]]))
_WIDTH = 1e-7  # of one-sided differences
_PENALTIES: tuple[Any, ...] = (
    ZeroNorm(0.3),
    MCP(0.3, 0.5),
    SCAD(0.3, 0.5),
    CappedL1(0.3, 0.5),
    L1(0.3),
    Box(-0.5, 0.5),
    MCP(0.3, 2.5),
)


def check_ladder(rng: Seed = 0, trials: int = 40, certify: Callable[..., Ladder] = certify) -> Evidence:
    """No reading of the ladder claims more than brute force grants, and the rung is what the readings add up to.

    Distance and rate are compared with one-sided differences of the objective; prox-stationarity, moves, swaps and gaps
    with values on grids; the moves that are named must lower the objective by what is said. f is least squares or
    logistic in three variables. Points: 0, at random, at minimizers along one coordinate, and where `polish` ends.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "certify: each number of the stationarity ladder is true, and the rung follows from them",
        "docs/theory.md, Propositions 10.1 to 10.4",
        "least squares and logistic losses in three variables, convex and nonconvex penalties",
    )
    for trial in range(trials):
        instance = _Instance.random(rng, _PENALTIES[trial % len(_PENALTIES)], logistic=trial % 4 == 3)
        for x in instance.points(rng):
            ladder = certify(instance.problem, x)
            for margin, said in (*_margins(instance, x, ladder), _rung_margin(ladder)):
                outcome.add(margin, partial(instance.case, x, said))
    return outcome.evidence()


@dataclass(frozen=True, eq=False)
class _Instance:
    """A problem, and its objective written out for many points at a time."""

    A: np.ndarray
    b: np.ndarray
    g: Any
    logistic: bool

    @classmethod
    def random(cls, rng: np.random.Generator, g: Any, logistic: bool) -> _Instance:
        rows = int(rng.integers(2, 6))
        A = rng.normal(size=(rows, 3)) + rng.normal(size=(rows, 1))  # columns that lean one way make swaps matter
        b = np.where(rng.random(rows) < 0.5, -1.0, 1.0) if logistic else 2 * rng.normal(size=rows)
        return cls(A, b, g, logistic)

    @property
    def problem(self) -> Composite:
        return Composite((Logistic if self.logistic else LeastSquares)(self.A, self.b), self.g)

    def values(self, points: np.ndarray) -> np.ndarray:
        """The objective at each row of points."""
        fitted = points @ self.A.T
        if self.logistic:
            f = np.logaddexp(0.0, -self.b * fitted).sum(axis=-1)
        else:
            f = ((fitted - self.b) ** 2).sum(axis=-1) / 2
        return f + self.g.terms(points).sum(axis=-1)

    def points(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        inside = 0.5 if isinstance(self.g, Box) else 2.0
        x = rng.uniform(-inside, inside, size=3) * rng.integers(0, 2, size=3)
        yield np.zeros(3)
        yield x
        i = int(rng.integers(3))
        line = np.tile(x, (_GRID.size, 1))
        line[:, i] = _GRID
        yield line[int(self.values(line).argmin())]
        yield polish(self.problem, x, moves=("coordinate",)).x
        yield polish(self.problem, x).x

    def case(self, x: np.ndarray, said: str) -> str:
        data = f"np.array({self.A.tolist()}), np.array({self.b.tolist()})"
        f = f"{'Logistic' if self.logistic else 'LeastSquares'}({data})"
        return f"certify(Composite({f}, {self.g!r}), np.array({x.tolist()}))  # {said}"


def _margins(instance: _Instance, x: np.ndarray, ladder: Ladder) -> Iterator[tuple[float, str]]:
    """For each rung, how far its reading is from claiming too much, or from naming a move that does less; in words."""
    height = float(instance.values(x))
    scale = 1 + abs(height)
    distance, rate = _slopes(instance, x)
    for rung, expected in ((Rung.CRITICAL, distance), (Rung.D_STATIONARY, rate)):
        said = f"{rung.name}: {ladder[rung].number!r}, by differences of values {expected!r}"
        yield 1e-5 * (1 + expected) - abs(ladder[rung].number - expected), said
    if ladder[Rung.PROX_STATIONARY].holds:
        step = 1 / instance.problem.f.lipschitz
        v = x - step * instance.problem.f.grad(x)
        excess = instance.g.terms(x) + (x - v) ** 2 / (2 * step)
        excess = excess - (instance.g.terms(_GRID)[:, None] + (_GRID[:, None] - v) ** 2 / (2 * step)).min(axis=0)
        highest = float(excess.max())
        yield 1e-6 - highest, f"PROX_STATIONARY: an entry of x is {highest!r} above the best on a grid, 0 at most"
    moves = _largest_decrease(instance, x, [(i,) for i in range(3)])
    pairs = [(i, j) for i, j in itertools.permutations(range(3), 2) if x[i] != 0 and x[j] == 0]
    for rung, found in (
        (Rung.COORDINATEWISE, moves),
        (Rung.SWAP, max(moves, _largest_decrease(instance, x, pairs))),
        (Rung.GLOBAL, height - _minimum(instance)),
    ):
        reading = ladder[rung]
        if reading.side != "below" and not np.isnan(reading.number):
            said = f"{rung.name}: no more than {reading.number!r} to gain, on grids {found!r} is found"
            yield 1e-9 * scale - (found - reading.number), said
    for move in (ladder.move, ladder.swap):
        if move is not None:
            gained = height - float(instance.values(move.applied_to(x)))
            yield 1e-9 * scale - (move.decrease - gained), f"{move}: it lowers the objective by {gained!r}"
    lowered = max((m.decrease for m in (ladder.move, ladder.swap) if m is not None), default=0.0)
    if ladder[Rung.SWAP].side != "above":
        said = f"SWAP: {ladder[Rung.SWAP].number!r}, the moves that are named gain {lowered!r}"
        yield 1e-12 * scale - abs(ladder[Rung.SWAP].number - lowered), said


def _rung_margin(ladder: Ladder) -> tuple[float, str]:
    """1 where the rung is proved and none below it refuted, -1 otherwise; in words."""
    if ladder.rung == Rung.NONE:
        return 1.0 if ladder[Rung.CRITICAL].holds is False else -1.0, "on no rung, as CRITICAL is refuted"
    below = [ladder[rung].holds for rung in Rung if Rung.NONE < rung <= ladder.rung]
    said = f"on {ladder.rung.name}, which is proved, and no rung below is refuted"
    return 1.0 if below[-1] is True and False not in below else -1.0, said


def _slopes(instance: _Instance, x: np.ndarray) -> tuple[float, float]:
    """Distance from the limiting subdifferential and steepest rate of descent, from differences of values."""
    height, steps = instance.values(x), _WIDTH * np.eye(3)
    left = (height - instance.values(x - steps)) / _WIDTH
    right = (instance.values(x + steps) - height) / _WIDTH
    rates = np.clip(np.maximum(left, -right), 0.0, None)
    kink = left > right + 1e-4  # a smooth function has left < right, by its curvature times the width, or nearly so
    return float(np.linalg.norm(np.where(kink, np.minimum(abs(left), abs(right)), rates))), float(np.linalg.norm(rates))


def _largest_decrease(instance: _Instance, x: np.ndarray, pairs: Sequence[tuple[int, ...]]) -> float:
    """Over moves of the last coordinate of each pair to a point of the grid, the first one set to zero."""
    largest = 0.0
    for pair in pairs:
        line = np.tile(x, (_GRID.size, 1))
        line[:, pair[0]] = 0.0
        line[:, pair[-1]] = _GRID
        largest = max(largest, float(instance.values(x) - instance.values(line).min()))
    return largest


def _minimum(instance: _Instance) -> float:
    """The least value on grids that close in on the best point, zeros kept in them."""
    center, reach, least = np.zeros(3), _REACH, np.inf
    for _ in range(4):
        axes = [np.append(c + np.linspace(-reach, reach, 16), 0.0) for c in center]
        points = np.stack([axis.reshape(-1) for axis in np.meshgrid(*axes)], axis=-1)
        values = instance.values(points)
        center, reach, least = points[int(values.argmin())], reach / 5, min(least, float(values.min()))
    return least


CHECKS = (Check(33, "stationarity ladder", check_ladder),)
