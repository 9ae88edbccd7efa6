"""The generator family: axioms, conjugate, surrogate, and the identity that writes the zero norm as a minimum."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parsimo.theory_checks.axioms import axioms, rounding_of, undecided
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.scan import entrywise, line_minima
from parsimo.theory_checks.subjects import FAMILY, member_text

__all__ = ["CHECKS", "check_axioms", "check_conjugate", "check_surrogate", "check_variational_identity"]

_UNIT = np.linspace(0.0, 1.0, 2001)
_COARSE = np.linspace(0.0, 1.0, 65)
_STRATA = 400  # of s and of w: in each of them one s is tried, so that no band of a hundredth of either is left out


def check_axioms(phi: Any, rng: Seed = 0, trials: int = 50, tolerance: float = 1e-7) -> Evidence:
    """phi is convex with phi(1) = 1, a finite left slope at 1, and phi = 0 at its one minimizer t* in [0, 1)."""
    rng = np.random.default_rng(rng)
    hypotheses = ", ".join(filter(None, ("a grid of values", "random chords", "differences at 1", undecided(phi))))
    outcome = Trials(f"{phi!r} is a member of the family", "docs/theory.md, 2", hypotheses)
    for margin, case in axioms(phi, tolerance):
        outcome.add(margin, case)
        if not margin >= 0:  # what comes next would be spoiled by it
            return outcome.evidence()
    allowed = max(tolerance, rounding_of(phi))
    for _ in range(trials):
        (s, t), theta = rng.random(2), rng.random()
        m = float(theta * s + (1 - theta) * t)
        at_s, at_m, at_t = (float(v) for v in phi.value(np.array([s, m, t])))
        chord = theta * at_s + (1 - theta) * at_t
        case = f"{member_text(phi)}.value(np.array([{float(s)!r}, {m!r}, {float(t)!r}]))"
        case += f"  # the second one is at most {chord!r}, that of the chord"
        outcome.add(allowed + chord - at_m, case)
    return outcome.evidence()


def check_conjugate(phi: Any, rng: Seed = 0, trials: int = 50, tolerance: float = 1e-8) -> Evidence:
    """psi*(s) = sup of s w - phi(w) over 0 <= w <= 1, taken at `maximizer(s)`.

    For s in each of 400 parts of [0, 2 phi'(1-)], in each of 400 parts of [0, 1] for the w that belong to s, and for
    `trials` more.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: conjugate and maximizer solve max over 0 <= w <= 1 of s w - phi(w)",
        "docs/theory.md, (2.2)",
        f"s in {_STRATA} parts of [0, 2 phi'(1-)], and as many for parts of w; at 0 and phi'(1-)",
    )
    s = _strata(phi, rng, trials)
    supremum = s - _least_over_w(phi, s)
    allowed = tolerance * (1 + s) + rounding_of(phi)

    def case(method: str, k: int) -> str:
        said = f"the supremum of s w - phi(w) is {float(supremum[k])!r}"
        return f"{member_text(phi)}.{method}(np.array([{float(s[k])!r}]))  # {said}"

    outcome.add_all(allowed - np.abs(np.asarray(phi.conjugate(s)) - supremum), partial(case, "conjugate"))
    w = np.asarray(phi.maximizer(s), dtype=np.float64)
    inside = (w >= 0) & (w <= 1)
    attained = np.where(inside, s * w - np.asarray(phi.value(np.where(inside, w, 1.0))), -math.inf)
    outcome.add_all(allowed - np.abs(attained - supremum), partial(case, "maximizer"))
    return outcome.evidence()


def check_variational_identity(phi: Any, rng: Seed = 0, trials: int = 50, tolerance: float = 1e-7) -> Evidence:
    """|x|_0 = min { sum phi(w_i) : 0 <= w <= 1, <1 - w, |x|> = 0 }, over a grid of w in each coordinate."""
    rng = np.random.default_rng(rng)
    outcome = Trials(f"{phi!r}: |x|_0 = min of sum phi(w)", "docs/theory.md, Lemma 2.1", "x at random with zeros")
    allowed = tolerance + 6 * rounding_of(phi)
    for _ in range(trials):
        x = rng.normal(size=6) * rng.integers(0, 2, size=6)
        least, nonzeros = least_sum(phi, x), np.count_nonzero(x)
        case = f"least_sum({member_text(phi)}, np.array({x.tolist()!r}))  # the {nonzeros} nonzeros of x"
        outcome.add(allowed - abs(least - nonzeros), case)
    return outcome.evidence()


def least_sum(phi: Any, x: np.ndarray) -> float:
    """min { sum phi(w_i) : <1 - w, |x|> = 0 } over a grid of [0, 1], and t*, in each coordinate."""
    grid = np.append(_UNIT, phi.minimizer)
    feasible = (1 - grid) * np.abs(x)[:, None] == 0
    return float(np.where(feasible, phi.value(grid), np.inf).min(axis=1).sum())


