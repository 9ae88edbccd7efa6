"""Coordinate descent: right answers on every kind of column, in every regime of the step, and what it promises."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from solver_cases import Data

import parsimo as ps
from parsimo.solvers import stopping
from parsimo.theory_checks import check_solver

SOLVER = ps.CoordinateDescent()
TIGHT = stopping.first_of(stopping.certificate_below(1e-10), stopping.max_iterations(200))


def design(m: int = 40, n: int = 60, seed: int = 0, rho: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((m, n))
    for j in range(1, n):
        A[:, j] = rho * A[:, j - 1] + np.sqrt(1 - rho * rho) * A[:, j]
    truth = np.zeros(n)
    truth[rng.choice(n, 5, replace=False)] = [2.0, -1.5, 1.0, -2.0, 3.0]
    return A, A @ truth + 0.3 * rng.standard_normal(m)


def solve(f: Any, g: Any, **parameters: Any) -> Any:
    return ps.solve(ps.Composite(f, g), ps.CoordinateDescent(**parameters), stop=TIGHT).require()


@pytest.mark.parametrize("relax", [0.0, 0.1, 1.0])
def test_it_keeps_the_promises_of_a_solver(relax: float):
    evidence = check_solver(ps.CoordinateDescent(relax=relax, first=1), trials=8)
    assert evidence.holds, str(evidence)


NONCONVEX = {
    "MCP": lambda w: ps.MCP(w, 1.5),
    "MCP, long steps": lambda w: ps.MCP(w, 0.05),
    "SCAD": lambda w: ps.SCAD(w, 1.5),
    "SCAD, long steps": lambda w: ps.SCAD(w, 0.05),
    "CappedL1": lambda w: ps.CappedL1(w, 0.5),
    "LogSum": lambda w: ps.LogSum(w, 0.1),
    "Exponential": lambda w: ps.Exponential(w, 0.1),
    "Lq": lambda w: ps.Lq(w, 0.5),
    "ZeroNorm": ps.ZeroNorm,
    "ZeroNormBox": lambda w: ps.ZeroNormBox(w, -1.0, 2.5),
    "ridge": lambda w: ps.WithRidge(ps.MCP(w, 0.5), 1.0),
    "blocks": lambda w: ps.SeparableSum((slice(0, 20), np.arange(30, 60)), (ps.L1(w), ps.SCAD(w, 0.5))),
}


@pytest.mark.parametrize("name", NONCONVEX)
@pytest.mark.parametrize("weight", [0.3, 5.0])
def test_no_move_of_one_coordinate_lowers_the_objective_at_the_end(name: str, weight: float):
    """Whatever the regime: x_i is tried at all values of a fine grid, the rest held."""
    A, b = design()
    f, g = ps.LeastSquares(A, b), NONCONVEX[name](weight)
    result = solve(f, g)
    terms, L, d = g.terms(result.x), np.sum(A * A, axis=0), f.grad(result.x)
    for target in np.concatenate([np.linspace(-4, 4, 201), [0.0]]):
        s = np.full_like(result.x, target) - result.x
        change = s * (d + L * s / 2) + g.terms(np.full_like(result.x, target)) - terms
        assert change.min() >= -1e-8
    assert (np.diff(result.history["merit"]) <= 1e-10 * (1 + abs(result.objective))).all()


@pytest.mark.parametrize("penalty", ["l1", "mcp"])
def test_sparse_dense_in_either_order_and_float32_agree(penalty: str):
    A, b = design()
    A[np.abs(A) < 0.8] = 0.0
    g = ps.L1(2.0) if penalty == "l1" else ps.MCP(2.0, 1.0)
    reference = solve(ps.LeastSquares(A, b), g)
    for kind in (np.asfortranarray(A), sp.csc_array(A), sp.csr_array(A), sp.csc_matrix(A)):
        np.testing.assert_allclose(solve(ps.LeastSquares(kind, b), g).x, reference.x, atol=1e-9)
    for single in (A.astype(np.float32), sp.csc_array(A).astype(np.float32)):
        result = ps.solve(ps.Composite(ps.LeastSquares(single, b.astype(np.float32)), g), SOLVER)
        assert result.status is ps.Status.CONVERGED
        assert result.x.dtype == np.float32
        np.testing.assert_allclose(result.x, reference.x, atol=1e-4)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_the_logistic_loss_to_ten_digits(average: bool, sparse: bool):
    A, b = design()
    y = np.sign(b)
    f = ps.Logistic(sp.csc_array(A) if sparse else A, y, average=average)
    weight = float(np.abs(f.grad(np.zeros(60))).max()) / 5
    result = solve(f, ps.L1(weight))
    d = -A.T @ (y / (1 + np.exp(y * (A @ result.x)))) / (40 if average else 1)
    distance = np.where(result.x != 0, d + weight * np.sign(result.x), np.maximum(np.abs(d) - weight, 0))
    assert np.linalg.norm(distance) <= 1e-9
    assert (np.diff(result.history["merit"]) <= 1e-12).all()
    assert result.iterations <= 12  # the model is Newton's: with the bound alone there are hundreds


def test_separable_data_of_logistic_loss_end_by_the_bound():
    """Far from the solution Newton's model fails; the bound of the curvature must take over."""
    A = np.array([[1.0], [2.0], [-1.0]])
    f = ps.Logistic(A, np.array([1.0, 1.0, -1.0]))
    for start in (-300.0, 0.0, 60.0):
        result = ps.solve(ps.Composite(f, ps.L1(1e-3)), SOLVER, np.array([start])).require()
        assert (np.diff(result.history["merit"]) <= 1e-12 * (1 + abs(start))).all()
        assert result.iterations <= 60  # by the bound alone, steps of a hundredth would make it thousands


