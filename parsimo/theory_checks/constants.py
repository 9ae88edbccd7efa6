"""The constants that a smooth function states, tried where they are most likely to fail."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from parsimo._array import Array, asarray_like, is_torch_array, to_numpy
from parsimo.theory_checks.evidence import Trials

__all__ = ["near", "text_of", "try_constants"]

_COORDINATES = 40  # that are tried at each point
_POWER_STEPS = 30  # of power iteration towards the largest and the smallest curvature
_ULPS = 64.0  # what the rounding of a value or of a gradient may amount to, in units in the last place


def near(center: Array, rng: np.random.Generator, scale: float) -> Array:
    """A normal point about a center, in its library and dtype."""
    return center + asarray_like(scale * rng.standard_normal(center.shape[0]), center)


def text_of(x: Array) -> str:
    """The expression that makes this numpy array or torch tensor."""
    entries = to_numpy(x).tolist()
    if is_torch_array(x):
        return f"torch.tensor({entries!r}, dtype={x.dtype})"
    dtype = to_numpy(x).dtype
    return f"np.array({entries!r})" if dtype == np.float64 else f"np.array({entries!r}, np.{dtype})"


def try_constants(outcome: Trials, f: Any, point: Array, rng: np.random.Generator, tolerance: float) -> None:
    """Every constant that f states, at and about one point; margins are relative to the two sides compared."""
    for other in _partners(f, point, rng):
        _try_pair(outcome, f, point, other, tolerance)
    least = getattr(f, "lower_bound", None)
    if least is not None:
        value = float(f.value(point))
        margin = (value - least) / (abs(value) + abs(least) + 1) + tolerance
        outcome.add(margin, f"f.value({text_of(point)}) - f.lower_bound")
    _try_coordinates(outcome, f, point, rng, tolerance)


def _try_pair(outcome: Trials, f: Any, x: Array, y: Array, tolerance: float) -> None:
    """L and the convexity constants on two points."""
    d = _float64(y) - _float64(x)
    at_x, at_y = _float64(f.grad(x)), _float64(f.grad(y))
    length = float(np.linalg.norm(d))
    rounding = _ULPS * _epsilon(x) * float(np.linalg.norm(at_x) + np.linalg.norm(at_y)) / length
    pair = f"({text_of(x)}, {text_of(y)})"
    L = getattr(f, "lipschitz", None)
    if L is not None:
        slope = float(np.linalg.norm(at_y - at_x)) / length
        case = f"(lambda x, y: f.lipschitz * np.linalg.norm(y - x) - np.linalg.norm(f.grad(y) - f.grad(x)))(*{pair})"
        outcome.add((L - slope + tolerance * abs(L) + rounding) / (abs(L) + slope + 1e-300), case)
    bend = float((at_y - at_x) @ d) / length**2
    for name, least in _least_curvatures(f):
        case = f"(lambda x, y: (f.grad(y) - f.grad(x)) @ (y - x) / ((y - x) @ (y - x)))(*{pair})  # {name}: {least!r}"
        margin = bend - least + tolerance * abs(least) + rounding
        outcome.add(margin / (abs(bend) + abs(least) + rounding + 1e-300), case)


def _least_curvatures(f: Any) -> Iterator[tuple[str, float]]:
    """What f states of <grad f(y) - grad f(x), y - x> / |y - x|^2 from below."""
    if getattr(f, "weak_convexity", None) is not None:
        yield "weak_convexity", -float(f.weak_convexity)
    if getattr(f, "strong_convexity", None) is not None:
        yield "strong_convexity", float(f.strong_convexity)
    if getattr(f, "convex", False):
        yield "convex", 0.0


def _try_coordinates(outcome: Trials, f: Any, x: Array, rng: np.random.Generator, tolerance: float) -> None:
    """L_i and l_i, on steps of all sizes along single coordinates."""
    curvature, slopes = getattr(f, "coordinate_curvature", None), getattr(f, "coordinate_lipschitz", None)
    if curvature is None and slopes is None:
        return
    value, gradient, n = float(f.value(x)), _float64(f.grad(x)), x.shape[0]
    for i in map(int, rng.permutation(n)[:_COORDINATES]):
        moved = _float64(x).copy()
        moved[i] += float(rng.choice([-1, 1]) * 10 ** rng.uniform(-2, 2))
        y = asarray_like(moved, x)
        t = float(y[i]) - float(x[i])
        after, linear = float(f.value(y)), t * float(gradient[i])
        rise = after - value
        rounding = _ULPS * _epsilon(x) * (abs(value) + abs(after) + abs(linear))
        pair = f"({text_of(x)}, {text_of(y)})"
        if curvature is not None:
            L_i = float(np.broadcast_to(to_numpy(curvature), (n,))[i])
            bound = L_i * t * t / 2
            margin = linear + bound - rise + tolerance * bound + rounding
            excess = f"f.value(y) - f.value(x) - f.grad(x) @ (y - x) - {L_i!r} * (y - x) @ (y - x) / 2"
            case = f"(lambda x, y: {excess})(*{pair})"
            outcome.add(margin / (bound + abs(rise) + rounding + 1e-300), f"{case}  # coordinate_curvature[{i}]")
        if slopes is not None:
            l_i = float(np.broadcast_to(to_numpy(slopes), (n,))[i])
            bound = l_i * abs(t)
            margin = bound * (1 + tolerance) - abs(rise) + rounding
            case = f"(lambda x, y: {l_i!r} * abs(y - x).sum() - abs(f.value(y) - f.value(x)))(*{pair})"
            outcome.add(margin / (bound + abs(rise) + rounding + 1e-300), f"{case}  # coordinate_lipschitz[{i}]")


def _partners(f: Any, point: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Points to pair with one: at random, and a little along directions of largest and smallest curvature."""
    yield near(point, rng, 10 ** rng.uniform(-2, 1))
    x = _float64(point)
    h = _epsilon(point) ** (1 / 3) * (1 + float(np.linalg.norm(x)))

    def bent(d: np.ndarray) -> np.ndarray:
        ahead, behind = asarray_like(x + h * d, point), asarray_like(x - h * d, point)
        return (_float64(f.grad(ahead)) - _float64(f.grad(behind))) / (2 * h)

    top = 0.0
    for shift in (False, True):  # towards the eigenvalue of largest size, then towards the lowest one
        d = rng.standard_normal(x.size)
        d /= np.linalg.norm(d)
        for _ in range(_POWER_STEPS):
            turned = top * d - bent(d) if shift else bent(d)
            size = float(np.linalg.norm(turned))
            if not 1e-300 < size < math.inf:
                break
            d = turned / size
        top = max(top, size)
        yield asarray_like(x + h * d, point)


def _float64(x: Array) -> np.ndarray:
    return to_numpy(x).astype(np.float64)


def _epsilon(x: Array) -> float:
    return float(np.finfo(to_numpy(x).dtype).eps)
