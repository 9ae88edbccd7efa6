"""Climbing the stationarity ladder: moves of coordinates and swaps, with the support solved again after each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from parsimo._array import Array, array_namespace
from parsimo.core.problem import Composite
from parsimo.core.validation import check_number
from parsimo.solvers.ladder import Ladder
from parsimo.solvers.moves import Move, best_coordinate_move, best_swap, curvatures
from parsimo.solvers.settling import settled
from parsimo.solvers.stationarity import certify, plain_penalty, point_of, scales_at_zero

__all__ = ["Polished", "polish"]

_ENTRIES = 5  # coordinates that an exchange tries to let in


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
    moves : sequence of "coordinate", "swap" and "exchange"
        In this order: a kind is tried where those before it find nothing. An exchange takes one coordinate out
        or none, solves again, lets one in or none, and solves again: it sees more than a swap, at several solves for
        each nonzero.
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
    max(|F(x)|, |F(0)|), x where it starts; how many there can be: docs/theory.md, Proposition 10.6.
    """
    problem, x = point_of(problem, x, "polish")
    searches = _chosen(moves)
    if max_moves < 0:
        raise ValueError(f"polish: max_moves must be an integer >= 0, got {max_moves}")
    seconds = math.inf if time_limit is None else check_number(time_limit, "polish: time_limit")
    f, g = problem.f, plain_penalty(problem)
    lacking = [(g, name) for name in ("terms", "slopes") if not hasattr(g, name)]
    lacking += [(f, "coordinate_curvature")] * (getattr(f, "coordinate_curvature", None) is None)
    if lacking:
        owners = [f"{type(problem if part is None else part).__name__} gives no {name}" for part, name in lacking]
        raise TypeError(
            "polish: needs a separable penalty with terms and slopes and an f with coordinate_curvature, but "
            f"{', '.join(owners)}; add what is missing, or take certify(problem, x), which leaves moves out"
        )
    plain = Composite(f, g)
    start, before, made = time.perf_counter(), plain.value(x), list[Move]()
    if not math.isfinite(before):
        raise ValueError(f"polish: the objective at x is {before}; start inside the domain of the penalty")
    rounding = 1000 * float(array_namespace(x).finfo(x.dtype).eps)
    height = scales_at_zero(plain, x)[1]
    x, finished = settled(plain, x), False
    while not finished and len(made) < max_moves and time.perf_counter() - start < seconds:
        value, grad = plain.value(x), f.grad(x)
        found = (search(f, g, x, grad) for search in searches)
        least = rounding * max(abs(value), height)
        worthwhile = (m for m in found if m is not None and m.decrease > least)
        move = next(worthwhile, None)
        trial = x if move is None else move.applied_to(x)
        finished = move is None or not plain.value(trial) < value
        if move is not None and not finished:
            x = settled(plain, trial)
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
            raise ValueError(f'polish: moves must be among "coordinate", "swap" and "exchange", got {name!r}')
    return [_SEARCHES[name] for name in names]


def _best_exchange(f: Any, g: Any, x: Array, grad: Array) -> Move | None:
    """The lowest point that is reached by taking out one coordinate or none, and letting in one or none.

    After each the rest is solved again. Tried for entry are those that lower f most by themselves, by d_j^2 / (2 L_j).
    """
    problem = Composite(f, g)
    here = problem.value(x)
    best, lowest = x, here
    for out in (None, *_positions(x != 0)):
        base = x if out is None else settled(problem, Move((out,), (0.0,), 0.0).applied_to(x))
        into = (settled(problem, move.applied_to(base)) for move in _entries(f, base))
        for trial in (base, *into):
            value = problem.value(trial)
            best, lowest = (trial, value) if value < lowest else (best, lowest)
    changed = _positions(best != x)
    return Move(tuple(changed), tuple(float(best[j]) for j in changed), here - lowest) if changed else None


def _entries(f: Any, x: Array) -> list[Move]:
    """The zeros of x that lower f most by themselves, at the value that does so."""
    xp, grad, L = array_namespace(x), f.grad(x), curvatures(f, x)
    gain = xp.where(x == 0, grad * grad / (2 * L), xp.zeros_like(x))
    order = [int(j) for j in xp.argsort(gain, descending=True)[:_ENTRIES]]
    return [Move((j,), (float(-grad[j] / L[j]),), float(gain[j])) for j in order if float(gain[j]) > 0]


def _positions(mask: Array) -> list[int]:
    return [int(j) for j in array_namespace(mask).nonzero(mask)[0]]


_SEARCHES: dict[str, Callable[..., Move | None]] = {
    "coordinate": best_coordinate_move,
    "swap": best_swap,
    "exchange": _best_exchange,
}
