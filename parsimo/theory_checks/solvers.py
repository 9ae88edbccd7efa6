"""A solver against its promises: pure steps, a falling merit, a status that its certificate proves, right answers."""

from __future__ import annotations

import copy
import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

from parsimo._array import asarray_like, to_numpy
from parsimo.core.problem import Composite, certificate, starting_point
from parsimo.core.result import Status
from parsimo.penalties import L1, MCP, SCAD, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import LeastSquares, Logistic
from parsimo.solvers import AlternatingMinimization, Linearized, ProximalADMM, ProximalGradient, solve, stopping
from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.contract import require_trials
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.convex import convex_minimum
from parsimo.theory_checks.oracles.plain import plain_minimum

__all__ = ["CHECKS", "check_solver", "random_problem"]

_STEPS = 30  # that are looked at one by one in each trial
_CERTIFIED = 1e-8  # by the rule of the run
_STOP = stopping.first_of(stopping.certificate_below(_CERTIFIED, relative=0.0), stopping.max_iterations(4000))
_ROUNDING = 1e-10  # of merits and objectives, relative to 1 + their size
_SETTLED = 1e-6  # a residual below which the merit must have come down to the objective
_PENALTIES: tuple[Any, ...] = (
    L1(0.1),
    ZeroNorm(0.1),
    Box(-0.5, 1.0),
    MCP(0.1, 0.3),
    L1(0.02),
    Clustering(0.2, np.array([-1.0, 0.0, 0.7])),
    SCAD(0.1, 0.3),
    CappedL1(0.1, 0.3),
)


