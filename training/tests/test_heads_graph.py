"""The heads graphs against the heads in PyTorch, the properties that decoding rests on, and the
file of trained heads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy_base import random_weights
from runner import BLOCK, Heads, in_16_steps
from safetensors.numpy import load_file, save_file
from test_trunk import LLAMA, QWEN, relative_error

from dynamo_training.__main__ import main
from dynamo_training.bases import BASES, Base
from dynamo_training.export.heads import HeadsSpec, build_heads
from dynamo_training.export.layers import TOP_K
from dynamo_training.export.pack import (
    FORMAT,
    pack,
    quantise,
    read_heads,
    tensor_shapes,
    unpack,
    write_heads,
)
from dynamo_training.export.plan import WeightPlan
from dynamo_training.export.trunk import build_trunk

KINDS = ("shared", "independent", "chained")
LENGTH = 2 * BLOCK + 5
OF_ONE_ROW = ("attention.output.weight", "ffn.gate.weight", "ffn.up.weight", "ffn.down.weight")
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
BOTH_BASES = pytest.mark.parametrize("base", [QWEN, LLAMA], ids=lambda base: base.id)


class Case:
    """Random heads over a random base, and a random text."""

    def __init__(
        self, base: Base, kind: str, tokens: int = 4, layers: int = 1, seed: int = 1
    ) -> None:
        rng = np.random.default_rng(seed)
        self.base = base
        self.spec = HeadsSpec(kind, tokens, layers, shortlist=120)
        self.weights = random_weights(base, seed)
        self.tensors = {}
        for name, shape in tensor_shapes(base, self.spec).items():
            drawn = rng.standard_normal(shape)
            mean = 1 if name.endswith("norm.weight") else 0
            values = drawn / np.sqrt(shape[-1]) if len(shape) == 2 else mean + 0.1 * drawn
            self.tensors[name] = values.astype(np.float32)
        order = rng.permutation(base.vocabulary)
        self.shortlist = order[: self.spec.shortlist].astype(np.int32)
        self.ids = rng.choice(self.shortlist, LENGTH + tokens).tolist()
        self.stem = rng.standard_normal((LENGTH, base.hidden)).astype(np.float32)

    def on_grid(self) -> Case:
        """The same with what int8 graphs hold in 4 bits rounded to these already."""
        for name, values in self.tensors.items():
            if name.endswith(OF_ONE_ROW) and int(name.split("layers.")[1][0]) == self.spec.layers - 1:
                self.tensors[name] = in_16_steps(values, self.base.head_block)
        return self

    def open(self, precision: str) -> Heads:
        return Heads(
            self.base, precision, self.spec, self.weights, self.tensors, self.shortlist
        )

    def feed(self, heads: Heads, until: int, width: int = BLOCK) -> dict[str, np.ndarray]:
        """Feeds places up to `until` by `width` at most, never across a block border; returns what
        the last run says, whose last row is at place `until - 1`."""
        while True:
            at = heads.kv.length
            end = min(at + width + self.spec.provisional, at + BLOCK - at % BLOCK, until)
            if end - at <= self.spec.provisional:  # a border leaves too little room: cross it
                end = min(at + self.spec.provisional + 1, until)
            outputs = heads.run(self.stem[at:end], self.ids[at + 1 : end + 1])
            if end == until:
                return outputs


def states_in_torch(case: Case, place: int, chosen: list[int]) -> np.ndarray:
    """States of all applications at a place, when the chain goes on with `chosen`."""
    torch = pytest.importorskip("torch")
    from dynamo_training.model.heads import HeadsConfig, TokenHeads

    spec = case.spec
    heads = TokenHeads(case.base, HeadsConfig(spec.kind, spec.tokens, spec.layers))
    heads.load_state_dict({name: torch.from_numpy(v) for name, v in case.tensors.items()})
    ids = [*case.ids[: place + 2], *chosen]
    missing = len(ids) - len(case.stem[: place + 1])
    stem = np.pad(case.stem[: place + 1], ((0, missing), (0, 0)))
    embedded = case.weights["embedding"][ids]
    with torch.inference_mode():
        states = heads(torch.from_numpy(stem)[None], torch.from_numpy(embedded)[None])
    return np.stack([state[0, place].numpy() for state in states])


def logits_of(case: Case, states: np.ndarray) -> np.ndarray:
    """The shortlist's logits in NumPy."""
    square = (states.astype(np.float64) ** 2).mean(-1, keepdims=True)
    normed = states / np.sqrt(square + case.base.norm_epsilon) * case.weights["output_norm.weight"]
    return normed @ case.weights["embedding"][case.shortlist].T


