"""The picture of a history; matplotlib is loaded only here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from parsimo.core.files import replace_when_written

if TYPE_CHECKING:
    from parsimo.core.result import History

__all__ = ["plot_history"]


def plot_history(history: History, path: str | None = None) -> Any:
    """One panel each for objective, certificate and support size, where there is something to show."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('History.plot needs matplotlib: pip install "parsimo[plot]"') from error
    height = "loss" if "loss" in history else "objective"
    panels = [
        (name, log)
        for name, log in ((height, False), ("certificate", True), ("primal", True), ("support", False))
        if name in history and any(math.isfinite(v) for v in history[name])
    ]
    figure = Figure(figsize=(3.4 * max(len(panels), 1), 2.8), layout="constrained")
    axes_row = figure.subplots(1, len(panels), squeeze=False)[0] if panels else ()
    for axes, (name, log) in zip(axes_row, panels, strict=True):
        rows = [
            (k, v)
            for k, v in zip(history["iteration"], history[name], strict=True)
            if math.isfinite(v) and (v > 0 or not log)
        ]
        sparse = len(rows) < history.rows / 2  # evaluated now and then: show where
        axes.plot([k for k, _ in rows], [v for _, v in rows], linewidth=1.2, marker="." if sparse else None)
        axes.set(title=name, xlabel="iteration", yscale="log" if log and rows else "linear")
        axes.grid(alpha=0.25)
    if path is not None:
        with replace_when_written(path) as temporary:
            figure.savefig(temporary, dpi=150)
    return figure
