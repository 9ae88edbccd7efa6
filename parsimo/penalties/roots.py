"""The stationary points of prox objectives of concave penalties whose slope is convex (docs/theory.md, 4.1)."""

from __future__ import annotations

import math
from collections.abc import Callable

from parsimo._array import Array, array_namespace, detached

__all__ = ["jump_size", "largest_root"]


def largest_root(
    start: Array, v: Array, tau: Array, rates: Callable[[Array], tuple[Array, Array]], steps: int
) -> Array:
    """The largest root of x - v + tau h'(x), a convex function of x where h' is convex, by Newton's method.

    From the right of the root the iterates fall to it, and none passes it (docs/theory.md, Proposition 4.1). The last
    step is taken from a point without autograd graph, so that torch finds the derivative of the implicit function,
    dx/dv = 1 / (1 + tau h''(x)) (Remark 4.7), and does not differentiate the search.

    Parameters
    ----------
    start : array
        Where the function rises, such as v; from the left of the root the first step leads to its right. Where there
        is no root the result has no meaning, but is a number.
    v, tau : array
        Of the shape of start.
    rates : callable
        x -> (h'(x), -h''(x)).
    steps : int
        How many, fixed: the count depends on no entry, so that nothing waits for a device.
    """

    def newton(x: Array, v: Array, tau: Array) -> Array:
        xp = array_namespace(x)
        slope, bend = rates(x)
        # at a double root it vanishes, and below the root of the precision it is noise
        rise = xp.clip(1 - tau * bend, math.sqrt(xp.finfo(x.dtype).eps), None)
        return x - (x - v + tau * slope) / rise

    x, fixed_v, fixed_tau = detached(start), detached(v), detached(tau)
    for _ in range(steps - 1):
        x = newton(x, fixed_v, fixed_tau)
    return newton(x, v, tau)


def jump_size(gain: Callable[[float], float]) -> float:
    """The one positive root of a function that is negative below it and positive beyond, by bisection."""
    high = 1.0
    while gain(high) < 0:
        high *= 2
    low = 0.0
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if gain(middle) < 0 else (low, middle)
    return high
