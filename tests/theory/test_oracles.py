"""The oracles find what is known by hand, and the cases that a careless scan misses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from parsimo.penalties import L1, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import LeastSquares
from parsimo.theory_checks.oracles.differences import difference_gradient
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimum
from parsimo.theory_checks.oracles.scan import (
    entrywise,
    grid_supremum,
    line_minima,
    prox_minima,
    prox_scan,
    scan,
)
from parsimo.theory_checks.oracles.slopes import one_sided_slopes


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


def test_line_minima_zooms_many_lines_at_once_into_kinks_off_the_grid():
    """|x - kink| + slope (x - kink) on 3,000 lines, more than one block of them; each has its own kink."""
    kinks = np.random.default_rng(0).uniform(-3, 3, 3000)
    values, where = line_minima(
        lambda rows, x: np.abs(x - kinks[rows, None]), np.tile(np.linspace(-4, 4, 9), (3000, 1))
    )
    assert values.shape == where.shape == (3000, 4)
    np.testing.assert_allclose(values[:, 0], 0, atol=1e-10)
    np.testing.assert_allclose(where[:, 0], kinks, atol=1e-10)
    assert np.isinf(values[:, 1:]).all()
    assert np.isnan(where[:, 1:]).all()


def test_line_minima_ranks_valleys_by_their_floor_and_not_by_the_grid():
    """At the points the left valley is the lower one; its floor is at 1, that of the right one at 0."""
    values, where = line_minima(
        lambda rows, x: np.minimum(1 + (x + 1.02) ** 2, 20 * np.abs(x - 1.49)), np.linspace(-3.0, 3.0, 13)[None]
    )
    np.testing.assert_allclose(values[0, :2], [0, 1], atol=1e-10)
    np.testing.assert_allclose(where[0, :2], [1.49, -1.02], atol=1e-6)


def test_prox_minima_against_formulas_at_every_step():
    """The oracle knows no formula: L1, the zero norm and the squared clusters by hand, at steps 1e-3 to 1e3."""
    rng = np.random.default_rng(1)
    n = 4000
    step, v = 10 ** rng.uniform(-3, 3, n), rng.normal(size=n) * 10 ** rng.uniform(-3, 2, n)
    size = np.abs(v)
    quadratic = v**2 / (2 * step)
    known = {
        L1(0.7): np.where(size > 0.7 * step, 0.7 * size - 0.245 * step, quadratic),
        ZeroNorm(0.7): np.minimum(0.7, quadratic),
        Clustering(0.7, np.array([0.0]), "squared"): 0.35 * v**2 / (1 + 0.7 * step),
    }
    for g, expected in known.items():
        least, _ = prox_minima(entrywise(g), v, step)
        np.testing.assert_allclose(least, expected, rtol=1e-10, atol=1e-14, err_msg=repr(g))


def test_prox_minima_sees_the_lower_end_of_a_jump():
    """g jumps from 0 to 1 right of 1: for v = 1 + d the minimizer is 1, for d up to sqrt(2 step)."""
    v = 1 + 0.999 * math.sqrt(0.02) * np.array([1e-6, 1e-3, 1.0])
    least, where = prox_minima(lambda x: (x > 1) * 1.0, v, np.full(3, 0.01), (1.0,))
    np.testing.assert_allclose(least, (v - 1) ** 2 / 0.02, rtol=1e-12)
    np.testing.assert_array_equal(where[:, 0], 1.0)


@pytest.mark.parametrize("width", [1e-1, 1e-3, 1e-5])
def test_prox_minima_finds_narrow_basins_at_breakpoints(width: float):
    """A parabola of depth 1 and half-width `width` about 2, whose floor the parabola x^2 / 10 moves a little."""
    least, where = prox_minima(
        lambda x: np.minimum(((x - 2) / width) ** 2, 1.0), np.array([0.0]), np.array([5.0]), (2.0,)
    )
    floor = 2 - 0.4 / (0.2 + 2 / width**2)
    assert least[0] == pytest.approx(((floor - 2) / width) ** 2 + floor**2 / 10, rel=1e-12)
    assert where[0, 0] == pytest.approx(floor, abs=1e-7 * width + 1e-15)


def test_prox_minima_finds_the_shallow_valley_before_a_concave_kink():
    """Capped l1 at a + tau / (2a): the valleys at v - tau / a and at v tie; the first is within 4e-4 of the kink."""
    step, weight, a = 1e-3, 0.7, 0.8
    tie = a + step * weight / (2 * a)
    least, where = prox_minima(entrywise(CappedL1(weight, a)), np.array([tie]), np.array([step]), (-a, a))
    assert least[0] == pytest.approx(weight, abs=1e-13)
    found = np.sort(where[0][~np.isnan(where[0])])
    assert found[0] == pytest.approx(tie - step * weight / a, abs=1e-6)
    assert found[-1] == tie


def test_prox_minima_asks_values_alone_where_there_are_no_terms():
    class Values:
        def value(self, x: np.ndarray) -> float:
            assert x.shape == (1,)
            return float(np.abs(x).sum())

    v, step = np.array([-2.0, 0.1, 3.0]), np.array([0.5, 1.0, 2.0])
    expected, _ = prox_minima(entrywise(L1(1.0)), v, step)
    least, _ = prox_minima(entrywise(Values()), v, step)
    np.testing.assert_array_equal(least, expected)


def test_prox_minima_of_functions_below_zero_takes_their_bound():
    """g = -exp(-(x - 2)^2) has its well beyond the radius of a nonnegative function that is 0 at v."""
    well = lambda x: -np.exp(-((x - 2.0) ** 2))  # noqa: E731
    v, step = np.array([0.0]), np.array([4.0])
    least, _ = prox_minima(well, v, step, (2.0,), lower=-1.0)
    x = np.linspace(-3, 4, 700_001)
    assert least[0] == pytest.approx(float((well(x) + x**2 / 8).min()), abs=1e-10)


def test_prox_minima_needs_a_point_of_the_domain():
    with pytest.raises(
        ValueError, match=r"at v = 3.0, g is infinite at 0, at v and at every one of the breakpoints \(\)"
    ):
        prox_minima(entrywise(Box(1.0, 2.0)), np.array([1.5, 3.0]), np.array([1.0, 1.0]))
    least, where = prox_minima(entrywise(Box(1.0, 2.0)), np.array([3.0]), np.array([1.0]), (1.0, 2.0))
    assert (least[0], where[0, 0]) == (0.5, 2.0)


def test_grid_supremum():
    assert grid_supremum(lambda w: -((w - 0.3) ** 2), 0.0, 1.0) == pytest.approx(0.0, abs=1e-15)
    assert grid_supremum(lambda w: 2 * w, 0.0, 1.0) == 2.0


def slope_of(g: Any, x: float, side: int, room: float = 1.0) -> float:
    slopes, errors = one_sided_slopes(entrywise(g), np.array([x]), side, np.array([room]), 1.0)
    assert errors[0] <= 1e-8 * (1 + abs(float(g.value(np.array([x])))))
    return float(slopes[0])


def test_one_sided_slopes():
    assert slope_of(L1(2.0), 0.0, 1) == pytest.approx(2.0, rel=1e-12)
    assert slope_of(L1(2.0), 1.0, -1) == pytest.approx(-2.0, rel=1e-9)
    assert slope_of(CappedL1(1.0, 0.5), 0.5, 1) == pytest.approx(0.0, abs=1e-9)
    assert slope_of(CappedL1(1.0, 0.5), 0.5, -1, 0.5) == pytest.approx(-2.0, rel=1e-9)
    assert slope_of(ZeroNorm(1.0), 0.0, 1) == math.inf
    assert slope_of(ZeroNorm(1.0), 1.0, 1) == 0.0
    assert slope_of(Box(0.0, 1.0), 0.0, -1) == math.inf


def test_slopes_that_are_infinite_and_some_that_are_large():
    """Roots and x log x rise without end, or fall; a slope of 1e6 that bends on the scale of 1e-6 does not."""
    entropy = lambda x: -np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0)), 0.0)  # noqa: E731
    bent = lambda x: -np.expm1(-1e6 * np.abs(x))  # noqa: E731
    zero, one = np.zeros(1), np.ones(1)
    assert one_sided_slopes(entropy, zero, 1, one, 1.0)[0][0] == math.inf
    assert one_sided_slopes(lambda x: -np.sqrt(np.abs(x)), zero, 1, one, 1.0)[0][0] == -math.inf
    slope, error = one_sided_slopes(bent, zero, 1, one, 1.0)
    assert slope[0] == pytest.approx(1e6, abs=error[0])
    assert error[0] < 100


def test_the_error_of_a_slope_covers_what_rounding_does():
    """3 x + noise of 1e-12, on numbers of size 1e4."""
    rng = np.random.default_rng(0)
    noisy = lambda x: 1e4 + 3 * x + 1e-12 * rng.standard_normal(x.shape)  # noqa: E731
    slopes, errors = one_sided_slopes(noisy, rng.uniform(-1, 1, 500), 1, np.ones(500), 1e4)
    assert (np.abs(slopes - 3) <= errors).all()
    assert errors.max() < 1e-6


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
    with pytest.raises(ValueError, match=r"2\^13 supports are too many"):
        zero_norm_minimum(np.eye(13), np.ones(13), 1.0)
