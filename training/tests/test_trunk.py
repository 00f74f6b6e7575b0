"""The trunk graphs against a base model in NumPy, and the properties that decoding rests on."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from numpy_base import forward, random_weights
from runner import BLOCK, Trunk, in_16_steps

from dynamo_training.__main__ import main
from dynamo_training.bases import Base
from dynamo_training.export.layers import TOP_K
from dynamo_training.export.probe import SIZE, build_probe
from dynamo_training.export.trunk import build_trunk

QWEN = Base(
    id="tiny-qwen",
    layers=3,
    hidden=64,
    heads=4,
    kv_heads=2,
    ffn=96,
    vocabulary=320,
    rope_base=1e4,
    norm_epsilon=1e-6,
    qkv_bias=True,
    permuted_rope=False,
    output_tensor="output.weight",
    activation_bits=8,
    head_block=32,
)
LLAMA = Base(
    id="tiny-llama",
    layers=2,
    hidden=48,
    heads=3,
    kv_heads=1,
    ffn=80,
    vocabulary=300,
    rope_base=1e5,
    norm_epsilon=1e-5,
    qkv_bias=False,
    permuted_rope=True,
    output_tensor="token_embd.weight",
    activation_bits=15,
    block=16,
    head_block=16,
)
BASES = pytest.mark.parametrize("base", [QWEN, LLAMA], ids=lambda base: base.id)
LENGTH = 2 * BLOCK + 5


def ids_of(base: Base) -> list[int]:
    return np.random.default_rng(7).integers(0, base.vocabulary, LENGTH).tolist()


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(actual - expected).max() / np.sqrt((expected**2).mean()))


def run_in_pieces(trunk: Trunk, ids: list[int], width: int) -> np.ndarray:
    """Every row's logits, fed `width` rows a run without crossing a block border."""
    rows: list[np.ndarray] = []
    while len(rows) < len(ids):
        at = len(rows)
        end = min(at + width, at + BLOCK - at % BLOCK, len(ids))
        rows.extend(trunk.run(ids[at:end])["logits"][0])
    return np.array(rows)


@BASES
def test_fp32_equals_numpy(base: Base) -> None:
    weights, ids = random_weights(base, 1), ids_of(base)
    expected = forward(base, weights, np.array(ids))
    trunk = Trunk(base, "fp32", weights)
    stems, tops = [], []
    for at in range(0, LENGTH, BLOCK):
        outputs = trunk.run(ids[at : at + BLOCK])
        stems.append(outputs["stem"][0])
        tops.append(outputs)
    logits = np.concatenate([outputs["logits"][0] for outputs in tops])
    assert relative_error(logits, expected["logits"]) < 1e-4
    assert relative_error(np.concatenate(stems), expected["stem"]) < 1e-4
    assert relative_error(trunk.cache[0::2], expected["keys"]) < 1e-4
    assert relative_error(trunk.cache[1::2], expected["values"]) < 1e-4


