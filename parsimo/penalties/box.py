"""The indicator of a box."""

from __future__ import annotations

import math
from dataclasses import dataclass

from parsimo._array import Array, array_namespace, asarray_like, norm, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_step

__all__ = ["Box"]


@dataclass(frozen=True, eq=False)
class Box:
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

    def value(self, x: Array) -> float:
        """0 inside the box, infinity outside."""
        xp = array_namespace(x)
        lower, upper = self._ends(x)
        return 0.0 if bool(xp.all((lower <= x) & (x <= upper))) else math.inf

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """The projection of v onto the box."""
        v = check_step(v, step_size, "Box.prox")
        xp = array_namespace(v)
        lower, upper = self._ends(v)
        return xp.minimum(xp.maximum(v, lower), upper)

    def prox_set(self, v: float, step_size: float) -> tuple[float, ...]:
        """The one nearest point of the interval."""
        return (min(max(float(v), float(self.lower)), float(self.upper)),)

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the normal cone at x; infinity outside the box."""
        xp = array_namespace(x)
        if self.value(x) == math.inf:
            return math.inf
        lower, upper = self._ends(x)
        zero = xp.zeros_like(x)
        gap = xp.where(x == lower, xp.maximum(-grad, zero), xp.abs(grad))
        gap = xp.where(x == upper, xp.minimum(gap, xp.maximum(grad, zero)), gap)
        return norm(gap)

    def _ends(self, x: Array) -> tuple[Array, Array]:
        return asarray_like(self.lower, x), asarray_like(self.upper, x)
