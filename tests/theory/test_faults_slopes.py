"""Certificates that are wrong at some sizes, shapes or dtypes only are seen, and right ones of any weight hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planting import fault

from parsimo.penalties import L1, MCP, SCAD, CappedL1, Group, LogSum, Lq, Spectral, ZeroNorm
from parsimo.theory_checks import check_subdifferential

Where = Callable[[np.ndarray], bool]


def zero_where(base: type, where: Where) -> Any:
    """A class whose distance is 0 at some points."""
    right: Any = base
    return fault(
        base,
        subdiff_distance=lambda self, x, q: 0.0 if where(x) else right.subdiff_distance(self, x, q),
    )


SOMEWHERE: dict[str, Where] = {
    "matrices": lambda x: x.ndim == 2,
    "float32": lambda x: x.dtype == np.float32,
    "more than four entries": lambda x: x.size > 4,
    "beyond 3e3": lambda x: bool(np.abs(x).max() > 3e3),
    "at 1e-5 and below": lambda x: bool(((np.abs(x) < 1e-5) & (x != 0)).any()),
    "at a single entry": lambda x: x.size == 1,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SOMEWHERE)
def test_a_distance_that_is_zero_somewhere_is_seen(name: str, seed: int):
    for g, breakpoints in ((L1, ()), (ZeroNorm, ()), (MCP, (-0.8, 0.8))):
        parameters = (0.7, 0.8) if g is MCP else (0.7,)
        evidence = check_subdifferential(zero_where(g, SOMEWHERE[name])(*parameters), seed, breakpoints=breakpoints)
        assert evidence.verdict == "fails", (g, evidence)


def test_entries_beyond_the_fourth_count():
    first_four = fault(L1, subdiff_distance=lambda self, x, q: L1.subdiff_distance(self, x[:4], q[:4]))
    assert check_subdifferential(first_four(0.7)).verdict == "fails"


@pytest.mark.parametrize("weight", [1e-7, 1e-12, 1e6])
@pytest.mark.parametrize("shape", [None, 4])
def test_a_penalty_that_is_ignored_is_seen_at_any_weight(weight: float, shape: int | None):
    ignored = {
        "subdiff_distance": lambda self, x, q: float(np.linalg.norm(q)),
        "descent_rate": lambda self, x, q: float(np.linalg.norm(q)),
    }
    for base in (L1, ZeroNorm):
        for method in ignored:
            evidence = check_subdifferential(fault(base, **{method: ignored[method]})(weight), shape=shape)
            assert evidence.verdict == "fails", evidence


@pytest.mark.parametrize("weight", [1e-12, 1e-6, 0.7, 1e5])
@pytest.mark.parametrize("q", [0.1, 0.5, 0.9, 0.97, 0.98, 0.99, 0.995, 0.9999])
def test_the_slope_of_any_root_is_infinite(weight: float, q: float):
    for seed in range(2):
        evidence = check_subdifferential(Lq(weight, q), seed)
        assert evidence.holds, evidence


@pytest.mark.parametrize("seed", range(3))
def test_small_weights_hold_in_arrays_too(seed: int):
    labels = np.array([0, 1, 0, -1])
    for g, shape in (
        (Lq(1e-6 * np.array([0.1, 1.0, 10.0, 0.0]), 0.5), 4),
        (Group(Lq(1e-6, 0.5), labels), 4),
        (Group(L1(1e-7), labels), 4),
        (Spectral(Lq(0.7, 0.97), (2, 2)), (2, 2)),
    ):
        evidence = check_subdifferential(g, seed, 8, shape=shape)
        assert evidence.holds, evidence


@pytest.mark.parametrize("weight", [1e-7, 1e4])
@pytest.mark.parametrize("scale", [1e-3, 100.0])
def test_right_certificates_of_any_scale_hold(weight: float, scale: float):
    for g, breakpoints in (
        (L1(weight), ()),
        (LogSum(weight, scale), ()),
        (MCP(weight, scale), (-scale, scale)),
        (SCAD(weight, scale), (-scale, scale)),
        (CappedL1(weight, scale), (-scale, scale)),
    ):
        evidence = check_subdifferential(g, breakpoints=breakpoints)
        assert evidence.holds, evidence


# ---- arrays of a sum over coordinates

WEIGHTS = np.array([[0.1, 0.5], [2.0, 0.7]])
WRONG: dict[str, dict[str, Any]] = {
    "distance 1 % small": {"subdiff_distance": lambda self, x, q: 0.99 * L1.subdiff_distance(self, x, q)},
    "rate 1 % large": {"descent_rate": lambda self, x, q: 1.01 * L1.descent_rate(self, x, q)},
    "weights in another order": {
        "subdiff_distance": lambda self, x, q: L1(self.weight.T.copy()).subdiff_distance(x, q),
    },
    "zero in float32": {
        "subdiff_distance": lambda self, x, q: 0.0 if x.dtype == np.float32 else L1.subdiff_distance(self, x, q)
    },
    "a value that is no sum": {"value": lambda self, x: 1.01 * L1.value(self, x)},
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", WRONG)
def test_each_coordinate_of_an_array_has_its_own_slopes(name: str, seed: int):
    assert check_subdifferential(L1(WEIGHTS), seed, shape=(2, 2)).holds
    evidence = check_subdifferential(fault(L1, **WRONG[name])(WEIGHTS), seed, shape=(2, 2))
    assert evidence.verdict == "fails", evidence


def test_float32_is_tried_where_there_is_no_sum():
    labels = np.array([0, 1, 0, -1])
    for base, parameters, shape in ((Group, (L1(0.7), labels), (4,)), (Spectral, (MCP(0.7, 0.8), (2, 2)), (2, 2))):
        evidence = check_subdifferential(zero_where(base, SOMEWHERE["float32"])(*parameters), trials=4, shape=shape)
        assert evidence.verdict == "fails", evidence
