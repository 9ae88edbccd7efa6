"""scikit-learn: Lasso, and LogisticRegression with C times the sum of losses. Tolerance: gap, or change of x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import Lasso, LogisticRegression

from benchmarks.speed.cases import Case
from benchmarks.speed.contestants import GAP_LADDER, Contestant

_MANY = 1_000_000


def coordinate_descent(case: Case) -> Contestant:
    """`Lasso`, cyclic, with the screening of its version."""
    (alpha,) = case.parameters
    m = case.shape[0]

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        return lambda: (
            Lasso(alpha=alpha, tol=tolerance, fit_intercept=False, max_iter=_MANY)
            .fit(case.A, case.b)
            .coef_.reshape(1, -1)
        )

    def objective(x: np.ndarray, k: int) -> float:
        return float(np.sum((case.b - case.A @ x) ** 2) / (2 * m) + alpha * np.abs(x).sum())

    return Contestant(at, objective, GAP_LADDER)


def liblinear(case: Case) -> Contestant:
    """Newton with coordinate descent inside, compiled C++."""
    return _logistic(case, "liblinear")


def saga(case: Case) -> Contestant:
    """Incremental gradients."""
    return _logistic(case, "saga")


def _logistic(case: Case, solver: str) -> Contestant:
    C = 1 / (case.shape[0] * case.parameters[0])

    def estimator(tolerance: float) -> Any:
        return LogisticRegression(
            C=C, l1_ratio=1.0, solver=solver, tol=tolerance, fit_intercept=False, max_iter=100_000, random_state=0
        )

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        return lambda: estimator(tolerance).fit(case.A, case.b).coef_.reshape(1, -1)

    def objective(x: np.ndarray, k: int) -> float:
        losses = np.logaddexp(0, -case.b * (case.A @ x))
        return float((C * losses.sum() + np.abs(x).sum()) / (C * case.shape[0]))

    return Contestant(at, objective)
