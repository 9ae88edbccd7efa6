"""abess: least squares with at most k nonzeros by splicing, sizes in turn, each from the one before.

One fit goes through all sizes and keeps the one that its criterion picks. What it found at size k is what a fit over
the sizes up to k returns when the criterion charges nothing for a nonzero; those fits are made outside the clock.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from abess.linear import LinearRegression

from benchmarks.speed.cases import Case
from benchmarks.speed.contestants import Contestant


def splicing(case: Case) -> Contestant:
    """The defaults of abess, on the sizes of the case."""
    m, sizes = case.shape[0], list(case.parameters)
    found: list[np.ndarray] = []

    def fit(up_to: int, free: bool) -> np.ndarray:
        options = {"ic_type": "aic", "ic_coef": 0.0} if free else {}
        chosen = LinearRegression(support_size=sizes[:up_to], fit_intercept=False, **options)
        return chosen.fit(case.A, case.b).coef_

    def at(_: float) -> Callable[[], np.ndarray]:
        if not found:
            found.extend(fit(k + 1, free=True) for k in range(len(sizes)))

        def solve() -> np.ndarray:
            fit(len(sizes), free=False)
            return np.stack(found)

        return solve

    def objective(x: np.ndarray, k: int) -> float:
        return float(np.sum((case.b - case.A @ x) ** 2) / (2 * m))

    return Contestant(at, objective, ladder=(0.0,))
