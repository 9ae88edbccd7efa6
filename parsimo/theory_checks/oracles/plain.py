"""Convex problems by a plain quasi-Newton method of scipy: the reference where cvxpy is not installed."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from parsimo._array import to_numpy
from parsimo.theory_checks.oracles.instance import data_of, kind_of

__all__ = ["plain_minimum"]


def plain_minimum(problem: Any) -> tuple[float, np.ndarray]:
    """The optimal value and a minimizer of f + g by L-BFGS-B, for smooth f with bounds.

    With x = p - q and p, q >= 0, the l1 norm is linear. Loss and gradient are written anew from the data.

    Parameters
    ----------
    problem : Problem
        With f a `LeastSquares` or `Logistic` whose entries are at hand, and g an `L1`, a `Box` or `Zero`.

    Raises
    ------
    TypeError
        If f or g is none of these.
    """
    kind = kind_of(problem.f, "plain_minimum", ("LeastSquares", "Logistic"))
    A, targets, scale = data_of(problem.f, "plain_minimum")
    n, g = A.shape[1], problem.g

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        if kind == "LeastSquares":
            residual = A @ x - targets
            return scale * float(residual @ residual) / 2, scale * A.T @ residual
        margins = targets * (A @ x)
        return scale * float(np.logaddexp(0, -margins).sum()), -scale * A.T @ (targets * expit(-margins))

    def split(pq: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = loss(pq[:n] - pq[n:])
        return value + float(prices @ pq), np.concatenate([slope, -slope]) + prices

    how: dict[str, Any] = {"method": "L-BFGS-B", "jac": True}
    how["options"] = {"maxiter": 100_000, "maxfun": 100_000, "maxcor": 30, "ftol": 0.0, "gtol": 1e-10}
    name = type(g).__name__
    if name == "L1":
        prices = np.tile(np.broadcast_to(to_numpy(g.weight), (n,)), 2)
        found = minimize(split, np.zeros(2 * n), bounds=[(0.0, None)] * (2 * n), **how)
        return float(found.fun), found.x[:n] - found.x[n:]
    if name not in ("Box", "Zero"):
        raise TypeError(f"plain_minimum: g must be L1, Box or Zero, got {g!r}; with cvxpy there are more")
    ends = (g.lower, g.upper) if name == "Box" else (-np.inf, np.inf)
    lower, upper = (np.broadcast_to(to_numpy(end), (n,)) for end in ends)
    found = minimize(loss, np.clip(np.zeros(n), lower, upper), bounds=[*zip(lower, upper, strict=True)], **how)
    return float(found.fun), np.asarray(found.x)
