"""The ladder does not depend on the units: columns far smaller than others, objectives far from 1."""

from __future__ import annotations

import math

import numpy as np
import pytest

import parsimo as ps

R = ps.Rung


@pytest.mark.parametrize(("dtype", "small"), [(np.float32, 1e-4), (np.float64, 1e-9)])
def test_a_tiny_column_still_has_its_best_move(dtype, small):
    """Its curvature is below the rounding of the other's, yet a long step along it lowers the objective by 0.4."""
    A = np.array([[1.0, 0.0], [0.0, small], [0.0, 0.0]], dtype)
    problem = ps.ZeroNormProblem(ps.LeastSquares(A, np.array([1.0, 1.0, 0.1], dtype)), 0.1)
    ladder = ps.certify(problem, np.array([1.0, 0.0], dtype))
    assert ladder[R.COORDINATEWISE].holds is False
    assert ladder[R.COORDINATEWISE].number == pytest.approx(0.4, rel=1e-3)
    assert ps.polish(problem, np.array([1.0, 0.0], dtype)).objective == pytest.approx(0.205, rel=1e-3)


@pytest.mark.parametrize("size", [1.0, 1e6, 1e8])
def test_a_start_far_away_hides_no_move(size):
    """What a move must gain is measured where it starts, not at the first point."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, 6))
    problem = ps.ZeroNormProblem(ps.LeastSquares(A, A[:, 0] - A[:, 3] + 0.1 * rng.normal(size=20)), 0.5)
    polished = ps.polish(problem, size * np.ones(6))
    assert polished.objective == pytest.approx(ps.polish(problem, np.zeros(6)).objective)
    assert polished.ladder.rung >= R.SWAP


@pytest.mark.parametrize("scale", [1e-16, 1e-8, 1.0, 1e8])
def test_scaling_a_problem_changes_no_rung(scale):
    """At 0 a single move lowers F to a quarter, however small F is."""
    root = math.sqrt(scale)
    problem = ps.ZeroNormProblem(ps.LeastSquares(np.array([[root]]), np.array([2 * root])), 0.5 * scale)
    ladder = ps.certify(problem, np.zeros(1))
    assert ladder[R.COORDINATEWISE].holds is False
    assert ladder[R.COORDINATEWISE].number == pytest.approx(1.5 * scale)
    polished = ps.polish(problem, np.zeros(1))
    assert polished.x[0] == pytest.approx(2.0)
    assert polished.ladder.rung >= R.SWAP
