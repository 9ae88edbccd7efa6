"""Proxes that solve an equation: the largest root to rounding, in every regime, from tiny to huge inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimo.penalties import Exponential, LogSum, Lq

ROUNDING = 16
"""What the equation x + tau h'(x) = v may be off by, in units in the last place of v."""

numbers = st.floats(-2, 2).map(lambda exponent: 10**exponent)
steps = st.floats(-3, 3).map(lambda exponent: 10**exponent)
inputs = st.one_of(
    st.floats(-6, 0).map(lambda e: ("near", 1 + 10**e)),  # close to the threshold
    st.floats(-30, 30).map(lambda e: ("at", 10**e)),
)
q = st.one_of(st.sampled_from([1 / 2, 2 / 3]), st.floats(0.001, 0.999))
makers = st.one_of(
    st.builds(Lq, numbers, q), st.builds(LogSum, numbers, numbers), st.builds(Exponential, numbers, numbers)
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(g=makers, step_size=steps, where=inputs)
def test_the_prox_solves_its_equation_to_rounding(dtype: Any, g: Any, step_size: float, where: tuple[str, float]):
    """The residual is computed in float64, of an x that may be a float32; the larger half of two roots is meant."""
    kind, factor = where
    v = np.array([factor * (g.threshold(step_size) if kind == "near" else 1.0)]).astype(dtype)
    if kind == "near":
        v = np.nextafter(v, np.inf, dtype=dtype)
    x = g.prox(v, step_size)
    assert x.dtype == dtype
    v64, x64 = float(v[0]), x.astype(np.float64)
    eps = float(np.finfo(dtype).eps)
    if x64[0] == 0:
        assert v64 <= g.threshold(step_size) * (1 + ROUNDING * eps)
        return
    assert v64 >= g.threshold(step_size) * (1 - ROUNDING * eps)
    residual = x64 + step_size * g.slopes(x64)[1] - v64
    assert abs(residual[0]) <= ROUNDING * eps * v64
    width = 1e-3 * x64
    rises = (2 * width + step_size * (g.slopes(x64 + width)[1] - g.slopes(x64 - width)[1]))[0]
    assert rises > -ROUNDING * eps * v64  # beyond the bend, where the largest root is


@given(g=makers, step_size=steps)
def test_at_the_threshold_both_are_listed_where_the_prox_jumps(g: Any, step_size: float):
    threshold = g.threshold(step_size)
    listed = g.prox_set(threshold, step_size)
    assert listed[0] == 0.0
    just_beyond = float(g.prox(np.array([threshold * (1 + 1e-12)]), step_size)[0])
    if just_beyond > 1e-3 * threshold:
        assert listed == pytest.approx((0.0, just_beyond), rel=1e-5)  # 1e-12 of v is more of x
    assert g.prox_set(threshold * (1 - 1e-9), step_size)[0] == 0.0


@pytest.mark.parametrize("g", [LogSum(1.0, 1.0), Exponential(1.0, 1.0)])
def test_at_the_boundary_of_regimes_the_prox_leaves_zero_like_a_root(g: Any):
    """k = 1: the slope at 0 just balances, and x grows from 0 like the root of v - 1."""
    beyond = np.array([1e-12, 1e-8, 1e-4])
    x = g.prox(1 + beyond, 1.0)
    np.testing.assert_allclose(x + g.slopes(x)[1], 1 + beyond, rtol=4e-16)
    np.testing.assert_allclose(x, np.sqrt(beyond) * (1.0 if isinstance(g, LogSum) else np.sqrt(2)), rtol=1e-2)
    np.testing.assert_array_equal(g.prox(1 - beyond, 1.0), 0.0)
    assert g.threshold(1.0) == 1.0
    for step_size in (1 - 1e-9, 1 + 1e-9):  # the two sides meet
        assert g.threshold(step_size) == pytest.approx(step_size, rel=1e-13)


@pytest.mark.parametrize("q", [1 / 2, 2 / 3])
def test_closed_forms_are_those_of_the_neighbouring_q(q: float):
    """Newton's method for an exponent next to 1/2 or 2/3 against the closed form there."""
    v = np.geomspace(0.01, 1e4, 200)
    for step_size in (1e-3, 1.0, 1e3):
        closed, near = Lq(1.3, q).prox(v, step_size), Lq(1.3, float(np.nextafter(q, 1))).prox(v, step_size)
        same = (closed > 0) == (near > 0)
        assert same.sum() >= v.size - 1
        np.testing.assert_allclose(closed[same], near[same], rtol=1e-14)
