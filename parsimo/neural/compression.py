"""P-ADMM as a guest of any training loop: it steps after the optimizer does, and leaves everything else as it is."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from parsimo.neural.plans import Plan, Target, match
from parsimo.neural.reports import LayerReport, Report
from parsimo.neural.schedule import Schedule
from parsimo.neural.splitting import Split
from parsimo.penalties.even import EvenPenalty

__all__ = ["Handle", "compress"]

_TOGETHER = 4  # optimizer steps after which their pulls are made, in one


def compress(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    *,
    steps: int,
    span: tuple[float, float] = (0.1, 0.6),
    sigma: tuple[float, float] = (1.0, 30.0),
    every: int = 50,
) -> Handle:
    """Prune a network within the training loop that is there already.

        handle = compress(model, optimizer, {"*.weight": Sparse(budget=0.99)}, steps=len(loader) * epochs)
        ...                                 # the loop, unchanged
        print(handle.finalize())

    After each step of the optimizer the weights x are pulled towards z - u, a sparse copy less the scaled multiplier,
    by the proximal step of the coupling in the optimizer's metric; after every so many steps u and z are renewed:

        x <- (x + lr sigma (z - u)) / (1 + lr sigma),   u <- u + x - z,   z <- prox of the penalty at x + u,

    its weight set so that the prox keeps a share that falls to the budget along a cubic. At the end of the span the
    support is fixed; what is outside stays 0 whatever momentum or weight decay want.

    Parameters
    ----------
    model : torch.nn.Module
        Its parameters stay the objects they are.
    optimizer : torch.optim.Optimizer
        Any; it is told nothing, and its step is watched by `register_step_post_hook`. Learning-rate schedules, clipped
        gradients, `torch.compile` of the model and gradient scalers (a step that is skipped does not count) go along.
    plan : mapping
        Patterns of names, such as "*.weight" or "encoder.*", or classes of modules, to `Sparse(...)`.
    steps : int
        How many steps the optimizer will take.
    span, sigma, every
        As in `Schedule`.

    Returns
    -------
    Handle

    Raises
    ------
    TypeError, ValueError
        Before the first step, if an entry of the plan matches nothing that can be pruned, a parameter is matched twice
        or is not the optimizer's, or a number is out of range.

    Notes
    -----
    docs/networks.md, 2. Two tensors are kept for each that is pruned: z, and z - u. The same holds on every rank
    of DistributedDataParallel, whose parameters are equal; nothing is communicated.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"compress: optimizer must be a torch.optim.Optimizer object, got {optimizer!r}")
    return Handle(model, optimizer, match(model, plan), Schedule(steps, tuple(span), tuple(sigma), every))  # type: ignore[arg-type]


class Handle:
    """What `compress` has attached to an optimizer.

    Attributes
    ----------
    step : int
        Steps of the optimizer so far.
    is_fixed : bool
        Whether the support is fixed.
    """

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, targets: list[Target], schedule: Schedule
    ) -> None:
        self.model, self.schedule = model, schedule
        self.step, self.is_fixed = 0, False
        self._optimizer = optimizer
        self._splits = [Split(target, optimizer) for target in targets]
        self._hook: Any = optimizer.register_step_post_hook(self._after_step)

    def measures(self) -> dict[str, float]:
        """Where the run stands: primal |x - z| and dual sigma |dz| at the last choice of z, sigma, nonzeros of z or x,
        and `moved`, the share of the support that the last choice changed."""
        primal, dual = (math.hypot(*(getattr(s, name) for s in self._splits)) for name in ("primal", "dual"))
        nonzeros = sum(s.nonzeros for s in self._splits)
        moved = sum(s.moved for s in self._splits) / max(nonzeros, 1)
        sigma = self.schedule.sigma_at(self.step)
        return {
            "step": self.step,
            "primal": primal,
            "dual": sigma * dual,
            "sigma": sigma,
            "nonzeros": nonzeros,
            "moved": moved,
        }

    def report(self) -> Report:
        """The tensors as they are now: weights and nonzeros of each, and of all."""
        layers = [
            LayerReport(name, tuple(p.shape), p.numel(), int(torch.count_nonzero(p.detach())))
            for split in self._splits
            for name, p in zip(split.target.names, split.target.parameters, strict=True)
        ]
        others = sum(p.numel() for p in self.model.parameters()) - sum(layer.weights for layer in layers)
        return Report(tuple(layers), others, self.step, self.schedule.steps, self.is_fixed)

    @property
    def penalty(self) -> EvenPenalty:
        """Of the first entry of the plan, as it was given."""
        return self._splits[0].target.sparse.penalty

    @property
    def weights(self) -> list[float]:
        """The weight of the penalty at the last z-step, for each parameter in turn."""
        return [weight for split in self._splits for weight in split.weights]

    @property
    def copies(self) -> list[Tensor]:
        """z for each parameter in turn."""
        return [z for split in self._splits for z in split.z]

    @property
    def zero_norm_weight(self) -> float:
        """A weight for which hard thresholding at step 1 leaves what is kept: half the square of the least |x + u|; 0
        while the support is not fixed."""
        return min(split.least for split in self._splits) ** 2 / 2 if self.is_fixed else 0.0

    def detach(self) -> None:
        """Leave the optimizer; zeros of a fixed support are +0, which costs nothing in a file."""
        if self.is_fixed:
            for split in self._splits:
                split.settle()
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def finalize(self) -> Report:
        """Fix the support, if the schedule has not come so far, leave the optimizer, and report. Calling it again
        reports again."""
        if not self.is_fixed:
            self._fix()
        self.detach()
        return self.report()

    def state_dict(self) -> dict[str, Any]:
        """Everything but parameters and optimizer: tensors and plain numbers, for `torch.save` or safetensors."""
        return {
            "step": self.step,
            "is_fixed": self.is_fixed,
            "splits": [s.state_dict() for s in self._splits],
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where another handle of the same plan was.

        Raises
        ------
        ValueError
            If the state is that of another plan or network.
        """
        for split, saved in zip(self._splits, state["splits"], strict=True):
            split.load_state_dict(saved)
        self.step, self.is_fixed = int(state["step"]), bool(state["is_fixed"])

    @torch.no_grad()
    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        sigma = self.schedule.sigma_at(self.step)
        self.step += 1
        if self.is_fixed:
            for split in self._splits:
                split.hold()
            return
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        due = self.schedule.is_due(self.step)
        ends = self.step >= self.schedule.coupled
        for split in self._splits:
            split.pull(rates, sigma, now=due or ends or self.step % _TOGETHER == 0)
        if ends:
            self._fix()
        elif due:
            for split in self._splits:
                split.choose(
                    self.schedule.sigma_at(self.step), self.schedule.kept(self.step, split.target.sparse.budget)
                )

    @torch.no_grad()
    def _fix(self) -> None:
        for split in self._splits:
            split.fix()
        self.is_fixed = True
