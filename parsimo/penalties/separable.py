"""What all penalties that are a sum over coordinates share, from the one-sided slopes of their terms."""

from __future__ import annotations

import copy
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, blocks, is_long, norm, to_float
from parsimo.core.validation import check_step, per_coordinate

__all__ = ["Separable", "by_blocks", "norm_at"]


class Separable(ABC):
    """g(x) = sum_i g_i(x_i), for members that give the terms g_i(x_i) and their one-sided slopes.

    Each g_i has one-sided derivatives, infinite ones at jumps and at the ends of its domain, and is continuously
    differentiable but for finitely many points. Then its limiting subdifferential is the interval between the two
    slopes where the left one is the smaller, and at a concave kink the pair of them (docs/theory.md, 4).

    Long numpy vectors are worked off block by block, which saves time and memory: an entry needs no other.
    """

    per_coordinate: ClassVar[tuple[str, ...] | None] = None
    """The attributes that may be arrays of the shape of x; None where that is not all there is to cut into blocks."""

    @abstractmethod
    def terms(self, x: Array) -> Array:
        """g_i(x_i) for each entry, of the shape of x; torch differentiates through it."""

    @abstractmethod
    def slopes(self, x: Array) -> tuple[Array, Array]:
        """The left and the right derivative of g_i at x_i, for each entry."""

    def value(self, x: Array) -> float:
        """g(x), infinity outside the domain."""
        return sum(to_float(array_namespace(x).sum(g.terms(x[part]))) for g, part in self.blocks(x))

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the limiting subdifferential of g at x; NaN where x or grad has a NaN."""
        return _joined([g._subdiff_distance(x[part], grad[part]) for g, part in self.blocks(x)])

    def _subdiff_distance(self, x: Array, grad: Array) -> float:
        xp = array_namespace(x)
        left, right = self.slopes(x)
        below, above = grad + left, grad + right
        from_interval = xp.maximum(xp.maximum(below, -above), 0.0)
        from_pair = xp.minimum(xp.abs(below), xp.abs(above))
        return norm_at(x, xp.where(left <= right, from_interval, from_pair))

    def descent_rate(self, x: Array, grad: Array) -> float:
        """The steepest rate at which <grad, .> + g falls along a ray: max over |d| <= 1 of -(<grad, d> + g'(x; d)).

        0 if and only if x is d-stationary for f + g, where grad is the gradient of f at x.
        """
        return _joined([g._descent_rate(x[part], grad[part]) for g, part in self.blocks(x)])

    def _descent_rate(self, x: Array, grad: Array) -> float:
        xp = array_namespace(x)
        left, right = self.slopes(x)
        return norm_at(x, xp.maximum(xp.maximum(grad + left, -(grad + right)), 0.0))

    def _parameter(self, name: str, x: Array) -> Array:
        """The attribute of this name, one number or one for each coordinate, as an array like x."""
        value = getattr(self, name)
        if isinstance(value, float):
            return asarray_like(value, x)
        return per_coordinate(value, x, f"{type(self).__name__}: {name}")

    def blocks(self, x: Array) -> Iterator[tuple[Any, Any]]:
        """g on some coordinates, and which they are: pieces of a long numpy vector, or all of x at once."""
        if not is_long(x) or self.per_coordinate is None:
            yield self, ...
            return
        arrays = self._arrays(x)
        for part in blocks(x):
            yield self._with({name: values[part] for name, values in arrays.items()}), part

    @property
    def restricted(self) -> Callable[[Array, Array], Any] | None:
        """restricted(index, x), g on the coordinates of x of these indices; None where attributes are not all of g."""
        return None if self.per_coordinate is None else self._restricted

    def _restricted(self, index: Array, x: Array) -> Any:
        take = array_namespace(x).take
        return self._with({name: take(values, index) for name, values in self._arrays(x).items()})

    def _arrays(self, x: Array) -> dict[str, Array]:
        """The attributes that are arrays, like x."""
        names = self.per_coordinate or ()
        return {name: self._parameter(name, x) for name in names if np.ndim(getattr(self, name))}

    def _with(self, arrays: dict[str, Array]) -> Any:
        """g with other arrays."""
        g = copy.copy(self) if arrays else self
        for name, values in arrays.items():
            object.__setattr__(g, name, values)
        return g


def by_blocks(prox: Callable[[Any, Array, Any], Array]) -> Callable[[Any, Array, Any], Array]:
    """A prox of a separable penalty, so that it works off a long numpy vector block by block."""

    @functools.wraps(prox)
    def blockwise(self: Any, v: Array, step_size: float | Array) -> Array:
        if not is_long(v):
            return prox(self, v, step_size)
        check_step(v, step_size, f"{type(self).__name__}.prox")
        x = np.empty_like(v)
        for g, part in self.blocks(v):
            x[part] = prox(g, v[part], step_size[part] if isinstance(step_size, np.ndarray) else step_size)
        return x

    return blockwise


def _joined(norms: list[float]) -> float:
    """The norm of a vector from those of its blocks; NaN where one is, even beside an infinite one."""
    return math.nan if any(map(math.isnan, norms)) else math.hypot(*norms)


def norm_at(x: Array, distances: Array) -> float:
    """The norm of the distances of all coordinates; of a missing x_i, whatever its slopes, nothing is proved."""
    xp = array_namespace(x)
    return norm(xp.where(xp.isnan(x), x, distances))
