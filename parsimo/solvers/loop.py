"""The only loop and the only clock of the package."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass, replace
from typing import Any, Protocol

import numpy as np

from parsimo._array import Array, all_finite, norm
from parsimo.core.functions import Counting, Remembering
from parsimo.core.problem import Problem, certificate, count_nonzero, starting_point
from parsimo.core.result import History, Result, Status
from parsimo.solvers.observers import Table
from parsimo.solvers.stopping import Report, Stop, default_stop

__all__ = ["Observer", "Solver", "run", "solve"]

Observer = Callable[[Report], "Mapping[str, float] | bool | None"]
"""Called after each iteration, outside the solver's clock.

A mapping that it returns becomes columns of the history; True ends the run with the status STOPPED. An observer that
has a method `finish(result)` is called once more, with the result.
"""


_GROWTH = 4.0  # times longer than the last: more is not forecast of a step
_UNKNOWN = {"objective": math.nan, "certificate": math.nan, "support": math.nan}
"""Of an evaluated row, until it is known; `support` unless the solver measures it itself."""


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
    observe: Observer | Iterable[Observer] = (),
    every: int = 1,
    verbose: bool = False,
) -> Result:
    """Minimize a problem.

    Parameters
    ----------
    problem : Problem
        `Composite`, `ZeroNormProblem`, a penalized MPEC, a surrogate, or `ClusteringProblem`.
    solver : Solver
        Such as `ProximalGradient()` or `ProximalADMM()`; `solvers.REGISTRY` names all.
    x0 : array, optional
        Start; zero by default where f knows its shape. Left untouched.
    stop : Stop, optional
        By default certificate <= 1e-8 (looser for float32), at most 10,000 iterations, or stalled, or diverged.
    observe : Observer or iterable of Observer
        Called with a `Report` after each iteration. What one returns becomes columns of the history; True ends the run.
    every : int
        Evaluate objective, certificate, merit and support at every so many iterations only; rules that look at them
        wait. Each of the others costs little more than the solver's step.
    verbose : bool
        Print a table as the run goes on: `observe=observers.Table()`.

    Returns
    -------
    Result
        Always, whatever happened on the way; `result.require()` raises unless it converged.

    Raises
    ------
    TypeError, ValueError
        If problem, solver and x0 do not fit together, or another argument is not of its kind.
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
    if not isinstance(every, int | np.integer) or every < 1:
        raise ValueError(f"solve: every must be an integer >= 1, got {every!r}")
    if not isinstance(verbose, bool):
        raise TypeError(f"solve: verbose must be True or False, got {verbose!r}; for other tables pass observe=Table()")
    observers = _observers(observe) + ((Table(),) if verbose else ())
    return run(solver, problem, x0, stop=stop or default_stop(), observe=observers, every=every)


def _observers(observe: Any) -> tuple[Observer, ...]:
    observers = (observe,) if callable(observe) else tuple(observe)
    for observer in observers:
        if not callable(observer) or isinstance(observer, type):
            raise TypeError(f"solve: observe holds {observer!r}, which cannot be called; pass a function of a Report")
    return observers


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
    oracle = Counting(_between_looks(problem.f) if every > 1 else problem.f)
    counted, looked_at = replace(problem, f=oracle), replace(problem, f=Remembering(problem.f))
    history, best = History(), _Best()
    comparable = getattr(solver, "comparable_objectives", True)  # along a continuation they are not
    status, k, scale = Status.INTERRUPTED, 0, 0.0
    # Overflow and NaN become a status, not a warning: the loop looks for them.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        state = solver.init(counted, starting_point(problem, x0))
        watch.started()
        try:
            for k in itertools.count():
                measured = solver.measures(state)
                evaluate, residual = k % every == 0, measured["residual"]
                # Between evaluations a residual that is finite stands for a point that is: a look at it costs a pass.
                finite = (math.isfinite(residual) and not evaluate) or all_finite(state.point)
                row = {**measured, "iteration": k, "seconds": watch.seconds + oracle.borrowed, **oracle.calls}
                objective = proved = math.nan
                if evaluate:
                    row = _UNKNOWN | row
                    if finite:
                        oracle.lend(state.point, _seconds_of_a_pass(looked_at.f, state.point))
                        row |= _evaluation(solver, _current(looked_at, state), state, row["support"])
                        scale = norm(looked_at.f.grad(state.point)) if k == 0 else scale
                    objective, proved = row["objective"], row["certificate"]
                history.append(row)
                seconds, ahead = watch.wall_seconds, watch.ahead(evaluated=(k + 1) % every == 0)
                report = Report(k, state.point, proved, residual, objective, seconds, history, state, ahead, scale)
                asked_to_stop = False
                for observer in observers:
                    answer = observer(report)
                    if answer is True:
                        asked_to_stop = True
                    elif answer:
                        history.extend_last_row(answer)
                if not finite or (evaluate and not (objective > -math.inf and not math.isnan(proved))):
                    status = Status.NONFINITE
                    break
                if evaluate or best.objective == math.inf:
                    best.offer(objective if comparable else math.nan, state, _current(problem, state))
                if observers:  # their time has passed too
                    report = report._replace(seconds=watch.wall_seconds)
                reached = stop(report)
                if reached is None and asked_to_stop:
                    reached = Status.STOPPED
                if reached is not None:
                    if not isinstance(reached, Status):
                        raise TypeError(f"solve: stop must return a Status or None, got {reached!r}")
                    status = reached if evaluate or all_finite(state.point) else Status.NONFINITE
                    break
                if evaluate:
                    looked_at.f.forget()
                watch.looked(evaluate)
                del report  # and with it the state that is left
                try:
                    state = solver.step(counted, state)
                except FloatingPointError:
                    status = Status.NONFINITE
                    break
                watch.stepped()
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
            if comparable and all_finite(state.point):  # the last state may not have been offered yet
                best.offer(problem.value(state.point, state.u), state, problem)
        x, u, problem = state.point, state.u, _current(problem, state)
        if status in (Status.INTERRUPTED, Status.NONFINITE, Status.DIVERGED) and best.problem is not None:
            x, u, problem = best.x, best.u, best.problem
        looked_at = replace(problem, f=looked_at.f)
        u = problem.auxiliary(x, u)
        result = Result(
            x=x,
            status=status,
            certificate=certificate(looked_at, x, u),
            iterations=k,
            history=history,
            objective=looked_at.value(x, u),
            auxiliary=u,
            problem=problem,
            solver=repr(solver),
            figures=problem.describe(x, u),
            notes=(*problem.notes, *solver.notes(state), *getattr(oracle.f, "notes", ())),
            seconds=watch.wall_seconds,  # after all that was computed above
        )
    for observer in observers:
        if hasattr(observer, "finish"):
            observer.finish(result)
    return result


