"""Lipschitz constants of a gradient: known, or estimated and said to be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, distance, epsilon, norm

__all__ = ["Curvature", "curvature_at", "weak_convexity_of"]

_POWER_STEPS = 20


@dataclass(frozen=True)
class Curvature:
    """A Lipschitz constant L of the gradient and where it comes from."""

    value: float
    """L."""
    known: bool
    """Whether f states it; otherwise it was estimated and is watched during the run."""
    exact: bool = True
    """False where the stated L comes from Lanczos iteration, which approaches it from below."""
    raised: int = 0
    """How often the estimate was raised because a step showed more curvature."""

    def seen(self, x: Array, x_new: Array, grad: Array, grad_new: Array) -> Curvature:
        """This estimate after a step from x to x_new; twice the curvature along it where that exceeds L.

        Steps below the square root of rounding are passed over: there the gradient's rounding would be taken for
        curvature, and they change x too little for the curvature to change. Overflow is left to the finiteness check.
        """
        if self.known:
            return self
        length = distance(x_new, x)
        if not length > math.sqrt(epsilon(x)) * norm(x):
            return self
        ratio = distance(grad_new, grad) / length
        return Curvature(2 * ratio, known=False, raised=self.raised + 1) if self.value < ratio < math.inf else self

    def __str__(self) -> str:
        if self.known:
            return f"L = {self.value:.6g}, " + ("known" if self.exact else "by Lanczos iteration, to about 1e-6")
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
        constant = float(f.lipschitz) or 1.0  # any L > 0 will do for a constant gradient
        return Curvature(constant, known=True, exact=getattr(f, "lipschitz_is_exact", True))
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


def weak_convexity_of(f: Any, L: float) -> float:
    """f's own m where it states one, 0 where it is convex, and L, which always holds, otherwise."""
    if getattr(f, "convex", False):
        return 0.0
    m = getattr(f, "weak_convexity", None)
    return L if m is None else min(float(m), L)
