"""The generator family: tables of the theory, user-made members, and the curvature margin."""

from __future__ import annotations

import math
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch

from parsimo._array import to_numpy
from parsimo.penalties import MCP, SCAD, CappedL1
from parsimo.problems import PhiPenalty, phi
from parsimo.theory_checks import FAMILY

S = np.linspace(0, 6, 241)
KINKS = {"capped_l1": (1.0,), "polygon": (0.1, 1.0, 3.0)}
"""Where the maximizer jumps."""


def test_conjugates_of_the_table():
    """psi* as it is written in the theory, piece by piece."""
    s, a = S, 3.7
    scad = np.where(
        s <= 2 / (a + 1), 0, np.where(s <= 2 * a / (a + 1), ((a + 1) * s - 2) ** 2 / (4 * (a * a - 1)), s - 1)
    )
    b = 3.0
    mcp = np.where(s <= b, (b * (b - 2) / 2 + s) ** 2 / b**2 - (b - 2) ** 2 / 4, s - 1)
    e = 0.1
    Z = e - 1 - math.log(e)
    log = np.where(s * Z <= 1 / e - 1, (s * Z * (1 + e) - np.log1p(s * Z)) / Z, s - 1)
    for member, expected in (
        (phi.capped_l1(), np.maximum(s - 1, 0)),
        (phi.scad(a), scad),
        (phi.mcp(b), mcp),
        (phi.power(3.0), np.where(s <= 3, 2 * (s / 3) ** 1.5, s - 1)),
        (phi.log(e), log),
    ):
        np.testing.assert_allclose(member.conjugate(S), expected, atol=1e-12)
        np.testing.assert_allclose(member.surrogate(S), S - expected, atol=1e-12)


@pytest.mark.parametrize("name", FAMILY)
def test_libraries_and_dtypes(name: str):
    member = FAMILY[name]
    for method in (member.maximizer, member.conjugate, member.surrogate):
        expected = method(S)
        strict = method(array_api_strict.asarray(S.tolist()))
        np.testing.assert_allclose(to_numpy(method(torch.from_numpy(S))), expected, atol=1e-12)
        np.testing.assert_allclose(to_numpy(strict), expected, atol=1e-12)
        single = method(S.astype(np.float32))
        assert single.dtype == np.float32
        smooth = np.abs(S[:, None] - KINKS.get(name, ())).min(axis=1, initial=1.0) > 1e-3
        np.testing.assert_allclose(single[smooth], expected[smooth], atol=1e-5)


@pytest.mark.parametrize("name", FAMILY)
def test_surrogates_are_zero_at_zero_and_one_from_the_slope_on(name: str):
    member = FAMILY[name]
    assert member.surrogate(np.array([0.0]))[0] == 0
    assert (member.surrogate(member.slope_at_one * np.array([1.0, 1.5, 1e5])) == 1).all()
    assert (member.surrogate(member.slope_at_one * np.array([0.5, 0.99])) < 1).all()


@pytest.mark.parametrize("a", [2.0, 2.6, 5.0])
def test_mcp_with_any_shape(a: float):
    """phi falls to 0 at t* = (a - 2)/a and rises to 1 at 1; its maximizer is t* while s <= phi'(0)."""
    member, lowest = phi.mcp(a), (a - 2) / a
    np.testing.assert_allclose(member.value(np.array([lowest, 1.0])), [0.0, 1.0], atol=1e-15)
    t = np.linspace(0.0, 1.0, 10_001)
    for s in np.linspace(-2.0, 6.0, 33):
        best = t[np.argmax(s * t - member.value(t))]
        assert float(member.maximizer(np.array([s]))[0]) == pytest.approx(best, abs=1e-4)


def test_powers_near_one_do_not_overflow():
    member = phi.power(1.01)
    np.testing.assert_array_equal(member.maximizer(np.array([0.0, 1.01, 1e6])), [0.0, 1.0, 1.0])
    np.testing.assert_array_equal(member.surrogate(np.array([1e6])), [1.0])


def test_members_hand_out_their_own_penalties():
    assert isinstance(phi.capped_l1().penalty(1.0, 2.0), CappedL1)
    assert isinstance(phi.mcp(5.0).penalty(1.0, 2.0), MCP)
    assert isinstance(phi.power(2.0).penalty(1.0, 2.0), MCP)
    scad = phi.scad(2.5).penalty(1.0, 2.0)
    assert isinstance(scad, SCAD)
    assert scad.shape == 2.5
    numeric = phi.log().penalty(1.0, 2.0)
    assert isinstance(numeric, PhiPenalty)
    assert numeric.rho * 2.0 == pytest.approx(phi.log().slope_at_one)


# kappa ----------------------------------------------------------------------------------------------------------------


def fine_kappa(member: phi.Phi) -> float:
    """The infimum over a fine grid of u; for each, the supremum over v < 1 by grid, and over v >= 1 in closed form."""
    u = np.unique(np.concatenate([np.linspace(1e-7, 1 - 1e-7, 2001), np.geomspace(1e-6, 1e-2, 200)]))
    s = member.slope_at_one
    height, slope = member.surrogate(s * u), s * (1 - member.maximizer(s * u))
    v = np.linspace(0, 1, 801)[None, :]
    gap = v - u[:, None]
    excess = height[:, None] + slope[:, None] * gap - member.surrogate(s * v[0])[None, :]
    far = np.abs(gap) > 1e-4
    below = np.where(far, 2 * excess / np.where(far, gap, 1.0) ** 2, -np.inf).max(axis=1)
    reach = np.maximum(2 * (1 - height) / np.maximum(slope, 1e-300), 1 - u)
    beyond = 2 * (slope * reach - (1 - height)) / reach**2
    return float(np.maximum(below, beyond).min())


