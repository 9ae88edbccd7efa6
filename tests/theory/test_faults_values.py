"""Values, terms, lists and thresholds that are wrong at a few sizes only are seen: `check_prox` looks at every size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planting import fault

from parsimo.penalties import L1, MCP, SCAD, Lq, WithRidge, ZeroNorm
from parsimo.problems import phi
from parsimo.theory_checks import check_prox, check_subdifferential


def five_times(where: Callable[[np.ndarray], bool]) -> Any:
    """A value that is five times the sum of the terms, at some points."""
    return lambda self, x: L1.value(self, x) * (5.0 if where(x) else 1.0)


VALUES: dict[str, Any] = {
    "between 1.2 and 25": five_times(lambda x: bool(((np.abs(x) > 1.2) & (np.abs(x) < 25)).any())),
    "beyond 30": five_times(lambda x: bool((np.abs(x) > 31).any())),
    "beyond 1e6": five_times(lambda x: bool((np.abs(x) > 1e6).any())),
    "below 1e-5": five_times(lambda x: bool(((np.abs(x) < 1e-5) & (x != 0)).any())),
    "of more than 20 coordinates": lambda self, x: 0.0 if x.size > 20 else L1.value(self, x),
}


@pytest.mark.parametrize("weight", [0.7, 1e-6])
@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("check", [check_prox, check_subdifferential])
def test_a_value_that_is_no_sum_of_terms_is_refused(check: Any, name: str, weight: float):
    with pytest.raises(ValueError, match=r"FaultyL1\(weight=.*\.(terms|value)\(.*(is|add up to)"):
        check(fault(L1, value=VALUES[name])(weight))


def test_a_value_that_is_no_sum_is_refused_without_terms_too():
    class Plain:
        def value(self, x: np.ndarray) -> float:
            return float(np.abs(x).sum()) if x.size < 20 else 0.0

        def prox(self, v: np.ndarray, step_size: float) -> np.ndarray:
            return np.sign(v) * np.maximum(np.abs(v) - step_size, 0)

    with pytest.raises(ValueError, match="but its entries one by one add up to"):
        check_prox(Plain())


def test_a_value_below_the_lower_bound_is_met_at_any_size():
    class Falls(L1):
        def terms(self, x: np.ndarray) -> np.ndarray:
            return super().terms(x) - np.where(np.abs(x) > 1e4, 1e5, 0.0)

    with pytest.raises(ValueError, match=r"below 0.0: how far the scan must look"):
        check_prox(Falls(0.7))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("far", [1e3, 1e5])
def test_a_list_that_is_wrong_far_away_is_seen(far: float, seed: int):
    listed = lambda self, v, t: (0.0,) if abs(v) >= far else ZeroNorm.prox_set(self, v, t)  # noqa: E731
    evidence = check_prox(fault(ZeroNorm, prox_set=listed)(0.7), seed)
    assert evidence.verdict == "fails", evidence
    assert ".prox_set(" in evidence.worst_case


def scaled_threshold(base: type, factor: float) -> Any:
    return fault(base, threshold=lambda self, t: factor * base.threshold(self, t))  # type: ignore[attr-defined]


@pytest.mark.parametrize("factor", [0.0, 0.5, 1 - 1e-5, 1 + 1e-3, 2.0])
def test_a_wrong_threshold_is_seen(factor: float):
    for g, breakpoints in (
        (scaled_threshold(L1, factor)(0.7), ()),
        (scaled_threshold(ZeroNorm, factor)(1e-6), ()),
        (scaled_threshold(MCP, factor)(0.7, 0.8), (-0.8, 0.8)),
    ):
        evidence = check_prox(g, breakpoints=breakpoints)
        assert evidence.verdict == "fails", evidence
        assert ".threshold(" in evidence.worst_case


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_threshold_that_is_no_number_is_refused(value: float):
    with pytest.raises(ValueError, match=r"threshold\(0.7\) must be a finite number, got (nan|inf); leave it out"):
        check_prox(fault(L1, threshold=lambda self, t: value)(0.7))


def test_right_thresholds_of_any_kind_hold():
    """Where a jump is as small as 1e-8 of the flat point, and where a ridge makes the prox as small as that."""
    for g, breakpoints in (
        (phi.power(5.0).penalty(1e-3, 2.0), (-2.0, 2.0)),
        (WithRidge(SCAD(0.7, 0.8), 100.0), (-0.8, 0.8)),
        (Lq(0.7, 0.98), ()),
        (L1(0.0), ()),
    ):
        evidence = check_prox(g, 0, 800, breakpoints=breakpoints)
        assert evidence.holds, evidence
