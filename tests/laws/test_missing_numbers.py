"""NaN is never hidden, and certifies nothing; an infinite entry goes to where ever larger ones go."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from penalty_cases import LIBRARIES, MAKERS, STEPS

from parsimo._array import to_numpy
from parsimo.penalties import L1, MCP, Group, SeparableSum, Spectral, WithRidge, ZeroNorm, ZeroNormBall, ZeroNormBox

PENALTIES: dict[str, Any] = {
    **{name: make(0.7) for name, make in MAKERS.items()},
    "Group": Group(MCP(0.7, 0.8), np.array([0, 0, 1])),
    "Group of ZeroNorm": Group(ZeroNorm(0.7), np.array([0, 0, 1])),
    "ZeroNormBall": ZeroNormBall(2),
    "ridge, ZeroNormBall": WithRidge(ZeroNormBall(2), 0.5),
    "SeparableSum": SeparableSum([slice(0, 2)], [MCP(0.7, 0.8)]),
    "SeparableSum, free": SeparableSum([slice(1, 2)], [L1(0.7)]),
}
MISSING = ([math.nan, 0.0, 0.0], [math.nan, 0.0, 0.3], [math.nan, math.nan, math.nan])


def proves_nothing(number: float) -> bool:
    """NaN; or infinity, as outside a domain: neither meets a tolerance."""
    return math.isnan(number) or number == math.inf


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_missing_coordinate_has_no_certificate_and_no_value(name: str, library: str):
    g, convert = PENALTIES[name], LIBRARIES[library]
    for x in MISSING:
        for grad in (np.zeros(3), np.array([0.3, -5.0, 0.0])):
            for method in (g.subdiff_distance, g.descent_rate):
                number = method(convert(np.array(x)), convert(grad))
                assert proves_nothing(number), (method, x, number)
        if name != "SeparableSum, free":
            assert proves_nothing(g.value(convert(np.array(x))))


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_missing_gradient_is_no_certificate(name: str, library: str):
    g, convert = PENALTIES[name], LIBRARIES[library]
    for x in ([0.0, 0.0, 0.0], [1.0, 0.0, 0.3]):
        grad = convert(np.array([math.nan, 0.0, 0.0]))
        for method in (g.subdiff_distance, g.descent_rate):
            assert proves_nothing(method(convert(np.array(x)), grad)), (method, x)


def test_the_certificates_beside_them_are_numbers():
    for g in PENALTIES.values():
        for method in (g.subdiff_distance, g.descent_rate):
            assert math.isfinite(method(np.array([0.2, 0.0, 0.0]), np.zeros(3)))


def test_a_missing_matrix_is_refused_or_missing():
    g = Spectral(L1(0.7), (2, 2))
    x = np.array([math.nan, 1.0, 1.0, 1.0])
    for call in (lambda: g.value(x), lambda: g.subdiff_distance(x, x)):
        try:
            assert proves_nothing(call())
        except np.linalg.LinAlgError:
            continue


@pytest.mark.parametrize("name", PENALTIES)
def test_a_missing_entry_of_a_prox_stays_missing(name: str):
    for step_size in STEPS:
        x = PENALTIES[name].prox(np.array([math.nan, 0.1, -3.0]), step_size)
        assert math.isnan(x[0])
        assert x[2] == PENALTIES[name].prox(np.array([0.0, 0.1, -3.0]), step_size)[2]


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "PhiPenalty"])  # its scan is over finite values
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_infinite_entry_goes_where_large_ones_go(name: str, library: str, dtype: Any):
    """To infinity, but for a box: to its end."""
    v = np.array([math.inf, -math.inf, 1.0], dtype=dtype)
    ends = [1.5, -0.5] if "Box" in name else [math.inf, -math.inf]
    g = MAKERS[name](0.7)
    for step_size in STEPS:
        for steps in (step_size, LIBRARIES[library](np.full(3, step_size, dtype=dtype))):
            with np.errstate(invalid="ignore"):  # where 0 is compared with infinity, numpy may say so
                x = to_numpy(g.prox(LIBRARIES[library](v), steps))
            np.testing.assert_array_equal(x[:2], np.array(ends, dtype=dtype))
            assert x[2] == to_numpy(g.prox(LIBRARIES[library](v[2:]), step_size))[0]


def test_an_infinite_entry_of_an_unbounded_box():
    v = np.array([math.inf, -math.inf])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(ZeroNormBox(0.7, -1.0).prox(v, 1.0), [math.inf, -1.0])
