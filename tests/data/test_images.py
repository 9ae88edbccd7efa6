"""Image sets from their published files, from NPZ and from scikit-learn, and what each bad file is told."""

from __future__ import annotations

import gzip
import struct
import sys
import urllib.error
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.datasets

from parsimo.data import ImageData, load_images
from parsimo.data.image_files import read_cifar10, read_idx
from parsimo.data.preparation import stratified_split

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CIFAR10_FILES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """The same images as training and as test set; the labels compressed, the images not."""
    folder.mkdir(exist_ok=True)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))


def write_cifar10(folder: Path, records: np.ndarray) -> None:
    """Two records in each of the six files; `records` is 12 x 3073."""
    folder.mkdir(parents=True, exist_ok=True)
    for position, name in enumerate(CIFAR10_FILES):
        (folder / f"{name}.bin").write_bytes(records[2 * position : 2 * position + 2].tobytes())


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(20, dtype=np.uint8) % 10


@pytest.fixture
def records() -> np.ndarray:
    records = np.random.default_rng(0).integers(0, 256, (12, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(12) % 10
    return records


def test_digits() -> None:
    digits = load_images("digits")
    assert (digits.classes, digits.input_shape) == (10, (1, 8, 8))
    assert len(digits.train_inputs) + len(digits.test_inputs) == 1797
    assert digits.train_inputs.dtype == np.float32
    assert digits.train_targets.dtype == np.int64
    assert abs(digits.train_inputs.mean()) < 1e-5
    assert abs(digits.train_inputs.std() - 1) < 1e-5
    counts = np.bincount(digits.train_targets) + np.bincount(digits.test_targets)
    assert np.abs(np.bincount(digits.test_targets) - 0.2 * counts).max() <= 0.5


def test_digits_have_one_split() -> None:
    first, second = load_images("digits"), load_images("digits", seed=5)
    np.testing.assert_array_equal(first.test_inputs, second.test_inputs)


@pytest.mark.parametrize("folder", [".", "mnist"])
def test_mnist_files(tmp_path: Path, pixels: np.ndarray, labels: np.ndarray, folder: str) -> None:
    write_mnist(tmp_path / folder, pixels, labels)
    mnist = load_images("mnist", tmp_path)
    assert (mnist.classes, mnist.input_shape, mnist.train_inputs.dtype) == (10, (1, 28, 28), np.float32)
    expected = (pixels / 255 - 33.3184 / 255) / 0.3081
    np.testing.assert_allclose(mnist.train_inputs[:, 0], expected, atol=1e-5)
    np.testing.assert_array_equal(mnist.train_targets, labels)
    np.testing.assert_array_equal(mnist.test_inputs, mnist.train_inputs)


@pytest.mark.parametrize("missing", [MNIST_FILES[:1], MNIST_FILES[1:3]])
def test_missing_mnist_files_are_listed(
    tmp_path: Path, pixels: np.ndarray, labels: np.ndarray, missing: tuple[str, ...]
) -> None:
    write_mnist(tmp_path / "mnist", pixels, labels)
    for name in missing:
        next((tmp_path / "mnist").glob(f"{name}*")).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load_images("mnist", tmp_path)
    message = str(caught.value)
    assert message.startswith(f"no {', '.join(missing)} (or .gz): place")
    assert message.endswith(f"in {tmp_path / 'mnist'}")


@pytest.mark.parametrize(("name", "files"), [("mnist", MNIST_FILES), ("cifar10", CIFAR10_FILES)])
def test_empty_data_dir(tmp_path: Path, name: str, files: tuple[str, ...]) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path / name)) as caught:
        load_images(name, tmp_path)
    assert all(file in str(caught.value) for file in files)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with the bytes , an IDX file"),
        (b"\x00\x00\x08\x01" + bytes(40), "starts with the bytes 00 00 08 01"),
        (b"\x00\x00\x0d\x03" + bytes(40), "starts with the bytes 00 00 0d 03"),
        (b"\x00\x01\x08\x03" + bytes(40), "starts with the bytes 00 01 08 03"),
        (b"\x00\x00\x08\x03" + bytes(9), "ends within its header, after 13 bytes"),
        (idx(np.zeros((2, 3, 4), np.uint8))[:-1], "has 23 elements, its header says 2 x 3 x 4"),
        (idx(np.zeros((2, 3, 4), np.uint8)) + b"\x00", "has 25 elements, its header says 2 x 3 x 4"),
    ],
)
def test_bad_idx(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path} {message}"):
        read_idx(path, 3)


