"""The exponential penalty: bounded, but never flat."""

from __future__ import annotations

import math
from dataclasses import dataclass

from parsimo._array import Array, array_namespace
from parsimo.core.validation import check_number
from parsimo.penalties.concave import ConcaveProfile
from parsimo.penalties.roots import largest_root

__all__ = ["Exponential"]

_NEWTON_STEPS = 6  # from the series below, whose error is at most 0.2


@dataclass(frozen=True, eq=False)
class Exponential(ConcaveProfile):
    """g(x) = sum weight (1 - exp(-|x| / scale)).

    It tends to weight |x|_0 as the scale falls to 0, yet no scale makes it an exact penalty: it never reaches the
    weight (docs/theory.md, Remark 3.6). It is here as the negative control of the exactness theorems.

    With tau = step_size weight and v >= 0, let x(v) be the largest root of x + (tau/scale) exp(-x/scale) = v. The
    prox is

    * tau <= scale^2: 0 up to tau/scale, x(v) beyond; continuous;
    * tau > scale^2: x(v) where its objective is lower than that of 0, else 0; a tie of both at a threshold.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative; the price of one large coordinate.
    scale : float
        Positive.

    Raises
    ------
    ValueError
        If scale <= 0, or a weight is negative.

    Notes
    -----
    docs/theory.md, Proposition 4.1. The root is scale (w + W(-k exp(-w))), w = v/scale, k = tau/scale^2, with W the
    principal branch of Lambert's function; Newton's method starts from the series of W at its branch point.
    """

    scale: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "scale", check_number(self.scale, "Exponential: scale", positive=True))

    @property
    def _scale(self) -> float:
        return self.scale

    def _profile(self, u: Array) -> Array:
        return -array_namespace(u).expm1(-u)

    def _profile_slope(self, u: Array) -> Array:
        return array_namespace(u).exp(-u)

    def _inverse_profile(self, height: float) -> float:
        return -math.log1p(-height) if height < 1 else math.inf

    def _root(self, w: Array, k: Array) -> tuple[Array, Array]:
        xp = array_namespace(w)
        one = xp.ones_like(w)
        beyond_lowest = w - 1 - xp.log(xp.where(k > 0, k, one))  # u + k exp(-u) is least, 1 + log k, at u = log k
        missing = beyond_lowest <= 0
        w = xp.where(missing, w + k + 1, w)  # any w that has a root
        p = xp.sqrt(-2 * xp.expm1(-xp.where(missing, one, beyond_lowest)))
        start = w - 1 + p - p * p / 3 + 11 / 72 * p * p * p

        def rates(u: Array) -> tuple[Array, Array]:
            slope = xp.exp(-u)
            return slope, slope

        root = largest_root(xp.where(missing, w, start), w, k, rates, _NEWTON_STEPS)
        return xp.clip(root, 0.0, None), missing
