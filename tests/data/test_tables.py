"""Tables from CSV, NPZ and libsvm files: what is read, and what each bad file is told."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from parsimo.data import Table, load_table

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "sparse_regression"
COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_csv_takes_the_last_column_as_target(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, "t.csv", "a,b,y\n1,2.5,3\n-4,5,6e1\n"))
    assert table.columns == ("a", "b")
    np.testing.assert_array_equal(table.matrix, [[1, 2.5], [-4, 5]])
    np.testing.assert_array_equal(table.target, [3, 60])
    assert table.matrix.dtype == table.target.dtype == np.float64


@pytest.mark.parametrize("target", ["b", 1, -2])
def test_csv_target_by_name_or_index(tmp_path: Path, target: str | int) -> None:
    table = load_table(write(tmp_path, "t.csv", "a, b, y\n1, 2, 3\n4, 5, 6\n"), target)
    assert table.columns == ("a", "y")
    np.testing.assert_array_equal(table.matrix, [[1, 3], [4, 6]])
    np.testing.assert_array_equal(table.target, [2, 5])


@pytest.mark.parametrize("target", ["z", 3, -4])
def test_csv_without_the_target_lists_the_columns(tmp_path: Path, target: str | int) -> None:
    path = write(tmp_path, "t.csv", "a,b,y\n1,2,3\n")
    with pytest.raises(ValueError, match=rf"no column {target!r} .* a, b, y$"):
        load_table(path, target)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not parse as CSV"),
        ("a,b\n1,2\n3,4,5\n", "does not parse as CSV"),
        ("a,b\n1,2,3\n4,5,6\n", "does not parse as CSV: Length of header"),
        ("1,2,3\n4,5,6\n", "first line has numbers, 1, 2, 3"),
        ("a,b,y\n1,2,3\n1,red,3\n", r"column 'b' is not numeric, it has 'red' in row 1"),
        ("a,b,y\n1,2,3\n4,,6\n", r"nan in row 1 .*, column 'b'"),
        ("a,b,y\n1,2,3\n4,5\n", r"nan in row 1 .*, the target"),
        ("a,b,y\ninf,2,3\n", r"inf in row 0 .*, column 'a'"),
        ("a,b,y\n", r"shape \(0, 2\)"),
        ("y\n1\n", r"shape \(1, 0\)"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, "t.csv", text)
    with pytest.raises(ValueError, match=message) as caught:
        load_table(path)
    assert str(path) in str(caught.value)


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,y\n\xff\xfe\x00,1\n")
    with pytest.raises(ValueError, match=r"t\.csv"):
        load_table(tmp_path / "t.csv")


def test_npz_dense_with_and_without_names(tmp_path: Path) -> None:
    matrix, target = np.arange(6, dtype=np.uint8).reshape(2, 3), np.array([1, -1], np.int8)
    np.savez(tmp_path / "plain.npz", X=matrix, y=target)
    np.savez(tmp_path / "named.npz", X=matrix, y=target, feature_names=["u", "v", "w"])
    plain, named = load_table(tmp_path / "plain.npz"), load_table(tmp_path / "named.npz")
    assert (plain.columns, named.columns) == (("x0", "x1", "x2"), ("u", "v", "w"))
    assert plain.matrix.dtype == plain.target.dtype == np.float64
    np.testing.assert_array_equal(plain.matrix, matrix)
    np.testing.assert_array_equal(plain.target, target)


def test_npz_csr(tmp_path: Path) -> None:
    matrix = scipy.sparse.random_array((20, 7), density=0.2, format="csr", rng=np.random.default_rng(0))
    parts = {part: getattr(matrix, part) for part in ("data", "indices", "indptr", "shape")}
    np.savez(tmp_path / "s.npz", y=np.ones(20), **parts)
    table = load_table(tmp_path / "s.npz")
    assert isinstance(table.matrix, scipy.sparse.csr_array)
    np.testing.assert_array_equal(table.matrix.toarray(), matrix.toarray())

    parts["indices"][3] = 7
    np.savez(tmp_path / "s.npz", y=np.ones(20), **parts)
    with pytest.raises(ValueError, match=r"s\.npz: .* no CSR matrix"):
        load_table(tmp_path / "s.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.ones((2, 3))}, "holds X, expected y and X or data"),
        ({"y": np.ones(2)}, "holds y, expected"),
        ({"X": np.ones((2, 3)), "y": np.ones(3)}, r"has 2 rows, the target shape \(3,\)"),
        ({"X": np.ones((2, 3)), "y": np.ones((2, 1))}, r"has 2 rows, the target shape \(2, 1\)"),
        ({"X": np.ones(3), "y": np.ones(3)}, r"the matrix has shape \(3,\)"),
        ({"X": np.array([["a"]]), "y": np.ones(1)}, "X is <U1, expected real numbers"),
        ({"X": np.ones((1, 1)), "y": np.array([1j])}, "y is complex128"),
        ({"X": np.array([[1, 2], [3, np.nan]]), "y": np.ones(2)}, r"nan in row 1 .*, column 'x1'"),
        ({"X": np.ones((2, 1)), "y": np.array([0, -np.inf])}, r"-inf in row 1 .*, the target"),
        ({"X": np.ones((1, 2)), "y": np.ones(1), "feature_names": ["u"]}, "2 columns, but 1 are named"),
    ],
)
def test_bad_npz(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=rf"bad\.npz.*{message}"):
        load_table(tmp_path / "bad.npz")


class Mine:
    """An object that leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_npz_never_unpickles(tmp_path: Path) -> None:
    exploded = tmp_path / "exploded"
    objects = np.array([[Mine(exploded)]], dtype=object)
    np.savez(tmp_path / "objects.npz", X=objects, y=np.ones(1))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Mine(exploded)))
    for name in ("objects", "pickle"):
        with pytest.raises(ValueError, match=rf"{name}\.npz does not read as NPZ"):
            load_table(tmp_path / f"{name}.npz")
    assert not exploded.exists()


