"""From the zero-norm problem to the surrogate and back: every link keeps what it promises."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import parsimo as ps
from parsimo.penalties import L1, MCP
from parsimo.problems.mpec import zero_where_better
from parsimo.problems.surrogate import surrogate_gap
from parsimo.theory_checks import FAMILY
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimum

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(12, 5)), RNG.normal(size=12) * 3
LABELS = np.where(RNG.random(12) < 0.5, -1.0, 1.0)
X = np.array([0.0, 0.7, -0.02, 1.5, -0.0])
WEIGHTS = (0.4, np.array([0.4, 0.1, 0.0, 1.0, 0.3]))
ZERO_NORM = ps.ZeroNormProblem(ps.LeastSquares(A, B), 0.4)


def result_of(problem: Any, x: np.ndarray) -> Any:
    """What `solve` would return if it had stopped at x."""
    return ps.Result(x, ps.Status.MAX_ITERATIONS, 1.0, 1, 0.0, ps.History(), 0.0, problem=problem)


def phi_at(member: Any, w: np.ndarray) -> np.ndarray:
    return np.array([float(member.value(np.array([wi]))[0]) for wi in w])


@pytest.mark.parametrize("weight", WEIGHTS, ids=["number", "array"])
@pytest.mark.parametrize("name", FAMILY)
def test_values_are_as_written(name: str, weight: Any):
    member, f = FAMILY[name], ps.LeastSquares(A, B)
    problem = ps.ZeroNormProblem(f, weight)
    mpec = problem.to_mpec(member)
    penalized = mpec.penalize(1.3)
    w = RNG.random(5)
    squares = float(np.sum((A @ X - B) ** 2)) / 2
    prices = np.broadcast_to(weight, 5)
    assert problem.value(X) == pytest.approx(squares + float(prices[[1, 2, 3]].sum()), rel=1e-13)
    assert mpec.value(X, w) == pytest.approx(squares + float(prices @ phi_at(member, w)), rel=1e-12)
    assert mpec.complementarity(X, w) == pytest.approx(float((1 - w) @ np.abs(X)), rel=1e-13)
    expected = squares + float(prices @ (phi_at(member, w) + 1.3 * (1 - w) * np.abs(X)))
    assert penalized.value(X, w) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weight", WEIGHTS, ids=["number", "array"])
@pytest.mark.parametrize("name", FAMILY)
def test_lifting_attains_the_zero_norm(name: str, weight: Any):
    problem = ps.ZeroNormProblem(ps.LeastSquares(A, B), weight)
    mpec = problem.to_mpec(FAMILY[name])
    w = mpec.lift(X)
    assert mpec.complementarity(X, w) == 0
    assert ((w >= 0) & (w <= 1)).all()
    assert mpec.value(X, w) == pytest.approx(problem.value(X), rel=1e-9)
    for _ in range(50):  # no feasible w does better
        other = np.where(X != 0, 1.0, RNG.random(5))
        assert mpec.value(X, other) >= problem.value(X) - 1e-9


@pytest.mark.parametrize("weight", WEIGHTS, ids=["number", "array"])
@pytest.mark.parametrize("rho", [0.2, 1.3, 40.0])
@pytest.mark.parametrize("name", FAMILY)
def test_eliminating_is_minimizing_over_w(name: str, rho: float, weight: Any):
    member = FAMILY[name]
    penalized = ps.ZeroNormProblem(ps.LeastSquares(A, B), weight).to_mpec(member).penalize(rho)
    surrogate = penalized.eliminate()
    grid = np.linspace(0, 1, 4001)
    terms = member.value(grid) + rho * (1 - grid) * np.abs(X)[:, None]
    expected = penalized.f.value(X) + float(np.broadcast_to(weight, 5) @ terms.min(axis=1))
    assert surrogate.value(X) == pytest.approx(expected, rel=1e-6)
    assert surrogate.value(X) <= expected + 1e-12
    w = surrogate.auxiliary(X)
    assert penalized.value(X, w) == pytest.approx(surrogate.value(X), rel=1e-9)
    assert penalized.value(X) == penalized.value(X, w)
    np.testing.assert_array_equal(penalized.auxiliary(X), w)
    assert surrogate.value(X) <= ps.ZeroNormProblem(penalized.f, weight).value(X) + 1e-12


def test_given_w_the_penalty_is_a_weighted_l1_norm():
    penalized = ZERO_NORM.to_mpec(ps.phi.mcp()).penalize(1.3)
    w = RNG.random(5)
    g = penalized.given(w)
    assert isinstance(g, L1)
    constant = 0.4 * float(np.sum(penalized.phi.value(w)))
    assert penalized.f.value(X) + g.value(X) + constant == pytest.approx(penalized.value(X, w), rel=1e-13)


def test_the_prox_is_that_of_the_surrogate_with_its_w():
    penalized = ZERO_NORM.to_mpec(ps.phi.mcp()).penalize(1.3)
    x, w = penalized.prox(X, 0.5)
    np.testing.assert_array_equal(x, penalized.eliminate().g.prox(X, 0.5))
    np.testing.assert_array_equal(w, penalized.auxiliary(x))
    x, u = penalized.eliminate().prox(X, 0.5, "untouched")
    assert u == "untouched"


def test_the_certificate_of_the_surrogate_is_that_of_its_penalty():
    surrogate = ZERO_NORM.to_mpec(ps.phi.mcp()).penalize(1.3).eliminate()
    for _ in range(20):
        x = RNG.normal(size=5) * RNG.integers(0, 2, size=5)
        expected = surrogate.g.subdiff_distance(x, surrogate.f.grad(x))
        assert ps.certificate(surrogate, x) == pytest.approx(expected, rel=1e-9)


# penalize -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILY)
def test_exact_takes_a_thousandth_above_the_threshold(name: str):
    """Theorem 3.3, with the columns' norms as curvatures; Theorem 3.1 too where f is Lipschitz."""
    member = FAMILY[name]
    exactness = ZERO_NORM.to_mpec(member).penalize("exact").exactness
    curvature = (A**2).sum(axis=0).max()
    expected = member.slope_at_one * np.sqrt(curvature / (member.curvature_margin * 0.4))
    assert exactness.threshold == pytest.approx(expected, rel=1e-12)
    assert exactness.rho == pytest.approx(1.001 * expected, rel=1e-12)
    assert exactness.flat_point == pytest.approx(member.slope_at_one / exactness.rho, rel=1e-12)
    assert exactness.exact
    assert str(exactness).startswith(f"exact: rho = {exactness.rho:.6g} > {expected:.6g}, Theorem 3.3 (curvature)")

    logistic = ps.ZeroNormProblem(ps.Logistic(A, LABELS), 0.4).to_mpec(member).penalize("exact").exactness
    by_slope = member.slope_at_one * np.abs(A).sum(axis=0).max() / 0.4
    by_curvature = member.slope_at_one * np.sqrt(curvature / 4 / (member.curvature_margin * 0.4))
    assert logistic.threshold == pytest.approx(min(by_slope, by_curvature), rel=1e-12)
    assert ("Theorem 3.1" in logistic.statement) == (by_slope < by_curvature)


