"""Every solver on every kind of problem: converged means converged, by certificates written out again here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from solver_cases import CONVEX, PENALTIES, SMOOTH, SOLVERS, WEIGHT, Data, own_certificate, problem, separates

import parsimo as ps
from parsimo.solvers import (
    REGISTRY,
    Anderson,
    Constant,
    Exact,
    Inertial,
    Inexact,
    Linearized,
    Nesterov,
    ProximalADMM,
    ProximalGradient,
    stopping,
)

BUDGET = stopping.first_of(stopping.certificate_below(1e-8, relative=0.0), stopping.max_iterations(3000))
# The variants of P-ADMM differ in the smooth block, so that two penalties are enough to tell them apart.
CASES = [
    (kind, penalty, name)
    for kind in SMOOTH
    for penalty in PENALTIES
    for name in SOLVERS
    if penalty in ("l1", "zero norm")
    or name in ("proximal gradient", "P-ADMM", "alternating")
    or (name in ("PALM", "iPALM") and kind == "tall least squares")
    or (name == "coordinate descent" and separates(penalty))
]


def test_the_cases_cover_the_registry_and_all_x_steps():
    assert {type(solver) for solver in SOLVERS.values()} == set(REGISTRY)
    steps = {type(getattr(solver, "x_step", None)) for solver in SOLVERS.values()}
    assert {Linearized, Inexact} <= steps
    default = ps.solve(problem(Data("tall least squares"), "l1"), ProximalADMM(), stop=stopping.max_iterations(1))
    assert "Exact()" in default.notes[0]  # the default where f has a prox


@pytest.mark.parametrize(("kind", "penalty", "name"), CASES)
def test_converged_is_true_by_an_own_certificate(kind: str, penalty: str, name: str):
    data = Data(kind)
    prob = problem(data, penalty)
    result = ps.solve(prob, SOLVERS[name], stop=BUDGET, every=5)
    assert result.status is ps.Status.CONVERGED
    own = own_certificate(data, penalty, prob, result.x, result.auxiliary)
    assert own <= 1e-8
    assert result.certificate == pytest.approx(own, abs=1e-12)
    first = result.history["objective"][0]
    assert result.objective <= first + 1e-12


def test_the_own_certificate_sees_a_wrong_point():
    """The planted fault of the test above: a point moved by 1e-4 is found out for every penalty."""
    for penalty in PENALTIES:
        data = Data("tall least squares")
        prob = problem(data, penalty)
        result = ps.solve(prob, ProximalGradient(), stop=BUDGET, every=5)
        interior = np.flatnonzero((result.x != 0) & (result.x != -0.5) & (result.x != 1.0))[0]
        wrong = result.x.copy()
        wrong[interior] += 1e-4
        assert own_certificate(data, penalty, prob, wrong, result.auxiliary) > 1e-6


@pytest.mark.parametrize("kind", SMOOTH)
@pytest.mark.parametrize("penalty", CONVEX)
def test_solvers_agree_on_convex_problems_and_with_a_conic_solver(kind: str, penalty: str):
    import cvxpy as cp

    data = Data(kind)
    objectives = [ps.solve(problem(data, penalty), s, stop=BUDGET, every=5).objective for s in SOLVERS.values()]
    assert np.ptp(objectives) <= 1e-8

    x = cp.Variable(data.A.shape[1])
    if data.logistic:
        f = cp.sum(cp.logistic(cp.multiply(-data.b, data.A @ x)))
    else:
        f = cp.sum_squares(data.A @ x - data.b) / 2
    if penalty == "l1":
        reference = cp.Problem(cp.Minimize(f + WEIGHT * cp.norm1(x)))
    else:
        reference = cp.Problem(cp.Minimize(f), [x >= -0.5, x <= 1.0])
    reference.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    assert min(objectives) == pytest.approx(reference.value, abs=1e-7)
    assert min(objectives) <= reference.value + 1e-8


@pytest.mark.parametrize(
    "fast", [ProximalGradient(), *(ProximalGradient(acceleration=a()) for a in (Nesterov, Anderson, Inertial))]
)
def test_faster_steps_reach_the_same_minimum(fast: ProximalGradient):
    data = Data("wide least squares")
    slow = ps.solve(problem(data, "l1"), ProximalGradient(step_rule=Constant()), stop=BUDGET)
    result = ps.solve(problem(data, "l1"), fast, stop=BUDGET)
    assert result.require().objective == pytest.approx(slow.objective, abs=1e-8)


@pytest.mark.parametrize(
    "fast",
    [ProximalGradient(), *(ProximalGradient(acceleration=a) for a in (Nesterov(), Anderson(memory=10)))],
)
def test_fewer_iterations_are_needed_on_an_ill_conditioned_problem(fast: ProximalGradient):
    rng = np.random.default_rng(3)
    A = rng.standard_normal((40, 20)) * np.geomspace(1, 0.03, 20)
    prob = ps.Composite(ps.LeastSquares(A, rng.standard_normal(40)), ps.L1(1e-4))
    stop = stopping.first_of(stopping.certificate_below(1e-6, relative=0.0), stopping.max_iterations(4_000))
    plain = ps.solve(prob, ProximalGradient(step_rule=Constant()), stop=stop, every=10)
    result = ps.solve(prob, fast, stop=stop, every=10)
    assert result.status is ps.Status.CONVERGED
    assert result.iterations < plain.iterations / 5


@pytest.mark.parametrize("name", SOLVERS)
def test_dtype_is_kept_the_start_untouched_and_the_budget_met(name: str):
    data = Data("tall least squares")
    A, b = data.A.astype(np.float32), data.b.astype(np.float32)
    x0 = np.ones(A.shape[1], dtype=np.float32)
    before = x0.copy()
    result = ps.solve(ps.Composite(ps.LeastSquares(A, b), ps.L1(np.float64(WEIGHT))), SOLVERS[name], x0)
    assert result.x.dtype == np.float32
    assert (x0 == before).all()
    assert result.x is not x0
    assert result.status is ps.Status.CONVERGED
    assert result.iterations <= 300
    exact = ps.solve(problem(data, "l1"), ProximalGradient()).x
    assert np.abs(result.x - exact).max() <= 1e-4


@pytest.mark.parametrize(
    "solver",
    [
        ProximalGradient(step_size=np.float64(0.3)),  # type: ignore[arg-type]
        ProximalADMM(sigma=np.float64(5.0), proximal_x=np.float64(0.5), proximal_z=np.float64(0.5)),
        ProximalADMM(x_step=Inexact(accuracy=np.float64(0.1))),
    ],
)
def test_a_numpy_scalar_parameter_does_not_promote_the_dtype(solver: Any):
    data = Data("tall least squares")
    f = ps.LeastSquares(data.A.astype(np.float32), data.b.astype(np.float32))
    result = ps.solve(ps.Composite(f, ps.L1(WEIGHT)), solver, stop=stopping.max_iterations(5))
    assert result.x.dtype == np.float32


@pytest.mark.parametrize("name", ["proximal gradient", "P-ADMM", "alternating"])
@pytest.mark.parametrize("penalty", ["zero norm", "capped l1"])
def test_single_precision_from_zero_converges_where_zero_is_critical(name: str, penalty: str):
    """At 0 the certificate of the zero norm is 0, which must not make a single-precision tolerance unreachable."""
    data = Data("tall least squares")
    scale = np.float32(100.0)
    f = ps.LeastSquares(scale * data.A.astype(np.float32), scale * data.b.astype(np.float32))
    prob: Any = ps.ZeroNormProblem(f, 500.0)
    if penalty == "capped l1":
        prob = prob.to_mpec(ps.phi.capped_l1()).penalize("exact").eliminate()
    assert ps.solve(prob, SOLVERS[name], stop=stopping.default_stop()).status is ps.Status.CONVERGED


def test_evaluating_at_every_kth_iteration_changes_nothing_but_the_record():
    data = Data("tall least squares")
    stop = stopping.max_iterations(20)
    always = ps.solve(problem(data, "mcp"), ProximalADMM(), stop=stop)
    rarely = ps.solve(problem(data, "mcp"), ProximalADMM(), stop=stop, every=7)
    assert (always.x == rarely.x).all()
    assert always.certificate == rarely.certificate
    evaluated = ~np.isnan(rarely.history["objective"])
    assert list(np.flatnonzero(evaluated)) == [0, 7, 14]
    assert not np.isnan(rarely.history["residual"]).any()
    assert np.isnan(rarely.history["merit"][1])


def test_evaluation_is_not_charged_to_the_solver():
    data = Data("tall least squares")
    result = ps.solve(problem(data, "l1"), ProximalGradient(step_rule=Constant()), stop=stopping.max_iterations(20))
    assert result.history["gradients"][-1] == 20
    assert result.history["values"][-1] == 0
    exact = ps.solve(problem(data, "l1"), ProximalADMM(acceleration=None), stop=stopping.max_iterations(20))
    assert exact.history["proxes"][-1] == 20
    assert exact.history["gradients"][-1] == 1
    assert exact.history["values"][-1] == 0


def test_x_step_defaults_to_what_f_offers():
    assert (
        ps.solve(problem(Data("tall least squares"), "l1"), ProximalADMM(), stop=stopping.max_iterations(1))
        .notes[0]
        .startswith(f"x-step {Exact()!r}")
    )
    assert (
        ps.solve(problem(Data("logistic"), "l1"), ProximalADMM(), stop=stopping.max_iterations(1))
        .notes[0]
        .startswith(f"x-step {Linearized()!r}")
    )
