"""What the commands share: progress bars, tables, reports on disk, errors in one line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from parsimo.core.files import replace_when_written

__all__ = ["console", "one_line_errors", "progress", "show_table", "write_report"]

console = Console()
_errors = Console(stderr=True)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Misuse ends with its message and exit code 2, not with a traceback."""
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:
        _errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[Any], None]]:
    """An observer that advances a bar; nothing is drawn where the output is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda report: bar.advance(task)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
    """A table, its first `left` columns to the left and the others to the right."""
    table = Table(title=escape(title), title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    (console if console.is_terminal else Console(width=160)).print(table)


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """report.json; a number that is not finite becomes null, which JSON can hold."""
    plain = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in report.items()}
    with replace_when_written(folder / "report.json") as temporary:
        temporary.write_text(json.dumps(plain, indent=2) + "\n")
