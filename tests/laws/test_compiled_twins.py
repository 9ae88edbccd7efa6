"""Each compiled twin is its penalty: prox in every regime of the step, value, slope and curvature."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from penalty_cases import MAKERS, STEPS, random_cases

import parsimo as ps
from parsimo.penalties import REGISTRY
from parsimo.solvers.compiled import passes_of
from parsimo.solvers.compiled.twins import KINDS, TABLE, Twins, twins_of

PASSES = passes_of("the laws of twins")
WITHOUT_TWIN = {ps.Clustering, ps.EntropyCodebook, ps.ZeroNormCodebook}
"""Their rows would have as many numbers as their codebook."""

POINTS = np.concatenate(
    [np.linspace(-4, 4, 161), np.random.default_rng(0).standard_normal(120) * 10.0 ** np.arange(-60, 60)]
)


def cases() -> Iterator[tuple[str, Any]]:
    for name, make in MAKERS.items():
        for weight in (0.0, 0.7):
            yield name, make(weight)
    for g, _ in random_cases():
        yield type(g).__name__, g


def twin_prox(twins: Twins, v: np.ndarray, step_size: float) -> np.ndarray:
    """prox(v) as the move from 0 with slope -v / t and curvature 1 / t."""
    return PASSES.prox_moves(np.zeros_like(v), -v / step_size, np.full_like(v, 1 / step_size), twins.kinds, twins.rows)


def gap(g: Any, twins: Twins) -> float:
    """The largest relative difference of the two proxes over points and steps, where v / t is no overflow."""
    worst = 0.0
    for step_size in STEPS:
        v = POINTS[np.abs(POINTS) < 1e50]
        part = twins.take(np.arange(v.size))
        worst = max(
            worst, float(np.max(np.abs(twin_prox(part, v, step_size) - g.prox(v, step_size)) / np.abs(v + (v == 0))))
        )
    return worst


def test_the_table_is_complete_over_the_registry():
    assert set(REGISTRY) - set(TABLE) == WITHOUT_TWIN
    assert {kind for kind, _ in TABLE.values()} == set(KINDS)


@pytest.mark.parametrize(("name", "g"), tuple(cases()))
def test_the_prox_of_a_twin_is_that_of_its_penalty(name: str, g: Any):
    twins = twins_of(g, POINTS.size)
    inner = getattr(g, "penalty", g)
    assert (twins is None) is (type(inner) not in TABLE)
    if twins is not None:
        assert gap(g, twins) <= 1e-13


def test_a_wrong_twin_is_seen():
    """The planted fault of the law above: one parameter that is off by one part in 10^6."""
    for g in (
        ps.L1(0.7),
        ps.MCP(0.7, 0.8),
        ps.SCAD(0.7, 0.8),
        ps.Lq(0.7, 0.5),
        ps.LogSum(0.7, 0.8),
        ps.ZeroNormBox(0.7, -0.5, 1.5),
    ):
        twins: Any = twins_of(g, POINTS.size)
        wrong = replace(twins, rows=twins.rows * (1 + 1e-6))
        assert gap(g, wrong) > 1e-13


@pytest.mark.parametrize(("name", "g"), tuple(cases()))
def test_value_slope_and_curvature_are_those_of_the_penalty(name: str, g: Any):
    x = np.append(np.linspace(-4, 4.003, 161), 0.0)
    twins = twins_of(g, x.size)
    if twins is None:
        return
    values, slopes, bends = PASSES.shapes(x, twins.kinds, twins.rows)
    np.testing.assert_allclose(values, g.terms(x), rtol=1e-12, atol=1e-300)
    left, right = g.slopes(x)
    smooth = np.isfinite(bends) & np.isfinite(values)
    assert (left == right)[smooth].all()
    np.testing.assert_allclose(slopes[smooth], left[smooth], rtol=1e-9, atol=1e-14)
    # differences of the slope, where both neighbours are on the piece of x
    x, bends = x[smooth & (x != 0)], bends[smooth & (x != 0)]
    there, width = twins_of(g, x.size), 1e-6
    bends_beside = [PASSES.shapes(x + side, there.kinds, there.rows)[2] for side in (-width, width)]
    one_piece = np.isclose(bends_beside[0], bends, rtol=1e-2) & np.isclose(bends_beside[1], bends, rtol=1e-2)
    assert one_piece.sum() >= x.size - 8
    differences = (g.slopes(x + width)[0] - g.slopes(x - width)[0]) / (2 * width)
    np.testing.assert_allclose(differences[one_piece], bends[one_piece], rtol=1e-4, atol=1e-6)


def test_weights_of_each_coordinate_blocks_and_ridges_fill_their_rows():
    weights = np.array([0.0, 0.5, 2.0, 1.0])
    g = ps.SeparableSum((slice(0, 2), np.array([3])), (ps.L1(weights[:2]), ps.WithRidge(ps.MCP(1.0, 0.8), 0.5)))
    twins: Any = twins_of(g, 4)
    v = np.array([3.0, -3.0, 0.3, 1.1])
    np.testing.assert_allclose(twin_prox(twins, v, 0.4), g.prox(v, 0.4), rtol=1e-14)
    assert twins_of(ps.SeparableSum((slice(0, 2),), (ps.Clustering(1.0, np.array([0.0, 1.0])),)), 4) is None


def test_a_subclass_has_no_twin():
    class Other(ps.L1):
        """May differ from its base."""

    assert twins_of(Other(1.0), 3) is None


def test_extreme_inputs_give_numbers():
    for g in (
        ps.L1(1.0),
        ps.ZeroNorm(1.0),
        ps.MCP(1.0, 0.5),
        ps.Lq(1.0, 0.5),
        ps.LogSum(1.0, 0.5),
        ps.Exponential(1.0, 0.5),
    ):
        twins: Any = twins_of(g, 4)
        v = np.array([1e150, -1e150, 1e-150, 0.0])
        found = twin_prox(twins, v, 1.0)
        np.testing.assert_allclose(found, [1e150, -1e150, 0.0, 0.0])
        assert not math.copysign(1.0, found[3]) < 0
