"""How long the oracles of the theory checks take, the gaps of their bounds, and the constants that `on_ball` proves.

    python -m benchmarks.oracles

Random least squares with twice as many rows as columns, three planted nonzeros and noise; seconds on one core, the
range over the instances of a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import parsimo as ps
from parsimo.neural import TorchSmooth, networks, on_ball
from parsimo.problems import Logistic
from parsimo.theory_checks.oracles.branch_and_bound import global_bound
from parsimo.theory_checks.oracles.convex import PIECES, convex_minimum, prox_by_pieces
from parsimo.theory_checks.oracles.differences import extrapolated_gradient
from parsimo.theory_checks.oracles.enumeration import clustering_minimum, zero_norm_minimum, zero_norm_minimum_of
from parsimo.theory_checks.oracles.mixed_integer import clustering_bound, zero_norm_bound
from parsimo.theory_checks.oracles.plain import plain_minimum

INSTANCES = 4


def least_squares(n: int, seed: int) -> ps.LeastSquares:
    """2n rows, n columns, three planted nonzeros, noise."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((2 * n, n))
    truth = np.where(np.arange(n) < 3, rng.choice([-1.0, 1.0], n), 0.0)
    return ps.LeastSquares(A, A @ truth + 0.3 * rng.standard_normal(2 * n))


def logistic(rows: int, n: int, seed: int) -> Logistic:
    """Labels that a planted direction explains in part."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rows, n))
    return Logistic(A, np.where(A[:, 0] + rng.standard_normal(rows) > 0, 1.0, -1.0))


def lasso(f: Any) -> ps.Composite:
    """f + 0.5 |x|_1."""
    return ps.Composite(f, ps.L1(0.5))


def data(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A and b of an instance."""
    f = least_squares(n, seed)
    return f.design.A, f.targets


L1_PIECES, SCAD_PIECES = PIECES["L1"](0.7), PIECES["SCAD"](0.7, 3.7)
BOOK = np.array([-1.0, 0.0, 1.0])
CALLS: dict[str, Callable[[int], Any]] = {
    "prox_by_pieces, l1": lambda seed: prox_by_pieces(L1_PIECES, 1.0 + seed, 0.5),
    "prox_by_pieces, SCAD": lambda seed: prox_by_pieces(SCAD_PIECES, 1.0 + seed, 0.5),
    "convex_minimum, 8 columns": lambda seed: convex_minimum(lasso(least_squares(8, seed))),
    "convex_minimum, 100 columns": lambda seed: convex_minimum(lasso(least_squares(100, seed))),
    "convex_minimum, logistic 60 x 12": lambda seed: convex_minimum(lasso(logistic(60, 12, seed))),
    "plain_minimum, 100 columns": lambda seed: plain_minimum(lasso(least_squares(100, seed))),
    "zero_norm_minimum, 12 columns": lambda seed: zero_norm_minimum(*data(12, seed), 1.0),
    "zero_norm_minimum_of, 12 columns": lambda seed: zero_norm_minimum_of(least_squares(12, seed), 1.0),
    "zero_norm_minimum_of, logistic 60 x 12": lambda seed: zero_norm_minimum_of(logistic(60, 12, seed), 1.0),
    "clustering_minimum, 8 columns, k = 4": lambda seed: clustering_minimum(*data(8, seed), 1.0, 4, "absolute"),
    "zero_norm_bound, 20 columns": lambda seed: zero_norm_bound(least_squares(20, seed), 1.0),
    "zero_norm_bound, 30 columns": lambda seed: zero_norm_bound(least_squares(30, seed), 1.0),
    "clustering_bound, codebook, 30 columns": lambda seed: clustering_bound(least_squares(30, seed), 1.0, BOOK),
    "clustering_bound, k = 3, 15 columns": lambda seed: clustering_bound(least_squares(15, seed), 1.0, k=3),
    "clustering_bound, k = 3, 20 columns": lambda seed: clustering_bound(least_squares(20, seed), 1.0, k=3),
    "global_bound, 12 columns": lambda seed: global_bound(ps.ZeroNormProblem(least_squares(12, seed), 1.0)),
    "global_bound, 20 columns": lambda seed: global_bound(ps.ZeroNormProblem(least_squares(20, seed), 1.0)),
    "extrapolated_gradient, logistic 60 x 12": lambda seed: extrapolated_gradient(logistic(60, 12, seed), np.zeros(12)),
}
"""What is timed, by the row of the table."""


def main() -> None:
    print(f"| call | seconds, {INSTANCES} instances | gap at most |\n|---|---|---|")
    for name, call in CALLS.items():
        call(INSTANCES)  # what is compiled is compiled before the clock starts
        seconds, gaps = [], []
        for seed in range(INSTANCES):
            begin = time.perf_counter()
            outcome = call(seed)
            seconds.append(time.perf_counter() - begin)
            gaps.append(getattr(outcome, "gap", np.nan))
        gap = "" if np.isnan(gaps).all() else f"{max(gaps):.1g}"
        print(f"| `{name.replace(',', '`,', 1)} | {min(seconds):.2g} to {max(seconds):.2g} | {gap} |")
    print("\n| network, weight decay 1e-4 | radius | largest constant of a layer |\n|---|---|---|")
    for name, side in (("mlp", 8), ("lenet300", 28), ("lenet5", 28)):
        torch.manual_seed(0)
        network = networks.build(name, (1, side, side), 10)
        batch = torch.rand(64, 1, side, side), torch.randint(10, (64,))
        ball = on_ball(TorchSmooth(network, [batch], torch.nn.functional.cross_entropy, weight_decay=1e-4))
        largest = [f"{float(ball.coordinate_lipschitz[place].max()):.2g}" for place in ball.view.blocks.values()]
        print(f"| {name} | {ball.radius:.3g} | {', '.join(largest)} |")


if __name__ == "__main__":
    main()
