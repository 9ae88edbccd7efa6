"""All checks on all penalties and members of the family: what the tests assert and the command line prints."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parsimo.penalties import L1, MCP, SCAD, Box, CappedL1, Clustering, ZeroNorm
from parsimo.problems import Logistic, ZeroNormProblem, phi
from parsimo.solvers import Exact, Inexact, Linearized
from parsimo.theory_checks.admm import check_certificate, check_merit, check_sigma_sharp
from parsimo.theory_checks.clustering import (
    check_best_codebook,
    check_descent,
    check_lloyd_max,
    check_quantization,
    check_quantization_tightness,
)
from parsimo.theory_checks.curvature import check_curvature_theorem, check_curvature_tightness
from parsimo.theory_checks.evidence import Evidence
from parsimo.theory_checks.exactness import (
    check_lipschitz_theorem,
    check_lipschitz_tightness,
    check_never_exact,
    check_zeroing,
)
from parsimo.theory_checks.family import check_axioms, check_conjugate, check_surrogate, check_variational_identity
from parsimo.theory_checks.prox import check_prox, check_subdifferential

__all__ = ["FAMILY", "PENALTIES", "standard_checks"]

FAMILY = {
    "capped_l1": phi.capped_l1(),
    "scad": phi.scad(),
    "mcp": phi.mcp(),
    "mcp(3)": phi.mcp(3.0),
    "power(1.5)": phi.power(1.5),
    "power(3)": phi.power(3.0),
    "log": phi.log(),
    "lq": phi.lq(),
    "custom": phi.custom(lambda t: (np.cosh(2 * t) - 1) / (np.cosh(2.0) - 1), "cosh"),
    "polygon": phi.custom(lambda t: np.maximum(np.maximum(0.1 * t, t - 0.3), 3 * t - 2), "polygon"),
}
"""Members of every kind: built in, given by values alone, and with kinks."""

_POLYGON_KINKS = tuple(0.8 * slope / 3 for slope in (0.1, 1.0))

PENALTIES: dict[str, tuple[Any, tuple[float, ...]]] = {
    "ZeroNorm": (ZeroNorm(0.7), ()),
    "L1": (L1(0.7), ()),
    "CappedL1": (CappedL1(0.7, 0.8), (-0.8, 0.8)),
    "MCP": (MCP(0.7, 0.8), (-0.8, 0.8)),
    "SCAD": (SCAD(0.7, 0.8), (-0.8, 0.8)),
    "SCAD(1.5)": (SCAD(0.7, 0.8, 1.5), (-0.8, 0.8)),
    "Box": (Box(-0.5, 1.5), (-0.5, 1.5)),
    "Clustering": (Clustering(0.7, np.array([-1.0, 0.0, 0.3, 2.0])), (-1.0, -0.5, 0.15, 0.3, 1.15, 2.0)),
    "Clustering squared": (
        Clustering(0.7, np.array([-1.0, 0.0, 0.3, 2.0]), "squared"),
        (-1.0, -0.5, 0.15, 0.3, 1.15, 2.0),
    ),
    "power(1.5)": (FAMILY["power(1.5)"].penalty(0.7, 0.8), (-0.8, 0.8)),
    "power(3)": (FAMILY["power(3)"].penalty(0.7, 0.8), (-0.8, 0.8)),
    "log": (FAMILY["log"].penalty(0.7, 0.8), (-0.8, 0.8)),
    "lq": (FAMILY["lq"].penalty(0.7, 0.8), (-0.8, 0.8)),
    "polygon": (
        FAMILY["polygon"].penalty(0.7, 0.8),
        (-0.8, 0.8, *_POLYGON_KINKS, *(-kink for kink in _POLYGON_KINKS)),
    ),
}
"""Penalties with a scalar weight, each with its jumps and kinks other than 0."""


def standard_checks(seed: int = 0) -> dict[str, Callable[[], Evidence]]:
    """Every check by name, ready to call; each has a random generator of its own."""

    def rng() -> np.random.Generator:
        return np.random.default_rng(seed)

    checks: dict[str, Callable[[], Evidence]] = {}
    for name, (g, breakpoints) in PENALTIES.items():
        trials = 2 if name == "polygon" else 15  # values found by numeric maximization are slow
        checks[f"prox of {name}"] = partial(check_prox, g, rng(), trials, breakpoints)
        if name != "polygon":  # between pieces of phi it takes one of two slopes
            checks[f"subdifferential of {name}"] = partial(check_subdifferential, g, rng(), 3 * trials, breakpoints)
    about_family: dict[str, Callable[..., Evidence]] = {
        "axioms": check_axioms,
        "conjugate": check_conjugate,
        "variational identity": check_variational_identity,
        "surrogate": check_surrogate,
        "Lipschitz exactness": check_lipschitz_theorem,
        "Lipschitz tightness": check_lipschitz_tightness,
        "curvature exactness": check_curvature_theorem,
        "curvature tightness": check_curvature_tightness,
    }
    for about, check in about_family.items():
        for name, member in FAMILY.items():
            checks[f"{about} of {name}"] = partial(check, member, rng())
    checks["zeroing test"] = partial(check_zeroing, _surrogate_problem(), rng())
    checks["negative control"] = partial(check_never_exact, lambda s: -np.expm1(-s), rng())
    checks["exact quantization"] = partial(check_quantization, rng())
    checks["exact quantization, tightness"] = partial(check_quantization_tightness, rng())
    checks["best codebook"] = partial(check_best_codebook, rng())
    checks["Lloyd's descent"] = partial(check_descent, rng())
    checks["Lloyd-Max constants"] = check_lloyd_max
    for x_step in (Exact(), Linearized(), Inexact()):
        checks[f"merit of P-ADMM with {x_step!r}"] = partial(check_merit, x_step, rng())
        checks[f"certificate of P-ADMM with {x_step!r}"] = partial(check_certificate, x_step, rng())
    checks["smallest sigma of P-ADMM"] = partial(check_sigma_sharp, rng())
    return checks


def _surrogate_problem() -> Any:
    data = np.random.default_rng(1)
    A, y = data.normal(size=(30, 12)), np.where(data.random(30) < 0.5, -1.0, 1.0)
    return ZeroNormProblem(Logistic(A, y), 0.5).to_mpec(phi.mcp()).penalize("exact").eliminate()
