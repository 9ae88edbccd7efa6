"""The stationarity ladder: points made by hand for each rung, the numbers behind them, and wrong arguments."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from solver_cases import PENALTIES, SMOOTH, Data, problem

import parsimo as ps
from parsimo.solvers.moves import best_coordinate_move, best_swap
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimum

R = ps.Rung
LINE = ps.LeastSquares(np.array([[1.0]]), np.array([1.0]))
TABLE = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
TARGET = np.array([2.0, 1.0, 1.0])


def table(weight: float = 1.0) -> ps.ZeroNormProblem:
    """Three columns, the first of which is nearly the others' sum: min F = 4/3, at (4/3, 0, 0)."""
    return ps.ZeroNormProblem(ps.LeastSquares(TABLE, TARGET), weight)


def holds(ladder: ps.Ladder) -> list[bool | None]:
    return [reading.holds for reading in ladder.readings]


# ---- one point for each rung


def test_not_critical():
    ladder = ps.certify(table(), np.array([1.0, 0.0, 0.0]))
    assert ladder.rung is R.NONE
    assert ladder[R.CRITICAL].number == pytest.approx(1.0)  # a_1'(a_1 - b) = 3 - 4
    assert holds(ladder)[:3] == [False, False, False]


def test_critical_but_not_d_stationary():
    """A concave kink: f'(1) = 0 is one of the two slopes of capped l1 there, and the objective falls to the left."""
    ladder = ps.certify(ps.Composite(LINE, ps.CappedL1(0.3, 1.0)), np.array([1.0]))
    assert ladder.rung is R.CRITICAL
    assert ladder[R.CRITICAL].number == 0
    assert ladder[R.D_STATIONARY].number == pytest.approx(0.3)


def test_d_stationary_but_not_prox_stationary_at_one_over_l():
    prob, zero = ps.ZeroNormProblem(LINE, 0.3), np.zeros(1)
    ladder = ps.certify(prob, zero)
    assert ladder.rung is R.D_STATIONARY
    assert ladder[R.PROX_STATIONARY].number == pytest.approx(1.0)  # prox(0 + 1) = 1
    assert "1/L" in ladder[R.PROX_STATIONARY].note
    # it is so at steps up to 2 weight / f'(0)^2 = 0.6, where 1 = sqrt(2 weight / t)
    for step, expected in ((0.599, True), (0.601, False)):
        assert ps.certify(prob, zero, step_size=step)[R.PROX_STATIONARY].holds is expected
    assert ps.certify(prob, zero, step_size=0.599).rung is R.PROX_STATIONARY


def test_prox_stationary_but_not_coordinatewise_optimal():
    """Equal columns: L = 2, L_i = 1, and |d_i| = 1.5 lies between sqrt(2 weight L_i) and sqrt(2 weight L)."""
    f = ps.LeastSquares(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([1.5, 0.0]))
    ladder = ps.certify(ps.ZeroNormProblem(f, 0.7), np.zeros(2))
    assert ladder.rung is R.PROX_STATIONARY
    assert ladder[R.COORDINATEWISE].number == pytest.approx(1.125 - 0.7)
    assert ladder.move is not None
    assert ladder.move.indices == (0,)
    assert ladder.move.values == pytest.approx((1.5,))


def test_a_small_stationary_point_of_mcp_is_not_coordinatewise_optimal():
    """f = (x - 1.35)^2 / 2, MCP of weight 1 and flat point 1.3 < sqrt(2): f' + g' = 0 at 1.03, a local maximum."""
    f, g = ps.LeastSquares(np.array([[1.0]]), np.array([1.35])), ps.MCP(1.0, 1.3)
    x = np.array([(1.35 - 2 / 1.3) / (1 - 2 / 1.69)])
    assert 0 < x[0] < 1.3
    ladder = ps.certify(ps.Composite(f, g), x)
    assert ladder[R.CRITICAL].number < 1e-12
    assert ladder.rung is R.D_STATIONARY
    assert ladder[R.COORDINATEWISE].holds is False
    assert ladder.move is not None
    assert ladder.move.values == (0.0,)  # F(0) = 0.911 < F(1.35) = 1


