"""P-ADMM: its merit falls as promised, sharply so, and its iterates are those of the methods it equals."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from solver_cases import X_STEPS, Data, problem

import parsimo as ps
from parsimo.solvers import ConjugateGradient, Exact, Inexact, Linearized, ProximalADMM, ProximalGradient, stopping


class Quadratic:
    """f(x) = x'Qx/2 - c'x with Q symmetric, perhaps indefinite: L = |Q|, m = max(0, -smallest eigenvalue)."""

    def __init__(self, Q: np.ndarray, c: np.ndarray) -> None:
        eigenvalues = np.linalg.eigvalsh(Q)
        self.Q, self.c = Q, c
        self.lipschitz = float(np.abs(eigenvalues).max())
        self.weak_convexity = max(0.0, -float(eigenvalues[0]))
        self.convex = self.weak_convexity == 0

    def start(self) -> np.ndarray:
        return np.zeros_like(self.c)

    def value(self, x: np.ndarray) -> float:
        return float(x @ self.Q @ x / 2 - self.c @ x)

    def grad(self, x: np.ndarray) -> np.ndarray:
        return self.Q @ x - self.c

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), self.grad(x)

    def prox(self, v: np.ndarray, step_size: float) -> np.ndarray:
        """For step_size < 1/m."""
        return np.linalg.solve(self.Q + np.eye(v.size) / step_size, v / step_size + self.c)


def indefinite(seed: int, n: int = 6, bottom: float = -1.0, top: float = 2.0) -> Quadratic:
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return Quadratic(basis @ np.diag(np.linspace(bottom, top, n)) @ basis.T, rng.standard_normal(n))


def merit_slack(prob: Any, solver: ProximalADMM, x0: np.ndarray, steps: int = 25) -> tuple[float, float]:
    """The least of (fall of the merit - guaranteed fall) and (merit - objective) over the steps; the merit's scale."""
    state = solver.init(prob, x0)
    merits, slacks = [solver.merit(prob, state)], []
    for _ in range(steps):
        state = solver.step(prob, state)
        merits.append(solver.merit(prob, state))
        slacks.append(merits[-2] - merits[-1] - solver.guaranteed_decrease(state))
        slacks.append(merits[-1] - prob.value(state.z, state.u))
    return min(slacks), max(abs(m) for m in merits if math.isfinite(m))


PROXIMAL = [(0.0, 0.0), (0.7, 0.0), (0.0, 0.7), (2.0, 0.3)]


@pytest.mark.parametrize("x_step", X_STEPS, ids=repr)
@pytest.mark.parametrize(("tau_x", "tau_z"), PROXIMAL)
@pytest.mark.parametrize("factor", [None, 1.01, 3.0])
def test_merit_falls_by_the_guaranteed_decrease(x_step: Any, tau_x: float, tau_z: float, factor: float | None):
    rng = np.random.default_rng(0)
    problems = [
        ps.Composite(indefinite(0), ps.Box(-1.0, 1.0)),
        ps.Composite(indefinite(1), ps.MCP(0.3, 0.5)),
        ps.Composite(indefinite(2, bottom=-2.0, top=0.5), ps.Box(-1.0, 2.0)),
        ps.Composite(indefinite(3, bottom=0.1), ps.ZeroNorm(0.2)),
        problem(Data("tall least squares"), "l1"),
        problem(Data("wide least squares"), "absolute clusters"),
        problem(Data("tall least squares"), "squared clusters"),
        problem(Data("wide least squares"), "capped l1"),
    ]
    if not isinstance(x_step, Exact):
        problems.append(problem(Data("logistic"), "zero norm"))
    for prob in problems:
        solver = ProximalADMM(x_step=x_step, proximal_x=tau_x, proximal_z=tau_z)
        x0 = np.clip(rng.standard_normal(prob.f.start().size), -1.0, 1.0)
        if factor is not None:
            smallest = solver.constants(solver.init(prob, x0)).smallest_sigma
            solver = replace(solver, sigma=factor * smallest)
        slack, scale = merit_slack(prob, solver, x0)
        assert slack >= -1e-12 * (1 + scale), prob


