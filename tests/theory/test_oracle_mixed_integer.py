"""Mixed-integer optima: against enumeration, other fits and hand computations; their bounds, and their refusals."""

from __future__ import annotations

import builtins
import itertools
from typing import Any

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from scipy.sparse.linalg import aslinearoperator

import parsimo as ps
from parsimo.theory_checks.oracles.bounds import Bound
from parsimo.theory_checks.oracles.branch_and_bound import global_bound
from parsimo.theory_checks.oracles.enumeration import clustering_minimum, zero_norm_minimum
from parsimo.theory_checks.oracles.mixed_integer import clustering_bound, zero_norm_bound


def data(m: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, n)), 3 * rng.standard_normal(m)


def assert_encloses(bound: Bound, minimum: float, gap: float = 1e-4) -> None:
    """The value is the minimum, and the lower bound is one, but not by much."""
    assert bound.value == pytest.approx(minimum, abs=1e-7)
    assert bound.lower <= minimum <= bound.value + 1e-9
    assert bound.gap <= gap


# ---- the zero norm


@pytest.mark.parametrize("seed", range(4))
def test_zero_norm_against_enumeration(seed: int):
    A, b = data(18, 9, seed)
    weight: Any = 1.0 if seed % 2 else np.random.default_rng(seed).uniform(0, 2, 9)
    bound = zero_norm_bound(ps.LeastSquares(A, b), weight)
    assert_encloses(bound, zero_norm_minimum(A, b, weight)[0])
    objective = np.sum((A @ bound.x - b) ** 2) / 2 + np.sum(weight * (bound.x != 0))
    assert bound.value == pytest.approx(objective, abs=1e-12)
    assert bound.source.startswith("SCIP")


def test_zero_norm_against_branch_and_bound():
    """Two methods that have nothing in common but the class of their answer."""
    A, b = data(30, 13, seed=5)
    f = ps.LeastSquares(A, b)
    by_scip, own = zero_norm_bound(f, 4.0), global_bound(ps.ZeroNormProblem(f, 4.0))
    assert max(by_scip.lower, own.lower) <= min(by_scip.value, own.value)
    assert by_scip.value == pytest.approx(own.value, abs=1e-6)


def test_a_ridge_is_rows_of_the_design():
    A, b = data(5, 8)  # more columns than rows
    bound = zero_norm_bound(ps.LeastSquares(A, b), 1.0, ridge=0.3)
    stacked = np.vstack([A, np.sqrt(0.3) * np.eye(8)]), np.append(b, np.zeros(8))
    assert_encloses(bound, zero_norm_minimum(*stacked, 1.0)[0])


def test_an_average_is_divided_by_the_number_of_rows():
    A, b = data(18, 6)
    bound = zero_norm_bound(ps.LeastSquares(A, b, average=True), 0.1)
    assert_encloses(bound, zero_norm_minimum(A / np.sqrt(18), b / np.sqrt(18), 0.1)[0])


@pytest.mark.parametrize("rows", [4, 14])
def test_a_box_against_a_fit_on_every_support(rows: int):
    A, b = data(rows, 6, seed=2)
    least = np.inf
    for support in itertools.chain.from_iterable(itertools.combinations(range(6), k) for k in range(7)):
        columns = list(support)
        fit = lsq_linear(A[:, columns], b, (-0.5, 0.8), tol=1e-13).cost if columns else np.sum(b**2) / 2
        least = min(least, fit + 0.7 * len(columns))
    bound = zero_norm_bound(ps.LeastSquares(A, b), 0.7, box=(-0.5, 0.8))
    assert_encloses(bound, least)
    assert ((bound.x >= -0.5) & (bound.x <= 0.8)).all()
    assert "box" in bound.source


def test_a_coordinate_that_is_fixed_by_the_box():
    A, b = data(10, 3)
    bound = zero_norm_bound(ps.LeastSquares(A, b), 0.1, box=(np.array([0.0, -9, -9]), np.array([0.0, 9, 9])))
    assert bound.x[0] == 0
    assert_encloses(bound, zero_norm_minimum(A[:, 1:], b, 0.1)[0])


def test_orthogonal_columns_by_hand():
    """Each coordinate is kept where b_i^2 / 2 > weight."""
    bound = zero_norm_bound(ps.LeastSquares(np.eye(4), np.array([3.0, 0.5, -1.0, 2.0])), 1.0)
    assert_encloses(bound, 1 + 0.125 + 0.5 + 1)
    np.testing.assert_allclose(bound.x, [3, 0, 0, 2], atol=1e-9)


def test_a_time_limit_leaves_a_valid_bound():
    A, b = data(60, 30)
    bound = zero_norm_bound(ps.LeastSquares(A, b), 3.0, time_limit=0.2)
    full = np.sum((A @ np.linalg.lstsq(A, b, rcond=None)[0] - b) ** 2) / 2
    assert full - 1e-6 <= bound.lower <= bound.value
    assert "timelimit" in bound.source


