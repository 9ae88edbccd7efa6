"""The reference networks for image classification.

All are ``torch.nn.Sequential`` with named layers, take images of shape (batch, channels, height, width) and
return one logit a class.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}

Shape = tuple[int, int, int]
Layers = OrderedDict[str, nn.Module]


def build(name: str, input_shape: Shape, classes: int, activation: str = "sigmoid") -> nn.Module:
    """Build a network with fresh random weights.

    Parameters
    ----------
    name : str
        One of `NETWORKS`:

        ``"mlp"``
            One hidden layer of 64 units; 4,736 weights on 8 x 8 digits.
        ``"lenet300"``
            LeNet-300-100, two hidden layers; 266,200 weights on MNIST.
        ``"lenet5"``
            LeNet-5 as in Caffe: 20 and 50 filters of 5 x 5, each followed by 2 x 2 max pooling and by no
            activation, and 500 hidden units; 430,500 weights on MNIST. Images of at least 16 x 16.
        ``"convnet"``
            Three blocks of two 3 x 3 convolutions with batch normalization, of 32, 64 and 128 channels, with
            max pooling between them and global average pooling after; 287,840 weights on CIFAR-10. Images of
            at least 4 x 4.
    input_shape : tuple of int
        Channels, height and width of an image.
    classes : int
        Number of classes, at least 2.
    activation : {"sigmoid", "relu"}, default "sigmoid"
        Activation of the hidden units.

    Returns
    -------
    torch.nn.Module
        In training mode, on the CPU. The weights come from torch's global generator: seed it with
        ``torch.manual_seed`` to repeat them.

    Raises
    ------
    ValueError
        If a name is unknown, `input_shape` or `classes` makes no sense, or the image is too small.

    Notes
    -----
    For "relu" the initial weights are torch's. They have variance 1 / (3 fan_in), and a sigmoid, of slope at
    most 1/4, would shrink the signal layer by layer until the first ones hardly train; for "sigmoid" the
    weights are therefore drawn by Glorot and Bengio (2010), of variance 2 / (fan_in + fan_out), and the
    biases start at zero.
    """
    if name not in _LAYERS:
        raise ValueError(f"unknown network {name!r}, expected one of {', '.join(NETWORKS)}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"unknown activation {activation!r}, expected one of {', '.join(ACTIVATIONS)}")
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(f"input_shape is {input_shape}, expected positive (channels, height, width)")
    if classes < 2:
        raise ValueError(f"classes is {classes}, at least 2 are needed")
    network = nn.Sequential(_LAYERS[name](input_shape, classes, ACTIVATIONS[activation]))
    if activation == "sigmoid":
        network.apply(_draw_glorot)
    return network


def _dense(inputs: int, hidden: tuple[int, ...], classes: int, activation: type[nn.Module]) -> Layers:
    """Fully connected layers fc1, fc2, ...; the activation between, not after the last."""
    layers: Layers = OrderedDict(flatten=nn.Flatten())
    widths = (inputs, *hidden, classes)
    for index, (fan_in, fan_out) in enumerate(pairwise(widths), start=1):
        if index > 1:
            layers[f"activation{index - 1}"] = activation()
        layers[f"fc{index}"] = nn.Linear(fan_in, fan_out)
    return layers


def _mlp(input_shape: Shape, classes: int, activation: type[nn.Module]) -> Layers:
    channels, height, width = input_shape
    return _dense(channels * height * width, (64,), classes, activation)


def _lenet300(input_shape: Shape, classes: int, activation: type[nn.Module]) -> Layers:
    channels, height, width = input_shape
    return _dense(channels * height * width, (300, 100), classes, activation)


def _lenet5(input_shape: Shape, classes: int, activation: type[nn.Module]) -> Layers:
    _require_size("lenet5", input_shape, 16)
    channels, height, width = input_shape
    layers: Layers = OrderedDict(
        conv1=nn.Conv2d(channels, 20, 5),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(20, 50, 5),
        pool2=nn.MaxPool2d(2),
    )
    height, width = (((extent - 4) // 2 - 4) // 2 for extent in (height, width))
    layers.update(_dense(50 * height * width, (500,), classes, activation))
    return layers


def _convnet(input_shape: Shape, classes: int, activation: type[nn.Module]) -> Layers:
    _require_size("convnet", input_shape, 4)
    fan_in = input_shape[0]
    layers: Layers = OrderedDict()
    for block, fan_out in enumerate((32, 64, 128), start=1):
        for part in "ab":
            # The shift of the batch normalization makes a bias of the convolution superfluous.
            layers[f"conv{block}{part}"] = nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False)
            layers[f"norm{block}{part}"] = nn.BatchNorm2d(fan_out)
            layers[f"activation{block}{part}"] = activation()
            fan_in = fan_out
        layers[f"pool{block}"] = nn.MaxPool2d(2) if block < 3 else nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(fan_in, classes)
    return layers


def _require_size(name: str, input_shape: Shape, least: int) -> None:
    _, height, width = input_shape
    if min(height, width) < least:
        raise ValueError(
            f"{name} needs images of at least {least} x {least}, got {height} x {width}: "
            "enlarge the images or use 'mlp' or 'lenet300'"
        )


def _draw_glorot(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


_LAYERS: dict[str, Callable[[Shape, int, type[nn.Module]], Layers]] = {
    "mlp": _mlp,
    "lenet300": _lenet300,
    "lenet5": _lenet5,
    "convnet": _convnet,
}
NETWORKS = tuple(_LAYERS)
