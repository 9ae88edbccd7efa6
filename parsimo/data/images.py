"""Labelled images, split into a training and a test set and normalized, as networks take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimo.data.files import find_files, read_npz, require_module
from parsimo.data.image_files import read_cifar10, read_idx
from parsimo.data.preparation import channel_statistics, normalize, stratified_split

IMAGE_SETS = ("digits", "mnist", "cifar10")
TEST_FRACTION = 0.2

# Of the training images; the values that published results use.
MNIST_MEAN, MNIST_STD = 33.3184 / 255, 0.3081
CIFAR10_MEANS, CIFAR10_STDS = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)

_DIGITS_SPLIT_SEED = 0
_MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_CIFAR10_FILES = (*(f"data_batch_{batch}.bin" for batch in range(1, 6)), "test_batch.bin")

Array = npt.NDArray[Any]
Inputs = npt.NDArray[np.float32]
Targets = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images and their classes.

    Attributes
    ----------
    name : str
        Name of the data set.
    train_inputs, test_inputs : ndarray of float32, shape (n, channels, height, width)
        Normalized images.
    train_targets, test_targets : ndarray of int64, shape (n,)
        Classes, 0 to `classes` - 1.

    Raises
    ------
    ValueError
        If shapes or types are others, a set is empty, a pixel is not finite or a class has no training image.
    """

    name: str
    train_inputs: Inputs
    train_targets: Targets
    test_inputs: Inputs
    test_targets: Targets

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            inputs, targets = getattr(self, f"{part}_inputs"), getattr(self, f"{part}_targets")
            where = f"{self.name}: {part}"
            if inputs.ndim != 4 or inputs.dtype != np.float32 or not inputs.size:
                raise ValueError(
                    f"{where}_inputs are {inputs.dtype} of shape {inputs.shape}, "
                    "expected float32 n x channels x height x width, none of them 0"
                )
            if targets.shape != inputs.shape[:1] or targets.dtype != np.int64:
                raise ValueError(
                    f"{where}_targets are {targets.dtype} of shape {targets.shape}, "
                    f"expected int64 of shape {inputs.shape[:1]}, one for each image"
                )
            if not np.isfinite(inputs).all():
                image = np.argwhere(~np.isfinite(inputs))[0, 0]
                raise ValueError(f"{where}_inputs: image {image} has a pixel that is not finite")
        if self.train_inputs.shape[1:] != self.test_inputs.shape[1:]:
            raise ValueError(
                f"{self.name}: training images are {self.train_inputs.shape[1:]}, "
                f"test images {self.test_inputs.shape[1:]}"
            )
        train, test = np.unique(self.train_targets), np.unique(self.test_targets)
        if not np.array_equal(train, np.arange(train.size)) or not np.isin(test, train).all():
            raise ValueError(
                f"{self.name}: the training classes are {_abridged(train)}, the test classes "
                f"{_abridged(test)}, expected 0, 1, 2, ... without gaps, and no others in the test set: "
                "number them with numpy.unique(y, return_inverse=True)"
            )

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.train_targets.max()) + 1

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.train_inputs.shape[1:]
        return channels, height, width


def load_images(name_or_path: str, data_dir: Path | None = None, seed: int = 0) -> ImageData:
    """Load images with a training and a test set.

    Parameters
    ----------
    name_or_path : str
        ``"digits"``
            1,797 digits of 8 x 8 that scikit-learn ships; a fixed stratified split that leaves 20 % for the
            test, and pixels standardized by mean and standard deviation of the training images.
        ``"mnist"``
            From the four IDX files, ``.gz`` or not, in `data_dir` or ``data_dir/mnist``. Pixels are scaled to
            [0, 1], then 33.3184 / 255 is subtracted and the rest divided by 0.3081.
        ``"cifar10"``
            From the six files of the *binary version* in `data_dir`, ``data_dir/cifar-10-batches-bin`` or
            ``data_dir/cifar10/cifar-10-batches-bin``. The channel means 125.3, 123.0, 113.9 are subtracted
            and the rest divided by the channel standard deviations 63.0, 62.1, 66.7.
        a path ``*.npz``
            Arrays ``X``, n x channels x height x width or n x d (taken as n x 1 x 1 x d), and ``y``, integer
            classes 0, 1, 2, ...; with ``X_test`` and ``y_test`` these are the test set, otherwise it is a
            stratified 20 %. Every channel is standardized by its mean and standard deviation over the
            training images.
    data_dir : Path, optional
        Where the files of MNIST and CIFAR-10 lie. Without it scikit-learn fetches them from openml.org.
    seed : int, default 0
        Seed of the split of an NPZ without test set; the other sets have a fixed split.

    Returns
    -------
    ImageData

    Raises
    ------
    FileNotFoundError
        If files are missing, or could not be fetched; lists which to place where.
    ValueError
        If the name is unknown, a file is damaged or does not hold what is described above.
    ImportError
        If scikit-learn is needed and not installed.
    """
    if name_or_path.endswith(".npz"):
        return _load_npz(Path(name_or_path), seed)
    if name_or_path == "digits":
        return _load_digits()
    if name_or_path == "mnist":
        return _load_mnist(data_dir)
    if name_or_path == "cifar10":
        return _load_cifar10(data_dir)
    raise ValueError(f"unknown images {name_or_path!r}, expected {', '.join(IMAGE_SETS)} or a path *.npz")