def layers_in_16_steps(base: Base, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Layers' matrices as the 4-bit blocks of a base that has such hold them."""
    if not base.block:
        return weights
    held = dict(weights)
    for name, value in weights.items():
        if name.startswith("l") and value.ndim == 2:
            rounded = in_16_steps(np.ascontiguousarray(value.T), base.block)
            held[name] = np.ascontiguousarray(rounded.T)
    return held


@BASES
@pytest.mark.parametrize("width", [1, 3, BLOCK])
def test_fp16_stays_close_to_numpy(base: Base, width: int) -> None:
    weights, ids = random_weights(base, 2), ids_of(base)
    expected = forward(base, weights, np.array(ids))
    trunk = Trunk(base, "fp16", weights)
    actual = run_in_pieces(trunk, ids, width)
    assert largest_error(actual, expected["logits"]) < 0.01
    assert relative_error(trunk.cache[0::2], expected["keys"]) < 0.01
    assert relative_error(trunk.cache[1::2], expected["values"]) < 0.01


def test_fp16_takes_the_best_logits_from_float32() -> None:
    """Logits a hundred times as large: float16 has steps of 1 where float32 tells them apart."""
    weights, ids = random_weights(QWEN, 11), ids_of(QWEN)[:8]
    weights["output_norm.weight"] *= 100
    outputs = Trunk(QWEN, "fp16", weights).run(ids)
    best = outputs["top.logits"][0]
    assert best.max() > 1024
    steps = np.spacing(best.astype(np.float16)).astype(np.float32)
    assert (best % steps != 0).mean() > 0.9
    expected = forward(QWEN, weights, np.array(ids))["logits"]
    assert largest_error(outputs["logits"][0], expected) < 1


@BASES
def test_int8_stays_close_to_numpy(base: Base) -> None:
    weights, ids = layers_in_16_steps(base, random_weights(base, 2)), ids_of(base)
    expected = forward(base, weights, np.array(ids))["logits"]
    actual = run_in_pieces(Trunk(base, "int8", weights), ids, BLOCK)
    error = largest_error(actual, expected) / np.sqrt((expected**2).mean())
    assert error < (0.05 if base.activation_bits == 8 else 0.02)


def largest_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Of the TOP_K largest expected logits of each row, root of the mean square: those that the
    second pass computes."""
    best = np.argsort(-expected, axis=1)[:, :TOP_K]
    difference = np.take_along_axis(actual - expected, best, axis=1)
    return float(np.sqrt((difference**2).mean()))


def test_two_passes_leave_every_logit_close_and_the_largest_as_of_one_product() -> None:
    weights, ids = random_weights(QWEN, 10), ids_of(QWEN)[:12]
    outputs = Trunk(QWEN, "int8", weights).run(ids)
    expected = forward(QWEN, weights, np.array(ids))["logits"]
    logits = outputs["logits"][0]
    # 4 bits are coarse, but no logit is anybody else's.
    assert np.corrcoef(logits.ravel(), expected.ravel())[0, 1] > 0.99
    assert np.array_equal(np.argmax(logits, axis=1), outputs["top.ids"][0][:, 0])
    assert (np.argmax(logits, axis=1) == np.argmax(expected, axis=1)).mean() > 0.9


def test_15_bit_activations_are_finer_than_8_bit_ones() -> None:
    """With the weights' own rounding taken away, what is left is the activations'."""
    from dataclasses import replace

    errors = {}
    for bits in (8, 15):
        base = replace(LLAMA, activation_bits=bits, block=0)
        weights = random_weights(base, 3)
        for name, value in weights.items():
            if value.ndim == 2:
                axis = 1 if name in ("embedding", "first_pass.weight") else 0
                scale = np.abs(value).max(axis=axis, keepdims=True) / np.float32(127)
                weights[name] = (np.rint(value / scale) * scale).astype(np.float32)
        ids = ids_of(base)
        expected = forward(base, weights, np.array(ids))["logits"]
        actual = run_in_pieces(Trunk(base, "int8", weights), ids, BLOCK)
        errors[bits] = largest_error(actual, expected)
    assert errors[15] < errors[8] / 30


@BASES
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_row_does_not_depend_on_its_company(base: Base, precision: str) -> None:
    weights, ids = random_weights(base, 4), ids_of(base)
    alone = run_in_pieces(Trunk(base, precision, weights), ids, 1)
    for width in range(2, BLOCK + 1):
        together = run_in_pieces(Trunk(base, precision, weights), ids, width)
        assert np.array_equal(together, alone), f"{width} rows a run"


@BASES
def test_a_row_of_zeros_and_its_neighbours_stay_finite(base: Base) -> None:
    weights, ids = random_weights(base, 5), ids_of(base)
    weights["embedding"][ids[1]] = 0
    trunk = Trunk(base, "int8", weights)
    logits = trunk.run(ids[:4])["logits"][0]
    assert np.isfinite(logits).all()
    alone = run_in_pieces(Trunk(base, "int8", weights), ids[:4], 1)
    assert np.array_equal(logits, alone)


def test_extreme_products_do_not_saturate() -> None:
    """uint8 255 times int8 127, pair after pair: more than 16 bits hold.

    A vector of equal values is what the embedding of one token becomes under norm weights that
    are all one, so the product of the query projection is known exactly.
    """
    weights = random_weights(QWEN, 6)
    weights["embedding"][5] = 1
    for name in weights:
        if name.endswith("norm.weight"):
            weights[name][:] = 1
    weights["l0.qkv"][:] = 1
    weights["l0.qkv.bias"][:] = 0
    trunk = Trunk(QWEN, "int8", weights)
    trunk.run([5])
    values = trunk.cache[1]  # layer 0's values are the projection itself
    assert np.allclose(values, QWEN.hidden, rtol=1e-5)


@BASES
def test_only_the_wanted_rows_are_predicted(base: Base) -> None:
    weights, ids = random_weights(base, 8), ids_of(base)[:6]
    everything = Trunk(base, "int8", weights).run(ids)
    some = Trunk(base, "int8", weights).run(ids, logit_rows=[1, 5])
    assert np.array_equal(some["logits"][0], everything["logits"][0][[1, 5]])
    assert np.array_equal(some["kv"], everything["kv"])
    assert np.array_equal(some["stem"], everything["stem"])


@BASES
@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_top_and_normaliser_are_those_of_the_logits(base: Base, precision: str) -> None:
    weights, ids = random_weights(base, 9), ids_of(base)[:4]
    outputs = Trunk(base, precision, weights).run(ids)
    logits = outputs["logits"][0].astype(np.float64)
    assert outputs["top.ids"].shape == (1, 4, TOP_K)
    assert outputs["top.ids"].dtype == np.int32
    best = -np.sort(-logits, axis=1)[:, :TOP_K]
    assert np.array_equal(outputs["top.logits"][0], best.astype(np.float32))
    taken = np.take_along_axis(logits, outputs["top.ids"][0].astype(np.int64), axis=1)
    assert np.array_equal(taken, best)
    normalizer = np.log(np.exp(logits).sum(axis=1))
    assert np.allclose(outputs["normalizer"][0, :, 0], normalizer, rtol=1e-5)


def test_the_probe_of_saturation_gives_the_exact_product() -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(build_probe().SerializeToString(), options)
    (products,) = session.run(None, {"rows": np.full((1, SIZE), 255, np.uint8)})
    assert (products == 127 * 127 * SIZE).all()


def test_a_plan_reserves_room_without_overlap() -> None:
    _, plan = build_trunk(QWEN, "int8")
    spans = []
    for initializer in plan.initializers:
        fields = {entry.key: entry.value for entry in initializer.external_data}
        assert fields["location"] == plan.weights
        spans.append((int(fields["offset"]), int(fields["length"])))
    end = 0
    for offset, length in sorted(spans):
        assert offset >= end and offset % 64 == 0
        end = offset + length
    assert end == plan.size


def test_the_suite_is_what_the_exporter_makes() -> None:
    assert main(["graphs", "--check"]) == 0


def test_check_finds_a_stale_graph(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graphs", "--models", str(tmp_path)]) == 0
    path = tmp_path / "smollm2-135m" / "trunk-int8.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    capsys.readouterr()
    assert main(["graphs", "--models", str(tmp_path), "--check"]) == 1
    assert "smollm2-135m/trunk-int8.onnx is not what" in capsys.readouterr().out
