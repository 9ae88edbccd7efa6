"""Constants of a network's loss on the ball that holds all its minimizers, so that exactness can be proved."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from parsimo.core.validation import check_number
from parsimo.neural.smooth import TorchSmooth

__all__ = ["OnBall", "on_ball"]

_STEEPEST = {nn.Sigmoid: 0.25, nn.Tanh: 1.0, nn.ReLU: 1.0}  # Lipschitz constants of the units
_ISOMETRIC = (nn.Flatten, nn.Identity, nn.Dropout)  # the same numbers, in evaluation mode
_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
_NAMES = ", ".join(kind.__name__ for kind in (*_STEEPEST, *_ISOMETRIC))
_KNOWN = (
    f"Linear of vectors, Conv2d without groups or dilation, {_NAMES}, and MaxPool2d and AvgPool2d of disjoint windows"
)
_OTHERWISE = "for another, give f a coordinate_lipschitz that you have proved, or pass a number for rho to penalize"


class OnBall:
    """A network's loss with weight decay, on the ball |x| <= radius where all minimizers are.

    It is the given f with two more things known: `radius` and `coordinate_lipschitz`, so that
    `ZeroNormProblem(on_ball(f), weight).to_mpec(phi).penalize("exact")` is a theorem about the network.
    """

    def __init__(self, f: TorchSmooth, radius: float, coordinate_lipschitz: Tensor) -> None:
        self.f = f
        self.radius = radius
        """No global minimizer is farther from 0."""
        self.coordinate_lipschitz = coordinate_lipschitz
        """Setting x_i to 0 raises f by at most this times |x_i|, for every x in the ball; of the shape of x."""
        self.domain = f"on the ball |x| <= {radius:.6g} that holds all minimizers, Proposition 3.12"
        """Where the constant holds; the result quotes it."""

    def __getattr__(self, name: str) -> Any:
        if name == "f":  # absent only while an instance is being copied
            raise AttributeError(name)
        return getattr(self.f, name)

    def __repr__(self) -> str:
        return f"OnBall({self.f!r}, radius={self.radius:.6g})"


def on_ball(f: TorchSmooth, level: float | None = None) -> OnBall:
    """f with a coordinatewise Lipschitz constant, valid on the ball of all global minimizers.

    f(x) = loss(x) + weight_decay/2 |x|^2 with loss >= 0, so every global minimizer of f + weight |x|_0, and of each
    of its surrogates, has weight_decay/2 |x|^2 <= level. There the derivative along a weight of layer l is at most

        |delta_l| * (the input that the weight multiplies),   |delta_l| <= sqrt(2) c_l prod over m > l of c_m s_m r_m,

    where c_m bounds the slope of the units behind layer m, s_m r_m the operator norm of layer m with parameters of
    norm r_m, and sum r_m^2 <= radius^2 bounds the product (docs/theory.md, Proposition 3.12).

    Parameters
    ----------
    f : TorchSmooth
        Of a `torch.nn.Sequential` of `Linear`, `Conv2d`, `Sigmoid`, `Tanh`, `ReLU`, pooling over disjoint windows,
        `Flatten`, `Identity` and `Dropout`, with the cross entropy as loss and positive weight decay.
    level : float, optional
        The objective f(x) + weight |x|_0 at any point that is known: the lower, the smaller the ball. By default
        f(0), which is that objective at 0.

    Raises
    ------
    TypeError
        If f is no `TorchSmooth`.
    ValueError
        If there is no weight decay, so that minimizers need not exist or be bounded; or if the network has another
        layer, or the loss is another, so that no constant is known.
    """
    if not isinstance(f, TorchSmooth | OnBall):
        raise TypeError(
            f"on_ball: f must be the loss of a network, got {type(f).__name__}; pass TorchSmooth(network, data, "
            "torch.nn.functional.cross_entropy, weight_decay=...)"
        )
    if f.weight_decay <= 0:
        raise ValueError(
            "on_ball: without weight decay the loss of a network is not coercive and its minimizers lie in no ball; "
            "pass weight_decay > 0 to TorchSmooth"
        )
    if not (f.loss is functional.cross_entropy or type(f.loss) is nn.CrossEntropyLoss):
        raise ValueError(
            f"on_ball: the gradient of the loss {f.loss!r} in the outputs has no known bound; the cross entropy "
            f"torch.nn.functional.cross_entropy and torch.nn.CrossEntropyLoss() have; {_OTHERWISE}"
        )
    if getattr(f.loss, "weight", None) is not None:
        raise ValueError("on_ball: a cross entropy with class weights has no known bound here; leave them out")
    if (reduction := getattr(f.loss, "reduction", "mean")) != "mean":
        raise ValueError(f"on_ball: the loss must be the mean over the batch, got reduction={reduction!r}")
    at_zero = f.value(torch.zeros_like(f.start()))
    level = at_zero if level is None else min(check_number(level, "on_ball: level"), at_zero)
    radius = math.sqrt(2 * level / f.weight_decay)
    by_name = _constants(f, radius)
    constants = torch.cat([by_name[name].reshape(-1) for name in f.view.names])
    return OnBall(f, radius, constants.to(f.start().dtype))


@dataclass(frozen=True)
class _Signal:
    """What runs between two layers: root mean squares over the data, or bounds of them."""

    size: Tensor
    """Of each entry, in the shape of one example."""
    norm: float
    """Of the Euclidean norm of all entries."""


@dataclass(frozen=True)
class _Layer:
    """A layer with weights, and what its neighbours make of it."""

    name: str
    entering: Tensor
    """Bounds of the root mean square of what a weight multiplies, to be broadcast to the shape of the weights."""
    gain: float
    """s: its operator norm is at most s times the norm of its weights."""
    places: int
    """How many outputs share a bias, or a filter."""
    steepest: float = 1.0
    """c: the Lipschitz constant of the units between this layer and the next."""


def _constants(f: TorchSmooth, radius: float) -> dict[str, Tensor]:
    layers = _layers(f, radius)
    bounds: dict[str, Tensor] = {}
    for number, layer in enumerate(layers):
        behind = layers[number + 1 :]
        # with sum r_m^2 <= radius^2, the product of r_m over the layers behind is largest where all are equal
        product = math.prod(m.gain * radius / math.sqrt(len(behind)) for m in behind)
        # the gradient p - y of the cross entropy has norm at most sqrt(2); a weight of a last dense layer meets one
        # entry of it, of size at most 1
        output = math.sqrt(2) if behind or layer.places > 1 else 1.0
        delta = output * product * math.prod(m.steepest for m in layers[number:])
        for kind, entering in (("weight", layer.entering), ("bias", torch.tensor(math.sqrt(layer.places)))):
            name = f"{layer.name}.{kind}"
            if name in f.view.names:
                shape = f.view.shapes[f.view.names.index(name)]
                bounds[name] = (delta * entering).expand(shape)
    return bounds


def _layers(f: TorchSmooth, radius: float) -> list[_Layer]:
    """The layers with weights, in order, each with a bound of what enters it."""
    network = f.view.module
    _refuse_what_is_unknown(f)
    example = next(iter(f.data))[0][:1].to(f.start().device)
    signal = _at_data(f)
    layers: list[_Layer] = []
    for name, module in network.named_children():
        with torch.no_grad():
            example = module.eval()(example)
        shape = example.shape[1:]
        if isinstance(module, nn.Linear | nn.Conv2d):
            layers.append(_with_weights(name, module, signal, shape))
            # |W a + b| <= |(W, b)| sqrt(s^2 |a|^2 + places), the norm of (W, b) being at most the radius
            norm = radius * math.hypot(layers[-1].gain * signal.norm, math.sqrt(layers[-1].places))
            signal = _Signal(torch.full(shape, norm), norm)
        elif type(module) in _STEEPEST:
            layers[-1] = replace(layers[-1], steepest=layers[-1].steepest * _STEEPEST[type(module)])
            signal = _through_units(module, signal)
        elif isinstance(module, _POOLS):
            signal = _Signal(torch.full(shape, float(signal.size.max())), signal.norm)
        else:
            signal = _Signal(signal.size.reshape(shape), signal.norm)
    return layers


def _through_units(module: nn.Module, signal: _Signal) -> _Signal:
    if isinstance(module, nn.ReLU):
        return signal
    # tanh(a) is at most |a| and at most 1; a sigmoid is 1/2 at 0, so that only its range bounds it
    size = signal.size.clip(max=1.0) if isinstance(module, nn.Tanh) else torch.ones_like(signal.size)
    return _Signal(size, float(torch.linalg.vector_norm(size)))


def _with_weights(name: str, module: nn.Linear | nn.Conv2d, signal: _Signal, shape: torch.Size) -> _Layer:
    if isinstance(module, nn.Linear):
        return _Layer(name, signal.size, gain=1.0, places=1)
    # a pixel is met by at most so many positions of a filter; a filter's weight meets one pixel at each place
    overlap = math.prod(math.ceil(k / s) for k, s in zip(module.kernel_size, module.stride, strict=True))
    of_channels = torch.linalg.vector_norm(signal.size.flatten(1), dim=1).clip(max=signal.norm)
    return _Layer(name, of_channels[:, None, None], math.sqrt(overlap), places=math.prod(shape[1:]))


def _at_data(f: TorchSmooth) -> _Signal:
    sums = [(inputs.double().square().sum(dim=0).cpu(), len(inputs)) for inputs, _ in f.data]
    mean = torch.stack([squares for squares, _ in sums]).sum(dim=0) / sum(examples for _, examples in sums)
    return _Signal(mean.sqrt(), math.sqrt(float(mean.sum())))


def _refuse_what_is_unknown(f: TorchSmooth) -> None:
    network = f.view.module
    if not isinstance(network, nn.Sequential):
        raise ValueError(
            f"on_ball: needs a torch.nn.Sequential, got {type(network).__name__}, whose graph is not known"
        )
    if not isinstance(next(iter(f.data))[0], Tensor):
        raise ValueError("on_ball: the network's input must be one tensor")
    if len(next(iter(f.data))[0]) == 0 or not all(_is_class(f, targets) for _, targets in f.data):
        raise ValueError("on_ball: targets must be classes, one for each example, and none of them ignored by the loss")
    if f.view.aliases or len(list(network.parameters())) > len(f.view.names):
        raise ValueError(
            "on_ball: shared or frozen parameters are outside the ball of the trainable ones, so that no norm bounds "
            "their layers; unshare them, and set requires_grad on all"
        )
    weighted = False
    example = next(iter(f.data))[0][:1].to(f.start().device)
    for name, module in network.named_children():
        known = type(module) in _ISOMETRIC or (type(module) is nn.Linear and example.ndim == 2)
        known |= type(module) is nn.Conv2d and example.ndim == 4 and _is_plain(module)
        known |= weighted and (type(module) in _STEEPEST or _pools_disjointly(module))
        known &= not (module._forward_hooks or module._forward_pre_hooks)  # a hook may make anything of it
        weighted |= isinstance(module, nn.Linear | nn.Conv2d)
        if known:
            with torch.no_grad():
                example = module.eval()(example)
        else:
            where = "" if weighted else " before the first layer with weights"
            raise ValueError(
                f"on_ball: no bound is known for the layer {name} = {module}{where}; known are {_KNOWN}; {_OTHERWISE}"
            )


def _is_class(f: TorchSmooth, targets: Tensor) -> bool:
    ignored = getattr(f.loss, "ignore_index", -100)
    return targets.ndim == 1 and not targets.is_floating_point() and not bool((targets == ignored).any())


def _is_plain(module: nn.Conv2d) -> bool:
    return module.groups == 1 and set(module.dilation) == {1} and module.padding_mode == "zeros"


def _pools_disjointly(module: Any) -> bool:
    if type(module) not in _POOLS or getattr(module, "divisor_override", None) is not None:
        return False
    kernel, stride, padding = (
        (v, v) if isinstance(v, int) else v for v in (module.kernel_size, module.stride, module.padding)
    )
    undilated = getattr(module, "dilation", 1) in (1, (1, 1))
    return undilated and max(padding) == 0 and all(s >= k for s, k in zip(stride, kernel, strict=True))
