"""A data term seen column by column: what methods that move one coordinate at a time ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parsimo._array import Array

__all__ = ["Columns"]


@dataclass(frozen=True, eq=False)
class Columns:
    """f(x) = sum_i l_i(a_i'x) with the entries of A at hand and l_i'' >= 0 bounded."""

    matrix: Any
    """A, m x n: a numpy array, or a scipy matrix in compressed column format."""
    norms_squared: np.ndarray
    """|a_j|^2 for each column, (n,), float64."""
    curvatures: Callable[[Array], np.ndarray]
    """x -> h = (l_i''(a_i'x)), (m,), so that the Hessian of f at x is A' diag(h) A."""
    remember: Callable[[Array, np.ndarray], object]
    """(x, A x): tells f what A x is, which a method may know from the columns it works with."""
    largest_curvature: float
    """A bound of l_i'' everywhere: the Hessian is nowhere above that multiple of A'A."""
    is_quadratic: bool
    """Whether h is the bound everywhere, so that f is its quadratic model."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What a method has computed from the columns and will want again when it next minimizes this f with another g."""
