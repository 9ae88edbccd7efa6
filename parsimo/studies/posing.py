"""From the configuration of a cell to its problem, its solver and its stopping rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import parsimo as ps
from parsimo.data import Scaled, load_sklearn, load_table
from parsimo.problems import instances
from parsimo.selection import weight_max
from parsimo.studies.names import MEMBERS, PENALTIES, SOLVERS, construct

__all__ = ["Posed", "pose", "solver_of", "stop_of"]


@dataclass(frozen=True, eq=False)
class Posed:
    """A problem that is ready to be solved, with what is known of it."""

    problem: Any
    truth: np.ndarray | None
    weight: float
    """The weight of its penalty, NaN if it has none."""
    pieces: Callable[[np.ndarray], int]
    """How many nonzero coordinates, groups or singular values, or distinct values, a point has."""


def pose(problem: Mapping[str, Any], seed: int, folder: Path) -> Posed:
    """The problem of a cell.

    Parameters
    ----------
    problem : mapping
        As `read_study` has checked it.
    seed : int
        Of the instance.
    folder : Path
        Where files of data lie.

    Raises
    ------
    ValueError, TypeError, OSError, ImportError
        As instances, readers, penalties and problems raise them.
    """
    f: Any
    shape: Any
    if "instance" in problem:
        instance = instances.REGISTRY[problem["instance"]](**problem["parameters"], seed=seed)
        f, truth, labels, shape = instance.f, instance.truth, instance.labels, instance.shape
    else:
        f, truth, labels, shape = _data_term(problem["data"], folder), None, None, None
    entry = dict(problem["penalty"])
    name, on, ridge, member = (entry.pop(key, None) for key in ("name", "on", "ridge", "surrogate"))
    if name == "ClusteringProblem":
        clustering = construct(ps.ClusteringProblem, {"f": f, **entry}, "penalty")
        return Posed(clustering, truth, clustering.weight, lambda x: np.unique(x).size)

    def penalty(weight: float | None) -> Any:
        parameters = entry if weight is None else entry | {"weight": weight}
        g = construct(PENALTIES[name], parameters, "penalty")
        if on == "groups":
            g = ps.Group(g, labels)
        if on == "singular values":
            g = ps.Spectral(g, shape)
        return g if ridge is None else ps.WithRidge(g, ridge)

    weight = entry.get("weight")
    if isinstance(weight, str):
        _, _, divisor = weight.partition("/")
        weight = weight_max(f, penalty(1.0)) / float(divisor or 1)
    g = penalty(weight)
    value = float("nan") if weight is None else float(np.max(weight))
    if member is not None:
        zero_norm = ps.ZeroNormProblem(f, weight)
        return Posed(zero_norm.to_mpec(MEMBERS[member]()).penalize(rho="exact").eliminate(), truth, value, _support)
    return Posed(ps.Composite(f, g), truth, value, _pieces(g, on))


def solver_of(configuration: Mapping[str, Any]) -> Any:
    """The solver of a cell."""
    return construct(SOLVERS[configuration["solver"]], configuration["parameters"], "parameters")


def stop_of(rules: Mapping[str, Any]) -> ps.stopping.Stop:
    """The stopping rule of a cell; a run that diverges is stopped in any case."""
    seconds = [] if rules["seconds"] is None else [ps.stopping.time_limit(rules["seconds"])]
    return ps.stopping.first_of(
        ps.stopping.certificate_below(rules["certificate"], rules["relative"]),
        ps.stopping.diverged(),
        ps.stopping.stalled(rules["stalled"]),
        ps.stopping.max_iterations(rules["iterations"]),
        *seconds,
    )


def _data_term(data: Mapping[str, Any], folder: Path) -> Any:
    """The mean loss of a table, columns in one scale; squares with the target centered, logistic by two classes."""
    target = data.get("target")
    table = load_table(folder / data["file"], target) if "file" in data else load_sklearn(data["sklearn"], target)
    matrix, y = Scaled.of(table).matrix, table.target
    if data["loss"] == "squares":
        return ps.LeastSquares(matrix, y - y.mean(), average=True)
    classes = np.unique(y)
    positive = data.get("positive", classes[-1] if classes.size == 2 else None)
    if positive not in classes:
        raise ValueError(
            f"loss = 'logistic' separates one class from the others, but the target has {classes.size} values "
            f"({', '.join(f'{c:g}' for c in classes[:8])}{', ...' if classes.size > 8 else ''}) and positive is "
            f"{positive}; set positive to one of them"
        )
    return ps.Logistic(matrix, np.where(y == positive, 1.0, -1.0), average=True)


def _support(x: np.ndarray) -> int:
    return int(np.count_nonzero(x))


def _pieces(g: Any, on: str | None) -> Callable[[np.ndarray], int]:
    plain: Any = g.penalty if isinstance(g, ps.WithRidge) else g
    if on == "groups":
        return lambda x: _support(plain.norms(x))
    if on == "singular values":
        return lambda x: int(np.linalg.matrix_rank(x.reshape(plain.shape)))
    return _support
