"""copt: the mean loss, labels 0 and 1, and L1Norm(alpha). Tolerance: the length of the gradient mapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from copt import minimize_proximal_gradient
from copt.loss import LogLoss, SquareLoss
from copt.penalty import L1Norm

from benchmarks.speed.cases import Case
from benchmarks.speed.contestants import Contestant

_MANY = 1_000_000


def proximal_gradient(case: Case) -> Contestant:
    """Backtracking, no acceleration."""
    return _contestant(case, accelerated=False)


def accelerated(case: Case) -> Contestant:
    """Backtracking and Nesterov's acceleration."""
    return _contestant(case, accelerated=True)


def _contestant(case: Case, accelerated: bool) -> Contestant:
    penalty = L1Norm(case.parameters[0])
    size = float(np.linalg.norm(case.slopes_at_zero))

    def loss() -> Any:
        return SquareLoss(case.A, case.b) if case.loss == "squares" else LogLoss(case.A, (case.b + 1) / 2)

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        def solve() -> np.ndarray:
            x0 = np.zeros(case.shape[1])
            return minimize_proximal_gradient(
                loss().f_grad, x0, penalty.prox, jac=True, tol=tolerance * size, max_iter=_MANY, accelerated=accelerated
            ).x[None, :]

        return solve

    return Contestant(at, lambda x, k: float(loss()(x) + penalty(x)))
