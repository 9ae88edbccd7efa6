"""Climbing the stationarity ladder: moves of coordinates and swaps, with the support solved again after each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from parsimo._array import Array, array_namespace, asarray_like, device_of, norm
from parsimo.core.problem import Composite
from parsimo.core.validation import check_number
from parsimo.solvers import stopping
from parsimo.solvers.ladder import Ladder
from parsimo.solvers.loop import run
from parsimo.solvers.moves import Move, best_coordinate_move, best_swap
from parsimo.solvers.proximal_gradient import ProximalGradient
from parsimo.solvers.stationarity import certify, plain_penalty, point_of

__all__ = ["Polished", "polish"]

_SEARCHES: dict[str, Callable[..., Move | None]] = {"coordinate": best_coordinate_move, "swap": best_swap}
_NEWTON_STEPS = 50
_LARGEST_NEWTON = 500  # coordinates; beyond them proximal gradient is cheaper
_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class Polished:
    """The outcome of `polish`."""

    x: Array
    """The point reached."""
    before: float
    """The objective at the start."""
    objective: float
    """The objective at x, never above `before`."""
    moves: tuple[Move, ...]
    """The moves made, each followed by a new solve on the coordinates where the penalty is smooth."""
    finished: bool
    """Whether no move of the kinds asked for lowers the objective any more; False where a limit came first."""
    ladder: Ladder
    """What is proved about x."""

    def __str__(self) -> str:
        end = "no further move was found" if self.finished else "a limit came first"
        made = f"{len(self.moves)} move{'' if len(self.moves) == 1 else 's'}"
        return f"objective {self.before:.10g} -> {self.objective:.10g} by {made}; {end}\n{self.ladder}"


def polish(
    problem: Any,
    x: Any = None,
    *,
    moves: Sequence[str] = ("coordinate", "swap"),
    max_moves: int = 10_000,
    time_limit: float | None = None,
    tolerance: float = 1e-8,
    bound: Any = None,
) -> Polished:
    """Lower the objective by moves of one coordinate, and by swaps where none is left, until no move lowers it.

    After each move the coordinates at which the penalty is smooth are solved again: by Newton's method where f offers
    `hessian`, by proximal gradient otherwise. No step raises the objective.

    Parameters
    ----------
    problem : Problem or Result
        With a separable penalty that offers `terms` and `slopes`. A `Result` stands for its problem and its x.
    x : array or Result, optional
        Left untouched.
    moves : sequence of "coordinate" and "swap"
        In this order: a kind is tried where those before it find nothing.
    max_moves : int
    time_limit : float, optional
        Seconds, looked at between moves.
    tolerance, bound
        Of the ladder at the end; see `certify`.

    Returns
    -------
    Polished

    Raises
    ------
    TypeError, ValueError
        If the penalty is not separable, f gives no `coordinate_curvature`, an argument is not as asked, or x does not
        fit the problem.

    Notes
    -----
    docs/algorithms.md, 7. A move is made where it lowers the objective by more than 1000 units in the last place of
    max(1, |F|), so that there are finitely many (docs/theory.md, Proposition 10.6).
    """
    problem, x = point_of(problem, x, "polish")
    searches = _chosen(moves)
    if max_moves < 0:
        raise ValueError(f"polish: max_moves must be an integer >= 0, got {max_moves}")
    seconds = math.inf if time_limit is None else check_number(time_limit, "polish: time_limit")
    f, g = problem.f, plain_penalty(problem)
    if not (hasattr(g, "terms") and hasattr(g, "slopes")) or getattr(f, "coordinate_curvature", None) is None:
        raise TypeError(
            f"polish: needs a separable penalty with terms and slopes and an f with coordinate_curvature, but "
            f"{type(problem).__name__} has R = {g!r} and f = {f!r}"
        )
    plain = Composite(f, g)
    start, before, made = time.perf_counter(), plain.value(x), list[Move]()
    if not math.isfinite(before):
        raise ValueError(f"polish: the objective at x is {before}; start inside the domain of the penalty")
    least = 1000 * float(array_namespace(x).finfo(x.dtype).eps)
    x, finished = _settled(plain, x), False
    while not finished and len(made) < max_moves and time.perf_counter() - start < seconds:
        value, grad = plain.value(x), f.grad(x)
        found = (search(f, g, x, grad) for search in searches)
        worthwhile = (m for m in found if m is not None and m.decrease > least * max(1.0, abs(value)))
        move = next(worthwhile, None)
        trial = x if move is None else move.applied_to(x)
        finished = move is None or not plain.value(trial) < value
        if move is not None and not finished:
            x = _settled(plain, trial)
            made.append(move)
    return Polished(
        x=x,
        before=before,
        objective=plain.value(x),
        moves=tuple(made),
        finished=finished,
        ladder=certify(plain, x, tolerance=tolerance, bound=bound),
    )


def _chosen(moves: Sequence[str]) -> list[Callable[..., Move | None]]:
    names = (moves,) if isinstance(moves, str) else tuple(moves)
    for name in names:
        if name not in _SEARCHES:
            raise ValueError(f'polish: moves must be among "coordinate" and "swap", got {name!r}')
    return [_SEARCHES[name] for name in names]


def _settled(problem: Composite, x: Array) -> Array:
    """x after a descent on the coordinates where the penalty is smooth; its objective is no higher."""
    if getattr(problem.f, "hessian", None) is None or len(_smooth(problem.g, x)) > _LARGEST_NEWTON:
        stop = stopping.first_of(stopping.certificate_below(1e-10), stopping.max_iterations(200))
        result = run(ProximalGradient(), problem, x, stop=stop, every=20)
        return result.x if result.objective <= problem.value(x) else x
    value = problem.value(x)
    for _ in range(_NEWTON_STEPS):
        step = _newton_step(problem, x)
        if step is None:
            break
        trial = _descent_along(problem, x, step, value)
        if trial is None:
            break
        x, last, value = trial, value, problem.value(trial)
        if last - value <= 1e-15 * abs(value):
            break
    return x


def _newton_step(problem: Composite, x: Array) -> Array | None:
    """-(H + D)^{-1} (d + g') on the coordinates with one slope g', 0 elsewhere; None where it would be 0.

    H is the Hessian of f there, D the curvature of the penalty by differences of its slope. Eigenvalues enter by
    their size, so that the step points downhill; those at rounding are left out.
    """
    f, g, xp = problem.f, problem.g, array_namespace(x)
    smooth = _smooth(g, x)
    if not smooth:
        return None
    index = xp.asarray(smooth, dtype=xp.int64, device=device_of(x))
    slope = xp.take(f.grad(x), index) + xp.take(g.slopes(x)[0], index)
    if norm(slope) == 0:
        return None
    width = float(xp.finfo(x.dtype).eps) ** (1 / 3) * xp.maximum(xp.abs(x), xp.full_like(x, 1e-3))
    bend = xp.take((g.slopes(x + width)[0] - g.slopes(x - width)[0]) / (2 * width), index)
    finite = xp.where(xp.isfinite(bend), bend, xp.zeros_like(bend))
    eigenvalues, basis = xp.linalg.eigh(
        f.hessian(x, smooth, smooth) + finite * xp.eye(len(smooth), dtype=x.dtype, device=device_of(x))
    )
    size = xp.abs(eigenvalues)
    floor = len(smooth) * float(xp.finfo(x.dtype).eps) * xp.max(size)
    inverse = xp.where(size > floor, 1 / xp.where(size > floor, size, xp.ones_like(size)), xp.zeros_like(size))
    step = xp.zeros_like(x)
    step[index] = -(basis @ (inverse * (basis.T @ slope)))
    return step


def _smooth(g: Any, x: Array) -> list[int]:
    """The coordinates where the penalty has one slope."""
    left, right = g.slopes(x)
    return [int(i) for i in array_namespace(x).nonzero(left == right)[0]]


def _descent_along(problem: Composite, x: Array, step: Array, value: float) -> Array | None:
    """The best of x + step and the first sign change on the way to it, then halved steps; None where none is lower."""
    xp = array_namespace(x)
    crossing = x * (x + step) < 0
    candidates = [x + step]
    if bool(xp.any(crossing)):
        shares = xp.where(crossing, -x / xp.where(crossing, step, xp.ones_like(step)), xp.ones_like(x))
        first = xp.min(shares)
        candidates.append(xp.where(crossing & (shares == first), xp.zeros_like(x), x + first * step))
    best = min(candidates, key=problem.value)
    if problem.value(best) <= value:
        return best
    for k in range(1, _HALVINGS):
        trial = x + asarray_like(0.5**k, x) * step
        if problem.value(trial) < value:
            return trial
    return None
