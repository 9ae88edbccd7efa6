"""Who takes part: one file a library, imported only in the process that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from benchmarks.speed.cases import Case

__all__ = ["ENTRIES", "Contestant", "enter"]

GRADIENT_LADDER = tuple(10.0**-k for k in range(2, 14))
"""Tolerances on a gradient, a subgradient or a step, relative to their size at 0."""
GAP_LADDER = tuple(10.0**-k for k in range(3, 17))
"""Tolerances on a duality gap or on a change of the objective, relative to their size at 0."""


@dataclass(frozen=True)
class Contestant:
    """A solver of a library, on one case.

    Parameters
    ----------
    at : function of a tolerance of `ladder`
        Returns a function without arguments that solves the case from 0 and returns the answer, (K, n). What it does
        is timed. What `at` does is not: it may compile.
    objective : function of (x, k)
        The k-th objective at x as the library writes it, scaled to parsimo's.
    ladder : tuple of float
        Tolerances from loose to tight; (0.0,) where there is none to choose.
    """

    at: Callable[[float], Callable[[], np.ndarray]]
    objective: Callable[[np.ndarray, int], float]
    ladder: tuple[float, ...] = GRADIENT_LADDER


ENTRIES: Mapping[str, tuple[str, str, str]] = {
    "parsimo CoordinateDescent": ("by_parsimo", "coordinate_descent", "parsimo"),
    "parsimo ProximalGradient": ("by_parsimo", "proximal_gradient", "parsimo"),
    "parsimo ProximalADMM": ("by_parsimo", "proximal_admm", "parsimo"),
    "parsimo path": ("by_parsimo", "path", "parsimo"),
    "parsimo subset_path": ("by_parsimo", "subsets", "parsimo"),
    "skglm AndersonCD": ("by_skglm", "anderson_cd", "skglm"),
    "skglm ProxNewton": ("by_skglm", "prox_newton", "skglm"),
    "skglm FISTA": ("by_skglm", "fista", "skglm"),
    "skglm AndersonCD path": ("by_skglm", "anderson_cd_path", "skglm"),
    "celer": ("by_celer", "celer", "celer"),
    "scikit-learn CD": ("by_sklearn", "coordinate_descent", "scikit-learn"),
    "scikit-learn liblinear": ("by_sklearn", "liblinear", "scikit-learn"),
    "scikit-learn saga": ("by_sklearn", "saga", "scikit-learn"),
    "PyProximal FISTA": ("by_pyproximal", "fista", "pyproximal"),
    "PyProximal Anderson": ("by_pyproximal", "anderson", "pyproximal"),
    "PyProximal ADMM": ("by_pyproximal", "admm", "pyproximal"),
    "copt": ("by_copt", "proximal_gradient", "copt"),
    "copt accelerated": ("by_copt", "accelerated", "copt"),
    "jaxopt": ("by_jaxopt", "proximal_gradient", "jaxopt"),
    "abess": ("by_abess", "splicing", "abess"),
}
"""Name of a contestant: the module and the function that enter it, and its distribution."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "l1 squares": (
        "parsimo CoordinateDescent",
        "parsimo ProximalGradient",
        "parsimo ProximalADMM",
        "skglm AndersonCD",
        "skglm FISTA",
        "celer",
        "scikit-learn CD",
        "PyProximal FISTA",
        "PyProximal Anderson",
        "PyProximal ADMM",
        "copt",
        "copt accelerated",
        "jaxopt",
    ),
    "l1 logistic": (
        "parsimo CoordinateDescent",
        "parsimo ProximalGradient",
        "parsimo ProximalADMM",
        "skglm AndersonCD",
        "skglm ProxNewton",
        "celer",
        "scikit-learn liblinear",
        "scikit-learn saga",
        "copt accelerated",
        "jaxopt",
    ),
    "concave": (
        "parsimo CoordinateDescent",
        "parsimo ProximalGradient",
        "parsimo ProximalADMM",
        "skglm AndersonCD",
    ),
    "concave path": ("parsimo path", "skglm AndersonCD path"),
    "subset": ("parsimo subset_path", "abess"),
}
"""Who runs in which kind of case."""


def field_of(case: Case) -> tuple[str, ...]:
    """The contestants of a case."""
    if case.penalty == "subset":
        return FIELDS["subset"]
    if case.penalty == "l1":
        return FIELDS[f"l1 {case.loss}"]
    return FIELDS["concave path" if case.is_path else "concave"]


def enter(name: str, case: Case) -> Contestant:
    """The contestant of this name on a case; imports its library."""
    module, function, _ = ENTRIES[name]
    return getattr(import_module(f"benchmarks.speed.contestants.{module}"), function)(case)
