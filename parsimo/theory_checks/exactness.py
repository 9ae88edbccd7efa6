"""Exactness for Lipschitz f: from which rho on penalized and zero-norm problem share their minimizers, and no sooner.

The theorem is tested on finite grids that contain 0: such a feasible set is closed under zeroing coordinates, which is
all the theorem asks of it, and the minima are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from parsimo.problems import Logistic, ZeroNormProblem
from parsimo.problems.exact_penalty import exactness_of
from parsimo.problems.mpec import zero_where_better
from parsimo.problems.phi import Phi, mcp
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.subjects import FAMILY

__all__ = [
    "CHECKS",
    "check_lipschitz_theorem",
    "check_lipschitz_tightness",
    "check_never_exact",
    "check_zeroing",
]

ABOVE = 1 + 1e-6  # the thresholds are strict


def lipschitz_threshold(l: float, weight: float, phi: Phi) -> float | None:
    """The threshold on rho that the library derives from the coordinatewise Lipschitz constant."""
    return exactness_of(SimpleNamespace(coordinate_lipschitz=l), weight, phi, rho=1.0).threshold


def check_lipschitz_theorem(
    phi: Any,
    rng: Seed = 0,
    trials: int = 100,
    threshold: Callable[[float, float, Any], Any] = lipschitz_threshold,
) -> Evidence:
    """Above the threshold, f + weight sum h and f + weight |x|_0 have the same minimum, and every minimizer of the
    first has x_i = 0 or |x_i| >= a.

    f is l-Lipschitz in each coordinate and otherwise arbitrary: kinks at random in one dimension, along and across the
    axes in two, and the worst case l max(weight/l - |x|, 0).
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: rho above the Lipschitz threshold makes the penalty exact",
        "docs/theory.md, Theorem 3.1",
        "f l-Lipschitz in each coordinate, on finite grids of 1 and 2 dimensions",
    )
    for trial in range(trials):
        weight, l = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        rho = threshold(l, weight, phi) * ABOVE
        flat_point, unit = phi.slope_at_one / rho, weight / l  # the flat point may be as large as the unit
        side = np.arange(1, 201 if trial % 3 < 2 else 31) * (2.5 * unit / (200 if trial % 3 < 2 else 30))
        grid = np.concatenate([-side, [0.0], side])
        dimensions = 1 if trial % 3 < 2 else 2
        if trial % 3 == 0:
            f = l * np.maximum(rng.choice([1.0, rng.uniform(0.5, 1.0)]) * unit - np.abs(grid), 0.0)
        elif trial % 3 == 1:
            f = l * rough(grid, rng)
        else:  # slopes along an axis: at most l/2 from its own term, and l/2 from the one along x + y
            both = grid[:, None] + grid[None, :]
            f = l / 2 * (rough(grid, rng)[:, None] + rough(grid, rng)[None, :] + rough(both, rng))
        h, zero_norm = phi.surrogate(rho * np.abs(grid)), (grid != 0).astype(float)
        if dimensions == 2:
            h, zero_norm = h[:, None] + h[None, :], zero_norm[:, None] + zero_norm[None, :]
        penalized, exact = f + weight * h, f + weight * zero_norm
        case = f"trial {trial}: weight={weight!r}, l={l!r}, rho={rho!r}, {dimensions}-D"
        rounding = 1e-12 * float(np.abs(f).max() + weight)
        outcome.add(rounding - float(exact.min() - penalized.min()), case)
        minimizers = np.argwhere(penalized <= penalized.min())
        sizes = np.abs(grid[minimizers])
        outcome.add(0.0 if bool(((sizes == 0) | (sizes >= flat_point)).all()) else -1.0, case)
    return outcome.evidence()


