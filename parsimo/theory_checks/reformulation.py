"""Whether the reformulations of one's own zero-norm problem are what they promise: one minimum, the same minimizers."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from parsimo.problems import LeastSquares, ZeroNormProblem
from parsimo.problems.exact_penalty import PenalizedMPEC
from parsimo.problems.mpec import MPEC, zero_where_better
from parsimo.problems.phi import Phi, mcp
from parsimo.problems.surrogate import SurrogateProblem
from parsimo.theory_checks.contract import require_trials
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.boxes import NotConcaveError
from parsimo.theory_checks.oracles.branch_and_bound import global_minimizers, has_bounded_level_sets
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimizers
from parsimo.theory_checks.oracles.instance import least_squares_of
from parsimo.theory_checks.subjects import FAMILY

__all__ = ["CHECKS", "check_reformulation"]

_LARGEST = 12  # variables up to which global minima are found
_RESOLVED = 1e-11  # to which minima are found, relative to the objective at 0 and the weights
_AT_A_POINT = 1e-8  # of values at one point, relative to the terms they are made of


def check_reformulation(
    problem: Any,
    rng: Seed = 0,
    trials: int = 20,
    phi: Phi | None = None,
    rho: float | str = "exact",
    radius: float | None = None,
    tolerance: float = 1e-7,
) -> Evidence:
    """Zero-norm problem, MPEC, penalized MPEC and surrogate agree.

    At random points, for every problem: the MPEC and the penalized MPEC have at (x, lift(x)) the value of the zero-norm
    problem, and the lift is feasible; the surrogate is the penalized MPEC at its best w, at most its value at any other
    w, and at most the zero-norm objective; and the zeroing test raises neither objective.

    In up to 12 variables, for convex f, all global minimizers of the four problems are found: the minima are one
    number, and each minimizer of one problem attains that of the zero-norm problem. Where rho is too small, the
    minimizer of the penalized problem that does not is the worst case.

    Parameters
    ----------
    problem : ZeroNormProblem, MPEC, PenalizedMPEC or SurrogateProblem
        With numpy data. Of a later link, its own phi and rho are used.
    trials : int
        Random points.
    phi : Phi, optional
        Where the problem has none; MCP's if not given.
    rho : float or "exact"
        Where the problem has none.
    radius : float, optional
        No minimizer has a larger |x_i|. Needed for global minima unless f is least squares of full column rank.
    tolerance : float
        On minima, relative to what is at stake: the largest weight, or the objective at 0 if that is less. The verdict
        does not depend on the units of the objective.

    Raises
    ------
    TypeError
        If the problem is none of the four.
    ValueError
        If there is no trial or no positive tolerance, and as `penalize` does.
    """
    require_trials(trials, tolerance)
    rng = np.random.default_rng(rng)
    penalized = _penalized(problem, phi, rho)
    zero_norm, n = penalized.mpec.problem, int(math.prod(penalized.f.shape))
    reason = _why_not_global(zero_norm.f, n, radius)
    outcome = Trials(
        f"zero norm, MPEC, penalty and surrogate agree for {penalized.phi!r}; {penalized.exactness}",
        "docs/theory.md, Proposition 2.2, (2.2) and section 3",
        f"random points alone: {reason}"
        if reason
        else "all global minimizers, proved by branch and bound; random points",
    )
    for _ in range(trials):
        _add_point(outcome, penalized, rng)
    if not reason:
        _add_minimizers(outcome, penalized, radius, tolerance)
    return outcome.evidence()


def _penalized(problem: Any, phi: Phi | None, rho: Any) -> PenalizedMPEC:
    if isinstance(problem, ZeroNormProblem):
        problem = problem.to_mpec(mcp() if phi is None else phi)
    if isinstance(problem, MPEC):
        problem = problem.penalize(rho)
    if isinstance(problem, SurrogateProblem):
        problem = problem.penalized
    if not isinstance(problem, PenalizedMPEC):
        raise TypeError(f"check_reformulation: needs a ZeroNormProblem or a link of its chain, got {problem!r}")
    return problem


def _why_not_global(f: Any, n: int, radius: float | None) -> str:
    """Why no global minimum can be proved; empty where it can."""
    if n > _LARGEST:
        return f"{n} variables are more than {_LARGEST}"
    if not getattr(f, "convex", False):
        return f"{f!r} is not known to be convex"
    if radius is None and not has_bounded_level_sets(f):
        return f"{f!r} is not least squares of full column rank, and no radius is given"
    return ""


def _add_point(outcome: Trials, penalized: PenalizedMPEC, rng: np.random.Generator) -> None:
    """What holds at every point, whatever rho is."""
    mpec, surrogate = penalized.mpec, penalized.eliminate()
    shape, a = penalized.f.shape, penalized.exactness.flat_point
    x = a * rng.normal(size=shape) * 10 ** rng.uniform(-1, 1) * rng.integers(0, 2, size=shape)
    w, lifted, best = rng.random(shape), mpec.lift(x), penalized.auxiliary(x)
    exact, least = mpec.problem.value(x), surrogate.value(x)
    rounding = _AT_A_POINT * (abs(float(penalized.f.value(x))) + float(np.sum(mpec.problem.weight * np.ones(shape))))
    at = f"x = np.array({x.tolist()})"
    outcome.add(rounding - abs(mpec.value(x, lifted) - exact), f"{at}; mpec.value(x, mpec.lift(x)) - problem.value(x)")
    outcome.add(-abs(mpec.complementarity(x, lifted)), f"{at}; mpec.complementarity(x, mpec.lift(x))")
    outcome.add(float(np.minimum(lifted, 1 - lifted).min()), f"{at}; mpec.lift(x)")
    outcome.add(
        rounding - abs(penalized.value(x, lifted) - exact), f"{at}; penalized.value(x, mpec.lift(x)) - problem.value(x)"
    )
    outcome.add(
        rounding - abs(penalized.value(x, best) - least),
        f"{at}; penalized.value(x, penalized.auxiliary(x)) - surrogate.value(x)",
    )
    outcome.add(
        rounding + penalized.value(x, w) - least,
        f"{at}; w = np.array({w.tolist()}); penalized.value(x, w) - surrogate.value(x)",
    )
    outcome.add(rounding + exact - least, f"{at}; problem.value(x) - surrogate.value(x)")
    zeroed, _ = zero_where_better(surrogate, x)
    outcome.add(least - surrogate.value(zeroed), f"{at}; zero_where_better(surrogate, x)")
    outcome.add(
        rounding + exact - mpec.problem.value(zeroed), f"{at}; problem.value(zero_where_better(surrogate, x)[0])"
    )


def _add_minimizers(outcome: Trials, penalized: PenalizedMPEC, radius: float | None, tolerance: float) -> None:
    """Minima and minimizers of all four problems."""
    zero_norm = penalized.mpec.problem
    at_zero, dearest = float(zero_norm.value(np.zeros(zero_norm.f.shape))), float(np.max(zero_norm.weight))
    size = abs(at_zero) + dearest
    # minima differ by a few weights at most, and by no more than 0 loses; the search takes its gap relative to 1 + |F|
    gap = (0.1 * tolerance * min(dearest, abs(at_zero)) + _RESOLVED * size) / (1 + size)
    if radius is None:
        least, minimizers = zero_norm_minimizers(
            *least_squares_of(zero_norm.f, "check_reformulation"), zero_norm.weight
        )
    else:
        bound, points = global_minimizers(zero_norm, radius, gap)
        least, minimizers = bound.value, list(points)
    allowed = 10 * gap * (1 + max(size, abs(least)))
    surrogate = penalized.eliminate()
    for x in minimizers:
        outcome.add(allowed + least - surrogate.value(x), f"surrogate.value(np.array({x.tolist()}))")
    for name, link in (("mpec", penalized.mpec), ("penalized", penalized), ("surrogate", surrogate)):
        try:
            bound, points = global_minimizers(link, radius, gap)
        except NotConcaveError as error:  # no link of the chain has such terms
            outcome.add(-math.inf, f"global_minimizers({name})  # {error}")
            continue
        of_x = f"np.array({bound.x.tolist()})"
        attained = "mpec.value(x, mpec.lift(x))" if link is penalized.mpec else f"{name}.value(x)"
        case = f"x = {of_x}; {attained}  # {bound.value!r}, but the zero norm has its minimum at {least!r}"
        outcome.add(allowed - abs(bound.value - least), case)
        for x in points:
            case = (
                f"problem.value(np.array({x.tolist()}))  # a minimizer of {name}; the zero norm's minimum is {least!r}"
            )
            outcome.add(allowed + least - zero_norm.value(x), case)


def _problem() -> ZeroNormProblem:
    data = np.random.default_rng(3)
    A = data.normal(size=(10, 4)) + data.normal(size=(10, 1))
    return ZeroNormProblem(LeastSquares(A, A @ [2.0, 0, -1, 0] + data.normal(size=10)), np.array([0.5, 1.0, 2.0, 4.0]))


CHECKS = tuple(
    Check(5, f"reformulation by {name}", partial(check_reformulation, _problem(), phi=member))
    for name, member in FAMILY.items()
)
