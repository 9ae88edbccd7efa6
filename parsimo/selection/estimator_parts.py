"""What the estimators are made of: a fitted model, and two ways to a weight. This module loads scikit-learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils.validation import _check_sample_weight

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

__all__ = ["ByCriterion", "ByCrossValidation", "Fit", "Sparse"]


@dataclass(frozen=True, eq=False)
class Fit:
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
    def of(cls, model: LinearModel, path: Path, chosen: int, table: dict[str, list[Any]]) -> Fit:
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


class Sparse(BaseEstimator):
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

    def _keep(self, fits: list[Fit]) -> None:
        """The attributes that do not depend on how many models there are."""
        single = len(fits) == 1
        self.weight_ = fits[0].weight if single else np.array([fit.weight for fit in fits])
        self.n_iter_ = fits[0].iterations if single else np.array([fit.iterations for fit in fits])
        self.certificate_ = max(fit.certificate for fit in fits)
        self.status_ = next((fit.status for fit in fits if fit.status is not Status.CONVERGED), Status.CONVERGED)
        self.path_ = fits[0].path if single else tuple(fit.path for fit in fits)


class ByCriterion(Sparse):
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

    def _fitted(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None) -> Fit:
        model = self._model(X, y, sample_weight)
        family = model.family(self._family())
        if not isinstance(self.weight, str):
            path = regularization_path(model.f, family, _down_to(self.weight, model, family), **self._options())
            return Fit.of(model, path, len(path.results) - 1, path.table())
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
        return Fit.of(model, path, choice.best, choice.table())


def _down_to(weight: float, model: LinearModel, family: Callable[[float], Any]) -> np.ndarray:
    """Weights from the largest that matters down to this one, each a quarter of the one before or more."""
    weight = check_number(weight, "weight")
    largest = weight_max(model.f, family)
    if not 0 < weight < largest:
        return np.array([weight])
    return np.geomspace(largest, weight, 1 + math.ceil(math.log(largest / weight, 4)))


class ByCrossValidation(Sparse):
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
        count: int = 20,
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

    def _fitted(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, folds: list[Any]) -> Fit:
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
        return Fit.of(found.model, found.path, chosen, found.table())
