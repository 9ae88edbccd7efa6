"""The oracles find what is known by hand, and the cases that a careless scan misses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from parsimo.penalties import L1, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import LeastSquares
from parsimo.theory_checks.oracles.differences import difference_gradient
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimum
from parsimo.theory_checks.oracles.scan import grid_supremum, one_sided_slope, prox_scan, scan


def test_scan_finds_every_minimizer_of_a_double_well():
    least, where = scan(lambda x: (x * x - 1) ** 2, np.linspace(-3, 3, 20), rounding=1e-15)
    assert least <= 1e-15
    assert {round(x, 6) for x in where} == {-1.0, 1.0}


def test_scan_looks_past_points_that_rounding_parts():
    """The valley is right of 1 - 2^-53, left of which the lowest twin is."""
    twin = np.nextafter(1.0, 0.0)
    least, where = scan(lambda x: (x - 1.2) ** 2 - (1e-15 if x == twin else 0.0), [0.0, twin, 1.0, 2.0])
    assert least <= 1e-15
    assert where == pytest.approx([1.2], abs=1e-6)


def test_scan_finds_kinks_and_jumps():
    least, where = scan(lambda x: abs(x - 0.123456789), [0.0, 1.0])
    assert least <= 1e-8
    assert where == pytest.approx([0.123456789], abs=1e-8)
    assert scan(lambda x: 1.0 if x else 0.0, [-1.0, 0.0, 1.0]) == (0.0, [0.0])


def test_prox_scan_against_hand_computations():
    least, where = prox_scan(ZeroNorm(2.0), 2.0, 1.0)
    assert least == 2.0
    assert {round(x, 6) for x in where} == {0.0, 2.0}
    least, where = prox_scan(L1(1.0), 3.0, 0.5)
    assert least == pytest.approx(2.75, abs=1e-12)
    assert where == pytest.approx([2.5] * len(where), abs=1e-6)
    least, where = prox_scan(Box(-1.0, 1.0), 5.0, 2.0, (-1.0, 1.0))
    assert least == 4.0
    assert where == pytest.approx([1.0] * len(where), abs=1e-6)
    least, where = prox_scan(CappedL1(1.0, 1.0), 1.5, 1.0, (-1.0, 1.0))
    assert least == pytest.approx(1.0, abs=1e-12)
    assert min(where) == pytest.approx(0.5, abs=1e-6)
    assert max(where) == pytest.approx(1.5, abs=1e-6)
    assert prox_scan(Clustering(9.0, np.array([0.0, 1.0])), 0.5, 1.0, (0.0, 0.5, 1.0))[1] == pytest.approx(
        [0.0, 1.0], abs=1e-6
    )


def test_grid_supremum():
    assert grid_supremum(lambda w: -((w - 0.3) ** 2), 0.0, 1.0) == pytest.approx(0.0, abs=1e-15)
    assert grid_supremum(lambda w: 2 * w, 0.0, 1.0) == 2.0


def test_one_sided_slopes():
    assert one_sided_slope(L1(2.0), 0.0, 1) == pytest.approx(2.0, rel=1e-9)
    assert one_sided_slope(L1(2.0), 1.0, -1) == pytest.approx(-2.0, rel=1e-8)
    assert one_sided_slope(CappedL1(1.0, 0.5), 0.5, 1) == pytest.approx(0.0, abs=1e-8)
    assert one_sided_slope(CappedL1(1.0, 0.5), 0.5, -1) == pytest.approx(-2.0, rel=1e-8)
    assert one_sided_slope(ZeroNorm(1.0), 0.0, 1) == math.inf
    assert one_sided_slope(ZeroNorm(1.0), 1.0, 1) == 0.0
    assert one_sided_slope(Box(0.0, 1.0), 0.0, -1) == math.inf


def test_difference_gradient():
    f = LeastSquares(np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([1.0, 1.0]))
    x = np.array([0.5, -1.0])
    np.testing.assert_allclose(difference_gradient(f, x), f.grad(x), atol=1e-8)


def test_zero_norm_minimum_of_orthogonal_columns():
    """With A = I each coordinate is kept where b_i^2 / 2 > weight."""
    b = np.array([3.0, 0.5, -1.0, 2.0])
    value, x = zero_norm_minimum(np.eye(4), b, 1.0)
    assert value == pytest.approx(1.0 + 0.125 + 0.5 + 1.0)
    np.testing.assert_allclose(x, [3.0, 0.0, 0.0, 2.0])
    with pytest.raises(ValueError, match=r"2\^11 supports are too many"):
        zero_norm_minimum(np.eye(11), np.ones(11), 1.0)
