"""The spread of fixed clusters: the clustering penalty once assignments are chosen, a convex function."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from parsimo._array import Array, asarray_like, to_numpy
from parsimo.core.functions import Traits
from parsimo.penalties.clustering import Clustering, Distance
from parsimo.penalties.codebook import Line

__all__ = ["ClusterSpread"]


@dataclass(frozen=True, eq=False)
class ClusterSpread:
    """g(x) = weight sum_j min_c sum_{i in cluster j} r(|x_i - c|), the representatives minimized out.

    r(d) = d or d^2/2. Jointly convex in x and c, hence convex in x; the pinned cluster's c is fixed. The prox moves
    the representatives too: they are the means of v, or the minimizers of a Huber sum of v (docs/theory.md, 5.3).

    Parameters
    ----------
    weight : float
        Nonnegative.
    codes : integer array of the shape of x
        The cluster of each coordinate.
    distance : {"absolute", "squared"}
    pinned : tuple of (int, float), optional
        A cluster and its fixed representative, such as (3, 0.0).
    """

    weight: float
    codes: np.ndarray
    distance: Distance
    pinned: tuple[int, float] | None = None

    @property
    def traits(self) -> Traits:
        """Convex; not separable."""
        lipschitz = self.weight if self.distance == "absolute" else math.inf
        return Traits(convex=True, separable=False, lipschitz=lipschitz)

    def value(self, x: Array) -> float:
        """g(x)."""
        points = to_numpy(x).astype(np.float64)
        d = np.abs(points - self.centers(points)[self.codes])
        return self.weight * float(np.sum(d if self.distance == "absolute" else d * d / 2))

    def prox(self, v: Array, step_size: float) -> Array:
        """argmin_x g(x) + |x - v|^2 / (2 step_size), jointly over x and the representatives."""
        points = to_numpy(v).astype(np.float64)
        centers = self.centers(points, reach=step_size * self.weight)
        x = np.empty_like(points)
        for code in np.unique(self.codes):
            members = self.codes == code
            alone = Clustering(self.weight, centers[code : code + 1], self.distance)
            x[members] = alone.prox(points[members], step_size)
        return asarray_like(x, v)

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the subdifferential of g at x.

        For the absolute distance it is, cluster by cluster, weight times {s : s_i = sign(x_i - c) off the
        representative, |s_i| <= 1 on it, sum s = 0}, without the last equation for the pinned cluster.
        """
        points, gradient = to_numpy(x).astype(np.float64), to_numpy(grad).astype(np.float64)
        centers = self.centers(points)
        excess = points - centers[self.codes]
        if self.distance == "squared" or not np.isfinite(gradient).all():
            return float(np.linalg.norm(gradient + self.weight * excess))
        squares = 0.0
        for code in np.unique(self.codes):
            members = self.codes == code
            balanced = self.pinned is None or code != self.pinned[0]
            squares += self._absolute_gap(gradient[members], np.sign(excess[members]), balanced)
        return math.sqrt(squares)

    def _absolute_gap(self, grad: np.ndarray, signs: np.ndarray, balanced: bool) -> float:
        """min over s of |grad + weight s|^2 for one cluster."""
        on = signs == 0
        off_gap = float(np.sum((grad[~on] + self.weight * signs[~on]) ** 2))
        if not on.any() or self.weight == 0:
            return off_gap + float(np.sum(grad[on] ** 2))

        def slopes(shift: float) -> np.ndarray:
            return np.clip(-(grad[on] + shift) / self.weight, -1.0, 1.0)

        if not balanced:
            return off_gap + float(np.sum((grad[on] + self.weight * slopes(0.0)) ** 2))
        target = -float(signs.sum())
        reach = float(np.abs(grad[on]).max()) + 2 * self.weight
        if abs(target) >= on.sum():  # every slope is at its end
            return off_gap + float(np.sum((grad[on] + self.weight * np.sign(target)) ** 2))
        from scipy.optimize import brentq  # imported late: it would take half of the time of `import parsimo`

        shift = brentq(lambda m: float(slopes(m).sum()) - target, -reach, reach, xtol=1e-300)
        return off_gap + float(np.sum((grad[on] + self.weight * slopes(shift)) ** 2))

    def centers(self, points: np.ndarray, reach: float = 0.0) -> np.ndarray:
        """The best representative of each cluster for these points; NaN for an empty cluster."""
        centers = np.full(int(self.codes.max(initial=-1)) + 1, np.nan)
        for code in np.unique(self.codes):
            line = Line.of(points[self.codes == code])
            ends = np.array([0]), np.array([line.points.size])
            centers[code] = line.center(*ends, self.distance, reach if self.distance == "absolute" else 0.0)[0]
        if self.pinned is not None and self.pinned[0] < centers.size:
            centers[self.pinned[0]] = self.pinned[1]
        return centers
