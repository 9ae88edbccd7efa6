"""Solvers: frozen hyperparameters and a pure step each; one loop for all of them."""

from parsimo.solvers import observers, stopping
from parsimo.solvers.alternating import AlternatingMinimization
from parsimo.solvers.coordinate_descent import CoordinateDescent
from parsimo.solvers.ladder import Ladder, Reading, Rung
from parsimo.solvers.loop import run, solve
from parsimo.solvers.polishing import Polished, polish
from parsimo.solvers.proximal_admm import ProximalADMM
from parsimo.solvers.proximal_gradient import ProximalGradient
from parsimo.solvers.stationarity import certify
from parsimo.solvers.subsets import SubsetPath, subset_path
from parsimo.solvers.x_steps import Exact, Inexact, Linearized

REGISTRY = (ProximalGradient, ProximalADMM, AlternatingMinimization, CoordinateDescent)
"""Every solver; the laws in tests/solvers run over it."""

__all__ = [
    "REGISTRY",
    "AlternatingMinimization",
    "CoordinateDescent",
    "Exact",
    "Inexact",
    "Ladder",
    "Linearized",
    "Polished",
    "ProximalADMM",
    "ProximalGradient",
    "Reading",
    "Rung",
    "SubsetPath",
    "certify",
    "observers",
    "polish",
    "run",
    "solve",
    "stopping",
    "subset_path",
]
