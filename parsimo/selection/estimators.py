"""Sparse linear models as scikit-learn estimators. This module loads scikit-learn."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from parsimo.selection.estimator_parts import ByCriterion, ByCrossValidation, Sparse

__all__ = ["SparseClassifier", "SparseClassifierCV", "SparseRegressor", "SparseRegressorCV"]


class _Regressor(RegressorMixin, Sparse):
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
        folds = (self._folds(X, y),) if isinstance(self, ByCrossValidation) else ()
        fit = self._fitted(X, np.asarray(y, dtype=np.float64), sample_weight, *folds)
        self.coef_, self.intercept_ = fit.coef, fit.intercept
        self._keep([fit])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """X coef_ + intercept_."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=np.float64, reset=False)
        return np.asarray(X @ self.coef_ + self.intercept_)


class _Classifier(ClassifierMixin, Sparse):
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
        folds = (self._folds(X, codes),) if isinstance(self, ByCrossValidation) else ()
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


class SparseRegressor(_Regressor, ByCriterion):
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


class SparseClassifier(_Classifier, ByCriterion):
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


class SparseRegressorCV(_Regressor, ByCrossValidation):
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


class SparseClassifierCV(_Classifier, ByCrossValidation):
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
