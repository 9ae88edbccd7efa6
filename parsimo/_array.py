"""The one place that asks which array library is at hand.

Formulas are written once, in the Python array-API standard. What the standard lacks (segment sums, partial
sorting, inner products that return a Python float) is here, with the library's own kernel where it has one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from array_api_compat import array_namespace as _namespace
from array_api_compat import device as device_of
from array_api_compat import is_array_api_obj, is_numpy_array, is_torch_array

__all__ = [
    "Array",
    "all_finite",
    "array_namespace",
    "as_float_array",
    "asarray_like",
    "blocks",
    "detached",
    "distance",
    "epsilon",
    "inner",
    "is_long",
    "is_real_floating",
    "norm",
    "segment_max",
    "segment_sum",
    "solve_positive",
    "squared_distance",
    "to_float",
    "to_numpy",
    "top_k_mask",
]

Array = Any  # an array of any library that follows the standard; numpy, torch and array-api-strict are tested


_NAMESPACES: dict[type, Any] = {}  # of numpy's and torch's arrays, which have one each


def array_namespace(*arrays: Array) -> Any:
    """The array-API namespace that the arrays share; Python scalars are ignored."""
    if len(arrays) == 1:
        known = _NAMESPACES.get(type(arrays[0]))
        if known is not None:
            return known
    found = _namespace(*(a for a in arrays if is_array_api_obj(a)))
    if is_numpy_array(arrays[0]) or is_torch_array(arrays[0]):
        _NAMESPACES[type(arrays[0])] = found
    return found


def asarray_like(value: Any, like: Array) -> Array:
    """`value` as an array of `like`'s library, dtype and device; a 0-d array for a number."""
    if type(like) is np.ndarray:  # numpy's scalars are its 0-d arrays, and quicker to make
        if isinstance(value, float):
            return like.dtype.type(value)
        if type(value) is np.ndarray:
            return value if value.dtype is like.dtype else np.asarray(value, dtype=like.dtype)
    xp = array_namespace(like)
    if is_array_api_obj(value) and array_namespace(value) is not xp:
        value = to_numpy(value)
        if not is_torch_array(like) and not is_numpy_array(like):  # array-api-strict takes nested lists
            value = value.tolist()
    return xp.asarray(value, dtype=like.dtype, device=device_of(like))


def as_float_array(value: Any, name: str, keep_graph: bool = False) -> Array:
    """`value` as a floating array, unchanged when it is one; integers become float64.

    A torch tensor is cut from its autograd graph, unless `keep_graph`: data are constants.

    Raises
    ------
    TypeError
        If `value` is complex, masked, or not numeric at all.
    """
    if type(value) is np.ndarray and value.dtype.kind == "f":
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be passed over; fill it or drop the entries first")
    array: Array = value if is_array_api_obj(value) and not isinstance(value, np.ndarray) else np.asarray(value)
    if is_torch_array(array) and array.requires_grad and not keep_graph:
        array = array.detach()
    xp = array_namespace(array)
    if is_real_floating(array):
        return array
    if xp.isdtype(array.dtype, ("integral", "bool")):
        return xp.astype(array, xp.float64)
    raise TypeError(f"{name} must hold real numbers, but its dtype is {array.dtype}; convert it first")


def detached(array: Array) -> Array:
    """The array cut from its autograd graph, where torch has one; the array itself elsewhere."""
    return array.detach() if is_torch_array(array) else array


@functools.cache
def _epsilon(dtype: Any, xp: Any) -> float:
    return float(xp.finfo(dtype).eps)


def epsilon(x: Array) -> float:
    """The distance from 1 to the next larger number of the dtype of x."""
    return _epsilon(x.dtype, array_namespace(x))


def is_real_floating(array: Array) -> bool:
    """Whether the dtype is a real floating one."""
    xp = array_namespace(array)
    try:
        return bool(xp.isdtype(array.dtype, "real floating"))
    except TypeError:  # numpy's object and string dtypes are outside the standard
        return False


def to_float(scalar: Array) -> float:
    """A 0-d array as a Python float."""
    return float(scalar)


def to_numpy(array: Array) -> np.ndarray:
    """A numpy copy or view of the array, from any library and device."""
    if is_torch_array(array):
        return np.asarray(array.detach().cpu())
    return np.asarray(array)


_SMALLEST_SQUARE = 1e-290  # below it terms of a sum of squares may have vanished
_BLOCK = 8192  # entries: the temporary arrays of a formula stay in the cache