@pytest.mark.parametrize("x_step", X_STEPS, ids=repr)
@pytest.mark.parametrize("tau_x", [0.0, 0.7])
def test_the_state_carries_the_gradient_at_x(x_step: Any, tau_x: float):
    """The exact step reads it off its optimality condition."""
    prob = ps.Composite(indefinite(0), ps.Box(-1.0, 1.0))
    solver = ProximalADMM(x_step=x_step, proximal_x=tau_x)
    state = solver.init(prob, np.full(6, 0.5))
    for _ in range(5):
        state = solver.step(prob, state)
        np.testing.assert_allclose(state.grad, prob.f.grad(state.x), atol=1e-12)


def test_merit_need_not_fall_below_the_admissible_sigma():
    """The planted fault of the test above: with sigma at half of the admissible one the promise breaks."""
    prob = ps.Composite(indefinite(2, bottom=-2.0, top=0.5), ps.Box(-1.0, 2.0))
    x0 = np.full(6, 0.1)
    solver = ProximalADMM(x_step=Linearized())
    smallest = solver.constants(solver.init(prob, x0)).smallest_sigma
    state = (broken := replace(solver, sigma=smallest / 2)).init(prob, x0)
    merits = [broken.merit(prob, state)]
    for _ in range(60):
        state = broken.step(prob, state)
        merits.append(broken.merit(prob, state))
    assert max(np.diff(merits)) > 1e-3


def test_constants_are_those_of_the_theorem():
    """decrease(sigma) and memory, row by row of Theorem 6.2, and those of Proposition 6.8."""
    L, m, b = 3.0, 1.3, 11.0
    for tau in (0.0, 0.6, 5.0):
        eta = 0.2 * L
        exact = ((b + 2 * tau - m) / 2 - (L + 2 * tau) ** 2 / b, tau * (L + 2 * tau))
        rows: dict[Any, tuple[float, float]] = {
            Exact(): exact if tau else (min((b + L) / 2 - L**2 / b, (b - m) / 2 - m**2 / b), 0.0),
            Linearized(): ((b + 2 * tau - L) / 2 - (L + 2 * tau) ** 2 / b, (L + tau) * (L + 2 * tau)),
            Inexact(accuracy=0.2): (
                (b + 2 * tau - m) / 2 - eta - (L + 2 * tau + 2 * eta) ** 2 / b,
                (tau + eta) * (L + 2 * tau + 2 * eta),
            ),
        }
        for x_step, (decrease, memory) in rows.items():
            constants = x_step.constants(L, m, tau)
            assert constants.decrease(b) == pytest.approx(decrease, rel=1e-14)
            assert constants.remembered(b) == pytest.approx(memory / b, rel=1e-14)
            assert constants.decrease(constants.smallest_sigma) == pytest.approx(0.0, abs=1e-12)
    assert Exact().constants(L, L, 0.0).smallest_sigma == pytest.approx(2 * L)
    assert Exact().constants(L, 0.0, 0.0).smallest_sigma == pytest.approx(L)
    assert Linearized().constants(L, m, 0.0).smallest_sigma == pytest.approx(2 * L)


@pytest.mark.parametrize(("ratio", "converges"), [(1.9, False), (2.01, True)])
def test_sigma_of_two_l_is_sharp(ratio: float, converges: bool):
    """f = -L x^2 / 2 on [-1, 1]: near its minimizer 1, |x - 1| grows or shrinks by L / (sigma - L) a step."""
    L = 3.0
    prob = ps.Composite(Quadratic(np.array([[-L]]), np.zeros(1)), ps.Box(-1.0, 1.0))
    solver = ProximalADMM(sigma=ratio * L)
    state = solver.init(prob, np.array([1.0]))
    state = replace(state, y=state.y + 1e-3)  # off the fixed point
    sizes = []
    for _ in range(3000):
        state = solver.step(prob, state)
        sizes.append(abs(float(state.x[0]) - 1.0))
    assert sizes[1] / sizes[0] == pytest.approx(1 / (ratio - 1), rel=1e-6)
    assert (max(sizes[-10:]) < 1e-8) is converges  # at 1.9 L it cycles
    assert ("NOT admissible" in solver.notes(state)[0]) is not converges


