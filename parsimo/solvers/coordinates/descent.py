"""Descent on a quadratic model plus a separable penalty: passes, Newton steps, extrapolation; none of them climbs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from parsimo.solvers.coordinates.models import ByColumns, Model
from parsimo.solvers.coordinates.terms import Compiled

__all__ = ["Descent", "descend"]

_MOST_PASSES = 100  # in one descent, so that limits on iterations and time are honoured
_MOST_PLAIN_PASSES = 5
_MEMORY = 5  # differences of iterates that are extrapolated from
_SINGULAR = 1e-10  # of the largest curvature: a pivot below leads wherever rounding points to
_CALL = 2e4  # what a pass costs besides, in multiplications; a Newton step of order s costs four times that, and 2 s^3


@dataclass(frozen=True)
class Descent:
    """What a descent came to."""

    y: np.ndarray
    """The point reached."""
    decrease: float
    """By how much the model fell."""
    passes: int
    """How many were made."""
    model: Model
    """The model in the form that it had last."""


def descend(model: Model, target: float) -> Descent:
    """Lower the model from its point until a pass moves no coordinate by more than the target, in gradient units.

    The Gram matrix is formed as soon as passes over columns have cost as much as it will. A Newton step is tried when
    the passes since the last one have cost as much as it will, an extrapolation after every 6 passes without one;
    either is accepted where it lowers the model (docs/theory.md, Proposition 11.3).
    """
    y, kept = model.x.copy(), model.start()
    before = model.value(y, kept)
    rounding = 4 * np.finfo(float).eps * float(np.max(np.abs(model.d) + model.curvatures * np.abs(y), initial=0.0))
    compiled = isinstance(model.terms, Compiled)
    recent = np.empty((_MEMORY + 1, y.size))
    known, passes, spent, since_newton = 0, 0, 0.0, 0.0
    cost_of_newton = 0.0
    while passes < (_MOST_PASSES if compiled else _MOST_PLAIN_PASSES):
        cost = model.cost(int(np.count_nonzero(y))) + _CALL
        due = cost_of_newton - since_newton if compiled else math.inf
        if isinstance(model, ByColumns):
            due = min(due, model.cost_of_gram - spent)
        last = known + max(1, math.ceil(min(due / cost, _MEMORY + 1 - known)))
        made, largest = model.sweep(y, kept, max(target, rounding), recent[known:last])
        passes, known = passes + made, known + made
        spent, since_newton = spent + made * cost, since_newton + made * cost
        if largest <= max(target, rounding):
            break
        if isinstance(model, ByColumns) and spent >= model.cost_of_gram:
            kept, model = model.slopes(kept), model.by_gram()
        trial = None
        active = int(np.count_nonzero(y))
        cost_of_newton = 2 * active**3 + model.cost_of_hessian(active) + 4 * _CALL
        if compiled and since_newton >= cost_of_newton:
            trial, since_newton, known = _newton(model, y, kept), 0.0, 0
        elif compiled and known > _MEMORY:
            trial, known = _extrapolated(model, recent, y, kept), 0
        if trial is not None:
            y, kept = trial
    return Descent(y, before - model.value(y, kept), passes, model)


def _newton(model: Model, y: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """y - (H + G)^{-1} (s + g') on the coordinates where g is smooth; None where that does not lower the model.

    A coordinate that would change its sign stops at 0. G is the curvature of g; where H + G is not positive definite,
    or hardly so, there is no step.
    """
    from scipy.linalg import lapack

    assert isinstance(model.terms, Compiled)
    _, slopes, bends = model.terms.shapes(y)
    smooth = np.flatnonzero(np.isfinite(bends))
    if smooth.size == 0:
        return None
    H, down = model.hessian(smooth), -(model.slopes(kept)[smooth] + slopes[smooth])
    for curvature in (bends[smooth], np.maximum(bends[smooth], 0.0)):  # without its concave part where that is too much
        system = H.copy()
        system[np.diag_indices(smooth.size)] += curvature
        factor, step, failed = lapack.dposv(system.T, down, overwrite_a=True)
        if not failed and factor.diagonal().min() ** 2 > _SINGULAR * H.diagonal().max():
            break
    else:
        return None
    full = y.copy()
    full[smooth] += step
    value = model.value(y, kept)
    for trial in (full, np.where(y * full < 0, 0.0, full)):
        beside = model.moved(kept, trial - y)
        if model.value(trial, beside) < value:
            return trial, beside
    return None


def _extrapolated(
    model: Model, recent: np.ndarray, y: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Anderson's combination of the last iterates, whose differences add to the least; None where it is no lower."""
    assert isinstance(model.terms, Compiled)
    trial = model.terms.passes.extrapolation(recent)
    beside = model.moved(kept, trial - y)
    return (trial, beside) if model.value(trial, beside) < model.value(y, kept) else None
