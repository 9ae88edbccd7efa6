"""Pruning LeNets on MNIST: P-ADMM on the surrogates against gradual magnitude pruning, at equal epochs.

    OMP_NUM_THREADS=1 python -m benchmarks.mnist_pruning --data-dir FOLDER [--network lenet300] [--activation relu]
        [--method zero-norm mcp scad capped-l1 l1 magnitude] [--target 0.985] [--seeds 5] [--epochs 50] [--validate]
        [--out docs/results/pruning]

All methods start from the same random weights, see the same batches in the same order, and take the same steps of AdamW
with the same learning rates. `--validate` trains on the first 55,000 images and gives the error on the last 5,000 of
the training set, by which every choice was made; without it all 60,000 are trained on, and the test set is used once,
at the end. A run that is in the folder already is not repeated; the table is made from the folder.

* zero-norm, mcp, scad, capped-l1, l1: P-ADMM through `parsimo.neural.compress`, by the prox of that penalty.
* magnitude: gradual magnitude pruning (Zhu and Gupta, arXiv 1710.01878): the smallest weights are set to 0 at the same
  steps, along the same cubic; nothing comes back.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

import parsimo as ps
from parsimo.core.files import replace_when_written
from parsimo.data.images import load_images
from parsimo.neural import Sparse, TensorBatches, compress, networks
from parsimo.neural.schedule import Schedule
from parsimo.neural.thresholds import Counts, thresholds

FLAT_POINT = 0.05
PENALTIES: dict[str, Any] = {
    "zero-norm": ps.ZeroNorm(1.0),
    "mcp": ps.MCP(1.0, FLAT_POINT),
    "scad": ps.SCAD(1.0, FLAT_POINT),
    "capped-l1": ps.CappedL1(1.0, FLAT_POINT),
    "l1": ps.L1(1.0),
}
METHODS = (*PENALTIES, "magnitude")
VALIDATION = 5000


@dataclass(frozen=True)
class Setting:
    """All that decides a run."""

    network: str
    activation: str
    method: str
    target: float
    epochs: int
    seed: int
    validate: bool
    batch: int = 128
    learning_rate: float = 1.2e-3
    weight_decay: float = 0.05
    sigma: tuple[float, float] = (1.0, 30.0)
    span: tuple[float, float] = (0.1, 0.6)
    every: int = 50

    @property
    def key(self) -> str:
        """The name of its record."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.network}-{self.activation}-{self.method}-{self.target}-{self.seed}-{digest}"


class Magnitude:
    """Gradual magnitude pruning, with the face of a handle."""

    def __init__(self, model: nn.Module, optimizer: Any, budget: float, schedule: Schedule) -> None:
        self.weights = [p for p in model.parameters() if p.ndim >= 2]
        self.masks = [torch.ones_like(p) for p in self.weights]
        self.budget, self.schedule, self.step = budget, schedule, 0
        optimizer.register_step_post_hook(self._after_step)

    @torch.no_grad()
    def _after_step(self, *_: Any) -> None:
        self.step += 1
        if self.schedule.is_due(self.step) or self.step == self.schedule.coupled:
            share = self.schedule.kept(self.step, self.budget)
            found = thresholds(self.weights, Counts([p.numel() for p in self.weights], share))
            self.masks = [(p.abs() > t).to(p.dtype) for p, t in zip(self.weights, found, strict=True)]
        torch._foreach_mul_(self.weights, self.masks)

    def finalize(self) -> None:
        """Nothing is left to do."""


def run(setting: Setting, data: Any) -> dict[str, Any]:
    """Train and prune once."""
    torch.manual_seed(setting.seed)
    inputs, targets = torch.as_tensor(data.train_inputs), torch.as_tensor(data.train_targets)
    held = torch.as_tensor(data.test_inputs), torch.as_tensor(data.test_targets)
    if setting.validate:
        inputs, targets, held = (
            inputs[:-VALIDATION],
            targets[:-VALIDATION],
            (inputs[-VALIDATION:], targets[-VALIDATION:]),
        )
    model = networks.build(setting.network, tuple(inputs.shape[1:]), 10, setting.activation)  # type: ignore[arg-type]
    batches = TensorBatches(inputs, targets, setting.batch, seed=setting.seed)
    steps = setting.epochs * len(batches)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=setting.learning_rate, weight_decay=setting.weight_decay, foreach=True
    )
    fixed = round(setting.span[1] * steps)  # constant until the support is fixed, then a half cosine

    def factor(k: int) -> float:
        return (1 + math.cos(math.pi * max(k - fixed, 0) / (steps - fixed))) / 2

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    handle: Any
    if setting.method == "magnitude":
        schedule = Schedule(steps, setting.span, setting.sigma, setting.every)
        handle = Magnitude(model, optimizer, setting.target, schedule)
    else:
        plan = {"*.weight": Sparse(PENALTIES[setting.method], setting.target)}
        guide = {"span": setting.span, "sigma": setting.sigma, "every": setting.every}
        handle = compress(model, optimizer, plan, steps=steps, **guide)
    begin = time.perf_counter()
    for _ in range(setting.epochs):
        model.train()
        for x, y in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    handle.finalize()
    seconds = time.perf_counter() - begin
    weights = {name: p for name, p in model.named_parameters() if p.ndim >= 2}
    return {
        **asdict(setting),
        "error": error(model, *held),
        "train_error": error(model, inputs, targets),
        "weights": sum(p.numel() for p in weights.values()),
        "nonzeros": {name: int(torch.count_nonzero(p)) for name, p in weights.items()},
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(seconds, 1),
        "torch": torch.__version__,
    }


