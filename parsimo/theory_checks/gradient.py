"""A smooth function against its own values: the gradient, and the constants that it states."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from parsimo._array import Array, array_namespace, device_of, to_numpy
from parsimo.problems import LeastSquares, Logistic
from parsimo.theory_checks.constants import near, text_of, try_constants
from parsimo.theory_checks.contract import require_trials
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import Quadratic
from parsimo.theory_checks.oracles.autograd import autograd_gradient
from parsimo.theory_checks.oracles.differences import directional_derivative, extrapolated_gradient
from parsimo.theory_checks.second_derivatives import try_hessian

__all__ = ["CHECKS", "check_gradient"]

_COORDINATES = 40  # derivatives looked at one by one in a trial; further ones along one direction together
_RESOLVED = 1e-2  # errors of differences above this share of the largest derivative say nothing


def check_gradient(
    f: Any,
    rng: Seed = 0,
    trials: int = 10,
    x: Array | None = None,
    shape: tuple[int, ...] | None = None,
    reference: Callable[[Any], Any] | None = None,
    tolerance: float = 1e-6,
) -> Evidence:
    """`grad` is the gradient of `value`, `value_and_grad` agrees with both, and the constants that f states hold.

    The gradient is compared with extrapolated differences of values, less their error, and with automatic
    differentiation of `reference` where there is one. It must keep shape, dtype, library and device of x, and leave x
    as it was. `hessian(x, rows, columns)`, where there is one, is compared with extrapolated differences of gradients.
    The constants are tried on pairs of points at random and along directions of largest and smallest curvature, found
    by Lanczos iteration on differences of gradients:

    * `lipschitz` L: |grad f(x) - grad f(y)| <= L |x - y|;
    * `weak_convexity` m, `convex`, `strong_convexity` mu: <grad f(x) - grad f(y), x - y> >= -m |x - y|^2, with m = 0
      and m = -mu;
    * `coordinate_curvature` L_i: f(x + t e_i) <= f(x) + t d_i f(x) + L_i t^2 / 2, with equality where
      `coordinate_curvature_is_exact`;
    * `coordinate_lipschitz` l_i: |f(x + t e_i) - f(x)| <= l_i |t|;
    * `lower_bound`: f(x) >= it, also at the lowest points that descents by L-BFGS meet.

    A constant that is None or absent states nothing. Trials can refute a constant, not prove it. Points at which f is
    not finite are no points of its domain: those drawn are moved towards the center until f is finite.

    Parameters
    ----------
    f : Smooth
        With `value`, `grad` and `value_and_grad`.
    x : array of shape (n,), optional
        Points are taken about it, in its library and dtype; by default about `f.start()`, or about 0. f must be finite
        there.
    shape : tuple of one int, optional
        Of x, where neither x nor `f.start` nor `f.shape` gives it.
    reference : callable, optional
        f written from its definition in torch, a float64 tensor to a 0-d one.
    tolerance : float
        Relative to each derivative; in single precision 100 units in the last place where that is more.

    Raises
    ------
    TypeError
        If f lacks a method, `value` does not return a float or `value_and_grad` no pair, or x is no 1-D floating array.
    ValueError
        If there is no trial or no positive tolerance, no shape is known, f is not finite at the center, gradient or
        Hessian have another shape than x asks for, or values are too rough to differentiate.
    """
    require_trials(trials, tolerance)
    rng = np.random.default_rng(rng)
    center = _center(f, x, shape)
    epsilon = float(array_namespace(center).finfo(center.dtype).eps)
    tolerance = max(tolerance, 100 * epsilon)
    outcome = Trials(
        f"{f!r}: grad is the gradient of value, and the constants of f hold",
        "definition of the gradient, by extrapolated differences" + (" and by autograd" if reference else ""),
        "points at random about a center, on scales from 0.1 to 10, and the center",
    )
    # outside its domain f may be infinite or NaN: that is looked for, and no reason for a warning
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        _require_domain(f, center)
        for trial in range(trials):
            point = _draw(f, center, rng) if trial else near(center, rng, 0.0)
            text = text_of(point)
            before = to_numpy(point).copy()
            value, gradient = _value(f, point), _gradient(f.grad, f, point)
            _compare_forms(outcome, f, point, before, value, gradient, text, tolerance)
            _compare_derivatives(outcome, f, point, gradient, text, tolerance, rng)
            if reference is not None:
                _compare_reference(outcome, reference, point, value, gradient, text, tolerance)
            if getattr(f, "hessian", None) is not None:
                try_hessian(outcome, f, point, text, rng, tolerance)
            try_constants(outcome, f, point, rng, tolerance)
    return outcome.evidence()


def _compare_forms(
    outcome: Trials,
    f: Any,
    point: Array,
    before: np.ndarray,
    value: float,
    gradient: Array,
    text: str,
    tolerance: float,
) -> None:
    """value_and_grad, dtype, library, device, and x itself."""
    both = _pair(f, point)
    together = _gradient(lambda x: both[1], f, point)
    scale = 1 + float(np.abs(to_numpy(gradient)).max())
    apart = float(np.abs(to_numpy(together) - to_numpy(gradient)).max()) / scale
    apart = max(apart, abs(float(both[0]) - value) / (1 + abs(value)))
    outcome.add(tolerance - apart, f"f.value_and_grad({text}), f.value({text}), f.grad({text})")
    for name, array in ((f"f.grad({text})", gradient), (f"f.value_and_grad({text})[1]", together)):
        alike = array_namespace(array) is array_namespace(point) and array.dtype == point.dtype
        alike = alike and device_of(array) == device_of(point)
        outcome.add(tolerance if alike else -1.0, f"{name}.dtype, type({name})")
    kept = np.array_equal(to_numpy(point), before)
    outcome.add(tolerance if kept else -1.0, f"(lambda x: (f.value(x), f.grad(x), f.value_and_grad(x), x))({text})")


def _compare_reference(
    outcome: Trials,
    reference: Callable[[Any], Any],
    point: Array,
    value: float,
    gradient: Array,
    text: str,
    tolerance: float,
) -> None:
    """Value and gradient against automatic differentiation of f's definition."""
    expected, slopes = autograd_gradient(reference, point)
    outcome.add(tolerance - abs(value - expected) / (1 + abs(expected)), f"f.value({text}) - ({expected!r})")
    _add_worst(outcome, to_numpy(gradient), slopes, np.zeros(slopes.size), range(slopes.size), text, tolerance)


