"""The names that worst cases are written in. To evaluate one, paste it behind

    from parsimo.theory_checks.paste import *

These are numpy as np; penalties, problems and solvers; the objects that the standard checks are run on; and what makes
their instances, or computes the numbers that they compare. What you pass to a check yourself is called as the check
calls it: `g`, `f`, `phi`, `solver`, `problem`; assign it last, since `phi` is a module here.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from parsimo import penalties, problems
from parsimo.core.functions import Zero
from parsimo.core.problem import Composite
from parsimo.penalties import *  # noqa: F403
from parsimo.penalties.codebook import Line, best_codebook
from parsimo.problems import *  # noqa: F403
from parsimo.problems.mpec import zero_where_better
from parsimo.selection import Family, gentler, weight_max
from parsimo.solvers import (
    PALM,
    AlternatingMinimization,
    Anderson,
    Backtracking,
    Balancing,
    BarzilaiBorwein,
    ConjugateGradient,
    ConsensusADMM,
    Constant,
    CoordinateDescent,
    Exact,
    Inertial,
    Inexact,
    LatePhase,
    Linearized,
    Nesterov,
    ProximalADMM,
    ProximalGradient,
    WorkingSets,
    certify,
    solve,
    subset_path,
)
from parsimo.solvers.stopping import max_iterations
from parsimo.theory_checks.both_constants import Huber, joint_minima
from parsimo.theory_checks.clustering import Drawn
from parsimo.theory_checks.coordinates import one_pass
from parsimo.theory_checks.curvature import Curved, curvature_gap
from parsimo.theory_checks.envelopes import lagrangian
from parsimo.theory_checks.exactness import LOGISTIC_SURROGATE, OnGrid, exponential
from parsimo.theory_checks.family import least_sum
from parsimo.theory_checks.formats import HAM, SHAM, huffman_code
from parsimo.theory_checks.functions import PartedQuadratic, Quadratic
from parsimo.theory_checks.gradient import SMOOTH
from parsimo.theory_checks.lower_bounds import sparse_problem
from parsimo.theory_checks.majorization import majorized_fall, mpec_weights
from parsimo.theory_checks.palm import Bent
from parsimo.theory_checks.quantizers import gaussian_distortion, gaussian_quantiles, interval_costs
from parsimo.theory_checks.reformulation import ZERO_NORM_PROBLEM, chain_of
from parsimo.theory_checks.sandwich import sandwich_gaps
from parsimo.theory_checks.solvers import random_problem
from parsimo.theory_checks.storage import sparse_matrix
from parsimo.theory_checks.structures import GroupKinks, SpectralKinks
from parsimo.theory_checks.subjects import FAMILY
from parsimo.theory_checks.subsets import support_after
from parsimo.theory_checks.weights import WEIGHTED, Unweighted

__all__ = [
    "np",
    "sp",
    *penalties.__all__,
    *problems.__all__,
    "Composite",
    "Zero",
    "Line",
    "best_codebook",
    "zero_where_better",
    # solvers
    "AlternatingMinimization",
    "PALM",
    "Anderson",
    "Backtracking",
    "Balancing",
    "BarzilaiBorwein",
    "ConjugateGradient",
    "ConsensusADMM",
    "CoordinateDescent",
    "Constant",
    "Exact",
    "Inertial",
    "Inexact",
    "LatePhase",
    "Linearized",
    "Nesterov",
    "ProximalADMM",
    "ProximalGradient",
    "WorkingSets",
    "certify",
    "Family",
    "gentler",
    "weight_max",
    "max_iterations",
    "solve",
    "subset_path",
    # what the checks are run on
    "FAMILY",
    "LOGISTIC_SURROGATE",
    "SMOOTH",
    "WEIGHTED",
    "ZERO_NORM_PROBLEM",
    "HAM",
    "SHAM",
    "Bent",
    "Huber",
    "PartedQuadratic",
    "Quadratic",
    "exponential",
    # instances, by trial and seed
    "Curved",
    "Drawn",
    "GroupKinks",
    "OnGrid",
    "SpectralKinks",
    "Unweighted",
    "random_problem",
    "sparse_matrix",
    "sparse_problem",
    "support_after",
    # numbers that are compared
    "chain_of",
    "curvature_gap",
    "gaussian_distortion",
    "gaussian_quantiles",
    "huffman_code",
    "interval_costs",
    "joint_minima",
    "lagrangian",
    "least_sum",
    "majorized_fall",
    "mpec_weights",
    "one_pass",
    "sandwich_gaps",
]
