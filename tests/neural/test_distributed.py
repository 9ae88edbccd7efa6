"""Under DistributedDataParallel every rank ends with the same network, which is that of one process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = """
import os, sys, time, torch
import torch.distributed as dist
from torch import nn
from safetensors.torch import save_file
import parsimo as ps
from parsimo.neural import Sparse, compress

torch.set_num_threads(1)
out, world, rank = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if world > 1:
    dist.init_process_group("gloo", init_method=f"file://{out}-meeting", world_size=world, rank=rank)
torch.manual_seed(0)
inputs = torch.randn(240, 12, dtype=torch.float64)
targets = (inputs[:, 0] * inputs[:, 1] + inputs[:, 2] > 0).long()
network = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 2)).double()
model = nn.parallel.DistributedDataParallel(network) if world > 1 else network
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
plan = {"*.weight": Sparse(ps.MCP(1.0, 0.05), budget=0.8, floor=0.05)}
handle = compress(model, optimizer, plan, steps=80, every=5)
share = slice(rank * 240 // world, (rank + 1) * 240 // world)
for _ in range(80):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(inputs[share]), targets[share]).backward()
    optimizer.step()
report = handle.finalize()
save_file({"report": torch.tensor(report.nonzeros), **network.state_dict()}, f"{out}-{rank}.safetensors")
# gloo's threads may abort where one rank leaves before the others: all wait, and leave without taking anything down
while not all(os.path.exists(f"{out}-{each}.safetensors") for each in range(world)):
    time.sleep(0.01)
os._exit(0)
"""


def run(tmp_path, world: int) -> list[dict[str, torch.Tensor]]:
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(SCRIPT))
    out = tmp_path / f"of{world}"
    # a file to meet at and the loopback device: no port to choose, no name to resolve
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(script), str(out), str(world), str(rank)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(world)
    ]
    try:
        said = [process.communicate(timeout=300)[0] for process in ranks]
    finally:
        for process in ranks:  # one that fails leaves the others waiting
            process.kill()
    assert all(process.returncode == 0 for process in ranks), "\n".join(said)
    return [load_file(f"{out}-{rank}.safetensors") for rank in range(world)]


@pytest.mark.parametrize("world", [2, 3])
def test_all_ranks_end_with_the_network_of_one_process(tmp_path, world):
    (alone,) = run(tmp_path, 1)
    assert int(alone["report"]) == round(0.2 * 336)
    ranks = run(tmp_path, world)
    for state in ranks:
        for name in alone:
            if name == "report":
                assert state[name] == alone[name]
            else:
                assert torch.equal(state[name], ranks[0][name]), name
                torch.testing.assert_close(state[name], alone[name], rtol=1e-6, atol=1e-9)
                assert torch.equal(state[name] == 0, alone[name] == 0), name
