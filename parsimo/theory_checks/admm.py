"""P-ADMM: its merit falls as promised, its steps certify themselves, and the smallest admissible sigma is sharp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.problem import Composite
from parsimo.penalties import L1, MCP, Box, CappedL1, Clustering, ZeroNorm
from parsimo.solvers import Exact, Inexact, Linearized, ProximalADMM
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials

__all__ = ["CHECKS", "check_certificate", "check_merit", "check_sigma_sharp"]

_ROUNDING = 1e-11  # relative to the merit or to the gradients that are compared
_HYPOTHESES = "quadratic f of any signs, convex and nonconvex penalties, with and without proximal terms"
_PENALTIES: tuple[Any, ...] = (
    Box(-1.0, 1.0),
    L1(0.3),
    ZeroNorm(0.2),
    MCP(0.3, 0.5),
    CappedL1(0.3, 0.5),
    Clustering(0.4, np.array([-1.0, 0.0, 0.7])),
)


@dataclass(frozen=True, eq=False)
class Quadratic:
    """f(x) = x'Qx/2 - c'x with Q symmetric of any signs, and its constants L and m."""

    Q: np.ndarray
    c: np.ndarray

    @property
    def lipschitz(self) -> float:
        """|Q|."""
        return float(np.abs(np.linalg.eigvalsh(self.Q)).max())

    @property
    def weak_convexity(self) -> float:
        """Minus the smallest eigenvalue, or 0."""
        return max(0.0, -float(np.linalg.eigvalsh(self.Q)[0]))

    def value(self, x: np.ndarray) -> float:
        """f(x)."""
        return float(x @ self.Q @ x / 2 - self.c @ x)

    def grad(self, x: np.ndarray) -> np.ndarray:
        """Qx - c."""
        return self.Q @ x - self.c

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Both."""
        return self.value(x), self.grad(x)

    def prox(self, v: np.ndarray, step_size: float) -> np.ndarray:
        """(Q + I/t)^{-1} (v/t + c), for t < 1/m."""
        return np.linalg.solve(self.Q + np.eye(v.size) / step_size, v / step_size + self.c)


def check_merit(
    x_step: Any, rng: Seed = 0, trials: int = 40, make: Any = ProximalADMM, factor: float = 1.0
) -> Evidence:
    """Each step lowers the merit by at least the guaranteed decrease, down to no less than the objective at z.

    sigma is admissible, or `factor` times so. One trial in four is the quadratic -L x^2 / 2 on [-1, 1], for which the
    bound of the exact step is an equality. A dual step of the wrong sign lowers the merit too, but below the objective.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{x_step!r}: each step lowers the merit by the guaranteed decrease, to the objective at least",
        "docs/theory.md, Theorem 6.2 and Proposition 6.3",
        _HYPOTHESES,
    )
    for case, problem, solver, state in _runs(x_step, rng, trials, make, factor):
        before = solver.merit(problem, state)
        for _ in range(25):
            state = solver.step(problem, state)
            after = solver.merit(problem, state)
            fall = before - after - max(solver.guaranteed_decrease(state), 0.0)
            slack = min(fall, after - problem.value(state.z)) / (1 + abs(before) + abs(after))
            outcome.add(slack + _ROUNDING, case)
            before = after
    return outcome.evidence()


def check_certificate(x_step: Any, rng: Seed = 0, trials: int = 40, make: Any = ProximalADMM) -> Evidence:
    """d = grad f(z+) + y+ - sigma dx - tau_z dz is a subgradient of f + R at z+, so that |d| bounds its certificate."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{x_step!r}: grad f(z) + y - sigma dx - tau_z dz is a subgradient of the objective at z",
        "docs/theory.md, Proposition 6.4",
        _HYPOTHESES,
    )
    for case, problem, solver, state in _runs(x_step, rng, trials, make, factor=1.0):
        for _ in range(25):
            old, state = state, solver.step(problem, state)
            grad = problem.f.grad(state.z)
            d = grad + state.y - state.sigma * (state.x - old.x) - solver.proximal_z * (state.z - old.z)
            scale = 1 + state.sigma * (np.linalg.norm(state.x) + np.linalg.norm(state.z)) + np.linalg.norm(state.y)
            distance = problem.g.subdiff_distance(state.z, grad - d)  # of d from the subdifferential of f + R
            excess = problem.g.subdiff_distance(state.z, grad) - float(np.linalg.norm(d))
            outcome.add(_ROUNDING - max(distance, excess) / float(scale), case)
    return outcome.evidence()


