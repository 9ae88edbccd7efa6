"""What changes at the border between two regimes, looked at from both sides of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from penalty_cases import MAKERS

import parsimo as ps
from parsimo.penalties import MCP, SCAD, CappedL1, Exponential, LogSum, Lq
from parsimo.theory_checks.oracles.scan import prox_scan

A = 0.6  # not 1: powers of the flat point must not be confused
ALPHA = A / 3.7

BORDERS: dict[str, tuple[Any, float, tuple[float, ...]]] = {
    "CappedL1": (CappedL1(1.0, A), 2 * A**2, (-A, A)),
    "MCP": (MCP(1.0, A), A**2 / 2, (-A, A)),
    "SCAD, lower": (SCAD(1.0, A), 2.7 * ALPHA**2 * 4.7 / 2, (-A, A, -ALPHA, ALPHA)),
    "SCAD, upper": (SCAD(1.0, A), 4.7 * ALPHA**2 * 4.7 / 2, (-A, A, -ALPHA, ALPHA)),
    "LogSum": (LogSum(1.0, A), A**2, ()),
    "Exponential": (Exponential(1.0, A), A**2, ()),
}
"""Penalties, the step (times weight) at which a regime of theirs ends, and kinks."""


@pytest.mark.parametrize("name", BORDERS)
@pytest.mark.parametrize("share", [0.7, 0.85, 0.99, 1.01, 1.15, 1.3, 1.45])
def test_thresholds_about_the_border(name: str, share: float):
    g, border, kinks = BORDERS[name]
    step_size = share * border
    threshold = g.threshold(step_size)
    for v, zero_wins in ((threshold * (1 - 1e-6), True), (threshold * (1 + 1e-3), False)):
        least, _ = prox_scan(g, v, step_size, kinks)
        at_zero = v * v / (2 * step_size)
        assert (at_zero <= least * (1 + 1e-12)) is zero_wins
        assert (0.0 in g.prox_set(v, step_size)) is zero_wins


@pytest.mark.parametrize("name", BORDERS)
def test_all_minimizers_about_the_border(name: str):
    g, border, kinks = BORDERS[name]
    for share in (0.7, 0.85, 0.99, 1.01, 1.15, 1.3, 1.45):
        for v in np.linspace(0.05, 3 * A, 23).tolist():
            least, where = prox_scan(g, v, share * border, kinks)
            listed = g.prox_set(v, share * border)
            for x in listed:
                assert g.value(np.array([x])) + (x - v) ** 2 / (2 * share * border) <= least + 1e-10
            assert all(min(abs(x - p) for p in listed) <= 1e-4 for x in where)


def test_radii_of_sublevel_sets_at_the_top():
    """1 - exp(-|x|) stays below 1: a level of the weight and more bounds nothing."""
    assert Exponential(2.0, 0.5).sublevel_radius(1.0) == pytest.approx(0.5 * math.log(2))
    assert Exponential(2.0, 0.5).sublevel_radius(2.0) == math.inf
    assert Exponential(2.0, 0.5).sublevel_radius(3.0) == math.inf
    assert LogSum(1.0, 1.0).sublevel_radius(699.0) == pytest.approx(math.expm1(699.0))
    assert LogSum(1.0, 1.0).sublevel_radius(1e4) == math.inf
    assert Lq(2.0, 0.5).sublevel_radius(3.0) == pytest.approx(2.25)


def test_the_default_shape_is_that_of_fan_and_li():
    assert SCAD.from_alpha_gamma(0.5).shape == 3.7
    assert SCAD.from_alpha_gamma(0.5).flat_point == pytest.approx(1.85)
    with pytest.raises(ValueError, match="is a multiple of a Fan-Li SCAD"):
        SCAD(1.0 + 1e-7, math.sqrt(2 * 3.7**2 / 4.7), 3.7).to_alpha_gamma()


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda: ps.phi.lq(0.0), "got 0.0"),
        (lambda: ps.phi.lq(1.0), "got 1.0"),
        (lambda: ps.phi.lq(0.5, 0.0), "got 0.0"),
        (lambda: ps.phi.lq(0.5, 1.0), "got 1.0"),
        (lambda: ps.phi.lq(0.5, 1.5), "got 1.5"),
        (lambda: ps.phi.log(0.0), "got 0.0"),
        (lambda: ps.phi.log(1.0), "got 1.0"),
        (lambda: ps.phi.power(1.0), "got 1.0"),
        (lambda: ps.phi.scad(1.0), "got 1.0"),
        (lambda: ps.phi.mcp(1.9), "got 1.9"),
    ],
)
def test_generators_refuse_their_borders(make: Any, value: str):
    with pytest.raises(ValueError, match=value):
        make()


def least_squares() -> ps.LeastSquares:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 4)) @ np.diag([1.0, 2.0, 3.0, 4.0])
    return ps.LeastSquares(A, A @ np.array([1.0, -1.0, 2.0, 0.5]) + 0.1 * rng.normal(size=30))


class WithoutProx:
    """Least squares that hides its prox."""

    def __init__(self) -> None:
        self._f = least_squares()
        self.lipschitz, self.start = self._f.lipschitz, self._f.start
        self.value, self.grad, self.value_and_grad = self._f.value, self._f.grad, self._f.value_and_grad


@pytest.mark.parametrize("make", [least_squares, WithoutProx])
def test_a_clustering_problem_starts_near_a_minimizer_of_f(make: Any):
    f = make()
    design = least_squares().design.A
    least = f.value(np.linalg.lstsq(design, least_squares().targets, rcond=None)[0])
    start = ps.ClusteringProblem(f, 0.1, 2).start()
    assert f.value(start) - least <= 2e-2 * (f.value(np.zeros(4)) - least)
    assert np.unique(start).size == 4


def test_a_clustering_problem_without_a_start_says_so():
    f = WithoutProx()
    f.lipschitz = None  # type: ignore[assignment]
    with pytest.raises(ValueError, match="offers no start"):
        ps.ClusteringProblem(f, 0.1, 2).start()


def test_a_surrogate_is_itself_without_w_and_weighted_l1_with_it():
    problem = ps.ZeroNormProblem(least_squares(), 0.5).to_mpec(ps.phi.mcp()).penalize().eliminate()
    assert problem.given(None) is problem.g
    w = np.array([0.0, 0.25, 0.5, 1.0])
    x = np.array([1.0, -2.0, 3.0, 4.0])
    assert problem.given(w).value(x) == pytest.approx(0.5 * problem.penalized.rho * float((1 - w) @ np.abs(x)))


def test_far_from_the_jump_nothing_ties():
    """Values of the objective lose digits at large v; ties are judged by what is left where v^2/2 cancels."""
    assert CappedL1(1.0, 1.0).prox_set(1e8, 1.0) == (1e8,)
    assert CappedL1(1.0, 1.0).prox_set(-1e8, 1.0) == (-1e8,)
    assert ps.ZeroNormBox(1.0, -1.0, 1.0).prox_set(1e16, 1e-6) == (1.0,)
    for v in (1e6, 1e9, 1e12):
        assert ps.ZeroNorm(1.0).prox_set(v, 1.0) == (v,)
        assert MCP(1.0, 1.0).prox_set(v, 0.3) == (v,)


SHELVES = (
    ps.EntropyCodebook(1.0, np.array([0.0, 1.0]), np.array([0.0, 0.2])),
    ps.EntropyCodebook(1.0, np.array([-3.0, 0.0, 1.0, 1e3]), np.array([0.5, 0.0, 0.2, 9.0])),
    ps.Clustering(1.0, np.array([0.0, 1.0])),
    ps.Clustering(1.0, np.array([-3.0, 0.0, 1.0]), "squared"),
    ps.ZeroNormCodebook(1.0, 0.5, np.array([0.0, 1.0, 2.0])),
    ps.ZeroNormCodebook(1.0, 0.5, np.array([-1.0, 0.0, 1.0]), "squared"),
    ps.ZeroNormBox(1.0, -1.0, 1.0),
)


@pytest.mark.parametrize("g", SHELVES, ids=repr)
@pytest.mark.parametrize("step_size", [1e-6, 1.0, 1e6])
def test_far_from_a_codebook_nothing_ties(g: Any, step_size: float):
    """There the one representative at the end wins, and it is that of the prox."""
    for v in (-1e16, -3e9, -1e8, 1e5, 1e8, 1e12, 1e16, 1e100):
        listed = g.prox_set(v, step_size)
        assert len(listed) == 1, v
        assert listed[0] == float(g.prox(np.array([v]), step_size)[0])


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e9])
@pytest.mark.parametrize("step_size", [1e-3, 1.0, 1e6])
def test_ties_of_codebooks_far_from_zero(offset: float, step_size: float):
    """At the boundary of two cells both win; a few units beside it, in what v is known to, one does."""
    book = offset + np.array([0.0, 1.0, 2.0])
    coded = ps.EntropyCodebook(2.0, book, np.array([0.0, 0.25, 0.0]))
    boundary = offset + 0.5 + (1 + 2 * step_size) * 0.25
    if boundary < offset + 1:  # else the dear one never wins
        assert len(coded.prox_set(boundary, step_size)) == 2
        for v in (boundary + 1e-5, boundary - 1e-5):
            assert len(coded.prox_set(v, step_size)) == 1
    for g in (ps.Clustering(2.0, book), ps.Clustering(2.0, book, "squared")):
        assert len(g.prox_set(offset + 1.5, step_size)) == 2
        for v in (offset + 1.5 + 1e-5, offset + 1.5 - 1e-5, offset + 1.0):
            assert len(g.prox_set(v, step_size)) == 1


@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
def test_ties_of_a_codebook_with_zero(size: float):
    """With a long step p = c, and 0 ties where c (2 v - c) = 2 step weight."""
    g = ps.ZeroNormCodebook(1.5 * size * size, 1e6 * size, size * np.array([0.0, 2.0]))
    tie = 1.75 * size
    assert g.prox_set(tie, 1.0) == (0.0, 2.0 * size)
    assert g.prox_set(tie * (1 + 1e-12), 1.0) == (2.0 * size,)
    assert g.prox_set(tie * (1 - 1e-12), 1.0) == (0.0,)


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "Box"])
def test_all_minimizers_of_one_number_ask_for_one_weight(name: str):
    with pytest.raises(TypeError, match=r"prox_set(: weight must be one number| needs a scalar weight)"):
        MAKERS[name](np.ones(1)).prox_set(1.0, 1.0)


def test_radii_beyond_the_range_of_a_float():
    assert Lq(1e-300, 0.5).sublevel_radius(5.0) == math.inf
    assert Lq(1.0, 0.5).sublevel_radius(0.5e154) == pytest.approx(0.25e308)
    assert Lq(1.0, 0.1).sublevel_radius(0.0) == 0.0
    assert ps.WithRidge(Lq(1e-300, 0.5), 1.0).sublevel_radius(5.0) == pytest.approx(math.sqrt(10.0))
    assert ps.WithRidge(Lq(1e-300, 0.5), 0.0).sublevel_radius(5.0) == math.inf
    assert ps.WithRidge(ps.L1(1.0), 1e-300).sublevel_radius(1e10) == pytest.approx(1e10)  # 2 level / ridge is infinite
