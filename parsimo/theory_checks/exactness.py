"""Exactness for Lipschitz f: from which rho on penalized and zero-norm problem share their minimizers, and no sooner.

The theorem is tested on finite grids that contain 0: such a feasible set is closed under zeroing coordinates, which is
all the theorem asks of it, and the minima are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from parsimo.problems import Logistic, ZeroNormProblem
from parsimo.problems.exact_penalty import exactness_of
from parsimo.problems.mpec import zero_where_better
from parsimo.problems.phi import Phi, mcp
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.subjects import FAMILY, member_text

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
        seed = int(rng.integers(2**31))
        f = OnGrid.random(trial, seed)
        rho = threshold(f.l, f.weight, phi) * ABOVE
        flat_point = phi.slope_at_one / rho
        least, penalized, sizes = f.minima(phi, rho)
        case = f"OnGrid.random({trial}, {seed}).minima({member_text(phi)}, {rho!r})"
        rounding = 1e-12 * float(np.abs(f.values).max() + f.weight)
        outcome.add(rounding - (least - penalized), f"{case}  # both minima are the same")
        whole = bool(((sizes == 0) | (sizes >= flat_point)).all())
        outcome.add(0.0 if whole else -1.0, f"{case}  # sizes of coordinates are 0 or {flat_point!r} at least")
    return outcome.evidence()


class Minima(NamedTuple):
    """What the zero norm and its surrogate lead to."""

    zero_norm: float
    """The least of f + weight |x|_0."""
    surrogate: float
    """The least of f + weight sum h."""
    sizes: np.ndarray
    """|x_i| where that is attained."""


@dataclass(frozen=True, eq=False)
class OnGrid:
    """f on a grid in one or two dimensions that contains 0, with slopes of at most l along each coordinate."""

    weight: float
    l: float
    grid: np.ndarray
    values: np.ndarray

    @classmethod
    def random(cls, trial: int, seed: int) -> OnGrid:
        """By trial % 3: the worst case, or a multiple of it; kinks on a line; kinks in the plane."""
        rng = np.random.default_rng(seed)
        weight, l = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 1)
        unit, steps = weight / l, 200 if trial % 3 < 2 else 30  # the flat point may be as large as the unit
        side = np.arange(1, steps + 1) * (2.5 * unit / steps)
        grid = np.concatenate([-side, [0.0], side])
        if trial % 3 == 0:
            f = l * np.maximum(rng.choice([1.0, rng.uniform(0.5, 1.0)]) * unit - np.abs(grid), 0.0)
        elif trial % 3 == 1:
            f = l * rough(grid, rng)
        else:  # slopes along an axis: at most l/2 from its own term, and l/2 from the one along x + y
            both = grid[:, None] + grid[None, :]
            f = l / 2 * (rough(grid, rng)[:, None] + rough(grid, rng)[None, :] + rough(both, rng))
        return cls(weight, l, grid, f)

    def minima(self, phi: Any, rho: float) -> Minima:
        """The minima over the grid under the zero norm and under the surrogate."""
        h, zero_norm = phi.surrogate(rho * np.abs(self.grid)), (self.grid != 0).astype(float)
        if self.values.ndim == 2:
            h, zero_norm = h[:, None] + h[None, :], zero_norm[:, None] + zero_norm[None, :]
        penalized, exact = self.values + self.weight * h, self.values + self.weight * zero_norm
        sizes = np.abs(self.grid[np.argwhere(penalized <= penalized.min())])
        return Minima(float(exact.min()), float(penalized.min()), sizes)


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
        case = f"{weight!r} * {member_text(phi)}.surrogate(np.array([{float(rho * x)!r}]))"
        case += f"  # below {weight!r}, the minimum under the zero norm; f is 0 here, where x = weight/l, l = {l!r}"
        outcome.add((least - penalized) / weight - 1e-9, case)
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
    name = "LOGISTIC_SURROGATE" if problem is LOGISTIC_SURROGATE else "problem"
    for _ in range(trials):
        x = rng.normal(size=n) * a * rng.integers(0, 2, size=n)
        polished, count = zeroing(problem, x)
        case = f"zero_where_better({name}, np.array({x.tolist()!r}))"
        before, objective = problem.value(x), problem.value(polished)
        outcome.add(
            before - objective, f"{case}  # the objective there is {objective!r}, at most that of x, {before!r}"
        )
        zeroed = np.count_nonzero(x) - np.count_nonzero(polished)
        outcome.add(0.0 if count == zeroed else -1.0, f"{case}  # counts the {zeroed} coordinates that it sets to 0")
        rest = [i for i in range(n) if 0 < abs(polished[i]) < a]
        for i in rest:
            without = problem.value(np.where(np.arange(n) == i, 0.0, polished))
            said = f"with coordinate {i} at 0 the objective is {without!r}, no less than {objective!r}"
            outcome.add(without - objective, f"{case}  # {said}")
        if none_is_left:
            outcome.add(0.0 if not rest else -1.0, f"{case}  # no coordinate is left between 0 and {a!r}")
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
        case = f"{'exponential' if h is exponential else 'h'}(np.array([{rho * weight / l!r}]))"
        said = f"below 1: under it f(x) = l max(weight/l - x, 0) is lower, {weight=!r}, {l=!r}, {rho=!r}"
        outcome.add(deficit - 1e-14, f"{case}  # {said}")
    return outcome.evidence()


def exponential(s: np.ndarray) -> np.ndarray:
    """1 - exp(-s), at s = rho |x|."""
    return -np.expm1(-s)


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


LOGISTIC_SURROGATE = _surrogate_problem()

CHECKS = (
    *(Check(5, f"Lipschitz exactness of {n}", partial(check_lipschitz_theorem, m)) for n, m in FAMILY.items()),
    *(Check(6, f"Lipschitz tightness of {n}", partial(check_lipschitz_tightness, m)) for n, m in FAMILY.items()),
    Check(11, "zeroing test", partial(check_zeroing, LOGISTIC_SURROGATE)),
    Check(12, "negative control", partial(check_never_exact, exponential)),
)
