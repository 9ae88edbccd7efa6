"""Pictures of paths and of choices of a weight; matplotlib is loaded only here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from parsimo.core.files import replace_when_written

if TYPE_CHECKING:
    from parsimo.selection.cross_validation import CrossValidation
    from parsimo.selection.outcome import Path

__all__ = ["plot_cross_validation", "plot_path"]


def plot_path(path: Path, file: str | None = None) -> Any:
    """Coefficients on the left, the size of the support on the right, against the weight."""
    figure, (left, right) = _panels(2, "Path.plot")
    coefficients = path.coefficients
    moving = coefficients[:, (coefficients != 0).any(axis=0)]
    left.plot(path.weights, moving, linewidth=1)
    left.set(title="coefficients")
    right.step(path.weights, path.supports, where="mid", linewidth=1.2)
    right.set(title="support")
    for axes in (left, right):
        _weight_axis(axes, path.weights)
    return _written(figure, file)


def plot_cross_validation(chosen: CrossValidation, file: str | None = None) -> Any:
    """The mean error with its standard error, and the two weights that the rules choose."""
    figure, (axes,) = _panels(1, "CrossValidation.plot")
    axes.errorbar(chosen.weights, chosen.mean, yerr=chosen.standard_error, fmt=".-", linewidth=1, capsize=2)
    axes.axvline(chosen.weight_best, color="0.5", linewidth=1, label="least error")
    axes.axvline(chosen.weight_simplest, color="0.5", linewidth=1, linestyle="--", label="one standard error")
    axes.set(title="error on held-out rows")
    axes.legend()
    _weight_axis(axes, chosen.weights)
    return _written(figure, file)


def _panels(count: int, owner: str) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f'{owner} needs matplotlib: pip install "parsimo[plot]"') from error
    figure = Figure(figsize=(4.2 * count, 3.0), layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _weight_axis(axes: Any, weights: np.ndarray) -> None:
    """Falling from left to right, as the path is run."""
    axes.set(xlabel="weight", xscale="log" if (weights > 0).all() else "linear")
    axes.grid(alpha=0.25)
    axes.invert_xaxis()


def _written(figure: Any, file: str | None) -> Any:
    if file is not None:
        with replace_when_written(file) as temporary:
            figure.savefig(temporary, dpi=150)
    return figure
