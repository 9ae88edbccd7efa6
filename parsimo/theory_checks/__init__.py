"""Why it is right: each statement of the theory as a function that tries it out and returns `Evidence`.

A check takes the object under test and a random generator; it asserts nothing. The tests and the command line drive
the same checks, on right objects and, in the tests, on broken ones.
"""

from parsimo.theory_checks.admm import check_certificate, check_merit, check_sigma_sharp
from parsimo.theory_checks.both_constants import check_joint_theorem, check_joint_tightness
from parsimo.theory_checks.clustering import (
    check_cluster_prox,
    check_quantization,
    check_quantization_tightness,
    check_rounding,
    check_zero_norm_codebook,
)
from parsimo.theory_checks.coordinates import check_coordinate_descent, check_coordinate_passes
from parsimo.theory_checks.curvature import check_curvature_theorem, check_curvature_tightness
from parsimo.theory_checks.descents import (
    check_alternating_certificate,
    check_alternating_descent,
    check_gradient_certificate,
    check_gradient_descent,
)
from parsimo.theory_checks.envelopes import check_douglas_rachford, check_envelope_decrease, check_lagrangian_bounds
from parsimo.theory_checks.evidence import Check, Evidence, Trials
from parsimo.theory_checks.exactness import (
    check_lipschitz_theorem,
    check_lipschitz_tightness,
    check_never_exact,
    check_zeroing,
)
from parsimo.theory_checks.family import (
    check_axioms,
    check_conjugate,
    check_surrogate,
    check_variational_identity,
)
from parsimo.theory_checks.gradient import check_gradient
from parsimo.theory_checks.ladder import check_ladder
from parsimo.theory_checks.lower_bounds import check_lower_bounds
from parsimo.theory_checks.majorization import check_majorized_step, check_majorizer
from parsimo.theory_checks.membership import check_phi
from parsimo.theory_checks.palm import check_palm_certificate, check_palm_descent
from parsimo.theory_checks.pieces import check_prox_by_pieces
from parsimo.theory_checks.prox import check_prox, check_subdifferential
from parsimo.theory_checks.quantizers import (
    check_best_codebook,
    check_binning,
    check_descent,
    check_entropy_cells,
    check_lloyd_max,
    check_split_order,
)
from parsimo.theory_checks.rates import check_admm_rate, check_gradient_rate, check_worst_case
from parsimo.theory_checks.reformulation import check_reformulation
from parsimo.theory_checks.sandwich import check_sandwich
from parsimo.theory_checks.small_points import check_no_small_stationary_point, check_small_stationary_point
from parsimo.theory_checks.soft_clustering import check_harmonic, check_soft_min
from parsimo.theory_checks.solvers import check_solver
from parsimo.theory_checks.splitting import (
    check_balancing,
    check_consensus,
    check_every_sigma,
    check_leaps,
    check_relaxed_decrease,
)
from parsimo.theory_checks.step_rules import (
    check_average_descent,
    check_extrapolated_descent,
    check_inertial_descent,
    check_working_sets,
)
from parsimo.theory_checks.storage import check_huffman, check_storage
from parsimo.theory_checks.structures import (
    check_group_theorem,
    check_group_tightness,
    check_rank_theorem,
    check_rank_tightness,
)
from parsimo.theory_checks.subjects import FAMILY, PENALTIES, STRUCTURED
from parsimo.theory_checks.subsets import check_subset_path, check_support_moves
from parsimo.theory_checks.suite import standard_checks
from parsimo.theory_checks.support_changes import check_admm_support_changes, check_support_changes
from parsimo.theory_checks.weights import check_families, check_weight_max

__all__ = [
    "Check",
    "Evidence",
    "Trials",
    # penalties
    "check_prox",
    "check_prox_by_pieces",
    "check_subdifferential",
    # the family
    "check_axioms",
    "check_conjugate",
    "check_surrogate",
    "check_variational_identity",
    # what is your own
    "check_phi",
    "check_reformulation",
    # exactness
    "check_coordinate_descent",
    "check_coordinate_passes",
    "check_curvature_theorem",
    "check_curvature_tightness",
    "check_lipschitz_theorem",
    "check_lipschitz_tightness",
    "check_joint_theorem",
    "check_joint_tightness",
    "check_sandwich",
    "check_lower_bounds",
    "check_small_stationary_point",
    "check_no_small_stationary_point",
    "check_group_theorem",
    "check_group_tightness",
    "check_rank_theorem",
    "check_rank_tightness",
    "check_never_exact",
    "check_zeroing",
    # clustering
    "check_cluster_prox",
    "check_harmonic",
    "check_quantization",
    "check_quantization_tightness",
    "check_rounding",
    "check_soft_min",
    "check_zero_norm_codebook",
    # quantizers
    "check_best_codebook",
    "check_binning",
    "check_descent",
    "check_entropy_cells",
    "check_lloyd_max",
    "check_split_order",
    # storage
    "check_huffman",
    "check_storage",
    # P-ADMM
    "check_certificate",
    "check_merit",
    "check_sigma_sharp",
    # solvers
    "check_admm_rate",
    "check_admm_support_changes",
    "check_alternating_certificate",
    "check_alternating_descent",
    "check_douglas_rachford",
    "check_envelope_decrease",
    "check_relaxed_decrease",
    "check_leaps",
    "check_balancing",
    "check_every_sigma",
    "check_consensus",
    "check_gradient_certificate",
    "check_gradient_descent",
    "check_gradient_rate",
    "check_lagrangian_bounds",
    "check_majorized_step",
    "check_majorizer",
    "check_average_descent",
    "check_extrapolated_descent",
    "check_inertial_descent",
    "check_palm_certificate",
    "check_palm_descent",
    "check_subset_path",
    "check_support_changes",
    "check_support_moves",
    "check_working_sets",
    "check_worst_case",
    # the ladder
    "check_ladder",
    # weights
    "check_families",
    "check_weight_max",
    # objects of your own
    "check_gradient",
    "check_solver",
    # all of them
    "FAMILY",
    "PENALTIES",
    "STRUCTURED",
    "standard_checks",
]
