"""Whether a function of one's own is a member of the family, and what then follows from it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parsimo.problems.phi import Phi, custom
from parsimo.theory_checks.axioms import GRID, axioms, rounding_of_surrogate, undecided
from parsimo.theory_checks.constants import text_of
from parsimo.theory_checks.contract import require_trials
from parsimo.theory_checks.curvature import check_curvature_theorem, check_curvature_tightness
from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.exactness import check_lipschitz_theorem, check_lipschitz_tightness
from parsimo.theory_checks.family import check_conjugate, check_surrogate, check_variational_identity
from parsimo.theory_checks.oracles.scan import entrywise, prox_minima
from parsimo.theory_checks.prox_trials import Pairs, comment
from parsimo.theory_checks.sandwich import check_sandwich
from parsimo.theory_checks.subjects import FAMILY, member_text

__all__ = ["CHECKS", "check_phi"]

_PENALTY = (0.7, 0.8)  # weight and flat point of the penalty whose prox and certificates are tried
_PER_STEP = 16  # arguments of its prox
_PROX = 1e-8  # of the range of an objective: what a numeric prox may miss
_ORDER = 1e-9  # of surrogates
_WIDTH = 1e-4  # of x: differences of values over it are slopes
_CERTIFIED = 1e-5  # of a distance, relative to the gradient and the slope of the penalty

_BY_DEFINITION = (check_variational_identity, check_conjugate, check_surrogate)
_EXACTNESS = (
    check_lipschitz_theorem,
    check_lipschitz_tightness,
    check_curvature_theorem,
    check_curvature_tightness,
)


def check_phi(
    phi: Phi | Callable[[np.ndarray], np.ndarray], rng: Seed = 0, trials: int = 6, tolerance: float = 1e-7
) -> Evidence:
    """phi satisfies the axioms of the family; its conjugate, maximizer and surrogate are what their definitions say,
    and so are value, prox and certificates of its penalty; and the thresholds that its slope at 1 and its curvature
    margin give are exact above and not exact 2 % below.

    Parameters
    ----------
    phi : Phi or callable
        A member, or a function on [0, 1] that takes and returns numpy arrays, which `phi.custom` makes one of.
    trials : int
        Random ones for each of the statements that follow from the axioms, which are tried where the axioms hold.
        Conjugate, maximizer and surrogate are moreover looked at in each of 400 parts of their range.
    tolerance : float
        On values of phi.

    Returns
    -------
    Evidence
        Its worst case is an expression in `phi`; a comment behind it names the axiom or the statement, with the
        numbers that break it. What double precision does not show is named among the hypotheses.

    Raises
    ------
    ValueError
        If there is no trial or no positive tolerance; as `phi.custom` does, if a plain function breaks an axiom.
    TypeError
        If phi is neither a member nor callable, or does not return numbers.

    Notes
    -----
    Not decided by values in double precision: whether there is one minimizer, where phi underflows around it; a phi
    that is constant there up to rounding, over more than 0.01, is refused. The slope at 1 is extrapolated with an error
    that is known; beyond about 1e13 it is taken for a jump. What exactness says is not tried where h is known to less
    than the tolerance: with values of more than 3e7, or slopes of more than 2e8.

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
    rounding = rounding_of_surrogate(phi)
    too_coarse = rounding > tolerance
    hypotheses = (
        f"values on a grid of {GRID.size} points",
        f"{trials} random trials of each statement that follows",
        undecided(phi),
        f"not decided: exactness, since the surrogate is known to {rounding:.1g} alone" if too_coarse else "",
    )
    outcome = Trials(
        f"{phi!r} is a member of the family, with what follows from it",
        "docs/theory.md, sections 2 and 3",
        "; ".join(filter(None, hypotheses)),
    )
    for margin, case in axioms(phi, tolerance):
        outcome.add(margin, case)
        if not margin >= 0:  # what comes next would be spoiled by it
            return outcome.evidence()
    exactness = () if too_coarse else (*_EXACTNESS, partial(check_sandwich, tolerance=_ORDER + rounding))
    for check in (*_BY_DEFINITION, *exactness):
        evidence = check(phi, rng=rng, trials=trials)
        outcome.add(evidence.margin, f"{evidence.worst_case}  # {evidence.claim}")
    _try_prox(phi, outcome, rng)
    _try_certificates(phi, outcome, rng, trials)
    return outcome.evidence()


