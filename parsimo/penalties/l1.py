"""The l1 norm."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from parsimo._array import Array, array_namespace, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_number, check_step
from parsimo.penalties.even import EvenPenalty

__all__ = ["L1", "soft_threshold"]


@dataclass(frozen=True, eq=False)
class L1(EvenPenalty):
    """g(x) = weight |x|_1.

    The prox is soft thresholding at step_size weight.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative.
    """

    @property
    def traits(self) -> Traits:
        """Convex and Lipschitz."""
        return Traits(convex=True, lipschitz=float(to_numpy(self.weight).max()))

    def sublevel_radius(self, level: float) -> float:
        """level / (the least weight): the largest |x| with g(x) <= level (docs/theory.md, Proposition 4.2)."""
        return self._radius(level, lambda height: height)

    def _h(self, t: Array) -> Array:
        return t

    def _slopes(self, t: Array) -> tuple[Array, ...]:
        return (array_namespace(t).ones_like(t),)

    def _slope_at_zero(self) -> float:
        return 1.0

    def _prox(self, v: Array, tau: Array) -> Array:
        """v less its projection onto [-tau, tau], the ball of the dual norm."""
        xp = array_namespace(v)
        return v - xp.minimum(xp.maximum(v, -tau), tau)

    def _shrink(self, v: Array, tau: Array) -> Array:
        return soft_threshold(v, tau)

    def _stationary(self, v: float, tau: float) -> Iterable[float]:
        return (v - tau,)

    def _threshold(self, tau: float) -> float:
        return tau

    def prox_set(self, v: float, step_size: float) -> tuple[float, ...]:
        """The one minimizer, since the objective is strongly convex."""
        v, weight = float(check_step(v, step_size, "L1.prox_set")), check_number(self.weight, "L1.prox_set: weight")
        return (math.copysign(max(abs(v) - step_size * weight, 0.0), v) + 0.0,)


def soft_threshold(v: Array, tau: Array) -> Array:
    """argmin over x >= 0 of tau x + (x - v)^2 / 2, for v >= 0."""
    return array_namespace(v).maximum(v - tau, 0.0)
