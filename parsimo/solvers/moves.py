"""Moves of one coordinate, and exchanges of two: how far each would lower f + g for a separable g."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from parsimo._array import Array, array_namespace, asarray_like, to_float

__all__ = ["Move", "best_coordinate_move", "best_swap", "coordinate_moves", "curvatures", "moves_are_exact"]

_CHUNK = 256  # columns of the Hessian held at a time
_SHOWN = 3  # coordinates of a move that are printed


@dataclass(frozen=True)
class Move:
    """New values for one coordinate or some, and how far they lower the objective."""

    indices: tuple[int, ...]
    """The coordinates: one, or for a swap the one that leaves the support and the one that enters it, in this order."""
    values: tuple[float, ...]
    """Their new values."""
    decrease: float
    """Objective before minus objective after; a lower bound of it where f is not quadratic along coordinates."""

    def applied_to(self, x: Array) -> Array:
        """A copy of x with the new values in place."""
        moved = array_namespace(x).asarray(x, copy=True)
        for index, value in zip(self.indices, self.values, strict=True):
            moved[index] = value
        return moved

    def __str__(self) -> str:
        shown = list(zip(self.indices, self.values, strict=True))[:_SHOWN]
        changes = ", ".join(f"x[{i}] = {v:.6g}" for i, v in shown)
        changes += f" and {len(self.indices) - _SHOWN} others" if len(self.indices) > _SHOWN else ""
        return f"{changes} lowers the objective by {self.decrease:.3g}"


def moves_are_exact(f: Any) -> bool:
    """Whether f(x + s e_i) = f(x) + s d_i + L_i s^2 / 2, so that decreases are equalities."""
    return bool(getattr(f, "coordinate_curvature_is_exact", False))


def coordinate_moves(f: Any, g: Any, x: Array, grad: Array) -> tuple[Array, Array]:
    """The best new value of each coordinate by itself, and how far it lowers the objective.

    Along coordinate i, f(x + s e_i) <= f(x) + s d_i + L_i s^2 / 2 with d = grad f(x). The right side plus g_i is
    least at prox_{g_i / L_i}(x_i - d_i / L_i). The decrease is exact where the inequality is an equality, and a lower
    bound of it otherwise (docs/theory.md, Proposition 10.2).

    Returns
    -------
    (array, array)
        New values and decreases, of the shape of x.
    """
    L = curvatures(f, x)
    target = g.prox(x - grad / L, 1 / L)
    return target, _decreases(g, x, grad, L, target)


def best_coordinate_move(f: Any, g: Any, x: Array, grad: Array) -> Move | None:
    """The move of one coordinate that lowers the objective most; None where none lowers it.

    Where decreases are lower bounds only, setting a coordinate to zero is tried by values as well.
    """
    xp = array_namespace(x)
    target, decrease = coordinate_moves(f, g, x, grad)
    i = int(xp.argmax(decrease))
    best = Move((i,), (to_float(target[i]),), to_float(decrease[i]))
    if not moves_are_exact(f):
        value, zeros = f.value(x), xp.zeros_like(x)
        saved = g.terms(x) - g.terms(zeros)
        for i in _support(x):
            zeroing = Move((i,), (0.0,), value - f.value(_without(x, i)) + to_float(saved[i]))
            best = max(best, zeroing, key=lambda move: move.decrease)
    return best if best.decrease > 0 else None


def best_swap(f: Any, g: Any, x: Array, grad: Array) -> Move | None:
    """The best exchange of a nonzero coordinate for a zero one: x_i becomes 0, x_j takes its best value then.

    Returns
    -------
    Move or None
        None where no exchange lowers the objective (docs/theory.md, Proposition 10.3).
    """
    xp, L = array_namespace(x), curvatures(f, x)
    outside, minus_infinity = x == 0, xp.full_like(x, -float("inf"))
    gain_bound = _gain_bound(g, x, L)
    best, record = None, 0.0
    for i, decrease_of_zeroing, grad_without in _zeroings(f, g, x, grad, L):
        most = to_float(xp.max(xp.where(outside, gain_bound(grad_without), minus_infinity)))
        if decrease_of_zeroing + most <= record:
            continue  # no x_j can make up for the loss of x_i
        target, decrease = coordinate_moves(f, g, _without(x, i), grad_without)
        decrease = xp.where(outside & (target != 0), decrease, minus_infinity)
        j = int(xp.argmax(decrease))
        total = decrease_of_zeroing + to_float(decrease[j])
        if total > record:
            best, record = Move((i, j), (0.0, to_float(target[j])), total), total
    return best


def _gain_bound(g: Any, x: Array, L: Array) -> Callable[[Array], Array]:
    """How far x_j = 0 can lower the objective at most, by its gradient d_j alone.

    Where prox_{T g_j}(0) = 0, g_j(s) >= g_j(0) - s^2 / (2T), so the gain is at most d_j^2 / (2 (L_j - 1/T)); here
    T = 100 / L_j.
    """
    xp = array_namespace(x)
    stays = g.prox(xp.zeros_like(x), 100 / L) == 0
    return lambda grad: xp.where(stays, grad * grad / (1.98 * L), xp.full_like(x, float("inf")))


def _zeroings(f: Any, g: Any, x: Array, grad: Array, L: Array) -> Iterator[tuple[int, float, Array]]:
    """For each nonzero x_i: i, how far x_i = 0 lowers the objective, and the gradient of f after it."""
    xp, support = array_namespace(x), _support(x)
    zeros = xp.zeros_like(x)
    if moves_are_exact(f) and getattr(f, "hessian", None) is not None:
        decrease = _decreases(g, x, grad, L, zeros)
        for start in range(0, len(support), _CHUNK):
            columns = support[start : start + _CHUNK]
            hessian = f.hessian(x, None, columns)
            for place, i in enumerate(columns):
                yield i, to_float(decrease[i]), grad - x[i] * hessian[:, place]
        return
    value, saved = f.value(x), g.terms(x) - g.terms(zeros)
    for i in support:
        value_without, grad_without = f.value_and_grad(_without(x, i))
        yield i, value - value_without + to_float(saved[i]), grad_without


def _decreases(g: Any, x: Array, grad: Array, L: Array, target: Array) -> Array:
    """F(x) - F(x with x_i = target_i) for each i, f being quadratic along the coordinate."""
    s = target - x
    return g.terms(x) - g.terms(target) - s * (grad + L * s / 2)


def curvatures(f: Any, x: Array) -> Array:
    """L_i, and where it is 0 the rounding of the largest: f does not bend there, and any long step will do."""
    xp = array_namespace(x)
    L = asarray_like(f.coordinate_curvature, x) + xp.zeros_like(x)
    largest = to_float(xp.max(L)) or 1.0
    return xp.where(L > 0, L, xp.full_like(L, float(xp.finfo(x.dtype).eps) * largest))


def _support(x: Array) -> list[int]:
    return [int(i) for i in array_namespace(x).nonzero(x)[0]]


def _without(x: Array, i: int) -> Array:
    return Move((i,), (0.0,), 0.0).applied_to(x)