def _load_digits() -> ImageData:
    digits = require_module("sklearn.datasets", "the data set 'digits'").load_digits()
    images = digits.images[:, np.newaxis]
    return _normalized("digits", *stratified_split(images, digits.target, TEST_FRACTION, _DIGITS_SPLIT_SEED))


def _load_mnist(data_dir: Path | None) -> ImageData:
    statistics = ([255 * MNIST_MEAN], [255 * MNIST_STD])
    if data_dir is None:
        images, labels = _fetch("mnist_784", (1, 28, 28), _MNIST_FILES)
        return _normalized("mnist", *_cut(images, labels, 60_000), statistics)
    paths = find_files(_MNIST_FILES, (data_dir, data_dir / "mnist"), (".gz", ""))
    train, train_labels, test, test_labels = map(read_idx, paths, (3, 1, 3, 1))
    parts = train[:, np.newaxis], train_labels, test[:, np.newaxis], test_labels
    return _normalized("mnist", *parts, statistics)


def _load_cifar10(data_dir: Path | None) -> ImageData:
    statistics = (CIFAR10_MEANS, CIFAR10_STDS)
    if data_dir is None:
        images, labels = _fetch("CIFAR_10", (3, 32, 32), _CIFAR10_FILES)
        return _normalized("cifar10", *_cut(images, labels, 50_000), statistics)
    official = "cifar-10-batches-bin"
    folders = (data_dir, data_dir / official, data_dir / "cifar10" / official)
    *batches, test = map(read_cifar10, find_files(_CIFAR10_FILES, folders))
    images, labels = map(np.concatenate, zip(*batches, strict=True))
    return _normalized("cifar10", images, labels, *test, statistics)


def _load_npz(path: Path, seed: int) -> ImageData:
    arrays = read_npz(path)
    names = ("X", "y", "X_test", "y_test") if {"X_test", "y_test"} & arrays.keys() else ("X", "y")
    if missing := [name for name in names if name not in arrays]:
        raise ValueError(f"{path} has no {' and no '.join(missing)}, only: {', '.join(arrays) or 'nothing'}")
    for images, labels in zip(names[::2], names[1::2], strict=True):
        if arrays[images].ndim == 2:
            arrays[images] = arrays[images][:, np.newaxis, np.newaxis, :]
        if arrays[images].ndim != 4 or 0 in arrays[images].shape or arrays[images].dtype.kind not in "biuf":
            raise ValueError(
                f"{path}: {images} is {arrays[images].dtype} of shape {arrays[images].shape}, expected real "
                "numbers, n x d or n x channels x height x width, none of them 0"
            )
        if arrays[labels].shape != arrays[images].shape[:1] or arrays[labels].dtype.kind not in "iu":
            raise ValueError(
                f"{path}: {labels} is {arrays[labels].dtype} of shape {arrays[labels].shape}, expected one "
                f"integer class for each of the {len(arrays[images])} rows of {images}"
            )
    try:
        if "X_test" in names:
            parts = arrays["X"], arrays["y"], arrays["X_test"], arrays["y_test"]
        else:
            parts = stratified_split(arrays["X"], arrays["y"], TEST_FRACTION, seed)
        return _normalized(path.stem, *parts)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _fetch(openml_name: str, shape: tuple[int, ...], files: Sequence[str]) -> tuple[Array, Array]:
    """Images and labels from openml.org."""
    from http.client import HTTPException  # slow to import

    datasets = require_module("sklearn.datasets", f"fetching {openml_name} without data_dir")
    try:
        fetched = datasets.fetch_openml(openml_name, version=1, as_frame=False)
    except (OSError, ValueError, HTTPException) as error:
        raise FileNotFoundError(
            f"{openml_name} could not be fetched from openml.org ({error}): place {', '.join(files)} in a "
            "folder and give it as data_dir"
        ) from error
    return fetched.data.reshape(-1, *shape), fetched.target.astype(np.int64)


def _cut(images: Array, labels: Array, train: int) -> tuple[Array, Array, Array, Array]:
    return images[:train], labels[:train], images[train:], labels[train:]


def _normalized(
    name: str,
    train: Array,
    train_labels: Array,
    test: Array,
    test_labels: Array,
    statistics: tuple[Sequence[float], Sequence[float]] | None = None,
) -> ImageData:
    """Both sets normalized by the given channel means and standard deviations, else the training set's."""
    means, stds = statistics or channel_statistics(train)
    return ImageData(
        name,
        normalize(train, means, stds),
        train_labels.astype(np.int64),
        normalize(test, means, stds),
        test_labels.astype(np.int64),
    )


def _abridged(classes: Targets) -> str:
    return ", ".join(map(str, classes[:10])) + (", ..." if classes.size > 10 else "")
