"""PALM, plain and inertial, lowers its merit by what was proved, and certifies its points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.functions import Zero
from parsimo.core.problem import Composite, certificate
from parsimo.penalties import L1
from parsimo.problems import ClusteringProblem, ZeroNormProblem
from parsimo.solvers.palm import PALM, InertialConstants, longest_step
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import PENALTY_KINDS, Quadratic, run_text
from parsimo.theory_checks.subjects import FAMILY

__all__ = ["CHECKS", "Bent", "check_palm_certificate", "check_palm_descent"]

_ROUNDING = 1e-11  # relative to the merits or gradients that are compared
_STEPS = 12
_MEMBERS = [phi for name, phi in FAMILY.items() if name not in ("custom", "polygon")]  # theirs is a w to 1e-8 only


@dataclass(frozen=True)
class Bent:
    """The f of one variable whose first two steps from 0 are of lengths 1 and `growth`, for G = 0.

    With p = 1/gamma: f'(0) = -p and f'(v) = -(growth - alpha) p at v = 1 + alpha; the slope of f' is -m from 1 to v,
    and L beyond. For growth = 1 Proposition 8.4 is an equality in the second step.
    """

    L: float
    m: float
    alpha: float
    gamma: float
    growth: float = 1.0

    @property
    def lipschitz(self) -> float:
        """L."""
        return self.L

    @property
    def weak_convexity(self) -> float:
        """m."""
        return self.m

    def grad(self, x: np.ndarray) -> np.ndarray:
        """f'(x)."""
        p, v = 1 / self.gamma, 1 + self.alpha
        first, second, third = np.minimum(x, 1), np.clip(x - 1, 0, self.alpha), np.maximum(x - v, 0)
        return -p + self._slope * first - self.m * second + self.L * third

    def value(self, x: np.ndarray) -> float:
        """The integral of f' from 0 on: a sum of parabolas."""
        p, v = 1 / self.gamma, 1 + self.alpha
        first, second, third = np.minimum(x, 1), np.clip(x - 1, 0, self.alpha), np.maximum(x - v, 0)
        bent = self._slope * (first**2 / 2 + np.maximum(x - 1, 0)) - self.m * (second**2 / 2 + self.alpha * third)
        return float(np.sum(-p * x + bent + self.L * third**2 / 2))

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Both."""
        return self.value(x), self.grad(x)

    @property
    def _slope(self) -> float:
        """Of f' up to 1."""
        return (1 - self.growth + self.alpha) / self.gamma + self.alpha * self.m


def check_palm_descent(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = PALM,
    constants: Callable[[float, float, float, float, bool], InertialConstants] = InertialConstants.of,
) -> Evidence:
    """A step of PALM lowers f(x) + G(x, u) + kappa/2 |x - previous x|^2 by at least the decrease times |x+ - x|^2.

    One trial in ten is an equality in its second step, or nearly so.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "each step of PALM lowers the merit by the guaranteed decrease",
        "docs/theory.md, Proposition 8.4",
        "penalized MPECs, clustering of both distances, plain penalties; f of any signs; inertia from 0 to 0.45",
    )
    for problem, solver, x0 in _runs(rng, trials, make):
        f, state = problem.f, solver.init(problem, x0)
        found = constants(f.lipschitz, f.weak_convexity, solver.inertia, state.step_size, state.convex)
        before = problem.value(state.x, state.u)
        for k in range(_STEPS):
            old, state = state, solver.step(problem, state)
            fallen = float(np.sum((state.x - old.x) ** 2))
            after = problem.value(state.x, state.u) + found.memory / 2 * fallen
            least = found.decrease * fallen
            slack = (before - after - least) / (1 + abs(before) + abs(after))
            said = f"the last step lowers the merit from {before!r} to {after!r}, by {least!r} at least"
            outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
            before = after
    return outcome.evidence()


def check_palm_certificate(
    rng: Seed = 0,
    trials: int = 40,
    make: Any = PALM,
    bound: Callable[[float, float, float, float], float] = lambda L, gamma, residual, change: (
        (1 + gamma * L) * residual + change
    ),
) -> Evidence:
    """The certificate of the returned point is at most (1 + gamma L) |x+ - v| / gamma, plus how far the u-step moved
    the subgradients of G(., u): by the change of the weights of an l1 norm, or of squared distances' representatives.

    One trial in ten is an equality.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "the certificate of a point of PALM is at most (1/gamma + L) |x - v| + |change of subgradients|",
        "docs/theory.md, Proposition 8.5",
        "penalized MPECs, clustering of both distances, plain penalties; f of any signs; inertia from 0 to 0.45",
    )
    for problem, solver, x0 in _runs(rng, trials, make):
        state = solver.init(problem, x0)
        for k in range(_STEPS):
            old, state = state, solver.step(problem, state)
            change = _change(problem, old.u, state.u, state.x)
            if change is None:
                continue
            v = old.x + solver.inertia * (old.x - old.x_previous)
            residual = float(np.linalg.norm(state.x - v)) / old.step_size
            certified = certificate(problem, state.x, state.u)
            most = bound(problem.f.lipschitz, old.step_size, residual, change)
            size = 1 + float(np.linalg.norm(state.x)) / old.step_size
            said = f"the certificate is {certified!r}, at most {most!r}"
            outcome.add((most - certified) / size + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said))
    return outcome.evidence()


