"""Minibatch training as the x-step of P-ADMM, and as a solver of its own on a fixed structure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from parsimo.core.problem import Problem
from parsimo.neural.smooth import FlatView, Loss, Selector, _to, weights_only
from parsimo.solvers.lipschitz import Curvature
from parsimo.solvers.proximal_admm import ProximalADMM
from parsimo.solvers.proximal_admm import State as ADMMState
from parsimo.solvers.x_steps import MeritConstants

__all__ = ["MinibatchADMM", "MinibatchTraining", "MinibatchXStep", "Trainer"]


class Structure(Protocol):
    """What training must respect: called around each optimizer step."""

    def before_step(self, gradient: Tensor) -> None:
        """Change the flat gradient in place."""

    def after_step(self, x: Tensor, learning_rate: float) -> None:
        """Change the flat parameters in place."""


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
        self.mean_loss = math.nan
        """Of the minibatches of the last call of `steps`."""
        self._batches: Iterator[tuple[Any, Tensor]] = iter(())

    def steps(self, count: int, structure: Structure) -> float:
        """Take `count` optimizer steps under a structure; returns the mean loss of their minibatches, also kept."""
        self.module.train()
        total = torch.zeros((), dtype=torch.float64, device=self.flat.device)
        for _ in range(count):
            inputs, targets = self._next_batch()
            self.gradient.zero_()
            loss = self.loss(self.module(_to(inputs, self.flat.device)), targets.to(self.flat.device))
            loss.backward()
            structure.before_step(self.gradient)
            self.optimizer.step()
            with torch.no_grad():
                structure.after_step(self.flat, self.optimizer.param_groups[0]["lr"])
            self.scheduler.step()
            total += loss.detach()
        self.mean_loss = float(total) / max(count, 1)
        return self.mean_loss

    def write(self, x: Tensor) -> None:
        """Set the parameters."""
        with torch.no_grad():
            self.flat.copy_(x)

    def _next_batch(self) -> tuple[Any, Tensor]:
        for batch in self._batches:
            return batch
        self._batches = iter(self.loader)
        return next(self._batches)


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


@dataclass(frozen=True, eq=False)
class MinibatchXStep:
    """The x-step of P-ADMM by `steps` minibatch steps of any torch optimizer on (6.2).

    Nothing is guaranteed: a minibatch gradient bounds no full gradient.
    """

    trainer: Trainer
    steps: int
    structure: Structure = field(default_factory=Free)

    def check(self, f: Any) -> None:
        """Every network will do."""

    def constants(self, L: float, m: float, tau: float) -> MeritConstants:
        """None are known."""
        return MeritConstants(math.nan, math.nan, math.nan)

    def __call__(
        self, f: Any, x: Tensor, grad: Tensor, z: Tensor, y: Tensor, sigma: float, tau: float, L: float
    ) -> tuple[Tensor, Tensor]:
        """The new x, and the gradient as it was: it is not known."""
        self.trainer.write(x)
        coupled = Coupled(z - y / sigma, sigma, self.trainer.view.mask, then=self.structure)
        self.trainer.steps(self.steps, coupled)
        return self.trainer.flat.clone(), grad

    def __repr__(self) -> str:
        return f"MinibatchXStep({self.steps} steps of {type(self.trainer.optimizer).__name__})"


@dataclass(frozen=True)
class MinibatchADMM(ProximalADMM):
    """P-ADMM whose x-step is minibatch training: the step of `ProximalADMM`, without its guarantees.

    Only the selected coordinates are split; the others (biases, normalization) are trained with x and copied to z.
    """

    def init(self, problem: Problem, x0: Tensor) -> ADMMState:
        """x = z = x0, y = 0; no Lipschitz constant is looked for."""
        if not isinstance(self.x_step, MinibatchXStep) or self.sigma is None:
            raise TypeError("MinibatchADMM needs sigma and x_step=MinibatchXStep(trainer, steps)")
        zero = torch.zeros_like(x0)
        return ADMMState(
            x=x0,
            z=x0,
            y=zero,
            u=problem.auxiliary(x0),
            grad=zero,
            dx=math.inf,
            dz=math.inf,
            sigma=self.sigma,
            curvature=Curvature(math.nan, known=True),
            weak_convexity=math.nan,
            x_step=self.x_step,
        )

    def step(self, problem: Problem, state: ADMMState) -> ADMMState:
        """(6.1), (6.2), (6.3) on the selected coordinates."""
        state = super().step(problem, state)
        split = self.x_step.trainer.view.mask  # type: ignore[union-attr]
        return replace(state, z=torch.where(split, state.z, state.x), y=torch.where(split, state.y, 0.0))

    def merit(self, problem: Problem, state: ADMMState) -> float:
        """NaN: no merit function is known for minibatch steps."""
        return math.nan

    def measures(self, state: ADMMState) -> dict[str, float]:
        """Mean minibatch loss, primal and dual residual, sigma."""
        measures = super().measures(state)
        del measures["guaranteed_decrease"]
        return {"loss": self.x_step.trainer.mean_loss, **measures}  # type: ignore[union-attr]

    def notes(self, state: ADMMState) -> tuple[str, ...]:
        """That nothing is guaranteed."""
        return (f"P-ADMM with {state.x_step!r}: minibatch steps certify nothing, and no theorem covers them",)


@dataclass(frozen=True)
class TrainingState:
    """Where minibatch training stands."""

    x: Tensor
    """All parameters, flat."""
    u: Any
    """Auxiliary variables of the problem at the start."""
    loss: float
    """Mean minibatch loss of the last step."""

    @property
    def point(self) -> Tensor:
        """x."""
        return self.x


@dataclass(frozen=True, eq=False)
class MinibatchTraining:
    """Minibatch steps of a torch optimizer under a structure, as a solver: one step is `steps` of them."""

    trainer: Trainer
    steps: int
    structure: Structure = field(default_factory=Free)

    def init(self, problem: Problem, x0: Tensor) -> TrainingState:
        """At x0."""
        self.trainer.write(x0)
        return TrainingState(x0, problem.auxiliary(x0), math.nan)

    def step(self, problem: Problem, state: TrainingState) -> TrainingState:
        """Minibatch steps from x."""
        self.trainer.write(state.x)
        loss = self.trainer.steps(self.steps, self.structure)
        return TrainingState(self.trainer.flat.clone(), state.u, loss)

    def measures(self, state: TrainingState) -> dict[str, float]:
        """Mean minibatch loss, which also stands for the objective when the best point is chosen."""
        return {"loss": state.loss, "objective": state.loss, "residual": math.inf}

    def merit(self, problem: Problem, state: TrainingState) -> float:
        """NaN: minibatch steps decrease nothing for certain."""
        return math.nan

    def notes(self, state: TrainingState) -> tuple[str, ...]:
        """That nothing is guaranteed."""
        name = type(self.trainer.optimizer).__name__
        return (f"minibatch training with {name}: a minibatch certifies nothing",)


def check_loader(loader: Any) -> None:
    """Refuse a loader without a length, or with nothing in it."""
    if not hasattr(loader, "__len__") or not hasattr(loader, "__iter__"):
        raise TypeError(
            f"the loader must be iterable and have a length (its number of batches), got {type(loader).__name__}; "
            "use a torch DataLoader, a list of batches or parsimo.neural.TensorBatches"
        )
    if len(loader) == 0:
        raise ValueError("the loader holds no batch")
