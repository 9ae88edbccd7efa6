"""The indicator of a box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from parsimo._array import Array, array_namespace, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_number, check_step
from parsimo.penalties.separable import Separable, by_blocks

__all__ = ["Box"]


@dataclass(frozen=True, eq=False)
class Box(Separable):
    """g(x) = 0 if lower <= x <= upper in every coordinate, infinity otherwise.

    The prox is the projection, whatever the step.

    Parameters
    ----------
    lower, upper : float or array of the shape of x
        lower <= upper; infinite ends are allowed.

    Raises
    ------
    ValueError
        If the box is empty: lower > upper somewhere, lower = inf or upper = -inf; or if an end is NaN.
    """

    per_coordinate = ("lower", "upper")

    lower: float | Array = -math.inf
    upper: float | Array = math.inf

    def __post_init__(self) -> None:
        lower, upper = to_numpy(self.lower), to_numpy(self.upper)
        if not ((lower <= upper) & (lower < math.inf) & (upper > -math.inf)).all():
            raise ValueError(f"Box: lower must not exceed upper, got lower={self.lower}, upper={self.upper}")

    @property
    def traits(self) -> Traits:
        """Convex; an indicator is not Lipschitz."""
        return Traits(convex=True, lipschitz=math.inf)

    def terms(self, x: Array) -> Array:
        """0 for an entry inside its interval, infinity outside."""
        xp = array_namespace(x)
        lower, upper = self._ends(x)
        return xp.where((lower <= x) & (x <= upper), xp.zeros_like(x), xp.full_like(x, math.inf))

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """0 inside, infinite towards the outside at an end; meaningless outside the box."""
        xp = array_namespace(x)
        lower, upper = self._ends(x)
        zero, infinity = xp.zeros_like(x), xp.full_like(x, math.inf)
        return xp.where(x == lower, -infinity, zero), xp.where(x == upper, infinity, zero)

    @by_blocks
    def prox(self, v: Array, step_size: float | Array) -> Array:
        """The projection of v onto the box."""
        v = check_step(v, step_size, "Box.prox")
        xp = array_namespace(v)
        lower, upper = self._ends(v)
        return xp.minimum(xp.maximum(v, lower), upper)

    def prox_set(self, v: float, step_size: float) -> tuple[float, ...]:
        """The one nearest point of the interval."""
        v = float(check_step(v, step_size, "Box.prox_set"))
        return (min(max(v, float(self.lower)), float(self.upper)),)

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the normal cone at x; infinity outside the box."""
        return super().subdiff_distance(x, grad) if self.value(x) == 0 else math.inf

    def descent_rate(self, x: Array, grad: Array) -> float:
        """As for every separable penalty; infinity outside the box."""
        return super().descent_rate(x, grad) if self.value(x) == 0 else math.inf

    def sublevel_radius(self, level: float) -> float:
        """The norm of the farthest corner; infinity where an end is, and where both are numbers other than 0.

        A box of two numbers says nothing of how many coordinates x has: give arrays for a finite radius.
        """
        check_number(level, "Box.sublevel_radius: level")
        corners = np.maximum(np.abs(to_numpy(self.lower)), np.abs(to_numpy(self.upper)))
        return float(np.linalg.norm(corners)) if corners.ndim or corners == 0 else math.inf

    def _ends(self, x: Array) -> tuple[Array, Array]:
        return self._parameter("lower", x), self._parameter("upper", x)
