"""Solving with a positive definite matrix, and saying where there is none."""

import numpy as np
import pytest

from parsimo._array import asarray_like, solve_positive, to_numpy

LIBRARIES = ["numpy", "torch", "array_api_strict"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_solves_where_the_matrix_is_positive_definite(library):
    xp = pytest.importorskip(library)
    M = np.random.default_rng(0).standard_normal((6, 4))
    H, b = M.T @ M, np.arange(4.0)
    solution = solve_positive(xp.asarray(H.tolist(), dtype=xp.float64), xp.asarray(b.tolist(), dtype=xp.float64))
    np.testing.assert_allclose(H @ to_numpy(solution), b, atol=1e-10)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "H",
    [
        np.diag([1.0, -1e-3, 1.0]),  # indefinite
        np.ones((3, 3)),  # of rank 1
        np.diag([1.0, 1.0, 1e-17]),  # of full rank only beyond rounding
    ],
)
def test_is_none_where_it_is_not(library, H):
    xp = pytest.importorskip(library)
    like = xp.asarray([0.0, 0.0, 0.0], dtype=xp.float64)
    assert solve_positive(asarray_like(H, like), asarray_like(np.ones(3), like)) is None
