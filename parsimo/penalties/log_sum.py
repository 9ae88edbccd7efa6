"""The log-sum penalty."""

from __future__ import annotations

import math
from dataclasses import dataclass

from parsimo._array import Array, array_namespace
from parsimo.core.validation import check_number
from parsimo.penalties.concave import ConcaveProfile

__all__ = ["LogSum"]


@dataclass(frozen=True, eq=False)
class LogSum(ConcaveProfile):
    """g(x) = sum weight log(1 + |x| / epsilon).

    With tau = step_size weight and v >= 0, let x(v) = (v - epsilon)/2 + sqrt((v + epsilon)^2/4 - tau). The prox is

    * sqrt(tau) <= epsilon: 0 up to tau/epsilon, x(v) beyond; continuous;
    * sqrt(tau) > epsilon: x(v) where its objective is lower than that of 0, else 0; a tie of both at a threshold
      between 2 sqrt(tau) - epsilon and tau/epsilon.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative.
    epsilon : float
        Positive; the smaller, the closer the penalty is to a multiple of the zero norm.

    Raises
    ------
    ValueError
        If epsilon <= 0, or a weight is negative.

    Notes
    -----
    Candes, Wakin and Boyd, J. Fourier Anal. Appl. 14 (2008) 877-905; its prox by Prater-Bennette et al., arXiv
    2103.02681 (docs/theory.md, Proposition 4.1). It is unbounded, and no surrogate of the zero norm.
    """

    epsilon: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "epsilon", check_number(self.epsilon, "LogSum: epsilon", positive=True))

    @property
    def _scale(self) -> float:
        return self.epsilon

    def _profile(self, u: Array) -> Array:
        return array_namespace(u).log1p(u)

    def _profile_slope(self, u: Array) -> Array:
        return 1 / (1 + u)

    def _inverse_profile(self, height: float) -> float:
        return math.expm1(height) if height < 700 else math.inf  # beyond the range of a float

    def _root(self, w: Array, k: Array) -> tuple[Array, Array]:
        xp = array_namespace(w)
        # (w + 1)^2/4 - k = inner * outer, without overflow, and without cancellation where w is close to k <= 1
        inner = xp.where(k <= 1, ((1 - xp.sqrt(k)) ** 2 + (w - k)) / 2, (w + 1) / 2 - xp.sqrt(k))
        outer = (w + 1) / 2 + xp.sqrt(k)
        missing = inner <= 0
        root = xp.sqrt(xp.where(missing, xp.ones_like(w), inner)) * xp.sqrt(outer)
        middle = (w - 1) / 2
        left = middle < 0  # there middle + root cancels
        u = xp.where(left, (w - k) / xp.where(left, root - middle, xp.ones_like(w)), middle + root)
        return xp.clip(u, 0.0, None), missing
