"""Performance profiles, against their definition."""

from __future__ import annotations

import numpy as np
import pytest

from parsimo.studies import performance_profiles

NAN = float("nan")


def test_profiles_by_hand():
    profiles = performance_profiles({"a": [1.0, 2.0, NAN, 4.0], "b": [2.0, 1.0, 3.0, NAN], "c": [8.0, NAN, NAN, 4.0]})
    assert [profiles["a"].at(tau) for tau in (1, 1.9, 2, 100)] == [0.5, 0.5, 0.75, 0.75]
    assert [profiles["b"].at(tau) for tau in (1, 2)] == [0.5, 0.75]
    assert [profiles["c"].at(tau) for tau in (0.5, 1, 7.9, 8)] == [0, 0.25, 0.25, 0.5]


def test_profiles_follow_the_definition():
    rng = np.random.default_rng(0)
    t = np.where(rng.random((4, 60)) < 0.2, np.nan, rng.lognormal(size=(4, 60)))
    profiles = performance_profiles({str(s): t[s] for s in range(4)})
    best = np.nanmin(np.where(np.isnan(t).all(axis=0), np.inf, t), axis=0)
    for s in range(4):
        for tau in (1.0, 1.5, 3.0, 1e6):
            assert profiles[str(s)].at(tau) == np.mean(t[s] <= tau * best)


def test_an_instance_that_nobody_solves_counts_for_nobody():
    profiles = performance_profiles({"a": [NAN, 1.0], "b": [NAN, 2.0]})
    assert profiles["a"].at(1e9) == profiles["b"].at(1e9) == 0.5


@pytest.mark.parametrize(
    ("taken", "message"),
    [({}, "solvers x instances"), ({"a": []}, "solvers x instances"), ({"a": [0.0]}, "must be > 0, got 0.0")],
)
def test_wrong_arguments_are_named(taken, message: str):
    with pytest.raises(ValueError, match=message):
        performance_profiles(taken)