def _compare_derivatives(
    outcome: Trials, f: Any, point: Array, gradient: Array, text: str, tolerance: float, rng: np.random.Generator
) -> None:
    """Coordinate by coordinate; where there are many, the rest along one direction of entries -1 and 1."""
    stated, n = to_numpy(gradient).astype(np.float64), point.shape[0]
    chosen = np.sort(rng.permutation(n)[:_COORDINATES])
    derivatives, errors = extrapolated_gradient(f, point, chosen)
    largest = float(np.abs(stated).max())
    resolved = _RESOLVED * max(largest, 1e-3 * (1 + abs(float(f.value(point)))))
    if np.median(errors) > resolved or not np.isfinite(errors).all():
        raise ValueError(
            f"check_gradient: values of {f!r} at {text} are too rough to differentiate, error {errors.max():.1e} "
            f"against derivatives up to {largest:.1e}; give data in float64, or as x= a point about which f is smooth"
        )
    _add_worst(outcome, stated[chosen], derivatives, errors, chosen, text, tolerance)
    if n > _COORDINATES:
        signs = rng.choice([-1.0, 1.0], n)
        derivative, error = directional_derivative(f, point, signs)
        allowed = tolerance * largest + 2 * error
        outcome.add(
            (allowed - abs(derivative - float(stated @ signs))) / (largest + error),
            f"f.grad({text}) @ np.array({signs.tolist()!r}) - ({derivative!r})",
        )


