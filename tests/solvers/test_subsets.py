"""Subset paths against enumeration, at the edges of what data can be, and where the search has to look twice."""

from __future__ import annotations

import importlib.util
import itertools
from contextlib import nullcontext
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import aslinearoperator

import parsimo as ps
from parsimo.solvers import SubsetPath, subset_path
from parsimo.solvers.subsets import support, threads
from parsimo.solvers.subsets.columns import Core, UnitColumns
from parsimo.solvers.subsets.pairs import best_pair_of_swaps
from parsimo.solvers.subsets.path import lower_hull
from parsimo.solvers.subsets.search import Search
from parsimo.solvers.subsets.support import Support


def correlated(rows: int, n: int, seed: int, rho: float = 0.6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(rows, n))
    for j in range(1, n):
        A[:, j] = rho * A[:, j - 1] + np.sqrt(1 - rho**2) * A[:, j]
    return A


def least(A: np.ndarray, b: np.ndarray, members: Any) -> float:
    A = A[:, list(members)]
    return float(np.sum((b - A @ np.linalg.lstsq(A, b, rcond=None)[0]) ** 2)) / 2


def largest_swap_decrease(A: np.ndarray, b: np.ndarray, members: np.ndarray) -> float:
    """Over all swaps, by orthogonal projection off the members that stay."""
    best, here = 0.0, least(A, b, members)
    for i in members:
        stay = [k for k in members if k != i]
        Q = np.linalg.qr(A[:, stay])[0]
        rest, residual = A - Q @ (Q.T @ A), b - Q @ (Q.T @ b)
        squares = np.sum(rest**2, axis=0)
        gains = np.divide((rest.T @ residual) ** 2, squares, out=np.zeros_like(squares), where=squares > 1e-12)
        best = max(best, here - (float(residual @ residual) - float(gains.max())) / 2)
    return best


def holds_what_it_says(A: np.ndarray, b: np.ndarray, path: SubsetPath) -> None:
    height = float(b @ b) / 2
    assert (np.diff(path.objectives) <= 1e-12 * height).all()
    assert path.swap_optimal.all()
    for k, members in enumerate(path.supports):
        assert len(members) == k
        x = path[k]
        assert path.objectives[k] == pytest.approx(np.sum((A @ x - b) ** 2) / 2, abs=1e-11 * height)
        assert path.objectives[k] == pytest.approx(least(A, b, members), abs=1e-11 * height)
        assert largest_swap_decrease(A, b, members) <= 1e-9 * height


def test_paths_of_small_problems_are_near_the_best_of_all_supports():
    sizes = global_ones = 0
    for seed in range(12):
        A, b = correlated(12, 10, seed, 0.8), np.random.default_rng(seed + 100).normal(size=12)
        path = subset_path(ps.LeastSquares(A, b), 5)
        holds_what_it_says(A, b, path)
        for k in range(1, 6):
            lowest = min(least(A, b, members) for members in itertools.combinations(range(10), k))
            assert path.objectives[k] >= lowest - 1e-12
            sizes, global_ones = sizes + 1, global_ones + (path.objectives[k] <= lowest + 1e-9)
    assert global_ones >= 0.95 * sizes


@pytest.mark.parametrize("n", [150, 700])
def test_the_truth_is_found_among_many_columns_and_no_swap_is_left_among_all(n: int):
    A = correlated(100, n, 1, 0.7)
    truth = np.random.default_rng(2).choice(n, 6, replace=False)
    b = A[:, truth].sum(axis=1) + 0.3 * np.random.default_rng(3).normal(size=100)
    path = subset_path(ps.LeastSquares(A, b), 12)
    assert set(path.supports[6]) == set(truth)
    holds_what_it_says(A, b, path)


def test_a_column_that_alone_says_nothing_is_found():
    """b = (u + v) - u, with b'u = 0: u shows only once u + v is there, and is not in the first core."""
    rng = np.random.default_rng(4)
    A = rng.normal(size=(200, 800))
    v = A[:, 1].copy()
    A[:, 0] -= v * (v @ A[:, 0]) / (v @ v)
    b = v.copy()
    A[:, 1] = A[:, 0] + v
    assert abs(A[:, 0] @ b) < 1e-12
    path = subset_path(ps.LeastSquares(A, b), 2)
    assert path.supports[2].tolist() == [0, 1]
    assert path.objectives[2] < 1e-20 * (b @ b)


