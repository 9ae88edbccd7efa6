"""Least squares with at most k nonzeros for k = 1, ..., 40, by `subset_path` and by abess, on many random instances.

    OMP_NUM_THREADS=1 python -m benchmarks.subsets [--instances 100] [--out docs/results/subsets.json]

with abess 0.4.11 installed beside parsimo (`make peers`). 500 rows; 1000 columns without correlation, or 8000 with
correlation 0.7 between neighbours. Each instance draws 5 to 30 true nonzeros and a signal-to-noise ratio of 1 to 10.
Columns and targets have mean 0. The two libraries run in turn, three times each, and the medians count. Objectives are
those of a least squares fit on the supports that were returned, by numpy. F1 is of the support of the true size, and of
the one with the least EBIC, the same formula for both. What abess found at size k is what a fit over the sizes up to k
returns when its criterion charges nothing; those fits are not timed. A stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from abess.linear import LinearRegression

import parsimo as ps
from parsimo.core.files import replace_when_written
from parsimo.problems import instances

LARGEST = 40
KINDS = {"500 x 1000": (1000, 0.0), "500 x 8000, correlation 0.7": (8000, 0.7)}
SAME = 1e-9  # of |b|^2: a smaller difference is rounding
REPEATS = 3

Supports = list[np.ndarray]


def draw(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(A, b, the true support)."""
    columns, correlation = KINDS[kind]
    rng = np.random.default_rng([seed, columns])
    nonzeros, snr = int(rng.integers(5, 31)), float(np.exp(rng.uniform(0.0, math.log(10.0))))
    seed = int(rng.integers(2**31))
    data = instances.gaussian(500, columns, nonzeros, correlation=correlation, snr=snr, seed=seed)
    A, b = np.asarray(data.f.design.A), np.asarray(data.f.targets)
    return np.asfortranarray(A - A.mean(axis=0)), b - b.mean(), np.flatnonzero(data.truth)


def by_parsimo(A: np.ndarray, b: np.ndarray) -> ps.solvers.SubsetPath:
    """The path, its data term made anew."""
    return ps.subset_path(ps.LeastSquares(A, b), LARGEST)


def by_abess(A: np.ndarray, b: np.ndarray, largest: int = LARGEST, **criterion: Any) -> np.ndarray:
    """The coefficients that abess picks from the sizes 1 to `largest`."""
    model = LinearRegression(support_size=list(range(1, largest + 1)), fit_intercept=False, **criterion)
    coefficients: np.ndarray = model.fit(A, b).coef_
    return coefficients


def squares(A: np.ndarray, b: np.ndarray, supports: Supports) -> np.ndarray:
    """The least |A x - b|^2 on each support, by numpy."""
    residuals = [b - A[:, s] @ np.linalg.lstsq(A[:, s], b, rcond=None)[0] for s in supports]
    return np.array([float(r @ r) for r in residuals])


def f1(found: np.ndarray, true: np.ndarray) -> float:
    """Harmonic mean of precision and recall."""
    return 2 * np.intersect1d(found, true).size / (found.size + true.size)


def chosen(A: np.ndarray, left: np.ndarray) -> int:
    """The place of the least EBIC."""
    m, n = A.shape
    k = np.arange(1, len(left) + 1)
    choices = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k.tolist()])
    return int(np.argmin(m * np.log(left / m) + k * math.log(m) + 2 * choices))


def clock(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the wall and of the process."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu


def measure(kind: str, seed: int) -> dict[str, Any]:
    """One instance."""
    A, b, true = draw(kind, seed)
    path = by_parsimo(A, b)
    ours = [np.flatnonzero(path[k]) for k in range(1, LARGEST + 1)]
    theirs = [np.flatnonzero(by_abess(A, b, k, ic_type="aic", ic_coef=0.0)) for k in range(1, LARGEST + 1)]
    times = [(clock(lambda: by_parsimo(A, b)), clock(lambda: by_abess(A, b))) for _ in range(REPEATS)]
    left = {"parsimo": squares(A, b, ours), "abess": squares(A, b, theirs)}
    excess = (left["parsimo"] - left["abess"]) / float(b @ b)
    row: dict[str, Any] = {"kind": kind, "seed": seed, "nonzeros": int(true.size)}
    for i, (name, supports) in enumerate((("parsimo", ours), ("abess", theirs))):
        row[name] = {
            "seconds": statistics.median(t[i][0] for t in times),
            "cpu_seconds": statistics.median(t[i][1] for t in times),
            "f1": f1(supports[true.size - 1], true),
            "f1_chosen": f1(supports[chosen(A, left[name])], true),
        }
    return {
        **row,
        "higher": int((excess > SAME).sum()),
        "highest": float(excess.max()),
        "lower": int((excess < -SAME).sum()),
        "lowest": float(excess.min()),
        "swap_optimal": bool(path.finished),
    }


def line(kind: str, rows: list[dict[str, Any]]) -> str:
    """The row of a table."""

    def of(name: str, figure: str) -> list[float]:
        return [row[name][figure] for row in rows]

    cells = [kind, f"{len(rows)}"]
    for figure in ("seconds", "cpu_seconds"):
        ours, theirs = of("parsimo", figure), of("abess", figure)
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        cells += [f"{1e3 * statistics.median(ours):.0f}", f"{1e3 * statistics.median(theirs):.0f}"]
        cells += [f"{statistics.median(ratios):.2f} ({sum(r > 1 for r in ratios)} above 1)"]
    higher, lower = sum(row["higher"] for row in rows), sum(row["lower"] for row in rows)
    cells += [f"{higher} of {LARGEST * len(rows)}", f"{max(row['highest'] for row in rows):.1e}"]
    cells += [f"{lower}", f"{-min(row['lowest'] for row in rows):.1e}"]
    for figure in ("f1", "f1_chosen"):
        pairs = list(zip(of("parsimo", figure), of("abess", figure), strict=True))
        cells += [f"{statistics.mean(a for a, _ in pairs):.3f} / {statistics.mean(b for _, b in pairs):.3f}"]
        cells += [f"{sum(a < b for a, b in pairs)} / {sum(a > b for a, b in pairs)}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Subsets against abess.")
    parser.add_argument("--instances", type=int, default=100)
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--out", type=Path, default=Path("docs/results/subsets.json"))
    options = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(options.out.read_text()) if options.out.exists() else []
    done = {(row["kind"], row["seed"]) for row in rows}
    for kind in options.kind:
        for seed in range(options.instances):
            if (kind, seed) not in done:
                rows.append(measure(kind, seed))
                with replace_when_written(options.out) as temporary:
                    temporary.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    heads = ["instances", "number", "ms", "abess", "ratio", "CPU ms", "abess", "ratio", "higher", "by at most", "lower"]
    heads += ["by at most", "F1, abess", "lower / higher", "F1 by EBIC, abess", "lower / higher"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for kind in options.kind:
        print(line(kind, [row for row in rows if row["kind"] == kind and row["seed"] < options.instances]))


if __name__ == "__main__":
    main()
