"""What a training step costs more with pruning in it: LeNet-5, and an MLP of ten million weights.

    OMP_NUM_THREADS=1 python -m benchmarks.pruning_overhead [--out docs/results/pruning_overhead.json]

One step is forward, backward and the optimizer's, on a batch of 128, by `torch.utils.benchmark`: plain; with the
coupling, and a choice of z at every 50th step; with the support fixed. The three are run in turn, and medians are
compared. Goal: at most 1.10 of the plain step.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.benchmark import Timer

from parsimo.core.files import replace_when_written
from parsimo.neural import Sparse, compress, networks

BATCH, LONG = 128, 10**9
REPEATS = 9


def mlp() -> nn.Module:
    """784-2600-2600-500-10: 10.1 million weights."""
    sizes = (784, 2600, 2600, 500, 10)
    layers: list[nn.Module] = [nn.Flatten()]
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "LeNet-5": lambda: networks.build("lenet5", (1, 28, 28), 10, "relu"),
    "MLP of 10M": mlp,
}
PHASES = {"plain": None, "coupled": (0.0, 1.0), "fixed": (0.0, 1e-9)}


def step_of(network: str, phase: str) -> Callable[[], None]:
    """A training step in that phase."""
    torch.manual_seed(0)
    model = NETWORKS[network]()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    inputs, targets = torch.randn(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    span: Any = PHASES[phase]
    if span is not None:
        handle = compress(model, optimizer, {"*.weight": Sparse(budget=0.9)}, steps=LONG, span=span, every=50)
        handle.step = 0 if phase == "fixed" else LONG // 4  # where half of the weights are zeros

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()

    step()
    return step


def measure(network: str, steps: int) -> dict[str, Any]:
    """Seconds of a step in each phase, in turn."""
    timers = {phase: Timer("step()", globals={"step": step_of(network, phase)}) for phase in PHASES}
    taken: dict[str, list[float]] = {phase: [] for phase in PHASES}
    for _ in range(REPEATS):
        for phase, timer in timers.items():
            taken[phase].append(timer.timeit(steps).mean)
    ratios = {
        phase: statistics.median(a / b for a, b in zip(taken[phase], taken["plain"], strict=True)) for phase in PHASES
    }
    return {
        "network": network,
        "weights": sum(p.numel() for p in NETWORKS[network]().parameters() if p.ndim > 1),
        "plain_ms": round(1e3 * statistics.median(taken["plain"]), 2),
        "coupled": round(ratios["coupled"], 3),
        "fixed": round(ratios["fixed"], 3),
        "goal": 1.1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | weights | plain, ms | coupled | support fixed | goal |\n|---|---|---|---|---|---|")
    rows = [measure(network, steps) for network, steps in (("LeNet-5", 50), ("MLP of 10M", 50))]
    for row in rows:
        print(f"| {' | '.join(str(v) for v in row.values())} |")
    if options.out is not None:
        with replace_when_written(options.out) as temporary:
            temporary.write_text(json.dumps({"torch": torch.__version__, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
