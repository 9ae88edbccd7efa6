"""How fast: the worst case over all problems, and linear rates of zero-norm least squares."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.problem import Composite
from parsimo.penalties import L1, Box, ZeroNorm
from parsimo.solvers import Exact, ProximalADMM, ProximalGradient
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import Quadratic, run_text, weighted_l1_minimum
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimum

__all__ = [
    "CHECKS",
    "admm_rate",
    "check_admm_rate",
    "check_gradient_rate",
    "check_worst_case",
    "gradient_rate",
    "worst_case",
]

_ROUNDING = 1e-11  # relative to the values that are compared


def worst_case(L: float, m: float, sigma: float, gap: float, steps: int) -> float:
    """(sigma + L^2/sigma) sqrt((L_0 - inf F) / (delta K)), delta = (sigma - m)/2 - L^2/sigma (Proposition 6.3)."""
    delta = (sigma - m) / 2 - L**2 / sigma
    return (sigma + L**2 / sigma) * math.sqrt(gap / (delta * steps))


def check_worst_case(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalADMM,
    bound: Callable[[float, float, float, float, int], float] = worst_case,
) -> Evidence:
    """The least dist(0, dF(z_k)) of the first K steps of P-ADMM is at most (sigma + L^2/sigma) sqrt(gap / (delta K)).

    inf F is the least of all supports, or of all patterns of signs, for least squares with a zero or l1 norm. One
    trial in three is -L x^2 / 2 with a box that ends just beyond z_1, and K = 1: it uses up to 71 % of the bound. The
    margin is the share that is not used.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "P-ADMM: the least certificate of K steps is at most (sigma + L^2/sigma) sqrt((L_0 - inf F) / (delta K))",
        "docs/theory.md, Proposition 6.3",
        "exact steps; least squares with a zero or l1 norm; -L x^2 / 2 on a box that ends behind z_1 uses 70 % of it",
    )
    for trial in range(trials):
        g: Any
        if trial % 3 == 0:
            L, ratio = float(10 ** rng.uniform(-1, 1)), float(rng.uniform(15, 50))
            f, x0, sigma = Quadratic(np.array([[-L]]), np.zeros(1)), np.ones(1), ratio * L
            end = (1 + 1 / ratio) * (1 + 1e-9)  # z_1 = (1 + L / sigma) x_0
            g, steps, lowest = Box(0.0, end), 1, f.value(np.array([end]))
        else:
            n, weight, steps = int(rng.integers(1, 5)), float(10 ** rng.uniform(-2, 0)), 60
            A, b = rng.standard_normal((n, n)), 3 * rng.standard_normal(n)
            f, x0 = Quadratic.least_squares(A, b), 3 * rng.standard_normal(n)
            sigma = f.lipschitz * float(rng.choice([1.5, 3.0, 6.0]))
            g, lowest = ZeroNorm(weight), zero_norm_minimum(A, b, weight)[0] - float(b @ b) / 2
            if trial % 3 == 1:
                g = L1(weight)
                minimizer = weighted_l1_minimum(f, np.full(n, weight))
                lowest = f.value(minimizer) + g.value(minimizer)
        problem, solver = Composite(f, g), make(acceleration=None, sigma=sigma, x_step=Exact())
        state = solver.init(problem, x0)
        gap, least = solver.merit(problem, state) - lowest, math.inf
        for k in range(1, steps + 1):
            state = solver.step(problem, state)
            least = min(least, g.subdiff_distance(state.z, f.grad(state.z)))
            most = bound(f.lipschitz, f.weak_convexity, sigma, gap, k)
            said = f"the least certificate is {least!r}, at most {most!r}"
            outcome.add(1 - least / most, partial(run_text, problem, solver, x0, k, said))
    return outcome.evidence()


def gradient_rate(L: float, mu: float, gamma: float) -> float:
    """q of Proposition 7.3: a step of proximal gradient on a support divides F - F* by 1 + q at least."""
    return 2 * mu * (1 / gamma - L / 2) / (1 / gamma - mu) ** 2


def admm_rate(L: float, mu: float, sigma: float) -> float:
    """q of Proposition 6.9: a step of P-ADMM to a support divides L_sigma - F* by 1 + q at least."""
    delta = min(sigma / 2, (sigma + L) / 2 - L**2 / sigma)
    return delta / (sigma**2 / (2 * mu) + L**2 / (2 * sigma))


