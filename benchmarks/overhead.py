"""What a run costs beyond its arithmetic: an iteration against the bare numpy lines, memory in vectors, growth with n.

    OMP_NUM_THREADS=1 python -m benchmarks.overhead [--repeats 7] [--largest 10000000]
        [--out docs/results/overhead.json]

Seconds are those of the process, on one thread, so that other work on the machine counts less.

*Iterations.* `solve` with an `every` that leaves all but the first state unevaluated, against the lines that a user
would write for the same step. The two run in turn; what start and end cost is taken out by running m and 2m
iterations. The median of the ratios of the repeats is the figure. Goals: 3 at n = 50, 1.05 at n = 1,000,000.

*Memory.* The peak of a run at n = 10,000,000 by tracemalloc, in vectors of 8n bytes. What the user holds (the data of f
and x0) is not counted; all copies are. Goal: 6.

*Growth.* Seconds of an iteration for n from 1,000 on, f diagonal and f of 5 nonzeros a column, at random places. The
slope in log-log is 1 where the cost is linear; below it a constant part still counts, and above it the vectors leave
the cache: then that of the bare lines is so too.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import parsimo as ps
from parsimo.core.files import replace_when_written
from parsimo.solvers import stopping

WEIGHT, FLAT = 0.5, 2.0
NEVER = 10**9
STEPS = {50: 2000, 10**3: 1000, 10**4: 200, 10**5: 40, 10**6: 8, 10**7: 2}
"""Iterations of a timed run, by n."""
CHEAP = 4
"""Times more for the growth of f diagonal: start and end cost more than an iteration of few passes."""
PENALTIES = {"L1": ps.L1(WEIGHT), "MCP": ps.MCP(WEIGHT, FLAT)}


@dataclass(frozen=True)
class Diagonal:
    """f(x) = sum d_i x_i^2 / 2 - c_i x_i: a few passes over vectors, so that everything else is seen."""

    d: np.ndarray
    c: np.ndarray
    lipschitz: float = 1.0
    convex: bool = True

    def start(self) -> np.ndarray:
        return np.zeros_like(self.c)

    def value(self, x: np.ndarray) -> float:
        return float(np.einsum("i,i,i", self.d, x, x)) / 2 - float(self.c @ x)

    def grad(self, x: np.ndarray) -> np.ndarray:
        gradient = self.d * x
        gradient -= self.c
        return gradient

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self.value(x), self.grad(x)


def diagonal(n: int) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """f, and its gradient in bare lines."""
    rng = np.random.default_rng(0)
    d, c = rng.uniform(0.5, 1.0, n), rng.standard_normal(n)
    return Diagonal(d, c), lambda x: d * x - c


def dense(n: int) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """Least squares with 2n rows."""
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((2 * n, n)), rng.standard_normal(2 * n)
    return ps.LeastSquares(A, b), lambda x: A.T @ (A @ x - b)


def sparse(n: int) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """Least squares with n rows and 5 nonzeros a column."""
    rng = np.random.default_rng(0)
    index = rng.integers(0, n, 5 * n), np.repeat(np.arange(n), 5)
    A, b = sp.csr_matrix((rng.standard_normal(5 * n), index), shape=(n, n)), rng.standard_normal(n)
    transposed, f = A.T.tocsr(), ps.LeastSquares(A, b)
    sizes = abs(A)
    vars(f)["lipschitz"] = float(sizes.sum(axis=0).max() * sizes.sum(axis=1).max())  # |A|^2 at most; Lanczos takes long
    return f, lambda x: transposed @ (A @ x - b)


KINDS = {"dense": dense, "diagonal": diagonal, "sparse": sparse}


def bare(gradient: Callable[[np.ndarray], np.ndarray], penalty: str, n: int, t: float) -> Callable[[int], float]:
    """Seconds of so many steps in the lines that a user would write."""
    tau, a = t * WEIGHT, FLAT

    def l1(steps: int) -> None:
        x = np.zeros(n)
        for _ in range(steps):
            v = x - t * gradient(x)
            x = np.sign(v) * np.maximum(np.abs(v) - tau, 0.0)

    def mcp(steps: int) -> None:
        x = np.zeros(n)
        for _ in range(steps):
            v = x - t * gradient(x)
            size = np.abs(v)
            inner = np.maximum(size - 2 * tau / a, 0.0) / (1 - 2 * tau / a**2)
            x = np.sign(v) * np.where(size <= a, inner, size)

    return lambda steps: seconds_of(lambda: {"L1": l1, "MCP": mcp}[penalty](steps))


def solved(f: Any, penalty: str, t: float) -> Callable[[int], float]:
    """Seconds of a run of so many iterations."""
    problem, solver = ps.Composite(f, PENALTIES[penalty]), ps.ProximalGradient(step_size=t)
    return lambda steps: seconds_of(lambda: ps.solve(problem, solver, stop=stopping.max_iterations(steps), every=NEVER))


def seconds_of(call: Callable[[], Any]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def step_size(f: Any) -> float:
    """0.9/L; below that the prox of MCP has the regime that the bare lines know."""
    return 0.9 / f.lipschitz if f.lipschitz > 0.9 else 1.0


def iterations(kind: str, penalty: str, n: int, repeats: int) -> dict[str, Any]:
    """The ratio of an iteration through `solve` to the bare lines."""
    f, gradient = KINDS[kind](n)
    t, steps = step_size(f), STEPS[n]
    runs = bare(gradient, penalty, n, t), solved(f, penalty, t)
    each: list[list[float]] = [[], []]
    for _ in range(repeats + 1):  # the first is not counted
        for run, taken in zip(runs, each, strict=True):
            taken.append((run(2 * steps) - run(steps)) / steps)
    lines, whole = (np.array(taken[1:]) for taken in each)
    return {
        "f": kind,
        "penalty": penalty,
        "n": n,
        "bare_microseconds": round(1e6 * float(np.median(lines)), 2),
        "solve_microseconds": round(1e6 * float(np.median(whole)), 2),
        "ratio": round(float(np.median(whole / lines)), 3),
        "goal": 3.0 if n <= 1000 else 1.05,
    }


SOLVERS: dict[str, Any] = {
    "ProximalGradient": lambda: ps.ProximalGradient(),
    "ProximalGradient(step_size=1.0)": lambda: ps.ProximalGradient(step_size=1.0),
    "ProximalADMM(Linearized, plain)": lambda: ps.ProximalADMM(x_step=ps.Linearized(), acceleration=None),
}


def memory(solver: str, penalty: str, n: int) -> dict[str, Any]:
    """The peak of a run of three iterations, in vectors."""
    f, _ = diagonal(n)
    problem, x0 = ps.Composite(f, PENALTIES[penalty]), np.ones(n)
    gc.collect()
    tracemalloc.start()
    try:
        ps.solve(problem, SOLVERS[solver](), x0, stop=stopping.max_iterations(3), every=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return {"solver": solver, "penalty": penalty, "n": n, "vectors": round(peak / (8 * n), 2), "goal": 6}


def growth(kind: str, largest: int, repeats: int) -> dict[str, Any]:
    """Seconds of an iteration by n, through `solve` and in bare lines, and the slopes in log-log."""
    sizes = [n for n in STEPS if 1000 <= n <= largest]
    times: dict[str, list[float]] = {"solve": [], "bare": []}
    for n in sizes:
        f, gradient = KINDS[kind](n)
        t, steps = step_size(f), STEPS[n] * (CHEAP if kind == "diagonal" else 1)
        runs = {"solve": solved(f, "L1", t), "bare": bare(gradient, "L1", n, t)}
        each = [{name: (run(2 * steps) - run(steps)) / steps for name, run in runs.items()} for _ in range(repeats)]
        for name, taken in times.items():
            taken.append(float(np.median([one[name] for one in each])))
    row: dict[str, Any] = {"f": kind, "n": sizes}
    for name, taken in times.items():
        row[f"{name}_seconds"] = [float(f"{s:.3g}") for s in taken]
        row[f"{name}_slope"] = round(float(np.polyfit(np.log(sizes), np.log(taken), 1)[0]), 3)
    return row


def cell(value: Any) -> str:
    return ", ".join(f"{v:.3g}" for v in value) if isinstance(value, list) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description="Overhead, memory and growth of a run.")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--largest", type=int, default=10**7, choices=[10**5, 10**6, 10**7])
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    report: dict[str, Any] = {"python": platform.python_version(), "numpy": np.__version__}

    print("| f | penalty | n | bare, µs | solve, µs | ratio | goal |\n|---|---|---|---|---|---|---|")
    report["iterations"] = []
    for kind, n in (("dense", 50), ("diagonal", 10**6), ("sparse", 10**6)):
        for penalty in PENALTIES:
            row = iterations(kind, penalty, min(n, options.largest), options.repeats)
            report["iterations"].append(row)
            print(f"| {' | '.join(str(v) for v in row.values())} |", flush=True)

    print("\n| solver | penalty | n | vectors | goal |\n|---|---|---|---|---|")
    report["memory"] = []
    for solver in SOLVERS:
        for penalty in PENALTIES:
            row = memory(solver, penalty, options.largest)
            report["memory"].append(row)
            print(f"| {' | '.join(str(v) for v in row.values())} |", flush=True)

    print("\n| f | n | solve, seconds | slope | bare, seconds | slope |\n|---|---|---|---|---|---|")
    report["growth"] = []
    for kind in ("diagonal", "sparse"):
        row = growth(kind, options.largest, options.repeats)
        report["growth"].append(row)
        print(f"| {' | '.join(v if isinstance(v, str) else cell(v) for v in row.values())} |", flush=True)

    if options.out is not None:
        with replace_when_written(options.out) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
