"""parsimo.ProximalGradient."""

from typing import Any

import numpy as np
from benchopt import BaseSolver

import parsimo as ps


class Solver(BaseSolver):
    """The tolerance is on the certificate, in units of the gradient at 0."""

    name = "parsimo-ProximalGradient"
    requirements = ("pip::parsimo",)
    sampling_strategy = "tolerance"

    def set_objective(self, A: Any, b: np.ndarray, penalty: str, alpha: float, g: Any) -> None:
        """Keep the data; the data term is made anew in each run."""
        self.A, self.b, self.g = A, b, g
        f = ps.LeastSquares(A, b, average=True)
        self.size = float(np.linalg.norm(f.grad(f.start())))

    def warm_up(self) -> None:
        """Compile."""
        self.run_once(1e-2)

    def run(self, tolerance: float) -> None:
        """From 0."""
        problem = ps.Composite(ps.LeastSquares(self.A, self.b, average=True), self.g)
        stop = ps.stopping.first_of(
            ps.stopping.certificate_below(absolute=tolerance * self.size, relative=0.0),
            ps.stopping.stalled(),
            ps.stopping.max_iterations(100_000),
        )
        self.x = ps.solve(problem, ps.ProximalGradient(), stop=stop).x

    def get_result(self) -> dict[str, np.ndarray]:
        """The point."""
        return {"x": self.x}
