"""Whether a function of one's own is a member of the family, and what then follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from parsimo.problems.phi import Phi, custom
from parsimo.theory_checks.contract import require_trials
from parsimo.theory_checks.curvature import check_curvature_theorem, check_curvature_tightness
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.exactness import check_lipschitz_theorem, check_lipschitz_tightness
from parsimo.theory_checks.family import check_conjugate, check_surrogate, check_variational_identity
from parsimo.theory_checks.sandwich import check_sandwich
from parsimo.theory_checks.subjects import FAMILY

__all__ = ["CHECKS", "check_phi"]

_GRID = np.linspace(0.0, 1.0, 1001)

_CONSEQUENCES = (
    check_variational_identity,
    check_conjugate,
    check_surrogate,
    check_lipschitz_theorem,
    check_lipschitz_tightness,
    check_sandwich,
    check_curvature_theorem,
    check_curvature_tightness,
)


def check_phi(
    phi: Phi | Callable[[np.ndarray], np.ndarray], rng: Seed = 0, trials: int = 6, tolerance: float = 1e-7
) -> Evidence:
    """phi satisfies the axioms of the family; its conjugate, maximizer and surrogate are what their definitions say;
    and the thresholds that its slope at 1 and its curvature margin give are exact above and not exact 2 % below.

    Parameters
    ----------
    phi : Phi or callable
        A member, or a function on [0, 1] that takes and returns numpy arrays, which `phi.custom` makes one of.
    trials : int
        For each of the eight statements that follow from the axioms. They are tried where the axioms hold.
    tolerance : float
        On values of phi.

    Returns
    -------
    Evidence
        Its worst case is an expression in `phi`; a comment behind it names the axiom or the statement, with the
        numbers that break it.

    Raises
    ------
    ValueError
        If there is no trial or no positive tolerance; as `phi.custom` does, if a plain function breaks an axiom.
    TypeError
        If phi is neither a member nor callable, or does not return numbers.

    Examples
    --------
    >>> from parsimo.theory_checks import check_phi
    >>> check_phi(lambda t: t**2).verdict
    'holds'
    """
    require_trials(trials, tolerance)
    rng = np.random.default_rng(rng)
    if not isinstance(phi, Phi):
        if not callable(phi):
            raise TypeError(f"check_phi: needs a member of the family or a function on [0, 1], got {phi!r}")
        phi = custom(phi, getattr(phi, "__name__", "custom").strip("<>"))
    outcome = Trials(
        f"{phi!r} is a member of the family, with what follows from it",
        "docs/theory.md, sections 2 and 3",
        f"values on a grid of {_GRID.size} points; {trials} trials of each statement that follows",
    )
    for margin, case in _axioms(phi, tolerance):
        outcome.add(margin, case)
        if not margin >= 0:  # what comes next would be spoiled by it
            return outcome.evidence()
    for check in _CONSEQUENCES:
        evidence = check(phi, rng=rng, trials=trials)
        outcome.add(evidence.margin, f"{evidence.worst_case}  # {evidence.claim}")
    return outcome.evidence()


def _axioms(phi: Phi, tolerance: float) -> Iterator[tuple[float, str]]:
    """The margin of each axiom, and an expression that shows it, with the axiom and the numbers behind it."""
    values = np.asarray(phi.value(_GRID), dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    k = int(wrong[0]) if wrong.size else 0
    case = f"phi.value(np.array([{float(_GRID[k])!r}]))  # finite on [0, 1]: got {float(values[k])!r}"
    yield -np.inf if wrong.size else 0.0, case

    one = float(values[-1])
    yield tolerance - abs(one - 1), f"phi.value(np.ones(1))  # phi(1) = 1: got {one!r}"

    for end, inner in ((0.0, 1e-9), (1.0, 1 - 1e-9)):
        at_end, beside = (float(v) for v in phi.value(np.array([end, inner])))
        case = f"phi.value(np.array([{end!r}, {inner!r}]))  # [0, 1] inside the domain: a jump of {at_end - beside:.3g}"
        yield 1e-3 - abs(at_end - beside), case

    bends = values[:-2] + values[2:] - 2 * values[1:-1]
    k = int(bends.argmin())
    case = f"phi.value(np.array({_GRID[k : k + 3].tolist()}))  # convex: the chord lies {-bends[k] / 2:.3g} too low"
    yield 1e-10 + float(bends[k]), case

    t = float(phi.minimizer)
    yield 1 - t - 1e-6, f"phi.minimizer  # less than 1: got {t!r}"
    at_t, least = float(phi.value(np.array([t]))[0]), float(values.min())
    case = f"phi.value(np.array([{t!r}]))  # the minimum is 0, at phi.minimizer: got {at_t!r}, and {least!r} on a grid"
    yield tolerance - max(abs(at_t), -least), case
    k = int(np.where(np.abs(_GRID - t) > 0.01, values, np.inf).argmin())
    case = f"phi.value(np.array([{t!r}, {float(_GRID[k])!r}]))  # one minimizer: got {at_t!r} and {float(values[k])!r}"
    yield float(values[k]) if values[k] > 1e-12 else -1.0, case

    first, second, third = ((one - float(phi.value(np.array([1 - d]))[0])) / d for d in (1e-2, 1e-4, 1e-6))
    case = "(1 - phi.value(1 - np.array([1e-2, 1e-4, 1e-6])))  # finite left slope at 1: quotients "
    # towards a finite slope the growth of the quotients dies out
    yield (
        0.1 * (second - first) + 1e-6 * max(1.0, third) - (third - second),
        f"{case}{first:.6g}, {second:.6g}, {third:.6g}",
    )
    error = abs(float(phi.slope_at_one) - third)
    yield 1e-4 * (1 + third) - error, f"phi.slope_at_one  # the left slope at 1 is {third:.6g}"


CHECKS = tuple(Check(3, f"membership of {name}", partial(check_phi, member)) for name, member in FAMILY.items())
