"""Polishing: the objective never rises, every move is seen, it ends, and its end is on the rung it names."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import parsimo as ps
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimum

R = ps.Rung
TABLE = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
TARGET = np.array([2.0, 1.0, 1.0])
PENALTIES = (
    ps.ZeroNorm(0.3),
    ps.MCP(0.3, 0.5),
    ps.MCP(0.3, 2.5),
    ps.SCAD(0.3, 0.5),
    ps.CappedL1(0.3, 0.5),
    ps.L1(0.3),
    ps.Box(-0.5, 0.25),
    ps.Zero(),
    ps.phi.log().penalty(0.3, 0.8),
    ps.Clustering(0.3, np.array([-1.0, 0.0, 0.7])),
)


def table() -> ps.ZeroNormProblem:
    return ps.ZeroNormProblem(ps.LeastSquares(TABLE, TARGET), 1.0)


def correlated(seed: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rows, columns))
    for j in range(1, columns):
        A[:, j] = 0.5 * A[:, j - 1] + math.sqrt(0.75) * A[:, j]
    truth = np.zeros(columns)
    truth[rng.permutation(columns)[:5]] = rng.choice([-1.0, 1.0], 5)
    return A, A @ truth + 0.5 * rng.standard_normal(rows)


def test_a_swap_leads_on():
    """From (0, 0, 3/2), where no coordinate helps, to the global minimizer."""
    start = np.array([0.0, 0.0, 1.5])
    polished = ps.polish(table(), start)
    assert polished.x == pytest.approx([4 / 3, 0.0, 0.0])
    assert (polished.before, polished.objective) == pytest.approx((7 / 4, 4 / 3))
    assert [move.indices for move in polished.moves] == [(2, 0)]
    assert polished.finished
    assert polished.ladder.rung is R.SWAP
    assert start.tolist() == [0.0, 0.0, 1.5]
    only_coordinates = ps.polish(table(), start, moves="coordinate")
    assert only_coordinates.moves == ()
    assert only_coordinates.ladder.rung is R.COORDINATEWISE
    assert ps.polish(table(), start, bound=4 / 3).ladder.rung is R.GLOBAL


def test_the_support_is_solved_again_after_each_move():
    """Moves alone would only approach the least squares solution on the support."""
    A, b = correlated(0, 30, 12)
    prob = ps.ZeroNormProblem(ps.LeastSquares(A, b), 0.5)
    polished = ps.polish(prob, np.zeros(12))
    support = np.flatnonzero(polished.x)
    assert len(polished.moves) <= 12
    assert polished.x[support] == pytest.approx(np.linalg.lstsq(A[:, support], b, rcond=None)[0], abs=1e-10)


@pytest.mark.parametrize("g", PENALTIES, ids=repr)
@pytest.mark.parametrize("logistic", [False, True])
def test_it_never_raises_the_objective_and_leaves_no_move(g: Any, logistic: bool):
    A, b = correlated(1, 25, 10)
    f: Any = ps.Logistic(A, np.where(b > 0, 1.0, -1.0)) if logistic else ps.LeastSquares(A, b)
    prob = ps.Composite(f, g)
    rng = np.random.default_rng(2)
    for _ in range(5):
        start = rng.uniform(-0.5, 0.25, size=10) * rng.integers(0, 2, size=10)
        polished = ps.polish(prob, start)
        assert polished.objective <= polished.before
        assert polished.before == prob.value(start)
        assert polished.finished
        assert polished.ladder.rung >= (R.PROX_STATIONARY if logistic else R.SWAP), (g, polished)
        again = ps.polish(prob, polished.x)
        assert again.objective <= polished.objective
        assert again.objective == pytest.approx(polished.objective, rel=1e-10)


def test_every_move_lowers_the_objective_by_what_it_says():
    A, b = correlated(3, 40, 60)
    prob = ps.ZeroNormProblem(ps.LeastSquares(A, b), 2.0)
    x = np.zeros(60)
    whole = ps.polish(prob, x)
    assert len(whole.moves) >= 3
    for move in whole.moves:
        before = prob.value(x)
        x = ps.polish(prob, x, max_moves=1).x
        assert before - prob.value(x) >= move.decrease - 1e-10 * before  # and the new solve lowers it further
    assert x == pytest.approx(whole.x, abs=1e-10)


def test_it_finds_what_enumeration_finds_more_often_than_proximal_gradient():
    """Zero-norm problems with 8 columns, from 0: how often the minimum over all supports is reached."""
    reached = {"gradient": 0, "coordinate": 0, "swap": 0, "exchange": 0}
    for seed in range(20):
        A, b = correlated(seed, 20, 8)
        prob = ps.ZeroNormProblem(ps.LeastSquares(A, b), 2.0)
        least = zero_norm_minimum(A, b, 2.0)[0] * (1 + 1e-9)
        result = ps.solve(prob, ps.ProximalGradient(step_rule=ps.Constant()))
        reached["gradient"] += result.objective <= least
        for last in ("coordinate", "swap", "exchange"):
            kinds = ("coordinate", "swap", "exchange")
            polished = ps.polish(result, moves=kinds[: kinds.index(last) + 1])
            reached[last] += polished.objective <= least
    assert reached["gradient"] < reached["coordinate"] <= reached["swap"] < reached["exchange"]
    assert reached["exchange"] >= 15


def test_the_points_of_mcp_below_the_inverse_curvature():
    """gamma = 3 below 1/L_i = 6.25: proximal gradient with short steps stops where one coordinate should move."""
    improvable = 0
    for seed in range(4):
        A, b = correlated(seed, 100, 200)
        A = 0.4 * A / np.linalg.norm(A, axis=0)
        f = ps.LeastSquares(A, b)
        g = ps.MCP.from_alpha_gamma(0.1 * float(np.abs(A.T @ b).max()), 3.0)
        result = ps.solve(ps.Composite(f, g), ps.ProximalGradient(step_rule=ps.Constant()))
        improvable += ps.certify(result)[R.COORDINATEWISE].holds is False
        polished = ps.polish(result)
        assert polished.objective <= result.objective
        assert polished.ladder.rung is R.SWAP
        small = (polished.x != 0) & (np.abs(polished.x) < g.flat_point)
        assert not small.any()  # docs/theory.md, Proposition 10.7
    assert improvable == 4


def test_rungs_of_an_exact_surrogate_are_those_of_the_zero_norm():
    A, b = correlated(5, 40, 30)
    prob = ps.ZeroNormProblem(ps.LeastSquares(A, b), 1.0)
    surrogate = prob.to_mpec(ps.phi.scad()).penalize("exact").eliminate()
    polished = ps.polish(surrogate, np.random.default_rng(0).normal(size=30))
    assert surrogate.value(polished.x) == pytest.approx(prob.value(polished.x), rel=1e-12)
    assert ps.certify(prob, polished.x).rung is R.SWAP


def test_without_a_hessian_proximal_gradient_settles():
    class Bare(ps.LeastSquares):
        hessian = None  # type: ignore[assignment]

    A, b = correlated(6, 30, 10)
    polished = ps.polish(ps.ZeroNormProblem(Bare(A, b), 1.0), np.zeros(10))
    expected = ps.polish(ps.ZeroNormProblem(ps.LeastSquares(A, b), 1.0), np.zeros(10))
    assert polished.x == pytest.approx(expected.x, abs=1e-6)
    assert polished.objective <= polished.before


def test_limits():
    A, b = correlated(3, 40, 60)
    prob = ps.ZeroNormProblem(ps.LeastSquares(A, b), 2.0)
    one = ps.polish(prob, np.zeros(60), max_moves=1)
    assert len(one.moves) == 1
    assert not one.finished
    assert "1 move; a limit came first" in str(one)
    none = ps.polish(prob, np.zeros(60), time_limit=0.0)
    assert none.moves == ()
    assert not none.finished
    assert none.objective == none.before


def test_it_takes_a_result_and_prints():
    result = ps.solve(table(), ps.ProximalGradient(), x0=np.array([0.0, 0.0, 1.5]))
    polished = ps.polish(result)
    assert polished.objective <= result.objective
    text = str(polished)
    assert text.splitlines()[0].startswith("objective ")
    assert "no further move was found" in text
    assert "swap optimal" in text


def test_torch():
    torch = pytest.importorskip("torch")
    A, b = correlated(3, 40, 60)
    expected = ps.polish(ps.ZeroNormProblem(ps.LeastSquares(A, b), 2.0), np.zeros(60))
    f = ps.LeastSquares(torch.tensor(A), torch.tensor(b))
    polished = ps.polish(ps.ZeroNormProblem(f, 2.0), torch.zeros(60, dtype=torch.float64))
    assert isinstance(polished.x, torch.Tensor)
    assert polished.x.numpy() == pytest.approx(expected.x, abs=1e-10)


def test_wrong_arguments():
    with pytest.raises(ValueError, match='moves must be among "coordinate", "swap" and "exchange"'):
        ps.polish(table(), np.zeros(3), moves=("zeroing",))
    with pytest.raises(ValueError, match="max_moves"):
        ps.polish(table(), np.zeros(3), max_moves=-1)
    with pytest.raises(ValueError, match="time_limit"):
        ps.polish(table(), np.zeros(3), time_limit=-1.0)
    with pytest.raises(ValueError, match="polish: x must have shape"):
        ps.polish(table(), np.zeros(2))
    with pytest.raises(ValueError, match="inside the domain"):
        ps.polish(ps.Composite(ps.LeastSquares(TABLE, TARGET), ps.Box(-1.0, 1.0)), np.full(3, 2.0))
    clusters = ps.ClusteringProblem(ps.LeastSquares(TABLE, TARGET), 0.5, 2)
    with pytest.raises(TypeError, match=r"separable penalty .*, but ClusteringProblem gives no terms, Cl"):
        ps.polish(clusters, np.array([0.0, 1.0, 2.0]))
    f = SimpleNamespace(value=lambda x: 0.0, grad=lambda x: 0 * x, value_and_grad=lambda x: (0.0, 0 * x), lipschitz=1.0)
    with pytest.raises(
        TypeError, match="but SimpleNamespace gives no coordinate_curvature; add what is missing, or take"
    ):
        ps.polish(ps.Composite(f, ps.L1(1.0)), np.zeros(2))


@pytest.mark.parametrize(
    ("g", "lacking"),
    [
        (ps.Group(ps.L1(1.0), np.zeros(3, dtype=int)), "Group gives no terms, Group gives no slopes"),
        (ps.Spectral(ps.L1(1.0), (3, 1)), "Spectral gives no terms, Spectral gives no slopes"),
        (ps.ZeroNormBall(2), "ZeroNormBall gives no terms, ZeroNormBall gives no slopes"),
    ],
)
def test_what_is_missing_is_named_without_its_numbers(g: Any, lacking: str):
    problem = ps.Composite(ps.LeastSquares(TABLE, TARGET), g)
    with pytest.raises(
        TypeError, match=rf", but {lacking}; add what is missing, or take certify\(problem, x\)"
    ) as error:
        ps.polish(problem, np.zeros(3))
    assert "array(" not in str(error.value)
    assert ps.certify(problem, np.zeros(3))[R.COORDINATEWISE].holds is not False  # what the message points to
