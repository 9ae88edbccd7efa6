"""What the tests of the compressed-model file share: tensors, and equality bit by bit."""

from __future__ import annotations

import torch

UNSIGNED = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def same_bits(left: torch.Tensor, right: torch.Tensor) -> bool:
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    word = UNSIGNED[left.dtype.itemsize]
    return torch.equal(left.contiguous().reshape(-1).view(word), right.contiguous().reshape(-1).view(word))


def pruned(count: int, keep: float, levels: int | None = None) -> torch.Tensor:
    """Random weights of which a share `keep` is not zero, with `levels` distinct nonzeros if given."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(count, generator=generator)
    if levels is not None:
        values = torch.linspace(0.5, 1.5, levels)
        weights = values[torch.randint(levels, (count,), generator=generator)]
    # Not a product: that leaves -0.0, which is no zero, where a weight is negative.
    return torch.where(torch.rand(count, generator=generator) < keep, weights, 0.0)
