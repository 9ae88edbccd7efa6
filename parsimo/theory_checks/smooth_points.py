"""Points at which a smooth function is tried, what it returns there, and its own units."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, to_numpy
from parsimo.theory_checks.constants import near, text_of
from parsimo.theory_checks.second_derivatives import Bend, bend_of

__all__ = ["Sample", "Units", "center_of", "samples_of", "units_of"]

_RESOLVED = 1e-4  # of the scale on which f bends: the rounding of points is to be less
_AT_LEAST = 4  # points, so that f has a range even where one of them is tried


@dataclass(frozen=True)
class Sample:
    """What f returned at one point; the arrays as they came, and copies made at once."""

    x: Array
    text: str
    before: np.ndarray
    """x, copied before f saw it."""
    value: float
    gradient: Array
    slopes: np.ndarray
    """The gradient, copied at once."""
    value_together: float
    gradient_together: Array
    slopes_together: np.ndarray
    bend: Bend


@dataclass(frozen=True)
class Units:
    """Sizes of f at the points tried. Medians: one point far away does not make the others look small."""

    value: float
    """Of |f|."""
    spread: float
    """Between the largest and the least value."""
    slope: float
    """Of the largest entry of the gradient."""


def samples_of(f: Any, center: Array, count: int, rng: np.random.Generator) -> list[Sample]:
    """The center and points drawn about it, in turn on scales from 0.1 to 10 and on the one on which f bends."""
    _require_domain(f, center)
    _gradient(f.grad, f, center)
    unit = bend_of(f, center, rng.standard_normal(center.shape[0])).unit
    epsilon = float(array_namespace(center).finfo(center.dtype).eps)
    common = min(1.0, _RESOLVED * unit / epsilon)
    points = [near(center, rng, 0.0)]
    for k in range(1, max(count, _AT_LEAST)):
        points.append(_draw(f, center, rng, common if k % 2 else unit))
    samples = [_sample(f, x, rng) for x in points]
    _require_digits(f, samples)
    return samples


def units_of(samples: list[Sample]) -> Units:
    """Over all points."""
    values = np.array([s.value for s in samples])
    slopes = [float(np.abs(s.slopes).max()) for s in samples]
    return Units(float(np.median(np.abs(values))), float(np.ptp(values)), float(np.median(slopes)))


def center_of(f: Any, x: Array | None, shape: tuple[int, ...] | None) -> Array:
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


def _require_digits(f: Any, samples: list[Sample]) -> None:
    """Values that are rounded to fewer digits than x has look flat from near, and their steps like features of f."""
    values = np.array([s.value for s in samples])
    if samples[0].before.dtype == np.float64 and np.ptp(values) > 0 and (values == values.astype(np.float32)).all():
        raise ValueError(
            f"check_gradient: values of {f!r} have single precision, {samples[0].value!r} and so on, at points in "
            "float64: compute them in float64, or take x, and return gradients, in float32"
        )


def _draw(f: Any, center: Array, rng: np.random.Generator, unit: float) -> Array:
    """A point about the center at which f is finite, and twice as far out too: differences need room.

    Where the first one is no such point, nearer and nearer ones are drawn.
    """
    scale = unit * 10 ** rng.uniform(-1, 1)
    point = near(center, rng, scale)
    while not (math.isfinite(_value(f, point)) and math.isfinite(_value(f, 2 * point - center))):
        scale /= 2
        point = near(center, rng, scale)
    return point


def _sample(f: Any, x: Array, rng: np.random.Generator) -> Sample:
    text, before = text_of(x), to_numpy(x).copy()
    value = _value(f, x)
    gradient = _gradient(f.grad, f, x)
    slopes = _copied(gradient)
    value_together, gradient_together = _pair(f, x)
    together = _gradient(lambda _: gradient_together, f, x)
    return Sample(
        x,
        text,
        before,
        value,
        gradient,
        slopes,
        value_together,
        together,
        _copied(together),
        bend_of(f, x, rng.standard_normal(x.shape[0])),
    )


def _copied(gradient: Array) -> np.ndarray:
    return to_numpy(gradient).astype(np.float64)


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
