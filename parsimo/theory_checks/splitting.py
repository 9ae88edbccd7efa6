"""P-ADMM beyond plain steps: over-relaxation, changes of sigma, leaps, every sigma where all is convex, consensus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parsimo.core.problem import Composite
from parsimo.penalties import L1, Box
from parsimo.problems import Blocks, ClusteringProblem
from parsimo.solvers import Balancing, ConsensusADMM, Exact, Inexact, LatePhase, Linearized, ProximalADMM
from parsimo.solvers.merits import SharpConstants
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.functions import PENALTY_KINDS, Quadratic, run_text, weighted_l1_minimum

__all__ = [
    "CHECKS",
    "check_balancing",
    "check_consensus",
    "check_every_sigma",
    "check_leaps",
    "check_relaxed_decrease",
]

_ROUNDING = 1e-11  # relative to the values that are compared
_RELAXATIONS = (0.5, 1.0, 1.5, 1.9)


def coded_constant(L: float, m: float, sigma: float, r: float) -> float:
    """C of ProximalAlgorithms.jl, for convex f and for any."""
    t = L / sigma
    return r / (1 + t) ** 2 * ((2 - r) / 2 - (t * max(t - r / 2, 0) if m == 0 else t))


def check_relaxed_decrease(
    rng: Seed = 0,
    trials: int = 60,
    make: Any = ProximalADMM,
    decrease: Callable[[SharpConstants, float], float] = SharpConstants.decrease,
    envelope: Callable[[SharpConstants, float], float] = SharpConstants.envelope,
    factor: float = 1.0,
) -> Evidence:
    """Exact steps with v = r z + (1 - r) x: for sigma > max(L, 2m/(2 - r)) the augmented Lagrangian falls by the sharp
    amount, to no less than the objective, and without tau_z the envelope by sigma C |x - z+|^2.

    C is no smaller than what ProximalAlgorithms.jl has. With z at rest and one curvature, L or -m, the fall of the
    Lagrangian is an equality. `factor` times the smallest sigma is the smallest that is tried.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "over-relaxed exact steps: augmented Lagrangian and envelope fall by the guaranteed amounts",
        "docs/theory.md, Proposition 6.10",
        "quadratic f of any signs, r from 0.5 to 1.9, sigma > max(L, 2m/(2 - r)), with and without tau_z",
    )
    for trial in range(trials):
        f, g, x0 = _instance(rng, trial)
        r, tau_z = float(rng.choice(_RELAXATIONS)), float(rng.choice([0.0, 0.7]))
        constants = SharpConstants(f.lipschitz, f.weak_convexity, r)
        sigma = factor * constants.smallest_sigma * float(rng.choice([1 + 1e-6, 1.05, 1.5, 4.0]))
        problem, solver = (
            Composite(f, g),
            make(acceleration=None, sigma=sigma, x_step=Exact(), relaxation=r, proximal_z=tau_z),
        )
        least, C = decrease(constants, sigma), envelope(constants, sigma)
        now = solver.init(problem, x0)
        then = solver.step(problem, now)
        for k in range(20):
            later, case = solver.step(problem, then), partial(run_text, problem, solver, x0, k + 2)
            before, after = solver.merit(problem, now), solver.merit(problem, then)
            fall = max(least, 0.0) * then.dx**2 + tau_z / 2 * then.dz**2
            size = 1 + abs(before) + abs(after)
            said = (
                f"the Lagrangian falls from {before!r} to {after!r}, by {fall!r} at least, and not below the objective"
            )
            slack = min(before - after - fall, after - problem.value(then.z)) / size
            outcome.add(slack + _ROUNDING, partial(case, said))
            if tau_z == 0:
                high, low = (solver.merit(problem, replace(s, z=n.z)) for s, n in ((now, then), (then, later)))
                fall = sigma * max(C, 0.0) * float(np.sum((now.x - then.z) ** 2))
                said = f"the envelope falls from {high!r} to {low!r}, by {fall!r} at least"
                outcome.add((high - low - fall) / size + _ROUNDING, partial(case, said))
            now, then = then, later
        coded = coded_constant(f.lipschitz, f.weak_convexity, sigma, r)
        said = f"C = {C!r} is no smaller than {coded!r}"
        outcome.add(C - coded + _ROUNDING, partial(run_text, problem, solver, x0, 1, said))
    return outcome.evidence()


