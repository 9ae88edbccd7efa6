"""The compiled twins of the scalar penalties: one number at a time, every regime of the step.

A penalty of one coordinate is a kind, the place of its name in `KINDS`, and a row (weight, a, b, ridge). The formulas
are those of the classes in `parsimo.penalties`, where they are explained; 0 wins ties here as there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from parsimo.solvers.compiled.twins import KINDS

__all__ = ["best", "is_zero_at_zero", "profile"]

_ABSOLUTE, _BOXED, _POWER, _LOG, _CAPPED, _MINIMAX, _CLIPPED, _EXPONENTIAL = range(len(KINDS))
_TIE = 4 * float(np.finfo(float).eps)
_SLOWEST = 200  # Newton steps; the iterates fall to the root, and far fewer are needed


@njit(cache=True)
def _prox(kind: int, weight: float, a: float, b: float, ridge: float, v: float, step: float) -> float:
    """argmin_x g(x) + (x - v)^2 / (2 step), globally, for every step > 0 (docs/theory.md, 4.1)."""
    if ridge != 0:
        step, v = step / (1 + step * ridge), v / (1 + step * ridge)
    tau = step * weight
    if kind == _BOXED:
        p = min(max(v, a), b)
        return 0.0 if tau > 0 and p * (2 * v - p) <= 2 * tau else p
    if tau == 0 or not math.isfinite(v):
        return v
    size = abs(v)
    if kind == _ABSOLUTE:
        shrunk = max(size - tau, 0.0)
    elif kind == _MINIMAX:
        shrunk = _firm(size, tau, a)
    elif kind == _CLIPPED:
        shrunk = _clipped(size, tau, a / b, b)
    elif kind == _CAPPED:
        shrunk = _capped(size, tau, a)
    elif kind == _POWER:
        shrunk = _power(size, tau, a)
    else:
        shrunk = _concave(kind, size / a, tau / a**2) * a
    return -shrunk if v < 0 and shrunk > 0 else shrunk


@njit(cache=True, inline="always")
def best(kinds: Any, rows: Any, j: int, x: float, slope: float, curvature: float) -> float:
    """prox(x - slope / curvature) of coordinate j at x, with the step 1 / curvature."""
    # numbers, not the row: a view of it for each coordinate takes ten times as long as all the rest
    kind, weight, a, b, ridge = kinds[j], rows[j, 0], rows[j, 1], rows[j, 2], rows[j, 3]
    if x == 0 and _rests(kind, weight, a, b, slope, curvature):
        return 0.0
    step = 1 / curvature
    return _prox(kind, weight, a, b, ridge, x - slope * step, step)


@njit(cache=True)
def _rests(kind: int, weight: float, a: float, b: float, slope: float, curvature: float) -> bool:
    """Whether the prox keeps 0, told without a division; False also where it must be asked itself.

    Where g_j + curvature x^2 / 2 is convex, it keeps 0 up to the slope of g_j there.
    """
    if kind == _ABSOLUTE:
        return abs(slope) <= weight
    if kind == _MINIMAX:
        return abs(slope) * a <= 2 * weight < a * a * curvature
    if kind == _CLIPPED:
        return abs(slope) * a * (b + 1) <= 2 * b * weight < a * a * (b - 1) * (b + 1) * curvature / b
    return False


@njit(cache=True)
def _hard(v: float, tau: float) -> float:
    return 0.0 if v <= math.sqrt(2 * tau) else v


@njit(cache=True)
def _capped(v: float, tau: float, a: float) -> float:
    if tau > 2 * a * a:
        return _hard(v, tau)
    if v <= tau / a:
        return 0.0
    return v - tau / a if v <= a + tau / (2 * a) else v


@njit(cache=True)
def _firm(v: float, tau: float, a: float) -> float:
    if 2 * tau >= a * a:
        return _hard(v, tau)
    return v if v > a else max(min((v - 2 * tau / a) / (1 - 2 * tau / (a * a)), v), 0.0)


@njit(cache=True)
def _clipped(v: float, tau: float, alpha: float, shape: float) -> float:
    s = 2 * tau / (alpha * alpha * (shape + 1))
    soft = max(v - s * alpha, 0.0)
    if s < shape - 1:
        if v <= (1 + s) * alpha:
            return soft
        bent = ((shape - 1) * v - shape * s * alpha) / (shape - 1 - s)
        return min(bent, v) if v <= shape * alpha else v
    if s <= shape + 1:
        return soft if v <= (shape + 1 + s) * alpha / 2 else v
    return 0.0 if v <= math.sqrt(s * (shape + 1)) * alpha else v


@njit(cache=True)
def _power(v: float, tau: float, q: float) -> float:
    """The largest root of x + tau q x^(q - 1) = v, sought as x = s v from s = 1 down; 0 up to the jump."""
    jump = (2 - q) / (2 * (1 - q)) * (2 * (1 - q) * tau) ** (1 / (2 - q))
    if v <= jump * (1 + _TIE):
        return 0.0
    beta = q * (2 * (1 - q)) ** (1 - q) * (2 - q) ** (q - 2) * (jump / v) ** (2 - q)
    s = 1.0
    for _ in range(_SLOWEST):
        slope = s ** (q - 1)
        fall = (s - 1 + beta * slope) / (1 - beta * (1 - q) * slope / s)
        s -= fall
        if not fall > _TIE * s:
            break
    return s * v


@njit(cache=True)
def _concave(kind: int, w: float, k: float) -> float:
    """The prox of k H at w for the profile H of the kind: 0, or the largest root u of u + k H'(u) = w."""
    if k <= 1 and w <= k:
        return 0.0
    if kind == _LOG:
        inner = ((1 - math.sqrt(k)) ** 2 + (w - k)) / 2 if k <= 1 else (w + 1) / 2 - math.sqrt(k)
        if inner <= 0:
            return 0.0
        root, middle = math.sqrt(inner) * math.sqrt((w + 1) / 2 + math.sqrt(k)), (w - 1) / 2
        u = (w - k) / (root - middle) if middle < 0 else middle + root
        mean, slope = math.log1p(u) / u if u > 0 else 1.0, 1 / (1 + u)
    else:
        beyond_lowest = w - 1 - math.log(k)
        if beyond_lowest <= 0:
            return 0.0
        p = math.sqrt(-2 * math.expm1(-beyond_lowest))
        u = w - 1 + p - p * p / 3 + 11 / 72 * p * p * p
        for _ in range(6):
            slope = math.exp(-u)
            u -= (u - w + k * slope) / max(1 - k * slope, math.sqrt(_TIE / 4))
        mean, slope = -math.expm1(-u) / u if u > 0 else 1.0, math.exp(-u)
    if k > 1 and u / 2 - k * (mean - slope) <= _TIE * w:  # what it gains over 0, by u
        return 0.0
    return max(u, 0.0)


