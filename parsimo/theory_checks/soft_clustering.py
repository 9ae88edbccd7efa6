"""Soft clustering: how far a softened distance is from the distance, and how sharply its gradient turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from parsimo.problems import HarmonicClustering, SoftMinClustering
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials

__all__ = ["CHECKS", "check_harmonic", "check_soft_min"]


def check_soft_min(rng: Seed = 0, trials: int = 40, penalty: Callable[..., Any] = SoftMinClustering) -> Evidence:
    """min_j (x - c_j)^2 - T log k <= -T log sum_j exp(-(x - c_j)^2 / T) <= min_j (x - c_j)^2, and the slope of the
    gradient stays between -`weak_convexity` and `coordinate_curvature`, within `lipschitz`.

    Parameters
    ----------
    penalty : callable
        (weight, codebook, temperature) -> the function under test.
    """
    outcome = Trials(
        "the soft minimum is at most T log k below the least square, and its curvature between 2 - D^2/T and 2",
        "docs/theory.md, Proposition 5.6",
        "up to 6 representatives, some repeated; x on them, between them, and anywhere",
    )
    return _check_soft(outcome, rng, trials, penalty, lambda squares, T, k: (squares - T * np.log(k), squares))


def check_harmonic(rng: Seed = 0, trials: int = 40, penalty: Callable[..., Any] = HarmonicClustering) -> Evidence:
    """(min_j (x - c_j)^2 + e) / k <= 1 / sum_j 1 / ((x - c_j)^2 + e) <= min_j (x - c_j)^2 + e, and the slope of the
    gradient stays between -`weak_convexity` and `coordinate_curvature`, within `lipschitz`.

    Parameters
    ----------
    penalty : callable
        (weight, codebook, epsilon) -> the function under test.
    """
    outcome = Trials(
        "the harmonic mean lies between a k-th of the softened least square and that itself, its curvature in [-3, 2]",
        "docs/theory.md, Proposition 5.7",
        "up to 6 representatives, some repeated; x on them, between them, and anywhere",
    )
    return _check_soft(outcome, rng, trials, penalty, lambda squares, e, k: ((squares + e) / k, squares + e))


def _check_soft(
    outcome: Trials, rng: Seed, trials: int, penalty: Callable[..., Any], bounds: Callable[..., tuple[Any, Any]]
) -> Evidence:
    """Values between bounds(least square, softness, k); slopes of the gradient within the function's own constants."""
    rng = np.random.default_rng(rng)
    for trial in range(trials):
        weight, softness = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-3, 1)
        k = 2 if trial % 4 == 1 else int(rng.integers(1, 7))  # two attain the bounds of the curvature
        codebook = rng.normal(size=k) if trial % 4 else np.full(k, rng.normal())  # equal ones, that of the value
        f = penalty(weight, codebook, softness)
        middles = (codebook[:, None] + codebook).reshape(-1) / 2
        x = np.concatenate([middles, middles + 1e-2 * rng.normal(size=middles.size), 3 * rng.normal(size=10)])
        squares = ((x[:, None] - codebook) ** 2).min(axis=1)
        low, high = bounds(squares, softness, k)
        values = np.array([f.value(np.array([t])) for t in x]) / weight
        h = 1e-4 * np.sqrt(softness)
        slopes = (f.grad(x + h) - f.grad(x - h)) / (2 * h)
        within = np.minimum(f.coordinate_curvature - slopes, slopes + f.weak_convexity)
        within = np.minimum(within, f.lipschitz - np.abs(slopes))
        call = f"{penalty.__name__}({weight!r}, np.array({codebook.tolist()!r}), {softness!r})"

        def value(i: int, call: str = call, of: tuple[np.ndarray, ...] = (x, weight * low, weight * high)) -> str:
            at, below, above = (float(numbers[i]) for numbers in of)
            return f"{call}.value(np.array([{at!r}]))  # from {below!r} to {above!r}"

        def slope(i: int, call: str = call, at: np.ndarray = x, h: float = float(h), f: Any = f) -> str:
            bounds = f"from {-f.weak_convexity!r} to {f.coordinate_curvature!r}"
            x = [float(at[i] - h), float(at[i] + h)]
            return f"np.diff({call}.grad(np.array({x!r}))) / {2 * h!r}  # {bounds}, by size up to {f.lipschitz!r}"

        outcome.add_all(np.minimum(values - low, high - values) + 1e-12 * (1 + high), value)
        outcome.add_all(within / weight + 1e-6 * (1 + squares / softness), slope)
    return outcome.evidence()


CHECKS = (
    Check(25, "soft minimum", check_soft_min),
    Check(25, "harmonic mean", check_harmonic),
)
