"""Minibatches over tensors that are already in memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch


class TensorBatches:
    """Minibatches (inputs, targets), drawn in a new order every epoch.

    A batch is one indexing of the tensors. ``torch.utils.data.DataLoader`` collates sample by sample, which
    on small data costs more than the training step itself.

    Parameters
    ----------
    inputs : torch.Tensor, shape (n, ...)
        One sample a row.
    targets : torch.Tensor, shape (n, ...)
        Its target, on the same device.
    batch_size : int
        Samples in a batch; the last batch of an epoch has what is left.
    shuffle : bool, default True
        Whether each iteration draws a new order; otherwise the samples come as they lie.
    seed : int, default 0
        Seed of the orders. The generator belongs to the object: the orders do not depend on other random
        numbers of the program, and two objects with one seed go through the same orders.

    Raises
    ------
    TypeError
        If `inputs` or `targets` is not a tensor or `batch_size` is not an integer.
    ValueError
        If there are no samples, `inputs` and `targets` differ in number or device, or `batch_size` < 1.
    """

    def __init__(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        for name, tensor in (("inputs", inputs), ("targets", targets)):
            if not isinstance(tensor, torch.Tensor):
                raise TypeError(f"{name} must be a torch.Tensor, got {type(tensor).__name__}: use torch.as_tensor")
            if tensor.ndim == 0 or len(tensor) == 0:
                raise ValueError(f"{name} has shape {tuple(tensor.shape)}: at least one sample is needed")
        if len(inputs) != len(targets):
            raise ValueError(f"{len(inputs)} inputs but {len(targets)} targets: give one target a sample")
        if inputs.device != targets.device:
            raise ValueError(f"inputs are on {inputs.device}, targets on {targets.device}: move one")
        if not isinstance(batch_size, int) or isinstance(batch_size, bool):
            raise TypeError(f"batch_size must be an integer, got {batch_size!r}")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, at least 1 is needed")
        self.inputs = inputs
        self.targets = targets
        self.batch_size = batch_size
        self.shuffle = shuffle
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self.inputs) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Go through one epoch."""
        if not self.shuffle:
            for start in range(0, len(self.inputs), self.batch_size):
                chosen = slice(start, start + self.batch_size)
                yield self.inputs[chosen], self.targets[chosen]
            return
        # Drawn on the CPU, so that the order is the same on every device.
        order = torch.randperm(len(self.inputs), generator=self._generator).to(self.inputs.device)
        for indices in order.split(self.batch_size):
            yield self.inputs[indices], self.targets[indices]

    def in_order(self) -> TensorBatches:
        """The same samples as they lie, in batches for evaluation; iterating it draws no random numbers."""
        return TensorBatches(self.inputs, self.targets, max(self.batch_size, 1024), shuffle=False)