def test_npz_truncated_or_not_npz(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, X=np.ones((50, 50)), y=np.ones(50))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="does not read as NPZ"):
        load_table(path)
    with path.open("wb") as file:
        np.save(file, np.ones((2, 2)))
    with pytest.raises(ValueError, match="no zip archive"):
        load_table(path)


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz"])
def test_libsvm_plain_and_compressed(tmp_path: Path, suffix: str) -> None:
    text = b"+1 1:0.5 3:2 # comment\n-1 2:-1\n"
    path = tmp_path / f"data.libsvm{suffix}"
    path.write_bytes(COMPRESS.get(suffix, bytes)(text))
    table = load_table(path)
    assert isinstance(table.matrix, scipy.sparse.csr_array)
    np.testing.assert_array_equal(table.matrix.toarray(), [[0.5, 0, 2], [0, -1, 0]])
    np.testing.assert_array_equal(table.target, [1, -1])
    assert table.columns == ("x0", "x1", "x2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", r"not libsvm text .* name CSV files \*\.csv"),
        ("1 1:0.5 2:nan\n", r"nan in row 0 .*, column 'x1'"),
        ("1 1:1\n1 1:1 3:inf\n", r"inf in row 1 .*, column 'x2'"),
        ("", r"shape \(0, "),
    ],
)
def test_bad_libsvm(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_table(write(tmp_path, "bad", text))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_damaged_compression(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.csv{suffix}"
    content = COMPRESS[suffix](b"a,y\n1,2\n" * 100)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not numeric"):  # whole, but with its header repeated as rows
        load_table(path)
    for damaged in (content[:-4], b"no" + content[2:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=rf"no complete {suffix} file"):
            load_table(path)


@pytest.mark.parametrize("name", ["t.csv", "t.npz", "t.svm", "t.svm.xz"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"no file .*{name}"):
        load_table(tmp_path / name)


@pytest.mark.parametrize("name", ["t.npz", "t.svm"])
def test_target_is_for_csv_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="target=0 is for CSV files"):
        load_table(tmp_path / name, target=0)


@pytest.mark.parametrize(("name", "package"), [("t.csv", "pandas"), ("t.svm", "sklearn")], ids=["pandas", "sklearn"])
def test_missing_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    for module in (package, f"{package}.datasets"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'needs {package}: pip install "parsimo\[data\]"'):
        load_table(write(tmp_path, name, "a,y\n1,2\n"))


def test_table_checks_its_parts() -> None:
    with pytest.raises(ValueError, match="2 columns, but 1 are named"):
        Table(np.ones((3, 2)), np.ones(3), ("a",))


def test_importing_parsimo_data_imports_no_optional_package() -> None:
    code = "import sys, parsimo.data; print({'torch', 'sklearn', 'pandas'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the public data sets in ../shared/data")
@pytest.mark.parametrize(
    ("name", "shape", "first"),
    [
        ("riboflavin.npz", (71, 4088), "AADK_at"),
        ("alon.npz", (62, 2000), "x0"),
        ("a9a.t.xz", (16281, 122), "x0"),
    ],
)
def test_public_tables(name: str, shape: tuple[int, int], first: str) -> None:
    table = load_table(SHARED / name)
    assert table.matrix.shape == shape
    assert table.columns[0] == first
