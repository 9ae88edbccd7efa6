"""Proximal gradient and alternating minimization lower the objective by what was proved, and certify their points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.problem import Composite, certificate
from parsimo.penalties import L1, Box, ZeroNorm
from parsimo.problems import ClusteringProblem, ZeroNormProblem
from parsimo.solvers import AlternatingMinimization, Backtracking, Constant, ProximalGradient
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import PENALTY_KINDS, Quadratic, run_text
from parsimo.theory_checks.subjects import FAMILY

__all__ = [
    "CHECKS",
    "check_alternating_certificate",
    "check_alternating_descent",
    "check_gradient_certificate",
    "check_gradient_descent",
    "gradient_decrease",
]

_ROUNDING = 1e-11  # relative to the objectives or gradients that are compared
_MEMBERS = [phi for name, phi in FAMILY.items() if name not in ("custom", "polygon")]  # theirs is a w to 1e-8 only


def gradient_decrease(L: float, gamma: float, convex: bool) -> float:
    """The least fall of the objective for each unit of |dx|^2: 1/gamma - L/2 for convex R, (1/gamma - L)/2 for any."""
    return 1 / gamma - L / 2 if convex else (1 / gamma - L) / 2


def check_gradient_descent(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalGradient,
    decrease: Callable[[float, float, bool], float] = gradient_decrease,
) -> Evidence:
    """A step of proximal gradient with gamma <= 1/L lowers f + R by at least the decrease for convex or for any R.

    With backtracking its test stands for the descent lemma, with theta / gamma for L. One trial in three is an
    equality: f of curvature L with R affine between the two points, or at a tie of the zero norm.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "each step of proximal gradient lowers the objective by the guaranteed decrease",
        "docs/theory.md, Proposition 7.1",
        "quadratic f of any signs, penalties of every kind, clustering; steps up to 1/L and by backtracking",
    )
    for problem, solver, x0 in _gradient_runs(rng, trials, make):
        convex = isinstance(problem, Composite) and problem.g.traits.convex
        state = solver.init(problem, x0)
        for k in range(15):
            old, state = state, solver.step(problem, state)
            theta = 1.0 if convex else 0.9
            L = theta / state.step_size if isinstance(solver.step_rule, Backtracking) else problem.f.lipschitz
            before, after = problem.value(old.x, old.u), problem.value(state.x, state.u)
            least = decrease(L, state.step_size, convex) * float(np.sum((state.x - old.x) ** 2))
            slack = (before - after - least) / (1 + abs(before) + abs(after))
            said = f"the last step lowers the objective from {before!r} to {after!r}, by {least!r} at least"
            outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
    return outcome.evidence()


def check_gradient_certificate(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalGradient,
    bound: Callable[[float, float], float] = lambda L, gamma: 1 + gamma * L,
) -> Evidence:
    """The certificate of the returned point is at most (1 + gamma L) times the residual |dx| / gamma of the last step.

    The certificate is computed from the problem alone. With curvature -L and R smooth at the point it is an equality.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the certificate of a point of proximal gradient is at most (1/gamma + L) |dx|",
        "docs/theory.md, Proposition 7.1",
        "quadratic f of any signs, penalties of every kind, clustering; steps up to 1/L and by backtracking",
    )
    for problem, solver, x0 in _gradient_runs(rng, trials, make):
        state = solver.init(problem, x0)
        for k in range(15):
            state = solver.step(problem, state)
            x = state.point
            residual = solver.measures(state)["residual"]
            grad, size = problem.f.Q @ x - problem.f.c, 1 + float(np.linalg.norm(x)) / state.step_size
            distance = problem.given(state.u).subdiff_distance(x, grad)
            most = bound(problem.f.lipschitz, state.step_size) * residual
            again = problem.given(problem.auxiliary(x, state.u)).subdiff_distance(x, grad)
            apart = abs(certificate(problem, x, state.u) - again)
            said = f"the certificate is {distance!r}, at most {most!r}, and {apart!r} from that of the best u"
            slack = min(most - distance, -apart) / size
            outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
    return outcome.evidence()


def check_alternating_descent(
    rng: Seed = 0,
    trials: int = 40,
    make: Any = AlternatingMinimization,
    decrease: Callable[[float, int], float] = lambda L, steps: L / (2 * steps),
) -> Evidence:
    """A step of alternating minimization lowers f(x) + G(x, u) by at least L/2 times the sum of the squares of its
    inner steps of length 1/L, and so by L/2 |x+ - x|^2 divided by their number.

    One trial in four has one inner step and weights that stay, and is an equality if the curvature is L.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "each step of alternating minimization lowers the objective by L/2 |dx|^2 / inner_steps at least",
        "docs/theory.md, Proposition 8.1",
        "penalized MPECs of the built-in members and clustering problems; f quadratic of any signs",
    )
    for problem, solver, x0 in _alternating_runs(rng, trials, make):
        state = solver.init(problem, x0)
        for k in range(8):
            old, state = state, solver.step(problem, state)
            before, after = problem.value(old.x, old.u), problem.value(state.x, state.u)
            least = decrease(problem.f.lipschitz, solver.inner_steps) * float(np.sum((state.x - old.x) ** 2))
            slack = (before - after - least) / (1 + abs(before) + abs(after))
            said = f"the last step lowers the objective from {before!r} to {after!r}, by {least!r} at least"
            outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
    return outcome.evidence()


