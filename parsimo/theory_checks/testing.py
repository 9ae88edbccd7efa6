"""The checks as assertions, for the tests of one's own package.

    from parsimo.theory_checks.testing import assert_prox

    def test_my_prox():
        assert_prox(MyPenalty(0.7), breakpoints=(-1.0, 1.0))

Each takes the options of its check, raises nothing where the check holds, and where it does not an AssertionError with
the evidence: the claim, the margin, and the worst case as an expression to paste. Bad input raises TypeError or
ValueError, as from the check itself. pytest is not needed.
"""

from __future__ import annotations

from typing import Any

from parsimo.theory_checks.evidence import Evidence
from parsimo.theory_checks.gradient import check_gradient
from parsimo.theory_checks.membership import check_phi
from parsimo.theory_checks.prox import check_prox, check_subdifferential
from parsimo.theory_checks.reformulation import check_reformulation
from parsimo.theory_checks.solvers import check_solver

__all__ = [
    "assert_gradient",
    "assert_phi",
    "assert_prox",
    "assert_reformulation",
    "assert_solver",
    "assert_subdifferential",
]


def assert_prox(g: Any, **options: Any) -> None:
    """`check_prox` holds: prox and prox_set of g are globally optimal."""
    __tracebackhide__ = True
    _demand(check_prox(g, **options))


def assert_subdifferential(g: Any, **options: Any) -> None:
    """`check_subdifferential` holds: `subdiff_distance` is that of the limiting subdifferential of g."""
    __tracebackhide__ = True
    _demand(check_subdifferential(g, **options))


def assert_gradient(f: Any, **options: Any) -> None:
    """`check_gradient` holds: grad is the gradient of value, and the constants that f states hold."""
    __tracebackhide__ = True
    _demand(check_gradient(f, **options))


def assert_solver(solver: Any, **options: Any) -> None:
    """`check_solver` holds: pure steps, a merit that falls, a status that its certificate proves."""
    __tracebackhide__ = True
    _demand(check_solver(solver, **options))


def assert_phi(phi: Any, **options: Any) -> None:
    """`check_phi` holds: phi is a member of the family, and its surrogate and thresholds are what they promise."""
    __tracebackhide__ = True
    _demand(check_phi(phi, **options))


def assert_reformulation(problem: Any, **options: Any) -> None:
    """`check_reformulation` holds: zero-norm problem, MPEC, penalty and surrogate agree."""
    __tracebackhide__ = True
    _demand(check_reformulation(problem, **options))


def _demand(evidence: Evidence) -> None:
    __tracebackhide__ = True
    if not evidence.holds:
        raise AssertionError(str(evidence))
