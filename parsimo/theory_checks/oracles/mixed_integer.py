"""Global optima of zero-norm and clustering problems as mixed-integer programs, with proven lower bounds.

The models are written in cvxpy and solved by SCIP. f(x) = |A x - b|^2 / 2, a ridge being more rows of A. With QR
factors of A the sum of squares has as many terms as A has columns.

**Where x is.** Let U be the objective at any point and c a lower bound of the penalty's share. A minimizer has
f(x) <= U - c, and for A of full column rank, with x_ls the minimizer of f and f_ls = f(x_ls),

    |x_i - x_ls,i| <= sqrt(2 (U - c - f_ls) [(A'A)^-1]_ii).                                                  (level set)

These ends are the big-M constants, intersected with a box where one is given. Without full rank there must be a box or
a ridge.

**What the lower bound is.** SCIP's dual bound comes from linear programs that are solved to tolerances eps for
feasibility and for reduced costs. Their optimal values are wrong by at most eps times the sum of the multipliers plus
eps times the sum of the ranges of the variables; bounds of both, for each model, are subtracted. That integers are
integers up to eps only makes the dual bound smaller. SCIP works in floating point: the bound rests on it keeping its
tolerances, and is no proof in exact arithmetic.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.core.validation import check_nonnegative, check_number
from parsimo.theory_checks.oracles.bounds import Bound
from parsimo.theory_checks.oracles.squares import Box, Squares

__all__ = ["clustering_bound", "zero_norm_bound"]

_EPS = 1e-8  # SCIP's tolerance for feasibility and reduced costs
_GAP = 1e-7  # of primal and dual bound, relative to the best known value


def zero_norm_bound(f: Any, weight: Any, time_limit: float = 60.0, ridge: float = 0.0, box: Box | None = None) -> Bound:
    """The global minimum of f(x) + sum_i weight_i 1[x_i != 0] + ridge |x|^2 / 2 over the box, for least squares.

    Indicators z_i with l_i z_i <= x_i <= u_i z_i, [l_i, u_i] where a nonzero x_i of a minimizer lies.

    Parameters
    ----------
    f : LeastSquares
        Only its data are read. Up to 30 columns or so.
    weight : float or array of shape (n,)
        Nonnegative.
    time_limit : float
        Seconds; what is proved by then is returned.
    ridge : float
        Nonnegative.
    box : pair of floats or arrays of shape (n,), optional
        Lower and upper ends, finite where A has not full column rank.

    Raises
    ------
    ImportError
        If cvxpy or SCIP is absent: `pip install "parsimo[checks]"`.
    TypeError
        If f is not `LeastSquares` with its entries at hand.
    ValueError
        If the level set is unbounded and neither box nor ridge bounds it, or 0 is not in the box.
    """
    begin = time.perf_counter()
    cp = _cvxpy_with_scip("zero_norm_bound")
    model = Squares.of(f, ridge, box, "zero_norm_bound")
    n = model.ls.size
    if (model.lower > 0).any() or (model.upper < 0).any():
        raise ValueError("zero_norm_bound: 0 must lie in the box; a coordinate that cannot be 0 is always paid for")
    prices = np.broadcast_to(np.asarray(check_nonnegative(weight, "zero_norm_bound: weight"), dtype=float), (n,))
    best_x = _greedy(model, prices)
    value = model.value(best_x) + float(prices @ (best_x != 0))
    lower, upper = model.ends(value - float(prices.min()), "zero_norm_bound")

    x, z = cp.Variable(n, bounds=[np.minimum(lower, 0), np.maximum(upper, 0)]), cp.Variable(n, boolean=True)
    objective = cp.sum_squares(model.R @ x - model.q) / 2 + prices @ z
    solved = _Solved.by_scip(
        cp.Problem(cp.Minimize(objective), [cp.multiply(lower, z) <= x, x <= cp.multiply(upper, z)]), time_limit, value
    )
    if solved.found:
        candidate = model.fit(np.flatnonzero(z.value > 0.5))
        reached = model.value(candidate) + float(prices @ (candidate != 0))
        if reached < value:
            value, best_x = reached, candidate
    # multipliers of the indicator rows: what a nonzero costs, and the slope of f
    largest = np.maximum(np.abs(lower), np.abs(upper))
    per_unit = np.divide(prices, largest, out=np.zeros(n), where=largest > 0)
    multipliers = float((per_unit + model.steepest(largest)).sum())
    slack = _cone_slack(value, n) + _EPS * (multipliers + float((upper - lower).sum()) + n)
    return Bound(
        value=value,
        lower=model.floor(solved.dual - slack, value),
        x=best_x,
        source=f"{solved.solver}, {model.origin} for [l_i, u_i], dual bound less {slack:.1e}",
        seconds=time.perf_counter() - begin,
    )


def clustering_bound(
    f: Any,
    weight: float,
    codebook: Sequence[float] | None = None,
    distance: str = "absolute",
    k: int | None = None,
    time_limit: float = 60.0,
    ridge: float = 0.0,
    box: Box | None = None,
) -> Bound:
    """The global minimum of f(x) + weight sum_i min_j r(|x_i - c_j|), r(d) = d or d^2/2, for least squares.

    Assignments z_ij in {0, 1} with sum_j z_ij = 1, and distances d_i. For a fixed codebook

        d_i >= |x_i - sum_j c_j z_ij|,

    exact because the minimum over z is the penalty. For a free one c_1 <= ... <= c_k are variables, and
    d_i >= |x_i - c_j| - M_i (1 - z_ij), M_i the width of the level set seen from x_i.

    Parameters
    ----------
    f, time_limit, ridge, box
        As in `zero_norm_bound`.
    weight : float
        Nonnegative.
    codebook : sequence of float, optional
        The representatives, if they are fixed.
    distance : {"absolute", "squared"}
    k : int, optional
        The number of representatives, if they are free.

    Raises
    ------
    ImportError, TypeError, ValueError
        As `zero_norm_bound`; and if not exactly one of codebook and k is given, or the distance is unknown.
    """
    begin = time.perf_counter()
    cp = _cvxpy_with_scip("clustering_bound")
    weight = check_number(weight, "clustering_bound: weight")
    if (codebook is None) == (k is None):
        raise ValueError(f"clustering_bound: give a codebook or k, one of the two; got {codebook!r} and {k!r}")
    if distance not in ("absolute", "squared"):
        raise ValueError(f'clustering_bound: distance must be "absolute" or "squared", got {distance!r}')
    model = Squares.of(f, ridge, box, "clustering_bound")
    n = model.ls.size
    start = np.clip(model.ls, model.lower, model.upper)
    book = _spread_book(start, k) if codebook is None else np.unique(np.asarray(codebook, dtype=float))

    def value_of(x: np.ndarray, book: np.ndarray) -> float:
        gaps = np.abs(x[:, None] - book).min(axis=1)
        return model.value(x) + weight * float(gaps.sum() if distance == "absolute" else (gaps**2).sum() / 2)

    best_x, value = start, value_of(start, book)
    lower, upper = model.ends(value, "clustering_bound")
    x, d = cp.Variable(n, bounds=[lower, upper]), cp.Variable(n, nonneg=True)
    z = cp.Variable((n, book.size), boolean=True)
    once = cp.sum(z, axis=1) == 1
    if codebook is None:
        low, high = float(lower.min()), float(upper.max())  # best representatives lie among the x_i
        c = cp.Variable(book.size, bounds=[low, high])
        reach = np.maximum(upper - low, high - lower)[:, None] * np.ones((1, book.size))
        apart = cp.reshape(x, (n, 1), order="C") @ np.ones((1, book.size)) - np.ones((n, 1)) @ cp.reshape(
            c, (1, book.size), order="C"
        )
        allowed = cp.reshape(d, (n, 1), order="C") @ np.ones((1, book.size)) + cp.multiply(reach, 1 - z)
        rows = [once, apart <= allowed, -apart <= allowed, c[:-1] <= c[1:]]
        span = high - low
    else:
        c, span = None, float(np.abs(book).max()) + float(np.maximum(np.abs(lower), np.abs(upper)).max())
        rows = [once, x - z @ book <= d, z @ book - x <= d]
    loss = cp.sum_squares(model.R @ x - model.q) / 2
    penalty = weight * (cp.sum(d) if distance == "absolute" else cp.sum_squares(d) / 2)
    solved = _Solved.by_scip(cp.Problem(cp.Minimize(loss + penalty), rows), time_limit, value)
    if solved.found:
        at, found = np.clip(x.value, model.lower, model.upper), book if c is None else np.asarray(c.value)
        for candidate in (at, _snap(at, found)):
            if value_of(candidate, found) < value:
                value, best_x, book = value_of(candidate, found), candidate, found
    # multipliers: weight (times d) for a row of d_i, as much times the codebook's span for one of z_i
    pull = weight * (1.0 if distance == "absolute" else span)
    slack = _cone_slack(value, n) + _EPS * n * (2 * pull * (1 + span) + float(upper.max() - lower.min()) + 2 * span + 2)
    kind = f"k = {k} free representatives" if codebook is None else "fixed codebook"
    return Bound(
        value=value,
        lower=model.floor(solved.dual - slack, value),
        x=best_x,
        source=f"{solved.solver}, {kind}, {model.origin} for x, dual bound less {slack:.1e}",
        seconds=time.perf_counter() - begin,
    )


@dataclass(frozen=True)
class _Solved:
    """What SCIP reports."""

    found: bool
    """Whether the variables of the problem have values."""
    dual: float
    solver: str

    @classmethod
    def by_scip(cls, problem: Any, time_limit: float, value: float) -> _Solved:
        parameters = {
            "numerics/feastol": _EPS,
            "numerics/dualfeastol": _EPS,
            "limits/absgap": _GAP * (1 + value),
            "limits/time": float(time_limit),
        }
        data, chain, inverse = problem.get_problem_data("SCIP")
        raw = chain.solve_via_data(problem, data, solver_opts={"scip_params": parameters})
        model = raw["model"]
        found = "primal" in raw
        if found:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # cvxpy's at a time limit; the point is evaluated anew
                problem.unpack_results(raw, chain, inverse)
        dual = float(model.getDualbound())
        version = f"SCIP {model.version():.1f}"
        return cls(found, dual if abs(dual) < 1e19 else -math.inf, f"{version}, {model.getStatus()}")


def _cone_slack(value: float, n: int) -> float:
    """eps times multipliers and ranges of the rows r = R x - q and of the cone 2t >= |r|^2, where t <= value."""
    return _EPS * ((1 + value) / 2 + value + 2 * n * math.sqrt(2 * value))


def _greedy(model: Squares, prices: np.ndarray) -> np.ndarray:
    """A good point: coordinates are put in and taken out while that lowers the objective."""
    support: frozenset[int] = frozenset()

    def objective(support: frozenset[int]) -> float:
        x = model.fit(np.array(sorted(support), dtype=np.intp))
        return model.value(x) + float(prices[sorted(support)].sum())

    best = objective(support)
    while True:
        moves = [(objective(support ^ {i}), i) for i in range(prices.size)]
        value, i = min(moves)
        if value >= best - 1e-12 * (1 + abs(best)):
            return model.fit(np.array(sorted(support), dtype=np.intp))
        best, support = value, support ^ {i}


def _spread_book(x: np.ndarray, k: int | None) -> np.ndarray:
    assert k is not None
    if k < 1:
        raise ValueError(f"clustering_bound: k must be at least 1, got {k}")
    return np.quantile(x, (np.arange(k) + 0.5) / k)


def _snap(x: np.ndarray, book: np.ndarray) -> np.ndarray:
    """x with every coordinate on its representative where it is there but for the solver's tolerance."""
    nearest = book[np.abs(x[:, None] - book).argmin(axis=1)]
    return np.where(np.abs(x - nearest) <= 1e-5 * (1 + np.abs(x)), nearest, x)


def _cvxpy_with_scip(owner: str) -> Any:
    try:
        import cvxpy
        import pyscipopt  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'{owner} needs cvxpy and SCIP: pip install "parsimo[checks]"; the objective is quadratic, and HiGHS '
            "takes no quadratic objective with integers"
        ) from error
    return cvxpy
