"""Smooth parts that do not know their Lipschitz constant: it is estimated, said to be, and raised where it is short."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from solver_cases import SOLVERS, Data

import parsimo as ps
from parsimo.solvers import (
    AlternatingMinimization,
    Backtracking,
    Constant,
    Inexact,
    ProximalADMM,
    ProximalGradient,
    stopping,
)
from parsimo.solvers.lipschitz import Curvature, curvature_at


class Unknown:
    """A smooth function without constants."""

    lipschitz = None

    def __init__(self, value: Any, grad: Any) -> None:
        self.value, self.grad = value, grad

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), self.grad(x)


def quartic() -> Unknown:
    """sum (x_i - 3)^4 / 4: curvature 3 (x - 3)^2, small near 3, without bound far away."""
    return Unknown(lambda x: float(np.sum((x - 3) ** 4)) / 4, lambda x: (x - 3) ** 3)


def log_sum_exp(A: np.ndarray) -> Unknown:
    def weights(x: np.ndarray) -> np.ndarray:
        e = np.exp(A @ x - np.max(A @ x))
        return e / e.sum()

    return Unknown(lambda x: float(np.logaddexp.reduce(A @ x)), lambda x: A.T @ weights(x))


def test_power_iteration_finds_twice_the_curvature_of_a_quadratic():
    data = Data("tall least squares")
    secret = Unknown(data.value, data.grad)
    estimate = curvature_at(secret, np.ones(data.A.shape[1]))
    assert not estimate.known
    assert estimate.value == pytest.approx(2 * data.f.lipschitz, rel=1e-3)


@pytest.mark.parametrize(
    "solver",
    [ProximalGradient(), ProximalADMM(), ProximalADMM(x_step=Inexact()), AlternatingMinimization()],
    ids=lambda s: type(s).__name__,
)
def test_an_unknown_constant_is_estimated_and_said_to_be(solver: Any):
    A = np.random.default_rng(0).standard_normal((12, 5))
    A = np.concatenate([A, -A])  # so that the minimum is attained
    result = ps.solve(ps.Composite(log_sum_exp(A), ps.L1(0.01)), solver, np.ones(5))
    assert result.status is ps.Status.CONVERGED
    assert "estimated at the start" in " ".join(result.notes)


def test_the_estimate_is_raised_where_the_curvature_grows():
    """From 3.1 the quartic looks flat; the box penalty throws x to where it is steep."""
    prob = ps.Composite(quartic(), ps.Box(-5.0, 0.0))
    result = ps.solve(prob, ProximalADMM(), np.array([3.1]))
    sigma = np.array(result.history["sigma"])
    assert (np.diff(sigma) >= 0).all()
    assert sigma[-1] > 10 * sigma[0]
    raised = int(np.sum(np.diff(sigma) > 0))
    assert f"raised {raised} times" in result.notes[1]
    promised = np.array(result.history["guaranteed_decrease"])
    assert (np.isnan(promised[1:]) == (np.diff(sigma) > 0)).all()  # nothing where the constants changed
    assert result.x[0] == pytest.approx(0.0, abs=1e-8)
    assert result.status is ps.Status.CONVERGED


def test_a_given_sigma_stays_and_is_found_wanting_when_the_estimate_is_raised():
    prob = ps.Composite(quartic(), ps.Box(-5.0, 0.0))
    result = ps.solve(prob, ProximalADMM(sigma=0.5), np.array([3.1]), stop=stopping.max_iterations(50))
    assert set(result.history["sigma"]) == {0.5}
    assert "NOT admissible" in result.notes[0]


def test_weak_convexity_follows_the_raised_estimate_unless_f_states_it():
    stated = quartic()
    stated.convex = True  # type: ignore[attr-defined]
    for f, expected in ((quartic(), False), (stated, True)):
        prob = ps.Composite(f, ps.Box(-5.0, 0.0))
        solver = ProximalADMM()
        state = solver.init(prob, np.array([3.1]))
        for _ in range(5):
            state = solver.step(prob, state)
        assert state.curvature.raised > 0
        assert (state.weak_convexity == 0) is expected
        assert expected or state.weak_convexity == state.curvature.value


def test_rounding_is_not_taken_for_curvature():
    estimate = Curvature(1.0, known=False)
    x = np.ones(3)
    tiny = np.full(3, 1e-15)
    assert estimate.seen(x, x + tiny, x, x + 1e3 * tiny) is estimate  # a ratio of 1000, all of it rounding
    assert estimate.seen(x, x + 1e-3, x, x + 1.0).value == pytest.approx(2000.0)
    assert estimate.seen(x, x + 1e-3, x, x + math.inf) is estimate
    assert estimate.seen(x, x + 1e-3, x, x * math.nan) is estimate
    known = Curvature(1.0, known=True)
    assert known.seen(x, x + 1e-3, x, x + 1.0) is known


def test_the_estimate_settles_on_a_smooth_convex_problem():
    """On a quadratic twice the curvature is enough: nothing may raise it, least of all rounding near the end."""
    data = Data("wide least squares")
    prob = ps.Composite(Unknown(data.value, data.grad), ps.L1(0.1))
    stop = stopping.max_iterations(1000)
    result = ps.solve(prob, ProximalADMM(), np.zeros(data.A.shape[1]), stop=stop, every=100)
    assert "raised 0 times" in result.notes[1]
    assert result.certificate <= 1e-12


def test_backtracking_keeps_its_step_at_the_minimizer():
    """Where f's rounding hides the descent, noise must not shrink the step: it never grows again."""
    data = Data("tall least squares")
    noisy = Unknown(lambda x: 1e6 + data.value(x) + 1e-7 * np.sin(1e9 * np.sum(x)), data.grad)  # 1e-13 of f is noise
    prob = ps.Composite(noisy, ps.L1(0.1))
    x0 = np.zeros(data.A.shape[1])
    result = ps.solve(prob, ProximalGradient(step_rule=Backtracking()), x0, stop=stopping.max_iterations(400))
    assert result.history["step_size"][-1] >= 0.2 / data.f.lipschitz
    assert result.certificate <= 1e-9


