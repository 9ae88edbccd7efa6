"""Problems whose penalty is a sum over blocks: certified and polished as the same penalty written with weights is."""

from __future__ import annotations

import numpy as np
import pytest

import parsimo as ps
from parsimo.penalties import L1, MCP, SeparableSum, WithRidge, ZeroNorm
from parsimo.solvers.ladder import Rung

WEIGHTS = np.array([0.3, 0.3, 0.0, 0.9, 0.9, 0.0])
ZERO_NORMS = SeparableSum([slice(0, 2), np.array([4, 3])], [ZeroNorm(0.3), ZeroNorm(0.9)])
MIXED = SeparableSum([slice(0, 2), np.array([4, 3])], [ZeroNorm(0.3), MCP(0.9, 0.8)])


def least_squares(seed: int = 0) -> ps.LeastSquares:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(12, 6))
    return ps.LeastSquares(A, A @ np.array([1.0, 0.0, -0.5, 1.2, 0.1, 0.0]) + 0.3 * rng.normal(size=12))


@pytest.mark.parametrize("seed", range(5))
def test_blocks_are_certified_as_weights_are(seed: int):
    f, rng = least_squares(seed), np.random.default_rng(seed)
    for _ in range(5):
        x = rng.normal(size=6) * rng.integers(0, 2, size=6)
        blocks = ps.certify(ps.Composite(f, ZERO_NORMS), x)
        weighted = ps.certify(ps.Composite(f, ZeroNorm(WEIGHTS)), x)
        assert blocks.rung == weighted.rung
        for reading in blocks.readings[:-1]:  # the gap may use a radius that blocks do not have
            assert reading.number == pytest.approx(weighted[reading.rung].number, rel=1e-12, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_blocks_are_polished_as_weights_are(seed: int):
    f = least_squares(seed)
    blocks = ps.polish(ps.Composite(f, ZERO_NORMS), np.zeros(6))
    weighted = ps.polish(ps.Composite(f, ZeroNorm(WEIGHTS)), np.zeros(6))
    np.testing.assert_allclose(blocks.x, weighted.x, rtol=1e-10, atol=1e-12)
    assert blocks.finished
    assert len(blocks.moves) == len(weighted.moves)
    assert blocks.ladder.rung >= Rung.SWAP


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_blocks_of_two_kinds_are_polished_to_where_no_coordinate_helps(seed: int, ridge: float):
    f, g = least_squares(seed), WithRidge(MIXED, ridge)
    problem = ps.Composite(f, g)
    done = ps.polish(problem, np.zeros(6))
    assert done.ladder.rung >= Rung.SWAP
    for i in range(6):
        for new in (0.0, *np.linspace(-2.0, 2.0, 401)):
            trial = done.x.copy()
            trial[i] = new
            assert problem.value(trial) >= done.objective - 1e-12
    assert done.objective < done.before


def test_blocks_without_terms_are_said_to_have_none():
    grouped = SeparableSum([slice(0, 2), slice(2, 6)], [L1(0.3), ps.Group(L1(0.3), np.zeros(4, dtype=int))])
    problem = ps.Composite(least_squares(), grouped)
    with pytest.raises(TypeError, match="polish: needs a separable penalty with terms and slopes"):
        ps.polish(problem, np.zeros(6))
    ladder = ps.certify(problem, np.zeros(6))
    assert "SeparableSum gives no terms" in ladder[Rung.COORDINATEWISE].note


def test_a_convex_block_problem_is_polished_to_a_global_minimum():
    """By strong convexity; a radius of sublevel sets is not to be had from blocks."""
    problem = ps.Composite(least_squares(), SeparableSum([slice(0, 3), slice(3, 6)], [L1(0.3), L1(0.9)]))
    result = ps.polish(problem, np.zeros(6))
    assert ps.certify(problem, result.x).rung == Rung.GLOBAL
