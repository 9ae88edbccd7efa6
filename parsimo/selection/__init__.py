"""Choosing a weight: paths, information criteria, cross-validation, and estimators for scikit-learn."""

from typing import Any

from parsimo.selection.criteria import Choice, choose
from parsimo.selection.cross_validation import CrossValidation, cross_validation
from parsimo.selection.families import Family, gentler, named
from parsimo.selection.linear_model import LinearModel
from parsimo.selection.outcome import Path
from parsimo.selection.path import regularization_path
from parsimo.selection.suited import suited_solver
from parsimo.selection.weight_max import weight_max

ESTIMATORS = ("SparseRegressor", "SparseClassifier", "SparseRegressorCV", "SparseClassifierCV")
"""Names that load scikit-learn when they are first asked for."""

__all__ = [
    "Choice",
    "CrossValidation",
    "Family",
    "LinearModel",
    "Path",
    "choose",
    "cross_validation",
    "gentler",
    "named",
    "regularization_path",
    "suited_solver",
    "weight_max",
]


def __getattr__(name: str) -> Any:
    if name not in ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from parsimo.selection import estimators
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "sklearn":
            raise
        raise ImportError(f'{name} needs scikit-learn: pip install "parsimo[estimators]"') from error
    return getattr(estimators, name)