@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1.0, 1e60, 1e150])
def test_the_scale_of_data_does_not_matter(scale: float):
    A, b = design()
    reference = solve(ps.LeastSquares(A, b), ps.L1(5.0))
    prob = ps.Composite(ps.LeastSquares(A, scale * b), ps.L1(5.0 * scale))
    rule = stopping.first_of(stopping.certificate_below(1e-10 * 100 * scale), stopping.max_iterations(100))
    result = ps.solve(prob, SOLVER, stop=rule).require()
    np.testing.assert_allclose(result.x / scale, reference.x, atol=1e-10)


def test_one_row_one_column_and_both():
    for A in (np.array([[2.0]]), np.array([[1.0, -2.0, 0.5]]), np.array([[1.0], [2.0], [3.0]])):
        b = np.arange(1.0, 1.0 + A.shape[0])
        result = solve(ps.LeastSquares(A, b), ps.L1(0.5))
        d = A.T @ (A @ result.x - b)
        assert np.all(
            np.where(result.x != 0, np.abs(d + 0.5 * np.sign(result.x)), np.maximum(np.abs(d) - 0.5, 0)) < 1e-9
        )


def test_zero_constant_and_duplicate_columns_and_rank_deficient_data():
    A, b = design(30, 10)
    A = np.column_stack([A, np.zeros(30), A[:, 0], np.ones(30), A[:, 1] + A[:, 2]])
    for g in (ps.L1(1.0), ps.MCP(1.0, 0.5), ps.ZeroNorm(1.0), ps.WithRidge(ps.L1(1.0), 0.1)):
        start = np.ones(14)
        result = ps.solve(ps.Composite(ps.LeastSquares(A, b), g), SOLVER, start, stop=TIGHT).require()
        assert result.x[10] == 0.0  # nothing but its price depends on it
    unpenalized = ps.solve(ps.Composite(ps.LeastSquares(A, b), ps.L1(0.0)), SOLVER, stop=TIGHT).require()
    assert np.linalg.norm(A.T @ (A @ unpenalized.x - b)) <= 1e-9


def test_weight_zero_above_the_largest_and_of_each_coordinate():
    A, b = design()
    largest = float(np.abs(A.T @ b).max())
    above = solve(ps.LeastSquares(A, b), ps.L1(1.01 * largest))
    assert (above.x == 0).all()
    assert above.iterations <= 1
    weights = np.full(60, 1.01 * largest)
    weights[:3] = 0.0
    free = solve(ps.LeastSquares(A, b), ps.L1(weights))
    assert (free.x[3:] == 0).all()
    np.testing.assert_allclose(free.x[:3], np.linalg.lstsq(A[:, :3], b, rcond=None)[0], atol=1e-9)


def test_a_penalty_without_a_twin_is_passed_over_in_python_and_said_so():
    data = Data("wide least squares")
    penalized = ps.ZeroNormProblem(data.f, 0.1).to_mpec(ps.phi.log(0.1)).penalize(rho="exact").eliminate()
    books = ps.Composite(data.f, ps.Clustering(np.linspace(0.05, 0.2, 18), np.array([-2.0, 0.0, 2.0])))
    for prob, name in ((penalized, "PhiPenalty"), (books, "Clustering")):
        result = ps.solve(prob, SOLVER).require()
        assert f"in plain Python, slowly: {name} has no compiled twin" in result.notes[-1]
        L = np.sum(data.A**2, axis=0)
        moved = prob.g.prox(result.x - data.grad(result.x) / L, 1 / L)
        np.testing.assert_allclose(moved, result.x, atol=1e-8)


