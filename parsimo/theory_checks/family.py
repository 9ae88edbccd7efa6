"""The generator family: axioms, conjugate, surrogate, and the identity that writes the zero norm as a minimum."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.scan import grid_supremum
from parsimo.theory_checks.subjects import FAMILY

__all__ = ["CHECKS", "check_axioms", "check_conjugate", "check_surrogate", "check_variational_identity"]

_UNIT = np.linspace(0.0, 1.0, 2001)


def check_axioms(phi: Any, rng: Seed = 0, trials: int = 50, tolerance: float = 1e-7) -> Evidence:
    """phi is convex with phi(1) = 1, a finite left slope at 1, and phi = 0 at its one minimizer t* in [0, 1)."""
    rng = np.random.default_rng(rng)
    outcome = Trials(f"{phi!r} is a member of the family", "docs/theory.md, 2", "random chords; differences at 1")
    outcome.add(tolerance - abs(_phi(phi, 1.0) - 1), "phi.value(np.ones(1))")
    outcome.add(tolerance - abs(_phi(phi, phi.minimizer)), "phi.value(np.array([phi.minimizer]))")
    outcome.add(1 - phi.minimizer - tolerance, "phi.minimizer")
    rest = _UNIT[np.abs(_UNIT - phi.minimizer) > 0.05]
    least = float(phi.value(rest).min())  # positive, but perhaps tiny
    outcome.add(least if least > 0 else -1.0, "phi.value(t).min() away from phi.minimizer")
    slope = (4 * (1 - _phi(phi, 1 - 1e-6)) - (1 - _phi(phi, 1 - 2e-6))) / 2e-6
    outcome.add(100 * tolerance * (1 + slope) - abs(phi.slope_at_one - slope), "phi.slope_at_one")
    for _ in range(trials):
        (s, t), theta = rng.random(2), rng.random()
        m = float(theta * s + (1 - theta) * t)
        chord = theta * _phi(phi, s) + (1 - theta) * _phi(phi, t)
        outcome.add(tolerance + chord - _phi(phi, m), f"phi.value(np.array([{s!r}, {m!r}, {t!r}]))")
    return outcome.evidence()


def check_conjugate(phi: Any, rng: Seed = 0, trials: int = 50, tolerance: float = 1e-8) -> Evidence:
    """psi*(s) = sup of s w - phi(w) over 0 <= w <= 1, taken at `maximizer(s)`."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: conjugate and maximizer solve max over 0 <= w <= 1 of s w - phi(w)",
        "docs/theory.md, (2.2)",
        "s at random in [0, 2 phi'(1-)], and at its ends",
    )
    for s in (0.0, phi.slope_at_one, *(2 * phi.slope_at_one * rng.random(trials))):
        supremum = grid_supremum(lambda w, s=s: s * w - phi.value(w), 0.0, 1.0)  # type: ignore[misc]
        allowed = tolerance * (1 + abs(s))
        outcome.add(
            allowed - abs(float(phi.conjugate(np.array([s]))[0]) - supremum), f"phi.conjugate(np.array([{s!r}]))"
        )
        w = float(phi.maximizer(np.array([s]))[0])
        attained = s * w - _phi(phi, w) if 0 <= w <= 1 else -math.inf
        outcome.add(allowed - abs(attained - supremum), f"phi.maximizer(np.array([{s!r}]))")
    return outcome.evidence()


def check_variational_identity(phi: Any, rng: Seed = 0, trials: int = 50, tolerance: float = 1e-7) -> Evidence:
    """|x|_0 = min { sum phi(w_i) : 0 <= w <= 1, <1 - w, |x|> = 0 }, over a grid of w in each coordinate."""
    rng = np.random.default_rng(rng)
    outcome = Trials(f"{phi!r}: |x|_0 = min of sum phi(w)", "docs/theory.md, Lemma 2.1", "x at random with zeros")
    grid = np.append(_UNIT, phi.minimizer)
    values = phi.value(grid)
    for _ in range(trials):
        x = rng.normal(size=6) * rng.integers(0, 2, size=6)
        feasible = (1 - grid) * np.abs(x)[:, None] == 0
        least = float(np.where(feasible, values, np.inf).min(axis=1).sum())
        outcome.add(tolerance - abs(least - np.count_nonzero(x)), f"x = np.array({x.tolist()!r})")
    return outcome.evidence()


def check_surrogate(phi: Any, rng: Seed = 0, trials: int = 50, tolerance: float = 1e-8) -> Evidence:
    """h(|x|) = min over w of phi(w) + rho (1 - w) |x|: 0 at 0, rising, concave, 1 from a = phi'(1-) / rho on.

    And the penalty that phi hands out is weight h(|x|), with that flat point and no smaller one.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: the surrogate is the minimum over w, concave, rising, and flat from phi'(1-)/rho on",
        "docs/theory.md, (2.2) and Lemma 2.3",
        "random weights, flat points and x; random chords",
    )
    outcome.add(-abs(float(phi.surrogate(np.zeros(1))[0])), "phi.surrogate(np.zeros(1))")
    for _ in range(trials):
        weight, flat_point = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        g, rho = phi.penalty(weight, flat_point), phi.slope_at_one / flat_point
        x = float(1.5 * flat_point * rng.uniform(-1, 1))
        case = f"phi.penalty({weight!r}, {flat_point!r}).value(np.array([{x!r}]))"
        minimum = -grid_supremum(lambda w, x=x, rho=rho: -phi.value(w) - rho * (1 - w) * abs(x), 0.0, 1.0)  # type: ignore[misc]
        height = float(g.value(np.array([x]))) / weight
        outcome.add(tolerance * (1 + rho * abs(x)) - abs(height - minimum), case)
        outcome.add(tolerance - abs(height - 1) if abs(x) >= flat_point else 1 - height, case)

        s, t = np.sort(1.5 * phi.slope_at_one * rng.random(2))
        theta = rng.random()
        h_s, h_m, h_t = phi.surrogate(np.array([s, theta * s + (1 - theta) * t, t]))
        case = f"phi.surrogate(np.array([{float(s)!r}, {float(theta * s + (1 - theta) * t)!r}, {float(t)!r}]))"
        outcome.add(tolerance + float(h_m - theta * h_s - (1 - theta) * h_t), case)
        outcome.add(tolerance + float(min(h_m - h_s, h_t - h_m)), case)
    return outcome.evidence()


def _phi(phi: Any, t: float) -> float:
    return float(phi.value(np.array([t]))[0])


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
