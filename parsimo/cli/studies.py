"""parsimo study: a grid of problems and solvers from a TOML file, as tables and a page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from parsimo.cli.console import console, one_line_errors, progress, show_table

__all__ = ["study_command"]


def study_command(
    file: Annotated[Path, typer.Argument(help="TOML file: problems, solvers, sizes, seeds; docs/studies.md.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder that receives cells, tables and page; named after FILE by default."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Cells at a time; -1 for as many as there are cores.")] = 1,
    backend: Annotated[
        str | None,
        typer.Option("--backend", help="joblib's: loky, threading, dask, ray, or a registered one."),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run again the cells that ended with an error.")] = False,
) -> None:
    """Run a convergence study. What is finished is kept: run it again after an interruption, and it goes on."""
    with one_line_errors():
        from parsimo import studies

        study = studies.read_study(file)
        folder = Path(file.stem) if out is None else out
        missing = len(studies.missing_cells(study, folder, retry))
        total = len({cell.key for cell in study.cells})
        said = f"{study.title}: {total} cells, {total - missing} of them finished before"
        console.print(said, markup=False, highlight=False)
        try:
            with studies.backend(backend, jobs), progress("cells", missing) as advance:
                studies.run_study(study, folder, jobs, retry, observe=lambda cell, status: advance(None))
        except KeyboardInterrupt:
            console.print("interrupted; the finished cells are kept, run it again to go on", highlight=False)
            raise typer.Exit(130) from None
        tables = studies.collect(study, folder)
        written = [
            *studies.write_tables(tables, folder),
            studies.write_page(study, tables, folder, _command(file, out)),
        ]
    rows = [
        [row.problem, row.solver, f"{row.solved} of {row.runs}", *map(_short, (row.seconds, row.certificate, row.gap))]
        for row in _summary(tables.results).itertuples()
    ]
    columns = ("problem", "solver", "solved", "seconds", "certificate", "relative gap")
    show_table(f"{study.title}: medians over sizes and seeds", columns, rows, left=2)
    failed = tables.results[tables.results["status"] == "ERROR"]
    for cell in failed.itertuples():
        where = ", ".join(filter(None, (cell.problem, cell.size, f"seed {cell.seed}", cell.solver)))
        console.print(f"{where}: {cell.message}", style="red", markup=False, highlight=False, soft_wrap=True)
    names = ", ".join(path.name for path in written)
    console.print(f"written to {folder}/: {names}", highlight=False, soft_wrap=True)
    if len(failed):
        raise typer.Exit(1)


def _summary(results: Any) -> Any:
    return results.groupby(["problem", "solver"], sort=False, as_index=False).agg(
        solved=("solved_iterations", "count"),
        runs=("status", "size"),
        seconds=("solved_seconds", "median"),
        certificate=("certificate", "median"),
        gap=("relative_gap", "median"),
    )


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2g}"


def _command(file: Path, out: Path | None) -> str:
    """The command for the page, which is about the file alone, wherever it lies."""
    return f"parsimo study {file.name}" + ("" if out is None else f" --out {out.name}")