def check_leaps(rng: Seed = 0, trials: int = 40, make: Any = ProximalADMM, leaps: Any = LatePhase) -> Evidence:
    """With leaps each step lowers the merit by the guaranteed decrease, to no less than the objective. Where one was
    taken, y = -grad f(x), z minimizes the augmented Lagrangian there, and the certificate of z is at most
    (L + sigma) |x - z|.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "leaps lower the merit as (6.6) demands, and lead to states that certify themselves",
        "docs/theory.md, Proposition 6.12",
        "quadratic f of any signs, penalties of every kind, clustering; exact, linearized and inexact steps",
    )
    for trial in range(trials):
        f, g, x0 = _instance(rng, trial + 1, most=7)
        x_step: Any = (Exact(), Exact(), Linearized(), Inexact())[trial % 4]
        r = float(rng.choice(_RELAXATIONS)) if x_step == Exact() else 1.0
        tau_z = float(rng.choice([0.0, 0.5]))
        problem: Any = ClusteringProblem(f, 0.4, 2, "squared") if x0.size > 2 and trial % 5 == 0 else Composite(f, g)
        solver = make(x_step=x_step, relaxation=r, proximal_z=tau_z, acceleration=leaps(patience=1))
        state = solver.init(problem, x0)
        before = solver.merit(problem, state)
        for k in range(25):
            state, case = solver.step(problem, state), partial(run_text, problem, solver, x0, k + 1)
            after, objective = solver.merit(problem, state), problem.value(state.z, state.u)
            least, size = max(solver.guaranteed_decrease(state), 0.0), 1 + abs(before) + abs(after)
            said = (
                f"the merit falls from {before!r} to {after!r}, by {least!r} at least; the objective is {objective!r}"
            )
            outcome.add(min(before - after - least, after - objective) / size + _ROUNDING, partial(case, said))
            if state.required is not None:
                outcome.add(_leap_margin(problem, solver, state, rng), partial(case, "the last step is a leap"))
            before = after
    return outcome.evidence()


def _leap_margin(problem: Any, solver: Any, state: Any, rng: np.random.Generator) -> float:
    """How far y is from -grad f(x), the Lagrangian above that at other z, and the certificate above its bound."""
    grad = problem.f.grad(state.x)
    scale = 1 + state.sigma * float(np.linalg.norm(state.x)) + float(np.linalg.norm(grad))
    off = float(np.linalg.norm(state.y + grad)) / scale
    here, excess = solver.merit(problem, state), 0.0
    if isinstance(problem, Composite):
        others = [state.z + step * rng.standard_normal(state.z.size) for step in (1e-3, 0.1)]
        others += [np.zeros_like(state.z), problem.g.prox(state.x, 1 / state.sigma)]
        excess = max(here - solver.merit(problem, replace(state, z=z)) for z in others) / (1 + abs(here))
    at_z = problem.f.grad(state.z)
    most = (problem.f.lipschitz + state.sigma) * float(np.linalg.norm(state.x - state.z))
    above = (problem.given(state.u).subdiff_distance(state.z, at_z) - most) / scale
    return 100 * _ROUNDING - max(off, excess, above)


def check_balancing(rng: Seed = 0, trials: int = 30, make: Any = ProximalADMM, most: int = 4) -> Evidence:
    """Residual balancing keeps sigma admissible, changes it at most so often, and the merit falls there too."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "balancing: sigma stays admissible and settles, and the merit falls by the guaranteed decrease at every step",
        "docs/theory.md, Proposition 6.11",
        "quadratic f of any signs, penalties of every kind; sigma far too large at first, and a rule that changes it",
    )
    for trial in range(trials):
        f, g, x0 = _instance(rng, trial + 1)
        problem = Composite(f, g)
        x_step: Any = (Exact(), Linearized(), Inexact())[trial % 3]
        smallest = make(x_step=x_step).constants(make(x_step=x_step).init(problem, x0)).smallest_sigma
        rule = Balancing(ratio=1.1, factor=float(rng.choice([1.5, 3.0])), changes=most, every=2)
        solver = make(acceleration=None, sigma=smallest * float(rng.choice([1.5, 30.0])), x_step=x_step, balancing=rule)
        state = solver.init(problem, x0)
        before, changes = solver.merit(problem, state), 0
        for k in range(25):
            old, state = state, solver.step(problem, state)
            changes += state.sigma != old.sigma
            after, objective = solver.merit(problem, state), problem.value(state.z)
            least = max(solver.guaranteed_decrease(state), 0.0)
            slack = min(before - after - least, after - objective) / (1 + abs(before) + abs(after)) + _ROUNDING
            said = f"sigma = {state.sigma!r} > {smallest!r} has changed {changes} times, {rule.changes} at most; the "
            said += f"merit falls from {before!r} to {after!r}, by {least!r} at least; the objective is {objective!r}"
            allowed = state.sigma > smallest and changes <= rule.changes
            outcome.add(slack if allowed else -1.0, partial(run_text, problem, solver, x0, k + 1, said))
            before = after
    return outcome.evidence()


