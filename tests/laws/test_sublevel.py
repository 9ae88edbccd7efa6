"""`sublevel_radius(level)` is the largest |x| with g(x) <= level: attained, and never exceeded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from penalty_cases import EVEN, MAKERS

from parsimo.penalties import L1, Box, LogSum, Lq, WithRidge, ZeroNorm, ZeroNormBox

WEIGHTS = np.array([0.7, 0.4, 1.5])


@pytest.mark.parametrize("name", EVEN)
@pytest.mark.parametrize("level", [0.0, 0.05, 0.39, 2.0, 30.0])
def test_one_coordinate_attains_the_radius_and_no_point_exceeds_it(name: str, level: float):
    g = MAKERS[name](WEIGHTS)
    radius = g.sublevel_radius(level)
    cheapest = np.array([0.0, 1.0, 0.0])
    if radius == math.inf:
        assert g.value(1e6 * cheapest) <= level
        return
    assert g.value(max((1 - 1e-9) * radius - 1e-300, 0.0) * cheapest) <= level * (1 + 1e-9)
    rng = np.random.default_rng(0)
    for direction in np.vstack([rng.normal(size=(200, 3)) * rng.integers(0, 2, size=(200, 3)), np.eye(3)]):
        length = float(np.linalg.norm(direction))
        if length > 0:
            assert g.value(direction * ((radius * (1 + 1e-9) + 1e-12) / length)) > level


def test_closed_forms():
    assert L1(np.array([2.0, 0.5])).sublevel_radius(3.0) == 6.0
    assert L1(np.array([2.0, 0.0])).sublevel_radius(3.0) == math.inf
    assert Lq(2.0, 0.5).sublevel_radius(6.0) == 9.0
    assert LogSum(2.0, 3.0).sublevel_radius(2.0) == pytest.approx(3 * (math.e - 1))
    assert LogSum(1.0, 1.0).sublevel_radius(1e9) == math.inf
    assert ZeroNorm(2.0).sublevel_radius(1.9) == 0.0
    assert ZeroNorm(2.0).sublevel_radius(2.0) == math.inf
    assert MAKERS["MCP"](0.7).sublevel_radius(0.7 * 0.75) == pytest.approx(0.4)  # h(a/2) = 3/4
    assert MAKERS["MCP"](0.7).sublevel_radius(0.7) == math.inf


def test_boxes():
    corner = Box(np.array([-3.0, 1.0]), np.array([2.0, 4.0]))
    assert corner.sublevel_radius(0.0) == corner.sublevel_radius(7.0) == 5.0
    assert Box(np.array([-3.0, 1.0]), np.array([2.0, math.inf])).sublevel_radius(0.0) == math.inf
    assert Box(-1.0, 1.0).sublevel_radius(0.0) == math.inf  # of how many coordinates x has, nothing is known
    assert Box(0.0, 0.0).sublevel_radius(1.0) == 0.0


@pytest.mark.parametrize("level", [0.0, 0.69, 0.7, 1.4, 2.0, 9.0])
def test_the_zero_norm_on_a_box(level: float):
    lower, upper = np.array([-3.0, 0.0, -1.0]), np.array([2.0, 4.0, math.pi])
    g = ZeroNormBox(0.7, lower, upper)
    ends = np.stack(np.meshgrid(*zip(lower, np.zeros(3), upper, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
    expected = max(float(np.linalg.norm(x)) for x in ends if g.value(x) <= level)
    assert g.sublevel_radius(level) == pytest.approx(expected)
    dearer = ZeroNormBox(np.array([0.7, 1.4, 0.9]), lower, upper)
    assert dearer.sublevel_radius(level) >= max(float(np.linalg.norm(x)) for x in ends if dearer.value(x) <= level)


def test_the_zero_norm_on_a_box_of_unknown_size():
    assert ZeroNormBox(0.5, -1.0, 3.0).sublevel_radius(1.0) == pytest.approx(3 * math.sqrt(2))
    assert ZeroNormBox(0.5, -1.0, math.inf).sublevel_radius(0.4) == 0.0
    assert ZeroNormBox(0.5, -1.0, math.inf).sublevel_radius(0.5) == math.inf
    assert ZeroNormBox(0.0, -1.0, 1.0).sublevel_radius(0.5) == math.inf
    assert ZeroNormBox(np.array([0.5, 0.0]), np.array([-2.0, -1.0]), 1.0).sublevel_radius(0.0) >= 1.0


@pytest.mark.parametrize("inner", [ZeroNorm(0.7), L1(0.7), MAKERS["Clustering"](0.7), MAKERS["SCAD"](0.7)])
def test_a_ridge_bounds_every_sublevel_set(inner: Any):
    g = WithRidge(inner, 0.5)
    for level in (0.0, 0.3, 0.7, 2.0):
        radius = g.sublevel_radius(level)
        assert radius < math.inf
        for x in np.linspace(0, 5, 501):
            assert x <= radius + 1e-9 or g.value(np.array([x])) > level
    assert WithRidge(ZeroNorm(0.7), 0.5).sublevel_radius(1.7) == pytest.approx(2.0)  # 0.7 + x^2/4 = 1.7
    assert WithRidge(L1(1.0), 2.0).sublevel_radius(2.0) == pytest.approx(1.0)  # x + x^2 = 2
    assert WithRidge(L1(1.0), 0.0).sublevel_radius(2.0) == 2.0
