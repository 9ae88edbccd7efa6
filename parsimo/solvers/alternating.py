"""Alternating minimization over a variable and its auxiliary variables."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from parsimo._array import Array
from parsimo.core.problem import Composite, Problem
from parsimo.solvers.linesearch import BarzilaiBorwein
from parsimo.solvers.proximal_gradient import ProximalGradient

__all__ = ["AlternatingMinimization"]


@dataclass(frozen=True)
class State:
    """Where alternating minimization stands."""

    x: Array
    """The iterate, (n,)."""
    u: Any
    """The auxiliary variables, the best found for x."""
    inner: Any
    """The inner solver's state after its last step."""

    @property
    def point(self) -> Array:
        """x."""
        return self.x


@dataclass(frozen=True)
class AlternatingMinimization:
    """Minimize f(x) + G(x, u) over x and u in turn:

        x+ = some steps of an inner solver on f + G(., u)
        u+ = argmin_u G(x+, u)

    For the penalized zero-norm MPEC, u is w and the x-block a weighted l1 problem: this is the multi-stage convex
    relaxation. For a clustering problem, u is the assignment to clusters and the x-block is convex in x and the
    codebook jointly. A plain penalty has no u, and the method is its inner solver.

    Assumptions: those of the inner solver, for each G(., u). With a descent method inside, the objective falls at
    every step.

    Parameters
    ----------
    inner : Solver
        By default `ProximalGradient(step_rule=BarzilaiBorwein(memory=1))`, whose every step lowers the objective.
    inner_steps : int
        Steps of the inner solver for one update of u, at least 1.

    Notes
    -----
    docs/algorithms.md, 3. T. Zhang, J. Mach. Learn. Res. 11 (2010), for the multi-stage relaxation: from x0 = 0 the
    weights of the first stage are uniform, and with many inner steps each stage solves its weighted l1 problem.
    """

    inner: ProximalGradient = field(default_factory=partial(ProximalGradient, step_rule=BarzilaiBorwein(memory=1)))
    inner_steps: int = 10

    def __post_init__(self) -> None:
        if isinstance(self.inner, type) or not hasattr(self.inner, "step"):
            raise TypeError(f"AlternatingMinimization: inner={self.inner!r} is not a solver object")
        if operator.index(self.inner_steps) < 1:
            raise ValueError(f"AlternatingMinimization: inner_steps must be at least 1, got {self.inner_steps}")

    def init(self, problem: Problem, x0: Array) -> State:
        """u minimizing G(x0, .)."""
        u = problem.auxiliary(x0)
        return State(x0, u, self.inner.init(Composite(problem.f, problem.given(u)), x0))

    def step(self, problem: Problem, state: State) -> State:
        """x-block, then u-block (8.1)."""
        stage = Composite(problem.f, problem.given(state.u))
        inner = state.inner
        for _ in range(self.inner_steps):
            inner = self.inner.step(stage, inner)
        x = inner.point
        # the best u that can be found, or descent from the last one where that is lower
        u = min(problem.auxiliary(x), problem.auxiliary(x, state.u), key=lambda u: problem.value(x, u))
        return State(x, u, inner)

    def measures(self, state: State) -> dict[str, float]:
        """Those of the inner solver."""
        return self.inner.measures(state.inner)

    def merit(self, problem: Problem, state: State) -> float:
        """The objective f(x) + G(x, u)."""
        return problem.value(state.x, state.u)

    def notes(self, state: State) -> tuple[str, ...]:
        """Those of the inner solver."""
        return tuple(f"inner solver: {note}" for note in self.inner.notes(state.inner))