@pytest.mark.parametrize("form", ["csr", "csc", "float32", "torch", "averaged", "fortran"])
def test_every_form_of_the_data_gives_the_same_path(form: str):
    A, b = correlated(40, 60, 5), np.random.default_rng(6).normal(size=40)
    A[np.abs(A) < 1] = 0.0
    kept = A.copy(), b.copy()
    forms: dict[str, Any] = {
        "csr": lambda: ps.LeastSquares(sp.csr_array(A), b),
        "csc": lambda: ps.LeastSquares(sp.csc_matrix(A), b),
        "float32": lambda: ps.LeastSquares(A.astype(np.float32), b.astype(np.float32)),
        "torch": lambda: ps.LeastSquares(torch.tensor(A), torch.tensor(b)),
        "averaged": lambda: ps.LeastSquares(A, b, average=True),
        "fortran": lambda: ps.LeastSquares(np.asfortranarray(A), b),
    }
    f = forms[form]()
    plain, other = subset_path(ps.LeastSquares(A, b), 8), subset_path(f, 8)
    for one, two in zip(plain.supports, other.supports, strict=True):
        assert one.tolist() == two.tolist()
    np.testing.assert_allclose(other.objectives, plain.objectives * f.scale, rtol=1e-5)
    x = other[8]
    assert type(x) is type(f.start())
    assert x.dtype == f.start().dtype
    np.testing.assert_array_equal(A, kept[0])
    np.testing.assert_array_equal(b, kept[1])


def test_a_ridge_is_more_rows():
    A, b = correlated(15, 30, 7), np.random.default_rng(8).normal(size=15)
    path = subset_path(ps.LeastSquares(A, b, average=True), 20, ridge=0.1)
    rows, targets = np.vstack([A, np.sqrt(1.5) * np.eye(30)]), np.append(b, np.zeros(30))
    extended = subset_path(ps.LeastSquares(rows, targets), 20)
    np.testing.assert_allclose(15 * path.objectives, extended.objectives, rtol=1e-10)
    assert not path.exhausted


@pytest.mark.parametrize("scale", [1e150, 1e-150, 1.0])
def test_scales_of_columns_and_data_change_nothing_but_scales(scale: float):
    A, b = correlated(30, 40, 9), np.random.default_rng(10).normal(size=30)
    plain = subset_path(ps.LeastSquares(A, b), 6)
    scaled = subset_path(ps.LeastSquares(scale * A, min(scale, 1e3) * b), 6)
    factors = 10.0 ** np.random.default_rng(11).integers(-100, 100, size=40)
    uneven = subset_path(ps.LeastSquares(A * factors, b), 6)
    for k in range(7):
        assert plain.supports[k].tolist() == scaled.supports[k].tolist() == uneven.supports[k].tolist()
        np.testing.assert_allclose(scaled[k] * (scale / min(scale, 1e3)), plain[k], rtol=1e-9)
        np.testing.assert_allclose(uneven[k] * factors, plain[k], rtol=1e-9)
    np.testing.assert_allclose(uneven.objectives, plain.objectives, rtol=1e-12)


def test_columns_that_depend_on_each_other_and_sizes_beyond_the_rank():
    A, b = correlated(8, 10, 12), np.random.default_rng(13).normal(size=8)
    A = np.concatenate([A, A, np.zeros((8, 2)), 1e-9 * A[:, :1] + A[:, 1:2]], axis=1)
    path = subset_path(ps.LeastSquares(A, b), 23)
    assert len(path) == 9
    assert path.exhausted
    assert path.objectives[8] < 1e-20
    np.testing.assert_array_equal(path[23], path[8])
    holds_what_it_says(A, b, path)


def test_nearly_dependent_columns_are_solved_for_to_the_end():
    """Coefficients of thousands, from columns 1e-3 apart."""
    A = correlated(50, 12, 14)
    A[:, 1::2] = A[:, ::2] + 1e-3 * A[:, 1::2]
    x = np.where(np.arange(12) % 2, 1e3, -1e3) * np.arange(1, 13)
    path = subset_path(ps.LeastSquares(A, A @ x), 12)
    assert path.exhausted
    np.testing.assert_allclose(path[12], x, rtol=1e-8)


@pytest.mark.parametrize(
    ("A", "b", "sizes"),
    [
        (np.ones((5, 1)), np.arange(5.0), 2),
        (np.ones((1, 4)), np.ones(1), 2),
        (np.ones((3, 4)), np.zeros(3), 1),
        (np.zeros((3, 4)), np.ones(3), 1),
        (np.eye(1), np.ones(1), 2),
    ],
)
def test_the_smallest_problems(A: np.ndarray, b: np.ndarray, sizes: int):
    path = subset_path(ps.LeastSquares(A, b), 3)
    assert len(path) == sizes
    assert path.exhausted
    holds_what_it_says(A, b, path)
    assert subset_path(ps.LeastSquares(A, b), 0).sizes_on_hull == (0,)


def test_a_time_limit_leaves_a_path_that_says_so():
    A, b = correlated(60, 400, 15, 0.9), np.random.default_rng(16).normal(size=60)
    path = subset_path(ps.LeastSquares(A, b), 10, time_limit=0.0)
    assert not path.finished
    assert len(path) == 11
    for k, members in enumerate(path.supports[1:], 1):
        assert path.swap_gaps[k] == pytest.approx(largest_swap_decrease(A, b, members), abs=1e-9)
    assert not path.swap_optimal.all()
    assert "the time limit came first" in str(path)
    assert subset_path(ps.LeastSquares(A, b), 10).finished