def test_each_coordinate_counts_with_its_own_weight():
    f = SimpleNamespace(
        value=None, grad=None, value_and_grad=None, lipschitz=1.0, coordinate_lipschitz=np.array([5.0, 1.0, 2.0])
    )
    problem = ps.ZeroNormProblem(f, np.array([0.0, 1.0, 4.0]))  # the first is free, the others ask for 1 and 1/2
    assert problem.to_mpec(ps.phi.capped_l1()).penalize("exact").exactness.threshold == 1.0
    free = ps.ZeroNormProblem(f, 0.0).to_mpec(ps.phi.capped_l1()).penalize("exact").exactness
    assert free.threshold == 0.0
    assert free.exact


def test_a_rho_below_the_threshold_is_allowed_and_says_so():
    mpec = ZERO_NORM.to_mpec(ps.phi.mcp())
    threshold = mpec.penalize("exact").exactness.threshold
    below, at, above = (mpec.penalize(factor * threshold) for factor in (0.5, 1.0, 1.0001))
    assert str(below.exactness).startswith(f"not exact: rho = {threshold / 2:.6g} <= {threshold:.6g}, Theorem 3.3")
    assert not at.exactness.exact
    assert above.exactness.exact
    assert below.notes == below.eliminate().notes == (str(below.exactness),)


