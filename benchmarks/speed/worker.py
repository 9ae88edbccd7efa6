"""A contestant in a process of its own: libraries do not share thread pools, and one that crashes or hangs is a row.

The clock runs in the process of the contestant, around the solve alone.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed.cases import CASES
from benchmarks.speed.contestants import enter
from benchmarks.speed.judge import check_translation

__all__ = ["Failed", "Timed", "Worker"]

_VISIT = 0.1  # seconds: a short solve is repeated until so much has passed, and its median counts
_MOST = 20  # solves in one visit
_ENTRY = 120.0  # seconds for importing the library, drawing the instance and compiling


class Timed(NamedTuple):
    """An answer and what it took."""

    seconds: float
    """By the clock on the wall."""
    cpu_seconds: float
    """Of all threads of the process: what other work on the machine leaves alone."""
    answer: np.ndarray


class Failed(RuntimeError):
    """A contestant could not be entered, raised, died, or gave no answer in time; the message says which."""


class Worker:
    """The contestant `name` on case `case` of seed `seed`.

    Raises
    ------
    Failed
        If its library is missing, its translation is wrong, or the warm-up fails.
    """

    def __init__(self, name: str, case: str, seed: int, limit: float) -> None:
        self.limit = limit
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name, case, seed), daemon=True)
        self._process.start()
        theirs.close()
        self.ladder: tuple[float, ...] = self._answer(max(limit, _ENTRY))

    def solve(self, tolerance: float, once: bool) -> Timed:
        """A single solve with `once`; otherwise as many as fill a visit, of whose times the medians count."""
        self._pipe.send((tolerance, once))
        return Timed(*self._answer(self.limit))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _answer(self, limit: float) -> Any:
        try:
            if not self._pipe.poll(limit):
                self._process.kill()  # so that it takes nothing from the others
                raise Failed(f"no answer within {limit:g} s")
            kind, content = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise Failed(f"its process ended with exit code {self._process.exitcode}") from None
        if kind == "error":
            raise Failed(content)
        return content


def _serve(pipe: Connection, name: str, case_name: str, seed: int) -> None:
    """Answer until the other end is closed: first the ladder, once warm, then what is timed for each request."""
    warnings.simplefilter("ignore")  # a library that warns of not converging is judged by its point
    try:
        case = CASES[case_name](seed)
        contestant = enter(name, case)
        check_translation(case, contestant.objective)
        contestant.at(contestant.ladder[0])()  # compiles what is compiled at the first call
        pipe.send(("ready", contestant.ladder))
        while True:
            tolerance, once = pipe.recv()
            solve = contestant.at(tolerance)
            seconds: list[float] = []
            cpu_seconds: list[float] = []
            while not seconds or not (once or sum(seconds) >= _VISIT or len(seconds) == _MOST):
                start, cpu_start = time.perf_counter(), time.process_time()
                answer = solve()
                seconds.append(time.perf_counter() - start)
                cpu_seconds.append(time.process_time() - cpu_start)
            pipe.send(("solved", (statistics.median(seconds), statistics.median(cpu_seconds), answer)))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
        pipe.send(("error", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''} ({where})"))
