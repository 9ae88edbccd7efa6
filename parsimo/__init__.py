"""parsimo: objectives with combinatorial structure, solved through exact penalties.

    import parsimo as ps
    problem = ps.ZeroNormProblem(ps.LeastSquares(A, b), weight=0.1)
    surrogate = problem.to_mpec(ps.phi.mcp()).penalize(rho="exact").eliminate()
    result = ps.solve(surrogate, ps.ProximalADMM())
    print(problem.recover(result))

Networks are pruned and quantized by `parsimo.neural`, which needs torch and is imported on its own.
"""

from typing import Any

from parsimo import data, selection
from parsimo.core import (
    Composite,
    Counting,
    History,
    NotConvergedError,
    Result,
    Status,
    Traits,
    Zero,
    certificate,
    natural_residual,
)
from parsimo.penalties import (
    L1,
    MCP,
    SCAD,
    Box,
    CappedL1,
    Clustering,
    EntropyCodebook,
    Exponential,
    Group,
    LogSum,
    Lq,
    SeparableSum,
    Spectral,
    WithRidge,
    ZeroNorm,
    ZeroNormBall,
    ZeroNormBox,
    ZeroNormCodebook,
)
from parsimo.problems import (
    Blocks,
    ClusteringProblem,
    HarmonicClustering,
    LeastSquares,
    Logistic,
    SoftMinClustering,
    ZeroNormProblem,
    by_rows,
    instances,
    phi,
)
from parsimo.selection import cross_validation, regularization_path, weight_max
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
    Ladder,
    LatePhase,
    Linearized,
    Nesterov,
    Polished,
    ProximalADMM,
    ProximalGradient,
    Rung,
    SubsetPath,
    WorkingSets,
    certify,
    observers,
    polish,
    solve,
    stopping,
    subset_path,
)

__version__ = "0.1.0"

__all__ = [
    # problems
    "Composite",
    "ZeroNormProblem",
    "ClusteringProblem",
    "LeastSquares",
    "Logistic",
    "Blocks",
    "by_rows",
    "SoftMinClustering",
    "HarmonicClustering",
    "phi",
    "instances",
    # penalties
    "ZeroNorm",
    "L1",
    "Lq",
    "LogSum",
    "CappedL1",
    "MCP",
    "SCAD",
    "Exponential",
    "Box",
    "ZeroNormBox",
    "Clustering",
    "EntropyCodebook",
    "ZeroNormCodebook",
    "SeparableSum",
    "WithRidge",
    "Group",
    "Spectral",
    "ZeroNormBall",
    "Zero",
    "Traits",
    # solvers
    "solve",
    "ProximalADMM",
    "ConsensusADMM",
    "ProximalGradient",
    "AlternatingMinimization",
    "PALM",
    "CoordinateDescent",
    "Exact",
    "Linearized",
    "Inexact",
    "ConjugateGradient",
    "Balancing",
    "LatePhase",
    "BarzilaiBorwein",
    "Backtracking",
    "Constant",
    "Nesterov",
    "Anderson",
    "Inertial",
    "WorkingSets",
    "stopping",
    "observers",
    # the zero norm for every number of nonzeros
    "subset_path",
    "SubsetPath",
    # what is proved about a point, and how to better it
    "certify",
    "polish",
    "Ladder",
    "Rung",
    "Polished",
    # results
    "Result",
    "Status",
    "History",
    "NotConvergedError",
    "certificate",
    "natural_residual",
    "Counting",
    # the choice of a weight
    "selection",
    "regularization_path",
    "weight_max",
    "cross_validation",
    # tables and images
    "data",
]


def __getattr__(name: str) -> Any:
    if name in selection.ESTIMATORS:  # SparseRegressor and its like load scikit-learn
        return getattr(selection, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
