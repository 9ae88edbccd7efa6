"""P-ADMM: its merit falls as promised, its steps certify themselves, and the smallest admissible sigma is sharp."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.problem import Composite
from parsimo.penalties import Box
from parsimo.problems import ClusteringProblem
from parsimo.solvers import Exact, Inexact, Linearized, ProximalADMM
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import PENALTY_KINDS, Quadratic, run_text

__all__ = ["CHECKS", "check_certificate", "check_merit", "check_sigma_sharp"]

_ROUNDING = 1e-11  # relative to the merit or to the gradients that are compared
_HYPOTHESES = "quadratic f of any signs, penalties of every kind, clustering; with and without proximal terms"
_ROWS = {None: "", False: ", tau_x = 0", True: ", tau_x > 0"}


def check_merit(
    x_step: Any,
    rng: Seed = 0,
    trials: int = 40,
    make: Any = ProximalADMM,
    factor: float = 1.0,
    proximal: bool | None = None,
) -> Evidence:
    """Each step lowers the merit by at least the guaranteed decrease, down to no less than the objective at z.

    sigma is admissible, or `factor` times so. `proximal` says whether tau_x > 0; without it some trials are, some not.
    One trial in four is built so that the bound of its row is an equality, or nearly one: -L x^2 / 2 on [-1, 1] for
    the exact step, and L x^2 / 2 - c x on a box so narrow that z stays, for the others. A dual step of the wrong sign
    lowers the merit too, but below the objective.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{x_step!r}{_ROWS[proximal]}: each step lowers the merit by the guaranteed decrease, not below the objective",
        "docs/theory.md, Theorem 6.2 and Proposition 6.3",
        _HYPOTHESES,
    )
    for problem, solver, x0 in _runs(x_step, rng, trials, make, factor, proximal):
        state = solver.init(problem, x0)
        before = solver.merit(problem, state)
        for k in range(25):
            state = solver.step(problem, state)
            after = solver.merit(problem, state)
            least, objective = max(solver.guaranteed_decrease(state), 0.0), problem.value(state.z, state.u)
            slack = min(before - after - least, after - objective) / (1 + abs(before) + abs(after))
            said = f"the last step lowers the merit by {before - after!r}, {least!r} at least, to {after!r}, and the "
            said += f"objective is {objective!r}"
            outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
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
    for problem, solver, x0 in _runs(x_step, rng, trials, make):
        state = solver.init(problem, x0)
        for k in range(25):
            old, state = state, solver.step(problem, state)
            grad = problem.f.grad(state.z)
            d = grad + state.y - state.sigma * (state.x - old.x) - solver.proximal_z * (state.z - old.z)
            scale = 1 + state.sigma * (np.linalg.norm(state.x) + np.linalg.norm(state.z)) + np.linalg.norm(state.y)
            g = problem.given(state.u)
            distance = g.subdiff_distance(state.z, grad - d)  # of d from the subdifferential of f + R
            excess = g.subdiff_distance(state.z, grad) - float(np.linalg.norm(d))
            said = f"d = {d.tolist()} is a subgradient at z, so that {distance!r} is 0 up to rounding"
            case = partial(run_text, problem, solver, x0, k + 1, said)
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
        solver = make(x_step=Exact(), acceleration=None)
        smallest = solver.constants(solver.init(problem, np.ones(1))).smallest_sigma
        for side in (1 + gap, 1 - gap):
            solver = make(x_step=Exact(), acceleration=None, sigma=side * smallest)
            first = solver.step(problem, solver.init(problem, np.array([1 - 1e-4])))
            then = solver.step(problem, solver.step(problem, first))
            ratio = abs(float(then.x[0]) - 1) / abs(float(first.x[0]) - 1)
            said = f"in two steps |x - 1| is multiplied by {ratio!r}, {'less' if side > 1 else 'more'} than 1"
            case = partial(run_text, problem, solver, np.array([1 - 1e-4]), 3, said)
            outcome.add(1 - ratio if side > 1 else ratio - 1, case)
    return outcome.evidence()


def _runs(
    x_step: Any,
    rng: np.random.Generator,
    trials: int,
    make: Any,
    factor: float = 1.0,
    proximal: bool | None = None,
) -> Iterator[tuple[Any, Any, np.ndarray]]:
    """Random problems, each with a solver of admissible sigma and a start."""
    for trial in range(trials):
        tau_x, tau_z = rng.uniform(0, 3, size=2) * rng.integers(0, 2, size=2)
        g, curvature = Box(-1.0, 1.0), rng.uniform(0.5, 4)
        if trial % 4 == 0 and not proximal and x_step == Exact():
            tau_x, f, x0 = 0.0, Quadratic(np.array([[-curvature]]), np.zeros(1)), np.array([1 - 1e-2])
        elif trial % 4 == 0:
            tau_x = curvature * 10 ** rng.uniform(-1, 1.8)
            g, x0 = Box(-1e-3, 1e-3), np.zeros(1)
            f = Quadratic(np.array([[curvature]]), rng.choice([-1, 1], size=1) * 10 * curvature)
        else:
            n, g = int(rng.integers(1, 5)), PENALTY_KINDS[int(rng.integers(len(PENALTY_KINDS)))]
            f, x0 = Quadratic.random(rng, n), rng.uniform(-1, 1, n)
            tau_x = rng.uniform(0.01, 3) if proximal else tau_x
        tau_x = 0.0 if proximal is False else float(tau_x)
        problem: Any = Composite(f, g)
        if x0.size > 2 and rng.integers(4) == 0:
            problem = ClusteringProblem(f, 0.4, 2, "squared" if rng.integers(2) else "absolute")
        solver = make(acceleration=None, x_step=x_step, proximal_x=tau_x, proximal_z=float(tau_z))
        smallest = solver.constants(solver.init(problem, x0)).smallest_sigma
        sigma = factor * smallest * float(rng.choice([1 + 1e-9, 1.05, 3.0]))
        yield (
            problem,
            make(acceleration=None, sigma=sigma, x_step=x_step, proximal_x=tau_x, proximal_z=float(tau_z)),
            x0,
        )


def _checks() -> Iterator[Check]:
    rows = ((Exact(), False), (Exact(), True), (Linearized(), False), (Linearized(), True), (Inexact(), None))
    for x_step, proximal in rows:
        name = f"merit of P-ADMM with {x_step!r}{_ROWS[proximal]}"
        yield Check(16, name, partial(check_merit, x_step, proximal=proximal))
    for x_step in (Exact(), Linearized(), Inexact()):
        yield Check(18, f"certificate of P-ADMM with {x_step!r}", partial(check_certificate, x_step))
    yield Check(19, "smallest sigma of P-ADMM", check_sigma_sharp)


CHECKS = tuple(_checks())
