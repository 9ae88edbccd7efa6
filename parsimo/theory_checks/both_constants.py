"""Exactness for f of which a Lipschitz constant and a curvature bound are known: later than with either of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from parsimo.problems.exact_penalty import exactness_of
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.exactness import ABOVE
from parsimo.theory_checks.oracles.branch_and_bound import branch_and_bound
from parsimo.theory_checks.subjects import FAMILY, member_text

__all__ = ["CHECKS", "check_joint_theorem", "check_joint_tightness"]

Threshold = Callable[[Any, Any, Any, Any], Any]


def joint_threshold(l: Any, L: Any, weight: Any, phi: Any) -> float | None:
    """The threshold on rho that the library derives from both constants."""
    f = SimpleNamespace(coordinate_lipschitz=np.asarray(l), coordinate_curvature=np.asarray(L))
    return exactness_of(f, weight, phi, rho=1.0).threshold


class Huber:
    """f(x) = sum_k huber(a_k'x - b_k), huber(r) = r^2/2, of slope 1 from |r| = 1 on; both constants known."""

    convex = True

    def __init__(self, A: np.ndarray, b: np.ndarray) -> None:
        self.A, self.b, self.shape = A, b, (A.shape[1],)
        self.lipschitz = float(np.linalg.norm(A, 2)) ** 2
        self.coordinate_lipschitz, self.coordinate_curvature = np.abs(A).sum(axis=0), (A * A).sum(axis=0)

    def value(self, x: np.ndarray) -> float:
        """f(x)."""
        size = np.abs(self.A @ x - self.b)
        near = np.minimum(size, 1.0)
        return float((near * near / 2 + size - near).sum())

    def grad(self, x: np.ndarray) -> np.ndarray:
        """The gradient."""
        return self.A.T @ np.clip(self.A @ x - self.b, -1.0, 1.0)

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Both."""
        return self.value(x), self.grad(x)


def check_joint_theorem(phi: Any, rng: Seed = 0, trials: int = 9, threshold: Threshold = joint_threshold) -> Evidence:
    """Above the threshold from both constants, f + weight sum h and f + sum weight_i 1[x_i != 0] have the same minimum:
    for Huber losses of one observation with its center near the flat point, where the theorem is sharp, and of six in
    two variables, whose coordinates fall under different hypotheses.

    The minima over |x_i| <= 50 come from branch and bound.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: rho above the threshold of both constants makes the penalty exact",
        "docs/theory.md, Theorem 3.11",
        "Huber losses in 1 and 2 variables",
    )
    for trial in range(trials):
        n = 2 if trial % 3 == 0 else 1
        if n == 1:
            A = np.array([[10 ** rng.uniform(-0.3, 0.3)]])
            weight = np.array([rng.uniform(0.5, 5.0)])  # times l^2 / (2 L) = 1/2, so that both kinds occur
            near = phi.slope_at_one / threshold(abs(A[0]), A[0] ** 2, weight, phi)
            b = A[0] * near * rng.uniform(0.95, 1.05)
        else:
            A, weight = rng.normal(size=(6, 2)), rng.uniform(1.0, 8.0, size=2)
            b = A @ (rng.choice([0.0, 6.0], size=2) * rng.normal(size=2)) + rng.normal(size=6)
        f = Huber(A, b)
        rho = threshold(f.coordinate_lipschitz, f.coordinate_curvature, weight, phi) * ABOVE
        least, penalized = joint_minima(f, weight, phi, rho)
        case = f"Huber(np.array({A.tolist()}), np.array({b.tolist()})), np.array({weight.tolist()})"
        case = f"joint_minima({case}, {member_text(phi)}, {rho!r})  # both minima are the same"
        outcome.add(1e-7 * (1 + least) - (least - penalized), case)
    return outcome.evidence()


def check_joint_tightness(
    phi: Any, rng: Seed = 0, trials: int = 20, excess: float = 1.02, threshold: Threshold = joint_threshold
) -> Evidence:
    """For members above MCP (kappa = 2): with a flat point a `excess` times the largest proven one, an f of slope l and
    curvature L at most, about c < a, has min f + weight 1[x != 0] = weight, but f(c) + weight h(c) < weight."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: below the threshold of both constants the penalty is not exact",
        "docs/theory.md, Theorem 3.11 (sharpness)",
        f"f(t) = L (t - c)^2 / 2 with slopes cut off at l, flat point {excess} times the largest",
    )
    for _ in range(trials):
        l, weight = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        L = l * l / weight * 10 ** rng.uniform(-1, 1)
        rho = threshold(l, L, weight, phi) / excess
        c = (1 + (excess - 1) / 2) * phi.slope_at_one / (excess * rho)
        near = min(c, l / L)
        at_zero = L * near**2 / 2 + l * (c - near)
        at_c = weight * float(phi.surrogate(np.array([rho * c]))[0])
        case = f"{weight!r} * {member_text(phi)}.surrogate(np.array([{float(rho * c)!r}]))"
        said = f"below {min(at_zero, weight)!r}, the minimum under the zero norm; f is 0 here, where x = {c!r}"
        outcome.add(min(at_zero, weight) / weight - at_c / weight - 1e-9, f"{case}  # {said}, and has {l=!r}, {L=!r}")
    return outcome.evidence()


def joint_minima(f: Huber, weight: np.ndarray, phi: Any, rho: float) -> tuple[float, float]:
    """The least of f + sum weight_i 1[x_i != 0] and of f + sum weight_i h(|x_i|), over |x_i| <= 50."""
    box = np.full(weight.size, 50.0)

    def minimum(heights: Callable[[np.ndarray], np.ndarray]) -> float:
        return branch_and_bound(f, lambda x: weight * heights(x), (-box, box)).value

    zero_norm = minimum(lambda x: (x != 0).astype(float))
    return zero_norm, minimum(lambda x: np.asarray(phi.surrogate(rho * np.abs(x))))


_ABOVE_MCP = ("mcp", "mcp(3)", "power(3)", "log", "lq")

CHECKS = (
    *(Check(8, f"joint exactness of {name}", partial(check_joint_theorem, m)) for name, m in FAMILY.items()),
    *(Check(8, f"joint tightness of {name}", partial(check_joint_tightness, FAMILY[name])) for name in _ABOVE_MCP),
)
