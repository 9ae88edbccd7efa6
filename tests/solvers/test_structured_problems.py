"""Least squares with group, spectral and cardinality penalties: both proximal solvers, on flat x, certified."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest
import torch

import parsimo as ps

SHAPE = (4, 3)
SOLVERS = {
    "proximal gradient": ps.ProximalGradient(),
    "backtracking": ps.ProximalGradient(step_rule=ps.Backtracking()),
    "P-ADMM": ps.ProximalADMM(),
    "P-ADMM, linearized": ps.ProximalADMM(x_step=ps.Linearized()),
}
LABELS = np.repeat([0, 1, 2, 3, 4, -1], 2)

PENALTIES: dict[str, Any] = {
    "group lasso": ps.Group(ps.L1(0.3), LABELS, np.array([0.5, 1.0, 1.0, 2.0, 1.0])),
    "group zero norm": ps.Group(ps.ZeroNorm(0.3), LABELS),
    "group SCAD": ps.Group(ps.SCAD(0.3, 0.5), LABELS),
    "group capped l1": ps.Group(ps.CappedL1(0.3, 0.5), LABELS),
    "column zero norm": ps.Group.columns(ps.ZeroNorm(0.3), SHAPE),
    "row MCP": ps.Group.rows(ps.MCP(0.3, 0.5), SHAPE),
    "nuclear norm": ps.Spectral(ps.L1(0.3), SHAPE),
    "rank": ps.Spectral.rank(0.3, SHAPE),
    "spectral MCP": ps.Spectral(ps.MCP(0.3, 0.5), SHAPE),
    "at most 5 nonzeros": ps.ZeroNormBall(5),
    "group lasso and a ridge": ps.WithRidge(ps.Group(ps.L1(0.3), LABELS), 0.1),
    "at most 5 nonzeros and a ridge": ps.WithRidge(ps.ZeroNormBall(5), 0.1),
}


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Well-conditioned data of a matrix of rank one, with zero rows."""
    rng = np.random.default_rng(seed)
    left, _, right = np.linalg.svd(rng.standard_normal((30, 12)), full_matrices=False)
    A = left * np.linspace(0.7, 1.3, 12) @ right
    truth = np.outer([2.0, 0.0, -1.0, 0.0], [1.0, 0.0, -1.5])
    return A, A @ truth.reshape(-1) + 0.05 * rng.standard_normal(30)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_certificate_goes_to_zero(penalty: str, solver: str):
    A, b = data()
    g = PENALTIES[penalty]
    problem = ps.Composite(ps.LeastSquares(A, b), g)
    result = ps.solve(problem, SOLVERS[solver]).require()
    grad = A.T @ (A @ result.x - b)
    assert result.certificate == g.subdiff_distance(result.x, grad)
    assert result.certificate <= 1e-6 * max(1.0, float(np.linalg.norm(A.T @ b)))
    assert result.x.shape == (12,)
    assert result.objective == pytest.approx(float(np.sum((A @ result.x - b) ** 2)) / 2 + g.value(result.x))
    # a fixed point of the method: prox-stationary at step 1/L, which is more than critical
    assert ps.natural_residual(problem, result.x, 0.5 / problem.f.lipschitz) <= 1e-4
    assert result.objective < problem.value(np.zeros(12))


@pytest.mark.parametrize("penalty", ["group lasso", "nuclear norm"])
def test_convex_problems_against_a_convex_solver(penalty: str):
    A, b = data()
    x = cp.Variable(12)
    if penalty == "nuclear norm":
        g = 0.3 * cp.normNuc(cp.reshape(x, SHAPE, order="C"))
    else:
        g = sum(0.3 * w * cp.norm(x[2 * j : 2 * j + 2]) for j, w in enumerate([0.5, 1.0, 1.0, 2.0, 1.0]))
    least = cp.Problem(cp.Minimize(cp.sum_squares(A @ x - b) / 2 + g)).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10
    )
    for solver in (ps.ProximalGradient(acceleration=ps.Nesterov()), ps.ProximalADMM()):
        problem = ps.Composite(ps.LeastSquares(A, b), PENALTIES[penalty])
        found = ps.solve(problem, solver, stop=ps.stopping.certificate_below(1e-9)).require()
        assert found.objective == pytest.approx(least, abs=1e-8)
        np.testing.assert_allclose(found.x, x.value, atol=1e-5)  # the root of the convex solver's gap decides


def test_what_is_asked_for_is_found():
    """Structure of the truth: rank one, two zero rows, one zero column, four nonzeros."""
    A, b = data()

    def solution(g: Any) -> np.ndarray:
        return ps.solve(ps.Composite(ps.LeastSquares(A, b), g), ps.ProximalADMM()).require().x.reshape(SHAPE)

    assert np.linalg.matrix_rank(solution(ps.Spectral.rank(0.3, SHAPE))) == 1
    rows = solution(ps.Group.rows(ps.ZeroNorm(0.1), SHAPE))
    np.testing.assert_array_equal(np.any(rows != 0, axis=1), [True, False, True, False])
    columns = solution(ps.Group.columns(ps.ZeroNorm(0.1), SHAPE))
    np.testing.assert_array_equal(np.any(columns != 0, axis=0), [True, False, True])
    np.testing.assert_array_equal(solution(ps.ZeroNormBall(4)) != 0, rows * columns != 0)


@pytest.mark.parametrize("penalty", ["group SCAD", "rank", "at most 5 nonzeros"])
def test_torch_solves_the_same_problem(penalty: str):
    A, b = data()
    g = PENALTIES[penalty]
    expected = ps.solve(ps.Composite(ps.LeastSquares(A, b), g), ps.ProximalGradient()).require()
    f = ps.LeastSquares(torch.from_numpy(A), torch.from_numpy(b))
    found = ps.solve(ps.Composite(f, g), ps.ProximalGradient()).require()
    np.testing.assert_allclose(found.x.numpy(), expected.x, atol=1e-6)
