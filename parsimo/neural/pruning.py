"""Pruning by P-ADMM: the zero-norm problem of a network, followed to a target sparsity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from parsimo._array import top_k_mask
from parsimo.core.problem import Composite, Problem
from parsimo.neural.minibatch import MinibatchADMM, MinibatchTraining, MinibatchXStep, per_phase
from parsimo.neural.outcome import Outcome, conclude
from parsimo.neural.smooth import Loss, Selector, TorchSmooth, weights_only
from parsimo.neural.structures import FixedSupport
from parsimo.neural.training import Trainer, check_loader
from parsimo.penalties import MCP
from parsimo.penalties.even import EvenPenalty
from parsimo.problems import ZeroNormProblem
from parsimo.solvers.continuation import Continuation
from parsimo.solvers.loop import Observer, run
from parsimo.solvers.stopping import max_iterations

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
    penalty = MCP(weight=1.0, flat_point=0.05) if penalty is None else penalty
    check_loader(train_loader)
    _check(penalty, target_sparsity, epochs, span, sigma, steps_per_update)
    updates = Updates.of(len(train_loader), epochs, span[1], steps_per_update)  # type: ignore[arg-type]
    trainer = Trainer(
        model,
        train_loader,
        loss_fn,
        optimizer=optimizer,
        learning_rate=learning_rate,
        constant_steps=updates.coupled * steps_per_update,
        decay_steps=updates.fixed * steps_per_update,
        select=select,
    )
    f = TorchSmooth(model, train_loader, loss_fn, select=select)
    mask = trainer.view.mask
    path = SparsityPath(penalty, mask, target_sparsity, sigma, updates.coupled, begin=span[0] / span[1])
    solver = MinibatchADMM(sigma=sigma[0], x_step=MinibatchXStep(trainer, steps_per_update))
    coupled = run(
        Continuation(solver, path),
        Composite(f, path.penalty_at(0.0)),
        trainer.flat.clone(),
        stop=max_iterations(updates.coupled),
        observe=observe,
        every=per_phase(updates.coupled),
    )
    x, support = path.final_choice(coupled.x)
    weight = path.zero_norm_weight(coupled.x)
    f.support = support | ~mask
    final = run(
        MinibatchTraining(trainer, steps_per_update, FixedSupport(mask & ~support)),
        ZeroNormProblem(f, weight * mask.to(x.dtype)),
        x,
        stop=max_iterations(0 if coupled.status.cut_short else updates.fixed),
        observe=observe,
        every=per_phase(updates.fixed),
    )
    return conclude(model, trainer, [coupled, final])


@dataclass(frozen=True)
class Updates:
    """How many outer steps each phase takes."""

    coupled: int
    fixed: int

    @classmethod
    def of(cls, batches: int, epochs: float, share: float, steps: int) -> Updates:
        """As many as fill the epochs."""
        total = max(round(epochs * batches / steps), 2)
        coupled = min(max(round(share * total), 1), total)
        return cls(coupled, total - coupled)


@dataclass(frozen=True, eq=False)
class SparsityPath:
    """The path that the continuation follows: weight and sigma for each step.

    With p rising linearly from 0 at `begin` to 1 at the last step, the share of weights kept is
    1 - target (1 - (1 - p)^3), and the weight is the one whose prox threshold lies between the last magnitude kept
    and the first one dropped.
    """

    penalty: EvenPenalty
    mask: Tensor
    target: float
    sigma: tuple[float, float]
    steps: int
    begin: float = 0.0

    def __call__(self, k: int, problem: Problem, state: Any) -> tuple[Any, Problem, Any]:
        """Solver, problem and state for step k."""
        progress = (k + 1) / self.steps
        sigma = self.sigma[0] * (self.sigma[1] / self.sigma[0]) ** progress
        p = max(progress - self.begin, 0.0) / (1 - self.begin)
        keep = self._count(1 - self.target * (1 - (1 - p) ** 3))
        # y / sigma is kept as sigma grows: the multiplier is that of the metric the optimizer steps in
        y = state.y * (sigma / state.sigma)
        weight = self._weight(state.x + y / sigma, keep, 1 / sigma)
        solver = MinibatchADMM(sigma=sigma, x_step=state.x_step)
        return solver, replace(problem, g=self.penalty_at(weight)), replace(state, y=y, sigma=sigma)  # type: ignore[type-var]

    def penalty_at(self, weight: float) -> EvenPenalty:
        """The penalty with this weight on the selected coordinates and 0 elsewhere."""
        return replace(self.penalty, weight=weight * self.mask.to(torch.get_default_dtype()))

    def final_choice(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z with exactly the target number of largest selected weights, and their mask."""
        magnitude = torch.where(self.mask, z.abs(), -1.0)
        support = top_k_mask(magnitude, self._count(1 - self.target))
        return torch.where(support | ~self.mask, z, 0.0), support

    def zero_norm_weight(self, z: Tensor) -> float:
        """The weight for which hard thresholding at step 1 keeps just the target number of z."""
        return self._gap_middle(z, self._count(1 - self.target)) ** 2 / 2

    def _count(self, share: float) -> int:
        return max(round(share * int(self.mask.sum())), 1)

    def _gap_middle(self, v: Tensor, keep: int) -> float:
        """Halfway between the keep-th largest selected magnitude and the next."""
        magnitudes = v[self.mask].abs()
        if keep >= magnitudes.numel():
            return 0.0
        top = torch.topk(magnitudes, keep + 1).values
        return float(top[-1] + top[-2]) / 2

    def _weight(self, v: Tensor, keep: int, step_size: float) -> float:
        return weight_for_threshold(self.penalty, self._gap_middle(v, keep), step_size)


def weight_for_threshold(penalty: EvenPenalty, threshold: float, step_size: float) -> float:
    """The weight with which the penalty's prox of this step zeroes magnitudes up to `threshold` and no others."""
    from scipy.optimize import brentq

    if threshold <= 0:
        return 0.0

    def excess(log_weight: float) -> float:
        return replace(penalty, weight=math.exp(log_weight)).threshold(step_size) - threshold

    low = high = math.log(threshold**2 / (2 * step_size))  # the zero norm's answer
    while excess(low) > 0:
        low -= 1
    while excess(high) < 0:
        high += 1
    return math.exp(low if low == high else float(brentq(excess, low, high, xtol=1e-12)))


def _check(
    penalty: Any,
    target_sparsity: float,
    epochs: float,
    span: tuple[float, float],
    sigma: tuple[float, float],
    steps_per_update: int,
) -> None:
    if not isinstance(penalty, EvenPenalty) or not isinstance(penalty.weight, float):
        raise TypeError(
            f"prune: penalty must be ZeroNorm, L1, CappedL1, MCP or SCAD with a scalar weight, got {penalty!r}"
        )
    if not 0 <= target_sparsity < 1:
        raise ValueError(f"prune: target_sparsity must lie in [0, 1), got {target_sparsity}")
    if not epochs > 0 or steps_per_update < 1:
        raise ValueError(f"prune: needs epochs > 0 and steps_per_update >= 1, got {epochs} and {steps_per_update}")
    if len(span) != 2 or not 0 <= span[0] < span[1] <= 1:
        raise ValueError(f"prune: span must be two shares of the run, 0 <= begin < end <= 1, got {span}")
    if len(sigma) != 2 or not 0 < sigma[0] <= sigma[1]:
        raise ValueError(f"prune: sigma must be a rising pair of positive numbers, got {sigma}")
