"""Sparse least squares, |Ax - b|^2 / (2m) + g(x), for benchopt: the objective, and parsimo's certificate of each point.

benchopt run benchmarks/benchopt -d simulated
"""

from typing import Any, ClassVar

import numpy as np
from benchopt import BaseObjective
from benchopt.stopping_criterion import SufficientProgressCriterion

import parsimo as ps


class Objective(BaseObjective):
    """|Ax - b|^2 / (2m) plus l1, MCP or SCAD whose slope at 0 is a share of the smallest at which 0 is critical."""

    name = "Sparse least squares"
    min_benchopt_version = "1.7"
    requirements = ("pip::parsimo",)
    parameters: ClassVar = {"penalty": ["l1", "mcp", "scad"], "share": [0.1]}
    sampling_strategy = "tolerance"
    # Several loose tolerances can give one point; a few of them in a row do not mean that the solver is done.
    stopping_criterion = SufficientProgressCriterion(patience=10, strategy="tolerance")

    def set_data(self, A: Any, b: np.ndarray) -> None:
        """The data term, and the penalty at its weight."""
        self.A, self.b = A, b
        f = ps.LeastSquares(A, b, average=True)
        slopes = f.grad(f.start())
        self.size = float(np.linalg.norm(slopes))
        self.alpha = self.share * float(np.abs(slopes).max())
        penalties = {
            "l1": lambda: ps.L1(self.alpha),
            "mcp": lambda: ps.MCP.from_alpha_gamma(self.alpha, 3.0),
            "scad": lambda: ps.SCAD.from_alpha_gamma(self.alpha, 3.7),
        }
        self.problem = ps.Composite(f, penalties[self.penalty]())

    def get_objective(self) -> dict[str, Any]:
        """What a solver is given."""
        return {"A": self.A, "b": self.b, "penalty": self.penalty, "alpha": self.alpha, "g": self.problem.g}

    def evaluate_result(self, x: np.ndarray) -> dict[str, float]:
        """Objective, certificate relative to the gradient at 0, and nonzeros."""
        return {
            "value": float(self.problem.value(x)),
            "certificate": float(ps.certificate(self.problem, x)) / self.size,
            "nonzeros": int(np.count_nonzero(x)),
        }

    def get_one_result(self) -> dict[str, np.ndarray]:
        """A point of the right shape."""
        return {"x": np.zeros(self.A.shape[1])}