def check_gradient_rate(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalGradient,
    rate: Callable[[float, float, float], float] = gradient_rate,
) -> Evidence:
    """Proximal gradient on zero-norm least squares: where support S stays, F - F* is divided by 1 + q at least, with F*
    the minimum of F on S and q from the least eigenvalue of A_S'A_S.

    With one column it is an equality.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "proximal gradient on a support S: F - min of F on S shrinks by 1/(1 + a/(B^2 c^2))",
        "docs/theory.md, Propositions 7.2 and 7.3",
        "zero-norm least squares of up to 5 columns, steps 0.3/L to 0.99/L; an equality with one column",
    )
    for _ in range(trials):
        problem, x0 = _zero_norm_instance(rng)
        gamma = float(rng.choice([0.3, 0.9, 0.99])) / problem.f.lipschitz
        solver = make(step_size=gamma)
        state = solver.init(problem, x0)
        for k in range(30):
            old, state = state, solver.step(problem, state)
            support = state.x != 0
            if support.any() and np.array_equal(support, old.x != 0):
                lowest, mu = _on_support(problem, support)
                before, after = problem.value(old.x) - lowest, problem.value(state.x) - lowest
                q = rate(problem.f.lipschitz, mu, gamma)
                size = 1 + abs(lowest) + abs(problem.value(old.x))
                said = f"the last step divides F - F* by {1 + q!r} at least: from {before!r} to {after!r}"
                slack = before - (1 + q) * after
                outcome.add(slack / size + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
    return outcome.evidence()


def check_admm_rate(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalADMM,
    rate: Callable[[float, float, float], float] = admm_rate,
) -> Evidence:
    """P-ADMM with exact steps on zero-norm least squares: a step to a z of support S divides L_sigma - F* by 1 + q at
    least, and leaves it nonnegative; F* is the minimum of F on S and q from the least eigenvalue of A_S'A_S.

    One trial in three has one column, sigma = 30 L and starts at 0, which in the prox is nearly as good as z_1: there
    1.04 q would be too much.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "P-ADMM to a support S: L_sigma - min of F on S shrinks by 1/(1 + delta/(sigma^2 c^2 + L^2/(2 sigma)))",
        "docs/theory.md, Proposition 6.9",
        "zero-norm least squares of up to 5 columns, exact steps, sigma 1.01 L to 10 L; from ties, 96 % of q is used",
    )
    for trial in range(trials):
        problem, x0 = _zero_norm_instance(rng)
        sigma = float(rng.choice([1.01, 1.5, 3.0, 10.0])) * problem.f.lipschitz
        if trial % 3 == 0:
            L, c = (float(number) for number in 10 ** rng.uniform(-1, 1, 2))
            sigma, x0 = 30 * L, np.zeros(1)
            weight = (1 - 1e-6) * (L * c) ** 2 / (2 * sigma)
            problem = Composite(Quadratic(np.array([[L]]), np.array([L * c])), ZeroNorm(weight))
        solver = make(acceleration=None, sigma=sigma, x_step=Exact())
        state = solver.init(problem, x0)
        for k in range(30):
            old, state = state, solver.step(problem, state)
            support = state.z != 0
            if support.any():
                lowest, mu = _on_support(problem, support)
                before, after = solver.merit(problem, old) - lowest, solver.merit(problem, state) - lowest
                q = rate(problem.f.lipschitz, mu, sigma)
                slack = min(before - (1 + q) * after, after) / (1 + abs(lowest) + abs(before))
                said = f"the last step divides L_sigma - F* by {1 + q!r} at least: from {before!r} to {after!r}"
                outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
    return outcome.evidence()


def _zero_norm_instance(rng: np.random.Generator) -> tuple[Any, np.ndarray]:
    n = int(rng.integers(1, 6))
    A, b = rng.standard_normal((n + 1, n)), 3 * rng.standard_normal(n + 1)
    return Composite(Quadratic.least_squares(A, b), ZeroNorm(float(10 ** rng.uniform(-2, 0)))), 3 * rng.standard_normal(
        n
    )


def _on_support(problem: Any, support: np.ndarray) -> tuple[float, float]:
    """The least value of F on a support, and the least eigenvalue of Q there."""
    Q, c = problem.f.Q[np.ix_(support, support)], problem.f.c[support]
    lowest = -float(c @ np.linalg.solve(Q, c)) / 2 + problem.g.weight * int(support.sum())
    return lowest, float(np.linalg.eigvalsh(Q)[0])


CHECKS = (
    Check(21, "worst case of P-ADMM", check_worst_case),
    Check(22, "rate of proximal gradient on a support", check_gradient_rate),
    Check(22, "rate of P-ADMM on a support", check_admm_rate),
)
