"""P-ADMM with exact steps seen from x alone: a lower bound, Douglas-Rachford splitting, and the envelope that falls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.problem import Composite
from parsimo.penalties import Box
from parsimo.solvers import Exact, ProximalADMM
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import PENALTY_KINDS, Quadratic, array_text, problem_text, run_text

__all__ = [
    "CHECKS",
    "check_douglas_rachford",
    "check_envelope_decrease",
    "check_lagrangian_bounds",
    "envelope_constant",
]

_ROUNDING = 1e-11  # relative to the values that are compared


def envelope_constant(L: float, m: float, sigma: float) -> float:
    """C of Proposition 6.8: sigma C |x - z+|^2 is the least fall of the envelope in a step."""

    def worst(q: float) -> float:
        return (1 - q) * (1 + 2 * q) / (2 * (1 + q) ** 2)

    return min(worst(L / sigma), worst(-m / sigma))


def exact_decrease(L: float, m: float, sigma: float) -> float:
    """The least fall of the augmented Lagrangian in a step, for each unit of |dx|^2 (Proposition 6.8)."""
    return min((sigma + L) / 2 - L**2 / sigma, (sigma - m) / 2 - m**2 / sigma)


def check_lagrangian_bounds(rng: Seed = 0, trials: int = 60, make: Any = ProximalADMM) -> Evidence:
    """F(z) + (sigma - L)/2 |x - z|^2 <= L_sigma(x, z, y) <= F(z) + (sigma + m)/2 |x - z|^2 where y = -grad f(x).

    Along runs of exact steps without proximal terms, where y = -grad f(x) by itself, and at arbitrary points and sigma,
    where x - z is an eigenvector of the least or the largest curvature: if it is -m or L, a bound is an equality.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "where y = -grad f(x), the augmented Lagrangian lies between its two bounds in terms of F(z)",
        "docs/theory.md, Lemma 6.6",
        "quadratic f of any signs, any sigma > 0; x - z along the extreme curvatures, where a bound is an equality",
    )
    for problem, solver, x0 in _runs(rng, trials, make):
        f, g = problem.f, problem.g
        L, m = f.lipschitz, f.weak_convexity
        state = solver.init(problem, x0)
        for k in range(10):
            state = solver.step(problem, state)
            slack, said = _between(solver.merit(problem, state), problem, state, L, m)
            outcome.add(slack, partial(run_text, problem, solver, x0, k + 1, said))
        z = g.prox(rng.uniform(-2, 2, x0.size), 1.0)
        x = z + 10 ** rng.uniform(-1, 1) * np.linalg.eigh(f.Q)[1][:, int(rng.choice([0, -1]))]
        state = replace(state, x=x, z=z, y=-f.grad(x), sigma=L * 10 ** float(rng.uniform(-1, 1)))
        slack, said = _between(solver.merit(problem, state), problem, state, L, m)
        point = f"{problem_text(problem)}, {state.sigma!r}, {array_text(x)}, {array_text(z)}"
        outcome.add(slack, f"lagrangian({point})  # {said}")
    return outcome.evidence()


def lagrangian(problem: Any, sigma: float, x: np.ndarray, z: np.ndarray) -> float:
    """f(x) + g(z) + <y, x - z> + sigma/2 |x - z|^2 at y = -grad f(x)."""
    gap = x - z
    return float(problem.f.value(x) + problem.g.value(z) - problem.f.grad(x) @ gap + sigma / 2 * (gap @ gap))


def _between(merit: float, problem: Any, state: Any, L: float, m: float) -> tuple[float, str]:
    """How far the Lagrangian is inside its bounds, relative to its size; and that in words."""
    objective, square = problem.value(state.z), float(np.sum((state.x - state.z) ** 2))
    low, high = objective + (state.sigma - L) / 2 * square, objective + (state.sigma + m) / 2 * square
    slack = min(merit - low, high - merit) / (1 + abs(merit) + abs(objective)) + _ROUNDING
    return slack, f"the Lagrangian is {merit!r}, from {low!r} to {high!r} up to rounding"


