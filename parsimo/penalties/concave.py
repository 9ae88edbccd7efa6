"""What the log-sum and the exponential penalty share: a concave profile with convex slope, on a scale."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from parsimo._array import Array, array_namespace, detached, to_numpy
from parsimo.core.functions import Traits
from parsimo.penalties.even import EvenPenalty
from parsimo.penalties.roots import jump_size

__all__ = ["ConcaveProfile"]


@dataclass(frozen=True, eq=False)
class ConcaveProfile(EvenPenalty):
    """g(x) = sum weight H(|x| / scale), H smooth and concave with H(0) = 0, H'(0) = 1, H''(0) = -1 and H' convex.

    With u = x / scale, w = v / scale >= 0 and k = step_size weight / scale^2, the prox is 0 or the largest root of
    u + k H'(u) = w (docs/theory.md, Proposition 4.1):

    * k <= 1: 0 up to w = k, the root beyond; continuous;
    * k > 1: the root where u^2/2 > k [H(u) - u H'(u)], else 0; a tie of both at equality.

    A member gives its scale, the profile H, the slope H' and the root.
    """

    @property
    @abstractmethod
    def _scale(self) -> float: ...

    @abstractmethod
    def _profile(self, u: Array) -> Array: ...

    @abstractmethod
    def _profile_slope(self, u: Array) -> Array: ...

    @abstractmethod
    def _root(self, w: Array, k: Array) -> tuple[Array, Array]:
        """The largest root u >= 0 of u + k H'(u) = w, and whether there is none; any number where there is none."""

    @property
    def traits(self) -> Traits:
        """Weakly convex with modulus weight/scale^2, Lipschitz with constant weight/scale."""
        weight, scale = float(to_numpy(self.weight).max()), self._scale
        return Traits(convex=False, weak_convexity=weight / scale**2, lipschitz=weight / scale)

    def _h(self, t: Array) -> Array:
        return self._profile(t / self._scale)

    def _slopes(self, t: Array) -> tuple[Array, ...]:
        return (self._profile_slope(t / self._scale) / self._scale,)

    def _slope_at_zero(self) -> float:
        return 1 / self._scale

    def _shrink(self, v: Array, tau: Array) -> Array:
        xp, scale = array_namespace(v), self._scale
        w, k = v / scale, tau / scale**2
        infinite = xp.isinf(v)
        u, missing = self._root(xp.where(infinite, k + 1, w), k)
        no_better = self._gain(detached(u), k) <= 4 * float(xp.finfo(v.dtype).eps) * w  # 0 wins a tie
        to_zero = xp.where(k <= 1, w <= k, missing | no_better)
        x = xp.where(to_zero, xp.zeros_like(v), u * scale)
        return xp.where((k == 0) | infinite, v, x)  # u * scale is v but for rounding

    def _gain(self, u: Array, k: Array | float) -> Array:
        """What the prox objective gains at the root u over 0, by u: u/2 - k [H(u)/u - H'(u)]."""
        xp = array_namespace(u)
        return u / 2 - k * (self._profile(u) / xp.where(u > 0, u, xp.ones_like(u)) - self._profile_slope(u))

    def _stationary(self, v: float, tau: float) -> Iterable[float]:
        scale = self._scale
        root, missing = self._root(np.asarray([v / scale]), np.asarray([tau / scale**2]))
        return () if missing[0] else (float(root[0]) * scale,)

    def _threshold(self, tau: float) -> float:
        scale = self._scale
        k = tau / scale**2
        if k <= 1:
            return tau / scale
        u = jump_size(lambda u: float(self._gain(np.asarray(u), k)))
        return (u + k * float(self._profile_slope(np.asarray(u)))) * scale

    def sublevel_radius(self, level: float) -> float:
        """The largest |x| with g(x) <= level (docs/theory.md, Proposition 4.2)."""
        return self._radius(level, lambda height: self._scale * self._inverse_profile(height))

    @abstractmethod
    def _inverse_profile(self, height: float) -> float:
        """The u with H(u) = height, infinity if H stays below."""
