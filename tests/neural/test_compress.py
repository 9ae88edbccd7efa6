"""Compression as a guest of a training loop: budgets are exact, zeros stay, and nothing else is touched."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch import nn

import parsimo as ps
from parsimo.neural import Sparse, TensorBatches, compress, prune
from parsimo.neural.thresholds import Counts, thresholds

LOSS = nn.functional.cross_entropy
PENALTIES = [ps.ZeroNorm(1.0), ps.L1(1.0), ps.CappedL1(1.0, 0.2), ps.MCP(1.0, 0.2), ps.SCAD(1.0, 0.2)]


def make(norm: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    between = [nn.BatchNorm1d(16)] if norm else []
    return nn.Sequential(nn.Linear(12, 16), *between, nn.ReLU(), nn.Linear(16, 2))


def loop(network: nn.Module, optimizer: Any, data: Any, steps: int, after: Any = lambda k: None) -> None:
    inputs, targets = data
    for k in range(steps):
        optimizer.zero_grad()
        LOSS(network(inputs), targets).backward()
        optimizer.step()
        after(k)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize(
    "settings", [{}, {"scope": "tensor"}, {"floor": 0.15}, {"cap": 0.25}, {"floor": 0.1, "cap": 0.5}], ids=str
)
def test_the_budget_is_met_exactly(data, penalty, settings):
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    handle = compress(network, optimizer, {"*.weight": Sparse(penalty, 0.8, **settings)}, steps=60, every=4)
    loop(network, optimizer, data, 60)
    report = handle.finalize()
    kept = [int(torch.count_nonzero(network[i].weight)) for i in (0, 3)]
    assert [layer.nonzeros for layer in report.layers] == kept
    if settings.get("scope") == "tensor":
        assert kept == [round(0.2 * 192), round(0.2 * 32)]
    else:
        assert sum(kept) == report.nonzeros == round(0.2 * 224)
    for layer in report.layers:
        assert math.ceil(settings.get("floor", 0) * layer.weights) <= layer.nonzeros
        assert layer.nonzeros <= max(math.floor(settings.get("cap", 1) * layer.weights), 1)
    assert not any(bool(torch.signbit(p[p == 0]).any()) for p in network.parameters())
    assert bool((network[1].weight != 0).all())  # scales of the normalization are no target
    assert report.others == 16 + 16 + 16 + 2


@pytest.mark.parametrize(
    "factory",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-2, nesterov=True),
        lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.1, amsgrad=True),
        lambda p: torch.optim.RMSprop(p, lr=1e-2, momentum=0.9),
    ],
    ids=["SGD", "AdamW", "RMSprop"],
)
def test_zeros_stay_with_any_optimizer_schedule_and_clipping(data, factory):
    network = make()
    optimizer = factory(network.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=60)
    handle = compress(network, optimizer, {nn.Linear: Sparse(ps.ZeroNorm(1.0), 0.75)}, steps=60, span=(0, 0.5), every=3)
    seen = []

    def after(k: int) -> None:
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        scheduler.step()
        if handle.is_fixed:
            seen.append(torch.cat([network[i].weight.detach().reshape(-1) == 0 for i in (0, 3)]))

    loop(network, optimizer, data, 60, after)
    assert len(seen) == 31
    assert all(torch.equal(zeros, seen[0]) for zeros in seen)
    assert int(seen[0].sum()) == round(0.75 * 224)


def test_mixed_precision_goes_along(data):
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu")
    handle = compress(network, optimizer, {"*.weight": Sparse(budget=0.9)}, steps=40, every=4)
    for _ in range(40):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = LOSS(network(data[0]), data[1])
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    assert handle.step == 40
    assert handle.finalize().nonzeros == round(0.1 * 224)


def test_a_step_that_a_scaler_skips_does_not_count(data):
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    handle = compress(network, optimizer, {"*.weight": Sparse()}, steps=40)
    scaler.scale(LOSS(network(data[0]), data[1]) * 1e10).backward()
    scaler.step(optimizer)
    assert handle.step == 0


def test_the_two_styles_are_one(data):
    """`prune` and a loop of one's own with the same batches end with the same network."""
    settings = {"span": (0.1, 0.6), "sigma": (1.0, 30.0)}
    pruned = make(norm=False)
    prune(
        pruned,
        TensorBatches(*data, 40, seed=0),
        LOSS,
        penalty=ps.MCP(1.0, 0.05),
        target_sparsity=0.8,
        learning_rate=1e-2,
        epochs=10,
        steps_per_update=5,
        **settings,
    )
    network, batches = make(norm=False), TensorBatches(*data, 40, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    handle = compress(network, optimizer, {"*.weight": Sparse(ps.MCP(1.0, 0.05), 0.8)}, steps=60, every=5, **settings)
    factor = lambda k: (1 + math.cos(math.pi * max(k - 36, 0) / 24)) / 2  # noqa: E731
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for _ in range(10):
        for inputs, targets in batches:
            optimizer.zero_grad()
            LOSS(network(inputs), targets).backward()
            optimizer.step()
            scheduler.step()
    handle.finalize()
    for mine, theirs in zip(network.parameters(), pruned.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_groups_of_the_optimizer_keep_their_learning_rates(data):
    """A group of rate 0 is not pulled, before the support is fixed."""
    network = make(norm=False)
    start = network[0].weight.detach().clone()
    optimizer = torch.optim.SGD(
        [{"params": network[0].parameters(), "lr": 0.0}, {"params": network[2].parameters()}], lr=0.1
    )
    compress(network, optimizer, {"*.weight": Sparse(ps.ZeroNorm(1.0), 0.9)}, steps=100, every=2)
    loop(network, optimizer, data, 50)
    assert torch.equal(network[0].weight, start)


def test_a_handle_goes_on_from_its_state(data):
    def run(split: int | None) -> nn.Module:
        network = make()
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
        handle = compress(network, optimizer, {"*.weight": Sparse(budget=0.8)}, steps=40, every=3)
        if split is not None:
            loop(network, optimizer, data, split)
            kept = (network.state_dict(), optimizer.state_dict(), handle.state_dict())
            network = make()
            optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
            handle = compress(network, optimizer, {"*.weight": Sparse(budget=0.8)}, steps=40, every=3)
            network.load_state_dict(kept[0])
            optimizer.load_state_dict(kept[1])
            handle.load_state_dict(kept[2])
        loop(network, optimizer, data, 40 - (split or 0))
        handle.finalize()
        return network

    whole = run(None)
    for split in (1, 10, 30):
        for mine, theirs in zip(run(split).parameters(), whole.parameters(), strict=True):
            assert torch.equal(mine, theirs), split


def test_finalize_lets_go_of_the_optimizer(data):
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    handle = compress(network, optimizer, {"*.weight": Sparse(budget=0.8)}, steps=1000)
    loop(network, optimizer, data, 5)
    report = handle.finalize()  # long before the schedule ends
    assert report.is_fixed
    assert report.nonzeros == round(0.2 * 224)
    assert handle.finalize() == report
    loop(network, optimizer, data, 1)
    assert handle.report().nonzeros > report.nonzeros


def test_a_report_says_of_what(data):
    network = make()
    optimizer = torch.optim.Adam(network.parameters())
    handle = compress(network, optimizer, {"3.weight": Sparse(budget=0.5)}, steps=10, every=2)
    report = handle.report()
    assert (report.weights, report.nonzeros, report.sparsity, report.is_fixed) == (32, 32, 0.0, False)
    loop(network, optimizer, data, 10)
    read = json.loads(handle.finalize().to_json())
    assert read["layers"][0] == {"name": "3.weight", "shape": [2, 16], "weights": 32, "nonzeros": 16, "sparsity": 0.5}
    assert read["others"] == sum(p.numel() for p in network.parameters()) - 32
    text = str(handle.report()).splitlines()
    assert "3.weight" in text[0]
    assert "50.00 % zeros" in text[1]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(8, 8), nn.Linear(8, 8)
        self.decoder.weight = self.encoder.weight


def test_tied_weights_are_one():
    network = Tied()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    assert compress(network, optimizer, {"*.weight": Sparse()}, steps=10).report().weights == 64
    assert compress(network, optimizer, {"decoder.weight": Sparse()}, steps=10).report().weights == 64


def test_frozen_parameters_are_passed_over():
    network = make()
    network[0].weight.requires_grad_(False)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    handle = compress(network, optimizer, {"*.weight": Sparse()}, steps=10)
    assert [layer.name for layer in handle.report().layers] == ["3.weight"]


def test_vectors_can_be_named():
    network = make()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    assert compress(network, optimizer, {"0.bias": Sparse(budget=0.5)}, steps=10).report().weights == 16


def test_nan_is_told(data):
    network = make()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    compress(network, optimizer, {"*.weight": Sparse()}, steps=10, every=2)
    with pytest.raises(FloatingPointError, match="weights are NaN"):
        loop(network, optimizer, (data[0] * math.nan, data[1]), 10)


ADAM = torch.optim.Adam


@pytest.mark.parametrize(
    ("plan", "error", "words"),
    [
        ({}, TypeError, "the plan must map patterns to Sparse"),
        ({"*.weight": 0.9}, TypeError, r"holds 0.9 for '\*.weight'; it must be Sparse"),
        ({3: Sparse()}, TypeError, "a key of the plan must be a pattern of names or a class of modules, got 3"),
        ({"conv*": Sparse()}, ValueError, "'conv*' matches no parameter; there are 0.weight, 0.bias"),
        ({nn.Conv2d: Sparse()}, ValueError, "Conv2d.* matches no parameter"),
        ({"*.bias": Sparse()}, ValueError, "matches only vectors, such as biases; name one in full"),
        ({"0.*": Sparse(), "*.weight": Sparse()}, ValueError, "0.weight is matched by '0.*' and by"),
    ],
)
def test_wrong_plans_are_told_before_the_first_step(plan, error, words):
    network = make()
    with pytest.raises(error, match=words.replace("*", r"\*") if "'" in words and "\\" not in words else words):
        compress(network, ADAM(network.parameters()), plan, steps=10)


@pytest.mark.parametrize(
    ("make_it", "error", "words"),
    [
        (lambda: Sparse(budget=1.0), ValueError, r"budget must lie in \[0, 1\), got 1.0"),
        (lambda: Sparse(budget=-0.1), ValueError, "budget must be a finite number >= 0"),
        (lambda: Sparse(scope="layer"), ValueError, "scope must be 'global' or 'tensor'"),
        (lambda: Sparse(floor=0.5, cap=0.4), ValueError, "0 <= floor < cap <= 1"),
        (lambda: Sparse(budget=0.95, floor=0.1), ValueError, "keeps a share of 0.05, but every tensor is to keep"),
        (lambda: Sparse(budget=0.5, cap=0.3), ValueError, "keeps a share of 0.5"),
        (lambda: Sparse(ps.Box(0, 1)), TypeError, "penalty must be ZeroNorm"),
        (lambda: Sparse(ps.L1(torch.ones(3))), TypeError, "scalar weight"),
        (lambda: compress(make(), ADAM, {"*.weight": Sparse()}, steps=10), TypeError, "optimizer must be a torch"),
        (
            lambda: compress(make(), ADAM(make().parameters()), {"*.weight": Sparse()}, steps=10),
            ValueError,
            "0.weight is not among the parameters of the optimizer; pass it to both",
        ),
    ],
)
def test_wrong_arguments_are_told(make_it, error, words):
    with pytest.raises(error, match=words):
        make_it()


@pytest.mark.parametrize(("field", "value", "words"), [
    ("steps", 0, "steps must be an integer >= 1"),
    ("steps", 2.5, "steps must be an integer >= 1"),
    ("every", 0, "every must be an integer >= 1"),
    ("span", (0.6, 0.1), "span must be two shares"),
    ("sigma", (3.0, 1.0), "rising pair"),
])  # fmt: skip
def test_wrong_schedules_are_told(field, value, words):
    network = make()
    with pytest.raises(ValueError, match=words):
        compress(network, ADAM(network.parameters()), {"*.weight": Sparse()}, **({"steps": 10} | {field: value}))


def test_a_state_of_another_network_is_refused():
    network, other = make(), nn.Sequential(nn.Linear(3, 2))
    handle = compress(network, ADAM(network.parameters()), {"*.weight": Sparse()}, steps=10)
    small = compress(other, ADAM(other.parameters()), {"*.weight": Sparse()}, steps=10)
    with pytest.raises(ValueError, match="the state holds tensors of shapes"):
        handle.load_state_dict(small.state_dict())


@pytest.mark.parametrize("seed", range(20))
def test_thresholds_keep_as_many_as_they_should(seed):
    """Against a search over all magnitudes: the largest, each tensor's floor first, none beyond its cap."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 30, (int(torch.randint(1, 5, (1,), generator=generator)),), generator=generator).tolist()
    tensors = [torch.randn(n, generator=generator) * 10 ** float(torch.randn(1, generator=generator)) for n in sizes]
    share, floor = float(torch.rand(1, generator=generator)), 0.1 * seed / 20
    cap = max(floor + 0.05, float(torch.rand(1, generator=generator)))
    counts = Counts(sizes, share, floor, cap)
    kept = [int((v.abs() > t).sum()) for v, t in zip(tensors, thresholds(tensors, counts), strict=True)]
    left = counts.total - sum(counts.floors)
    ranked = [v.abs().sort(descending=True).values.tolist() for v in tensors]
    entries = [(ranked[i][j], i) for i in range(len(sizes)) for j in range(counts.floors[i], counts.caps[i])]
    best = [list(counts.floors)[i] for i in range(len(sizes))]
    for _, i in sorted(entries, reverse=True)[:left]:
        best[i] += 1
    assert kept == best
