"""The entropy-coded clustering penalty: representatives have prices, such as the lengths of their code words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, device_of, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_nonnegative, check_number, check_step
from parsimo.penalties.clustering import as_codebook
from parsimo.penalties.separable import Separable

__all__ = ["EntropyCodebook"]


@dataclass(frozen=True, eq=False)
class EntropyCodebook(Separable):
    """g(x) = weight sum_i min_j {(x_i - c_j)^2 / 2 + prices_j}.

    With tau = step_size weight, the representative c_j of least (v - c_j)^2 / (2 (1 + tau)) + prices_j wins, and the
    prox is (v + tau c_j) / (1 + tau). The inputs that one representative wins form an interval (docs/theory.md,
    Propositions 4.6 and 5.9); at a boundary of two both results are optimal, and `prox` takes the lower one.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative.
    codebook : 1-D array
        The representatives, finite; sorted here, and of equal ones the cheapest is kept.
    prices : 1-D array
        One nonnegative price for each representative, in units of squared distance: a multiple of -log of its
        frequency makes this the assignment of entropy-constrained scalar quantization. Sorted with the codebook.

    Raises
    ------
    ValueError
        If the codebook is empty, not 1-D or not finite, prices do not fit it, or a weight or a price is negative.
    """

    weight: float | Array
    codebook: Array
    prices: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", check_nonnegative(self.weight, "EntropyCodebook: weight"))
        codebook, prices = (
            as_codebook(self.codebook, "EntropyCodebook"),
            to_numpy(check_nonnegative(self.prices, "EntropyCodebook: prices")).astype(np.float64),
        )
        if prices.shape != codebook.shape:
            raise ValueError(
                f"EntropyCodebook: prices must have one entry for each of the {codebook.size} representatives, got "
                f"shape {prices.shape}"
            )
        order = np.lexsort((prices, codebook))
        codebook, first = np.unique(codebook[order], return_index=True)
        prices = prices[order][first]
        object.__setattr__(self, "codebook", codebook)
        object.__setattr__(self, "prices", prices)

    @property
    def traits(self) -> Traits:
        """Convex only if one representative wins everywhere; concave kinks between cells otherwise; not Lipschitz."""
        single = len(self._cells(0.0)[0]) == 1
        return Traits(convex=single, weak_convexity=0.0 if single else math.inf, lipschitz=math.inf)

    def assignments(self, x: Array) -> Array:
        """The index of the representative that x_i is charged for; the lower one at a boundary."""
        return self._winners(x, 0.0)

    def terms(self, x: Array) -> Array:
        """weight_i min_j {(x_i - c_j)^2 / 2 + prices_j} for each entry."""
        winners = self._winners(x, 0.0)
        distance = x - _take(self.codebook, winners, x)
        return self._parameter("weight", x) * (distance * distance / 2 + _take(self.prices, winners, x))

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """weight_i (x_i - c_j), of the cell on the left and of the one on the right."""
        below = _take(self.codebook, self._winners(x, 0.0), x)
        above = _take(self.codebook, self._winners(x, 0.0, side="right"), x)
        weight = self._parameter("weight", x)
        return weight * (x - below), weight * (x - above)

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """argmin_x g(x) + |x - v|^2 / (2 step_size); the lower solution at a boundary."""
        v = check_step(v, step_size, "EntropyCodebook.prox")
        if isinstance(self.weight, float) and not getattr(step_size, "ndim", 0):
            winners = self._winners(v, float(step_size) * self.weight)
        else:
            winners = self._cheapest(v, asarray_like(step_size, v) * self._parameter("weight", v))
        tau = asarray_like(step_size, v) * self._parameter("weight", v)
        return (v + tau * _take(self.codebook, winners, v)) / (1 + tau)

    def prox_set(self, v: float, step_size: float) -> tuple[float, ...]:
        """All minimizers for one number v, rising: one for each representative that ties.

        Costs are compared with that of the winner of `prox`, with the v^2 that they share taken out.
        """
        v = float(check_step(v, step_size, "EntropyCodebook.prox_set"))
        tau = float(step_size) * check_number(self.weight, "EntropyCodebook.prox_set: weight")
        winner = int(self._winners(np.asarray([v]), tau)[0])
        c, prices = self.codebook, self.prices
        apart = (c[winner] - c) / (1 + tau)
        excess = apart * ((v - c) + (v - c[winner])) / 2 + (prices - prices[winner])
        size = np.abs(apart) * (abs(v) + np.abs(c) + abs(c[winner])) + prices + prices[winner]
        rounding = 4 * np.finfo(float).eps * size
        tied = excess - rounding <= (excess + rounding).min()
        return tuple(float(x) for x in np.unique((v + tau * c[tied]) / (1 + tau)))

    def _winners(self, v: Array, tau: float, side: str = "left") -> Array:
        """argmin_j (v - c_j)^2 / (2 (1 + tau)) + prices_j by binary search among the cells, in O(n log k)."""
        xp = array_namespace(v)
        cells, boundaries = self._cells(tau)
        found = xp.searchsorted(asarray_like(boundaries, v), v, side=side)
        index = xp.asarray(cells, device=device_of(v))
        return xp.reshape(xp.take(index, xp.reshape(found, (-1,))), v.shape)

    def _cells(self, tau: float) -> tuple[list[int], np.ndarray]:
        """The representatives that win some interval of v, rising, and the boundaries between these intervals.

        Between c_i < c_j the parabolas cross once; this is the lower convex hull of k points, one scan.
        """

        def crossing(i: int, j: int) -> float:
            gap = self.codebook[j] - self.codebook[i]
            return float(
                (self.codebook[i] + self.codebook[j]) / 2 + (1 + tau) * (self.prices[j] - self.prices[i]) / gap
            )

        cells: list[int] = [0]
        boundaries: list[float] = []
        for j in range(1, self.codebook.size):
            while boundaries and crossing(cells[-1], j) <= boundaries[-1]:
                cells.pop()  # never strictly the best
                boundaries.pop()
            boundaries.append(crossing(cells[-1], j))
            cells.append(j)
        return cells, np.asarray(boundaries)

    def _cheapest(self, v: Array, tau: Array) -> Array:
        """The same winners where every entry has cells of its own: one pass for each representative, in O(n k) time."""
        xp = array_namespace(v)
        winners = xp.zeros_like(v, dtype=xp.int64)
        least = xp.full_like(v, math.inf)
        for j in range(self.codebook.size):
            cost = (v - float(self.codebook[j])) ** 2 / (2 * (1 + tau)) + float(self.prices[j])
            winners = xp.where(cost < least, xp.full_like(winners, j), winners)
            least = xp.minimum(cost, least)
        return winners


def _take(values: np.ndarray, index: Array, like: Array) -> Array:
    """values[index] as an array like the given one."""
    xp = array_namespace(like)
    return xp.reshape(xp.take(asarray_like(values, like), xp.reshape(index, (-1,))), like.shape)
