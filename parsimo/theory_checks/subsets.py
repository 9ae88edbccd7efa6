"""Subsets of columns: every addition, removal and swap against solving again, and paths against all supports."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from parsimo.problems import LeastSquares
from parsimo.solvers import SubsetPath, subset_path
from parsimo.solvers.subsets.columns import UnitColumns
from parsimo.solvers.subsets.support import Support
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials

__all__ = ["CHECKS", "check_subset_path", "check_support_moves", "support_after"]

_APART, _WITHIN = 1e-6, 1e-12  # squared distances from a span: clearly off it, clearly in it; between, no trial
_ROUNDING = 1e-8  # of |b|^2


def check_support_moves(rng: Seed = 0, trials: int = 100, support: type[Support] = Support) -> Evidence:
    """Gains, losses and the best swap are differences of least values, and moves lead to what they should.

    Values come from solving least squares on each support from the start.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "additions, removals and swaps change f as their formulas say, and no swap is better than the best one",
        "docs/theory.md, Proposition 11.10 to Theorem 11.12",
        "up to 7 columns that lean one way, some of them double or 0, with and without a ridge",
    )
    for _ in range(trials):
        data = _Data.random(rng)
        order = rng.permutation(data.A.shape[1]).tolist()
        moves = [*order, *rng.permutation(order[: int(rng.integers(0, 4))]).tolist()]
        for margin, said in _move_margins(data, support_after(data.A, data.b, data.ridge, moves, support)):
            outcome.add(margin, partial(data.support_case, moves, said))
    return outcome.evidence()


