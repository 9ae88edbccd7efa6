"""The penalties made of others: the spread of fixed clusters, and separable sums."""

from __future__ import annotations

import math
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from penalty_cases import LIBRARIES

from parsimo._array import array_namespace, to_numpy
from parsimo.penalties import L1, MCP, Box, Group, SeparableSum, WithRidge, ZeroNorm
from parsimo.penalties.cluster_spread import ClusterSpread

DISTANCES = ("absolute", "squared")


def random_spread(seed: int, distance: Any) -> tuple[ClusterSpread, np.ndarray, np.ndarray]:
    """A penalty with empty clusters and pinned ones, a point with repeated values, and a gradient."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    codes = rng.integers(0, 4, size=n)
    pinned = (int(rng.integers(0, 4)), 0.25) if seed % 2 else None
    x = rng.normal(size=n) if seed % 3 else rng.integers(-2, 3, size=n) / 4
    return ClusterSpread(float(10 ** rng.uniform(-1, 1)), codes, distance, pinned), x, rng.normal(size=n) * 3


def written_out(g: ClusterSpread, x: np.ndarray) -> float:
    total = 0.0
    for code in set(g.codes.tolist()):
        members = x[g.codes == code]
        if g.pinned is not None and g.pinned[0] == code:
            center = g.pinned[1]
        else:
            center = float(np.median(members) if g.distance == "absolute" else np.mean(members))
        d = np.abs(members - center)
        total += float(np.sum(d if g.distance == "absolute" else d**2 / 2))
    return g.weight * total


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("seed", range(30))
def test_value_of_a_spread(seed: int, distance: str):
    g, x, _ = random_spread(seed, distance)
    assert g.value(x) == pytest.approx(written_out(g, x), rel=1e-12, abs=1e-14)


def least_by_cvxpy(g: ClusterSpread, v: np.ndarray, step_size: float) -> float:
    """min over x and representatives c of weight * sum r(|x_i - c(i)|) + |x - v|^2 / (2 step_size)."""
    x, centers = cp.Variable(v.size), cp.Variable(int(g.codes.max()) + 1)
    apart = x - centers[g.codes]
    spread = cp.norm1(apart) if g.distance == "absolute" else cp.sum_squares(apart) / 2
    constraints = [] if g.pinned is None or g.pinned[0] > g.codes.max() else [centers[g.pinned[0]] == g.pinned[1]]
    objective = cp.Minimize(g.weight * spread + cp.sum_squares(x - v) / (2 * step_size))
    return float(cp.Problem(objective, constraints).solve(solver=cp.CLARABEL))


def test_the_convex_solver_against_a_hand_computation():
    """Half of the weight each way: for v = (0, 2), step 1 and weight 1/2, x = (1/2, 3/2)."""
    v, codes = np.array([0.0, 2.0]), np.array([0, 0])
    assert least_by_cvxpy(ClusterSpread(0.5, codes, "absolute"), v, 1.0) == pytest.approx(0.75, abs=1e-6)
    assert least_by_cvxpy(ClusterSpread(1.0, codes, "squared", (0, 0.0)), v, 1.0) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("seed", range(15))
def test_prox_of_a_spread_is_the_joint_minimum(seed: int, distance: str):
    g, _, v = random_spread(seed, distance)
    for step_size in (0.05, 0.7, 20.0):
        x = g.prox(v, step_size)
        objective = g.value(x) + float(np.sum((x - v) ** 2)) / (2 * step_size)
        least = least_by_cvxpy(g, v, step_size)
        assert objective <= least + 1e-6 * (1 + abs(least))
        assert objective >= least - 1e-6 * (1 + abs(least))
        # the definition of a convex prox: (v - x) / t is a subgradient at x
        assert g.subdiff_distance(x, (x - v) / step_size) <= 1e-9 * (1 + np.abs(v).max() / step_size)


@pytest.mark.parametrize("distance", DISTANCES)
def test_prox_of_a_spread_has_no_better_neighbour(distance: str):
    rng = np.random.default_rng(0)
    for seed in range(20):
        g, _, v = random_spread(seed, distance)
        x = g.prox(v, 0.7)
        objective = g.value(x) + float(np.sum((x - v) ** 2)) / 1.4
        for scale in (1e-6, 1e-3, 1e-1):
            near = x + scale * rng.normal(size=(20, x.size))
            assert min(g.value(y) + float(np.sum((y - v) ** 2)) / 1.4 for y in near) >= objective - 1e-12


def distance_by_definition(g: ClusterSpread, x: np.ndarray, grad: np.ndarray) -> float:
    """dist(-grad, subdifferential), as a quadratic programme over the subgradients s of (docs/theory.md, 5.3)."""
    s = cp.Variable(x.size)
    constraints: list[Any] = []
    for code in set(g.codes.tolist()):
        members = np.flatnonzero(g.codes == code)
        pinned = g.pinned is not None and g.pinned[0] == code
        center = g.pinned[1] if pinned else np.sort(x[members])[(members.size - 1) // 2]  # type: ignore[index]
        for i in members:
            constraints += [s[i] == np.sign(x[i] - center)] if x[i] != center else [cp.abs(s[i]) <= 1]
        if not pinned:
            constraints.append(cp.sum(s[members]) == 0)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(grad + g.weight * s)), constraints)
    return math.sqrt(max(float(problem.solve(solver=cp.CLARABEL)), 0.0))


@pytest.mark.parametrize("seed", range(20))
def test_subdifferential_of_absolute_spreads(seed: int):
    g, x, grad = random_spread(seed, "absolute")
    assert g.subdiff_distance(x, grad) == pytest.approx(distance_by_definition(g, x, grad), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_gradient_of_squared_spreads(seed: int):
    g, x, grad = random_spread(seed, "squared")
    e, h = np.eye(x.size), 1e-5
    slope = np.array([(written_out(g, x + h * d) - written_out(g, x - h * d)) / (2 * h) for d in e])
    assert g.subdiff_distance(x, grad) == pytest.approx(float(np.linalg.norm(grad + slope)), abs=1e-7)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spreads_keep_library_and_dtype(library: str, distance: Any, dtype: Any):
    points = np.array([0.0, 0.1, 2.0, 2.2, -1.0]).astype(dtype)
    g, v = ClusterSpread(0.3, np.array([0, 0, 1, 1, 3]), distance, (3, 0.0)), LIBRARIES[library](points)
    x = g.prox(v, 0.5)
    assert array_namespace(x) is array_namespace(v)
    assert x.dtype == v.dtype
    np.testing.assert_allclose(to_numpy(x), g.prox(points.astype(np.float64), 0.5), atol=1e-6)
    np.testing.assert_array_equal(to_numpy(v), points)


def test_a_spread_of_weight_zero_is_free():
    for distance in DISTANCES:
        g = ClusterSpread(0.0, np.array([0, 0, 1]), distance)  # type: ignore[arg-type]
        v = np.array([1.0, 2.0, 3.0])
        np.testing.assert_array_equal(g.prox(v, 1.0), v)
        assert g.subdiff_distance(v, np.array([3.0, 4.0, 0.0])) == 5.0


BLOCKS = SeparableSum([slice(0, 2), np.array([4, 3])], [ZeroNorm(0.5), MCP(np.array([1.0, 2.0]), 1.0)])
Y = np.array([0.5, 3.0, -7.0, 0.9, -1.1, 5.0])


def test_a_separable_sum_is_the_sum_over_its_blocks():
    assert BLOCKS.value(Y) == 1.0 + MCP(1.0, 1.0).value(Y[4:5]) + MCP(2.0, 1.0).value(Y[3:4])
    x = BLOCKS.prox(Y, 1.0)
    np.testing.assert_array_equal(x[:2], ZeroNorm(0.5).prox(Y[:2], 1.0))
    assert x[4] == MCP(1.0, 1.0).prox(Y[4:5], 1.0)[0]
    assert x[3] == MCP(2.0, 1.0).prox(Y[3:4], 1.0)[0]
    assert (x[2], x[5]) == (-7.0, 5.0)
    np.testing.assert_array_equal(Y, [0.5, 3.0, -7.0, 0.9, -1.1, 5.0])


def test_a_separable_sum_takes_steps_of_each_coordinate():
    steps = np.array([0.01, 100.0, 1.0, 0.2, 0.3, 1.0])
    x = BLOCKS.prox(Y, steps)
    np.testing.assert_array_equal(x[:2], ZeroNorm(0.5).prox(Y[:2], steps[:2]))
    np.testing.assert_array_equal(x[[4, 3]], MCP(np.array([1.0, 2.0]), 1.0).prox(Y[[4, 3]], steps[[4, 3]]))


def test_subdifferentials_of_a_separable_sum_add_up_in_squares():
    grad = np.arange(1.0, 7.0)
    squares = ZeroNorm(0.5).subdiff_distance(Y[:2], grad[:2]) ** 2
    squares += MCP(np.array([1.0, 2.0]), 1.0).subdiff_distance(Y[[4, 3]], grad[[4, 3]]) ** 2
    assert BLOCKS.subdiff_distance(Y, grad) == pytest.approx(math.sqrt(squares + 3.0**2 + 6.0**2), rel=1e-14)
    np.testing.assert_array_equal(grad, np.arange(1.0, 7.0))


def test_traits_of_a_separable_sum_are_the_weakest():
    convex = SeparableSum([slice(0, 1), slice(1, 2)], [L1(2.0), Box(0.0, 1.0)]).traits
    assert convex.convex
    assert convex.lipschitz == math.inf
    mixed = SeparableSum([slice(0, 1), slice(1, 2)], [L1(2.0), MCP(1.0, 1.0)]).traits
    assert not mixed.convex
    assert (mixed.weak_convexity, mixed.lipschitz) == (2.0, 2.0)
    assert SeparableSum([], []).prox(Y, 1.0) is not Y
    assert SeparableSum([], []).value(Y) == 0.0


def test_blocks_that_share_a_coordinate_are_refused():
    x = np.array([1.5, 3.0, 3.0])
    for indices, shared in (
        ([slice(0, 2), slice(1, 3)], "coordinate 1 is in 2"),
        ([slice(None), np.array([2])], "coordinate 2 is in 2"),
        ([slice(0, 1), np.array([1, 1])], "coordinate 1 is in 2"),
        ([slice(-1, None), np.array([-1])], "coordinate 2 is in 2"),
    ):
        g = SeparableSum(indices, [L1(1.0), L1(1.0)])
        for call in (
            lambda g=g: g.prox(x, 1.0),
            lambda g=g: g.value(x),
            lambda g=g: g.terms(x),
            lambda g=g: g.slopes(x),
            lambda g=g: g.subdiff_distance(x, x),
            lambda g=g: g.descent_rate(x, x),
        ):
            with pytest.raises(ValueError, match=f"SeparableSum: blocks must be disjoint, but {shared}"):
                call()
    assert SeparableSum([slice(0, 1), slice(1, 3)], [L1(1.0), L1(1.0)]).value(x) == 7.5


def test_terms_and_slopes_of_a_separable_sum():
    terms = BLOCKS.terms(Y)
    assert float(np.sum(terms)) == pytest.approx(BLOCKS.value(Y), rel=1e-14)
    np.testing.assert_array_equal(terms[[2, 5]], 0.0)
    np.testing.assert_array_equal(terms[[4, 3]], MCP(np.array([1.0, 2.0]), 1.0).terms(Y[[4, 3]]))
    for side, block in zip(BLOCKS.slopes(Y), MCP(np.array([1.0, 2.0]), 1.0).slopes(Y[[4, 3]]), strict=True):
        np.testing.assert_array_equal(side[[4, 3]], block)
        np.testing.assert_array_equal(side[[2, 5]], 0.0)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_separable_sum_keeps_library_and_dtype(library: str, dtype: Any):
    y = LIBRARIES[library](Y.astype(dtype))
    left, right = BLOCKS.slopes(y)
    for ours, of_numpy in (
        (BLOCKS.prox(y, 0.5), BLOCKS.prox(Y, 0.5)),
        (BLOCKS.terms(y), BLOCKS.terms(Y)),
        (left, BLOCKS.slopes(Y)[0]),
        (right, BLOCKS.slopes(Y)[1]),
    ):
        assert array_namespace(ours) is array_namespace(y)
        assert ours.dtype == y.dtype
        np.testing.assert_allclose(to_numpy(ours), of_numpy, rtol=1e-6)


def test_a_separable_sum_offers_what_all_blocks_do():
    """And says which block does not: the moves of `certify` and `polish` ask by hasattr."""
    for name in ("terms", "slopes", "subdiff_distance", "descent_rate"):
        assert hasattr(BLOCKS, name)
        assert hasattr(WithRidge(BLOCKS, 0.5), name)
    grouped = SeparableSum([slice(0, 2), slice(2, 4)], [L1(1.0), Group(L1(1.0), np.array([0, 0]))])
    spread = SeparableSum([slice(0, 3)], [ClusterSpread(1.0, np.array([0, 0, 1]), "absolute")])
    assert not hasattr(grouped, "terms")
    assert not hasattr(grouped, "slopes")
    assert hasattr(grouped, "descent_rate")
    assert not hasattr(spread, "descent_rate")
    assert hasattr(spread, "subdiff_distance")
    with pytest.raises(AttributeError, match="has no terms, because Group has none"):
        grouped.terms(Y[:4])
    for absent in ("sublevel_radius", "prox_set"):  # of how many free coordinates there are, nothing is known
        assert not hasattr(BLOCKS, absent)
