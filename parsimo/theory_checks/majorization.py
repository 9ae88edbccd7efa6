"""Convex upper bounds of the surrogate: weighted l1 norms that touch it, and what a step on one of them gains."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parsimo.problems import ZeroNormProblem
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import Quadratic, array_text, problem_text, weighted_l1_minimum
from parsimo.theory_checks.subjects import FAMILY

__all__ = ["CHECKS", "check_majorized_step", "check_majorizer", "mpec_weights"]

_ROUNDING = 1e-12  # relative to the objectives that are compared

Weights = Callable[[Any, np.ndarray], np.ndarray]


def mpec_weights(problem: Any, x: np.ndarray) -> np.ndarray:
    """The weights of the l1 norm that alternating minimization takes after x: lam rho (1 - w(x)) = lam h'(|x|)."""
    return np.asarray(problem.given(problem.auxiliary(x)).weight)


def check_majorizer(phi: Any, rng: Seed = 0, trials: int = 300, weights: Weights = mpec_weights) -> Evidence:
    """R(y) <= R(x) + sum weights_i(x) (|y_i| - |x_i|) for the surrogate R of the zero norm: the weighted l1 norm lies
    above it and touches it at x.

    Where h is differentiable only weights h' do this: others cut into R next to x, on one side or the other.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: the l1 norm weighted by lam h'(|x|) lies above the surrogate and touches it at x",
        "docs/theory.md, Proposition 8.2",
        "x and y on the scale of the flat point, half of the y next to x",
    )
    for _ in range(trials):
        problem, a = _penalized(phi, rng)
        x = a * rng.uniform(-1.2, 1.2) * rng.choice([0, 1, 1, 1], size=1)
        y = x + a * 10 ** rng.uniform(-4, -1) * rng.choice([-1, 1]) if rng.integers(2) else a * rng.uniform(-2, 2, 1)
        at_x, at_y = (float(problem.phi.surrogate(problem.rho * np.abs(p)).sum()) * problem.weight for p in (x, y))
        slack = at_x + float(weights(problem, x) @ (np.abs(y) - np.abs(x))) - at_y
        case = "(lambda p, x, y: p.value(x) + mpec_weights(p, x) @ (abs(y) - abs(x)) - p.value(y))"
        case += f"({problem_text(problem)}, {array_text(x)}, {array_text(y)})  # not negative, up to rounding"
        outcome.add(slack / problem.weight + _ROUNDING, case)
    return outcome.evidence()


def check_majorized_step(
    phi: Any,
    rng: Seed = 0,
    trials: int = 60,
    weights: Weights = mpec_weights,
    decrease: Callable[[float], float] = lambda gamma: gamma,
) -> Evidence:
    """For convex f, minimizing f(x) + sum weights_i(x_k) |x_i| + gamma/2 |x - x_k|^2 lowers the surrogate objective by
    at least gamma |dx|^2.

    The minimum is that of all patterns of signs. Where f is linear and signs and weights stay, it is an equality.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: a proximal step on the majorizer lowers the surrogate objective by gamma |dx|^2 at least",
        "docs/theory.md, Proposition 8.2",
        "convex quadratic f of up to 3 variables, singular and linear ones among them; gamma from 0.01 to 10",
    )
    for trial in range(trials):
        n, gamma = int(rng.integers(1, 4)), float(10 ** rng.uniform(-2, 1))
        flat = np.zeros(n) if trial % 3 == 0 else rng.uniform(0, 2, n) * rng.integers(0, 2, n)
        f = Quadratic.of_spectrum(flat, rng)
        problem, a = _penalized(phi, rng, f)
        x = a * rng.uniform(-1.5, 1.5, n)
        for _ in range(4):
            new = majorized_step(problem, x, gamma, weights)
            before, after = problem.value(x), problem.value(new)
            fall = before - after - decrease(gamma) * float(np.sum((new - x) ** 2))
            case = f"majorized_fall({problem_text(problem)}, {array_text(x)}, {gamma!r})"
            case += f"  # gamma |dx|^2 = {gamma * float(np.sum((new - x) ** 2))!r} at least, up to rounding"
            outcome.add(fall / (1 + abs(before) + abs(after)) + _ROUNDING, case)
            x = new
    return outcome.evidence()


def majorized_step(problem: Any, x: np.ndarray, gamma: float, weights: Weights = mpec_weights) -> np.ndarray:
    """argmin_y f(y) + sum weights_i(x) |y_i| + gamma/2 |y - x|^2."""
    f = problem.f
    return weighted_l1_minimum(Quadratic(f.Q + gamma * np.eye(x.size), f.c + gamma * x), weights(problem, x))


def majorized_fall(problem: Any, x: np.ndarray, gamma: float) -> float:
    """By how much such a step lowers the surrogate objective."""
    return float(problem.value(x) - problem.value(majorized_step(problem, x, gamma)))


def _penalized(phi: Any, rng: np.random.Generator, f: Any = None) -> tuple[Any, float]:
    """The penalized MPEC of f, 0 by default, with weight and rho at random; and its flat point."""
    f = Quadratic(np.zeros((1, 1)), np.zeros(1)) if f is None else f
    weight, rho = (float(number) for number in 10 ** rng.uniform(-1, 1, 2))
    return ZeroNormProblem(f, weight).to_mpec(phi).penalize(rho), phi.slope_at_one / rho


CHECKS = (
    *(Check(13, f"majorizer of {name}", partial(check_majorizer, phi)) for name, phi in FAMILY.items()),
    *(
        Check(13, f"step on the majorizer of {name}", partial(check_majorized_step, phi))
        for name, phi in FAMILY.items()
    ),
)
