"""Global minima by trying every support, or every partition into clusters."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from parsimo.theory_checks.oracles.bounds import Bound
from parsimo.theory_checks.oracles.instance import require_numpy

__all__ = [
    "clustering_minimum",
    "zero_norm_minimizers",
    "zero_norm_minimum",
    "zero_norm_minimum_of",
]

_LARGEST_SUPPORTS, _LARGEST_PARTITIONS = 12, 8
_ROUNDING = 1e-11  # of an objective, relative to |b|^2 / 2


def zero_norm_minimum(A: np.ndarray, b: np.ndarray, weight: float | np.ndarray) -> tuple[float, np.ndarray]:
    """Global minimum of |A x - b|^2 / 2 + sum_i weight_i 1[x_i != 0] and a minimizer.

    Raises
    ------
    TypeError
        If A, b or the weight is an array of another library than numpy.
    ValueError
        If A has more than 12 columns.
    """
    value, minimizers = zero_norm_minimizers(A, b, weight)
    return value, minimizers[0]


def zero_norm_minimizers(A: np.ndarray, b: np.ndarray, weight: float | np.ndarray) -> tuple[float, list[np.ndarray]]:
    """As `zero_norm_minimum`, with the best point of every support that attains the minimum up to rounding.

    On each support the point is the least-squares solution, of least norm where there are several.
    """
    for array, name in ((A, "A"), (b, "b"), (weight, "weight")):
        require_numpy(array, "zero_norm_minimizers", name)
    n = A.shape[1]
    _check_size("zero_norm_minimizers", n)
    prices = np.broadcast_to(np.asarray(weight, dtype=np.float64), (n,))
    Q, R = np.linalg.qr(A)  # |A x - b|^2 = |R x - Q'b|^2 + |b - QQ'b|^2
    target = Q.T @ b
    beyond = float(np.sum((b - Q @ target) ** 2)) / 2
    found: list[tuple[float, np.ndarray]] = []
    for supports in _supports(n):
        columns = np.moveaxis(R[:, supports], 1, 0)  # one matrix for each support
        cut_off = np.finfo(float).eps * max(A.shape)
        solutions = np.linalg.pinv(columns, rcond=cut_off) @ target
        residuals = np.einsum("sij,sj->si", columns, solutions) - target
        values = (residuals**2).sum(axis=1) / 2 + beyond + prices[supports].sum(axis=1)
        for k in np.flatnonzero(values <= values.min() + _ROUNDING * (1 + float(b @ b))):
            x = np.zeros(n)
            x[supports[k]] = solutions[k]
            found.append((float(np.sum((A @ x - b) ** 2)) / 2 + float(prices @ (x != 0)), x))
    best = min(value for value, _ in found)
    return best, [x for value, x in found if value <= best + _ROUNDING * float(b @ b)]


def zero_norm_minimum_of(f: Any, weight: float | np.ndarray) -> tuple[float, np.ndarray]:
    """Global minimum of f(x) + sum_i weight_i 1[x_i != 0] for convex f of known `shape`, by Newton on every support.

    The Hessian comes from differences of the gradient. A support is left out where min f plus its price already
    exceeds the best value met. Where f only tends to its infimum, as a logistic loss of separable classes does, a point
    of slope 1e-10 stands for it; with a ridge there is a minimizer.

    Raises
    ------
    TypeError
        If f is not of numpy arrays.
    ValueError
        If f has more than 12 coordinates.
    ArithmeticError
        If Newton's method does not end on some support.
    """
    require_numpy(f, "zero_norm_minimum_of")
    (n,) = f.shape
    _check_size("zero_norm_minimum_of", n)
    prices = np.broadcast_to(np.asarray(weight, dtype=np.float64), (n,))
    floor = float(f.value(_newton(f, np.zeros(n), np.arange(n))))
    best, minimizer = float(f.value(np.zeros(n))), np.zeros(n)
    for supports in _supports(n):
        for support in supports:
            price = float(prices[support].sum())
            if floor + price >= best:
                continue
            x = _newton(f, np.zeros(n), support)
            if f.value(x) + price < best:
                best, minimizer = float(f.value(x)) + price, x
    return best, minimizer


def clustering_minimum(A: np.ndarray, b: np.ndarray, weight: float, k: int, distance: str = "absolute") -> Bound:
    """Global minimum over x and c of |A x - b|^2 / 2 + weight sum_i min_{j <= k} r(|x_i - c_j|), r(d) = d or d^2/2.

    All partitions of the coordinates into exactly min(k, n) clusters are tried: splitting a cluster never costs.

    * r(d) = d^2/2: the representatives are means, and x solves (A'A + weight (I - P)) x = A'b, P the averaging over
      clusters.
    * r(d) = d: with x = E c + d, E the indicators of the clusters, and c minimized out, what is left is a lasso in
      d, solved by coordinate descent; its dual gives the lower bound.

    Raises
    ------
    TypeError
        If A or b is an array of another library than numpy.
    ValueError
        If A has more than 8 columns, or the distance is unknown.
    """
    for array, name in ((A, "A"), (b, "b")):
        require_numpy(array, "clustering_minimum", name)
    start, n = time.perf_counter(), A.shape[1]
    if n > _LARGEST_PARTITIONS:
        raise ValueError(f"clustering_minimum: {n} columns are too many; take at most {_LARGEST_PARTITIONS}")
    if distance not in ("absolute", "squared"):
        raise ValueError(f'clustering_minimum: distance must be "absolute" or "squared", got {distance!r}')
    labels = np.array([*_partitions(n, min(k, n))])
    E = (labels[:, :, None] == np.arange(labels.max() + 1)).astype(np.float64)  # (partitions, n, k)
    solve = _lassos if distance == "absolute" else _ridges
    points, lower = solve(A, b, weight, E)
    values = [_clustering_value(A, b, weight, distance, x, own) for x, own in zip(points, labels, strict=True)]
    best = int(np.argmin(values))
    return Bound(
        value=values[best],
        lower=min(lower, values[best]),
        x=points[best],
        source=f"all {len(labels)} partitions of {n} coordinates into {min(k, n)} clusters",
        seconds=time.perf_counter() - start,
    )


def _ridges(A: np.ndarray, b: np.ndarray, weight: float, E: np.ndarray) -> tuple[np.ndarray, float]:
    """x of each partition, and a lower bound of all the values."""
    averaging = E / E.sum(axis=1, keepdims=True) @ np.swapaxes(E, 1, 2)
    matrices = A.T @ A + weight * (np.eye(A.shape[1]) - averaging)
    x = np.linalg.pinv(matrices, hermitian=True) @ (A.T @ b)
    spread = x - np.einsum("sij,sj->si", averaging, x)
    values = ((x @ A.T - b) ** 2).sum(axis=1) / 2 + weight / 2 * (spread**2).sum(axis=1)
    return x, float(values.min()) - _ROUNDING * float(b @ b)


def _lassos(A: np.ndarray, b: np.ndarray, weight: float, E: np.ndarray) -> tuple[np.ndarray, float]:
    """x of each partition, and a lower bound of all the values: the least of the dual values."""
    AE = A @ E
    inverse = np.linalg.pinv(AE)
    onto = np.eye(A.shape[0]) - AE @ inverse  # away from what the representatives can fit
    B, target = onto @ A, onto @ b
    gram, slopes = np.swapaxes(B, 1, 2) @ B, np.einsum("sji,sj->si", B, target)
    diagonal = np.einsum("sii->si", gram)
    moves = diagonal > 1e-12 * np.sum(A * A)  # not so for a cluster of one
    d = np.zeros_like(slopes)
    for sweep in range(20_000):
        for i in range(d.shape[1]):
            pull = slopes[:, i] - np.einsum("sj,sj->s", gram[:, i], d) + diagonal[:, i] * d[:, i]
            soft = np.sign(pull) * np.maximum(np.abs(pull) - weight, 0.0)
            d[:, i] = np.where(moves[:, i], soft / np.where(moves[:, i], diagonal[:, i], 1.0), 0.0)
        if sweep % 50 == 49:
            residual = target - np.einsum("sij,sj->si", B, d)
            primal = (residual**2).sum(axis=1) / 2 + weight * np.abs(d).sum(axis=1)
            slope = np.abs(np.einsum("sji,sj->si", B, residual)).max(axis=1)
            theta = residual * np.minimum(1.0, weight / np.maximum(slope, 1e-300))[:, None]
            dual = (target**2).sum(axis=1) / 2 - ((theta - target) ** 2).sum(axis=1) / 2
            if dual.min() >= primal.min() - _ROUNDING * float(b @ b):
                break
    c = np.einsum("sji,si->sj", inverse, b - d @ A.T)
    return np.einsum("sij,sj->si", E, c) + d, float(dual.min()) - _ROUNDING * float(b @ b)


def _clustering_value(
    A: np.ndarray, b: np.ndarray, weight: float, distance: str, x: np.ndarray, labels: np.ndarray
) -> float:
    clusters = [x[labels == j] for j in np.unique(labels)]
    if distance == "absolute":
        spread = sum(float(np.abs(points - np.median(points)).sum()) for points in clusters)
    else:
        spread = sum(float(((points - points.mean()) ** 2).sum()) / 2 for points in clusters)
    return float(np.sum((A @ x - b) ** 2)) / 2 + weight * spread


def _newton(f: Any, x: np.ndarray, support: np.ndarray) -> np.ndarray:
    """The minimizer of a convex f over the points that vanish off the support."""
    x, step = x.copy(), 1e-6
    start = float(np.linalg.norm(f.grad(x)))
    for _ in range(100):
        gradient = f.grad(x)[support]
        if np.linalg.norm(gradient) <= 1e-10 * (1 + start):
            return x
        shifts = step * np.eye(x.size)[support]
        hessian = np.array([(f.grad(x + e)[support] - f.grad(x - e)[support]) / (2 * step) for e in shifts])
        direction, *_ = np.linalg.lstsq((hessian + hessian.T) / 2, -gradient, rcond=1e-9)
        t, here, fall = 1.0, f.value(x), float(gradient @ direction)
        move = np.zeros_like(x)
        move[support] = direction
        while f.value(x + t * move) > here + 0.1 * t * fall + 1e-14 * abs(here) and t > 1e-12:
            t /= 2
        x = x + t * move
    raise ArithmeticError(
        f"zero_norm_minimum_of: Newton's method does not end on the support {support}; f must be convex and bounded "
        "below"
    )


def _check_size(owner: str, n: int) -> None:
    if n > _LARGEST_SUPPORTS:
        raise ValueError(f"{owner}: 2^{n} supports are too many; take at most {_LARGEST_SUPPORTS} columns")


def _supports(n: int) -> Iterator[np.ndarray]:
    """The supports of each size, as an array of shape (how many, size)."""
    for size in range(n + 1):
        count = math.comb(n, size)
        yield np.array([*itertools.combinations(range(n), size)], dtype=np.intp).reshape(count, size)


def _partitions(n: int, k: int) -> Iterator[tuple[int, ...]]:
    """Labels 0..k-1 of each partition of n coordinates into exactly k clusters, numbered as they appear."""

    def extend(labels: tuple[int, ...], used: int) -> Iterator[tuple[int, ...]]:
        if len(labels) == n:
            yield labels
        else:
            for j in range(min(used + 1, k)):
                new = max(used, j + 1)
                if k - new <= n - len(labels) - 1:
                    yield from extend((*labels, j), new)

    return extend((), 0)
