"""Misuse is refused at the boundary, by errors that name the object, the value and the remedy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import parsimo as ps
from parsimo.core.validation import check_nonnegative, check_number, check_positive
from parsimo.solvers import ProximalADMM, ProximalGradient, stopping

A, b = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]), np.array([1.0, -1.0, 1.0])
F = ps.LeastSquares(A, b)


class NoGradient:
    lipschitz = 1.0

    def value(self, x: np.ndarray) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        # starts
        (lambda: solve(x0=np.ones(3)), ValueError, r"x0 must have shape \(2,\), got \(3,\)"),
        (lambda: solve(x0=np.ones((2, 1))), ValueError, r"x0 must have shape \(2,\), got \(2, 1\)"),
        (lambda: solve(x0=np.array([1.0, math.nan])), ValueError, r"x0 has 1 entries.*index \(1,\): nan"),
        (lambda: solve(x0=np.array([math.inf, 1.0])), ValueError, "x0 has 1 entries that are NaN or infinite"),
        (lambda: solve(x0=torch.ones(2, dtype=torch.float64)), TypeError, "x0 is a torch array.* f is numpy's"),
        (lambda: solve(x0=np.ones(2, dtype=np.float32)), TypeError, "x0 has dtype float32, but the data of f has"),
        (lambda: solve(x0=["a", "b"]), TypeError, "x0 must hold real numbers"),
        # solve
        (
            lambda: solve(solver=ProximalADMM),
            TypeError,
            r"ProximalADMM.*is not a solver object: it is a class; pass for",
        ),
        (
            lambda: solve(solver=None),
            TypeError,
            "None is not a solver object: it lacks init, step, measures, merit, notes",
        ),
        (lambda: solve(solver=NoMerit()), TypeError, "is not a solver object: it lacks merit, notes; pass for example"),
        (lambda: solve(problem=F), TypeError, r"LeastSquares is not a problem: it lacks f; wrap f and g"),
        (lambda: solve(problem=mpec()), TypeError, r"MPEC is not a problem.*penalize\(\) or eliminate\(\)"),
        (lambda: solve(problem=ps.ZeroNormProblem), TypeError, "ZeroNormProblem is a class; pass an object of it"),
        (lambda: solve(problem=NotADataclass()), TypeError, "must be a dataclass, so that"),
        (lambda: solve(every=0), ValueError, "every must be an integer >= 1, got 0"),
        (lambda: solve(every=2.5), ValueError, "every must be an integer >= 1, got 2.5"),
        (lambda: solve(verbose=2), TypeError, "verbose must be True or False, got 2; for other tables"),
        (lambda: solve(observe=[3]), TypeError, "observe holds 3, which cannot be called; pass a function"),
        (
            lambda: solve(observe=[ps.observers.Table]),
            TypeError,
            "observe holds <class .*Table.* cannot be called",
        ),
    ],
)
def test_misuse_is_refused(make: Any, error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        make()


def solve(problem: Any = None, solver: Any = ProximalGradient(), **keywords: Any) -> ps.Result:  # noqa: B008
    return ps.solve(ps.Composite(F, ps.L1(1.0)) if problem is None else problem, solver, **keywords)


def mpec() -> Any:
    return ps.ZeroNormProblem(F, 1.0).to_mpec(ps.phi.mcp())


class NoMerit:
    def init(self, problem: Any, x0: np.ndarray) -> Any: ...

    def step(self, problem: Any, state: Any) -> Any: ...

    def measures(self, state: Any) -> dict[str, float]:
        return {"residual": 0.0}


class NotADataclass:
    """All that a problem needs, but no dataclass."""

    def __init__(self) -> None:
        inner = ps.Composite(F, ps.L1(1.0))
        self.f, self.prox, self.given, self.auxiliary = inner.f, inner.prox, inner.given, inner.auxiliary
        self.value, self.describe, self.notes = inner.value, inner.describe, inner.notes


def test_the_right_calls_beside_the_wrong_ones_are_taken():
    assert solve(x0=np.ones(2)).x.shape == (2,)
    assert solve(x0=[1, 2]).x.dtype == np.float64
    assert solve(problem=mpec().penalize("exact")).status is ps.Status.CONVERGED
    assert ps.LeastSquares(A.astype(int), b).grad(np.zeros(2)).dtype == np.float64


def test_a_smooth_part_without_start_asks_for_x0():
    class Bowl(NoGradient):
        def grad(self, x: np.ndarray) -> np.ndarray:
            return x

        def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
            return 0.0, x

        def __repr__(self) -> str:
            return "Bowl()"

    with pytest.raises(ValueError, match=r"Bowl\(\) offers no start\(\); pass x0"):
        solve(problem=ps.Composite(Bowl(), ps.L1(1.0)))


@pytest.mark.parametrize("check", [check_nonnegative, check_positive, check_number])
@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_numbers_are_checked(check: Any, bad: float):
    with pytest.raises(ValueError, match=f"size must be a finite number >=? 0, got {bad}"):
        check(bad, "size")
    for absent in (None, "1.0"):
        with pytest.raises(TypeError, match="size must be a finite number"):
            check(absent, "size")


def test_checked_numbers_are_python_floats_and_arrays_stay():
    for value in (2, 2.0, np.float32(2.0), np.array(2.0), True):
        assert type(check_number(value, "size")) is float
    with pytest.raises(TypeError, match=r"size must be one number, got shape \(2,\)"):
        check_number(np.ones(2), "size")  # type: ignore[arg-type]
    assert check_positive(np.ones(2), "size").shape == (2,)
    with pytest.raises(ValueError, match=r"size must be a finite number > 0, got 0\.0"):
        check_positive(np.array([1.0, 0.0]), "size")
    assert check_number(0.0, "size") == 0.0
    with pytest.raises(ValueError, match="> 0"):
        check_number(0.0, "size", positive=True)


def test_a_problem_is_stated_without_computing_a_lipschitz_constant():
    """The spectral norm of a large matrix takes longer than a solver that needs none."""

    class Dear(ps.LeastSquares):
        @property
        def lipschitz(self) -> float:
            raise AssertionError("asked for")

    rng = np.random.default_rng(0)
    f = Dear(rng.standard_normal((60, 1000)), rng.standard_normal(60))
    for prob in (ps.Composite(f, ps.L1(20.0)), ps.ZeroNormProblem(f, 0.1)):
        ps.solve(prob, ps.ProximalGradient(), stop=stopping.max_iterations(2))
    with pytest.raises(AssertionError, match="asked for"):
        ps.solve(ps.Composite(f, ps.L1(20.0)), ps.ProximalGradient(step_rule=ps.Constant()))
