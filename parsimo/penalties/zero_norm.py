"""The zero norm: weight times the number of nonzeros."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from parsimo._array import Array, array_namespace
from parsimo.core.functions import Traits
from parsimo.penalties.even import EvenPenalty

__all__ = ["ZeroNorm", "hard_threshold"]


@dataclass(frozen=True, eq=False)
class ZeroNorm(EvenPenalty):
    """g(x) = weight |x|_0, the weighted count of nonzeros.

    The prox is hard thresholding at sqrt(2 step_size weight), where {0, v} tie.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative; the price of one nonzero.

    Examples
    --------
    >>> ZeroNorm(2.0).prox_set(2.0, 1.0)
    (0.0, 2.0)
    """

    @property
    def traits(self) -> Traits:
        """Neither convex nor weakly convex, and not Lipschitz."""
        return Traits(convex=False, weak_convexity=math.inf, lipschitz=math.inf)

    def sublevel_radius(self, level: float) -> float:
        """The largest |x| with g(x) <= level: 0 where no coordinate may be nonzero, else infinity."""
        return self._radius(level, lambda height: 0.0 if height < 1 else math.inf)

    def _h(self, t: Array) -> Array:
        xp = array_namespace(t)
        return xp.where(t > 0, xp.ones_like(t), t)  # t itself where t = 0 or NaN

    def _slopes(self, t: Array) -> tuple[Array, ...]:
        return (array_namespace(t).zeros_like(t),)

    def _slope_at_zero(self) -> float:
        return math.inf

    def _shrink(self, v: Array, tau: Array) -> Array:
        return hard_threshold(v, tau)

    def _stationary(self, v: float, tau: float) -> Iterable[float]:
        return ()

    def _threshold(self, tau: float) -> float:
        return math.sqrt(2 * tau)


def hard_threshold(v: Array, tau: Array) -> Array:
    """argmin over x >= 0 of tau 1[x != 0] + (x - v)^2 / 2, for v >= 0; 0 at a tie."""
    xp = array_namespace(v)
    return xp.where(v <= xp.sqrt(2 * tau), xp.zeros_like(v), v)
