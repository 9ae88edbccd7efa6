"""`check_reformulation` fails where rho, a link of the chain or the zeroing test is broken on purpose."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from planting import altered

import parsimo as ps
from parsimo.penalties import L1, MCP, ZeroNorm
from parsimo.problems import phi
from parsimo.problems.exact_penalty import PenalizedMPEC
from parsimo.problems.mpec import MPEC
from parsimo.theory_checks import (
    FAMILY,
    check_phi,
    check_reformulation,
    paste,
    reformulation,
)

# ---- a problem of one's own


def problem(n: int = 4, weight: Any = 1.0, seed: int = 3) -> ps.ZeroNormProblem:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(3 * n, n))
    return ps.ZeroNormProblem(
        ps.LeastSquares(A, A @ (rng.integers(0, 2, size=n) * 2.0) + rng.normal(size=3 * n)), weight
    )


def at_the_flat_point(member: phi.Phi, excess: float) -> PenalizedMPEC:
    """(x - b)^2 / 2 with a flat point `excess` times the largest of Theorem 3.3, and a b that shows it.

    By (3.1) the surrogate meets an MCP of kappa at some u: at 0 for the members of small kappa, and then zero and b tie
    under the zero norm at b = sqrt(2); at 1 for the others, and then b lies between there and the flat point.
    """
    a = excess * math.sqrt(member.curvature_margin)
    b = math.sqrt(2) * (1.005 if member.curvature_margin > 1.9 else 1.0)
    f = ps.LeastSquares(np.eye(2), np.array([b, 5.0]))
    return ps.ZeroNormProblem(f, 1.0).to_mpec(member).penalize(member.slope_at_one / a)


@pytest.mark.parametrize("name", FAMILY)
def test_a_rho_too_small_is_seen_with_its_counterexample(name: str):
    link = at_the_flat_point(FAMILY[name], 1.02)
    evidence = check_reformulation(link)
    assert not evidence.holds, evidence
    eval(evidence.worst_case, {**vars(paste), "problem": link})  # it can be pasted
    assert check_reformulation(at_the_flat_point(FAMILY[name], 0.999)).holds


def in_units(unit: float, weight: float = 1.0) -> ps.ZeroNormProblem:
    """`unit` times |t - 1.5|^2 / 2 + weight |t|_0."""
    f = ps.LeastSquares(np.array([[math.sqrt(unit)]]), np.array([1.5 * math.sqrt(unit)]))
    return ps.ZeroNormProblem(f, weight * unit)


@pytest.mark.parametrize("unit", [1e-12, 1e-8, 1e-4, 1.0, 1e8])
@pytest.mark.parametrize("radius", [None, 4.0])
def test_the_verdict_does_not_depend_on_the_units(unit: float, radius: float | None):
    """MCP flat from 3 on is not exact here: it has its minimum at 1.5, by 3/8, where the zero norm pays 1."""
    inexact = check_reformulation(in_units(unit), rho=phi.mcp().slope_at_one / 3, radius=radius)
    assert inexact.verdict == "fails", inexact
    assert check_reformulation(in_units(unit), radius=radius).holds
    low = in_units(unit).to_mpec(altered(phi.mcp(), value=lambda self, t: 0.999 * t * t))
    assert not check_reformulation(low, radius=radius).holds


@pytest.mark.parametrize("weight", [1e-7, 1e3])
def test_weights_far_from_the_data_hide_no_error(weight: float):
    inexact = check_reformulation(in_units(1.0, weight), rho=0.1 * min(1.0, 1 / weight))
    assert inexact.verdict == "fails", inexact
    assert check_reformulation(in_units(1.0, weight)).holds


def test_what_tries_nothing_is_refused():
    for check, subject in ((check_reformulation, problem()), (check_phi, phi.mcp())):
        with pytest.raises(ValueError, match="trials must be at least 1, got 0"):
            check(subject, trials=0)
        with pytest.raises(ValueError, match="tolerance must be a positive number, got 0"):
            check(subject, tolerance=0.0)


class LiftedToOne(MPEC):
    def lift(self, x: np.ndarray) -> np.ndarray:
        return np.ones_like(x)


class LiftedTooLow(MPEC):
    def lift(self, x: np.ndarray) -> np.ndarray:
        return 0.999 * super().lift(x)


class WorstW(PenalizedMPEC):
    def auxiliary(self, x: np.ndarray, u: Any = None) -> np.ndarray:
        return np.ones_like(x)


class Dearer(PenalizedMPEC):
    def value(self, x: np.ndarray, u: Any = None) -> float:
        return super().value(x, u) + 1e-3


def faulty_links(base: ps.ZeroNormProblem) -> dict[str, Any]:
    mpec = base.to_mpec(phi.mcp())
    penalized = mpec.penalize("exact")
    fields = (penalized.f, penalized.weight, penalized.phi, penalized.exactness)
    return {
        "lifted to 1": LiftedToOne(base, phi.mcp()),
        "lifted too low": LiftedTooLow(base, phi.mcp()),
        "w is not the best": WorstW(*fields, mpec),
        "penalized value too large": Dearer(*fields, mpec),
        "phi(1) is 0.99": base.to_mpec(altered(phi.power(1.5), value=lambda self, t: 0.99 * t**1.5)),
        "conjugate of another": base.to_mpec(altered(phi.power(1.5), maximizer=lambda self, s: np.clip(s / 2, 0, 1))),
    }


@pytest.mark.parametrize("n", [4, 30], ids=["with global minima", "random points alone"])
@pytest.mark.parametrize("name", faulty_links(problem()))
def test_a_broken_link_is_seen(name: str, n: int):
    evidence = check_reformulation(faulty_links(problem(n))[name])
    assert not evidence.holds, evidence


def test_a_broken_zeroing_test_is_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reformulation, "zero_where_better", lambda surrogate, x: (x + 1.0, 0))
    assert not check_reformulation(problem(30)).holds


def test_the_hypotheses_say_what_was_done():
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(20, 3)), rng.choice([-1.0, 1.0], size=20)
    logistic = ps.ZeroNormProblem(ps.Logistic(A, y), 1.0)
    wide = ps.ZeroNormProblem(ps.LeastSquares(A[:2], y[:2]), 1.0)
    cases = {
        "all global minimizers, proved by branch and bound; random points": (problem(12), None),
        "random points alone: 13 variables are more than 12": (problem(13), None),
        "random points alone: Logistic(20 x 3) is not least squares of full column rank, and no radius": (
            logistic,
            None,
        ),
        "random points alone: LeastSquares(2 x 3) is not": (wide, None),
        "all global minimizers": (logistic, 10.0),
    }
    for start, (given, radius) in cases.items():
        evidence = check_reformulation(given, radius=radius)
        assert evidence.holds, evidence
        assert evidence.hypotheses.startswith(start)
    every_link = (
        problem(),
        problem().to_mpec(phi.log()),
        problem().to_mpec(phi.log()).penalize(),
        problem().to_mpec(phi.log()).penalize().eliminate(),
    )
    assert all(check_reformulation(link).holds for link in every_link)
    assert check_reformulation(problem(weight=np.array([0.0, 1.0, 2.0, 3.0])), phi=phi.log()).holds
    assert not check_reformulation(problem(), phi=phi.log(), rho=0.1).holds
    with pytest.raises(TypeError, match="check_reformulation: needs a ZeroNormProblem or a link of its chain"):
        check_reformulation(ps.Composite(problem().f, MCP(1.0, 1.0)))


# ---- the link that is given, not one that is derived anew


class CheaperInX(PenalizedMPEC):
    def given(self, u: np.ndarray) -> L1:
        return L1(0.9 * super().given(u).weight)


def altered_links(n: int) -> dict[str, Any]:
    base = problem(n, weight=0.5)
    penalized = base.to_mpec(phi.mcp()).penalize("exact")
    surrogate, stated = penalized.eliminate(), penalized.exactness
    shifted = ps.LeastSquares(base.f.design.A, base.f.targets + 5)
    fields = (penalized.f, penalized.weight, penalized.phi, stated, penalized.mpec)
    thrice = {"rho": 3 * stated.rho, "flat_point": stated.flat_point / 3}
    return {
        "surrogate: another g": replace(surrogate, g=L1(1.0)),
        "surrogate: g of another weight": replace(surrogate, g=MCP(1.0, stated.flat_point)),
        "surrogate: g of another flat point": replace(surrogate, g=MCP(0.5, 1.01 * stated.flat_point)),
        "surrogate: g not penalized": replace(surrogate, g=ZeroNorm(0.5)),
        "surrogate: another f": replace(surrogate, f=shifted),
        "penalized: another f": replace(penalized, f=shifted),
        "penalized: another weight": replace(penalized, weight=0.6),
        "penalized: another l1 problem": CheaperInX(*fields),
        "stated: a lower threshold": replace(
            penalized, exactness=replace(stated, threshold=1e-6 * stated.threshold, **thrice)
        ),
        "stated: a higher threshold": replace(penalized, exactness=replace(stated, threshold=2 * stated.threshold)),
        "stated: no threshold": replace(penalized, exactness=replace(stated, threshold=None)),
        "stated: another rho": replace(penalized, exactness=replace(stated, rho=3 * stated.rho)),
        "stated: another flat point": replace(penalized, exactness=replace(stated, flat_point=stated.flat_point / 3)),
    }


@pytest.mark.parametrize("n", [4, 30], ids=["with global minima", "random points alone"])
@pytest.mark.parametrize("name", altered_links(4))
def test_the_link_that_is_given_is_judged(name: str, n: int):
    link = altered_links(n)[name]
    links = [link, link.eliminate()] if isinstance(link, PenalizedMPEC) else [link]
    for each in links:
        evidence = check_reformulation(each)
        assert evidence.verdict == "fails", evidence
        eval(evidence.worst_case, {**vars(paste), "problem": each})  # it can be pasted


def test_a_surrogate_is_judged_by_its_minimizers_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reformulation, "_add_point", lambda *arguments: None)
    penalized = problem(weight=0.5).to_mpec(phi.mcp()).penalize("exact")
    surrogate = penalized.eliminate()
    assert check_reformulation(surrogate).holds
    assert check_reformulation(replace(surrogate, g=MCP(0.4, surrogate.g.flat_point))).verdict == "fails"


class ByValue:
    """An MCP of one's own, without terms and weight."""

    def __init__(self, weight: float, flat_point: float) -> None:
        self.mcp = MCP(weight, flat_point)
        self.traits = self.mcp.traits

    def value(self, x: np.ndarray) -> float:
        return self.mcp.value(x)

    def prox(self, v: np.ndarray, step_size: float) -> np.ndarray:
        return self.mcp.prox(v, step_size)

    def subdiff_distance(self, x: np.ndarray, grad: np.ndarray) -> float:
        return self.mcp.subdiff_distance(x, grad)

    def __repr__(self) -> str:
        return "ByValue"


def test_a_penalty_known_by_its_values_is_judged_at_points():
    surrogate = problem().to_mpec(phi.mcp()).penalize("exact").eliminate()
    evidence = check_reformulation(replace(surrogate, g=ByValue(1.0, surrogate.g.flat_point)))
    assert evidence.holds
    assert evidence.hypotheses == "random points alone: ByValue has no terms and weight"
    assert check_reformulation(replace(surrogate, g=ByValue(1.1, surrogate.g.flat_point))).verdict == "fails"


def test_a_link_with_a_larger_rho_that_says_so_holds():
    penalized = problem().to_mpec(phi.mcp()).penalize("exact")
    stated = penalized.exactness
    larger = replace(penalized, exactness=replace(stated, rho=3 * stated.rho, flat_point=stated.flat_point / 3))
    for link in (larger, larger.eliminate(), replace(larger.eliminate(), g=MCP(1.0, larger.exactness.flat_point))):
        assert check_reformulation(link).holds