def test_coordinatewise_but_not_swap_optimal():
    """F(0, 0, 3/2) = 7/4; setting x_3 = 0 and x_1 = 4/3 gives 4/3."""
    ladder = ps.certify(table(), np.array([0.0, 0.0, 1.5]))
    assert ladder.rung is R.COORDINATEWISE
    assert ladder.swap is not None
    assert ladder.swap.indices == (2, 0)
    assert ladder.swap.values == pytest.approx((0.0, 4 / 3))
    assert ladder[R.SWAP].number == pytest.approx(7 / 4 - 4 / 3)


def test_swap_optimal_but_not_global():
    """F(0, 1, 1) = 2, an exact fit, and the enumerated minimum is 4/3."""
    least, minimizer = zero_norm_minimum(TABLE, TARGET, 1.0)
    assert least == pytest.approx(4 / 3)
    ladder = ps.certify(table(), np.array([0.0, 1.0, 1.0]), bound=least)
    assert ladder.rung is R.SWAP
    assert ladder[R.GLOBAL].number == pytest.approx(2 / 3)
    assert ladder[R.GLOBAL].holds is None  # a gap does not refute: the bound might be loose
    best = ps.certify(table(), minimizer, bound=SimpleNamespace(lower=least, source="enumeration"))
    assert best.rung is R.GLOBAL
    assert holds(best) == [True] * 6
    assert "enumeration" in best[R.GLOBAL].note


# ---- numbers


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("kind", SMOOTH)
def test_solvers_end_on_the_ladder(kind: str, penalty: str):
    """A converged point is at least prox-stationary at the step of the method, and never NONE."""
    prob = problem(Data(kind), penalty)
    result = ps.solve(prob, ps.ProximalGradient(), stop=ps.stopping.first_of(ps.stopping.certificate_below(1e-9)))
    ladder = ps.certify(result)
    assert ladder.objective == pytest.approx(result.objective)
    assert ladder.rung >= (R.CRITICAL if "clusters" in penalty else R.PROX_STATIONARY), ladder
    if penalty == "box":
        assert ladder.rung is (R.GLOBAL if kind == "tall least squares" else ladder.rung)


def test_the_moves_are_the_best_of_a_scan():
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(6, 4)), rng.normal(size=6)
    for g in (
        ps.ZeroNorm(0.3),
        ps.MCP(0.3, 0.5),
        ps.SCAD(0.3, 0.5),
        ps.CappedL1(0.3, 0.5),
        ps.L1(0.3),
        ps.Box(-1.0, 1.0),
    ):
        prob, x = ps.Composite(ps.LeastSquares(A, b), g), np.array([0.5, 0.0, -0.25, 0.0])
        grad, here = prob.f.grad(x), prob.value(x)
        scan = np.linspace(-3, 3, 6001)
        lines = [[np.where(np.arange(4) == i, s, x) for s in scan] for i in range(4)]
        best = here - min(prob.value(y) for line in lines for y in line)
        move = best_coordinate_move(prob.f, g, x, grad)
        assert move is not None
        assert best <= move.decrease + 1e-12
        assert move.decrease <= best + 1e-5
        assert here - prob.value(move.applied_to(x)) == pytest.approx(move.decrease, abs=1e-12)
        swaps = [
            prob.value(np.where(np.arange(4) == i, 0.0, np.where(np.arange(4) == j, s, x)))
            for i in (0, 2)
            for j in (1, 3)
            for s in scan
        ]
        swap = best_swap(prob.f, g, x, grad)
        assert here - min(swaps) <= max(move.decrease, 0.0 if swap is None else swap.decrease) + 1e-12
        assert x.tolist() == [0.5, 0.0, -0.25, 0.0]


def test_swaps_without_a_hessian_are_the_same():
    class Bare(ps.LeastSquares):
        hessian = None  # type: ignore[assignment]

    rng = np.random.default_rng(1)
    A, b, x = rng.normal(size=(8, 6)), rng.normal(size=8), np.array([1.0, 0.0, 0.0, -0.5, 0.0, 0.3])
    g = ps.ZeroNorm(0.05)
    with_hessian, bare = ps.LeastSquares(A, b), Bare(A, b)
    one, other = (best_swap(f, g, x, f.grad(x)) for f in (with_hessian, bare))
    assert one is not None
    assert other is not None
    assert one.indices == other.indices
    assert one.decrease == pytest.approx(other.decrease)


