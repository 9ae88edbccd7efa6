"""Zero norm, MPEC, penalty and surrogate on random instances: one minimum and the same minimizers above the threshold,
a counterexample below it.

    python -m benchmarks.equivalence [--instances 200] [--seed 0] [--out docs/results]

Instance k has the member k mod 10 of the family, and the kind (k div 10) mod 5:

* least squares: n from 2 to 12, columns correlated by 0, 0.5 or 0.9, one weight or one for each coordinate; Theorem
  3.3;
* ties: least squares with orthogonal columns, some of them worth exactly their price, so that there are several
  minimizers; Theorem 3.3;
* logistic: on the box |x_i| <= 4, n from 2 to 9; Theorem 3.1;
* Huber: Huber's loss on the box |x_i| <= 50, n = 2 or 3, heavy weights; the sharpest theorem for each coordinate,
  often 3.11;
* grid: an arbitrary Lipschitz function on a finite grid in 2 to 4 dimensions; Theorem 3.1.

Minima of the zero norm come from all supports (least squares) or branch and bound (logistic, Huber), those of the other
links from branch and bound, where w is found by search over values of phi; on a grid all points are tried. Below the
threshold, with a flat point 1.02 times the largest proven one, the sharp example of the theorem is solved in the same
way; for Huber's loss that of Theorem 3.1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from parsimo.core.files import replace_when_written
from parsimo.problems import LeastSquares, Logistic, ZeroNormProblem
from parsimo.problems.exact_penalty import PenalizedMPEC
from parsimo.theory_checks import FAMILY
from parsimo.theory_checks.both_constants import Huber
from parsimo.theory_checks.oracles.branch_and_bound import global_minimizers
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimizers
from parsimo.theory_checks.oracles.scan import grid_supremum

KINDS = ("least squares", "ties", "logistic", "Huber", "grid")
EXCESS = 1.02  # of the flat point, below the threshold
VALUE, DISTANCE = 1e-7, 1e-2  # what may differ, relative to 1 + the size: minima, and minimizers found by bounds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--instances", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", type=Path, default=Path("docs/results"))
    options = arguments.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [study(k, options.seed) for k in range(options.instances)]
    with replace_when_written(options.out / "equivalence.json") as path:
        path.write_text(json.dumps({"seed": options.seed, "excess": EXCESS, "instances": rows}, indent=1) + "\n")
    print(table(rows, "kind"), table(rows, "member"), sep="\n\n")


def study(k: int, seed: int) -> dict[str, Any]:
    """Everything about one instance."""
    name, kind = list(FAMILY)[k % len(FAMILY)], KINDS[k // len(FAMILY) % len(KINDS)]
    member, rng, began = FAMILY[name], np.random.default_rng([seed, k]), time.perf_counter()
    if kind == "grid":
        above, below = on_a_grid(member, rng), sharp_on_a_grid(member, rng)
    elif kind in ("logistic", "Huber"):
        make = logistic if kind == "logistic" else huber
        above, below = in_a_box(*make(member, rng)), sharp_on_a_grid(member, rng)
        if kind == "logistic":
            above["theorem"] = "Theorem 3.1"  # the sharper ones that f allows need whole lines, not a box
    else:
        problem = with_ties(rng) if kind == "ties" else correlated(rng)
        above, below = least_squares(problem.to_mpec(member).penalize("exact")), sharp_least_squares(member, rng)
    seconds = round(time.perf_counter() - began, 3)
    return {"index": k, "member": name, "kind": kind, **above, "below": below, "seconds": seconds}


# above the threshold --------------------------------------------------------------------------------------------------


def correlated(rng: np.random.Generator) -> ZeroNormProblem:
    """Least squares with correlated columns of length 1."""
    n, correlation = int(rng.integers(2, 13)), rng.choice([0.0, 0.5, 0.9])
    A = math.sqrt(1 - correlation) * rng.normal(size=(2 * n, n)) + math.sqrt(correlation) * rng.normal(size=(2 * n, 1))
    A /= np.linalg.norm(A, axis=0)
    b = A @ (2 * rng.normal(size=n) * rng.integers(0, 2, size=n)) + 0.3 * rng.normal(size=2 * n)
    weight = 10 ** rng.uniform(-1.5, 0)
    return ZeroNormProblem(LeastSquares(A, b), weight * rng.uniform(0.5, 2, size=n) if rng.random() < 0.5 else weight)


def with_ties(rng: np.random.Generator) -> ZeroNormProblem:
    """Least squares with orthogonal columns: up to three coefficients are worth their weight exactly."""
    n, weight = int(rng.integers(2, 9)), 10 ** rng.uniform(-1, 1)
    lengths = 10 ** rng.uniform(-0.3, 0.3, size=n)
    worth = rng.choice([0.3, 3.0], size=n)
    worth[: rng.integers(1, 4)] = 1.0
    b = rng.choice([-1, 1], size=n) * worth * math.sqrt(2 * weight)
    return ZeroNormProblem(LeastSquares(np.diag(lengths), b), weight)


def least_squares(penalized: PenalizedMPEC) -> dict[str, Any]:
    """By enumeration, and by branch and bound on the level set."""
    zero_norm = penalized.mpec.problem
    least, minimizers = zero_norm_minimizers(zero_norm.f.design.A, zero_norm.f.targets, zero_norm.weight)
    return compared(penalized, least, np.array(minimizers), None)


def logistic(member: Any, rng: np.random.Generator) -> tuple[PenalizedMPEC, float]:
    """Logistic loss, by Theorem 3.1 alone: a box is closed under setting coordinates to zero."""
    n = int(rng.integers(2, 10))
    A = rng.normal(size=(4 * n, n))
    y = np.where(A @ (2 * rng.normal(size=n) * rng.integers(0, 2, size=n)) + rng.logistic(size=4 * n) > 0, 1.0, -1.0)
    problem = ZeroNormProblem(Logistic(A, y), 10 ** rng.uniform(-0.5, 0.5))
    rho = 1.001 * member.slope_at_one * float(np.abs(A).sum(axis=0).max()) / problem.weight
    return problem.to_mpec(member).penalize(rho), 4.0


def huber(member: Any, rng: np.random.Generator) -> tuple[PenalizedMPEC, float]:
    """Huber's loss with coefficients far out, where it is linear; the box holds all minimizers."""
    n = int(rng.integers(2, 4))
    A = rng.normal(size=(4 * n, n))
    b = A @ (6 * rng.normal(size=n) * rng.integers(0, 2, size=n)) + rng.normal(size=4 * n)
    f = Huber(A, b)
    heavy = f.coordinate_lipschitz**2 / (2 * f.coordinate_curvature)  # from here on both constants count
    problem = ZeroNormProblem(f, heavy * rng.uniform(0.5, 2.0, size=n))
    return problem.to_mpec(member).penalize("exact"), 50.0