def check_subset_path(rng: Seed = 0, trials: int = 60, path: Callable[..., SubsetPath] = subset_path) -> Evidence:
    """Each point of a path is as low as it says, no swap, addition or removal leads below the path, and weights fit.

    Values come from solving least squares on all supports.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "a path is swap optimal at every size, its objectives are values, and its sizes are best at their weights",
        "docs/theory.md, Propositions 11.13 and 11.14",
        "up to 7 columns that lean one way, some of them double or 0, with and without a ridge",
    )
    for _ in range(trials):
        data = _Data.random(rng)
        size = int(rng.integers(0, data.A.shape[1] + 1))
        found = path(LeastSquares(data.A, data.b), size, ridge=data.ridge)
        weights = rng.uniform(0, data.height / 2, size=3)
        for margin, said in _path_margins(data, found, size, weights):
            outcome.add(margin, partial(data.path_case, size, said))
    return outcome.evidence()


def support_after(
    A: np.ndarray, b: np.ndarray, ridge: float, moves: Sequence[int], support: type[Support] = Support
) -> Support:
    """The support after columns have come in, where they are not in its span, and gone out when they come up again."""
    s = support.empty(UnitColumns(A, b, ridge))
    for j in moves:
        if j in s.members:
            s = s.without(s.members.tolist().index(j))
        elif s.d[j] > _APART:
            s = s.with_column(j)
    return s


@dataclass(frozen=True, eq=False)
class _Data:
    """|A x - b|^2 / 2 + ridge |x|^2 / 2, and its least values on supports."""

    A: np.ndarray
    b: np.ndarray
    ridge: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> _Data:
        rows, n = int(rng.integers(1, 7)), int(rng.integers(1, 8))
        A = rng.normal(size=(rows, n)) + rng.normal(size=(rows, 1))
        A *= 10.0 ** rng.integers(-2, 3, size=n)
        if n > 3:
            A[:, 0], A[:, 1] = (0.0, A[:, 2]) if rng.random() < 0.3 else (A[:, 0], A[:, 1])
        return cls(A, 3 * rng.normal(size=rows), float(rng.choice([0.0, 0.5])))

    @property
    def height(self) -> float:
        return float(self.b @ self.b)

    @property
    def extended(self) -> tuple[np.ndarray, np.ndarray]:
        """The ridge as n more rows."""
        n = self.A.shape[1]
        return np.vstack([self.A, np.sqrt(self.ridge) * np.eye(n)]), np.append(self.b, np.zeros(n))

    def least(self, support: Sequence[int]) -> float:
        """The least |A x - b|^2 + ridge |x|^2 over x on the support."""
        A, b = self.extended
        A = A[:, list(support)]
        A = A / np.maximum(np.linalg.norm(A, axis=0), 1e-300)
        return float(np.sum((b - A @ np.linalg.lstsq(A, b, rcond=1e-10)[0]) ** 2))

    def distance(self, support: Sequence[int], j: int) -> float:
        """The squared distance of column j, at length 1, from the span of the support."""
        A, _ = self.extended
        column = A[:, j] / max(float(np.linalg.norm(A[:, j])), 1e-300)
        return _Data(A[:, list(support)], column, 0.0).least(range(len(support)))

    def apart(self, support: Sequence[int], j: int) -> bool:
        """Whether column j is clearly off the span of the support."""
        return self.distance(support, j) > _APART

    def swaps(self, support: Sequence[int]) -> Iterator[tuple[int, int, list[int]]]:
        """i that goes, j that comes, and the support after; j off the span."""
        for i, j in itertools.product(support, set(range(self.A.shape[1])) - set(support)):
            if self.apart(support, j):
                yield i, j, [*(k for k in support if k != i), j]

    def support_case(self, moves: Sequence[int], said: str) -> str:
        return f"support_after({self._arrays}, {self.ridge!r}, {list(moves)})  # {said}"

    def path_case(self, size: int, said: str) -> str:
        return f"subset_path(LeastSquares({self._arrays}), {size}, ridge={self.ridge!r})  # {said}"

    @property
    def _arrays(self) -> str:
        return f"np.array({self.A.tolist()}), np.array({self.b.tolist()})"


def _move_margins(data: _Data, s: Support) -> Iterator[tuple[float, str]]:
    """How far each number is from what solving again gives, as a part of |b|^2; and in words."""
    members = s.members.tolist()
    here, unit = data.least(members), data.height
    yield _ROUNDING - abs(1 + s.value - here / unit), f".value is {here / unit - 1!r}"
    for j in set(range(data.A.shape[1])) - set(members):
        if data.apart(members, j):
            gain = (here - data.least([*members, j])) / unit
            yield _ROUNDING - abs(float(s.gains[j]) - gain), f".gains[{j}] is {gain!r}"
        elif data.distance(members, j) < _WITHIN:
            yield _ROUNDING - float(s.gains[j]), f".gains[{j}] is 0, in the span"
    for place, i in enumerate(members):
        loss = (data.least([k for k in members if k != i]) - here) / unit
        yield _ROUNDING * (1 + loss) - abs(float(s.losses[place]) - loss), f".losses[{place}] is {loss!r}"
    best = max(((here - data.least(after)) / unit for _, _, after in data.swaps(members)), default=0.0)
    swap = s.best_swap
    decrease = 0.0 if swap is None else swap.decrease
    yield _ROUNDING - (best - decrease), f".best_swap lowers by no less than {best!r}"
    if swap is not None:
        after = [*(k for k in members if k != members[swap.leaves]), swap.enters]
        gain = (here - data.least(after)) / unit
        yield _ROUNDING - abs(swap.decrease - gain), f".best_swap is {swap} and lowers by {gain!r}"


def _path_margins(data: _Data, found: SubsetPath, size: int, weights: np.ndarray) -> Iterator[tuple[float, str]]:
    """How far a path is from its promises, as a part of |b|^2 / 2; and in words."""
    unit, A, b = data.height / 2, *data.extended
    values = [float(np.sum((A @ found[k] - b) ** 2)) / 2 for k in range(len(found))]
    for k, value in enumerate(values):
        support = found.supports[k].tolist()
        sparse = set(np.flatnonzero(found[k]).tolist()) <= set(support) and len(support) <= k
        yield 1.0 if sparse else -1.0, f"[{k}] has at most {k} nonzeros, all in .supports[{k}]"
        yield _ROUNDING - abs(found.objectives[k] - value) / unit, f".objectives[{k}] is {value!r}"
        yield _ROUNDING - (value - data.least(support) / 2) / unit, f"[{k}] is the minimum on its support"
        best = max((value - data.least(after) / 2 for *_, after in data.swaps(support)), default=0.0)
        yield _ROUNDING - best / unit, f"[{k}] is swap optimal; a swap lowers by {best!r}"
        yield _ROUNDING - (best - found.swap_gaps[k]) / unit, f".swap_gaps[{k}] is no less than {best!r}"
        yield float(found.tolerances[k] - found.swap_gaps[k]) / unit, f".swap_gaps[{k}] is within .tolerances[{k}]"
        rest = [j for j in range(data.A.shape[1]) if j not in support and data.apart(support, j)]
        if k < size:
            next_one = min((data.least([*support, j]) / 2 for j in rest), default=value)
            bound = values[min(k + 1, len(found) - 1)]
            yield _ROUNDING - (bound - next_one) / unit, f"[{k}] has an addition as low as {next_one!r}"
        if k:
            before = min(data.least([i for i in support if i != out]) / 2 for out in support)
            yield _ROUNDING - (values[k - 1] - before) / unit, f"[{k}] has a removal as low as {before!r}"
    for weight in (0.0, *weights, *found.breakpoints):
        priced = [value + weight * k for k, value in enumerate(values)]
        chosen = priced[found.at_weight(weight)]
        yield _ROUNDING - (chosen - min(priced)) / unit, f".at_weight({weight!r}) is {int(np.argmin(priced))}"


CHECKS: tuple[Any, ...] = (
    Check(36, "moves of supports", check_support_moves),
    Check(36, "subset paths", check_subset_path),
)