def test_truncated_gzip(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    content = gzip.compress(idx(np.arange(100, dtype=np.uint8)))
    path.write_bytes(content)
    np.testing.assert_array_equal(read_idx(path, 1), np.arange(100))
    path.write_bytes(content[:-9])
    with pytest.raises(ValueError, match=f"{path} is no complete .gz file"):
        read_idx(path, 1)


def test_mnist_labels_must_match_the_images(tmp_path: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    write_mnist(tmp_path, pixels, labels[:-1])
    with pytest.raises(ValueError, match=r"mnist: train_targets are int64 of shape \(19,\)"):
        load_images("mnist", tmp_path)


@pytest.mark.parametrize("folder", [".", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
def test_cifar10_files(tmp_path: Path, records: np.ndarray, folder: str) -> None:
    write_cifar10(tmp_path / folder, records)
    cifar10 = load_images("cifar10", tmp_path)
    assert (cifar10.classes, cifar10.input_shape, cifar10.train_inputs.dtype) == (10, (3, 32, 32), np.float32)
    images = records[:, 1:].reshape(12, 3, 32, 32).astype(float)
    for channel, (mean, std) in enumerate(((125.3, 63.0), (123.0, 62.1), (113.9, 66.7))):
        expected = (images[:, channel] - mean) / std
        np.testing.assert_allclose(cifar10.train_inputs[:, channel], expected[:10], atol=1e-5)
        np.testing.assert_allclose(cifar10.test_inputs[:, channel], expected[10:], atol=1e-5)
    np.testing.assert_array_equal(cifar10.train_targets, records[:10, 0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes, no positive multiple of the 3073"),
        (bytes(3072), "has 3072 bytes"),
        (bytes(3073) + b"\x0a" + bytes(3072), "the label of record 1 is 10"),
    ],
)
def test_bad_cifar10(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "batch.bin").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_cifar10(tmp_path / "batch.bin")


@pytest.mark.parametrize(("name", "files"), [("mnist", MNIST_FILES), ("cifar10", CIFAR10_FILES)])
def test_without_network_the_files_are_listed(
    monkeypatch: pytest.MonkeyPatch, name: str, files: tuple[str, ...]
) -> None:
    cause = urllib.error.URLError("no route")

    def fail(*_: object, **__: object) -> None:
        raise cause

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fail)
    with pytest.raises(FileNotFoundError, match=r"openml\.org .*no route.* data_dir") as caught:
        load_images(name)
    assert caught.value.__cause__ is cause
    assert all(file in str(caught.value) for file in files)


@pytest.mark.parametrize(
    ("name", "openml", "total", "train", "shape"),
    [
        ("mnist", "mnist_784", 60_020, 60_000, (1, 28, 28)),
        ("cifar10", "CIFAR_10", 50_020, 50_000, (3, 32, 32)),
    ],
)
def test_fetched_images_are_cut_and_shaped(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    openml: str,
    total: int,
    train: int,
    shape: tuple[int, int, int],
) -> None:
    asked = []

    def fetch(dataset: str, **options: object) -> SimpleNamespace:
        asked.append((dataset, options["as_frame"]))
        pixels = np.broadcast_to(np.uint8(7), (total, int(np.prod(shape))))
        return SimpleNamespace(data=pixels, target=np.array([str(row % 10) for row in range(total)], object))

    # Only the cut and the shapes matter here; the arrays themselves would be hundreds of megabytes.
    kept = {}
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    monkeypatch.setattr("parsimo.data.images._normalized", lambda *parts: kept.update(parts=parts))
    load_images(name)
    _, images, labels, test_images, test_labels, _ = kept["parts"]
    assert asked == [(openml, False)]
    assert (images.shape, test_images.shape) == ((train, *shape), (20, *shape))
    np.testing.assert_array_equal(labels[:3], [0, 1, 2])
    np.testing.assert_array_equal(test_labels, np.arange(20) % 10)


def test_missing_sklearn_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    for name in ("digits", "mnist"):
        with pytest.raises(ImportError, match=r'needs sklearn: pip install "parsimo\[data\]"'):
            load_images(name)


@pytest.mark.parametrize("name", ["nist", "images.csv", ""])
def test_unknown_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown images '{name}', expected digits, mnist, cifar10"):
        load_images(name)


def test_npz_with_its_own_test_set(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train, test = rng.integers(0, 256, (2, 12, 2, 4, 5), dtype=np.uint8)
    train[:, 1] = 9
    targets = np.arange(12) % 3
    np.savez(tmp_path / "mine.npz", X=train, y=targets, X_test=test, y_test=targets[::-1])
    data = load_images(str(tmp_path / "mine.npz"))
    assert (data.name, data.classes, data.input_shape) == ("mine", 3, (2, 4, 5))
    channel = train[:, 0].astype(float)
    expected = (test[:, 0] - channel.mean()) / channel.std()
    np.testing.assert_allclose(data.test_inputs[:, 0], expected, atol=1e-5)
    np.testing.assert_array_equal(data.train_inputs[:, 1], 0)  # constant: centred, not divided
    np.testing.assert_array_equal(data.test_targets, targets[::-1])


def test_npz_is_split_by_seed(tmp_path: Path) -> None:
    matrix, targets = np.arange(300.0).reshape(50, 6), np.repeat([0, 1], [40, 10])
    np.savez(tmp_path / "rows.npz", X=matrix, y=targets)
    data, same, other = (load_images(str(tmp_path / "rows.npz"), seed=seed) for seed in (0, 0, 1))
    assert data.input_shape == (1, 1, 6)
    np.testing.assert_array_equal(np.bincount(data.test_targets), [8, 2])
    np.testing.assert_array_equal(data.test_inputs, same.test_inputs)
    assert not np.array_equal(data.test_inputs, other.test_inputs)
    rows = np.concatenate([data.train_inputs, data.test_inputs])
    assert len(np.unique(rows, axis=0)) == 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": None}, "has no y, only: X"),
        ({"X_test": np.ones((4, 6))}, "has no y_test, only"),
        ({"X": np.ones((8, 2, 3))}, r"X is float64 of shape \(8, 2, 3\)"),
        ({"X": np.full((8, 6), "a")}, "X is <U1"),
        ({"X": np.full((8, 6), np.nan)}, "image 0 has a pixel that is not finite"),
        ({"X": np.ones((8, 0))}, "none of them 0"),
        ({"y": np.zeros(7, int)}, r"y is int64 of shape \(7,\), expected one integer class for each"),
        ({"y": np.zeros(8)}, r"y is float64 of shape \(8,\)"),
        ({"y": np.array([0, 0, 0, 0, 1, 1, 1, 2])}, "class 2 has one sample"),
        ({"y": np.array([1, 1, 1, 1, 2, 2, 2, 2])}, "training classes are 1, 2, the test classes 1, 2"),
        ({"y": np.array([-1, -1, -1, -1, 0, 0, 0, 0])}, "training classes are -1, 0,"),
        ({"X_test": np.ones((2, 6)), "y_test": np.array([0, 5])}, "test classes 0, 5"),
        ({"X_test": np.ones((2, 5)), "y_test": np.array([0, 1])}, r"test images \(1, 1, 5\)"),
    ],
)
def test_bad_npz(tmp_path: Path, changes: dict[str, np.ndarray | None], message: str) -> None:
    arrays = {"X": np.ones((8, 6)), "y": np.arange(8) % 2} | changes
    np.savez(tmp_path / "bad.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match=rf"bad\.npz.*{message}"):
        load_images(str(tmp_path / "bad.npz"))


def test_npz_refuses_objects_and_names_a_missing_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", X=np.array([[None]]), y=np.zeros(1, int))
    with pytest.raises(ValueError, match="does not read as NPZ"):
        load_images(str(tmp_path / "objects.npz"))
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.npz"):
        load_images(str(tmp_path / "none.npz"))


def test_image_data_is_frozen_and_typed() -> None:
    inputs, targets = np.ones((2, 1, 3, 3), np.float32), np.array([0, 1])
    data = ImageData("two", inputs, targets, inputs, targets)
    with pytest.raises(AttributeError):
        data.name = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="two: test_inputs are float64"):
        ImageData("two", inputs, targets, inputs.astype(np.float64), targets)
    with pytest.raises(ValueError, match="two: train_targets are int32"):
        ImageData("two", inputs, targets.astype(np.int32), inputs, targets)


def test_split_keeps_a_training_sample_of_every_class() -> None:
    targets = np.array([0, 0, 1, 1, 1])
    train, train_targets, test, test_targets = stratified_split(np.arange(5), targets, 0.9, seed=0)
    assert set(train_targets) == set(test_targets) == {0, 1}
    assert sorted([*train, *test]) == list(range(5))


@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="needs the MNIST files in ../shared/data/mnist")
def test_published_mnist() -> None:
    images = read_idx(SHARED / "mnist" / "t10k-images-idx3-ubyte.gz", 3)
    labels = read_idx(SHARED / "mnist" / "t10k-labels-idx1-ubyte.gz", 1)
    assert images.shape == (10_000, 28, 28)
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
