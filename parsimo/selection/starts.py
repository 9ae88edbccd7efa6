"""Where the point of each weight starts: at the one before, or at the best support that a search of subsets found."""

from __future__ import annotations

from typing import Any

from parsimo._array import Array
from parsimo.core.problem import Composite
from parsimo.penalties import WithRidge, ZeroNorm
from parsimo.problems import LeastSquares
from parsimo.solvers.subsets import SubsetPath, subset_path

__all__ = ["Starts"]

_FIRST_SIZE = 20
_ROUNDING = 1e-10  # of an objective, which is never negative here
_LARGEST_SIZE = 50  # beyond it the search costs far more than the path


class Starts:
    """The best start that is at hand for a weight.

    For least squares with a zero norm these are the point of the weight before and that of `subset_path` which is
    best at this weight; for anything else the point before.

    Parameters
    ----------
    f : Smooth
    penalty : Proximable
        At any weight of the path.
    smallest : float
        The last weight: supports are sought up to a size that is best at it.
    limit : int, optional
        And no larger than this; 50 by default.
    """

    def __init__(self, f: Any, penalty: Any, smallest: float, limit: int | None = None) -> None:
        self.f = f
        self.subsets = _subsets(f, penalty, smallest, _LARGEST_SIZE if limit is None else limit)

    def best(self, penalty: Any, weight: float, before: Array) -> Array:
        """The one of lowest objective; the point before, if rounding may have decided."""
        if self.subsets is None:
            return before
        found = self.subsets[self.subsets.at_weight(weight)]
        problem = Composite(self.f, penalty)
        return found if problem.value(found) < (1 - _ROUNDING) * problem.value(before) else before


def _subsets(f: Any, penalty: Any, smallest: float, limit: int) -> SubsetPath | None:
    """The search, doubled until the largest size is of no use at the smallest weight."""
    ridge, g = (penalty.ridge, penalty.penalty) if isinstance(penalty, WithRidge) else (0.0, penalty)
    if type(f) is not LeastSquares or f.columns is None or type(g) is not ZeroNorm or not isinstance(g.weight, float):
        return None
    largest = min(limit, *f.design.shape)
    size = min(_FIRST_SIZE, largest)
    while True:
        path = subset_path(f, size, ridge=ridge)
        spent = path.breakpoints.size > 0 and path.breakpoints[-1] < smallest
        if path.exhausted or spent or size >= largest:
            return path
        size = min(2 * size, largest)
