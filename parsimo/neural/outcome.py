"""What pruning and quantization leave behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from parsimo.core.result import History, Result, Status
from parsimo.neural import storage
from parsimo.neural.training import Trainer

__all__ = ["Outcome", "conclude"]

_BUDGET_USED = "the epochs are used up; the certificate says how far from stationary the network is"


@dataclass(frozen=True, eq=False)
class Outcome:
    """A compressed network, and what is known about it.

    Attributes
    ----------
    model : torch.nn.Module
        The network, changed in place.
    status : Status
        Why the run ended.
    certificate : float
        Distance of 0 from the subdifferential of the objective at the final parameters, on all training data.
    weights, nonzeros : int
        Selected weights, and those that are not exactly zero.
    distinct_values : int
        The largest number of distinct values in one selected layer, zero among them.
    seconds : float
    history : History
        All phases; `phase` counts them from 0.
    notes : tuple of str
    """

    model: nn.Module
    status: Status
    certificate: float
    weights: int
    nonzeros: int
    distinct_values: int
    seconds: float
    history: History
    notes: tuple[str, ...]

    @property
    def sparsity(self) -> float:
        """The share of exact zeros among the selected weights."""
        return 1 - self.nonzeros / self.weights

    def save(self, path: str | Path) -> int:
        """Write the compressed model; returns the size of the file in bytes.

        Every tensor is stored in its smallest exact encoding, in a safetensors file: no pickle on the way back.
        """
        metadata = {"certificate": self.certificate, "status": self.status.name, "nonzeros": self.nonzeros}
        return storage.save(path, self.model.state_dict(), {k: v for k, v in metadata.items() if _is_plain(v)})

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.status.name}: {_BUDGET_USED if self.status is Status.MAX_ITERATIONS else self.status.value}",
                f"{self.nonzeros} of {self.weights} weights are nonzero (sparsity {100 * self.sparsity:.2f} %), "
                f"at most {self.distinct_values} distinct values a layer",
                f"certificate {self.certificate:.3e} on all training data, {self.seconds:.3g} s",
                *self.notes,
            ]
        )


def conclude(model: nn.Module, trainer: Trainer, phases: Sequence[Result], notes: tuple[str, ...] = ()) -> Outcome:
    """Write the last phase's point into the model and count what it holds."""
    final = phases[-1]
    trainer.write(final.x + 0.0)  # a zero is +0, which costs nothing in a file
    trainer.restore_buffers()
    for parameter in trainer.view.parameters:  # the gradients are views of the trainer's; the optimizer is done
        parameter.grad = None
    model.eval()
    layers = [final.x[block] for block in trainer.view.blocks.values()]
    cut_short = next((p.status for p in phases if p.status.cut_short), None)
    return Outcome(
        model=model,
        status=cut_short or final.status,
        certificate=final.certificate,
        weights=sum(layer.numel() for layer in layers),
        nonzeros=sum(int(torch.count_nonzero(layer)) for layer in layers),
        distinct_values=max(torch.unique(layer).numel() for layer in layers),
        seconds=sum(p.seconds for p in phases),
        history=_join([p.history for p in phases]),
        notes=(*notes, *dict.fromkeys(note for p in phases for note in p.notes)),
    )


def _join(histories: Sequence[History]) -> History:
    joined = History()
    start = 0
    for phase, history in enumerate(histories):
        columns = list(history)
        for row in range(history.rows):
            values = {name: history[name][row] for name in columns}
            joined.append({**values, "iteration": start + values["iteration"], "phase": phase})
        start = int(joined["iteration"][-1]) + 1 if joined.rows else 0
    return joined


def _is_plain(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
