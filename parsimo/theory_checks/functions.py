"""Instances whose constants are known to rounding, and how a run on one of them is written down."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.penalties import L1, MCP, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import ClusteringProblem
from parsimo.problems.exact_penalty import PenalizedMPEC
from parsimo.theory_checks.contract import name_of
from parsimo.theory_checks.subjects import member_text

__all__ = [
    "PENALTY_KINDS",
    "PartedQuadratic",
    "Quadratic",
    "array_text",
    "problem_text",
    "run_text",
    "weighted_l1_minimum",
]

PENALTY_KINDS: tuple[Any, ...] = (
    Box(-1.0, 1.0),
    L1(0.3),
    ZeroNorm(0.2),
    MCP(0.3, 0.5),
    CappedL1(0.3, 0.5),
    Clustering(0.4, np.array([-1.0, 0.0, 0.7])),
)
"""Penalties of every kind: convex, with jumps, with concave kinks, weakly convex."""


@dataclass(frozen=True, eq=False, repr=False)
class Quadratic:
    """f(x) = x'Qx/2 - c'x with Q symmetric of any signs, and its constants L and m."""

    Q: np.ndarray
    c: np.ndarray

    @classmethod
    def random(cls, rng: np.random.Generator, n: int, lowest: float = -2.0, highest: float = 3.0) -> Quadratic:
        """With eigenvalues at random in an interval, and random eigenvectors."""
        return cls.of_spectrum(rng.uniform(lowest, highest, n), rng)

    @classmethod
    def of_spectrum(cls, eigenvalues: np.ndarray, rng: np.random.Generator) -> Quadratic:
        """With these eigenvalues, and random eigenvectors and c."""
        n = eigenvalues.size
        basis, _ = np.linalg.qr(rng.standard_normal((n, n)))
        Q = basis @ np.diag(eigenvalues) @ basis.T
        return cls((Q + Q.T) / 2, rng.standard_normal(n))

    @classmethod
    def least_squares(cls, A: np.ndarray, b: np.ndarray) -> Quadratic:
        """|Ax - b|^2 / 2 - |b|^2 / 2."""
        return cls(A.T @ A, A.T @ b)

    @property
    def lipschitz(self) -> float:
        """|Q|."""
        return float(np.abs(np.linalg.eigvalsh(self.Q)).max())

    @property
    def weak_convexity(self) -> float:
        """Minus the smallest eigenvalue, or 0."""
        return max(0.0, -float(np.linalg.eigvalsh(self.Q)[0]))

    def value(self, x: np.ndarray) -> float:
        """f(x)."""
        return float(x @ self.Q @ x / 2 - self.c @ x)

    def grad(self, x: np.ndarray) -> np.ndarray:
        """Qx - c."""
        return self.Q @ x - self.c

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Both."""
        return self.value(x), self.grad(x)

    def prox(self, v: np.ndarray, step_size: float) -> np.ndarray:
        """(Q + I/t)^{-1} (v/t + c), for t < 1/m."""
        return np.linalg.solve(self.Q + np.eye(v.size) / step_size, v / step_size + self.c)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({array_text(self.Q)}, {array_text(self.c)})"


class PartedQuadratic(Quadratic):
    """A quadratic that can be stated on few coordinates."""

    def restricted(self, index: np.ndarray) -> Quadratic:
        """f of these coordinates, the others 0."""
        return Quadratic(self.Q[np.ix_(index, index)], self.c[index])


def weighted_l1_minimum(f: Quadratic, weights: np.ndarray) -> np.ndarray:
    """argmin_x f(x) + sum weights_i |x_i| for positive definite Q, by trying every pattern of signs.

    Each pattern gives one stationary point; the minimizer is that of its own pattern, and none is lower.
    """
    n = weights.size
    candidates = []
    for pattern in itertools.product((-1.0, 0.0, 1.0), repeat=n):
        signs = np.array(pattern)
        support, x = signs != 0, np.zeros(n)
        if support.any():
            x[support] = np.linalg.solve(f.Q[np.ix_(support, support)], (f.c - weights * signs)[support])
        candidates.append(x)
    return min(candidates, key=lambda x: f.value(x) + float(weights @ np.abs(x)))


def array_text(x: np.ndarray) -> str:
    """The expression of an array, to all digits."""
    return f"np.array({x.tolist()!r})"


def problem_text(problem: Any) -> str:
    """The expression of a problem: plain, of clustering, or a penalized MPEC."""
    if isinstance(problem, ClusteringProblem):
        return f"ClusteringProblem({problem.f!r}, {problem.weight!r}, {problem.k}, {problem.distance!r})"
    if isinstance(problem, PenalizedMPEC):
        member = member_text(problem.phi)
        return f"ZeroNormProblem({problem.f!r}, {problem.weight!r}).to_mpec({member}).penalize({problem.rho!r})"
    return f"Composite({problem.f!r}, {name_of(problem.g)})"


def run_text(problem: Any, solver: Any, x0: np.ndarray, steps: int, said: str) -> str:
    """The expression of a run of so many steps, and behind it what is said of the run."""
    return f"solve({problem_text(problem)}, {solver!r}, {array_text(x0)}, max_iterations({steps}))  # {said}"