MARGINS: dict[str, Any] = {
    **FAMILY,
    "scad(1.2)": phi.scad(1.2),
    "scad(30)": phi.scad(30.0),
    "power(1.01)": phi.power(1.01),
    "power(20)": phi.power(20.0),
    "log(0.001)": phi.log(0.001),
    "log(0.9)": phi.log(0.9),
    "lq(0.1, 0.02)": phi.lq(0.1, 0.02),
    "one kink": phi.custom(lambda t: np.maximum(0.5 * t, 1.5 * t - 0.5)),
    "many kinks": phi.custom(lambda t: np.interp(t, np.linspace(0, 1, 9), np.linspace(0, 1, 9) ** 2)),
}


@pytest.mark.parametrize("name", MARGINS)
def test_kappa_is_a_lower_bound_by_some_thousandths(name: str):
    fine = fine_kappa(MARGINS[name])
    assert fine * (1 - 5e-3) <= MARGINS[name].curvature_margin <= fine * (1 + 1e-6)
    assert 0.5 <= MARGINS[name].curvature_margin <= 2


def test_known_kappas():
    assert phi.capped_l1().curvature_margin == 0.5
    assert phi.mcp().curvature_margin == phi.mcp(7.0).curvature_margin == 2.0
    assert phi.scad(3.7).curvature_margin == pytest.approx(2 * 3.7**2 / 4.7**2, rel=1e-14)
    for member in (phi.power(2.0), phi.power(3.0), phi.log(), phi.lq()):  # 2, by Lemma 2.4
        assert 1.997 <= member.curvature_margin <= 2


# members made by the user ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("built_in", "function"),
    [
        (phi.power(1.5), lambda t: t**1.5),
        (phi.mcp(3.0), lambda t: 2.25 * t**2 - 1.5 * t + 0.25),
        (phi.scad(), lambda t: 2.7 / 4.7 * t**2 + 2 / 4.7 * t),
        (phi.capped_l1(), lambda t: t),
    ],
)
def test_a_member_given_by_its_values_is_the_built_in_one(built_in: phi.Phi, function: Any):
    made = phi.custom(function)
    assert made.slope_at_one == pytest.approx(built_in.slope_at_one, rel=1e-8)
    assert made.minimizer == pytest.approx(built_in.minimizer, abs=1e-7)
    np.testing.assert_allclose(made.surrogate(S), built_in.surrogate(S), atol=1e-9)
    np.testing.assert_allclose(made.conjugate(S), built_in.conjugate(S), atol=1e-9)
    assert made.curvature_margin == pytest.approx(built_in.curvature_margin, rel=2e-3)
    v = np.linspace(-3, 3, 61)
    closed, numeric = built_in.penalty(0.7, 0.8), made.penalty(0.7, 0.8)
    np.testing.assert_allclose(numeric.prox(v, 0.5), closed.prox(v, 0.5), atol=1e-6)
    assert numeric.value(v) == pytest.approx(closed.value(v), rel=1e-9)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda t: 2 * t, r"phi\(1\) must be 1, got 2\.0; divide by it"),
        (lambda t: 0.5 + t / 2, r"the minimum over \[0, 1\) must be 0, got 0\.5 at t = 0"),
        (lambda t: 8e-6 + (1 - 8e-6) * t, r"the minimum over \[0, 1\) must be 0, got 8.*e-06"),
        (lambda t: 2 * t * t - t, r"the minimum over \[0, 1\) must be 0, got -0\.125 at t = 0\.25"),
        (lambda t: np.sqrt(t), r"phi must be convex, but its second difference at t = 0\.0005 is -"),
        (lambda t: np.maximum(2 * t - 1, 0), r"the minimizer must be unique, but phi is constant from 0 to 0\.5"),
        (lambda t: 1 - np.sqrt(1 - t), r"the left slope at 1 must be finite"),
        (lambda t: 1 / (1 - t), r"phi\(1\) is not finite; \[0, 1\] must lie in its domain"),
        (lambda t: 1.0, r"the function must return one value per entry, got shape \(\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_members_that_break_an_axiom_are_refused(function: Any, match: str):
    with pytest.raises(ValueError, match=r"phi\.mine: .*" + match):
        phi.custom(function, "mine")


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: phi.scad(1.0), r"phi\.scad: needs shape > 1, got 1\.0"),
        (lambda: phi.mcp(1.9), r"phi\.mcp: needs a >= 2, got 1\.9"),
        (lambda: phi.power(1.0), r"phi\.power: needs p > 1 \(for p = 1 take capped_l1\)"),
        (lambda: phi.log(0.0), r"phi\.log: needs 0 < epsilon < 1"),
        (lambda: phi.log(1.0), r"phi\.log: needs 0 < epsilon < 1"),
        (lambda: phi.lq(1.0), r"phi\.lq: needs 0 < q < 1"),
        (lambda: phi.lq(0.5, 2.0), r"phi\.lq: needs 0 < epsilon < 1"),
        (lambda: phi.log(math.nan), r"phi\.log: needs"),
    ],
)
def test_parameters_outside_the_family_are_refused(make: Any, match: str):
    with pytest.raises(ValueError, match=match):
        make()