def test_a_column_of_zeros():
    """f does not depend on x_2: the best value is that of the penalty alone."""
    f = ps.LeastSquares(np.array([[1.0, 0.0]]), np.array([3.0]))
    ladder = ps.certify(ps.ZeroNormProblem(f, 0.5), np.array([3.0, 7.0]))
    assert ladder.move is not None
    assert ladder.move.indices == (1,)
    assert ladder.move.values == (0.0,)
    assert ladder.move.decrease == pytest.approx(0.5)
    assert ps.certify(ps.ZeroNormProblem(f, 0.5), np.array([3.0, 0.0])).rung is R.SWAP
    assert ps.certify(ps.Composite(f, ps.Zero()), np.array([3.0, 7.0])).rung >= R.SWAP
    nothing = ps.ZeroNormProblem(ps.LeastSquares(np.zeros((2, 2)), np.ones(2)), 0.5)
    assert ps.certify(nothing, np.zeros(2)).rung is R.SWAP


def test_logistic_moves_refute_but_do_not_prove():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(40, 5))
    f = ps.Logistic(A, np.where(A[:, 0] + 0.5 * rng.normal(size=40) > 0, 1.0, -1.0))
    prob = ps.ZeroNormProblem(f, 0.5)
    at_zero = ps.certify(prob, np.zeros(5))
    assert at_zero[R.COORDINATEWISE].side == "below"
    assert at_zero[R.COORDINATEWISE].holds is False
    end = ps.polish(prob, np.zeros(5)).ladder
    assert end.rung is R.PROX_STATIONARY
    assert end[R.COORDINATEWISE].holds is None
    assert end[R.COORDINATEWISE].number == 0
    # a small coordinate that the bound of the curvature does not catch is caught by value
    x = np.zeros(5)
    x[3] = 0.02
    move = ps.certify(prob, x).move
    assert move is not None


def test_a_gap_settles_what_the_moves_leave_open():
    rng = np.random.default_rng(0)
    f = ps.Logistic(rng.normal(size=(30, 4)), np.where(rng.random(30) < 0.5, 1.0, -1.0))
    result = ps.solve(ps.Composite(f, ps.L1(1.0)), ps.ProximalGradient())
    ladder = ps.certify(result)
    assert ladder.rung is R.GLOBAL
    assert ladder[R.SWAP].side == "above"
    assert ladder[R.SWAP].number == ladder[R.GLOBAL].number


@pytest.mark.parametrize("logistic", [False, True])
@pytest.mark.parametrize("stored", ["dense", "sparse"])
def test_the_hessian_is_the_difference_of_gradients(logistic: bool, stored: str):
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(0)
    A, b, x = rng.normal(size=(7, 4)), np.where(rng.random(7) < 0.5, 1.0, -1.0), rng.normal(size=4)
    design = A if stored == "dense" else sparse.csr_array(A)
    f: Any = (ps.Logistic if logistic else ps.LeastSquares)(design, b, average=True)
    whole = np.stack([(f.grad(x + 1e-6 * e) - f.grad(x - 1e-6 * e)) / 2e-6 for e in np.eye(4)], axis=1)
    assert f.hessian(x, None, [2, 0]) == pytest.approx(whole[:, [2, 0]], abs=1e-8)
    assert f.hessian(x, [3, 1], [2]) == pytest.approx(whole[[3, 1]][:, [2]], abs=1e-8)


# ---- the gap


def test_the_gap_of_a_strongly_convex_problem_is_safe_and_sharp():
    rng = np.random.default_rng(0)
    f = ps.LeastSquares(rng.normal(size=(20, 4)), rng.normal(size=20), average=True)
    assert f.strong_convexity == pytest.approx(np.linalg.eigvalsh(f.design.A.T @ f.design.A)[0] / 20, rel=1e-9)
    least = np.linalg.lstsq(f.design.A, f.targets, rcond=None)[0]
    direction = np.linalg.eigh(f.design.A.T @ f.design.A)[1][:, 0]  # where the bound is an equality
    prob = ps.Composite(f, ps.Zero())
    ladder = ps.certify(prob, least + 0.1 * direction)
    true_gap = f.value(least + 0.1 * direction) - f.value(least)
    assert true_gap <= ladder[R.GLOBAL].number <= true_gap * (1 + 1e-6)
    assert ladder[R.GLOBAL].side == "above"


