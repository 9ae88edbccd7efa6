"""How often the support of the iterates of a zero-norm problem may change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.problem import Composite
from parsimo.penalties import ZeroNorm
from parsimo.solvers import Exact, Linearized, ProximalADMM, ProximalGradient
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import Quadratic, run_text
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimum

__all__ = ["CHECKS", "check_admm_support_changes", "check_support_changes"]

_ROUNDING = 1e-9  # relative to the fall of the objective and the weight


def check_support_changes(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalGradient,
    price: Callable[[float, float, float], float] = lambda weight, L, gamma: weight * (1 - gamma * L),
) -> Evidence:
    """Each entry that enters or leaves the support in a step of proximal gradient costs weight (1 - gamma L) of the
    objective; so there are at most (F_0 - inf F) / (weight (1 - gamma L)) of them in all.

    The infimum is that of all supports. One trial in three starts at a tie: every entry leaves, and the bound is an
    equality.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "proximal gradient on a zero-norm problem changes at most (F_0 - inf F) / (weight (1 - gamma L)) entries",
        "docs/theory.md, Proposition 7.1",
        "least squares with up to 6 variables, gamma from 0.1/L to 0.95/L; starts at a tie use all of the bound",
    )
    for trial in range(trials):
        A, b, weight = _instance(rng)
        f = Quadratic.least_squares(A, b)
        gamma = float(rng.choice([0.1, 0.5, 0.95])) / f.lipschitz
        size = np.sqrt(2 * gamma * weight)
        x0 = rng.uniform(1, 20, b.size) * size * np.array([1, *rng.choice([-1, 0, 1], size=b.size - 1)])
        if trial % 3 == 0:  # x0 minimizes f, and in the prox 0 is as good
            x0 = rng.choice([-1, 1], size=b.size) * size * (1 - 1e-12)
            A, b = np.eye(b.size) * np.sqrt(f.lipschitz), x0 * np.sqrt(f.lipschitz)
            f = Quadratic.least_squares(A, b)
        problem, solver = Composite(f, ZeroNorm(weight)), make(step_size=gamma)
        lowest = zero_norm_minimum(A, b, weight)[0] - float(b @ b) / 2
        state, changes = solver.init(problem, x0), 0
        for _ in range(200):
            old, state = state, solver.step(problem, state)
            changes += int(np.sum((old.x != 0) != (state.x != 0)))
        gap = problem.value(x0) - lowest
        cost = changes * price(weight, f.lipschitz, gamma)
        said = f"{changes} changes of the support cost {cost!r}; the objective had {gap!r} to fall"
        outcome.add((gap - cost) / (gap + weight) + _ROUNDING, partial(run_text, problem, solver, x0, 200, said))
    return outcome.evidence()


def check_admm_support_changes(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalADMM,
    price: Callable[[float, float, float], float] = lambda weight, sigma, tau_z: weight * tau_z / (sigma + tau_z),
) -> Evidence:
    """Each entry that enters or leaves the support of z in a step of P-ADMM costs weight tau_z / (sigma + tau_z) of
    the merit; so there are at most (M_0 - inf F) (sigma + tau_z) / (weight tau_z) of them in all.

    One trial in three starts at a tie with tau_z = 1000 sigma: every entry leaves, and the bound is nearly an equality.

    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "P-ADMM on a zero-norm problem changes at most (M_0 - inf F)(sigma + tau_z)/(weight tau_z) entries of z",
        "docs/theory.md, Proposition 6.5",
        "least squares with up to 6 variables, exact and linearized steps; starts at a tie use 99.9 % of the bound",
    )
    for trial in range(trials):
        A, b, weight = _instance(rng)
        L = float(np.linalg.norm(A, 2)) ** 2
        x_step: Any = Exact() if rng.integers(2) else Linearized()
        sigma = float(rng.choice([2.01, 4.0])) * L
        tau_z = sigma * (1000.0 if trial % 3 == 0 else float(rng.choice([0.1, 1.0])))
        size = np.sqrt(2 * weight / (sigma + tau_z))
        x0 = rng.uniform(1, 20, b.size) * size * np.array([1, *rng.choice([-1, 0, 1], size=b.size - 1)])
        if trial % 3 == 0:  # x0 minimizes f, and in the z-step 0 is as good
            x0 = rng.choice([-1, 1], size=b.size) * size * (1 - 1e-12)
            A, b = np.eye(b.size) * np.sqrt(L), x0 * np.sqrt(L)
        problem = Composite(Quadratic.least_squares(A, b), ZeroNorm(weight))
        solver = make(acceleration=None, sigma=sigma, x_step=x_step, proximal_z=tau_z)
        lowest = zero_norm_minimum(A, b, weight)[0] - float(b @ b) / 2
        state, changes = solver.init(problem, x0), 0
        gap = solver.merit(problem, state) - lowest
        for _ in range(200):
            old, state = state, solver.step(problem, state)
            changes += int(np.sum((old.z != 0) != (state.z != 0)))
        cost = changes * price(weight, sigma, tau_z)
        said = f"{changes} changes of the support of z cost {cost!r}; the merit had {gap!r} to fall"
        outcome.add((gap - cost) / (gap + weight) + _ROUNDING, partial(run_text, problem, solver, x0, 200, said))
    return outcome.evidence()


def _instance(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """A, b and weight of a least-squares problem with correlated columns."""
    n = int(rng.integers(1, 7))
    A = rng.standard_normal((n, n)) + rng.standard_normal((n, 1)) * rng.uniform(0, 3)
    b = rng.standard_normal(n) * 3
    return A, b, float(10 ** rng.uniform(-2, 0))


CHECKS = (
    Check(15, "support changes of proximal gradient", check_support_changes),
    Check(15, "support changes of P-ADMM", check_admm_support_changes),
)
