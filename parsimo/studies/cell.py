"""One cell of a study: a solver on a problem, run once and kept under the hash of its configuration."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import parsimo as ps
from parsimo.core.files import replace_when_written
from parsimo.solvers.stopping import Report

__all__ = ["FIGURES", "TIMINGS", "Cell", "Outcome", "load_cell", "run_cell", "solve_cell"]

_TEXTS = ("status", "message")
FIGURES = ("certificate", "objective", "start_objective", "start_certificate", "iterations", "seconds", "wall_seconds")
"""What the row of a cell that ended without an error has at least."""
TIMINGS = ("seconds", "wall_seconds")
"""What differs from run to run; every other figure is the same in each."""


@dataclass(frozen=True)
class Cell:
    """What a cell computes, and what it is called in tables."""

    problem: str
    size: str
    seed: int
    solver: str
    configuration: Mapping[str, Any] = field(repr=False)
    """All that decides the outcome, in the words of the file: problem, seed, solver, stopping rule, threads."""
    folder: str = field(default="", repr=False)
    """Where files of data lie."""

    @cached_property
    def key(self) -> str:
        """The hash of the configuration and the version of parsimo: the name of the cell on disk."""
        return _key(ps.__version__, self.configuration)

    def path(self, folder: Path) -> Path:
        """The file of the finished cell."""
        return folder / f"{self.key}.json"


@dataclass(frozen=True)
class Outcome:
    """What came of a cell: a row of figures, and the history by columns."""

    row: dict[str, Any]
    history: dict[str, list[float]]


def run_cell(cell: Cell, folder: Path) -> str:
    """Solve a cell and write it into `folder`, under a temporary name first; returns its status.

    An error becomes the status ERROR with its message, so that the other cells go on.
    """
    try:
        outcome = solve_cell(cell)
    except Exception as error:  # whatever it is, it is this cell's result
        outcome = Outcome({"status": "ERROR", "message": f"{type(error).__name__}: {error}"}, {})
    text = json.dumps(
        {
            "parsimo": ps.__version__,
            "configuration": _plain(cell.configuration),
            "row": _plain(outcome.row),
            "history": _plain(outcome.history),
        },
        allow_nan=False,
    )
    with replace_when_written(cell.path(folder)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return str(outcome.row["status"])


def load_cell(path: Path) -> Outcome:
    """A finished cell.

    Raises
    ------
    ValueError
        If the file is damaged, or is that of another cell; says to delete it.
    """
    remedy = "delete it and run the study again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        key = _key(content["parsimo"], content["configuration"])
        status, row = content["row"]["status"], content["row"]
        numbers = {name: float(value) for name, value in row.items() if name not in _TEXTS}
        history = {name: [float(value) for value in column] for name, column in content["history"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no finished cell ({error!r}); {remedy}") from error
    if key != path.stem:
        raise ValueError(f"{path} holds the cell {key}, with another configuration than its name says; {remedy}")
    if status != "ERROR" and not set(FIGURES) <= set(row):
        raise ValueError(f"{path} lacks {', '.join(sorted(set(FIGURES) - set(row)))}; {remedy}")
    return Outcome({name: str(row[name]) for name in _TEXTS if name in row} | numbers, history)


def solve_cell(cell: Cell) -> Outcome:
    """Pose the problem, solve it, and compare the point with the truth where it is known.

    A first step is taken on a copy of the problem, so that what is loaded or compiled once is not timed.
    """
    from threadpoolctl import threadpool_limits

    from parsimo.studies.posing import pose, solver_of, stop_of

    configuration = cell.configuration
    with threadpool_limits(configuration["threads"]):
        copy = pose(configuration["problem"], cell.seed, Path(cell.folder))
        ps.solve(copy.problem, solver_of(configuration), stop=ps.stopping.max_iterations(1))
        posed = pose(configuration["problem"], cell.seed, Path(cell.folder))
        watch = _SupportWatch()
        result = ps.solve(
            posed.problem,
            solver_of(configuration),
            stop=stop_of(configuration["stop"]),
            observe=[watch],
            every=configuration["every"],
        )
    history = {name: list(result.history[name]) for name in result.history}
    row = {
        "status": result.status.name,
        "certificate": result.certificate,
        "objective": result.objective,
        "start_objective": history["objective"][0],
        "start_certificate": history["certificate"][0],
        "iterations": result.iterations,
        **{name: history[name][-1] for name in ("values", "gradients", "proxes", "seconds")},
        "wall_seconds": result.seconds,
        "size_of_x": float(np.linalg.norm(result.x)),
        "support": int(np.count_nonzero(result.x)),
        "pieces": posed.pieces(result.x),
        "identification": watch.identified(result.x),
        "weight": posed.weight,
        "columns": result.x.size,
        **_against_truth(result.x, posed.truth),
    }
    return Outcome(row, history)


class _SupportWatch:
    """An observer that keeps the support, and since which iteration it has been that."""

    def __init__(self) -> None:
        self._support: np.ndarray | None = None
        self._since = 0

    def __call__(self, report: Report) -> None:
        support = np.asarray(report.x != 0)
        if self._support is None or not np.array_equal(support, self._support):
            self._support, self._since = support, report.iteration

    def identified(self, x: np.ndarray) -> float:
        """The first iteration from which on the support is that of x; NaN if the last one has another."""
        if self._support is None or not np.array_equal(np.asarray(x != 0), self._support):
            return math.nan
        return float(self._since)


def _against_truth(x: np.ndarray, truth: np.ndarray | None) -> dict[str, float]:
    """F1 of the support and relative distance of x; F1 is NaN where no entry of the truth is 0."""
    if truth is None:
        return {"f1": math.nan, "distance": math.nan}
    found, real = x != 0, truth != 0
    right = int(np.count_nonzero(found & real))
    f1 = math.nan if real.all() else 2 * right / max(int(found.sum() + real.sum()), 1)
    return {"f1": f1, "distance": float(np.linalg.norm(x - truth) / np.linalg.norm(truth))}


def _key(version: str, configuration: Mapping[str, Any]) -> str:
    text = json.dumps({"parsimo": version, **_plain(configuration)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _plain(value: Any) -> Any:
    """For JSON, which has no NaN and no infinity: those become the texts that float() reads."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else str(float(value))
    return str(value)  # dates of TOML
