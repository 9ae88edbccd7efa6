"""The zero norm on a box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_nonnegative, check_number, check_step
from parsimo.penalties.box import Box
from parsimo.penalties.separable import Separable, by_blocks

__all__ = ["ZeroNormBox"]


@dataclass(frozen=True, eq=False)
class ZeroNormBox(Separable):
    """g(x) = weight |x|_0 if lower <= x <= upper in every coordinate, infinity otherwise; 0 lies in the box.

    With tau = step_size weight and p the projection of v, the prox is p where p (2 v - p) > 2 tau, else 0; a tie of
    both at equality.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative; the price of one nonzero.
    lower, upper : float or array of the shape of x
        lower <= 0 <= upper; infinite ends are allowed.

    Raises
    ------
    ValueError
        If 0 is outside the box, or a weight is negative.

    Notes
    -----
    docs/theory.md, Proposition 4.4. Zeroing a coordinate never leaves the box, as the exactness theorems ask.
    """

    per_coordinate = ("weight", "lower", "upper")

    weight: float | Array
    lower: float | Array = -math.inf
    upper: float | Array = math.inf

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", check_nonnegative(self.weight, "ZeroNormBox: weight"))
        if not ((to_numpy(self.lower) <= 0) & (to_numpy(self.upper) >= 0)).all():
            raise ValueError(
                f"ZeroNormBox: needs lower <= 0 <= upper, got lower={self.lower}, upper={self.upper}; a coordinate "
                "that cannot be 0 is always paid for, so give it to a Box and translate the rest"
            )

    @property
    def traits(self) -> Traits:
        """Neither convex nor weakly convex, and not Lipschitz."""
        return Traits(convex=False, weak_convexity=math.inf, lipschitz=math.inf)

    def terms(self, x: Array) -> Array:
        """0 for an entry 0, its weight for another one inside its interval, infinity outside."""
        xp = array_namespace(x)
        weight, zero = self._parameter("weight", x), xp.zeros_like(x)
        return xp.where(x != 0, weight + zero, zero) + self._box.terms(x)

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """Infinite at 0 and towards the outside at an end, else 0; meaningless outside the box."""
        xp = array_namespace(x)
        left, right = self._box.slopes(x)
        jump = (x == 0) & (self._parameter("weight", x) > 0)
        infinity = xp.full_like(x, math.inf)
        return xp.where(jump, -infinity, left), xp.where(jump, infinity, right)

    @by_blocks
    def prox(self, v: Array, step_size: float | Array) -> Array:
        """argmin_x g(x) + |x - v|^2 / (2 step_size); 0 at a tie."""
        v = check_step(v, step_size, "ZeroNormBox.prox")
        xp = array_namespace(v)
        tau = asarray_like(step_size, v) * self._parameter("weight", v)
        p = self._box.prox(v, step_size)
        to_zero = (p * (2 * v - p) <= 2 * tau) & (tau > 0)
        return xp.where(to_zero, xp.zeros_like(v), p)

    def prox_set(self, v: float, step_size: float) -> tuple[float, ...]:
        """The minimizers for one number v, rising: 0, the projection of v, or both."""
        v = float(check_step(v, step_size, "ZeroNormBox.prox_set"))
        tau = float(step_size) * check_number(self.weight, "ZeroNormBox.prox_set: weight")
        p = self._box.prox_set(v, step_size)[0] + 0.0
        gain = p * (2 * v - p) - 2 * tau
        rounding = 8 * np.finfo(float).eps * abs(p) * max(abs(v), abs(p))
        return tuple(sorted({*([0.0] if gain <= rounding else ()), *([p] if gain >= -rounding else ())}))

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the limiting subdifferential; infinity outside the box."""
        return super().subdiff_distance(x, grad) if self.value(x) < math.inf else math.inf

    def descent_rate(self, x: Array, grad: Array) -> float:
        """As for every separable penalty; infinity outside the box."""
        return super().descent_rate(x, grad) if self.value(x) < math.inf else math.inf

    def sublevel_radius(self, level: float) -> float:
        """The largest |x| with g(x) <= level; an upper bound of it where weights differ.

        At most level / (the least weight) coordinates are nonzero: those with the farthest ends.
        """
        level = check_number(level, "ZeroNormBox.sublevel_radius: level")
        least = float(to_numpy(self.weight).min())
        corners = np.maximum(-to_numpy(self.lower), to_numpy(self.upper)) + 0.0 * to_numpy(self.weight)
        if corners.ndim == 0 and least == 0:
            return math.inf if corners > 0 else 0.0  # of how many coordinates x has, nothing is known
        count = math.inf if least == 0 else math.floor(level / least * (1 + 1e-12))
        if corners.ndim == 0:
            return float(corners) * math.sqrt(count) if count else 0.0
        farthest = np.sort(corners.reshape(-1))[::-1]
        return float(np.linalg.norm(farthest[: int(min(count, farthest.size))]))

    @property
    def _box(self) -> Box:
        return Box(self.lower, self.upper)
