"""Pruning: exact sparsity, exact zeros, honest statuses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import parsimo as ps
from parsimo.neural import TorchSmooth, load, prune, train
from parsimo.neural.structures import Coupled, FixedSupport, Free
from parsimo.neural.thresholds import weight_for_threshold

LOSS = nn.functional.cross_entropy
WEIGHTS = 12 * 16 + 16 * 2
PENALTIES = [
    ps.ZeroNorm(1.0),
    ps.L1(1.0),
    ps.CappedL1(1.0, 0.2),
    ps.MCP(1.0, 0.2),
    ps.SCAD(1.0, 0.2),
]
QUICK = {"epochs": 6, "steps_per_update": 3, "learning_rate": 1e-2}


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("target", [0.5, 0.9])
def test_target_is_hit_exactly_and_zeros_are_exact(network, loader, penalty, target):
    outcome = prune(network, loader, LOSS, penalty=penalty, target_sparsity=target, **QUICK)
    nonzeros = sum(int(torch.count_nonzero(network[i].weight)) for i in (0, 2))
    assert outcome.nonzeros == nonzeros == round((1 - target) * WEIGHTS)
    assert outcome.weights == WEIGHTS
    zeros = torch.cat([network[i].weight.detach().reshape(-1) for i in (0, 2)])
    assert not bool(torch.signbit(zeros[zeros == 0]).any())  # a -0.0 would be stored as a value
    assert bool((network[0].bias != 0).any())
    assert outcome.status is ps.Status.MAX_ITERATIONS  # a budget of epochs proves nothing
    assert math.isfinite(outcome.certificate)


def test_certificate_is_the_gradient_on_the_support(network, loader, data):
    outcome = prune(network, loader, LOSS, target_sparsity=0.8, **QUICK)
    f = TorchSmooth(network, [data], LOSS)
    x = f.start()
    active = (x != 0) | (f.mask == 0)
    assert outcome.certificate == pytest.approx(float(f.grad(x)[active].norm()), rel=1e-3)


def test_pruning_learns_and_beats_no_training(network, loader, data):
    train(network, loader, LOSS, epochs=60, learning_rate=2e-2, steps_per_report=6)
    outcome = prune(network, loader, LOSS, target_sparsity=0.8, epochs=60, steps_per_update=6, learning_rate=1e-2)
    error = float((network(data[0]).argmax(1) != data[1]).double().mean())
    assert error < 0.15
    assert outcome.history["sigma"][1] < max(v for v in outcome.history["sigma"] if v == v)
    assert set(outcome.history["phase"]) == {0.0, 1.0}


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_zeros_survive_any_optimizer(network, loader, optimizer):
    def factory(parameters, lr):
        extra = {"momentum": 0.9, "weight_decay": 1e-2} if optimizer is torch.optim.SGD else {"weight_decay": 1e-2}
        return optimizer(parameters, lr=lr, **extra)

    outcome = prune(network, loader, LOSS, optimizer=factory, target_sparsity=0.75, **QUICK)
    assert outcome.nonzeros == round(0.25 * WEIGHTS)


def test_same_seed_same_network(data):
    from parsimo.neural import TensorBatches

    outcomes = []
    for _ in range(2):
        torch.manual_seed(5)
        network = nn.Sequential(nn.Linear(12, 16), nn.Sigmoid(), nn.Linear(16, 2))
        prune(network, TensorBatches(*data, 40, seed=3), LOSS, target_sparsity=0.9, **QUICK)
        outcomes.append(network.state_dict())
    assert all(torch.equal(outcomes[0][name], outcomes[1][name]) for name in outcomes[0])


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("step_size", [0.03, 1.0, 30.0])
@pytest.mark.parametrize("threshold", [0.01, 0.2, 3.0])
def test_weight_for_threshold_zeroes_up_to_it_and_no_further(penalty, step_size, threshold):
    from dataclasses import replace

    weighted = replace(penalty, weight=weight_for_threshold(penalty, threshold, step_size))
    v = torch.tensor([0.999, 1.001], dtype=torch.float64) * threshold
    below, above = weighted.prox(v, step_size)
    assert float(below) == 0
    assert float(above) != 0


def test_coupling_is_the_proximal_step_and_leaves_free_coordinates():
    x = torch.tensor([1.0, 1.0])
    mask = torch.tensor([True, False])
    Coupled(torch.tensor([3.0, 3.0]), 4.0, mask, Free()).after_step(x, 0.5)
    assert x.tolist() == pytest.approx([(1 + 2 * 3) / 3, 1.0])  # (x + lr sigma anchor) / (1 + lr sigma)
    FixedSupport(torch.tensor([False, True])).after_step(x, 0.5)
    assert x[1] == 0


def test_nan_loss_keeps_finite_parameters(network, loader):
    calls = []

    def loss(outputs, targets):
        calls.append(1)
        return LOSS(outputs, targets) * (math.nan if len(calls) > 40 else 1.0)

    outcome = prune(network, loader, loss, target_sparsity=0.5, **QUICK)
    assert outcome.status is ps.Status.NONFINITE
    assert all(bool(torch.isfinite(p).all()) for p in network.parameters())
    assert "NaN" in str(outcome)


def test_interrupt_keeps_what_was_computed(network, loader):
    def interrupt(report):
        if report.iteration == 4:
            raise KeyboardInterrupt

    outcome = prune(network, loader, LOSS, target_sparsity=0.5, observe=[interrupt], **QUICK)
    assert outcome.status is ps.Status.INTERRUPTED
    assert all(bool(torch.isfinite(p).all()) for p in network.parameters())


def test_saved_network_predicts_bit_for_bit(network, loader, data, tmp_path):
    outcome = prune(network, loader, LOSS, target_sparsity=0.9, **QUICK)
    size = outcome.save(tmp_path / "model.parsimo")
    assert size == (tmp_path / "model.parsimo").stat().st_size
    fresh = nn.Sequential(nn.Linear(12, 16), nn.Sigmoid(), nn.Linear(16, 2))
    assert torch.equal(load(tmp_path / "model.parsimo", into=fresh)(data[0]), network(data[0]))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"target_sparsity": 1.0}, ValueError, r"target_sparsity must lie in \[0, 1\)"),
        ({"target_sparsity": -0.1}, ValueError, "target_sparsity"),
        ({"epochs": 0}, ValueError, "epochs > 0"),
        ({"span": (0.6, 0.1)}, ValueError, "span must be two shares"),
        ({"sigma": (3.0, 1.0)}, ValueError, "rising pair"),
        ({"penalty": ps.Box(0, 1)}, TypeError, "penalty must be"),
        ({"penalty": ps.ZeroNorm(torch.ones(3))}, TypeError, "scalar weight"),
        ({"optimizer": torch.optim.SGD([torch.zeros(1)], lr=0.1)}, TypeError, "class or factory"),
    ],
)
def test_bad_arguments(network, loader, change, error, words):
    with pytest.raises(error, match=words):
        prune(network, loader, LOSS, **(QUICK | change))


def test_bad_loaders(network):
    with pytest.raises(TypeError, match="length"):
        prune(network, iter([]), LOSS)
    with pytest.raises(ValueError, match="no batch"):
        prune(network, [], LOSS)


def test_batch_norm_buffers_stay_finite_when_the_loss_turns_nan(loader):
    network = nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
    outcome = prune(
        network, loader, lambda o, t: LOSS(o, t) * 1e30, optimizer=torch.optim.SGD, target_sparsity=0.5, **QUICK
    )
    assert outcome.status is ps.Status.NONFINITE
    assert all(bool(torch.isfinite(t).all()) for t in network.state_dict().values())


class Named(nn.Module):
    """A network that takes a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 2)

    def forward(self, batch):
        return self.layer(batch["features"])


def test_loaders_that_give_dicts(data):
    batches = [{"features": data[0][i::6], "labels": data[1][i::6]} for i in range(6)]
    with pytest.raises(TypeError, match=r"must give pairs .* got a dict with features, labels; inputs may be a dict"):
        prune(Named(), batches, LOSS, **QUICK)
    outcome = prune(Named(), [(batch, batch["labels"]) for batch in batches], LOSS, target_sparsity=0.5, **QUICK)
    assert outcome.nonzeros == 12
