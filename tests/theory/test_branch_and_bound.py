"""Branch and bound against enumeration, fine grids and hand computations; bounds hold for a poor inner solver too."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.optimize import lsq_linear

import parsimo as ps
from parsimo.penalties import MCP, SCAD, CappedL1, Clustering, ZeroNorm, ZeroNormBox
from parsimo.theory_checks import FAMILY
from parsimo.theory_checks.oracles import branch_and_bound as module
from parsimo.theory_checks.oracles.boxes import Boxes
from parsimo.theory_checks.oracles.branch_and_bound import (
    branch_and_bound,
    global_bound,
    global_minimizers,
    near_minimizers,
)
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimizers, zero_norm_minimum_of
from parsimo.theory_checks.oracles.quadratic_models import QuadraticModels

ONE, SQUARE = ((np.full(n, -3.0), np.full(n, 3.0)) for n in (1, 2))


def least_squares(n: int, seed: int, correlation: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(2 * n, n)) + math.sqrt(correlation / (1 - correlation)) * rng.normal(size=(2 * n, 1))
    A /= np.linalg.norm(A, axis=0)
    return A, A @ (2 * rng.normal(size=n) * rng.integers(0, 2, size=n)) + 0.3 * rng.normal(size=2 * n)


def terms_of(h: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: 0.4 * h(np.abs(x))


PENALTIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "zero norm": ZeroNorm(0.4).terms,
    "capped l1": CappedL1(0.4, 1.1).terms,
    "MCP": MCP(0.4, 1.5).terms,
    "SCAD": SCAD(0.4, 2.0).terms,
    "log member": FAMILY["log"].penalty(0.4, 1.2).terms,
    "polygon": FAMILY["polygon"].penalty(0.4, 0.9).terms,
    "square root": terms_of(np.sqrt),
    "log-sum": terms_of(lambda t: np.log1p(t / 0.2)),
    "exponential": terms_of(lambda t: -np.expm1(-2 * t)),
    "jump and slope": terms_of(lambda t: np.where(t > 0, 0.5 + 0.2 * t, 0.0)),
}


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.99])
@pytest.mark.parametrize("n", [1, 4, 7])
def test_the_zero_norm_by_enumeration(n: int, correlation: float):
    for seed in range(4):
        A, b = least_squares(n, seed, correlation)
        weights = np.random.default_rng(seed).uniform(0.05, 0.5, size=n)
        for weight in (0.2, weights):
            best, minimizers = zero_norm_minimizers(A, b, weight)
            bound, points = global_minimizers(ps.ZeroNormProblem(ps.LeastSquares(A, b), weight))
            assert bound.value == pytest.approx(best, abs=1e-12)
            assert bound.lower <= best
            assert bound.gap <= 2e-8 * (1 + best)
            assert len(points) == len(minimizers)
            np.testing.assert_allclose(points[0], minimizers[0], atol=1e-6)


def test_twelve_correlated_columns():
    A, b = least_squares(12, 0, 0.9)
    problem = ps.ZeroNormProblem(ps.LeastSquares(A, b), 0.2)
    best, _ = zero_norm_minimizers(A, b, 0.2)
    bound = global_bound(problem)
    assert bound.value == pytest.approx(best, abs=1e-12)
    assert bound.gap <= 2e-9 * (1 + best)
    surrogate = global_bound(problem.to_mpec(ps.phi.scad()).penalize(0.2).eliminate())  # far from exact
    assert surrogate.gap <= 2e-9 * (1 + best)
    assert surrogate.value < best - 0.1


@pytest.mark.parametrize("name", PENALTIES)
def test_values_and_minimizers_by_a_fine_grid(name: str):
    """In two variables, on [-3, 3]^2: a grid of a million points that closes in on its best one."""
    terms = PENALTIES[name]
    for seed in range(6):
        A, b = least_squares(2, seed)
        f = ps.LeastSquares(A, b)
        bound = branch_and_bound(f, terms, SQUARE)
        least, where = grid_minimum(A, b, terms)
        assert bound.lower <= least + 1e-12
        assert bound.value <= least + 1e-9 * (1 + least)
        assert bound.value == pytest.approx(least, abs=1e-7)  # as fine as the grid is
        assert f.value(bound.x) + float(terms(bound.x).sum()) == bound.value
        assert bound.gap <= 1e-9 * (1 + least) + 1e-12
        again, points = near_minimizers(f, terms, SQUARE)
        assert again.value == pytest.approx(bound.value, abs=1e-7)
        radius = 2 * math.sqrt(2 * 1e-8 * (1 + least) / np.linalg.eigvalsh(A.T @ A)[0])
        assert np.linalg.norm(points - where, axis=1).min() <= radius + 1e-4 * (1 + np.abs(where).max())


def grid_minimum(A: np.ndarray, b: np.ndarray, terms: Callable[[np.ndarray], np.ndarray]) -> tuple[float, np.ndarray]:
    center, reach, least = np.zeros(2), 3.0, math.inf
    for _ in range(5):
        axes = [np.append(np.clip(c + reach * np.linspace(-1, 1, 801), -3, 3), [0.0, c]) for c in center]
        x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        values = ((x @ A.T - b) ** 2).sum(axis=-1) / 2 + sum(
            np.meshgrid(*(terms(np.stack([a, a], axis=-1))[:, i] for i, a in enumerate(axes)), indexing="ij")
        )
        i, j = np.unravel_index(int(values.argmin()), values.shape)
        if values[i, j] < least:
            least, center = float(values[i, j]), np.array([axes[0][i], axes[1][j]])
        reach /= 20
    return least, center


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("weight", [0.3, np.array([0.3, 0.1, 0.0, 0.7])], ids=["number", "array"])
def test_all_links_of_the_chain_agree_above_the_threshold(name: str, weight: Any):
    A, b = least_squares(4, 3)
    best, minimizers = zero_norm_minimizers(A, b, weight)
    problem = ps.ZeroNormProblem(ps.LeastSquares(A, b), weight)
    mpec = problem.to_mpec(FAMILY[name])
    penalized = mpec.penalize("exact")
    for link in (problem, mpec, penalized, penalized.eliminate()):
        bound, points = global_minimizers(link)
        assert bound.value == pytest.approx(best, abs=1e-9)
        assert bound.lower <= best + 1e-9
        np.testing.assert_allclose(points, minimizers, atol=1e-5)


def test_the_penalized_problem_is_that_of_its_w():
    """Below the threshold too: values of phi over w on one side, the conjugate on the other."""
    A, b = least_squares(5, 1)
    for member in FAMILY.values():
        penalized = ps.ZeroNormProblem(ps.LeastSquares(A, b), 0.3).to_mpec(member).penalize(0.7)
        by_search, by_formula = global_bound(penalized), global_bound(penalized.eliminate())
        assert by_search.value == pytest.approx(by_formula.value, abs=1e-8)
        assert penalized.value(by_search.x, penalized.auxiliary(by_search.x)) == pytest.approx(
            by_search.value, abs=1e-8
        )


def test_every_tie_is_found():
    """With orthogonal columns and b_i^2 / 2 equal to the weight, each coordinate may be 0 or b_i."""
    b = np.array([1.0, 3.0, -1.0, 0.2])
    problem = ps.ZeroNormProblem(ps.LeastSquares(np.eye(4), b), 0.5)
    _, points = global_minimizers(problem)
    expected = {(i, 3.0, j, 0.0) for i in (0.0, 1.0) for j in (0.0, -1.0)}
    assert {tuple(np.round(p, 6) + 0.0) for p in points} == expected
    for member in (ps.phi.mcp(), ps.phi.capped_l1(), ps.phi.log()):
        _, points = global_minimizers(problem.to_mpec(member).penalize("exact").eliminate())
        assert {tuple(np.round(p, 6) + 0.0) for p in points} == expected


def test_logistic_loss_on_a_box():
    rng = np.random.default_rng(2)
    A = rng.normal(size=(40, 5))
    f = ps.Logistic(A, np.where(A @ [2.0, 0, -1, 0, 0] + rng.normal(size=40) > 0, 1.0, -1.0))
    problem = ps.ZeroNormProblem(f, 1.0)
    best, minimizer = zero_norm_minimum_of(f, 1.0)
    assert np.abs(minimizer).max() < 5  # so that the box does not bind
    surrogate = problem.to_mpec(ps.phi.mcp()).penalize("exact").eliminate()
    for link in (problem, surrogate):
        bound = global_bound(link, radius=5.0)
        assert bound.value == pytest.approx(best, abs=1e-8)
        assert bound.gap <= 1e-8 * (1 + best)
        np.testing.assert_allclose(bound.x, minimizer, atol=1e-4)
    narrow = global_bound(problem, radius=0.1)
    assert np.abs(narrow.x).max() <= 0.1
    assert narrow.value > best


# ---- bounds are bounds


@pytest.mark.parametrize("name", PENALTIES)
def test_the_relaxation_lies_below_the_penalty(name: str):
    terms, rng = PENALTIES[name], np.random.default_rng(0)
    for _ in range(100):
        ends = np.sort(rng.normal(size=(3, 2)) * 2, axis=1)
        ends[2] = [0.0, abs(ends[2, 1])] if rng.random() < 0.5 else ends[2]
        low, high = ends.T
        boxes = Boxes(*(a[None] for a in (low, high, terms(low), terms(high), low, np.array(0.0))))
        x = low + rng.random((50, 3)) * (high - low)
        r = np.empty_like(x)
        for i in range(3):  # r_i is linear between the ends, and 0 at 0 where 0 is inside
            inside = bool(boxes.zero_inside[0, i])
            knots = [low[i], 0.0, high[i]] if inside else [low[i], high[i]]
            values = [boxes.g_low[0, i], 0.0, boxes.g_high[0, i]] if inside else [boxes.g_low[0, i], boxes.g_high[0, i]]
            r[:, i] = np.interp(x[:, i], knots, values)
            rises = np.diff(values) / np.maximum(np.diff(knots), 1e-300)
            right, left = (s[0, i] for s in boxes.slopes())
            np.testing.assert_allclose([-left, right], [rises[0], rises[-1]], rtol=1e-12)
        assert (r <= terms(x) + 1e-12).all()
        d = rng.normal(size=3)
        assert (boxes.least(d[None])[0] <= d * (x - low) + r + 1e-12).all()


@pytest.mark.parametrize("name", PENALTIES)
def test_the_pieces_of_a_cut_cover_the_box(name: str):
    terms, rng = PENALTIES[name], np.random.default_rng(1)
    jumps = np.full(3, name in ("zero norm", "jump and slope"))
    for _ in range(50):
        low, high = np.sort(rng.normal(size=(3, 2)), axis=1).T
        y = low + rng.random(3) * (high - low)
        boxes = Boxes(*(a[None] for a in (low, high, terms(low), terms(high), y, np.array(0.0))))
        pieces = boxes.split(rng.random((1, 3)), terms, jumps)
        assert 2 <= len(pieces) <= 3
        np.testing.assert_allclose(pieces.g_low, terms(pieces.low))
        np.testing.assert_allclose(pieces.g_high, terms(pieces.high))
        x = np.vstack([low + rng.random((200, 3)) * (high - low), np.clip(np.zeros(3), low, high)])
        within = ((x[:, None] >= pieces.low) & (x[:, None] <= pieces.high)).all(axis=2)
        assert within.any(axis=1).all()


@pytest.mark.parametrize("name", ["zero norm", "MCP", "square root"])
def test_the_bound_holds_for_a_poor_inner_solver(name: str, monkeypatch: pytest.MonkeyPatch):
    """Points at random in the box instead of minimizers: slower, and still right."""
    rng, terms = np.random.default_rng(0), PENALTIES[name]
    A, b = least_squares(2, 4)
    expected = branch_and_bound(ps.LeastSquares(A, b), terms, SQUARE)
    monkeypatch.setattr(
        QuadraticModels,
        "minimize",
        lambda self, boxes: boxes.low + rng.random(boxes.y.shape) * (boxes.high - boxes.low),
    )
    bound = branch_and_bound(ps.LeastSquares(A, b), terms, SQUARE, tolerance=1e-3, limit=20_000)
    assert bound.lower <= expected.value <= bound.value
    assert bound.gap <= 1e-2


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_a_search_that_is_given_up_proves_less_but_nothing_wrong(limit: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_BATCH", 1)
    A, b = least_squares(8, 0, 0.9)
    best, _ = zero_norm_minimizers(A, b, 0.05)
    problem = ps.ZeroNormProblem(ps.LeastSquares(A, b), 0.05)
    bound = global_bound(problem, limit=limit)
    assert bound.lower < best - 1e-6
    assert bound.value >= best - 1e-12
    assert f"stopped by limit with a gap of {bound.gap:.2g}, boxes looked at: {limit}" in bound.source
    with pytest.raises(RuntimeError, match=rf"near_minimizers: \d+ boxes are left after {limit}; raise the limit"):
        global_minimizers(problem, limit=limit)


def test_the_source_says_what_ended_the_search(monkeypatch: pytest.MonkeyPatch):
    A, b = least_squares(8, 0, 0.9)
    problem = ps.ZeroNormProblem(ps.LeastSquares(A, b), 0.05)
    done = global_bound(problem)
    assert f"; optimal within {done.gap:.2g}, boxes looked at: " in done.source
    assert "boxes looked at: 5" in global_bound(problem, limit=5).source  # fewer than one batch
    monkeypatch.setattr(module.time, "perf_counter", iter(range(1000)).__next__)  # one second from look to look
    timed = global_bound(problem, time_limit=3.0)
    assert "stopped by time_limit with a gap of" in timed.source
    assert timed.lower <= done.value <= timed.value
    assert global_bound(problem, radius=9.0).source.endswith("for |x_i| <= 9 alone")


# ---- a penalty with a box


@pytest.mark.parametrize("full_rank", [True, False])
@pytest.mark.parametrize("weight", [0.1, np.array([0.1, 0.0, 0.3, 0.1])], ids=["number", "array"])
@pytest.mark.parametrize(
    ("low", "high"),
    [(-0.5, 0.7), (0.0, 1.0), (np.array([-1.0, -0.2, 0.0, -3.0]), np.array([0.0, 0.4, 0.9, 3.0]))],
    ids=["about 0", "nonnegative", "arrays"],
)
def test_the_box_of_a_penalty_restricts_the_search(low: Any, high: Any, weight: Any, full_rank: bool):
    """Against bounded least squares on each support."""
    rng = np.random.default_rng(4)
    A, b = (least_squares(4, 4)) if full_rank else (rng.normal(size=(3, 4)), 2 * rng.normal(size=3))
    low_, high_, prices = (np.broadcast_to(each, 4) for each in (low, high, weight))
    best = math.inf
    for support in itertools.product((False, True), repeat=4):
        ends = np.where(support, low_, 0.0), np.where(support, high_, 0.0)
        inside = ends[0] < ends[1]
        x = np.zeros(4)
        if inside.any():
            x[inside] = lsq_linear(A[:, inside], b, (ends[0][inside], ends[1][inside]), tol=1e-14).x
        best = min(best, float(np.sum((A @ x - b) ** 2)) / 2 + float(prices[inside].sum()))
    problem = ps.Composite(ps.LeastSquares(A, b), ZeroNormBox(weight, low, high))
    bound = global_bound(problem)
    assert problem.value(bound.x) == pytest.approx(bound.value, rel=1e-12)
    assert bound.value == pytest.approx(best, abs=1e-7)
    assert bound.lower <= best + 1e-9
    assert bound.gap <= 2e-9 * (1 + best)


def test_a_box_with_an_open_end_leaves_the_level_set_or_a_radius():
    A, b = least_squares(4, 4)
    unconstrained = global_bound(ps.ZeroNormProblem(ps.LeastSquares(A, b), 0.1))
    for g in (ZeroNormBox(0.1), ZeroNormBox(0.1, -1e9, math.inf)):
        assert global_bound(ps.Composite(ps.LeastSquares(A, b), g)).value == pytest.approx(unconstrained.value)
    half = ps.Composite(ps.LeastSquares(A, b), ZeroNormBox(0.1, 0.0, math.inf))
    assert (global_bound(half).x >= 0).all()
    wide = ps.Composite(ps.LeastSquares(A[:2], b[:2]), ZeroNormBox(0.1, 0.0, math.inf))
    with pytest.raises(ValueError, match=r"global_bound: .* pass a radius"):
        global_bound(wide)
    assert (global_bound(wide, radius=0.5).x <= 0.5).all()


# ---- what is refused


@dataclass
class Saddle:
    """f(x) = x_1 x_2."""

    shape = (2,)
    lipschitz = 1.0

    def value(self, x: np.ndarray) -> float:
        return float(x[0] * x[1])

    def grad(self, x: np.ndarray) -> np.ndarray:
        return x[::-1].copy()

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), self.grad(x)


def test_what_proves_no_bound_is_refused():
    A, b = least_squares(2, 0)
    f, wide = ps.LeastSquares(A, b), ps.LeastSquares(np.ones((1, 2)), np.ones(1))
    with pytest.raises(ValueError, match=r"Saddle.* is not known to be convex"):
        global_bound(ps.ZeroNormProblem(Saddle(), 1.0), radius=1.0)
    for unbounded in (wide, ps.Logistic(A, np.array([1.0, -1.0, 1.0, -1.0]))):
        with pytest.raises(ValueError, match=r"not least squares of full column rank, .* pass a radius"):
            global_bound(ps.ZeroNormProblem(unbounded, 1.0))
    for box in ((np.ones(2), 2 * np.ones(2)), (-np.ones(2), np.array([1.0, math.inf]))):
        with pytest.raises(ValueError, match="the box must be finite and contain 0"):
            branch_and_bound(f, ZeroNorm(1.0).terms, box)
    with pytest.raises(ValueError, match="g must be 0 at 0"):
        branch_and_bound(f, lambda x: np.ones_like(x), SQUARE)
    assert global_bound(ps.ZeroNormProblem(wide, 1.0), radius=2.0).value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("terms", "what"),
    [
        (lambda x: np.asarray(Clustering(3.0, np.array([-2.0, -1.0, 0.0, 1.0, 2.0])).terms(x)), "nondecreasing"),
        (lambda x: 0.5 * x**2, "concave"),
        (lambda x: np.where(np.abs(x) > 1, np.inf, 0.0), "finite"),
    ],
)
def test_terms_that_break_the_hypothesis_are_refused(terms, what):
    """A chord above g would be no bound, and a certificate of a global minimum false."""
    rng = np.random.default_rng(0)
    f = ps.LeastSquares(rng.normal(size=(6, 2)), rng.normal(size=6))
    for unit in (1.0, 1e-12):
        with pytest.raises(ValueError, match=what):
            branch_and_bound(f, lambda x, unit=unit: unit * terms(x), (-3 * np.ones(2), 3 * np.ones(2)))


def test_the_hypothesis_is_named_with_the_bound():
    """A dip between the points of the grid is not seen: the bound rests on the property, and says so."""
    f = ps.LeastSquares(np.eye(1), np.array([2.0]))
    bound = branch_and_bound(f, lambda x: np.where(np.abs(np.abs(x) - 1.50123) < 1e-4, -5.0, np.abs(x)), ONE)
    assert bound.lower > 0 > float(f.value(np.array([1.50123]))) - 5.0
    assert bound.source.startswith("branch and bound, by convexity of f, for terms concave on either side of 0; ")


def test_problems_that_break_the_hypothesis_are_refused():
    rng = np.random.default_rng(0)
    f = ps.LeastSquares(rng.normal(size=(6, 2)), 3 * rng.normal(size=6))
    with pytest.raises(ValueError, match="g_i must be nondecreasing"):
        global_bound(ps.Composite(f, Clustering(3.0, np.array([-2.0, -1.0, 0.0, 1.0, 2.0]))), radius=4.0)
    with pytest.raises(TypeError, match="is no penalty weight"):
        global_bound(ps.Composite(f, ps.Box(-1.0, 1.0)))
    with pytest.raises(TypeError, match="needs a problem such as ZeroNormProblem"):
        global_bound(f)
    for wrong in ({"limit": math.nan}, {"limit": -1}, {"time_limit": -1.0}, {"tolerance": math.nan}, {"radius": 0.0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a finite number"):
            global_bound(ps.ZeroNormProblem(f, 1.0), **wrong)


def test_a_function_without_a_shape_is_refused_by_name():
    class Shapeless(Saddle):
        convex = True
        shape = property()  # type: ignore[assignment]

    with pytest.raises(TypeError, match=r"global_bound: f=.* tells no shape of x; give it an attribute shape"):
        global_bound(ps.ZeroNormProblem(Shapeless(), 1.0), radius=1.0)
