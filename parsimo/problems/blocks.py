"""A smooth part that comes in blocks, such as the rows of a data set."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from parsimo._array import Array
from parsimo.core.problem import check_smooth

__all__ = ["Blocks", "by_rows"]


class Blocks:
    """f(x) = f_1(x) + ... + f_N(x); what `ConsensusADMM` splits, and any other solver takes as one function.

    Parameters
    ----------
    parts : sequence of Smooth
        At least one, all of the same x.

    Raises
    ------
    TypeError, ValueError
        If there is no part, one is not smooth, or two are of different shapes.

    Notes
    -----
    L is the sum of the L_i, an upper bound that is attained where all parts bend most along one direction.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = tuple(parts)
        if not self.parts:
            raise ValueError("Blocks: parts is empty; pass at least one smooth part")
        for part in self.parts:
            check_smooth("Blocks", part)
        shapes = {tuple(part.shape) for part in self.parts if getattr(part, "shape", None) is not None}
        if len(shapes) > 1:
            raise ValueError(f"Blocks: the parts take x of different shapes, {sorted(shapes)}")
        self.convex = all(getattr(part, "convex", False) for part in self.parts)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of x, where the parts know it."""
        return getattr(self.parts[0], "shape", None)

    @property
    def start(self) -> Callable[[], Array] | None:
        """start() of the first part; None where it has none."""
        return getattr(self.parts[0], "start", None)

    @cached_property
    def lipschitz(self) -> float | None:
        """The sum of the L_i, None where one is not known."""
        constants = [part.lipschitz for part in self.parts]
        return None if None in constants else float(sum(constants))

    @property
    def lipschitz_is_exact(self) -> bool:
        """False where a part's L comes from below."""
        return all(getattr(part, "lipschitz_is_exact", True) for part in self.parts)

    @cached_property
    def weak_convexity(self) -> float | None:
        """The sum of the m_i, None where one is not known."""
        moduli = [0.0 if getattr(p, "convex", False) else getattr(p, "weak_convexity", None) for p in self.parts]
        return None if None in moduli else float(sum(moduli))  # type: ignore[arg-type]

    def value(self, x: Array) -> float:
        """f(x)."""
        return sum(part.value(x) for part in self.parts)

    def grad(self, x: Array) -> Array:
        """The gradient at x."""
        gradient = self.parts[0].grad(x)
        for part in self.parts[1:]:
            gradient = gradient + part.grad(x)
        return gradient

    def value_and_grad(self, x: Array) -> tuple[float, Array]:
        """Both, one pass over each part."""
        value, gradient = self.parts[0].value_and_grad(x)
        for part in self.parts[1:]:
            more, change = part.value_and_grad(x)
            value, gradient = value + more, gradient + change
        return value, gradient

    @property
    def hessian(self) -> Callable[[Array, Sequence[int] | None, Sequence[int]], Array] | None:
        """The sum of the Hessians, None where a part gives none."""
        return None if any(getattr(p, "hessian", None) is None for p in self.parts) else self._hessian

    def _hessian(self, x: Array, rows: Sequence[int] | None, columns: Sequence[int]) -> Array:
        total = self.parts[0].hessian(x, rows, columns)
        for part in self.parts[1:]:
            total = total + part.hessian(x, rows, columns)
        return total

    def __repr__(self) -> str:
        return f"Blocks([{', '.join(map(repr, self.parts))}])"


def by_rows(data_term: Callable[[Any, Any], Any], A: Any, targets: Any, count: int) -> Blocks:
    """The rows of A and of the targets in `count` blocks of nearly equal size, each a data term of its own.

    Parameters
    ----------
    data_term : callable
        `LeastSquares` or `Logistic`: a loss that is a sum over rows, so not their averages.
    A, targets : arrays of m rows
    count : int
        From 1 to m.

    Raises
    ------
    ValueError
        If count is not in this range.
    """
    rows = int(A.shape[0])
    if not 1 <= count <= rows:
        raise ValueError(f"by_rows: count must be from 1 to the number of rows, {rows}, got {count}")
    ends = [rows * k // count for k in range(count + 1)]
    return Blocks([data_term(A[a:b], targets[a:b]) for a, b in itertools.pairwise(ends)])
