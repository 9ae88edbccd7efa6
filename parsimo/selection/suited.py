"""Which solver suits a smooth part and a penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.core.result import Status
from parsimo.solvers import CoordinateDescent, ProximalGradient, stopping
from parsimo.solvers.coordinates import Compiled, terms_of

__all__ = ["Measured", "suited_solver"]


def suited_solver(f: Any, penalty: Any) -> tuple[Any, str]:
    """The solver that f and the penalty allow, and why it is chosen, in words.

    Coordinate descent where f offers columns, the penalty is compiled coordinate by coordinate and numba is installed;
    else proximal gradient.

    Returns
    -------
    (Solver, str)
    """
    columns, separable = getattr(f, "columns", None), penalty.traits.separable
    reason = "f offers no columns" if columns is None else "the penalty is not separable"
    if columns is not None and separable:
        try:
            if isinstance(terms_of(penalty, np.zeros(columns.norms_squared.size)), Compiled):
                return CoordinateDescent(), "f offers columns and the penalty is compiled"
            reason = f"{type(penalty).__name__} has no compiled twin"
        except ImportError:
            reason = 'numba is missing: pip install "parsimo[fast]" for coordinate descent'
    return ProximalGradient(), reason


@dataclass(frozen=True)
class Measured:
    """The default rule of paths: `solve`'s, with a certificate measured by the gradient of the null model."""

    certificate: float
    """What it must not exceed."""
    max_iterations: int = 10_000

    def __call__(self, report: stopping.Report) -> Status | None:
        """The status to stop with, or None."""
        return stopping.first_of(
            stopping.certificate_below(self.certificate),
            stopping.diverged(),
            stopping.stalled(),
            stopping.max_iterations(self.max_iterations),
        )(report)
