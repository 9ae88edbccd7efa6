"""The zero norm and a codebook at once: prune what can be zero, and quantize the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_nonnegative, check_number, check_step
from parsimo.penalties.clustering import Clustering, Distance
from parsimo.penalties.separable import Separable

__all__ = ["ZeroNormCodebook"]


@dataclass(frozen=True, eq=False)
class ZeroNormCodebook(Separable):
    """g(x) = weight |x|_0 + cluster_weight sum_i r(min_j |x_i - c_j|), with 0 among the representatives c_j.

    The prox is the better of 0 and the prox p of the clustering part, at which

        p (2 v - p) / 2 - step_size cluster_weight r(min_j |p - c_j|) > step_size weight;

    a tie of both at equality (docs/theory.md, Proposition 4.5).

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative; the price of one nonzero.
    cluster_weight : float or array of the shape of x
        Nonnegative; the price of distance from the codebook.
    codebook : 1-D array
        The representatives, finite, 0 among them; sorted here, duplicates removed.
    distance : {"absolute", "squared"}
        r(d) = d or d^2 / 2.

    Raises
    ------
    ValueError
        If 0 is not in the codebook, a weight is negative, or as `Clustering` raises.
    """

    weight: float | Array
    cluster_weight: float | Array
    codebook: Array
    distance: Distance = "absolute"
    _clustering: Clustering = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("weight", "cluster_weight"):
            checked = check_nonnegative(getattr(self, name), f"ZeroNormCodebook: {name}")
            object.__setattr__(self, name, checked)
        clustering = Clustering(self.cluster_weight, self.codebook, self.distance)
        if not (to_numpy(clustering.codebook) == 0).any():
            raise ValueError(
                f"ZeroNormCodebook: 0 must be in the codebook, or zeros would be charged for their distance; got "
                f"{self.codebook!r}, so append 0.0"
            )
        object.__setattr__(self, "codebook", clustering.codebook)
        object.__setattr__(self, "_clustering", clustering)

    @property
    def traits(self) -> Traits:
        """Neither convex nor weakly convex, and not Lipschitz."""
        return Traits(convex=False, weak_convexity=math.inf, lipschitz=math.inf)

    def assignments(self, x: Array) -> Array:
        """The index of the nearest representative for each entry; the lower one at a midpoint."""
        return self._clustering.assignments(x)

    def nearest(self, x: Array) -> Array:
        """The nearest representative for each entry, bit-equal to an entry of the codebook."""
        return self._clustering.nearest(x)

    def terms(self, x: Array) -> Array:
        """The value of each coordinate."""
        xp = array_namespace(x)
        zero = xp.zeros_like(x)
        return self._clustering.terms(x) + xp.where(x != 0, self._parameter("weight", x) + zero, zero)

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """Those of the clustering part; infinite at 0."""
        xp = array_namespace(x)
        left, right = self._clustering.slopes(x)
        jump = (x == 0) & (self._parameter("weight", x) > 0)
        infinity = xp.full_like(x, math.inf)
        return xp.where(jump, -infinity, left), xp.where(jump, infinity, right)

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """argmin_x g(x) + |x - v|^2 / (2 step_size); 0 at a tie, the lower solution at a midpoint."""
        v = check_step(v, step_size, "ZeroNormCodebook.prox")
        xp, step = array_namespace(v), asarray_like(step_size, v)
        price = step * self._parameter("weight", v)
        p = self._clustering.prox(v, step_size)
        to_zero = (p * (2 * v - p) / 2 - step * self._clustering.terms(p) <= price) & (price > 0)
        return xp.where(to_zero, xp.zeros_like(v), p)

    def prox_set(self, v: float, step_size: float) -> tuple[float, ...]:
        """All minimizers for one number v, rising: 0, the points of the clustering prox, or both."""
        v, step = float(check_step(v, step_size, "ZeroNormCodebook.prox_set")), float(step_size)
        price = step * check_number(self.weight, "ZeroNormCodebook.prox_set: weight")
        points = np.asarray(sorted({0.0, *self._clustering.prox_set(v, step)}))
        size = np.abs(points)
        spread = step * to_numpy(self._clustering.terms(points))
        gain = points * (2 * v - points) / 2 - spread - np.where(points == 0, 0.0, price)
        rounding = 8 * np.finfo(float).eps * (size * np.maximum(abs(v), size) + spread)
        best = int(gain.argmax())
        return tuple(float(p) for p in points[gain + rounding >= gain[best] - rounding[best]])
