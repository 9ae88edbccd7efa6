"""Whether the reformulations of one's own zero-norm problem are what they promise: one minimum, the same minimizers."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from parsimo.problems import LeastSquares, ZeroNormProblem
from parsimo.problems.exact_penalty import PenalizedMPEC, exactness_of
from parsimo.problems.mpec import MPEC, zero_where_better
from parsimo.problems.phi import Phi, mcp
from parsimo.problems.surrogate import SurrogateProblem
from parsimo.theory_checks.contract import require_trials
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.oracles.boxes import NotConcaveError
from parsimo.theory_checks.oracles.branch_and_bound import global_minimizers, has_bounded_level_sets
from parsimo.theory_checks.oracles.enumeration import zero_norm_minimizers
from parsimo.theory_checks.oracles.instance import least_squares_of
from parsimo.theory_checks.subjects import FAMILY, member_text

__all__ = ["CHECKS", "ZERO_NORM_PROBLEM", "Chain", "chain_of", "check_reformulation"]

_LARGEST = 12  # variables up to which global minima are found
_RESOLVED = 1e-11  # to which minima are found, relative to the objective at 0 and the weights
_STATED = 1e-9  # of numbers that a link states of itself, relative
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

    The problem that is given is tried itself, with those that it was derived from and those that its own methods derive
    from it.

    At random points, for every problem: all have one f; the MPEC and the penalized MPEC have at (x, lift(x)) the value
    of the zero-norm problem, and the lift is feasible; the penalized MPEC is the MPEC and rho times its
    complementarity, and its l1 problem in x differs from it by a constant; the surrogate, also as the sum of its f and
    its g, is the penalized MPEC at its best w, at most its value at any other w, and at most the zero-norm objective;
    and the zeroing test raises neither objective.

    What is stated of exactness is derived once more from f, weight, phi and rho: the flat point phi'(1-) / rho, the
    least threshold that a theorem proves, and whether rho exceeds it.

    In up to 12 variables, for convex f, all global minimizers of the four problems are found: the minima are one
    number, and each minimizer of one problem attains that of the zero-norm problem. Where rho is too small, the
    minimizer of the penalized problem that does not is the worst case.

    Parameters
    ----------
    problem : ZeroNormProblem, MPEC, PenalizedMPEC or SurrogateProblem
        With numpy data. Of a later link, its own phi and rho are used, and itself.
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
    chain = chain_of(problem, phi, rho)
    text = _text(problem, phi, rho)
    penalized = chain.penalized
    reason = _why_not_global(chain, radius)
    outcome = Trials(
        f"zero norm, MPEC, penalty and surrogate agree for {penalized.phi!r}; {penalized.exactness}",
        "docs/theory.md, Proposition 2.2, (2.2) and section 3",
        f"random points alone: {reason}"
        if reason
        else "all global minimizers, proved by branch and bound; random points",
    )
    _add_exactness(outcome, penalized, text)
    for _ in range(trials):
        _add_point(outcome, chain, text, rng)
    if not reason and outcome.evidence().holds:  # else the minimizers say nothing new
        _add_minimizers(outcome, chain, text, radius, tolerance)
    return outcome.evidence()


class Chain(NamedTuple):
    """The four problems: the given one as it is, those before it that it keeps, and those that are derived from it."""

    problem: ZeroNormProblem
    mpec: MPEC
    penalized: PenalizedMPEC
    surrogate: SurrogateProblem


def chain_of(given: Any, phi: Phi | None = None, rho: Any = "exact") -> Chain:
    """The problem that is given, those before it, and those that follow from it by phi, MCP's if None, and rho."""
    if isinstance(given, SurrogateProblem):
        penalized, surrogate = given.penalized, given
    else:
        link = given
        if isinstance(link, ZeroNormProblem):
            link = link.to_mpec(mcp() if phi is None else phi)
        if isinstance(link, MPEC):
            link = link.penalize(rho)
        if not isinstance(link, PenalizedMPEC):
            raise TypeError(f"check_reformulation: needs a ZeroNormProblem or a link of its chain, got {given!r}")
        penalized, surrogate = link, link.eliminate()
    return Chain(penalized.mpec.problem, penalized.mpec, penalized, surrogate)


