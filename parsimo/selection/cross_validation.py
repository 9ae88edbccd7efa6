"""Cross-validation of a path, and the rule of one standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimo.core.result import Status
from parsimo.selection.families import FlatPoint, family_of
from parsimo.selection.linear_model import LinearModel, Loss, held_out_loss
from parsimo.selection.outcome import Path, frame
from parsimo.selection.path import regularization_path

__all__ = ["CrossValidation", "cross_validation"]

_PERFECT = 1e-3  # of the loss of the null model


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Errors on held-out rows along a path.

    Attributes
    ----------
    path : Path
        On all rows.
    model : LinearModel
        What the path was run on.
    errors : array of shape (K, folds)
        Mean squared error or mean log loss on the rows that a fold holds out.
    sizes : array of shape (folds,)
        How many rows each fold holds out, by their frequencies.
    failures : tuple of str
        A sentence for each point of a fold that did not converge.
    """

    path: Path
    model: LinearModel
    errors: np.ndarray
    sizes: np.ndarray
    failures: tuple[str, ...]

    @property
    def weights(self) -> np.ndarray:
        """Falling, (K,)."""
        return self.path.weights

    @property
    def mean(self) -> np.ndarray:
        """The error over all held-out rows, for each weight."""
        return np.asarray(self.errors @ (self.sizes / self.sizes.sum()))

    @property
    def standard_error(self) -> np.ndarray:
        """The standard error of `mean`, folds taken as independent."""
        off = self.errors - self.mean[:, None]
        unit = float(np.abs(off).max()) or 1.0  # whose square may be beyond the range of a float
        spread = (off / unit) ** 2 @ (self.sizes / self.sizes.sum())
        return np.asarray(unit * np.sqrt(spread / (self.sizes.size - 1)))

    @property
    def best(self) -> int:
        """The point of the least mean error, of the largest weight at a tie."""
        return int(self.mean.argmin())

    @property
    def simplest(self) -> int:
        """The first point, from the largest weight on, whose mean error is within one standard error of the least."""
        limit = self.mean[self.best] + self.standard_error[self.best]
        return int((self.mean <= limit).argmax())

    @property
    def weight_best(self) -> float:
        """That of `best`."""
        return float(self.weights[self.best])

    @property
    def weight_simplest(self) -> float:
        """That of `simplest`."""
        return float(self.weights[self.simplest])

    def coefficients(self, point: int | None = None) -> tuple[np.ndarray, float]:
        """(coef, intercept) in the units of the table; of `simplest` by default."""
        return self.model.coefficients(self.path.points[self.simplest if point is None else point])

    def table(self) -> dict[str, list[Any]]:
        """That of the path, with mean and standard error, and the error of each fold."""
        folds = {f"fold {k}": column.tolist() for k, column in enumerate(self.errors.T)}
        return self.path.table() | {
            "mean error": self.mean.tolist(),
            "standard error": self.standard_error.tolist(),
            **folds,
        }

    def to_dataframe(self) -> Any:
        """`table()` as a pandas DataFrame; ImportError names the extra that brings pandas."""
        return frame(self.table(), "CrossValidation")

    def plot(self, path: str | None = None) -> Any:
        """Mean error with its standard error against the weight; ImportError names the extra that brings matplotlib."""
        from parsimo.selection.pictures import plot_cross_validation

        return plot_cross_validation(self, path)