def _between_looks(f: Any) -> Any:
    """What the solver is given for f: its own quicker form, where it has one."""
    return f.repeated() if hasattr(type(f), "repeated") else f


def _current(problem: Any, state: Any) -> Any:
    """The problem of the last step: the given one, but along a continuation that of the path."""
    followed = getattr(state, "problem", None)
    return problem if followed is None else replace(followed, f=problem.f)


def _seconds_of_a_pass(f: Remembering, x: Array) -> float:
    """What f takes for value and gradient, both from one pass; what follows asks for one or the other."""
    start = time.perf_counter()
    f.value_and_grad(x)
    return time.perf_counter() - start


def _evaluation(solver: Solver, problem: Problem, state: State, support: float) -> dict[str, float]:
    """The figures of a state that cost an evaluation of f, or a pass over its point; `support` NaN is counted."""
    x, u = state.point, state.u
    row = {
        "objective": problem.value(x, u),
        "certificate": certificate(problem, x, u),
        "support": float(count_nonzero(x)) if math.isnan(support) else support,
        "merit": solver.merit(problem, state),
    }
    figures = problem.describe(x, u)
    return row | {n: float(v) for n, v in figures.items() if isinstance(v, float | int) and n != "|x|_0"}


class _Best:
    """The point of the lowest objective met so far; the first one until an objective is known."""

    def __init__(self) -> None:
        self.x: Array = None
        self.u: Any = None
        self.problem: Any = None
        self.objective = math.inf

    def offer(self, objective: float, state: State, problem: Any) -> None:
        unknown = math.isnan(objective)
        if self.problem is None or objective < self.objective or (unknown and self.objective == math.inf):
            self.x, self.u, self.problem = state.point, state.u, problem
            self.objective = math.inf if unknown else objective


class _Stopwatch:
    """Wall time since the start, the part of it spent in the solver, and a forecast of what comes."""

    def __init__(self) -> None:
        self._start = self._lap = time.perf_counter()
        self.seconds = 0.0
        """In `init` and `step` of the solver."""
        self._steps = 0.0, 0.0, 0.0  # the last three
        self._looks = [0.0, 0.0]  # the last without an evaluation, and the last with one

    @property
    def wall_seconds(self) -> float:
        return time.perf_counter() - self._start

    def started(self) -> None:
        """The first state is there."""
        self._lap = time.perf_counter()
        self.seconds = self._lap - self._start

    def stepped(self) -> None:
        """A step was taken."""
        now = time.perf_counter()
        length, self._lap = now - self._lap, now
        self.seconds += length
        _, before, last = self._steps
        self._steps = before, last, length

    def looked(self, evaluated: bool) -> None:
        """The loop and its observers have looked at a state, and may have evaluated it."""
        now = time.perf_counter()
        self._looks[evaluated], self._lap = now - self._lap, now

    def ahead(self, evaluated: bool) -> float:
        """What one more step, a look at it and the evaluation of the result would take, by the longest of late.

        Where the last three steps became longer and longer, as where a working set grows, the next is to do so again.
        """
        first, before, last = self._steps
        step = last * min(last / before, _GROWTH) if 0 < first < before < last else max(self._steps)
        return step + self._looks[evaluated] + self._looks[True]
