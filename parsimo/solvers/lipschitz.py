"""Lipschitz constants of a gradient: known, or estimated and said to be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, norm

__all__ = ["Curvature", "curvature_at"]

_POWER_STEPS = 20


@dataclass(frozen=True)
class Curvature:
    """A Lipschitz constant L of the gradient and where it comes from."""

    value: float
    """L."""
    known: bool
    """Whether f states it; otherwise it was estimated and is watched during the run."""
    raised: int = 0
    """How often the estimate was raised because a step showed more curvature."""

    def seen(self, ratio: float) -> Curvature:
        """This estimate after a step along which the gradient changed by `ratio` a unit of length."""
        if self.known or not ratio > self.value:  # a NaN ratio is left to the finiteness check
            return self
        return Curvature(2 * ratio, known=False, raised=self.raised + 1)

    def __str__(self) -> str:
        if self.known:
            return f"L = {self.value:.6g}, known"
        return (
            f"L = {self.value:.6g} was estimated at the start and raised {self.raised} times: what the theory "
            "promises for this L is promised only along the steps taken"
        )


def curvature_at(f: Any, x: Array) -> Curvature:
    """f's own L; where it has none, twice the largest curvature that power iteration finds at x.

    Raises
    ------
    ValueError
        If f states an L that is negative or not finite.
    """
    if f.lipschitz is not None:
        if not (0 <= f.lipschitz < math.inf):
            raise ValueError(f"{f!r}: lipschitz must be a finite number >= 0 or None, got {f.lipschitz}")
        return Curvature(max(float(f.lipschitz), 1e-300), known=True)
    xp = array_namespace(x)
    step = math.sqrt(float(xp.finfo(x.dtype).eps)) * (1 + norm(x))
    base = f.grad(x)
    direction = asarray_like(np.random.default_rng(0).standard_normal(x.shape[0]), x)
    largest = 0.0
    for _ in range(_POWER_STEPS):
        direction = direction / norm(direction)
        change = (f.grad(x + step * direction) - base) / step
        rate = norm(change)
        if not rate > 0 or not math.isfinite(rate):
            break
        largest, direction = max(largest, rate), change
    return Curvature(2 * largest if largest > 0 else 1.0, known=False)
