"""The language that all rooms share: functions, problems, results."""

from parsimo.core.functions import Counting, Proximable, Smooth, Traits, Zero
from parsimo.core.problem import Composite, Problem, certificate, natural_residual
from parsimo.core.result import History, NotConvergedError, Result, Status

__all__ = [
    "Composite",
    "Counting",
    "History",
    "NotConvergedError",
    "Problem",
    "Proximable",
    "Result",
    "Smooth",
    "Status",
    "Traits",
    "Zero",
    "certificate",
    "natural_residual",
]
