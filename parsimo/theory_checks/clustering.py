"""Clustering: when the absolute distance quantizes exactly, and that codebooks are optimal."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from parsimo.penalties import Clustering
from parsimo.penalties.clustering import Distance
from parsimo.penalties.codebook import Line, best_codebook
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials

__all__ = [
    "CHECKS",
    "LLOYD_MAX",
    "check_best_codebook",
    "check_descent",
    "check_lloyd_max",
    "check_quantization",
    "check_quantization_tightness",
]

LLOYD_MAX = {2: 0.363380, 3: 0.190174, 4: 0.117482, 8: 0.034548}
"""Distortion of the optimal k-level quantizer of a standard Gaussian variable (Max 1960; docs/theory.md, 5.2)."""


def check_quantization(
    rng: Seed = 0, trials: int = 60, penalty: Callable[..., Any] = Clustering, excess: float = 1 + 1e-6
) -> Evidence:
    """With weight > l, every global minimizer of f + weight sum_i min_j |x_i - c_j| lies in the codebook, for f
    l-Lipschitz along each coordinate.

    Tested on finite grids that contain the codebook, the worst case f(x) = l |x - midpoint| among the f.

    Parameters
    ----------
    penalty : callable
        (weight, codebook) -> the penalty under test.
    excess : float
        weight / l, more than 1.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "a weight above the Lipschitz constant quantizes exactly",
        "docs/theory.md, Theorem 5.1",
        "f l-Lipschitz in each of two coordinates, absolute distance",
    )
    for trial in range(trials):
        l, k = 10 ** rng.uniform(-1, 1), int(rng.integers(1, 5))
        codebook = np.sort(rng.uniform(-2, 2, size=k))
        grid = np.unique(np.concatenate([codebook, (codebook[1:] + codebook[:-1]) / 2, np.linspace(-3, 3, 41)]))
        if trial % 2:
            f = sum(l * np.abs(grid - rng.uniform(-3, 3)) * share for share in rng.dirichlet(np.ones(3)))
        else:
            f = l * np.abs(grid - (codebook[:2].mean() if k > 1 else 1.0))
        g = penalty(excess * l, codebook)
        at = np.array([g.value(np.array([x])) for x in grid])
        cross = l / 2 * np.abs(grid[:, None] - grid[None, :])
        total = (f + at)[:, None] + (f + at)[None, :]
        total = total if trial % 4 < 2 else total - (f[:, None] + f[None, :]) / 2 + cross  # still l-Lipschitz
        minimizers = grid[np.argwhere(total <= total.min())]
        distance = float(np.abs(minimizers[..., None] - codebook).min(axis=-1).max())
        outcome.add(-distance, f"trial {trial}: l={l!r}, codebook=np.array({codebook.tolist()!r})")
    return outcome.evidence()


def check_quantization_tightness(rng: Seed = 0, trials: int = 20, deficit: float = 0.99) -> Evidence:
    """With weight = 0.99 l, f(x) = l |x - m| with m a midpoint has its one minimizer at m, off the codebook."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "a weight below the Lipschitz constant need not quantize",
        "docs/theory.md, Theorem 5.1 (tightness)",
        f"f(x) = l |x - midpoint|, weight {deficit} l",
    )
    for _ in range(trials):
        l, gap = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        g = Clustering(deficit * l, np.array([0.0, gap]))
        grid = np.append(np.linspace(-gap, 2 * gap, 301), gap / 2)
        total = np.array([l * abs(x - gap / 2) + g.value(np.array([x])) for x in grid])
        on_codebook = l * gap / 2  # the objective at either representative
        case = f"l={l!r}, codebook=np.array([0.0, {gap!r}])"
        outcome.add((on_codebook - float(total.min())) / (l * gap) - 1e-9, case)
        outcome.add(1e-12 - abs(float(grid[total.argmin()]) / gap - 0.5), case)
    return outcome.evidence()


def check_best_codebook(rng: Seed = 0, trials: int = 40, best: Callable[..., np.ndarray] = best_codebook) -> Evidence:
    """No codebook has a lower cost than `best`, by trying all means, or medians, of all intervals of sorted values."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "best_codebook minimizes sum_i min_j r(|x_i - c_j|)",
        "docs/theory.md, Proposition 5.2",
        "up to 8 values, with repetitions; with and without a pinned representative",
    )
    for trial in range(trials):
        n, k = int(rng.integers(1, 9)), int(rng.integers(1, 5))
        distance: Distance = "squared" if trial % 2 else "absolute"
        values = rng.normal(size=n) if trial % 3 else rng.integers(-2, 3, size=n).astype(float)
        pinned = None if trial % 4 < 2 else 0.0
        codebook = best(Line.of(values), k, distance, pinned)
        case = f"best_codebook(Line.of(np.array({values.tolist()!r})), {k}, {distance!r}, {pinned!r})"
        least = _brute_force(np.sort(values), k, distance, pinned)
        outcome.add(1e-10 - abs(cost(values, codebook, distance) - least), case)
        allowed = 1 <= codebook.size <= k and (pinned is None or pinned in codebook)
        outcome.add(0.0 if allowed and (np.diff(codebook) > 0).all() else -1.0, case)
    return outcome.evidence()


