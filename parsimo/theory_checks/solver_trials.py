"""Trials of a solver on one problem: its start, its steps one by one, and a whole run."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any

import numpy as np

from parsimo._array import norm, to_numpy
from parsimo.core.problem import certificate, natural_residual
from parsimo.core.result import Status
from parsimo.solvers import stopping
from parsimo.solvers.lipschitz import curvature_at
from parsimo.theory_checks.evidence import Trials

__all__ = ["SolverTrial"]

_STEPS = 30  # that are looked at one by one in each trial
_MOST_STEPS = 4000  # of a run
_CERTIFIED = 1e-8  # by the rule of the run
_CERTIFIED_ULPS = 100  # of 1 + |grad f(x0)|, where that is more: in single precision it is
_ROUNDING = 1e-10  # of merits and objectives, relative to 1 + their size
_ROUNDING_ULPS = 64  # of the same, where that is more
_OPTIMAL_ULPS = 1000  # of 1 + the optimal value, where that is more than the tolerance
_SETTLED = 1e-6  # a residual below which the merit must have come down to the objective
_STILL = 1e-3  # relative to 1 + |x|: how far at most a step goes whose residual is that small
_CLEARLY = 100.0  # times below the tolerance: there a point is critical whatever the last step was
_BLOWN_UP = 1e6  # objectives relative to 1 + that of the start


@dataclass(frozen=True)
class SolverTrial:
    """A solver on one problem from one start; each method adds what it saw to the outcome."""

    outcome: Trials
    solver: Any
    problem: Any
    x0: Any
    """The start, (n,); `problem.f` has values there."""
    case: str
    """The call of `solve`, as an expression."""
    tolerance: float
    """On optimal values, and on the merit of a settled run, relative to 1 + their size."""

    def add(self, margin: float, said: str) -> None:
        """One trial, with what it is about."""
        self.outcome.add(margin, f"{self.case}  # {said}")

    def demand(self, kept: bool, otherwise: str) -> None:
        """One trial that is kept or broken, with nothing between."""
        self.add(1.0 if kept else -1.0, otherwise)

    @cached_property
    def epsilon(self) -> float:
        """The unit in the last place of the dtype of x."""
        return float(np.finfo(to_numpy(self.x0).dtype).eps)

    @cached_property
    def rounding(self) -> float:
        """What two ways to compute a merit or an objective may differ by, relative to 1 + their size."""
        return max(_ROUNDING, _ROUNDING_ULPS * self.epsilon)

    @cached_property
    def gap(self) -> float:
        """How far an objective may be from optimal, relative to 1 + its size."""
        return max(self.tolerance, _OPTIMAL_ULPS * self.epsilon)

    @cached_property
    def certified(self) -> float:
        """The tolerance of a run, on certificate and residual."""
        return max(_CERTIFIED, _CERTIFIED_ULPS * self.epsilon * (1 + norm(self.problem.f.grad(self.x0))))

    # ---- the start and the steps

    def start(self, state: Any) -> None:
        """The run begins at x0, no step has been taken, and the merit is the objective there."""
        missing = [name for name in ("point", "u") if not hasattr(state, name)]
        if missing:
            raise TypeError(
                f"check_solver: the state of {self.solver!r} lacks {' and '.join(missing)}; give it `point`, what "
                "would be returned now, and `u`, the auxiliary variables that go with it"
            )
        objective = float(self.problem.value(self.x0))
        if objective < math.inf:  # into the domain of R a solver may move first
            at_x0 = np.array_equal(to_numpy(state.point), to_numpy(self.x0))
            self.demand(at_x0, "the point of the first state is not x0")
        residual = self._residual(state)
        self.demand(residual == math.inf, f"residual {residual!r} before the first step, which is infinite by contract")
        merit, objective = self._merit(state), float(self.problem.value(state.point, state.u))
        self.add(
            self.rounding - abs(_above(merit, objective)), f"merit {merit!r} at the start, objective {objective!r}"
        )

    def steps(self, state: Any, merit_falls: bool) -> None:
        """Purity of each step, and merit and residual along them."""
        solver, problem = self.solver, self.problem
        merit, residual = self._merit(state), self._residual(state)
        for k in range(_STEPS):
            given = copy.deepcopy(state)
            following = solver.step(problem, state)
            first = copy.deepcopy(following)
            self.demand(_apart(state, given) == 0, f"step {k} writes to the state it is given")
            apart = _apart(solver.step(problem, state), first)
            self.add(_ROUNDING - apart, f"step {k} taken twice from one state leads {apart!r} apart")
            after, objective = self._merit(following), float(problem.value(following.point, following.u))
            if merit_falls and merit != math.inf:  # a start outside the domain of R is infinitely high
                said = f"step {k} takes the merit from {merit!r} to {after!r}"
                self.add(self.rounding - (after - merit) / (1 + abs(merit)), said)
            said = f"merit {after!r} after step {k}, no less than the objective {objective!r}"
            self.add(self.rounding + _above(after, objective), said)

            length, before = norm(following.point - state.point), residual
            state, merit, residual = following, after, self._residual(following)
            if following.u is None and max(before, residual) <= _SETTLED:  # with u both may be of other problems
                said = f"residual {residual!r} after step {k}, which is of length {length!r}: below 1e-6 points rest"
                self.add(_STILL * (1 + norm(state.point)) - length, said)

    def _merit(self, state: Any) -> float:
        merit = self.solver.merit(self.problem, state)
        if not isinstance(merit, float | int):
            raise TypeError(
                f"check_solver: merit of {self.solver!r} must be a float, got {merit!r} of {type(merit).__name__}; "
                "return problem.value(state.point, state.u) where there is no other"
            )
        return float(merit)

    def _residual(self, state: Any) -> float:
        measures = self.solver.measures(state)
        if not isinstance(measures, Mapping) or "residual" not in measures:
            raise ValueError(
                f"check_solver: measures of {self.solver!r} must be a dict with `residual`, the length of the last "
                f"step in units of a gradient, got {measures!r}"
            )
        return float(measures["residual"])

    # ---- a run

    def run(self, run: Callable[..., Any], optimum: float | None) -> None:
        """A run to the end: what it reports, why it says that it ended, and where.

        Parameters
        ----------
        run : callable
            As `solve`.
        optimum : float or None
            The optimal value of the problem, where it is known.
        """
        x0, problem = self.x0, self.problem
        before = to_numpy(x0).copy()
        rule = stopping.first_of(
            stopping.certificate_below(self.certified, relative=0.0), stopping.max_iterations(_MOST_STEPS)
        )
        result = run(problem, self.solver, x0, stop=rule)
        kept = np.array_equal(to_numpy(x0), before) and result.x.dtype == x0.dtype and result.x.shape == x0.shape
        self.demand(kept, "x0 is written to, or x is not of its kind")
        self._report(result)
        self._status(result)
        self._settled(result)
        objective, start = float(problem.value(result.x, result.auxiliary)), float(problem.value(x0))
        if start < math.inf:
            said = f"the run ends at {objective!r}, and began at {start!r}"
            self.add(self.rounding - _above(objective, start), said)
        if optimum is not None:
            gap = abs(objective - optimum) / (1 + abs(optimum))
            said = f"objective {objective!r}, optimal value {optimum!r}, {result.status.name}"
            self.add(self.gap - gap, said)
        else:  # a gap of objectives goes with the square of a gradient
            distance, at_start = certificate(problem, result.x, result.auxiliary), certificate(problem, x0)
            size = 1 + (at_start if math.isfinite(at_start) else norm(problem.f.grad(x0)))
            said = f"{result.status.name} with certificate {distance!r}, {at_start!r} at the start"
            self.add(math.sqrt(self.gap) - distance / size, said)

    def _report(self, result: Any) -> None:
        """Objective, certificate, figures and iterations, from the problem at the returned point and the history."""
        x, u = result.x, result.auxiliary
        objective, distance = float(self.problem.value(x, u)), certificate(self.problem, x, u)
        apart = max(
            abs(_above(result.objective, objective)),
            abs(result.certificate - distance) / (1 + distance) if math.isfinite(distance) else 0.0,
        )
        self.add(self.rounding - apart, f"objective {result.objective!r}, certificate {result.certificate!r}")
        figures, rows = self.problem.describe(x, u), result.history.rows
        self.demand(_same_figures(result.figures, figures, self.rounding), f"figures {result.figures}, not {figures}")
        said = f"{result.iterations} iterations, {rows} rows of the history, which begin with the start"
        self.demand(result.iterations == rows - 1, said)

    def _status(self, result: Any) -> None:
        """CONVERGED only and always where it is proved, and no other ending than the history shows."""
        status, history = result.status, result.history
        distance, last = certificate(self.problem, result.x, result.auxiliary), history["residual"][-1]
        said = f"{status.name} with certificate {distance!r} and residual {last!r} of the last step"
        allowed = self.certified * (1 + 1e-6)
        if status is Status.CONVERGED:
            self.add((allowed - max(distance, last)) / allowed, said)
            return
        step_size = 1 / curvature_at(self.problem.f, result.x).value
        moves = natural_residual(self.problem, result.x, step_size, result.auxiliary)
        settled = distance < self.certified and last < self.certified
        still = distance < self.certified / _CLEARLY and moves < self.certified / _CLEARLY
        self.demand(not (settled or still), f"{said}, and natural residual {moves!r}: this is convergence")
        if status in (Status.DIVERGED, Status.NONFINITE):
            self.demand(_blew_up(history), f"{said}, but the history has no objective that is infinite or large")
        if status in (Status.INTERRUPTED, Status.TIME_LIMIT, Status.STOPPED):
            self.demand(False, f"{said}; the rule of this run says no such thing")

    def _settled(self, result: Any) -> None:
        """Where the last step was short, the merit is the objective."""
        history = result.history
        columns = zip(history["residual"], history["merit"], history["objective"], strict=True)
        above = [abs(_above(merit, objective)) for residual, merit, objective in columns if residual <= _SETTLED]
        if above:
            said = f"where the residual is at most {_SETTLED}, merit and objective are {max(above)!r} apart at most"
            self.add(max(self.tolerance, self.rounding) - max(above), said)


def _above(merit: float, objective: float) -> float:
    """By how much a merit exceeds an objective, relative to 1 + its size; both may be infinite."""
    return 0.0 if merit == objective else (merit - objective) / (1 + abs(objective))


def _blew_up(history: Any) -> bool:
    """Whether an objective or a certificate is not finite from some step on, or far beyond the first objectives."""
    objectives, certificates = (np.array(history[name][1:]) for name in ("objective", "certificate"))
    first = history["objective"][0]
    limit = _BLOWN_UP * (1 + abs(first)) if math.isfinite(first) else math.inf
    return not (np.isfinite(certificates).all() and (np.abs(objectives) < limit).all())


def _same_figures(stated: dict[str, Any], found: dict[str, Any], rounding: float) -> bool:
    """Whether the names are the same, and the numbers behind them up to rounding."""

    def agree(one: Any, other: Any) -> bool:
        if isinstance(one, str) or isinstance(other, str):
            return bool(one == other)
        return one == other or abs(one - other) <= rounding * (1 + abs(other)) or (one != one and other != other)

    return stated.keys() == found.keys() and all(agree(stated[name], found[name]) for name in found)


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
