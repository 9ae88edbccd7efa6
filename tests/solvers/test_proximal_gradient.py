"""Proximal gradient and alternating minimization: the promised descent, and the methods they equal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from solver_cases import PENALTIES, SMOOTH, WEIGHT, Data, problem

import parsimo as ps
from parsimo.solvers import (
    AlternatingMinimization,
    Backtracking,
    BarzilaiBorwein,
    Constant,
    Nesterov,
    ProximalADMM,
    ProximalGradient,
    stopping,
)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
def test_each_step_lowers_the_objective_by_the_promised_amount(penalty: str, share: float):
    for kind in SMOOTH:
        data = Data(kind)
        prob = problem(data, penalty)
        L = prob.f.lipschitz
        solver = ProximalGradient(step_size=share / L)
        x0 = np.clip(np.random.default_rng(0).standard_normal(data.A.shape[1]), -0.5, 1.0)
        state = solver.init(prob, x0)
        before = prob.value(state.x)
        for _ in range(20):
            old, state = state, solver.step(prob, state)
            after = prob.value(state.x, state.u)
            promised = (L / share - L) / 2 * float(np.sum((state.x - old.x) ** 2))
            assert before - after >= promised - 1e-12 * (1 + abs(before))
            before = after


def test_a_step_beyond_two_over_l_climbs():
    """The planted fault of the test above."""
    data = Data("tall least squares")
    prob = ps.Composite(data.f, ps.L1(1e-6))
    result = ps.solve(prob, ProximalGradient(step_size=2.2 / data.f.lipschitz), stop=stopping.max_iterations(50))
    assert result.objective > result.history["objective"][0]
    assert "no descent is guaranteed" in result.notes[-1]
    good = ps.solve(prob, ProximalGradient(step_size=1 / data.f.lipschitz), stop=stopping.max_iterations(1))
    assert "as given" in good.notes[-1]


def test_zero_norm_steps_are_iterative_hard_thresholding():
    data = Data("wide least squares")
    t = 0.5 / data.f.lipschitz
    solver = ProximalGradient(step_size=t)
    prob = ps.ZeroNormProblem(data.f, WEIGHT)
    x = np.ones(data.A.shape[1])
    state = solver.init(prob, x)
    for _ in range(30):
        v = x - t * data.grad(x)
        x = np.where(np.abs(v) > math.sqrt(2 * t * WEIGHT), v, 0.0)
        state = solver.step(prob, state)
        np.testing.assert_allclose(state.x, x, atol=1e-12)


def test_the_certificate_is_bounded_by_the_last_step():
    """dist(0, dF(x+)) <= (1/t + L) |x+ - x|."""
    prob = problem(Data("tall least squares"), "mcp")
    L = prob.f.lipschitz
    result = ps.solve(prob, ProximalGradient(step_size=0.5 / L), stop=stopping.max_iterations(60))
    certificates, residuals = np.array(result.history["certificate"]), np.array(result.history["residual"])
    assert (certificates[1:] <= (1 + 0.5) * residuals[1:] + 1e-13).all()


@pytest.mark.parametrize("member", [ps.phi.capped_l1(), ps.phi.mcp(), ps.phi.scad(), ps.phi.log()])
@pytest.mark.parametrize(
    "solver", [ProximalGradient(step_rule=Constant()), ProximalADMM()], ids=["proximal gradient", "P-ADMM"]
)
def test_penalized_problem_and_surrogate_take_the_same_steps(member: Any, solver: Any):
    data = Data("tall least squares")
    penalized = ps.ZeroNormProblem(data.f, WEIGHT).to_mpec(member).penalize(rho="exact")
    stop = stopping.max_iterations(40)
    joint = ps.solve(penalized, solver, stop=stop)
    alone = ps.solve(penalized.eliminate(), solver, stop=stop)
    np.testing.assert_allclose(joint.x, alone.x, atol=1e-13)
    assert joint.objective == pytest.approx(alone.objective, abs=1e-12)
    np.testing.assert_allclose(joint.auxiliary, alone.auxiliary, atol=1e-12)


def test_the_minimum_of_convex_pieces_is_not_taken_for_convex():
    """G(., u) is convex for each u; the penalized MPEC and clustering, minima over u, are not."""
    data = Data("tall least squares")
    penalized = ps.ZeroNormProblem(data.f, WEIGHT).to_mpec(ps.phi.mcp()).penalize(rho="exact")
    for prob in (penalized, penalized.eliminate(), problem(data, "squared clusters"), problem(data, "zero norm")):
        with pytest.raises(ValueError, match=r"Nesterov\(\) needs convex f and R"):
            ps.solve(prob, ProximalGradient(acceleration=Nesterov()))
        result = ps.solve(prob, ProximalGradient(step_rule=Constant()), stop=stopping.max_iterations(1))
        assert result.history["step_size"][-1] == pytest.approx(0.9 / data.f.lipschitz)
    convex = ps.solve(problem(data, "l1"), ProximalGradient(acceleration=Nesterov()), stop=stopping.max_iterations(1))
    assert convex.history["step_size"][-1] == pytest.approx(1 / data.f.lipschitz)


def test_acceleration_refuses_a_smooth_part_not_known_to_be_convex():
    class Sine:
        lipschitz = 1.0

        def value(self, x: np.ndarray) -> float:
            return float(np.sin(x).sum())

        def grad(self, x: np.ndarray) -> np.ndarray:
            return np.cos(x)

        def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
            return self.value(x), self.grad(x)

    with pytest.raises(ValueError, match="needs convex f and R"):
        ps.solve(ps.Composite(Sine(), ps.L1(1.0)), ProximalGradient(acceleration=Nesterov()), np.ones(2))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("inner_steps", [1, 10])
def test_alternating_minimization_descends(penalty: str, inner_steps: int):
    for kind in SMOOTH:
        prob = problem(Data(kind), penalty)
        solver = AlternatingMinimization(inner_steps=inner_steps)
        result = ps.solve(prob, solver, stop=stopping.max_iterations(12))
        falls = -np.diff(result.history["objective"])
        falls = falls[np.isfinite(falls)]  # a start outside the box has no objective
        assert (falls >= -1e-12 * (1 + abs(result.objective))).all()
        np.testing.assert_allclose(result.history["merit"], result.history["objective"], rtol=1e-12)


def test_alternating_minimization_is_multi_stage_convex_relaxation():
    """With many inner steps each stage is a weighted lasso, whose solution is checked by its optimality conditions."""
    data = Data("tall least squares")
    penalized = ps.ZeroNormProblem(data.f, WEIGHT).to_mpec(ps.phi.mcp()).penalize(rho="exact")
    solver = AlternatingMinimization(inner_steps=500)
    state = solver.init(penalized, np.zeros(data.A.shape[1]))
    for _ in range(3):
        weights = WEIGHT * penalized.rho * (1 - state.u)
        state = solver.step(penalized, state)
        grad = data.grad(state.x)
        off = np.where(state.x != 0, grad + weights * np.sign(state.x), np.maximum(np.abs(grad) - weights, 0))
        assert np.abs(off).max() <= 1e-10


def test_a_plain_penalty_makes_it_its_inner_solver():
    prob = problem(Data("tall least squares"), "zero norm")
    outer = ps.solve(prob, AlternatingMinimization(inner_steps=4), stop=stopping.max_iterations(5))
    inner = ps.solve(prob, AlternatingMinimization().inner, stop=stopping.max_iterations(20))
    assert (outer.x == inner.x).all()


def test_evaluations_of_the_choice_between_auxiliaries_are_not_repeated():
    data = Data("tall least squares")
    result = ps.solve(problem(data, "l1"), AlternatingMinimization(inner_steps=4), stop=stopping.max_iterations(10))
    assert result.history["values"][-1] <= 50


@pytest.mark.parametrize("step_size", [1e-12, 1e12, 1e100])
def test_a_first_step_of_any_length_is_left_behind(step_size: float):
    """Steps are long or short against what the curvature says, not against what was given."""
    prob = problem(Data("wide least squares"), "l1")
    result = ps.solve(prob, ProximalGradient(step_size, BarzilaiBorwein())).require()
    assert result.iterations < 150
    np.testing.assert_allclose(result.x, ps.solve(prob, ProximalGradient()).x, atol=1e-7)


@pytest.mark.parametrize("solver", [ProximalGradient(), ProximalGradient(step_rule=Backtracking()), ps.PALM()])
def test_data_whose_squares_overflow_end_with_an_answer_or_a_status(solver: Any):
    data = Data("wide least squares")
    prob = ps.Composite(ps.LeastSquares(data.A, 1e160 * data.b), ps.L1(1e160))
    stop = stopping.first_of(stopping.certificate_below(), stopping.stalled(50), stopping.max_iterations(500))
    result = ps.solve(prob, solver, stop=stop)
    assert np.isfinite(result.x).all()
    if result.status is ps.Status.CONVERGED:
        unscaled = ps.solve(ps.Composite(data.f, ps.L1(1.0)), solver).require()
        np.testing.assert_allclose(result.x / 1e160, unscaled.x, atol=1e-7)
    else:
        assert result.status in (ps.Status.NONFINITE, ps.Status.STALLED, ps.Status.MAX_ITERATIONS)
