"""A solver as a user might write it, which tests of `check_solver` spoil in one place each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class State:
    x: np.ndarray
    u: Any
    step_size: float
    residual: float

    @property
    def point(self) -> np.ndarray:
        return self.x


@dataclass(frozen=True)
class Plain:
    """Proximal gradient, as a user might write it."""

    def init(self, problem: Any, x0: np.ndarray) -> State:
        return State(x0, problem.auxiliary(x0), 0.9 / problem.f.lipschitz, np.inf)

    def step(self, problem: Any, state: State) -> State:
        t = state.step_size
        x, u = problem.prox(state.x - t * problem.f.grad(state.x), t, state.u)
        return replace(state, x=x, u=u, residual=float(np.linalg.norm(x - state.x)) / t)

    def measures(self, state: State) -> dict[str, float]:
        return {"residual": state.residual}

    def merit(self, problem: Any, state: State) -> float:
        return problem.value(state.x, state.u)

    def notes(self, state: State) -> tuple[str, ...]:
        return ()
