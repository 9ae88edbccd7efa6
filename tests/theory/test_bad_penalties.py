"""A penalty that cannot be checked is refused before any trial, in a sentence that names the numbers."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from parsimo.penalties import L1, MCP, Group, ZeroNormBall
from parsimo.theory_checks import check_prox, check_subdifferential


class Absolute:
    """|x|_1, right; the faults below replace one method each."""

    def __repr__(self) -> str:
        return "Absolute()"

    def value(self, x: np.ndarray) -> float:
        return float(np.abs(x).sum())

    def prox(self, v: np.ndarray, step_size: float) -> np.ndarray:
        return np.sign(v) * np.maximum(np.abs(v) - step_size, 0)


def but(**methods: Any) -> Any:
    return type("Absolute", (Absolute,), methods)()


soft = Absolute.prox


def writing(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    v -= np.clip(v, -step_size, step_size).astype(v.dtype)
    return v


def nan_beyond_30(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    return np.where(np.abs(v) > 30, np.nan, soft(self, v, step_size)).astype(v.dtype)


def right_distance(self: Any, x: np.ndarray, grad: np.ndarray) -> float:
    return float(np.linalg.norm(np.where(x == 0, np.maximum(np.abs(grad) - 1, 0), np.sign(x) + grad)))


def norm_value(self: Any, x: np.ndarray) -> float:
    return float(np.linalg.norm(x))


CASES: dict[str, tuple[Any, type[Exception], str]] = {
    "value returns an array": (
        but(value=lambda self, x: np.abs(x).sum(keepdims=True)),
        TypeError,
        "Absolute().value(np.array([0.0])) must be a float, got array([0.]) of type ndarray",
    ),
    "value returns an integer": (
        but(value=lambda self, x: 0),
        TypeError,
        "Absolute().value(np.array([0.0])) must be a float, got 0 of type int",
    ),
    "value is NaN": (
        but(value=lambda self, x: float(np.abs(x).sum()) if abs(x[0]) < 0.5 else math.nan),
        ValueError,
        "Absolute().value(np.array([1.0])) is nan; a penalty is a number, or inf outside its domain",
    ),
    "value is minus infinity": (
        but(value=lambda self, x: -math.inf),
        ValueError,
        "Absolute().value(np.array([0.0])) is -inf",
    ),
    "value is infinite at 0": (
        but(value=lambda self, x: math.inf if 0.0 in x else float(np.abs(x).sum())),
        ValueError,
        "Absolute().value(np.array([0.0])) is inf; if 0 is outside the domain on purpose, name a point of the domain",
    ),
    "value is negative": (
        but(value=lambda self, x: float(np.abs(x).sum() - 0.5)),
        ValueError,
        "Absolute().value(np.array([0.0])) is -0.5, below 0.0: how far the scan must look follows from a lower bound",
    ),
    "value is no sum": (
        but(value=norm_value),
        ValueError,
        "but its entries one by one add up to 62.602; such a penalty is checked as a whole",
    ),
    "terms of another shape": (
        but(terms=lambda self, x: np.abs(x).sum()),
        ValueError,
        "Absolute().terms must keep the shape (9,), got ()",
    ),
    "terms of another function": (
        but(terms=lambda self, x: np.minimum(np.abs(x), 2.0)),
        ValueError,
        "Absolute().terms(np.array([0.0, 0.001, -0.001, 0.3, -0.3, 1.0, -1.0, 30.0, -30.0]))[7] is 2.0, but the "
        "value there is 30.0",
    ),
    "prox returns a list": (
        but(prox=lambda self, v, t: soft(self, v, t).tolist()),
        TypeError,
        "prox(np.array([-3.0, -0.5, 0.0, 0.7, 40.0]), 0.7) must be a numpy array as its argument is, got list",
    ),
    "prox returns a number": (
        but(prox=lambda self, v, t: soft(self, v, t)[:1]),
        ValueError,
        "must have the shape (5,), got (1,)",
    ),
    "prox returns a column": (
        but(prox=lambda self, v, t: soft(self, v, t)[:, None]),
        ValueError,
        "must have the shape (5,), got (5, 1)",
    ),
    "prox promotes float32": (
        but(prox=lambda self, v, t: soft(self, v, np.float64(t)) * np.ones(v.shape)),
        TypeError,
        "prox(np.array([-3.0, -0.5, 0.0, 0.699999988079071, 40.0], np.float32), 0.7) must have the dtype float32, got "
        "float64",
    ),
    "prox is NaN": (but(prox=nan_beyond_30), ValueError, "must be finite, got [-2.3, -0.0, 0.0, 0.0, nan]"),
    "prox is infinite": (
        but(prox=lambda self, v, t: np.full_like(v, np.inf)),
        ValueError,
        "must be finite, got [inf, inf, inf, inf, inf]",
    ),
    "prox writes to v": (but(prox=writing), ValueError, "writes to its argument; it must work on a copy"),
    "prox_set returns an array": (
        but(prox_set=lambda self, v, t: soft(self, np.array([v]), t)),
        TypeError,
        "Absolute().prox_set(1.5, 0.7) must be a tuple of numbers, got array([0.8])",
    ),
    "prox_set holds arrays": (
        but(prox_set=lambda self, v, t: (soft(self, np.array([v]), t),)),
        TypeError,
        "Absolute().prox_set(1.5, 0.7) must be a tuple of numbers, got (array([0.8]),)",
    ),
    "prox_set is empty": (but(prox_set=lambda self, v, t: ()), ValueError, "must list at least one minimizer"),
    "prox_set holds NaN": (
        but(prox_set=lambda self, v, t: (0.8, math.nan)),
        ValueError,
        "prox_set(1.5, 0.7) must list at least one minimizer and finite ones only, got (0.8, nan)",
    ),
    "no prox": (
        but(prox=None),
        TypeError,
        "Absolute lacks prox; the check needs value and prox",
    ),
    "no method at all": (object(), TypeError, "object lacks value and prox; the check needs value and prox"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_penalty_is_refused_with_its_numbers(name: str):
    g, error, words = CASES[name]
    with pytest.raises(error, match=re.escape(words)):
        check_prox(g, 0, 10)


def test_the_penalty_that_the_faults_spoil_is_right():
    assert check_prox(Absolute(), 0, 200).holds


@pytest.mark.parametrize(
    ("g", "error", "words"),
    [
        (but(value=lambda self, x: np.float32(1.0)), TypeError, "must be a float, got"),
        (but(prox=lambda self, v, t: soft(self, v, t).reshape(-1)), ValueError, "must have the shape (2, 3), got (6,)"),
        (but(prox=lambda self, v, t: np.full(v.shape, 0.5)), TypeError, "must have the dtype float32, got float64"),
        (but(prox=lambda self, v, t: v * np.nan), ValueError, "must be finite, got [[nan, nan, nan], [nan, nan, nan]]"),
        (but(prox=writing), ValueError, "writes to its argument"),
        (but(value=lambda self, x: math.inf), ValueError, "is inf, but this point is Absolute().prox(np.array("),
        (but(value=lambda self, x: math.nan), ValueError, "is nan; a penalty is a number"),
    ],
)
def test_a_bad_penalty_of_arrays_is_refused(g: Any, error: type[Exception], words: str):
    with pytest.raises(error, match=re.escape(words)):
        check_prox(g, 0, 10, shape=(2, 3))


@pytest.mark.parametrize("shape", [(), (0,), (2, -1), (2.0,), 0, 2.5, True, "no"])
def test_a_bad_shape_is_refused(shape: Any):
    with pytest.raises(ValueError, match=r"shape must be a tuple of positive integers"):
        check_prox(Absolute(), 0, 10, shape=shape)
    with pytest.raises(ValueError, match=r"shape must be a tuple of positive integers"):
        check_subdifferential(but(subdiff_distance=right_distance), 0, 10, shape=shape)


def test_a_penalty_of_groups_needs_its_shape():
    with pytest.raises(ValueError, match=r"says that it is no sum over coordinates; .* with shape=\(n,\) or \(m, n\)"):
        check_prox(Group(L1(0.7), np.array([0, 0])), 0, 10)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"tolerance": 0.0}, "tolerance must be a positive number, got 0.0"),
        ({"tolerance": math.nan}, "tolerance must be a positive number, got nan"),
        ({"steps": (0.0, 1.0)}, "steps must be 0 < smallest <= largest, got (0.0, 1.0)"),
        ({"steps": (2.0, 1.0)}, "steps must be 0 < smallest <= largest, got (2.0, 1.0)"),
        ({"breakpoints": (math.inf,)}, "breakpoints must be finite numbers, got inf"),
        ({"breakpoints": math.nan}, "breakpoints must be finite numbers, got nan"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=re.escape(words)):
        check_prox(Absolute(), 0, **options)
    if "steps" not in options:
        with pytest.raises(ValueError, match=re.escape(words)):
            check_subdifferential(but(subdiff_distance=right_distance), 0, **options)


@pytest.mark.parametrize("breakpoints", ["one", ("one",), None, ((1.0, 2.0),), 1j])
def test_breakpoints_are_numbers(breakpoints: Any):
    with pytest.raises(TypeError, match="breakpoints must be a number or a sequence of numbers, got"):
        check_prox(Absolute(), 0, breakpoints=breakpoints)


def test_matrices_and_arrays_of_steps_may_be_refused_but_not_mistaken():
    def vectors_alone(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
        if v.ndim > 1 or np.ndim(step_size):
            raise ValueError("one vector and one step, please")
        return soft(self, v, step_size)

    def flat(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
        return soft(self, v, step_size).reshape(-1)

    def first_of_many_steps(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
        return soft(self, v, step_size)[:1] if np.ndim(step_size) else soft(self, v, step_size)

    assert check_prox(but(prox=vectors_alone), 0, 100).holds
    with pytest.raises(ValueError, match=re.escape("must have the shape (2, 2), got (4,)")):
        check_prox(but(prox=flat), 0, 100)
    with pytest.raises(ValueError, match=re.escape("prox(np.array([-3.0, -0.5]), np.array([0.5, 2.0])) must have the")):
        check_prox(but(prox=first_of_many_steps), 0, 100)


def test_the_subdifferential_is_asked_of_those_who_have_one():
    with pytest.raises(TypeError, match="Absolute lacks subdiff_distance"):
        check_subdifferential(Absolute())


def test_the_subdifferential_of_groups_needs_its_shape():
    for g in (Group(L1(0.7), np.array([0, 0])), ZeroNormBall(2)):
        with pytest.raises(
            ValueError, match=r"says that it is no sum over coordinates; .* with shape=\(n,\) or \(m, n\)"
        ):
            check_subdifferential(g)


@pytest.mark.parametrize(
    ("methods", "error", "words"),
    [
        ({"subdiff_distance": lambda self, x, grad: np.ones(2)}, TypeError, "must be a float, got array([1., 1.])"),
        ({"subdiff_distance": lambda self, x, grad: 0}, TypeError, "must be a float, got 0 of type int"),
        ({"descent_rate": lambda self, x, grad: grad}, TypeError, "Absolute().descent_rate(np.array(["),
        ({"prox": lambda self, v, t: soft(self, v, t)[:, None]}, ValueError, "must have the shape (5,), got (5, 1)"),
        ({"value": norm_value}, ValueError, "but its entries one by one add up to"),
        ({"value": lambda self, x: math.nan}, ValueError, "is nan; a penalty is a number"),
        ({"value": lambda self, x: math.inf}, ValueError, "is inf; if 0 is outside the domain on purpose"),
    ],
)
def test_what_no_subdifferential_is_checked_with(methods: dict[str, Any], error: type[Exception], words: str):
    g = but(**{"subdiff_distance": right_distance, **methods})
    with pytest.raises(error, match=re.escape(words)):
        check_subdifferential(g)
    if "value" not in methods and "prox" not in methods:
        with pytest.raises(error, match=re.escape(words)):
            check_subdifferential(g, shape=3)


def test_a_distance_that_is_no_number_fails():
    assert check_subdifferential(but(subdiff_distance=right_distance)).holds
    assert check_subdifferential(but(subdiff_distance=right_distance), shape=3).holds
    for shape in (None, 3):
        assert (
            check_subdifferential(but(subdiff_distance=lambda self, x, grad: math.nan), shape=shape).verdict == "fails"
        )


def test_a_lower_bound_is_no_matter_of_slopes():
    lowered = but(subdiff_distance=right_distance, value=lambda self, x: float(np.abs(x).sum() - 0.5 * x.size))
    assert check_subdifferential(lowered).holds


def test_an_error_of_the_prox_itself_is_not_hidden():
    def prox(self: Any, v: np.ndarray, step_size: Any) -> np.ndarray:
        if np.size(step_size) > 1:
            raise ValueError("one step, please")  # read as: takes no arrays of steps
        if float(step_size) > 10:
            raise ZeroDivisionError("step too large")
        return soft(self, v, step_size)

    assert check_prox(but(prox=prox), 0, 200, steps=(1e-3, 10.0)).holds
    with pytest.raises(ZeroDivisionError, match="step too large"):
        check_prox(but(prox=prox), 0, 200)


def test_a_class_is_no_penalty():
    with pytest.raises(TypeError, match="MCP is a class; pass an object of it"):
        check_prox(MCP)
