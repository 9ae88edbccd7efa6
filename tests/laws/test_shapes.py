"""Arrays of steps and of weights have the shape of x: nothing is broadcast."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from penalty_cases import LIBRARIES, MAKERS

from parsimo.penalties import L1, Box, Group, SeparableSum, WithRidge, ZeroNormBall, ZeroNormBox

V = np.array([0.3, -1.7])
PENALTIES: dict[str, Any] = {
    **{name: make(0.7) for name, make in MAKERS.items()},
    "Group": Group(L1(0.7), np.array([0, 1])),
    "ZeroNormBall": ZeroNormBall(1),
    "SeparableSum": SeparableSum([slice(0, 1)], [L1(0.7)]),
}
WITH_WEIGHTS = [name for name in MAKERS if name != "Box"]
WRONG_SHAPES = ((1,), (3,), (2, 1), (1, 2))


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("shape", WRONG_SHAPES)
def test_an_array_of_steps_has_the_shape_of_v(name: str, shape: tuple[int, ...]):
    g = PENALTIES[name]
    expected = f"{type(g).__name__}.prox: step_size has shape {shape}, but v has shape (2,); give one number, or one"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}"):
        g.prox(V, np.ones(shape))


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_step_without_axes_is_a_number(name: str, library: str):
    g, convert = PENALTIES[name], LIBRARIES[library]
    expected = g.prox(V, 0.4)
    for step_size in (np.float64(0.4), np.array(0.4), convert(np.array(0.4))):
        np.testing.assert_allclose(np.asarray(g.prox(convert(V), step_size)), expected, rtol=1e-15)


@pytest.mark.parametrize("name", WITH_WEIGHTS)
@pytest.mark.parametrize("shape", WRONG_SHAPES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_an_array_of_weights_has_the_shape_of_x(name: str, shape: tuple[int, ...], library: str):
    g, v = MAKERS[name](LIBRARIES[library](np.ones(shape))), LIBRARIES[library](V)
    for call in (lambda: g.prox(v, 1.0), lambda: g.value(v), lambda: g.terms(v), lambda: g.slopes(v)):
        with pytest.raises(ValueError, match=r"weight has shape .*, but x has shape \(2,\); give one number, or one"):
            call()
    for method in (g.subdiff_distance, g.descent_rate):
        with pytest.raises(ValueError, match="weight has shape"):
            method(v, v)


@pytest.mark.parametrize("ends", [(np.zeros(3), 1.0), (0.0, np.ones(1)), (np.zeros((2, 1)), np.ones((2, 1)))])
def test_an_array_of_ends_has_the_shape_of_x(ends: tuple[Any, Any]):
    for g in (Box(*ends), ZeroNormBox(0.7, *ends), WithRidge(Box(*ends), 0.5)):
        for call in (lambda g=g: g.prox(V, 1.0), lambda g=g: g.value(V), lambda g=g: g.slopes(V)):
            with pytest.raises(ValueError, match=r"Box: (lower|upper) has shape .*, but x has shape \(2,\)"):
                call()