def _try_prox(phi: Phi, outcome: Trials, rng: np.random.Generator) -> None:
    """The prox of the penalty that phi hands out is that of its values, in double precision, with one step each.

    Its objective is known up to the rounding of the surrogate.
    """
    weight, flat_point = _PENALTY
    g: Any = phi.penalty(weight, flat_point)
    step = np.repeat(10 ** (np.arange(-3, 4) + rng.random(7) - 0.5), _PER_STEP)
    reach = 2 * np.maximum(flat_point, np.sqrt(2 * step * weight))  # from half of which on the prox is v
    v = reach * (np.tile(np.arange(_PER_STEP), 7) + rng.random(step.size)) / _PER_STEP
    v, values = v * rng.choice([-1.0, 1.0], size=v.size), entrywise(g)
    pairs = Pairs(values, v, step, _PER_STEP, *prox_minima(values, v, step, (-flat_point, flat_point)))
    points = pairs.prox_by_rows(g)
    excess, allowed = pairs.excess(points), _PROX * pairs.scale + weight * rounding_of_surrogate(phi)

    def case(k: int) -> str:
        call = f"{_text(phi)}.prox(np.array([{float(pairs.v[k])!r}]), {float(pairs.step[k])!r})"
        better = repr(float(pairs.minimizers[k, 0]))
        return call + comment(repr(float(points[k])), float(excess[k]), better, float(pairs.least[k]))

    outcome.add_all((allowed - excess) / pairs.scale, case)


def _try_certificates(phi: Phi, outcome: Trials, rng: np.random.Generator, trials: int) -> None:
    """Its certificates, where it has some, are those of the slopes of h.

    At 0 the slope is rho (1 - t*) (Lemma 2.3), and beyond the flat point 0; between it is taken from differences, for
    which h need be smooth on the scale of x alone. h is concave: on one side of 0 distance and rate are both the
    distance from the gradient but for kinks, which are left out.
    """
    weight, flat_point = _PENALTY
    g: Any = phi.penalty(weight, flat_point)
    at_zero = weight * phi.slope_at_one / flat_point * (1 - phi.minimizer)
    for _ in range(4 * trials):
        x = flat_point * rng.uniform(0.05, 1.5, size=4) * rng.choice([-1, 0, 1], size=4)
        left, right = ((entrywise(g)(x) - entrywise(g)(x * (1 - side * _WIDTH))) / (side * _WIDTH) for side in (1, -1))
        smooth = np.abs(left - right) <= 1e-2 * weight
        x = np.where(smooth, x, 0.0)
        slopes = np.where(x == 0, 0.0, (left + right) / 2 / np.where(x == 0, 1.0, x))
        q = np.where(rng.random(4) < 0.8, at_zero * 10 ** rng.uniform(-1, 1) * rng.normal(size=4), -slopes)
        expected = float(np.linalg.norm(np.where(x == 0, np.maximum(np.abs(q) - at_zero, 0.0), np.abs(q + slopes))))
        allowed = _CERTIFIED * (float(np.linalg.norm(q)) + weight / flat_point)
        for method in ("subdiff_distance", "descent_rate"):
            if hasattr(g, method):
                got = float(getattr(g, method)(x, q))
                case = f"{_text(phi)}.{method}({text_of(x)}, {text_of(q)})  # is {got!r}, by slopes {expected!r}"
                outcome.add(allowed - abs(got - expected), case)


def _text(phi: Phi) -> str:
    """The expression of its penalty."""
    return f"{member_text(phi)}.penalty{_PENALTY}"


CHECKS = tuple(Check(3, f"membership of {name}", partial(check_phi, member)) for name, member in FAMILY.items())
