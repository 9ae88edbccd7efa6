"""Solvers: frozen hyperparameters and a pure step each; one loop for all of them."""

from parsimo.solvers import observers, stopping
from parsimo.solvers.acceleration import Inertial, Nesterov
from parsimo.solvers.alternating import AlternatingMinimization
from parsimo.solvers.anderson import Anderson
from parsimo.solvers.balancing import Balancing
from parsimo.solvers.consensus import ConsensusADMM
from parsimo.solvers.coordinate_descent import CoordinateDescent
from parsimo.solvers.ladder import Ladder, Reading, Rung
from parsimo.solvers.late_phase import LatePhase
from parsimo.solvers.linesearch import Backtracking, BarzilaiBorwein, Constant
from parsimo.solvers.loop import run, solve
from parsimo.solvers.palm import PALM
from parsimo.solvers.polishing import Polished, polish
from parsimo.solvers.proximal_admm import ProximalADMM
from parsimo.solvers.proximal_gradient import ProximalGradient
from parsimo.solvers.stationarity import certify
from parsimo.solvers.subsets import SubsetPath, subset_path
from parsimo.solvers.working_sets import WorkingSets
from parsimo.solvers.x_steps import ConjugateGradient, Exact, Inexact, Linearized

REGISTRY = (ProximalGradient, ProximalADMM, ConsensusADMM, AlternatingMinimization, PALM, CoordinateDescent)
"""Every solver; the laws in tests/solvers run over it."""

__all__ = [
    "REGISTRY",
    "AlternatingMinimization",
    "Anderson",
    "Backtracking",
    "Balancing",
    "BarzilaiBorwein",
    "ConjugateGradient",
    "ConsensusADMM",
    "Constant",
    "CoordinateDescent",
    "Exact",
    "Inertial",
    "Inexact",
    "Ladder",
    "LatePhase",
    "Linearized",
    "Nesterov",
    "PALM",
    "Polished",
    "ProximalADMM",
    "ProximalGradient",
    "Reading",
    "Rung",
    "SubsetPath",
    "WorkingSets",
    "certify",
    "observers",
    "polish",
    "run",
    "solve",
    "stopping",
    "subset_path",
]
