"""What a penalty must offer before its prox can be checked: bad input is named with its numbers, before any trial."""

from __future__ import annotations

import ast
import copy
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from parsimo import penalties, solvers
from parsimo.problems import PhiPenalty
from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.subjects import member_text

__all__ = [
    "as_breakpoints",
    "as_shape",
    "name_of",
    "require_float",
    "require_methods",
    "require_penalty",
    "require_shaped_penalty",
    "require_trials",
    "takes",
    "takes_array_steps",
    "takes_matrices",
]

_SAMPLES = (0.0, 1e-3, -1e-3, 0.3, -0.3, 1.0, -1.0, 30.0, -30.0)
_AS_A_WHOLE = "such a penalty is checked as a whole, with shape=(n,) or (m, n)"
_ROUNDING = 1e-9  # within which sums of values must agree, relative to the sum of their sizes
_TINY = 1e-14  # beside that
_DECADES = range(-8, 8)  # of the numbers that terms and sums are compared at
_MOST = 50  # entries of the vectors that they are compared at


def name_of(g: Any, otherwise: str = "g") -> str:
    """repr(g) where it can be pasted: a call of g's class with parameters made of penalties, solvers and np.

    The penalty of a member in FAMILY is written as such. Everything else is the reader's own, and is called so.
    """
    if type(g) is PhiPenalty and (member := member_text(g.phi)) != "phi" and not np.ndim(g.weight):
        return f"{member}.penalty({g.weight!r}, {g.flat_point!r})"
    with np.printoptions(floatmode="unique", linewidth=10**6):
        text = re.sub(r"(?<![\w.])(array\(|inf\b|nan\b)", r"np.\1", repr(g))
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:  # a repr may be any text
        return otherwise
    known = {"np", type(g).__name__, *penalties.__all__, *solvers.__all__}
    nodes = [*ast.walk(tree)]
    called = isinstance(tree.body, ast.Call) and isinstance(tree.body.func, ast.Name)
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    shortened = any(isinstance(node, ast.Constant) and node.value is ... for node in nodes)
    return text if called and names <= known and not shortened else otherwise


def _subject(g: Any) -> str:
    """How an error names g: as it may be pasted, else by its class."""
    name = name_of(g)
    return type(g).__name__ if name == "g" else name


def require_methods(g: Any, *methods: str) -> None:
    """Refuse an object that lacks one of the methods.

    Raises
    ------
    TypeError
        Naming all that it lacks.
    """
    if isinstance(g, type):
        raise TypeError(f"{g.__name__} is a class; pass an object of it")
    missing = [name for name in methods if not callable(getattr(g, name, None))]
    if missing:
        raise TypeError(f"{type(g).__name__} lacks {' and '.join(missing)}; the check needs {' and '.join(methods)}")


def require_trials(trials: int | None, tolerance: float, steps: tuple[float, float] = (1.0, 1.0)) -> None:
    """Refuse a number of trials, a tolerance or a range of steps that tries nothing.

    Raises
    ------
    ValueError
        Naming the number.
    """
    if trials is not None and trials < 1:
        raise ValueError(f"trials must be at least 1, got {trials}")
    if not 0 < tolerance < math.inf:
        raise ValueError(f"tolerance must be a positive number, got {tolerance}")
    if not 0 < steps[0] <= steps[1] < math.inf:
        raise ValueError(f"steps must be 0 < smallest <= largest, got {steps}")


def as_breakpoints(breakpoints: float | Iterable[float]) -> tuple[float, ...]:
    """Breakpoints as a tuple of numbers; one alone may come bare.

    Raises
    ------
    TypeError, ValueError
        If something among them is no finite number, naming it.
    """
    try:
        points = tuple(map(float, breakpoints if isinstance(breakpoints, Iterable) else (breakpoints,)))
    except (TypeError, ValueError) as error:
        raise TypeError(f"breakpoints must be a number or a sequence of numbers, got {breakpoints!r}") from error
    for point in points:
        if not math.isfinite(point):
            raise ValueError(f"breakpoints must be finite numbers, got {point}")
    return points


