"""What all penalties that are a sum over coordinates share, from the one-sided slopes of their terms."""

from __future__ import annotations

from abc import ABC, abstractmethod

from parsimo._array import Array, array_namespace, norm, to_float
from parsimo.core.validation import per_coordinate

__all__ = ["Separable", "norm_at"]


class Separable(ABC):
    """g(x) = sum_i g_i(x_i), for members that give the terms g_i(x_i) and their one-sided slopes.

    Each g_i has one-sided derivatives, infinite ones at jumps and at the ends of its domain, and is continuously
    differentiable but for finitely many points. Then its limiting subdifferential is the interval between the two
    slopes where the left one is the smaller, and at a concave kink the pair of them (docs/theory.md, 4).
    """

    @abstractmethod
    def terms(self, x: Array) -> Array:
        """g_i(x_i) for each entry, of the shape of x; torch differentiates through it."""

    @abstractmethod
    def slopes(self, x: Array) -> tuple[Array, Array]:
        """The left and the right derivative of g_i at x_i, for each entry."""

    def value(self, x: Array) -> float:
        """g(x), infinity outside the domain."""
        return to_float(array_namespace(x).sum(self.terms(x)))

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the limiting subdifferential of g at x; NaN where x or grad has a NaN."""
        xp = array_namespace(x)
        left, right = self.slopes(x)
        from_interval = xp.clip(xp.maximum(left + grad, -(grad + right)), 0.0, None)
        from_pair = xp.minimum(xp.abs(grad + left), xp.abs(grad + right))
        return norm_at(x, xp.where(left <= right, from_interval, from_pair))

    def descent_rate(self, x: Array, grad: Array) -> float:
        """The steepest rate at which <grad, .> + g falls along a ray: max over |d| <= 1 of -(<grad, d> + g'(x; d)).

        0 if and only if x is d-stationary for f + g, where grad is the gradient of f at x.
        """
        xp = array_namespace(x)
        left, right = self.slopes(x)
        return norm_at(x, xp.clip(xp.maximum(left + grad, -(grad + right)), 0.0, None))

    def _parameter(self, name: str, x: Array) -> Array:
        """The attribute of this name, one number or one for each coordinate, as an array like x."""
        return per_coordinate(getattr(self, name), x, f"{type(self).__name__}: {name}")


def norm_at(x: Array, distances: Array) -> float:
    """The norm of the distances of all coordinates; of a missing x_i, whatever its slopes, nothing is proved."""
    xp = array_namespace(x)
    return norm(xp.where(xp.isnan(x), x, distances))
