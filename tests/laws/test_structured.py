"""Group and spectral penalties, and at most k nonzeros: laws against the definitions, for every scalar penalty."""

from __future__ import annotations

import inspect
import itertools
import math
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from penalty_cases import LIBRARIES
from structured_cases import (
    CASES,
    FACTORS,
    LABELS,
    SCALARS,
    SHAPE,
    charts,
    group,
    least_found,
    prox_objective,
    search,
    spectral,
    values,
)

from parsimo._array import array_namespace, device_of, to_numpy
from parsimo.penalties import L1, MCP, REGISTRY, CappedL1, Group, Spectral, ZeroNorm, ZeroNormBall
from parsimo.penalties.even import EvenPenalty
from parsimo.theory_checks.subjects import STRUCTURED

V = np.array([0.9, -1.7, 0.4, 1.2])
STEPS = (0.05, 0.4, 1.0, 6.0)

each = pytest.mark.parametrize("name", CASES)
each_scalar = pytest.mark.parametrize("name", SCALARS)
each_library = pytest.mark.parametrize("library", LIBRARIES)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def draw(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """An input about the flat points and thresholds of the cases, and a step of any regime."""
    return rng.normal(size=4) * rng.choice([0.3, 1.0, 3.0]), float(10 ** rng.uniform(-1.5, 1.5))


# ---- which penalties the laws run over


def test_every_scalar_penalty_is_lifted():
    even = {cls for cls in REGISTRY if issubclass(cls, EvenPenalty)}
    assert even <= {type(make(1.0)) for make in SCALARS.values()}
    assert len(even) >= 5


def test_the_subjects_of_the_checks_hold_every_kind():
    assert {type(g) for g, _ in STRUCTURED.values()} == {Group, Spectral, ZeroNormBall}
    for g, shape in STRUCTURED.values():
        assert tuple(g.prox(np.ones(shape), 1.0).shape) == shape


# ---- prox


@each
def test_no_point_is_better_than_the_prox(name: str):
    """What the search finds is as good as the prox, and no better: so the search would see a better one."""
    rng, g = generator(), CASES[name]()
    for _ in range(3):
        v, step_size = draw(rng)
        returned = float(prox_objective(g, v, step_size)(g.prox(v, step_size)[None])[0])
        assert least_found(g, v, step_size, rng) == pytest.approx(returned, rel=1e-7, abs=1e-7)


def one_by_one(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    return L1(0.7).prox(v, step_size)  # coordinates shrunk, not groups


def half_threshold(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    U, s, Wt = np.linalg.svd(v.reshape(self.shape))
    return ((U * np.where(s * s > step_size * 0.7, s, 0.0)) @ Wt).reshape(-1)  # the 2 of sqrt(2 tau) forgotten


def smallest_kept(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    return np.where(np.argsort(np.argsort(np.abs(v))) < self.k, v, 0.0)


@pytest.mark.parametrize(
    ("g", "fault"),
    [(group("L1"), one_by_one), (spectral("ZeroNorm"), half_threshold), (ZeroNormBall(2), smallest_kept)],
)
def test_the_search_sees_a_wrong_prox(g: Any, fault: Any):
    rng, worst = generator(), 0.0
    for _ in range(20):
        v, step_size = draw(rng)
        returned = float(prox_objective(g, v, step_size)(fault(g, v, step_size)[None])[0])
        worst = max(worst, returned - least_found(g, v, step_size, rng))
    assert worst > 1e-2


@each_scalar
@pytest.mark.parametrize("m_by_n", [(1, 3), (3, 1)])
def test_a_matrix_of_one_row_or_column_is_one_group(name: str, m_by_n: tuple[int, int]):
    v, flat = np.array([0.5, -0.9, 1.1]), Group(SCALARS[name](0.7), np.zeros(3, dtype=int))
    for step_size in STEPS:
        x = spectral(name, shape=m_by_n).prox(v, step_size)
        np.testing.assert_allclose(x, flat.prox(v, step_size), atol=1e-7)


def test_groups_of_zero_norm_by_comparison_of_all_supports():
    rng = generator()
    for _ in range(30):
        v, step_size = rng.normal(size=8), float(10 ** rng.uniform(-1, 1))
        labels, factors = np.array([0, 1, 2, 2, 1, 3, -1, 0]), rng.uniform(0, 2, size=4)
        squares = np.array([np.sum(v[labels == j] ** 2) for j in range(4)])
        costs = {
            kept: 0.5 * sum(factors[j] for j in kept)
            + sum(squares[j] for j in range(4) if j not in kept) / (2 * step_size)
            for size in range(5)
            for kept in itertools.combinations(range(4), size)
        }
        kept = min(costs, key=costs.__getitem__)
        expected = np.where(np.isin(labels, (*kept, -1)), v, 0.0)
        x = Group(ZeroNorm(0.5), labels, factors).prox(v, step_size)
        np.testing.assert_allclose(x, expected, rtol=1e-14)


@pytest.mark.parametrize("k", range(6))
def test_at_most_k_by_comparison_of_all_supports(k: int):
    rng = generator()
    for trial in range(20):
        v = rng.integers(-3, 4, size=5) / 2 if trial % 2 else rng.normal(size=5)
        steps = np.ones(5) if trial % 3 else rng.uniform(0.1, 3, size=5)
        points = {
            tuple(np.where(np.isin(range(5), kept), v, 0.0) + 0.0)
            for kept in itertools.combinations(range(5), min(k, 5))
        }
        costs = {x: float(np.sum((np.array(x) - v) ** 2 / (2 * steps))) for x in points}
        best = {x for x, cost in costs.items() if cost <= min(costs.values()) + 1e-12}
        listed = {tuple(x) for x in ZeroNormBall(k).prox_set(v, steps)}
        assert listed == best
        assert tuple(ZeroNormBall(k).prox(v, steps)) in best


def test_ties_of_at_most_k_go_to_the_lower_index():
    v = np.array([1.0, -2.0, 2.0, -1.0, 2.0])
    np.testing.assert_array_equal(ZeroNormBall(2).prox(v, 1.0), [0.0, -2.0, 2.0, 0.0, 0.0])
    np.testing.assert_array_equal(ZeroNormBall(4).prox(v, 1.0), [1.0, -2.0, 2.0, 0.0, 2.0])


@pytest.mark.parametrize("step_size", [0.2, 1.5])
def test_group_lasso_against_a_convex_solver(step_size: float):
    rng = generator()
    for _ in range(3):
        v, x = rng.normal(size=7), cp.Variable(7)
        labels, factors = np.array([0, 1, -1, 1, 2, 0, 1]), np.array([0.3, 1.0, 2.0])
        penalty = sum(0.8 * factors[j] * cp.norm(x[np.flatnonzero(labels == j)]) for j in range(3))
        objective = cp.Minimize(penalty + cp.sum_squares(x - v) / (2 * step_size))
        cp.Problem(objective).solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
        np.testing.assert_allclose(Group(L1(0.8), labels, factors).prox(v, step_size), x.value, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2)])
def test_nuclear_norm_against_a_convex_solver(shape: tuple[int, int]):
    rng = generator()
    for _ in range(3):
        v, x = rng.normal(size=shape), cp.Variable(shape)
        objective = cp.Minimize(0.8 * cp.normNuc(x) + cp.sum_squares(x - v) / 2)
        cp.Problem(objective).solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
        np.testing.assert_allclose(Spectral(L1(0.8), shape).prox(v, 1.0), x.value, atol=1e-6)


@each
@pytest.mark.parametrize("step_size", STEPS)
def test_prox_set_lists_minimizers_with_the_prox_among_them(name: str, step_size: float):
    g = CASES[name]()
    listed = g.prox_set(V, step_size)
    objective = prox_objective(g, V, step_size)(np.stack(listed))
    returned = g.prox(V, step_size)
    np.testing.assert_allclose(objective, prox_objective(g, V, step_size)(returned[None])[0], rtol=1e-7)
    assert min(np.abs(x - returned).max() for x in listed) <= 1e-6


def test_ties_of_groups_multiply():
    v = np.array([3.0, 4.0, 7.0, 5.0, 4.0, -3.0])
    g = Group(ZeroNorm(12.5), np.array([0, 0, -1, 1, 2, 2]))  # sqrt(2 weight) = 5, the norm of every group
    listed = g.prox_set(v, 1.0)
    assert len({tuple(x) for x in listed}) == 8
    for x in listed:
        assert x[2] == 7.0
        for members in ([0, 1], [3], [4, 5]):
            assert not x[members].any() or (x[members] == v[members]).all()
    np.testing.assert_array_equal(g.prox(v, 1.0), [0.0, 0.0, 7.0, 0.0, 0.0, 0.0])
    assert len(g.prox_set(v, 1.0 + 1e-9)) == 1


def test_ties_of_singular_values_multiply():
    V = np.diag([7.0, 5.0, 5.0])
    listed = Spectral.rank(12.5, (3, 3)).prox_set(V, 1.0)
    expected = {(7.0, a, b) for a in (0.0, 5.0) for b in (0.0, 5.0)}
    assert {tuple(np.diag(x)) for x in listed} == expected
    np.testing.assert_allclose(Spectral.rank(12.5, (3, 3)).prox(V, 1.0), np.diag([7.0, 0.0, 0.0]))
    capped = Spectral(CappedL1(1.0, 1.0), (2, 2)).prox_set(np.diag([1.5, 0.2]), 1.0)  # tie at a + tau / (2a)
    assert sorted(float(x[0, 0]) for x in capped) == pytest.approx([0.5, 1.5])


def test_too_many_ties_are_refused():
    with pytest.raises(ValueError, match=r"Group\.prox_set: 16384 minimizers tie, more than 10000; take prox"):
        Group(ZeroNorm(0.5), np.arange(14)).prox_set(np.ones(14), 1.0)
    with pytest.raises(ValueError, match=r"Spectral\.prox_set: 16384 minimizers tie"):
        Spectral.rank(0.5, (14, 14)).prox_set(np.eye(14), 1.0)
    with pytest.raises(ValueError, match=r"ZeroNormBall\.prox_set: 184756 minimizers tie"):
        ZeroNormBall(10).prox_set(np.ones(20), 1.0)
    assert len(Group(ZeroNorm(0.5), np.arange(13)).prox_set(np.ones(13), 1.0)) == 8192


def test_zero_groups_and_zero_matrices_stay_zero():
    for name in SCALARS:
        x = group(name).prox(np.array([0.0, 2.0, -1.0, -0.0]), 1.0)
        assert (x[0], x[2], x[3]) == (0.0, -1.0, 0.0)
        assert not np.signbit(x[[0, 3]]).any()
        np.testing.assert_array_equal(spectral(name).prox(np.zeros(4), 1.0), np.zeros(4))
        assert len(group(name).prox_set(np.zeros(4), 1.0)) == 1
        assert group(name).value(np.zeros(4)) == spectral(name).value(np.zeros(4)) == 0.0


def test_zeros_are_positive():
    v = np.array([-3.0, -0.1, -0.0, -0.1])
    for make in CASES.values():
        x = make().prox(v, 1.0)
        assert not np.signbit(x[x == 0]).any()


@each_scalar
def test_groups_of_weight_zero_are_free(name: str):
    free = Group(SCALARS[name](0.7), LABELS, np.array([0.0, 1.5]))
    np.testing.assert_array_equal(free.prox(V, 1e3)[[1, 2]], V[[1, 2]])
    grad = np.array([0.0, 3.0, 4.0, 0.0])
    assert free.subdiff_distance(np.zeros(4), grad) == free.descent_rate(np.zeros(4), grad) == 5.0
    everywhere = Group(SCALARS[name](0.0), LABELS)
    np.testing.assert_allclose(everywhere.prox(V, 1e3), V, rtol=1e-15)
    assert len(everywhere.prox_set(V, 1e3)) == 1


def test_steps_of_groups():
    steps = np.array([0.3, 2.0, 17.0, 0.3])
    for name in SCALARS:
        g = group(name)
        x = g.prox(V, steps)
        for i, step_size in enumerate(steps):
            assert x[i] == pytest.approx(g.prox(V, float(step_size))[i], rel=1e-14)
        objective = prox_objective(g, V, steps)
        np.testing.assert_allclose(objective(np.stack(g.prox_set(V, steps))), objective(x[None])[0], rtol=1e-7)
    with pytest.raises(ValueError, match="step_size varies in group 1; the prox has a closed form only where"):
        group("L1").prox(V, np.array([0.3, 2.0, 17.0, 0.4]))


def test_rank_after_a_prox_is_that_of_the_singular_values_kept():
    rng = generator()
    for dtype in (np.float32, np.float64):
        for rank in range(6):
            left, right = rng.normal(size=(9, 9)), rng.normal(size=(6, 6))
            U, W = np.linalg.qr(left)[0], np.linalg.qr(right)[0]
            s = np.array([1.0] * rank + [0.4] * (6 - rank))
            V = ((U[:, :6] * s) @ W.T).astype(dtype)
            g = Spectral.rank(0.125, (9, 6))  # keeps what exceeds 1/2
            x = g.prox(V, 1.0)
            assert np.linalg.matrix_rank(x) == rank
            assert g.value(x) == 0.125 * rank
            assert g.value(V) == 0.125 * 6
            assert np.count_nonzero(to_numpy(g.singular_values(x))) == rank


# ---- invariance


@each_scalar
@given(v=arrays(np.float64, 4, elements=st.floats(-4, 4)), angle=st.floats(0, 6.3), exponent=st.floats(-1.5, 1.5))
def test_prox_turns_with_its_input(name: str, v: np.ndarray, angle: float, exponent: float):
    """g does not change when a group, or the singular vectors, turn: neither does the prox objective."""
    step_size, c, s = 10**exponent, math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    g, turned = Group.rows(SCALARS[name](0.7), SHAPE), (v.reshape(2, 2) @ turn).reshape(-1)
    assert g.value(turned) == pytest.approx(g.value(v), rel=1e-6, abs=1e-6)
    for h, w in ((g, turned), (spectral(name), turned), (spectral(name), (turn @ v.reshape(2, 2)).reshape(-1))):
        at_v = prox_objective(h, v, step_size)(h.prox(v, step_size)[None])[0]
        at_w = prox_objective(h, w, step_size)(h.prox(w, step_size)[None])[0]
        assert at_w == pytest.approx(at_v, rel=1e-6, abs=1e-6)


@given(v=arrays(np.float64, (3, 2), elements=st.floats(-4, 4)), k=st.integers(0, 7))
def test_at_most_k_has_at_most_k(v: np.ndarray, k: int):
    x = ZeroNormBall(k).prox(v, 1.0)
    assert np.count_nonzero(x) == min(k, np.count_nonzero(v))
    assert ((x == 0) | (x == v)).all()
    assert np.abs(v[x == 0]).max(initial=0.0) <= np.abs(x[x != 0]).min(initial=math.inf)
    assert ZeroNormBall(k).value(x) == 0.0
    assert ZeroNormBall(k).value(v) == (0.0 if np.count_nonzero(v) <= k else math.inf)


# ---- certificates


@each
def test_prox_points_are_critical_for_the_prox_objective(name: str):
    """(v - p) / t is a subgradient of g at p, and a regular one."""
    rng, g = generator(), CASES[name]()
    for _ in range(60):
        v, step_size = draw(rng)
        p = g.prox(v, step_size)
        slope, rounding = (p - v) / step_size, 1e-6 * (1 + np.abs(v).max() / step_size)
        assert g.subdiff_distance(p, slope) <= rounding
        assert g.descent_rate(p, slope) <= rounding


def steepest(g: Any, x: np.ndarray, grad: np.ndarray, rng: np.random.Generator) -> float:
    """max over |d| <= 1 of -(<grad, d> + g'(x; d)) by difference quotients of g, where its slopes are finite."""
    width, height = 1e-6, values(g, x[None])[0]

    def rise(points: np.ndarray) -> np.ndarray:
        d = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-300)
        return d @ grad + (values(g, x + width * d) - height) / width

    faces = [lambda z: z] if isinstance(g, Spectral) else [chart for _, chart in charts(g, x.size)]
    least = min(search(lambda z, face=face: rise(face(z)), x.size, rng, 1.0, rounds=200) for face in faces)
    return max(0.0, -least)


STEEP = {n for n, make in SCALARS.items() if make(1.0).slopes(np.zeros(1))[1] == math.inf}
POINTS = {
    "generic": V,
    "zero": np.zeros(4),
    "zero group": np.array([0.0, 0.5, 1.0, 0.0]),
    "rank one": np.outer([1.0, 0.3], [0.6, -0.4]).reshape(-1),
    "repeated singular value": 0.5 * np.array([0.6, -0.8, 0.8, 0.6]),
    "at the flat point": np.array([0.8, 0.0, 0.0, -0.8]),
    "beyond": np.array([1.7, 0.0, 0.0, 0.9]),
}


@pytest.mark.parametrize("name", [n for n in SCALARS if n not in STEEP])
@pytest.mark.parametrize("make", [group, spectral])
@pytest.mark.parametrize("where", POINTS)
def test_descent_rate_is_the_steepest_slope(name: str, make: Any, where: str):
    rng, g = generator(), make(name)
    for scale in (0.3, 3.0):
        grad = scale * rng.normal(size=4)
        found = steepest(g, POINTS[where], grad, rng)
        assert g.descent_rate(POINTS[where], grad) == pytest.approx(found, rel=2e-4, abs=2e-4)


@pytest.mark.parametrize("name", [n for n in SCALARS if n != "CappedL1"])
@pytest.mark.parametrize("make", [group, spectral])
@pytest.mark.parametrize("where", POINTS)
def test_without_a_concave_kink_the_distance_is_the_descent_rate(name: str, make: Any, where: str):
    rng, g = generator(), make(name)
    grad = rng.normal(size=4)
    distance = g.subdiff_distance(POINTS[where], grad)
    assert distance == pytest.approx(g.descent_rate(POINTS[where], grad), rel=1e-12)


@pytest.mark.parametrize("make", [group, spectral])
@pytest.mark.parametrize("x", [np.array([0.8, 0.0, 0.0, -0.8]), np.array([0.0, 0.8, -0.3, 0.0])])
def test_at_a_concave_kink_limits_of_gradients_nearby_are_the_subgradients(make: Any, x: np.ndarray):
    """Two singular values at the kink among the cases: rotations of their vectors give a continuum of limits."""
    g, rng, width = make("CappedL1"), generator(), 1e-4

    def distances(points: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """|grad + gradient of g| close to x, where g is differentiable: the differences of both sides agree."""
        near = x + width * points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
        ahead, behind = (
            np.stack([(values(g, near + h * e) - values(g, near)) / h for e in np.eye(4)], axis=1)
            for h in (1e-8, -1e-8)
        )
        smooth = np.abs(ahead - behind).max(axis=1) <= 1e-3
        return np.where(smooth, np.linalg.norm(ahead + grad, axis=1), math.inf)

    for _ in range(4):
        grad = rng.normal(size=4)
        found = search(lambda d, grad=grad: distances(d, grad), 4, rng, 1.0, rounds=40)
        distance = g.subdiff_distance(x, grad)
        if make is spectral and np.count_nonzero(x) == 2:  # no zero singular value: every subgradient is such a limit
            assert distance == pytest.approx(found, abs=1e-2)
        assert distance <= found + 1e-2
        assert g.descent_rate(x, grad) >= distance - 1e-12  # a pair of slopes lies in no smaller interval


def test_normals_of_fixed_rank_are_orthogonal_to_the_tangent_space():
    """Tangents at X = A B are dA B + A dB."""
    rng = generator()
    for shape, rank in itertools.product([(3, 4), (4, 2)], (0, 1, 2)):
        A, B = rng.normal(size=(shape[0], rank)), rng.normal(size=(rank, shape[1]))
        X, G = A @ B, rng.normal(size=shape)
        tangents = [np.outer(e, B[j]) for e in np.eye(shape[0]) for j in range(rank)]
        tangents += [np.outer(A[:, j], e) for e in np.eye(shape[1]) for j in range(rank)]
        basis = np.array(tangents).reshape(len(tangents), G.size)
        along = basis.T @ np.linalg.lstsq(basis.T, G.reshape(-1), rcond=None)[0] if tangents else np.zeros(1)
        g = Spectral.rank(0.7, shape)
        assert g.subdiff_distance(X, G) == pytest.approx(float(np.linalg.norm(along)), rel=1e-9, abs=1e-12)
        assert g.descent_rate(X, G) == pytest.approx(g.subdiff_distance(X, G), rel=1e-12)


def test_normals_of_at_most_k_by_comparison_of_all_supports():
    rng = generator()
    for x in (np.zeros(5), np.array([0.0, 2.0, 0.0, 0.0, -1.0]), np.array([1.0, 2.0, 0.0, 3.0, 0.0])):
        support = set(np.flatnonzero(x).tolist())
        for k in range(7):
            g, grad = ZeroNormBall(k), rng.normal(size=5)
            faces = [J for J in itertools.combinations(range(5), min(k, 5)) if support <= set(J)]
            norms = [float(np.linalg.norm(grad[list(J)])) for J in faces]
            assert g.subdiff_distance(x, grad) == pytest.approx(min(norms, default=math.inf))
            assert g.descent_rate(x, grad) == pytest.approx(max(norms, default=math.inf))


@each
def test_subgradients_bound_g_below(name: str):
    """A regular subgradient s has g(y) >= g(x) + <s, y - x> - o(|y - x|)."""
    rng, g = generator(), CASES[name]()
    for _ in range(20):
        v, step_size = draw(rng)
        x = g.prox(v, step_size)
        s = (v - x) / step_size
        assert g.descent_rate(x, -s) <= 1e-5 * (1 + np.abs(s).max())
        y = np.concatenate([x + 1e-4 * rng.normal(size=(200, 4)), *(_near(g, x, rng) for _ in range(3))])
        shortfall = values(g, x[None])[0] + (y - x) @ s - values(g, y)
        assert (shortfall <= np.sum((y - x) ** 2, axis=1) / (2 * step_size) + 1e-9 * (1 + np.abs(s).max())).all()


def _near(g: Any, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points about x of the same rank, or of every set of zeros."""
    if isinstance(g, Spectral):
        left, right = np.eye(2) + 1e-3 * rng.normal(size=(2, 20, 2, 2))
        return (left @ x.reshape(SHAPE) @ right).reshape(-1, 4)
    return np.concatenate([chart(x + 1e-3 * rng.normal(size=(20, 4))) for _, chart in charts(g, 4)])


# ---- traits


@pytest.mark.parametrize("name", [n for n in SCALARS if n not in STEEP])
@pytest.mark.parametrize("make", [group, spectral])
def test_traits_hold(name: str, make: Any):
    """No chord is below g + m |x|^2 / 2 by more than convexity allows, and one coordinate changes g no faster."""
    rng, g = generator(), make(name)
    traits, scalar = g.traits, SCALARS[name](0.7).traits
    assert not traits.separable
    assert traits.convex == scalar.convex
    x, y = rng.normal(size=(2, 4000, 4)) * rng.choice([0.2, 1.0], size=(4000, 1))
    if traits.weak_convexity < math.inf:

        def lifted(points: np.ndarray) -> np.ndarray:
            return values(g, points) + traits.weak_convexity / 2 * np.sum(points**2, axis=1)

        assert (lifted((x + y) / 2) <= (lifted(x) + lifted(y)) / 2 + 1e-9).all()
    y = np.where(np.arange(4) == rng.integers(0, 4, size=(4000, 1)), y, x)
    assert (np.abs(values(g, x) - values(g, y)) <= traits.lipschitz * np.linalg.norm(x - y, axis=1) + 1e-9).all()


def test_sublevel_radii():
    g, labels = MCP(0.7, 0.8), np.array([0, 0, 1])
    assert Group(g, labels).sublevel_radius(0.3) == g.sublevel_radius(0.3)
    assert Group(g, labels, np.array([2.0, 3.0])).sublevel_radius(0.3) == g.sublevel_radius(0.15)
    assert Group(g, LABELS).sublevel_radius(0.3) == math.inf
    assert Spectral(L1(0.5), SHAPE).sublevel_radius(2.0) == 4.0
    radius = Spectral(g, SHAPE).sublevel_radius(0.3)
    assert Spectral(g, SHAPE).value(np.array([radius, 0.0, 0.0, 0.0])) == pytest.approx(0.3)


def test_at_most_none_is_convex():
    assert ZeroNormBall(0).traits.convex
    assert not ZeroNormBall(1).traits.convex


# ---- libraries, dtypes, shapes


@each
@each_library
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4,), SHAPE])
def test_library_dtype_and_shape_are_kept(name: str, library: str, dtype: Any, shape: tuple[int, ...]):
    g = CASES[name]()
    if isinstance(g, Group) and g.labels.ndim == 1 and len(shape) == 2:
        g = Group(g.penalty, g.labels.reshape(shape), g.weights)
    points, cosines = V.reshape(shape).astype(dtype), np.cos(V).reshape(shape).astype(dtype)
    v, grad = LIBRARIES[library](points), LIBRARIES[library](cosines)
    x = g.prox(v, 0.4)
    for point in (x, *g.prox_set(v, 0.4)):
        assert array_namespace(point) is array_namespace(v)
        assert (device_of(point), point.dtype, tuple(point.shape)) == (device_of(v), v.dtype, shape)
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(to_numpy(x), g.prox(points.astype(np.float64), 0.4), atol=tolerance)
    for method in (g.subdiff_distance, g.descent_rate):
        assert type(method(x, grad)) is float
        expected = method(to_numpy(x), to_numpy(grad))
        assert method(x, grad) == pytest.approx(expected, rel=100 * tolerance, abs=tolerance)
    assert type(g.value(v)) is float
    assert g.value(v) == pytest.approx(g.value(points), rel=tolerance)
    np.testing.assert_array_equal(to_numpy(v), points)
    np.testing.assert_array_equal(to_numpy(grad), cosines)


@each_library
def test_arrays_of_steps_come_from_any_library(library: str):
    convert, steps = LIBRARIES[library], np.array([0.3, 2.0, 17.0, 0.3])
    for g in (group("MCP"), ZeroNormBall(2)):
        np.testing.assert_allclose(to_numpy(g.prox(convert(V), convert(steps))), g.prox(V, steps), rtol=1e-14)
        listed = g.prox_set(convert(V), convert(steps))
        np.testing.assert_allclose([to_numpy(x) for x in listed], g.prox_set(V, steps), rtol=1e-14)


def test_norms_and_singular_values():
    np.testing.assert_allclose(group("L1").norms(V), [1.7, 1.5])
    np.testing.assert_array_equal(Group.columns(L1(1.0), (2, 3)).norms(np.arange(6.0)), np.sqrt([9.0, 17.0, 29.0]))
    np.testing.assert_array_equal(Group.rows(L1(1.0), (2, 3)).norms(np.arange(6.0)), np.sqrt([5.0, 50.0]))
    np.testing.assert_allclose(spectral("L1").singular_values(np.array([0.0, 3.0, -4.0, 0.0])), [4.0, 3.0])
    assert Spectral.rank(1.0, (2, 2)).value(np.array([1.0, 1.0, 1.0, 1.0 + 1e-16])) == 1.0
    assert Spectral.rank(1.0, (2, 2)).value(np.array([1.0, 1.0, 1.0, 1.0 + 1e-13])) == 2.0


@each_scalar
def test_torch_differentiates_through_a_group_prox(name: str):
    g = group(name)
    for start in (V, np.array([0.0, 2.0, 0.3, 0.0]), np.array([1e-3, 1e-3, 1.0, 1e-3]), np.zeros(4)):
        v = torch.tensor(start, requires_grad=True)
        (gradient,) = torch.autograd.grad(g.prox(v, 0.4).sum(), v)
        assert torch.isfinite(gradient).all()
        if start[0]:
            h = 1e-6
            slopes = [
                float((g.prox(start + h * e, 0.4) - g.prox(start - h * e, 0.4)).sum()) / (2 * h) for e in np.eye(4)
            ]
            np.testing.assert_allclose(gradient.numpy(), slopes, atol=1e-5)
        (gradient,) = torch.autograd.grad(g.norms(v).sum(), v)
        assert torch.isfinite(gradient).all()


# ---- wrong arguments


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Group(ZeroNormBall(2), LABELS), TypeError, r"Group: penalty=ZeroNormBall\(k=2\) must be an even pen"),
        (lambda: Group(L1, LABELS), TypeError, "must be an even penalty of one number, such as L1"),
        (lambda: Group(L1(np.ones(4)), LABELS), TypeError, "Group: the weight of L1 must be one number"),
        (lambda: Group(L1(1.0), LABELS / 2), TypeError, "Group: labels must be integers, got dtype float64"),
        (lambda: Group(L1(1.0), LABELS > 0), TypeError, "labels must be integers, got dtype bool"),
        (lambda: Group(L1(1.0), np.array([0, -2])), ValueError, "labels must be >= -1, .*, got -2"),
        (lambda: Group(L1(1.0), np.array([-1, -1])), ValueError, "labels name no group"),
        (lambda: Group(L1(1.0), np.array([1, 2])), ValueError, "no coordinate has label 0; number the groups"),
        (lambda: Group(L1(1.0), LABELS, np.ones(3)), ValueError, r"weights must have shape \(2,\).*, got \(3,\)"),
        (lambda: Group(L1(1.0), LABELS, 2.0), ValueError, r"weights must have shape \(2,\).*, got \(\)"),
        (lambda: Group(L1(1.0), LABELS, -FACTORS), ValueError, "Group: weights must be a finite number >= 0"),
        (lambda: group("L1").prox(np.ones(5), 1.0), ValueError, r"x has shape \(5,\), but the labels have \(4,\)"),
        (lambda: group("L1").prox(np.ones((2, 2)), 1.0), ValueError, r"x has shape \(2, 2\), but the labels"),
        (lambda: group("L1").value(np.ones(3)), ValueError, r"x has shape \(3,\)"),
        (lambda: group("L1").subdiff_distance(V, np.ones(3)), ValueError, r"x has shape \(3,\)"),
        (lambda: group("L1").prox(V, 0.0), ValueError, "Group.prox: step_size must be > 0"),
        (lambda: group("L1").prox_set(V, -1.0), ValueError, "Group.prox_set: step_size must be > 0"),
        (lambda: group("L1").prox(V, np.array([1.0, 2.0, 3.0, 4.0])), ValueError, "step_size varies in group 1"),
        (lambda: Spectral(Spectral.rank(1.0, SHAPE), SHAPE), TypeError, "Spectral: penalty=.* must be an even penalty"),
        (lambda: Spectral(L1(np.ones(2)), SHAPE), TypeError, "Spectral: the weight of L1 must be one number"),
        (lambda: Spectral(L1(1.0), (4,)), ValueError, r"shape must be two positive integers \(m, n\), got \(4,\)"),
        (lambda: Spectral(L1(1.0), (0, 3)), ValueError, r"shape must be two positive integers"),
        (lambda: Spectral(L1(1.0), (2.0, 3)), ValueError, r"shape must be two positive integers"),
        (lambda: spectral("L1").prox(np.ones(5), 1.0), ValueError, r"x has shape \(5,\), but must be a matrix of sh"),
        (lambda: spectral("L1").value(np.ones((4, 1))), ValueError, r"x has shape \(4, 1\)"),
        (lambda: spectral("L1").prox(V, np.ones(4)), ValueError, r"step_size must be one number, got shape \(4,\)"),
        (lambda: spectral("L1").prox(V, 0.0), ValueError, "Spectral.prox: step_size must be > 0"),
        (lambda: ZeroNormBall(-1), ValueError, "ZeroNormBall: k must be >= 0, got -1"),
        (lambda: ZeroNormBall(2.0), TypeError, "ZeroNormBall: k must be an integer, got 2.0"),
        (lambda: ZeroNormBall(True), TypeError, "ZeroNormBall: k must be an integer, got True"),
        (lambda: ZeroNormBall(2).prox(V, 0.0), ValueError, "ZeroNormBall.prox: step_size must be > 0"),
    ],
)
def test_misuse_is_refused(call: Any, error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        call()


def test_there_are_no_terms():
    """None of them is a sum over coordinates."""
    for make in CASES.values():
        assert not hasattr(make(), "terms")
        assert not hasattr(make(), "slopes")


def test_docstrings_name_the_statement():
    for cls in (Group, Spectral, ZeroNormBall):
        assert "docs/theory.md, Proposition 4.1" in str(inspect.getdoc(cls))
