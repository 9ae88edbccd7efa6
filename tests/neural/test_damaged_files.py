"""Damaged and foreign files: what the compressed-model file is strict about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
from safetensors.torch import save_file
from storage_cases import pruned

from parsimo.neural.storage import load, save


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], None]) -> None:
    """Change the header and the payloads of a file, and write it as a sound safetensors file again."""
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["parsimo"])
        payloads = {name: file.get_tensor(name).clone() for name in header["tensors"]}
    change(header, payloads)
    save_file(payloads, path, metadata={"parsimo": json.dumps(header)})


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


def test_no_changed_byte_leads_astray(saved: Path) -> None:
    """A byte may change a value; whatever else it does is a ValueError that names the file."""
    tensors = {"sparse": pruned(300, 0.05), "both": pruned(300, 0.1, 5), "coded": pruned(300, 0.9, 5)}
    save(saved, tensors)
    content = saved.read_bytes()
    complaints = []
    for position in range(len(content)):
        for flip in (1, 0x40):
            damaged = bytearray(content)
            damaged[position] ^= flip
            saved.write_bytes(damaged)
            try:
                load(saved)
            except ValueError as error:
                complaints.append(str(error))
    assert len(complaints) > len(content) / 2
    assert all(str(saved) in complaint for complaint in complaints)


def test_other_files(saved: Path) -> None:
    saved.write_bytes(b"not a model at all, but long enough to have a header")
    with pytest.raises(ValueError, match="corrupt or no safetensors file"):
        load(saved)
    save_file({"w": torch.ones(3)}, saved)
    with pytest.raises(ValueError, match="not one that parsimo wrote"):
        load(saved)
    save_file({"w": torch.ones(3)}, saved, metadata={"parsimo": "{"})
    with pytest.raises(ValueError, match="its header is no JSON"):
        load(saved)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", "other", "does not say format 'parsimo'"),
        ("version", 2, "version 2 of the format, this parsimo reads 1"),
        ("version", None, "version None"),
        ("tensors", [], "lacks the objects"),
        ("metadata", None, "lacks the objects"),
        ("tensors", {}, "described but not stored or stored but not described: both, coded, dense, sparse"),
    ],
)
def test_bad_header(saved: Path, field: str, value: Any, message: str) -> None:
    rewrite(saved, lambda header, _: header.update({field: value}))
    with pytest.raises(ValueError, match=rf"{saved}: .*{message}"):
        load(saved)


@pytest.mark.parametrize(
    ("name", "field", "value", "message"),
    [
        ("dense", "kind", "huffman", "unknown kind 'huffman'"),
        ("dense", "dtype", "float8", "unknown dtype 'float8'"),
        ("dense", "dtype", [], r"unknown dtype \[\]"),
        ("dense", "dtype", "float64", "the file holds torch.float32 .* says torch.float64"),
        ("dense", "shape", [999], r"holds torch.float32 of shape \(1000,\)"),
        ("dense", "shape", [-1], "expected a list of nonnegative integers"),
        ("dense", "shape", [True], "expected a list of nonnegative integers"),
        ("dense", "shape", 1000, "expected a list of nonnegative integers"),
        ("dense", "kind", "codebook", "must be a vector of bytes, got torch.float32"),
        ("coded", "kind", "dense", "the file holds torch.uint8"),
        ("coded", "levels", 257, "levels is 257, expected an integer from 0 to 256"),
        ("coded", "levels", 0, "there are no levels"),
        ("coded", "levels", "4", "levels is '4'"),
        ("coded", "levels", 6, "payload has"),
        ("coded", "shape", [3001], "payload has"),
        ("coded", "shape", [2992], "payload has"),
        ("sparse", "shape", [10**30], "larger than any memory"),
        ("sparse", "entries", 3001, "entries is 3001, expected an integer from 0 to 3000"),
        ("sparse", "entries", 3000, "payload has"),
        ("sparse", "entries", 1, "its gaps lead to .* entries, expected 1"),
        ("sparse", "shape", [2000], r"its gaps reach position \d+, past the end of 2000"),
        ("both", "entries", -1, "entries is -1"),
        ("both", "entries", 0, "its gaps lead to .* entries, expected 0"),
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
        ("coded", lambda old: old[:-1], "payload has"),
        ("coded", lambda old: torch.cat([old, old[:1]]), "payload has"),
        ("coded", lambda old: old.reshape(1, -1), "must be a vector of bytes, got torch.uint8, 2-d"),
        ("coded", lambda old: old.float(), "must be a vector of bytes, got torch.float32"),
        ("coded", lambda old: torch.cat([old[:20], old[20:] | 255]), "code 7 is out of range"),
        ("sparse", lambda old: old[:-1], "its gaps lead to"),
        ("sparse", lambda old: old[:10], "payload has 10 bytes"),
        ("sparse", lambda old: torch.cat([old, old[:1] * 0]), "its gaps lead to"),
        ("sparse", lambda old: torch.cat([old, (old[:1] | 255).repeat(20)]), "past the end of 3000"),
        ("both", lambda old: old[:-1], "its gaps lead to"),
        ("both", lambda old: torch.cat([old[:20], old[20:21] | 255, old[21:]]), "code 7 is out of range"),
    ],
)
def test_bad_payload(saved: Path, name: str, payload: Callable[[torch.Tensor], torch.Tensor], message: str) -> None:
    rewrite(saved, lambda _, payloads: payloads.update({name: payload(payloads[name])}))
    with pytest.raises(ValueError, match=rf"{saved}: tensor '{name}' is corrupt: .*{message}"):
        load(saved)