def check_surrogate(phi: Any, rng: Seed = 0, trials: int = 50, tolerance: float = 1e-8) -> Evidence:
    """h(|x|) = min over w of phi(w) + rho (1 - w) |x|: 0 at 0, rising, concave, 1 from a = phi'(1-) / rho on.

    And the penalty that phi hands out is weight h(|x|), with that flat point and no smaller one, for `trials` weights
    and flat points. s = rho |x| is taken in every part of its range, as by `check_conjugate`.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: the surrogate is the minimum over w, concave, rising, and flat from phi'(1-)/rho on",
        "docs/theory.md, (2.2) and Lemma 2.3",
        "x in all parts of its range, random weights and flat points; random chords",
    )
    outcome.add(-abs(float(phi.surrogate(np.zeros(1))[0])), f"{member_text(phi)}.surrogate(np.zeros(1))  # 0 at 0")
    s = _strata(phi, rng, trials)
    least, heights = _least_over_w(phi, s), np.asarray(phi.surrogate(s))
    allowed = tolerance * (1 + s) + rounding_of(phi)
    _add_heights(outcome, heights, least, allowed, s >= phi.slope_at_one, lambda k: _surrogate_at(phi, s[k]))

    first, last = np.sort(rng.choice(s, size=(2, _STRATA)), axis=0)
    theta = rng.random(_STRATA)
    middle = theta * first + (1 - theta) * last
    h_first, h_middle, h_last = (np.asarray(phi.surrogate(at)) for at in (first, middle, last))
    slack = tolerance + rounding_of(phi) + 1e-15 * last  # s (1 - w) is known to rounding of s
    bent = np.minimum(
        h_middle - theta * h_first - (1 - theta) * h_last, np.minimum(h_middle - h_first, h_last - h_middle)
    )
    outcome.add_all(slack + bent, lambda k: _surrogate_at(phi, first[k], middle[k], last[k]) + "  # rising, concave")

    for trial in range(trials):
        weight, flat_point = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        g, rho = phi.penalty(weight, flat_point), phi.slope_at_one / flat_point
        some = slice(trial % 4, None, 4)
        x = rng.choice([-1.0, 1.0], size=s[some].size) * s[some] / rho
        flat = np.abs(x) >= flat_point
        heights, k = entrywise(g)(x) / weight, int(rng.integers(x.size))
        heights[k] = float(g.value(x[k : k + 1])) / weight  # the others may come from its terms
        _add_heights(outcome, heights, least[some], allowed[some], flat, _penalty_at(phi, weight, flat_point, x))
    return outcome.evidence()


def _add_heights(
    outcome: Trials, heights: np.ndarray, least: Any, allowed: Any, flat: Any, case: Callable[[int], str]
) -> None:
    """Heights of the surrogate against their minima over w; where it is flat they are 1, and nowhere more."""
    outcome.add_all(
        allowed - np.abs(heights - least),
        lambda k: f"{case(k)}  # the minimum over w of phi(w) + s (1 - w) is {float(least[k])!r}",
    )
    outcome.add_all(
        allowed - np.where(flat, np.abs(heights - 1), heights - 1),
        lambda k: f"{case(k)}  # {'1 from the flat point on' if flat[k] else 'at most 1'}",
    )


def _surrogate_at(phi: Any, *s: float) -> str:
    return f"{member_text(phi)}.surrogate(np.array({[float(each) for each in s]!r}))"


def _penalty_at(phi: Any, weight: float, flat_point: float, x: np.ndarray) -> Callable[[int], str]:
    penalty = f"{member_text(phi)}.penalty({weight!r}, {flat_point!r})"
    return lambda k: f"{penalty}.value(np.array([{float(x[k])!r}])) / {weight!r}"


def _strata(phi: Any, rng: np.random.Generator, more: int) -> np.ndarray:
    """0, phi'(1-) and far beyond; one s in each part of [0, 2 phi'(1-)]; more s at random.

    And the slopes of phi, where it rises, between neighbours on a grid with one w in each part of [0, 1].
    """
    slope = float(phi.slope_at_one)
    parts = np.arange(_STRATA) / _STRATA
    of_s = 2 * slope * (parts + rng.random(_STRATA) / _STRATA)
    w = np.append(parts + rng.random(_STRATA) / _STRATA, 1.0)
    of_w = np.maximum(np.diff(np.asarray(phi.value(w), dtype=np.float64)) / np.diff(w), 0.0)
    return np.concatenate([[0.0, slope, 10 * slope, 1000 * slope], of_s, of_w, 2 * slope * rng.random(more)])


def _least_over_w(phi: Any, s: np.ndarray) -> np.ndarray:
    """min over 0 <= w <= 1 of phi(w) + s (1 - w), a convex function of w, from values of phi alone."""

    def objective(rows: np.ndarray, w: np.ndarray) -> np.ndarray:
        return np.asarray(phi.value(w.reshape(-1))).reshape(w.shape) + s[rows, None] * (1 - w)

    return line_minima(objective, np.tile(_COARSE, (s.size, 1)), basins=1)[0][:, 0]


CHECKS = tuple(
    Check(number, f"{about} of {name}", partial(check, member))
    for number, about, check in (
        (1, "variational identity", check_variational_identity),
        (2, "conjugate", check_conjugate),
        (3, "axioms", check_axioms),
        (4, "surrogate", check_surrogate),
    )
    for name, member in FAMILY.items()
)
