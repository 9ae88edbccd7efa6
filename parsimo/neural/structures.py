"""What training must respect: applied around each optimizer step, on the flat vector of all parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["Coupled", "FixedCodes", "FixedSupport", "Free", "Structure"]


class Structure(Protocol):
    """What training must respect: called around each optimizer step."""

    def before_step(self, gradient: Tensor) -> None:
        """Change the flat gradient in place."""

    def after_step(self, x: Tensor, learning_rate: float) -> None:
        """Change the flat parameters in place."""


class Free:
    """No structure: plain training."""

    def before_step(self, gradient: Tensor) -> None:
        """Leave it."""

    def after_step(self, x: Tensor, learning_rate: float) -> None:
        """Leave it."""


@dataclass(frozen=True, eq=False)
class Coupled(Free):
    """Pull the selected coordinates towards z - y/sigma, decoupled from the optimizer's scaling as AdamW's decay is.

    After an optimizer step of length `lr`, the proximal step of (sigma/2)|x - anchor|^2 in the same metric:
    x <- (x + lr sigma anchor) / (1 + lr sigma).
    """

    anchor: Tensor
    sigma: float
    mask: Tensor
    then: Structure

    def after_step(self, x: Tensor, learning_rate: float) -> None:
        """The proximal step, then the structure that holds besides."""
        pull = learning_rate * self.sigma / (1 + learning_rate * self.sigma)
        x.lerp_(torch.where(self.mask, self.anchor, x), pull)
        self.then.after_step(x, learning_rate)


@dataclass(frozen=True, eq=False)
class FixedSupport(Free):
    """Coordinates outside the support stay exactly +0, whatever momentum or weight decay want.

    Parameters
    ----------
    outside : bool tensor of the shape of x
    """

    outside: Tensor

    def after_step(self, x: Tensor, learning_rate: float) -> None:
        """Set them."""
        x.masked_fill_(self.outside, 0.0)


@dataclass(frozen=True, eq=False)
class FixedCodes:
    """Weights of one cluster move as one: by their mean gradient, and bit-equal after each step.

    Parameters
    ----------
    blocks : sequence of slices or integer tensors
        Coordinates of each codebook.
    codes : sequence of integer tensors
        The cluster of each coordinate of a block.
    outside : bool tensor of the shape of x
        Coordinates that stay 0.
    """

    blocks: Sequence[Any]
    codes: Sequence[Tensor]
    outside: Tensor

    def before_step(self, gradient: Tensor) -> None:
        """Replace each gradient by the mean over its cluster."""
        for block, codes in zip(self.blocks, self.codes, strict=True):
            count = int(codes.max()) + 1
            sums = gradient.new_zeros(count).index_add_(0, codes, gradient[block])
            gradient[block] = (sums / torch.bincount(codes, minlength=count).clamp(min=1))[codes]

    def after_step(self, x: Tensor, learning_rate: float) -> None:
        """Equal updates may differ in the last bit where a kernel treats its tail otherwise: copy one member to all."""
        for block, codes in zip(self.blocks, self.codes, strict=True):
            representatives = x.new_zeros(int(codes.max()) + 1).index_copy_(0, codes, x[block])
            x[block] = representatives[codes]
        x.masked_fill_(self.outside, 0.0)
