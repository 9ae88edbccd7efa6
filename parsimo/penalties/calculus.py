"""Penalties made of penalties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parsimo._array import Array, array_namespace, norm
from parsimo.core.functions import Traits

__all__ = ["SeparableSum"]


@dataclass(frozen=True, eq=False)
class SeparableSum:
    """g(x) = sum_b g_b(x[index_b]) over disjoint blocks of coordinates; the remaining coordinates are free.

    Parameters
    ----------
    indices : sequence of slices or 1-D integer arrays
        Disjoint blocks of coordinates.
    penalties : sequence of Proximable
        One for each block.

    Raises
    ------
    ValueError
        If the two sequences differ in length.
    """

    indices: Sequence[Any]
    penalties: Sequence[Any]

    def __post_init__(self) -> None:
        if len(self.indices) != len(self.penalties):
            raise ValueError(
                f"SeparableSum: {len(self.indices)} blocks of coordinates but {len(self.penalties)} penalties"
            )

    @property
    def traits(self) -> Traits:
        """The weakest of the blocks' traits."""
        traits = [g.traits for g in self.penalties]
        return Traits(
            convex=all(t.convex for t in traits),
            separable=all(t.separable for t in traits),
            weak_convexity=max((t.weak_convexity for t in traits), default=0.0),
            lipschitz=max((t.lipschitz for t in traits), default=0.0),
        )

    def value(self, x: Array) -> float:
        """g(x)."""
        return sum(g.value(x[index]) for index, g in zip(self.indices, self.penalties, strict=True))

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """Block by block; a free coordinate keeps its value."""
        xp = array_namespace(v)
        x = xp.asarray(v, copy=True)
        for index, g in zip(self.indices, self.penalties, strict=True):
            x[index] = g.prox(v[index], _part(step_size, index))
        return x

    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the subdifferential, which is a product over the blocks."""
        return self._root_of_squares("subdiff_distance", x, grad)

    def descent_rate(self, x: Array, grad: Array) -> float:
        """The steepest rate of descent, whose square is a sum over the blocks."""
        return self._root_of_squares("descent_rate", x, grad)

    def _root_of_squares(self, method: str, x: Array, grad: Array) -> float:
        free = array_namespace(x).asarray(grad, copy=True)
        squares = 0.0
        for index, g in zip(self.indices, self.penalties, strict=True):
            squares += getattr(g, method)(x[index], grad[index]) ** 2
            free[index] = 0.0
        return math.sqrt(squares + norm(free) ** 2)


def _part(step_size: Any, index: Any) -> Any:
    """The steps of one block where the step is an array, the common step otherwise."""
    return step_size[index] if getattr(step_size, "ndim", 0) > 0 else step_size
