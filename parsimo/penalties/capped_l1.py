"""The capped l1 penalty."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from parsimo._array import Array, array_namespace, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_positive
from parsimo.penalties.even import FlatPenalty
from parsimo.penalties.zero_norm import hard_threshold

__all__ = ["CappedL1"]


@dataclass(frozen=True, eq=False)
class CappedL1(FlatPenalty):
    """g(x) = sum weight min(|x| / a, 1), with a the flat point.

    With tau = step_size weight and v >= 0, the prox is

    * tau <= 2 a^2: 0 up to tau/a, v - tau/a up to a + tau/(2a), v beyond; a tie of the last two where they meet;
    * tau > 2 a^2: the prox of the zero norm.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative; the price of one coordinate beyond the flat point.
    flat_point : float
        Positive.

    Notes
    -----
    The surrogate of phi(t) = t (docs/theory.md, 2). Not weakly convex: it has a concave kink at a.
    """

    @classmethod
    def from_slope_cap(cls, slope: float, cap: float) -> CappedL1:
        """The penalty sum min(slope |x|, cap), the form of T. Zhang (2010)."""
        check_positive(slope, "CappedL1.from_slope_cap: slope")
        check_positive(cap, "CappedL1.from_slope_cap: cap")
        return cls(weight=cap, flat_point=cap / slope)

    @property
    def traits(self) -> Traits:
        """Lipschitz with constant weight/a; not weakly convex."""
        slope = float(to_numpy(self.weight).max()) / self.flat_point
        return Traits(convex=False, weak_convexity=math.inf, lipschitz=slope)

    def _h(self, t: Array) -> Array:
        return array_namespace(t).clip(t / self.flat_point, None, 1.0)

    def _slopes(self, t: Array) -> tuple[Array, ...]:
        xp = array_namespace(t)
        rising, flat = xp.full_like(t, 1 / self.flat_point), xp.zeros_like(t)
        left = xp.where(t <= self.flat_point, rising, flat)
        right = xp.where(t < self.flat_point, rising, flat)
        return left, right

    def _slope_at_zero(self) -> float:
        return 1 / self.flat_point

    def _shrink(self, v: Array, tau: Array) -> Array:
        xp, a = array_namespace(v), self.flat_point
        soft = xp.where(v <= tau / a, xp.zeros_like(v), v - tau / a)
        small_step = xp.where(v <= a + tau / (2 * a), soft, v)
        return xp.where(tau <= 2 * a * a, small_step, hard_threshold(v, tau))

    def _stationary(self, v: float, tau: float) -> Iterable[float]:
        return (v - tau / self.flat_point,)

    def _threshold(self, tau: float) -> float:
        a = self.flat_point
        return tau / a if tau <= 2 * a * a else math.sqrt(2 * tau)
