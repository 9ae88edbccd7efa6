"""Least squares with at most k nonzeros for every k: local search to swap optimality."""

from parsimo.solvers.subsets.path import SubsetPath, subset_path

__all__ = ["SubsetPath", "subset_path"]
