"""A solver against its promises: pure steps, a falling merit, a status that its certificate proves, right answers."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

from parsimo._array import asarray_like
from parsimo.core.problem import Composite, starting_point
from parsimo.penalties import L1, MCP, SCAD, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import LeastSquares, Logistic
from parsimo.solvers import (
    PALM,
    AlternatingMinimization,
    Anderson,
    Backtracking,
    Inertial,
    Linearized,
    Nesterov,
    ProximalADMM,
    ProximalGradient,
    solve,
)
from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.contract import name_of, require_trials
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.convex import convex_minimum
from parsimo.theory_checks.oracles.plain import plain_minimum
from parsimo.theory_checks.solver_trials import SolverTrial

__all__ = ["CHECKS", "check_solver", "random_problem"]

_PENALTIES: tuple[Any, ...] = (
    L1(0.1),
    ZeroNorm(0.1),
    Box(-0.5, 1.0),
    MCP(0.1, 0.3),
    Clustering(0.2, np.array([-1.0, 0.0, 0.7])),
    L1(0.02),
    SCAD(0.1, 0.3),
    CappedL1(0.1, 0.3),
)


def check_solver(
    solver: Any,
    rng: Seed = 0,
    trials: int = 16,
    problems: Sequence[Any] | None = None,
    tolerance: float = 1e-6,
    merit_falls: bool = True,
    run: Callable[..., Any] = solve,
) -> Evidence:
    """A solver does what the protocol of `parsimo.solvers.loop` asks of it.

    On each problem, from a random start:

    * `init` and `step` leave x0 and the given state as they are, and one state gives the same next state twice;
    * the point of the first state is x0, where the objective is finite there, and its residual is infinite;
    * `merit` does not rise; it is nowhere below the objective at the point of the state, and equals it at the first
      state and where the residual is below 1e-6. So no step leads above the objective of x0, and a merit that is
      constant or made up is none;
    * a residual below 1e-6 is that of a point which no longer moves, to 1e-3 of 1 + |x|;
    * a run ends no higher than it began; where the problem is convex and an oracle knows it, at the optimal value;
      else at a critical point, to the square root of `tolerance`, relative to 1 + the certificate of x0;
    * its status is CONVERGED where the certificate of x and the last residual meet the tolerance of the rule, and only
      there; also where certificate and natural residual of x are a hundred times smaller, whatever the solver's own
      residual; DIVERGED or NONFINITE only where the history has an objective that is not finite, or 1e6 times that of
      the start;
    * the result has the objective, the certificate and the figures of the problem at x, and as many iterations as its
      history has rows behind the start; x has the dtype and the shape of x0.

    Parameters
    ----------
    solver : Solver
    problems : sequence of Problem, optional
        One for each trial, in turn; by default `random_problem`, least squares and logistic loss with convex and
        nonconvex penalties, each penalty once in 8 trials and each pair once in 16. Those that `init` refuses with a
        TypeError or a ValueError are left out. The first of the others is tried in float32 too, which `init` may
        refuse with a TypeError that says float32.
    tolerance : float
        On optimal values, and on the merit of a settled run, relative to 1 + their size.
    merit_falls : bool
        Whether `merit` is to fall at every step; methods with extrapolation do not promise it. The rest is asked of it
        in any case: without a merit of its own a solver has the objective.
    run : callable
        Takes problem, solver, x0 and stop, as `solve` does.

    Raises
    ------
    TypeError
        If the solver lacks a method of the protocol, its state `point` or `u`, or a merit is no number.
    ValueError
        If there is no trial, no problem or no positive tolerance, or `measures` has no `residual`.

    Notes
    -----
    Optimal values are those of cvxpy, or of scipy's L-BFGS-B where cvxpy is not installed. The merit of proximal
    gradient and of alternating minimization is the objective; that of P-ADMM lies above it by docs/theory.md,
    Proposition 6.3, and comes down to it as |x - z| and |dx| vanish. A run stops where certificate and residual are
    1e-8, and after 4,000 steps. Two merits or objectives agree to 1e-10 of 1 + their size. In float32 these are
    64 units in the last place, certificates count to 100 units of 1 + |grad f(x0)|, and optimal values to 1,000.
    That a critical point is a good one is nowhere asked for. An error that is no refusal is passed on.
    """
    missing = [name for name in ("init", "step", "measures", "merit", "notes") if not hasattr(solver, name)]
    if missing or isinstance(solver, type):
        lacks = f"it lacks {', '.join(missing)}" if missing else "it is a class; pass an object"
        raise TypeError(f"check_solver: {solver!r} is no solver: {lacks}")
    require_trials(trials, tolerance)
    if problems is not None and len(problems) == 0:
        raise ValueError("check_solver: problems is empty; pass at least one, or leave it out for the default ones")
    rng = np.random.default_rng(rng)
    has_cvxpy = importlib.util.find_spec("cvxpy") is not None
    outcome = Trials(
        f"{solver!r}: steps are pure, the merit bounds the objective, the status is proved, convex problems are solved",
        f"definition of the protocol; optimal values by {'cvxpy' if has_cvxpy else 'L-BFGS-B'}",
        "least-squares and logistic problems with convex and nonconvex penalties" if problems is None else "as given",
    )
    oracle = convex_minimum if has_cvxpy else plain_minimum
    for problem, text, x0, state in _starts(outcome, solver, problems, rng, trials):
        case = f"solve({text}, {name_of(solver, 'solver')}, {text_of(x0)})"
        trial = SolverTrial(outcome, solver, problem, x0, case, tolerance)
        trial.start(state)
        trial.steps(state, merit_falls)
        trial.run(run, _optimum(problem, oracle))
    return outcome.evidence()


def _starts(
    outcome: Trials, solver: Any, problems: Sequence[Any] | None, rng: np.random.Generator, trials: int
) -> Iterator[tuple[Any, str, Any, Any]]:
    """Problems that the solver takes: each with its expression, a start, and the state there."""
    taken: tuple[int, int] | None = None
    for trial in range(trials):
        seed = int(rng.integers(2**31))
        if problems is None:
            problem, text = random_problem(trial, seed), f"random_problem({trial}, {seed})"
        else:
            k = trial % len(problems)
            problem, text = problems[k], f"problems[{k}]"
        x0 = _start(problem, rng)
        try:
            state = solver.init(problem, copy.deepcopy(x0))
        except (TypeError, ValueError):  # how a solver refuses a problem
            continue
        taken = taken or (trial, seed)
        yield problem, text, x0, state
    if problems is not None or taken is None:
        return
    problem, text = random_problem(*taken, "float32"), f'random_problem({taken[0]}, {taken[1]}, "float32")'
    x0 = _start(problem, rng)
    try:
        state = solver.init(problem, copy.deepcopy(x0))
    except (TypeError, ValueError) as error:
        says_so = isinstance(error, TypeError) and "float32" in str(error)
        said = f"is refused with {error!r}; say float32 in a TypeError if it is meant"
        call = f"{name_of(solver, 'solver')}.init({text}, {text_of(x0)})"
        outcome.add(1.0 if says_so else -1.0, f"{call}  # {said}")
    else:
        yield problem, text, x0, state


def _start(problem: Any, rng: np.random.Generator) -> Any:
    like = starting_point(problem, None)
    return like + asarray_like(rng.standard_normal(like.shape[0]), like)


def _optimum(problem: Any, oracle: Callable[[Any], tuple[float, Any]]) -> float | None:
    """The optimal value of a convex problem that the oracle knows."""
    traits = getattr(getattr(problem, "g", None), "traits", None)
    if traits is None or not traits.convex or not getattr(problem.f, "convex", False):
        return None
    try:
        return oracle(problem)[0]
    except TypeError:  # a data term or a penalty that it does not know
        return None


def random_problem(trial: int, seed: int, dtype: str = "float64") -> Composite:
    """A well conditioned problem of up to 8 variables.

    The penalty of `trial` is one of eight, the loss least squares or logistic in turn, and the other way round for
    trials 8 to 15.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    left, _, right = np.linalg.svd(rng.standard_normal((4 * n, n)), full_matrices=False)
    A = left * np.linspace(0.7, 1.3, n) @ right
    truth = np.where(np.arange(n) % 2 == 0, rng.choice([-2.0, 2.0], n), 0.0)
    many = len(_PENALTIES)
    g = _PENALTIES[trial % many]
    if (trial + trial // many) % 2 == 0:
        b = A @ truth + 0.1 * rng.standard_normal(4 * n)
        return Composite(LeastSquares(A.astype(dtype), b.astype(dtype)), g)
    labels = np.where(rng.random(4 * n) < expit(2 * A @ truth), 1.0, -1.0)
    A[:n], labels[:n] = A[-n:], -labels[-n:]  # both labels in n directions: there is a minimizer without any penalty
    return Composite(Logistic((2 * A).astype(dtype), labels.astype(dtype)), g)


_SOLVERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "proximal gradient": (ProximalGradient(), {"trials": 8}),
    "backtracking": (ProximalGradient(step_rule=Backtracking()), {"trials": 8}),
    "accelerated proximal gradient": (ProximalGradient(acceleration=Nesterov()), {"merit_falls": False}),
    "extrapolated proximal gradient": (ProximalGradient(acceleration=Anderson()), {"trials": 8}),
    "inertial proximal gradient": (ProximalGradient(acceleration=Inertial()), {"trials": 8}),
    "P-ADMM": (ProximalADMM(), {"trials": 8}),
    "linearized P-ADMM": (ProximalADMM(x_step=Linearized(), proximal_z=0.1), {"trials": 8}),
    "alternating minimization": (AlternatingMinimization(), {"trials": 8}),
    "PALM": (PALM(), {"trials": 8}),
    "inertial PALM": (PALM(inertia=0.3), {"trials": 8}),
}

CHECKS = tuple(
    Check(32, f"promises of {name}", partial(check_solver, solver, **how)) for name, (solver, how) in _SOLVERS.items()
)