def _add_worst(
    outcome: Trials,
    stated: np.ndarray,
    expected: np.ndarray,
    errors: np.ndarray,
    chosen: Any,
    text: str,
    tolerance: float,
) -> None:
    """One trial for each derivative, relative to it; a derivative of 0 is held to a millionth of the largest one."""
    scale = np.abs(expected) + 1e-6 * (float(np.abs(expected).max()) + 1e-12)
    margins = tolerance - np.maximum(np.abs(stated - expected) - 2 * errors, 0.0) / scale
    outcome.add_all(margins, lambda k: f"f.grad({text})[{chosen[k]}] - ({expected[k]})")


def _center(f: Any, x: Array | None, shape: tuple[int, ...] | None) -> Array:
    """Where points are taken about."""
    missing = [name for name in ("value", "grad", "value_and_grad") if not hasattr(f, name)]
    if missing:
        raise TypeError(f"check_gradient: {f!r} is no smooth function: it lacks {', '.join(missing)}")
    if x is None:
        start = getattr(f, "start", None)
        shape = shape or getattr(f, "shape", None)
        if callable(start):
            x = start()
        elif shape is None:
            raise ValueError(f"check_gradient: {f!r} has neither start() nor shape; pass x or shape")
        else:
            x = np.zeros(shape)
    if getattr(x, "ndim", None) != 1 or not array_namespace(x).isdtype(x.dtype, "real floating"):
        raise TypeError(f"check_gradient: x must be a 1-D array of floats, got {x!r}")
    return x


def _require_domain(f: Any, center: Array) -> None:
    value = _value(f, center)
    if not math.isfinite(value):
        raise ValueError(
            f"check_gradient: {f!r} is {value} at x = {text_of(center)}, about which points are drawn; pass as x= a "
            "point of its domain"
        )


def _draw(f: Any, center: Array, rng: np.random.Generator) -> Array:
    """A point about the center at which f is finite, and twice as far out too: differences need room.

    Where the first one is no such point, nearer and nearer ones are drawn.
    """
    scale = 10 ** rng.uniform(-1, 1)
    point = near(center, rng, scale)
    while not (math.isfinite(_value(f, point)) and math.isfinite(_value(f, 2 * point - center))):
        scale /= 2
        point = near(center, rng, scale)
    return point


def _value(f: Any, point: Array) -> float:
    value = f.value(point)
    if not isinstance(value, float):
        raise TypeError(
            f"check_gradient: value must return a Python float, got {value!r} of {type(value).__name__} from {f!r}; "
            "wrap it in float(...)"
        )
    return value


def _pair(f: Any, point: Array) -> tuple[float, Array]:
    both = f.value_and_grad(point)
    if not (isinstance(both, tuple | list) and len(both) == 2 and isinstance(both[0], float)):
        raise TypeError(
            f"check_gradient: value_and_grad must return a Python float and the gradient, got {both!r} from "
            f"{f!r}; return value(x), grad(x)"
        )
    value, gradient = both
    return value, gradient


def _gradient(grad: Callable[[Array], Array], f: Any, point: Array) -> Array:
    gradient = grad(point)
    if getattr(gradient, "shape", None) != point.shape:
        raise ValueError(
            f"check_gradient: the gradient of {f!r} must have the shape {tuple(point.shape)} of x, got "
            f"{getattr(gradient, 'shape', type(gradient).__name__)}"
        )
    return gradient


def _subjects() -> dict[str, tuple[Any, dict[str, Any]]]:
    data = np.random.default_rng(2)
    A, b = data.standard_normal((12, 6)), data.standard_normal(12)
    sparse = sp.csr_array(np.where(np.abs(A) > 0.7, A, 0.0))
    return {
        "LeastSquares": (LeastSquares(A, b), {}),
        "LeastSquares, average": (LeastSquares(A, b, average=True), {}),
        "LeastSquares, sparse": (LeastSquares(sparse, b), {}),
        "LeastSquares, wide": (LeastSquares(A.T, b[:6]), {}),
        "Logistic": (Logistic(A, np.sign(b)), {}),
        "Logistic, average": (Logistic(A, np.sign(b), average=True), {}),
        "an indefinite quadratic": (Quadratic.random(data, 6), {"shape": (6,)}),
    }


CHECKS = tuple(
    Check(31, f"gradient and constants of {name}", partial(check_gradient, f, **how))
    for name, (f, how) in _subjects().items()
)
