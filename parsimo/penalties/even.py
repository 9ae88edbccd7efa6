"""What all penalties weight * h(|x|) share: h is even, separable and rises from h(0) = 0."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_numpy
from parsimo.core.validation import check_nonnegative, check_number, check_positive, check_step
from parsimo.penalties.separable import Separable, by_blocks

__all__ = ["EvenPenalty", "FlatPenalty"]


@dataclass(frozen=True, eq=False)
class EvenPenalty(Separable):
    """g(x) = sum_i weight_i h(|x_i|), for members that give h, its slopes, its prox and their candidates.

    Parameters
    ----------
    weight : float or array of the shape of x
        Nonnegative; a coordinate of weight 0 is free.

    Raises
    ------
    ValueError
        If a weight is negative, NaN or infinite.

    Notes
    -----
    A member defines, for t = |x| >= 0, v >= 0 and tau = step_size * weight, all arrays of one shape:
    `_h(t)`, `_slopes(t)` (the one-sided limits of h' at t > 0), `_slope_at_zero()`,
    `_shrink(v, tau)` (a minimizer of tau h(x) + (x - v)^2 / 2 over x >= 0, the smallest at a tie) and
    `_stationary(v, tau)` (numbers among which every minimizer lies, for the scalar `prox_set`).
    """

    per_coordinate = ("weight",)

    weight: float | Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", check_nonnegative(self.weight, f"{type(self).__name__}: weight"))

    def terms(self, x: Array) -> Array:
        """weight_i h(|x_i|) for each entry; torch differentiates through it."""
        return self._parameter("weight", x) * self._h(array_namespace(x).abs(x))

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """The left and the right derivative of weight_i h(|.|) at x_i; infinite at 0 where h jumps or rises steeply."""
        xp = array_namespace(x)
        weight, slope_at_zero = self._parameter("weight", x), self._slope_at_zero()
        slopes = [weight * s for s in self._slopes(xp.abs(x))]
        if slope_at_zero < math.inf:
            at_zero = weight * slope_at_zero
        else:  # a coordinate of weight 0 is free
            at_zero = xp.where(weight > 0, math.inf, xp.zeros_like(weight))
        if len(slopes) == 1:
            left = right = xp.copysign(slopes[0], x)
        else:
            inwards, outwards = slopes
            left, right = xp.where(x > 0, inwards, -outwards), xp.where(x > 0, outwards, -inwards)
        zero = x == 0
        return xp.where(zero, -at_zero, left), xp.where(zero, at_zero, right)

    @by_blocks
    def prox(self, v: Array, step_size: float | Array) -> Array:
        """argmin_x g(x) + |x - v|^2 / (2 step_size), the sparser point at a tie.

        Parameters
        ----------
        v : array
            Any shape.
        step_size : float or array of the shape of v
            Positive; an array is a diagonal metric.

        Returns
        -------
        array
            Of the shape and dtype of v.
        """
        v = check_step(v, step_size, f"{type(self).__name__}.prox")
        weight = self.weight if isinstance(self.weight, float) else self._parameter("weight", v)
        return self._prox(v, asarray_like(step_size, v) * weight)

    def _prox(self, v: Array, tau: Array) -> Array:
        """The prox at v of either sign, from `_shrink` unless a member knows a shorter way."""
        xp = array_namespace(v)
        return xp.copysign(self._shrink(xp.abs(v), tau), v) + 0.0  # + 0.0 turns -0.0 into 0.0

    def prox_set(self, v: float, step_size: float) -> tuple[float, ...]:
        """All minimizers of weight h(|x|) + (x - v)^2 / (2 step_size) for one number v, in rising order.

        Two candidates tie when their objectives agree to 8 units in the last place of what they are computed from.

        Raises
        ------
        TypeError
            If the weight is an array: then each coordinate has a set of its own.
        """
        if not isinstance(self.weight, float):
            raise TypeError(f"{type(self).__name__}.prox_set needs a scalar weight; take one coordinate of it")
        v = float(check_step(v, step_size, f"{type(self).__name__}.prox_set"))
        tau = float(step_size) * self.weight
        candidates = np.unique([0.0, abs(v), *(c for c in self._stationary(abs(v), tau) if c >= 0)])
        distance = np.abs(candidates - abs(v))
        objective = tau * np.asarray(self._h(candidates)) + distance**2 / 2
        rounding = 8 * np.finfo(float).eps * (objective + candidates * distance)
        tied = objective - rounding <= (objective + rounding).min()
        return _merge_close(np.copysign(1.0, v) * candidates[tied], objective[tied], abs(v))

    def threshold(self, step_size: float) -> float:
        """The largest v with 0 among the minimizers of weight h(|x|) + (x - v)^2 / (2 step_size)."""
        if not isinstance(self.weight, float):
            raise TypeError(f"{type(self).__name__}.threshold needs a scalar weight")
        return self._threshold(float(step_size) * self.weight)

    def _radius(self, level: float, inverse: Callable[[float], float]) -> float:
        """The largest |x| with g(x) <= level where h(sqrt(.)) is concave: one coordinate, of least weight, takes all.

        `inverse(height)` is the largest t with h(t) <= height (docs/theory.md, Proposition 4.2).
        """
        level = check_number(level, f"{type(self).__name__}.sublevel_radius: level")
        weight = float(to_numpy(self.weight).min())
        return inverse(level / weight) if weight > 0 else math.inf

    @abstractmethod
    def _h(self, t: Array) -> Array: ...

    @abstractmethod
    def _slopes(self, t: Array) -> tuple[Array, ...]: ...

    @abstractmethod
    def _slope_at_zero(self) -> float: ...

    @abstractmethod
    def _shrink(self, v: Array, tau: Array) -> Array: ...

    @abstractmethod
    def _stationary(self, v: float, tau: float) -> Iterable[float]: ...

    @abstractmethod
    def _threshold(self, tau: float) -> float: ...


@dataclass(frozen=True, eq=False)
class FlatPenalty(EvenPenalty):
    """An even penalty whose h reaches 1 at `flat_point` and stays there.

    Parameters
    ----------
    weight : float or array
        Nonnegative; the price of one coordinate beyond the flat point.
    flat_point : float
        Positive; the magnitude from which on h = 1.
    """

    flat_point: float

    def __post_init__(self) -> None:
        super().__post_init__()
        flat_point: Any = check_positive(self.flat_point, f"{type(self).__name__}: flat_point")
        if not isinstance(flat_point, float):
            raise TypeError(f"{type(self).__name__}: flat_point must be one number, got shape {flat_point.shape}")
        object.__setattr__(self, "flat_point", flat_point)

    def sublevel_radius(self, level: float) -> float:
        """The largest |x| with g(x) <= level, by bisection: h is concave (docs/theory.md, Proposition 4.2)."""
        return self._radius(level, self._inverse)

    def _inverse(self, height: float) -> float:
        low, high = 0.0, self.flat_point
        if height >= 1:
            return math.inf
        while low < (middle := (low + high) / 2) < high:
            below = float(self._h(np.asarray(middle))) <= height
            low, high = (middle, high) if below else (low, middle)
        return high


def _merge_close(points: np.ndarray, objectives: np.ndarray, scale: float) -> tuple[float, ...]:
    """Rising points; of those that rounding alone has parted, the best."""
    merged: list[tuple[float, float]] = []
    for point, objective in sorted(zip((points + 0.0).tolist(), objectives.tolist(), strict=True)):  # no -0.0
        if not merged or point - merged[-1][0] > 1e-7 * scale:
            merged.append((point, objective))
        elif objective < merged[-1][1]:
            merged[-1] = (point, objective)
    return tuple(point for point, _ in merged)
