"""The clustering penalty: distance of each coordinate from the nearest of k representatives."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_nonnegative, check_number, check_step
from parsimo.penalties.separable import Separable, by_blocks

__all__ = ["Clustering", "Distance", "as_codebook", "check_distance"]

Distance = Literal["absolute", "squared"]


@dataclass(frozen=True, eq=False)
class Clustering(Separable):
    """g(x) = weight sum_i r(d_i), d_i = min_j |x_i - c_j|, with r(d) = d ("absolute") or d^2/2 ("squared").

    The representative nearest to the prox input v wins, c say. With tau = step_size weight, the prox is
    c + sign(v - c) (|v - c| - tau)_+ for the absolute distance and (v + tau c) / (1 + tau) for the squared one;
    at a midpoint of two representatives both results are optimal and `prox` returns the lower one.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative. With the absolute distance, a weight above the coordinatewise Lipschitz constant of f puts
        every coordinate of a global minimizer on a representative (docs/theory.md, 5).
    codebook : 1-D array
        The representatives, finite; sorted here, duplicates removed. Put 0 in it to anchor zero.
    distance : {"absolute", "squared"}

    Raises
    ------
    ValueError
        If the codebook is empty, not 1-D or not finite, or the distance is unknown.
    """

    per_coordinate = ("weight",)

    weight: float | Array
    codebook: Array
    distance: Distance = "absolute"
    _midpoints: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", check_nonnegative(self.weight, "Clustering: weight"))
        check_distance(self.distance, "Clustering")
        codebook = np.unique(as_codebook(self.codebook, "Clustering"))
        midpoints = (codebook[1:] + codebook[:-1]) / 2
        like: Any = self.codebook if hasattr(self.codebook, "dtype") else codebook
        if not np.issubdtype(to_numpy(like).dtype, np.floating):
            like = codebook
        object.__setattr__(self, "codebook", asarray_like(codebook, like))
        object.__setattr__(self, "_midpoints", asarray_like(midpoints, like))

    @property
    def traits(self) -> Traits:
        """Convex only with one representative; concave kinks at the midpoints otherwise."""
        single = self.codebook.shape[0] == 1
        absolute = self.distance == "absolute"
        return Traits(
            convex=single,
            weak_convexity=0.0 if single else math.inf,
            lipschitz=float(to_numpy(self.weight).max()) if absolute else math.inf,
        )

    def assignments(self, x: Array) -> Array:
        """The index of the nearest representative for each entry; the lower one at a midpoint."""
        xp = array_namespace(x)
        return xp.searchsorted(asarray_like(self._midpoints, x), x, side="left")

    def nearest(self, x: Array) -> Array:
        """The nearest representative for each entry, bit-equal to an entry of the codebook."""
        xp = array_namespace(x)
        index = self.assignments(x)
        return xp.reshape(xp.take(asarray_like(self.codebook, x), xp.reshape(index, (-1,))), x.shape)

    def distances(self, x: Array) -> Array:
        """d_i = min_j |x_i - c_j|."""
        return array_namespace(x).abs(x - self.nearest(x))

    def terms(self, x: Array) -> Array:
        """weight_i r(d_i) for each entry."""
        d = self.distances(x)
        return self._parameter("weight", x) * (d if self.distance == "absolute" else d * d / 2)

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """The left and the right derivative at each entry; they differ on representatives and at midpoints."""
        xp, weight, below = array_namespace(x), self._parameter("weight", x), self.nearest(x)
        above = self._upper_tie(x, below)
        if self.distance == "squared":
            return weight * (x - below), weight * (x - above)
        one = xp.ones_like(x)
        return weight * xp.where(x <= below, -one, one), weight * xp.where(x < above, -one, one)

    @by_blocks
    def prox(self, v: Array, step_size: float | Array) -> Array:
        """argmin_x g(x) + |x - v|^2 / (2 step_size); the lower solution at a midpoint."""
        v = check_step(v, step_size, "Clustering.prox")
        tau = asarray_like(step_size, v) * self._parameter("weight", v)
        return self._pull(v, self.nearest(v), tau)

    def prox_set(self, v: float, step_size: float) -> tuple[float, ...]:
        """All minimizers for one number v, in rising order: two at a midpoint, else one."""
        v = float(check_step(v, step_size, "Clustering.prox_set"))
        tau = float(step_size) * check_number(self.weight, "Clustering.prox_set: weight")
        codebook = to_numpy(self.codebook).astype(np.float64)
        within = np.clip(v, codebook[0], codebook[-1])  # nearest to v is what is nearest to this, and far off none ties
        gaps = np.abs(codebook - within)
        tied = codebook[gaps <= gaps.min() + 4 * np.finfo(float).eps * max(abs(within), gaps.min())]
        points = self._pull(np.full(tied.shape, v), tied, np.full(tied.shape, tau))
        return tuple(float(p) for p in np.unique(points))

    def _pull(self, v: Array, c: Array, tau: Array) -> Array:
        xp = array_namespace(v)
        if self.distance == "squared":
            return (v + tau * c) / (1 + tau)
        excess = v - c
        # c itself, bit for bit, when the step reaches it: adding a zero would do, but -0.0 + c is not always c
        return xp.where(xp.abs(excess) <= tau, c, xp.where(excess < 0, v + tau, v - tau))

    def _upper_tie(self, x: Array, below: Array) -> Array:
        """The representative above where x is a midpoint, else the nearest one again."""
        xp = array_namespace(x)
        if self.codebook.shape[0] == 1:
            return below
        index = xp.reshape(xp.clip(self.assignments(x), None, self.codebook.shape[0] - 2), (-1,))
        midpoint = xp.reshape(xp.take(asarray_like(self._midpoints, x), index), x.shape)
        above = xp.reshape(xp.take(asarray_like(self.codebook, x), index + 1), x.shape)
        return xp.where(x == midpoint, above, below)


def as_codebook(codebook: Array, owner: str) -> np.ndarray:
    """The representatives as float64 numbers.

    Raises
    ------
    ValueError
        If there are none, they are not 1-D, or one is NaN or infinite.
    """
    numbers = to_numpy(codebook).astype(np.float64)
    if numbers.ndim != 1 or numbers.size == 0 or not np.isfinite(numbers).all():
        raise ValueError(f"{owner}: codebook must be a nonempty 1-D array of finite numbers, got {codebook!r}")
    return numbers + 0.0  # turns -0.0 into 0.0


def check_distance(distance: str, owner: str) -> None:
    """Refuse a distance other than the two that exist."""
    if distance not in ("absolute", "squared"):
        raise ValueError(f'{owner}: distance must be "absolute" or "squared", got {distance!r}')
