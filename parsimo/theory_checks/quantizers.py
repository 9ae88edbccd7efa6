"""Quantizers: optimal codebooks on a line, by what route they are found, and cells that are intervals."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from parsimo.penalties import EntropyCodebook
from parsimo.penalties.clustering import Distance
from parsimo.penalties.codebook import Line, best_codebook
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials

__all__ = [
    "CHECKS",
    "LLOYD_MAX",
    "check_best_codebook",
    "check_binning",
    "check_descent",
    "check_entropy_cells",
    "check_lloyd_max",
    "check_split_order",
]

LLOYD_MAX = {2: 0.363380, 3: 0.190174, 4: 0.117482, 8: 0.034548}
"""Distortion of the optimal k-level quantizer of a standard Gaussian variable (Max 1960; docs/theory.md, 5.2)."""


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
        reached = cost(values, codebook, distance)
        outcome.add(1e-10 - abs(reached - least), f"{case}  # of cost {reached!r}; the least is {least!r}")
        allowed = 1 <= codebook.size <= k and (pinned is None or pinned in codebook)
        said = f"rises, has {k} entries at most" + (f", and {pinned!r} among them" if pinned is not None else "")
        outcome.add(0.0 if allowed and (np.diff(codebook) > 0).all() else -1.0, f"{case}  # {said}")
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
        first, reached = cost(values, start, distance), cost(values, end, distance)
        said = f"of cost {reached!r}, from {optimum!r}, the optimum, to {first!r}, that of the start"
        outcome.add(1e-10 + min(first - reached, reached - optimum), f"{case}  # {said}")
        outcome.add(0.0 if pinned is None or pinned in end else -1.0, f"{case}  # {pinned!r} is among them")
    return outcome.evidence()


def interval_costs(values: np.ndarray, distance: Distance) -> np.ndarray:
    """min_c sum r(|p - c|) over the distinct values p_i < ... < p_j, with multiplicities, for each 0 <= i <= j <= n."""
    line = Line.of(values)
    i, j = np.triu_indices(line.points.size + 1, 1)
    costs = np.zeros((line.points.size + 1,) * 2)
    costs[i, j] = line.cost_about(i, j, line.center(i, j, distance), distance)
    return costs


def check_split_order(
    rng: Seed = 0, trials: int = 30, costs: Callable[[np.ndarray, Distance], np.ndarray] = interval_costs
) -> Evidence:
    """The costs C of intervals satisfy C(a, c) + C(b, d) <= C(b, c) + C(a, d) for a <= b <= c <= d; so the dynamic
    programme loses nothing if the last split for j values is never sought before that for j - 1.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "interval costs satisfy the quadrangle inequality, and best splits move right",
        "docs/theory.md, Proposition 5.8",
        "up to 9 values, with repetitions; up to 4 clusters",
    )
    for trial in range(trials):
        distance: Distance = "squared" if trial % 2 else "absolute"
        values = rng.normal(size=int(rng.integers(1, 10)))
        values = values if trial % 3 else np.round(2 * values)
        case = f"interval_costs(np.array({values.tolist()!r}), {distance!r})"
        C = costs(values, distance)
        a, b, c, d = np.array(list(itertools.combinations_with_replacement(range(len(C)), 4))).T
        slack = C[b, c] + C[a, d] - C[a, c] - C[b, d]
        i = int(slack.argmin())
        a, b, c, d = (int(index[i]) for index in (a, b, c, d))
        said = f"C[{a}, {c}] + C[{b}, {d}] is at most C[{b}, {c}] + C[{a}, {d}]"
        outcome.add(1e-10 + float(slack[i]), f"{case}  # {said}")
        least = C[0]
        for _ in range(3):
            totals = np.where(np.tri(len(C), dtype=bool).T, least[:, None] + C, np.inf)
            least, split, sought = totals.min(axis=0), 0, []
            for j, column in enumerate(totals.T):
                split += int(column[split : j + 1].argmin())
                sought.append(column[split])
            lost = float(np.max(sought - least))
            outcome.add(1e-10 - lost, f"{case}  # best last splits move right with j: sought so they lose {lost!r}")
    return outcome.evidence()


