"""skglm's coordinate descent on working sets."""

from typing import Any

import numpy as np
from benchopt import BaseSolver
from skglm.datafits import Quadratic
from skglm.penalties import L1, SCAD, MCPenalty
from skglm.solvers import AndersonCD


class Solver(BaseSolver):
    """The tolerance is on the largest violation, in units of the largest slope at 0."""

    name = "skglm-AndersonCD"
    requirements = ("pip::skglm",)
    sampling_strategy = "tolerance"

    def set_objective(self, A: Any, b: np.ndarray, penalty: str, alpha: float, g: Any) -> None:
        """The penalty in skglm's own convention."""
        self.A, self.b = A, b
        self.largest = float(np.abs(A.T @ b).max()) / len(b)
        self.penalty = {"l1": L1(alpha), "mcp": MCPenalty(alpha, 3.0), "scad": SCAD(alpha, 3.7)}[penalty]

    def warm_up(self) -> None:
        """Compile."""
        self.run_once(1e-2)

    def run(self, tolerance: float) -> None:
        """From 0."""
        solver = AndersonCD(tol=tolerance * self.largest, max_iter=1000, max_epochs=100_000, fit_intercept=False)
        self.x = solver.solve(self.A, self.b, Quadratic(), self.penalty)[0]

    def get_result(self) -> dict[str, np.ndarray]:
        """The point."""
        return {"x": self.x}
