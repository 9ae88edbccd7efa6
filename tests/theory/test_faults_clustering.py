"""The checks of clustering, quantizers and storage fail where the thing under test is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bitarray import bitarray
from planting import fault

from parsimo.penalties import Clustering, EntropyCodebook, ZeroNormCodebook
from parsimo.penalties.codebook import Line
from parsimo.problems import HarmonicClustering, SoftMinClustering
from parsimo.theory_checks import (
    check_binning,
    check_cluster_prox,
    check_entropy_cells,
    check_harmonic,
    check_huffman,
    check_rounding,
    check_soft_min,
    check_split_order,
    check_storage,
    check_zero_norm_codebook,
)
from parsimo.theory_checks.clustering import rounding_cost, squared
from parsimo.theory_checks.formats import HAM, SHAM, Stored, huffman_code


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


FAULTY_ZERO_NORM_CODEBOOKS: dict[str, Callable[..., Any]] = {
    "0 never tried": lambda weight, cluster_weight, book, distance: Clustering(cluster_weight, book, distance),
    "nonzeros free": lambda weight, *rest: ZeroNormCodebook(0.0, *rest),
    "nonzeros 1% too dear": lambda weight, *rest: ZeroNormCodebook(1.01 * weight, *rest),
    "distances squared": lambda weight, cluster_weight, book, _: ZeroNormCodebook(
        weight, cluster_weight, book, "squared"
    ),
    "hard thresholding first": fault(
        ZeroNormCodebook,
        prox=lambda self, v, t: np.where(v**2 > 2 * t * self.weight, self._clustering.prox(v, t), 0.0),
    ),
    "one of all ties": fault(ZeroNormCodebook, prox_set=lambda self, v, t: ZeroNormCodebook.prox_set(self, v, t)[:1]),
}


@pytest.mark.parametrize("name", FAULTY_ZERO_NORM_CODEBOOKS)
def test_a_faulty_prox_of_zero_norm_and_codebook_is_seen(name: str):
    assert fails(check_zero_norm_codebook, penalty=FAULTY_ZERO_NORM_CODEBOOKS[name])


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


# ---- entropy-coded cells


def charged_by_the_factor(self: Any, x: np.ndarray) -> np.ndarray:
    """Prices multiply distances: the cell of an expensive representative lies inside that of a cheap one."""
    return ((x[:, None] - self.codebook) ** 2 * (1 + self.prices)).argmin(axis=1)


@pytest.mark.parametrize(
    "penalty",
    [
        fault(EntropyCodebook, assignments=charged_by_the_factor),
        lambda weight, book, prices: EntropyCodebook(weight, book, 0 * prices),
        lambda weight, book, prices: EntropyCodebook(weight, book, prices / 2),
        lambda weight, book, prices: Clustering(weight, book),
    ],
)
def test_faulty_cells_are_seen(penalty: Any):
    assert fails(check_entropy_cells, penalty=penalty)


# ---- Huffman codes


def of_equal_lengths(frequencies: Mapping[int, int]) -> dict[int, bitarray]:
    width = max((len(frequencies) - 1).bit_length(), 1)
    return {symbol: bitarray(f"{i:0{width}b}") for i, symbol in enumerate(frequencies)}


def of_shannon(frequencies: Mapping[int, int]) -> dict[int, bitarray]:
    """Lengths ceil(-log2 p), at least 1: less than one bit above the entropy, but not the best."""
    total = sum(frequencies.values())
    ordered = sorted(frequencies, key=lambda symbol: -frequencies[symbol])
    code, start = {}, 0.0
    for symbol in ordered:
        length = max(int(np.ceil(-np.log2(frequencies[symbol] / total))), 1)
        code[symbol] = bitarray(f"{int(start * 2**length):0{length}b}")
        start += 0.5**length
    return code


def one_bit_short(frequencies: Mapping[int, int]) -> dict[int, bitarray]:
    """The longest words without their last bit: two are the same, or one begins another."""
    code = huffman_code(frequencies)
    longest = max(len(word) for word in code.values())
    return {s: word[:-1] if len(word) == longest > 1 else word for s, word in code.items()}


@pytest.mark.parametrize("code", [of_equal_lengths, of_shannon, one_bit_short])
def test_a_faulty_code_is_seen(code: Any):
    assert fails(check_huffman, code=code)


def test_a_symbol_alone_without_a_bit_is_seen():
    alone = {5: bitarray()}
    assert fails(check_huffman, code=lambda f: alone | {0: bitarray()} if len(f) == 1 else huffman_code(f))


# ---- HAM and sHAM


def without_signs(decode: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda *arguments: np.abs(decode(*arguments))


def published_bound(n: int, m: int, q: int, k: int, word: int) -> float:
    """n + m + 1 words for row indices and column pointers, of which there are q and m + 1 (docs/theory.md, 5.11)."""
    return q * (1 + np.log2(max(k, 1))) + 6 * k * word + (n + m + 1) * word


def with_counts_from_the_right(matrix: np.ndarray, word: int) -> Stored:
    return SHAM.encode(matrix, word)._replace(columns=SHAM.encode(matrix[:, ::-1], word).columns)


FAULTY_FORMATS = {
    "sHAM, the published bound": replace(SHAM, bound=published_bound),
    "sHAM, no counts in the size": replace(SHAM, size=lambda a, word: SHAM.size(a, word) - 8 * a.shape[1]),
    "sHAM, words for row indices": replace(
        SHAM, size=lambda a, word: SHAM.size(a, word) + np.count_nonzero(a) * (word - 8)
    ),
    "sHAM, lossy": replace(SHAM, decode=without_signs(SHAM.decode)),
    "sHAM, counts reversed": replace(SHAM, encode=with_counts_from_the_right),
    "HAM, lossy": replace(HAM, decode=without_signs(HAM.decode)),
    "HAM, transposed": replace(HAM, encode=lambda a, word: HAM.encode(a.T, word)),
    "HAM, no code table in the bound": replace(HAM, bound=lambda n, m, q, k, word: n * m * (1 + np.log2(k))),
    "HAM, the entropy alone": replace(HAM, bound=lambda n, m, q, k, word: n * m * np.log2(k) + (2 * k + 1) * word),
    "HAM, unfilled words": replace(HAM, size=lambda a, word: HAM.size(a, word) - 1),
}


@pytest.mark.parametrize("name", FAULTY_FORMATS)
def test_a_faulty_format_is_seen(name: str):
    faulty = FAULTY_FORMATS[name]
    assert check_storage(HAM if faulty.name == "HAM" else SHAM, 0).holds
    assert check_storage(faulty, 0).verdict == "fails"


def test_the_published_bound_counts_too_few_row_indices():
    """The erratum as a number: a full 100 x 100 matrix of one value, in words of 32 bits."""
    stored = SHAM.encode(np.full((100, 100), 7), 32)
    assert stored.bits == 10_016 + 32 + 8 + (10_000 + 100) * 8  # stream in words, symbol, length; rows and counts
    assert published_bound(100, 100, 10_000, 1, 32) == 10_000 + 192 + 201 * 32 < stored.bits
    assert stored.bits <= SHAM.bound(100, 100, 10_000, 1, 32)


def test_words_that_are_too_short_are_refused():
    with pytest.raises(ValueError, match="200 to 200 do not fit in 8 bits; take wider words"):
        HAM.encode(np.full((2, 2), 200), 8)