def check_binning(rng: Seed = 0, trials: int = 40, binned: Callable[[Line, int], Line] = Line.binned) -> Evidence:
    """Replacing values by the means of cells of width w moves the root of the sum of squares of every codebook by at
    most w sqrt(n) / 2, and the sum of distances by at most w n / 2. So the best codebook of the bins is at most
    twice that from the optimum.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "binning costs at most cell width times sqrt(n), or times n for absolute distances",
        "docs/theory.md, 5.2 (binning)",
        "up to 40 values in up to 12 cells; codebooks at random, far away, and optimal for the bins",
    )
    for trial in range(trials):
        n, bins, k = int(rng.integers(2, 41)), int(rng.integers(1, 13)), int(rng.integers(1, 5))
        values = rng.normal(size=n) if trial % 2 else np.sort(rng.integers(0, bins + 1, size=n)) - 1e-3 * rng.random(n)
        line = Line.of(values)
        bin_line = binned(line, bins)
        width = float(np.ptp(values)) / bins
        case = f"Line.of(np.array({values.tolist()!r})).binned({bins})"
        for codebook in (rng.normal(size=k), rng.normal(size=k) + 50, rng.normal(size=k) - 50):
            fine, coarse = _root_and_sum(line, codebook), _root_and_sum(bin_line, codebook)
            allowed = np.array([np.sqrt(n), n]) * width / 2
            moved = np.abs(fine - coarse)
            said = f"at {codebook.tolist()} root and sum move by {moved.tolist()}, {allowed.tolist()} at most"
            outcome.add(float((allowed - moved).min()) + 1e-9, f"{case}  # {said}")
        cases: tuple[tuple[Distance, int, float], ...] = (("squared", 0, np.sqrt(n)), ("absolute", 1, n))
        for distance, which, unit in cases:
            optimum = _root_and_sum(line, best_codebook(line, k, distance))[which]
            reached = _root_and_sum(line, best_codebook(bin_line, k, distance))[which]
            most = float(optimum + width * unit)
            said = f"its {k} best representatives, {distance}, reach {float(reached)!r}, {most!r} at most"
            outcome.add(most - float(reached) + 1e-9, f"{case}  # {said}")
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
    values = gaussian_quantiles(1500)
    for k, optimum in list(LLOYD_MAX.items())[:trials]:
        ratio = gaussian_distortion(best(Line.of(values), k, "squared")) / optimum
        case = f"gaussian_distortion(best_codebook(Line.of(gaussian_quantiles(1500)), {k}, 'squared'))"
        said = f"the known optimum is {optimum!r}: no less, and more by a share of {tolerance} at most"
        outcome.add(min(1 + tolerance - ratio, ratio - 1 + 1e-5), f"{case}  # {said}")
    return outcome.evidence()


def check_entropy_cells(rng: Seed = 0, trials: int = 40, penalty: Callable[..., Any] = EntropyCodebook) -> Evidence:
    """`assignments` is argmin_j (x - c_j)^2 / 2 + price_j, and it rises with x: cells are intervals, in the order of
    their representatives, and some may be empty.

    Parameters
    ----------
    penalty : callable
        (weight, codebook, prices) -> the penalty under test.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the cells of an entropy-coded quantizer are intervals",
        "docs/theory.md, Proposition 5.9",
        "up to 8 representatives, at prices -log p or prices that leave most of them without a cell",
    )
    for trial in range(trials):
        k = int(rng.integers(1, 9))
        codebook = np.sort(rng.normal(size=k))
        prices = -np.log(rng.dirichlet(np.ones(k))) * 10 ** rng.uniform(-3, 1) if trial % 2 else rng.exponential(size=k)
        x = np.sort(np.concatenate([codebook, 3 * rng.normal(size=200)]))
        codes = np.asarray(penalty(1.0, codebook, prices).assignments(x))
        costs = (x[:, None] - codebook) ** 2 / 2 + prices
        book = f"np.array({codebook.tolist()!r}), np.array({prices.tolist()!r})"
        case = f"EntropyCodebook(1.0, {book}).assignments(np.array({x.tolist()!r}))"
        excess = np.take_along_axis(costs, codes[:, None], axis=1)[:, 0] - costs.min(axis=1)
        i = int(excess.argmax())
        said = f"entry {i}, at {float(x[i])!r}, may be {int(costs[i].argmin())}"
        outcome.add(1e-12 * (1 + float(costs.max())) - float(excess[i]), f"{case}  # {said}")
        outcome.add(float(np.diff(codes).min()), f"{case}  # they do not fall")
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


def gaussian_quantiles(n: int) -> np.ndarray:
    """The middles of n cells of equal mass of a standard Gaussian variable."""
    return ndtri((np.arange(n) + 0.5) / n)


def _brute_force(values: np.ndarray, k: int, distance: str, pinned: float | None) -> float:
    center = np.median if distance == "absolute" else np.mean
    n = values.size
    centers = sorted({float(center(values[i:j])) for i in range(n) for j in range(i + 1, n + 1)})
    free, fixed = (k, []) if pinned is None else (k - 1, [pinned])
    books = itertools.combinations(centers, min(free, len(centers)))
    return min(cost(values, np.array([*book, *fixed]), distance) for book in books)


def _root_and_sum(line: Line, codebook: np.ndarray) -> np.ndarray:
    """(sum of weight d^2)^(1/2) and the sum of weight d, d the distance of a point from the codebook."""
    d = np.abs(line.points[:, None] - codebook[None, :]).min(axis=1)
    return np.array([np.sqrt(line.weights @ d**2), line.weights @ d])


CHECKS = (
    Check(26, "best codebook", check_best_codebook),
    Check(26, "Lloyd's descent", check_descent),
    Check(26, "order of splits", check_split_order),
    Check(26, "binning", check_binning),
    Check(27, "Lloyd-Max constants", check_lloyd_max),
    Check(29, "cells of entropy-coded quantizers", check_entropy_cells),
)
