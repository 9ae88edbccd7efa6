"""Global minima of f(x) + sum g_i(x_i) with convex f and g_i concave on either side of 0, by branch and bound.

On a box g_i lies above a convex r_i (boxes.py). By convexity of f, whatever the point y of the box,

    f(x) + g(x) >= f(y) + sum_i min over the box of [d_i f(y) (x_i - y_i) + r_i(x_i)]   for all x of the box.     (*)

The bound is best where y minimizes f + r, but it does not depend on how well that was done. Of f, values and gradients
are used, of g values alone: that g_i is concave on either side of 0 is a hypothesis, looked at on a grid.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parsimo._array import to_numpy
from parsimo.core.validation import check_number
from parsimo.penalties import ZeroNorm, ZeroNormBox
from parsimo.problems import LeastSquares
from parsimo.problems.exact_penalty import PenalizedMPEC
from parsimo.problems.mpec import MPEC
from parsimo.theory_checks.oracles.bounds import Bound
from parsimo.theory_checks.oracles.boxes import TINY, Boxes, Terms, require_concave
from parsimo.theory_checks.oracles.instance import require_numpy
from parsimo.theory_checks.oracles.quadratic_models import QuadraticModels
from parsimo.theory_checks.oracles.scan import line_minima

__all__ = ["branch_and_bound", "global_bound", "global_minimizers", "has_bounded_level_sets", "near_minimizers"]

Box = tuple[np.ndarray, np.ndarray]
_BATCH = 256  # boxes that are worked on together
_LIMIT = 200_000  # boxes after which the search is given up
_ROUNDING = 1e-13  # of a bound, relative to the sizes of its terms


def branch_and_bound(
    f: Any,
    terms: Terms,
    box: Box,
    start: np.ndarray | None = None,
    tolerance: float = 1e-9,
    limit: int = _LIMIT,
    time_limit: float | None = None,
) -> Bound:
    """The minimum of f(x) + sum g_i(x_i) over a box that contains 0.

    Parameters
    ----------
    f : Smooth
        Convex; `value`, `grad` and `value_and_grad` are used.
    terms : callable
        g_i(x_i) for each entry of an array of shape (..., n). g_i is 0 at 0, concave and nondecreasing in |x_i| > 0,
        even, and may jump at 0. What a grid shows to be otherwise is refused; the rest is taken on trust.
    box : pair of arrays of shape (n,)
        Its lower and upper ends.
    start : array of shape (n,), optional
        A good point of the box.
    tolerance : float
        The gap to close, relative to 1 + |value|.
    limit : int
        Boxes to look at; the lower bound is what is proved by then, and `source` says that the limit ended the search.
    time_limit : float, optional
        Seconds, looked at after every 256 boxes; else as `limit`.

    Raises
    ------
    TypeError
        If f is not of numpy arrays.
    ValueError
        If the box is not finite or does not contain 0, or g is not 0 at 0, or not concave on a grid; or if a limit or
        the tolerance is no number >= 0.
    """
    search = _Search(f, terms, box, start, tolerance, "branch_and_bound")
    search.run(limit, time_limit, collect=False)
    return search.bound()


def near_minimizers(
    f: Any,
    terms: Terms,
    box: Box,
    start: np.ndarray | None = None,
    tolerance: float = 1e-8,
    limit: int = _LIMIT,
) -> tuple[Bound, np.ndarray]:
    """The minimum, and points near which all minimizers lie, one a row; parameters as for `branch_and_bound`.

    Let e = tolerance (1 + |value|). Each point is at most e above the best one. On the box of a minimizer the
    relaxation f + r is at most e above its own minimum, and one of the points attains that up to e: where f is strongly
    convex with modulus m, each minimizer is within 2 sqrt(2 e / m) of a point. Points nearer than sqrt(tolerance)
    to an earlier one are left out.

    Raises
    ------
    RuntimeError
        If the limit is reached: points may be missing.
    """
    search = _Search(f, terms, box, start, tolerance, "near_minimizers")
    search.run(limit, None, collect=True)
    if len(search.open):
        raise RuntimeError(f"near_minimizers: {len(search.open)} boxes are left after {limit}; raise the limit")
    return search.bound(), search.points()


def global_bound(
    problem: Any,
    radius: float | None = None,
    tolerance: float = 1e-9,
    limit: int = _LIMIT,
    time_limit: float | None = None,
) -> Bound:
    """The minimum over x of a problem of the chain: zero norm, MPEC, penalized MPEC or surrogate; or of a `Composite`.

    For a problem in (x, w) w is minimized out by a search over values of phi. The box comes from a proof: for least
    squares of full column rank from the level set of the best point known; otherwise it is |x_i| <= radius, and
    the minimum is the one over that box. With a `ZeroNormBox` its box is a part of the problem, and suffices where its
    ends are finite.

    Parameters
    ----------
    problem : ZeroNormProblem, MPEC, PenalizedMPEC, SurrogateProblem or Composite
        With numpy data, a convex f that has a `shape`, and for a Composite a g as `branch_and_bound` wants it.
    radius : float, optional
        Positive. The search is held to |x_i| <= radius, whatever f is: the bound is one of this box alone.
    tolerance, limit, time_limit
        As for `branch_and_bound`.

    Raises
    ------
    TypeError
        If the problem is not of numpy arrays, f has no `shape`, or g is no penalty weight * h(|x|) of each coordinate.
    ValueError
        If f is not known to be convex, or there is neither a radius nor a bounded level set nor a box.
    """
    f, terms, box, start = _given(problem, radius, "global_bound")
    bound = branch_and_bound(f, terms, box, start, tolerance, limit, time_limit)
    return bound if radius is None else replace(bound, source=f"{bound.source}, for |x_i| <= {radius:g} alone")


def global_minimizers(
    problem: Any, radius: float | None = None, tolerance: float = 1e-8, limit: int = _LIMIT
) -> tuple[Bound, np.ndarray]:
    """The minimum and all near-minimizers of a problem, as `near_minimizers` finds them; else as `global_bound`."""
    f, terms, box, start = _given(problem, radius, "global_minimizers")
    return near_minimizers(f, terms, box, start, tolerance, limit)


def has_bounded_level_sets(f: Any) -> bool:
    """Whether f is least squares of full column rank, so that a box for its minimizers can be proved."""
    if not isinstance(f, LeastSquares):
        return False
    hessian = _hessian(f)
    return bool(np.linalg.eigvalsh(hessian)[0] > 1e-10 * np.trace(hessian))


@dataclass
class _Search:
    """The boxes that are still open, and what the closed ones have left."""

    f: Any
    terms: Terms
    box: Box
    start: np.ndarray | None
    tolerance: float
    owner: str

    def __post_init__(self) -> None:
        self.began, self.end = time.perf_counter(), ""
        require_numpy(self.f, self.owner)
        self.tolerance = check_number(self.tolerance, f"{self.owner}: tolerance")
        low, high = (np.array(end, dtype=np.float64) for end in self.box)
        n, zero = low.size, np.zeros(low.size)
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= 0).all() and (high >= 0).all()):
            raise ValueError(f"branch_and_bound: the box must be finite and contain 0, got {low} to {high}")
        g_low, g_high = self.terms(low), self.terms(high)
        if np.abs(self.terms(zero)).max() > 1e-9 * max(np.abs(g_low).max(), np.abs(g_high).max()):
            raise ValueError(f"branch_and_bound: g must be 0 at 0, got {self.terms(zero)}")
        for end in (low, high):
            require_concave(self.terms, end)
        self.jumps = self.terms(np.full(n, TINY)) > 1e-6 * np.maximum(g_low, g_high)
        self.models = QuadraticModels(self.f, n)
        candidates = [zero] if self.start is None else [zero, np.clip(self.start, low, high)]
        self.value, self.x = min(((self._objective(p), p) for p in candidates), key=lambda pair: pair[0])
        self.open = Boxes(*(a[None] for a in (low, high, g_low, g_high, self.x, np.array(-math.inf))))
        self.floor = math.inf  # the least bound of a closed box
        self.solved: list[tuple[float, np.ndarray]] = []  # closed boxes whose bound is attained: value and point

    def run(self, limit: int, time_limit: float | None, collect: bool) -> None:
        """Close boxes until none is open: those of too high a bound; and, if `collect`, those solved.

        Without `collect`, a bound is too high within e below the best value: no point is better by more than e. With
        it, from e above the best value on: no minimizer is lost.
        """
        limit = int(check_number(limit, f"{self.owner}: limit"))
        seconds = math.inf if time_limit is None else check_number(time_limit, f"{self.owner}: time_limit")
        looked_at = 0
        while len(self.open) and looked_at < limit and time.perf_counter() - self.began < seconds:
            order, size = np.argsort(self.open.bound), min(_BATCH, limit - looked_at)
            boxes, self.open = self.open[order[:size]], self.open[order[size:]]
            looked_at += len(boxes)
            gaps, values = self._evaluate(boxes)
            if values.min() < self.value:
                self.value, self.x = float(values.min()), boxes.y[values.argmin()].copy()
            if collect:
                tight = gaps.sum(axis=1) <= self._allowed
                self.solved += zip(values[tight].tolist(), boxes.y[tight], strict=True)
                boxes, gaps = self._close(boxes, tight), gaps[~tight]
            cut = boxes.split(gaps, self.terms, self.jumps)
            self.open = Boxes.join([self.open, cut])
            highest = self.value + self._allowed if collect else self.value - self._allowed
            self.open = self._close(self.open, self.open.bound > highest)
        gap, stopped = self.value - self._lower, "limit" if looked_at >= limit else "time_limit"
        end = f"stopped by {stopped} with a gap of {gap:.2g}" if len(self.open) else f"optimal within {gap:.2g}"
        self.end = f"{end}, boxes looked at: {looked_at}"

    def bound(self) -> Bound:
        """What is proved, and what ended the search."""
        source = f"branch and bound, by convexity of f, for terms concave on either side of 0; {self.end}"
        return Bound(self.value, self._lower, self.x, source, time.perf_counter() - self.began)

    def points(self) -> np.ndarray:
        """The points of the solved boxes that are near-minimizers, but for those that repeat an earlier one."""
        kept: list[np.ndarray] = []
        for value, p in sorted(self.solved, key=lambda pair: pair[0]):
            apart = math.sqrt(self.tolerance) * (1 + np.abs(p).max())
            if value <= self.value + self._allowed and all(np.abs(p - q).max() > apart for q in kept):
                kept.append(p)
        return np.array(kept).reshape(-1, self.x.size)

    @property
    def _lower(self) -> float:
        return min(self.floor, float(self.open.bound.min(initial=math.inf)), self.value)

    @property
    def _allowed(self) -> float:
        return self.tolerance * (1 + abs(self.value))

    def _objective(self, x: np.ndarray) -> float:
        return float(self.f.value(x)) + float(np.sum(self.terms(x)))

    def _close(self, boxes: Boxes, closed: np.ndarray) -> Boxes:
        self.floor = min(self.floor, float(boxes.bound[closed].min(initial=math.inf)))
        return boxes[~closed]

    def _evaluate(self, boxes: Boxes) -> tuple[np.ndarray, np.ndarray]:
        """Move each y to about the minimizer of f + r, and take the bound (*) there.

        Returns
        -------
        (array of shape (boxes, n), array of shape (boxes,))
            What each coordinate contributes to the gap between f + g at y and the bound; f + g at y.
        """
        boxes.y = self.models.minimize(boxes)
        at_y = [self.f.value_and_grad(y) for y in boxes.y]
        f, gradient = np.array([v for v, _ in at_y]), np.array([d for _, d in at_y])
        least, g = boxes.least(gradient), self.terms(boxes.y)
        sizes = np.abs(gradient) * (boxes.high - boxes.low) + boxes.g_low + boxes.g_high
        rounding = _ROUNDING * (np.abs(f) + sizes.sum(axis=1))
        boxes.bound = np.maximum(boxes.bound, f + least.sum(axis=1) - rounding)
        return g - least, f + g.sum(axis=1)


def _given(problem: Any, radius: float | None, owner: str) -> tuple[Any, Terms, Box, np.ndarray]:
    """f, g_i, box and start of a problem."""
    base = problem.problem if isinstance(problem, MPEC) else problem
    if not hasattr(base, "f") or not (hasattr(base, "g") or isinstance(problem, PenalizedMPEC)):
        raise TypeError(f"{owner}: needs a problem such as ZeroNormProblem or Composite(f, g), got {problem!r}")
    f = base.f
    require_numpy(f, owner)
    if not hasattr(f, "shape"):
        raise TypeError(f"{owner}: f={f!r} tells no shape of x; give it an attribute shape = (n,)")
    if not getattr(f, "convex", False):
        raise ValueError(f"{owner}: {f!r} is not known to be convex; only then is a bound proved")
    n, terms = f.shape[0], _terms(problem, owner)
    low, high = _domain(problem, n)
    if radius is not None:
        radius = check_number(radius, f"{owner}: radius", positive=True)
        return f, terms, (np.maximum(low, -radius), np.minimum(high, radius)), np.zeros(n)
    if not has_bounded_level_sets(f):
        if np.isfinite(low).all() and np.isfinite(high).all():
            return f, terms, (low, high), np.zeros(n)
        raise ValueError(
            f"{owner}: {f!r} is not least squares of full column rank, so the size of its level sets is not known; "
            "pass a radius for |x_i|"
        )
    at_zero, hessian = f.grad(np.zeros(n)), _hessian(f)
    start = np.clip(_eliminate(lambda x: float(f.value(x)) + float(terms(x).sum()), hessian, -at_zero), low, high)
    level = float(f.value(start)) + float(terms(start).sum())
    # f(x) <= level is an ellipsoid about the least-squares solution
    center = np.linalg.solve(hessian, -at_zero)
    reach = np.sqrt(2 * max(level - f.value(center), 0.0) * np.diag(np.linalg.inv(hessian)))
    reach = reach * (1 + 1e-6) + 1e-9 * (1 + np.abs(center))
    low, high = np.maximum(low, center - reach), np.minimum(high, center + reach)
    return f, terms, (np.minimum(low, 0.0), np.maximum(high, 0.0)), start


def _domain(problem: Any, n: int) -> Box:
    """Where the penalty is finite."""
    g = getattr(problem, "g", None)
    ends = (g.lower, g.upper) if isinstance(g, ZeroNormBox) else (-math.inf, math.inf)
    low, high = (np.broadcast_to(np.asarray(to_numpy(end), dtype=np.float64), (n,)) for end in ends)
    return low, high


def _hessian(f: Any) -> np.ndarray:
    """Of a quadratic f, from its gradients."""
    n = f.shape[0]
    return np.array([f.grad(e) - f.grad(np.zeros(n)) for e in np.eye(n)])


def _eliminate(objective: Any, hessian: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """The best of the points found by backward elimination from the minimizer of x'Hx/2 - c'x."""
    support, best = list(range(linear.size)), np.zeros(linear.size)
    while support:
        x = np.zeros(linear.size)
        x[support] = np.linalg.solve(hessian[np.ix_(support, support)], linear[support])
        best = min(best, x, key=objective)
        support.remove(min(support, key=lambda i: x[i] ** 2 * hessian[i, i]))
    return best


def _terms(problem: Any, owner: str) -> Terms:
    """The terms of the penalty on its domain, for arrays of any number of rows."""
    if isinstance(problem, MPEC):
        weight, phi = np.asarray(problem.problem.weight), problem.phi
        at_one, least = float(phi.value(np.ones(1))[0]), float(_least_over_w(phi, np.zeros(1))[0])
        return lambda x: weight * np.where(x != 0, at_one, least)
    if isinstance(problem, PenalizedMPEC):
        weight, phi, rho = np.asarray(problem.weight), problem.phi, problem.rho
        return lambda x: weight * _least_over_w(phi, rho * np.abs(x))
    g = ZeroNorm(problem.g.weight) if isinstance(problem.g, ZeroNormBox) else problem.g
    if not hasattr(g, "terms") or not hasattr(g, "weight"):
        raise TypeError(
            f"{owner}: {g!r} is no penalty weight * h(|x|) of each coordinate with `terms` and `weight`; pass "
            "f and a function of the terms to branch_and_bound"
        )
    if not getattr(g.weight, "shape", ()):
        return lambda x: np.asarray(g.terms(x))
    return lambda x: replace(g, weight=np.broadcast_to(g.weight, x.shape)).terms(x)


def _least_over_w(phi: Any, s: np.ndarray) -> np.ndarray:
    """min over 0 <= w <= 1 of phi(w) + s (1 - w), entry by entry, from values of phi alone."""
    flat = np.ravel(s)

    def objective(rows: np.ndarray, w: np.ndarray) -> np.ndarray:
        return np.asarray(phi.value(w)) + flat[rows, None] * (1 - w)

    return line_minima(objective, np.tile([0.0, 0.5, 1.0], (flat.size, 1)), basins=1)[0][:, 0].reshape(s.shape)
