"""Storage of pruned and quantized matrices: what Huffman codes, HAM and sHAM cost, and that nothing is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from parsimo.theory_checks.evidence import Check, Evidence, Seed, Trials
from parsimo.theory_checks.formats import HAM, SHAM, WIDTHS, Format, huffman_code

__all__ = ["CHECKS", "check_huffman", "check_storage"]

_FIBONACCI = (1, 1, 2, 3, 5, 8, 13)


def check_huffman(
    rng: Seed = 0, trials: int = 60, code: Callable[[Mapping[int, int]], Mapping[int, Any]] = huffman_code
) -> Evidence:
    """No code word begins another, no code has a lower mean length, and H <= mean length < H + 1, H the entropy in
    bits; a symbol alone has a word of one bit.

    Parameters
    ----------
    code : callable
        Frequencies -> the code word of each symbol, as bitarrays.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        "a Huffman code is the best prefix code, of mean length from the entropy to less than one bit more",
        "docs/theory.md, Proposition 5.10",
        "up to 7 symbols; frequencies at random, powers of two, Fibonacci numbers, and almost all on one symbol",
    )
    for trial in range(trials):
        k = int(rng.integers(1, 8))
        kinds = (rng.integers(1, 20, size=k), 2 ** np.arange(k), _FIBONACCI[:k], [10**6, *[1] * (k - 1)])
        frequencies = dict(enumerate(rng.permutation(kinds[trial % 4]).tolist()))
        case = f"huffman_code({frequencies!r})"
        by_symbol = code(frequencies)
        words = [by_symbol[symbol].to01() for symbol in frequencies]
        begins = any(second.startswith(first) for first, second in itertools.permutations(words, 2))
        outcome.add(-1.0 if begins else 0.0, f"{case}  # no word begins another")
        p = np.array(list(frequencies.values())) / sum(frequencies.values())
        lengths = np.array([len(word) for word in words])
        mean, entropy = float(p @ lengths), float(-p @ np.log2(p))
        least = _least_mean_length(p)
        outcome.add(1e-12 - abs(mean - least), f"{case}  # of mean length {mean!r}; the least is {least!r}")
        said = f"the mean length {mean!r} is in [H, H + 1), H = {entropy!r}"
        outcome.add(1e-12 + mean - entropy, f"{case}  # {said}")
        if k > 1:
            outcome.add(entropy + 1 - mean - 1e-12, f"{case}  # {said}")
    return outcome.evidence()


def check_storage(stored_as: Format = HAM, rng: Seed = 0, trials: int = 60) -> Evidence:
    """Decoding gives back the matrix; the bits are those of the size formula, and no more than the bound.

    Parameters
    ----------
    stored_as : Format
        HAM or sHAM.
    """
    rng = np.random.default_rng(rng)
    outcome = Trials(
        f"{stored_as.name} is lossless, of the size of its formula, and within its bound",
        "docs/theory.md, Proposition 5.11",
        "matrices up to 40 x 40 or of 300 rows, none to all entries nonzero, up to 20 values, words of 8 to 64 bits",
    )
    for trial in range(trials):
        seed = int(rng.integers(2**31))
        matrix, word = sparse_matrix(trial, seed)
        n, m = matrix.shape
        case = f"{stored_as.name.upper()}.encode(*sparse_matrix({trial}, {seed}))"
        stored = stored_as.encode(matrix, word)
        decoded = stored_as.decode(stored, (n, m), word)
        lossless = np.array_equal(decoded, matrix)
        outcome.add(0.0 if lossless else -1.0, f"{case}  # decoded, it is the matrix")
        size = stored_as.size(matrix, word)
        outcome.add(-abs(stored.bits - size), f"{case}.bits  # {size}, by the formula")
        q, symbols = int(np.count_nonzero(matrix)), len(stored.symbols) // word
        bound = stored_as.bound(n, m, q, symbols, word)
        outcome.add(bound - stored.bits, f"{case}.bits  # {bound!r} at most")
    return outcome.evidence()


def sparse_matrix(trial: int, seed: int) -> tuple[np.ndarray, int]:
    """A matrix of few integers, many of them 0, and the bits of a word; 40 x 40, 300 x 3 and any smaller, in turn."""
    rng = np.random.default_rng(seed)
    n, m = ((40, 40), (300, 3), rng.integers(1, 41, size=2).tolist())[trial % 3]
    k, word, share = int(rng.integers(1, 21)), int(rng.choice(WIDTHS)), rng.choice([0.0, 0.03, 0.5, 1.0])
    values = rng.choice(np.arange(-128, 128), size=k, replace=False)
    chances = rng.dirichlet(np.full(k, rng.choice([0.1, 100.0])))  # few frequent values, or all about alike
    return rng.choice(values, size=(n, m), p=chances) * (rng.random((n, m)) < share), word


def _least_mean_length(p: np.ndarray) -> float:
    """The least mean length over all lengths of at least 1 that satisfy Kraft's inequality sum 2^-length <= 1."""
    falling = np.sort(p)[::-1]
    rising = np.array(list(itertools.combinations_with_replacement(range(1, p.size + 1), p.size)))
    return float((rising[(0.5**rising).sum(axis=1) <= 1] @ falling).min())


CHECKS = (
    Check(28, "Huffman codes", check_huffman),
    Check(28, "HAM", partial(check_storage, HAM)),
    Check(28, "sHAM", partial(check_storage, SHAM)),
)
