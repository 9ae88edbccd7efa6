"""A tiny two-class problem that a small network learns in a second."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from parsimo.neural import TensorBatches


@pytest.fixture(autouse=True)
def _one_thread_one_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(240, 12, generator=generator)
    targets = (inputs[:, 0] * inputs[:, 1] + inputs[:, 2] > 0).long()
    return inputs, targets


@pytest.fixture
def network():
    return nn.Sequential(nn.Linear(12, 16), nn.Sigmoid(), nn.Linear(16, 2))


@pytest.fixture
def loader(data):
    return TensorBatches(*data, 40, seed=0)


def cross_entropy(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets)
