"""Gradients from values."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["difference_gradient"]


def difference_gradient(f: Any, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of f at x."""
    shifts = step * np.eye(x.size)
    return np.array([(f.value(x + e) - f.value(x - e)) / (2 * step) for e in shifts])
