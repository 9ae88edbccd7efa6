"""What a compressed network holds, tensor by tensor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

__all__ = ["LayerReport", "Report"]


@dataclass(frozen=True)
class LayerReport:
    """One tensor."""

    name: str
    shape: tuple[int, ...]
    weights: int
    nonzeros: int

    @property
    def sparsity(self) -> float:
        """The share of exact zeros."""
        return 1 - self.nonzeros / self.weights


@dataclass(frozen=True)
class Report:
    """The tensors that a plan is about, and how far the run is.

    Attributes
    ----------
    layers : tuple of LayerReport
    others : int
        Parameters that the plan is not about: biases, normalization, what it leaves out.
    step, steps : int
        Optimizer steps taken, and of the schedule.
    is_fixed : bool
        Whether the support is fixed.
    """

    layers: tuple[LayerReport, ...]
    others: int
    step: int
    steps: int
    is_fixed: bool

    @property
    def weights(self) -> int:
        """Of all layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def nonzeros(self) -> int:
        """Of all layers."""
        return sum(layer.nonzeros for layer in self.layers)

    @property
    def sparsity(self) -> float:
        """The share of exact zeros among the weights of all layers; other parameters do not count."""
        return 1 - self.nonzeros / self.weights

    def to_json(self) -> str:
        """All figures."""
        layers = [asdict(layer) | {"sparsity": layer.sparsity} for layer in self.layers]
        whole = {"weights": self.weights, "nonzeros": self.nonzeros, "sparsity": self.sparsity, "others": self.others}
        return json.dumps(
            {**whole, "step": self.step, "steps": self.steps, "is_fixed": self.is_fixed, "layers": layers}
        )

    def __str__(self) -> str:
        width = max(len(layer.name) for layer in self.layers)
        state = "support fixed" if self.is_fixed else "support still chosen"
        rows = [(each.name, each.weights, each.nonzeros, each.sparsity) for each in self.layers]
        rows.append(("all of these", self.weights, self.nonzeros, self.sparsity))
        width = max(width, len("all of these"))
        lines = [f"{name:<{width}} {n:>12,} weights {k:>12,} nonzero {100 * s:7.2f} % zeros" for name, n, k, s in rows]
        return "\n".join([*lines, f"{self.others:,} other parameters; step {self.step} of {self.steps}, {state}"])
