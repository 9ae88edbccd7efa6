"""Proxes of group and spectral penalties, and of at most k nonzeros, against their definitions."""

from __future__ import annotations

import itertools
import math
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from structured_cases import (
    CASES,
    LABELS,
    SCALARS,
    SHAPE,
    STEPS,
    V,
    draw,
    each,
    each_scalar,
    generator,
    group,
    least_found,
    prox_objective,
    spectral,
)

from parsimo._array import to_numpy
from parsimo.penalties import L1, REGISTRY, CappedL1, Group, Spectral, ZeroNorm, ZeroNormBall
from parsimo.penalties.even import EvenPenalty
from parsimo.theory_checks.subjects import STRUCTURED

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
