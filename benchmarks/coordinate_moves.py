"""Stationary is not coordinatewise optimal: MCP least squares with gamma below the inverse curvature of a coordinate.

    python benchmarks/coordinate_moves.py [--seeds 20] [--noise 0.5] [--shares 0.5 0.2 0.1 0.05]
        [--out docs/results/coordinate_moves.json]

Least squares with n = 100 rows and p = 200 correlated columns of |a_j|^2 / n = 0.16, MCP with gamma = 3 below
1 / 0.16 = 6.25: along a coordinate the objective is then not unimodal. alpha is a share of the smallest one at which 0
is critical. Each solver starts at 0 with tolerance 1e-8, and every point returned is judged by `parsimo.certify`, from
the problem alone. skglm runs where it is installed; without it the other rows are printed alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import parsimo as ps
from parsimo.core.files import replace_when_written

ROWS, COLUMNS, NONZEROS, CORRELATION, LENGTH, GAMMA = 100, 200, 10, 0.5, 0.4, 3.0
NOISE, SHARES = 0.5, (0.5, 0.2, 0.1, 0.05)


def instance(seed: int, share: float, noise: float = NOISE) -> tuple[np.ndarray, np.ndarray, float]:
    """X with neighbouring columns correlated and |X_j|^2 / n = LENGTH^2, the target y, and alpha."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((ROWS, COLUMNS))
    for j in range(1, COLUMNS):
        X[:, j] = CORRELATION * X[:, j - 1] + np.sqrt(1 - CORRELATION**2) * X[:, j]
    X *= LENGTH * np.sqrt(ROWS) / np.linalg.norm(X, axis=0)
    truth = np.zeros(COLUMNS)
    truth[rng.permutation(COLUMNS)[:NONZEROS]] = rng.choice([-1.0, 1.0], NONZEROS)
    y = X @ truth + noise * rng.standard_normal(ROWS)
    return np.asfortranarray(X), y, share * float(np.abs(X.T @ y).max()) / ROWS


def by_skglm(X: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """AndersonCD of skglm on |y - Xw|^2 / (2n) + MCP(alpha, gamma)."""
    from skglm.datafits import Quadratic
    from skglm.penalties import MCPenalty
    from skglm.solvers import AndersonCD

    datafit, penalty = Quadratic(), MCPenalty(alpha, GAMMA)
    if hasattr(datafit, "initialize"):
        datafit.initialize(X, y)
    solver = AndersonCD(tol=1e-8, max_iter=1000, max_epochs=100_000, fit_intercept=False, warm_start=False)
    return np.asarray(solver.solve(X, y, datafit, penalty)[0])


def by_gradient(X: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """Proximal gradient alone."""
    return ps.solve(problem(X, y, alpha), ps.ProximalGradient()).x


def by_gradient_and_polish(X: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """Proximal gradient, then `polish`."""
    return ps.polish(ps.solve(problem(X, y, alpha), ps.ProximalGradient())).x


def by_polish(X: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """`polish` from 0."""
    return ps.polish(problem(X, y, alpha), np.zeros(COLUMNS)).x


def problem(X: np.ndarray, y: np.ndarray, alpha: float) -> Any:
    """The same objective in parsimo."""
    return ps.Composite(ps.LeastSquares(X, y, average=True), ps.MCP.from_alpha_gamma(alpha, GAMMA))


def solvers() -> dict[str, Callable[..., np.ndarray]]:
    """Those that are installed; the first is the one the others are compared with."""
    ours = {
        "ProximalGradient": by_gradient,
        "ProximalGradient, polish": by_gradient_and_polish,
        "polish": by_polish,
    }
    try:
        import skglm
    except ImportError:
        print("skglm is not installed: its row is left out (pip install skglm==0.5)\n")
        return ours
    return {f"skglm {skglm.__version__} AndersonCD": by_skglm, **ours}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seeds", type=int, default=20)
    arguments.add_argument("--out", type=Path, help="a JSON file for the figures of each run")
    arguments.add_argument("--noise", type=float, default=NOISE, help="standard deviation of the noise in y")
    arguments.add_argument("--shares", type=float, nargs="+", default=SHARES, help="alpha, as shares of the largest")
    options = arguments.parse_args()
    rows = []
    for name, solve in solvers().items():
        solve(*instance(0, 0.5))  # compiled code is compiled before the clock starts
        for share, seed in itertools.product(options.shares, range(options.seeds)):
            X, y, alpha = instance(seed, share, options.noise)
            start = time.perf_counter()
            x = solve(X, y, alpha)
            seconds = time.perf_counter() - start
            rows.append({"solver": name, "alpha": share, "seed": seed, **judged(problem(X, y, alpha), x)})
            rows[-1]["seconds"] = round(seconds, 4)
    show(rows, options.shares)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(json.dumps(row) for row in rows)
        with replace_when_written(options.out) as temporary:
            temporary.write_text(f"[\n{lines}\n]\n")


def judged(problem: Any, x: np.ndarray) -> dict[str, Any]:
    """What `certify` proves of a point."""
    ladder = ps.certify(problem, x)
    return {
        "objective": float(f"{ladder.objective:.12g}"),
        "rung": ladder.rung.name,
        "violation": float(f"{ladder[ps.Rung.CRITICAL].number:.2g}"),
        "decrease by one coordinate": float(f"{ladder[ps.Rung.COORDINATEWISE].number:.4g}"),
        "one coordinate lowers it": ladder[ps.Rung.COORDINATEWISE].holds is False,
        "a swap lowers it": ladder[ps.Rung.SWAP].holds is False,
        "nonzeros": int(np.count_nonzero(x)),
    }


def show(rows: list[dict[str, Any]], shares: Sequence[float]) -> None:
    """One line for each solver and alpha."""
    first = {(r["alpha"], r["seed"]): r["objective"] for r in reversed(rows)}
    names = list(dict.fromkeys(r["solver"] for r in rows))
    columns = ("one coordinate lowers it", "by at most", "or a swap", "violation", f"above {names[0]}", "below it", "s")
    print(f"| alpha | solver | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 2)}")
    for share, name in itertools.product(shares, names):
        own = [r for r in rows if (r["alpha"], r["solver"]) == (share, name)]
        ratios = np.array([r["objective"] / first[share, r["seed"]] for r in own])
        print(
            f"| {share} | {name} | {sum(r['one coordinate lowers it'] for r in own)} of {len(own)} | "
            f"{100 * max(r['decrease by one coordinate'] / r['objective'] for r in own):.2g} % | "
            f"{sum(r['a swap lowers it'] for r in own)} of {len(own)} | {max(r['violation'] for r in own):.0e} | "
            f"{np.sum(ratios > 1 + 1e-9)} | {np.sum(ratios < 1 - 1e-9)} | {np.mean([r['seconds'] for r in own]):.3f} |"
        )


if __name__ == "__main__":
    main()
