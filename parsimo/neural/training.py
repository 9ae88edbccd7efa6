"""Minibatch training with any torch optimizer, on one flat vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from parsimo.neural.smooth import (
    FlatView,
    Loss,
    Selector,
    pair_of,
    random_state,
    set_random_state,
    to_device,
    weights_only,
)
from parsimo.neural.structures import Structure

__all__ = ["Trainer", "check_loader"]


class Trainer:
    """One optimizer, one loader, one flat vector that the module's parameters are views of.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place, and put in training mode while steps are taken.
    loader : iterable of (inputs, targets) with a length
    loss : callable
        Of (outputs, targets).
    optimizer : callable
        Such as `torch.optim.Adam`: called with the parameters and `lr`.
    learning_rate : float
        Positive.
    constant_steps, decay_steps : int
        The learning rate keeps its value over the first ones, then falls to 0 along a half cosine.
    select : Selector
        Which parameters are to be compressed.

    Raises
    ------
    TypeError
        If the loader has no length, or the optimizer is an object instead of a class.
    ValueError
        If the loader is empty.
    """

    def __init__(
        self,
        module: nn.Module,
        loader: Iterable[tuple[Any, Tensor]],
        loss: Loss,
        *,
        optimizer: Callable[..., torch.optim.Optimizer],
        learning_rate: float,
        constant_steps: int = 0,
        decay_steps: int,
        select: Selector = weights_only,
    ) -> None:
        check_loader(loader)
        if isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(
                "optimizer must be a class or factory such as torch.optim.Adam, got an object of class "
                f"{type(optimizer).__name__}: the parameters become views of one vector before it is made"
            )
        self.module, self.loader, self.loss = module, loader, loss
        self.view = FlatView.of(module, select)
        self.flat = self.view.attach()
        self.gradient = torch.zeros_like(self.flat)
        for parameter, gradient in zip(
            self.view.parameters, self.view.named_tensors(self.gradient).values(), strict=True
        ):
            parameter.grad = gradient
        self.optimizer = optimizer(self.view.parameters, lr=learning_rate)

        def factor(step: int) -> float:
            progress = max(step - constant_steps, 0) / max(decay_steps, 1)
            return (1 + math.cos(math.pi * min(progress, 1.0))) / 2

        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)
        self._buffers = [b.clone() for b in module.buffers()]
        self.mean_loss = math.nan
        """Of the minibatches of the last call of `steps`."""
        self._batches: Iterator[tuple[Any, Tensor]] = iter(())
        self._taken, self._epoch_start = 0, random_state(self.loader)

    def steps(self, count: int, structure: Structure) -> float:
        """Take `count` optimizer steps under a structure; returns the mean loss of their minibatches, also kept."""
        self.module.train()
        if all(bool(torch.isfinite(b).all()) for b in self.module.buffers()):
            self._buffers = [b.clone() for b in self.module.buffers()]
        total = torch.zeros((), dtype=torch.float64, device=self.flat.device)
        for _ in range(count):
            inputs, targets = pair_of(self._next_batch())
            self.gradient.zero_()
            loss = self.loss(self.module(to_device(inputs, self.flat.device)), targets.to(self.flat.device))
            loss.backward()
            structure.before_step(self.gradient)
            self.optimizer.step()
            with torch.no_grad():
                structure.after_step(self.flat, self.optimizer.param_groups[0]["lr"])
            self.scheduler.step()
            total += loss.detach()
        self.mean_loss = float(total) / max(count, 1)
        return self.mean_loss

    def restore_buffers(self) -> None:
        """Set buffers such as running statistics back to their last finite values, where they are not finite."""
        for buffer, finite in zip(self.module.buffers(), self._buffers, strict=True):
            if not bool(torch.isfinite(buffer).all()):
                buffer.copy_(finite)

    def write(self, x: Tensor) -> None:
        """Set the parameters."""
        with torch.no_grad():
            self.flat.copy_(x)

    def state_dict(self) -> dict[str, Any]:
        """All that decides the steps to come: parameters, buffers, optimizer, schedule, and where the data are."""
        return {
            "flat": self.flat,
            "buffers": list(self.module.buffers()),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": {k: v for k, v in self.scheduler.state_dict().items() if k != "lr_lambdas"},
            "taken": self._taken,
            "epoch_start": self._epoch_start,
            "random": random_state(self.loader),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there: the batches of the epoch that were taken are drawn again, and passed over."""
        self.write(state["flat"])
        for buffer, saved in zip(self.module.buffers(), state["buffers"], strict=True):
            buffer.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"] | {"lr_lambdas": [None]})
        self._taken, self._epoch_start = int(state["taken"]), state["epoch_start"]
        if self._taken:
            set_random_state(self.loader, self._epoch_start)
            self._batches = iter(self.loader)
            for _ in range(self._taken):
                next(self._batches)
        set_random_state(self.loader, state["random"])

    def _next_batch(self) -> Any:
        for batch in self._batches:
            self._taken += 1
            return batch
        self._epoch_start = random_state(self.loader)
        self._batches = iter(self.loader)
        self._taken = 1
        return next(self._batches)


def check_loader(loader: Any) -> None:
    """Refuse a loader without a length, or with nothing in it."""
    if not hasattr(loader, "__len__") or not hasattr(loader, "__iter__"):
        raise TypeError(
            f"the loader must be iterable and have a length (its number of batches), got {type(loader).__name__}; "
            "use a torch DataLoader, a list of batches or parsimo.neural.TensorBatches"
        )
    if len(loader) == 0:
        raise ValueError("the loader holds no batch")
