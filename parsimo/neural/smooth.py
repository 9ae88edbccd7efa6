"""A network's training loss as a smooth function of one flat vector of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from parsimo.neural.batches import TensorBatches

__all__ = ["FlatView", "Selector", "TorchSmooth", "weights_only"]

Selector = Callable[[str, nn.Parameter], bool]
Loss = Callable[[Any, Tensor], Tensor]


def weights_only(name: str, parameter: nn.Parameter) -> bool:
    """The default choice of what is compressed: matrices and filters, not biases or normalization scales."""
    return parameter.ndim >= 2


@dataclass(frozen=True, eq=False)
class FlatView:
    """The trainable parameters of a module as one vector, layers as blocks.

    `FlatView.of(module)` only looks; `attach` makes the module's parameters views of one vector, so that what an
    optimizer does to them is seen there and the other way round.
    """

    module: nn.Module
    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    slices: tuple[slice, ...]
    selected: tuple[bool, ...]
    aliases: dict[str, str]
    """Other names under which other submodules hold the same parameter, with its name here."""

    @classmethod
    def of(cls, module: nn.Module, select: Selector = weights_only) -> FlatView:
        """The view of all parameters that require gradients; `select` names those to be compressed.

        Raises
        ------
        ValueError
            If nothing is trainable, nothing is selected, or dtypes or devices are mixed.
        """
        named = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
        if not named:
            raise ValueError(f"{type(module).__name__} has no trainable parameter; set requires_grad on some")
        kinds = {(p.dtype, p.device) for _, p in named}
        if len(kinds) > 1:
            raise ValueError(f"parameters must share one dtype and device, got {sorted(map(str, kinds))}")
        ends = torch.tensor([p.numel() for _, p in named]).cumsum(0).tolist()
        starts = [0, *ends[:-1]]
        selected = tuple(bool(select(n, p)) for n, p in named)
        if not any(selected):
            raise ValueError(
                f"none of the {len(named)} parameters of {type(module).__name__} is selected for compression; by "
                "default those of two and more dimensions are"
            )
        return cls(
            module=module,
            names=tuple(n for n, _ in named),
            shapes=tuple(p.shape for _, p in named),
            slices=tuple(slice(a, b) for a, b in zip(starts, ends, strict=True)),
            selected=selected,
            aliases=_aliases(module),
        )

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The module's parameters in the order of the vector."""
        return [self.module.get_parameter(n) for n in self.names]

    @property
    def blocks(self) -> dict[str, slice]:
        """The slices of the selected parameters, by name."""
        return {n: s for n, s, chosen in zip(self.names, self.slices, self.selected, strict=True) if chosen}

    @property
    def mask(self) -> Tensor:
        """True at the coordinates of selected parameters."""
        reference = self.parameters[0]
        mask = torch.zeros(self.slices[-1].stop, dtype=torch.bool, device=reference.device)
        for block in self.blocks.values():
            mask[block] = True
        return mask

    def vector(self) -> Tensor:
        """A copy of the parameters as one vector."""
        return torch.cat([p.detach().reshape(-1) for p in self.parameters])

    def named_tensors(self, x: Tensor) -> dict[str, Tensor]:
        """The vector cut into tensors of the parameters' shapes, sharing its memory and its gradient."""
        return {n: x[s].view(shape) for n, s, shape in zip(self.names, self.slices, self.shapes, strict=True)}

    def attach(self) -> Tensor:
        """Make the parameters views of one new vector, and return it."""
        flat = self.vector()
        for parameter, tensor in zip(self.parameters, self.named_tensors(flat).values(), strict=True):
            parameter.data = tensor
        return flat

    def write(self, x: Tensor) -> None:
        """Copy a vector into the parameters."""
        with torch.no_grad():
            for parameter, tensor in zip(self.parameters, self.named_tensors(x).values(), strict=True):
                parameter.copy_(tensor)