def test_runs_repeat():
    A, b = correlated(60, 500, 17), np.random.default_rng(18).normal(size=60)
    one, two = (subset_path(ps.LeastSquares(A, b), 9) for _ in range(2))
    np.testing.assert_array_equal(one[9], two[9])
    with pytest.raises(FrozenInstanceError):
        one.finished = False  # type: ignore[misc]


def test_weights_pick_vertices_of_the_hull():
    objectives = np.array([10.0, 6.0, 5.5, 3.0, 2.0, 2.0])
    hull, breakpoints = lower_hull(objectives)
    assert hull == (0, 1, 3, 4)
    np.testing.assert_allclose(breakpoints, [4.0, 1.5, 1.0])
    path = subset_path(ps.LeastSquares(np.diag([3.0, 2.0, 1.0]), np.ones(3) * 2), 3)
    np.testing.assert_allclose(path.objectives, [6, 4, 2, 0])
    assert (path.sizes_on_hull, path.at_weight(1.9), path.at_weight(2.0), path.at_weight(0)) == ((0, 3), 3, 0, 3)
    assert path.best(lambda size, objective: objective + 3 * size) == 0
    assert path.best(lambda size, objective: (size - 2) ** 2) == 2


def test_a_weight_gives_a_point_that_the_ladder_proves_swap_optimal():
    A, b = correlated(40, 30, 19), 3 * np.random.default_rng(20).normal(size=40)
    f = ps.LeastSquares(A, b)
    path = subset_path(f, 30)
    for weight in (0.5, 2.0, 8.0):
        x = path[path.at_weight(weight)]
        assert ps.certify(ps.Composite(f, ps.ZeroNorm(weight)), x).rung >= ps.Rung.SWAP


def test_pairs_of_swaps_lower_what_single_ones_do_not():
    found = 0
    for seed in range(40):
        A, b = correlated(30, 14, seed, 0.9), np.random.default_rng(seed + 60).normal(size=30)
        core = Core(UnitColumns(A, b), np.arange(14))
        s = Support.empty(core).with_column(0).with_column(2).with_column(4).with_column(6)
        s = Search(core, 4, np.inf).settled(s)
        pair = best_pair_of_swaps(s, 1e-9)
        if pair is not None:
            found += 1
            assert len(set(pair.members) - set(s.members)) == 2
            assert least(A, b, pair.members) < least(A, b, s.members)
    assert found >= 4


def test_what_has_drifted_is_computed_afresh(monkeypatch: pytest.MonkeyPatch):
    A, b = correlated(50, 60, 21), np.random.default_rng(22).normal(size=50)
    plain = subset_path(ps.LeastSquares(A, b), 8)
    monkeypatch.setattr(support, "_DRIFT", -1.0)
    afresh = subset_path(ps.LeastSquares(A, b), 8)
    np.testing.assert_allclose(afresh.objectives, plain.objectives, rtol=1e-12)


def test_swaps_of_many_columns_are_looked_at_in_order(monkeypatch: pytest.MonkeyPatch):
    A, b = correlated(20, 40, 23, 0.9), np.random.default_rng(24).normal(size=20)
    core = Core(UnitColumns(A, b), np.arange(40))
    s = Support.empty(core).with_column(3).with_column(30)
    whole = s.best_swap
    monkeypatch.setattr(support, "_CHUNK", 2)
    again = Support.empty(core).with_column(3).with_column(30).best_swap
    assert whole is not None
    assert again == whole


def test_threads_are_left_alone_where_threadpoolctl_is_missing(monkeypatch: pytest.MonkeyPatch):
    threads._controller.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert isinstance(threads.one_thread(), nullcontext)
    threads._controller.cache_clear()


LEAST_SQUARES = ps.LeastSquares(np.eye(3), np.ones(3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: subset_path(ps.Logistic(np.eye(2), np.array([1.0, -1.0])), 1),
            TypeError,
            "Logistic gives no .*polish",
        ),
        (lambda: subset_path(ps.LeastSquares(aslinearoperator(np.eye(2)), np.ones(2)), 1), TypeError, "quadratic"),
        (lambda: subset_path(ps.Zero(), 1), TypeError, "Zero gives no targets, scale, design.A"),
        (lambda: subset_path(LEAST_SQUARES, -1), ValueError, "max_size must be an integer >= 0, got -1"),
        (lambda: subset_path(LEAST_SQUARES, 1.5), ValueError, "got 1.5"),  # type: ignore[arg-type]
        (lambda: subset_path(LEAST_SQUARES, True), ValueError, "got True"),
        (lambda: subset_path(LEAST_SQUARES, 1, ridge=-1.0), ValueError, "ridge must be"),
        (lambda: subset_path(LEAST_SQUARES, 1, time_limit=-1.0), ValueError, "time_limit must be"),
        (lambda: subset_path(LEAST_SQUARES, 1).at_weight(-0.5), ValueError, "weight must be"),
        (lambda: subset_path(LEAST_SQUARES, 1)[-1], IndexError, "0 or more, got -1"),
    ],
)
def test_wrong_arguments(call: Any, error: type[Exception], words: str):
    with pytest.raises(error, match=words):
        call()
