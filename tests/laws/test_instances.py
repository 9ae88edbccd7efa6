"""Synthetic instances: the truth, the signal-to-noise ratio, the correlation and the seed are what is promised."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import norm

import parsimo as ps
from parsimo.problems import instances
from parsimo.problems.instances import Instance

SMALL: dict[str, dict[str, Any]] = {
    "gaussian": {"rows": 30, "columns": 20, "nonzeros": 4, "correlation": 0.5},
    "compressed_sensing": {"columns": 60},
    "logistic": {"rows": 40, "columns": 12, "nonzeros": 3},
    "groups": {"rows": 30, "columns": 24, "group_size": 4, "active": 2},
    "low_rank": {"rows": 9, "columns": 7, "rank": 2},
    "clustered": {"rows": 30, "columns": 20, "clusters": 5},
}


def make(kind: str, **changes: Any) -> Instance:
    return instances.REGISTRY[kind](**SMALL[kind] | changes)


def data(instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    A = instance.f.design.A
    return (A.toarray() if hasattr(A, "toarray") else A), instance.f.targets


def test_every_kind_is_tested():
    assert set(SMALL) == set(instances.REGISTRY)
    assert ps.instances is instances


@pytest.mark.parametrize("kind", SMALL)
def test_a_seed_reproduces_and_another_does_not(kind: str):
    np.random.seed(1)  # noqa: NPY002 - a global state must not matter
    once, again, other = make(kind, seed=7), make(kind, seed=7), make(kind, seed=8)
    np.testing.assert_array_equal(once.truth, again.truth)
    for mine, same in zip(data(once), data(again), strict=True):
        np.testing.assert_array_equal(mine, same)
    assert not np.array_equal(data(once)[1], data(other)[1])


@pytest.mark.parametrize("kind", SMALL)
def test_an_instance_is_frozen_and_fits(kind: str):
    instance = make(kind)
    assert instance.kind == kind
    assert instance.truth.shape == instance.f.shape
    assert instance.description
    with pytest.raises(ValueError, match="read-only"):
        instance.truth[0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        instance.noise = 0.0  # type: ignore[misc]
    assert ps.solve(ps.Composite(instance.f, ps.L1(0.1)), ps.ProximalGradient()).certificate <= 1e-8


@pytest.mark.parametrize("kind", ["gaussian", "logistic"])
@pytest.mark.parametrize("nonzeros", [1, 5, 12])
def test_the_truth_has_the_promised_support(kind: str, nonzeros: int):
    assert np.count_nonzero(make(kind, nonzeros=nonzeros).truth) == nonzeros


def test_the_truth_has_the_promised_structure():
    grouped = make("groups", active=3)
    assert grouped.labels is not None
    assert np.unique(grouped.labels[grouped.truth != 0]).size == 3
    assert np.count_nonzero(grouped.truth) == 12
    matrix = make("low_rank", rank=3)
    assert matrix.shape == (9, 7)
    assert np.linalg.matrix_rank(matrix.truth.reshape(9, 7)) == 3
    values = np.unique(make("clustered", clusters=4).truth)
    np.testing.assert_array_equal(values, [-1.5, -0.5, 0.5, 1.5])


@pytest.mark.parametrize("kind", ["gaussian", "groups", "clustered", "compressed_sensing", "low_rank"])
def test_the_snr_is_that_of_the_data(kind: str):
    """Many rows: the sample ratio of powers is near the population's."""
    many = {"compressed_sensing": {"columns": 4000, "at": 0.2}, "low_rank": {"rows": 1000}}.get(kind, {"rows": 4000})
    instance = make(kind, snr=2.5, seed=3, **many)
    A, b = data(instance)
    signal = A @ instance.truth
    assert np.mean(signal**2) / np.var(b - signal) == pytest.approx(2.5, rel=0.1)
    assert np.std(b - signal) == pytest.approx(instance.noise, rel=0.05)


