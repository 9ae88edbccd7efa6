"""Continuation: one step each of a path of solvers and problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parsimo._array import Array
from parsimo.core.problem import Problem

__all__ = ["Continuation"]


@dataclass(frozen=True)
class State:
    """Where on the path we are."""

    k: int
    """How many steps were taken."""
    inner: Any
    """The inner solver's state."""
    solver: Any
    """The solver that took the last step."""
    problem: Any = None
    """The problem it took it on; None before the first. Objective and certificate in the history are this one's."""

    @property
    def point(self) -> Array:
        """The inner solver's point."""
        return self.inner.point

    @property
    def u(self) -> Any:
        """The inner solver's auxiliary variables."""
        return self.inner.u


@dataclass(frozen=True)
class Continuation:
    """Change weight, flat point or sigma from step to step.

    Parameters
    ----------
    solver : Solver
        Takes the start.
    path : callable
        (k, problem, state) -> (solver, problem, state) for step k: what takes the step, on what, from where.

    Notes
    -----
    Objectives along a path are those of different problems, so that an interrupted run returns its last finite
    point, not the one of the lowest objective.
    """

    solver: Any
    path: Callable[[int, Problem, Any], tuple[Any, Problem, Any]]

    comparable_objectives = False

    def init(self, problem: Problem, x0: Array) -> State:
        """The inner solver's start."""
        return State(0, self.solver.init(problem, x0), self.solver)

    def step(self, problem: Problem, state: State) -> State:
        """One step of the path's solver on the path's problem."""
        solver, problem, inner = self.path(state.k, problem, state.inner)
        return State(state.k + 1, solver.step(problem, inner), solver, problem)

    def measures(self, state: State) -> dict[str, float]:
        """Those of the solver that took the last step."""
        return state.solver.measures(state.inner)

    def merit(self, problem: Problem, state: State) -> float:
        """That of the solver that took the last step."""
        return state.solver.merit(problem, state.inner)

    def notes(self, state: State) -> tuple[str, ...]:
        """Those of the solver that took the last step."""
        return state.solver.notes(state.inner)
