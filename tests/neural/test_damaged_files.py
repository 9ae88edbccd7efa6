"""Damaged and foreign files: what the compressed-model file is strict about."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from safetensors.torch import save_file
from storage_cases import pruned

from parsimo.neural.encodings import Encoding, decode
from parsimo.neural.packing import gaps_of, pack_codes
from parsimo.neural.storage import load, pack, save, unpack

Payloads = dict[str, bytes]


def rewrite(path: Path, change: Callable[[dict[str, Any], Payloads], None]) -> None:
    """Change the manifest and the payloads of a file, and write it as a sound file again, checksum and all."""
    with safetensors.safe_open(path, framework="pt") as file:
        manifest, content = unpack(file.get_tensor("parsimo").numpy().tobytes())
    header, payloads, start = json.loads(manifest), {}, 0
    for name, description in header["tensors"].items():
        payloads[name] = content[start : start + description["bytes"]]
        start += description["bytes"]
    before = {name: len(payload) for name, payload in payloads.items()}
    change(header, payloads)
    for name, payload in payloads.items():
        if len(payload) != before[name]:
            header["tensors"][name]["bytes"] = len(payload)
    write(path, pack(json.dumps(header).encode(), payloads.values()))


def write(path: Path, blob: bytes, version: str = "2") -> None:
    save_file({"parsimo": torch.frombuffer(bytearray(blob), dtype=torch.uint8)}, path, metadata={"parsimo": version})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "m.parsimo"
    tensors = {
        "dense": torch.arange(1000.0) + 1,
        "coded": pruned(3000, 0.9, 4),
        "sparse": pruned(3000, 0.05),
        "both": pruned(3000, 0.05, 5),
    }
    save(path, tensors)
    return path


@pytest.mark.parametrize("keep", [0, 7, 8, 100, -1])
def test_truncated_file(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(ValueError, match=rf"{saved}: corrupt or no safetensors file"):
        load(saved)


def test_every_changed_byte_is_told(saved: Path) -> None:
    """The checksum sees what the container does not."""
    tensors = {"sparse": pruned(300, 0.05), "both": pruned(300, 0.1, 5), "coded": pruned(300, 0.9, 5)}
    save(saved, tensors)
    content = saved.read_bytes()
    for position in range(len(content)):
        for flip in (1, 0x40):
            damaged = bytearray(content)
            damaged[position] ^= flip
            saved.write_bytes(damaged)
            with pytest.raises(ValueError, match=re.escape(str(saved))):
                load(saved)


def test_other_files(saved: Path) -> None:
    saved.write_bytes(b"not a model at all, but long enough to have a header")
    with pytest.raises(ValueError, match="corrupt or no safetensors file"):
        load(saved)
    save_file({"w": torch.ones(3)}, saved)
    with pytest.raises(ValueError, match="not one that parsimo wrote"):
        load(saved)
    save_file({"w": torch.ones(3)}, saved, metadata={"parsimo": "1"})
    with pytest.raises(ValueError, match="version '1' of the format, this parsimo reads 2"):
        load(saved)
    save_file({"w": torch.ones(3)}, saved, metadata={"parsimo": "2"})
    with pytest.raises(ValueError, match="it must hold one vector of bytes, 'parsimo', and holds w"):
        load(saved)
    write(saved, pack(b"{", []))
    with pytest.raises(ValueError, match="its manifest is no JSON"):
        load(saved)
    write(saved, pack(b"{}", [])[:6])
    with pytest.raises(ValueError, match="its checksum is not that of its content"):
        load(saved)
    rest = (3).to_bytes(4, "little") + b"abc"
    write(saved, zlib.crc32(rest).to_bytes(4, "little") + rest)
    with pytest.raises(ValueError, match="its manifest cannot be decompressed"):
        load(saved)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("tensors", [], "lacks the objects"),
        ("metadata", None, "lacks the objects"),
    ],
)
def test_bad_manifest(saved: Path, field: str, value: Any, message: str) -> None:
    with safetensors.safe_open(saved, framework="pt") as file:
        manifest, content = unpack(file.get_tensor("parsimo").numpy().tobytes())
    write(saved, pack(json.dumps(json.loads(manifest) | {field: value}).encode(), [content]))
    with pytest.raises(ValueError, match=rf"{saved}: .*{message}"):
        load(saved)


def test_bytes_left_over(saved: Path) -> None:
    with safetensors.safe_open(saved, framework="pt") as file:
        manifest, content = unpack(file.get_tensor("parsimo").numpy().tobytes())
    write(saved, pack(manifest, [content, b"12"]))
    with pytest.raises(ValueError, match="corrupt, 2 bytes are left over"):
        load(saved)


@pytest.mark.parametrize(
    ("name", "field", "value", "message"),
    [
        ("dense", "kind", "huffman", "unknown kind 'huffman'"),
        ("dense", "dtype", "float8", "unknown dtype 'float8'"),
        ("dense", "dtype", [], r"unknown dtype \[\]"),
        ("dense", "dtype", "float64", "payload has 4000 bytes, expected 8000"),
        ("dense", "shape", [999], "payload has 4000 bytes, expected 3996"),
        ("dense", "shape", [-1], "expected a list of nonnegative integers"),
        ("dense", "shape", [True], "expected a list of nonnegative integers"),
        ("dense", "shape", 1000, "expected a list of nonnegative integers"),
        ("dense", "kind", "codebook", "there are no levels"),
        ("dense", "bytes", 10**9, "bytes are left"),
        ("dense", "bytes", -1, "bytes are left"),
        ("dense", "coder", "zip", "unknown coder 'zip', expected one of packed, range"),
        ("coded", "kind", "dense", "payload has"),
        ("coded", "levels", 257, "levels is 257, expected an integer from 0 to 256"),
        ("coded", "levels", 0, "there are no levels"),
        ("coded", "levels", "4", "levels is '4'"),
        ("coded", "levels", 6, ""),
        ("sparse", "shape", [10**30], "larger than any memory"),
        ("sparse", "entries", 3001, "entries is 3001, expected an integer from 0 to 3000"),
        ("sparse", "entries", 3000, "payload has"),
        ("sparse", "entries", 1, ""),
        ("sparse", "gaps", -2, "gaps is -2"),
        ("sparse", "gaps", 3001, "gaps is 3001"),
        ("sparse", "gaps", 7, "its gaps lead to .* entries, expected"),
        ("both", "entries", -1, "entries is -1"),
        ("both", "levels", 0, "there are no levels"),
    ],
)
def test_bad_description(saved: Path, name: str, field: str, value: Any, message: str) -> None:
    rewrite(saved, lambda header, _: header["tensors"][name].update({field: value}))
    with pytest.raises(ValueError, match=rf"{saved}: tensor '{name}' is corrupt: .*{message}"):
        load(saved)


def test_description_that_is_no_object(saved: Path) -> None:
    rewrite(saved, lambda header, _: header["tensors"].update(dense=3))
    with pytest.raises(ValueError, match="tensor 'dense' is corrupt: its description is 3"):
        load(saved)


@pytest.mark.parametrize(
    ("name", "payload", "message"),
    [
        ("dense", lambda old: old[:-1], "payload has 3999 bytes, expected 4000"),
        ("coded", lambda old: old[:-1], "multiple of 4"),
        ("coded", lambda old: old[:22], "its table of frequencies has 2 entries, expected 5"),
        ("coded", lambda old: old[:20] + bytes(5) + old[25:], "its table of frequencies has 0 entries, expected 5"),
        ("sparse", lambda old: old[:10], "payload has 10 bytes"),
        ("sparse", lambda old: old[:-3], "multiple of 4"),
    ],
)
def test_bad_payload(saved: Path, name: str, payload: Callable[[bytes], bytes], message: str) -> None:
    rewrite(saved, lambda _, payloads: payloads.update({name: payload(payloads[name])}))
    with pytest.raises(ValueError, match=rf"{saved}: tensor '{name}' is corrupt: .*{message}"):
        load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (3001,)}, "payload has"),
        ({"levels": 6}, "payload has"),
        ({"payload": lambda p: p[:-1]}, "payload has"),
        ({"payload": lambda p: torch.cat([p, p[:1]])}, "payload has"),
        ({"payload": lambda p: p.reshape(1, -1)}, "must be a vector of bytes, got torch.uint8, 2-d"),
        ({"payload": lambda p: p.float()}, "must be a vector of bytes, got torch.float32"),
        ({"payload": lambda p: torch.cat([p[:20], p[20:] | 255])}, "code 7 is out of range"),
    ],
)
def test_bad_packed_codes(change: dict[str, Any], message: str) -> None:
    """The two coders share what stands around them; this is the one that encodes 5 equally frequent codes."""
    values = torch.arange(5.0)
    encoding = Encoding("codebook", "float32", (3000,), packed(values, torch.arange(3000) % 5), levels=5)
    assert torch.equal(decode(encoding), values[torch.arange(3000) % 5])
    changed = {k: v(encoding.payload) if callable(v) else v for k, v in change.items()}
    with pytest.raises(ValueError, match=message):
        decode(replace(encoding, **changed))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entries": 1}, "its gaps lead to .* entries, expected 1"),
        ({"shape": (200,)}, r"its gaps reach position \d+, past the end of 200"),
        ({"payload": lambda p: p[:-1]}, "its gaps lead to"),
        ({"payload": lambda p: torch.cat([p, p[:1] * 0])}, "its gaps lead to"),
        ({"payload": lambda p: torch.cat([p, (p[:1] | 255).repeat(20)])}, "past the end of 300"),
    ],
)
def test_bad_packed_gaps(change: dict[str, Any], message: str) -> None:
    tensor = pruned(300, 0.05)
    positions = np.flatnonzero(tensor.numpy())
    values = torch.from_numpy(tensor.numpy()[positions].view(np.uint8))
    payload = torch.cat([values, torch.from_numpy(gaps_of(positions))])
    encoding = Encoding("sparse", "float32", (300,), payload, entries=positions.size)
    assert torch.equal(decode(encoding), tensor)
    changed = {k: v(encoding.payload) if callable(v) else v for k, v in change.items()}
    if "entries" in changed:
        changed["payload"] = torch.cat([values[:4], payload[values.numel() :]])
    with pytest.raises(ValueError, match=message):
        decode(replace(encoding, **changed))


def packed(values: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    raw = np.concatenate([values.numpy().view(np.uint8), pack_codes(codes.numpy(), len(values))])
    return torch.from_numpy(raw)
