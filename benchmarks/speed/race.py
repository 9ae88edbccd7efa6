"""The race on one case: for each contestant the loosest tolerance that is good enough, then repeats in turn.

Everything measured is written to a file at once. A race that was stopped goes on where it was; a contestant that
failed, or whose library has changed since, is tried again. A ratio is of one run: where a search was made again, all
repeats are.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import parsimo as ps
from benchmarks.speed.cases import Case
from benchmarks.speed.contestants import ENTRIES
from benchmarks.speed.judge import Verdict, judge
from benchmarks.speed.worker import Failed, Worker
from parsimo.core.files import replace_when_written

__all__ = ["Race", "Row", "THREADS"]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Each library reads its own."""

Start = Callable[[str], Any]
_NEVER = "never"


@dataclass
class Row:
    """What is known of one contestant."""

    version: str
    """Of its library; of parsimo, with a fingerprint of its sources."""
    rungs: list[list[float]] = field(default_factory=list)
    """[tolerance, certificate, seconds of a single solve] for each tolerance tried, in order."""
    tolerance: float | None = None
    """The loosest tolerance found good enough; None while it is looked for, or where there is none."""
    searched: bool = False
    """Whether the search has ended; its failures are tried again in the next run."""
    reason: str = ""
    """Why there is no time; empty where there is one."""
    verdict: dict[str, Any] | None = None
    """Of the answer at `tolerance`; of the best one found where none is good enough."""
    seconds: list[float] = field(default_factory=list)
    """Of the wall clock, one figure a repeat."""
    cpu_seconds: list[float] = field(default_factory=list)
    """Of all threads, one figure a repeat."""

    @property
    def median(self) -> float | None:
        """Seconds of the wall clock; None where there is no time to show."""
        return statistics.median(self.seconds) if self.seconds and not self.reason else None

    @property
    def cpu_median(self) -> float | None:
        """Seconds of all threads."""
        return statistics.median(self.cpu_seconds) if self.cpu_seconds and not self.reason else None


class Race:
    """The contestants `names` on one case, recorded in `path`."""

    def __init__(self, case: Case, seed: int, names: Iterable[str], path: Path, limit: float, start: Start) -> None:
        self.case, self.names, self.path, self.limit, self.start = case, tuple(names), path, limit, start
        self.settings = {"case": case.name, "seed": seed, "limit": limit, **settings()}
        self.rows: dict[str, Row] = {}
        self._resume()

    def run(self, repeats: int, say: Callable[[str], None] = print) -> Mapping[str, Row]:
        """Search, then repeat in turn."""
        workers: dict[str, Any] = {}
        try:
            for name in self.names:
                if not self.rows[name].searched:
                    self._enter(name, workers)
                    self._search(name, workers.get(name))
                    if self.rows[name].tolerance is not None:
                        for row in self.rows.values():
                            row.seconds.clear()
                            row.cpu_seconds.clear()
                    say(f"{self.case.name}: {name}: {self._found(name)}")
            for repeat in range(repeats):
                for name in self.names:
                    row = self.rows[name]
                    if row.reason or len(row.seconds) > repeat:
                        continue
                    self._enter(name, workers)
                    if name in workers:
                        self._repeat(name, workers[name])
                say(f"{self.case.name}: repeat {repeat + 1} of {repeats}")
        finally:
            for worker in workers.values():
                worker.close()
        return self.rows

    def _enter(self, name: str, workers: dict[str, Any]) -> None:
        if name in workers:
            return
        try:
            workers[name] = self.start(name)
        except Failed as failure:
            self._fail(name, str(failure))

    def _search(self, name: str, worker: Any) -> None:
        """Up the ladder by decades to the first tolerance that is good enough, then half a decade back."""
        row = self.rows[name]
        if worker is None:
            return
        try:
            ladder = worker.ladder
            for i, tolerance in enumerate(ladder):
                if self._try(row, worker, tolerance):
                    if i:
                        self._try(row, worker, (ladder[i - 1] * tolerance) ** 0.5)
                    break
        except Failed as failure:
            if row.tolerance is None:
                self._fail(name, str(failure))
        if row.tolerance is None and not row.reason:
            best = min((certificate for _, certificate, _ in row.rungs), default=np.nan)
            row.reason = f"{_NEVER}: certificate {best:.1e} at best"
        row.searched = True
        self._write()

    def _try(self, row: Row, worker: Any, tolerance: float) -> bool:
        timed = worker.solve(tolerance, once=True)
        verdict = judge(self.case, timed.answer)
        row.rungs.append([tolerance, verdict.certificate, round(timed.seconds, 6)])
        if verdict.good:
            row.tolerance = tolerance
        if verdict.good or _better(verdict, row.verdict):
            row.verdict = asdict(verdict)
        self._write()
        return verdict.good

    def _repeat(self, name: str, worker: Any) -> None:
        row = self.rows[name]
        try:
            timed = worker.solve(row.tolerance, once=False)
        except Failed as failure:
            self._fail(name, str(failure))
            return
        verdict = judge(self.case, timed.answer)
        if not verdict.good:
            self._fail(name, f"certificate {verdict.certificate:.1e} at a tolerance that was good enough before")
            return
        row.verdict = asdict(verdict)
        row.seconds.append(round(timed.seconds, 6))
        row.cpu_seconds.append(round(timed.cpu_seconds, 6))
        self._write()

    def _fail(self, name: str, reason: str) -> None:
        self.rows[name].reason, self.rows[name].searched = reason, True
        self._write()

    def _found(self, name: str) -> str:
        row = self.rows[name]
        return row.reason or f"tolerance {row.tolerance:.1e}, {row.rungs[-1][2]:.3g} s"

    def _resume(self) -> None:
        """Rows of the file that still hold; if one does not, no repeat does: a ratio is of one run."""
        stored: dict[str, Any] = {}
        if self.path.exists():
            content = json.loads(self.path.read_text())
            if content["settings"] == self.settings:
                stored = content["rows"]
        for name in self.names:
            row, current = Row(**stored[name]) if name in stored else None, version_of(name)
            ended = row is not None and row.version == current and (row.tolerance is not None or _never(row))
            self.rows[name] = row if row is not None and ended and row.searched else Row(current)

    def _write(self) -> None:
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(asdict(row))}" for name, row in self.rows.items())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replace_when_written(self.path) as temporary:
            temporary.write_text(f'{{"settings": {json.dumps(self.settings)},\n "rows": {{\n{rows}\n}}}}\n')


def settings() -> dict[str, Any]:
    """What the seconds depend on beside the libraries."""
    threads = {name: os.environ.get(name, "not set") for name in (*THREADS, "XLA_FLAGS")}
    return {"cores": os.cpu_count(), "machine": _processor(), "python": platform.python_version(), "threads": threads}


def version_of(name: str) -> str:
    """The version of the library of a contestant; "not installed" is one."""
    distribution = ENTRIES[name][2]
    try:
        known = version(distribution)
    except PackageNotFoundError:
        return "not installed"
    return f"{known} {_fingerprint()}" if distribution == "parsimo" else known


def _fingerprint() -> str:
    """Eight digits that change with any source of parsimo."""
    root = Path(ps.__file__).parent
    sources = sorted(path for path in root.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _never(row: Row) -> bool:
    """Whether it tried all its tolerances."""
    return row.reason.startswith(_NEVER)


def _better(verdict: Verdict, known: dict[str, Any] | None) -> bool:
    return known is None or verdict.certificate < known["certificate"]


def start_worker(case: str, seed: int, limit: float) -> Start:
    """How a race enters its contestants: each in a process of its own."""
    return lambda name: Worker(name, case, seed, limit)
