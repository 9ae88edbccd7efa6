"""Quantization by P-ADMM: the clustering problem of a network, followed until every weight is a representative."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from parsimo._array import to_numpy
from parsimo.core.problem import Composite
from parsimo.neural.minibatch import MinibatchADMM, MinibatchTraining, MinibatchXStep, per_phase
from parsimo.neural.outcome import Outcome, conclude
from parsimo.neural.smooth import FlatView, Loss, Selector, TorchSmooth, weights_only
from parsimo.neural.structures import FixedCodes, FixedSupport
from parsimo.neural.training import Trainer, check_loader
from parsimo.penalties import Clustering
from parsimo.penalties.clustering import Distance
from parsimo.problems import ClusteringProblem
from parsimo.solvers.continuation import Continuation
from parsimo.solvers.loop import Observer, run
from parsimo.solvers.stopping import Report, max_iterations

__all__ = ["quantize"]

_SQUARED_PULLS = (0.1, 1e3)  # step * weight of the squared distance, at the start and the end
_EXACT_FROM = 0.3  # of the coupled phase: from here on the weight puts every coordinate on a representative


def quantize(
    model: nn.Module,
    train_loader: Iterable[tuple[Any, Tensor]],
    loss_fn: Loss,
    *,
    k: int = 8,
    distance: Distance = "absolute",
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    learning_rate: float = 3e-4,
    codebook_learning_rate: float = 2e-5,
    epochs: float = 20,
    coupled_share: float = 0.65,
    sigma: tuple[float, float] = (1.0, 60.0),
    steps_per_update: int = 50,
    select: Selector = weights_only,
    observe: Iterable[Observer] = (),
) -> Outcome:
    """Minimize loss + clustering penalty by P-ADMM until each selected layer has at most `k` distinct values.

    For the first part of the epochs, z-steps (the clustering prox, which moves the representatives too), minibatch
    x-steps and multiplier steps alternate, the penalty's weight rising until every weight sits on a representative.
    Then assignments are fixed, and representatives and free parameters are trained. Exact zeros of the model stay
    exact zeros, and count as one of the k values. The certificate is evaluated on all of `train_loader` at the end.

    Parameters
    ----------
    model : torch.nn.Module
        Trained, and perhaps pruned; changed in place. Its parameters become views of one vector.
    train_loader : iterable of (inputs, targets) with a length
    loss_fn : callable
        Of (outputs, targets), the mean over a batch.
    k : int
        At least 2: distinct values in each selected layer, zero included where a layer holds exact zeros.
    distance : {"absolute", "squared"}
        With the absolute distance the prox itself puts weights on representatives; with the squared one the last
        step rounds, and a note says how far.
    optimizer : callable
        Such as `torch.optim.Adam`, called with parameters and `lr`.
    learning_rate, codebook_learning_rate : float
        Of the two phases; each falls to 0 along a half cosine. A representative moves many weights at once: its rate
        must be small.
    epochs : float
        Passes over the loader, in total.
    coupled_share : float
        The share of the epochs, in (0, 1], spent on P-ADMM.
    sigma : pair of float
        Coupling at the start and the end, growing geometrically.
    steps_per_update : int
        Minibatch steps of one x-step.
    select : Selector
        (name, parameter) -> whether to quantize it; by default parameters of two and more dimensions.
    observe : iterable of Observer
        Called after every z-, x-, y-step.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of the wrong kind, or a layer has fewer than k distinct values already.

    Notes
    -----
    docs/networks.md, 3.
    """
    _check(k, epochs, coupled_share, sigma, steps_per_update)
    total = max(round(epochs * _length(train_loader) / steps_per_update), 2)
    coupled_steps = min(max(round(coupled_share * total), 1), total)
    trainer = Trainer(
        model,
        train_loader,
        loss_fn,
        optimizer=optimizer,
        learning_rate=learning_rate,
        decay_steps=coupled_steps * steps_per_update,
        select=select,
    )
    layers = Layers.of(trainer.view, trainer.flat, k)
    f = TorchSmooth(model, train_loader, loss_fn, select=select, support=~layers.outside)
    problem = ClusteringProblem(f, 0.0, layers.representatives, distance, blocks=layers.blocks)
    x_step = MinibatchXStep(trainer, steps_per_update, FixedSupport(layers.outside))
    path = ClusteringPath(sigma, coupled_steps)

    def largest_distance(report: Report) -> dict[str, float]:
        return {"largest distance": problem.largest_distance(report.x, report.state.u)}

    coupled = run(
        Continuation(MinibatchADMM(sigma=sigma[0], x_step=x_step), path),
        problem,
        trainer.flat.clone(),
        stop=max_iterations(coupled_steps),
        observe=[largest_distance, *observe],
        every=per_phase(coupled_steps),
    )
    gap = problem.largest_distance(coupled.x, coupled.auxiliary)
    x = problem.quantize(coupled.x, coupled.auxiliary)
    tied = replace(problem, weight=path.last_weight).given(coupled.auxiliary)
    fixed_steps = total - coupled_steps
    codebook_trainer = Trainer(
        model,
        train_loader,
        loss_fn,
        optimizer=optimizer,
        learning_rate=codebook_learning_rate,
        decay_steps=fixed_steps * steps_per_update,
        select=select,
    )
    codes = [torch.as_tensor(p.codes, device=x.device) for p in coupled.auxiliary]
    final = run(
        MinibatchTraining(codebook_trainer, steps_per_update, FixedCodes(layers.blocks, codes, layers.outside)),
        Composite(f, tied),
        x,
        stop=max_iterations(0 if coupled.status.cut_short else fixed_steps),
        observe=observe,
        every=per_phase(fixed_steps),
    )
    exactly = "exactly quantized: every weight was on a representative before the assignments were fixed"
    rounded = f"rounded: the largest distance to a representative was {gap:.3g} when the assignments were fixed"
    return conclude(model, codebook_trainer, [coupled, final], notes=(exactly if gap == 0 else rounded,))


@dataclass(frozen=True, eq=False)
class Layers:
    """What is clustered: the nonzero weights of each selected layer."""

    blocks: Sequence[Any]
    """Coordinates of each codebook: a slice, or indices where the layer holds exact zeros."""
    outside: Tensor
    """True at selected weights that are exactly zero and stay so."""
    representatives: int
    """Of each codebook: k, or k - 1 where zeros take one value."""

    @classmethod
    def of(cls, view: FlatView, x: Tensor, k: int) -> Layers:
        """Refuses a layer with fewer distinct values than k."""
        outside = view.mask & (x == 0)
        blocks: list[Any] = []
        for name, block in view.blocks.items():
            distinct = torch.unique(x[block]).numel()
            if distinct < k:
                raise ValueError(
                    f"quantize: k = {k}, but {name} has only {distinct} distinct values; lower k, or leave the layer "
                    "out with `select`"
                )
            kept = torch.nonzero(~outside[block]).reshape(-1) + block.start
            blocks.append(block if kept.numel() == block.stop - block.start else kept)
        return cls(blocks, outside, k - 1 if bool(outside.any()) else k)


@dataclass(eq=False)
class ClusteringPath:
    """The path that the continuation follows: weight and sigma for each step.

    With the absolute distance the weight is the one whose prox puts a given share of the weights on their
    representatives; the share rises linearly to 1. With the squared one it grows geometrically.
    """

    sigma: tuple[float, float]
    steps: int
    last_weight: float = 0.0
    """The weight of the last step taken."""

    def __call__(self, k: int, problem: Any, state: Any) -> tuple[Any, Any, Any]:
        """Solver, problem and state for step k."""
        progress = (k + 1) / self.steps
        sigma = self.sigma[0] * (self.sigma[1] / self.sigma[0]) ** progress
        share = min(progress / _EXACT_FROM, 1.0)
        if problem.distance == "absolute":
            pull = _reach(problem, state.x + state.y / sigma, state.u, share)
        else:
            pull = _SQUARED_PULLS[0] * (_SQUARED_PULLS[1] / _SQUARED_PULLS[0]) ** share
        self.last_weight = sigma * pull
        solver = MinibatchADMM(sigma=sigma, x_step=state.x_step)
        return solver, replace(problem, weight=self.last_weight), replace(state, sigma=sigma)


def _reach(problem: ClusteringProblem, v: Tensor, u: Any, share: float) -> float:
    """The distance within which a given share of v lies from its representatives; with room to spare for all of it."""
    distances = torch.cat(
        [Clustering(1.0, p.codebook).distances(v[block]) for block, p in zip(problem.blocks, u, strict=True)]
    )
    if share >= 1:  # the representatives move in the step that follows, by less than this
        return 2 * float(distances.max())
    return float(to_numpy(distances.sort().values)[int(share * (distances.numel() - 1))])


def _length(loader: Any) -> int:
    check_loader(loader)
    return len(loader)


def _check(k: int, epochs: float, coupled_share: float, sigma: tuple[float, float], steps_per_update: int) -> None:
    if k < 2:
        raise ValueError(f"quantize: k must be at least 2, got {k}")
    if not epochs > 0 or not 0 < coupled_share <= 1 or steps_per_update < 1:
        raise ValueError(
            f"quantize: needs epochs > 0, 0 < coupled_share <= 1 and steps_per_update >= 1, got epochs={epochs}, "
            f"coupled_share={coupled_share}, steps_per_update={steps_per_update}"
        )
    if len(sigma) != 2 or not 0 < sigma[0] <= sigma[1]:
        raise ValueError(f"quantize: sigma must be a rising pair of positive numbers, got {sigma}")
