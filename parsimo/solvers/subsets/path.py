"""Least squares with at most k nonzeros, for every k, and with a price for each nonzero."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parsimo._array import Array, asarray_like, to_numpy
from parsimo.core.validation import check_number
from parsimo.solvers.subsets.columns import UnitColumns
from parsimo.solvers.subsets.finding import best_supports
from parsimo.solvers.subsets.search import least_decrease
from parsimo.solvers.subsets.support import Support
from parsimo.solvers.subsets.threads import one_thread

__all__ = ["SubsetPath", "subset_path"]

_FLAT = 1e-9  # |a_j'(A x - b)| as a part of |a_j| |b|: below it the gradient counts as 0


@dataclass(frozen=True, eq=False)
class SubsetPath:
    """Points of k nonzeros for k = 0, 1, ..., and which of them is best at each weight of f(x) + weight |x|_0.

    `path[k]` is the point of size k; beyond the last size it is the last point.
    """

    supports: tuple[np.ndarray, ...]
    """The support of each size, in increasing order."""
    coefficients: tuple[np.ndarray, ...]
    """The entries of x on each support."""
    objectives: np.ndarray
    """f(x), with its ridge, for each size; it never rises."""
    swap_gaps: np.ndarray
    """How far f falls by the best exchange of one column of the support for one outside, all coefficients solved again.

    0 where no exchange lowers f; up to `tolerances` it is rounding. Columns in the span of the support are left out.
    """
    tolerances: np.ndarray
    """1e-10 f(x) + 1e-13 f(0) for each size: decreases within it are not told from rounding."""
    finished: bool
    """Whether the search came to its end; False where the time limit came first."""
    exhausted: bool
    """Whether the gradient at the last point is 0 up to rounding, so that more columns would not lower f."""
    sizes_on_hull: tuple[int, ...]
    """The sizes that are best at some weight: vertices of the lower convex hull of (k, objectives[k])."""
    breakpoints: np.ndarray
    """Decreasing weights, one between each two neighbours on the hull, where they tie."""
    like: Array = field(repr=False)
    """An array of the library, dtype and shape of x."""

    def __len__(self) -> int:
        return len(self.supports)

    def __getitem__(self, size: int) -> Array:
        """The point of at most `size` nonzeros, shape (n,)."""
        if size < 0:
            raise IndexError(f"SubsetPath: a size is 0 or more, got {size}")
        k = min(size, len(self) - 1)
        x = np.zeros(self.like.shape[0])
        x[self.supports[k]] = self.coefficients[k]
        return asarray_like(x, self.like)

    @property
    def swap_optimal(self) -> np.ndarray:
        """Whether no swap lowers f by more than `tolerances`, for each size."""
        return self.swap_gaps <= self.tolerances

    def at_weight(self, weight: float) -> int:
        """The size of least objectives[k] + weight k; the smaller one at a tie (docs/theory.md, Proposition 11.13).

        Raises
        ------
        TypeError, ValueError
            If `weight` is not a finite number >= 0.
        """
        weight = check_number(weight, "SubsetPath.at_weight: weight")
        return self.sizes_on_hull[int(np.sum(self.breakpoints > weight))]

    def best(self, score: Callable[[int, float], float]) -> int:
        """The size of least score(size, objective), such as an information criterion; the smallest at a tie."""
        scores = [float(score(k, float(value))) for k, value in enumerate(self.objectives)]
        return int(np.argmin(scores))

    def __str__(self) -> str:
        optimal = int(self.swap_optimal.sum())
        end = "the search came to its end" if self.finished else "the time limit came first"
        return (
            f"{len(self)} sizes, 0 to {len(self) - 1}; {optimal} of them proved swap optimal; {end}\n"
            f"objective {self.objectives[0]:.10g} -> {self.objectives[-1]:.10g}"
            f"{', the minimum over all x' if self.exhausted else ''}\n"
            f"best at some weight: sizes {', '.join(map(str, self.sizes_on_hull))}"
        )


def subset_path(f: Any, max_size: int, *, ridge: float = 0.0, time_limit: float | None = None) -> SubsetPath:
    """Minimize f(x) + ridge |x|^2 / 2 over x with at most k nonzeros, for each k up to `max_size`, by local search.

    Every point returned is optimal under swaps: exchanging a column of its support for one outside and solving for
    all coefficients again does not lower f (docs/theory.md, Theorem 11.12). It need not be the global minimum.

    Parameters
    ----------
    f : least squares with columns
        With `design.A` dense or scipy sparse, `targets`, `scale` and `coordinate_curvature_is_exact`, as `LeastSquares`
        has them. A sparse A is never made dense; its Gram matrix is formed for the columns that matter.
    max_size : int
        The largest number of nonzeros, at least 0. The path ends before it where more columns lower f no further, or
        lie in the span of those chosen.
    ridge : float
        Nonnegative.
    time_limit : float, optional
        Seconds; past it the search stops, and what was found is returned.

    Returns
    -------
    SubsetPath

    Raises
    ------
    TypeError
        If f is not least squares with columns at hand.
    ValueError
        If an argument is out of range.

    Notes
    -----
    docs/algorithms.md, Subset path. Computed in double precision whatever the dtype of A. A column closer to the span
    of a support than 1e-4 of its length does not enter it. Install threadpoolctl where BLAS has several threads: the
    products are small, and go several times faster on one.

    Examples
    --------
    >>> import numpy as np, parsimo as ps
    >>> path = ps.subset_path(ps.LeastSquares(np.eye(3), np.array([3.0, 0.0, 1.0])), max_size=3)
    >>> [support.tolist() for support in path.supports], path.at_weight(1.0)
    ([[], [0], [0, 2]], 1)
    """
    A, b, scale = _columns_of(f)
    if not isinstance(max_size, int | np.integer) or isinstance(max_size, bool) or max_size < 0:
        raise ValueError(f"subset_path: max_size must be an integer >= 0, got {max_size!r}")
    ridge = check_number(ridge, "subset_path: ridge")
    seconds = math.inf if time_limit is None else check_number(time_limit, "subset_path: time_limit")
    deadline = time.perf_counter() + seconds
    with one_thread():
        columns = UnitColumns(A, b, ridge / scale)
        found = best_supports(columns, min(int(max_size), len(columns.c)), deadline)
        finished = time.perf_counter() <= deadline
        x, squares, slope = _refined(columns, found)
    unit = scale * columns.height**2 / 2
    objectives = unit * squares
    order = [np.argsort(s.members) for s in found]
    hull, breakpoints = lower_hull(objectives)
    return SubsetPath(
        supports=tuple(s.members[o] for s, o in zip(found, order, strict=True)),
        coefficients=tuple(
            x[k][o] * columns.height / columns.lengths[s.members[o]]
            for k, (s, o) in enumerate(zip(found, order, strict=True))
        ),
        objectives=objectives,
        swap_gaps=unit * np.array([0.0 if (swap := s.best_swap) is None else swap.decrease for s in found]),
        tolerances=unit * np.array([least_decrease(s) for s in found]),
        finished=finished,
        exhausted=slope <= _FLAT,
        sizes_on_hull=hull,
        breakpoints=breakpoints,
        like=f.design.zeros(len(columns.c)),
    )


def lower_hull(objectives: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """Vertices of the lower convex hull of (k, objectives[k]) up to its minimum, and minus the slopes between them.

    Size k is best for weights between the breakpoints on its two sides (docs/theory.md, Proposition 11.13).
    """
    hull: list[int] = []
    for k, value in enumerate(objectives):
        if hull and value >= objectives[hull[-1]]:
            continue
        while len(hull) > 1 and _slope(objectives, hull[-2], hull[-1]) >= _slope(objectives, hull[-1], k):
            hull.pop()
        hull.append(k)
    return tuple(hull), np.array([-_slope(objectives, i, j) for i, j in itertools.pairwise(hull)])


def _slope(objectives: np.ndarray, i: int, j: int) -> float:
    return float(objectives[j] - objectives[i]) / (j - i)


def _columns_of(f: Any) -> tuple[Any, np.ndarray, float]:
    """A, b and scale of f(x) = scale |A x - b|^2 / 2."""
    design = getattr(f, "design", None)
    A = getattr(design, "A", None)
    lacking = [name for name in ("targets", "scale") if not hasattr(f, name)]
    lacking += ["design.A"] * (A is None)
    lacking += ["an exact quadratic form (coordinate_curvature_is_exact)"] * (
        not getattr(f, "coordinate_curvature_is_exact", False)
    )
    if lacking:
        raise TypeError(
            f"subset_path: needs least squares with columns at hand, but {type(f).__name__} gives no "
            f"{', '.join(lacking)}; polish(problem, x) with a ZeroNorm climbs by swaps for any f"
        )
    return (A if hasattr(A, "tocsc") else to_numpy(A)), to_numpy(f.targets), float(f.scale)


def _refined(columns: UnitColumns, found: list[Support]) -> tuple[list[np.ndarray], np.ndarray, float]:
    """Coefficients, and |A x - b|^2 + ridge |x|^2, after two steps of iterative refinement; the last largest |r_j|.

    Each step solves with the inverse at hand for what the residuals from A itself still leave of the gradient.
    """
    used = np.unique(np.concatenate([s.members for s in found]))
    A, share = columns.taken(used), columns.share[used]
    places = [np.searchsorted(used, s.members) for s in found]
    x = np.zeros((len(found), len(used)))
    for k, s in enumerate(found):
        x[k, places[k]] = s.x
    for _ in range(2):
        residuals = columns.b - x @ A.T
        left = residuals @ A - share * x
        for k, s in enumerate(found):
            x[k, places[k]] += s.M @ left[k, places[k]]
    residuals = columns.b - x @ A.T
    squares = np.einsum("ki,ki->k", residuals, residuals) + (x * x) @ share
    slopes = columns.correlations(residuals[-1])
    slopes[used] -= share * x[-1]
    return [x[k, places[k]] for k in range(len(found))], squares, float(np.abs(slopes).max())