@pytest.mark.parametrize("x_step", X_STEPS, ids=repr)
def test_default_sigma_is_admissible_and_a_small_one_is_taken_but_told(x_step: Any):
    for prob in (ps.Composite(indefinite(0), ps.Box(-1.0, 1.0)), problem(Data("tall least squares"), "l1")):
        for tau in (0.0, 1.0):
            solver = ProximalADMM(x_step=x_step, proximal_x=tau)
            result = ps.solve(prob, solver, stop=stopping.max_iterations(1))
            smallest = solver.constants(solver.init(prob, prob.f.start())).smallest_sigma
            assert result.history["sigma"][-1] == pytest.approx(1.25 * smallest)
            assert "(admissible: sigma >" in result.notes[0]
            small = ps.solve(prob, replace(solver, sigma=0.9 * smallest), stop=stopping.max_iterations(1))
            assert small.history["sigma"][-1] == pytest.approx(0.9 * smallest)
            assert "NOT admissible" in small.notes[0]


def test_exact_step_without_proximal_terms_is_douglas_rachford():
    """s <- s + prox_{R/b}(2 x - s) - x with x = prox_{f/b}(s): s = x - y/b, the reflected point is x + y/b."""
    data = Data("tall least squares")
    b, weight, n = 4.0, 0.3, data.A.shape[1]
    prob = ps.Composite(data.f, ps.ZeroNorm(weight))
    solver = ProximalADMM(sigma=b, acceleration=None)
    state = solver.init(prob, np.ones(n))
    x, s = state.x, state.x - state.y / b
    factor = np.eye(n) + data.A.T @ data.A / b
    for _ in range(25):
        reflected = 2 * x - s
        z = np.where(np.abs(reflected) > math.sqrt(2 * weight / b), reflected, 0.0)
        s = s + z - x
        x = np.linalg.solve(factor, s + data.A.T @ data.b / b)
        state = solver.step(prob, state)
        np.testing.assert_allclose(state.z, z, atol=1e-10)
        np.testing.assert_allclose(state.x, x, atol=1e-10)


def test_certificate_is_bounded_as_the_worst_case_says():
    """min_k dist(0, dF(z^k)) <= (b + L^2/b) sqrt((merit_0 - inf F) / (delta K)) for the exact step, tau = 0."""
    for seed in range(5):
        f = indefinite(seed)
        prob = ps.Composite(f, ps.Box(-1.0, 1.0))
        solver = ProximalADMM(sigma=4.06 * f.lipschitz)
        result = ps.solve(prob, solver, np.zeros(6), stop=stopping.max_iterations(400))
        L, b = f.lipschitz, 4.06 * f.lipschitz
        delta = (b - f.weak_convexity) / 2 - L**2 / b
        lower = -(0.5 * 6 * f.weak_convexity + float(np.abs(f.c).sum()))  # of F on the box
        best = np.minimum.accumulate(result.history["certificate"][1:])
        bound = (b + L**2 / b) * np.sqrt((result.history["merit"][0] - lower) / (delta * np.arange(1, best.size + 1)))
        assert (best <= bound).all()


def test_fixed_points_are_prox_stationary():
    prob = problem(Data("tall least squares"), "zero norm")
    solver = ProximalADMM(proximal_z=0.5)
    result = ps.solve(prob, solver)
    step = 1 / (result.history["sigma"][-1] + 0.5)
    assert ps.natural_residual(prob, result.x, step) <= 1e-7


@pytest.mark.parametrize("x_step", [Linearized(), Inexact(accuracy=1e-9)], ids=repr)
def test_inexact_steps_approach_the_exact_one(x_step: Any):
    """With a tiny accuracy the inexact step is the exact one; the linearized one is not, which the test must see."""
    prob = ps.Composite(indefinite(0), ps.Box(-1.0, 1.0))
    states = []
    for step in (Exact(), x_step):
        solver = ProximalADMM(sigma=20.0, x_step=step, acceleration=None)
        state = solver.init(prob, np.zeros(6))
        for _ in range(15):
            state = solver.step(prob, state)
        states.append(state.z)
    gap = float(np.abs(states[0] - states[1]).max())
    assert (gap <= 1e-7) is isinstance(x_step, Inexact)