def test_backtracking_refuses_a_step_that_is_too_long():
    """From a hundred times 1/L the step is halved until the descent test holds, not left as it is."""
    data = Data("tall least squares")
    prob = ps.Composite(data.f, ps.L1(0.1))
    long = 100 / data.f.lipschitz
    result = ps.solve(prob, ProximalGradient(step_size=long, step_rule=Backtracking()))
    assert result.status is ps.Status.CONVERGED
    assert result.history["step_size"][-1] <= 2 / data.f.lipschitz
    assert "by backtracking from" in result.notes[-1]
    assert (np.diff(result.history["objective"]) <= 1e-12).all()


@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_a_stated_constant_must_be_a_finite_number(value: float):
    f = quartic()
    f.lipschitz = value  # type: ignore[assignment]
    with pytest.raises(ValueError, match="lipschitz must be a finite number >= 0 or None"):
        ps.solve(ps.Composite(f, ps.L1(1.0)), ProximalGradient(step_rule=Constant()), np.ones(2))


@pytest.mark.parametrize("solver", [ProximalGradient(), ProximalADMM()], ids=["proximal gradient", "P-ADMM"])
def test_a_constant_gradient_has_every_lipschitz_constant(solver: Any):
    """min c'x over a box has L = 0: any positive L will do, and dividing by L must not overflow."""
    c = np.array([1.0, -2.0, 0.0])
    f = Unknown(lambda x: float(c @ x), lambda x: c.copy())
    f.lipschitz = 0.0  # type: ignore[assignment]
    f.convex = True  # type: ignore[attr-defined]
    result = ps.solve(ps.Composite(f, ps.Box(-1.0, 1.0)), solver, np.zeros(3))
    assert result.status is ps.Status.CONVERGED
    np.testing.assert_allclose(result.x, [-1.0, 1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("name", SOLVERS)
def test_data_of_zeros_is_no_division_by_zero(name: str):
    f = ps.LeastSquares(np.zeros((3, 2)), np.ones(3))
    result = ps.solve(ps.Composite(f, ps.L1(0.1)), SOLVERS[name], np.ones(2))
    assert result.status is ps.Status.CONVERGED
    assert (result.x == 0).all()