def as_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    """A shape as a tuple; n stands for (n,).

    Raises
    ------
    ValueError
        If it is empty, or an entry is no positive integer.
    """
    entries = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if not entries or not all(isinstance(n, int | np.integer) and n > 0 and n is not True for n in entries):
        raise ValueError(f"shape must be a tuple of positive integers such as (5,) or (3, 4), got {shape}")
    return tuple(map(int, entries))


def require_penalty(g: Any, breakpoints: tuple[float, ...], lower: float, rng: np.random.Generator) -> None:
    """Refuse a penalty that is not a sum over coordinates with values >= lower and a prox that keeps shape and dtype.

    Values and `terms` are compared one by one at numbers of every size, two in each eighth of a decade, and in vectors
    of up to 50 of them; the generator is left as it is.

    Raises
    ------
    TypeError
        If a method is missing, or returns something of another type than the protocol `Proximable` asks for.
    ValueError
        If a value or a prox is not what any minimization could use, naming the numbers.
    """
    require_methods(g, "value", "prox")
    if not getattr(getattr(g, "traits", None), "separable", True):
        raise ValueError(f"{_subject(g)} says that it is no sum over coordinates; {_AS_A_WHOLE}")
    samples = np.array([*_SAMPLES, *breakpoints])
    values = _values(g, samples, lower)
    if values[0] == math.inf and (values[len(_SAMPLES) :] == math.inf).all():
        raise ValueError(
            f"{_value_text(g, samples[:1])} is inf; if 0 is outside the domain on purpose, name a point of the domain "
            "among the breakpoints"
        )
    known = values < math.inf
    _check_sum(g, samples[known], values[known])
    _check_sums(g, samples[known], values[known], lower, copy.deepcopy(rng))
    v = np.array([-3.0, -0.5, 0.0, 0.7, 40.0])
    for given in (v, v.astype(np.float32), v[:1]):
        _check_prox_call(g, given)
    if takes_matrices(g):
        _check_prox_call(g, v[:4].reshape(2, 2))
    if takes_array_steps(g):
        _check_prox_call(g, v[:2], np.array([0.5, 2.0]))
    _check_prox_set(g)
    if hasattr(g, "threshold") and not math.isfinite(threshold := g.threshold(0.7)):
        raise ValueError(f"{_subject(g)}.threshold(0.7) must be a finite number, got {threshold}; leave it out if not")


def require_shaped_penalty(g: Any, shape: tuple[int, ...]) -> None:
    """As `require_penalty`, for a penalty of arrays of one shape; its values may have any sign."""
    require_methods(g, "value", "prox")
    v = np.linspace(-3.0, 4.0, math.prod(shape)).reshape(shape)
    for given in (v, v.astype(np.float32)):
        _check_prox_call(g, given)
    x = g.prox(v, 1.0)
    if _value(g, x) == math.inf:
        raise ValueError(f"{_value_text(g, x)} is inf, but this point is {_subject(g)}.prox({text_of(v)}, 1.0)")


def takes(g: Any, v: np.ndarray, step_size: Any) -> bool:
    """Whether prox takes these arguments: with a TypeError or a ValueError it may say no."""
    try:
        g.prox(v, step_size)
    except (TypeError, ValueError):
        return False
    return True


def takes_array_steps(g: Any) -> bool:
    """Whether prox takes one step for each entry."""
    return takes(g, np.array([1.0, 2.0]), np.array([0.5, 2.0]))


def takes_matrices(g: Any) -> bool:
    """Whether the prox of a sum over coordinates takes arrays of two dimensions."""
    return takes(g, np.array([[1.0, 2.0], [-1.0, 0.0]]), 0.5)


def require_float(value: Any, call: str) -> float:
    """What a call returned, if it is a float; `call` is its text.

    Raises
    ------
    TypeError
        Naming the call, and what it returned.
    """
    if not isinstance(value, float):
        raise TypeError(f"{call} must be a float, got {value!r} of type {type(value).__name__}")
    return float(value)


def _value(g: Any, x: np.ndarray) -> float:
    value = require_float(g.value(x), _value_text(g, x))
    if math.isnan(value) or value == -math.inf:
        raise ValueError(f"{_value_text(g, x)} is {value}; a penalty is a number, or inf outside its domain")
    return value


