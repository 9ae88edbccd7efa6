"""The constraint of at most k nonzeros."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, norm, to_numpy, top_k_mask
from parsimo.core.functions import Traits
from parsimo.core.problem import count_nonzero
from parsimo.core.validation import check_step
from parsimo.penalties.ties import check_listable

__all__ = ["ZeroNormBall"]


@dataclass(frozen=True, eq=False)
class ZeroNormBall:
    """g(x) = 0 if |x|_0 <= k, infinity otherwise.

    The prox keeps the k largest |v_i|; in a diagonal metric, with steps t_i, the k largest v_i^2 / t_i
    (docs/theory.md, Proposition 4.15).

    Parameters
    ----------
    k : int
        Nonnegative; how many coordinates may be nonzero.

    Raises
    ------
    TypeError, ValueError
        If k is not an integer, or negative.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroNormBall(2).prox(np.array([1.0, -3.0, 2.0]), 1.0)
    array([ 0., -3.,  2.])
    """

    k: int

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int | np.integer):
            raise TypeError(f"ZeroNormBall: k must be an integer, got {self.k!r}")
        if self.k < 0:
            raise ValueError(f"ZeroNormBall: k must be >= 0, got {self.k}")
        object.__setattr__(self, "k", int(self.k))

    @property
    def traits(self) -> Traits:
        """Convex for k = 0 alone, whatever the size of x; an indicator is not Lipschitz."""
        convex = self.k == 0
        return Traits(convex=convex, separable=convex, weak_convexity=0.0 if convex else math.inf, lipschitz=math.inf)

    def value(self, x: Array) -> float:
        """0 or infinity; NaN where x has a NaN."""
        xp = array_namespace(x)
        if bool(xp.any(xp.isnan(x))):
            return math.nan
        return 0.0 if count_nonzero(x) <= self.k else math.inf

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """A nearest point with at most k nonzeros; of tied coordinates those of lower index are kept.

        Parameters
        ----------
        v : array
            Any shape.
        step_size : float or array of the shape of v
            Positive; an array is a diagonal metric, one number does not matter.
        """
        v = check_step(v, step_size, "ZeroNormBall.prox")
        return _keep(v, top_k_mask(_gains(v, step_size), self.k))

    def prox_set(self, v: Array, step_size: float | Array) -> tuple[Array, ...]:
        """All nearest points, by kept coordinates in lexicographic order.

        Gains |v_i| / sqrt(t_i) tie when they agree to 8 units in the last place.

        Raises
        ------
        ValueError
            If there are more than 10,000.
        """
        v = check_step(v, step_size, "ZeroNormBall.prox_set")
        gains = to_numpy(_gains(v, step_size)).astype(np.float64)
        if np.count_nonzero(gains) <= self.k:
            return (v + 0.0,)
        last = np.sort([*gains, math.inf])[-1 - self.k]  # the k-th largest gain
        slack = 8 * float(array_namespace(v).finfo(v.dtype).eps) * last
        certain, tied = np.flatnonzero(gains > last + slack), np.flatnonzero(np.abs(gains - last) <= slack)
        places = self.k - certain.size
        check_listable(math.comb(tied.size, places), "ZeroNormBall")
        masks = np.zeros((math.comb(tied.size, places), gains.size))
        masks[:, certain] = 1.0
        for mask, chosen in zip(masks, itertools.combinations(tied, places), strict=True):
            mask[list(chosen)] = 1.0
        return tuple(_keep(v, asarray_like(mask, v) > 0) for mask in masks)

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the limiting normal cone at x, the union of {s : s_J = 0} over the J that contain
        the support of x and have k elements, or are everything; infinity outside the ball.

        The best J joins to the support the coordinates of smallest |grad_i| (docs/theory.md, Proposition 4.15).
        """
        xp = array_namespace(x)
        return self._norm_on_best(x, grad, -xp.abs(grad))

    def descent_rate(self, x: Array, grad: Array) -> float:
        """The steepest rate at which <grad, .> falls along a ray that stays in the ball; infinity outside.

        The best ray joins to the support the coordinates of largest |grad_i|.
        """
        xp = array_namespace(x)
        return self._norm_on_best(x, grad, xp.abs(grad))

    def _norm_on_best(self, x: Array, grad: Array, scores: Array) -> float:
        """|grad_J| for the support of x and the coordinates of the best scores besides, k in all."""
        value, xp = self.value(x), array_namespace(x)
        if value != 0:
            return value  # infinity outside the ball
        scores = xp.where(x != 0, xp.full_like(scores, math.inf), scores)
        return norm(_keep(grad, top_k_mask(xp.reshape(scores, (-1,)), self.k)))


def _gains(v: Array, step_size: float | Array) -> Array:
    """|v_i| / sqrt(t_i), flat: the root of twice what keeping v_i saves."""
    xp = array_namespace(v)
    size = xp.abs(v)
    gains = size / xp.sqrt(asarray_like(step_size, v)) if getattr(step_size, "ndim", 0) > 0 else size
    return xp.reshape(gains, (-1,))


def _keep(v: Array, mask: Array) -> Array:
    """v where the flat mask is true, 0 elsewhere."""
    xp = array_namespace(v)
    return xp.where(xp.reshape(mask, tuple(v.shape)), v, xp.zeros_like(v)) + 0.0  # + 0.0 turns -0.0 into 0.0
