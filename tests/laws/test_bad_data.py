"""Data terms and composites refuse what they cannot use, by errors that name the object, the value and the remedy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import parsimo as ps

A, b = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]), np.array([1.0, -1.0, 1.0])
F = ps.LeastSquares(A, b)


def with_entry(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.copy()
    changed.reshape(-1)[-1] = value
    return changed


class NoGradient:
    lipschitz = 1.0

    def value(self, x: np.ndarray) -> float:
        return 0.0


class NoCertificate:
    traits = ps.Traits(convex=True)

    def value(self, x: np.ndarray) -> float:
        return 0.0

    def prox(self, v: np.ndarray, step_size: float) -> np.ndarray:
        return v


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        # data
        (lambda: ps.LeastSquares(A[0], b), ValueError, r"LeastSquares: A must be a nonempty matrix, got shape \(2,\)"),
        (lambda: ps.LeastSquares(A[:, :0], b), ValueError, r"A must be a nonempty matrix, got shape \(3, 0\)"),
        (lambda: ps.LeastSquares(A, b[:2]), ValueError, r"LeastSquares: b must have shape \(3,\), got \(2,\)"),
        (lambda: ps.LeastSquares(A, b[:, None]), ValueError, r"b must have shape \(3,\), got \(3, 1\)"),
        (lambda: ps.LeastSquares(A.tolist(), b), TypeError, "got list; convert it, for example with numpy.asarray"),
        (lambda: ps.LeastSquares(A + 1j, b), TypeError, "A must hold real numbers, but its dtype is complex128"),
        (lambda: ps.LeastSquares(A, b.astype(str)), TypeError, "b must hold real numbers"),
        (lambda: ps.LeastSquares(A, b.astype(np.float32)), TypeError, "A and b must share a dtype"),
        (lambda: ps.LeastSquares(A.astype(np.float16), b), TypeError, "A has dtype float16; cast it to float64"),
        (lambda: ps.LeastSquares(A.astype(np.longdouble), b), TypeError, "A has dtype .*; cast it to float64"),
        (lambda: ps.LeastSquares(np.ma.masked_array(A, A > 1), b), TypeError, "A is a masked array, whose mask would"),
        (lambda: ps.LeastSquares(A, np.ma.masked_array(b)), TypeError, "b is a masked array"),
        (lambda: ps.LeastSquares(A, torch.ones(3)), TypeError, "A and b must come from one array library"),
        (lambda: ps.LeastSquares(with_entry(A, math.nan), b), ValueError, r"A has 1 entries.*index \(2, 1\): nan"),
        (lambda: ps.LeastSquares(with_entry(A, math.inf), b), ValueError, "remove or impute them"),
        (lambda: ps.LeastSquares(A, with_entry(b, -math.inf)), ValueError, r"b has 1 entries.*index \(2,\): -inf"),
        (lambda: ps.Logistic(A, with_entry(b, 0.0)), ValueError, "Logistic: labels must be -1 or 1, got .*; recode"),
        (lambda: ps.Logistic(A, (b + 1) / 2), ValueError, r"; map 0/1 labels by 2\*y - 1$"),
        (lambda: ps.Logistic(A, with_entry(b, 3.0)), ValueError, "; recode the two classes$"),
        # problems
        (lambda: ps.Composite(NoGradient(), ps.L1(1.0)), TypeError, "smooth part: it lacks grad, value_and_grad"),
        (lambda: ps.Composite(F, NoCertificate()), TypeError, "penalty: it lacks subdiff_distance"),
        (lambda: ps.Composite(F, ps.L1), TypeError, "cannot be the penalty: it is a class; pass an object"),
        (lambda: ps.Composite(ps.LeastSquares, ps.L1(1.0)), TypeError, "it is a class; pass an object"),
        (lambda: ps.Composite(ps.L1(1.0), F), TypeError, "cannot be the smooth part: it lacks grad"),
        (lambda: ps.ZeroNormProblem(NoGradient(), 1.0), TypeError, "ZeroNormProblem: f=.* it lacks grad"),
    ],
)
def test_misuse_is_refused(make: Any, error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        make()


def test_a_gram_matrix_that_overflows_is_told():
    f = ps.LeastSquares(1e200 * np.eye(3), np.ones(3))
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match="A'A overflows; scale the data"):
        ps.solve(ps.Composite(f, ps.L1(1.0)), ps.ProximalADMM())
