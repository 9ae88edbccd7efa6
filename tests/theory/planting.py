"""A constant that is too good by a factor, and how the planted error is told from rounding."""

from __future__ import annotations

from collections.abc import Callable

from parsimo.theory_checks import Evidence


def times(factor: float, bound: Callable[..., float]) -> Callable[..., float]:
    return lambda *arguments: factor * bound(*arguments)


def fails(evidence: Evidence) -> bool:
    """Whether the check has seen it, beyond rounding."""
    assert evidence.verdict == "fails", evidence
    assert evidence.margin < -1e-10, evidence
    return True