def _change(problem: Any, old: Any, new: Any, x: np.ndarray) -> float | None:
    """How far the subgradients of G(., u) moved at x; None for clusters that are not the same."""
    if old is None:
        return 0.0
    if not isinstance(problem, ClusteringProblem):
        return float(np.linalg.norm(problem.given(new).weight - problem.given(old).weight))
    squares = 0.0
    for a, b in zip(old, new, strict=True):
        if problem.distance == "absolute":
            codes = a.codes
        else:  # those of x for the codebook before
            codes = np.abs(x[:, None] - a.codebook).argmin(axis=1)
            if a.codebook.size == b.codebook.size:
                squares += float(np.sum((a.codebook[codes] - b.codebook[codes]) ** 2))
        if not np.array_equal(codes, b.codes) or a.codebook.size != b.codebook.size:
            return None
    return problem.weight * float(np.sqrt(squares))


def _runs(rng: np.random.Generator, trials: int, make: Any) -> Iterator[tuple[Any, Any, np.ndarray]]:
    """Random problems, each with a solver and a start."""
    for trial in range(trials):
        alpha = float(rng.choice([0.2, 0.3] if trial % 10 == 0 else [0.0, 0.2, 0.45]))
        n, weight = int(rng.integers(3, 6)), float(rng.uniform(0.1, 1))
        f: Any = Quadratic.random(rng, n, lowest=float(rng.choice([-1, 0])))
        x0, share = rng.standard_normal(n), float(rng.choice([0.4, 0.9]))
        problem: Any
        if trial % 10 == 0:
            L = 10 ** rng.uniform(-1, 1)
            m, growth = L * rng.uniform(0, 0.5), (1.0, 0.98, 1.02)[trial // 10 % 3]
            gamma, x0 = longest_step(L, m, alpha), np.zeros(1)
            yield Composite(Bent(L, m, alpha, gamma, growth), Zero()), make(inertia=alpha, step_size=gamma), x0
            continue
        if trial % 10 == 5:  # curvature -L where G is affine
            f, x0 = Quadratic(np.array([[-(10 ** rng.uniform(-1, 1))]]), np.zeros(1)), rng.uniform(0.5, 1, 1)
            gamma = share * longest_step(f.lipschitz, f.weak_convexity, alpha)
            yield Composite(f, L1(0.1)), make(inertia=alpha, step_size=gamma), x0
            continue
        if trial % 5 == 1:
            problem = ClusteringProblem(f, weight, 2, "squared" if rng.integers(2) else "absolute")
        elif trial % 5 == 2:
            problem = Composite(f, PENALTY_KINDS[int(rng.integers(len(PENALTY_KINDS)))])
            x0 = np.clip(x0, -1, 1)  # in the box
        else:
            phi = _MEMBERS[int(rng.integers(len(_MEMBERS)))]
            problem = ZeroNormProblem(f, weight).to_mpec(phi).penalize(float(10 ** rng.uniform(-1, 1)))
        gamma = share * longest_step(f.lipschitz, f.weak_convexity, alpha)
        yield problem, make(inertia=alpha, step_size=gamma, exact_every=int(rng.choice([1, 3]))), x0


CHECKS = (
    Check(13, "descent of PALM", check_palm_descent),
    Check(18, "certificate of PALM", check_palm_certificate),
)
