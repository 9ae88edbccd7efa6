"""Global minima of zero-norm problems by trying every support."""

from __future__ import annotations

import itertools
import math

import numpy as np

__all__ = ["zero_norm_minimum"]


def zero_norm_minimum(A: np.ndarray, b: np.ndarray, weight: float) -> tuple[float, np.ndarray]:
    """Global minimum of |A x - b|^2 / 2 + weight |x|_0 and a minimizer, by least squares on every support.

    Raises
    ------
    ValueError
        If A has more than 10 columns.
    """
    n = A.shape[1]
    if n > 10:
        raise ValueError(f"zero_norm_minimum: 2^{n} supports are too many; take at most 10 columns")
    best, minimizer = math.inf, np.zeros(n)
    for size in range(n + 1):
        for support in itertools.combinations(range(n), size):
            x = np.zeros(n)
            columns = list(support)
            x[columns] = np.linalg.lstsq(A[:, columns], b, rcond=None)[0]
            value = float(np.sum((A @ x - b) ** 2)) / 2 + weight * size
            if value < best:
                best, minimizer = value, x
    return best, minimizer
