"""Penalties made of penalties."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, to_numpy
from parsimo.core.functions import Traits
from parsimo.core.validation import check_step
from parsimo.penalties.offered import where_offered
from parsimo.penalties.separable import norm_at

__all__ = ["SeparableSum"]


@dataclass(frozen=True, eq=False)
class SeparableSum:
    """g(x) = sum_b g_b(x[index_b]) over disjoint blocks of coordinates; the remaining coordinates are free.

    Besides value and prox it offers `terms`, `slopes`, `subdiff_distance` and `descent_rate`, each where all blocks do.
    It has no `sublevel_radius`: the blocks do not say how many coordinates x has, and one that is free is unbounded.

    Parameters
    ----------
    indices : sequence of slices or 1-D integer arrays
        Disjoint blocks of coordinates.
    penalties : sequence of Proximable
        One for each block.

    Raises
    ------
    ValueError
        If the two sequences differ in length; at the first use, if a coordinate is in two blocks, or twice in one.

    Examples
    --------
    >>> import numpy as np
    >>> from parsimo.penalties import L1, ZeroNorm
    >>> g = SeparableSum([slice(0, 2), slice(2, 4)], [L1(1.0), ZeroNorm(0.5)])
    >>> g.prox(np.array([3.0, -0.5, 3.0, -0.5, 7.0]), 1.0)
    array([2., 0., 3., 0., 7.])
    """

    indices: Sequence[Any]
    penalties: Sequence[Any]

    def __post_init__(self) -> None:
        if len(self.indices) != len(self.penalties):
            raise ValueError(
                f"SeparableSum: {len(self.indices)} blocks of coordinates but {len(self.penalties)} penalties"
            )

    @property
    def parts(self) -> tuple[Any, ...]:
        """The penalties: what all of them offer besides value and prox, the sum offers too."""
        return tuple(self.penalties)

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
        return float(sum(g.value(x[index]) for index, g in self._blocks(x)))

    @where_offered
    def terms(self, x: Array) -> Array:
        """The value of each coordinate; 0 for a free one."""
        terms = array_namespace(x).zeros_like(x)
        for index, g in self._blocks(x):
            terms[index] = g.terms(x[index])
        return terms

    @where_offered
    def slopes(self, x: Array) -> tuple[Array, Array]:
        """The left and the right derivative at each entry; 0 and 0 for a free one."""
        xp = array_namespace(x)
        left, right = xp.zeros_like(x), xp.zeros_like(x)
        for index, g in self._blocks(x):
            left[index], right[index] = g.slopes(x[index])
        return left, right

    def prox(self, v: Array, step_size: float | Array) -> Array:
        """Block by block; a free coordinate keeps its value."""
        v = check_step(v, step_size, "SeparableSum.prox")
        x = array_namespace(v).asarray(v, copy=True)
        for index, g in self._blocks(v):
            x[index] = g.prox(v[index], _part(step_size, index))
        return x

    @where_offered
    def subdiff_distance(self, x: Array, grad: Array) -> float:
        """Distance of -grad from the subdifferential, which is a product over the blocks."""
        return self._root_of_squares("subdiff_distance", x, grad)

    @where_offered
    def descent_rate(self, x: Array, grad: Array) -> float:
        """The steepest rate of descent, whose square is a sum over the blocks."""
        return self._root_of_squares("descent_rate", x, grad)

    def _root_of_squares(self, method: str, x: Array, grad: Array) -> float:
        free = array_namespace(x).asarray(grad, copy=True)
        squares = 0.0
        for index, g in self._blocks(x):
            squares += getattr(g, method)(x[index], grad[index]) ** 2
            free[index] = 0.0
        return math.sqrt(squares + norm_at(x, free) ** 2)

    def _blocks(self, x: Array) -> Iterator[tuple[Any, Any]]:
        """Each block with its penalty, after a look for coordinates that are in two."""
        coordinates = np.arange(x.shape[0])
        blocks = [coordinates[i if isinstance(i, slice) else to_numpy(i)] for i in self.indices]
        members = np.bincount(np.concatenate([*blocks, coordinates[:0]]), minlength=coordinates.size)
        if (members > 1).any():
            raise ValueError(
                f"SeparableSum: blocks must be disjoint, but coordinate {int(members.argmax())} is in {members.max()}"
            )
        return zip(self.indices, self.penalties, strict=True)


def _part(step_size: Any, index: Any) -> Any:
    """The steps of one block where the step is an array, the common step otherwise."""
    return step_size[index] if getattr(step_size, "ndim", 0) > 0 else step_size
