"""A sparse regression, from the zero norm to a certified point and back."""

import numpy as np

import parsimo as ps

rng = np.random.default_rng(0)
A = rng.normal(size=(100, 200))
b = A[:, :5] @ np.array([3.0, -2.0, 1.5, 1.0, -1.0]) + 0.1 * rng.normal(size=100)

problem = ps.ZeroNormProblem(ps.LeastSquares(A, b), weight=5.0)
penalized = problem.to_mpec(ps.phi.mcp()).penalize(rho="exact")
print(penalized.exactness, end="\n\n")

for target, solver in [
    (penalized.eliminate(), ps.ProximalADMM()),
    (penalized.eliminate(), ps.ProximalGradient()),
    (penalized, ps.AlternatingMinimization(ps.ProximalGradient(acceleration=ps.Nesterov()), inner_steps=50)),
]:
    result = ps.solve(target, solver)
    print(result)
    print(problem.recover(result), end="\n\n")
