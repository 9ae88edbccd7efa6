"""Data terms against their formulas, for every kind of matrix they take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import parsimo as ps
from parsimo._array import array_namespace, to_numpy
from parsimo.theory_checks.oracles.differences import difference_gradient

SHAPES = {"tall": (12, 5), "wide": (5, 12), "square": (6, 6), "one column": (4, 1), "one row": (1, 4)}


def strict(a: np.ndarray) -> Any:
    return array_api_strict.asarray(a.tolist(), dtype=array_api_strict.float64)


def same(a: np.ndarray) -> Any:
    return a


KINDS: dict[str, tuple[Callable[[np.ndarray], Any], Callable[[np.ndarray], Any]]] = {
    "numpy": (same, same),
    "torch": (torch.from_numpy, torch.from_numpy),
    "array-api-strict": (strict, strict),
    "csr": (sp.csr_array, same),
    "csc matrix": (sp.csc_matrix, same),
    "operator": (aslinearoperator, same),
}
"""How the matrix and the vectors are handed over."""


def data(shape: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    m, n = SHAPES[shape]
    A = rng.normal(size=(m, n)) * (rng.random((m, n)) < 0.7)
    A[0, 0] = 1.0
    return A, rng.normal(size=m), np.where(rng.random(m) < 0.5, -1.0, 1.0), rng.normal(size=n)


def make(loss: str, kind: str, A: np.ndarray, b: np.ndarray, y: np.ndarray, average: bool = False) -> Any:
    matrix, vector = KINDS[kind]
    if loss == "least squares":
        return ps.LeastSquares(matrix(A), vector(b), average)
    return ps.Logistic(matrix(A), vector(y), average)


def written_out(loss: str, A: np.ndarray, b: np.ndarray, y: np.ndarray, x: np.ndarray) -> float:
    if loss == "least squares":
        return sum((sum(A[i, j] * x[j] for j in range(x.size)) - b[i]) ** 2 for i in range(b.size)) / 2
    return sum(math.log(1 + math.exp(-y[i] * float(A[i] @ x))) for i in range(y.size))


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["least squares", "logistic"])
def test_values_and_gradients(loss: str, kind: str, shape: str, average: bool):
    A, b, y, x = data(shape)
    f, point = make(loss, kind, A, b, y, average), KINDS[kind][1](x)
    scale = 1 / A.shape[0] if average else 1.0
    assert type(f.value(point)) is float
    assert f.value(point) == pytest.approx(scale * written_out(loss, A, b, y, x), rel=1e-12)
    grad = f.grad(point)
    assert array_namespace(grad) is array_namespace(point)
    assert grad.dtype == point.dtype
    reference = make(loss, "numpy", A, b, y, average)
    np.testing.assert_allclose(to_numpy(grad), difference_gradient(reference, x), atol=1e-7)
    value, same_grad = f.value_and_grad(point)
    assert value == f.value(point)
    np.testing.assert_array_equal(to_numpy(same_grad), to_numpy(grad))
    assert f.shape == x.shape
    np.testing.assert_array_equal(to_numpy(f.start()), np.zeros(x.size))
    assert f.start().dtype == point.dtype


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_constants(kind: str, shape: str, average: bool):
    A, b, y, _ = data(shape)
    scale = 1 / A.shape[0] if average else 1.0
    norm_squared = float(np.linalg.norm(A, 2)) ** 2
    squares, logistic = (make(loss, kind, A, b, y, average) for loss in ("least squares", "logistic"))
    assert squares.lipschitz == pytest.approx(scale * norm_squared, rel=1e-9)
    assert logistic.lipschitz == pytest.approx(scale * norm_squared / 4, rel=1e-9)
    assert squares.lipschitz_is_exact == (kind in ("numpy", "torch", "array-api-strict"))
    assert squares.convex
    assert squares.weak_convexity == 0
    assert squares.coordinate_lipschitz is None
    if kind == "operator":  # whose columns are not at hand
        assert squares.coordinate_curvature == squares.lipschitz
        assert logistic.coordinate_lipschitz is None
        return
    np.testing.assert_allclose(squares.coordinate_curvature, scale * (A**2).sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(logistic.coordinate_curvature, scale * (A**2).sum(axis=0) / 4, rtol=1e-12)
    np.testing.assert_allclose(logistic.coordinate_lipschitz, scale * np.abs(A).sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("loss", ["least squares", "logistic"])
def test_the_constants_bound_what_they_say(loss: str):
    A, b, y, _ = data("tall")
    f, rng = make(loss, "numpy", A, b, y), np.random.default_rng(1)
    for _ in range(200):
        x, z = rng.normal(size=(2, 5)) * 10 ** rng.uniform(-2, 1)
        assert np.linalg.norm(f.grad(x) - f.grad(z)) <= f.lipschitz * np.linalg.norm(x - z) * (1 + 1e-12)
        j, t = int(rng.integers(5)), float(rng.normal())
        moved = x + t * np.eye(5)[j]
        slack = f.value(x) + t * f.grad(x)[j] + f.coordinate_curvature[j] * t * t / 2 - f.value(moved)
        assert slack >= -1e-10 * (1 + f.value(moved))
        if f.coordinate_lipschitz is not None:
            assert abs(f.value(moved) - f.value(x)) <= f.coordinate_lipschitz[j] * abs(t) * (1 + 1e-12)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "operator"])
def test_prox_solves_its_linear_system(kind: str, shape: str, average: bool):
    A, b, y, v = data(shape)
    f = make("least squares", kind, A, b, y, average)
    scale = 1 / A.shape[0] if average else 1.0
    for step_size in (1e-3, 1.0, 1e3, 1.0):  # back and forth: a factorization is kept for the last step alone
        x = f.prox(KINDS[kind][1](v), step_size)
        system = scale * A.T @ A + np.eye(v.size) / step_size
        expected = np.linalg.solve(system, scale * A.T @ b + v / step_size)
        np.testing.assert_allclose(to_numpy(x), expected, rtol=1e-8, atol=1e-10)
        assert array_namespace(x) is array_namespace(KINDS[kind][1](v))


def test_where_there_is_no_prox():
    A, b, y, _ = data("tall")
    assert make("least squares", "operator", A, b, y).prox is None
    assert not hasattr(make("logistic", "numpy", A, b, y), "prox")


@pytest.mark.parametrize("loss", ["least squares", "logistic"])
@pytest.mark.parametrize("kind", ["numpy", "torch", "csr"])
def test_float32_is_kept(loss: str, kind: str):
    A, b, y, x = (a.astype(np.float32) for a in data("tall"))
    f, point = make(loss, kind, A, b, y), KINDS[kind][1](x)
    assert f.start().dtype == point.dtype
    assert f.grad(point).dtype == point.dtype
    assert type(f.lipschitz) is float
    assert f.value(point) == pytest.approx(written_out(loss, A, b, y, x), rel=1e-5)
    if loss == "least squares":
        assert f.prox(point, 0.5).dtype == point.dtype


def test_a_long_step_in_float32_stays_a_prox():
    """Equal columns: rounding leaves a zero eigenvalue of the Gram matrix negative, and 1 + t * it may vanish."""
    rng = np.random.default_rng(0)
    for trial in range(50):
        A = (rng.normal(size=(8, 3)) * 30).astype(np.float32)
        A = np.concatenate([A, A], axis=1)
        f = ps.LeastSquares(A, rng.normal(size=8).astype(np.float32))
        eigenvalues = f.design.gram_eigh[0]
        assert (eigenvalues >= 0).all(), trial
        x = f.prox(np.zeros(6, np.float32), 1e4)
        assert np.abs(x).max() < 1


def test_a_large_sparse_gram_matrix_that_fills_in_is_not_factorized():
    rng = np.random.default_rng(0)
    banded = sp.diags_array([np.ones(6000), np.ones(5999)], offsets=[0, 1]).tocsr()
    scattered = sp.random_array((6000, 7000), density=2e-3, rng=rng)
    small = sp.random_array((60, 70), density=0.5, rng=rng)
    assert ps.LeastSquares(scattered, np.ones(6000)).prox is None
    for A in (banded, small):
        assert ps.LeastSquares(A, np.ones(A.shape[0])).prox is not None


def test_extreme_margins_do_not_overflow():
    f = ps.Logistic(np.array([[1e3], [-1e3]]), np.array([1.0, 1.0]))
    assert f.value(np.array([5.0])) == pytest.approx(5e3)
    np.testing.assert_allclose(f.grad(np.array([5.0])), [1e3])


def test_zero_matrices_have_a_constant():
    for kind in KINDS:
        f = make("least squares", kind, np.zeros((4, 3)), np.ones(4), np.ones(4))
        assert f.lipschitz == pytest.approx(0.0, abs=1e-12)
        assert f.value(f.start()) == 2.0


def test_integers_become_floats_and_inputs_are_left_alone():
    A, b = np.array([[1, 2], [3, 4], [0, 1]]), np.array([1, 0, 2])
    for matrix in (A, sp.csr_array(A)):
        f = ps.LeastSquares(matrix, b)
        assert f.grad(np.zeros(2)).dtype == np.float64
    assert A.dtype == np.array([1]).dtype
    with pytest.raises(TypeError, match="LeastSquares: A must hold real numbers"):
        ps.LeastSquares(np.array([["a"]]), np.ones(1))


def test_an_operator_without_a_dtype_is_taken():
    A = np.arange(6.0).reshape(3, 2)
    operator = LinearOperator((3, 2), matvec=lambda x: A @ x, rmatvec=lambda r: A.T @ r)
    f = ps.LeastSquares(operator, np.ones(3))
    np.testing.assert_allclose(f.grad(np.ones(2)), A.T @ (A @ np.ones(2) - 1))
    assert f.lipschitz == pytest.approx(np.linalg.norm(A, 2) ** 2)


def test_names_say_what_it_is():
    A, b, y, _ = data("tall")
    assert repr(ps.LeastSquares(A, b)) == "LeastSquares(12 x 5)"
    assert repr(ps.Logistic(A, y, average=True)) == "Logistic(12 x 5, average=True)"


def test_nan_in_sparse_entries_is_refused():
    with pytest.raises(ValueError, match=r"LeastSquares: A \(stored entries\) has 1 entries that are NaN or infinite"):
        ps.LeastSquares(sp.csr_array(np.array([[1.0, np.nan]])), np.ones(1))


def test_entries_stored_twice_count_once_in_the_constants():
    twice = sp.csr_array((np.ones(16), np.zeros(16, dtype=int), [0, 16]), shape=(1, 1))  # the 1 x 1 matrix 16
    f = ps.LeastSquares(twice, np.array([0.6]))
    assert f.coordinate_curvature == pytest.approx([256.0])
    assert f.lipschitz == pytest.approx(256.0)
    assert ps.Logistic(twice, np.array([1.0])).coordinate_lipschitz == pytest.approx([16.0])
    assert twice.nnz == 16  # the caller's matrix is left alone
