"""The l_q penalty with 0 < q < 1."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from parsimo._array import Array, array_namespace, detached
from parsimo.core.functions import Traits
from parsimo.core.validation import check_number
from parsimo.penalties.even import EvenPenalty
from parsimo.penalties.roots import largest_root

__all__ = ["Lq"]


@dataclass(frozen=True, eq=False)
class Lq(EvenPenalty):
    """g(x) = sum weight |x|^q with 0 < q < 1.

    With tau = step_size weight and v >= 0, let x_t = (2 tau (1 - q))^(1/(2 - q)) and v_t = (2 - q) x_t / (2 (1 - q)).
    The prox, for every step, is 0 for v < v_t and the largest root of x + tau q x^(q - 1) = v beyond; at v_t the two
    points 0 and x_t tie. The root is in closed form for q = 1/2 and q = 2/3, else found by Newton's method.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative.
    q : float
        In (0, 1).

    Raises
    ------
    ValueError
        If q is not in (0, 1); q = 1 is `L1`, and q = 0 is `ZeroNorm`.

    Notes
    -----
    docs/theory.md, Proposition 4.1. The root is sought as x = s v, so that no power of v over- or underflows.

    Examples
    --------
    >>> Lq(1.0, 0.5).prox_set(1.5, 1.0)
    (0.0, 1.0)
    """

    q: float

    def __post_init__(self) -> None:
        super().__post_init__()
        q = check_number(self.q, "Lq: q")
        if not 0 < q < 1:
            raise ValueError(f"Lq: q must lie in (0, 1), got {q}; take L1 for q = 1 and ZeroNorm for q = 0")
        object.__setattr__(self, "q", q)

    @property
    def traits(self) -> Traits:
        """Neither convex nor weakly convex, and not Lipschitz: the slope at 0 is infinite."""
        return Traits(convex=False, weak_convexity=math.inf, lipschitz=math.inf)

    def sublevel_radius(self, level: float) -> float:
        """The largest |x| with g(x) <= level (docs/theory.md, Proposition 4.2)."""
        return self._radius(level, self._inverse)

    def _inverse(self, height: float) -> float:
        return height ** (1 / self.q) if height < 1e308**self.q else math.inf  # beyond the range of a float

    def _h(self, t: Array) -> Array:
        xp = array_namespace(t)
        return xp.where(t > 0, xp.where(t > 0, t, xp.ones_like(t)) ** self.q, t)  # no power of 0 in the graph

    def _slopes(self, t: Array) -> tuple[Array, ...]:
        xp = array_namespace(t)
        return (self.q * xp.where(t > 0, t, xp.ones_like(t)) ** (self.q - 1),)

    def _slope_at_zero(self) -> float:
        return math.inf

    def _shrink(self, v: Array, tau: Array) -> Array:
        xp = array_namespace(v)
        jump = self._jump(tau)
        to_zero = v <= jump * (1 + 4 * float(xp.finfo(v.dtype).eps))  # 0 wins a tie
        share = self._share(jump / xp.where(to_zero, jump + 1, v))  # where 0 wins, any v beyond the jump
        return xp.where(to_zero, xp.zeros_like(v), share * v)

    def _share(self, r: Array) -> Array:
        """x / v at v = v_t / r, r <= 1: the largest root of s + beta s^(q - 1) = 1 with beta = q tau v^(q - 2)."""
        xp, q = array_namespace(r), self.q
        beta = q * (2 * (1 - q)) ** (1 - q) * (2 - q) ** (q - 2) * r ** (2 - q)

        def rates(s: Array) -> tuple[Array, Array]:
            slope = s ** (q - 1)
            return slope, (1 - q) * slope / s

        steps, start = 1, detached(r)
        if q == 1 / 2:
            start = 2 / 3 * (1 + xp.cos(2 / 3 * xp.acos(-(start**1.5) / math.sqrt(2))))
        elif q == 2 / 3:
            root = xp.sqrt(1 / 256 - start**4 / 432)
            z = (1 / 16 + root) ** (1 / 3) + (start**4 / 432 / (1 / 16 + root)) ** (1 / 3)
            edge = xp.sqrt(2 * z)
            start = (edge + xp.sqrt(2 / edge - 2 * z)) ** 3 / 8
        else:  # the error at most halves until it is below 1 - q, and is squared from then on
            steps, start = 7 + math.ceil(-math.log2(1 - q)), xp.ones_like(r)
        return largest_root(start, xp.ones_like(r), beta, rates, steps)

    def _jump(self, tau: Array) -> Array:
        q = self.q
        return (2 - q) / (2 * (1 - q)) * (2 * (1 - q) * tau) ** (1 / (2 - q))

    def _stationary(self, v: float, tau: float) -> Iterable[float]:
        jump = float(self._jump(np.asarray(tau)))
        # a tie may be seen from just below
        return (float(self._share(np.asarray([min(jump / v, 1.0)]))[0]) * v,) if v >= jump * (1 - 1e-12) > 0 else ()

    def _threshold(self, tau: float) -> float:
        return float(self._jump(np.asarray(tau)))
