"""Which theorem gives the threshold on rho: each coordinate by the sharpest of its own."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parsimo.problems import phi
from parsimo.problems.exact_penalty import Exactness, exactness_of
from parsimo.theory_checks import FAMILY


def exactness(l: Any = None, L: Any = None, weight: Any = 1.0, member: phi.Phi | None = None, **more: Any) -> Exactness:
    constants = {"coordinate_lipschitz": l, "coordinate_curvature": L}
    f = SimpleNamespace(**{k: np.asarray(v) for k, v in constants.items() if v is not None}, **more)
    return exactness_of(f, weight, phi.mcp() if member is None else member, "exact")


@pytest.mark.parametrize("name", FAMILY)
def test_one_constant_is_its_theorem(name: str):
    member = FAMILY[name]
    slope, kappa = member.slope_at_one, member.curvature_margin
    by_slope, by_curvature = exactness(l=3.0, weight=2.0, member=member), exactness(L=3.0, weight=2.0, member=member)
    assert by_slope.threshold == pytest.approx(slope * 1.5, rel=1e-14)
    assert by_slope.statement == f"Theorem 3.1 (Lipschitz): max l_i = 3, phi'(1-) = {slope:.6g}"
    assert by_curvature.threshold == pytest.approx(slope * math.sqrt(1.5 / kappa), rel=1e-14)
    assert by_curvature.statement.startswith(f"Theorem 3.3 (curvature): max L_i = 3, kappa = {kappa:.6g}, phi'(1-)")


def test_both_constants_of_a_coordinate_give_more_than_either():
    """l^2 <= 2 weight L: the flat point of MCP may reach weight/l + l/(2L) = 2.25, over 2 and sqrt(2 weight/L) = 1."""
    joint = exactness(l=1.0, L=2.0, weight=2.0)
    assert joint.flat_point == pytest.approx(2.25 / 1.001, rel=1e-14)
    assert joint.statement.startswith("Theorem 3.11 (Lipschitz and curvature): max l_i = 1, max L_i = 2, kappa = 2,")
    assert exactness(l=1.0, L=0.25, weight=2.0).flat_point == pytest.approx(4.0 / 1.001, rel=1e-14)  # they meet
    assert exactness(l=1.1, L=0.25, weight=2.0).statement.startswith("Theorem 3.3")  # l^2 > 2 weight L
    # for capped l1 it never helps, for SCAD it may
    assert exactness(l=1.0, L=2.0, weight=2.0, member=phi.capped_l1()).statement.startswith("Theorem 3.1 ")
    scad = phi.scad()
    near = exactness(l=1.0, L=0.3, weight=2.0, member=scad)
    assert near.flat_point == pytest.approx(math.sqrt(scad.curvature_margin / 2) * (2 + 1 / 0.6) / 1.001, rel=1e-12)
    assert near.statement.startswith("Theorem 3.11")


def test_each_coordinate_takes_its_own_theorem():
    """Limits of the flat point: 1/l = (4, 0.1), sqrt(2/L) = (0.2, 2); the smaller of the larger ones counts."""
    both = exactness(l=[0.25, 10.0], L=[50.0, 0.5])
    assert both.flat_point == pytest.approx(2.0 / 1.001, rel=1e-14)
    assert both.statement.startswith("Theorem 3.11")  # neither theorem gives it for both coordinates
    free = exactness(l=[0.25, 10.0], L=[50.0, 0.5], weight=np.array([1.0, 0.0]))
    assert free.flat_point == pytest.approx((4 + 0.25 / 100) / 1.001, rel=1e-14)


def test_a_constant_of_zero_costs_nothing():
    assert exactness(l=[0.0, 1.0], L=[0.0, 8.0]).flat_point == pytest.approx((1 + 1 / 16) / 1.001)
    nothing = exactness(l=0.0)
    assert nothing.threshold == 0
    assert nothing.exact
    assert nothing.rho == 2.0


def test_a_constant_that_holds_on_a_domain_stays_with_theorem_3_1():
    """Curvature is needed along whole lines."""
    on_ball = exactness(l=1.0, L=2.0, weight=2.0, domain="on the ball |x| <= 3")
    assert on_ball.threshold == 1.0
    assert on_ball.statement == "Theorem 3.1 (Lipschitz): max l_i = 1 on the ball |x| <= 3, phi'(1-) = 2"


def test_kappa_is_the_comparison_with_mcp():
    """By (3.1): closed forms against the grid that serves members given by their values."""
    for member in (phi.capped_l1(), phi.scad(), phi.scad(1.2), phi.mcp(3.0), phi.power(1.2), phi.power(3.0), phi.lq()):
        by_grid = phi.custom(lambda t, member=member: member.value(t)).curvature_margin
        assert by_grid <= member.curvature_margin + 1e-7
        assert by_grid == pytest.approx(member.curvature_margin, rel=3e-3)
        u = np.linspace(1e-3, 1, 5000)
        m = math.sqrt(2 / member.curvature_margin)
        h = member.surrogate(member.slope_at_one * u)
        assert (h >= 2 * u / m - (u / m) ** 2 - 1e-12).all()
        m *= 0.99
        assert (h < 2 * u / m - (u / m) ** 2 - 1e-9).any()
