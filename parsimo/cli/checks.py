"""parsimo check: the theory checks, as a table."""

from __future__ import annotations

import difflib
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsimo.cli.console import console, one_line_errors, progress, show_table
from parsimo.core.files import replace_when_written

if TYPE_CHECKING:
    from parsimo.theory_checks import Check, Evidence

__all__ = ["check_command"]

_COLUMNS = ("no.", "claim", "trials", "worst margin", "seconds", "verdict")


@dataclass(frozen=True)
class _Outcome:
    """One check and what came of it."""

    check: Check
    evidence: Evidence
    seconds: float

    @property
    def row(self) -> list[str]:
        e = self.evidence
        return [
            str(self.check.number),
            self.check.name,
            f"{e.trials:,}",
            f"{e.margin:.2e}",
            f"{self.seconds:.2f}",
            e.verdict,
        ]

    @property
    def report(self) -> dict[str, Any]:
        """For JSON, which holds no infinity: null stands for a margin that is none."""
        evidence = asdict(self.evidence)
        evidence["margin"] = self.evidence.margin if math.isfinite(self.evidence.margin) else None
        return {"number": self.check.number, "name": self.check.name, **evidence, "seconds": self.seconds}


def check_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Only checks of this number or function, or with this in their name; default all."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Of each check; by default each has its own number.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random trials.")] = 0,
    only_list: Annotated[bool, typer.Option("--list", help="Show which checks there are; run none.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="File that receives the evidence.")] = None,
) -> None:
    """Try out every statement the package rests on; exit code 1 if one does not hold, 130 after Ctrl-C."""
    outcomes: list[_Outcome] = []
    with one_line_errors():
        chosen = _chosen(names or [])
        if only_list and json_file is not None:
            raise ValueError(f"--list runs no check, so that --json {json_file} would be empty; leave out one of them")
        if only_list:
            rows = [[str(check.number), check.name, check.function_name] for check in chosen]
            show_table(f"{len(chosen)} theory checks", ("no.", "claim", "function"), rows, left=3)
            raise typer.Exit()
        if json_file is not None:
            _check_writable(json_file)
        interrupted = False
        with progress("checks", len(chosen)) as advance:
            try:
                for outcome in _run(chosen, seed, trials):
                    outcomes.append(outcome)
                    advance(None)
            except KeyboardInterrupt:
                interrupted = True
    failed = [outcome for outcome in outcomes if not outcome.evidence.holds]
    title = f"theory checks, seed {seed}; a check holds where its worst margin is not negative"
    show_table(title, _COLUMNS, [outcome.row for outcome in outcomes], left=2)
    for outcome in failed:
        typer.echo(str(outcome.evidence))
    held, seconds = len(outcomes) - len(failed), sum(outcome.seconds for outcome in outcomes)
    summary = f"{held} of {len(outcomes)} checks hold, {seconds:.0f} s"
    if interrupted:
        summary += f"; interrupted, {len(chosen) - len(outcomes)} not run"
    console.print(summary, highlight=False, soft_wrap=True)
    if json_file is not None:
        with one_line_errors(), replace_when_written(json_file) as temporary:
            temporary.write_text(json.dumps([outcome.report for outcome in outcomes], indent=2) + "\n")
    if interrupted or failed:
        raise typer.Exit(130 if interrupted else 1)


def _check_writable(file: Path) -> None:
    if file.is_dir():
        raise IsADirectoryError(f"--json {file}: that is a folder; name a file in it")
    if not file.parent.is_dir():
        raise FileNotFoundError(f"--json {file}: there is no folder {file.parent}; create it first")


def _run(chosen: Sequence[Check], seed: int, trials: int | None) -> Iterator[_Outcome]:
    for check in chosen:
        begin = time.perf_counter()
        evidence = check.run(seed, trials)
        yield _Outcome(check, evidence, time.perf_counter() - begin)


def _chosen(names: Sequence[str]) -> list[Check]:
    """The standard checks of these numbers and names.

    Raises
    ------
    ValueError
        If one of them selects nothing: a mistyped name must not pass as a check that holds.
    """
    from parsimo.theory_checks import standard_checks

    checks = standard_checks()
    for name in names:
        if not any(_selects(name, check) for check in checks):
            known = {word for check in checks for word in (check.name, check.function_name, *check.name.split())}
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
            raise ValueError(
                f"no check has the number, function or name {name!r}; {hint}parsimo check --list shows them all"
            )
    return [check for check in checks if not names or any(_selects(name, check) for name in names)]


def _selects(name: str, check: Check) -> bool:
    if name.isdecimal():
        return check.number == int(name)
    return name.lower() in check.name.lower() or name == check.function_name
