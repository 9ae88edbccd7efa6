"""Checks at the boundary: each error names the object, the offending value and the remedy."""

from __future__ import annotations

import math
from typing import Any

from parsimo._array import Array, array_namespace, as_float_array, asarray_like, to_numpy

__all__ = [
    "check_finite",
    "check_nonnegative",
    "check_number",
    "check_positive",
    "check_step",
    "check_vector",
    "per_coordinate",
]


def check_nonnegative(value: float | Array, name: str) -> float | Array:
    """`value`, a finite number >= 0 or an array of such numbers.

    Raises
    ------
    ValueError
        If an entry is negative, NaN or infinite.
    TypeError
        If `value` is not numeric.
    """
    return _check_sign(value, name, strict=False)


def check_positive(value: float | Array, name: str) -> float | Array:
    """`value`, a finite number > 0 or an array of such numbers; raises as `check_nonnegative` does."""
    return _check_sign(value, name, strict=True)


def check_number(value: float, name: str, positive: bool = False) -> float:
    """`value` as a Python float, finite and >= 0, or > 0 if `positive`; raises as `check_nonnegative` does.

    A numpy scalar would carry its own dtype into every array it meets; a Python float takes theirs.
    """
    checked = _check_sign(value, name, strict=positive)
    if not isinstance(checked, float):
        raise TypeError(f"{name} must be one number, got shape {tuple(checked.shape)}")
    return checked


def _check_sign(value: float | Array, name: str, strict: bool) -> float | Array:
    demand = "a finite number > 0" if strict else "a finite number >= 0"
    if isinstance(value, str) or value is None:
        raise TypeError(f"{name} must be {demand}, got {value!r}")
    checked = as_float_array(value, name)
    flat = to_numpy(checked).reshape(-1)
    for entry in flat[~((flat > 0) if strict else (flat >= 0)) | (flat == math.inf)][:1]:
        raise ValueError(f"{name} must be {demand}, got {entry}")
    return float(flat[0]) if checked.ndim == 0 else checked


def check_finite(array: Array, name: str) -> Array:
    """`array`, unchanged, after a look for NaN and infinity.

    Raises
    ------
    ValueError
        Naming the first offending index and the number of offending entries.
    """
    xp = array_namespace(array)
    if not bool(xp.all(xp.isfinite(array))):
        import numpy as np

        values = to_numpy(array)
        where = np.argwhere(~np.isfinite(values))
        first = tuple(int(i) for i in where[0])
        raise ValueError(
            f"{name} has {len(where)} entries that are NaN or infinite, the first at index {first}: "
            f"{values[first]}; remove or impute them"
        )
    return array


def check_vector(x: Any, name: str, size: int | None = None) -> Array:
    """`x` as a finite, floating, 1-D array of the given size.

    Raises
    ------
    TypeError, ValueError
        If the dtype, the shape or an entry is not as asked.
    """
    vector = as_float_array(x, name)
    if vector.ndim != 1 or (size is not None and vector.shape[0] != size):
        want = "(n,)" if size is None else f"({size},)"
        raise ValueError(f"{name} must have shape {want}, got {tuple(vector.shape)}")
    return check_finite(vector, name)


def check_step(v: Any, step_size: Any, owner: str) -> Array:
    """The argument of a prox as a floating array, after a look at its step; torch differentiates through a prox.

    Raises
    ------
    ValueError
        If a step is not positive and finite, or steps are an array of another shape than v.
    TypeError
        If v is not numeric.
    """
    positive = (step_size > 0) & (step_size < math.inf)
    if not (positive if isinstance(positive, bool) else bool(array_namespace(positive).all(positive))):
        raise ValueError(f"{owner}: step_size must be > 0 and finite, got {step_size}")
    v = as_float_array(v, owner + ": v", keep_graph=True)
    if not isinstance(step_size, float):
        _check_fits(step_size, v, owner + ": step_size", "v")
    return v


def per_coordinate(value: float | Array, x: Array, name: str) -> Array:
    """`value`, one number or one for each coordinate, as an array of the library, dtype and device of x.

    Raises
    ------
    ValueError
        If it is an array of another shape than x.
    """
    _check_fits(value, x, name, "x")
    return asarray_like(value, x)


def _check_fits(value: Any, x: Array, name: str, name_of_x: str) -> None:
    """Broadcasting would hide a mistake."""
    shape = tuple(getattr(value, "shape", ()))
    if shape and shape != tuple(x.shape):
        raise ValueError(
            f"{name} has shape {shape}, but {name_of_x} has shape {tuple(x.shape)}; give one number, or one for each "
            "coordinate"
        )
