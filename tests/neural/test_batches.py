"""Minibatches: every sample once an epoch, in an order that the seed decides."""

from __future__ import annotations

import pytest
import torch

from parsimo.neural.batches import TensorBatches

INPUTS = torch.arange(20.0).reshape(10, 2)
TARGETS = torch.arange(10)


def epoch(batches: TensorBatches) -> list[int]:
    return torch.cat([targets for _, targets in batches]).tolist()


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4, 4, 2]), (5, [5, 5]), (99, [10]), (1, [1] * 10)])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_sample_once_with_its_target(batch_size: int, sizes: list[int], shuffle: bool) -> None:
    batches = TensorBatches(INPUTS, TARGETS, batch_size, shuffle=shuffle)
    drawn = list(batches)
    assert [len(targets) for _, targets in drawn] == sizes
    assert len(batches) == len(sizes)
    assert all(torch.equal(inputs, INPUTS[targets]) for inputs, targets in drawn)
    assert sorted(epoch(batches)) == list(range(10))


def test_order_is_new_each_epoch_and_repeats_with_the_seed() -> None:
    first, second, other = (TensorBatches(INPUTS, TARGETS, 4, seed=seed) for seed in (3, 3, 4))
    orders = [epoch(first), epoch(first)]
    assert orders[0] != orders[1]
    torch.manual_seed(99)  # the global generator has no say
    assert [epoch(second), epoch(second)] == orders
    assert epoch(other) != orders[0]


def test_without_shuffle_the_order_stays() -> None:
    batches = TensorBatches(INPUTS, TARGETS, 4, shuffle=False)
    assert epoch(batches) == epoch(batches) == list(range(10))


@pytest.mark.parametrize(
    ("inputs", "targets", "batch_size", "error", "message"),
    [
        (INPUTS.numpy(), TARGETS, 4, TypeError, "inputs must be a torch.Tensor, got ndarray"),
        (INPUTS, [0] * 10, 4, TypeError, "targets must be a torch.Tensor, got list"),
        (INPUTS, TARGETS[:9], 4, ValueError, "10 inputs but 9 targets"),
        (INPUTS[:0], TARGETS[:0], 4, ValueError, r"inputs has shape \(0, 2\)"),
        (INPUTS, torch.tensor(1), 4, ValueError, r"targets has shape \(\)"),
        (INPUTS, TARGETS.to("meta"), 4, ValueError, "inputs are on cpu, targets on meta"),
        (INPUTS, TARGETS, 0, ValueError, "batch_size is 0"),
        (INPUTS, TARGETS, 2.0, TypeError, "batch_size must be an integer, got 2.0"),
        (INPUTS, TARGETS, True, TypeError, "batch_size must be an integer, got True"),
    ],
)
def test_bad_arguments(
    inputs: object, targets: object, batch_size: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        TensorBatches(inputs, targets, batch_size)  # type: ignore[arg-type]


def test_in_order_gives_the_samples_as_they_lie_and_leaves_the_generator_alone():
    inputs, targets = torch.arange(10.0).reshape(10, 1), torch.arange(10)
    shuffled, untouched = (TensorBatches(inputs, targets, 3, seed=4) for _ in range(2))
    (batch,) = shuffled.in_order()
    assert torch.equal(batch[0], inputs)
    for ours, theirs in zip(shuffled, untouched, strict=True):
        assert torch.equal(ours[1], theirs[1])
