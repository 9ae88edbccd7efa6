"""The only loop and the only clock of the package."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass, replace
from typing import Any, Protocol

import numpy as np

from parsimo._array import Array, inner
from parsimo.core.functions import Counting
from parsimo.core.problem import Problem, certificate, count_nonzero, starting_point
from parsimo.core.result import History, Result, Status
from parsimo.solvers.stopping import Report, Stop, default_stop

__all__ = ["Observer", "Solver", "run", "solve"]

Observer = Callable[[Report], Mapping[str, float] | None]
"""Called after each iteration; what it returns becomes columns of the history."""


class State(Protocol):
    """What the next step needs; each solver has its own."""

    @property
    def point(self) -> Array:
        """The point that would be returned now."""

    @property
    def u(self) -> Any:
        """The auxiliary variables that go with it."""


class Solver(Protocol):
    """A frozen set of hyperparameters with a pure step."""

    def init(self, problem: Problem, x0: Array) -> Any:
        """The state to start from; refuses a problem it cannot solve."""

    def step(self, problem: Problem, state: Any) -> Any:
        """The next state; the given one is left as it was."""

    def measures(self, state: Any) -> dict[str, float]:
        """Figures of the state that cost nothing, for the history; among them `residual`."""

    def merit(self, problem: Problem, state: Any) -> float:
        """The function that theory says falls at every step."""

    def notes(self, state: Any) -> tuple[str, ...]:
        """What a reader of the result must know: constants that were estimated, rules that were chosen."""


def solve(
    problem: Any,
    solver: Any,
    x0: Array | None = None,
    stop: Stop | None = None,
    observe: Iterable[Observer] = (),
    every: int = 1,
) -> Result:
    """Minimize a problem.

    Parameters
    ----------
    problem : Problem
        `Composite`, `ZeroNormProblem`, a penalized MPEC, a surrogate, or `ClusteringProblem`.
    solver : Solver
        `ProximalGradient`, `ProximalADMM` or `AlternatingMinimization`.
    x0 : array, optional
        Start; zero by default where f knows its shape. Left untouched.
    stop : Stop, optional
        By default certificate <= 1e-8 (looser for float32), at most 10,000 iterations, or stalled, or diverged.
    observe : Observer or iterable of Observer
        Called with a `Report` after each iteration.
    every : int
        Evaluate objective, certificate and merit at every so many iterations only; rules that look at them wait.

    Returns
    -------
    Result
        Always, whatever happened on the way; `result.require()` raises unless it converged.

    Raises
    ------
    TypeError, ValueError
        If problem, solver and x0 do not fit together.
    FloatingPointError
        If the gradient at the start has NaN or infinite entries and the solver needs it to begin.
    KeyboardInterrupt
        If it comes before the first iteration, when there is no point to return yet.
    """
    missing = [name for name in ("init", "step", "measures", "merit", "notes") if not hasattr(solver, name)]
    if missing or isinstance(solver, type):
        lacks = f"it lacks {', '.join(missing)}" if missing else "it is a class"
        raise TypeError(f"solve: {solver!r} is not a solver object: {lacks}; pass for example ProximalADMM()")
    if isinstance(problem, type):
        raise TypeError(f"solve: {problem.__name__} is a class; pass an object of it")
    for name in ("f", "prox", "given", "auxiliary"):
        if not hasattr(problem, name):
            raise TypeError(
                f"solve: {type(problem).__name__} is not a problem: it lacks {name}; "
                "wrap f and g in Composite(f, g), or call penalize() or eliminate() on an MPEC first"
            )
    if not is_dataclass(problem):
        raise TypeError(f"solve: {problem!r} must be a dataclass, so that calls of its f can be counted")
    if stop is not None and not callable(stop):
        raise TypeError(f"solve: stop must be a rule such as stopping.max_iterations(100), got {stop!r}")
    if callable(observe):
        observe = (observe,)
    if every < 1:
        raise ValueError(f"solve: every must be at least 1, got {every}")
    return run(solver, problem, x0, stop=stop or default_stop(), observe=observe, every=every)


def run(
    solver: Solver,
    problem: Any,
    x0: Array | None = None,
    *,
    stop: Stop,
    observe: Iterable[Observer] = (),
    every: int = 1,
) -> Result:
    """`solve`, with a stopping rule that must be given."""
    watch = _Stopwatch()
    observers = tuple(observe)
    oracle = Counting(problem.f)
    counted = replace(problem, f=oracle)
    history = History()
    status, k, best = Status.INTERRUPTED, 0, _Best()
    comparable = getattr(solver, "comparable_objectives", True)  # along a continuation they are not
    # Overflow and NaN become a status, not a warning: the loop looks for them after every step.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        state = solver.init(counted, starting_point(problem, x0))
        try:
            for k in itertools.count():
                evaluate = k % every == 0 and _is_finite(state.point)
                with watch.paused():
                    row = _row(solver, _current(problem, state), state, evaluate)
                row |= {"iteration": k, "seconds": watch.seconds, **oracle.calls}
                history.append(row)
                report = Report(
                    iteration=k,
                    x=state.point,
                    certificate=row["certificate"],
                    residual=row["residual"],
                    objective=row["objective"],
                    seconds=watch.wall_seconds,
                    history=history,
                    state=state,
                )
                for observer in observers:
                    history.extend_last_row(observer(report) or {})
                proven = report.objective > -math.inf and not math.isnan(report.certificate)
                if not _is_finite(state.point) or (evaluate and not proven):
                    status = Status.NONFINITE
                    break
                best.offer(report.objective if comparable else math.nan, state)
                reached = stop(report)
                if reached is not None:
                    if not isinstance(reached, Status):
                        raise TypeError(f"solve: stop must return a Status or None, got {reached!r}")
                    status = reached
                    break
                try:
                    state = solver.step(counted, state)
                except FloatingPointError:
                    status = Status.NONFINITE
                    break
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
            if comparable and _is_finite(state.point):  # the last state may not have been offered yet
                best.offer(problem.value(state.point, state.u), state)
        if status in (Status.INTERRUPTED, Status.NONFINITE, Status.DIVERGED):
            state = best.state or state
        problem = _current(problem, state)
        x, u = state.point, problem.auxiliary(state.point, state.u)
        return Result(
            x=x,
            status=status,
            certificate=certificate(problem, x, u),
            iterations=k,
            seconds=watch.wall_seconds,
            history=history,
            objective=problem.value(x, u),
            auxiliary=u,
            problem=problem,
            solver=repr(solver),
            figures=problem.describe(x, u),
            notes=(*problem.notes, *solver.notes(state)),
        )


def _current(problem: Any, state: Any) -> Any:
    """The problem of the last step: the given one, but along a continuation that of the path."""
    followed = getattr(state, "problem", None)
    return problem if followed is None else replace(followed, f=problem.f)


def _row(solver: Solver, problem: Problem, state: State, evaluate: bool) -> dict[str, float]:
    """The figures of one iteration; with `evaluate` false, only those that cost nothing."""
    x, u = state.point, state.u
    unknown = {"objective": math.nan, "certificate": math.nan, "support": float(count_nonzero(x))}
    row: dict[str, float] = unknown | solver.measures(state)
    if evaluate:
        figures = problem.describe(x, u)
        row |= {
            "objective": problem.value(x, u),
            "certificate": certificate(problem, x, u),
            "merit": solver.merit(problem, state),
        }
        row |= {n: float(v) for n, v in figures.items() if isinstance(v, float | int) and n != "|x|_0"}
    return row


def _is_finite(x: Array) -> bool:
    return math.isfinite(inner(x, x))


class _Best:
    """The state of the lowest objective met so far; the first one until an objective is known."""

    def __init__(self) -> None:
        self.state: Any = None
        self._objective = math.inf

    def offer(self, objective: float, state: Any) -> None:
        if self.state is None or objective < self._objective or (math.isnan(objective) and self._objective == math.inf):
            self.state = state
            self._objective = math.inf if math.isnan(objective) else objective


class _Stopwatch:
    """Wall time since the start, and the part of it spent outside `paused` blocks."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._paused = 0.0

    @property
    def wall_seconds(self) -> float:
        return time.perf_counter() - self._start

    @property
    def seconds(self) -> float:
        return self.wall_seconds - self._paused

    @contextmanager
    def paused(self) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._paused += time.perf_counter() - begin
