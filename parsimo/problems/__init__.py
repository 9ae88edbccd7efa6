"""What is minimized: data terms, the zero-norm problem and its reformulations, the clustering problem."""

from parsimo.problems import instances, phi
from parsimo.problems.blocks import Blocks, by_rows
from parsimo.problems.clustering import ClusteringProblem
from parsimo.problems.data_terms import LeastSquares, Logistic
from parsimo.problems.exact_penalty import PenalizedMPEC
from parsimo.problems.mpec import MPEC, ZeroNormProblem
from parsimo.problems.soft_clustering import HarmonicClustering, SoftMinClustering
from parsimo.problems.surrogate import PhiPenalty, SurrogateProblem

__all__ = [
    "MPEC",
    "Blocks",
    "ClusteringProblem",
    "HarmonicClustering",
    "LeastSquares",
    "Logistic",
    "PenalizedMPEC",
    "PhiPenalty",
    "SoftMinClustering",
    "SurrogateProblem",
    "ZeroNormProblem",
    "by_rows",
    "instances",
    "phi",
]
