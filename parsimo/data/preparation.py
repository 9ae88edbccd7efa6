"""What is done to images between file and network: cutting off a test set and normalizing the channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def stratified_split(
    inputs: Array, targets: Array, test_fraction: float, seed: int
) -> tuple[Array, Array, Array, Array]:
    """Cut off a fraction of every class, at least one sample and never all, in an order drawn from `seed`.

    Parameters
    ----------
    inputs : ndarray, shape (n, ...)
    targets : ndarray, shape (n,)
        Classes.
    test_fraction : float
        Between 0 and 1.
    seed : int

    Returns
    -------
    train_inputs, train_targets, test_inputs, test_targets : ndarray
        Each in the order of the given arrays.

    Raises
    ------
    ValueError
        If a class has only one sample.
    """
    rng = np.random.default_rng(seed)
    is_test = np.zeros(len(targets), dtype=bool)
    for target, count in zip(*np.unique(targets, return_counts=True), strict=True):
        if count < 2:
            raise ValueError(f"class {target} has one sample, a split needs two: add one or give a test set")
        members = rng.permutation(np.flatnonzero(targets == target))
        is_test[members[: min(max(1, round(test_fraction * count)), count - 1)]] = True
    return inputs[~is_test], targets[~is_test], inputs[is_test], targets[is_test]


def channel_statistics(images: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each channel of images n x channels x height x width."""
    axes = (0, 2, 3)
    return images.mean(axes, dtype=np.float64), images.std(axes, dtype=np.float64)


def normalize(images: Array, means: Sequence[float] | Array, stds: Sequence[float] | Array) -> Array:
    """The images as float32 with channel means subtracted, divided by the standard deviations.

    A standard deviation of 0 leaves the channel, which is constant, undivided.
    """
    normalized = images.astype(np.float32)
    normalized -= np.asarray(means, np.float32).reshape(-1, 1, 1)
    divisors = np.asarray(stds, np.float32).reshape(-1, 1, 1)
    normalized /= np.where(divisors > 0, divisors, 1)
    return normalized