def test_the_modulus_is_below_the_true_one_where_rounding_decides():
    """Columns that are equal up to 1e-9: the smallest eigenvalue is 5e-19 and cannot be computed."""
    a = np.random.default_rng(0).normal(size=10)
    f = ps.LeastSquares(np.stack([a, a * (1 + 1e-9)], axis=1), a)
    assert f.strong_convexity == 0
    assert ps.LeastSquares(np.ones((2, 3)), np.ones(2)).strong_convexity == 0


def test_a_weakly_convex_penalty_leaves_a_modulus():
    f = ps.LeastSquares(2 * np.eye(3), np.array([1.0, 2.0, 0.1]))  # mu = 4
    prob = ps.Composite(f, ps.MCP(0.5, 1.0))  # weakly convex with 1
    ladder = ps.certify(ps.solve(prob, ps.ProximalGradient()))
    assert ladder.rung is R.GLOBAL
    assert "modulus 3" in ladder[R.GLOBAL].note
    assert math.isnan(ps.certify(ps.Composite(f, ps.MCP(2.5, 1.0)), np.zeros(3))[R.GLOBAL].number)  # 5 > 4


# ---- what cannot be evaluated says why


def test_problems_with_auxiliary_variables():
    rng = np.random.default_rng(0)
    f = ps.LeastSquares(rng.normal(size=(30, 12)), rng.normal(size=30))
    clusters = ps.ClusteringProblem(f, 0.5, 3)
    result = ps.solve(clusters, ps.ProximalGradient())
    ladder = ps.certify(result)
    assert ladder.rung is R.CRITICAL
    assert all("ClusteringProblem has auxiliary variables" in r.note for r in ladder.readings[1:5])
    assert ps.certify(result, bound=result.objective).rung is R.GLOBAL
    penalized = ps.ZeroNormProblem(f, 0.5).to_mpec(ps.phi.mcp()).penalize()
    x = ps.solve(penalized.eliminate(), ps.ProximalGradient()).x
    assert holds(ps.certify(penalized, x)) == holds(ps.certify(penalized.eliminate(), x))
    assert ps.certify(penalized, x).rung >= R.PROX_STATIONARY


def test_missing_methods_are_named():
    f = SimpleNamespace(
        value=lambda x: float(x @ x) / 2,
        grad=lambda x: x,
        value_and_grad=lambda x: (float(x @ x) / 2, x),
        lipschitz=None,
    )
    ladder = ps.certify(ps.Composite(f, ps.L1(1.0)), np.zeros(2))
    assert "no Lipschitz constant" in ladder[R.PROX_STATIONARY].note
    assert "coordinate_curvature" in ladder[R.COORDINATEWISE].note
    assert ladder.rung is R.D_STATIONARY
    assert ps.certify(ps.Composite(f, ps.L1(1.0)), np.zeros(2), step_size=1.0).rung is R.PROX_STATIONARY

    g: Any = SimpleNamespace(
        value=lambda x: 0.0,
        prox=lambda v, t: v,
        traits=ps.Traits(convex=True),
        subdiff_distance=lambda x, grad: float(np.linalg.norm(grad)),
    )
    ladder = ps.certify(ps.Composite(LINE, g), np.ones(1))
    assert "no descent_rate" in ladder[R.D_STATIONARY].note
    assert ladder.rung is R.GLOBAL  # by strong convexity, which settles the moves too
    assert "no terms" in ps.certify(ps.Composite(LINE, g), np.zeros(1))[R.SWAP].note