def test_without_noise_the_data_are_exact():
    instance = make("gaussian", snr=math.inf)
    A, b = data(instance)
    np.testing.assert_array_equal(A @ instance.truth, b)
    assert instance.noise == 0


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
def test_the_correlation_is_that_of_the_population(correlation: float):
    A = data(make("gaussian", rows=20_000, columns=6, nonzeros=2, correlation=correlation))[0]
    lags = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    sample = np.cov(A, rowvar=False)
    assert np.abs(sample - correlation**lags).max() < 5 * math.sqrt(2 / 20_000)


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_the_variance_of_the_signal_is_the_quadratic_form(correlation: float):
    instance = make("gaussian", correlation=correlation, snr=4.0)
    covariance = correlation ** np.abs(np.subtract.outer(np.arange(20), np.arange(20)))
    assert 4.0 * instance.noise**2 == pytest.approx(instance.truth @ covariance @ instance.truth)
    scaled = make("logistic", correlation=correlation, signal=3.0).truth
    assert scaled @ covariance[:12, :12] @ scaled == pytest.approx(9.0)


def test_labels_follow_the_logistic_model():
    instance = make("logistic", rows=20_000)
    A, y = data(instance)
    probability = 1 / (1 + np.exp(-A @ instance.truth))
    for low, high in ((0.0, 0.2), (0.4, 0.6), (0.8, 1.0)):
        part = (probability >= low) & (probability < high)
        assert np.mean(y[part] > 0) == pytest.approx(np.mean(probability[part]), abs=0.03)


@pytest.mark.parametrize("ratio", [0.05, 0.3, 0.5, 0.9])
def test_the_phase_transition_is_where_the_statistical_dimension_is_the_number_of_rows(ratio: float):
    """The dimension of the descent cone is a minimum over t, taken here by a search that shares no formula."""
    share = instances.l1_transition(ratio)
    t = np.linspace(1e-3, 6, 200_001)
    tail = 2 * ((1 + t**2) * norm.sf(t) - t * norm.pdf(t))
    assert np.min(share * (1 + t**2) + (1 - share) * tail) == pytest.approx(ratio, abs=1e-8)


def test_the_phase_transition_at_half_as_many_rows_is_the_known_one():
    assert instances.l1_transition(0.5) / 0.5 == pytest.approx(0.3857, abs=1e-4)


@pytest.mark.parametrize(("at", "recovers"), [(0.6, True), (1.5, False)])
def test_l1_recovers_below_the_transition_and_not_above(at: float, recovers: bool):
    instance = make("compressed_sensing", columns=120, at=at, seed=2)
    A, b = data(instance)
    least = linprog(np.ones(240), A_eq=np.hstack([A, -A]), b_eq=b, method="highs").x
    assert np.allclose(least[:120] - least[120:], instance.truth, atol=1e-6) == recovers


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("gaussian", {"correlation": 1.0}, r"correlation must be in \[0, 1\), got 1.0"),
        ("gaussian", {"snr": 0.0}, "snr must be > 0, got 0.0; it may be infinite"),
        ("gaussian", {"snr": math.nan}, "snr must be > 0, got nan"),
        ("gaussian", {"nonzeros": 21}, "nonzeros must be at most 20, got 21"),
        ("gaussian", {"rows": 2.5}, "rows must be an integer >= 1, got 2.5"),
        ("compressed_sensing", {"ratio": 1.0}, r"must be in \(0, 1\), got 1.0"),
        ("compressed_sensing", {"at": -1.0}, "at must be a finite number > 0"),
        ("logistic", {"signal": 0.0}, "signal must be a finite number > 0"),
        ("groups", {"group_size": 5}, "group_size must divide columns, got 5 and 24"),
        ("groups", {"active": 7}, "active must be at most 6, got 7"),
        ("low_rank", {"rank": 8}, "rank must be at most 7, got 8"),
        ("low_rank", {"observed": 0.0}, r"observed must be in \(0, 1\]"),
        ("clustered", {"clusters": 1}, "clusters must be an integer >= 2, got 1"),
        ("clustered", {"clusters": 21}, "clusters must be at most columns = 20"),
    ],
)
def test_wrong_arguments_are_named(kind: str, changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        make(kind, **changes)