def error(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> float:
    """Percent wrong."""
    model.eval()
    with torch.no_grad():
        wrong = sum(
            int((model(x).argmax(1) != y).sum()) for x, y in zip(inputs.split(2000), targets.split(2000), strict=True)
        )
    return 100 * wrong / len(targets)


def recorded(setting: Setting, folder: Path, data: Any) -> dict[str, Any]:
    """The record of a run, from the folder or made now."""
    path = folder / f"{setting.key}.json"
    if not path.exists():
        record = run(setting, data)
        folder.mkdir(parents=True, exist_ok=True)
        with replace_when_written(path) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n")
        print(f"{setting.key}: {record['error']:.2f} %, {record['seconds']:.0f} s", flush=True)
    return dict(json.loads(path.read_text()))


def row(records: list[dict[str, Any]]) -> str:
    """The line of a table, over seeds."""
    first, errors = records[0], [r["error"] for r in records]
    kept = sum(first["nonzeros"].values())
    cells = [
        f"{first['network']}, {first['activation']}",
        f"{100 * first['target']:.2f} %",
        first["method"],
        f"{kept:,}",
        f"{kept + first['parameters'] - first['weights']:,}",
        f"{statistics.mean(errors):.2f}",
        f"{max(errors):.2f}",
        f"{len(errors)}",
        f"{statistics.mean(r['train_error'] for r in records):.2f}",
        f"{statistics.mean(r['seconds'] for r in records):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data-dir", type=Path, required=True, help="folder with the four files of MNIST")
    arguments.add_argument("--network", choices=("lenet300", "lenet5"), default="lenet300")
    arguments.add_argument("--activation", choices=("relu", "sigmoid"), default="relu")
    arguments.add_argument("--method", nargs="+", choices=METHODS, default=["zero-norm", "magnitude"])
    arguments.add_argument("--target", type=float, nargs="+", default=[0.9743, 0.985, 0.99, 0.995])
    arguments.add_argument("--seeds", type=int, default=5, help="how many")
    arguments.add_argument("--first-seed", type=int, default=0)
    arguments.add_argument("--epochs", type=int, default=50)
    arguments.add_argument("--sigma", type=float, nargs=2, default=Setting.sigma)
    arguments.add_argument("--span", type=float, nargs=2, default=Setting.span)
    arguments.add_argument("--every", type=int, default=Setting.every)
    arguments.add_argument("--learning-rate", type=float, default=Setting.learning_rate)
    arguments.add_argument("--weight-decay", type=float, default=Setting.weight_decay)
    arguments.add_argument("--batch", type=int, default=Setting.batch)
    arguments.add_argument("--validate", action="store_true", help="error on the last 5,000 training images instead")
    arguments.add_argument("--out", type=Path, default=Path("docs/results/pruning"))
    options = arguments.parse_args()
    torch.set_num_threads(1)
    data = load_images("mnist", options.data_dir)
    guide = {"sigma": tuple(options.sigma), "span": tuple(options.span), "every": options.every}
    guide |= {"learning_rate": options.learning_rate, "batch": options.batch, "weight_decay": options.weight_decay}
    lines = []
    for target, method in itertools.product(options.target, options.method):
        settings = [
            Setting(
                options.network, options.activation, method, target, options.epochs, seed, options.validate, **guide
            )  # type: ignore[arg-type]
            for seed in range(options.first_seed, options.first_seed + options.seeds)
        ]
        lines.append(row([recorded(setting, options.out, data) for setting in settings]))
    of = "validation" if options.validate else "test"
    heads = ["network", "zeros", "method", "weights kept", "all parameters", f"{of} error %", "worst", "seeds"]
    print(f"\n| {' | '.join([*heads, 'training error %', 'seconds'])} |\n|{'---|' * 10}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
