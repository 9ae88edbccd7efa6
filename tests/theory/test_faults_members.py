"""`check_phi` and the checks of the family: no correct member is refused, and no wrong part of one is passed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planting import altered, fails

from parsimo.penalties import MCP
from parsimo.problems import phi
from parsimo.theory_checks import check_axioms, check_conjugate, check_phi, check_surrogate
from parsimo.theory_checks.axioms import left_slope

# ---- members that are correct, and hard on differences

STEEP_OR_FLAT: dict[str, phi.Phi] = {
    **{f"power({p})": phi.power(p) for p in (1.01, 7, 8, 10, 50)},
    **{f"log({e})": phi.log(e) for e in (0.999, 1e-3, 1e-4, 1e-6, 1e-8)},
    **{f"lq({q}, {e})": phi.lq(q, e) for q, e in ((0.99, 0.1), (0.5, 1e-3), (0.1, 1e-3), (0.01, 0.1), (0.99, 1e-3))},
    **{f"mcp({a})": phi.mcp(a) for a in (500, 800, 1000, 10_000)},
    "scad(1.01)": phi.scad(1.01),
}

GIVEN_BY_VALUES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "t**7": lambda t: t**7,
    "exponential": lambda t: np.expm1(30 * t) / np.expm1(30.0),
    "log(1e-3)": phi.log(1e-3).value,
    "mcp(500)": phi.mcp(500).value,
    "linear": lambda t: t,
    "kinks": lambda t: np.maximum(t / 2, 10 * t - 9),
}


@pytest.mark.parametrize("name", STEEP_OR_FLAT)
def test_a_correct_member_is_not_refused(name: str):
    for seed in (0, 1):
        evidence = check_phi(STEEP_OR_FLAT[name], rng=seed)
        assert evidence.holds, evidence
        assert "not decided" not in evidence.hypotheses
    for check in (check_axioms, check_conjugate, check_surrogate):
        evidence = check(STEEP_OR_FLAT[name])
        assert evidence.holds, evidence


@pytest.mark.parametrize("name", GIVEN_BY_VALUES)
def test_a_correct_function_is_not_refused(name: str):
    evidence = check_phi(GIVEN_BY_VALUES[name])
    assert evidence.holds, evidence


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (phi.power(200), "not decided: whether the minimizer is unique, since phi underflows around it"),
        (phi.mcp(1e6), "not decided: exactness, since the surrogate is known to 0.0009 alone"),
        (phi.log(1e-10), "not decided: exactness, since the surrogate is known to 2e-07 alone"),
        (phi.log(1e-14), "not decided: exactness, since the surrogate is known to 0.001 alone"),
    ],
    ids=["underflow", "large values", "large slopes", "the largest slopes"],
)
def test_what_double_precision_does_not_show_is_said(member: phi.Phi, what: str):
    evidence = check_phi(member)
    assert evidence.holds, evidence
    assert what in evidence.hypotheses


def test_a_slope_that_values_cannot_tell_from_a_jump_is_refused():
    evidence = check_phi(phi.log(1e-17))
    assert evidence.verdict == "fails"
    assert "a jump of 0.0654" in evidence.worst_case


# ---- the slope at 1


def hoelder(exponent: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda t: 1 - 1.2 * (1 - t) + 0.2 * (1 - t) ** exponent


def entropic(share: float) -> Callable[[np.ndarray], np.ndarray]:
    """t + share (1 - t) log(1 - t), whose quotients at 1 grow like a logarithm."""
    return lambda t: t + share * (1 - t) * np.log(np.where(t < 1, 1 - t, 1.0))


@pytest.mark.parametrize("name", STEEP_OR_FLAT)
def test_the_slope_at_one_is_within_its_error(name: str):
    member = STEEP_OR_FLAT[name]
    slope = left_slope(member)
    assert abs(slope.value - member.slope_at_one) <= slope.error <= 1e-6 * member.slope_at_one


@pytest.mark.parametrize(
    ("function", "true_slope"),
    [
        (hoelder(1.1), 1.2),
        (hoelder(1.5), 1.2),
        (lambda t: np.maximum(t / 2, 1 - 1000 * (1 - t)), 1000.0),
        (lambda t: np.maximum(t - 5e-10, 1 - 2 * (1 - t)), 2.0),  # a kink at 1 - 5e-10
        (lambda t: 1 - np.sqrt(1 - t), np.inf),
        (lambda t: 1 - (1 - t) ** 0.99, np.inf),
        (entropic(0.1), np.inf),
        (entropic(1e-4), np.inf),
    ],
)
def test_slopes_of_functions_are_finite_or_not(function: Callable[[np.ndarray], np.ndarray], true_slope: float):
    slope = left_slope(altered(phi.power(2.0), value=lambda self, t: function(t)))
    assert np.isfinite(slope.error) == np.isfinite(true_slope)
    if np.isfinite(true_slope):
        assert abs(slope.value - true_slope) <= slope.error <= 0.02


# ---- members with one wrong part

SQUARE = phi.power(2.0)
OF_SQUARE: Any = type(SQUARE)


def inside(s: np.ndarray, start: float, share: float = 0.02) -> np.ndarray:
    """Where s is in a band of so large a share of [0, 2 phi'(1-)]."""
    return (s > start) & (s < start + share * 2 * SQUARE.slope_at_one)


def wrong_in_a_band(start: float) -> dict[str, Any]:
    return {
        "conjugate": altered(
            SQUARE, conjugate=lambda self, s: np.where(inside(s, start), 0.0, OF_SQUARE.conjugate(self, s))
        ),
        "maximizer": altered(
            SQUARE,
            maximizer=lambda self, s: np.abs(OF_SQUARE.maximizer(self, s) - 0.2 * inside(s, start)),
            conjugate=lambda self, s: np.where(s < 2, s**2 / 4, s - 1),
            surrogate=lambda self, s: np.where(s < 2, s - s**2 / 4, 1.0),
        ),
        "surrogate": altered(
            SQUARE, surrogate=lambda self, s: OF_SQUARE.surrogate(self, s) * np.where(inside(s, start), 0.999, 1.0)
        ),
    }


@pytest.mark.parametrize("start", [0.01, 0.5, 1.0, 1.57, 2.3, 3.9])
@pytest.mark.parametrize("name", wrong_in_a_band(1.0))
def test_a_band_of_two_hundredths_is_seen_with_every_seed(name: str, start: float):
    member = wrong_in_a_band(start)[name]
    assert all(fails(check_phi(member, rng=seed)) for seed in range(4))


def test_a_band_of_two_hundredths_is_seen_by_each_check():
    for check, name in ((check_conjugate, "conjugate"), (check_conjugate, "maximizer"), (check_surrogate, "surrogate")):
        evidence = check(wrong_in_a_band(1.0)[name], trials=1)
        assert fails(evidence)
        assert evidence.worst_case.startswith(f"phi.{name}(")


def test_a_wrong_maximizer_of_a_steep_member_is_seen():
    """w is where it should not be for a thousandth of all s, and a tenth of all w."""
    steep = phi.log(1e-4)
    of_steep: Any = type(steep)
    evidence = check_phi(
        altered(
            steep,
            maximizer=lambda self, s: of_steep.maximizer(self, s) + 0.05 * ((s > 0.5) & (s < 0.7)),
            conjugate=lambda self, s: of_steep.conjugate(steep, s),
            surrogate=lambda self, s: of_steep.surrogate(steep, s),
        )
    )
    assert fails(evidence)
    assert "phi.maximizer" in evidence.worst_case


# ---- the penalty of a member


class Zeroing(MCP):
    """All at 0, and content."""

    def prox(self, v: np.ndarray, step_size: Any) -> np.ndarray:
        return np.zeros_like(v)

    def subdiff_distance(self, x: np.ndarray, grad: np.ndarray) -> float:
        return 0.0


class Content(MCP):
    def subdiff_distance(self, x: np.ndarray, grad: np.ndarray) -> float:
        return 0.0


class Restless(MCP):
    def descent_rate(self, x: np.ndarray, grad: np.ndarray) -> float:
        return 1.01 * super().descent_rate(x, grad)


class Summed(MCP):
    """Distances of coordinates, added up."""

    def subdiff_distance(self, x: np.ndarray, grad: np.ndarray) -> float:
        return sum(super(Summed, self).subdiff_distance(x[i : i + 1], grad[i : i + 1]) for i in range(x.size))


class Soft(MCP):
    """The prox of small steps for all of them."""

    def prox(self, v: np.ndarray, step_size: Any) -> np.ndarray:
        return super().prox(v, min(step_size, 0.4 * self.flat_point**2 / self.weight))


class CheaperAlone(MCP):
    """Wrong for one entry, right for many."""

    def value(self, x: np.ndarray) -> float:
        return super().value(x) * (0.9 if x.size == 1 else 1.0)


@pytest.mark.parametrize(
    ("penalty", "method"),
    [
        (Zeroing, "prox"),
        (Soft, "prox"),
        (Content, "subdiff_distance"),
        (Summed, "subdiff_distance"),
        (Restless, "descent_rate"),
        (CheaperAlone, "value"),
    ],
)
def test_a_faulty_penalty_of_a_member_is_seen(penalty: Any, method: str):
    member = altered(SQUARE, penalty=lambda self, weight, flat_point: penalty(weight, flat_point))
    for seed in range(4):
        evidence = check_phi(member, rng=seed)
        assert fails(evidence)
        assert evidence.worst_case.startswith("phi.penalty(")
        assert f").{method}(" in evidence.worst_case
    eval(evidence.worst_case, {"phi": member, "np": np})  # it can be pasted


def test_a_prox_that_is_no_number_is_seen():
    class Lost(MCP):
        def prox(self, v: np.ndarray, step_size: Any) -> np.ndarray:
            return np.full_like(v, np.nan)

    assert check_phi(altered(SQUARE, penalty=lambda self, w, a: Lost(w, a))).verdict == "fails"
