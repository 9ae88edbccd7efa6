"""All checks on all subjects: what the tests assert and the command line prints."""

from __future__ import annotations

from parsimo.theory_checks import (
    admm,
    clustering,
    curvature,
    descents,
    envelopes,
    exactness,
    family,
    majorization,
    prox,
    quantizers,
    rates,
    soft_clustering,
    storage,
    support_changes,
)
from parsimo.theory_checks.evidence import Check

__all__ = ["standard_checks"]

_MODULES = (
    family,
    exactness,
    curvature,
    prox,
    admm,
    clustering,
    soft_clustering,
    quantizers,
    storage,
    descents,
    envelopes,
    majorization,
    rates,
    support_changes,
)


def standard_checks() -> tuple[Check, ...]:
    """Every check on every subject, in the order of docs/checks.md."""
    return tuple(sorted((check for m in _MODULES for check in m.CHECKS), key=lambda check: check.number))
