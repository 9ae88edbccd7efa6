"""How large a weight must be to be kept, so that just so many are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from parsimo.penalties.even import EvenPenalty

__all__ = ["Counts", "thresholds", "weight_for_threshold"]


class Counts:
    """How many weights of some tensors are kept: in all, and of each at least and at most.

    Parameters
    ----------
    sizes : sequence of int
        Of the tensors.
    share : float
        Kept of all, in (0, 1].
    floor, cap : float
        Of each at least and at most.
    """

    def __init__(self, sizes: Sequence[int], share: float, floor: float = 0.0, cap: float = 1.0) -> None:
        self.floors = [min(math.ceil(floor * n), n) for n in sizes]
        self.caps = [max(min(math.floor(cap * n), n), 1) for n in sizes]
        wanted = max(round(share * sum(sizes)), 1)
        self.total = min(max(wanted, sum(self.floors)), sum(self.caps))


def thresholds(tensors: Sequence[Tensor], counts: Counts) -> list[float]:
    """For each tensor a number t, such that `counts` says how many entries have |v| > t; ties may leave more or fewer.

    All tensors share one t but where a floor or a cap asks for another: there it is halfway between the magnitudes
    at either side. Between two magnitudes t is halfway too.
    """
    sizes = [v.abs().reshape(-1) for v in tensors]
    highest = [_after(v, k) for v, k in zip(sizes, counts.floors, strict=True)]
    lowest = [_after(v, k) for v, k in zip(sizes, counts.caps, strict=True)]
    # of each tensor the floor is in any case, and nothing beyond the cap: the rest compete for what is left
    bounds = zip(sizes, highest, lowest, strict=True)
    open_ones = [v if high == math.inf and low < 0 else v[(v <= high) & (v > low)] for v, high, low in bounds]
    left = counts.total - sum(counts.floors)
    common = _after(torch.cat(open_ones), left) if left > 0 or any(v.numel() for v in open_ones) else math.inf
    return [min(max(common, low), high) for low, high in zip(lowest, highest, strict=True)]


def _after(magnitudes: Tensor, count: int) -> float:
    """Halfway between the count-th largest magnitude and the next; infinite for 0, -1 where all are counted."""
    if count <= 0:
        return math.inf
    if count >= magnitudes.numel():
        return -1.0
    last = magnitudes.numel() - count  # by selection, which takes no more than a few passes
    below, above = (torch.kthvalue(magnitudes, k).values for k in (last, last + 1))
    return float(below + above) / 2


def weight_for_threshold(penalty: EvenPenalty, threshold: float, step_size: float) -> float:
    """The weight with which the penalty's prox of this step zeroes magnitudes up to `threshold` and no others."""
    from scipy.optimize import brentq

    if threshold <= 0:
        return 0.0

    def excess(log_weight: float) -> float:
        return replace(penalty, weight=math.exp(log_weight)).threshold(step_size) - threshold

    low = high = math.log(threshold**2 / (2 * step_size))  # the zero norm's answer
    while excess(low) > 0:
        low -= 1
    while excess(high) < 0:
        high += 1
    return math.exp(low if low == high else float(brentq(excess, low, high, xtol=1e-12)))
