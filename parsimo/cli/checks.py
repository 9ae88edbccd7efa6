"""parsimo check: the theory checks, as a table."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from parsimo.cli.console import one_line_errors, progress, show_table

__all__ = ["check_command"]


def check_command(
    names: Annotated[list[str] | None, typer.Argument(help="Only checks whose name contains one of these.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random trials.")] = 0,
) -> None:
    """Try out every statement the package rests on; exit code 1 if one does not hold."""
    with one_line_errors():
        from parsimo.theory_checks import standard_checks

        checks = standard_checks()
        chosen = [c for c in checks if not names or any(part in c.name for part in names)]
        if not chosen:
            kinds = sorted({check.name.split(" of ")[0] for check in checks})
            raise ValueError(f"no check is named like {', '.join(names or [])}; there are: {', '.join(kinds)}")
        rows, failed = [], []
        with progress("checks", len(chosen)) as advance:
            for check in chosen:
                begin = time.perf_counter()
                evidence = check.run(seed)
                seconds = f"{time.perf_counter() - begin:.2f}"
                rows.append([check.name, f"{evidence.trials:,}", f"{evidence.margin:.2e}", seconds, evidence.verdict])
                failed += [] if evidence.holds else [evidence]
                advance(None)
    show_table("theory checks", ["claim", "trials", "worst margin", "seconds", "verdict"], rows)
    for evidence in failed:
        typer.echo(str(evidence))
    if failed:
        raise typer.Exit(1)
