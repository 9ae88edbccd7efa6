"""The parts of coordinate descent: the terms of the penalty, the working set, its model, and the descent on it."""

from parsimo.solvers.coordinates.descent import Descent, descend
from parsimo.solvers.coordinates.models import Model, positive
from parsimo.solvers.coordinates.terms import Compiled, Plain, Relaxation, Terms, terms_of
from parsimo.solvers.coordinates.working_set import WorkingSet

__all__ = [
    "Compiled",
    "Descent",
    "Model",
    "Plain",
    "Relaxation",
    "Terms",
    "WorkingSet",
    "descend",
    "positive",
    "terms_of",
]
