"""The checks of clustering, quantizers and storage fail where the thing under test is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from parsimo.penalties import Clustering
from parsimo.penalties.codebook import Line
from parsimo.problems import HarmonicClustering, SoftMinClustering
from parsimo.theory_checks import (
    check_binning,
    check_cluster_prox,
    check_harmonic,
    check_rounding,
    check_soft_min,
    check_split_order,
)
from parsimo.theory_checks.clustering import rounding_cost, squared


def fault(base: type, **members: Any) -> type:
    """`base` with some members replaced."""
    return dataclass(frozen=True, eq=False)(type(f"Faulty{base.__name__}", (base,), members))


def fails(check: Callable[..., Any], **arguments: Any) -> bool:
    assert check(0).verdict == "holds"
    return check(0, **arguments).verdict == "fails"


# ---- rounding after the squared distance


def test_the_absolute_distance_leaves_no_distances():
    assert fails(check_rounding, penalty=Clustering)


def test_a_weight_counted_twice_is_seen():
    assert fails(check_rounding, penalty=lambda weight, book: squared(2 * weight, book))


@pytest.mark.parametrize(
    "allowed",
    [
        lambda norm, weight, L: norm**2 / weight,
        lambda norm, weight, L: norm**2 / weight + L * norm**2 / (2.1 * weight**2),
        lambda norm, weight, L: rounding_cost(norm, weight, 0.99 * L),
    ],
)
def test_a_bound_of_rounding_that_is_too_small_is_seen(allowed: Any):
    assert fails(check_rounding, allowed=allowed)


# ---- the prox of clusters


def nearest_to_the_output(self: Any, v: np.ndarray, step_size: float) -> np.ndarray:
    """The result that lies closest to some representative, whosever it is."""
    outputs = np.array([Clustering(self.weight, c[None], self.distance).prox(v, step_size) for c in self.codebook])
    gaps = np.abs(outputs[:, :, None] - self.codebook).min(axis=-1)
    return outputs[gaps.argmin(axis=0), np.arange(v.size)]


def both_about_midpoints(self: Any, v: float, step_size: float) -> tuple[float, ...]:
    """A tie wherever two representatives are about as far."""
    near = self.codebook[np.abs(np.abs(self.codebook - v) - np.abs(self.codebook - v).min()) < 0.01]
    tau = np.full(near.shape, step_size * self.weight)
    return tuple(float(p) for p in np.unique(self._pull(np.full(near.shape, v), near, tau)))


FAULTY_CLUSTERS: dict[str, dict[str, Any]] = {
    "nearest to the output": {"prox": nearest_to_the_output},
    "upper representative for every v": {
        "nearest": lambda self, x: self.codebook[np.minimum(self.assignments(x) + 1, self.codebook.size - 1)]
    },
    "one of two ties": {"prox_set": lambda self, v, t: Clustering.prox_set(self, v, t)[:1]},
    "ties beside midpoints": {"prox_set": both_about_midpoints},
    "pull by tau / (1 + 2 tau)": {"_pull": lambda self, v, c, tau: (v + 2 * tau * c) / (1 + 2 * tau)},
}


@pytest.mark.parametrize("name", FAULTY_CLUSTERS)
def test_a_faulty_prox_of_clusters_is_seen(name: str):
    assert fails(check_cluster_prox, penalty=fault(Clustering, **FAULTY_CLUSTERS[name]))


# ---- soft clustering


def with_softness(base: type, factor: float) -> Callable[..., Any]:
    return lambda weight, book, softness: base(weight, book, factor * softness)


def constant(value: float) -> property:
    return property(lambda self: value * self._largest_weight)


FAULTY_SOFTNESS: dict[str, tuple[Callable[..., Any], Any]] = {
    "soft minimum, temperature 1% high": (check_soft_min, with_softness(SoftMinClustering, 1.01)),
    "soft minimum, mean for sum": (
        check_soft_min,
        fault(
            SoftMinClustering,
            value=lambda self, x: (
                SoftMinClustering.value(self, x) + 1.01 * self.weight * self.temperature * np.log(self.codebook.size)
            ),
        ),
    ),
    "soft minimum, curvature 2 alone": (check_soft_min, fault(SoftMinClustering, lipschitz=constant(2.0))),
    "soft minimum, convex": (check_soft_min, fault(SoftMinClustering, weak_convexity=constant(0.0))),
    "soft minimum, no factor 2": (
        check_soft_min,
        fault(
            SoftMinClustering,
            _curvature=property(lambda self: (1.0 - np.ptp(self.codebook) ** 2 / (2 * self.temperature), 1.0)),
        ),
    ),
    "harmonic, epsilon 1% high": (check_harmonic, with_softness(HarmonicClustering, 1.01)),
    "harmonic, epsilon 1% low": (check_harmonic, with_softness(HarmonicClustering, 0.99)),
    "harmonic, curvature 2 alone": (check_harmonic, fault(HarmonicClustering, lipschitz=constant(2.0))),
    "harmonic, weakly convex with 2.9": (check_harmonic, fault(HarmonicClustering, weak_convexity=constant(2.9))),
    "harmonic, curvature below 1.9": (check_harmonic, fault(HarmonicClustering, coordinate_curvature=constant(1.9))),
    "harmonic, gradient doubled": (
        check_harmonic,
        fault(HarmonicClustering, grad=lambda self, x: 2 * HarmonicClustering.grad(self, x)),
    ),
}


@pytest.mark.parametrize("name", FAULTY_SOFTNESS)
def test_a_faulty_softness_is_seen(name: str):
    check, penalty = FAULTY_SOFTNESS[name]
    assert fails(check, penalty=penalty)


# ---- the dynamic programme and its bins


def costs_by(of_interval: Callable[[np.ndarray], float]) -> Callable[..., np.ndarray]:
    def costs(values: np.ndarray, distance: Any) -> np.ndarray:
        p = np.unique(values)
        n = p.size + 1
        return np.array([[of_interval(p[i:j]) if i < j else 0.0 for j in range(n)] for i in range(n)])

    return costs


@pytest.mark.parametrize(
    "of_interval",
    [
        lambda p: float(np.var(p)),  # the mean for the sum
        lambda p: float(np.sqrt(np.sum((p - p.mean()) ** 2))),  # roots are not added
        lambda p: float(np.sum((p - p.mean()) ** 2)) - 0.1 * p.size**2,  # large clusters rewarded
    ],
)
def test_costs_whose_splits_move_left_are_seen(of_interval: Any):
    assert fails(check_split_order, costs=costs_by(of_interval))


def ends_of_cells(line: Line, bins: int) -> Line:
    coarse = line.binned(bins)
    if coarse is line:
        return line
    low, width = line.points[0], np.ptp(line.points) / bins
    return Line(low + np.floor((coarse.points - low) / width) * width, coarse.weights)


@pytest.mark.parametrize(
    "binned",
    [
        ends_of_cells,
        lambda line, bins: Line(line.binned(bins).points, np.ones_like(line.binned(bins).points)),
        lambda line, bins: line.binned(max(bins // 2, 1)),
    ],
)
def test_faulty_bins_are_seen(binned: Any):
    assert fails(check_binning, binned=binned)