@BOTH_BASES
@EVERY_KIND
@pytest.mark.parametrize("layers", [1, 2])
def test_fp16_stays_close_to_fp32(base: Base, kind: str, layers: int) -> None:
    case = Case(base, kind, layers=layers)
    for place in (0, 2, BLOCK - 1, BLOCK, LENGTH - 1):
        expected = case.feed(case.open("fp32"), place + 1)
        outputs = case.feed(case.open("fp16"), place + 1)
        assert outputs["chosen"][0] == expected["chosen"][0]
        # Another choice changes what the chain says behind it.
        same = np.cumprod(outputs["chosen"] == expected["chosen"])
        known = 1 + int(same[:-1].sum()) if kind != "independent" else len(same)
        errors = outputs["states"][0, :known] - expected["states"][0, :known]
        assert np.abs(errors).max() < 0.03, f"place {place}"


@BOTH_BASES
@EVERY_KIND
@pytest.mark.parametrize("layers", [1, 2])
def test_fp32_equals_pytorch(base: Base, kind: str, layers: int) -> None:
    case = Case(base, kind, layers=layers)
    for place in (0, 2, BLOCK - 1, BLOCK, LENGTH - 1):
        outputs = case.feed(case.open("fp32"), place + 1)
        chosen = outputs["chosen"].tolist()
        expected = states_in_torch(case, place, chosen)
        assert relative_error(outputs["states"][0], expected) < 1e-4, f"place {place}"


@BOTH_BASES
@EVERY_KIND
def test_predictions_are_those_of_the_states(base: Base, kind: str) -> None:
    case = Case(base, kind)
    outputs = case.feed(case.open("fp32"), LENGTH)
    logits = logits_of(case, outputs["states"][0])
    order = np.argsort(-logits, axis=1)[:, :TOP_K]
    assert outputs["top.ids"].dtype == np.int32
    assert np.array_equal(outputs["top.ids"][0], case.shortlist[order])
    best = np.take_along_axis(logits, order, axis=1)
    assert relative_error(outputs["top.logits"][0], best) < 1e-4
    normalizer = np.log(np.exp(logits).sum(axis=1))
    assert np.allclose(outputs["normalizer"][0, :, 0], normalizer, rtol=1e-4)
    assert np.array_equal(outputs["chosen"], outputs["top.ids"][0, :, 0])


@BOTH_BASES
@EVERY_KIND
@pytest.mark.parametrize("layers", [1, 2])
def test_int8_stays_close_to_fp32(base: Base, kind: str, layers: int) -> None:
    case = Case(base, kind, tokens=3, layers=layers).on_grid()
    exact = case.feed(case.open("fp32"), LENGTH)
    close = case.feed(case.open("int8"), LENGTH)
    # Further applications may rest on another choice: only the first is comparable.
    error = close["states"][0, 0] - exact["states"][0, 0]
    limit = 0.08 if base.activation_bits == 8 else 0.04
    assert np.sqrt((error**2).mean() / (exact["states"][0, 0] ** 2).mean()) < limit


