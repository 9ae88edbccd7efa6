"""Sparse linear models as scikit-learn estimators. This module loads scikit-learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from parsimo.core.result import Status
from parsimo.core.validation import check_number
from parsimo.penalties import WithRidge
from parsimo.selection.criteria import CRITERIA, choose
from parsimo.selection.cross_validation import cross_validation
from parsimo.selection.families import family_of, named
from parsimo.selection.linear_model import LinearModel, Loss
from parsimo.selection.outcome import Path
from parsimo.selection.path import regularization_path
from parsimo.selection.weight_max import weight_max

__all__ = ["SparseClassifier", "SparseClassifierCV", "SparseRegressor", "SparseRegressorCV"]


@dataclass(frozen=True, eq=False)
class _Fit:
    """One linear model, fitted."""

    coef: np.ndarray
    intercept: float
    weight: float
    certificate: float
    status: Status
    iterations: int
    path: dict[str, Any]
    """A column of numbers a key, a row for each weight; `coef` and `intercept` in the units of X."""

    @classmethod
    def of(cls, model: LinearModel, path: Path, chosen: int, table: dict[str, list[Any]]) -> _Fit:
        """The point `chosen` of a path, led back to the units of X."""
        result = path.results[chosen]
        if result.status is not Status.CONVERGED:
            warnings.warn(
                f"weight {path.weights[chosen]:.6g}: {result.status.name}, {result.status.value} (certificate "
                f"{result.certificate:.3e}); raise max_iter or tol, or scale the columns",
                ConvergenceWarning,
                stacklevel=4,
            )
        coefs, intercepts = zip(*(model.coefficients(x) for x in path.points), strict=True)
        columns = {name: np.array(column) for name, column in table.items()}
        return cls(
            coef=coefs[chosen],
            intercept=intercepts[chosen],
            weight=float(path.weights[chosen]),
            certificate=result.certificate,
            status=result.status,
            iterations=sum(r.iterations for r in path.results),
            path=columns | {"coef": np.stack(coefs), "intercept": np.array(intercepts)},
        )


class _Sparse(BaseEstimator):
    """What all of them share: the penalty, the model, and attributes of what was fitted."""

    _loss: ClassVar[Loss]
    _gammas: ClassVar[dict[str, float]] = {}
    _ridge: ClassVar[float] = 0.0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _family(self) -> Callable[[float], Any]:
        """The penalties on the coefficients of the columns as they are solved in."""
        family = self._without_ridge()
        ridge = check_number(self._ridge if self.ridge is None else self.ridge, f"{type(self).__name__}: ridge")
        return (lambda weight: WithRidge(family(weight), ridge)) if ridge > 0 else family

    def _without_ridge(self) -> Callable[[float], Any]:
        if isinstance(self.penalty, str):
            gamma = self._gammas.get(self.penalty) if self.gamma is None and self.flat_point is None else self.gamma
            return named(self.penalty, gamma, self.flat_point)
        if self.gamma is not None or self.flat_point is not None:
            raise ValueError(
                f"{type(self).__name__}: gamma and flat_point go with a name; the penalty {self.penalty!r} has its own"
            )
        return family_of(self.penalty)

    def _model(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None) -> LinearModel:
        return LinearModel.of(
            X,
            y,
            self._loss,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            sample_weight=sample_weight,
        )

    def _options(self) -> dict[str, Any]:
        return {"solver": self.solver, "tolerance": self.tol, "max_iterations": self.max_iter, "anneal": self.anneal}

    def _weights(self, sample_weight: Any, X: Any) -> np.ndarray | None:
        if sample_weight is None:
            return None
        return np.asarray(_check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True))

    def _keep(self, fits: list[_Fit]) -> None:
        """The attributes that do not depend on how many models there are."""
        single = len(fits) == 1
        self.weight_ = fits[0].weight if single else np.array([fit.weight for fit in fits])
        self.n_iter_ = fits[0].iterations if single else np.array([fit.iterations for fit in fits])
        self.certificate_ = max(fit.certificate for fit in fits)
        self.status_ = next((fit.status for fit in fits if fit.status is not Status.CONVERGED), Status.CONVERGED)
        self.path_ = fits[0].path if single else tuple(fit.path for fit in fits)


class _ByCriterion(_Sparse):
    """The weight is given, or chosen by an information criterion."""

    def __init__(
        self,
        penalty: Any = "mcp",
        *,
        weight: Any = "ebic",
        flat_point: float | None = None,
        gamma: float | None = None,
        ridge: float | None = None,
        fit_intercept: bool = True,
        standardize: bool = True,
        count: int = 30,
        ratio: float = 1e-3,
        anneal: tuple[float, ...] = (),
        solver: Any = None,
        tol: float = 1e-8,
        max_iter: int = 1000,
    ) -> None:
        self.penalty = penalty
        self.weight = weight
        self.flat_point = flat_point
        self.gamma = gamma
        self.ridge = ridge
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.count = count
        self.ratio = ratio
        self.anneal = anneal
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter

    def _fitted(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None) -> _Fit:
        model = self._model(X, y, sample_weight)
        family = model.family(self._family())
        if not isinstance(self.weight, str):
            path = regularization_path(model.f, family, _down_to(self.weight, model, family), **self._options())
            return _Fit.of(model, path, len(path.results) - 1, path.table())
        criterion: Any = self.weight
        if criterion not in CRITERIA:
            raise ValueError(
                f"{type(self).__name__}: weight must be a number or one of {CRITERIA}, got {self.weight!r}"
            )
        path = regularization_path(
            model.f,
            family,
            count=self.count,
            ratio=self.ratio,
            max_support=int(model.rows / 2),
            least_loss=1e-3 if self._loss == "logistic" else 0.0,
            **self._options(),
        )
        choice = choose(path, criterion, rows=model.rows)
        return _Fit.of(model, path, choice.best, choice.table())


def _down_to(weight: float, model: LinearModel, family: Callable[[float], Any]) -> np.ndarray:
    """Weights from the largest that matters down to this one, each a quarter of the one before or more."""
    weight = check_number(weight, "weight")
    largest = weight_max(model.f, family)
    if not 0 < weight < largest:
        return np.array([weight])
    return np.geomspace(largest, weight, 1 + math.ceil(math.log(largest / weight, 4)))


class _ByCrossValidation(_Sparse):
    """The weight is chosen by cross-validation."""

    def __init__(
        self,
        penalty: Any = "mcp",
        *,
        weights: Any = None,
        rule: str = "one-standard-error",
        cv: Any = None,
        flat_point: float | None = None,
        gamma: float | None = None,
        ridge: float | None = None,
        fit_intercept: bool = True,
        standardize: bool = True,
        count: int = 30,
        ratio: float = 1e-3,
        anneal: tuple[float, ...] = (),
        solver: Any = None,
        tol: float = 1e-8,
        max_iter: int = 1000,
        n_jobs: int = 1,
    ) -> None:
        self.penalty = penalty
        self.weights = weights
        self.rule = rule
        self.cv = cv
        self.flat_point = flat_point
        self.gamma = gamma
        self.ridge = ridge
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.count = count
        self.ratio = ratio
        self.anneal = anneal
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def _folds(self, X: Any, y: np.ndarray) -> list[Any]:
        """(train, test) pairs, the same for each class."""
        return list(check_cv(self.cv, y, classifier=self._loss == "logistic").split(X, y))

    def _fitted(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, folds: list[Any]) -> _Fit:
        if self.rule not in ("one-standard-error", "best"):
            raise ValueError(f'{type(self).__name__}: rule must be "one-standard-error" or "best", got {self.rule!r}')
        found = cross_validation(
            X,
            y,
            self._family(),
            self.weights,
            loss=self._loss,
            folds=folds,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            sample_weight=sample_weight,
            jobs=self.n_jobs,
            count=self.count,
            ratio=self.ratio,
            **self._options(),
        )
        chosen = found.best if self.rule == "best" else found.simplest
        return _Fit.of(found.model, found.path, chosen, found.table())


class _Regressor(RegressorMixin, _Sparse):
    """A linear model of a number."""

    _loss = "squares"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the model.

        Parameters
        ----------
        X : array or scipy sparse matrix of shape (m, p)
        y : array of shape (m,)
        sample_weight : array of shape (m,), optional
            Frequencies: a row of weight 2 counts as two rows.

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, accept_sparse=("csr", "csc"), dtype=np.float64, y_numeric=True)
        sample_weight = self._weights(sample_weight, X)
        folds = (self._folds(X, y),) if isinstance(self, _ByCrossValidation) else ()
        fit = self._fitted(X, np.asarray(y, dtype=np.float64), sample_weight, *folds)
        self.coef_, self.intercept_ = fit.coef, fit.intercept
        self._keep([fit])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """X coef_ + intercept_."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=np.float64, reset=False)
        return np.asarray(X @ self.coef_ + self.intercept_)


