"""The largest curvature of the mean loss, as cheaply as dense algebra gives it: for libraries that ask for a step."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigvalsh

__all__ = ["largest_curvature"]


def largest_curvature(A: np.ndarray, bend: float = 1.0) -> float:
    """bend |A|^2 / m by the largest eigenvalue of the smaller of A A' and A' A."""
    m, n = A.shape
    gram = A @ A.T if m <= n else A.T @ A
    last = gram.shape[0] - 1
    return bend * float(eigvalsh(gram, subset_by_index=[last, last])[0]) / m
