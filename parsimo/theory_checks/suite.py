"""All checks on all subjects: what the tests assert and the command line prints."""

from __future__ import annotations

from parsimo.theory_checks import (
    admm,
    both_constants,
    clustering,
    coordinates,
    curvature,
    descents,
    envelopes,
    exactness,
    family,
    gradient,
    ladder,
    lower_bounds,
    majorization,
    membership,
    palm,
    pieces,
    prox,
    quantizers,
    rates,
    reformulation,
    sandwich,
    small_points,
    soft_clustering,
    solvers,
    splitting,
    step_rules,
    storage,
    structures,
    subsets,
    support_changes,
    weights,
)
from parsimo.theory_checks.evidence import Check

__all__ = ["standard_checks"]

_MODULES = (
    family,
    membership,
    exactness,
    reformulation,
    sandwich,
    curvature,
    both_constants,
    lower_bounds,
    small_points,
    structures,
    gradient,
    solvers,
    pieces,
    prox,
    admm,
    clustering,
    soft_clustering,
    quantizers,
    storage,
    descents,
    step_rules,
    palm,
    envelopes,
    splitting,
    majorization,
    rates,
    support_changes,
    ladder,
    weights,
    subsets,
    coordinates,
)


def standard_checks() -> tuple[Check, ...]:
    """Every check on every subject, in the order of docs/checks.md."""
    return tuple(sorted((check for m in _MODULES for check in m.CHECKS), key=lambda check: check.number))
