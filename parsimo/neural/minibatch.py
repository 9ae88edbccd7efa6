"""Minibatch training as the x-step of P-ADMM, and as a solver of its own on a fixed structure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from parsimo.core.problem import Problem
from parsimo.neural.structures import Coupled, Free, Structure
from parsimo.neural.training import Trainer
from parsimo.solvers.lipschitz import Curvature
from parsimo.solvers.proximal_admm import ProximalADMM
from parsimo.solvers.proximal_admm import State as ADMMState
from parsimo.solvers.x_steps import MeritConstants

__all__ = ["MinibatchADMM", "MinibatchTraining", "MinibatchXStep", "per_phase"]


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

    acceleration: None = None  # no envelope is known to test a leap by

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
        trainer = self.x_step.trainer  # type: ignore[union-attr]
        support = int(torch.count_nonzero(state.z[trainer.view.mask]))
        return {"loss": trainer.mean_loss, "support": support, **measures}

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
        support = int(torch.count_nonzero(state.x[self.trainer.view.mask]))
        return {"loss": state.loss, "objective": state.loss, "residual": math.inf, "support": support}

    def merit(self, problem: Problem, state: TrainingState) -> float:
        """NaN: minibatch steps decrease nothing for certain."""
        return math.nan

    def notes(self, state: TrainingState) -> tuple[str, ...]:
        """That nothing is guaranteed."""
        name = type(self.trainer.optimizer).__name__
        return (f"minibatch training with {name}: a minibatch certifies nothing",)


def per_phase(iterations: int) -> int:
    """At every how many iterations the full data are read for objective and certificate: about ten times a phase."""
    return max(iterations // 10, 1)