@EVERY_KIND
@pytest.mark.parametrize("base, precision", [(QWEN, "int8"), (LLAMA, "int8"), (QWEN, "fp32")])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_runs_do_not_matter(kind: str, base: Base, precision: str, layers: int) -> None:
    """Bit for bit: keys, values and predictions, however the rows were fed."""
    if kind == "chained":
        # Its provisional rows make runs cross block borders, so sums are in another order there.
        case = Case(base, kind, layers=layers)
        case.stem = case.stem[:BLOCK]
        until = BLOCK
    else:
        case, until = Case(base, kind, layers=layers), LENGTH
    alone = case.open(precision)
    expected = case.feed(alone, until, 1)
    for width in range(2, BLOCK + 1):
        together = case.open(precision)
        outputs = case.feed(together, until, width)
        for name in ("top.ids", "top.logits", "normalizer", "chosen", "states"):
            assert np.array_equal(outputs[name], expected[name]), f"{name}, {width} rows a run"
        both = min(together.kv.length, alone.kv.length)
        assert np.array_equal(together.kv.rows[:, :both], alone.kv.rows[:, :both])


@pytest.mark.parametrize("kind", ["shared", "independent"])
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_one_run_fills_the_cache_across_blocks(kind: str, precision: str) -> None:
    case = Case(QWEN, kind)
    step_by_step, at_once = case.open(precision), case.open(precision)
    case.feed(step_by_step, LENGTH, 1)
    at_once.run(case.stem, case.ids[1 : LENGTH + 1])
    assert np.array_equal(at_once.kv.rows, step_by_step.kv.rows)


@EVERY_KIND
def test_a_chain_leaves_nothing_behind(kind: str) -> None:
    """Whatever is guessed, the cache holds rows of known tokens alone."""
    case = Case(QWEN, kind)
    plain, noisy = case.open("int8"), case.open("int8")
    rng = np.random.default_rng(3)
    at = 0
    while at < BLOCK:
        end = min(at + 1 + case.spec.provisional, BLOCK)
        rows = case.stem[at:end], case.ids[at + 1 : end + 1]
        noise = 100 * rng.standard_normal((case.spec.applications, TOP_K)).astype(np.float32)
        plain.run(*rows)
        noisy.run(*rows, noise=noise)
        at = plain.kv.length
        if end == BLOCK:
            break
    assert np.array_equal(plain.kv.rows, noisy.kv.rows)


@EVERY_KIND
def test_noise_decides_what_is_chosen_and_the_chain_follows(kind: str) -> None:
    case = Case(QWEN, kind)
    greedy = case.feed(case.open("fp32"), BLOCK)
    heads = case.open("fp32")
    case.feed(heads, BLOCK - 1)
    at = heads.kv.length
    noise = np.zeros((case.spec.applications, TOP_K), np.float32)
    noise[0, 7] = 1e6
    outputs = heads.run(case.stem[at:BLOCK], case.ids[at + 1 : BLOCK + 1], noise)
    assert np.array_equal(outputs["top.logits"][0, 0], greedy["top.logits"][0, 0])
    assert outputs["chosen"][0] == outputs["top.ids"][0, 0, 7] != greedy["chosen"][0]
    same = np.array_equal(outputs["top.logits"][0, 1], greedy["top.logits"][0, 1])
    assert same == (kind == "independent")


@EVERY_KIND
def test_a_row_of_zeros_stays_finite(kind: str) -> None:
    case = Case(QWEN, kind)
    case.stem[0] = 0
    outputs = case.feed(case.open("int8"), 3)
    assert all(np.isfinite(values).all() for values in outputs.values())


