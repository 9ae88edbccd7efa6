"""Pruning by P-ADMM: the zero-norm problem of a network, followed to a target sparsity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from parsimo.core.problem import Composite, Problem
from parsimo.core.result import Status
from parsimo.neural.checkpoints import Checkpoints
from parsimo.neural.compression import Handle
from parsimo.neural.minibatch import per_phase
from parsimo.neural.outcome import Outcome, conclude
from parsimo.neural.plans import Sparse, Target
from parsimo.neural.schedule import Schedule
from parsimo.neural.smooth import Loss, Selector, TorchSmooth, weights_only
from parsimo.neural.structures import Free
from parsimo.neural.training import Trainer, check_loader
from parsimo.penalties import MCP
from parsimo.penalties.even import EvenPenalty
from parsimo.problems import ZeroNormProblem
from parsimo.solvers.loop import Observer, run
from parsimo.solvers.stopping import Report, Stop, max_iterations

__all__ = ["prune"]


def prune(
    model: nn.Module,
    train_loader: Iterable[tuple[Any, Tensor]],
    loss_fn: Loss,
    *,
    penalty: EvenPenalty | None = None,
    target_sparsity: float = 0.95,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    learning_rate: float = 1.2e-3,
    epochs: float = 30,
    span: tuple[float, float] = (0.1, 0.6),
    sigma: tuple[float, float] = (1.0, 30.0),
    steps_per_update: int = 50,
    select: Selector = weights_only,
    observe: Iterable[Observer] = (),
    checkpoints: Checkpoints | None = None,
) -> Outcome:
    """Minimize loss + penalty over the selected weights by P-ADMM until `target_sparsity` of them are exact zeros.

    For the first part of the epochs, z-steps (the penalty's prox), minibatch x-steps and multiplier steps alternate,
    the penalty's weight rising so that the prox keeps a share of weights that falls to the target along a cubic.
    Then the support is fixed and its weights are trained on. The certificate is evaluated on all of `train_loader`
    at the end; before that, nothing is certified, and a fixed budget of epochs ends with MAX_ITERATIONS.

    Parameters
    ----------
    model : torch.nn.Module
        Trained or not; changed in place. Its parameters become views of one vector.
    train_loader : iterable of (inputs, targets) with a length
    loss_fn : callable
        Of (outputs, targets), the mean over a batch.
    penalty : EvenPenalty, optional
        `ZeroNorm`, `L1`, `CappedL1`, `MCP` or `SCAD`; its flat point is kept, its weight is set by the continuation.
        By default MCP with flat point 0.05.
    target_sparsity : float
        Share of exact zeros among the selected weights, in [0, 1); reached to the nearest count.
    optimizer : callable
        Such as `torch.optim.Adam`, called with parameters and `lr`.
    learning_rate : float
        Positive; constant under P-ADMM, then falls to 0 along a half cosine.
    epochs : float
        Passes over the loader, in total.
    span : pair of float
        The shares of the run, 0 <= begin < end <= 1, between which the sparsity rises; P-ADMM goes on until the end,
        training on the fixed support from there.
    sigma : pair of float
        Coupling at the start and the end, growing geometrically, in units of 1 / learning rate in the optimizer's
        own metric.
    steps_per_update : int
        Minibatch steps of one x-step.
    select : Selector
        (name, parameter) -> whether to prune it; by default parameters of two and more dimensions.
    observe : iterable of Observer
        Called after every z-, x-, y-step.
    checkpoints : Checkpoints, optional
        Keep the state of the run in a folder. If there is one of a run with these settings, go on from it: on one
        device the network that comes of it is the same bit for bit.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of the wrong kind.

    Notes
    -----
    docs/networks.md, 2.
    """
    check_loader(train_loader)
    if not epochs > 0 or isinstance(steps_per_update, bool) or steps_per_update < 1:
        raise ValueError(f"prune: needs epochs > 0 and steps_per_update >= 1, got {epochs} and {steps_per_update}")
    if not 0 <= target_sparsity < 1:
        raise ValueError(f"prune: target_sparsity must lie in [0, 1), got {target_sparsity}")
    sparse = Sparse(MCP(weight=1.0, flat_point=0.05) if penalty is None else penalty, target_sparsity)
    steps = max(round(epochs * len(train_loader)), 2)  # type: ignore[arg-type]
    schedule = Schedule(steps, span, sigma, min(steps_per_update, steps))
    trainer = Trainer(
        model,
        train_loader,
        loss_fn,
        optimizer=optimizer,
        learning_rate=learning_rate,
        constant_steps=schedule.coupled,
        decay_steps=steps - schedule.coupled,
        select=select,
    )
    view = trainer.view
    target = Target(sparse, tuple(view.blocks), tuple(model.get_parameter(name) for name in view.blocks))
    handle = Handle(model, trainer.optimizer, [target], schedule)
    f = TorchSmooth(model, train_loader, loss_fn, select=select)
    guided = GuidedTraining(trainer, handle)
    notes: tuple[str, ...] = ()
    if checkpoints is not None:
        settings = {
            "penalty": repr(sparse.penalty),
            "target_sparsity": target_sparsity,
            "optimizer": type(trainer.optimizer).__name__,
            "learning_rate": learning_rate,
            "epochs": epochs,
            "span": list(span),
            "sigma": list(sigma),
            "steps_per_update": steps_per_update,
            "batches": len(train_loader),  # type: ignore[arg-type]
            "parameters": list(view.names),
        }
        saved, notes = checkpoints.newest(settings)
        if saved is not None:
            trainer.load_state_dict(saved["trainer"])
            handle.load_state_dict(saved["handle"])
            notes += (f"went on from a checkpoint after {handle.step} of {steps} steps; the history begins there",)

        def state(report: Report) -> dict[str, Any]:
            return {"settings": settings, "trainer": trainer.state_dict(), "handle": handle.state_dict()}

        observe = [*observe, checkpoints.observer(state)]
    coupled = run(
        guided,
        Composite(f, guided.penalty()),
        trainer.flat.clone(),
        stop=_until_fixed(handle),
        observe=observe,
        every=per_phase(math.ceil(schedule.coupled / schedule.every)),
    )
    x = coupled.x
    f.support = (x != 0) | ~view.mask
    left = math.ceil((steps - handle.step) / schedule.every)
    final = run(
        replace(guided, comparable_objectives=True),
        ZeroNormProblem(f, handle.zero_norm_weight * view.mask.to(x.dtype)),
        x,
        stop=max_iterations(0 if coupled.status.cut_short else left),
        observe=observe,
        every=per_phase(left),
    )
    handle.detach()
    return conclude(model, trainer, [coupled, final], notes)


@dataclass(frozen=True)
class GuidedState:
    """Where training stands that a handle guides."""

    x: Tensor
    """All parameters, flat."""
    point: Tensor
    """The same with the sparse copy z in place of what is pruned; x itself once the support is fixed."""
    u: Any
    """None."""
    problem: Composite | None
    """The problem of the last z-step; None once the support is fixed."""
    measures: dict[str, float]
    """Of the last steps."""


@dataclass(frozen=True, eq=False)
class GuidedTraining:
    """Minibatch steps of an optimizer that a handle goes along with, as a solver: one step is up to a new z."""

    trainer: Trainer
    handle: Handle
    comparable_objectives: bool = False  # while the weight of the penalty rises they are not

    def init(self, problem: Problem, x0: Tensor) -> GuidedState:
        """At x0."""
        self.trainer.write(x0)
        return GuidedState(x0, x0, None, None, self._measures(math.nan))

    def step(self, problem: Problem, state: GuidedState) -> GuidedState:
        """Minibatch steps from x."""
        self.trainer.write(state.x)
        schedule = self.handle.schedule
        count = min(schedule.every, schedule.steps - self.handle.step)
        loss = self.trainer.steps(count, Free())
        x = self.trainer.flat.clone()
        if self.handle.is_fixed:
            return GuidedState(x, x, None, None, self._measures(loss))
        point = x.clone()
        for block, z in zip(self.trainer.view.blocks.values(), self.handle.copies, strict=True):
            point[block] = z.reshape(-1)
        return GuidedState(x, point, None, Composite(problem.f, self.penalty()), self._measures(loss))

    def penalty(self) -> EvenPenalty:
        """The penalty with the weights of the last z-step, 0 at what is not pruned."""
        weights = torch.zeros_like(self.trainer.flat)
        for block, weight in zip(self.trainer.view.blocks.values(), self.handle.weights, strict=True):
            weights[block] = weight
        return replace(self.handle.penalty, weight=weights)

    def measures(self, state: GuidedState) -> dict[str, float]:
        """Mean minibatch loss, which stands for the objective where that is not evaluated, and what the handle says."""
        return state.measures

    def merit(self, problem: Problem, state: GuidedState) -> float:
        """NaN: no merit function is known for minibatch steps."""
        return math.nan

    def notes(self, state: GuidedState) -> tuple[str, ...]:
        """That nothing is guaranteed."""
        name = type(self.trainer.optimizer).__name__
        return (f"P-ADMM by minibatch steps of {name}: a minibatch certifies nothing, and no theorem covers them",)

    def _measures(self, loss: float) -> dict[str, float]:
        of_handle = self.handle.measures()
        named = {name: of_handle[name] for name in ("primal", "dual", "sigma", "moved")}
        return {"loss": loss, "objective": loss, "residual": math.inf, "support": of_handle["nonzeros"], **named}


def _until_fixed(handle: Handle) -> Stop:
    return lambda report: Status.MAX_ITERATIONS if handle.is_fixed else None
