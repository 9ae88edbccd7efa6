"""The assertions for one's own objects, and the page that shows them: its code runs, and prints what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parsimo as ps
from parsimo.penalties import L1
from parsimo.problems import phi
from parsimo.theory_checks.testing import (
    assert_gradient,
    assert_phi,
    assert_prox,
    assert_reformulation,
    assert_solver,
    assert_subdifferential,
)

PAGE = Path(__file__).parents[2] / "docs" / "check_your_own.md"
BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.DOTALL)
NUMBER = re.compile(r"\d+\.\d+(e-?\d+)?")


def test_the_page_runs_and_prints_what_it_says():
    """Line by line but for the digits, which differ between processors."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    blocks = BLOCK.findall(PAGE.read_text())
    assert [kind for kind, _ in blocks].count("python") >= 8
    for kind, text in blocks:
        if kind == "text":
            assert NUMBER.sub("#", printed) == NUMBER.sub("#", text)
            continue
        with contextlib.redirect_stdout(io.StringIO()) as stream:
            exec(compile(text, str(PAGE), "exec"), names)
        printed = stream.getvalue()


class Faulty(L1):
    """The l1 norm, with steps that are 1 % too long."""

    def prox(self, v: Any, step_size: Any) -> Any:
        return super().prox(v, 1.01 * step_size)

    def subdiff_distance(self, x: Any, grad: Any) -> float:
        return super().subdiff_distance(x, grad) + 0.01


class Doubled(ps.LeastSquares):
    """Least squares with twice its gradient."""

    def grad(self, x: Any) -> Any:
        return 2 * super().grad(x)


class Steeper(type(phi.power(1.5))):  # type: ignore[misc]
    """phi(t) = t^1.5, whose slope at 1 is 1.5."""

    slope_at_one = 1.6


class Boasting(ps.ProximalGradient):
    """Its merit rises."""

    def merit(self, problem: Any, state: Any) -> float:
        return -super().merit(problem, state)


def least_squares(weight: float) -> ps.ZeroNormProblem:
    A = np.random.default_rng(0).normal(size=(8, 3))
    return ps.ZeroNormProblem(ps.LeastSquares(A, A @ [1.0, 0.0, -2.0]), weight=weight)


def test_what_is_right_passes():
    assert_prox(L1(0.7), trials=100)
    assert_subdifferential(L1(0.7))
    assert_phi(phi.power(1.5))
    assert_gradient(least_squares(0.1).f)
    assert_solver(ps.ProximalGradient(), trials=2)
    assert_reformulation(least_squares(0.1))


@pytest.mark.parametrize(
    ("assertion", "words"),
    [
        (lambda: assert_prox(Faulty(0.7), trials=100), "worst case: Faulty(weight=0.7).prox(np.array(["),
        (lambda: assert_prox(Faulty(0.7), shape=(2,), trials=10), "worst case: Faulty(weight=0.7).prox(np.array(["),
        (lambda: assert_subdifferential(Faulty(0.7)), "worst case: Faulty(weight=0.7).subdiff_distance(np.array(["),
        (lambda: assert_reformulation(least_squares(0.1), rho=1e-3), "worst case: "),
        (lambda: assert_phi(Steeper(1.5)), "worst case: "),
        (lambda: assert_gradient(Doubled(np.eye(3), np.ones(3))), "worst case: "),
        (lambda: assert_solver(Boasting(), trials=2), "worst case: "),
    ],
)
def test_what_is_wrong_raises_its_evidence(assertion: Any, words: str):
    with pytest.raises(AssertionError) as raised:
        assertion()
    message = str(raised.value)
    assert message.startswith("fails: ")
    assert words in message
    assert "margin -" in message


def test_bad_input_is_no_failed_assertion():
    with pytest.raises(TypeError, match="object lacks value and prox"):
        assert_prox(object())
    with pytest.raises(ValueError, match="trials must be at least 1"):
        assert_prox(L1(0.7), trials=0)