def check_sigma_sharp(rng: Seed = 0, trials: int = 40, make: Any = ProximalADMM, gap: float = 0.01) -> Evidence:
    """On -L x^2 / 2 over [-1, 1] the exact step contracts towards 1 just above the smallest sigma, and not below it."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the smallest admissible sigma is sharp for m = L: above it the iterates contract, below it they do not",
        "docs/theory.md, Proposition 6.3",
        "f(x) = -L x^2 / 2 on [-1, 1], exact steps, near the minimizer 1",
    )
    for _ in range(trials):
        L = float(10 ** rng.uniform(-2, 2))
        problem = Composite(Quadratic(np.array([[-L]]), np.zeros(1)), Box(-1.0, 1.0))
        solver = make(x_step=Exact())
        smallest = solver.constants(solver.init(problem, np.ones(1))).smallest_sigma
        for side in (1 + gap, 1 - gap):
            solver = make(x_step=Exact(), sigma=side * smallest)
            first = solver.step(problem, solver.init(problem, np.array([1 - 1e-4])))
            then = solver.step(problem, solver.step(problem, first))
            ratio = abs(float(then.x[0]) - 1) / abs(float(first.x[0]) - 1)
            outcome.add(1 - ratio if side > 1 else ratio - 1, f"L = {L!r}, sigma = {side!r} * {smallest!r}")
    return outcome.evidence()


def _runs(
    x_step: Any, rng: np.random.Generator, trials: int, make: Any, factor: float
) -> Iterator[tuple[str, Any, Any, Any]]:
    """Random problems, each with a solver of admissible sigma and its first state."""
    for trial in range(trials):
        tau_x, tau_z = (float(rng.choice([0.0, t])) for t in rng.uniform(0, 3, size=2))
        if trial % 4 == 0:
            tau_x, g = 0.0, _PENALTIES[0]
            f, x0 = Quadratic(np.array([[-rng.uniform(0.5, 4)]]), np.zeros(1)), np.array([1 - 1e-2])
        else:
            n, g = int(rng.integers(1, 5)), _PENALTIES[int(rng.integers(len(_PENALTIES)))]
            basis, _ = np.linalg.qr(rng.standard_normal((n, n)))
            f = Quadratic(basis @ np.diag(rng.uniform(-2, 3, n)) @ basis.T, rng.standard_normal(n))
            x0 = rng.uniform(-1, 1, n)
        problem, solver = Composite(f, g), make(x_step=x_step, proximal_x=tau_x, proximal_z=tau_z)
        smallest = solver.constants(solver.init(problem, x0)).smallest_sigma
        sigma = factor * smallest * float(rng.choice([1 + 1e-9, 1.05, 3.0]))
        solver = make(sigma=sigma, x_step=x_step, proximal_x=tau_x, proximal_z=tau_z)
        yield f"{f!r}, {g!r}, {solver!r}, x0 = {x0!r}", problem, solver, solver.init(problem, x0)


def _checks() -> Iterator[Check]:
    for x_step in (Exact(), Linearized(), Inexact()):
        yield Check(16, f"merit of P-ADMM with {x_step!r}", partial(check_merit, x_step))
        yield Check(18, f"certificate of P-ADMM with {x_step!r}", partial(check_certificate, x_step))
    yield Check(19, "smallest sigma of P-ADMM", check_sigma_sharp)


CHECKS = tuple(_checks())
