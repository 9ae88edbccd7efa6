"""The page of a study: one HTML file, charts included, that opens from disk without a network."""

from __future__ import annotations

import math
import platform
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import parsimo as ps
from parsimo.core.files import replace_when_written
from parsimo.studies import figures
from parsimo.studies.configuration import Study
from parsimo.studies.names import require
from parsimo.studies.tables import INSTANCE, Tables

__all__ = ["write_page"]

_SUMMARY = (
    ("solved_iterations", "iterations"),
    ("solved_oracle_calls", "oracle calls"),
    ("solved_seconds", "seconds"),
    ("certificate", "certificate"),
    ("relative_gap", "relative gap"),
    ("support", "support"),
    ("f1", "F1"),
)
_CELLS = (
    *(*INSTANCE, "solver", "status", "certificate", "objective", "relative_gap"),
    *("iterations", "oracle_calls", "seconds", "support", "pieces", "f1", "identification"),
)


_GRID = "problems, sizes, seeds"


def write_page(study: Study, tables: Tables, out: str | Path, command: str = "") -> Path:
    """Write `study.html` into `out`.

    Parameters
    ----------
    study : Study
    tables : Tables
        From `collect`.
    out : path-like
    command : str
        How the study was run, for the reader who wants to run it again.

    Raises
    ------
    ImportError
        If plotly or jinja2 is not installed.
    """
    jinja2, offline = require("jinja2"), require("plotly.offline")
    source = files("parsimo.studies").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["figure"] = _figure
    environment.filters["number"] = _number
    results = tables.results
    colors = figures.solver_colors(list(dict.fromkeys(results["solver"])))
    has_runs = not tables.histories.empty
    text = environment.from_string(source).render(
        study=study,
        version=ps.__version__,
        command=command,
        software=_software(),
        plotly=offline.get_plotlyjs(),
        facts=_facts(study, results),
        colors=colors,
        summary=_summary(results),
        columns=[label for _, label in _SUMMARY],
        convergence=[(p, figures.convergence(tables, p, colors)) for p in _problems(tables.histories)],
        profiles=figures.profiles(tables, study.tolerance, colors) if has_runs else None,
        rates=_rates(tables.rates),
        linear=figures.linear_rates(tables, colors) if has_runs else None,
        identification=figures.identification(tables, colors) if has_runs else None,
        errors=results[results["status"] == "ERROR"].to_dict("records"),
        cell_columns=_CELLS,
        cells=results[list(_CELLS)].to_dict("records"),
    )
    path = Path(out) / "study.html"
    with replace_when_written(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _problems(table: Any) -> list[str]:
    return list(dict.fromkeys(table["problem"]))


def _facts(study: Study, results: Any) -> list[tuple[str, str]]:
    solved = int(results["solved_iterations"].notna().sum())
    failed = int((results["status"] == "ERROR").sum())
    return [
        (f"{len(results)} of {len(study.cells)}", "cells finished"),
        (f"{solved} of {len(results)}", f"solved to {study.tolerance:g} of the certificate at the start"),
        (" x ".join(map(str, (len(_problems(results)), results["size"].nunique(), results["seed"].nunique()))), _GRID),
        (str(results["solver"].nunique()), "solvers"),
        (str(failed), "errors"),
    ]


def _summary(results: Any) -> list[dict[str, Any]]:
    """Medians over sizes and seeds, one row a problem and solver; the least of what counts, per problem, is marked."""
    rows = []
    for problem in _problems(results):
        block = results[results["problem"] == problem]
        medians = {}
        for solver, cells in block.groupby("solver", sort=False):
            solved = int(cells["solved_iterations"].notna().sum())
            figures_of = [float(cells[name].median()) for name, _ in _SUMMARY]
            medians[solver] = (solved, len(cells), figures_of)
        complete = {s: m for s, (solved, total, m) in medians.items() if solved == total}
        least = [min((m[i] for m in complete.values()), default=math.nan) for i in range(3)]
        for number, (solver, (solved, total, m)) in enumerate(medians.items()):
            best = [solver in complete and i < 3 and m[i] == least[i] for i in range(len(m))]
            rows.append(
                {
                    "problem": problem if number == 0 else "",
                    "span": len(medians),
                    "solver": solver,
                    "solved": f"{solved} of {total}",
                    "all": solved == total,
                    "figures": list(zip(m, best, strict=True)),
                }
            )
    return rows


def _rates(rates: Any) -> list[dict[str, Any]]:
    """One row a problem, solver and sequence: how many runs showed which regime, and the median of the commonest."""
    rows = []
    for (problem, solver, sequence), some in rates.groupby(["problem", "solver", "sequence"], sort=False):
        counts = some["regime"].value_counts()
        decided = counts.drop("undecided", errors="ignore")
        commonest = decided.index[0] if len(decided) else "undecided"
        of_it = some[some["regime"] == commonest]
        value, low, high = of_it["value"].median(), of_it["low"].min(), of_it["high"].max()
        said = {
            "linear": f"q = {value:.4g} ({low:.4g} to {high:.4g})",
            "sublinear": f"k^-{value:.3g} ({low:.3g} to {high:.3g})",
            "finite": f"{value:.0f} steps ({low:.0f} to {high:.0f})",
            "undecided": of_it["reason"].mode().iloc[0],
        }
        rows.append(
            {
                "problem": problem,
                "solver": solver,
                "sequence": sequence,
                "regimes": ", ".join(f"{count} {regime}" for regime, count in counts.items()),
                "commonest": commonest,
                "rate": said[commonest],
                "kl": of_it["kl"].mode().iloc[0],
            }
        )
    return rows


def _software() -> str:
    versions = ", ".join(f"{name} {require(name).__version__}" for name in ("numpy", "scipy", "pandas", "plotly"))
    where = f"{platform.system()} {platform.machine()}"
    return f"parsimo {ps.__version__}, Python {platform.python_version()}, {versions}; {where}"


def _figure(figure: Any) -> Any:
    config = {"displayModeBar": False, "responsive": True}
    html = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    return require("markupsafe").Markup(html)


def _number(value: Any) -> str:
    """Three digits, as short as they can be; a hyphen where there is no number."""
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return "-"
    if value == 0 or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 1e5:
        return np.format_float_positional(value, precision=3, fractional=False, trim="-")
    return f"{value:.1e}"
