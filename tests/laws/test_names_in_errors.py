"""An error names the class and the method it comes from, letter by letter."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from penalty_cases import MAKERS

from parsimo.penalties import MCP, Group, Spectral, WithRidge, ZeroNorm, ZeroNormBall, ZeroNormBox

STRUCTURED: dict[str, Any] = {
    "Group": Group(MCP(0.7, 0.8), np.array([0, 0, 1])),
    "Spectral": Spectral(MCP(0.7, 0.8), (1, 3)),
    "ZeroNormBall": ZeroNormBall(2),
}
ALL = {**{name: make(0.7) for name, make in MAKERS.items()}, **STRUCTURED}


@pytest.mark.parametrize("name", ALL)
def test_a_step_that_is_not_positive(name: str):
    g = ALL[name]
    with pytest.raises(ValueError, match=f"^{type(g).__name__}.prox: step_size must be > 0 and finite, got -1"):
        g.prox(np.ones(3), -1.0)
    with pytest.raises(ValueError, match=f"^{type(g).__name__}.prox: step_size must be > 0 and finite, got inf"):
        g.prox(np.ones(3), math.inf)


@pytest.mark.parametrize("name", ALL)
def test_a_step_of_all_minimizers(name: str):
    g, v = ALL[name], np.ones(3) if name in STRUCTURED else 1.0
    with pytest.raises(ValueError, match=f"^{type(g).__name__}.prox_set: step_size must be > 0 and finite, got -1"):
        g.prox_set(v, -1.0)


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "Box"])
def test_all_minimizers_of_one_coordinate_need_one_weight(name: str):
    g = MAKERS[name](np.array([0.7, 0.4]))
    owner = type(g.penalty if isinstance(g, WithRidge) else g).__name__
    with pytest.raises(TypeError, match=rf"^{owner}\.prox_set(: weight must be one number| needs a scalar weight)"):
        g.prox_set(1.0, 1.0)


@pytest.mark.parametrize("name", [n for n, g in ALL.items() if n not in STRUCTURED and hasattr(g, "sublevel_radius")])
def test_a_level_that_is_negative(name: str):
    g = ALL[name]
    owner = re.escape(type(g).__name__)
    with pytest.raises(ValueError, match=f"^{owner}.sublevel_radius: level must be a finite number >= 0, got -1.0"):
        g.sublevel_radius(-1.0)


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "Box" and "ridge" not in n])
def test_a_weight_that_is_negative(name: str):
    owner = type(MAKERS[name](0.7)).__name__
    with pytest.raises(ValueError, match=f"^{owner}: weight must be a finite number >= 0, got -1.0"):
        MAKERS[name](-1.0)


def test_a_weight_is_kept_as_a_number():
    for make in MAKERS.values():
        g = make(2)
        if hasattr(g, "weight"):
            assert g.weight == 2.0
            assert type(g.weight) is float


def test_boxes_that_touch_zero():
    """lower = 0 or upper = 0 is allowed; at weight 0 nothing jumps."""
    for g in (ZeroNormBox(0.7, 0.0, 1.0), ZeroNormBox(0.7, -1.0, 0.0)):
        assert g.prox_set(0.0, 1.0) == (0.0,)
    free = ZeroNormBox(0.0, -1.0, 0.5)
    left, right = free.slopes(np.array([0.0]))
    assert (left[0], right[0]) == (0.0, 0.0)
    np.testing.assert_array_equal(free.prox(np.array([-3.0, 0.2, 3.0]), 1.0), [-1.0, 0.2, 0.5])


def test_radii_of_sublevel_sets_of_boxes():
    """|x| <= level: how many coordinates may be nonzero, each as far as its corner."""
    assert ZeroNormBox(0.0, -1.0, 2.0).sublevel_radius(5.0) == math.inf  # of any number of coordinates
    assert ZeroNormBox(0.0, 0.0, 0.0).sublevel_radius(5.0) == 0.0
    assert ZeroNormBox(0.7, -1.0, 2.0).sublevel_radius(0.7 * 2) == pytest.approx(2 * math.sqrt(2))
    corners = ZeroNormBox(0.7, np.array([[-3.0, -1.0]]), np.array([[1.0, 2.0]]))
    assert corners.sublevel_radius(0.7) == pytest.approx(3.0)
    assert corners.sublevel_radius(7.0) == pytest.approx(math.sqrt(9 + 4))


def test_radii_of_sublevel_sets_with_a_ridge():
    """weight 1[x != 0] + ridge x^2 / 2 <= level: |x| is largest where one coordinate spends what the price leaves."""
    g = WithRidge(ZeroNorm(1.0), 0.5)
    grid = np.linspace(0.0, 10.0, 100_001)
    for level in (0.5, 1.0, 3.0, 8.0):
        feasible = grid[(grid > 0) + 0.25 * grid**2 <= level]
        assert g.sublevel_radius(level) >= feasible.max() - 1e-9