# ---- clustering


@pytest.mark.parametrize("distance", ["absolute", "squared"])
@pytest.mark.parametrize(("n", "k", "seed"), [(5, 2, 0), (6, 2, 1), (6, 3, 2)])
def test_free_codebook_against_all_partitions(distance: str, n: int, k: int, seed: int):
    A, b = data(2 * n, n, seed)
    enumerated = clustering_minimum(A, b, 1.0, k, distance)
    bound = clustering_bound(ps.LeastSquares(A, b), 1.0, k=k, distance=distance)
    assert_encloses(bound, enumerated.value)
    assert max(bound.lower, enumerated.lower) <= min(bound.value, enumerated.value)


@pytest.mark.parametrize("distance", ["absolute", "squared"])
def test_fixed_codebook_of_orthogonal_columns(distance: str):
    """Coordinate by coordinate: on a representative, a unit of weight towards it, or a mean with it."""
    b, book = np.array([0.2, 1.4, -3.0]), np.array([-1.0, 0.0, 2.0])
    bound = clustering_bound(ps.LeastSquares(np.eye(3), b), 0.5, codebook=book, distance=distance)
    grid = np.linspace(-4, 4, 240_001)
    r = np.abs(grid[:, None] - book).min(axis=1)
    penalty = 0.5 * (r if distance == "absolute" else r**2 / 2)
    assert_encloses(bound, sum(float(((grid - c) ** 2 / 2 + penalty).min()) for c in b), gap=1e-5)


def test_a_large_weight_quantizes():
    A, b = data(12, 5)
    bound = clustering_bound(ps.LeastSquares(A, b), 100.0, codebook=[-1.0, 0.0, 1.0])
    assert set(bound.x) <= {-1.0, 0.0, 1.0}
    grids = np.array([*itertools.product((-1.0, 0.0, 1.0), repeat=5)])
    assert bound.value == pytest.approx((((grids @ A.T - b) ** 2).sum(axis=1) / 2).min(), abs=1e-9)


def test_clustering_over_a_box_without_full_rank():
    A, b = data(3, 4)
    bound = clustering_bound(ps.LeastSquares(A, b), 1.0, codebook=[0.0, 1.0], box=(-2.0, 2.0))
    assert (np.abs(bound.x) <= 2).all()
    assert bound.gap <= 1e-4


# ---- refusals


def test_what_has_no_valid_big_m_is_refused():
    A, b = data(4, 6)
    for solve in (lambda f: zero_norm_bound(f, 1.0), lambda f: clustering_bound(f, 1.0, k=2)):
        with pytest.raises(ValueError, match=r"not full column rank.*give a box with finite ends, or a ridge > 0"):
            solve(ps.LeastSquares(A, b))


def test_wrong_arguments_are_named():
    A, b = data(6, 3)
    f = ps.LeastSquares(A, b)
    with pytest.raises(TypeError, match=r"zero_norm_bound: f must be LeastSquares .* got Logistic"):
        zero_norm_bound(ps.Logistic(A, np.sign(b)), 1.0)
    with pytest.raises(TypeError, match="A is a LinearOperator"):
        zero_norm_bound(ps.LeastSquares(aslinearoperator(A), b), 1.0)
    with pytest.raises(ValueError, match="zero_norm_bound: weight must be a finite number >= 0, got -1"):
        zero_norm_bound(f, -1.0)
    with pytest.raises(ValueError, match="0 must lie in the box"):
        zero_norm_bound(f, 1.0, box=(0.5, 1.0))
    with pytest.raises(ValueError, match="give a codebook or k, one of the two; got None and None"):
        clustering_bound(f, 1.0)
    with pytest.raises(ValueError, match="give a codebook or k, one of the two"):
        clustering_bound(f, 1.0, codebook=[0.0], k=2)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        clustering_bound(f, 1.0, k=0)
    with pytest.raises(ValueError, match='distance must be "absolute" or "squared", got \'cubic\''):
        clustering_bound(f, 1.0, k=2, distance="cubic")


def test_without_scip_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    find = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pyscipopt":
            raise ImportError(name)
        return find(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r'needs cvxpy and SCIP: pip install "parsimo\[checks\]".*HiGHS'):
        zero_norm_bound(ps.LeastSquares(*data(4, 2)), 1.0)


def test_a_bound_cannot_contradict_itself():
    assert Bound(2.0, 1.5, np.zeros(1), "hand", 0.0).gap == 0.5
    with pytest.raises(ValueError, match=r"lower=2\.5 exceeds value=2\.0, which hand attains"):
        Bound(2.0, 2.5, np.zeros(1), "hand", 0.0)
    with pytest.raises(ValueError, match="hand must give numbers"):
        Bound(float("nan"), 0.0, np.zeros(1), "hand", 0.0)
