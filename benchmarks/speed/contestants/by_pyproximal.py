"""PyProximal: sigma/2 |Ax - b|^2 with sigma = 1/m, and L1(alpha). Tolerance: relative change of the objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pylops import MatrixMult
from pyproximal import L1, L2
from pyproximal.optimization.primal import ADMM, AndersonProximalGradient, ProximalGradient

from benchmarks.speed.cases import Case
from benchmarks.speed.contestants import GAP_LADDER, Contestant
from benchmarks.speed.contestants.lipschitz import largest_curvature

_MANY = 1_000_000


def fista(case: Case) -> Contestant:
    """`ProximalGradient(acceleration="fista")` with the step 1/L."""

    def run(f: Any, g: Any, x0: np.ndarray, tolerance: float) -> np.ndarray:
        step = 1 / largest_curvature(case.A)
        return ProximalGradient(f, g, x0, tau=step, niter=_MANY, acceleration="fista", tol=tolerance)

    return _contestant(case, run)


def anderson(case: Case) -> Contestant:
    """`AndersonProximalGradient(safeguard=True)` with the step 1/L."""

    def run(f: Any, g: Any, x0: np.ndarray, tolerance: float) -> np.ndarray:
        step = 1 / largest_curvature(case.A)
        return AndersonProximalGradient(f, g, x0, tau=step, niter=_MANY, safeguard=True, tol=tolerance)

    return _contestant(case, run)


def admm(case: Case) -> Contestant:
    """`ADMM` with the step 1/L; the dense factorization is kept. The second copy is returned: it has the zeros."""

    def run(f: Any, g: Any, x0: np.ndarray, tolerance: float) -> np.ndarray:
        step = 1 / largest_curvature(case.A)
        return ADMM(f, g, x0, tau=step, niter=_MANY, tol=tolerance)[1]

    return _contestant(case, run, densesolver="factorize")


def _contestant(case: Case, run: Callable[..., np.ndarray], densesolver: str = "numpy") -> Contestant:
    (alpha,) = case.parameters

    def terms() -> tuple[Any, Any]:
        f = L2(Op=MatrixMult(case.A), b=case.b, sigma=1 / case.shape[0], densesolver=densesolver)
        return f, L1(sigma=alpha)

    def at(tolerance: float) -> Callable[[], np.ndarray]:
        return lambda: run(*terms(), np.zeros(case.shape[1]), tolerance)[None, :]

    def objective(x: np.ndarray, k: int) -> float:
        f, g = terms()
        return float(f(x) + g(x))

    return Contestant(at, objective, GAP_LADDER)
