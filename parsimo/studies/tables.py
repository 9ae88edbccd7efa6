"""The tables of a study: one row for each cell, and one long table of the histories."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parsimo.core.files import replace_when_written
from parsimo.studies.cell import load_cell
from parsimo.studies.configuration import Study
from parsimo.studies.names import require
from parsimo.studies.rates import Rate, fit_rate
from parsimo.studies.running import CELLS

__all__ = ["INSTANCE", "Tables", "collect", "solved_at", "write_tables"]

INSTANCE = ["problem", "size", "seed"]
"""The columns that tell which instance a cell is about; cells of one instance share the least objective known."""
NAMES = [*INSTANCE, "solver"]
_FIGURES = (
    "certificate",
    "objective",
    "best_known",
    "gap",
    "relative_gap",
    "iterations",
    "values",
    "gradients",
    "proxes",
    "oracle_calls",
    "seconds",
    "wall_seconds",
    "solved_iterations",
    "solved_oracle_calls",
    "solved_seconds",
    "support",
    "pieces",
    "f1",
    "distance",
    "identification",
    "columns",
    "weight",
    "start_objective",
    "start_certificate",
    "size_of_x",
)
_COUNTED = ("iterations", "oracle_calls", "seconds")
"""What it may take to solve a cell."""
TIMED = ("seconds", "wall_seconds", "solved_seconds")
"""Columns that differ from run to run."""


@dataclass(frozen=True, eq=False)
class Tables:
    """What a study found.

    Attributes
    ----------
    results : DataFrame
        One row a cell, in the order of the file; docs/studies.md explains each column.
    histories : DataFrame
        One row for each iteration of each cell.
    rates : DataFrame
        One row for each cell and sequence, gap and certificate: the rate that was fitted.
    """

    results: Any
    histories: Any
    rates: Any


def collect(study: Study, out: str | Path) -> Tables:
    """The tables of the cells that are finished.

    Raises
    ------
    ValueError
        If no cell of the study is in `out`, or one is damaged.
    ImportError
        If pandas is not installed.
    """
    pd = require("pandas")
    folder = Path(out) / CELLS
    rows, histories = [], []
    for cell in study.cells:
        if not cell.path(folder).is_file():
            continue
        outcome = load_cell(cell.path(folder))
        names = {"problem": cell.problem, "size": cell.size, "seed": cell.seed, "solver": cell.solver}
        rows.append({**names, **outcome.row, "cell": cell.key})
        if outcome.history:
            histories.append(pd.DataFrame(outcome.history).assign(**names))
    if not rows:
        raise ValueError(f"no cell of the study is in {folder}; run it first")
    results = pd.DataFrame(rows)
    known = pd.DataFrame(columns=[*NAMES, "iteration"])
    history = pd.concat(histories, ignore_index=True) if histories else known
    results = _compared(results)
    history = _with_gaps(history, results)
    results = _solved(results, history, study.tolerance)
    order = [*NAMES, "status", *_FIGURES, "message", "cell"]
    first = [*NAMES, *(c for c in ("iteration", "objective", "gap", "certificate", "support") if c in history)]
    rest = [c for c in history if c not in first]
    return Tables(results.reindex(columns=order), history[[*first, *rest]], _rates(results, history))


def write_tables(tables: Tables, out: str | Path) -> list[Path]:
    """Write each table as Parquet and as CSV; returns the files.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    """
    arrow, csv, parquet = require("pyarrow"), require("pyarrow.csv"), require("pyarrow.parquet")
    written = []
    for name in ("results", "histories", "rates"):
        table = arrow.Table.from_pandas(getattr(tables, name), preserve_index=False)
        for ending, write in ((".parquet", parquet.write_table), (".csv", csv.write_csv)):
            written.append(Path(out) / f"{name}{ending}")
            with replace_when_written(written[-1]) as temporary:
                write(table, temporary)
    return written


def _compared(results: Any) -> Any:
    """The results with the gap to the least objective that any cell of the instance found."""
    for name in _FIGURES:
        if name not in results:
            results[name] = math.nan
    if "message" not in results:
        results["message"] = ""
    results["message"] = results["message"].fillna("")
    best = results.groupby(INSTANCE)["objective"].transform("min")
    gap = results["objective"] - best
    results["best_known"], results["gap"] = best, gap
    results["relative_gap"] = gap / (results["start_objective"] - best).where(lambda drop: drop > 0)
    results["oracle_calls"] = _oracle_calls(results)
    return results


def _with_gaps(history: Any, results: Any) -> Any:
    if history.empty:
        return history.assign(gap=math.nan, oracle_calls=math.nan)
    history = history.merge(results[[*NAMES, "best_known"]], on=NAMES, how="left")
    history["gap"] = (history["objective"] - history["best_known"]).clip(lower=0.0)
    history["oracle_calls"] = _oracle_calls(history)
    return history.drop(columns="best_known")


def _oracle_calls(table: Any) -> Any:
    """Passes over the data: a value that comes with its gradient is one, and so is a prox of f."""
    return np.fmax(table["values"], table["gradients"]) + table["proxes"]


def _solved(results: Any, history: Any, tolerance: float) -> Any:
    """The results with what it took to bring the certificate to `tolerance` times that at the start."""
    if history.empty:
        return results
    taken = {
        names: solved_at(run, "certificate", tolerance * run["certificate"].iloc[0])
        for names, run in history.groupby(NAMES, sort=False)
    }
    keys = results[NAMES].itertuples(index=False, name=None)
    rows = [taken.get(key, dict.fromkeys(_COUNTED, math.nan)) for key in keys]
    for name in _COUNTED:
        results[f"solved_{name}"] = [row[name] for row in rows]
    return results


def solved_at(run: Any, sequence: str, target: float) -> Mapping[str, float]:
    """Iterations, oracle calls and seconds until a sequence is at most `target`; NaN if it never is."""
    below = np.flatnonzero((run[sequence] <= target).to_numpy())
    if not below.size:
        return dict.fromkeys(_COUNTED, math.nan)
    row = run.iloc[int(below[0])]
    return {name: float(row["iteration" if name == "iterations" else name]) for name in _COUNTED}


def _rates(results: Any, history: Any) -> Any:
    """The rates of gap and certificate of each cell.

    The gap is the one to what the run tends to: the least objective known of the instance, or the run's own end where
    that is a critical point of a higher value. Either is known up to certificate * |x| of its cell, which bounds the
    error for convex problems if no minimizer is farther away than |x|; gaps below are not told from 0.
    """
    pd = require("pandas")
    ended = results[results["objective"].notna()].assign(doubt=results["certificate"] * results["size_of_x"])
    ends = {tuple(end[name] for name in NAMES): end for end in ended.to_dict("records")}
    leasts: dict[Any, Any] = {}
    for names, end in ends.items():
        leasts[names[:3]] = min(leasts.get(names[:3], end), end, key=lambda each: each["objective"])
    rows = []
    for names, run in history.groupby(NAMES, sort=False) if not history.empty else ():
        end, least = ends[names], leasts[names[:3]]
        limit = least if end["gap"] <= end["doubt"] + least["doubt"] else end
        sequences = {
            "gap": ((run["objective"] - limit["objective"]).clip(lower=0.0), limit["doubt"]),
            "certificate": (run["certificate"], 0.0),
        }
        for sequence, (values, floor) in sequences.items():
            finite = np.isfinite(values)
            rate = fit_rate(values[finite], run["iteration"][finite], floor, sequence)  # type: ignore[arg-type]
            rows.append({**dict(zip(NAMES, names, strict=True)), "sequence": sequence, **_columns(rate)})
    columns = [*NAMES, "sequence", "regime", "value", "low", "high", "kl", "first", "last", "reason"]
    return pd.DataFrame(rows, columns=columns)


def _columns(rate: Rate) -> dict[str, Any]:
    return {
        "regime": rate.regime,
        "value": rate.value,
        "low": rate.interval[0],
        "high": rate.interval[1],
        "kl": rate.kl,
        "first": rate.rows[0],
        "last": rate.rows[1],
        "reason": rate.reason,
    }
