"""Normalization, conversions to the conventions of the literature, and wrong arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from penalty_cases import FLAT, MAKERS

from parsimo.penalties import (
    L1,
    MCP,
    SCAD,
    Box,
    CappedL1,
    Clustering,
    EntropyCodebook,
    Exponential,
    LogSum,
    Lq,
    SeparableSum,
    WithRidge,
    ZeroNorm,
    ZeroNormBox,
    ZeroNormCodebook,
)
from parsimo.problems import PhiPenalty, phi

X = np.concatenate([-np.geomspace(1e-3, 30, 40), [0.0], np.geomspace(1e-3, 30, 41)])


@pytest.mark.parametrize("name", FLAT)
def test_the_weight_is_the_price_of_a_coordinate_beyond_the_flat_point(name: str):
    g = MAKERS[name](0.7)
    assert g.value(np.zeros(1)) == 0
    for beyond in (g.flat_point, -g.flat_point, 1.5 * g.flat_point, 1e6):
        assert g.value(np.array([beyond])) == pytest.approx(0.7, rel=1e-12)
    assert g.value(np.array([0.999 * g.flat_point])) < 0.7
    rising = [g.value(np.array([t])) for t in np.linspace(0, g.flat_point, 50)]
    assert (np.diff(rising) > 0).all()
    assert (np.diff(rising, 2) <= 1e-12).all()


def textbook_mcp(x: float, alpha: float, gamma: float) -> float:
    t = abs(x)
    return alpha * t - t * t / (2 * gamma) if t <= gamma * alpha else gamma * alpha**2 / 2


def textbook_scad(x: float, alpha: float, gamma: float) -> float:
    t = abs(x)
    if t <= alpha:
        return alpha * t
    if t <= gamma * alpha:
        return (2 * gamma * alpha * t - t * t - alpha**2) / (2 * (gamma - 1))
    return alpha**2 * (gamma + 1) / 2


@pytest.mark.parametrize(("alpha", "gamma"), [(1.0, 3.0), (0.3, 1.2), (2.5, 3.7), (1.0, 40.0)])
def test_conventions_of_the_literature(alpha: float, gamma: float):
    mcp, scad = MCP.from_alpha_gamma(alpha, gamma), SCAD.from_alpha_gamma(alpha, gamma)
    for x in X:
        assert mcp.value(np.array([x])) == pytest.approx(textbook_mcp(x, alpha, gamma), rel=1e-12)
        assert scad.value(np.array([x])) == pytest.approx(textbook_scad(x, alpha, gamma), rel=1e-12)
    assert mcp.to_alpha_gamma() == pytest.approx((alpha, gamma))
    assert scad.to_alpha_gamma() == pytest.approx((alpha, gamma))


def test_slope_and_cap():
    g = CappedL1.from_slope_cap(slope=2.0, cap=3.0)
    for x in X:
        assert g.value(np.array([x])) == pytest.approx(min(2.0 * abs(x), 3.0), rel=1e-12)


def test_plain_formulas():
    assert ZeroNorm(2.0).value(np.array([0.0, -0.0, 1e-300, -5.0])) == 4.0
    assert L1(2.0).value(np.array([0.0, -1.5, 2.0])) == 7.0
    assert L1(np.array([1.0, 0.0, 3.0])).value(np.array([1.0, 5.0, -1.0])) == 4.0
    book = np.array([2.0, -1.0, 2.0])  # unsorted, with a repetition
    assert Clustering(2.0, book).value(np.array([-2.0, 0.4, 2.5])) == pytest.approx(2 * (1 + 1.4 + 0.5))
    assert Clustering(2.0, book, "squared").value(np.array([-2.0, 0.4, 2.5])) == pytest.approx(1 + 1.4**2 + 0.25)
    assert Box(0.0, 1.0).value(np.array([0.0, 1.0])) == 0.0
    assert Box(0.0, 1.0).value(np.array([0.0, 1.1])) == math.inf
    assert Lq(2.0, 0.5).value(np.array([0.0, -4.0, 9.0])) == pytest.approx(2 * (2 + 3))
    assert LogSum(2.0, 0.5).value(np.array([0.0, -1.0])) == pytest.approx(2 * math.log(3))
    assert Exponential(2.0, 0.5).value(np.array([0.0, -1.0])) == pytest.approx(2 * (1 - math.exp(-2)))
    assert ZeroNormBox(2.0, -1.0, 3.0).value(np.array([0.0, -1.0, 3.0])) == 4.0
    assert ZeroNormBox(2.0, -1.0, 3.0).value(np.array([0.0, -1.1])) == math.inf
    assert WithRidge(L1(2.0), 3.0).value(np.array([1.0, -2.0])) == 6.0 + 7.5
    pruned = ZeroNormCodebook(5.0, 2.0, np.array([2.0, -1.0, 0.0]))
    assert pruned.value(np.array([-2.0, 0.0, 2.5])) == pytest.approx(5 * 2 + 2 * (1 + 0.5))
    coded = EntropyCodebook(2.0, np.array([2.0, -1.0, 2.0]), np.array([0.5, 0.1, 9.0]))  # the dear 2.0 is never paid
    assert coded.value(np.array([-2.0, 2.5])) == pytest.approx(2 * (0.5 + 0.1) + 2 * (0.125 + 0.5))


def test_priced_representatives():
    book, prices = np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.4, 0.0])
    g = EntropyCodebook(1.0, book, prices)
    grid = np.linspace(-1.001, 3.002, 401)
    costs = (grid[:, None] - book) ** 2 / 2 + prices
    np.testing.assert_array_equal(g.assignments(grid), costs.argmin(axis=1))
    never = EntropyCodebook(
        1.0, book, np.array([0.0, 0.6, 0.0])
    )  # the crossing of 0 and 2 is cheaper than 1 is at home
    assert set(never.assignments(grid).tolist()) == {0, 2}
    assert not never.traits.convex
    one = EntropyCodebook(1.0, np.array([3.0, 3.0]), np.array([2.0, 1.0]))
    assert one.traits.convex
    assert one.value(np.array([3.0])) == 1.0
    kept, dropped = EntropyCodebook(2.0, book, prices).prox(grid, 0.7), EntropyCodebook(2.0, book, prices)
    np.testing.assert_allclose(kept, dropped.prox(grid, np.full(grid.size, 0.7)), rtol=1e-15)
    free = EntropyCodebook(1.5, book, np.zeros(3))
    np.testing.assert_array_equal(free.prox(grid, 0.7), Clustering(1.5, book, "squared").prox(grid, 0.7))
    np.testing.assert_array_equal(free.assignments(grid), Clustering(1.5, book).assignments(grid))


def test_a_ridge_offers_what_its_penalty_offers():
    assert hasattr(WithRidge(ZeroNorm(1.0), 1.0), "threshold")
    bare = WithRidge(Clustering(1.0, np.array([0.0])), 1.0)
    assert not hasattr(bare, "threshold")
    with pytest.raises(AttributeError, match="has no threshold, because Clustering has none"):
        bare.threshold(1.0)
    traits = WithRidge(MCP(1.0, 1.0), 2.0).traits
    assert (traits.convex, traits.weak_convexity) == (True, 0.0)
    assert WithRidge(MCP(1.0, 1.0), 0.5).traits.weak_convexity == 1.5
    assert WithRidge(MCP(1.0, 1.0), 0.0).traits == MCP(1.0, 1.0).traits


def test_a_ridge_on_a_penalty_that_is_not_separable():
    """Against the definition, by random search: no point near by or far away is better."""
    from parsimo.penalties import Group, ZeroNormBall

    rng = np.random.default_rng(0)
    v = rng.normal(size=6)
    for g in (WithRidge(Group(L1(0.4), np.array([0, 0, 0, 1, 1, 1])), 0.7), WithRidge(ZeroNormBall(2), 0.7)):
        x = g.prox(v, 1.3)
        least = g.value(x) + float(np.sum((x - v) ** 2)) / 2.6
        for scale in (1e-4, 1e-2, 0.3, 3.0):
            for _ in range(200):
                y = (x + scale * rng.normal(size=6)) * rng.integers(0, 2, size=6)
                assert g.value(y) + float(np.sum((y - v) ** 2)) / 2.6 >= least
        assert g.subdiff_distance(x, (x - v) / 1.3) <= 1e-12
        assert not g.traits.separable


def test_numeric_and_closed_prox_agree():
    """SCAD, MCP and capped l1 are members of the family: the numeric prox must find theirs."""
    v = np.linspace(-3, 3, 1201)
    for member, closed in ((phi.mcp(), MCP), (phi.mcp(3.0), MCP), (phi.scad(), SCAD), (phi.capped_l1(), CappedL1)):
        for step_size in (0.01, 0.2, 0.45, 1.0, 30.0):
            numeric = PhiPenalty(0.7, 0.8, member).prox(v, step_size)
            np.testing.assert_allclose(numeric, closed(0.7, 0.8).prox(v, step_size), atol=1e-9)


@pytest.mark.parametrize(
    ("g", "v", "step_size", "expected"),
    [
        (ZeroNorm(2.0), 2.0, 1.0, (0.0, 2.0)),
        (ZeroNorm(2.0), -2.0, 1.0, (-2.0, 0.0)),
        (CappedL1(1.0, 1.0), 1.5, 1.0, (0.5, 1.5)),
        (CappedL1(8.0, 1.0), 4.0, 1.0, (0.0, 4.0)),
        (MCP(8.0, 1.0), -4.0, 1.0, (-4.0, 0.0)),
        (MCP(0.5, 1.0), 1.0, 1.0, (0.0, 1.0)),  # all of [0, 1] minimizes; the ends are listed
        (SCAD.from_alpha_gamma(1.0, 2.0), 2.5, 2.0, (0.5, 2.5)),
        (SCAD.from_alpha_gamma(1.0, 3.0), 4.0 * math.sqrt(2), 8.0, (0.0, 4.0 * math.sqrt(2))),
        (Clustering(0.25, np.array([0.0, 1.0])), 0.5, 1.0, (0.25, 0.75)),
        (Clustering(9.0, np.array([0.0, 1.0])), 0.5, 1.0, (0.0, 1.0)),
        (Clustering(1.0, np.array([0.0, 1.0]), "squared"), 0.5, 1.0, (0.25, 0.75)),
        (L1(1.0), 1.0, 1.0, (0.0,)),
        (Lq(1.0, 0.5), 1.5, 1.0, (0.0, 1.0)),
        (Lq(8.0, 0.5), -6.0, 1.0, (-6.0 / 1.5, 0.0)),
        (Lq(1.5, 2 / 3), 2.0, 1.0, (0.0, 1.0)),
        (Lq(1.0, 0.25), 1.75 / 1.5 * 1.5 ** (1 / 1.75), 1.0, (0.0, 1.5 ** (1 / 1.75))),
        (LogSum(1.0, 1.0), 1.0, 1.0, (0.0,)),  # the boundary of regimes: continuous, with slope 1/2 at 0
        (LogSum(4.0, 2.0), 2.0, 1.0, (0.0,)),
        (LogSum(1.0, 2.0), 0.5, 1.0, (0.0,)),
        (LogSum(1.0, 2.0), 2.0, 1.0, (math.sqrt(3),)),
        (Exponential(1.0, 1.0), 1.0, 1.0, (0.0,)),
        (Exponential(4.0, 2.0), 2 * math.log(2) + 0.5, 0.5, (2 * math.log(2),)),
        (ZeroNormBox(2.0, -1.0, 2.0), 2.0, 1.0, (0.0, 2.0)),
        (ZeroNormBox(1.5, -1.0, 2.0), 9.0, 1.0, (2.0,)),
        (ZeroNormBox(2.0, -1.0, 2.0), -2.5, 1.0, (-1.0, 0.0)),
        (ZeroNormBox(2.0, 0.0, math.inf), -9.0, 1.0, (0.0,)),
        (WithRidge(ZeroNorm(0.5), 3.0), 2.0, 1.0, (0.0, 0.5)),
        (WithRidge(L1(1.0), 1.0), 3.0, 1.0, (1.0,)),
        (ZeroNormCodebook(1.0, 9.0, np.array([0.0, 2.0])), 1.5, 1.0, (0.0, 2.0)),
        (ZeroNormCodebook(0.25, 9.0, np.array([0.0, 2.0])), 1.0, 1.0, (0.0,)),
        (ZeroNormCodebook(0.0, 9.0, np.array([0.0, 2.0])), 1.0, 1.0, (0.0, 2.0)),
        (ZeroNormCodebook(0.125, 0.5, np.array([0.0, 2.0, 4.0])), 3.0, 1.0, (2.5, 3.5)),
        (EntropyCodebook(1.0, np.array([0.0, 2.0]), np.array([0.0, 0.5])), 1.5, 1.0, (0.75, 1.75)),
        (EntropyCodebook(1.0, np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.25, 0.0])), 1.0, 1.0, (0.5, 1.0, 1.5)),
        (Box(0.0, 1.0), 3.0, 1.0, (1.0,)),
    ],
)
def test_ties_are_listed_and_prox_returns_the_sparser(g: Any, v: float, step_size: float, expected: tuple[float, ...]):
    assert g.prox_set(v, step_size) == pytest.approx(expected, abs=1e-15)
    returned = float(g.prox(np.array([v]), step_size)[0])
    chosen = min(expected, key=abs) if not isinstance(g, Clustering | EntropyCodebook) else expected[0]
    assert returned == pytest.approx(chosen, abs=1e-15)


def test_nearest_representatives_are_bit_equal_to_the_codebook():
    rng = np.random.default_rng(0)
    book = rng.normal(size=7)
    for dtype in (np.float32, np.float64):
        g = Clustering(1e6, book)
        x = g.prox(rng.normal(size=100).astype(dtype), 1.0)
        assert set(x.tolist()) <= set(book.astype(dtype).tolist())
        assert g.value(x) == 0
    assert not np.signbit(Clustering(1.0, np.array([-0.0, 1.0])).codebook).any()


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: MCP(1.0, 0.0), ValueError, r"MCP: flat_point must be a finite number > 0, got 0\.0"),
    (lambda: CappedL1(1.0, -1.0), ValueError, r"CappedL1: flat_point must be a finite number > 0"),
    (lambda: SCAD(1.0, math.nan), ValueError, "SCAD: flat_point must be a finite number > 0, got nan"),
    (lambda: MCP(1.0, np.ones(3)), TypeError, r"MCP: flat_point must be one number"),
    (lambda: SCAD(1.0, 1.0, 1.0), ValueError, r"SCAD: shape must be a finite number > 1, got 1\.0"),
    (lambda: SCAD(1.0, 1.0, math.inf), ValueError, "SCAD: shape must be a finite number > 1"),
    (lambda: SCAD(5.0, 1.0).to_alpha_gamma(), ValueError, "is a multiple of a Fan-Li SCAD, not one"),
    (lambda: MCP.from_alpha_gamma(-1.0, 3.0), ValueError, r"MCP\.from_alpha_gamma: alpha must be"),
    (lambda: MCP.from_alpha_gamma(1.0, 0.0), ValueError, r"MCP\.from_alpha_gamma: gamma must be"),
    (lambda: SCAD.from_alpha_gamma(0.0), ValueError, r"SCAD\.from_alpha_gamma: alpha must be"),
    (lambda: CappedL1.from_slope_cap(0.0, 1.0), ValueError, r"CappedL1\.from_slope_cap: slope must be"),
    (lambda: CappedL1.from_slope_cap(1.0, -1.0), ValueError, r"CappedL1\.from_slope_cap: cap must be"),
    (lambda: Box(1.0, 0.0), ValueError, "Box: lower must not exceed upper, got lower=1.0, upper=0.0"),
    (lambda: Box(math.nan, 0.0), ValueError, "Box: lower must not exceed upper"),
    (lambda: Box(math.inf, math.inf), ValueError, "Box: lower must not exceed upper"),
    (lambda: Box(np.zeros(2), np.array([1.0, -1.0])), ValueError, "Box: lower must not exceed upper"),
    (lambda: Clustering(1.0, np.array([])), ValueError, "Clustering: codebook must be a nonempty 1-D array"),
    (lambda: Clustering(1.0, np.ones((2, 2))), ValueError, "Clustering: codebook must be a nonempty 1-D array"),
    (lambda: Clustering(1.0, np.array([0.0, math.nan])), ValueError, "codebook must be .* of finite numbers"),
    (
        lambda: Clustering(1.0, np.ones(1), "cubed"),
        ValueError,
        'distance must be "absolute" or "squared", got \'cubed\'',
    ),  # type: ignore[arg-type]
    (lambda: ZeroNorm(np.ones(2)).prox_set(1.0, 1.0), TypeError, "ZeroNorm.prox_set needs a scalar weight"),
    (lambda: MCP(np.ones(2), 1.0).threshold(1.0), TypeError, "MCP.threshold needs a scalar weight"),
    (lambda: Lq(1.0, 1.0), ValueError, r"Lq: q must lie in \(0, 1\), got 1\.0; take L1"),
    (lambda: Lq(1.0, 0.0), ValueError, r"Lq: q must lie in \(0, 1\), got 0\.0; .* ZeroNorm for q = 0"),
    (lambda: Lq(1.0, math.nan), ValueError, "Lq: q must be a finite number >= 0, got nan"),
    (lambda: Lq(1.0, np.full(3, 0.5)), TypeError, "Lq: q must be one number"),
    (lambda: LogSum(1.0, 0.0), ValueError, r"LogSum: epsilon must be a finite number > 0, got 0\.0"),
    (lambda: LogSum(1.0, np.ones(2)), TypeError, "LogSum: epsilon must be one number"),
    (lambda: Exponential(1.0, -1.0), ValueError, r"Exponential: scale must be a finite number > 0, got -1\.0"),
    (lambda: ZeroNormBox(1.0, 0.5, 1.0), ValueError, "ZeroNormBox: needs lower <= 0 <= upper, got lower=0.5"),
    (lambda: ZeroNormBox(1.0, -1.0, -0.5), ValueError, "ZeroNormBox: needs lower <= 0 <= upper"),
    (lambda: ZeroNormBox(1.0, math.nan, 1.0), ValueError, "ZeroNormBox: needs lower <= 0 <= upper"),
    (
        lambda: ZeroNormBox(1.0, np.zeros(2), np.array([1.0, -1.0])),
        ValueError,
        "ZeroNormBox: needs lower <= 0 <= upper",
    ),
    (lambda: WithRidge(L1(1.0), -1.0), ValueError, r"WithRidge: ridge must be a finite number >= 0, got -1\.0"),
    (lambda: WithRidge(L1(1.0), np.ones(2)), TypeError, "WithRidge: ridge must be one number"),
    (lambda: WithRidge(3.0, 1.0), TypeError, r"WithRidge: penalty must have value, prox and traits, got 3\.0"),
    (
        lambda: ZeroNormCodebook(1.0, 1.0, np.array([1.0, 2.0])),
        ValueError,
        r"ZeroNormCodebook: 0 must be in the codebook.* got array\(\[1\., 2\.\]\), so append 0\.0",
    ),
    (lambda: ZeroNormCodebook(1.0, -1.0, np.zeros(1)), ValueError, "ZeroNormCodebook: cluster_weight must be"),
    (lambda: EntropyCodebook(1.0, np.array([]), np.array([])), ValueError, "EntropyCodebook: codebook must be"),
    (lambda: EntropyCodebook(1.0, np.ones(2), np.ones(3)), ValueError, "EntropyCodebook: prices must have one entry"),
    (lambda: EntropyCodebook(1.0, np.ones(2), 1.0), ValueError, "EntropyCodebook: prices must have one entry"),
    (lambda: EntropyCodebook(1.0, np.ones(1), -np.ones(1)), ValueError, "EntropyCodebook: prices must be .* >= 0"),
    (lambda: L1(1.0).sublevel_radius(-1.0), ValueError, "L1.sublevel_radius: level must be a finite number >= 0"),
    (lambda: SeparableSum([slice(0, 2)], []), ValueError, "SeparableSum: 1 blocks of coordinates but 0 penalties"),
]


@pytest.mark.parametrize(("make", "error", "match"), WRONG)
def test_wrong_arguments_are_refused(make: Callable[[], Any], error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "Box"])  # with a ridge, it is the weight inside
@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, np.array([1.0, -2.0])])
def test_a_weight_is_nonnegative_and_finite(name: str, bad: Any):
    with pytest.raises(ValueError, match=r"weight must be a finite number >= 0, got (-[12]\.0|nan|inf)"):
        MAKERS[name](bad)
    with pytest.raises(TypeError, match="weight must be a finite number >= 0, got '1'"):
        MAKERS[name]("1")
    made = MAKERS[name](0)
    assert getattr(made, "penalty", made).weight == 0.0
