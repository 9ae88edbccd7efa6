"""Boxes with what branch and bound knows of them: a convex lower bound of the penalty, and how they are cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

__all__ = ["TINY", "Boxes", "NotConcaveError", "Terms", "require_concave"]

Terms = Callable[[np.ndarray], np.ndarray]
"""g_i(x_i) for each entry of an array of shape (..., n)."""

TINY = 1e-300
"""Where the limit of g at 0+ is looked at: no point lies between 0 and it as far as f can tell."""


@dataclass
class Boxes:
    """A batch of boxes, one a row.

    On a box the convex r_i lies below g_i and meets it at the ends: the chord, or, where 0 is inside, the two chords
    that meet at (0, 0). It does so because g_i is concave on either side of 0, and where it jumps there, jumps up.
    """

    low: np.ndarray
    """Lower ends, of shape (boxes, n)."""
    high: np.ndarray
    """Upper ends."""
    g_low: np.ndarray
    """g_i at the lower ends."""
    g_high: np.ndarray
    """g_i at the upper ends."""
    y: np.ndarray
    """The point at which the bound is taken."""
    bound: np.ndarray
    """A lower bound of f + g on the box, of shape (boxes,)."""

    def __getitem__(self, rows: Any) -> Boxes:
        return Boxes(*(getattr(self, f.name)[rows] for f in fields(self)))

    def __len__(self) -> int:
        return self.bound.size

    @classmethod
    def join(cls, parts: list[Boxes]) -> Boxes:
        """All boxes of the parts."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    @property
    def zero_inside(self) -> np.ndarray:
        """Whether an interval has 0 in its interior, of shape (boxes, n)."""
        return (self.low < 0) & (self.high > 0)

    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """How steeply r_i rises away from 0, to the right and to the left: r_i' is the first, or minus the second."""
        inside = self.zero_inside
        width = np.where(self.high > self.low, self.high - self.low, 1.0)
        chord = (self.g_high - self.g_low) / width
        right = np.where(inside, self.g_high / np.where(inside, self.high, 1.0), chord)
        left = np.where(inside, self.g_low / np.where(inside, -self.low, 1.0), -chord)
        return right, left

    def least(self, gradient: np.ndarray) -> np.ndarray:
        """min over the box of d_i (x_i - y_i) + r_i(x_i), for each i: it is taken at an end, or at 0."""
        at_low = gradient * (self.low - self.y) + self.g_low
        at_high = gradient * (self.high - self.y) + self.g_high
        at_zero = np.where(self.zero_inside, -gradient * self.y, np.inf)
        return np.minimum(np.minimum(at_low, at_high), at_zero)

    def split(self, gaps: np.ndarray, terms: Terms, jumps: np.ndarray) -> Boxes:
        """Cut each box across the coordinate of the largest gap, about where y stands.

        Away from 0 into halves. About 0 into thirds by magnitude; where g_i jumps at 0, into 0 and its two sides.

        Parameters
        ----------
        gaps : array of shape (boxes, n)
        terms : Terms
        jumps : array of shape (n,)
            Whether g_i jumps at 0.
        """
        row, i = np.arange(len(self)), gaps.argmax(axis=1)
        low, high, y = self.low[row, i], self.high[row, i], self.y[row, i]
        zero, one, tiny = np.zeros(len(self)), np.ones(len(self)), np.full(len(self), TINY)

        reach = np.maximum(-low, high)
        cut = np.clip(np.abs(y), 0.1 * reach, 0.9 * reach)
        thirds = [(low, -cut), (np.maximum(low, -cut), np.minimum(high, cut)), (cut, high)]
        middle = np.clip(y, 0.9 * low + 0.1 * high, 0.1 * low + 0.9 * high)
        halves = [(low, middle), (middle, high), (one, zero)]  # from 1 to 0: an empty interval
        sides = [(low, -tiny), (zero, zero), (tiny, high)]
        at_jump = jumps[i] & (low <= 0) & (high >= 0)
        ends = np.where(at_jump, sides, np.where(self.zero_inside[row, i], thirds, halves))  # (3, 2, boxes)

        points = np.broadcast_to(self.y, (3, 2, *self.y.shape)).copy()
        points[:, :, row, i] = ends
        values = np.asarray(terms(points))[:, :, row, i]
        children = []
        for (lower, upper), (at_lower, at_upper) in zip(ends, values, strict=True):
            there = lower <= upper
            child, k, j = self[there], np.arange(int(there.sum())), i[there]
            child.low[k, j], child.high[k, j] = lower[there], upper[there]
            child.g_low[k, j], child.g_high[k, j] = at_lower[there], at_upper[there]
            children.append(child)
        return Boxes.join(children)


class NotConcaveError(ValueError):
    """Terms without the property that every bound rests on."""


def require_concave(terms: Terms, end: np.ndarray) -> None:
    """Refuse terms that are not finite, nondecreasing and concave between 0 and `end` on a grid of some 300 points.

    All bounds rest on it: a chord of g_i must lie below g_i. A breach between two points of the grid is not seen; that
    there is none is a hypothesis of the bound, and its `source` says so.

    Raises
    ------
    NotConcaveError
        Naming the points that show it.
    """
    shares = np.unique(np.concatenate([np.geomspace(1e-6, 1.0, 61), np.linspace(0.0, 1.0, 241)[1:]]))
    points = shares[:, None] * end
    values = np.asarray(terms(points), dtype=np.float64)
    if not np.isfinite(values).all():
        raise NotConcaveError(
            "branch_and_bound: g must be finite in the box; take a smaller box, or radius for global_bound"
        )
    width = np.diff(shares)[:, None]
    share = width[:-1] / (width[:-1] + width[1:])
    chord = (1 - share) * values[:-2] + share * values[2:]
    allowed = 1e-9 * np.abs(values).max()
    for wrong, what in (
        (np.diff(values, axis=0) < -allowed, "nondecreasing"),
        (values[1:-1] < chord - allowed, "concave"),
    ):
        if wrong.any():
            k, i = (int(j) for j in np.argwhere(wrong)[0])
            raise NotConcaveError(
                f"branch_and_bound: g_i must be {what} in |x_i|, which its values {values[k : k + 3, i].tolist()} at "
                f"x_{i} = {points[k : k + 3, i].tolist()} are not; only then is a bound proved"
            )
