"""Stationary points of the surrogate with small coordinates: none for capped l1, some for members that end flat."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from parsimo.problems import Logistic
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.subjects import FAMILY, member_text

__all__ = ["CHECKS", "check_no_small_stationary_point", "check_small_stationary_point"]


def check_no_small_stationary_point(
    phi: Any, rng: Seed = 0, trials: int = 60, share: float = 0.9, tolerance: float = 1e-6
) -> Evidence:
    """With weight / a > sup |d_i f|, capped l1 has no d-stationary point with 0 < |x_i| <= a: there the objective falls
    towards x_i = 0 at a rate of at least weight / a - |d_i f|, and `descent_rate` says no less.

    Parameters
    ----------
    phi : Phi
        Whose surrogate reaches 1 at full slope.
    share : float
        sup |d_i f| as a part of weight / a.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: no d-stationary point has 0 < |x_i| <= a",
        "docs/theory.md, Proposition 3.10",
        "logistic loss, a below weight / sup |d_i f|, random x with coordinates in (0, a], some where f is steep",
    )
    for _ in range(trials):
        n, weight = int(rng.integers(1, 6)), 10 ** rng.uniform(-1, 1)
        A, y = rng.normal(size=(20, n)), rng.choice([-1.0, 1.0], size=20)
        wrong = n > 1 and rng.random() < 0.5  # all examples far on the wrong side: there f is as steep as it gets
        if wrong:
            y, A[:, -1] = np.sign(A[:, 0]), np.sign(A[:, 0])
        f = Logistic(A, y)
        a = share * weight / float(np.abs(A).sum(axis=0).max())
        g = phi.penalty(weight, a)
        x = a * rng.choice([-1, 1], size=n) * rng.choice([0.0, 1.0, rng.random(), 3 * rng.random()], size=n)
        if wrong:
            x[0], x[-1] = a * rng.random(), -50.0 - a
        small = np.flatnonzero((x != 0) & (np.abs(x) <= a))
        gradient = f.grad(x)
        case = f"{member_text(phi)}.penalty({weight!r}, {a!r})"
        case += f".descent_rate(np.array({x.tolist()}), np.array({gradient.tolist()}))"
        for i in small:
            rate = float(weight / a - abs(gradient[i]))
            said = f"no less than weight / a - |d_{i} f| = {rate!r}, and that is positive"
            outcome.add(rate, f"{case}  # {said}")
            outcome.add(g.descent_rate(x, gradient) - rate * (1 - 1e-9), f"{case}  # {said}")
            step = 1e-6 * abs(x[i])
            inwards = x - step * np.sign(x[i]) * np.eye(n)[i]
            fall = (f.value(x) + g.value(x) - f.value(inwards) - g.value(inwards)) / step
            said = f"the objective falls at {float(fall)!r} along x[{i}], no less than {rate!r}"
            outcome.add(fall - rate + tolerance * (1 + weight) / a, f"{case}  # {said}")
    return outcome.evidence()


def check_small_stationary_point(phi: Any, rng: Seed = 0, trials: int = 20, tolerance: float = 1e-5) -> Evidence:
    """A member that ends flat has d-stationary points with 0 < x < a, strict local minimizers, although the penalty is
    exact: f is convex with |f'| <= l < weight / a, L (t - c)^2 / 2 continued with its slope l.

    At u with h'(u) = al / (2 weight), c is put such that x = a u is stationary. It is not global: 0 is lower.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: an exact penalty can have a stationary point with 0 < x < a",
        "docs/theory.md, Proposition 3.10",
        "f(t) = L (t - c)^2 / 2 with slopes cut off at l, a l < weight",
    )
    for _ in range(trials):
        weight, a = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        l = rng.uniform(0.5, 0.95) * weight / a
        g = phi.penalty(weight, a)

        def rises(x: np.ndarray, g: Any = g, width: float = 1e-5 * a) -> np.ndarray:
            return np.asarray(g.terms(x + width) - g.terms(x - width)) / (2 * width)

        x = a * np.linspace(0.02, 0.98, 2001)
        steep = rises(x)
        k = int(np.abs(steep - l / 2).argmin())
        bend = float(np.abs(np.diff(steep)).max() / (x[1] - x[0]))
        L = 4 * bend + 4 * weight / a**2
        c = x[k] + steep[k] / L

        def f(t: np.ndarray, l: float = l, L: float = L, c: float = float(c)) -> np.ndarray:
            far = np.maximum(np.abs(t - c) - l / L, 0.0)
            return L * np.minimum(np.abs(t - c), l / L) ** 2 / 2 + l * far

        slope = float(L * (x[k] - c))
        case = f"{member_text(phi)}.penalty({weight!r}, {a!r}).descent_rate(np.array([{float(x[k])!r}]), "
        case += f"np.array([{slope!r}]))  # 0: where f has {l=!r}, {L=!r}, c={float(c)!r}, x "
        reaches = f"{case}is a point at which the penalty rises at {l / 2!r}, half of l"
        outcome.add(1e-2 * l - abs(steep[k] - l / 2), reaches)  # a member that ends steep has no such point
        outcome.add(tolerance * l - g.descent_rate(x[k : k + 1], np.array([slope])), f"{case}is stationary")
        near = x[k] + 0.01 * l / L * np.linspace(-1, 1, 201)
        heights = f(near) + np.asarray(g.terms(near))
        here = float(f(x[k : k + 1])[0] + g.terms(x[k : k + 1])[0])
        minimizer = f"{case}is a local minimizer, strict, of height {here!r}"
        outcome.add(float(heights.min()) - here + tolerance * weight * (l / L / a) ** 2, minimizer)
        outcome.add(min(float(heights[0]), float(heights[-1])) - here, minimizer)
        at_zero = float(f(np.zeros(1))[0])
        outcome.add(here - at_zero, f"{case}is not global: here {here!r}, at 0 {at_zero!r}")
    return outcome.evidence()


_ENDS_STEEP = ("capped_l1", "polygon")

CHECKS = (
    Check(10, "no small stationary point", partial(check_no_small_stationary_point, FAMILY["capped_l1"])),
    *(
        Check(10, f"a small stationary point of {name}", partial(check_small_stationary_point, member))
        for name, member in FAMILY.items()
        if name not in _ENDS_STEEP
    ),
)
