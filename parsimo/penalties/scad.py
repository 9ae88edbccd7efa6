"""The smoothly clipped absolute deviation penalty."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from parsimo._array import Array, array_namespace, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_positive
from parsimo.penalties.even import FlatPenalty

__all__ = ["SCAD"]


@dataclass(frozen=True, eq=False)
class SCAD(FlatPenalty):
    """g(x) = sum weight h(|x|), the SCAD penalty scaled to rise from 0 to 1 at the flat point.

    Let alpha = flat_point / shape. Then h'(t) is 2 / (alpha (shape + 1)) up to alpha, falls linearly to 0 at the
    flat point shape * alpha, and is 0 beyond. With s = 2 step_size weight / (alpha^2 (shape + 1)) and v >= 0, the
    prox is

    * s < shape - 1: (v - s alpha)_+ up to (1 + s) alpha, then
      ((shape - 1) v - shape s alpha) / (shape - 1 - s) up to the flat point, then v;
    * shape - 1 <= s <= shape + 1: (v - s alpha)_+ up to (shape + 1 + s) alpha / 2, then v; a tie where they meet;
    * s > shape + 1: 0 up to sqrt(s (shape + 1)) alpha, then v; a tie where they meet.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative; the price of one coordinate beyond the flat point.
    flat_point : float
        Positive.
    shape : float
        Greater than 1; the ratio of the flat point to alpha. Fan and Li take 3.7.

    Raises
    ------
    ValueError
        If shape <= 1.

    Notes
    -----
    Fan and Li, J. Amer. Statist. Assoc. 96 (2001) 1348-1360; a surrogate of the family (docs/theory.md, 2).
    """

    shape: float = 3.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 < self.shape < math.inf:
            raise ValueError(f"SCAD: shape must be a finite number > 1, got {self.shape}; Fan and Li take 3.7")

    @classmethod
    def from_alpha_gamma(cls, alpha: float, gamma: float = 3.7) -> SCAD:
        """The convention of Fan and Li: slope alpha at 0, flat from gamma alpha on, height alpha^2 (gamma+1)/2."""
        check_positive(alpha, "SCAD.from_alpha_gamma: alpha")
        return cls(weight=alpha * alpha * (gamma + 1) / 2, flat_point=gamma * alpha, shape=gamma)

    def to_alpha_gamma(self) -> tuple[float, float]:
        """(alpha, gamma) of the convention of Fan and Li, where it holds: weight = alpha^2 (gamma + 1) / 2.

        Raises
        ------
        ValueError
            If the weight and the flat point do not fit together in that convention, which has one parameter less.
        """
        alpha = self.flat_point / self.shape
        height = alpha * alpha * (self.shape + 1) / 2
        if not math.isclose(height, float(self.weight), rel_tol=1e-9):
            raise ValueError(
                f"{self} is a multiple of a Fan-Li SCAD, not one: with its flat point and shape the weight would be "
                f"{height}"
            )
        return alpha, self.shape

    @property
    def traits(self) -> Traits:
        """Weakly convex with modulus weight |h''| and Lipschitz with constant weight h'(0+)."""
        slope = float(to_numpy(self.weight).max()) * self._slope_at_zero()
        bend = self.flat_point - self.flat_point / self.shape
        return Traits(convex=False, weak_convexity=slope / bend, lipschitz=slope)

    def _h(self, t: Array) -> Array:
        xp, alpha, g = array_namespace(t), self.flat_point / self.shape, self.shape
        u = xp.clip(t / alpha, None, g)
        linear = 2 * u / (g + 1)
        bent = 1 - (g - u) ** 2 / (g * g - 1)
        return xp.where(u <= 1, linear, bent)

    def _slopes(self, t: Array) -> tuple[Array, ...]:
        xp, alpha, g = array_namespace(t), self.flat_point / self.shape, self.shape
        u = xp.clip(t / alpha, 1.0, g)
        return (self._slope_at_zero() * (g - u) / (g - 1),)

    def _slope_at_zero(self) -> float:
        return 2 * self.shape / (self.flat_point * (self.shape + 1))

    def _shrink(self, v: Array, tau: Array) -> Array:
        xp, g = array_namespace(v), self.shape
        alpha = self.flat_point / g
        s = 2 * tau / (alpha * alpha * (g + 1))
        zero = xp.zeros_like(v)
        soft = xp.maximum(v - s * alpha, zero)

        small_step = s < g - 1
        divisor = xp.where(small_step, g - 1 - s, xp.ones_like(v))
        bent = xp.minimum(((g - 1) * v - g * s * alpha) / divisor, v)  # rounding alone can exceed v
        small = xp.where(v <= (1 + s) * alpha, soft, xp.where(v <= g * alpha, bent, v))
        medium = xp.where(v <= (g + 1 + s) * alpha / 2, soft, v)
        large = xp.where(v <= xp.sqrt(s * (g + 1)) * alpha, zero, v)
        return xp.where(small_step, small, xp.where(s <= g + 1, medium, large))

    def _stationary(self, v: float, tau: float) -> Iterable[float]:
        g, alpha = self.shape, self.flat_point / self.shape
        s = 2 * tau / (alpha * alpha * (g + 1))
        yield min(v - s * alpha, alpha)
        if s < g - 1:
            yield min(max(((g - 1) * v - g * s * alpha) / (g - 1 - s), alpha), g * alpha)

    def _threshold(self, tau: float) -> float:
        g, alpha = self.shape, self.flat_point / self.shape
        s = 2 * tau / (alpha * alpha * (g + 1))
        return s * alpha if s <= g + 1 else math.sqrt(s * (g + 1)) * alpha
