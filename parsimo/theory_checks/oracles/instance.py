"""The numbers behind a data term, for oracles that build the problem anew."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from parsimo._array import is_array_api_obj, is_numpy_array, to_numpy

__all__ = ["data_of", "kind_of", "least_squares_of", "require_numpy"]


def kind_of(f: Any, owner: str, kinds: tuple[str, ...]) -> str:
    """The class name of a data term, one of `kinds`.

    Raises
    ------
    TypeError
        If f is none of them.
    """
    kind = next((c.__name__ for c in type(f).__mro__ if c.__name__ in kinds), None)
    if kind is None or not hasattr(f, "design"):
        raise TypeError(f"{owner}: f must be {' or '.join(kinds)} with its data at hand, got {f!r}")
    return kind


def data_of(f: Any, owner: str) -> tuple[np.ndarray, np.ndarray, float]:
    """A as a dense array of float64, the targets, and the factor in front of the sum of losses.

    Raises
    ------
    TypeError
        If A is an operator, whose entries are not at hand.
    """
    A = f.design.A
    if f.design.is_operator:
        raise TypeError(f"{owner}: A is a LinearOperator; give its entries, for example A @ numpy.eye(n)")
    dense = A.toarray() if f.design.is_sparse else to_numpy(A)
    targets = to_numpy(f.targets).astype(np.float64)
    return dense.astype(np.float64), targets, 1.0 / targets.size if f.average else 1.0


def least_squares_of(f: Any, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """A and b with f(x) = |A x - b|^2 / 2; an average is scaled into them."""
    kind_of(f, owner, ("LeastSquares",))
    A, b, scale = data_of(f, owner)
    return math.sqrt(scale) * A, math.sqrt(scale) * b


def require_numpy(data: Any, owner: str, name: str = "f") -> None:
    """Refuse an array of another library than numpy, or an f whose points are such arrays.

    Raises
    ------
    TypeError
        Naming the library.
    """
    start = getattr(data, "start", None)
    like = start() if callable(start) else data
    if is_array_api_obj(like) and not is_numpy_array(like):
        what = repr(data) if callable(start) else "an array"
        raise TypeError(
            f"{owner}: {name} is {what} of {type(like).__module__}, but this oracle takes numpy arrays; build it of "
            "numpy arrays, for example by numpy.asarray(tensor.cpu())"
        )