def check_every_sigma(
    rng: Seed = 0,
    trials: int = 40,
    make: Any = ProximalADMM,
    share: Callable[[float], float] = lambda r: r * (2 - r),
    bound: Callable[[float, float], float] = lambda L, sigma: max(sigma, L - sigma),
) -> Evidence:
    """Convex f and R, exact steps: for every sigma |s - s*|^2 falls by r (2 - r) |x - z+|^2, |x - z+| never rises, and
    the certificate of z+ is at most max(sigma, L - sigma) |x - z+|.

    With z at rest and f nearly affine the first is nearly an equality.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "convex f and R: distance to the fixed point and residual fall for every sigma, and the residual certifies z",
        "docs/theory.md, Proposition 6.13",
        "convex quadratic f, l1 norm or interval, r from 0.5 to 1.9, sigma from L/100 to 10 L",
    )
    for trial in range(trials):
        g: Any = L1(0.3)
        if trial % 3 == 0:  # f nearly affine, z at the end of the interval
            f, g, x0 = Quadratic(np.array([[1e-9]]), np.array([10.0])), Box(-1.0, 1.0), rng.uniform(-1, 1, 1)
            minimizer, sigma = np.ones(1), float(rng.uniform(0.1, 1))
        else:
            n = int(rng.integers(1, 5))
            f, x0 = Quadratic.random(rng, n, lowest=0.01), rng.uniform(-2, 2, n)
            minimizer, sigma = weighted_l1_minimum(f, np.full(n, 0.3)), f.lipschitz * float(10 ** rng.uniform(-2, 1))
        r = float(rng.choice(_RELAXATIONS))
        problem, solver = Composite(f, g), make(acceleration=None, sigma=sigma, x_step=Exact(), relaxation=r)
        fixed = minimizer + f.grad(minimizer) / sigma
        state, last = solver.init(problem, x0), np.inf
        for k in range(20):
            old, state = state, solver.step(problem, state)
            away = [float(np.linalg.norm(s.x - s.y / sigma - fixed)) ** 2 for s in (old, state)]
            gap = float(np.linalg.norm(old.x - state.z))
            distance = g.subdiff_distance(state.z, f.grad(state.z))
            size = 1 + float(np.linalg.norm(old.x) + np.linalg.norm(old.y) / sigma)
            said = f"|s - s*|^2 falls from {away[0]!r} to {away[1]!r}, |x - z| from {last!r} to {gap!r}, and certifies "
            fejer = (away[0] - away[1] - share(r) * gap**2) / size**2
            most = bound(f.lipschitz, sigma) * gap
            slack = min(fejer, (last - gap) / size, (most - distance) / (size * (sigma + f.lipschitz)))
            outcome.add(slack + _ROUNDING, partial(run_text, problem, solver, x0, k + 1, said + f"{distance!r}"))
            last = gap
    return outcome.evidence()


def check_consensus(rng: Seed = 0, trials: int = 30, make: Any = ConsensusADMM) -> Evidence:
    """Consensus lowers its merit by the guaranteed decrease, to no less than the objective; grad f(z) + sum over the
    blocks of y_i - sigma dx_i, less N tau_z dz, is a subgradient of the objective at z; and one block is P-ADMM.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "consensus: the merit falls by the guaranteed decrease, the blocks' multipliers certify z, one block is P-ADMM",
        "docs/theory.md, Proposition 6.14",
        "sums of 1 to 4 quadratic functions of any signs, penalties of every kind, with and without tau_z",
    )
    for trial in range(trials):
        N, n = 1 + trial % 4, int(rng.integers(1, 4))
        f = Blocks([Quadratic.random(rng, n) for _ in range(N)])
        problem = Composite(f, PENALTY_KINDS[int(rng.integers(len(PENALTY_KINDS)))])
        x_step: Any = (Exact(), Linearized())[int(rng.integers(2))]
        plain, x0 = (
            ProximalADMM(acceleration=None, x_step=x_step, proximal_z=float(rng.choice([0.0, 0.5]))),
            rng.uniform(-1, 1, n),
        )
        solver = make(plain)
        state, twin = solver.init(problem, x0), plain.init(Composite(f.parts[0], problem.g), x0)
        before = solver.merit(problem, state)
        for k in range(20):
            old, state = state.copies, solver.step(problem, state)
            new, after = state.copies, solver.merit(problem, state)
            z, sigma = state.point, new.sigma
            certified = (new.y - sigma * (new.x - old.x)).reshape(N, n).sum(axis=0)
            d = f.grad(z) + certified - N * plain.proximal_z * (z - old.z[:n])
            scale = 1 + N * sigma * float(np.linalg.norm(new.x) + np.linalg.norm(z)) + float(np.linalg.norm(new.y))
            apart = problem.g.subdiff_distance(z, f.grad(z) - d) / scale
            if N == 1:
                twin = plain.step(Composite(f.parts[0], problem.g), twin)
                apart = max(apart, float(np.linalg.norm(twin.z - z) + np.linalg.norm(twin.x - new.x)) / scale)
            least = max(solver.guaranteed_decrease(state), 0.0)
            slack = min(before - after - least, after - problem.value(z)) / (1 + abs(before) + abs(after))
            said = (
                f"the merit falls from {before!r} to {after!r}, by {least!r} at least; off by {apart!r}, 0 to rounding"
            )
            case = partial(run_text, problem, solver, x0, k + 1, said)
            outcome.add(min(slack, -apart) + _ROUNDING, case)
            before = after
    return outcome.evidence()