def test_the_plain_passes_take_the_steps_of_the_compiled_ones():
    class Uncompiled(ps.MCP):
        """MCP under another name, which no twin is known for."""

    A, b = design(30, 20)
    labels = np.where(np.arange(30) % 3 > 0, np.sign(b), -np.sign(b))  # no hyperplane parts them
    logistic = ps.Logistic(A[:, :4], labels)
    for f, n in ((ps.LeastSquares(A, b), 20), (ps.LeastSquares(sp.csc_array(A), b), 20), (logistic, 4)):
        weight = 0.05 * float(np.abs(f.grad(np.zeros(n))).max())
        start = np.linspace(-1, 1, n)
        ends = [ps.solve(ps.Composite(f, g(weight, 0.5)), SOLVER, start, stop=TIGHT) for g in (ps.MCP, Uncompiled)]
        assert all(end.status is ps.Status.CONVERGED for end in ends)
        np.testing.assert_allclose(ends[1].x, ends[0].x, atol=1e-8)


def test_the_working_set_and_the_gradients_are_counted():
    A, b = design(60, 400)
    result = solve(ps.LeastSquares(A, b), ps.L1(float(np.abs(A.T @ b).max()) / 5))
    assert result.history["gradients"][-1] == result.iterations + 1
    assert 0 < result.history["working_set"][-1] < 200
    assert result.history["passes"][-1] > 0
    assert np.isinf(result.history["residual"][0])
    small = solve(ps.LeastSquares(A, b), ps.L1(float(np.abs(A.T @ b).max()) / 5), first=1)
    np.testing.assert_allclose(small.x, result.x, atol=1e-9)


def test_the_relaxation_bounds_the_objective_and_is_left():
    A, b = design()
    g = ps.MCP(5.0, 1.0)
    result = solve(ps.LeastSquares(A, b), g, relax=0.01, first=2)
    merit, objective = np.array(result.history["merit"]), np.array(result.history["objective"])
    assert (merit >= objective - 1e-9).all()
    assert (merit > objective + 1e-6).any()
    assert merit[-1] == pytest.approx(objective[-1])


def test_data_terms_remember_no_point_that_was_written_to():
    A, b = design(60, 400)
    for f in (ps.LeastSquares(A, b), ps.Logistic(A, np.sign(b))):
        x = np.linspace(-1, 1, 400)
        before, gradient = f.value(x), f.grad(x)
        gradient[:] = 0.0  # the caller's own
        assert f.grad(x).any()
        x[7] += 1.0
        assert f.value(x) != before
        fresh = type(f)(A, b if isinstance(f, ps.LeastSquares) else np.sign(b))
        assert f.value(x) == fresh.value(x)
        np.testing.assert_array_equal(f.grad(x), fresh.grad(x))


def test_what_it_cannot_solve_is_refused_by_name():
    from scipy.sparse.linalg import aslinearoperator

    A, b = design()
    f = ps.LeastSquares(A, b)
    with pytest.raises(TypeError, match="offers no columns"):
        ps.solve(ps.Composite(ps.LeastSquares(aslinearoperator(A), b), ps.L1(1.0)), SOLVER)
    with pytest.raises(TypeError, match="needs a separable penalty, but Composite has Group"):
        ps.solve(ps.Composite(f, ps.Group(ps.L1(1.0), np.arange(60) // 2)), SOLVER)
    with pytest.raises(TypeError, match="needs a separable penalty, but ClusteringProblem has none in x alone"):
        ps.solve(ps.ClusteringProblem(f, weight=1.0, k=2), SOLVER)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [({"first": 0}, "first"), ({"first": 2.5}, "integer >= 1, got 2.5"), ({"relax": 1.5}, r"in \[0, 1\], got 1.5")],
)
def test_parameters_out_of_range_are_refused(parameters: Any, match: str):
    with pytest.raises(ValueError, match=match):
        ps.CoordinateDescent(**parameters)


def test_without_numba_the_error_names_the_extra():
    script = (
        "import sys; sys.modules['numba'] = None\n"
        "import numpy as np, parsimo as ps\n"
        "f = ps.LeastSquares(np.eye(3), np.ones(3))\n"
        "print(ps.solve(ps.Composite(f, ps.L1(0.1)), ps.ProximalGradient()).status.name)\n"
        "clusters = ps.Clustering(0.1, np.array([0.0, 1.0]))\n"
        "print(ps.solve(ps.Composite(f, clusters), ps.CoordinateDescent()).status.name)\n"
        "try:\n    ps.solve(ps.Composite(f, ps.L1(0.1)), ps.CoordinateDescent())\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "CONVERGED",
        "CONVERGED",
        'CoordinateDescent needs numba: pip install "parsimo[fast]"',
    ]
