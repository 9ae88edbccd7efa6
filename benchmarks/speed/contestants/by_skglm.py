"""skglm: the mean loss, of squares halved, and a penalty in (alpha, gamma). Tolerance: the largest violation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from skglm.datafits import Logistic, Quadratic
from skglm.penalties import L1, SCAD, MCPenalty
from skglm.solvers import FISTA, AndersonCD, ProxNewton

from benchmarks.speed.cases import Case
from benchmarks.speed.contestants import Contestant

_MANY = 1_000_000


def anderson_cd(case: Case) -> Contestant:
    """Coordinate descent on working sets with Anderson's extrapolation."""
    return _single(case, lambda tol: AndersonCD(max_iter=_MANY, max_epochs=_MANY, tol=tol, fit_intercept=False))


def prox_newton(case: Case) -> Contestant:
    """Proximal Newton on working sets."""
    return _single(case, lambda tol: ProxNewton(max_iter=_MANY, max_pn_iter=_MANY, tol=tol, fit_intercept=False))


def fista(case: Case) -> Contestant:
    """Accelerated proximal gradient."""
    return _single(case, lambda tol: FISTA(max_iter=_MANY, tol=tol))


def anderson_cd_path(case: Case) -> Contestant:
    """`AndersonCD.path`."""
    alphas = np.array(case.parameters)

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        solver = AndersonCD(max_iter=_MANY, max_epochs=_MANY, tol=_violation(case, tolerance), fit_intercept=False)
        return lambda: solver.path(case.A, case.b, _datafit(case), _penalty(case, alphas[0]), alphas)[1].T

    return Contestant(at, _objective(case))


def _single(case: Case, solver: Callable[[float], Any]) -> Contestant:
    (alpha,) = case.parameters

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        chosen = solver(_violation(case, tolerance))
        return lambda: chosen.solve(case.A, case.b, _datafit(case), _penalty(case, alpha))[0][None, :]

    return Contestant(at, _objective(case))


def _violation(case: Case, tolerance: float) -> float:
    return tolerance * float(np.abs(case.slopes_at_zero).max())


def _datafit(case: Case) -> Any:
    return Quadratic() if case.loss == "squares" else Logistic()


def _penalty(case: Case, alpha: float) -> Any:
    match case.penalty:
        case "l1":
            return L1(alpha)
        case "mcp":
            return MCPenalty(alpha, case.gamma)
    return SCAD(alpha, case.gamma)


def _objective(case: Case) -> Callable[[np.ndarray, int], float]:
    datafit = _datafit(case)
    return lambda x, k: datafit.value(case.b, x, case.A @ x) + _penalty(case, case.parameters[k]).value(x)