class _Classifier(ClassifierMixin, _Sparse):
    """A linear model of the log odds; with more than two classes, of each class against the rest."""

    _loss = "logistic"
    # the logistic loss bends at most a quarter as much as squares do
    _gammas: ClassVar[dict[str, float]] = {"mcp": 12.0, "scad": 14.8, "capped-l1": 12.0}
    _ridge = 1e-3

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the model.

        Parameters
        ----------
        X : array or scipy sparse matrix of shape (m, p)
        y : array of shape (m,)
            Classes: numbers or strings, at least two.
        sample_weight : array of shape (m,), optional
            Frequencies: a row of weight 2 counts as two rows.

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, accept_sparse=("csr", "csc"), dtype=np.float64)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.classes_.size < 2:
            raise ValueError(f"{type(self).__name__} needs at least two classes, got one class: {self.classes_[0]!r}")
        sample_weight = self._weights(sample_weight, X)
        folds = (self._folds(X, codes),) if isinstance(self, _ByCrossValidation) else ()
        ones = (1,) if self.classes_.size == 2 else range(self.classes_.size)
        fits = [self._fitted(X, np.where(codes == one, 1.0, -1.0), sample_weight, *folds) for one in ones]
        self.coef_ = np.stack([fit.coef for fit in fits])
        self.intercept_ = np.array([fit.intercept for fit in fits])
        self._keep(fits)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """The log odds: (m,) with two classes, for the second one; else (m, classes), of each against the rest."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=np.float64, reset=False)
        scores = np.asarray(X @ self.coef_.T + self.intercept_)
        return scores[:, 0] if self.classes_.size == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """The class of the largest log odds."""
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """log of `predict_proba`, without underflow."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return -np.logaddexp(0.0, np.stack([scores, -scores], axis=1))
        logs = -np.logaddexp(0.0, -scores)
        return logs - np.logaddexp.reduce(logs, axis=1, keepdims=True)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, (m, classes); with more than two those of each against the rest, normalized."""
        return np.exp(self.predict_log_proba(X))


class SparseRegressor(_Regressor, _ByCriterion):
    """Least squares with a sparsity penalty, its weight given or chosen by an information criterion.

    Minimizes |y - X coef - intercept|^2 / (2 m) + g_weight(scale * coef), scale the standard deviations of the
    columns (1 without `standardize`).

    Parameters
    ----------
    penalty : str, Proximable, Family or callable
        "mcp", "scad", "capped-l1", "l1", "zero-norm"; a penalty whose weight is multiplied by `weight`; a family of
        penalties, or a function of the weight.
    weight : float, "aic", "bic", "ebic" or "gic"
        A number solves one problem; a name runs a path and takes the point that the criterion prefers.
    flat_point : float, optional
        Where a named penalty becomes flat, for every weight.
    gamma : float, optional
        Or: flat from gamma times the slope at 0 on. By default 3 for MCP and capped l1, 3.7 for SCAD.
    ridge : float, optional
        Adds ridge |scale * coef|^2 / 2; 0 by default.
    fit_intercept : bool
    standardize : bool
        Divide columns by their standard deviations (root mean squares without an intercept) before they are priced.
        A sparse X is not centered.
    count, ratio : int, float
        Of the path: how many weights, and the smallest over the largest.
    anneal : tuple of float
        Factors > 1, falling: each weight is first solved with a penalty so many times less curved.
    solver : Solver, optional
        By default coordinate descent where numba is installed and the penalty is compiled, else proximal gradient.
    tol : float
        The certificate must fall below tol times the gradient of the null model.
    max_iter : int
        Iterations at each weight.

    Attributes
    ----------
    coef_ : array of shape (p,)
    intercept_ : float
    weight_ : float
    certificate_ : float
        The distance of 0 from the subdifferential of the objective at the point found, in standardized columns.
    status_ : Status
    n_iter_ : int
        Over all weights.
    path_ : dict of arrays
        A row for each weight: weight, objective, loss, support, certificate, status, iterations, seconds, coef,
        intercept, and the criterion.

    Notes
    -----
    docs/paths.md. A path ends where more than half as many coefficients as rows are nonzero.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(50, 20))
    >>> SparseRegressor().fit(X, 2 * X[:, 0] - X[:, 3]).coef_.nonzero()[0]
    array([0, 3])
    """


class SparseClassifier(_Classifier, _ByCriterion):
    """Logistic regression with a sparsity penalty, its weight given or chosen by an information criterion.

    Minimizes sum_i log(1 + exp(-y_i (x_i'coef + intercept))) / m + g_weight(scale * coef), y_i = 1 for the class and
    -1 for the others; with more than two classes once for each of them.

    Parameters
    ----------
    penalty, weight, flat_point, fit_intercept, standardize, count, ratio, anneal, solver, tol, max_iter :
        As in `SparseRegressor`. No penalty sees the intercept.
    gamma : float, optional
        By default four times that of `SparseRegressor`, since the logistic loss bends a quarter as much.
    ridge : float, optional
        0.001 by default. Where classes can be separated, flat penalties have no minimizer without one.

    Attributes
    ----------
    classes_ : array
    coef_ : array of shape (1, p), or (classes, p) with more than two classes
    intercept_ : array of shape (1,) or (classes,)
    weight_, n_iter_ : number, or array of shape (classes,) with more than two classes
    certificate_ : float
        The largest of the classes.
    status_ : Status
        The first that is not CONVERGED.
    path_ : dict of arrays, or a tuple of them, one for each class

    Notes
    -----
    docs/paths.md. A path ends where more than half as many coefficients as rows are nonzero, or the loss is a
    thousandth of that of the null model.
    """


class SparseRegressorCV(_Regressor, _ByCrossValidation):
    """Least squares with a sparsity penalty, its weight chosen by cross-validation.

    Parameters
    ----------
    penalty, flat_point, gamma, ridge, fit_intercept, standardize, count, ratio, anneal, solver, tol, max_iter :
        As in `SparseRegressor`.
    weights : array-like, optional
        By default `count` of them from the largest that matters down.
    rule : "one-standard-error" or "best"
        The largest weight whose mean error is within one standard error of the least, or that of the least.
    cv : int, scikit-learn splitter, or iterable of (train, test) index pairs, optional
        5 folds by default.
    n_jobs : int
        Folds at a time.

    Attributes
    ----------
    coef_, intercept_, weight_, certificate_, status_, n_iter_ :
        As in `SparseRegressor`, on all rows.
    path_ : dict of arrays
        As in `SparseRegressor`, with "mean error", "standard error", "fold 0", ...

    Notes
    -----
    docs/paths.md. Means, scales and intercept are learned again in each fold.
    """


class SparseClassifierCV(_Classifier, _ByCrossValidation):
    """Logistic regression with a sparsity penalty, its weight chosen by cross-validation of the log loss.

    Parameters
    ----------
    penalty, flat_point, gamma, ridge, fit_intercept, standardize, count, ratio, anneal, solver, tol, max_iter :
        As in `SparseClassifier`.
    weights, rule, cv, n_jobs :
        As in `SparseRegressorCV`; folds made from a number are stratified.

    Attributes
    ----------
    classes_, coef_, intercept_, weight_, certificate_, status_, n_iter_, path_ :
        As in `SparseClassifier`; with more than two classes each has a weight of its own.
    """
