"""From the records of races to the tables of docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.cases import Case, Goal
from benchmarks.speed.race import Row

__all__ = ["goal_lines", "goals", "read", "rows", "table"]

_SAME = 1e-9  # of the objective at 0: a difference below is rounding and what the certificate leaves open


def read(path: Path) -> tuple[dict[str, Any], dict[str, Row]]:
    """Settings and rows of a record."""
    content = json.loads(path.read_text())
    return content["settings"], {name: Row(**row) for name, row in content["rows"].items()}


def rows(case: Case, seed: int, found: dict[str, Row]) -> Iterator[str]:
    """One line for each contestant: its time, and what its answer is worth."""
    best = _lowest(found)
    for name, row in found.items():
        cells = [case.name, seed, f"{name} {row.version.split(' ')[0]}"]
        if row.median is None:
            cells += [row.reason or "not yet", "", ""]
        else:
            cells += [f"{row.median:.3g}", f"{min(row.seconds):.3g} to {max(row.seconds):.3g}", f"{row.cpu_median:.3g}"]
        if row.verdict is None:
            cells += [""] * 4
        else:
            above = max(_excesses(row.verdict["objectives"], best, case))
            cells += [
                "" if row.tolerance is None else f"{row.tolerance:.1e}",
                f"{row.verdict['certificate']:.1e}",
                "0" if above < _SAME else f"{above:.1e}",
                _span(row.verdict["nonzeros"]),
            ]
        yield _line(cells)


def goal_lines(case: Case, seed: int, found: dict[str, Row]) -> Iterator[str]:
    """One line for each goal and each solver it is held against."""
    for goal in case.goals:
        for other in goal.against:
            if goal.ours in found and other in found:
                yield _goal(case, seed, goal, other, found[goal.ours], found[other])


def goals(lines: Iterable[str]) -> str:
    """The table of goals."""
    head = "| case | seed | parsimo | s | against | s | ratio | of CPU s | goal | met | objective higher |"
    return "\n".join([head, f"|{'---|' * 11}", *lines])


def table(lines: Iterable[str]) -> str:
    """The table of times."""
    head = (
        "| case | seed | solver | s | from, to | CPU s | tolerance | certificate | objective above lowest | nonzeros |"
    )
    return "\n".join([head, f"|{'---|' * 10}", *lines])


def _goal(case: Case, seed: int, goal: Goal, other: str, ours: Row, theirs: Row) -> str:
    ratio, cpu, met = "", "", "no"
    if ours.median is not None and theirs.median is not None:
        quotient = ours.median / theirs.median
        ratio, cpu, met = f"{quotient:.2g}", _quotient(ours, theirs), "yes" if quotient <= goal.ratio else "no"
    elif ours.median is not None:
        met = "yes: the other never gets there"
    name = goal.ours.removeprefix("parsimo ")
    cells = [case.name, seed, name, _seconds(ours), other, _seconds(theirs), ratio, cpu, f"{goal.ratio:g}", met]
    return _line([*cells, _higher(case, ours, theirs)])


def _seconds(row: Row) -> str:
    return "never" if row.median is None else f"{row.median:.3g}"


def _quotient(ours: Row, theirs: Row) -> str:
    """Of the CPU seconds, which other work on the machine leaves alone."""
    return "" if ours.cpu_median is None or not theirs.cpu_median else f"{ours.cpu_median / theirs.cpu_median:.2g}"


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _higher(case: Case, ours: Row, theirs: Row) -> str:
    """In how many problems our objective is the higher, by how much at most; of supports, where F1 is the lower."""
    if ours.verdict is None or theirs.verdict is None:
        return ""
    excess = list(_excesses(ours.verdict["objectives"], theirs.verdict["objectives"], case))
    higher = sum(e > _SAME for e in excess)
    lower = sum(e < -_SAME for e in excess)
    said = f"{higher} of {len(excess)}"
    said += f", by {max(excess):.1e}" if higher else ""
    said += f"; lower {lower}, by {-min(excess):.1e}" if lower else ""
    if case.penalty == "subset":
        worse = sum(a < b for a, b in zip(ours.verdict["f1"], theirs.verdict["f1"], strict=True))
        better = sum(a > b for a, b in zip(ours.verdict["f1"], theirs.verdict["f1"], strict=True))
        said += f"; F1 lower {worse}, higher {better}"
    return said


def _excesses(objectives: list[float], others: list[float], case: Case) -> Iterator[float]:
    f = case.problems[0].f
    scale = float(f.value(f.start()))
    return ((a - b) / scale for a, b in zip(objectives, others, strict=True))


def _lowest(found: dict[str, Row]) -> list[float]:
    """The lowest objective that anyone found with a good certificate, problem by problem."""
    known = [r.verdict["objectives"] for r in found.values() if r.verdict is not None and r.tolerance is not None]
    known = known or [r.verdict["objectives"] for r in found.values() if r.verdict is not None]
    return [min(values) for values in zip(*known, strict=True)]


def _span(nonzeros: list[int]) -> str:
    return str(nonzeros[0]) if len(nonzeros) == 1 else f"{min(nonzeros)} to {max(nonzeros)}"
