"""Lower points of a function of arrays, sought in every cheap way: it can refute a minimizer, and prove none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from parsimo.theory_checks.oracles.scan import line_minima

__all__ = ["lowest_found", "restarted_descent", "subsets"]

Objective = Callable[[np.ndarray], float]

_REACH = np.concatenate([[0.0], *([-(2.0**-k), 2.0**-k] for k in np.arange(-1.0, 22.0, 2.0)), [-1.0, 1.0]])
"""Points of a line. If its objective is a parabola, lowest anywhere in between, one of them gets 3/4 of the descent."""
_ZOOMED = 3  # lines at most, those with the lowest points
_ROUNDS = 5  # of zooming: 3e-5 of a spacing, so that a parabola's floor is met to 1e-9 of its depth
_FEW = 6  # coordinates whose subsets are all tried
_FAR = 1e100  # stands for infinity where differences are formed


def lowest_found(
    objective: Objective, x: np.ndarray, v: np.ndarray, others: Iterable[np.ndarray], rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    """The lowest value found about x, and its point; x itself where nothing beats it.

    Tried are 0, v, the `others`, and x and v with subsets of their coordinates, of rows and columns or of singular
    values set to zero; then lines through x, which go through 0, through v and through the others, along coordinate
    axes and in random directions. With one-parameter families a wrong threshold, a wrong factor or a wrong support
    shows itself.

    Parameters
    ----------
    objective : callable
        Infinity outside its domain.
    x : array
        The point to be beaten, with a finite objective.
    v : array
        The argument of the prox.
    others : iterable of arrays
        Points of the domain, such as proxes of other arguments.
    """
    others = list(others)
    candidates = [x, np.zeros_like(x), v, *others, *_thinned(x, rng), *_thinned(v, rng)]
    directions = np.array([*_directions(x, v, others, rng)])

    def along(rows: np.ndarray, s: np.ndarray) -> np.ndarray:
        return np.array([[objective(x + t * directions[k]) for t in line] for k, line in zip(rows, s, strict=True)])

    reach = np.tile(_REACH, (len(directions), 1))
    floors = along(np.arange(len(directions)), reach).min(axis=1)
    promising = np.argsort(floors)[: int(np.count_nonzero(floors < objective(x)))][:_ZOOMED]
    _, where = line_minima(lambda rows, s: along(promising[rows], s), reach[promising], 1, _ROUNDS)
    candidates += [x + s * directions[k] for k, s in zip(promising, where[:, 0], strict=True)]
    values = [objective(c) for c in candidates]
    best = int(np.argmin(values))
    return values[best], candidates[best]


def _thinned(x: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """x with some of its parts set to zero."""
    rank = np.argsort(-np.abs(x), axis=None, kind="stable").argsort().reshape(x.shape)
    yield from (np.where(rank < k, x, 0.0) for k in range(1, min(x.size, 8)))
    yield from subsets(x, rng)
    if x.ndim == 2:
        for axis in (0, 1):
            yield from (np.where(np.indices(x.shape)[axis] == k, 0.0, x) for k in range(x.shape[axis]))
        left, singular, right = np.linalg.svd(x, full_matrices=False)
        yield from ((left[:, :k] * singular[:k]) @ right[:k] for k in range(1, singular.size))


def subsets(x: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """x with some coordinates set to zero: all subsets of up to 6 coordinates, and some of more."""
    if x.size <= _FEW:
        for kept in itertools.product((False, True), repeat=x.size):
            yield np.where(np.reshape(kept, x.shape), x, 0.0)
    else:
        for _ in range(8):
            yield np.where(rng.random(x.shape) < rng.uniform(0.2, 0.8), x, 0.0)


def _directions(
    x: np.ndarray, v: np.ndarray, others: list[np.ndarray], rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Steps from x, of the length of the way to go."""
    size = max(float(np.abs(x).max()), float(np.abs(v).max()), 1e-3)
    yield from (-x, v - x, *(other - x for other in others[:2]))
    for k in rng.choice(x.size, size=min(4, x.size), replace=False):
        axis = np.zeros(x.size)
        axis[k] = -x.flat[k] if x.flat[k] else size  # length 1 leads to zero
        yield axis.reshape(x.shape)
    for _ in range(2):
        direction = rng.normal(size=x.shape)
        yield size * direction / np.linalg.norm(direction)
    if x.ndim == 2:
        left, _, right = np.linalg.svd(v, full_matrices=False)
        k = int(rng.integers(min(x.shape)))
        yield size * np.outer(left[:, k], right[k])


def restarted_descent(objective: Objective, starts: Iterable[np.ndarray]) -> tuple[float, np.ndarray]:
    """The lowest value that Nelder and Mead's simplex reaches from the starts, and its point; for few coordinates."""
    from scipy.optimize import minimize

    found: list[Any] = []
    for start in starts:

        def flat(y: np.ndarray, shape: tuple[int, ...] = start.shape) -> float:
            return min(objective(y.reshape(shape)), _FAR)

        options = {"maxfev": 150 * start.size, "xatol": 1e-10, "fatol": 1e-14}
        outcome = minimize(flat, start.reshape(-1), method="Nelder-Mead", options=options)
        found.append((float(outcome.fun), outcome.x.reshape(start.shape)))
    return min(found, key=lambda pair: pair[0])
