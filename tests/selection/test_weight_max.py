"""The largest weight that matters: formulas, free coordinates, scales, and errors that say what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import parsimo as ps
from parsimo.selection import Family, gentler, named, weight_max
from parsimo.selection.weight_max import Null

RNG = np.random.default_rng(0)
A = RNG.normal(size=(20, 8)) * RNG.uniform(0.5, 2.0, size=8)
B = RNG.normal(size=20) + 1
F = ps.LeastSquares(A, B)
D, L = F.grad(np.zeros(8)), F.coordinate_curvature


def mcp_by_formula(a: float) -> float:
    """docs/theory.md, Proposition 12.1."""
    return float(np.where(np.abs(D) <= a * L, a * np.abs(D) / 2, D**2 / (2 * L)).max())


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        ("l1", np.abs(D).max()),
        ("zero-norm", (D**2 / (2 * L)).max()),
        (ps.MCP(1.0, 0.1), mcp_by_formula(0.1)),
        (ps.MCP(1.0, 0.6), mcp_by_formula(0.6)),
        (ps.MCP(1.0, 9.0), mcp_by_formula(9.0)),
        (ps.MCP(2.0, 0.6), mcp_by_formula(0.6) / 2),
        (ps.WithRidge(ps.L1(1.0), 3.0), np.abs(D).max()),
        (ps.L1(np.arange(1.0, 9.0)), np.abs(D / np.arange(1.0, 9.0)).max()),
        (ps.Group(ps.L1(1.0), np.arange(8) // 2), np.linalg.norm(D.reshape(4, 2), axis=1).max()),
        (ps.Spectral(ps.L1(1.0), (2, 4)), np.linalg.norm(D.reshape(2, 4), 2)),
        (lambda weight: ps.L1(weight), np.abs(D).max()),
    ],
)
def test_formulas(penalty: Any, expected: float):
    assert weight_max(F, penalty) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["torch", "float32", "sparse", "operator"])
def test_every_kind_of_matrix(kind: str):
    matrices = {
        "torch": (torch.as_tensor(A), torch.as_tensor(B)),
        "float32": (A.astype(np.float32), B.astype(np.float32)),
        "sparse": (sp.csr_array(A), B),
        "operator": (sp.linalg.aslinearoperator(A), B),
    }
    assert weight_max(ps.LeastSquares(*matrices[kind]), "l1") == pytest.approx(np.abs(D).max(), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e140])
def test_scales(scale: float):
    assert weight_max(ps.LeastSquares(A, scale * B), "l1") == pytest.approx(scale * np.abs(D).max(), rel=1e-12)


def test_the_free_coordinates_are_minimized_over():
    y = np.where(B > 1, 1.0, -1.0)
    y[:3] = 1.0
    f = ps.Logistic(np.column_stack([A, np.ones(20)]), y)
    null = Null.of(f, named("l1"))
    free = Null.of(f, Family(ps.L1(np.append(np.ones(8), 0.0))))
    share = (y > 0).mean()
    assert null.held.all()
    assert free.held.tolist() == [True] * 8 + [False]
    assert free.x[-1] == pytest.approx(np.log(share / (1 - share)))  # the log odds
    assert free.weight_max == pytest.approx(np.abs(f.grad(free.x)[:8]).max())
    assert free.proved == "a minimizer"


def test_what_is_proved_is_said():
    logistic = ps.Logistic(A, np.where(B > 1, 1.0, -1.0))
    assert Null.of(F, named("mcp")).proved == "optimal along each coordinate"
    assert Null.of(F, named("l1")).proved == "a minimizer"
    assert Null.of(logistic, named("mcp")).proved == "prox-stationary"


def test_nothing_to_explain():
    assert weight_max(ps.LeastSquares(A, np.zeros(20)), "mcp") == 0
    assert weight_max(ps.LeastSquares(np.zeros((20, 3)), B), "zero-norm") == 0
    alone = ps.LeastSquares(np.array([[2.0]]), np.array([3.0]))  # n = p = 1
    assert weight_max(alone, "zero-norm") == pytest.approx(4.5)
    duplicated = ps.LeastSquares(np.hstack([A, A, np.zeros((20, 1))]), B)
    assert weight_max(duplicated, "zero-norm") == pytest.approx(weight_max(F, "zero-norm"))


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match=r"overflow.*scale the data"):
        weight_max(ps.LeastSquares(1e160 * A, B), "l1")
    with pytest.raises(TypeError, match="has no weight to change"):
        weight_max(F, ps.Box(-1.0, 1.0))
    with pytest.raises(ValueError, match="even at weight"):
        weight_max(F, ps.Clustering(1.0, np.array([0.0, 0.1])))
    with pytest.raises(ValueError, match="must be one of l1, zero-norm"):
        weight_max(F, "mpc")
    with pytest.raises(TypeError, match="needs a penalty, a name"):
        weight_max(F, 3.0)
    with pytest.raises(ValueError, match="is for a penalty as template"):
        weight_max(F, "mcp", flat_point="scaled")
    with pytest.raises(TypeError, match="no flat point to scale"):
        weight_max(F, ps.L1(1.0), flat_point="scaled")
    with pytest.raises(TypeError, match="offers no start"):
        weight_max(_NoStart(), "l1")


class _NoStart:
    lipschitz = 1.0

    def value(self, x: Any) -> float:
        return 0.0

    def grad(self, x: Any) -> Any:
        return x

    def value_and_grad(self, x: Any) -> Any:
        return 0.0, x


def test_families_keep_gamma():
    for weight in (0.1, 1.0, 7.0):
        assert named("mcp", gamma=2.5)(weight).to_alpha_gamma()[1] == pytest.approx(2.5)
        assert named("scad", gamma=3.1)(weight).to_alpha_gamma()[1] == pytest.approx(3.1)
        capped = named("capped-l1", gamma=4.0)(weight)
        assert capped.flat_point == pytest.approx(4.0 * capped.weight / capped.flat_point)
        assert named("mcp", flat_point=0.3)(weight).flat_point == 0.3
    assert named("mcp")(0.0).value(np.ones(3)) == 0.0


def test_families_change_weights_alone():
    template = ps.SeparableSum([slice(0, 2), slice(2, 3)], [ps.WithRidge(ps.MCP(2.0, 0.5), 0.1), ps.Box(0.0, 1.0)])
    member = Family(template, "scaled")(9.0)
    assert member.penalties[0].penalty.weight == 18.0
    assert member.penalties[0].penalty.flat_point == 1.5
    assert member.penalties[0].ridge == 0.1
    assert member.penalties[1] is template.penalties[1]
    softer = gentler(member, 2.0).penalties[0].penalty
    assert (softer.weight, softer.flat_point) == (36.0, 3.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "l1", "gamma": 2.0}, "has no flat point"),
        ({"name": "mcp", "gamma": 2.0, "flat_point": 1.0}, "not both"),
        ({"name": "scad", "gamma": 0.5}, "must be > 1"),
        ({"name": "mcp", "gamma": -1.0}, "must be a finite number > 0"),
    ],
)
def test_wrong_names(arguments: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        named(**arguments)
