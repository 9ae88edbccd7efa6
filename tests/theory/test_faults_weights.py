"""Faults in the largest weight, and in families, that the checks must see."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parsimo.penalties.even import FlatPenalty
from parsimo.selection import Family, gentler, weight_max
from parsimo.selection.weight_max import Null
from parsimo.theory_checks import check_families, check_weight_max


def times(factor: float) -> Callable[..., float]:
    return lambda f, family: factor * weight_max(f, family)


def by_the_slope(f: Any, family: Any) -> float:
    """Right for L1 alone."""
    return float(np.abs(f.grad(f.start())).max())


def by_the_gain(f: Any, family: Any) -> float:
    """Right for the zero norm alone."""
    return float((f.grad(f.start()) ** 2 / (2 * f.coordinate_curvature)).max())


def with_one_step_for_all(f: Any, family: Any) -> float:
    """1 / L in place of 1 / L_j."""
    null = Null.of(f, family)

    class SameCurvature(type(f)):  # type: ignore[misc]
        coordinate_curvature = f.lipschitz

    return Null(SameCurvature(f.design.A, f.targets), family, null.x, null.held, null.grad).weight_max


def at_the_origin(f: Any, family: Any) -> float:
    """The free coordinate is left at 0."""
    null = Null.of(f, family)
    zeros = np.zeros_like(null.x)
    return Null(f, family, zeros, null.held, f.grad(zeros)).weight_max


@pytest.mark.parametrize(
    "fault", [times(0.99), times(1.03), by_the_slope, by_the_gain, with_one_step_for_all, at_the_origin]
)
def test_a_wrong_largest_weight_is_seen(fault: Any):
    assert check_weight_max(trials=24, weight_max=fault).verdict == "fails"


def test_the_faults_are_applied_to_what_holds():
    assert check_weight_max(trials=24, weight_max=times(1.0)).holds


def falling_family(template: Any, flat_point: str) -> Any:
    """The flat point moves away, and the penalty sinks."""
    return lambda weight: dataclasses.replace(template, flat_point=template.flat_point * (1 + weight**2))


def flatter(penalty: FlatPenalty, factor: float) -> Any:
    """The flat point alone."""
    return dataclasses.replace(penalty, flat_point=factor * penalty.flat_point)


def heavier(penalty: FlatPenalty, factor: float) -> Any:
    """The weight alone: steeper at 0, and more curved."""
    return dataclasses.replace(penalty, weight=factor * penalty.weight)


def less_gentle(penalty: FlatPenalty, factor: float) -> Any:
    return gentler(penalty, math.sqrt(factor))


@pytest.mark.parametrize("fault", [flatter, heavier, less_gentle])
def test_a_penalty_that_is_not_gentler_is_seen(fault: Any):
    assert check_families(trials=30, gentler=fault).verdict == "fails"


def test_a_family_that_sinks_is_seen():
    assert check_families(trials=30, family=falling_family).verdict == "fails"
    assert check_families(trials=30, family=Family).holds
