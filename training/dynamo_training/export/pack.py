"""Trained heads as a file of the suite, models/<id>/heads-<name>.safetensors, and back.

Matrices are int8 with one float32 scale an output channel (`<name>.scale`), as the int8 graph will
store them; norms and biases are float32, the shortlist is int32. Nothing of the base is in it. The
metadata hold one JSON text, `record`: the format, the base's id, the heads' configuration and
whatever the training says of itself (data, tokens seen, measures). It is one, because the library
writes several metadata in any order, and equal heads are to make equal files.

    shortlist                              int32 [S]         token ids, ascending, so that an
                                                             installer reads the table once
    heads.0.layers.0.attention.q.weight    int8  [out, in]
    heads.0.layers.0.attention.q.weight.scale    float32 [out]
    heads.0.layers.0.attention_norm.weight       float32 [hidden]
    ...
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..bases import Base
from .heads import LAYER_TENSORS, HeadsSpec

if TYPE_CHECKING:
    from ..model.heads import TokenHeads

FORMAT = "dynamo-heads-1"
LARGEST = 127
SMALLEST_SCALE = np.finfo(np.float32).tiny  # below it a float32 loses precision


@dataclass(frozen=True)
class PackedHeads:
    """The content of a file of heads, dequantised."""

    spec: HeadsSpec
    tensors: dict[str, np.ndarray]
    """float32, by the names of TokenHeads' state."""
    shortlist: np.ndarray
    record: dict[str, Any]