@EVERY_KIND
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_plan_stores_each_tensor_once_and_borrows_the_trunk_s(kind: str, precision: str) -> None:
    trunk = build_trunk(QWEN, precision)[1]
    model, plan = build_heads(QWEN, precision, HeadsSpec(kind, 3, 2, 120), trunk)
    names = [initializer.name for initializer in model.graph.initializer]
    assert len(names) == len(set(names))
    borrowed = {entry["name"]: entry for entry in plan.borrowed}
    assert "output_norm.weight" in borrowed
    end = 0
    for initializer in sorted(plan.initializers, key=lambda tensor: offset_of(tensor)[1]):
        location, offset, length = offset_of(initializer)
        if initializer.name in plan.aliases:
            continue
        if initializer.name in borrowed:
            entry = borrowed[initializer.name]
            assert (location, offset, length) == (trunk.weights, entry["offset"], entry["bytes"])
            continue
        assert location == plan.weights != trunk.weights
        assert offset >= end and offset % 64 == 0
        end = offset + length
    assert end == plan.size


def offset_of(initializer) -> tuple[str, int, int]:
    fields = {entry.key: entry.value for entry in initializer.external_data}
    return fields["location"], int(fields["offset"]), int(fields["length"])


# The file of trained heads.


def write(case: Case, path: Path, **changes) -> Path:
    values = {"tensors": case.tensors, "shortlist": case.shortlist, "record": {"tokensSeen": 5}}
    write_heads(path, case.base, case.spec, **(values | changes))
    return path


@BOTH_BASES
@EVERY_KIND
def test_a_file_of_heads_comes_back_rounded_to_int8(base: Base, kind: str, tmp_path: Path) -> None:
    case = Case(base, kind, layers=2)
    packed = read_heads(write(case, tmp_path / "a.safetensors"), base)
    assert packed.spec == case.spec
    assert packed.record["tokensSeen"] == 5
    assert np.array_equal(packed.shortlist, np.sort(case.shortlist))
    assert set(packed.tensors) == set(case.tensors)
    for name, values in case.tensors.items():
        if values.ndim == 1:
            assert np.array_equal(packed.tensors[name], values)
            continue
        step = np.abs(values).max(axis=1, keepdims=True) / 127
        assert (np.abs(packed.tensors[name] - values) <= 0.501 * step).all()
    again = write(case, tmp_path / "b.safetensors", tensors=packed.tensors)
    first = load_file(tmp_path / "a.safetensors")
    for name, values in load_file(again).items():
        if values.dtype == np.int8:
            assert np.array_equal(values, first[name]), "what was rounded stays what it is"


def test_equal_heads_make_equal_files(tmp_path: Path) -> None:
    case = Case(QWEN, "shared")
    files = [write(case, tmp_path / f"{n}.safetensors").read_bytes() for n in range(8)]
    assert len(set(files)) == 1


def test_rows_of_zeros_and_of_hardly_anything_are_zeros() -> None:
    rows = np.array([[0, 0], [1e-38, 0], [1, -2]], np.float32)
    integers, scales = quantise(rows)
    assert integers.tolist() == [[0, 0], [0, 0], [64, -127]]
    assert scales[:2].tolist() == [1, 1]


def test_an_edition_of_heads_changes_no_other_name() -> None:
    for file in ("heads-shared.safetensors", "heads-shared_2.safetensors"):
        plan = WeightPlan("tiny", "int8", heads={"file": file})
        assert plan.weights == "heads-shared-weights-int8.bin"


def test_heads_that_do_not_fit_are_not_written(tmp_path: Path) -> None:
    case, path = Case(QWEN, "shared"), tmp_path / "x.safetensors"
    name = "heads.0.layers.0.ffn.up.weight"
    without = {key: value for key, value in case.tensors.items() if key != name}
    for tensors, reason in (
        (without, "is missing"),
        (case.tensors | {"embedding.weight": case.weights["embedding"]}, "is not a tensor of such"),
        (case.tensors | {name: case.tensors[name].T}, "has the shape"),
        (case.tensors | {name: case.tensors[name] * np.nan}, "not finite"),
    ):
        with pytest.raises(ValueError, match=reason):
            write(case, path, tensors=tensors)
    repeated = np.repeat(case.shortlist[:60], 2)
    with pytest.raises(ValueError, match="stands twice"):
        write(case, path, shortlist=repeated)
    with pytest.raises(ValueError, match="does not have"):
        write(case, path, shortlist=case.shortlist + case.base.vocabulary)
    assert not path.exists()