def _text(given: Any, phi: Phi | None, rho: Any) -> str:
    """The expression of the chain."""
    name = "ZERO_NORM_PROBLEM" if given is ZERO_NORM_PROBLEM else "problem"
    how = ("" if phi is None else f", {member_text(phi)}") + ("" if rho == "exact" else f", rho={rho!r}")
    return f"chain_of({name}{how})"


def _at(text: str, expression: str, said: str, **arrays: np.ndarray) -> str:
    """An expression in the links of the chain, and in arrays."""
    names, values = ", ".join((*Chain._fields, *arrays)), ", ".join(f"np.array({a.tolist()})" for a in arrays.values())
    return f"(lambda {names}: {expression})(*{text}, {values})  # {said}"


def _why_not_global(chain: Chain, radius: float | None) -> str:
    """Why no global minimum can be proved; empty where it can."""
    n = math.prod(chain.problem.f.shape)
    if n > _LARGEST:
        return f"{n} variables are more than {_LARGEST}"
    for f in (chain.problem.f, chain.penalized.f, chain.surrogate.f):
        if not getattr(f, "convex", False):
            return f"{f!r} is not known to be convex"
        if radius is None and not has_bounded_level_sets(f):
            return f"{f!r} is not least squares of full column rank, and no radius is given"
    g = chain.surrogate.g
    return "" if hasattr(g, "terms") and hasattr(g, "weight") else f"{g!r} has no terms and weight"


def _add_exactness(outcome: Trials, penalized: PenalizedMPEC, text: str) -> None:
    """What the link states of its rho, against what f, weight and phi say of it."""
    problem, stated = penalized.mpec.problem, penalized.exactness
    proved = exactness_of(problem.f, problem.weight, penalized.phi, penalized.rho)

    def case(name: str, said: Any, found: Any) -> str:
        return f"{text}.penalized.exactness.{name}  # is {said!r}, and follows from f, weight, phi and rho as {found!r}"

    for name in ("rho", "flat_point", "threshold"):
        said, found = getattr(stated, name), getattr(proved, name)
        if said is None or found is None:
            margin = 0.0 if said is found else -1.0
        else:
            margin = _STATED - abs(said - found) / abs(found) if found else -abs(said)
        outcome.add(margin, case(name, said, found))
    outcome.add(0.0 if stated.exact == proved.exact else -1.0, case("exact", stated.exact, proved.exact))


