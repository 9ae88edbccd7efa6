"""Observers: what looks on while a run goes on, and may record, print, or end it.

An observer is called with a `Report` after each iteration, outside the solver's clock. What it returns is

* a mapping of names to numbers: columns of the history;
* True: the run ends with the status STOPPED and the last point;
* None: nothing.

One that has a method `finish(result)` is called once more, at the end. Any function will do; those here are the table
of `verbose=True`, and a trace on disk that outlives the process.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parsimo.core.result import Result
from parsimo.core.validation import check_number
from parsimo.solvers.stopping import Report

__all__ = ["Table", "Trace"]

_COLUMNS = {  # of the history, with heading, width and format
    "iteration": ("iteration", 9, ".0f"),
    "objective": ("objective", 17, ".10g"),
    "certificate": ("certificate", 11, ".2e"),
    "primal": ("primal", 9, ".2e"),
    "dual": ("dual", 9, ".2e"),
    "support": ("support", 9, ".0f"),
    "step_size": ("step", 9, ".2e"),
    "sigma": ("sigma", 9, ".2e"),
    "wall": ("seconds", 9, ".3g"),
}
_HEADING_AGAIN = 20  # lines


def _print(line: str) -> None:
    print(line, flush=True)


@dataclass
class Table:
    """Print a line for an evaluated iteration, as text that reads alike in a terminal, a notebook and a log file.

    Lines are only ever added. The columns are iteration, objective, certificate, primal and dual residual, support, and
    step size or sigma, as far as the solver has them, and seconds of wall time. At the end the last evaluated iteration
    is shown in any case, and below it the status with the certificate of the returned point.

    Parameters
    ----------
    interval : float
        Seconds between two lines at least; 0 shows every evaluated iteration.
    sink : callable, optional
        Takes each line, such as `logging.getLogger("fit").info`; by default lines are printed.

    Examples
    --------
    >>> solve(problem, ProximalADMM(), observe=Table(interval=0))  # doctest: +SKIP
    """

    interval: float = 0.5
    sink: Callable[[str], object] = _print
    _shown: tuple[str, ...] = field(default=(), init=False, repr=False)
    _lines: int = field(default=0, init=False, repr=False)
    _due: float = field(default=0.0, init=False, repr=False)
    _unseen: tuple[int, float] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.interval = check_number(self.interval, "Table: interval")
        if not callable(self.sink):
            raise TypeError(f"Table: sink must be a function of one line of text, got {self.sink!r}")

    def __call__(self, report: Report) -> None:
        """Show the iteration, if a line is due."""
        if report.iteration == 0:
            self._shown = tuple(name for name in _COLUMNS if name in report.history or name == "wall")
            self._lines, self._due, self._unseen = 0, -math.inf, None
        if math.isnan(report.certificate):
            return
        self._unseen = report.history.rows - 1, report.seconds
        if report.seconds >= self._due:
            self._show(report.history.row(-1))
            self._due = report.seconds + self.interval

    def finish(self, result: Result) -> None:
        """Show the last evaluated iteration, and how the run ended."""
        if self._unseen is not None:
            self._show(result.history.row(self._unseen[0]))
        self.sink(
            f"{result.status.name} after {result.iterations} iterations, {result.seconds:.3g} s: "
            f"objective {result.objective:.10g}, certificate {result.certificate:.2e}"
        )

    def _show(self, row: Mapping[str, float]) -> None:
        assert self._unseen is not None
        if self._lines % _HEADING_AGAIN == 0:
            self.sink("  ".join(f"{_COLUMNS[name][0]:>{_COLUMNS[name][1]}}" for name in self._shown))
        seen = {**row, "wall": self._unseen[1]}
        self.sink("  ".join(_cell(seen[name], *_COLUMNS[name][1:]) for name in self._shown))
        self._lines += 1
        self._unseen = None


def _cell(value: float, width: int, form: str) -> str:
    return " " * width if math.isnan(value) else f"{value:>{width}{form}}"


@dataclass(frozen=True)
class Trace:
    """Write each evaluated iteration to a file, one JSON object a line, so that a run that is killed leaves its trace.

    A line holds the row of the history, without what was not evaluated; an infinite figure is null. Columns of
    observers that come before this one are in it. `pandas.read_json(path, lines=True)` reads the file.

    Parameters
    ----------
    path : str or Path
        Begun anew by each run.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """

    path: str | Path

    def __post_init__(self) -> None:
        folder = Path(self.path).parent
        if not folder.is_dir():
            raise FileNotFoundError(f"Trace: cannot write {self.path}: there is no folder {folder}; create it first")

    def __call__(self, report: Report) -> None:
        """Add a line, if the iteration was evaluated."""
        if report.iteration and math.isnan(report.certificate):
            return
        row = {k: v if math.isfinite(v) else None for k, v in report.history.row(-1).items() if not math.isnan(v)}
        with open(self.path, "a" if report.iteration else "w", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
