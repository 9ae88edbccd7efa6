"""descent_rate against its definition: how fast <grad, .> + g falls along the two rays of a line, and over many."""

from __future__ import annotations

import math

import numpy as np
import pytest
from penalty_cases import BOOK, MAKERS

from parsimo.penalties import L1, MCP, Box, Group, SeparableSum, ZeroNormBox, ZeroNormCodebook
from parsimo.theory_checks import PENALTIES
from parsimo.theory_checks.oracles.scan import entrywise
from parsimo.theory_checks.oracles.slopes import one_sided_slopes


@pytest.mark.parametrize("name", [n for n in PENALTIES if n != "polygon"])  # between its pieces it takes one of two
def test_the_rate_on_a_line_is_that_of_the_steeper_ray(name: str):
    g, kinks = PENALTIES[name]
    for x in (0.0, 0.37, -1.3, *kinks):
        if not math.isfinite(g.value(np.array([x]))):
            continue
        room = np.array([min((abs(x - kink) for kink in (0.0, *kinks) if kink != x), default=1.0)])
        sides = (one_sided_slopes(entrywise(g), np.array([x]), side, room, 1.0) for side in (1, -1))
        (right, right_error), (left, left_error) = ((float(slope[0]), float(error[0])) for slope, error in sides)
        for q in (-3.0, -0.7, -0.1, 0.0, 0.2, 0.9, 4.0):
            expected = max(0.0, -(q + right), -(-q + left))
            got = g.descent_rate(np.array([x]), np.array([q]))
            assert got == pytest.approx(expected, abs=1e-6 * (1 + abs(q)) + right_error + left_error), (x, q)


@pytest.mark.parametrize("name", MAKERS)
def test_rates_add_up_in_squares(name: str):
    g = MAKERS[name](0.7)
    x, q = np.array([0.0, 0.2, -0.3, 0.8]), np.array([2.0, -1.0, 0.3, -5.0])
    squares = sum(g.descent_rate(x[i : i + 1], q[i : i + 1]) ** 2 for i in range(4))
    assert g.descent_rate(x, q) == pytest.approx(math.sqrt(squares), rel=1e-12)


def test_outside_the_domain_the_rate_is_infinite():
    for g in (Box(-1.0, 1.0), ZeroNormBox(0.5, -1.0, 1.0)):
        assert g.descent_rate(np.array([2.0, 0.0]), np.zeros(2)) == math.inf
        assert g.subdiff_distance(np.array([2.0, 0.0]), np.zeros(2)) == math.inf


def test_the_rate_of_a_sum_over_blocks():
    g = SeparableSum([slice(0, 2), np.array([4, 3])], [L1(0.5), MCP(1.0, 1.0)])
    x, q = np.array([0.0, 1.0, -7.0, 0.0, 2.0, 5.0]), np.array([0.7, 0.1, 3.0, 2.5, 1.0, 4.0])
    parts = (0.2, 0.6, 3.0, 0.5, 1.0, 4.0)  # at 0 what exceeds the slope; elsewhere |q + slope|; free coordinates |q|
    assert g.descent_rate(x, q) == pytest.approx(math.sqrt(sum(p * p for p in parts)), rel=1e-12)


def test_weights_of_rows_and_columns():
    x = np.array([[3.0, 0.0], [4.0, 2.0]])
    assert Group.columns(L1(1.0), (2, 2), np.array([2.0, 10.0])).value(x) == pytest.approx(2 * 5 + 10 * 2)
    assert Group.rows(L1(1.0), (2, 2), np.array([2.0, 10.0])).value(x) == pytest.approx(2 * 3 + 10 * math.sqrt(20))


def test_a_codebook_is_kept_sorted_and_is_that_of_the_nearest():
    g = ZeroNormCodebook(0.5, 1.0, BOOK[::-1].copy())
    np.testing.assert_array_equal(g.codebook, BOOK)
    np.testing.assert_array_equal(g.nearest(np.array([-0.9, 0.2, 1.9])), [-1.0, 0.3, 2.0])
    np.testing.assert_array_equal(g.assignments(np.array([-0.9, 0.2, 1.9])), [0, 2, 3])
