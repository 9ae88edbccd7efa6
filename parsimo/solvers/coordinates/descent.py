"""Descent on a quadratic model plus a separable penalty: passes, Newton steps, extrapolation; none of them climbs."""

from __future__ import annotations

import numpy as np

from parsimo.solvers.coordinates.models import Model
from parsimo.solvers.coordinates.terms import Compiled

__all__ = ["descend"]

_MOST_PASSES = 1000
_MEMORY = 5  # differences of iterates that are extrapolated from
_FLOPS = 24  # a Cholesky factorization of order s takes s^3 / 3 multiplications, 8 at a time
_OVERHEAD = 2e4  # what a Newton step costs besides, in multiplications of a pass


def descend(model: Model, target: float) -> tuple[np.ndarray, int, float]:
    """Lower the model from its point until a pass moves no coordinate by more than the target, in gradient units.

    A Newton step is tried as soon as the passes since the last one have cost as much as it will, an extrapolation
    after every 6 passes without one. Either is accepted where it lowers the model (docs/theory.md, Proposition 11.3).

    Returns
    -------
    (y, passes, decrease)
        The point reached, how many passes were made, and by how much the model fell.
    """
    y = model.x.copy()
    kept = model.kept(y)
    before = model.value(y, kept)
    rounding = 4 * np.finfo(float).eps * float(np.max(np.abs(model.d) + model.curvatures * np.abs(y), initial=0.0))
    recent: list[np.ndarray] = []
    spent, passes = 0.0, 0
    while passes < _MOST_PASSES:
        passes += 1
        if model.sweep(y, kept) <= max(target, rounding):
            break
        active = np.count_nonzero(y)
        spent += active * kept.size
        recent.append(y.copy())
        trial = None
        if isinstance(model.terms, Compiled) and spent >= active**3 / _FLOPS + _OVERHEAD:
            trial, spent, recent = _newton(model, y, kept), 0.0, []
        elif len(recent) > _MEMORY:
            trial, recent = _extrapolated(model, recent, y, kept), []
        if trial is not None:
            y, kept = trial
    return y, passes, before - model.value(y, kept)


def _newton(model: Model, y: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """y - (H + G)^{-1} (s + g') on the coordinates where g is smooth; None where that does not lower the model.

    A coordinate that would change its sign stops at 0. G is the curvature of g; where H + G is not positive definite
    there is no step.
    """
    from scipy.linalg import lapack

    assert isinstance(model.terms, Compiled)
    _, slopes, bends = model.terms.shapes(y)
    smooth = np.flatnonzero(np.isfinite(bends))
    if smooth.size == 0:
        return None
    system = model.hessian(smooth)
    system[np.diag_indices(smooth.size)] += bends[smooth]
    _, step, failed = lapack.dposv(system, -(model.slopes(kept)[smooth] + slopes[smooth]), overwrite_a=True)
    if failed:
        return None
    full = y.copy()
    full[smooth] += step
    value = model.value(y, kept)
    for trial in (full, np.where(y * full < 0, 0.0, full)):
        beside = model.kept(trial)
        if model.value(trial, beside) < value:
            return trial, beside
    return None


def _extrapolated(
    model: Model, recent: list[np.ndarray], y: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Anderson's combination of the last iterates, whose differences add to the least; None where it is no lower."""
    steps = np.diff(recent, axis=0)
    products = steps @ steps.T
    products[np.diag_indices(_MEMORY)] += 1e-12 * np.trace(products)
    try:
        weights = np.linalg.solve(products, np.ones(_MEMORY))
    except np.linalg.LinAlgError:  # the iterates differ by rounding alone, or not at all
        return None
    trial = (weights / weights.sum()) @ np.array(recent[1:])
    beside = model.kept(trial)
    return (trial, beside) if model.value(trial, beside) < model.value(y, kept) else None