class Bowl:
    """f(x) = |x|^2 / 2, about which nothing is known."""

    lipschitz = None

    def value(self, x: np.ndarray) -> float:
        return float(x @ x) / 2

    def grad(self, x: np.ndarray) -> np.ndarray:
        return x

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), x


def test_without_constants_nothing_is_proven():
    mpec = ps.ZeroNormProblem(Bowl(), 1.0).to_mpec(ps.phi.mcp())
    exactness = mpec.penalize(3.0).exactness
    assert exactness.threshold is None
    assert not exactness.exact
    assert str(exactness) == (
        "not proven exact: rho = 3; f gives neither a coordinatewise Lipschitz constant nor a curvature bound"
    )
    with pytest.raises(ValueError, match=r'penalize\(rho="exact"\): .*no theorem yields a threshold; pass a number'):
        mpec.penalize("exact")


@pytest.mark.parametrize("rho", [0.0, -1.0, np.nan, np.inf])
def test_rho_is_positive(rho: float):
    for f in (Bowl(), ps.LeastSquares(A, B)):
        with pytest.raises(ValueError, match="penalize: rho must be a finite number > 0"):
            ps.ZeroNormProblem(f, 1.0).to_mpec(ps.phi.mcp()).penalize(rho)
        for wrong in ("exakt", None):
            with pytest.raises(
                TypeError, match=f'penalize: rho must be a finite number > 0, or "exact", got {wrong!r}'
            ):
                ps.ZeroNormProblem(f, 1.0).to_mpec(ps.phi.mcp()).penalize(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"penalize: rho must be one number, got shape \(2,\)"):
            ps.ZeroNormProblem(f, 1.0).to_mpec(ps.phi.mcp()).penalize(np.array([1.0, 2.0]))  # type: ignore[arg-type]


# exactness, end to end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILY)
def test_the_surrogate_is_no_lower_than_the_zero_norm_minimum(name: str):
    """By enumeration of all supports: nothing is below the global minimum, and its point has surrogate gap 0."""
    best, x = zero_norm_minimum(A, B, 0.4)
    surrogate = ZERO_NORM.to_mpec(FAMILY[name]).penalize("exact").eliminate()
    assert surrogate.value(x) == pytest.approx(best, rel=1e-12)
    assert surrogate.describe(x)["surrogate gap"] == 0
    for _ in range(200):
        assert surrogate.value(x * RNG.normal(1, 0.3, size=5) + RNG.normal(0, 0.05, size=5)) >= best - 1e-9
    small = np.abs(x[x != 0]).min()
    assert small >= np.sqrt(2 * 0.4 / (A**2).sum(axis=0).max()) - 1e-12  # Proposition 3.4


def test_a_gap_below_rounding_is_none():
    h = ps.CappedL1(1.0, 1.0)
    for short, nonzeros, shown in ((1.5e-12, 1, True), (1.5e-12, 2, False), (0.5e-12, 1, False), (3e-12, 2, True)):
        x = np.array([1.0 - short, *np.ones(nonzeros - 1), 0.0])
        assert surrogate_gap(1.0, h, x) == (pytest.approx(short, rel=1e-3) if shown else 0.0)
    assert surrogate_gap(1e-3, ps.CappedL1(1e-3, 1.0), np.array([1.0 - 0.5e-9])) == 0.0  # 1e-12 at least


# recover --------------------------------------------------------------------------------------------------------------


