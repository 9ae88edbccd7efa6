"""The compressed-model file: bit-exact, and as small as its encodings allow."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_cases import pruned, same_bits
from torch import nn

from parsimo.neural.encodings import Encoding, decode, encode, encoded_bytes
from parsimo.neural.storage import load, read_into, save

SPECIAL = [0.0, -0.0, torch.nan, torch.inf]
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)

TENSORS = {
    **{f"{dtype}": torch.linspace(-3, 3, 40).to(dtype).reshape(4, 10) for dtype in FLOATS},
    **{f"pruned {dtype}": pruned(3000, 0.03).to(dtype) for dtype in FLOATS},
    **{f"coded {dtype}": pruned(3000, 0.9, 5).to(dtype) for dtype in FLOATS},
    **{f"special {dtype}": torch.tensor(SPECIAL * 60, dtype=dtype) for dtype in FLOATS},
    "integers": torch.arange(-500, 500),
    "few integers": torch.arange(1000) % 3 - 1,
    "booleans": torch.arange(1000) % 7 == 0,
    "bytes": torch.arange(600, dtype=torch.int64).to(torch.uint8),
    "payload of NaN": torch.tensor([0x7FC00001, 0, -1] * 50, dtype=torch.int32).view(torch.float32),
    "scalar": torch.tensor(2.5),
    "zero": torch.tensor(0),
    "count": torch.tensor(12),
    "empty": torch.empty(0),
    "empty rows": torch.empty(3, 0, 2, dtype=torch.bfloat16),
    "zeros": torch.zeros(30, 40),
    "transposed": pruned(600, 0.1).reshape(20, 30).T,
    "strided": torch.arange(100.0)[::3],
    "expanded": torch.tensor([1.5]).expand(50, 4),
}


def test_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    path = tmp_path / "all.parsimo"
    save(path, TENSORS)
    loaded, metadata = load(path)
    assert list(loaded) == list(TENSORS)
    assert metadata == {}
    for name, tensor in TENSORS.items():
        assert same_bits(loaded[name], tensor), name


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.sampled_from([torch.uint8, torch.int16, torch.float16, torch.float32, torch.float64]),
    st.lists(
        st.tuples(st.integers(0, 700), st.binary(min_size=8, max_size=8) | st.just(b"\0\0\0\0\0\0\0\x80")),
        max_size=40,
    ),
    st.integers(0, 700),
)
def test_every_bit_pattern_survives(dtype: torch.dtype, runs: list[tuple[int, bytes]], tail: int) -> None:
    """Arbitrary words between runs of zeros, around the escape of the gaps."""
    words = [word for zeros, entry in runs for word in (*[bytes(8)] * zeros, entry)] + [bytes(8)] * tail
    raw = b"".join(word[-dtype.itemsize :] for word in words)
    integers = np.frombuffer(raw, f"i{dtype.itemsize}" if dtype.itemsize > 1 else "u1").copy()
    tensor = torch.from_numpy(integers).view(dtype)
    encoding = encode(tensor)
    rebuilt = Encoding.from_description(json.loads(json.dumps(encoding.description)), encoding.payload)
    assert same_bits(decode(rebuilt), tensor)


@pytest.mark.parametrize("gap", [0, 1, 253, 254, 255, 256, 509, 510, 511, 5000])
def test_gaps_around_the_escape(gap: int) -> None:
    tensor = torch.zeros(12_000)
    tensor[[gap, 2 * gap + 1]] = torch.tensor([1.25, -3.5])
    encoding = encode(tensor)
    assert encoding.kind == "sparse"
    assert encoding.payload.nbytes <= 2 * 4 + 2 * (1 + gap // 255)
    assert same_bits(decode(encoding), tensor)


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5, 16, 17, 255, 256])
def test_codes_take_the_bits_they_need(levels: int) -> None:
    tensor = (torch.arange(4099) % levels + 1).float()
    encoding = encode(tensor)
    bits = int(np.ceil(np.log2(levels)))
    assert encoding.kind == "codebook"
    assert encoding.payload.nbytes <= 4 * levels + -(-4099 * bits // 8)
    assert same_bits(decode(encoding), tensor)


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [
        (torch.randn(100, generator=torch.Generator().manual_seed(0)), "dense"),
        (torch.arange(257.0).repeat(20) + 1, "dense"),  # one distinct value too many for a codebook
        (pruned(5000, 0.9, 4), "codebook"),
        (pruned(20_000, 0.05), "sparse"),
        (pruned(80_000, 0.003, 4), "sparse_codebook"),
        (torch.zeros(1000), "sparse"),
        (torch.full((1000,), -0.0), "codebook"),
        (torch.tensor([1.0, 2.0]), "dense"),  # too small to be worth a description
    ],
)
def test_smallest_kind_is_chosen(tensor: torch.Tensor, kind: str) -> None:
    assert encode(tensor).kind == kind
    assert encoded_bytes(tensor) == encode(tensor).payload.nbytes <= tensor.nbytes


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999])
def test_positions_take_close_to_their_entropy(share: float) -> None:
    """n H(p) bits for positions drawn at random, H the binary entropy; values apart."""
    tensor = pruned(200_000, 1 - share)
    encoding = encode(tensor)
    count, p = int(torch.count_nonzero(tensor)), 1 - share
    entropy = -tensor.numel() * (p * np.log2(p) + (1 - p) * np.log2(1 - p)) / 8
    assert encoding.coder == "range"
    assert encoding.payload.nbytes - 4 * count <= 1.02 * entropy + 16
    assert same_bits(decode(encoding), tensor)


def test_codes_take_close_to_their_entropy() -> None:
    shares = np.array([0.9, 0.05, 0.03, 0.02])
    codes = np.random.default_rng(0).choice(4, 20_000, p=shares)
    encoding = encode(torch.from_numpy(codes + 1.0))
    assert (encoding.kind, encoding.coder) == ("codebook", "range")
    assert encoding.payload.nbytes <= 4 * 8 + 4 + 1.03 * -20_000 * float(shares @ np.log2(shares)) / 8 + 16


def test_256_nonzero_values_are_coded_although_zero_is_one_more() -> None:
    tensor = torch.zeros(80_000)
    tensor[::16] = (torch.arange(5000) % 256 + 1).float()
    encoding = encode(tensor)
    assert (encoding.kind, encoding.levels) == ("sparse_codebook", 256)
    assert same_bits(decode(encoding), tensor)


def test_size_returned_is_that_of_the_file_and_small(tmp_path: Path) -> None:
    path = tmp_path / "model.parsimo"
    tensor = pruned(235_200, 0.02, 16).reshape(300, 784)
    written = save(path, {"fc1.weight": tensor})
    assert written == path.stat().st_size
    assert encoded_bytes(tensor) < written < encoded_bytes(tensor) + 320
    assert written < tensor.nbytes / 80


def test_file_is_plain_safetensors_with_json(tmp_path: Path) -> None:
    path = tmp_path / "model.parsimo"
    save(path, {"w": pruned(80_000, 0.003, 3), "b": torch.tensor([1.0, 2.0])}, {"epochs": 3})
    with safetensors.safe_open(path, framework="pt") as file:
        assert file.metadata() == {"parsimo": "2"}
        assert list(file.keys()) == ["parsimo"]
        blob = file.get_tensor("parsimo").numpy().tobytes()
    assert zlib.crc32(blob[4:]) == int.from_bytes(blob[:4], "little")
    end = 8 + int.from_bytes(blob[4:8], "little")
    manifest, payloads = json.loads(zlib.decompress(blob[8:end])), blob[end:]
    assert manifest["metadata"] == {"epochs": 3}
    assert manifest["tensors"]["b"] == {"kind": "dense", "dtype": "float32", "shape": [2], "bytes": 8}
    assert manifest["tensors"]["w"]["kind"] == "sparse_codebook"
    assert payloads[-8:] == np.array([1.0, 2.0], dtype="<f4").tobytes()


def test_metadata_comes_back_as_json_has_it(tmp_path: Path) -> None:
    metadata = {"name": "größe", "path": (1, 2.5, None), "nested": {"ok": True}}
    save(tmp_path / "m.parsimo", {}, metadata)
    assert load(tmp_path / "m.parsimo") == ({}, metadata | {"path": [1, 2.5, None]})


def test_shared_memory_is_stored_for_each(tmp_path: Path) -> None:
    weight = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    save(tmp_path / "tied.parsimo", {"a": weight, "b": weight, "row": weight[0]})
    loaded, _ = load(tmp_path / "tied.parsimo")
    loaded["a"].zero_()
    assert torch.equal(loaded["b"], weight)
    assert torch.equal(loaded["row"], weight[0])


def test_loaded_tensors_do_not_hang_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.parsimo"
    save(path, {"w": torch.arange(4.0)})
    loaded, _ = load(path)
    path.write_bytes(bytes(path.stat().st_size))
    assert loaded["w"].tolist() == [0, 1, 2, 3]


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.parsimo"
    save(path, {"w": torch.ones(3)})
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(path, {"w": torch.zeros(3)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "message"),
    [
        ({"w": np.ones(3)}, None, TypeError, "tensor 'w': expected a torch.Tensor, got ndarray"),
        ({"w": torch.ones(3) * 1j}, None, TypeError, "tensor 'w': .*complex64 has no encoding"),
        ({"w": torch.eye(3).to_sparse()}, None, TypeError, "tensor 'w': a torch.sparse_coo tensor"),
        ({3: torch.ones(3)}, None, TypeError, "names must be strings, got 3"),
        ({}, {"when": torch.float32}, TypeError, "metadata must be what JSON can hold"),
    ],
)
def test_bad_arguments_of_save(
    tmp_path: Path, tensors: Any, metadata: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        save(tmp_path / "m.parsimo", tensors, metadata)
    assert not list(tmp_path.iterdir())


def test_missing_folder_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*none; create it first"):
        save(tmp_path / "none" / "m.parsimo", {})
    with pytest.raises(FileNotFoundError, match=r"no file .*m\.parsimo"):
        load(tmp_path / "m.parsimo")


def small_network(width: int = 6) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


def test_read_into_a_fresh_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, target = small_network(), small_network()
    save(tmp_path / "m.parsimo", source.state_dict())
    assert read_into(tmp_path / "m.parsimo", target) is target
    for name, tensor in source.state_dict().items():
        assert same_bits(target.state_dict()[name], tensor), name


def test_read_into_names_all_that_does_not_fit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = small_network().state_dict()
    state["extra"] = state.pop("2.bias")
    state["0.bias"] = state["0.bias"].double()
    save(tmp_path / "m.parsimo", state)
    module = small_network(width=7)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(ValueError) as caught:
        read_into(tmp_path / "m.parsimo", module)
    message = str(caught.value)
    assert f"{tmp_path / 'm.parsimo'} does not fit Sequential: " in message
    assert "missing '2.bias'" in message
    assert "unexpected 'extra'" in message
    assert "'0.weight' is torch.float32 (6, 5) in the file, torch.float32 (7, 5) in the module" in message
    assert all(same_bits(module.state_dict()[name], tensor) for name, tensor in before.items())


def test_read_into_does_not_convert(tmp_path: Path) -> None:
    save(tmp_path / "m.parsimo", nn.Linear(2, 3).double().state_dict())
    with pytest.raises(ValueError, match=r"'weight' is torch.float64 .* in the file, torch.float32"):
        read_into(tmp_path / "m.parsimo", nn.Linear(2, 3))
