"""The cvxpy oracles: against hand computations, scans of values and solvers; and the faults that their check sees."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
from planting import fault
from scipy.sparse.linalg import aslinearoperator

import parsimo as ps
from parsimo.core.functions import Counting, Zero
from parsimo.penalties import L1, MCP, SCAD, Box, CappedL1, Clustering, Group, Spectral, WithRidge, ZeroNorm
from parsimo.theory_checks import check_prox_by_pieces
from parsimo.theory_checks.oracles.convex import PIECES, Piece, convex_minimum, prox_by_pieces, value_by_pieces
from parsimo.theory_checks.pieces import SUBJECTS

BOOK = np.array([-1.0, 0.0, 0.3, 2.0])


# ---- pieces


def test_prox_by_pieces_against_hand_computations():
    assert prox_by_pieces(PIECES["ZeroNorm"](2.0), 2.0, 1.0) == (2.0, [0.0, pytest.approx(2.0, abs=1e-8)])
    assert prox_by_pieces(PIECES["Box"](-1.0, 1.0), 5.0, 2.0) == (4.0, [1.0])
    least, where = prox_by_pieces(PIECES["L1"](1.0), 3.0, 0.5)
    assert least == pytest.approx(2.75, abs=1e-9)
    assert where == pytest.approx([2.5], abs=1e-8)
    least, where = prox_by_pieces(PIECES["CappedL1"](1.0, 1.0), 1.5, 1.0)
    assert least == pytest.approx(1.0, abs=1e-9)
    assert where == pytest.approx([0.5, 1.5], abs=1e-8)
    assert prox_by_pieces(PIECES["MCP"](2.0, 1.0), 0.5, 1.0) == (0.125, [0.0])  # concave on both bent pieces


@pytest.mark.parametrize("name", SUBJECTS)
def test_pieces_against_a_scan_of_their_values(name: str):
    """No grid point lies lower, and the lowest one hardly higher."""
    _, row, parameters = SUBJECTS[name]
    pieces = PIECES[row](*parameters)
    ends = {e for p in pieces for e in (p.low, p.high) if np.isfinite(e)} | set(BOOK)
    grid = np.array(sorted(set(np.linspace(-4, 4, 801)) | ends))
    values = np.array([value_by_pieces(pieces, float(x)) for x in grid])
    for v, t in ((-1.3, 0.3), (0.4, 1.0), (0.9, 5.0), (2.5, 0.05)):
        least, where = prox_by_pieces(pieces, v, t)
        scanned = (values + (grid - v) ** 2 / (2 * t)).min()
        assert least <= scanned + 1e-9
        assert least >= scanned - 0.01 * (2 + 4 / t)  # the grid is 0.01 wide; slopes are at most 2 + 4 / t
        assert value_by_pieces(pieces, where[0]) + (where[0] - v) ** 2 / (2 * t) == pytest.approx(least, abs=1e-8)


def test_the_pieces_of_a_penalty_fit_together():
    """MCP and SCAD are continuous, and reach their weight at the flat point."""
    for name in ("MCP", "SCAD"):
        pieces = PIECES[name](0.7, 0.8)
        assert value_by_pieces(pieces, 0.8) == pytest.approx(0.7)
        assert value_by_pieces(pieces, -5.0) == pytest.approx(0.7)
        for end in (p.high for p in pieces if np.isfinite(p.high)):
            touching = [p.value(end) for p in pieces if p.low <= end <= p.high]
            assert touching == pytest.approx([touching[0]] * len(touching))


def test_a_piece_is_infinite_outside_its_interval():
    piece = Piece(lambda x: 2.0, 0.0, 1.0)
    assert (piece.value(0.5), piece.value(-0.1)) == (2.0, np.inf)


# ---- the check, and what it sees


def mcp_without_large_steps(self: Any, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
    a = self.flat_point
    return np.where(v <= a, np.maximum((v - 2 * tau / a) / (1 - 2 * tau / a**2), 0.0), v)


FAULTS: dict[str, tuple[Any, str]] = {
    "zero norm, threshold sqrt(tau)": (
        fault(ZeroNorm, _shrink=lambda self, v, tau: np.where(v <= np.sqrt(tau), 0.0, v))(0.7),
        "ZeroNorm",
    ),
    "l1, threshold 1.001 tau": (
        fault(L1, _prox=lambda self, v, tau: v - np.clip(v, -1.001 * tau, 1.001 * tau))(0.7),
        "L1",
    ),
    "l1, value off by 1e-6": (fault(L1, _h=lambda self, t: t * (1 + 1e-6))(0.7), "L1"),
    "MCP, no large steps": (fault(MCP, _shrink=mcp_without_large_steps)(0.7, 0.8), "MCP"),
    "MCP for SCAD": (MCP(0.7, 0.8), "SCAD"),
    "SCAD of another shape": (SCAD(0.7, 0.8, 3.6), "SCAD"),
    "capped l1, flat too early": (CappedL1(0.7, 0.799), "CappedL1"),
    "box, clipped too far": (fault(Box, prox=lambda self, v, t: np.clip(v, -0.5, 1.499))(-0.5, 1.5), "Box"),
    "box, not clipped enough": (fault(Box, prox=lambda self, v, t: np.clip(v, -0.5, 1.501))(-0.5, 1.5), "Box"),
    "elastic net, ridge forgotten": (L1(0.7), "L1 with ridge"),
    "zero norm and ridge, ridge doubled": (WithRidge(ZeroNorm(0.7), 0.8), "ZeroNorm with ridge"),
    "clusters, distance not halved": (
        fault(Clustering, prox=lambda self, v, t: Clustering(1.4, BOOK, "squared").prox(v, t))(0.7, BOOK, "squared"),
        "Clustering squared",
    ),
    "clusters, prox_set with a number too many": (
        fault(Clustering, prox_set=lambda self, v, t: (*Clustering.prox_set(self, v, t), v + 0.01))(0.7, BOOK),
        "Clustering",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_faulty_prox_is_seen(name: str):
    g, row = FAULTS[name]
    evidence = check_prox_by_pieces(g, *SUBJECTS[row][1:], trials=25)
    assert evidence.verdict == "fails", evidence
    assert ".prox(np.array([" in evidence.worst_case


# ---- whole problems


def instance(kind: str, average: bool = False) -> Any:
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((30, 6)), rng.standard_normal(30)
    return ps.LeastSquares(A, b, average) if kind == "least squares" else ps.Logistic(A, np.sign(b), average)


PENALTIES: dict[str, Any] = {
    "none": Zero(),
    "l1": L1(0.7),
    "weighted l1": L1(np.arange(6.0)),
    "box": Box(-0.2, 0.1),
    "half a box": Box(lower=0.0),
    "elastic net": WithRidge(L1(0.5), 0.3),
    "groups": Group(L1(0.7), np.array([0, 0, 1, 1, -1, 2]), np.array([1.0, 0.5, 2.0])),
    "nuclear norm": Spectral(L1(0.7), (2, 3)),
}


@pytest.mark.parametrize("kind", ["least squares", "logistic"])
@pytest.mark.parametrize("name", PENALTIES)
def test_solvers_reach_the_convex_minimum(kind: str, name: str):
    problem = ps.Composite(instance(kind), PENALTIES[name])
    value, x = convex_minimum(problem)
    result = ps.solve(problem, ps.ProximalGradient()).require()
    assert value == pytest.approx(result.objective, abs=1e-8)
    assert x == pytest.approx(result.x, abs=1e-5)


def test_an_average_is_divided_by_the_number_of_rows():
    problem = ps.Composite(instance("logistic", average=True), L1(0.02))
    assert convex_minimum(problem)[0] == pytest.approx(ps.solve(problem, ps.ProximalGradient()).objective, abs=1e-9)


def test_what_the_convex_oracle_does_not_know_is_named():
    f = instance("least squares")
    with pytest.raises(TypeError, match=r"g must be Zero, L1, Box, .* got MCP"):
        convex_minimum(ps.Composite(f, MCP(1.0, 1.0)))
    with pytest.raises(TypeError, match=r"g must be Zero, L1, Box, .* got Group"):
        convex_minimum(ps.Composite(f, Group(ZeroNorm(1.0), np.zeros(6, dtype=int))))
    with pytest.raises(TypeError, match="f must be LeastSquares or Logistic"):
        convex_minimum(ps.Composite(Counting(f), L1(1.0)))
    operator = ps.LeastSquares(aslinearoperator(f.design.A), f.targets)
    with pytest.raises(TypeError, match="A is a LinearOperator; give its entries"):
        convex_minimum(ps.Composite(operator, L1(1.0)))


def test_without_cvxpy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    find = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cvxpy":
            raise ImportError(name)
        return find(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r'pip install "parsimo\[checks\]"'):
        check_prox_by_pieces(*SUBJECTS["L1"])
    with pytest.raises(ImportError, match=r'convex_minimum needs cvxpy: pip install "parsimo\[checks\]"'):
        convex_minimum(ps.Composite(instance("logistic"), L1(1.0)))