def check_lipschitz_tightness(phi: Any, rng: Seed = 0, trials: int = 20, excess: float = 1.02) -> Evidence:
    """With a flat point `excess` times the largest proven one, f(x) = l max(weight/l - x, 0) has a lower minimum under
    the surrogate than under the zero norm: the threshold cannot be lowered for any member of the family."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{phi!r}: below the Lipschitz threshold the penalty is not exact",
        "docs/theory.md, Theorem 3.1 (tightness)",
        f"f(x) = l max(weight/l - x, 0), flat point {excess} weight/l",
    )
    for _ in range(trials):
        weight, l = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        x = weight / l
        least = weight  # of f + weight |x|_0: at 0, and from weight/l on
        rho = phi.slope_at_one / (excess * x)
        penalized = weight * float(phi.surrogate(np.array([rho * x]))[0])
        outcome.add((least - penalized) / weight - 1e-9, f"weight={weight!r}, l={l!r}")
    return outcome.evidence()


def check_zeroing(
    problem: Any, rng: Seed = 0, trials: int = 10, zeroing: Callable[..., Any] = zero_where_better
) -> Evidence:
    """The zeroing test never raises the surrogate objective, and leaves no coordinate that could be zeroed for less.
    Where rho exceeds the Lipschitz threshold it leaves none with 0 < |x_i| < a.

    Parameters
    ----------
    problem : SurrogateProblem
    """
    f, a, n = problem.f, problem.penalized.exactness.flat_point, problem.f.shape[0]
    l = getattr(f, "coordinate_lipschitz", None)
    none_is_left = l is not None and bool((a * np.asarray(l) < problem.penalized.weight).all())
    rng = np.random.default_rng(rng)
    outcome = Trials("the zeroing test", "docs/theory.md, Proposition 3.5", "random points about the flat point")
    for _ in range(trials):
        x = rng.normal(size=n) * a * rng.integers(0, 2, size=n)
        polished, count = zeroing(problem, x)
        case = f"zero_where_better(problem, np.array({x.tolist()!r}))"
        objective = problem.value(polished)
        outcome.add(problem.value(x) - objective, case)
        outcome.add(0.0 if count == np.count_nonzero(x) - np.count_nonzero(polished) else -1.0, case)
        rest = [i for i in range(n) if 0 < abs(polished[i]) < a]
        for i in rest:
            outcome.add(problem.value(np.where(np.arange(n) == i, 0.0, polished)) - objective, case)
        if none_is_left:
            outcome.add(0.0 if not rest else -1.0, case)
    return outcome.evidence()


def check_never_exact(h: Callable[[np.ndarray], np.ndarray], rng: Seed = 0, trials: int = 20) -> Evidence:
    """A function that nowhere reaches 1, such as 1 - exp(-rho x), is exact for no rho: f(x) = l max(weight/l - x, 0)
    always has a lower minimum under it, since h(rho weight / l) < 1."""
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "a surrogate without a flat point is never exact", "docs/theory.md, Remark 3.6", "rho weight / l up to 30"
    )
    for _ in range(trials):
        weight, l, reach = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1), rng.uniform(1, 30)
        rho = reach * l / weight
        deficit = 1.0 - float(h(np.array([rho * weight / l]))[0])
        outcome.add(deficit - 1e-14, f"weight={weight!r}, l={l!r}, rho={rho!r}")
    return outcome.evidence()


def rough(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A function with Lipschitz constant 1 and six kinks at random, at these points."""
    slopes = rng.normal(size=6)
    kinks = rng.uniform(points.min(), points.max(), size=6)
    return (slopes / np.abs(slopes).sum() * np.abs(points[..., None] - kinks)).sum(axis=-1)


def _surrogate_problem() -> Any:
    data = np.random.default_rng(1)
    A, y = data.normal(size=(30, 12)), np.where(data.random(30) < 0.5, -1.0, 1.0)
    rho = ABOVE * mcp().slope_at_one * float(np.abs(A).sum(axis=0).max()) / 0.5  # Theorem 3.1
    return ZeroNormProblem(Logistic(A, y), 0.5).to_mpec(mcp()).penalize(rho).eliminate()


CHECKS = (
    *(Check(5, f"Lipschitz exactness of {n}", partial(check_lipschitz_theorem, m)) for n, m in FAMILY.items()),
    *(Check(6, f"Lipschitz tightness of {n}", partial(check_lipschitz_tightness, m)) for n, m in FAMILY.items()),
    Check(11, "zeroing test", partial(check_zeroing, _surrogate_problem())),
    Check(12, "negative control", partial(check_never_exact, lambda s: -np.expm1(-s))),
)
