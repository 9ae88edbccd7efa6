"""A penalty with a ridge: the squared norm is added, and the prox is that of the penalty itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from parsimo._array import Array, asarray_like, inner
from parsimo.core.functions import Proximable, Traits
from parsimo.core.validation import check_number, check_step
from parsimo.penalties.offered import where_offered

__all__ = ["WithRidge"]


@dataclass(frozen=True, eq=False)
class WithRidge:
    """g(x) + ridge |x|^2 / 2 for any penalty g: the elastic net for L1, and so on.

    The prox is that of g with step t / (1 + t ridge) at v / (1 + t ridge), for every step t.

    Parameters
    ----------
    penalty : Proximable
        g. It need not be separable; what it offers besides value and prox, the sum offers too.
    ridge : float
        Nonnegative.

    Raises
    ------
    ValueError
        If the ridge is negative, NaN or infinite.
    TypeError
        If the penalty has no prox.

    Notes
    -----
    docs/theory.md, Proposition 4.3.

    Examples
    --------
    >>> from parsimo.penalties import ZeroNorm
    >>> WithRidge(ZeroNorm(0.5), ridge=1.0).prox_set(2.0, step_size=1.0)
    (1.0,)
    """

    penalty: Any
    ridge: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "ridge", check_number(self.ridge, "WithRidge: ridge"))
        if not isinstance(self.penalty, Proximable):
            raise TypeError(f"WithRidge: penalty must have value, prox and traits, got {self.penalty!r}")

    @property
    def parts(self) -> tuple[Any, ...]:
        """The penalty itself: what it offers besides value and prox, the sum offers too."""
        return (self.penalty,)

    @property
    def traits(self) -> Traits:
        """Weakly convex with a modulus that is smaller by the ridge; not Lipschitz."""
        traits = self.penalty.traits
        convex = traits.convex or traits.weak_convexity <= self.ridge
        return Traits(
            convex=convex,
            separable=traits.separable,
            weak_convexity=0.0 if convex else traits.weak_convexity - self.ridge,
            lipschitz=math.inf if self.ridge > 0 else traits.lipschitz,
        )

    def value(self, x: Array) -> float:
        """g(x) + ridge |x|^2 / 2."""
        return self.penalty.value(x) + self.ridge / 2 * inner(x, x)

    @where_offered
    def terms(self, x: Array) -> Array:
        """The value of each coordinate."""
        return self.penalty.terms(x) + self.ridge / 2 * x * x

    @where_offered
    def slopes(self, x: Array) -> tuple[Array, Array]:
        """The left and the right derivative at each entry."""
        left, right = self.penalty.slopes(x)
        return left + self.ridge * x, right + self.ridge * x

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """argmin_x g(x) + ridge |x|^2 / 2 + |x - v|^2 / (2 step_size)."""
        v = check_step(v, step_size, "WithRidge.prox")
        t: Any = asarray_like(step_size, v) if hasattr(step_size, "dtype") else step_size
        return self.penalty.prox(v / (1 + t * self.ridge), t / (1 + t * self.ridge))

    @where_offered
    def prox_set(self, v: Any, step_size: float) -> tuple[Any, ...]:
        """All minimizers."""
        check_step(v, step_size, "WithRidge.prox_set")
        return self.penalty.prox_set(v / (1 + step_size * self.ridge), step_size / (1 + step_size * self.ridge))

    @where_offered
    def threshold(self, step_size: float) -> float:
        """The largest v with 0 among the minimizers."""
        return (1 + step_size * self.ridge) * self.penalty.threshold(step_size / (1 + step_size * self.ridge))

    @where_offered
    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the limiting subdifferential: that of g for the gradient grad + ridge x."""
        return self.penalty.subdiff_distance(x, grad + self.ridge * x)

    @where_offered
    def descent_rate(self, x: Array, grad: Array) -> float:
        """The steepest rate of descent: that of g for the gradient grad + ridge x."""
        return self.penalty.descent_rate(x, grad + self.ridge * x)

    def sublevel_radius(self, level: float) -> float:
        """The largest |x| with g(x) + ridge |x|^2 / 2 <= level, where g >= 0 grows along rays; a bound of it elsewhere.

        It is the largest r within the radius of g at the level ridge r^2 / 2 below (docs/theory.md, Proposition 4.3).
        """
        level = check_number(level, "WithRidge.sublevel_radius: level")
        of_penalty = getattr(self.penalty, "sublevel_radius", lambda level: math.inf)
        if self.ridge == 0:
            return float(of_penalty(level))
        low, high = 0.0, min(math.sqrt(2 * level / self.ridge), of_penalty(level))
        if high <= of_penalty(max(level - self.ridge * high * high / 2, 0.0)):
            return high
        while low < (middle := (low + high) / 2) < high:
            within = middle <= of_penalty(level - self.ridge * middle * middle / 2)
            low, high = (middle, high) if within else (low, middle)
        return high
