"""Exactness for f of bounded curvature along the coordinates, without a Lipschitz constant, and the kappa of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from parsimo.problems.exact_penalty import exactness_of
from parsimo.problems.phi import Phi
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimum
from parsimo.theory_checks.subjects import FAMILY

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
        weight, L = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        rho = threshold(L, weight, phi) * _ABOVE
        unit = math.sqrt(weight / L)
        if trial % 3 < 2:
            b = rng.choice([math.sqrt(2) * (1 + 0.05 * rng.normal()), rng.uniform(0, 3)]) * unit
            x = np.append(0.0, np.linspace(0.0, 6 * unit, 4001))
            frequency, share = rng.uniform(1, 8) / unit, rng.uniform(0, 1) * (trial % 3)
            f = L * (1 - share) * (x - b) ** 2 / 2 + L * share * np.sin(frequency * x) / frequency**2
            least = float((f + weight * (x != 0)).min())
            penalized = float((f + weight * phi.surrogate(rho * x)).min())
            case = f"weight={weight!r}, L={L!r}, rho={rho!r}, b={b!r}, waves {share:.3g} at {frequency:.3g}"
        else:
            angle, b = rng.uniform(0.3, 2.8), rng.normal(size=2) * 2 * math.sqrt(weight)
            A = math.sqrt(L) * np.array([[1.0, math.cos(angle)], [0.0, math.sin(angle)]])
            least = zero_norm_minimum(A, b, weight)[0]
            penalized = _plane_minimum(A, b, weight, lambda x, rho=rho: phi.surrogate(rho * np.abs(x)))  # type: ignore[misc]
            case = f"A=np.array({A.tolist()!r}), b=np.array({b.tolist()!r}), weight={weight!r}, rho={rho!r}"
        outcome.add(1e-6 - (least - penalized) / weight, case)
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
        unit = math.sqrt(weight / L)
        rho = phi.slope_at_one / (excess * math.sqrt(phi.curvature_margin) * unit)
        b = np.linspace(0.5, 2.5, 401)[:, None] * unit
        x = np.linspace(0.0, 3.0, 1501)[None, :] * unit
        penalized = (L * (x - b) ** 2 / 2 + weight * phi.surrogate(rho * x)).min(axis=1)
        least = np.minimum(L * b[:, 0] ** 2 / 2, weight)
        outcome.add(float((least - penalized).max()) / weight - 1e-6, f"weight={weight!r}, L={L!r}, rho={rho!r}")
    return outcome.evidence()


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
