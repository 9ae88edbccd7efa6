"""parsimo's own solvers. Each solve builds its data term anew: constants and factorizations are inside the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import parsimo as ps
from benchmarks.speed.cases import Case
from benchmarks.speed.contestants import Contestant
from parsimo.selection import regularization_path
from parsimo.solvers import Balancing

_MAX_ITERATIONS = 1_000_000


def coordinate_descent(case: Case) -> Contestant:
    """Working sets, compiled."""
    return _single(case, lambda: ps.CoordinateDescent())


def proximal_gradient(case: Case) -> Contestant:
    """Steps of Barzilai and Borwein, and working sets."""
    return _single(case, lambda: ps.ProximalGradient())


def proximal_admm(case: Case) -> Contestant:
    """Relaxed and balanced where all is convex and the x-step exact, elsewhere with leaps; looked at every 5 steps."""
    if case.penalty == "l1" and case.loss == "squares":
        balancing = Balancing(factor=4.0, every=3, beyond=True)
        return _single(case, lambda: ps.ProximalADMM(relaxation=1.6, balancing=balancing, acceleration=None), every=5)
    return _single(case, lambda: ps.ProximalADMM(), every=5)


def path(case: Case) -> Contestant:
    """`regularization_path` by coordinate descent, each weight from the point before."""

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        def solve() -> np.ndarray:
            path = regularization_path(
                case.data_term(),
                case.regularizer,
                case.parameters,
                solver=ps.CoordinateDescent(),
                stop=_stop(case, tolerance),
            )
            return np.stack(path.points)

        return solve

    return Contestant(at, _objective(case))


def subsets(case: Case) -> Contestant:
    """`subset_path`, every point optimal under swaps."""

    def at(_: float) -> Callable[[], np.ndarray]:
        def solve() -> np.ndarray:
            path = ps.subset_path(case.data_term(), max(case.parameters))
            return np.stack([path[k] for k in case.parameters])

        return solve

    return Contestant(at, _objective(case), ladder=(0.0,))


def _single(case: Case, solver: Callable[[], Any], every: int = 1) -> Contestant:
    (parameter,) = case.parameters

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        def solve() -> np.ndarray:
            problem = ps.Composite(case.data_term(), case.regularizer(parameter))
            return ps.solve(problem, solver(), stop=_stop(case, tolerance), every=every).x[None, :]

        return solve

    return Contestant(at, _objective(case))


def _stop(case: Case, tolerance: float) -> ps.stopping.Stop:
    absolute = tolerance * float(np.linalg.norm(case.slopes_at_zero))
    return ps.stopping.first_of(
        ps.stopping.certificate_below(absolute=absolute, relative=0.0), ps.stopping.max_iterations(_MAX_ITERATIONS)
    )


def _objective(case: Case) -> Callable[[np.ndarray, int], float]:
    return lambda x, k: case.problems[k].value(x)
