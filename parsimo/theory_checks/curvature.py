"""Exactness for f of bounded curvature along the coordinates, without a Lipschitz constant, and the kappa of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from parsimo.problems.exact_penalty import exactness_of
from parsimo.problems.phi import Phi
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimum
from parsimo.theory_checks.subjects import FAMILY, member_text

__all__ = ["CHECKS", "check_curvature_theorem", "check_curvature_tightness"]

_ABOVE = 1 + 1e-6  # the threshold is strict


def curvature_threshold(L: float, weight: float, phi: Phi) -> float | None:
    """The threshold on rho that the library derives from the curvature bound."""
    return exactness_of(SimpleNamespace(coordinate_curvature=L), weight, phi, rho=1.0).threshold


def check_curvature_theorem(
    phi: Any,
    rng: Seed = 0,
    trials: int = 60,
    threshold: Callable[[float, float, Any], Any] = curvature_threshold,
) -> Evidence:
    """Above the threshold, f + weight sum h and f + weight |x|_0 have the same minimum where f has curvature at most L
    along each coordinate: f(x) = L (x - b)^2 / 2, with waves or without, and least squares in two variables."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: rho above the curvature threshold makes the penalty exact",
        "docs/theory.md, Theorem 3.3",
        "curvature at most L along each coordinate, in 1 and 2 dimensions",
    )
    for trial in range(trials):
        seed = int(rng.integers(2**31))
        f = Curved.random(trial, seed)
        rho = threshold(f.L, f.weight, phi) * _ABOVE
        least, penalized = f.minima(phi, rho)
        case = f"Curved.random({trial}, {seed}).minima({member_text(phi)}, {rho!r})  # both minima are the same"
        outcome.add(1e-6 - (least - penalized) / f.weight, case)
    return outcome.evidence()


def check_curvature_tightness(phi: Any, rng: Seed = 0, trials: int = 10, excess: float = 1.02) -> Evidence:
    """With a flat point `excess` times sqrt(kappa weight / L), the surrogate has a lower minimum than the zero norm for
    some f(x) = L (x - b)^2 / 2: kappa is not larger than `curvature_margin`, up to excess^2."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: below the curvature threshold the penalty is not exact",
        "docs/theory.md, Theorem 3.3 (tightness)",
        f"f(x) = L (x - b)^2 / 2 for some b, flat point {excess} sqrt(kappa weight / L)",
    )
    for _ in range(trials):
        weight, L = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        rho = phi.slope_at_one / (excess * math.sqrt(phi.curvature_margin * weight / L))
        gap = curvature_gap(phi, weight, L, rho)
        case = f"curvature_gap({member_text(phi)}, {weight!r}, {L!r}, {rho!r})"
        outcome.add(gap / weight - 1e-6, f"{case}  # more than 0: for some b the surrogate has a lower minimum")
    return outcome.evidence()


@dataclass(frozen=True, eq=False)
class Curved:
    """f of curvature at most L along each coordinate: L (x - b)^2 / 2 on a line, with waves, or |A x - b|^2 / 2."""

    weight: float
    L: float
    b: Any
    """Number or, in the plane, array."""
    share: float = 0.0
    """Of the curvature: that of the waves."""
    frequency: float = 1.0
    angle: float | None = None
    """In the plane, between the columns of A, which have length sqrt(L)."""

    @classmethod
    def random(cls, trial: int, seed: int) -> Curved:
        """By trial % 3: a parabola; one with waves; in the plane."""
        rng = np.random.default_rng(seed)
        weight, L = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        if trial % 3 == 2:
            return cls(weight, L, rng.normal(size=2) * 2 * math.sqrt(weight), angle=rng.uniform(0.3, 2.8))
        unit = math.sqrt(weight / L)
        b = float(rng.choice([math.sqrt(2) * (1 + 0.05 * rng.normal()), rng.uniform(0, 3)])) * unit
        return cls(weight, L, b, rng.uniform(0, 1) * (trial % 3), rng.uniform(1, 8) / unit)

    def minima(self, phi: Any, rho: float) -> tuple[float, float]:
        """Under the zero norm and under the surrogate."""
        weight, L, b = self.weight, self.L, self.b
        if self.angle is not None:
            A = math.sqrt(L) * np.array([[1.0, math.cos(self.angle)], [0.0, math.sin(self.angle)]])
            penalized = _plane_minimum(A, b, weight, lambda x: phi.surrogate(rho * np.abs(x)))
            return zero_norm_minimum(A, b, weight)[0], penalized
        x = np.append(0.0, np.linspace(0.0, 6 * math.sqrt(weight / L), 4001))
        waves = np.sin(self.frequency * x) / self.frequency**2
        f = L * (1 - self.share) * (x - b) ** 2 / 2 + L * self.share * waves
        return float((f + weight * (x != 0)).min()), float((f + weight * phi.surrogate(rho * x)).min())


def curvature_gap(phi: Any, weight: float, L: float, rho: float) -> float:
    """By how much the minimum of L (x - b)^2 / 2 + weight h is below that with weight |x|_0, for the worst b of 401."""
    unit = math.sqrt(weight / L)
    b = np.linspace(0.5, 2.5, 401)[:, None] * unit
    x = np.linspace(0.0, 3.0, 1501)[None, :] * unit
    penalized = (L * (x - b) ** 2 / 2 + weight * phi.surrogate(rho * x)).min(axis=1)
    return float((np.minimum(L * b[:, 0] ** 2 / 2, weight) - penalized).max())


def _plane_minimum(A: np.ndarray, b: np.ndarray, weight: float, h: Callable[[np.ndarray], np.ndarray]) -> float:
    """min over the plane of |A x - b|^2 / 2 + weight (h(x_1) + h(x_2)), on a grid that closes in."""
    reach = 2 * float(np.linalg.norm(b) / np.linalg.svd(A, compute_uv=False)[-1])
    centers, best = np.zeros(2), math.inf
    for _ in range(6):
        first, second = (c + reach * np.linspace(-1, 1, 161) for c in centers)
        x = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1)
        values = ((x @ A.T - b) ** 2).sum(axis=-1) / 2 + weight * (h(first)[:, None] + h(second)[None, :])
        i, j = np.unravel_index(int(values.argmin()), values.shape)
        best, centers, reach = min(best, float(values[i, j])), np.array([first[i], second[j]]), reach / 20
    return best


CHECKS = tuple(
    Check(8, f"{about} of {name}", partial(check, member))
    for about, check in (
        ("curvature exactness", check_curvature_theorem),
        ("curvature tightness", check_curvature_tightness),
    )
    for name, member in FAMILY.items()
)
