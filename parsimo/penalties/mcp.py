"""The minimax concave penalty."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from parsimo._array import Array, array_namespace, epsilon, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_positive
from parsimo.penalties.even import FlatPenalty

__all__ = ["MCP"]


@dataclass(frozen=True, eq=False)
class MCP(FlatPenalty):
    """g(x) = sum weight h(|x|), h(t) = 2u - u^2 with u = min(t/a, 1) and a the flat point.

    With tau = step_size weight and v >= 0, the prox is

    * 2 tau < a^2: 0 up to 2 tau/a, (v - 2 tau/a) / (1 - 2 tau/a^2) up to a, v beyond;
    * 2 tau >= a^2: the prox of the zero norm.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative; the price of one coordinate beyond the flat point.
    flat_point : float
        Positive.

    Notes
    -----
    C.-H. Zhang, Ann. Statist. 38 (2010) 894-942; the surrogate of a quadratic phi (docs/theory.md, 2).

    Examples
    --------
    >>> MCP.from_alpha_gamma(alpha=1.0, gamma=3.0)
    MCP(weight=1.5, flat_point=3.0)
    """

    @classmethod
    def from_alpha_gamma(cls, alpha: float, gamma: float) -> MCP:
        """The convention of Zhang (2010): slope alpha at 0, flat from gamma alpha on, height gamma alpha^2 / 2."""
        check_positive(alpha, "MCP.from_alpha_gamma: alpha")
        check_positive(gamma, "MCP.from_alpha_gamma: gamma")
        return cls(weight=gamma * alpha * alpha / 2, flat_point=gamma * alpha)

    def to_alpha_gamma(self) -> tuple[float, float]:
        """(alpha, gamma) of Zhang's convention: alpha = 2 weight/a, gamma = a^2 / (2 weight)."""
        weight = float(self.weight)
        return 2 * weight / self.flat_point, self.flat_point**2 / (2 * weight)

    @property
    def traits(self) -> Traits:
        """Weakly convex with modulus 2 weight/a^2, Lipschitz with constant 2 weight/a."""
        weight, a = float(to_numpy(self.weight).max()), self.flat_point
        return Traits(convex=False, weak_convexity=2 * weight / a**2, lipschitz=2 * weight / a)

    def _h(self, t: Array) -> Array:
        u = array_namespace(t).clip(t / self.flat_point, None, 1.0)
        return u * (2 - u)

    def _slopes(self, t: Array) -> tuple[Array, ...]:
        u = array_namespace(t).clip(t / self.flat_point, None, 1.0)
        return ((1 - u) * (2 / self.flat_point),)

    def _slope_at_zero(self) -> float:
        return 2 / self.flat_point

    def _shrink(self, v: Array, tau: Array) -> Array:
        xp, a = array_namespace(v), self.flat_point
        # Both regimes are a line from the threshold to v: 2 tau/a is the smaller threshold where 2 tau < a^2. In the
        # second regime the line is so steep that one unit in the last place leads beyond v.
        threshold = xp.minimum(2 * tau / a, xp.sqrt(2 * tau))
        curvature = xp.maximum(1 - 2 * tau / (a * a), epsilon(v) / 4)
        return xp.minimum(xp.maximum((v - threshold) / curvature, 0.0), v)

    def _stationary(self, v: float, tau: float) -> Iterable[float]:
        a = self.flat_point
        return () if 2 * tau >= a * a else (min((v - 2 * tau / a) / (1 - 2 * tau / (a * a)), a),)

    def _threshold(self, tau: float) -> float:
        a = self.flat_point
        return 2 * tau / a if 2 * tau < a * a else math.sqrt(2 * tau)