def is_long(x: Array) -> bool:
    """Whether x is a numpy vector that is worked off faster, and in less memory, block by block."""
    return type(x) is np.ndarray and x.size > _BLOCK and x.ndim == 1 and x.dtype.kind == "f"


def blocks(x: Array) -> Iterator[Any]:
    """Indices that take x apart: slices of a long numpy vector, or `...` alone, all of x."""
    if not is_long(x):
        yield ...
        return
    for start in range(0, x.shape[0], _BLOCK):
        yield slice(start, start + _BLOCK)


def inner(x: Array, y: Array) -> float:
    """Euclidean inner product of two arrays of one shape."""
    if type(x) is np.ndarray and x.ndim == 1:
        return float(x.dot(y))
    if x.ndim != 1:
        xp = array_namespace(x, y)
        x, y = xp.reshape(x, (-1,)), xp.reshape(y, (-1,))
    return float(x @ y)


def norm(x: Array) -> float:
    """Euclidean norm over all entries, of any that a float can hold."""
    value = math.sqrt(inner(x, x))
    if 0 < value < math.inf or math.isnan(value) or 0 in x.shape:
        return value
    xp = array_namespace(x)  # squares have overflowed, or vanished
    largest = to_float(xp.max(xp.abs(x)))
    scaled = x / largest if 0 < largest < math.inf else None
    return largest if scaled is None else largest * math.sqrt(inner(scaled, scaled))


def squared_distance(x: Array, y: Array) -> float:
    """|x - y|^2, without a vector for the difference of long ones."""
    if not is_long(x):
        difference = x - y
        return inner(difference, difference)
    total = 0.0
    for part in blocks(x):
        difference = x[part] - y[part]
        total += inner(difference, difference)
    return total


def distance(x: Array, y: Array) -> float:
    """|x - y|, of any size that a float can hold, without a vector for the difference of long ones."""
    square = squared_distance(x, y)
    return math.sqrt(square) if _SMALLEST_SQUARE < square < math.inf else norm(x - y)


def all_finite(x: Array) -> bool:
    """Whether no entry is NaN or infinite."""
    if math.isfinite(inner(x, x)):  # one pass, without an array of bits
        return True
    xp = array_namespace(x)
    return bool(xp.all(xp.isfinite(x)))


def segment_sum(values: Array, segments: Array, count: int) -> Array:
    """Sums of `values` over the entries of each segment 0..count-1 (both 1-D)."""
    xp = array_namespace(values)
    if is_numpy_array(values):
        return np.bincount(segments, weights=values, minlength=count).astype(values.dtype)
    if is_torch_array(values):
        return values.new_zeros(count).index_add_(0, segments, values)
    zero = xp.zeros_like(values)
    return xp.stack([xp.sum(xp.where(segments == j, values, zero)) for j in range(count)])


def segment_max(values: Array, segments: Array, count: int) -> Array:
    """The largest of the nonnegative `values` in each segment 0..count-1 (both 1-D); 0 in an empty one."""
    xp = array_namespace(values)
    if is_numpy_array(values):
        largest = np.zeros(count, dtype=values.dtype)
        with np.errstate(invalid="ignore"):  # a NaN stays one, and needs no warning
            np.maximum.at(largest, segments, values)
        return largest
    if is_torch_array(values):
        return values.new_zeros(count).scatter_reduce_(0, segments, values, "amax")
    zero = xp.zeros_like(values)
    return xp.stack([xp.max(xp.where(segments == j, values, zero)) for j in range(count)])


def solve_positive(H: Array, b: Array) -> Array | None:
    """H^{-1} b by a Cholesky factorization; None where H, symmetric, is not positive definite beyond rounding."""
    xp = array_namespace(H)
    try:
        factor = xp.linalg.cholesky(H)
    except (np.linalg.LinAlgError, RuntimeError):  # numpy's, and torch's, which is a RuntimeError
        return None
    pivots = xp.linalg.diagonal(factor) ** 2
    if not bool(xp.min(pivots) > H.shape[0] * epsilon(H) * xp.max(pivots)):
        return None
    return xp.linalg.solve(H, b[:, None])[:, 0]


def top_k_mask(values: Array, k: int) -> Array:
    """A boolean mask of the k largest entries of a 1-D array; ties go to the lower index."""
    xp = array_namespace(values)
    order = xp.argsort(values, descending=True, stable=True)
    rank = xp.argsort(order)
    return rank < k