def _instance(rng: np.random.Generator, trial: int, most: int = 4) -> tuple[Quadratic, Any, np.ndarray]:
    """A quadratic f, a penalty and a start; one in three of one curvature, with a z that comes to rest at once."""
    if trial % 3 == 0:
        n, curvature = int(rng.integers(1, 3)), float(rng.choice([-1, 1]) * 10 ** rng.uniform(-1, 1))
        pull = 10 * curvature if curvature > 0 else 0.0
        return Quadratic(curvature * np.eye(n), np.full(n, pull)), Box(-1.0, 1.0), rng.uniform(0.5, 2, n)
    n = int(rng.integers(1, most + 1))
    g = PENALTY_KINDS[int(rng.integers(len(PENALTY_KINDS)))]
    return Quadratic.random(rng, n, lowest=float(rng.choice([-2, -0.5, 0]))), g, rng.uniform(-1, 1, n)


def _checks() -> Iterator[Check]:
    yield Check(16, "leaps of P-ADMM", check_leaps)
    yield Check(16, "balancing of sigma", check_balancing)
    yield Check(16, "consensus", check_consensus)
    yield Check(20, "decrease with over-relaxation", check_relaxed_decrease)
    yield Check(21, "every sigma for convex problems", check_every_sigma)


CHECKS = tuple(_checks())