def _aliases(module: nn.Module) -> dict[str, str]:
    """Names of shared parameters in submodules other than the first; a submodule used twice is one submodule."""
    first = {id(p): n for n, p in module.named_parameters()}
    seen, aliases = set(), {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        path, _, leaf = name.rpartition(".")
        place = (id(module.get_submodule(path)), leaf)
        if place not in seen and first[id(parameter)] != name:
            aliases[name] = first[id(parameter)]
        seen.add(place)
    return aliases


class TorchSmooth:
    """f(x) = mean loss of a network over all data + weight_decay/2 |x|^2, x the flat vector of its parameters.

    The full data are read at every call, in the order and the batches they come in, with the module in evaluation
    mode (no dropout, batch normalization by its running statistics), so that f is a function. The module's own
    parameters are not touched. Values and gradients have the parameters' dtype: use a float64 module for
    certificates below about 1e-4.

    Parameters
    ----------
    module : torch.nn.Module
    data : iterable of (inputs, targets)
        Batches; iterated anew at every call. A single pair of tensors in a list is the full batch at once.
        `TensorBatches` are read in order. Evaluating f leaves the random state as it was, torch's and that of a loader.
    loss : callable
        Of (outputs, targets); the mean over a batch, as torch's losses are by default.
    select : Selector, optional
        Which parameters `mask` marks for compression; all trainable ones are variables.
    weight_decay : float
        Nonnegative. Makes f coercive.
    support : bool tensor, optional
        Coordinates outside are constants: their gradient is 0.

    Notes
    -----
    `lipschitz` is None: the gradient of a network loss is not globally Lipschitz. Solvers estimate it and say so.
    For networks with ReLU the gradient is what autograd returns, an element of a conservative field.

    Examples
    --------
    >>> f = TorchSmooth(network, [(inputs, targets)], torch.nn.functional.cross_entropy)       # doctest: +SKIP
    >>> problem = ZeroNormProblem(f, weight=1e-3 * f.mask)                                     # doctest: +SKIP
    """

    lipschitz = None
    convex = False

    def __init__(
        self,
        module: nn.Module,
        data: Iterable[tuple[Any, Tensor]],
        loss: Loss,
        *,
        select: Selector = weights_only,
        weight_decay: float = 0.0,
        support: Tensor | None = None,
    ) -> None:
        if weight_decay < 0:
            raise ValueError(f"TorchSmooth: weight_decay must be >= 0, got {weight_decay}")
        if iter(data) is data:
            raise TypeError("TorchSmooth: data is an iterator, which can be read only once; pass a list or a loader")
        if not callable(loss):
            raise TypeError(
                f"TorchSmooth: loss must be a function of (outputs, targets), got {loss!r}; pass for example "
                "torch.nn.functional.cross_entropy"
            )
        self.view = FlatView.of(module, select)
        self.data = data.in_order() if isinstance(data, TensorBatches) else data
        self.loss = loss
        self.weight_decay = weight_decay
        self.support = support

    @property
    def mask(self) -> Tensor:
        """1 at selected parameters, 0 elsewhere, in the parameters' dtype: multiply it by a weight."""
        return self.view.mask.to(self.view.parameters[0].dtype)

    def start(self) -> Tensor:
        """The module's parameters."""
        return self.view.vector()

    def value(self, x: Tensor) -> float:
        """f(x)."""
        with torch.no_grad():
            return sum(float(part) for part in self._parts(x)) + self.weight_decay / 2 * float(x @ x)

    def grad(self, x: Tensor) -> Tensor:
        """The gradient at x, 0 outside the support."""
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x: Tensor) -> tuple[float, Tensor]:
        """f(x) and its gradient from one pass over the data."""
        leaf = x.detach().clone().requires_grad_()
        value = 0.0
        gradient = self.weight_decay * x
        for part in self._parts(leaf):
            (share,) = torch.autograd.grad(part, leaf)
            gradient = gradient + share
            value += float(part.detach())
        if self.support is not None:
            gradient = torch.where(self.support, gradient, 0.0)
        return value + self.weight_decay / 2 * float(x @ x), gradient

    def _parts(self, x: Tensor) -> Iterable[Tensor]:
        """Each batch's share of the mean loss, to be summed."""
        random = random_state(self.data)
        try:
            yield from self._read(x)
        finally:
            set_random_state(self.data, random)

    def _read(self, x: Tensor) -> Iterable[Tensor]:
        module, parameters = self.view.module, self.view.named_tensors(x)
        parameters |= {alias: parameters[name] for alias, name in self.view.aliases.items() if name in parameters}
        examples = sum(len(pair_of(batch)[1]) for batch in self.data)
        if examples == 0:
            raise ValueError("TorchSmooth: the data hold no example")
        was_training = module.training
        module.eval()
        try:
            for batch in self.data:
                inputs, targets = pair_of(batch)
                outputs = _outputs(module, parameters, inputs, x)
                loss = self.loss(outputs, targets.to(x.device))
                if loss.ndim > 0:
                    raise ValueError(
                        f"the loss must be one number, the mean over the batch, but has shape {tuple(loss.shape)}; "
                        'use reduction="mean"'
                    )
                yield loss * (len(targets) / examples)
        finally:
            module.train(was_training)

    def __repr__(self) -> str:
        return f"TorchSmooth({type(self.view.module).__name__}, {self.view.slices[-1].stop} parameters)"


