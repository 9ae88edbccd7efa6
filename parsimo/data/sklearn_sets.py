"""The tables that scikit-learn ships, or fetches from the network."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import numpy as np

from parsimo.data.files import require_module
from parsimo.data.tables import Table

__all__ = ["load_sklearn"]

SHIPPED = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")
FETCHED = ("20newsgroups_vectorized", "california_housing", "covtype", "rcv1")
OPENML = "openml:"


def load_sklearn(name: str, target: str | int | None = None, data_home: str | Path | None = None) -> Table:
    """Load a table through scikit-learn.

    Parameters
    ----------
    name : str
        Of the sets that scikit-learn ships, `SHIPPED`; of those that it fetches, `FETCHED`; or ``openml:NAME`` for any
        set of openml.org, such as ``openml:boston``.
    target : str or int, optional
        Which target, by its name or its column, of a set with several of them. Classes are numbered 0, 1, ... in the
        order of their names.
    data_home : path-like, optional
        Where fetched sets are kept; by default scikit-learn's own folder.

    Returns
    -------
    Table
        Dense or sparse, as scikit-learn has it.

    Raises
    ------
    ValueError
        If there is no such set, it has several targets of which none is chosen, or a column is not numeric.
    FileNotFoundError
        If the set is not kept here and cannot be fetched.
    ImportError
        If scikit-learn is not installed.
    """
    datasets = require_module("sklearn.datasets", f"loading {name}")
    if name in SHIPPED:
        bunch = getattr(datasets, f"load_{name}")()
    elif name in FETCHED or (name.startswith(OPENML) and name != OPENML):
        bunch = _fetch(datasets, name, data_home)
    else:
        near = difflib.get_close_matches(name, (*SHIPPED, *FETCHED), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"scikit-learn has no table {name!r}; {hint}there are {', '.join((*SHIPPED, *FETCHED))}, and {OPENML}NAME"
        )
    matrix = _floats(name, bunch.data)
    named = bunch.get("feature_names")
    columns = [f"x{j}" for j in range(matrix.shape[1])] if named is None else named
    try:
        return Table(matrix, _numbered(_one_target(name, bunch, target)), tuple(map(str, columns)))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _fetch(datasets: Any, name: str, data_home: str | Path | None) -> Any:
    from http.client import HTTPException  # slow to import

    home = None if data_home is None else str(data_home)
    try:
        if name.startswith(OPENML):
            return datasets.fetch_openml(name.removeprefix(OPENML), as_frame=False, data_home=home)
        return getattr(datasets, f"fetch_{name}")(data_home=home)
    except (OSError, ValueError, HTTPException) as error:
        raise FileNotFoundError(
            f"{name} could not be fetched ({error}): go online once, or give a folder that holds it as data_home"
        ) from error


def _floats(name: str, matrix: Any) -> Any:
    """The features as float64; a sparse matrix as a CSR array."""
    import scipy.sparse

    try:
        if scipy.sparse.issparse(matrix):
            return scipy.sparse.csr_array(matrix, dtype=np.float64)
        return np.asarray(matrix, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: a column is not numeric ({error}): encode it as numbers, and use a CSV") from error


def _one_target(name: str, bunch: Any, target: str | int | None) -> np.ndarray:
    """One target a row; `target` chooses among several."""
    values = bunch.target
    if values.ndim == 1 and target is None:
        return np.asarray(values)
    if values.ndim == 1:
        raise ValueError(f"{name} has one target, so that target={target!r} chooses nothing: leave it out")
    names = [str(each) for each in bunch.target_names]
    known = target in names if isinstance(target, str) else target in range(len(names))
    if not known:
        raise ValueError(f"{name} has {len(names)} targets, got target={target!r}: choose one of {', '.join(names)}")
    column = names.index(target) if isinstance(target, str) else target
    chosen = values[:, [column]]
    return np.asarray(chosen.toarray() if hasattr(chosen, "toarray") else chosen).reshape(-1)


def _numbered(values: np.ndarray) -> np.ndarray:
    """Numbers as they are, and 0, 1, ... for the names of classes."""
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    return np.unique(values.astype(str), return_inverse=True)[1].reshape(values.shape).astype(np.float64)
