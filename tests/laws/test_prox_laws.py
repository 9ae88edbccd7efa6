"""Laws of every prox: it solves its definition, whatever the step, array library, dtype and shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from penalty_cases import EVEN, FREE, LIBRARIES, MAKERS, STEPS, random_cases

from parsimo._array import array_namespace, device_of, to_numpy
from parsimo.theory_checks import check_prox, check_subdifferential
from parsimo.theory_checks.oracles.scan import prox_scan

RANDOM = list(random_cases())
V = np.array([-3.0, -0.8, -0.31, -0.0, 0.0, 1e-9, 0.15, 0.3, 0.7, 0.80001, 1.15, 2.0, 7.0])


NOT_LIPSCHITZ = (
    *("ZeroNorm", "Lq", "Lq, q 2/3", "Lq, q 0.1", "Lq, q 0.9", "Clustering, squared"),
    *("EntropyCodebook", "ZeroNormCodebook", "ZeroNormCodebook, squared"),
)


def each(names: Any = tuple(MAKERS)) -> Any:
    return pytest.mark.parametrize("name", names)


@pytest.mark.parametrize(("g", "breakpoints"), RANDOM, ids=[repr(g) for g, _ in RANDOM])
def test_prox_and_prox_set_solve_the_definition(g: Any, breakpoints: tuple[float, ...]):
    evidence = check_prox(g, np.random.default_rng(0), 6, breakpoints, tolerance=1e-9)
    assert evidence.holds, evidence


@pytest.mark.parametrize(("g", "breakpoints"), RANDOM, ids=[repr(g) for g, _ in RANDOM])
def test_the_subdifferential_is_that_of_the_definition(g: Any, breakpoints: tuple[float, ...]):
    evidence = check_subdifferential(g, np.random.default_rng(0), 20, breakpoints)
    assert evidence.holds, evidence


@each()
@given(v=st.floats(-10, 10), exponent=st.floats(-2, 2))
def test_prox_is_one_of_prox_set(name: str, v: float, exponent: float):
    g, step_size = MAKERS[name](0.7), 10**exponent
    listed = g.prox_set(v, step_size)
    assert list(listed) == sorted(set(listed))
    x = float(g.prox(np.array([v]), step_size)[0])
    assert min(abs(x - p) for p in listed) <= 1e-6 * (1 + abs(v))


@each()
@given(v=st.floats(-10, 10), gap=st.floats(0, 5), exponent=st.floats(-2, 2))
def test_prox_is_monotone(name: str, v: float, gap: float, exponent: float):
    """A prox on the line never decreases, convex or not."""
    g, step_size = MAKERS[name](0.7), 10**exponent
    low, high = g.prox(np.array([v, v + gap]), step_size)
    assert high - low >= -1e-6


@each()
@given(x=st.lists(st.floats(-100, 100), min_size=1, max_size=5))
def test_values_are_nonnegative_and_add_up(name: str, x: list[float]):
    g = MAKERS[name](0.7)
    value = g.value(np.array(x))
    assert type(value) is float
    assert value >= 0
    assert value == pytest.approx(sum(g.value(np.array([xi])) for xi in x), rel=1e-12)


@each(EVEN)
@pytest.mark.parametrize("step_size", STEPS)
def test_even_penalties_have_odd_proxes(name: str, step_size: float):
    g = MAKERS[name](0.7)
    assert g.value(np.zeros(3)) == 0
    assert g.value(-V) == g.value(V)
    np.testing.assert_array_equal(g.prox(-V, step_size), -g.prox(V, step_size))


@each(EVEN)
@pytest.mark.parametrize("step_size", STEPS)
def test_zeros_are_positive(name: str, step_size: float):
    """-0.0 would be one more value of a codebook, bit for bit."""
    x = MAKERS[name](0.7).prox(V, step_size)
    assert not np.signbit(x[x == 0]).any()
    assert not any(math.copysign(1, p) < 0 for p in MAKERS[name](0.7).prox_set(-1e-9, step_size) if p == 0)


@each()
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("step_size", STEPS)
def test_libraries_agree(name: str, library: str, step_size: float):
    g, v = MAKERS[name](0.7), LIBRARIES[library](V)
    x = g.prox(v, step_size)
    assert array_namespace(x) is array_namespace(v)
    assert device_of(x) == device_of(v)
    np.testing.assert_allclose(to_numpy(x), g.prox(V, step_size), rtol=0, atol=1e-12)
    assert g.value(v) == pytest.approx(g.value(V), rel=1e-12)
    grad = LIBRARIES[library](np.cos(V))
    assert g.subdiff_distance(v, grad) == pytest.approx(g.subdiff_distance(V, np.cos(V)), rel=1e-12)


@each()
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (12,), (3, 4), (2, 3, 2)])
def test_dtype_and_shape_are_kept(name: str, library: str, dtype: Any, shape: tuple[int, ...]):
    points = np.resize(V, shape).astype(dtype) if math.prod(shape) else np.zeros(shape, dtype)
    g, v = MAKERS[name](0.7), LIBRARIES[library](points)
    x = g.prox(v, 0.3)
    assert tuple(x.shape) == shape
    assert x.dtype == v.dtype
    assert type(g.value(v)) is float


@each()
def test_float32_differs_by_rounding(name: str):
    v = np.linspace(-3.003, 3.007, 301).astype(np.float32)
    g = MAKERS[name](0.7)
    for step_size in STEPS:
        single, double = g.prox(v, step_size), g.prox(v.astype(np.float64), step_size)
        near_jump = np.abs(single - double) > 1e-3
        assert near_jump.sum() <= 2
        # a minimum that was sought by values is flat: it comes out to the root of the precision
        allowed = 1e-4 if name == "PhiPenalty" else 1e-5
        np.testing.assert_allclose(single[~near_jump], double[~near_jump], atol=allowed)


@each([n for n in MAKERS if n != "Box"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_arrays_of_weights_and_steps_act_coordinatewise(name: str, library: str):
    convert = LIBRARIES[library]
    weights, steps = np.linspace(0.0, 3.0, V.size), np.geomspace(0.01, 100, V.size)
    expected = [
        float(MAKERS[name](float(w)).prox(V[i : i + 1], float(t))[0])
        for i, (w, t) in enumerate(zip(weights, steps, strict=True))
    ]
    x = MAKERS[name](convert(weights)).prox(convert(V), convert(steps))
    np.testing.assert_allclose(to_numpy(x), expected, rtol=0, atol=1e-12)
    total = sum(MAKERS[name](float(w)).value(V[i : i + 1]) for i, w in enumerate(weights))
    assert MAKERS[name](convert(weights)).value(convert(V)) == pytest.approx(total, rel=1e-12)
    squares = [
        MAKERS[name](float(w)).subdiff_distance(V[i : i + 1], np.cos(V[i : i + 1])) ** 2 for i, w in enumerate(weights)
    ]
    distance = MAKERS[name](convert(weights)).subdiff_distance(convert(V), convert(np.cos(V)))
    assert distance == pytest.approx(math.sqrt(sum(squares)), rel=1e-12)


def test_arrays_of_ends_act_coordinatewise():
    from parsimo.penalties import Box

    lower, upper = np.linspace(-1, 0.5, V.size), np.linspace(0.5, 2.0, V.size)
    expected = [
        float(Box(float(l), float(u)).prox(V[i : i + 1], 1.0)[0])
        for i, (l, u) in enumerate(zip(lower, upper, strict=True))
    ]
    np.testing.assert_array_equal(Box(lower, upper).prox(V, 1.0), expected)
    assert Box(lower, upper).value(V) == math.inf
    assert Box(lower, upper).value((lower + upper) / 2) == 0


@each()
@pytest.mark.parametrize("library", LIBRARIES)
def test_inputs_are_not_written_to(name: str, library: str):
    v, grad = LIBRARIES[library](V), LIBRARIES[library](np.cos(V))
    g = MAKERS[name](0.7)
    g.prox(v, 0.3)
    g.value(v)
    g.subdiff_distance(v, grad)
    np.testing.assert_array_equal(to_numpy(v), V)
    np.testing.assert_array_equal(to_numpy(grad), np.cos(V))


@each(FREE)
def test_the_prox_at_the_ends_of_the_step_range(name: str):
    g = MAKERS[name](0.7)
    np.testing.assert_allclose(g.prox(V, 1e-12), V, atol=2e-6)  # a jump may swallow sqrt(2 tau)
    free = MAKERS[name](0.0)
    np.testing.assert_array_equal(free.prox(V, 1e3), V)
    assert g.value(g.prox(V, 1e12)) <= 1e-9  # a minimizer of g


@each(EVEN)
@pytest.mark.parametrize("step_size", STEPS[::2])
@pytest.mark.parametrize("weight", [0.05, 0.7, 9.0])
def test_threshold_is_the_largest_input_that_may_go_to_zero(name: str, step_size: float, weight: float):
    g = MAKERS[name](weight)
    threshold = g.threshold(step_size)
    breakpoints = (-0.8, 0.8) if name in ("CappedL1", "MCP", "ridge, MCP") else ()
    for factor, zero_wins in ((1 - 1e-6, True), (1 + 1e-3, False)):
        v = threshold * factor
        least, _ = prox_scan(g, v, step_size, breakpoints)
        at_zero = v * v / (2 * step_size)
        assert bool(at_zero <= least + 1e-12 * at_zero) is zero_wins, (v, at_zero - least)
        assert (0.0 in g.prox_set(v, step_size)) is zero_wins
        assert (float(g.prox(np.array([v]), step_size)[0]) == 0) is zero_wins


@each([n for n in MAKERS if "Box" not in n])
def test_traits_are_true_and_sharp(name: str):
    """Slopes and second differences of g on a fine grid reach the promised constants, and no more."""
    g = MAKERS[name](0.7)
    traits = g.traits
    x = np.linspace(-2.4, 2.4, 1201)
    values = np.array([g.value(x[i : i + 1]) for i in range(x.size)])
    width = x[1] - x[0]
    slope = np.abs(np.diff(values)).max() / width
    bend = -np.diff(values, 2).min() / width**2
    if traits.lipschitz < math.inf:
        assert 0.97 * traits.lipschitz <= slope <= traits.lipschitz * (1 + 1e-9)
    else:
        assert name in NOT_LIPSCHITZ or "ridge" in name
    assert traits.convex == (bend <= 1e-6)
    if 0 < traits.weak_convexity < math.inf:
        assert 0.97 * traits.weak_convexity <= bend <= traits.weak_convexity * (1 + 1e-3)
    assert traits.separable


@each()
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_missing_number_is_not_hidden(name: str, library: str):
    """A solver's loop looks for NaN in its iterates; a prox that turns it into 0 would blind it."""
    g, v = MAKERS[name](0.7), np.array([math.nan, 0.1, -3.0, math.nan])
    for step_size in STEPS:
        x = to_numpy(g.prox(LIBRARIES[library](v), step_size))
        np.testing.assert_array_equal(np.isnan(x), np.isnan(v))
    assert math.isnan(g.value(v)) or g.value(v) == math.inf


@each()
def test_a_step_is_positive(name: str):
    g = MAKERS[name](0.7)
    for bad in (0.0, -1.0, np.float64(-1.0), np.linspace(-1, 1, V.size)):
        with pytest.raises(ValueError, match="prox: step_size must be > 0"):
            g.prox(V, bad)
    for good in (1, np.float64(1.0), np.float32(1.0), np.ones(V.size)):
        np.testing.assert_array_equal(g.prox(V, good), g.prox(V, 1.0))


def test_where_the_prox_objective_is_nearly_flat_rounding_does_not_leave_the_interval():
    from parsimo.penalties import MCP, SCAD

    for edge in (np.nextafter(0.245, 0), 0.24499999999999994):  # 2 step weight just below flat_point^2
        assert MCP(1.0, 0.7).prox(np.array([0.7]), edge)[0] in (0.0, 0.7)
    bend = 2.7 * (3 / 3.7) ** 2 * 4.7 / 2  # the step at which SCAD's middle piece becomes concave
    for step in (np.nextafter(bend, 0), 4.171292914536155):
        assert SCAD(1.0, 3.0).prox(np.array([3.0]), step)[0] <= 3.0
