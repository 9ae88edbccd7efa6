"""The late phase of P-ADMM: what leaps save between a certificate of 1e-3 and one of 1e-10.

    OMP_NUM_THREADS=1 python -m benchmarks.late_phase [--seeds 0 1 2 3 4] [--out docs/results/late_phase.json]

Least squares, 200 x 100, with singular values in geometric progression, 10 true nonzeros of size 1 and noise of a tenth
of the signal; the weight is `weight_max` / 30, and gamma 3 in units of the largest L_j. Plain P-ADMM and P-ADMM with
`LatePhase()` run from 0 to a certificate of 1e-10 of |grad f(0)|. A *call* is a gradient, a prox of f, or a column of
the Hessian, which costs no more than a gradient. Counted are all calls; those of the late phase, after the certificate
was 1e-3 for the first time; and of these, in the last ratio, gradients and proxes alone. Goal: a tenth of the calls of
the plain method.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np

import parsimo as ps
from parsimo.core.files import replace_when_written
from parsimo.selection import regularization_path
from parsimo.solvers import Linearized, stopping

ROWS, COLUMNS, NONZEROS = 200, 100, 10
CONDITIONS = (1e2, 1e4, 1e6)
PENALTIES = ("mcp", "scad", "capped-l1", "zero-norm", "l1")
STEPS: dict[str, Any] = {"exact": None, "linearized": Linearized()}
LATE, END = 1e-3, 1e-10
MOST = 200_000


def instance(condition: float, seed: int) -> ps.LeastSquares:
    """f with a Hessian of this condition number and largest eigenvalue 1."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.normal(size=(ROWS, COLUMNS)))[0]
    right = np.linalg.qr(rng.normal(size=(COLUMNS, COLUMNS)))[0]
    A = (left * np.geomspace(1.0, condition**-0.5, COLUMNS)) @ right.T
    truth = np.zeros(COLUMNS)
    truth[rng.choice(COLUMNS, NONZEROS, replace=False)] = rng.choice([-1.0, 1.0], NONZEROS)
    signal = A @ truth
    noise = rng.normal(size=ROWS)
    return ps.LeastSquares(A, signal + 0.1 * np.linalg.norm(signal) / np.linalg.norm(noise) * noise)


def problem(penalty: str, condition: float, seed: int) -> ps.Composite:
    """The problem of one row."""
    f = instance(condition, seed)
    path = regularization_path(f, penalty, count=2, ratio=1 / 30, max_iterations=1)
    return ps.Composite(f, path.family(float(path.weights[-1])))


def run(of: ps.Composite, solver: ps.ProximalADMM) -> dict[str, Any]:
    """Calls of one run, in all and from the late phase on; infinite where it does not get there."""
    unit = float(np.linalg.norm(of.f.grad(np.zeros(COLUMNS))))
    enough = stopping.certificate_below(absolute=END * unit, relative=0.0)
    result = ps.solve(of, solver, stop=stopping.first_of(enough, stopping.max_iterations(MOST)))
    history = result.history
    evaluations = np.asarray(history["gradients"]) + np.asarray(history["proxes"])
    calls = evaluations + (np.nan_to_num(history["hessian_columns"]) if "hessian_columns" in history else 0.0)
    late = int(np.argmax(np.asarray(history["certificate"]) <= LATE * unit))
    reached = result.certificate <= END * unit
    return {
        "calls": float(calls[-1]) if reached else math.inf,
        "late": float(calls[-1] - calls[late]) if reached else math.inf,
        "late evaluations": float(evaluations[-1] - evaluations[late]) if reached else math.inf,
        "certificate": result.certificate / unit,
        "objective": result.objective,
        "nonzeros": int(np.count_nonzero(result.x)),
    }


def compare(step: str, penalty: str, condition: float, seed: int) -> dict[str, Any]:
    """Both methods on one problem."""
    of = problem(penalty, condition, seed)
    plain = run(of, ps.ProximalADMM(x_step=STEPS[step], acceleration=None))
    leaping = run(of, ps.ProximalADMM(x_step=STEPS[step]))
    named = {"x-step": step, "penalty": penalty, "condition": condition, "seed": seed}
    return {**named, "plain": plain, "leaping": leaping}


def ratios_of(found: list[dict[str, Any]], part: str) -> list[float]:
    """Calls with leaps over calls without."""
    return [r["leaping"][part] / max(r["plain"][part], 1.0) for r in found]


def line(found: list[dict[str, Any]]) -> str:
    """The row of a table, from the runs of all seeds."""
    first, ratios = found[0], ratios_of(found, "late")
    higher = sum(r["leaping"]["objective"] > r["plain"]["objective"] * (1 + 1e-9) for r in found)
    lower = sum(r["leaping"]["objective"] < r["plain"]["objective"] * (1 - 1e-9) for r in found)
    cells = [first["x-step"], first["penalty"], f"{first['condition']:.0e}"]
    for part in ("calls", "late"):
        cells += [f"{statistics.median(r[method][part] for r in found):.0f}" for method in ("plain", "leaping")]
    cells += [f"{statistics.median(ratios):.2g}", f"{max(ratios):.2g}"]
    cells += [f"{statistics.median(ratios_of(found, 'late evaluations')):.2g}", f"{higher}", f"{lower}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="The late phase of P-ADMM.")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    heads = ["x-step", "penalty", "condition", "calls, plain", "with leaps", "late, plain", "with leaps", "ratio"]
    heads += ["largest", "without Hessian", "objective higher", "lower"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    runs = []
    for step in STEPS:
        for penalty in PENALTIES:
            for condition in CONDITIONS:
                found = [compare(step, penalty, condition, seed) for seed in options.seeds]
                print(line(found), flush=True)
                runs += found
    if options.out is not None:
        with replace_when_written(options.out) as temporary:
            temporary.write_text(json.dumps({"runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