def check_descent(rng: Seed = 0, trials: int = 60, line: Callable[..., Line] = Line.of) -> Evidence:
    """Lloyd's descent never raises the cost of the codebook it starts from, and is never below the exact optimum."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "descent lies between its start and the exact optimum",
        "docs/theory.md, Proposition 5.2",
        "40 values in clumps, random starts, with and without a pinned representative",
    )
    for trial in range(trials):
        k, pinned = int(rng.integers(1, 6)), None if trial % 3 else 0.0
        distance: Distance = "squared" if trial % 2 else "absolute"
        values = np.round(rng.normal(size=40) * 0.3 + rng.integers(-2, 3, size=40), 2)
        start = np.unique(np.append(rng.choice(values, size=k - 1), rng.normal() if pinned is None else pinned))
        end = line(values).descend(start, distance, 0.0, pinned)
        arguments = f"np.array({start.tolist()!r}), {distance!r}, 0.0, {pinned!r}"
        case = f"Line.of(np.array({values.tolist()!r})).descend({arguments})"
        optimum = cost(values, best_codebook(Line.of(values), start.size, distance, pinned), distance)
        reached = cost(values, end, distance)
        outcome.add(1e-10 + min(cost(values, start, distance) - reached, reached - optimum), case)
        outcome.add(0.0 if pinned is None or pinned in end else -1.0, case)
    return outcome.evidence()


def check_lloyd_max(
    rng: Seed = 0, trials: int = 4, best: Callable[..., np.ndarray] = best_codebook, tolerance: float = 2e-3
) -> Evidence:
    """The optimal codebook of 1500 quantiles of a Gaussian variable has the known optimal distortion for the Gaussian
    itself, and no less.

    Nothing is random; `trials` numbers of values are tried, of 2, 3, 4 and 8.
    """
    outcome = Trials(
        "the optimal codebook of a Gaussian sample is the Lloyd-Max quantizer",
        "docs/theory.md, 5.2",
        "distortion under the Gaussian density, relative to the known optimum",
    )
    values = _gaussian_quantiles(1500)
    for k, optimum in list(LLOYD_MAX.items())[:trials]:
        ratio = gaussian_distortion(best(Line.of(values), k, "squared")) / optimum
        outcome.add(min(1 + tolerance - ratio, ratio - 1 + 1e-5), f"k={k}")
    return outcome.evidence()


def cost(values: np.ndarray, codebook: np.ndarray, distance: str) -> float:
    """sum_i min_j r(|x_i - c_j|), as it is written."""
    d = np.abs(values[:, None] - codebook[None, :]).min(axis=1)
    return float(np.sum(d if distance == "absolute" else d * d / 2))


def gaussian_distortion(codebook: np.ndarray) -> float:
    """E min_j (X - c_j)^2 for a standard Gaussian X, by integration of each cell."""
    edges = np.concatenate([[-np.inf], (codebook[1:] + codebook[:-1]) / 2, [np.inf]])
    with np.errstate(invalid="ignore"):
        density = np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi)
        tail = np.where(np.isfinite(edges), edges * density, 0.0)
    mass = np.diff(ndtr(edges))
    first, second = -np.diff(density), mass - np.diff(tail)
    return float(np.sum(second - 2 * codebook * first + codebook**2 * mass))


def _gaussian_quantiles(n: int) -> np.ndarray:
    return ndtri((np.arange(n) + 0.5) / n)


def _brute_force(values: np.ndarray, k: int, distance: str, pinned: float | None) -> float:
    center = np.median if distance == "absolute" else np.mean
    n = values.size
    centers = sorted({float(center(values[i:j])) for i in range(n) for j in range(i + 1, n + 1)})
    free, fixed = (k, []) if pinned is None else (k - 1, [pinned])
    books = itertools.combinations(centers, min(free, len(centers)))
    return min(cost(values, np.array([*book, *fixed]), distance) for book in books)


CHECKS = (
    Check(23, "exact quantization", check_quantization),
    Check(23, "exact quantization, tightness", check_quantization_tightness),
    Check(26, "best codebook", check_best_codebook),
    Check(26, "Lloyd's descent", check_descent),
    Check(27, "Lloyd-Max constants", check_lloyd_max),
)