def cross_validation(
    A: Any,
    y: Any,
    penalty: Any,
    weights: Iterable[float] | None = None,
    *,
    loss: Loss = "squares",
    folds: Any = 5,
    fit_intercept: bool = True,
    standardize: bool = True,
    sample_weight: Any = None,
    flat_point: FlatPoint | None = None,
    jobs: int = 1,
    **path_options: Any,
) -> CrossValidation:
    """Run a path on all rows, and one on each part of them, and measure errors on the rows held out.

    Everything that is learned from data is learned again in each fold: means, scales, intercept and coefficients. The
    grid of weights is that of all rows.

    Parameters
    ----------
    A : array or scipy sparse matrix of shape (m, p)
    y : array of shape (m,)
        Numbers; -1 and 1 for the logistic loss.
    penalty, weights, flat_point :
        As in `regularization_path`; the penalty does not see the intercept.
    loss : "squares" or "logistic"
    folds : int, scikit-learn splitter, or iterable of (train, test) index pairs
        An integer means scikit-learn's KFold without shuffling, stratified for the logistic loss.
    fit_intercept, standardize, sample_weight :
        As in `LinearModel.of`.
    jobs : int
        Folds that joblib runs at a time; 1 runs them here, one after the other.
    **path_options
        `count`, `ratio`, `anneal`, `solver`, `tolerance`, `max_iterations`, `least_loss` of `regularization_path`;
        `least_loss` is 0.001 by default. A fold whose path ends early is measured at its last point from there on.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ImportError
        If scikit-learn is missing and `folds` is an integer, or joblib and `jobs` is not 1.
    ValueError
        If there are fewer than two folds, one of them holds out nothing, or an argument is wrong.
    KeyboardInterrupt
        If it comes before the end: folds in part say nothing.

    Notes
    -----
    The standard error is that of the mean over folds, as in Breiman et al. (1984) and glmnet; the folds share rows,
    so that it is only a guide.
    """
    path_options = {"least_loss": _PERFECT} | path_options
    model_options: dict[str, Any] = {"loss": loss, "fit_intercept": fit_intercept, "standardize": standardize}
    matrix = A.tocsr() if hasattr(A, "tocsr") else np.asarray(A)
    y = np.asarray(y)
    frequencies = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    pairs = _pairs(folds, matrix, y, loss)
    model = LinearModel.of(matrix, y, sample_weight=frequencies, **model_options)
    family = family_of(penalty, flat_point, model.f)
    path = regularization_path(model.f, model.family(family), weights, **path_options)
    if Status.INTERRUPTED in path.statuses:
        raise KeyboardInterrupt
    task = _Fold(matrix, y, frequencies, family, path.weights, model_options, path_options)
    outcomes = _run(task, pairs, jobs)
    failures = tuple(f"fold {k}: {sentence}" for k, (_, _, failed) in enumerate(outcomes) for sentence in failed)
    errors, sizes = np.stack([e for e, _, _ in outcomes], axis=1), np.array([size for _, size, _ in outcomes])
    return CrossValidation(path, model, errors, sizes, failures)


@dataclass(frozen=True, eq=False)
class _Fold:
    """The work of one fold."""

    matrix: Any
    y: np.ndarray
    frequencies: np.ndarray
    family: Callable[[float], Any]
    weights: np.ndarray
    model_options: dict[str, Any]
    path_options: dict[str, Any]

    def __call__(self, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, float, tuple[str, ...]]:
        """(error at each weight, frequency of the rows held out, points that did not converge)."""
        model = LinearModel.of(
            self.matrix[train], self.y[train], sample_weight=self.frequencies[train], **self.model_options
        )
        path = regularization_path(model.f, model.family(self.family), self.weights, **self.path_options)
        if Status.INTERRUPTED in path.statuses:
            raise KeyboardInterrupt
        coefs, intercepts = zip(*(model.coefficients(x) for x in path.points), strict=True)
        predictions = (self.matrix[test] @ np.stack(coefs, axis=1) + np.array(intercepts)).T
        beyond = [-1] * (self.weights.size - len(predictions))  # a path that has ended stays at its last point
        predictions = np.concatenate([predictions, predictions[beyond]])
        held_out = self.frequencies[test]
        size = float(held_out.sum())
        if size == 0:
            raise ValueError("cross_validation: a fold holds out no row of positive weight; take fewer folds")
        error = held_out_loss(self.model_options["loss"], predictions, self.y[test], held_out / size)
        return error, size, path.failures


def _pairs(folds: Any, matrix: Any, y: np.ndarray, loss: Loss) -> list[tuple[np.ndarray, np.ndarray]]:
    """(train, test) index pairs."""
    if isinstance(folds, int | np.integer) or hasattr(folds, "split"):
        try:
            from sklearn.model_selection import check_cv
        except ImportError as error:
            raise ImportError(
                'cross_validation needs scikit-learn to make folds: pip install "parsimo[estimators]", or give '
                "(train, test) index pairs"
            ) from error
        folds = check_cv(folds, y, classifier=loss == "logistic").split(matrix, y)
    pairs = [(np.asarray(train), np.asarray(test)) for train, test in folds]
    if len(pairs) < 2:
        raise ValueError(f"cross_validation: needs at least two folds, got {len(pairs)}")
    return pairs


def _run(task: _Fold, pairs: list[tuple[np.ndarray, np.ndarray]], jobs: int) -> list[Any]:
    if jobs == 1:
        return [task(train, test) for train, test in pairs]
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise ImportError('cross_validation with jobs needs joblib: pip install "parsimo[estimators]"') from error
    return list(Parallel(n_jobs=jobs)(delayed(task)(train, test) for train, test in pairs))
