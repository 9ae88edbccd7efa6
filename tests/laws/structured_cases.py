"""Structured penalties of every scalar penalty, written out from their definitions, and a search for better points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from penalty_cases import LIBRARIES, MAKERS

from parsimo.penalties import L1, Group, Spectral, ZeroNorm, ZeroNormBall
from parsimo.penalties.even import EvenPenalty

Objective = Callable[[np.ndarray], np.ndarray]  # of a batch of points, (count, n)

SCALARS: dict[str, Callable[[float], EvenPenalty]] = {
    name: make for name, make in MAKERS.items() if isinstance(make(1.0), EvenPenalty)
}
"""Every scalar penalty that can be lifted to groups and to singular values."""

LABELS = np.array([1, 0, -1, 1])
FACTORS = np.array([0.5, 1.5])
SHAPE = (2, 2)


def group(name: str, weight: float = 0.7) -> Group:
    """A group of one coordinate, one of two, and a free coordinate."""
    return Group(SCALARS[name](weight), LABELS, FACTORS)


def spectral(name: str, weight: float = 0.7, shape: tuple[int, int] = SHAPE) -> Spectral:
    return Spectral(SCALARS[name](weight), shape)


CASES: dict[str, Callable[[], Any]] = {
    **{f"group {name}": lambda name=name: group(name) for name in SCALARS},  # type: ignore[misc]
    **{f"spectral {name}": lambda name=name: spectral(name) for name in SCALARS},  # type: ignore[misc]
    "columns": lambda: Group.columns(ZeroNorm(0.7), SHAPE),
    "rows": lambda: Group.rows(L1(0.7), SHAPE),
    "at most 2": lambda: ZeroNormBall(2),
}
"""All of them take x of shape (4,)."""


def terms(penalty: EvenPenalty, radii: np.ndarray) -> np.ndarray:
    """p of each radius."""
    return np.asarray(penalty.terms(radii.reshape(-1))).reshape(radii.shape)


def group_values(g: Group, points: np.ndarray) -> np.ndarray:
    """g of each row, from its definition."""
    factors = np.ones(g.labels.max() + 1) if g.weights is None else g.weights
    total = np.zeros(len(points))
    for j, factor in enumerate(factors):
        radii = np.sqrt(np.sum(points[:, g.labels.reshape(-1) == j] ** 2, axis=1))
        total += factor * terms(g.penalty, radii)
    return total


def spectral_values(g: Spectral, points: np.ndarray) -> np.ndarray:
    """g of each row, from its definition; a singular value of 1e-11 is one of rounding here."""
    singular = np.linalg.svd(points.reshape(-1, *g.shape), compute_uv=False)
    return terms(g.penalty, np.where(singular > 1e-11, singular, 0.0)).sum(axis=1)


def values(g: Any, points: np.ndarray) -> np.ndarray:
    if isinstance(g, Group):
        return group_values(g, points)
    if isinstance(g, Spectral):
        return spectral_values(g, points)
    return np.where(np.count_nonzero(points, axis=1) <= g.k, 0.0, np.inf)


def prox_objective(g: Any, v: np.ndarray, step_size: Any) -> Objective:
    return lambda points: values(g, points) + np.sum((points - v.reshape(-1)) ** 2 / (2 * step_size), axis=1)


def charts(g: Any, n: int) -> list[tuple[int, Callable[[np.ndarray], np.ndarray]]]:
    """Ways to write points on which g does not jump: dimension and map, one for each set of zeros or each rank.

    Among them is the whole space. A search on all of them sees the points that a search at random never meets.
    """
    if isinstance(g, Spectral):
        m, k = g.shape

        def product(factors: np.ndarray, rank: int) -> np.ndarray:
            left, right = factors[:, : m * rank], factors[:, m * rank :]
            count = len(factors)
            return (left.reshape(count, m, rank) @ right.reshape(count, rank, k)).reshape(count, m * k)

        low = [(rank * (m + k), lambda z, rank=rank: product(z, rank)) for rank in range(min(m, k))]
        return [*low, (n, lambda z: z)]
    if isinstance(g, Group):
        groups = [np.flatnonzero(g.labels.reshape(-1) == j) for j in range(g.labels.max() + 1)]
    else:
        groups = [np.array([i]) for i in range(n)]
    kept = []
    for choice in range(2 ** len(groups)):
        mask = np.ones(n)
        for j, members in enumerate(groups):
            mask[members] = choice >> j & 1
        kept.append((n, lambda z, mask=mask: z * mask))
    return kept


def search(objective: Objective, dimension: int, rng: np.random.Generator, scale: float, rounds: int = 120) -> float:
    """The least value that many starts and descent at random, with falling reach, find."""
    if dimension == 0:
        return float(objective(np.zeros((1, 0)))[0])
    points = np.concatenate([np.zeros((1, dimension)), scale * rng.uniform(-1.5, 1.5, size=(400, dimension))])
    lowest = objective(points)
    for reach in np.geomspace(scale, 1e-5 * scale, rounds):
        if len(points) > 40:  # the best starts go on
            points, lowest = points[(best := np.argsort(lowest)[:40])], lowest[best]
        trial = np.repeat(points, 12, axis=0) + reach * rng.normal(size=(12 * len(points), dimension))
        trial_values = objective(trial).reshape(len(points), 12)
        best = trial_values.argmin(axis=1)
        better = trial_values[np.arange(len(points)), best] < lowest
        points[better] = trial.reshape(len(points), 12, -1)[np.arange(len(points)), best][better]
        lowest = np.minimum(lowest, trial_values.min(axis=1))
    return float(lowest.min())


def least_found(g: Any, v: np.ndarray, step_size: Any, rng: np.random.Generator, rounds: int = 120) -> float:
    """The least prox objective found, over all charts."""
    objective, scale = prox_objective(g, v, step_size), float(np.abs(v).max()) + 0.1
    return min(
        search(lambda z, chart=chart: objective(chart(z)), dimension, rng, scale, rounds)  # type: ignore[misc]
        for dimension, chart in charts(g, v.size)
    )


# ---- what the tests run over

V = np.array([0.9, -1.7, 0.4, 1.2])
STEPS = (0.05, 0.4, 1.0, 6.0)

each = pytest.mark.parametrize("name", CASES)
each_scalar = pytest.mark.parametrize("name", SCALARS)
each_library = pytest.mark.parametrize("library", LIBRARIES)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def draw(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """An input about the flat points and thresholds of the cases, and a step of any regime."""
    return rng.normal(size=4) * rng.choice([0.3, 1.0, 3.0]), float(10 ** rng.uniform(-1.5, 1.5))
