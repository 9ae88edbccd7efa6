"""Clustering on a line: the exact optimum by dynamic programming, and descent from a given codebook.

Clusters of an optimal codebook are intervals of the sorted values, so both work on sorted values and prefix sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from parsimo.penalties.clustering import Distance

__all__ = ["Line", "best_codebook"]

_EXACT = 2048  # up to this many distinct values the optimum is exact; beyond it, of that many bins, then descent
_DESCENTS = 100
_NEWTON_STEPS = 60


@dataclass(frozen=True, eq=False)
class Line:
    """Sorted values with weights, and the prefix sums that make any interval's cost cheap.

    Parameters
    ----------
    points : float64 array, rising
    weights : float64 array
        Positive multiplicities.
    """

    points: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Line:
        """Distinct values with their multiplicities."""
        points, counts = np.unique(values, return_counts=True)
        return cls(points, counts.astype(np.float64))

    @cached_property
    def mass(self) -> np.ndarray:
        """Prefix sums of the weights, from 0."""
        return np.concatenate([[0.0], np.cumsum(self.weights)])

    @cached_property
    def moment(self) -> np.ndarray:
        """Prefix sums of weight * (point - middle); the shift keeps the sums of squares from cancelling."""
        return np.concatenate([[0.0], np.cumsum(self.weights * self.shifted)])

    @cached_property
    def square(self) -> np.ndarray:
        """Prefix sums of weight * (point - middle)^2."""
        return np.concatenate([[0.0], np.cumsum(self.weights * self.shifted**2)])

    @cached_property
    def middle(self) -> float:
        """The mean of all values."""
        return float(np.average(self.points, weights=self.weights))

    @cached_property
    def shifted(self) -> np.ndarray:
        """Points relative to the middle."""
        return self.points - self.middle

    def binned(self, bins: int) -> Line:
        """At most `bins` points: the means of cells of equal width.

        With cells of width w, the root of the squared cost of a codebook changes by at most w sqrt(n) / 2.
        """
        if self.points.size <= bins:
            return self
        low, high = self.points[0], self.points[-1]
        cell = np.minimum((self.points - low) * (bins / (high - low)), bins - 1).astype(np.int64)
        mass = np.bincount(cell, self.weights, bins)
        total = np.bincount(cell, self.weights * self.points, bins)
        used = mass > 0
        return Line(total[used] / mass[used], mass[used])

    def cost_about(self, i: np.ndarray, j: np.ndarray, center: np.ndarray, distance: Distance) -> np.ndarray:
        """sum of weight * r(|point - center|) over points[i:j], for arrays of intervals and centers."""
        c = center - self.middle
        mass, moment = self.mass, self.moment
        if distance == "squared":
            square = self.square[j] - self.square[i]
            return np.maximum(square - 2 * c * (moment[j] - moment[i]) + c * c * (mass[j] - mass[i]), 0.0) / 2
        split = np.clip(np.searchsorted(self.points, center), i, j)
        above = (moment[j] - moment[split]) - c * (mass[j] - mass[split])
        below = c * (mass[split] - mass[i]) - (moment[split] - moment[i])
        return np.maximum(above + below, 0.0)

    def center(self, i: np.ndarray, j: np.ndarray, distance: Distance, reach: float = 0.0) -> np.ndarray:
        """The best center of each nonempty interval points[i:j].

        The mean for the squared distance; of one point the point itself, bit for bit. For the absolute distance the
        median, or with `reach` > 0 the minimizer of the Huber function of that width, which is what |x - c| becomes
        when x may move (docs/theory.md, 5.3).
        """
        if distance == "squared":
            mean = self.middle + (self.moment[j] - self.moment[i]) / (self.mass[j] - self.mass[i])
            return np.where(j - i == 1, self.points[i], mean)
        half = (self.mass[i] + self.mass[j]) / 2
        median = self.points[np.clip(np.searchsorted(self.mass, half, side="left") - 1, i, j - 1)]
        if reach == 0:
            return median
        low, high, c = self.points[i], self.points[j - 1], median
        for _ in range(_NEWTON_STEPS):  # on the derivative, which is monotone and piecewise linear in c
            force, stiffness = self._huber_pull(i, j, c, reach)
            low, high = np.where(force >= 0, c, low), np.where(force <= 0, c, high)
            newton = c + force / np.maximum(stiffness, 1.0)
            # strictly inside, or the iteration could go back and forth between two ends of the bracket
            safe = (stiffness > 0) & (((low < newton) & (newton < high)) | (newton == c))
            moved = np.where(force == 0, c, np.where(safe, newton, (low + high) / 2))
            if (moved == c).all():
                break
            c = moved
        return c

    def _huber_pull(self, i: np.ndarray, j: np.ndarray, c: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """sum over points[i:j] of weight * clip(point - c, -reach, reach), and the weight strictly in reach."""
        left = np.clip(np.searchsorted(self.points, c - reach), i, j)
        right = np.clip(np.searchsorted(self.points, c + reach), i, j)
        inside = self.mass[right] - self.mass[left]
        linear = (self.moment[right] - self.moment[left]) - (c - self.middle) * inside
        ends = (self.mass[j] - self.mass[right]) - (self.mass[left] - self.mass[i])
        return linear + reach * ends, inside

    def splits(self, codebook: np.ndarray) -> np.ndarray:
        """The k + 1 interval ends of the clusters of a rising codebook."""
        inner = np.searchsorted(self.points, (codebook[1:] + codebook[:-1]) / 2, side="right")
        return np.concatenate([[0], inner, [self.points.size]])

    def descend(self, codebook: np.ndarray, distance: Distance, reach: float, pinned: float | None) -> np.ndarray:
        """Assign and recentre in turn until nothing changes; an empty cluster keeps its representative."""
        codebook = np.unique(codebook)
        for _ in range(_DESCENTS):
            ends = self.splits(codebook)
            i, j = ends[:-1], ends[1:]
            moves = (i < j) & (codebook != pinned) if pinned is not None else i < j
            centers = codebook.copy()
            centers[moves] = self.center(i[moves], j[moves], distance, reach)
            centers = np.unique(centers)
            if centers.shape == codebook.shape and (centers == codebook).all():
                break
            codebook = centers
        return codebook


def best_codebook(line: Line, k: int, distance: Distance, pinned: float | None = None) -> np.ndarray:
    """The codebook of at most k values that minimizes sum of weight * min_j r(|point - c_j|).

    Exact by dynamic programming over interval ends, in O(k n^2) for n distinct values up to 2048; beyond that the
    optimum of 2048 bins, improved by descent on all values.

    Parameters
    ----------
    line : Line
    k : int
        At least 1, counting the pinned value.
    distance : {"absolute", "squared"}
    pinned : float, optional
        A representative that must be in the codebook, such as 0.

    Returns
    -------
    float64 array, rising, of at most k values
        Fewer where there are fewer distinct values.

    Notes
    -----
    docs/theory.md, Proposition 5.2. Groenlund et al., arXiv 1701.07204.
    """
    bins = line.binned(_EXACT)
    n = bins.points.size
    i, j = np.triu_indices(n)
    cost = np.full((n, n + 1), np.inf)
    cost[i, j + 1] = bins.cost_about(i, j + 1, bins.center(i, j + 1, distance), distance)
    if pinned is None:
        intervals = _cheapest_intervals(cost, None, min(k, n))
    else:
        about_pinned = np.full((n, n + 1), np.inf)
        about_pinned[i, j + 1] = bins.cost_about(i, j + 1, np.full(i.shape, pinned), distance)
        intervals = _cheapest_intervals(cost, about_pinned, min(k - 1, n))
    begin, end = np.array([i for i, _ in intervals], dtype=int), np.array([j for _, j in intervals], dtype=int)
    codebook = bins.center(begin, end, distance) if intervals else np.empty(0)
    codebook = np.unique(codebook if pinned is None else np.append(codebook, pinned))
    return codebook if bins is line else line.descend(codebook, distance, 0.0, pinned)


def _cheapest_intervals(cost: np.ndarray, about_pinned: np.ndarray | None, k: int) -> list[tuple[int, int]]:
    """The k intervals (i, j) of least total cost that partition the points, but for one interval about the pinned.

    plain[c][j] is the least cost of points[:j] in c intervals, pinned[c][j] the same where the points of one more
    interval, perhaps an empty one, went to the pinned value.
    """
    n = cost.shape[0]
    columns = np.arange(n + 1)
    origin = np.full(n + 1, np.inf)
    origin[0] = 0.0
    plain, plain_from = [origin], [columns]
    pinned: list[np.ndarray] = []
    pinned_from: list[np.ndarray] = []
    pinned_by: list[np.ndarray] = []  # whether the last interval went to the pinned value
    for c in range(k + 1):
        if c > 0:
            totals = plain[-1][:-1, None] + cost
            plain_from.append(totals.argmin(axis=0))
            plain.append(totals[plain_from[-1], columns])
        if about_pinned is not None:
            totals = plain[-1][:-1, None] + about_pinned
            source = totals.argmin(axis=0)
            best = totals[source, columns]
            source, best = np.where(plain[-1] <= best, columns, source), np.minimum(plain[-1], best)
            by = np.ones(n + 1, dtype=bool)
            if c > 0:
                totals = pinned[-1][:-1, None] + cost
                other = totals.argmin(axis=0)
                by = best <= totals[other, columns]
                source, best = np.where(by, source, other), np.minimum(best, totals[other, columns])
            pinned.append(best)
            pinned_from.append(source)
            pinned_by.append(by)
    intervals, c, j, with_pinned = [], k, n, about_pinned is not None
    while c > 0 or with_pinned:
        if with_pinned and pinned_by[c][j]:
            j, with_pinned = int(pinned_from[c][j]), False
            continue
        i = int((pinned_from if with_pinned else plain_from)[c][j])
        intervals.append((i, j))
        c, j = c - 1, i
    return intervals