def _add_point(outcome: Trials, chain: Chain, text: str, rng: np.random.Generator) -> None:
    """What holds at every point, whatever rho is."""
    problem, mpec, penalized, surrogate = chain.problem, chain.mpec, chain.penalized, chain.surrogate
    shape, a = penalized.f.shape, penalized.exactness.flat_point
    x = a * rng.normal(size=shape) * 10 ** rng.uniform(-1, 1) * rng.integers(0, 2, size=shape)
    w, zero, lifted, best = rng.random(shape), np.zeros(shape), mpec.lift(x), surrogate.auxiliary(x)
    f, f_0, exact, least, at_w = (
        float(value)
        for value in (
            *map(problem.f.value, (x, zero)),
            *(link.value(x) for link in (problem, surrogate)),
            penalized.value(x, w),
        )
    )
    weight = problem.weight * np.ones(shape)
    rounding = _AT_A_POINT * (abs(f) + float(weight.sum()))
    rounding_at_w = rounding + _AT_A_POINT * (abs(f_0) + abs(at_w))
    at_x, with_w = partial(_at, text, x=x), partial(_at, text, x=x, w=w)

    def vanishes(difference: float, expression: str) -> None:
        outcome.add(rounding - abs(difference), at_x(expression, "0 up to rounding"))

    vanishes(penalized.f.value(x) - f, "penalized.f.value(x) - problem.f.value(x)")
    vanishes(surrogate.f.value(x) - f, "surrogate.f.value(x) - problem.f.value(x)")
    vanishes(mpec.value(x, lifted) - exact, "mpec.value(x, mpec.lift(x)) - problem.value(x)")
    vanishes(penalized.value(x, lifted) - exact, "penalized.value(x, mpec.lift(x)) - problem.value(x)")
    vanishes(penalized.value(x, best) - least, "penalized.value(x, surrogate.auxiliary(x)) - surrogate.value(x)")
    vanishes(penalized.value(x) - least, "penalized.value(x) - surrogate.value(x)")
    vanishes(f + surrogate.g.value(x) - least, "problem.f.value(x) + surrogate.g.value(x) - surrogate.value(x)")
    outcome.add(-abs(mpec.complementarity(x, lifted)), at_x("mpec.complementarity(x, mpec.lift(x))", "0"))
    outcome.add(float(np.minimum(lifted, 1 - lifted).min()), at_x("mpec.lift(x)", "in [0, 1]"))
    not_negative = "not negative, up to rounding"
    outcome.add(rounding + exact - least, at_x("problem.value(x) - surrogate.value(x)", not_negative))
    outcome.add(rounding + at_w - least, with_w("penalized.value(x, w) - surrogate.value(x)", not_negative))

    added = penalized.rho * float((weight * (1 - w) * np.abs(x)).sum())
    said = f"rho times the weighted complementarity is {added!r}"
    case = with_w("penalized.value(x, w) - mpec.value(x, w)", said)
    outcome.add(rounding_at_w - abs(at_w - mpec.value(x, w) - added), case)
    in_x = at_w - f - (penalized.value(zero, w) - f_0)
    case = with_w("penalized.given(w).value(x)", f"the part of the penalty that depends on x is {in_x!r}")
    outcome.add(rounding_at_w - abs(penalized.given(w).value(x) - in_x), case)

    zeroed, _ = zero_where_better(surrogate, x)
    for link, name, before, allowed in ((surrogate, "surrogate", least, 0.0), (problem, "problem", exact, rounding)):
        case = at_x(f"{name}.value(zero_where_better(surrogate, x)[0])", f"at most {before!r}, that of x")
        outcome.add(allowed + before - link.value(zeroed), case)


def _add_minimizers(outcome: Trials, chain: Chain, text: str, radius: float | None, tolerance: float) -> None:
    """Minima and minimizers of all four problems."""
    zero_norm, surrogate = chain.problem, chain.surrogate
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
    for x in minimizers:
        said = f"at most {least!r}, the minimum of the zero norm, which it attains here"
        outcome.add(allowed + least - surrogate.value(x), f"{text}.surrogate.value(np.array({x.tolist()}))  # {said}")
    for name, link in (("mpec", chain.mpec), ("penalized", chain.penalized), ("surrogate", surrogate)):
        try:
            bound, points = global_minimizers(link, radius, gap)
        except NotConcaveError as error:  # no link of the chain has such terms
            outcome.add(-math.inf, f"{text}.{name}  # {error}")
            continue
        attained = "mpec.value(x, mpec.lift(x))" if link is chain.mpec else f"{name}.value(x)"
        said = f"its minimum is {bound.value!r}, that of the zero norm {least!r}"
        outcome.add(allowed - abs(bound.value - least), _at(text, attained, said, x=bound.x))
        for x in points:
            case = f"{text}.problem.value(np.array({x.tolist()}))"
            said = f"at a minimizer of {name}; the zero norm's minimum is {least!r}"
            outcome.add(allowed + least - zero_norm.value(x), f"{case}  # {said}")


def _problem() -> ZeroNormProblem:
    data = np.random.default_rng(3)
    A = data.normal(size=(10, 4)) + data.normal(size=(10, 1))
    return ZeroNormProblem(LeastSquares(A, A @ [2.0, 0, -1, 0] + data.normal(size=10)), np.array([0.5, 1.0, 2.0, 4.0]))


ZERO_NORM_PROBLEM = _problem()

CHECKS = tuple(
    Check(5, f"reformulation by {name}", partial(check_reformulation, ZERO_NORM_PROBLEM, phi=member))
    for name, member in FAMILY.items()
)
