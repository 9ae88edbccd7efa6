"""Prune and quantize a network of your own with a loader of your own."""

import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

import parsimo as ps
from parsimo.neural import load, prune, quantize, train

digits = load_digits()
inputs = torch.as_tensor(digits.data / 16, dtype=torch.float32)
targets = torch.as_tensor(digits.target)
torch.manual_seed(0)
loader = DataLoader(TensorDataset(inputs[:1400], targets[:1400]), batch_size=64, shuffle=True)


def network() -> torch.nn.Module:
    """Three layers with ReLU."""
    return torch.nn.Sequential(
        torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
    )


model, loss = network(), torch.nn.functional.cross_entropy


def report(name: str) -> None:
    """Test error on the last 397 digits."""
    model.eval()
    with torch.no_grad():
        wrong = int((model(inputs[1400:]).argmax(1) != targets[1400:]).sum())
    print(f"{name}: {wrong} of 397 test digits wrong\n")


print(train(model, loader, loss, epochs=10, learning_rate=5e-3))
report("dense")
print(prune(model, loader, loss, penalty=ps.MCP(1.0, 0.05), target_sparsity=0.9, epochs=20, steps_per_update=5))
report("pruned")
outcome = quantize(model, loader, loss, k=8, epochs=10, steps_per_update=5)
print(outcome)
report("pruned and quantized")
print(outcome.save("model.parsimo"), "bytes")
assert torch.equal(load("model.parsimo", into=network())(inputs), model(inputs))
