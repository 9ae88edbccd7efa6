"""What a run leaves behind: a status that says no more than the certificate proves, and the history."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from parsimo._array import Array

__all__ = ["History", "NotConvergedError", "Result", "Status"]


class Status(Enum):
    """Why a run ended; the value is a sentence that says what to do about it."""

    CONVERGED = "the certificate at the returned point and the last step are within the tolerance"
    STALLED = "neither objective nor certificate still falls; the tolerance may be below rounding, or scale f"
    MAX_ITERATIONS = "iteration limit reached before the certificate met the tolerance; raise the limit or accept x"
    TIME_LIMIT = "time limit reached before the certificate met the tolerance; raise the limit or accept x"
    DIVERGED = "the objective grows or falls without bound; raise sigma, lower the step, or bound the problem"
    NONFINITE = "a NaN or an infinity appeared; the best finite point is returned; lower the step or check the data"
    INTERRUPTED = "stopped from the keyboard; the best point so far is returned"
    STOPPED = "an observer asked for the end of the run; the last point is returned, with its own certificate"

    @property
    def cut_short(self) -> bool:
        """Whether something other than the stopping rule ended the run, so that nothing should follow it."""
        return self in (Status.NONFINITE, Status.INTERRUPTED, Status.DIVERGED, Status.STOPPED)


class NotConvergedError(RuntimeError):
    """Raised by `Result.require` where the run did not converge."""


_PENDING = 1024  # rows that are kept as they came before they are sorted into columns


class History(Mapping[str, list[float]]):
    """Columns of numbers, one row an iteration; a figure that was not evaluated is NaN.

    Columns: `iteration`, `objective`, `certificate`, `support`, `seconds` (time in the solver: the clock stops
    while objective and certificate are evaluated and observers look on; where f remembers for the solver what it was
    asked for them, the solver is charged what that took), `values`, `gradients`, `proxes` (oracle calls
    of f), and what the solver, the problem and observers add, such as `merit`, `primal`, `dual`, `step_size`,
    `surrogate gap`.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[float]] = {}
        self._pending: list[dict[str, float]] = []
        self._rows = 0

    def append(self, row: dict[str, float]) -> None:
        """Add one iteration, and keep the row; a column met for the first time is filled with NaN above."""
        self._pending.append(row)
        self._rows += 1
        if len(self._pending) == _PENDING:
            self._sort()

    def extend_last_row(self, extra: Mapping[str, float]) -> None:
        """Add figures to the last row."""
        if self._pending:
            self._pending[-1].update(extra)
            return
        for name, value in extra.items():
            self._columns.setdefault(name, [math.nan] * self._rows)[-1] = float(value)

    def row(self, number: int) -> dict[str, float]:
        """The figures of one iteration, by the number of its row; -1 is the last."""
        return {name: column[number] for name, column in self._sort().items()}

    def _sort(self) -> dict[str, list[float]]:
        """The columns, with all rows in them."""
        if self._pending:
            filled, rows = self._rows - len(self._pending), self._pending
            self._pending = []
            names = dict.fromkeys(itertools.chain.from_iterable(rows))  # in the order given, from run to run
            for name in names:
                self._columns.setdefault(name, [math.nan] * filled)
            missing = itertools.repeat(math.nan)
            for name, column in self._columns.items():
                given = map(dict.get, rows, itertools.repeat(name), missing) if name in names else missing
                column.extend(map(float, itertools.islice(given, len(rows))))
        return self._columns

    def __getitem__(self, name: str) -> list[float]:
        columns = self._sort()
        if name not in columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(columns)}")
        return columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sort())

    def __len__(self) -> int:
        return len(self._sort())

    @property
    def rows(self) -> int:
        """The number of iterations recorded."""
        return self._rows

    def to_dataframe(self) -> Any:
        """The history as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is absent: `pip install "parsimo[dataframe]"`.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError('History.to_dataframe needs pandas: pip install "parsimo[dataframe]"') from error
        return pd.DataFrame(self._sort())

    def plot(self, path: str | None = None) -> Any:
        """Objective, certificate and support size against the iteration, as a matplotlib figure.

        Parameters
        ----------
        path : str, optional
            Where to write the picture; its ending sets the format.

        Raises
        ------
        ImportError
            If matplotlib is absent: `pip install "parsimo[plot]"`.
        """
        from parsimo.core.plotting import plot_history

        return plot_history(self, path)

    def __repr__(self) -> str:
        return f"History({self._rows} rows: {', '.join(self._sort())})"


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of `solve`.

    Attributes
    ----------
    x : array
        The returned point.
    status : Status
        Why the run ended; CONVERGED only if `certificate` meets the tolerance.
    certificate : float
        Distance of 0 from the subdifferential of the objective at x, recomputed there from the problem alone.
    iterations : int
    seconds : float
        Wall time of the whole call.
    history : History
    objective : float
        The objective at x.
    auxiliary : Any
        The auxiliary variables at x: w of the MPEC, the partition of a clustering problem, or None.
    problem : Problem
        The problem solved; `ZeroNormProblem.recover` follows it back.
    solver : str
        The solver, with its hyperparameters.
    figures : dict
        What the problem reports about x, such as the support size and the surrogate gap.
    notes : tuple of str
        What a reader must know: exactness, estimated constants, the step rule that was chosen.
    """

    x: Array
    status: Status
    certificate: float
    iterations: int
    seconds: float
    history: History
    objective: float
    auxiliary: Any = None
    problem: Any = field(default=None, repr=False)
    solver: str = ""
    figures: dict[str, float | int | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def require(self) -> Result:
        """This result, if it converged.

        Raises
        ------
        NotConvergedError
            With status and certificate in the message.
        """
        if self.status is not Status.CONVERGED:
            raise NotConvergedError(f"{self.status.name}: {self.status.value} (certificate {self.certificate:.3e})")
        return self

    @property
    def _at_start(self) -> str:
        first = self.history["certificate"][0] if self.history.rows else math.nan
        return f" ({first:.1e} at the start)" if math.isfinite(first) else ""

    def __str__(self) -> str:
        figures = "".join(f", {name} = {_short(value)}" for name, value in self.figures.items())
        lines = [
            f"{self.status.name}: {self.status.value}",
            f"certificate {self.certificate:.3e}{self._at_start} "
            f"after {self.iterations} iterations, {self.seconds:.3g} s",
            f"objective {self.objective:.10g}{figures}",
            self.solver,
            *self.notes,
        ]
        return "\n".join(line for line in lines if line)


def _short(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