def tensor_shapes(base: Base, spec: HeadsSpec) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of the heads' state."""
    hidden, ffn = base.hidden, base.ffn
    wide, narrow = base.heads * base.head_size, base.kv_heads * base.head_size
    layer = {
        "attention_norm.weight": (hidden,),
        "attention.q.weight": (wide, hidden),
        "attention.k.weight": (narrow, hidden),
        "attention.v.weight": (narrow, hidden),
        "attention.q.bias": (wide,),
        "attention.k.bias": (narrow,),
        "attention.v.bias": (narrow,),
        "attention.output.weight": (hidden, wide),
        "ffn_norm.weight": (hidden,),
        "ffn.gate.weight": (ffn, hidden),
        "ffn.up.weight": (ffn, hidden),
        "ffn.down.weight": (hidden, ffn),
    }
    assert set(layer) == set(LAYER_TENSORS.values())
    fusion = {
        "fusion.state_norm.weight": (hidden,),
        "fusion.token_norm.weight": (hidden,),
        "fusion.mix.weight": (hidden, 2 * hidden),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for head in range(spec.modules):
        if spec.kind != "independent":
            shapes |= {f"heads.{head}.{name}": shape for name, shape in fusion.items()}
        for index in range(spec.layers):
            for name, shape in layer.items():
                if base.qkv_bias or not name.endswith("bias"):
                    shapes[f"heads.{head}.layers.{index}.{name}"] = shape
    return shapes


def quantise(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 [out, in] and float32 scales [out]; a row too small for a normal scale becomes zeros."""
    scale = (np.abs(weight).max(axis=1) / np.float32(LARGEST)).astype(np.float32)
    usable = scale >= SMALLEST_SCALE
    divisor = np.where(usable, scale, np.float32(1)).astype(np.float32)
    rows = np.clip(np.rint(weight / divisor[:, None]), -LARGEST, LARGEST)
    return (rows * usable[:, None]).astype(np.int8), divisor


def write_heads(
    path: Path,
    base: Base,
    spec: HeadsSpec,
    tensors: Mapping[str, np.ndarray],
    shortlist: np.ndarray,
    record: Mapping[str, Any],
) -> None:
    """Writes float32 tensors and the shortlist (in any order). Equal content makes equal bytes.

    Raises ValueError when a tensor is missing, superfluous, of another shape or not finite.
    """
    if spec.shortlist != len(shortlist):
        raise ValueError(f"{len(shortlist)} tokens in the shortlist, not {spec.shortlist}")
    shortlist = np.sort(np.asarray(shortlist, np.int32))
    _check_shortlist(base, shortlist)
    shapes = tensor_shapes(base, spec)
    _check_names(set(tensors), set(shapes))
    stored: dict[str, np.ndarray] = {"shortlist": shortlist}
    for name, shape in shapes.items():
        values = np.ascontiguousarray(tensors[name], np.float32)
        if values.shape != shape:
            raise ValueError(f"{name} has the shape {values.shape}, not {shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds a value that is not finite")
        if len(shape) == 1:
            stored[name] = values
        else:
            stored[name], stored[f"{name}.scale"] = quantise(values)
    whole = dict(record) | {"format": FORMAT, "base": base.id, "heads": asdict(spec)}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    temporary = path.with_suffix(".partial")
    temporary.write_bytes(save(stored, {"record": text}))
    temporary.replace(path)


def read_heads(path: Path, base: Base) -> PackedHeads:
    """Reads and checks a whole file. Raises ValueError saying what is wrong with it."""
    try:
        with safe_open(path, framework="numpy") as file:
            spec, record = _read_record(file.metadata() or {}, base)
            stored = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    shapes = tensor_shapes(base, spec)
    scales = {f"{name}.scale" for name, shape in shapes.items() if len(shape) == 2}
    _check_names(set(stored), set(shapes) | scales | {"shortlist"})
    shortlist = stored["shortlist"]
    _check(shortlist, "shortlist", np.int32, (spec.shortlist,))
    _check_shortlist(base, shortlist)
    tensors: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        _check(stored[name], name, np.float32 if len(shape) == 1 else np.int8, shape)
        tensors[name] = stored[name]
        if len(shape) == 2:
            scale = stored[f"{name}.scale"]
            _check(scale, f"{name}.scale", np.float32, shape[:1])
            if not (scale > 0).all():
                raise ValueError(f"{name}.scale holds a scale that is not positive")
            tensors[name] = stored[name].astype(np.float32) * scale[:, None]
    return PackedHeads(spec, tensors, shortlist, record)


def read_record(path: Path, base: Base) -> dict[str, Any]:
    """What a file says of itself. Raises ValueError where it is not one of this base's heads."""
    with safe_open(path, framework="numpy") as file:
        return _read_record(file.metadata() or {}, base)[1]


def describe_heads(path: Path, base: Base) -> tuple[HeadsSpec, dict[str, object]]:
    """What a graph needs to know of a file: the heads' configuration, and name and hash of the
    file for the weight plan."""
    with safe_open(path, framework="numpy") as file:
        spec, _ = _read_record(file.metadata() or {}, base)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    return spec, {"file": path.name, "bytes": len(content), "sha256": sha256}


def pack(path: Path, heads: TokenHeads, shortlist: np.ndarray, record: Mapping[str, Any]) -> None:
    """Writes a module of PyTorch; see write_heads."""
    config = heads.config
    spec = HeadsSpec(config.kind, config.tokens, config.layers, len(shortlist))
    state = {
        name: value.detach().float().cpu().numpy() for name, value in heads.state_dict().items()
    }
    write_heads(path, heads.base, spec, state, shortlist, record)


def unpack(path: Path, base: Base) -> tuple[TokenHeads, PackedHeads]:
    """A module of PyTorch with a file's weights, and all that the file says."""
    import torch

    from ..model.heads import HeadsConfig, TokenHeads

    packed = read_heads(path, base)
    spec = packed.spec
    heads = TokenHeads(base, HeadsConfig(spec.kind, spec.tokens, spec.layers))
    heads.load_state_dict({name: torch.from_numpy(v.copy()) for name, v in packed.tensors.items()})
    return heads, packed


def _read_record(metadata: Mapping[str, str], base: Base) -> tuple[HeadsSpec, dict[str, Any]]:
    record = json.loads(metadata.get("record", "{}"))
    if record.get("format") != FORMAT:
        raise ValueError(f"the file's format is {record.get('format')!r}, not {FORMAT!r}")
    if record["base"] != base.id:
        raise ValueError(f"these are heads of {record['base']}, not of {base.id}")
    return HeadsSpec(**record["heads"]), record


def _check_names(found: set[str], wanted: set[str]) -> None:
    for name in sorted(wanted - found):
        raise ValueError(f"{name} is missing")
    for name in sorted(found - wanted):
        raise ValueError(f"{name} is not a tensor of such heads")


def _check(values: np.ndarray, name: str, dtype: type, shape: tuple[int, ...]) -> None:
    if values.dtype != dtype or values.shape != shape:
        wanted = f"{np.dtype(dtype).name} {shape}"
        raise ValueError(f"{name} is {values.dtype.name} {values.shape}, not {wanted}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds a value that is not finite")


def _check_shortlist(base: Base, shortlist: np.ndarray) -> None:
    if (np.diff(shortlist) <= 0).any():
        raise ValueError("the shortlist does not ascend, or a token stands twice in it")
    if shortlist[0] < 0 or shortlist[-1] >= base.vocabulary:
        raise ValueError("the shortlist names a token that the vocabulary does not have")