def test_it_prints_a_table_with_a_sentence():
    text = str(ps.certify(table(), np.array([0.0, 0.0, 1.5])))
    first, *rows = text.splitlines()
    assert first.startswith("coordinatewise optimal; swap optimal is refuted: largest decrease")
    assert len(rows) == 6
    assert "x[2] = 0, x[0] = 1.33333 lowers the objective by 0.417" in rows[4]
    assert "open not evaluated" in rows[5]
    assert str(ps.certify(table(), np.array([4 / 3, 0.0, 0.0]), bound=4 / 3)).startswith("global: no point is better")
    assert ps.certify(table(), np.array([0.0, 1.0, 1.0]), bound=4 / 3).sentence.endswith(
        "global is not decided: gap 6.67e-01"
    )
    assert "step 0.2" in str(ps.certify(table(), np.zeros(3), step_size=0.2))
    assert R.NONE.words == "none"
    assert R.CRITICAL < R.D_STATIONARY < R.PROX_STATIONARY < R.COORDINATEWISE < R.SWAP < R.GLOBAL


def test_other_libraries_and_precisions():
    torch = pytest.importorskip("torch")
    x = np.array([0.0, 0.0, 1.5])
    f = ps.LeastSquares(torch.tensor(TABLE), torch.tensor(TARGET))
    ladder = ps.certify(ps.ZeroNormProblem(f, 1.0), torch.tensor(x))
    assert holds(ladder) == holds(ps.certify(table(), x))
    single = ps.LeastSquares(TABLE.astype(np.float32), TARGET.astype(np.float32))
    ladder = ps.certify(ps.ZeroNormProblem(single, 1.0), x.astype(np.float32))
    assert ladder.rung is R.COORDINATEWISE
    assert ladder[R.SWAP].limit > 1e-6  # 100 units in the last place


def test_sparse_designs_and_operators():
    sparse = pytest.importorskip("scipy.sparse")
    linalg = pytest.importorskip("scipy.sparse.linalg")
    x = np.array([0.0, 0.0, 1.5])
    ladder = ps.certify(ps.ZeroNormProblem(ps.LeastSquares(sparse.csr_array(TABLE), TARGET), 1.0), x)
    assert ladder.rung is R.COORDINATEWISE
    assert ladder[R.SWAP].number == pytest.approx(7 / 4 - 4 / 3)
    operator = ps.LeastSquares(linalg.aslinearoperator(TABLE), TARGET)
    ladder = ps.certify(ps.ZeroNormProblem(operator, 1.0), x)
    assert ladder[R.COORDINATEWISE].side == "below"  # its curvature is only bounded by L


# ---- wrong arguments


def test_wrong_arguments():
    with pytest.raises(TypeError, match="pass a point x"):
        ps.certify(table())
    with pytest.raises(TypeError, match="no problem object, it lacks"):
        ps.certify(LINE, np.zeros(1))
    with pytest.raises(ValueError, match=r"certify: x must have shape \(3,\)"):
        ps.certify(table(), np.zeros(4))
    with pytest.raises(ValueError, match="NaN"):
        ps.certify(table(), np.array([0.0, math.nan, 0.0]))
    with pytest.raises(TypeError, match="float32"):
        ps.certify(table(), np.zeros(3, dtype=np.float32))
    with pytest.raises(ValueError, match="outside the domain"):
        ps.certify(ps.Composite(LINE, ps.Box(-1.0, 1.0)), np.array([2.0]))
    with pytest.raises(ValueError, match="step_size"):
        ps.certify(table(), np.zeros(3), step_size=0.0)
    with pytest.raises(ValueError, match="tolerance"):
        ps.certify(table(), np.zeros(3), tolerance=-1.0)


def test_a_bound_above_the_objective_is_refused():
    x = np.array([4 / 3, 0.0, 0.0])
    with pytest.raises(ValueError, match="no lower bound"):
        ps.certify(table(), x, bound=1.4)
    for missing in (math.nan, SimpleNamespace(lower=math.nan, source="a search")):
        with pytest.raises(ValueError, match=r"^certify: bound is not a number \(NaN\); pass a proven lower bound, or"):
            ps.certify(table(), x, bound=missing)
    with pytest.raises(TypeError, match="bound must be a number, or an object with `lower` and `source`, got 'x'"):
        ps.certify(table(), x, bound="x")
    above = ps.certify(table(), x, bound=4 / 3 + 1e-7)  # off by rounding: worth no more than that
    assert above[R.GLOBAL].number == pytest.approx(1e-7, rel=1e-3)
    assert above[R.GLOBAL].holds is None
    assert ps.certify(table(), x, bound=-math.inf)[R.GLOBAL].note == "the bound is -infinity"