@njit(cache=True)
def is_zero_at_zero(kind: int) -> bool:
    """Whether g(0) = 0 whatever the row is; 0 may lie outside a box."""
    return kind != _BOXED


@njit(cache=True)
def profile(kinds: Any, rows: Any, j: int, x: float) -> tuple[float, float, float]:
    """g_j(x), g_j'(x) and g_j''(x); the last is infinite where there is no derivative, or none that two sides share."""
    kind, weight, a, b, ridge = kinds[j], rows[j, 0], rows[j, 1], rows[j, 2], rows[j, 3]
    t, value, slope, bend = abs(x), 0.0, 0.0, 0.0
    if kind == _BOXED:
        value = weight if x != 0 else 0.0
        if x < a or x > b:
            value = math.inf
        if (x == 0 and weight > 0) or x <= a or x >= b:
            bend = math.inf
    elif t == 0:
        bend = math.inf if weight > 0 else 0.0
    elif kind == _ABSOLUTE:
        value, slope = t, 1.0
    elif kind == _MINIMAX:
        u = min(t / a, 1.0)
        value, slope, bend = u * (2 - u), (1 - u) * 2 / a, (-2 / (a * a) if t < a else 0.0)
    elif kind == _CAPPED:
        value = min(t / a, 1.0)
        slope, bend = (1 / a if t < a else 0.0), (math.inf if t == a else 0.0)
    elif kind == _CLIPPED:
        steepest, u = 2 * b / (a * (b + 1)), min(t * b / a, b)
        value = 2 * u / (b + 1) if u <= 1 else 1 - (b - u) ** 2 / (b * b - 1)
        slope = steepest * min((b - u) / (b - 1), 1.0)
        bend = -steepest * b / (a * (b - 1)) if 1 < u < b else 0.0
    elif kind == _POWER:
        value = t**a
        slope = a * value / t
        bend = (a - 1) * slope / t
    elif kind == _LOG:
        value, slope = math.log1p(t / a), 1 / (a + t)
        bend = -slope * slope
    else:
        value, slope = -math.expm1(-t / a), math.exp(-t / a) / a
        bend = -slope / a
    if kind != _BOXED:
        value, slope = weight * value, weight * (slope if x > 0 else -slope)
        bend = weight * bend if math.isfinite(bend) else bend
    return value + ridge * x * x / 2, slope + ridge * x, bend + ridge