def _value_text(g: Any, x: np.ndarray) -> str:
    return f"{_subject(g)}.value({text_of(x)})"


def _values(g: Any, x: np.ndarray, lower: float) -> np.ndarray:
    """g at each number of x, none of them below the lower bound."""
    values = np.array([_value(g, x[k : k + 1]) for k in range(x.size)])
    if (values < lower).any():
        k = int(values.argmin())
        raise ValueError(
            f"{_value_text(g, x[k : k + 1])} is {values[k]}, below {lower}: how far the scan must look follows "
            "from a lower bound of g; pass one as lower="
        )
    return values


def _check_sums(g: Any, known: np.ndarray, values: np.ndarray, lower: float, rng: np.random.Generator) -> None:
    """`_check_sum` for numbers of every size, all together and a few of them, with some of the domain."""
    sizes = 10.0 ** np.concatenate([k + (np.arange(8) + rng.random((2, 8))) / 8 for k in _DECADES], axis=None)
    x = np.append(known, rng.permutation(sizes) * np.resize([1.0, -1.0], sizes.size))
    values = np.append(values, _values(g, x[known.size :], lower))
    x, values = x[values < math.inf], values[values < math.inf]
    rising = np.argsort(np.abs(x))
    for n in (x.size, 1, 2, *rng.integers(1, _MOST + 1, size=6)):
        first = int(rng.integers(x.size - min(n, x.size) + 1))
        for some in (rng.permutation(x.size)[:n], rising[first : first + n]):  # of all sizes, and of similar ones
            _check_sum(g, x[some], values[some])


def _check_sum(g: Any, x: np.ndarray, values: np.ndarray) -> None:
    """g(x) = sum of g(x_i), and = sum of terms(x)."""
    together, total = _value(g, x), float(values.sum())
    if abs(together - total) > _ROUNDING * float(np.abs(values).sum()) + _TINY:
        raise ValueError(
            f"{_value_text(g, x)} is {together}, but its entries one by one add up to {total}; {_AS_A_WHOLE}"
        )
    if not hasattr(g, "terms"):
        return
    terms = np.asarray(g.terms(x))
    if terms.shape != x.shape:
        raise ValueError(f"{_subject(g)}.terms must keep the shape {x.shape}, got {terms.shape}")
    wrong = ~(np.abs(terms - values) <= _ROUNDING * np.abs(values) + _TINY)
    if wrong.any():
        k = int(wrong.argmax())
        raise ValueError(f"{_subject(g)}.terms({text_of(x)})[{k}] is {terms[k]}, but the value there is {values[k]}")


def _check_prox_call(g: Any, v: np.ndarray, step_size: Any = 0.7) -> None:
    """A finite array of the library, shape and dtype of v, which is left as it was."""
    kept = v.copy()
    x = g.prox(v, step_size)
    call = f"{_subject(g)}.prox({text_of(kept)}, {text_of(step_size) if np.ndim(step_size) else step_size})"
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{call} must be a numpy array as its argument is, got {type(x).__name__}")
    if x.shape != kept.shape:
        raise ValueError(f"{call} must have the shape {kept.shape}, got {x.shape}")
    if x.dtype != kept.dtype:
        raise TypeError(f"{call} must have the dtype {kept.dtype}, got {x.dtype}")
    if not np.isfinite(x).all():
        raise ValueError(f"{call} must be finite, got {x.tolist()}")
    if not np.array_equal(v, kept):
        raise ValueError(f"{call} writes to its argument; it must work on a copy")


def _check_prox_set(g: Any) -> None:
    if not hasattr(g, "prox_set"):
        return
    listed = g.prox_set(1.5, 0.7)
    call = f"{_subject(g)}.prox_set(1.5, 0.7)"
    if not isinstance(listed, Sequence) or not all(isinstance(p, (int, float)) for p in listed):
        raise TypeError(f"{call} must be a tuple of numbers, got {listed!r}")
    if not listed or not all(math.isfinite(p) for p in listed):
        raise ValueError(f"{call} must list at least one minimizer and finite ones only, got {listed!r}")