def check_solver(
    solver: Any,
    rng: Seed = 0,
    trials: int = 8,
    problems: Sequence[Any] | None = None,
    tolerance: float = 1e-6,
    merit_falls: bool = True,
    run: Callable[..., Any] = solve,
) -> Evidence:
    """A solver does what the protocol of `parsimo.solvers.loop` asks of it.

    On each problem, from a random start:

    * `init` and `step` leave x0 and the given state as they are, and one state gives the same next state twice;
    * the point of the first state is x0, where the objective is finite there;
    * `merit` does not rise; it is nowhere below the objective at the point of the state, and equals it at the first
      state and where the residual is below 1e-6. So no step leads above the objective of x0, and a merit that is
      constant or made up is none;
    * the result has the objective of the problem at x, the certificate of x, and status CONVERGED only where that
      certificate meets the tolerance of the rule; x has the dtype and the shape of x0;
    * where the problem is convex and an oracle knows it, the objective is the optimal value.

    Parameters
    ----------
    solver : Solver
    problems : sequence of Problem, optional
        One for each trial, in turn; by default least-squares and logistic problems with convex and nonconvex penalties,
        of up to 8 variables. Those that `init` refuses with a TypeError or a ValueError are left out.
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
    Proposition 6.3, and comes down to it as |x - z| and |dx| vanish.
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
    for trial in range(trials):
        if problems is None:
            seed = int(rng.integers(2**31))
            problem, text = random_problem(trial, seed), f"random_problem({trial}, {seed})"
        else:
            k = trial % len(problems)
            problem, text = problems[k], f"problems[{k}]"
        like = starting_point(problem, None)
        x0 = like + asarray_like(rng.standard_normal(like.shape[0]), like)
        try:
            state = solver.init(problem, copy.deepcopy(x0))
        except (TypeError, ValueError):  # how a solver refuses a problem
            continue
        case = f"solve({text}, solver, {text_of(x0)})"
        _require_report(solver, state)
        _try_start(outcome, solver, problem, state, x0, case)
        _try_steps(outcome, solver, problem, state, case, merit_falls)
        before = to_numpy(x0).copy()
        result = run(problem, solver, x0, stop=_STOP)
        kept = np.array_equal(to_numpy(x0), before) and result.x.dtype == x0.dtype and result.x.shape == x0.shape
        outcome.add(tolerance if kept else -1.0, f"{case}  # x0 is left as it is, and x is of its kind")
        _try_result(outcome, problem, result, case)
        _try_settled(outcome, result, case, tolerance)
        optimum = _optimum(problem, convex_minimum if has_cvxpy else plain_minimum)
        if optimum is not None:
            gap = abs(float(problem.value(result.x)) - optimum) / (1 + abs(optimum))
            outcome.add(tolerance - gap, f"{case}  # optimal value {optimum!r}, {result.status.name}")
    return outcome.evidence()


def _require_report(solver: Any, state: Any) -> None:
    """What the loop reads of a state."""
    missing = [name for name in ("point", "u") if not hasattr(state, name)]
    if missing:
        raise TypeError(
            f"check_solver: the state of {solver!r} lacks {' and '.join(missing)}; give it `point`, what would be "
            "returned now, and `u`, the auxiliary variables that go with it"
        )
    measures = solver.measures(state)
    if not isinstance(measures, Mapping) or "residual" not in measures:
        raise ValueError(
            f"check_solver: measures of {solver!r} must be a dict with `residual`, the length of the last step in "
            f"units of a gradient, got {measures!r}"
        )


def _merit(solver: Any, problem: Any, state: Any) -> float:
    merit = solver.merit(problem, state)
    if not isinstance(merit, float | int):
        raise TypeError(
            f"check_solver: merit of {solver!r} must be a float, got {merit!r} of {type(merit).__name__}; return "
            "problem.value(state.point, state.u) where there is no other"
        )
    return float(merit)


def _above(merit: float, objective: float) -> float:
    """By how much a merit exceeds an objective, relative to 1 + its size; both may be infinite."""
    return 0.0 if merit == objective else (merit - objective) / (1 + abs(objective))


def _try_start(outcome: Trials, solver: Any, problem: Any, state: Any, x0: Any, case: str) -> None:
    """The run begins at x0, and its merit at the objective there."""
    objective = float(problem.value(x0))
    if objective < math.inf:  # into the domain of R a solver may move first
        at_x0 = np.array_equal(to_numpy(state.point), to_numpy(x0))
        outcome.add(1.0 if at_x0 else -1.0, f"{case}  # the point of the first state is not x0")
    merit, objective = _merit(solver, problem, state), float(problem.value(state.point, state.u))
    outcome.add(
        _ROUNDING - abs(_above(merit, objective)), f"{case}  # merit {merit!r} at the start, objective {objective!r}"
    )


def _try_steps(outcome: Trials, solver: Any, problem: Any, state: Any, case: str, merit_falls: bool) -> None:
    """Purity of each step, and the merit along them."""
    merit = _merit(solver, problem, state)
    for k in range(_STEPS):
        given = copy.deepcopy(state)
        following = solver.step(problem, state)
        first = copy.deepcopy(following)
        untouched = _apart(state, given) == 0
        again = _apart(solver.step(problem, state), first)
        outcome.add(1.0 if untouched else -1.0, f"{case}  # step {k} writes to the state it is given")
        outcome.add(_ROUNDING - again, f"{case}  # step {k} taken twice")
        after, objective = _merit(solver, problem, following), float(problem.value(following.point, following.u))
        if merit_falls and merit != math.inf:  # a start outside the domain of R is infinitely high
            outcome.add(_ROUNDING - (after - merit) / (1 + abs(merit)), f"{case}  # merit at step {k}")
        outcome.add(
            _ROUNDING + _above(after, objective),
            f"{case}  # merit {after!r} after step {k}, below the objective {objective!r}",
        )
        state, merit = following, after


def _try_settled(outcome: Trials, result: Any, case: str, tolerance: float) -> None:
    """Where the last step was short, the merit is the objective."""
    history = result.history
    columns = zip(history["residual"], history["merit"], history["objective"], strict=True)
    above = [abs(_above(merit, objective)) for residual, merit, objective in columns if residual <= _SETTLED]
    if above:
        outcome.add(tolerance - max(above), f"{case}  # merit and objective, where the residual is at most {_SETTLED}")


def _try_result(outcome: Trials, problem: Any, result: Any, case: str) -> None:
    """Objective, certificate and status, from the problem at the returned point."""
    objective, distance = (
        float(problem.value(result.x, result.auxiliary)),
        certificate(problem, result.x, result.auxiliary),
    )
    apart = max(
        abs(result.objective - objective) / (1 + abs(objective)),
        abs(result.certificate - distance) / (1 + distance) if math.isfinite(distance) else 0.0,
    )
    outcome.add(_ROUNDING - apart, f"{case}  # objective {result.objective!r}, certificate {result.certificate!r}")
    if result.status is Status.CONVERGED:
        outcome.add(_CERTIFIED * (1 + 1e-6) - distance, f"{case}  # CONVERGED with certificate {distance!r}")


def _optimum(problem: Any, oracle: Callable[[Any], tuple[float, Any]]) -> float | None:
    """The optimal value of a convex problem that the oracle knows."""
    traits = getattr(getattr(problem, "g", None), "traits", None)
    if traits is None or not traits.convex or not getattr(problem.f, "convex", False):
        return None
    try:
        return oracle(problem)[0]
    except TypeError:  # a data term or a penalty that it does not know
        return None


def _apart(a: Any, b: Any) -> float:
    """The largest relative difference of the numbers in two states; infinite where they are built differently."""
    if type(a) is not type(b):
        return math.inf
    if is_dataclass(a):
        return max((_apart(getattr(a, field.name), getattr(b, field.name)) for field in fields(a)), default=0.0)
    if isinstance(a, tuple | list):
        return max((_apart(*pair) for pair in zip(a, b, strict=True)), default=0.0) if len(a) == len(b) else math.inf
    if isinstance(a, dict):
        return max((_apart(a[key], b[key]) for key in a), default=0.0) if a.keys() == b.keys() else math.inf
    if isinstance(a, int | str | None):
        return 0.0 if a == b else math.inf
    if isinstance(a, np.random.Generator):
        return _apart(a.bit_generator.state, b.bit_generator.state)
    if not hasattr(a, "dtype") and not isinstance(a, float):
        if hasattr(a, "value") or not hasattr(a, "__dict__"):
            return 0.0  # a function or a problem: what it keeps between calls is its own
        return _apart(vars(a), vars(b))
    one, other = to_numpy(a), to_numpy(b)
    if one.shape != other.shape or one.dtype != other.dtype:
        return math.inf
    same = (one == other) | (np.isnan(one) & np.isnan(other)) if one.dtype.kind == "f" else one == other
    if same.all():
        return 0.0
    gap = np.where(same, 0.0, np.abs(one.astype(float) - other.astype(float)))
    return float(gap.max() / (1 + np.abs(np.where(same, 0.0, one)).max()))


def random_problem(trial: int, seed: int) -> Composite:
    """A well conditioned problem of up to 8 variables: least squares for an even trial, logistic for an odd one."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    left, _, right = np.linalg.svd(rng.standard_normal((4 * n, n)), full_matrices=False)
    A = left * np.linspace(0.7, 1.3, n) @ right
    truth = np.where(np.arange(n) % 2 == 0, rng.choice([-2.0, 2.0], n), 0.0)
    g = _PENALTIES[trial // 2 % len(_PENALTIES)]
    if trial % 2 == 0:
        return Composite(LeastSquares(A, A @ truth + 0.1 * rng.standard_normal(4 * n)), g)
    return Composite(Logistic(2 * A, np.where(rng.random(4 * n) < expit(2 * A @ truth), 1.0, -1.0)), g)


_SOLVERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "proximal gradient": (ProximalGradient(), {}),
    "backtracking": (ProximalGradient(backtracking=True), {}),
    "accelerated proximal gradient": (ProximalGradient(accelerate=True), {"merit_falls": False}),
    "P-ADMM": (ProximalADMM(), {"trials": 6}),
    "linearized P-ADMM": (ProximalADMM(x_step=Linearized(), proximal_z=0.1), {"trials": 6}),
    "alternating minimization": (AlternatingMinimization(), {}),
}

CHECKS = tuple(
    Check(32, f"promises of {name}", partial(check_solver, solver, **how)) for name, (solver, how) in _SOLVERS.items()
)
