"""Long runs survive: the network of an interrupted and resumed run is that of one run, bit for bit."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import parsimo as ps
from parsimo.neural import Checkpoints, TensorBatches, prune
from parsimo.neural.checkpoints import read_checkpoint, write_checkpoint

LOSS = nn.functional.cross_entropy
QUICK: dict[str, Any] = {"epochs": 10, "steps_per_update": 4, "learning_rate": 1e-2, "target_sparsity": 0.8}


def network() -> nn.Module:
    torch.manual_seed(3)
    parts = (nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    return nn.Sequential(*parts)


def batches(data: Any, kind: str) -> Any:
    if kind == "tensors":
        return TensorBatches(*data, 40, seed=0)
    generator = torch.Generator().manual_seed(4) if kind == "loader with a generator" else None
    return DataLoader(TensorDataset(*data), 40, shuffle=True, generator=generator)


def interrupt_at(iteration: int, phase: int) -> Any:
    """An observer that stops a run as Ctrl-C does."""
    seen = [0]

    def observe(report: Any) -> None:
        seen[0] += report.iteration == 0
        if report.iteration == iteration and seen[0] == phase:
            raise KeyboardInterrupt

    return observe


@pytest.mark.parametrize("kind", ["tensors", "loader", "loader with a generator"])
@pytest.mark.parametrize(("iteration", "phase"), [(3, 1), (6, 1), (5, 2)])
def test_a_resumed_run_is_the_same_bit_for_bit(data, tmp_path, kind, iteration, phase):
    whole = network()
    outcome = prune(whole, batches(data, kind), LOSS, **QUICK)
    keeping = Checkpoints(tmp_path, every=2)
    first = network()
    cut = prune(
        first, batches(data, kind), LOSS, observe=[interrupt_at(iteration, phase)], checkpoints=keeping, **QUICK
    )
    assert cut.status is ps.Status.INTERRUPTED
    assert 1 <= len(list(tmp_path.iterdir())) <= 2
    second = network()
    resumed = prune(second, batches(data, kind), LOSS, checkpoints=keeping, **QUICK)
    assert any("went on from a checkpoint after" in note for note in resumed.notes)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor), name
    assert resumed.certificate == outcome.certificate


def test_a_run_that_is_killed_goes_on(tmp_path):
    """kill -9 in the middle; a third process without an interruption says what should come out."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent("""
        import sys, time, torch
        from torch import nn
        from parsimo.neural import Checkpoints, TensorBatches, prune
        torch.set_num_threads(1)
        torch.manual_seed(0)
        inputs = torch.randn(200, 12); targets = (inputs[:, 0] > 0).long()
        model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 2))
        checkpoints = Checkpoints(sys.argv[1], every=1) if sys.argv[1] else None
        slowly = [lambda report: time.sleep(0.05)] if sys.argv[3] == "slowly" else []
        outcome = prune(model, TensorBatches(inputs, targets, 20, seed=0), nn.functional.cross_entropy,
                        epochs=20, steps_per_update=5, target_sparsity=0.8, checkpoints=checkpoints, observe=slowly)
        outcome.save(sys.argv[2])
        """)
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def command(folder: str, out: str, pace: str) -> list[str]:
        return [sys.executable, str(script), folder, str(tmp_path / out), pace]

    killed = subprocess.Popen(command(str(tmp_path / "kept"), "killed", "slowly"), env=environment)
    while len(list((tmp_path / "kept").glob("checkpoint-*9.safetensors"))) == 0:
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed").exists()
    subprocess.run(command(str(tmp_path / "kept"), "resumed", "fast"), env=environment, check=True)
    subprocess.run(command("", "whole", "fast"), env=environment, check=True)
    assert (tmp_path / "resumed").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_damaged_checkpoint_gives_way_to_the_one_before(data, tmp_path):
    keeping = Checkpoints(tmp_path, every=2)
    prune(network(), batches(data, "tensors"), LOSS, observe=[interrupt_at(7, 1)], checkpoints=keeping, **QUICK)
    last = sorted(tmp_path.iterdir())[-1]
    content = bytearray(last.read_bytes())
    content[-9] ^= 1
    last.write_bytes(content)
    resumed = network()
    outcome = prune(resumed, batches(data, "tensors"), LOSS, checkpoints=keeping, **QUICK)
    assert any(f"{last} is no whole checkpoint (its checksum is not" in note for note in outcome.notes)
    whole = network()
    prune(whole, batches(data, "tensors"), LOSS, **QUICK)
    assert all(torch.equal(a, b) for a, b in zip(resumed.parameters(), whole.parameters(), strict=True))


def test_settings_of_another_run_are_told(data, tmp_path):
    keeping = Checkpoints(tmp_path, every=2)
    prune(network(), batches(data, "tensors"), LOSS, observe=[interrupt_at(7, 1)], checkpoints=keeping, **QUICK)
    with pytest.raises(ValueError, match=r"is of another run: target_sparsity = 0\.8 there, 0\.7 here; use another"):
        prune(network(), batches(data, "tensors"), LOSS, checkpoints=keeping, **(QUICK | {"target_sparsity": 0.7}))


STATE = {
    "numbers": [1, 2.5, math.inf, True, None, "text"],
    "nested": {0: {"a": torch.arange(3)}, 7: {}},
    "tensors": [torch.zeros(0), torch.tensor(2.5), torch.randn(3, 4).T, torch.arange(5, dtype=torch.uint8)],
}


def test_what_is_read_is_what_was_written(tmp_path):
    write_checkpoint(tmp_path / "c.safetensors", STATE)
    read = read_checkpoint(tmp_path / "c.safetensors")
    assert read["numbers"] == STATE["numbers"]
    assert torch.equal(read["nested"][0]["a"], torch.arange(3))
    assert read["nested"][7] == {}
    for mine, theirs in zip(read["tensors"], STATE["tensors"], strict=True):
        assert mine.dtype == theirs.dtype
        assert torch.equal(mine, theirs)


def test_every_changed_byte_is_seen(tmp_path):
    path: Path = tmp_path / "c.safetensors"
    write_checkpoint(path, {"x": torch.arange(4.0), "step": 3})
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is no whole checkpoint"):
            read_checkpoint(path)
    path.write_bytes(content[:-3])
    with pytest.raises(ValueError, match="is no whole checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("change", [{"every": 0}, {"kept": 0}, {"every": 1.5}])
def test_wrong_numbers_are_told(change):
    with pytest.raises(ValueError, match="must be an integer >= 1"):
        Checkpoints("folder", **change)