def check_alternating_certificate(
    rng: Seed = 0,
    trials: int = 40,
    make: Any = AlternatingMinimization,
    bound: Callable[[float, float], float] = lambda residual, change: 2 * residual + change,
) -> Evidence:
    """The certificate of the returned point is at most twice the residual of the last inner step, plus the change of
    the weights of the l1 norm in the last u-step; and it bounds the distance of 0 from the subdifferential of the
    surrogate problem. For clustering it is so where the clusters stayed.

    One trial in four has weights that stay, and is an equality if the curvature is -L.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the certificate of a point of alternating minimization is at most 2 |dx| / gamma + |change of weights|",
        "docs/theory.md, Propositions 8.3 and 6.4",
        "penalized MPECs of the built-in members and clustering problems; f quadratic of any signs; inner steps of 1/L",
    )
    for problem, solver, x0 in _alternating_runs(rng, trials, make):
        state = solver.init(problem, x0)
        for k in range(8):
            old, state = state, solver.step(problem, state)
            change = _change(problem, old.u, state.u)
            if change is None:
                continue
            x, case = state.point, partial(run_text, problem, solver, x0, k + 1)
            certified, most = certificate(problem, x, state.u), bound(solver.measures(state)["residual"], change)
            size = 1 + problem.f.lipschitz * float(np.linalg.norm(x))
            said = f"the certificate is {certified!r}, at most {most!r}"
            outcome.add((most - certified) / size + _ROUNDING, partial(case, said))
            if hasattr(problem, "eliminate"):
                distance = problem.eliminate().g.subdiff_distance(x, problem.f.Q @ x - problem.f.c)
                said = f"the certificate is {certified!r}, no less than {distance!r}, that of the surrogate problem"
                outcome.add((certified - distance) / size + _ROUNDING, partial(case, said))
    return outcome.evidence()


def _change(problem: Any, old: Any, new: Any) -> float | None:
    """How far G(., u) moved: the distance of the weights of the l1 norm; None for clusters that are not the same."""
    if isinstance(problem, ClusteringProblem):
        same = all(np.array_equal(a.codes, b.codes) for a, b in zip(old, new, strict=True))
        return 0.0 if same else None
    return float(np.linalg.norm(problem.given(new).weight - problem.given(old).weight))


def _gradient_runs(rng: np.random.Generator, trials: int, make: Any) -> Iterator[tuple[Any, Any, np.ndarray]]:
    """Random problems, each with a solver and a start."""
    for trial in range(trials):
        L = 10 ** rng.uniform(-1, 1)
        share = float(rng.choice([1.0, 0.9, 0.3]))
        backtracking, g = bool(rng.integers(2)), PENALTY_KINDS[int(rng.integers(len(PENALTY_KINDS)))]
        if trial % 3:
            n = int(rng.integers(1, 5))
            f, x0 = Quadratic.random(rng, n), rng.uniform(-1, 1, n)
            L = f.lipschitz
        elif trial % 2:  # a tie of the zero norm: x0 is the minimizer of f, and 0 as good in the prox
            share, backtracking, weight = 0.5, False, float(rng.uniform(0.5, 2))
            x0 = np.full(2, np.sqrt(2 * share / L * weight) * (1 - 1e-12))
            f, g = Quadratic(L * np.eye(2), L * x0), ZeroNorm(weight)
        else:  # curvature L or -L where R is affine
            backtracking, g = False, rng.choice(np.array([L1(0.1), Box(-1e3, 1e3)], dtype=object))
            f, x0 = Quadratic(np.array([[L * rng.choice([-1, 1])]]), np.zeros(1)), rng.uniform(0.5, 1, 1)
        problem: Any = Composite(f, g)
        if x0.size > 2 and rng.integers(3) == 0:
            problem = ClusteringProblem(f, 0.4, 2, "squared" if rng.integers(2) else "absolute")
        step_size, rule = (5.0, Backtracking()) if backtracking else (share, Constant())
        yield problem, make(step_size=step_size / L, step_rule=rule), x0


def _alternating_runs(rng: np.random.Generator, trials: int, make: Any) -> Iterator[tuple[Any, Any, np.ndarray]]:
    for trial in range(trials):
        n, weight, inner_steps = int(rng.integers(3, 6)), float(rng.uniform(0.1, 1)), int(rng.choice([1, 10]))
        f, x0 = Quadratic.random(rng, n, lowest=float(rng.choice([-1, 0]))), rng.standard_normal(n)
        problem: Any
        if trial % 4 == 0:
            problem = ClusteringProblem(f, weight, 2, "squared" if rng.integers(2) else "absolute")
        elif trial % 4 == 1:  # the weights of capped l1 stay until x passes the flat point
            inner_steps = 1
            f = Quadratic(float(rng.choice([-1, 1]) * rng.uniform(0.5, 2)) * np.eye(n), 10 * np.ones(n))
            problem = ZeroNormProblem(f, weight).to_mpec(FAMILY["capped_l1"]).penalize(1e-2)
            x0 = np.abs(x0)
        else:
            phi = _MEMBERS[int(rng.integers(len(_MEMBERS)))]
            problem = ZeroNormProblem(f, weight).to_mpec(phi).penalize(float(10 ** rng.uniform(-1, 1)))
        yield problem, make(inner=ProximalGradient(step_rule=Constant()), inner_steps=inner_steps), x0


CHECKS = (
    Check(13, "descent of proximal gradient", check_gradient_descent),
    Check(13, "descent of alternating minimization", check_alternating_descent),
    Check(18, "certificate of proximal gradient", check_gradient_certificate),
    Check(18, "certificate of alternating minimization", check_alternating_certificate),
)