def in_a_box(penalized: PenalizedMPEC, radius: float) -> dict[str, Any]:
    """By branch and bound, the zero norm too."""
    bound, points = global_minimizers(penalized.mpec.problem, radius)
    return compared(penalized, bound.value, points, radius)


def compared(penalized: PenalizedMPEC, least: float, minimizers: np.ndarray, radius: float | None) -> dict[str, Any]:
    """Minima and minimizers of the MPEC, the penalized MPEC and the surrogate against those of the zero norm."""
    zero_norm = penalized.mpec.problem
    links = {"mpec": penalized.mpec, "penalty": penalized, "surrogate": penalized.eliminate()}
    found = {name: global_minimizers(link, radius) for name, link in links.items()}
    scale = 1 + abs(least)
    difference = max(abs(bound.value - least) for bound, _ in found.values()) / scale
    excess = max(zero_norm.value(x) - least for _, points in found.values() for x in points) / scale
    distance = max(apart(points, minimizers) for _, points in found.values())
    return {
        "n": penalized.f.shape[0],
        "theorem": penalized.exactness.statement.split(" (")[0],
        "rho": penalized.rho,
        "minimum": least,
        "minimizers": len(minimizers),
        "values differ": difference,
        "minimizers exceed": excess,
        "minimizers apart": distance,
        "gap": max(bound.gap for bound, _ in found.values()) / scale,
        "agrees": bool(max(difference, excess) <= VALUE and distance <= DISTANCE),
    }


def apart(points: np.ndarray, others: np.ndarray) -> float:
    """The Hausdorff distance of two finite sets of points, relative to 1 + their size."""
    distances = np.linalg.norm(points[:, None] - others[None, :], axis=2)
    return float(max(distances.min(axis=0).max(), distances.min(axis=1).max())) / (1 + float(np.abs(others).max()))


def on_a_grid(member: Any, rng: np.random.Generator) -> dict[str, Any]:
    """An arbitrary Lipschitz function on a finite grid that contains 0: all points of all links are tried."""
    n = int(rng.integers(2, 5))
    line = np.concatenate([-np.arange(1, 5)[::-1], [0.0], np.arange(1, 5)]) * 10 ** rng.uniform(-0.5, 0.5) / 2
    points = np.array(list(itertools.product(line, repeat=n)))
    directions, signs = rng.normal(size=(5, n)), rng.choice([-1.0, 1.0], size=5)
    f = (signs * np.abs(points @ directions.T - rng.normal(size=5) * line.max())).sum(axis=1)
    weight = 10 ** rng.uniform(-0.5, 1)
    rho = 1.001 * member.slope_at_one * float(np.abs(directions).sum(axis=0).max()) / weight
    return grid_comparison(member, f, points, line, weight, rho)


