"""celer: the lasso as scikit-learn writes it; of the logistic loss the sum, times C. Tolerance: the duality gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from celer import Lasso, LogisticRegression

from benchmarks.speed.cases import Case
from benchmarks.speed.contestants import GAP_LADDER, Contestant

_MANY = 1_000_000


def celer(case: Case) -> Contestant:
    """Working sets by dual extrapolation."""
    (alpha,) = case.parameters
    m = case.shape[0]

    def estimator(tolerance: float) -> Any:
        if case.loss == "squares":
            return Lasso(alpha, tol=tolerance, fit_intercept=False, max_iter=_MANY, max_epochs=_MANY)
        C = 1 / (m * alpha)
        return LogisticRegression(C=C, tol=tolerance, fit_intercept=False, max_iter=_MANY, max_epochs=_MANY)

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        return lambda: estimator(tolerance).fit(case.A, case.b).coef_.reshape(1, -1)

    def objective(x: np.ndarray, k: int) -> float:
        known, predictions = estimator(1.0), case.A @ x
        if case.loss == "squares":
            return float(np.sum((case.b - predictions) ** 2) / (2 * m) + known.alpha * np.abs(x).sum())
        losses = np.logaddexp(0, -case.b * predictions)
        return float((known.C * losses.sum() + np.abs(x).sum()) / (known.C * m))

    return Contestant(at, objective, GAP_LADDER)
