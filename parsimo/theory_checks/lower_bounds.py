"""How small nonzeros, and how large gradients off the support, global minimizers of the zero-norm problem can have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

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
        seed = int(rng.integers(2**31))
        f, weight, minimizers = sparse_problem(trial, seed)
        least, largest = bounds(np.broadcast_to(f.coordinate_curvature, weight.shape), weight)
        for k, x in enumerate(minimizers):
            gradient = np.abs(f.grad(x))
            on = np.minimum(np.abs(x) - least, -gradient / np.sqrt(largest))
            slack = np.where(x != 0, on, largest - gradient)
            i = int(slack.argmin())
            said = f"x[{i}] is 0 or at least {float(least[i])!r}, and so |d_{i} f| at most {float(largest[i])!r} or 0"
            outcome.add(tolerance + float(slack[i]), f"sparse_problem({trial}, {seed}).minimizers[{k}]  # {said}")
    return outcome.evidence()


class SparseProblem(NamedTuple):
    """f + sum weight_i 1[x_i != 0], and its global minimizers."""

    f: LeastSquares | Logistic
    weight: np.ndarray
    minimizers: Sequence[np.ndarray]


def sparse_problem(trial: int, seed: int) -> SparseProblem:
    """By trial % 8: least squares, with orthogonal columns for 1 and 5, of 12 variables for 7; logistic for 2 and 6."""
    rng = np.random.default_rng(seed)
    kind = ("least squares", "orthogonal", "logistic", "least squares")[trial % 4]
    n = 3 if kind == "logistic" else 12 if trial % 8 == 7 else int(rng.integers(2, 9))
    weight = 10 ** rng.uniform(-1, 0.5, size=n)
    A = rng.normal(size=(8 * n, n)) @ (np.eye(n) + 0.5 * rng.random() * np.ones((n, n)))
    if kind == "logistic":
        labels = np.where(A @ rng.normal(size=n) + 3 * rng.logistic(size=8 * n) > 0, 1.0, -1.0)
        f = Logistic(A, labels)
        return SparseProblem(f, weight, [zero_norm_minimum_of(f, weight)[1]])
    if kind == "orthogonal":
        A = np.linalg.qr(A)[0] * 10 ** rng.uniform(-0.5, 0.5, size=n)
    just_worth_it = np.sqrt(2 * weight / (A * A).sum(axis=0)) * (1 + rng.choice([-1e-3, 1e-3, 0.5], size=n))
    b = A @ just_worth_it + (kind != "orthogonal") * rng.normal(size=8 * n)
    return SparseProblem(LeastSquares(A, b), weight, zero_norm_minimizers(A, b, weight)[1])


CHECKS = (Check(9, "lower bounds of nonzeros", check_lower_bounds),)