def grid_comparison(
    member: Any, f: np.ndarray, points: np.ndarray, line: np.ndarray, weight: float, rho: float
) -> dict[str, Any]:
    """The four objectives at all points; w is minimized out by search."""

    def over_w(s: float) -> float:
        return -grid_supremum(lambda w: -np.asarray(member.value(w)) - s * (1 - w), 0.0, 1.0)

    at_one, least_phi = float(member.value(np.ones(1))[0]), over_w(0.0)
    prices = {
        "zero norm": (line != 0).astype(float),
        "mpec": np.where(line != 0, at_one, least_phi),
        "penalty": np.array([over_w(rho * abs(t)) for t in line]),
        "surrogate": np.asarray(member.surrogate(rho * np.abs(line))),
    }
    places = np.searchsorted(line, points)
    objectives = {name: f + weight * price[places].sum(axis=1) for name, price in prices.items()}
    least = float(objectives["zero norm"].min())
    scale = 1 + abs(least)
    sets = {name: set(np.flatnonzero(o <= o.min() + VALUE * scale).tolist()) for name, o in objectives.items()}
    difference = max(abs(float(o.min()) - least) for o in objectives.values()) / scale
    excess = max(float(objectives["zero norm"][list(found)].max()) - least for found in sets.values()) / scale
    return {
        "n": points.shape[1],
        "theorem": "Theorem 3.1",
        "rho": rho,
        "minimum": least,
        "minimizers": len(sets["zero norm"]),
        "values differ": difference,
        "minimizers exceed": excess,
        "minimizers apart": 0.0 if all(s == sets["zero norm"] for s in sets.values()) else math.inf,
        "gap": 0.0,
        "agrees": bool(difference <= VALUE and all(s == sets["zero norm"] for s in sets.values())),
    }


# below the threshold --------------------------------------------------------------------------------------------------


def sharp_least_squares(member: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Orthogonal columns, one coefficient worth exactly its weight: the example behind (3.1), in up to 5 variables."""
    n, weight = int(rng.integers(1, 6)), 10 ** rng.uniform(-1, 1)
    lengths, worth = 10 ** rng.uniform(-0.3, 0, size=n), rng.choice([0.3, 3.0], size=n)
    lengths[0], worth[0] = 1.0, 1.0  # the largest curvature, which decides
    problem = ZeroNormProblem(LeastSquares(np.diag(lengths), worth * math.sqrt(2 * weight)), weight)
    a = EXCESS * math.sqrt(member.curvature_margin * weight)
    least, _ = zero_norm_minimizers(problem.f.design.A, problem.f.targets, weight)
    bound, _ = global_minimizers(problem.to_mpec(member).penalize(member.slope_at_one / a))
    deficit = (least - bound.value) / weight
    return {"n": n, "deficit": deficit, "found": bool(deficit > VALUE), "x": bound.x.tolist()}


def sharp_on_a_grid(member: Any, rng: np.random.Generator) -> dict[str, Any]:
    """f(x) = l max(weight/l - x_1, 0) on a grid that contains weight/l."""
    n, weight, l = int(rng.integers(1, 4)), 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
    line = np.arange(-4, 5) * weight / l / 2
    points = np.array(list(itertools.product(line, repeat=n)))
    f = np.maximum(weight - l * points[:, 0], 0.0)
    h = np.asarray(member.surrogate(member.slope_at_one * np.abs(line) * l / (EXCESS * weight)))
    penalized = f + weight * h[np.searchsorted(line, points)].sum(axis=1)
    deficit = float((f + weight * (points != 0).sum(axis=1)).min() - penalized.min()) / weight
    return {"n": n, "deficit": deficit, "found": bool(deficit > VALUE), "x": points[penalized.argmin()].tolist()}


# the table ------------------------------------------------------------------------------------------------------------


def table(rows: list[dict[str, Any]], by: str) -> str:
    """Failures and the worst figures of each kind, or member, and of all."""
    groups = {value: [r for r in rows if r[by] == value] for value in dict.fromkeys(r[by] for r in rows)}
    lines = [
        f"| {by} | instances | failures | minima differ by | points exceed the minimum by | points apart | several "
        "minimizers | counterexamples below | least deficit | seconds |",
        "|" + "---|" * 10,
    ]
    for name, group in {**groups, "all": rows}.items():
        worst = {key: max(r[key] for r in group) for key in ("values differ", "minimizers exceed", "minimizers apart")}
        below = [r["below"] for r in group]
        lines.append(
            f"| {name} | {len(group)} | {sum(not r['agrees'] for r in group)} | "
            + " | ".join(f"{v:.1e}" for v in worst.values())
            + f" | {sum(r['minimizers'] > 1 for r in group)} | {sum(b['found'] for b in below)} of {len(below)} | "
            f"{min(b['deficit'] for b in below):.1e} | {sum(r['seconds'] for r in group):.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
