"""The clustering-regularized problem, whose representatives are variables."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo._array import Array, array_namespace, asarray_like, to_float, to_numpy
from parsimo.core.problem import check_smooth
from parsimo.core.validation import check_nonnegative
from parsimo.penalties import Clustering, SeparableSum
from parsimo.penalties.cluster_spread import ClusterSpread
from parsimo.penalties.clustering import Distance, check_distance
from parsimo.penalties.codebook import Line, best_codebook

__all__ = ["ClusteringProblem", "Partition"]


@dataclass(frozen=True, eq=False)
class Partition:
    """The clusters of one block of coordinates."""

    codebook: np.ndarray
    """The representatives, rising, (k,)."""
    codes: np.ndarray
    """The representative of each coordinate of the block, as an index into the codebook."""


@dataclass(frozen=True, eq=False)
class ClusteringProblem:
    """Minimize f(x) + weight * sum_i min_j r(|x_i - c_j|) over x and the codebook c, r(d) = d or d^2/2.

    The auxiliary variables are the assignments: for fixed ones the penalty is convex in x and c jointly, and its
    prox moves both. Alternating minimization chooses assignments by exact clustering on the line; proximal
    gradient and P-ADMM improve them by descent from where they are.

    Parameters
    ----------
    f : Smooth
    weight : float
        Nonnegative. With the absolute distance and a weight above the coordinatewise Lipschitz constant of f, every
        x_i of a global minimizer is a representative (docs/theory.md, Theorem 5.1).
    k : int
        Representatives of each block, at least 1; an anchored zero is one of them.
    distance : {"absolute", "squared"}
    anchor_zero : bool
        Keep 0 in every codebook.
    blocks : sequence of slices or integer arrays, optional
        Disjoint blocks of coordinates, each with a codebook of its own; coordinates in none are free. By default one
        block of all.

    Raises
    ------
    ValueError
        If the weight is negative, k < 1, or the distance unknown; in `solve`, if the start has fewer than k distinct
        values in a block.
    """

    f: Any
    weight: float
    k: int
    distance: Distance = "absolute"
    anchor_zero: bool = False
    blocks: Sequence[Any] = (slice(None),)

    def __post_init__(self) -> None:
        check_smooth("ClusteringProblem", self.f)
        weight = check_nonnegative(self.weight, "ClusteringProblem: weight")
        if not isinstance(weight, float):
            raise ValueError("ClusteringProblem: weight must be one number; give blocks for a codebook each")
        object.__setattr__(self, "weight", weight)
        check_distance(self.distance, "ClusteringProblem")
        if operator.index(self.k) < 1:
            raise ValueError(f"ClusteringProblem: k must be at least 1, got {self.k}")

    def start(self) -> Array:
        """Near a minimizer of f alone: f's prox with step 100/L, or 100 gradient steps; not 0, which has one value.

        Raises
        ------
        ValueError
            If f offers no start.
        """
        if not hasattr(self.f, "start") or not self.f.lipschitz:
            raise ValueError(f"ClusteringProblem: {self.f!r} offers no start(); pass x0")
        x = self.f.start()
        if getattr(self.f, "prox", None) is not None:
            return self.f.prox(x, 100 / self.f.lipschitz)
        for _ in range(100):
            x = x - self.f.grad(x) / self.f.lipschitz
        return x

    def check_start(self, x: Array) -> None:
        """Refuse overlapping blocks, and a start with fewer than k distinct values in a block."""
        coordinates = np.arange(x.shape[0])
        members = np.concatenate([coordinates[index] for index in self.blocks] or [coordinates[:0]])
        if np.unique(members).size < members.size:
            raise ValueError("ClusteringProblem: blocks must be disjoint, but two of them share a coordinate")
        for number, index in enumerate(self.blocks):
            distinct = np.unique(to_numpy(x[index])).size
            if distinct < self.k:
                raise ValueError(
                    f"ClusteringProblem: k = {self.k} but the start has {distinct} distinct values in block {number}; "
                    "lower k, or start elsewhere, for example at a minimizer of f alone"
                )

    def value(self, x: Array, u: tuple[Partition, ...] | None = None) -> float:
        """f(x) + penalty at these assignments, or at the best ones; the representatives are always the best."""
        return self.f.value(x) + self.given(self.auxiliary(x) if u is None else u).value(x)

    def prox(
        self, v: Array, step_size: float, u: tuple[Partition, ...] | None = None
    ) -> tuple[Array, tuple[Partition, ...]]:
        """Jointly in x and codebook, by descent from the codebook of u, or from the best clustering of v."""
        reach = self.weight * step_size if self.distance == "absolute" else 0.0
        partitions = self._partitions(v, u, reach)
        books = [Clustering(self.weight, p.codebook, self.distance) for p in partitions]
        return SeparableSum(self.blocks, books).prox(v, step_size), partitions

    def prox_given(self, v: Array, step_size: float, u: tuple[Partition, ...]) -> tuple[Array, tuple[Partition, ...]]:
        """One of two blocks moves, x: argmin_x over the codebook of u, and the assignments that go with this x.

        So for the squared distance, where a point that neither block lowers is critical. For the absolute distance it
        need not be: where a cluster has come together, x and the representative hold each other in place. There the
        blocks are the assignments of u, kept, and x with the codebook.
        """
        if self.distance == "absolute":
            return self.given(u).prox(v, step_size), u
        books = [Clustering(self.weight, p.codebook, self.distance) for p in u]
        x = SeparableSum(self.blocks, books).prox(v, step_size)
        return x, tuple(
            Partition(p.codebook, book.assignments(to_numpy(x[index]).astype(np.float64)))
            for p, book, index in zip(u, books, self.blocks, strict=True)
        )

    def auxiliary(self, x: Array, u: tuple[Partition, ...] | None = None) -> tuple[Partition, ...]:
        """The best partition of x; with u given, one found by descent from it, never worse."""
        return self._partitions(x, u, reach=0.0)

    def given(self, u: tuple[Partition, ...]) -> SeparableSum:
        """The spread of these clusters, convex in x."""
        return SeparableSum(
            self.blocks, [ClusterSpread(self.weight, p.codes, self.distance, self._pinned(p)) for p in u]
        )

    def quantize(self, x: Array, u: tuple[Partition, ...]) -> Array:
        """x with every clustered coordinate replaced by its representative, bit for bit."""
        x = array_namespace(x).asarray(x, copy=True)
        for index, partition in zip(self.blocks, u, strict=True):
            x[index] = asarray_like(partition.codebook[partition.codes], x)
        return x

    def largest_distance(self, x: Array, u: tuple[Partition, ...]) -> float:
        """max_i |x_i - c(i)| over all blocks, in x's precision; 0 means exactly quantized."""
        return to_float(array_namespace(x).max(array_namespace(x).abs(x - self.quantize(x, u))))

    def describe(self, x: Array, u: tuple[Partition, ...] | None = None) -> dict[str, float | int | str]:
        """Distinct values over all blocks, and the largest distance from a representative."""
        u = self.auxiliary(x) if u is None else u
        distinct = sum(np.unique(to_numpy(x[index])).size for index in self.blocks)
        return {"distinct values": distinct, "largest distance": self.largest_distance(x, u)}

    @property
    def notes(self) -> tuple[str, ...]:
        """Whether the weight is proven to put every coordinate on a representative."""
        l = getattr(self.f, "coordinate_lipschitz", None)
        if self.distance == "squared":
            return ("squared distance: no finite weight quantizes exactly; distances are at most |grad_i f| / weight",)
        if l is None:
            return ("not proven exact: f gives no coordinatewise Lipschitz constant (Theorem 5.1)",)
        largest = float(to_numpy(l).max())
        verdict = "exact" if self.weight > largest else "not exact"
        return (f"{verdict}: weight = {self.weight:.6g}, max l_i = {largest:.6g} (Theorem 5.1 asks weight > max l_i)",)

    def _partitions(self, v: Array, u: tuple[Partition, ...] | None, reach: float) -> tuple[Partition, ...]:
        pinned = 0.0 if self.anchor_zero else None
        partitions = []
        for number, index in enumerate(self.blocks):
            values = to_numpy(v[index]).astype(np.float64)
            line = Line.of(values)
            if u is None:
                start = best_codebook(line, self.k, self.distance, pinned)
            else:
                start = self._recentred(u[number], values, reach)
            codebook = line.descend(start, self.distance, reach, pinned)
            partitions.append(Partition(codebook, Clustering(1.0, codebook).assignments(values)))
        return tuple(partitions)

    def _recentred(self, partition: Partition, values: np.ndarray, reach: float) -> np.ndarray:
        """The best codebook for these clusters and values: descent from it is never worse than the partition."""
        spread = ClusterSpread(1.0, partition.codes, self.distance, self._pinned(partition))
        centers, used = spread.centers(values, reach), np.unique(partition.codes)
        codebook = partition.codebook.copy()
        codebook[used] = centers[used]
        return codebook

    def _pinned(self, partition: Partition) -> tuple[int, float] | None:
        return (int(np.searchsorted(partition.codebook, 0.0)), 0.0) if self.anchor_zero else None
