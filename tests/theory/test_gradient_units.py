"""`check_gradient` in the units of the function, and what it demands of the arrays that come back."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from planting import fails

import parsimo as ps
from parsimo.theory_checks import check_gradient
from parsimo.theory_checks.oracles.differences import extrapolated

RNG = np.random.default_rng(0)
A = RNG.standard_normal((12, 5))
LABELS, B = np.sign(A[:, 0]), RNG.standard_normal(12)


class Scaled:
    """factor * f(stretch * x), with all that f states, and an error where one is planted."""

    shape = (5,)
    convex = True

    def __init__(self, f: Any, factor: float, stretch: float, **planted: Any) -> None:
        self.f, self.factor, self.stretch, self.wrong = f, factor, stretch, planted.pop("slope", 1.0)
        powers = {"lipschitz": 2, "coordinate_curvature": 2, "strong_convexity": 2, "coordinate_lipschitz": 1}
        for name, power in (powers | {"lower_bound": 0}).items():
            stated = getattr(f, name, None)
            setattr(self, name, None if stated is None else stated * factor * stretch**power * planted.get(name, 1.0))
        self.bound = planted.get("hessian", 1.0)

    def value(self, x: np.ndarray) -> float:
        return self.factor * self.f.value(self.stretch * x)

    def grad(self, x: np.ndarray) -> np.ndarray:
        gradient = self.factor * self.stretch * self.f.grad(self.stretch * x)
        gradient[2] *= self.wrong
        return gradient

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), self.grad(x)

    def hessian(self, x: np.ndarray, rows: Any, columns: Any) -> np.ndarray:
        block = self.factor * self.stretch**2 * self.f.hessian(self.stretch * x, rows, columns)
        block[0, 0] *= self.bound
        return block


UNITS = [(1e-8, 1.0), (1e8, 1.0), (1.0, 1e-4), (1.0, 1e4), (1e-8, 1e-4)]
TERMS = {"squares": ps.LeastSquares, "logistic": ps.Logistic}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("name", TERMS)
def test_units_do_not_matter(name: str, units: tuple[float, float], dtype: Any):
    f = TERMS[name](A.astype(dtype), LABELS.astype(dtype))
    x = np.zeros(5, dtype)
    right = check_gradient(Scaled(f, *units), x=x, trials=4)
    assert right.holds, right
    assert fails(check_gradient(Scaled(f, *units, slope=1.001), x=x, trials=4))


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize(
    "planted",
    [
        {"lipschitz": 0.99},
        {"coordinate_curvature": 0.97},
        {"strong_convexity": 1.01},
        {"lower_bound": 1.01},
        {"hessian": 1.001},
    ],
    ids=lambda planted: next(iter(planted)),
)
def test_a_constant_that_is_too_good_is_seen_in_all_units(planted: dict[str, float], units: tuple[float, float]):
    f = ps.LeastSquares(A, B)
    f.lower_bound = f.value(np.linalg.lstsq(A, B, rcond=None)[0])
    assert fails(check_gradient(Scaled(f, *units, **planted), trials=4))


@pytest.mark.parametrize("units", UNITS)
def test_the_bounds_of_a_logistic_term_are_seen_in_all_units(units: tuple[float, float]):
    f = ps.Logistic(A, LABELS)
    assert fails(check_gradient(Scaled(f, *units, lipschitz=0.99), trials=4))
    assert fails(check_gradient(Scaled(f, *units, coordinate_lipschitz=0.5)))


@pytest.mark.parametrize("scale", [1e-3, 100.0, 300.0, 1e3, 1e4, 1e5])
@pytest.mark.parametrize("make", [np.float32, np.float64, torch.float32, torch.float64], ids=str)
def test_a_logistic_term_holds_whatever_the_units_of_its_columns(make: Any, scale: float):
    """Its curvature changes on lengths of 1 / |a_i|, which no step fits that depends on x and the precision alone."""
    if isinstance(make, torch.dtype):
        f = ps.Logistic(torch.tensor(scale * A, dtype=make), torch.tensor(LABELS, dtype=make))
    else:
        f = ps.Logistic((scale * A).astype(make), LABELS.astype(make))
    evidence = check_gradient(f, trials=4)
    assert evidence.holds, evidence


class Small:
    """1e-8 (|x|^2 / 2 + sum sin x_i), with another `value_and_grad`."""

    shape = (5,)

    def __init__(self, value: float, slope: float) -> None:
        self.factors = (value, slope)

    def value(self, x: np.ndarray) -> float:
        return 1e-8 * float(x @ x / 2 + np.sin(x).sum())

    def grad(self, x: np.ndarray) -> np.ndarray:
        return 1e-8 * (x + np.cos(x))

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.factors[0] * self.value(x), self.factors[1] * self.grad(x)


def test_value_and_grad_of_a_small_function():
    assert check_gradient(Small(1.0, 1.0)).holds
    for factors in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.001, 1.0), (1.0, 1.001)):
        assert fails(check_gradient(Small(*factors))), factors


def test_an_offset_does_not_hide_another_value():
    class Offset(ps.LeastSquares):
        shift = 0.0

        def value(self, x: np.ndarray) -> float:
            return 1e6 + super().value(x)

        def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
            return self.value(x) + self.shift, self.grad(x)

    class Shifted(Offset):
        shift = 0.1

    assert check_gradient(Offset(A, B)).holds
    assert fails(check_gradient(Shifted(A, B)))


@dataclasses.dataclass(frozen=True)
class Rippled:
    """factor * sum of (s x_i)^2 / 2 + sin(s x_i), s the stretch: a parabola with ripples of width 1 / s."""

    factor: float
    stretch: float
    wrong: float = 1.0
    lipschitz = None
    shape = (5,)

    def value(self, x: np.ndarray) -> float:
        z = self.stretch * x
        return float(self.factor * (z @ z / 2 + np.sin(z).sum()))

    def grad(self, x: np.ndarray) -> np.ndarray:
        z = self.stretch * x
        gradient = self.factor * self.stretch * (z + np.cos(z))
        gradient[2] *= self.wrong
        return gradient

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), self.grad(x)

    def hessian(self, x: np.ndarray, rows: Any, columns: Any) -> np.ndarray:
        whole = np.diag(self.factor * self.stretch**2 * (1 - np.sin(self.stretch * x)))
        return whole[:, columns] if rows is None else whole[np.ix_(rows, columns)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("units", [(1.0, 100.0), *UNITS])
def test_ripples_are_no_rounding(units: tuple[float, float], dtype: Any):
    """Values at wide steps show the parabola alone, to more digits than near ones show both."""
    x = np.zeros(5, dtype)
    for seed in range(3):
        evidence = check_gradient(Rippled(*units), seed, x=x)
        assert evidence.holds, evidence
    assert fails(check_gradient(Rippled(*units, wrong=1.001), x=x))


def test_at_a_minimizer():
    """Where gradients are rounding alone."""
    x = np.linalg.lstsq(A, B, rcond=None)[0]
    for scale in (1e-4, 1.0, 1e4):
        for b in (B, A @ x):
            evidence = check_gradient(ps.LeastSquares(scale * A, b), x=x / scale, trials=3)
            assert evidence.holds, evidence


# ---- the arrays that come back


class Buffered(ps.LeastSquares):
    """Writes gradients into the same arrays in turn."""

    buffers = 1
    both = False

    def _buffered(self, gradient: np.ndarray) -> np.ndarray:
        arrays = self.__dict__.setdefault("_arrays", [np.empty(5) for _ in range(self.buffers)])
        arrays.append(arrays.pop(0))
        arrays[-1][:] = gradient
        return arrays[-1]

    def grad(self, x: np.ndarray) -> np.ndarray:
        gradient = super().grad(x)
        return gradient if self.both else self._buffered(gradient)

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = super().value_and_grad(x)
        return value, self._buffered(gradient) if self.both else gradient


@pytest.mark.parametrize("both", [False, True], ids=["grad", "value_and_grad"])
@pytest.mark.parametrize("buffers", [1, 2])
@pytest.mark.parametrize("trials", [1, 10])
def test_a_gradient_survives_later_calls(trials: int, buffers: int, both: bool):
    f = type("Shared", (Buffered,), {"buffers": buffers, "both": both})(A, B)
    evidence = check_gradient(f, trials=trials)
    assert fails(evidence)
    kept, *_, later = eval(evidence.worst_case, {"f": f, "np": np})
    assert np.abs(kept - later).max() > 1e-3


class HalfSquare:
    """|x|^2 / 2, whose gradient is x, with the array that `own` makes of it."""

    shape = (4,)

    def __init__(self, own: Any) -> None:
        self.grad = own

    def value(self, x: np.ndarray) -> float:
        return float(x @ x) / 2

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), 1 * x


def test_a_gradient_is_no_view_of_x():
    assert check_gradient(HalfSquare(np.copy)).holds
    f = HalfSquare(lambda x: x[:])
    evidence = check_gradient(f)
    assert fails(evidence)
    assert eval(evidence.worst_case, {"f": f, "np": np}) is True


# ---- differences that find their own steps


@pytest.mark.parametrize("width", [1e-4, 1e-2, 1.0, 1e3])
def test_differences_find_the_width_of_a_function(width: float):
    derivative, error = extrapolated(lambda x: np.tanh(x / width), np.array([0.3 * width]), np.ones(1))
    exact = 1 / np.cosh(0.3) ** 2 / width
    assert abs(derivative[0] - exact) <= error[0] <= 1e-2 * exact


def test_wide_steps_do_not_pass_for_exact_where_they_see_less():
    """The steps between 0.01 and 1e4 all but agree on 0."""
    x = np.zeros(1)
    for dtype in (np.float32, np.float64):
        derivative, error = extrapolated(lambda x: np.tanh(300 * x), x.astype(dtype), np.ones(1))
        assert abs(derivative[0] - 300) <= error[0] <= 1
