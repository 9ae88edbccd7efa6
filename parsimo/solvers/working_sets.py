"""Proximal gradient that solves, between two of its steps, the same problem on few coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from parsimo._array import Array, array_namespace
from parsimo.core.functions import Remembering
from parsimo.core.problem import Composite, PlainPenalty, certificate
from parsimo.core.validation import check_number
from parsimo.solvers.acceleration import Start
from parsimo.solvers.linesearch import Trial

__all__ = ["OnWorkingSets", "WorkingSets", "can_be_restricted"]

_MOST = 2  # times more coordinates than in a working set: with fewer, a solve on it saves little
_PATIENCE = 20  # iterations without a new least residual, after which a solve is at its rounding


@dataclass(frozen=True)
class WorkingSets:
    """Steps from x, each followed by a solve on a working set W, the other coordinates 0.

    W holds the nonzeros of x and, of the other coordinates that the step x+ moves, the largest. From x+ on W, steps of
    Barzilai and Borwein lower F there until the certificate on W is at most `accuracy` times the residual of the
    step. The point is taken if it passes the test of the step, (7.4), so that all it promises still holds
    (docs/theory.md, Proposition 7.7).

    Parameters
    ----------
    smallest : int
        Coordinates in W at least, where the step moves so many.
    growth : float
        Coordinates in W at most, in multiples of the nonzeros of x; at least 1.
    accuracy : float
        Between 0 and 1, both excluded.
    iterations : int
        Of a solve at most; one costs a fraction |W|/n of an iteration of the whole, or less.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Notes
    -----
    Working sets of this kind: Johnson and Guestrin, ICML 2015; Massias, Gramfort and Salmon, ICML 2018; for nonconvex
    penalties Rakotomamonjy et al., AISTATS 2022, and Bertrand et al., NeurIPS 2022.
    """

    smallest: int = 100
    growth: float = 3.0
    accuracy: float = 0.01
    iterations: int = 100

    def __post_init__(self) -> None:
        for name in ("smallest", "iterations"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ValueError(f"WorkingSets: {name} must be an integer >= 1, got {count!r}")
        for name in ("growth", "accuracy"):
            object.__setattr__(self, name, check_number(getattr(self, name), f"WorkingSets: {name}", positive=True))
        if self.growth < 1:
            raise ValueError(f"WorkingSets: growth must be at least 1, got {self.growth}")
        if self.accuracy >= 1:
            raise ValueError(f"WorkingSets: accuracy must be below 1, got {self.accuracy}")


class Work(NamedTuple):
    """A working set."""

    chosen: Array
    """Which coordinates are in it, (n,) of bool."""
    index: Array
    """The same as rising indices."""
    f: Any
    """The smooth part on them."""


class Offer(NamedTuple):
    """A point in place of a trial x+."""

    x: Array
    """The point, (n,)."""
    u: Any
    """Auxiliary variables that go with it."""
    base: Array
    """Where the step started, (n,)."""
    length: float
    """|x+ - base|^2."""
    step_size: float
    """gamma of x+."""
    work: Work
    """The working set that it was found on."""


def can_be_restricted(problem: Any) -> bool:
    """Whether the problem can be stated on few coordinates, and that saves something."""
    return (
        isinstance(problem, PlainPenalty)
        and getattr(problem.f, "restricted", None) is not None
        and getattr(problem.g, "restricted", None) is not None
    )


@dataclass(frozen=True)
class OnWorkingSets:
    """The acceleration of `WorkingSets`, by a solver for the problems on them."""

    sets: WorkingSets
    solver: Any
    """A function of the first step size."""

    def first(self, problem: Any, x0: Array, u: Any) -> None:
        """No working set.

        Raises
        ------
        ValueError
            If the problem cannot be restricted.
        """
        if not can_be_restricted(problem):
            raise ValueError(
                f"WorkingSets() needs f and g that can be restricted to few coordinates, with columns at hand that "
                f"are dear to multiply, but {type(problem).__name__} has f={problem.f!r}; leave it out"
            )

    def start(self, problem: Any, state: Any) -> Start:
        """x itself."""
        return Start(state.x, state.x, math.nan)

    def offer(self, problem: Any, state: Any, trial: Trial) -> Any:
        """The point that the solve on the working set leads to; the trial itself where that saves little."""
        work, residual = self._work(problem, state, trial.x), math.sqrt(trial.length) / trial.step_size
        if work is None or not 0 < residual < math.inf:
            return trial
        x = array_namespace(trial.x).take(trial.x, work.index)
        small = Composite(work.f, problem.g.restricted(work.index, trial.x))
        found = self._descent(small, x, trial.step_size, residual)
        return Offer(_spread(found, work.chosen), trial.u, trial.base, trial.length, trial.step_size, work)

    def end(self, problem: Any, state: Any, start: Start, taken: Any, excess: float) -> tuple[Array, Any, Any, float]:
        """The point taken, and the last working set."""
        return taken.x, taken.u, taken.work if isinstance(taken, Offer) else state.kept, excess

    def _descent(self, small: Composite, x: Array, step_size: float, residual: float) -> Array:
        """Where steps on a working set lead from x; what comes of them is judged by F."""
        solver, tolerance = self.solver(step_size), self.sets.accuracy * residual
        state, least, since = solver.init(small, x), math.inf, 0
        for k in range(self.sets.iterations):
            state = solver.step(small, state)
            if not state.residual > tolerance and not certificate(small, state.x) > tolerance:
                break
            if state.residual < least:
                least, since = state.residual, k
            elif k - since >= _PATIENCE:
                break
        return state.x

    def _work(self, problem: Any, state: Any, moved: Array) -> Work | None:
        """The working set of a step from state.x to `moved`; the last one where it will do, None where it is large."""
        xp, x = array_namespace(moved), state.x
        present = x != 0
        chosen = present | (moved != 0)
        nonzeros, size = int(xp.count_nonzero(present)), int(xp.count_nonzero(chosen))
        most = max(self.sets.smallest, int(self.sets.growth * nonzeros))
        if size > most:
            sizes = xp.where(present, xp.full_like(moved, math.inf), xp.abs(moved))
            chosen = sizes > xp.sort(sizes)[-most - 1]
            size = int(xp.count_nonzero(chosen))
        if not 0 < _MOST * size <= x.shape[0]:
            return None
        last = state.kept
        if last is not None and last.index.shape[0] <= most and not bool(xp.any(chosen & ~last.chosen)):
            return last
        index = xp.nonzero(chosen)[0]
        f = problem.f.restricted(index)
        return Work(chosen, index, Remembering(f.repeated() if hasattr(f, "repeated") else f))


def _spread(values: Array, chosen: Array) -> Array:
    """The values at the chosen coordinates, 0 elsewhere."""
    xp = array_namespace(values)
    rank = xp.cumulative_sum(xp.astype(chosen, xp.int64)) - 1
    return xp.where(chosen, xp.take(values, xp.clip(rank, 0, None)), xp.zeros(1, dtype=values.dtype))
