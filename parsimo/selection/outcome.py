"""What a path leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import Array, to_numpy
from parsimo.core.problem import Composite, count_nonzero
from parsimo.core.result import NotConvergedError, Result, Status
from parsimo.core.validation import check_number
from parsimo.solvers.loop import solve
from parsimo.solvers.stopping import Stop

__all__ = ["Path"]


@dataclass(frozen=True, eq=False)
class Path:
    """The outcome of `regularization_path`: a `Result` for each weight, from the largest weight to the smallest.

    Attributes
    ----------
    weights : array of shape (K,)
        Falling.
    results : tuple of K Result
    f, family : Smooth, callable
        f + family(weight) was minimized.
    solver, stop : Solver, Stop
        With which, and until when.
    notes : tuple of str
        What a reader must know: the solver and why it was chosen, what is proved of the largest weight, an early end.
    """

    weights: np.ndarray
    results: tuple[Result, ...]
    f: Any
    family: Callable[[float], Any]
    solver: Any
    stop: Stop
    notes: tuple[str, ...]

    @property
    def points(self) -> tuple[Array, ...]:
        """x at each weight."""
        return tuple(result.x for result in self.results)

    @property
    def coefficients(self) -> np.ndarray:
        """The points as rows, (K, n); of many coordinates that is a large array."""
        return np.stack([to_numpy(x).reshape(-1) for x in self.points])

    @property
    def objectives(self) -> np.ndarray:
        """f + g_w at each point."""
        return np.array([result.objective for result in self.results])

    @property
    def losses(self) -> np.ndarray:
        """f at each point."""
        return np.array([self.f.value(x) for x in self.points])

    @property
    def supports(self) -> np.ndarray:
        """The number of nonzeros of each point, free coordinates included."""
        return np.array([count_nonzero(x) for x in self.points])

    @property
    def certificates(self) -> np.ndarray:
        """The distance of 0 from the subdifferential at each point."""
        return np.array([result.certificate for result in self.results])

    @property
    def statuses(self) -> tuple[Status, ...]:
        """Why the run at each weight ended."""
        return tuple(result.status for result in self.results)

    @property
    def failures(self) -> tuple[str, ...]:
        """A sentence for each point that did not converge."""
        return tuple(
            f"weight {weight:.6g} (point {k} of {len(self.results)}): {result.status.name}, {result.status.value} "
            f"(certificate {result.certificate:.3e})"
            for k, (weight, result) in enumerate(zip(self.weights, self.results, strict=True), 1)
            if result.status is not Status.CONVERGED
        )

    def require(self) -> Path:
        """This path, if every point converged.

        Raises
        ------
        NotConvergedError
            Naming those that did not.
        """
        if self.failures:
            raise NotConvergedError("; ".join(self.failures))
        return self

    def at(self, weight: float) -> Result:
        """The result at a weight: that of the path if it is one of its weights, otherwise solved now.

        It is started from the point of the next larger weight, or the first one.
        """
        weight = check_number(weight, "Path.at: weight")
        nearest = int(np.abs(self.weights - weight).argmin())
        if abs(self.weights[nearest] - weight) <= 1e-12 * weight:
            return self.results[nearest]
        before = max(int((self.weights > weight).sum()) - 1, 0)
        problem = Composite(self.f, self.family(weight))
        return solve(problem, self.solver, x0=self.results[before].x, stop=self.stop)

    def table(self) -> dict[str, list[Any]]:
        """Weight, objective, loss, support, certificate, status, iterations and seconds, a row for each weight."""
        return {
            "weight": self.weights.tolist(),
            "objective": self.objectives.tolist(),
            "loss": self.losses.tolist(),
            "support": self.supports.tolist(),
            "certificate": self.certificates.tolist(),
            "status": [status.name for status in self.statuses],
            "iterations": [result.iterations for result in self.results],
            "seconds": [result.seconds for result in self.results],
        }

    def to_dataframe(self) -> Any:
        """`table()` as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is absent: `pip install "parsimo[dataframe]"`.
        """
        return frame(self.table(), "Path")

    def plot(self, path: str | None = None) -> Any:
        """Coefficients and support against the weight, as a matplotlib figure.

        Parameters
        ----------
        path : str, optional
            Where to write the picture; its ending sets the format.

        Raises
        ------
        ImportError
            If matplotlib is absent: `pip install "parsimo[plot]"`.
        """
        from parsimo.selection.pictures import plot_path

        return plot_path(self, path)

    def __str__(self) -> str:
        rows = [f"{'weight':>12} {'objective':>16} {'support':>8} {'certificate':>12} status"]
        for weight, result, support in zip(self.weights, self.results, self.supports, strict=True):
            rows.append(
                f"{weight:12.6g} {result.objective:16.9g} {support:8d} {result.certificate:12.3e} {result.status.name}"
            )
        return "\n".join([*rows, *self.notes, *self.failures])

    def __repr__(self) -> str:
        ends = f"{self.weights[0]:.4g} to {self.weights[-1]:.4g}"
        return f"Path({len(self.weights)} weights from {ends}, {len(self.failures)} not converged)"


def frame(table: dict[str, list[Any]], owner: str) -> Any:
    """A table as a pandas DataFrame."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f'{owner}.to_dataframe needs pandas: pip install "parsimo[dataframe]"') from error
    return pd.DataFrame(table)
