"""What a step costs beside its bare numpy lines, what a run keeps in memory, and how cost grows: docs/benchmarks.md.

    python benchmarks/costs.py [--repeats 7] [--out docs/results/costs.json]

* overhead: seconds a step of `solve` with `ProximalGradient` over those of the same step written out in numpy, on one
  lasso, with the certificate looked at when the run ends; repeats in turn, medians and minima of both.
* memory: the peak of what is allocated during `solve`, in vectors of n numbers.
* growth: seconds a step, and seconds of a whole solve by coordinate descent, over four decades of nnz(A) and n. The
  exponent is the slope of a line through the logarithms: 1 is linear.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import parsimo as ps
from parsimo.core.files import replace_when_written

ENTRIES_A_COLUMN = 4
SIZES = (50, 1_000_000)
MEMORY_SIZE = 10_000_000
GROWTH = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)  # nnz(A)


@dataclass(frozen=True, eq=False)
class Lasso:
    """|Ax - b|^2 / 2 + weight |x|_1, A sparse with `ENTRIES_A_COLUMN` entries a column; dense where n is small."""

    A: Any
    b: np.ndarray
    weight: float

    @classmethod
    def of_size(cls, n: int) -> Lasso:
        """n columns, n/2 rows, weight a fifth of the largest."""
        rng = np.random.default_rng(0)
        m = max(n // 2, 1)
        if n <= 100:
            A = rng.standard_normal((m, n))
        else:
            rows = rng.integers(0, m, ENTRIES_A_COLUMN * n)
            columns = np.repeat(np.arange(n), ENTRIES_A_COLUMN)
            A = sp.csc_array((rng.standard_normal(rows.size), (rows, columns)), shape=(m, n))
        truth = np.where(rng.random(n) < 0.02, 1.0, 0.0)
        b = A @ truth + 0.1 * rng.standard_normal(m)
        return cls(A, b, 0.2 * float(np.abs(A.T @ b).max()))

    @property
    def problem(self) -> ps.Composite:
        """As parsimo states it, with nothing in its caches."""
        return ps.Composite(ps.LeastSquares(self.A, self.b), ps.L1(self.weight))


def bare(lasso: Lasso, step_size: float, steps: int) -> np.ndarray:
    """Proximal gradient in numpy, as one would write it for this lasso alone."""
    A, b, threshold = lasso.A, lasso.b, step_size * lasso.weight
    transposed = A.T.tocsr() if sp.issparse(A) else A.T
    A = A.tocsr() if sp.issparse(A) else A
    x = np.zeros(A.shape[1])
    for _ in range(steps):
        v = x - step_size * (transposed @ (A @ x - b))
        x = np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0)
    return x


def by_solve(problem: ps.Composite, step_size: float, steps: int) -> np.ndarray:
    """The same steps by `solve`."""
    solver = ps.ProximalGradient(step_size=step_size)
    return ps.solve(problem, solver, stop=ps.stopping.max_iterations(steps), every=steps + 1).x


def overhead(n: int, repeats: int) -> dict[str, Any]:
    """Seconds a step of both; the two runs end at one point. The difference of a long and a short run is taken."""
    lasso, steps = Lasso.of_size(n), max(20, min(20_000, 20_000_000 // n))
    problem = lasso.problem
    step_size = 1.0 / problem.f.lipschitz
    np.testing.assert_allclose(by_solve(problem, step_size, 9), bare(lasso, step_size, 9), rtol=1e-9, atol=1e-12)
    runs: dict[str, Callable[[int], Any]] = {
        "bare": lambda k: bare(lasso, step_size, k),
        "solve": lambda k: by_solve(problem, step_size, k),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _, (name, run) in itertools.product(range(repeats), runs.items()):
        seconds[name].append((_timed(run, 2 * steps) - _timed(run, steps)) / steps)
    ratio = statistics.median(seconds["solve"]) / statistics.median(seconds["bare"])
    shortest = min(seconds["solve"]) / min(seconds["bare"])
    return {"what": "overhead", "n": n, "steps": steps, "seconds": seconds, "ratio": ratio, "ratio of minima": shortest}


class Distance:
    """f(x) = |x - c|^2 / 2, which allocates its gradient and nothing else."""

    lipschitz = 1.0

    def __init__(self, c: np.ndarray) -> None:
        self.c = c

    def start(self) -> np.ndarray:
        return np.zeros_like(self.c)

    def value(self, x: np.ndarray) -> float:
        return self.value_and_grad(x)[0]

    def grad(self, x: np.ndarray) -> np.ndarray:
        return x - self.c

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        gradient = x - self.c
        return 0.5 * float(gradient @ gradient), gradient


def memory(n: int) -> Iterator[dict[str, Any]]:
    """Peak bytes during `solve`, start and result included, data not."""
    for penalty in (ps.L1(0.1), ps.MCP.from_alpha_gamma(0.1, 3.0)):
        problem = ps.Composite(Distance(np.random.default_rng(0).standard_normal(n)), penalty)
        tracemalloc.start()
        by_solve(problem, 0.5, 5)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        yield {"what": "memory", "n": n, "penalty": repr(penalty), "bytes": peak, "vectors": peak / (8 * n)}


def growth(repeats: int) -> dict[str, Any]:
    """Seconds over four decades of nnz(A), n = nnz(A) / 4."""
    steps, solves = [], []
    for entries in GROWTH:
        lasso = Lasso.of_size(entries // ENTRIES_A_COLUMN)
        problem = lasso.problem
        step_size = 1.0 / problem.f.lipschitz
        count = max(5, min(2000, 20_000_000 // entries))
        times = [
            (_timed(lambda k, p=problem, t=step_size: by_solve(p, t, k), 2 * count)
             - _timed(lambda k, p=problem, t=step_size: by_solve(p, t, k), count)) / count
            for _ in range(repeats)
        ]  # fmt: skip
        steps.append(statistics.median(times))
        solves.append(statistics.median(_timed(lambda _, p=lasso: _coordinate_descent(p), 0) for _ in range(repeats)))
    return {
        "what": "growth",
        "nnz": GROWTH,
        "seconds a step": steps,
        "seconds a solve": solves,
        "exponent of a step": _exponent(steps),
        "exponent of a solve": _exponent(solves),
    }


def _coordinate_descent(lasso: Lasso) -> None:
    problem = lasso.problem
    size = float(np.linalg.norm(problem.f.grad(problem.f.start())))
    result = ps.solve(problem, ps.CoordinateDescent(), stop=ps.stopping.certificate_below(1e-6 * size, 0.0))
    result.require()


def _exponent(seconds: list[float]) -> float:
    return float(np.polyfit(np.log(GROWTH), np.log(seconds), 1)[0])


def _timed(run: Callable[[int], Any], argument: int) -> float:
    start = time.perf_counter()
    run(argument)
    return time.perf_counter() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=7)
    arguments.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = arguments.parse_args()
    _coordinate_descent(Lasso.of_size(1000))  # compiled before the clock starts
    rows = [overhead(n, options.repeats) for n in SIZES]
    rows += [*memory(MEMORY_SIZE), growth(options.repeats)]
    show(rows)
    if options.out is not None:
        with replace_when_written(options.out) as temporary:
            temporary.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def show(rows: list[dict[str, Any]]) -> None:
    """Three tables."""
    print("| n | bare, s a step | solve, s a step | ratio | of the minima |\n|---|---|---|---|---|")
    for row in (r for r in rows if r["what"] == "overhead"):
        bare_, solved = (statistics.median(row["seconds"][name]) for name in ("bare", "solve"))
        print(f"| {row['n']} | {bare_:.3g} | {solved:.3g} | {row['ratio']:.3f} | {row['ratio of minima']:.3f} |")
    print("\n| n | penalty | peak, vectors |\n|---|---|---|")
    for row in (r for r in rows if r["what"] == "memory"):
        print(f"| {row['n']} | {row['penalty']} | {row['vectors']:.2f} |")
    for row in (r for r in rows if r["what"] == "growth"):
        print("\n| nnz(A) | s a step | ns an entry | s a solve | ns an entry |\n|---|---|---|---|---|")
        for nnz, step, solve in zip(row["nnz"], row["seconds a step"], row["seconds a solve"], strict=True):
            print(f"| {nnz} | {step:.3g} | {1e9 * step / nnz:.3g} | {solve:.3g} | {1e9 * solve / nnz:.3g} |")
        print(f"| exponent | {row['exponent of a step']:.2f} | | {row['exponent of a solve']:.2f} | |")


if __name__ == "__main__":
    main()