def check_douglas_rachford(rng: Seed = 0, trials: int = 40, make: Any = ProximalADMM) -> Evidence:
    """P-ADMM with exact steps is Douglas-Rachford splitting on s = x - y / sigma with step gamma = 1 / sigma:

        x = prox_{gamma f}(s),   z = prox_{gamma R}(2x - s),   s+ = s + z - x,

    and L_sigma(x_k, z_{k+1}, y_k) is the forward-backward envelope min_z f(x) + <grad f(x), z - x> + R(z) +
    sigma/2 |z - x|^2 at x = x_k: the value of this model at z_{k+1}, and no more than at any other z.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "P-ADMM with exact steps is Douglas-Rachford splitting, and its Lagrangian the forward-backward envelope",
        "docs/theory.md, Proposition 6.7",
        "quadratic f of any signs, sigma > max(L, 2m), convex and nonconvex penalties",
    )
    for problem, solver, x0 in _runs(rng, trials, make):
        f, g, sigma = problem.f, problem.g, solver.sigma
        state, s = solver.init(problem, x0), x0 + f.grad(x0) / sigma
        for k in range(20):
            x = f.prox(s, 1 / sigma)
            z = g.prox(2 * x - s, 1 / sigma)
            s = s + z - x
            old, state = state, solver.step(problem, state)
            size = 1 + float(np.linalg.norm(x) + np.linalg.norm(z))
            apart = max(float(np.linalg.norm(old.x - x)), float(np.linalg.norm(state.z - z)))

            def model(z: np.ndarray, x: np.ndarray = old.x, f: Any = f, g: Any = g, sigma: float = sigma) -> float:
                step = z - x
                return float(f.value(x) + f.grad(x) @ step + g.value(z) + sigma / 2 * (step @ step))

            merit = solver.merit(problem, replace(old, z=state.z))
            others = (x, old.z, np.zeros_like(x), state.z + 0.1 * rng.standard_normal(x.size))
            excess = max(abs(merit - model(state.z)), *(merit - model(other) for other in others))
            slack = -max(apart / size, excess / (1 + abs(merit)))
            said = f"z is {state.z.tolist()}, by Douglas-Rachford {z.tolist()}; the Lagrangian exceeds its model by "
            said += f"{excess!r}, 0 up to rounding"
            outcome.add(slack + 100 * _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
    return outcome.evidence()


def check_envelope_decrease(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalADMM,
    constant: Callable[[float, float, float], float] = envelope_constant,
    decrease: Callable[[float, float, float], float] = exact_decrease,
    factor: float = 1.0,
) -> Evidence:
    """With exact steps, sigma > max(L, 2m) lowers the envelope by sigma C |x - z+|^2 a step, and the augmented
    Lagrangian by the least decrease along curvatures between -m and L, to no less than the objective at z.

    `factor` times the smallest such sigma is the smallest that is tried.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "exact steps: for sigma > max(L, 2m) envelope and augmented Lagrangian fall by the sharp amounts",
        "docs/theory.md, Proposition 6.8",
        "quadratic f of any signs; with z at rest and one curvature, L or -m, both falls are equalities",
    )
    for problem, solver, x0 in _runs(rng, trials, make, factor):
        sigma, constants = solver.sigma, (problem.f.lipschitz, problem.f.weak_convexity, solver.sigma)
        now = solver.init(problem, x0)
        then = solver.step(problem, now)
        for k in range(20):
            later = solver.step(problem, then)
            envelopes = [solver.merit(problem, replace(s, z=n.z)) for s, n in ((now, then), (then, later))]
            lagrangians = [solver.merit(problem, state) for state in (now, then)]
            gap, dx = now.x - then.z, then.x - now.x
            falls = envelopes[0] - envelopes[1], lagrangians[0] - lagrangians[1]
            at_gap, at_dx = sigma * max(constant(*constants), 0.0), max(decrease(*constants), 0.0)
            least = at_gap * float(gap @ gap), at_dx * float(dx @ dx)
            above = lagrangians[1] - problem.value(then.z)
            size = 1 + sum(abs(value) for value in (*envelopes, *lagrangians))
            said = (
                f"envelope and Lagrangian fall by {falls} in steps {k + 2} and {k + 1}, {least} at least; the latter "
            )
            said += f"ends {above!r} above the objective"
            slack = min(falls[0] - least[0], falls[1] - least[1], above) / size
            outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 2, said))
            now, then = then, later
    return outcome.evidence()


def _runs(
    rng: np.random.Generator, trials: int, make: Any, factor: float = 1.0
) -> Iterator[tuple[Any, Any, np.ndarray]]:
    """Random problems, each with a solver of exact steps, sigma above max(L, 2m), and a start."""
    for trial in range(trials):
        g = PENALTY_KINDS[int(rng.integers(len(PENALTY_KINDS)))]
        if trial % 3 == 0:  # one curvature, L or -m, and a z that comes to rest at once
            n, curvature = int(rng.integers(1, 3)), float(rng.choice([-1, 1]) * 10 ** rng.uniform(-1, 1))
            pull = 10 * curvature if curvature > 0 else 0.0
            f, x0 = Quadratic(curvature * np.eye(n), np.full(n, pull)), rng.uniform(0.5, 2, n)
            g = Box(-1.0, 1.0)
        else:
            n = int(rng.integers(1, 5))
            f, x0 = Quadratic.random(rng, n, lowest=float(rng.choice([-2, -0.5, 0]))), rng.uniform(-1, 1, n)
        smallest = max(f.lipschitz, 2 * f.weak_convexity)
        sigma = factor * smallest * float(rng.choice([1 + 1e-6, 1.05, 1.5, 4.0]))
        yield Composite(f, g), make(acceleration=None, sigma=sigma, x_step=Exact()), x0


CHECKS = (
    Check(17, "bounds of the augmented Lagrangian", check_lagrangian_bounds),
    Check(20, "P-ADMM is Douglas-Rachford", check_douglas_rachford),
    Check(20, "decrease of the envelope", check_envelope_decrease),
)
