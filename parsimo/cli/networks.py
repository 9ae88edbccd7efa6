"""parsimo prune, parsimo quantize and parsimo demo: networks on image data."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from parsimo.cli.console import console, one_line_errors, progress, show_table, write_report
from parsimo.data import ImageData, load_images

__all__ = ["demo", "prune", "quantize"]

DataOption = Annotated[str, typer.Option("--data", help="digits, mnist, cifar10, or an .npz file with X and y.")]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the data files; without it they are fetched from OpenML.")
]
NetworkOption = Annotated[str, typer.Option("--network", help="mlp, lenet300, lenet5 or convnet.")]
ActivationOption = Annotated[str, typer.Option("--activation", help="sigmoid or relu.")]
EpochsOption = Annotated[float, typer.Option("--epochs", help="Passes over the data spent on compression.")]
DenseEpochsOption = Annotated[float, typer.Option("--dense-epochs", help="Passes spent on dense training before.")]
BatchOption = Annotated[int, typer.Option("--batch-size", help="Examples of a minibatch.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the initial weights and the order of the data.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder that receives model, picture and report.json.")]
ModelOption = Annotated[
    Path | None, typer.Option("--model", help="Start from this compressed model instead of dense training.")
]


@dataclass
class Bench:
    """A data set, a network for it, and what is measured of both."""

    data: ImageData
    network: str
    activation: str
    seed: int
    batch_size: int

    def __post_init__(self) -> None:
        import torch

        from parsimo.neural import TensorBatches

        torch.manual_seed(self.seed)
        self.model = self.fresh()
        self.loss = torch.nn.functional.cross_entropy
        inputs, targets = torch.as_tensor(self.data.train_inputs), torch.as_tensor(self.data.train_targets)
        self.loader = TensorBatches(inputs, targets, self.batch_size, seed=self.seed)

    def fresh(self) -> Any:
        """An untrained network of the same architecture."""
        from parsimo.neural import networks

        return networks.build(self.network, self.data.input_shape, self.data.classes, self.activation)

    @property
    def optimizer(self) -> Any:
        """Adam in its fused implementation, the faster one on small networks."""
        import torch

        return partial(torch.optim.Adam, fused=True)

    def updates(self, epochs: float, steps: int) -> int:
        """Rows of history that so many epochs give."""
        return max(round(epochs * len(self.loader) / steps), 1)

    @property
    def steps_per_update(self) -> int:
        """Minibatch steps of one x-step: 50, or fewer where an epoch is short."""
        return max(1, min(50, len(self.loader) // 4))

    def train(self, epochs: float, learning_rate: float) -> Any:
        """Dense training."""
        from parsimo.neural import train

        steps = self.steps_per_update
        with progress("dense training", self.updates(epochs, steps)) as observer:
            return train(
                self.model,
                self.loader,
                self.loss,
                optimizer=self.optimizer,
                epochs=epochs,
                learning_rate=learning_rate,
                steps_per_report=steps,
                observe=[observer],
            )

    def compress(self, method: Any, title: str, epochs: float, **options: Any) -> Any:
        """`prune` or `quantize`, with a progress bar."""
        steps = self.steps_per_update
        with progress(title, self.updates(epochs, steps)) as observer:
            return method(
                self.model,
                self.loader,
                self.loss,
                optimizer=self.optimizer,
                epochs=epochs,
                steps_per_update=steps,
                observe=[observer],
                **options,
            )

    def test_error(self, model: Any | None = None) -> float:
        """Share of test images classified wrongly, in percent."""
        import torch

        targets = torch.as_tensor(self.data.test_targets)
        return 100 * float((self.predict(model or self.model).argmax(dim=1) != targets).double().mean())

    def predict(self, model: Any) -> Any:
        """Outputs on the test images."""
        import torch

        model.eval()
        with torch.no_grad():
            parts = torch.as_tensor(self.data.test_inputs).split(2000)
            return torch.cat([model(part) for part in parts])

    def save(self, outcome: Any, path: Path) -> int:
        """Write the compressed model, read it back into a fresh network, and compare predictions bit for bit."""
        import torch

        from parsimo.neural import load

        size = outcome.save(path)
        if not torch.equal(self.predict(load(path, into=self.fresh())), self.predict(outcome.model)):
            raise RuntimeError(f"{path} does not give the predictions of the network it was written from")
        return size

    def report(self, outcome: Any, dense_test_error: float, size: int, seconds: float) -> dict[str, Any]:
        """The figures of report.json."""
        return {
            "dense_test_error": dense_test_error,
            "test_error": self.test_error(),
            "weights": outcome.weights,
            "nonzeros": outcome.nonzeros,
            "sparsity": outcome.sparsity,
            "distinct_values": outcome.distinct_values,
            "bytes": size,
            "float32_bytes": 4 * sum(p.numel() for p in self.model.parameters()),
            "status": outcome.status.name,
            "status_sentence": outcome.status.value,
            "certificate": outcome.certificate,
            "seconds": seconds,
            "seed": self.seed,
            "data": self.data.name,
            "network": self.network,
            "activation": self.activation,
            "notes": list(outcome.notes),
        }


def prune(
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    network: NetworkOption = "mlp",
    activation: ActivationOption = "sigmoid",
    target_sparsity: Annotated[float, typer.Option("--target-sparsity", help="Share of exact zeros.")] = 0.9743,
    epochs: EpochsOption = 40,
    dense_epochs: DenseEpochsOption = 12,
    batch_size: BatchOption = 128,
    seed: SeedOption = 0,
    out: OutOption = Path("pruned"),
    model: ModelOption = None,
    checkpoint_every: Annotated[
        int | None, typer.Option("--checkpoint-every", help="Keep the state after so many rows of the history.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in OUT.")] = False,
) -> None:
    """Train a network and prune it by P-ADMM on the zero-norm problem, to an exact sparsity."""
    with one_line_errors():
        from parsimo import neural

        checkpoints = _checkpoints(out, checkpoint_every, resume)
        if resume and any(Path(checkpoints.folder).iterdir()):
            model = model or out / "dense.parsimo"
        _compress(
            _bench(data, data_dir, network, activation, seed, batch_size),
            neural.prune,
            "pruning",
            model,
            dense_epochs,
            epochs,
            out,
            target_sparsity=target_sparsity,
            checkpoints=checkpoints,
        )


def quantize(
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    network: NetworkOption = "mlp",
    activation: ActivationOption = "sigmoid",
    clusters: Annotated[int, typer.Option("--clusters", help="Distinct values of each layer.")] = 8,
    distance: Annotated[str, typer.Option("--distance", help="absolute or squared.")] = "absolute",
    epochs: EpochsOption = 20,
    dense_epochs: DenseEpochsOption = 20,
    batch_size: BatchOption = 128,
    seed: SeedOption = 0,
    out: OutOption = Path("quantized"),
    model: ModelOption = None,
) -> None:
    """Train a network and quantize it by the clustering objective, to k exact values a layer."""
    with one_line_errors():
        from parsimo import neural

        _compress(
            _bench(data, data_dir, network, activation, seed, batch_size),
            neural.quantize,
            "quantization",
            model,
            dense_epochs,
            epochs,
            out,
            k=clusters,
            distance=distance,
        )


def demo(seed: SeedOption = 0, out: OutOption = Path("demo")) -> None:
    """Train, prune and quantize a small network on the embedded digits; under two minutes."""
    with one_line_errors():
        from parsimo import neural

        out.mkdir(parents=True, exist_ok=True)
        bench = _bench("digits", None, "mlp", "sigmoid", seed, 64)
        dense = bench.train(epochs=40, learning_rate=1e-2)
        _go_on(dense)
        dense_error = bench.test_error()
        rows = [_row("dense", bench, dense, bench.save(dense, out / "dense.parsimo"))]
        pruned = bench.compress(neural.prune, "pruning", 60, target_sparsity=0.9, learning_rate=5e-3)
        rows.append(_row("pruned", bench, pruned, bench.save(pruned, out / "pruned.parsimo")))
        before = copy.deepcopy(bench.model)
        quantized = bench.compress(
            neural.quantize, "quantization", 30, k=8, learning_rate=2e-3, codebook_learning_rate=2e-4
        )
        size = bench.save(quantized, out / "model.parsimo")
        rows.append(_row("pruned + quantized", bench, quantized, size))
        quantized.history.plot(str(out / "quantization.png"))
        pruned.history.plot(str(out / "convergence.png"))
        seconds = dense.seconds + pruned.seconds + quantized.seconds
        write_report(
            out,
            bench.report(quantized, dense_error, size, seconds) | {"pruned_test_error": bench.test_error(before)},
        )
        _show(rows, bench)
        console.print(f"{quantized}", markup=False, highlight=False, soft_wrap=True)
        console.print(
            f"written to {out}/: model.parsimo, pruned.parsimo, dense.parsimo, convergence.png, report.json",
            soft_wrap=True,
        )


def _bench(data: str, data_dir: Path | None, network: str, activation: str, seed: int, batch_size: int) -> Bench:
    return Bench(load_images(data, data_dir, seed), network, activation, seed, batch_size)


def _compress(
    bench: Bench,
    method: Any,
    title: str,
    model: Path | None,
    dense_epochs: float,
    epochs: float,
    out: Path,
    **options: Any,
) -> None:
    """Dense training or a given model, then compression; model, picture and report into `out`."""
    from parsimo import neural

    out.mkdir(parents=True, exist_ok=True)
    seconds, rows = 0.0, []
    if model is None:
        dense = bench.train(dense_epochs, learning_rate=1.2e-3)
        seconds += dense.seconds
        rows.append(_row("dense", bench, dense, bench.save(dense, out / "dense.parsimo")))
        _go_on(dense)
    else:
        neural.load(model, into=bench.model)
    before = bench.test_error()
    outcome = bench.compress(method, title, epochs, **options)
    size = bench.save(outcome, out / "model.parsimo")
    rows.append(_row("compressed", bench, outcome, size))
    outcome.history.plot(str(out / "convergence.png"))
    write_report(out, bench.report(outcome, before, size, seconds + outcome.seconds))
    _show(rows, bench)
    console.print(f"{outcome}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"written to {out}/: model.parsimo, convergence.png, report.json", soft_wrap=True)
    _go_on(outcome)


def _checkpoints(out: Path, every: int | None, resume: bool) -> Any:
    """Where the state is kept; None where it is not. An earlier run is gone on with on demand alone."""
    from parsimo.neural import Checkpoints

    folder = out / "checkpoints"
    found = folder.is_dir() and any(folder.iterdir())
    if resume and not found:
        console.print(f"no checkpoint in {folder}: begins anew", highlight=False, soft_wrap=True)
    if found and not resume:
        raise ValueError(f"{folder} holds checkpoints of an earlier run: pass --resume to go on, or remove the folder")
    if every is None and not resume:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return Checkpoints(folder, every or 20)


def _go_on(outcome: Any) -> None:
    """End here where a run was cut short: with 130 after Ctrl-C, with 1 after a NaN."""
    if outcome.status.cut_short:
        console.print(f"{outcome}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(130 if outcome.status.name == "INTERRUPTED" else 1)


def _row(name: str, bench: Bench, outcome: Any, size: int) -> list[str]:
    return [
        name,
        f"{bench.test_error():.2f} %",
        f"{outcome.nonzeros:,} of {outcome.weights:,}",
        f"{outcome.distinct_values:,}",
        f"{size:,}",
        f"{outcome.certificate:.1e}",
        outcome.status.name,
    ]


def _show(rows: list[list[str]], bench: Bench) -> None:
    columns = ["", "test error", "nonzero weights", "distinct values", "bytes on disk", "certificate", "status"]
    show_table(f"{bench.network} ({bench.activation}) on {bench.data.name}, seed {bench.seed}", columns, rows)
