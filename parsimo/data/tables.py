"""Tables of numbers with a target column, from CSV, NPZ and libsvm files."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from parsimo.data.files import COMPRESSED, read_bytes, read_npz, require_module

if TYPE_CHECKING:  # scipy.sparse takes long to import, and only sparse tables need it
    import scipy.sparse

Array = npt.NDArray[Any]

_CSR_PARTS = ("data", "indices", "indptr", "shape")
_ROWS = " (counted from 0, without the header)"


@dataclass(frozen=True, eq=False)
class Table:
    """A design matrix and its target.

    Attributes
    ----------
    matrix : ndarray of float64 or scipy.sparse.csr_array, shape (n, d)
        One sample a row; all values finite.
    target : ndarray of float64, shape (n,)
        One finite value a sample.
    columns : tuple of str
        Names of the d columns.

    Raises
    ------
    ValueError
        If there are no rows or no columns, their numbers do not match, or a value is NaN or infinite.
    """

    matrix: Array | scipy.sparse.csr_array
    target: npt.NDArray[np.float64]
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.matrix.shape) != 2 or 0 in self.matrix.shape:
            raise ValueError(f"the matrix has shape {self.matrix.shape}, expected rows x columns, neither 0")
        rows, columns = self.matrix.shape
        if self.target.shape != (rows,):
            raise ValueError(f"the matrix has {rows} rows, the target shape {self.target.shape}: give one target a row")
        if len(self.columns) != columns:
            raise ValueError(f"the matrix has {columns} columns, but {len(self.columns)} are named")
        if (bad := _first_not_finite(self.matrix)) is not None:
            row, column, value = bad
            raise ValueError(f"{value} in row {row}{_ROWS}, column {self.columns[column]!r}: impute it")
        if (bad := _first_not_finite(self.target[:, np.newaxis])) is not None:
            raise ValueError(f"{bad[2]} in row {bad[0]}{_ROWS}, the target: drop the row")


def load_table(path: str | Path, target: str | int | None = None) -> Table:
    """Load a table; its format follows from the name of the file.

    Parameters
    ----------
    path : path-like
        ``*.csv``
            Numbers, separated by commas; the first line must name the columns.
        ``*.npz``
            Arrays ``y`` and either ``X`` or the parts of a CSR matrix, ``data``, ``indices``, ``indptr`` and
            ``shape``; the names of the columns in ``feature_names``, if it is there.
        anything else
            libsvm text: the target, then ``index:value`` pairs; the matrix is sparse. Indices may start at 0
            or 1, and the largest one decides the number of columns.

        CSV and libsvm files may be compressed, with a further ``.gz``, ``.bz2`` or ``.xz``. Columns without a
        name are called x0, x1, ...
    target : str or int, optional
        For CSV, the name or the index of the target column, negative from the end; by default the last. The
        other formats say themselves what the target is.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not parse, there is no such target column, a column is not numeric, a value is NaN or
        infinite, or the rows of matrix and target differ in number; names the file and the place.
    ImportError
        If pandas (CSV) or scikit-learn (libsvm) is not installed.
    """
    path = Path(path)
    suffix = (path.with_suffix("") if path.suffix in COMPRESSED else path).suffix
    if target is not None and suffix != ".csv":
        raise ValueError(f"target={target!r} is for CSV files, {path} says itself what it is: leave it out")
    if suffix == ".csv":
        parts = _read_csv(path, -1 if target is None else target)
    elif suffix == ".npz":
        parts = _read_npz(path)
    else:
        parts = _read_libsvm(path)
    try:
        return Table(*parts)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_csv(path: Path, target: str | int) -> tuple[Array, Array, tuple[str, ...]]:
    pandas = require_module("pandas", "reading CSV")
    text = io.BytesIO(read_bytes(path))
    try:
        with warnings.catch_warnings():
            # Without an index column, pandas only warns that rows longer than the header lose their end.
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(text, index_col=False, skipinitialspace=True, low_memory=False)
    except (ValueError, pandas.errors.ParserWarning) as error:
        raise ValueError(f"{path} does not parse as CSV: {error}") from error
    columns = [str(column) for column in frame.columns]
    if pandas.to_numeric(frame.columns, errors="coerce").notna().all():
        raise ValueError(f"{path}: the first line has numbers, {', '.join(columns[:5])}: add one with names")
    for column in frame.columns:
        is_text = pandas.to_numeric(frame[column], errors="coerce").isna() & frame[column].notna()
        if is_text.any():
            row = int(is_text.to_numpy().argmax())
            raise ValueError(
                f"{path}: column {column!r} is not numeric, it has {frame[column].iloc[row]!r} in row "
                f"{row}{_ROWS}: encode it as numbers or drop it"
            )
    position = _position(path, columns, target)
    values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    names = tuple(columns[:position] + columns[position + 1 :])
    return np.delete(values, position, axis=1), values[:, position], names


def _read_npz(path: Path) -> tuple[Array | scipy.sparse.csr_array, Array, tuple[str, ...]]:
    arrays = read_npz(path)
    is_sparse = "X" not in arrays and all(part in arrays for part in _CSR_PARTS)
    if "y" not in arrays or not ("X" in arrays or is_sparse):
        raise ValueError(f"{path} holds {', '.join(arrays) or 'nothing'}, expected y and X or {', '.join(_CSR_PARTS)}")
    for name in ("y", "data" if is_sparse else "X"):
        if arrays[name].dtype.kind not in "biuf":
            raise ValueError(f"{path}: {name} is {arrays[name].dtype}, expected real numbers")
    if is_sparse:
        import scipy.sparse

        data, indices, indptr, shape = (arrays[part] for part in _CSR_PARTS)
        try:
            matrix = scipy.sparse.csr_array((data.astype(np.float64), indices, indptr), shape=tuple(shape))
            matrix.check_format(full_check=True)
            matrix.sum_duplicates()
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: data, indices, indptr and shape are no CSR matrix: {error}") from error
    else:
        matrix = arrays["X"].astype(np.float64)
    names = arrays.get("feature_names")
    columns = _numbered(matrix) if names is None else tuple(map(str, names.reshape(-1)))
    return matrix, arrays["y"].astype(np.float64), columns


def _read_libsvm(path: Path) -> tuple[scipy.sparse.csr_array, Array, tuple[str, ...]]:
    import scipy.sparse

    datasets = require_module("sklearn.datasets", "reading libsvm text")
    text = io.BytesIO(read_bytes(path))
    try:
        matrix, target = datasets.load_svmlight_file(text, dtype=np.float64)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} is not libsvm text ({error}); name CSV files *.csv") from error
    matrix = scipy.sparse.csr_array(matrix)
    return matrix, target.astype(np.float64), _numbered(matrix)


def _numbered(matrix: Array | scipy.sparse.csr_array) -> tuple[str, ...]:
    return tuple(f"x{column}" for column in range(matrix.shape[1] if matrix.ndim == 2 else 0))


def _position(path: Path, columns: list[str], target: str | int) -> int:
    if isinstance(target, str) and target in columns:
        return columns.index(target)
    if isinstance(target, int) and -len(columns) <= target < len(columns):
        return target % len(columns)
    raise ValueError(f"{path} has no column {target!r} for the target, only: {', '.join(columns)}")


def _first_not_finite(matrix: Array | scipy.sparse.csr_array) -> tuple[int, int, float] | None:
    """Row, column and value of the first entry, by rows, that is NaN or infinite."""
    values = matrix.reshape(-1) if isinstance(matrix, np.ndarray) else matrix.data
    bad = np.flatnonzero(~np.isfinite(values))
    if not bad.size:
        return None
    first = int(bad[0])
    if isinstance(matrix, np.ndarray):
        row, column = divmod(first, matrix.shape[1])
    else:
        row, column = int(np.searchsorted(matrix.indptr, first, side="right")) - 1, int(matrix.indices[first])
    return row, column, float(values[first])
