"""The constants that a smooth function states, tried where they are most likely to fail."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import minimize

from parsimo._array import Array, asarray_like, is_torch_array, to_numpy
from parsimo.theory_checks.evidence import Trials
from parsimo.theory_checks.second_derivatives import Bend, extreme_directions

__all__ = ["near", "text_of", "try_constants"]

_COORDINATES = 40  # that are tried at each point
_DESCENT_STEPS = 200  # of L-BFGS, from each point towards a lower one
_FAR = 1e100  # stands for values that are not finite
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


def try_constants(
    outcome: Trials, f: Any, point: Array, bend: Bend, rng: np.random.Generator, tolerance: float
) -> None:
    """Every constant that f states, at and about one point; margins are relative to the two sides compared."""
    for other in _partners(point, extreme_directions(f, point, bend.step, rng), bend.step, rng):
        if math.isfinite(f.value(other)):  # the claims are about points of the domain
            _try_pair(outcome, f, point, other, tolerance)
    if getattr(f, "lower_bound", None) not in (None, -math.inf):
        _try_lower_bound(outcome, f, point, tolerance)
    _try_coordinates(outcome, f, point, bend.unit, rng, tolerance)


def _try_lower_bound(outcome: Trials, f: Any, point: Array, tolerance: float) -> None:
    """f >= lower_bound, at the lowest point that a descent from this one meets."""
    stated = float(f.lower_bound)
    lowest = _lowest_met(f, point)
    value = float(f.value(lowest))
    rounding = _ULPS * _epsilon(point) * (abs(value) + abs(stated) + abs(float(f.value(point))))
    margin = value - stated + tolerance * abs(stated) + rounding
    case = f"f.value({text_of(lowest)}) - f.lower_bound  # not negative"
    outcome.add(margin / (abs(value) + abs(stated) + rounding + 1e-300), case)


def _lowest_met(f: Any, point: Array) -> Array:
    """The best point that L-BFGS evaluates on its way down from this one."""
    best, least = point, float(f.value(point))

    def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best, least
        x = asarray_like(z.copy(), point)
        value, gradient = f.value_and_grad(x)
        if value < least:
            best, least = x, value
        slopes = _float64(gradient)
        usable = math.isfinite(value) and np.isfinite(slopes).all()
        return (value, slopes) if usable else (_FAR, np.zeros_like(slopes))

    options = {"maxiter": _DESCENT_STEPS, "ftol": 0.0, "gtol": 0.0}  # until nothing falls any more
    minimize(objective, _float64(point), jac=True, method="L-BFGS-B", options=options)
    return best


def _try_pair(outcome: Trials, f: Any, x: Array, y: Array, tolerance: float) -> None:
    """L and the convexity constants on two points."""
    d = _float64(y) - _float64(x)
    at_x, at_y = _float64(f.grad(x)), _float64(f.grad(y))
    length = float(np.linalg.norm(d))
    if length == 0:  # a step below the rounding of x
        return
    slope = float(np.linalg.norm(at_y - at_x)) / length
    # of the two gradients, and of the points at which they are taken
    rounding = float(np.linalg.norm(at_x) + np.linalg.norm(at_y)) / length
    rounding += slope * float(np.linalg.norm(_float64(x)) + np.linalg.norm(_float64(y))) / length
    rounding *= _ULPS * _epsilon(x)
    pair = f"({text_of(x)}, {text_of(y)})"
    L = getattr(f, "lipschitz", None)
    if L is not None:
        case = f"(lambda x, y: f.lipschitz * np.linalg.norm(y - x) - np.linalg.norm(f.grad(y) - f.grad(x)))(*{pair})"
        case += f"  # not negative: L is {L!r}, and the gradients here part by {slope!r} of the way"
        outcome.add((L - slope + tolerance * abs(L) + rounding) / (abs(L) + slope + 1e-300), case)
    bend = float((at_y - at_x) @ d) / length**2
    for name, least in _least_curvatures(f):
        case = f"(lambda x, y: (f.grad(y) - f.grad(x)) @ (y - x) / ((y - x) @ (y - x)))(*{pair})"
        case += f"  # {least!r} at least: {name}"
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


def _try_coordinates(
    outcome: Trials, f: Any, x: Array, scale: float, rng: np.random.Generator, tolerance: float
) -> None:
    """L_i, whether it is exact, and l_i, on steps of all sizes along single coordinates, in turn in f's own scale."""
    n = x.shape[0]
    curvature, slopes = _of_coordinates(f, "coordinate_curvature", n), _of_coordinates(f, "coordinate_lipschitz", n)
    exact = bool(getattr(f, "coordinate_curvature_is_exact", False))
    if exact and curvature is None:
        raise ValueError(
            f"check_gradient: {f!r} states coordinate_curvature_is_exact without a coordinate_curvature; state both"
        )
    if curvature is None and slopes is None:
        return
    value, gradient = float(f.value(x)), _float64(f.grad(x))
    for turn, i in enumerate(map(int, rng.permutation(n)[:_COORDINATES])):
        moved = _float64(x).copy()
        moved[i] += float(rng.choice([-1, 1]) * 10 ** rng.uniform(-2, 2)) * (scale if turn % 2 else 1.0)
        y = asarray_like(moved, x)
        t = float(y[i]) - float(x[i])
        after, linear = float(f.value(y)), t * float(gradient[i])
        rise = after - value
        # of the values, of the gradient, and of the point at which that is taken
        rounding = abs(value) + abs(after) + abs(linear)
        rounding += 0.0 if curvature is None else float(curvature[i]) * abs(t * float(x[i]))
        rounding *= _ULPS * _epsilon(x)
        pair = f"({text_of(x)}, {text_of(y)})"
        if curvature is not None:
            L_i = float(curvature[i])
            bound = L_i * t * t / 2
            slack = linear + bound - rise
            size, allowed = bound + abs(rise) + rounding + 1e-300, tolerance * bound + rounding
            excess = f"f.value(y) - f.value(x) - f.grad(x) @ (y - x) - {L_i!r} * (y - x) @ (y - x) / 2"
            case = f"(lambda x, y: {excess})(*{pair})  # not positive: coordinate_curvature[{i}]"
            outcome.add((slack + allowed) / size, case)
            if exact:  # f(x + t e_i) = f(x) + t d_i f(x) + L_i t^2 / 2
                outcome.add((allowed - abs(slack)) / size, f"{case}, and 0, since it is stated to be exact")
        if slopes is not None:
            l_i = float(slopes[i])
            bound = l_i * abs(t)
            margin = bound * (1 + tolerance) - abs(rise) + rounding
            case = f"(lambda x, y: {l_i!r} * abs(y - x).sum() - abs(f.value(y) - f.value(x)))(*{pair})"
            case += f"  # not negative: coordinate_lipschitz[{i}]"
            outcome.add(margin / (bound + abs(rise) + rounding + 1e-300), case)


def _of_coordinates(f: Any, name: str, n: int) -> np.ndarray | None:
    """One constant for each coordinate; None where f states none."""
    stated = getattr(f, name, None)
    if stated is None:
        return None
    constants = _float64(stated)
    if constants.shape not in ((), (1,), (n,)):
        raise ValueError(
            f"check_gradient: {name} of {f!r} must be a number or an array of shape ({n},), got {constants.shape}"
        )
    return np.broadcast_to(constants, (n,))


def _partners(
    point: Array, directions: tuple[np.ndarray, ...], step: float, rng: np.random.Generator
) -> Iterator[Array]:
    """Points to pair with one: at random, and a little and farther along directions of extreme curvature."""
    yield near(point, rng, 10 ** rng.uniform(-2, 1))
    x = _float64(point)
    size = 1 + float(np.linalg.norm(x))
    for d in directions:
        for length in (step, size):
            yield asarray_like(x + length * d, point)


def _float64(x: Array) -> np.ndarray:
    return to_numpy(x).astype(np.float64)


def _epsilon(x: Array) -> float:
    return float(np.finfo(to_numpy(x).dtype).eps)