def test_recover_leads_back_along_its_own_chain():
    penalized = ZERO_NORM.to_mpec(ps.phi.mcp()).penalize("exact")
    x = np.array([1e-9, 1.0, 0.0, -2.0, 0.0])
    for link in (penalized, penalized.eliminate()):
        recovery = ZERO_NORM.recover(result_of(link, x))
        assert recovery.x[0] == 0
        assert recovery.zeroed == 1
        assert recovery.nonzeros == 2
        assert recovery.objective == ZERO_NORM.value(recovery.x)
        assert recovery.surrogate_gap == 0
        grad = ZERO_NORM.f.grad(recovery.x)
        assert recovery.certificate == pytest.approx(np.linalg.norm(grad[[1, 3]]))
        assert recovery.exactness is penalized.exactness
        lines = str(recovery).split("\n")
        assert lines[0] == f"zero-norm problem: objective {recovery.objective:.10g}, |x|_0 = 2"
        assert [line.split(" ")[0] for line in lines[1:4]] == ["certificate", "natural", "surrogate"]
        assert lines[3].endswith(", 1 coordinates zeroed by the zeroing test")
        assert "\n".join(lines[4:]) == str(penalized.exactness)
    assert x[0] == 1e-9  # the result is not written to


def test_recover_of_the_problem_itself():
    recovery = ZERO_NORM.recover(result_of(ZERO_NORM, X))
    np.testing.assert_array_equal(recovery.x, X)
    assert (recovery.zeroed, recovery.exactness, recovery.surrogate_gap) == (0, None, 0.0)
    L = ZERO_NORM.f.lipschitz
    forward = X - ZERO_NORM.f.grad(X) / L
    expected = L * np.linalg.norm(X - ZERO_NORM.g.prox(forward, 1 / L))
    assert recovery.natural_residual == pytest.approx(expected, rel=1e-12)


def test_recover_refuses_a_stranger():
    other = ps.ZeroNormProblem(ps.LeastSquares(A, B), 0.4)  # equal, but another object
    for link in (other, other.to_mpec(ps.phi.mcp()).penalize(1.0), ps.Composite(other.f, MCP(1.0, 1.0))):
        with pytest.raises(ValueError, match=r"recover: the result is of a \w+ that was not derived from this problem"):
            ZERO_NORM.recover(result_of(link, X))


def test_no_lipschitz_constant_no_natural_residual():
    problem = ps.ZeroNormProblem(Bowl(), 1.0)
    recovery = problem.recover(result_of(problem, X))
    assert recovery.natural_residual is None
    assert "natural residual" not in str(recovery)


def test_the_zeroing_test_by_hand():
    """f(t) = (t - b)^2 / 2 with MCP: zero wins at b = 0.5, the small point at b = 1.5 (docs/theory.md, 3.5)."""
    for b, expected in ((0.5, 0.0), (1.5, 15 / 14)):
        problem = ps.ZeroNormProblem(ps.LeastSquares(np.eye(1), np.array([b])), 1.0)
        surrogate = problem.to_mpec(ps.phi.mcp()).penalize(2 / 3).eliminate()
        x, zeroed = zero_where_better(surrogate, np.array([15 / 14]))
        assert x[0] == expected
        assert zeroed == (expected == 0)


def test_zeroing_works_in_torch():
    problem = ps.ZeroNormProblem(ps.LeastSquares(torch.from_numpy(A), torch.from_numpy(B)), 0.4)
    penalized = problem.to_mpec(ps.phi.mcp()).penalize("exact")
    x = torch.tensor([1e-9, 1.0, 0.0, -2.0, 0.0], dtype=torch.float64)
    recovery = problem.recover(result_of(penalized, x))
    assert isinstance(recovery.x, torch.Tensor)
    assert recovery.x[0] == 0
    assert x[0] == 1e-9


def test_describe_tells_support_complementarity_and_gap():
    penalized = ZERO_NORM.to_mpec(ps.phi.capped_l1()).penalize(1.0)  # flat from 1 on
    x = np.array([0.0, 0.5, -0.5, 2.0, 0.0])
    figures = penalized.describe(x)
    assert figures["|x|_0"] == 3
    assert figures["complementarity"] == pytest.approx(1.0)  # w = 0 where |x| <= 1
    assert figures["surrogate gap"] == pytest.approx(0.4)
    assert penalized.eliminate().describe(x) == {k: figures[k] for k in ("|x|_0", "surrogate gap")}