def test_exact_refuses_a_smooth_part_without_prox():
    with pytest.raises(TypeError, match=r"Logistic.*has no prox; use ConjugateGradient\(\), Linearized\(\) or Inexact"):
        ps.solve(problem(Data("logistic"), "l1"), ProximalADMM(x_step=Exact()))


def test_inexact_says_when_its_test_is_out_of_reach():
    prob = ps.Composite(indefinite(0), ps.Box(-1.0, 1.0))
    solver = ProximalADMM(x_step=Inexact(accuracy=1e-6, max_gradients=2))
    with pytest.raises(RuntimeError, match="2 gradient steps did not meet the test"):
        ps.solve(prob, solver, np.ones(6))


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: ProximalADMM(sigma=0.0), ValueError, "sigma must be a finite number > 0"),
        (lambda: ProximalADMM(sigma=math.inf), ValueError, "sigma must be a finite number > 0"),
        (lambda: ProximalADMM(sigma="large"), TypeError, "sigma must be a finite number > 0, got 'large'"),
        (lambda: ProximalADMM(sigma=np.ones(3)), TypeError, "sigma must be one number"),
        (lambda: ProximalADMM(proximal_x=-1.0), ValueError, "proximal_x must be a finite number >= 0"),
        (lambda: ProximalADMM(proximal_z=math.nan), ValueError, "proximal_z must be a finite number >= 0"),
        (lambda: ProximalADMM(x_step=Exact), TypeError, r"x_step=Exact is a class; pass Exact\(\)"),
        (lambda: Inexact(accuracy=0.0), ValueError, "accuracy must be a finite number > 0"),
        (lambda: Inexact(max_gradients=0), ValueError, "max_gradients must be at least 1"),
        (lambda: ProximalGradient(step_size=-1.0), ValueError, "step_size must be a finite number > 0"),
        (lambda: ProximalGradient(step_size=np.ones(2)), TypeError, "step_size must be one number"),
        (lambda: ps.AlternatingMinimization(inner_steps=0), ValueError, "inner_steps must be at least 1"),
        (lambda: ps.AlternatingMinimization(inner=ProximalGradient), TypeError, "is not a solver object"),
    ],
)
def test_wrong_hyperparameters_are_refused(make: Any, error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize("x_step", [Exact(), Linearized(), Inexact(), ConjugateGradient()], ids=repr)
@pytest.mark.parametrize("scale", [1e150, 1e-150])
def test_data_of_any_scale_have_the_solution_of_their_unit(x_step: Any, scale: float):
    """|A|^2 is 1e302 and its square overflows: constants are formed without it."""
    data = Data("tall least squares")
    weight = 0.05 * float(np.abs(data.A.T @ data.b).max())
    stop = stopping.first_of(stopping.certificate_below(1e-8 * weight * scale**2, 0.0), stopping.max_iterations(2000))
    prob = ps.Composite(ps.LeastSquares(scale * data.A, scale * data.b), ps.L1(weight * scale**2))
    result = ps.solve(prob, ProximalADMM(x_step=x_step), stop=stop)
    assert result.status is ps.Status.CONVERGED
    reference = ps.solve(ps.Composite(ps.LeastSquares(data.A, data.b), ps.L1(weight)), ProximalADMM())
    np.testing.assert_allclose(result.x, reference.x, atol=1e-6)


def test_constants_that_overflow_are_named():
    prob = ps.Composite(ps.LeastSquares(np.eye(2) * 1.3e154, np.ones(2)), ps.L1(1.0))
    with pytest.raises(ValueError, match=r"L = 1.*e\+308 .*overflow; scale f"):
        ps.solve(prob, ProximalADMM(x_step=Linearized()))