def test_files_that_are_not_what_they_say_are_refused(tmp_path: Path) -> None:
    import json

    case, path = Case(QWEN, "shared"), tmp_path / "x.safetensors"
    write(case, path)
    stored = load_file(path)
    record = {"format": FORMAT, "base": case.base.id, "heads": case.spec.__dict__}
    metadata = {"record": json.dumps(record)}
    name = "heads.0.fusion.mix.weight"

    def refused(reason: str, change: dict, metadata: dict = metadata) -> None:
        save_file({key: value for key, value in (stored | change).items() if value is not None},
                  path, metadata)
        with pytest.raises(ValueError, match=reason):
            read_heads(path, case.base)

    refused("is missing", {name: None})
    refused("is not a tensor of such heads", {"output.weight": np.zeros(3, np.int8)})
    refused("not int8", {name: stored[name].astype(np.float32)})
    refused("not int8", {name: stored[name][:-1]})
    refused("not positive", {f"{name}.scale": -stored[f"{name}.scale"]})
    refused("not finite", {f"{name}.scale": stored[f"{name}.scale"] * np.inf})
    refused("does not ascend", {"shortlist": np.flip(stored["shortlist"]).copy()})
    refused("does not have", {"shortlist": stored["shortlist"] + case.base.vocabulary})
    refused("format", {}, {"other": "text"})
    refused("format", {}, {"record": json.dumps(record | {"format": "dynamo-heads-0"})})
    refused("heads of other", {}, {"record": json.dumps(record | {"base": "other"})})
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(ValueError, match="not a safetensors file"):
        read_heads(path, case.base)


@EVERY_KIND
def test_modules_of_pytorch_are_packed_and_unpacked(kind: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from dynamo_training.model.heads import HeadsConfig, TokenHeads

    torch.manual_seed(1)
    heads, shortlist = TokenHeads(LLAMA, HeadsConfig(kind, 3, 2)), np.arange(100, dtype=np.int32)
    path = tmp_path / "heads.safetensors"
    pack(path, heads, shortlist, {"measures": [0.5]})
    again, packed = unpack(path, LLAMA)
    assert packed.record["measures"] == [0.5]
    assert again.config == heads.config
    for name, value in heads.state_dict().items():
        found = again.state_dict()[name]
        assert torch.allclose(found, value, atol=value.abs().max().item() / 250), name


def test_the_suite_gets_a_graph_for_its_heads(tmp_path: Path) -> None:
    base = BASES["smollm2-135m"]
    spec = HeadsSpec("shared", 3, 1, 64)
    tensors = {
        name: np.ones(shape, np.float32) for name, shape in tensor_shapes(base, spec).items()
    }
    folder = tmp_path / base.id
    folder.mkdir()
    path = folder / "heads-shared.safetensors"
    write_heads(path, base, spec, tensors, np.arange(64), {})
    assert main(["graphs", "--models", str(tmp_path)]) == 0
    assert {file.name for file in folder.iterdir() if "heads" in file.name} == {
        "heads-shared.safetensors",
        "heads-shared-int8.onnx",
        "heads-shared-plan-int8.json",
        "heads-shared-fp32.onnx",
        "heads-shared-plan-fp32.json",
        "heads-shared-fp16.onnx",
        "heads-shared-plan-fp16.json",
    }
    assert main(["graphs", "--models", str(tmp_path), "--check"]) == 0
    write_heads(path, base, replace(spec, shortlist=65), tensors, np.arange(65), {})
    assert main(["graphs", "--models", str(tmp_path), "--check"]) == 1
