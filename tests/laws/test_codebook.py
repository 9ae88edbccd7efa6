"""Clustering on a line: interval costs, centers, ties, repetitions and bins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parsimo.penalties import Clustering, codebook
from parsimo.penalties.codebook import Line, best_codebook
from parsimo.theory_checks.quantizers import cost

DISTANCES = ("absolute", "squared")


def values_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    return rng.normal(size=n) + 1e6 * (seed % 3 == 1) if seed % 2 else rng.integers(-4, 5, size=n).astype(float)


def huber_center(points: np.ndarray, reach: float) -> float:
    """By bisection on sum clip(points - c, -reach, reach), as it is written."""
    low, high = points.min(), points.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(points - middle, -reach, reach).sum() > 0 else (low, middle)
    return float((low + high) / 2)


def huber(points: np.ndarray, center: float, reach: float) -> float:
    e = np.abs(points - center)
    return float(np.sum(np.where(e <= reach, e * e / 2, reach * e - reach**2 / 2)))


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("seed", range(12))
def test_costs_and_centers_of_intervals(seed: int, distance: Any):
    """Also far from 0, where sums of squares would cancel."""
    values = values_of(seed)
    line = Line.of(values)
    i, j = np.triu_indices(line.points.size)
    centers = line.center(i, j + 1, distance)
    costs = line.cost_about(i, j + 1, centers, distance)
    for a, b, center, c in zip(i, j + 1, centers, costs, strict=True):
        members = values[(values >= line.points[a]) & (values <= line.points[b - 1])]
        best = np.median(members) if distance == "absolute" else members.mean()
        least = cost(members, np.array([best]), distance)
        assert c == pytest.approx(least, abs=1e-8)
        assert cost(members, np.array([center]), distance) == pytest.approx(least, abs=1e-8)
    about = np.full(i.shape, 0.3)
    for a, b, c in zip(i, j + 1, line.cost_about(i, j + 1, about, distance), strict=True):
        members = values[(values >= line.points[a]) & (values <= line.points[b - 1])]
        assert c == pytest.approx(cost(members, np.array([0.3]), distance), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("reach", [1e-9, 0.01, 0.3, 1.0, 7.0, 1e9])
@pytest.mark.parametrize("seed", range(12))
def test_huber_centers_minimize_their_sum(seed: int, reach: float):
    values = values_of(seed)
    line = Line.of(values)
    ends = np.array([0]), np.array([line.points.size])
    center = float(line.center(*ends, "absolute", reach)[0])
    least = huber(values, huber_center(values, reach), reach)
    assert huber(values, center, reach) <= least + 1e-9 * (1 + least)
    assert line.points[0] <= center <= line.points[-1]


def test_centers_of_many_intervals_are_those_of_each():
    values = np.random.default_rng(0).normal(size=20)
    line = Line.of(values)
    i, j = np.triu_indices(20)
    together = line.center(i, j + 1, "absolute", 0.4)
    alone = [
        float(line.center(np.array([a]), np.array([b + 1]), "absolute", 0.4)[0]) for a, b in zip(i, j, strict=True)
    ]
    np.testing.assert_allclose(together, alone, atol=1e-12)


def test_repeated_values_count_as_often_as_they_occur():
    line = Line.of(np.array([1.0, 0.0, 1.0, 1.0]))
    np.testing.assert_array_equal(line.points, [0.0, 1.0])
    np.testing.assert_array_equal(line.weights, [1.0, 3.0])
    np.testing.assert_allclose(best_codebook(line, 1, "squared"), [0.75])
    np.testing.assert_array_equal(best_codebook(line, 1, "absolute"), [1.0])
    np.testing.assert_array_equal(best_codebook(line, 5, "squared"), [0.0, 1.0])  # no more than there are
    np.testing.assert_array_equal(best_codebook(Line.of(np.full(9, 2.5)), 3, "absolute"), [2.5])


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_pinned_value_is_kept_even_where_nothing_is_near(distance: Any):
    line = Line.of(np.array([10.0, 11.0, 20.0]))
    for k in (1, 2, 3, 4, 9):
        book = best_codebook(line, k, distance, pinned=0.0)
        assert 0.0 in book
        assert book.size <= k
    np.testing.assert_array_equal(best_codebook(line, 4, distance, 0.0), [0.0, 10.0, 11.0, 20.0])
    np.testing.assert_array_equal(best_codebook(line, 1, distance, 0.0), [0.0])
    np.testing.assert_array_equal(best_codebook(Line.of(np.array([0.0, 0.0])), 3, distance, 0.0), [0.0])


@pytest.mark.parametrize("distance", DISTANCES)
def test_more_representatives_never_cost_more(distance: Any):
    values = np.random.default_rng(1).normal(size=40)
    line = Line.of(values)
    costs = [cost(values, best_codebook(line, k, distance), distance) for k in range(1, 41)]
    assert (np.diff(costs) <= 1e-12).all()
    assert costs[-1] == 0
    pinned = [cost(values, best_codebook(line, k + 1, distance, 0.0), distance) for k in range(1, 40)]
    assert all(p <= c + 1e-12 for p, c in zip(pinned, costs, strict=False))  # one pinned value more


def test_splits_agree_with_assignments_at_ties():
    """A value on a midpoint goes to the lower representative, in both."""
    book = np.array([0.0, 1.0, 4.0])
    line = Line.of(np.array([-1.0, 0.5, 0.5, 0.6, 2.5, 3.0]))
    ends = line.splits(book)
    codes = np.repeat(np.arange(3), np.diff(ends))
    np.testing.assert_array_equal(codes, Clustering(1.0, book).assignments(line.points))
    np.testing.assert_array_equal(codes, [0, 0, 1, 1, 2])


def test_an_empty_cluster_keeps_its_representative():
    line = Line.of(np.array([0.0, 1.0]))
    np.testing.assert_array_equal(line.descend(np.array([0.4, 50.0]), "squared", 0.0, None), [0.5, 50.0])
    np.testing.assert_array_equal(line.descend(np.array([-9.0, 0.4]), "squared", 0.0, -9.0), [-9.0, 0.5])


@pytest.mark.parametrize("distance", DISTANCES)
def test_bins_cost_no_more_than_their_width_allows(distance: Any, monkeypatch: pytest.MonkeyPatch):
    """docs/theory.md, 5.2, Binning."""
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(size=150), rng.normal(5, 0.1, size=150)])
    line = Line.of(values)
    exact = [cost(values, best_codebook(line, k, distance), distance) for k in (2, 4, 8)]
    monkeypatch.setattr(codebook, "_EXACT", 40)
    width = (values.max() - values.min()) / 40
    binned = [cost(values, best_codebook(line, k, distance), distance) for k in (2, 4, 8)]
    for best, reached in zip(exact, binned, strict=True):
        assert best <= reached + 1e-12
        if distance == "squared":  # here sum d^2 is twice the cost
            assert np.sqrt(2 * reached) <= np.sqrt(2 * best) + width * np.sqrt(values.size)
        else:
            assert reached <= best + width * values.size
    assert 0.0 in best_codebook(line, 4, distance, 0.0)


def test_bins_are_the_means_of_their_cells():
    line = Line.of(np.array([0.0, 0.1, 0.2, 5.0, 9.9, 10.0]))
    bins = line.binned(2)
    np.testing.assert_allclose(bins.points, [0.1, 24.9 / 3])
    np.testing.assert_array_equal(bins.weights, [3.0, 3.0])
    assert line.binned(6) is line


def test_values_far_from_zero_keep_their_digits():
    """Two clumps a millionth apart, around 1000."""
    rng = np.random.default_rng(3)
    values = 1000 + np.repeat([0.0, 1e-6], 10) + 1e-9 * rng.random(20)
    book = best_codebook(Line.of(values), 2, "squared")
    np.testing.assert_allclose(book, [values[:10].mean(), values[10:].mean()], rtol=1e-15, atol=1e-12)
