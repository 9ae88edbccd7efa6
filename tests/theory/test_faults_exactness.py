"""The checks of exactness fail where a threshold, a bound, a member or a link of the chain is broken on purpose."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from planting import altered, times

import parsimo as ps
from parsimo.penalties import MCP, CappedL1, Group, Spectral
from parsimo.problems import phi
from parsimo.theory_checks import (
    FAMILY,
    check_group_theorem,
    check_group_tightness,
    check_joint_theorem,
    check_joint_tightness,
    check_lower_bounds,
    check_no_small_stationary_point,
    check_phi,
    check_rank_theorem,
    check_rank_tightness,
    check_sandwich,
    check_small_stationary_point,
)
from parsimo.theory_checks.both_constants import joint_threshold
from parsimo.theory_checks.exactness import lipschitz_threshold
from parsimo.theory_checks.lower_bounds import lower_bounds
from parsimo.theory_checks.sandwich import lower_surrogates

CAPPED, LOG, POWER = phi.capped_l1(), phi.log(), phi.power(1.5)


# ---- both constants


def curvature_forgotten_half(l: Any, L: Any, weight: Any, member: Any) -> float:
    """weight/l + l/L in place of weight/l + l/(2L)."""
    return float(member.slope_at_one / np.min(weight / np.asarray(l) + np.asarray(l) / np.asarray(L)))


def either_alone(l: Any, L: Any, weight: Any, member: Any) -> float:
    """The better of Theorems 3.1 and 3.3, which is not the best."""
    return float(member.slope_at_one * min(np.max(l / weight), math.sqrt(np.max(L / (2 * weight)))))


def test_a_wrong_joint_threshold_is_seen():
    for threshold in (times(0.98, joint_threshold), curvature_forgotten_half):
        evidence = check_joint_theorem(phi.mcp(), threshold=threshold)
        assert not evidence.holds, evidence
    assert not check_joint_tightness(phi.mcp(), excess=0.999).holds
    assert not check_joint_tightness(phi.mcp(), threshold=either_alone).holds
    assert not check_joint_tightness(phi.scad()).holds  # whose kappa is less than 2


@pytest.mark.parametrize("name", FAMILY)
def test_half_the_joint_threshold_is_seen(name: str):
    assert not check_joint_theorem(FAMILY[name], threshold=times(0.5, joint_threshold)).holds


# ---- sandwich


@pytest.mark.parametrize(
    "member",
    [
        altered(POWER, surrogate=lambda self, s: np.minimum(s / 1.5, 1) ** 2),  # below capped l1
        altered(CAPPED, curvature_margin=2.0),  # not above that MCP
        altered(LOG, surrogate=lambda self, s: 1.01 * type(LOG).surrogate(self, s)),  # above the zero norm
    ],
    ids=["convex", "kappa too large", "above 1"],
)
def test_a_surrogate_out_of_order_is_seen(member: Any):
    assert not check_sandwich(member).holds


def test_a_lower_surrogate_that_is_not_lower_is_seen():
    evidence = check_sandwich(CAPPED, lower=lambda m: lower_surrogates(phi.mcp()))
    assert not evidence.holds
    assert "above MCP flat from 1 a" in evidence.worst_case


def test_an_order_that_fails_to_carry_exactness_is_seen():
    """h_1 exact although h_2 is not: only possible out of order, by less here than the tolerance of the order."""
    almost = altered(CAPPED, surrogate=lambda self, s: np.where(s == 0, 0.0, np.maximum(np.minimum(s, 1), 1 - 0.2)))
    evidence = check_sandwich(almost, lower=lambda m: {"the count": lambda u: (u > 0).astype(float)}, tolerance=0.05)
    assert not evidence.holds


# ---- lower bounds


def test_a_wrong_lower_bound_is_seen():
    def too_large(L: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        least, largest = lower_bounds(L, weight)
        return 1.01 * least, largest

    def too_small(L: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        least, largest = lower_bounds(L, weight)
        return least, 0.99 * largest

    for bounds in (too_large, too_small):
        evidence = check_lower_bounds(bounds=bounds)
        assert not evidence.holds, evidence


def test_a_curvature_that_is_too_small_is_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        ps.LeastSquares, "coordinate_curvature", property(lambda self: 0.9 * (self.design.A**2).sum(axis=0))
    )
    assert not check_lower_bounds().holds


# ---- small stationary points


class Lazy(CappedL1):
    def descent_rate(self, x: np.ndarray, grad: np.ndarray) -> float:
        return 0.9 * super().descent_rate(x, grad)


class Restless(MCP):
    def descent_rate(self, x: np.ndarray, grad: np.ndarray) -> float:
        return super().descent_rate(x, grad) + 0.01 / self.flat_point


def test_wrong_small_stationary_points_are_seen():
    assert not check_no_small_stationary_point(phi.mcp()).holds  # it ends flat
    assert not check_no_small_stationary_point(CAPPED, share=1.02).holds
    lazy = altered(CAPPED, penalty=lambda self, weight, a: Lazy(weight, a))
    assert not check_no_small_stationary_point(lazy).holds
    for name in ("capped_l1", "polygon"):  # they do not
        assert not check_small_stationary_point(FAMILY[name]).holds
    restless = altered(phi.mcp(), penalty=lambda self, weight, a: Restless(weight, a))
    assert not check_small_stationary_point(restless).holds


# ---- groups and rank


@pytest.mark.parametrize("check", [check_group_theorem, check_rank_theorem])
@pytest.mark.parametrize("name", FAMILY)
def test_a_threshold_too_low_for_structures_is_seen(name: str, check: Any):
    assert not check(FAMILY[name], threshold=times(0.97, lipschitz_threshold)).holds


@pytest.mark.parametrize("check", [check_group_tightness, check_rank_tightness])
@pytest.mark.parametrize("name", FAMILY)
def test_an_exact_penalty_of_structures_escapes_the_counterexample(name: str, check: Any):
    assert not check(FAMILY[name], excess=0.999).holds


@dataclass(frozen=True, eq=False)
class LargestEntry:
    """The penalty of the largest entry of each group in place of its norm."""

    penalty: Any
    labels: np.ndarray
    weights: np.ndarray

    def value(self, x: np.ndarray) -> float:
        sizes = np.array([np.abs(x[self.labels == j]).max() for j in range(self.weights.size)])
        return float((self.weights * self.penalty.terms(sizes)).sum())


class LargestSingularValue(Spectral):
    def singular_values(self, x: np.ndarray) -> np.ndarray:
        return super().singular_values(x)[:1]


def test_a_faulty_penalty_of_structures_is_seen():
    assert not check_group_theorem(CAPPED, trials=30, penalty=LargestEntry).holds
    assert not check_group_theorem(CAPPED, penalty=lambda p, labels, weights: Group(p, labels, 0.9 * weights)).holds
    assert not check_rank_theorem(CAPPED, trials=30, penalty=LargestSingularValue).holds


# ---- a member of one's own


def plateau(t: np.ndarray) -> np.ndarray:
    return np.maximum(2 * t - 1, 0)


FUNCTIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str, str]] = {
    "phi(1) is 1.001": (lambda t: 1.001 * t**2, r"phi\(1\) must be 1, got 1.001", "phi(1) = 1: got 1.001"),
    "minimum is 0.001": (lambda t: 0.999 * t**2 + 0.001, "the minimum .* must be 0, got 0.001", "the minimum is 0"),
    "minimum is negative": (lambda t: 1.1 * t**2 - 0.1, "the minimum .* must be 0, got -0.1", "the minimum is 0"),
    "minimizer is 1": (lambda t: 2 - t, "the minimum .* must be 0, got 1", "phi.minimizer  # less than 1: got 1.0"),
    "two minimizers": (
        plateau,
        "the minimizer must be unique, but phi is constant from 0 to 0.5",
        "one minimizer: got",
    ),
    "not convex": (
        np.sqrt,
        "phi must be convex, but its second difference at t = ",
        "convex: the chord lies 0.00926 too low",
    ),
    "infinite inside": (
        lambda t: np.where(t > 0.3, t**2, np.inf),
        r"phi\(0\) is not finite; \[0, 1\] must lie in its domain",
        "finite on [0, 1]: got inf",
    ),
    "not a number": (
        lambda t: np.where(t == 0.5, np.nan, t**2),
        r"phi\(0.5\) is not finite",
        "finite on [0, 1]: got nan",
    ),
    "jump at 0": (lambda t: np.where(t == 0, 0.5, t**2), "", "[0, 1] inside the domain: a jump of 0.5"),
    "infinite slope at 1": (
        lambda t: 1 - np.sqrt(1 - t) if np.all(t <= 1) else t,
        "the left slope at 1 must be finite, but the difference quotients keep growing",
        "finite left slope at 1: quotients",
    ),
}


@dataclass(frozen=True)
class Unchecked(type(phi.custom(lambda t: t**2))):  # type: ignore[misc]
    """A member given by its values, as `phi.custom` makes them but without its look at the axioms."""


def unchecked(function: Callable[[np.ndarray], np.ndarray], **attributes: Any) -> Any:
    return altered(Unchecked(function, "mine"), **attributes)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_each_axiom_is_named_with_its_numbers(name: str):
    function, refusal, comment = FUNCTIONS[name]
    if refusal:
        with pytest.raises(ValueError, match=refusal):
            check_phi(function)
    member = unchecked(function)
    evidence = check_phi(member)
    assert not evidence.holds
    assert comment in evidence.worst_case
    eval(evidence.worst_case, {"phi": member, "np": np})  # it can be pasted


FAULTY_MEMBERS: dict[str, Any] = {
    "slope at 1 off by 0.01": unchecked(np.square, slope_at_one=2.01),
    "minimizer off by 0.01": altered(phi.mcp(3.0), minimizer=phi.mcp(3.0).minimizer + 0.01),
    "maximizer off by 0.01": altered(LOG, maximizer=lambda self, s: np.minimum(type(LOG).maximizer(self, s) + 0.01, 1)),
    "conjugate off by 0.001": altered(LOG, conjugate=lambda self, s: type(LOG).conjugate(self, s) + 0.001 * s),
    "surrogate too low": altered(LOG, surrogate=lambda self, s: np.minimum(0.99 * type(LOG).surrogate(self, s), 1)),
    "penalty flat too early": altered(POWER, penalty=lambda self, w, a: type(POWER).penalty(self, w, 0.99 * a)),
    "kappa too large": altered(CAPPED, curvature_margin=0.6),
    "kappa too small": altered(phi.mcp(), curvature_margin=1.8),
}


@pytest.mark.parametrize("name", FAULTY_MEMBERS)
def test_a_faulty_member_of_ones_own_is_seen(name: str):
    evidence = check_phi(FAULTY_MEMBERS[name])
    assert not evidence.holds, evidence


def test_a_function_of_ones_own_is_accepted():
    evidence = check_phi(lambda t: np.expm1(2 * t) / np.expm1(2.0))
    assert evidence.holds, evidence
    assert evidence.trials >= 15
    for wrong in (3.0, "t**2", None):
        with pytest.raises(TypeError, match="check_phi: needs a member of the family or a function"):
            check_phi(wrong)  # type: ignore[arg-type]
    for no_numbers in (lambda t: "a", lambda t: None, lambda t: t + 0j):
        with pytest.raises(TypeError, match=r"phi.mine: the function must return an array of numbers, got array\("):
            phi.custom(no_numbers, "mine")
        with pytest.raises(TypeError, match=r"phi.lambda: the function must return an array of numbers, got array\("):
            check_phi(no_numbers)
    with pytest.raises(ValueError, match="one value per entry"):
        check_phi(lambda t: t[:5])
