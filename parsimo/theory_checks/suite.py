"""All checks on all subjects: what the tests assert and the command line prints."""

from __future__ import annotations

from parsimo.theory_checks import admm, clustering, curvature, exactness, family, prox, quantizers, soft_clustering
from parsimo.theory_checks.evidence import Check

__all__ = ["standard_checks"]

_MODULES = (family, exactness, curvature, prox, admm, clustering, soft_clustering, quantizers)


def standard_checks() -> tuple[Check, ...]:
    """Every check on every subject, in the order of docs/checks.md."""
    return tuple(sorted((check for m in _MODULES for check in m.CHECKS), key=lambda check: check.number))
