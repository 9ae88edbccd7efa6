"""A path of weights, the choice of one of them, and the same through scikit-learn's conventions."""

import numpy as np

import parsimo as ps

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 200))
y = X[:, :5] @ np.array([3.0, -2.0, 1.5, 1.0, -1.0]) + 0.5 * rng.normal(size=100) + 4

path = ps.regularization_path(ps.LeastSquares(X, y - y.mean(), average=True), "mcp", count=15, ratio=1e-2)
print(path)
path.plot("path.png")

choice = ps.selection.choose(path, "ebic")
print(f"\nEBIC takes weight {choice.weight:.4g}: columns {np.flatnonzero(choice.result.x)}")
print(ps.certify(choice.result), end="\n\n")

found = ps.cross_validation(X, y, "mcp", count=15, ratio=1e-2)
found.plot("errors.png")
print(f"one standard error: weight {found.weight_simplest:.4g}, columns {np.flatnonzero(found.coefficients()[0])}")

model = ps.SparseRegressor("mcp", count=15).fit(X, y)
print(f"{model}: intercept {model.intercept_:.3f}, certificate {model.certificate_:.1e}")
