"""Networks: their loss as a smooth function of one flat vector, pruning, quantization, compressed files.

from parsimo.neural import prune, quantize, load
outcome = prune(model, train_loader, loss_fn, target_sparsity=0.95)
outcome.save("model.parsimo")
load("model.parsimo", into=fresh_model)
"""

from __future__ import annotations

from pathlib import Path

try:
    import safetensors
    import torch
except ImportError as error:
    raise ImportError(f'parsimo.neural needs {error.name}: pip install "parsimo[neural]"') from error

from torch import nn

from parsimo.neural import networks
from parsimo.neural.batches import TensorBatches
from parsimo.neural.bounds import OnBall, on_ball
from parsimo.neural.checkpoints import Checkpoints
from parsimo.neural.compression import Handle, compress
from parsimo.neural.dense import train
from parsimo.neural.outcome import Outcome
from parsimo.neural.plans import Sparse
from parsimo.neural.pruning import prune
from parsimo.neural.quantization import quantize
from parsimo.neural.reports import Report
from parsimo.neural.smooth import TorchSmooth
from parsimo.neural.storage import read_into

__all__ = [
    "Checkpoints",
    "Handle",
    "OnBall",
    "Outcome",
    "Report",
    "Sparse",
    "TensorBatches",
    "TorchSmooth",
    "compress",
    "load",
    "networks",
    "on_ball",
    "prune",
    "quantize",
    "train",
]


def load(path: str | Path, into: nn.Module) -> nn.Module:
    """Read a compressed model into a fresh module of the same architecture, and return it in evaluation mode.

    Parameters
    ----------
    path : str or Path
        Written by `Outcome.save`.
    into : torch.nn.Module
        Left as it is if anything does not fit.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is not a compressed model, or names, shapes or dtypes differ.
    """
    return read_into(path, into).eval()


del safetensors, torch
