"""Every check fails where the thing under test is broken: a check that cannot fail proves nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planting import fault

from parsimo import theory_checks
from parsimo.penalties import L1, MCP, SCAD, Box, CappedL1, Clustering, ZeroNorm
from parsimo.penalties.codebook import Line, best_codebook
from parsimo.problems import Logistic, PhiPenalty, ZeroNormProblem, phi
from parsimo.problems.mpec import zero_where_better
from parsimo.theory_checks import (
    Evidence,
    check_axioms,
    check_best_codebook,
    check_conjugate,
    check_curvature_theorem,
    check_curvature_tightness,
    check_descent,
    check_lipschitz_theorem,
    check_lipschitz_tightness,
    check_lloyd_max,
    check_never_exact,
    check_prox,
    check_quantization,
    check_quantization_tightness,
    check_subdifferential,
    check_surrogate,
    check_variational_identity,
    check_zeroing,
)
from parsimo.theory_checks.curvature import curvature_threshold
from parsimo.theory_checks.exactness import lipschitz_threshold

BOOK = np.array([-1.0, 0.0, 0.3, 2.0])
KINKS = (-1.0, -0.5, 0.15, 0.3, 1.15, 2.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# ---- proxes


def half_threshold(self: Any, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
    return np.where(v <= np.sqrt(tau), 0.0, v)  # the 2 of sqrt(2 tau) forgotten


def strong_shrinkage(self: Any, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
    return v - np.clip(v, -1.001 * tau, 1.001 * tau)


def small_step_mcp(self: Any, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """The formula of a small step, at every step: it divides by 1 - 2 tau / a^2."""
    a = self.flat_point
    return np.where(v <= a, np.maximum((v - 2 * tau / a) / (1 - 2 * tau / a**2), 0.0), v)


def small_step_scad(self: Any, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
    g = self.shape
    alpha = self.flat_point / g
    s = 2 * tau / (alpha**2 * (g + 1))
    bent = ((g - 1) * v - g * s * alpha) / (g - 1 - s)
    soft = np.maximum(v - s * alpha, 0.0)
    return np.maximum(np.where(v <= (1 + s) * alpha, soft, np.where(v <= g * alpha, bent, v)), 0.0)


def small_step_capped(self: Any, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
    a = self.flat_point
    return np.where(v <= a + tau / (2 * a), np.maximum(v - tau / a, 0.0), v)


def early_flat_capped(self: Any, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """v itself from the flat point on, where the tie is at a + tau / (2a)."""
    return np.where(v <= self.flat_point, CappedL1._shrink(self, v, tau), v)


def pull_to_the_nearest_of_the_output(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    outputs = np.array([Clustering(self.weight, np.array([c])).prox(v, step_size) for c in self.codebook])
    gaps = np.abs(outputs[:, :, None] - self.codebook).min(axis=-1)
    return outputs[gaps.argmin(axis=0), np.arange(v.size)]


def first_of(base: type) -> Callable[..., tuple[float, ...]]:
    return lambda self, v, step_size: base.prox_set(self, v, step_size)[:1]  # type: ignore[attr-defined]


def with_one_more(base: type) -> Callable[..., tuple[float, ...]]:
    def prox_set(self: Any, v: float, step_size: float) -> tuple[float, ...]:
        return (*base.prox_set(self, v, step_size), v + 0.01)  # type: ignore[attr-defined]

    return prox_set


FAULTY_PROXES: dict[str, tuple[Any, tuple[float, ...]]] = {
    "zero norm, threshold sqrt(tau)": (fault(ZeroNorm, _shrink=half_threshold)(0.7), ()),
    "zero norm, one of two ties": (fault(ZeroNorm, prox_set=first_of(ZeroNorm))(0.7), ()),
    "zero norm, a number too many": (fault(ZeroNorm, prox_set=with_one_more(ZeroNorm))(0.7), ()),
    "l1, threshold 1.001 tau": (fault(L1, _prox=strong_shrinkage)(0.7), ()),
    "MCP, no large steps": (fault(MCP, _shrink=small_step_mcp)(0.7, 0.8), (-0.8, 0.8)),
    "SCAD, no large steps": (fault(SCAD, _shrink=small_step_scad)(0.7, 0.8), (-0.8, 0.8)),
    "capped l1, no large steps": (fault(CappedL1, _shrink=small_step_capped)(0.7, 0.8), (-0.8, 0.8)),
    "capped l1, tie at the flat point": (fault(CappedL1, _shrink=early_flat_capped)(0.7, 0.8), (-0.8, 0.8)),
    "box, clipped too far": (fault(Box, prox=lambda self, v, t: np.clip(v, -0.5, 1.499))(-0.5, 1.5), (-0.5, 1.5)),
    "clusters, nearest to the output": (
        fault(Clustering, prox=pull_to_the_nearest_of_the_output)(0.7, BOOK),
        KINKS,
    ),
    "clusters, one of two ties": (fault(Clustering, prox_set=first_of(Clustering))(0.7, BOOK), KINKS),
    "numeric, 0 never tried": (
        fault(PhiPenalty, _shrink=lambda self, v, tau: np.maximum(PhiPenalty._shrink(self, v, tau), 1e-3))(
            0.7, 0.8, phi.log()
        ),
        (-0.8, 0.8),
    ),
}


@pytest.mark.parametrize("name", FAULTY_PROXES)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_faulty_prox_is_seen(name: str):
    g, breakpoints = FAULTY_PROXES[name]
    evidence = check_prox(g, rng(), 25, breakpoints)
    assert not evidence.holds, evidence
    assert evidence.margin < -1e-10  # a wrong threshold counts as the tolerance


# ---- subdifferentials


def off_by(base: type, error: float) -> Callable[..., float]:
    return lambda self, x, grad: base.subdiff_distance(self, x, grad) + error  # type: ignore[attr-defined]


FAULTY_SUBDIFFERENTIALS: dict[str, tuple[Any, tuple[float, ...]]] = {
    **{
        f"{cls.__name__}, off by 0.001": (fault(cls, subdiff_distance=off_by(cls, 1e-3))(0.7, *rest), ())
        for cls, rest in ((ZeroNorm, ()), (L1, ()), (MCP, (0.8,)), (SCAD, (0.8,)), (CappedL1, (0.8,)))
    },
    "clusters, off by 0.001": (fault(Clustering, subdiff_distance=off_by(Clustering, 1e-3))(0.7, BOOK), KINKS),
    "zero norm, 0 alone at 0": (fault(ZeroNorm, _slope_at_zero=lambda self: 0.0)(0.7), ()),
    "MCP, slope at 0 halved": (fault(MCP, _slope_at_zero=lambda self: 1 / self.flat_point)(0.7, 0.8), ()),
    "capped l1, one slope at the kink": (
        fault(CappedL1, _slopes=lambda self, t: CappedL1._slopes(self, t)[:1])(0.7, 0.8),
        (-0.8, 0.8),
    ),
    "clusters, one slope at midpoints": (
        fault(Clustering, _upper_tie=lambda self, x, below: below)(0.7, BOOK),
        KINKS,
    ),
    "box, free at its ends": (
        fault(
            Box,
            subdiff_distance=lambda self, x, grad: (
                0.0 if np.abs(x - 0.5).max() == 1 else Box.subdiff_distance(self, x, grad)
            ),
        )(-0.5, 1.5),
        (-0.5, 1.5),
    ),
    "box, finite outside": (
        fault(Box, subdiff_distance=lambda self, x, grad: Box.subdiff_distance(self, np.clip(x, -0.5, 1.5), grad))(
            -0.5, 1.5
        ),
        (-0.5, 1.5),
    ),
}


@pytest.mark.parametrize("name", FAULTY_SUBDIFFERENTIALS)
def test_a_faulty_subdifferential_is_seen(name: str):
    g, breakpoints = FAULTY_SUBDIFFERENTIALS[name]
    evidence = check_subdifferential(g, rng(), 60, breakpoints)
    assert not evidence.holds, evidence
    assert evidence.margin < -1e-4


# ---- the family


LOG, MCP_PHI, POWER = phi.log(), phi.mcp(3.0), phi.power(1.5)


def altered(member: phi.Phi, **attributes: Any) -> Any:
    """A member with some attributes replaced; its other methods call them."""
    namespace = {k: property(lambda self, v=v: v) if not callable(v) else v for k, v in attributes.items()}
    cls = type(f"Faulty{type(member).__name__}", (type(member),), namespace)
    return cls(*(getattr(member, f.name) for f in dataclasses.fields(member)))


FAULTY_MEMBERS: dict[str, tuple[Callable[..., Evidence], Any]] = {
    "phi(1) is 1.001": (check_axioms, altered(LOG, value=lambda self, t: 1.001 * type(LOG).value(self, t))),
    "phi(t*) is 0.001": (check_axioms, altered(LOG, value=lambda self, t: 0.999 * type(LOG).value(self, t) + 0.001)),
    "t* off by 0.01": (check_axioms, altered(MCP_PHI, minimizer=MCP_PHI.minimizer + 0.01)),
    "t* is 1": (check_axioms, altered(MCP_PHI, minimizer=1.0)),
    "slope at 1 off by 0.001": (check_axioms, altered(POWER, slope_at_one=1.501)),
    "not convex": (check_axioms, altered(POWER, value=lambda self, t: np.sqrt(t) ** 1.5, slope_at_one=0.75)),
    "two minimizers": (check_axioms, altered(POWER, value=lambda self, t: np.maximum(2 * t - 1, 0), slope_at_one=2.0)),
    "maximizer off by 0.01": (
        check_conjugate,
        altered(LOG, maximizer=lambda self, s: np.minimum(type(LOG).maximizer(self, s) + 0.01, 1)),
    ),
    "conjugate off by 0.001": (
        check_conjugate,
        altered(LOG, conjugate=lambda self, s: type(LOG).conjugate(self, s) + 0.001 * s),
    ),
    "maximizer above 1": (check_conjugate, altered(POWER, maximizer=lambda self, s: (s / 1.5) ** 2)),
    "phi(1) is 0.99": (check_variational_identity, altered(POWER, value=lambda self, t: 0.99 * t**1.5)),
    "phi(0) is negative": (check_variational_identity, altered(POWER, value=lambda self, t: t**1.5 - 0.01 * (1 - t))),
    "h with a wrong conjugate": (
        check_surrogate,
        altered(LOG, surrogate=lambda self, s: np.minimum(0.99 * type(LOG).surrogate(self, s), 1)),
    ),
    "h(0) is not 0": (
        check_surrogate,
        altered(LOG, surrogate=lambda self, s: np.maximum(type(LOG).surrogate(self, s), 1e-12)),
    ),
    "h flat too early": (
        check_surrogate,
        altered(POWER, penalty=lambda self, weight, a: type(POWER).penalty(self, weight, 0.99 * a)),
    ),
    "h convex near 0": (
        check_surrogate,
        altered(POWER, surrogate=lambda self, s: np.minimum(s / 1.5, 1) ** 2),
    ),
    # thresholds
    "flat point 2% beyond the Lipschitz threshold": (
        lambda member, rng: check_lipschitz_theorem(member, rng, threshold=scaled(lipschitz_threshold, 0.98)),
        phi.capped_l1(),
    ),
    "Lipschitz tightness above the threshold": (
        lambda member, rng: check_lipschitz_tightness(member, rng, excess=0.999),
        LOG,
    ),
    "kappa 10% too large": (
        lambda member, rng: check_curvature_theorem(member, rng),
        altered(phi.mcp(), curvature_margin=2.2),
    ),
    "kappa of MCP for capped l1": (check_curvature_theorem, altered(phi.capped_l1(), curvature_margin=2.0)),
    "kappa 10% too small": (check_curvature_tightness, altered(phi.mcp(), curvature_margin=1.8)),
    "kappa of capped l1 for SCAD": (check_curvature_tightness, altered(phi.scad(), curvature_margin=0.5)),
}


def scaled(threshold: Callable[[float, float, Any], Any], factor: float) -> Callable[[float, float, Any], float]:
    return lambda constant, weight, member: factor * threshold(constant, weight, member)


@pytest.mark.parametrize("name", FAULTY_MEMBERS)
def test_a_faulty_member_is_seen(name: str):
    check, member = FAULTY_MEMBERS[name]
    evidence = check(member, rng())
    assert not evidence.holds, evidence


@pytest.mark.parametrize("name", theory_checks.FAMILY)
def test_half_of_the_threshold_is_seen(name: str):
    """rho too small by a factor of 2, for every member."""
    member = theory_checks.FAMILY[name]
    halved = check_lipschitz_theorem(member, rng(), 12, threshold=scaled(lipschitz_threshold, 0.5))
    assert not halved.holds, halved
    halved = check_curvature_theorem(member, rng(), 12, threshold=scaled(curvature_threshold, 0.5))
    assert not halved.holds, halved


# ---- zeroing and the negative control


def zero_them_all(problem: Any, x: np.ndarray) -> tuple[np.ndarray, int]:
    a = problem.penalized.exactness.flat_point
    small = (x != 0) & (np.abs(x) < a)
    return np.where(small, 0.0, x), int(small.sum())


def zero_one_pass_too_few(problem: Any, x: np.ndarray) -> tuple[np.ndarray, int]:
    y, count = zero_where_better(problem, x)
    first = np.flatnonzero((y == 0) & (x != 0))[:1]
    y[first] = x[first]
    return y, count - first.size


def miscount(problem: Any, x: np.ndarray) -> tuple[np.ndarray, int]:
    y, count = zero_where_better(problem, x)
    return y, count + 1


@pytest.mark.parametrize("zeroing", [zero_them_all, zero_one_pass_too_few, miscount, lambda problem, x: (x, 0)])
def test_a_faulty_zeroing_test_is_seen(zeroing: Any):
    data = rng()
    f = Logistic(data.normal(size=(30, 8)), np.where(data.random(30) < 0.5, -1.0, 1.0))
    mpec = ZeroNormProblem(f, 2.0).to_mpec(phi.mcp())
    # exact: nothing small is left; far from it: zeroing may cost more than it saves
    problems = [mpec.penalize("exact").eliminate(), mpec.penalize(0.3).eliminate()]
    assert all(check_zeroing(problem, rng(), 20).holds for problem in problems)
    assert not all(check_zeroing(problem, rng(), 20, zeroing).holds for problem in problems)


def test_a_surrogate_that_is_flat_escapes_the_negative_control():
    assert not check_never_exact(lambda s: np.minimum(s, 1.0), rng()).holds


# ---- clustering


def lloyd(line: Line, k: int, distance: Any, pinned: float | None = None) -> np.ndarray:
    start = np.quantile(line.points, (np.arange(k) + 0.5) / k)
    return line.descend(start if pinned is None else np.append(start[1:], pinned), distance, 0.0, pinned)


def one_too_few(line: Line, k: int, distance: Any, pinned: float | None = None) -> np.ndarray:
    return best_codebook(line, max(k - 1, 1), distance, pinned)


def one_too_many(line: Line, k: int, distance: Any, pinned: float | None = None) -> np.ndarray:
    return best_codebook(line, k + 1, distance, pinned)


def unpinned(line: Line, k: int, distance: Any, pinned: float | None = None) -> np.ndarray:
    return best_codebook(line, k, distance)


def means(line: Line, k: int, distance: Any, pinned: float | None = None) -> np.ndarray:
    return best_codebook(line, k, "squared", pinned)


def multiplicities_lost(line: Line, k: int, distance: Any, pinned: float | None = None) -> np.ndarray:
    return best_codebook(Line(line.points, np.ones_like(line.weights)), k, distance, pinned)


@pytest.mark.parametrize("best", [lloyd, one_too_few, one_too_many, unpinned, means, multiplicities_lost])
def test_a_faulty_codebook_is_seen(best: Any):
    assert not check_best_codebook(rng(), best=best).holds


def test_a_uniform_quantizer_is_no_lloyd_max_quantizer():
    def uniform(line: Line, k: int, distance: Any) -> np.ndarray:
        return np.linspace(-1.5, 1.5, k)

    assert not check_lloyd_max(best=uniform).holds


class Wandering(Line):
    def descend(self, codebook: np.ndarray, distance: Any, reach: float, pinned: float | None) -> np.ndarray:
        return super().descend(codebook, distance, reach, pinned) + 0.01


class Forgetful(Line):
    def descend(self, codebook: np.ndarray, distance: Any, reach: float, pinned: float | None) -> np.ndarray:
        return super().descend(codebook, distance, reach, None)


class Spendthrift(Line):
    """One representative more than it was given."""

    def descend(self, codebook: np.ndarray, distance: Any, reach: float, pinned: float | None) -> np.ndarray:
        return best_codebook(self, codebook.size + 1, distance, pinned)


@pytest.mark.parametrize("line", [Wandering.of, Forgetful.of, Spendthrift.of])
def test_a_faulty_descent_is_seen(line: Any):
    assert not check_descent(rng(), line=line).holds


def test_a_weight_below_the_lipschitz_constant_is_seen():
    assert not check_quantization(rng(), excess=0.99).holds
    assert not check_quantization_tightness(rng(), deficit=1.01).holds


def test_the_squared_distance_does_not_quantize():
    assert not check_quantization(rng(), penalty=lambda weight, book: Clustering(weight, book, "squared")).holds
