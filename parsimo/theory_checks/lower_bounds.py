"""How small nonzeros, and how large gradients off the support, global minimizers of the zero-norm problem can have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parsimo.problems import LeastSquares, Logistic
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimizers, zero_norm_minimum_of

__all__ = ["CHECKS", "check_lower_bounds"]

Bounds = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def lower_bounds(L: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least size of a nonzero, and the largest |d_i f| where x_i = 0 (Proposition 3.4)."""
    return np.sqrt(2 * weight / L), np.sqrt(2 * weight * L)


def check_lower_bounds(
    rng: Seed = 0, trials: int = 40, bounds: Bounds = lower_bounds, tolerance: float = 1e-6
) -> Evidence:
    """Global minimizers of f + sum weight_i 1[x_i != 0] have |x_i| >= sqrt(2 weight_i / L_i) and d_i f = 0 on the
    support, and |d_i f| <= sqrt(2 weight_i L_i) off it, with the L_i that f states.

    Least squares in up to 8 variables and, in every eighth trial, 12; orthogonal columns with a coefficient at the
    bound, where the statement is sharp; logistic loss with overlapping classes in 3.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "nonzeros of global minimizers, and gradients off their support, are bounded",
        "docs/theory.md, Proposition 3.4",
        "all supports of least squares (n <= 12) and logistic loss (n = 3), one weight for each coordinate",
    )
    for trial in range(trials):
        kind = ("least squares", "orthogonal", "logistic", "least squares")[trial % 4]
        n = 3 if kind == "logistic" else 12 if trial % 8 == 7 else int(rng.integers(2, 9))
        weight = 10 ** rng.uniform(-1, 0.5, size=n)
        A = rng.normal(size=(8 * n, n)) @ (np.eye(n) + 0.5 * rng.random() * np.ones((n, n)))
        if kind == "logistic":
            labels = np.where(A @ rng.normal(size=n) + 3 * rng.logistic(size=8 * n) > 0, 1.0, -1.0)
            f: Logistic | LeastSquares = Logistic(A, labels)
            minimizers = [zero_norm_minimum_of(f, weight)[1]]
            case = f"f = Logistic(np.array({A.tolist()}), np.array({labels.tolist()}))"
        else:
            if kind == "orthogonal":
                A = np.linalg.qr(A)[0] * 10 ** rng.uniform(-0.5, 0.5, size=n)
            just_worth_it = np.sqrt(2 * weight / (A * A).sum(axis=0)) * (1 + rng.choice([-1e-3, 1e-3, 0.5], size=n))
            b = A @ just_worth_it + (kind != "orthogonal") * rng.normal(size=8 * n)
            f = LeastSquares(A, b)
            minimizers = zero_norm_minimizers(A, b, weight)[1]
            case = f"f = LeastSquares(np.array({A.tolist()}), np.array({b.tolist()}))"
        least, largest = bounds(np.broadcast_to(f.coordinate_curvature, (n,)), weight)
        for x in minimizers:
            gradient = np.abs(f.grad(x))
            on = np.minimum(np.abs(x) - least, -gradient / np.sqrt(largest))
            worst = float(np.where(x != 0, on, largest - gradient).min())
            outcome.add(tolerance + worst, f"{case}; weight = np.array({weight.tolist()}); x = np.array({x.tolist()})")
    return outcome.evidence()


CHECKS = (Check(9, "lower bounds of nonzeros", check_lower_bounds),)
