"""How optimal a point is: the highest rung of the stationarity ladder that its numbers prove."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

from parsimo._array import Array, array_namespace, norm
from parsimo.core.problem import certificate, natural_residual
from parsimo.core.result import Result
from parsimo.core.validation import check_number, check_vector
from parsimo.solvers.ladder import Ladder, Reading, Rung
from parsimo.solvers.moves import Move, best_coordinate_move, best_swap, moves_are_exact

__all__ = ["certify", "plain_penalty", "point_of", "scales_at_zero"]


def certify(
    problem: Any,
    x: Any = None,
    *,
    tolerance: float = 1e-8,
    step_size: float | None = None,
    bound: Any = None,
) -> Ladder:
    """The highest rung of the stationarity ladder that can be proved for x, and the number behind each rung.

    Parameters
    ----------
    problem : Problem or Result
        A `Result` stands for its problem and its x.
    x : array or Result, optional
    tolerance : float
        A rung holds where its number is at most tolerance * max(|grad f(x)|, |grad f(0)|) for distances, residuals and
        rates, and tolerance * max(|F(x)|, |F(0)|) for decreases and gaps: scaling the problem changes no rung. Below
        100 units in the last place of x's dtype it is raised to them.
    step_size : float, optional
        Of prox-stationarity; by default 1/L where f states L. A step above 1 / max L_i asks for more than minimizers
        need to satisfy.
    bound : float or object with `lower` and `source`, optional
        A proven lower bound of the objective, such as a global solver gives. Without one the gap is bounded where the
        problem is convex.

    Returns
    -------
    Ladder

    Raises
    ------
    TypeError, ValueError
        If x does not fit the problem, the objective at x is not finite, or the bound exceeds it.

    Notes
    -----
    docs/theory.md, 10. Numbers are proved up to the rounding of their own evaluation. A problem with auxiliary
    variables that offers `eliminate()` is certified with them eliminated. For clustering problems the first rung is
    for the best assignments of x, held fixed (Proposition 6.4), and the next ones are not evaluated.
    """
    problem, x = point_of(problem, x, "certify")
    tolerance = check_number(tolerance, "certify: tolerance")
    tolerance = max(tolerance, 100 * float(array_namespace(x).finfo(x.dtype).eps))
    if step_size is not None:
        step_size = check_number(step_size, "certify: step_size", positive=True)
    objective, grad = problem.value(x), problem.f.grad(x)
    if not math.isfinite(objective) or not math.isfinite(norm(grad)):
        raise ValueError(
            f"certify: objective {objective} and gradient norm {norm(grad)} at x must be finite; "
            "x lies outside the domain of the problem, for example outside a box"
        )
    return _Point(problem, x, objective, grad, tolerance).ladder(step_size, bound)


@dataclass(frozen=True, eq=False)
class _Point:
    """A point under examination."""

    problem: Any
    x: Array
    objective: float
    grad: Array
    tolerance: float

    def ladder(self, step_size: float | None, bound: Any) -> Ladder:
        gap = self._gap(bound)
        move, swap = (None, None) if self._no_moves else (self._best(best_coordinate_move), self._best(best_swap))
        readings = (
            self._critical(),
            self._descent(),
            self._prox(step_size),
            _no_more_than(gap, self._moves(Rung.COORDINATEWISE, "largest decrease by one coordinate", move)),
            _no_more_than(gap, self._moves(Rung.SWAP, "largest decrease by one coordinate or a swap", move, swap)),
            gap,
        )
        rung = Rung.NONE
        for reading in readings:
            if reading.holds is False:
                break
            rung = reading.rung if reading.holds else rung
        return Ladder(rung, readings, self.objective, move, swap)

    @property
    def _slope_limit(self) -> float:
        return self.tolerance * self._scales[0]

    @property
    def _height_limit(self) -> float:
        return self.tolerance * self._scales[1]

    @cached_property
    def _scales(self) -> tuple[float, float]:
        """The sizes of gradient and objective, at x or at 0 where they are larger there."""
        slope, height = scales_at_zero(self.problem, self.x)
        return max(norm(self.grad), slope), max(abs(self.objective), height)

    def _critical(self) -> Reading:
        g, note = plain_penalty(self.problem), ""
        if g is None:
            distance, note = certificate(self.problem, self.x), "for the best assignments of x, held fixed"
        else:
            distance = g.subdiff_distance(self.x, self.grad)
        return Reading(Rung.CRITICAL, "distance from the subdifferential", distance, self._slope_limit, note=note)

    def _descent(self) -> Reading:
        g, what = plain_penalty(self.problem), "steepest rate of descent"
        if not hasattr(g, "descent_rate"):
            return Reading(Rung.D_STATIONARY, what, math.nan, self._slope_limit, note=self._lack("descent_rate"))
        return Reading(Rung.D_STATIONARY, what, g.descent_rate(self.x, self.grad), self._slope_limit)

    def _prox(self, step_size: float | None) -> Reading:
        what, L = "natural residual", self.problem.f.lipschitz
        if plain_penalty(self.problem) is None:
            return Reading(Rung.PROX_STATIONARY, what, math.nan, self._slope_limit, note=self._lack("prox"))
        if step_size is None and L is None:
            why = "f states no Lipschitz constant; pass step_size"
            return Reading(Rung.PROX_STATIONARY, what, math.nan, self._slope_limit, note=why)
        t = step_size if step_size is not None else 1 / L if L > 0 else 1.0
        origin = "as given" if step_size is not None else "1/L"
        if step_size is None and not getattr(self.problem.f, "lipschitz_is_exact", True):
            origin = "1/L by Lanczos iteration"
        residual = natural_residual(self.problem, self.x, t)
        return Reading(Rung.PROX_STATIONARY, what, residual, self._slope_limit, note=f"step {t:.4g}, {origin}")

    @property
    def _no_moves(self) -> str:
        """Why moves of coordinates cannot be judged; empty where they can."""
        f, g = self.problem.f, plain_penalty(self.problem)
        if not hasattr(g, "terms"):
            return self._lack("terms")
        return "" if getattr(f, "coordinate_curvature", None) is not None else f"{f!r} gives no coordinate_curvature"

    def _best(self, search: Callable[..., Move | None]) -> Move | None:
        return search(self.problem.f, plain_penalty(self.problem), self.x, self.grad)

    def _moves(self, rung: Rung, what: str, *found: Move | None) -> Reading:
        limit, moves = self._height_limit, [move for move in found if move is not None]
        if self._no_moves:
            return Reading(rung, what, math.nan, limit, note=self._no_moves)
        best = max(moves, key=lambda move: move.decrease, default=None)
        decrease = 0.0 if best is None else best.decrease
        exact = moves_are_exact(self.problem.f)
        note = str(best) if decrease > limit else "" if exact else "by a bound of f, and zeros by value"
        return Reading(rung, what, decrease, limit, "equal" if exact else "below", note)

    def _lack(self, method: str) -> str:
        owner = plain_penalty(self.problem)
        if owner is None:
            return f"{type(self.problem).__name__} has auxiliary variables that are found by descent"
        return f"{type(owner).__name__} gives no {method}"

    def _gap(self, bound: Any) -> Reading:
        """Objective minus a lower bound: the given one, or the best that convexity yields (Proposition 10.4)."""
        what, limit, gaps = "gap", self._height_limit, self._convex_gaps()
        if bound is not None:
            lower = bound if isinstance(bound, Real) else getattr(bound, "lower", None)
            if not isinstance(lower, Real):
                raise TypeError(
                    f"certify: bound must be a number, or an object with `lower` and `source`, got {bound!r}"
                )
            lower = float(lower)
            if math.isnan(lower):
                raise ValueError("certify: bound is not a number (NaN); pass a proven lower bound, or leave it out")
            if lower > self.objective + 1e-6 * self._scales[1]:
                raise ValueError(
                    f"certify: bound={lower} is no lower bound, since x attains {self.objective}; "
                    "pass a bound of this very problem"
                )
            # a bound that exceeds the objective by rounding is no better than that
            gaps.append((abs(self.objective - lower), getattr(bound, "source", "a bound that was given")))
        gap, source = min(gaps, default=(math.inf, ""))
        if gap == math.inf:
            why = (
                "convexity yields no bound; pass bound=, a proven one (docs/oracles.md)"
                if bound is None
                else "the bound is -infinity"
            )
            return Reading(Rung.GLOBAL, what, math.nan, limit, "above", why)
        return Reading(Rung.GLOBAL, what, gap, limit, "above", f"by {source}")

    def _convex_gaps(self) -> list[tuple[float, str]]:
        f, g, gaps = self.problem.f, plain_penalty(self.problem), []
        if g is None or not getattr(f, "convex", False):
            return []
        distance = g.subdiff_distance(self.x, self.grad)
        modulus = getattr(f, "strong_convexity", 0.0) - g.traits.weak_convexity
        if modulus > 0:
            gaps.append((distance**2 / (2 * modulus), f"strong convexity with modulus {modulus:.3g}"))
        lowest = getattr(f, "lower_bound", None)
        if g.traits.convex and lowest is not None and hasattr(g, "sublevel_radius"):
            radius = g.sublevel_radius(self.objective - lowest)
            if math.isfinite(radius):
                gaps.append((distance * (norm(self.x) + radius), f"convexity, minimizers within {radius:.3g}"))
        return [(gap, source) for gap, source in gaps if math.isfinite(gap)]


def _no_more_than(gap: Reading, reading: Reading) -> Reading:
    """No move lowers the objective by more than the gap, which settles what the moves alone leave open."""
    if reading.holds is not None or not gap.holds:
        return reading
    return Reading(reading.rung, reading.quantity, gap.number, reading.limit, "above", "no more than the gap")


def scales_at_zero(problem: Any, x: Array) -> tuple[float, float]:
    """|grad f(0)| and |F(0)|, for arrays like x; 0 for what is not finite, as F is where 0 is outside the domain."""
    zero = array_namespace(x).zeros_like(x)
    slope, height = norm(problem.f.grad(zero)), abs(problem.value(zero))
    return slope if math.isfinite(slope) else 0.0, height if math.isfinite(height) else 0.0


def plain_penalty(problem: Any) -> Any:
    """g where the problem is f + g in x alone, its auxiliary variables eliminated if it can; None otherwise."""
    if hasattr(problem, "g"):
        return problem.g
    return problem.eliminate().g if hasattr(problem, "eliminate") else None


def point_of(problem: Any, x: Any, owner: str) -> tuple[Any, Array]:
    """The problem and the point that a call with a problem and x, or with a `Result`, means.

    Raises
    ------
    TypeError, ValueError
        If there is no problem or no point, or x is not of the shape, library and dtype of f's data.
    """
    if isinstance(problem, Result):
        problem, x = problem.problem, problem.x if x is None else x
    x = x.x if isinstance(x, Result) else x
    missing = [name for name in ("f", "value", "prox", "given", "auxiliary") if not hasattr(problem, name)]
    if missing or isinstance(problem, type):
        raise TypeError(f"{owner}: {problem!r} is no problem object, it lacks {', '.join(missing) or 'its data'}")
    if x is None:
        raise TypeError(f"{owner}: pass a point x, or the Result of solve")
    own_start = getattr(problem.f, "start", None)
    like = own_start() if callable(own_start) else None
    x = check_vector(x, f"{owner}: x", size=None if like is None else like.shape[0])
    if like is not None and (array_namespace(x) is not array_namespace(like) or x.dtype != like.dtype):
        raise TypeError(
            f"{owner}: x is a {type(x).__module__} array of {x.dtype}, but the data of f is "
            f"{type(like).__module__}'s of {like.dtype}; convert x"
        )
    return problem, x