def _outputs(module: nn.Module, parameters: dict[str, Tensor], inputs: Any, x: Tensor) -> Any:
    try:
        return functional_call(module, parameters, (to_device(inputs, x.device),), tie_weights=False)
    except RuntimeError as error:  # asked after the fact: a module may cast its inputs itself
        if isinstance(inputs, Tensor) and inputs.is_floating_point() and inputs.dtype != x.dtype:
            raise TypeError(
                f"TorchSmooth: the inputs have dtype {inputs.dtype}, but the parameters {x.dtype}; cast the data by "
                f"inputs.to({x.dtype}), or the network by network.to({inputs.dtype})"
            ) from error
        raise


def pair_of(batch: Any) -> tuple[Any, Tensor]:
    """Inputs and targets of a batch.

    Raises
    ------
    TypeError
        If it is no pair.
    """
    if isinstance(batch, Mapping) or not isinstance(batch, Sequence) or len(batch) != 2:
        keys = f" with {', '.join(map(str, batch))}" if isinstance(batch, Mapping) else ""
        what = f"a {type(batch).__name__}{keys}"
        raise TypeError(
            f"a loader must give pairs (inputs, targets), got {what}; inputs may be a dict: wrap the loader so that it "
            'gives for example (batch, batch["labels"]), and pick what the network takes in its forward'
        )
    return batch[0], batch[1]


def random_state(loader: Any) -> list[Tensor]:
    """That of torch, and of the loader's own generator where it has one."""
    generator = _generator(loader)
    return [torch.get_rng_state(), *([] if generator is None else [generator.get_state()])]


def set_random_state(loader: Any, state: list[Tensor]) -> None:
    """Back to where `random_state` was."""
    torch.set_rng_state(state[0])
    generator = _generator(loader)
    if generator is not None:
        generator.set_state(state[1])


def _generator(loader: Any) -> torch.Generator | None:
    own = getattr(loader, "_generator", None) or getattr(loader, "generator", None)
    return own if isinstance(own, torch.Generator) else None


def to_device(inputs: Any, device: torch.device) -> Any:
    """Inputs on the device; a mapping or sequence of tensors entry by entry."""
    if isinstance(inputs, Tensor):
        return inputs.to(device)
    if isinstance(inputs, Mapping):
        return {name: to_device(value, device) for name, value in inputs.items()}
    return type(inputs)(to_device(value, device) for value in inputs)
