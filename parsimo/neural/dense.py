"""Plain training, the starting point of compression."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from parsimo.core.functions import Zero
from parsimo.core.problem import Composite
from parsimo.neural.minibatch import MinibatchTraining, per_phase
from parsimo.neural.outcome import Outcome, conclude
from parsimo.neural.smooth import Loss, TorchSmooth
from parsimo.neural.training import Trainer, check_loader
from parsimo.solvers.loop import Observer, run
from parsimo.solvers.stopping import max_iterations

__all__ = ["train"]


def train(
    model: nn.Module,
    train_loader: Iterable[tuple[Any, Tensor]],
    loss_fn: Loss,
    *,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    learning_rate: float = 1.2e-3,
    epochs: float = 10,
    steps_per_report: int = 50,
    observe: Iterable[Observer] = (),
) -> Outcome:
    """Minimize the loss by minibatch steps, with the stopping, the history and the certificate of everything else.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    train_loader : iterable of (inputs, targets) with a length
    loss_fn : callable
        Of (outputs, targets), the mean over a batch.
    optimizer : callable
        Such as `torch.optim.Adam`, called with parameters and `lr`.
    learning_rate : float
        Positive; falls to 0 along a half cosine.
    epochs : float
        Passes over the loader.
    steps_per_report : int
        Minibatch steps between two rows of the history.
    observe : iterable of Observer

    Returns
    -------
    Outcome
        Its certificate is |grad f| on all training data; if the loss turned NaN, the best parameters are kept and
        the status is NONFINITE.
    """
    check_loader(train_loader)
    if not epochs > 0 or steps_per_report < 1:
        raise ValueError(
            f"train: needs epochs > 0 and steps_per_report >= 1, got epochs={epochs}, "
            f"steps_per_report={steps_per_report}"
        )
    reports = max(round(epochs * len(train_loader) / steps_per_report), 1)  # type: ignore[arg-type]
    trainer = Trainer(
        model,
        train_loader,
        loss_fn,
        optimizer=optimizer,
        learning_rate=learning_rate,
        decay_steps=reports * steps_per_report,
    )
    result = run(
        MinibatchTraining(trainer, steps_per_report),
        Composite(TorchSmooth(model, train_loader, loss_fn), Zero()),
        trainer.flat.clone(),
        stop=max_iterations(reports),
        observe=observe,
        every=per_phase(reports),
    )
    return conclude(model, trainer, [result])
