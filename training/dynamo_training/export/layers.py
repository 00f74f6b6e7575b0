"""What trunk and heads graphs have in common: the parts of a decoder layer, and the prediction.

Two properties shape the attention:

* Nothing is copied that does not change. Whole blocks of BLOCK positions are read where the caller
  keeps them; only the tail, shorter than a block, is joined with the new rows; only new rows leave.
* A row's numbers do not depend on which other rows share its run. Where `past` ends is a function
  of the position alone (the caller never lets a run cross a block border), each position's keys are
  summed in the same order whatever R is, and the rows of all query heads of a group are stacked,
  so that no product ever has the single row for which the kernels take another path. For the same
  reason, where matrices are stored in 4 bits, rows are an even number (see `Even`).

An empty `past` is not allowed (the kernels divide by its size). Until the first block is full the
caller passes one placeholder position, keys -1e30 and values 0, and `has_past` = false: queries are
then replaced by ones, every score of the placeholder becomes hugely negative and its weight 0.

fp16 graphs are for GPUs, and differ (training/experiments/half.py has the figures):

* Weights, their products and the cache are float16; the residual stream, norms, rotation, softmax and
  the best logits are float32, which costs casts of few rows, but keeps the text that fp32 writes.
* The cache passes the bus in every run, because ONNX Runtime's Node binding keeps nothing on CUDA's or
  DirectML's side, so `past`, `tail` and `kv` are float16 too: half the bytes. Once it is there, joining
  `past` with the rest is cheap, and saves a second product and the softmax's split.
* Only operators that both providers have kernels for: plain transposes and products in place of
  FusedMatMul's batch transposition, which ONNX Runtime itself brings in where the provider has it.
* The placeholder's keys are 0, as -1e30 is no float16; the mask hides it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from ..bases import Base
from .graph import CONTRIB, GPU_OPSET, OPSET, Graph
from .plan import Source, WeightPlan

TOP_K = 50
INT8_ZERO_POINT = 128
PRECISIONS = ("int8", "fp32", "fp16")


@dataclass(frozen=True)
class Layer:
    """Names of one use of a decoder layer, and where its tensors come from."""

    weights: str
    """First part of the initializers' names; the same in every use of the layer."""
    nodes: str
    """First part of the nodes' names."""
    source: Callable[[str], Source]
    """The source of a tensor by its GGUF name without the block: `attn_q.weight`."""


@dataclass(frozen=True)
class Sizes:
    """Row counts of a run, each int64 [1], and the rotary table's rows."""

    rows: str
    """R."""
    tail: str
    """T."""
    tail_and_new: str
    """T + R."""
    table_rows: str
    """int64 [1, R]: 0, 1, ..., R - 1."""


@dataclass(frozen=True)
class Even:
    """How rows [1, R, .] are made an even number: MatMulNBits computes them in pairs, and a row
    without a partner by another kernel, which sums in another order."""

    count: str
    """R, int64 [1]."""
    pads: str
    """Of a Pad: one row of zeros behind an odd number."""


@dataclass(frozen=True)
class Rotary:
    """Which row of the tables each of some rows takes."""

    rows: str
    cos: str
    sin: str


@dataclass(frozen=True)
class Window:
    """What a layer's queries may look at."""

    past: tuple[str, str]
    """Keys and values of the whole blocks, [P, kv_heads, head_size]."""
    earlier: tuple[str, str]
    """Keys and values between those and the new rows, [., kv_heads, head_size]."""
    mask: str | None
    """float [heads / kv_heads * rows, .]: 0 where a row may look at what is not past, -inf where
    not; None where every row may look at everything. In fp16 graphs of what is past too, and never
    None."""
    sizes: str
    """int64 [2]: positions of the past, and all others."""
    has_past: str
    even: Even | None = None
    """Of the queries' rows, where those that leave are to be an even number."""


class LayerBuilder:
    """Builds a graph and its weight plan side by side."""

    def __init__(
        self, base: Base, precision: str, name: str, plan: WeightPlan, block: int = 0
    ) -> None:
        """`block`: how many values of int8 graphs' matrices share a scale and an offset and take 4
        bits each; 0 where they are rounded to int8 by output channel."""
        if precision not in PRECISIONS:
            raise ValueError(f"unknown precision {precision!r}: use one of {', '.join(PRECISIONS)}")
        self.base = base
        self.quantised = precision == "int8"
        self.block = block if self.quantised else 0
        self.half = precision == "fp16"
        self.cache_type = TensorProto.FLOAT16 if self.half else TensorProto.FLOAT
        self.graph = Graph(name, GPU_OPSET if self.half else OPSET)
        self.plan = plan

    def cache_inputs(self, layers: int) -> None:
        """Declares `past` and `tail` of keys and values of so many layers."""
        shape = [self.base.kv_heads, self.base.head_size]
        for layer in range(layers):
            for part in ("k", "v"):
                self.graph.input(f"past.{part}.{layer}", self.cache_type, ["P", *shape])
                self.graph.input(f"tail.{part}.{layer}", self.cache_type, ["T", *shape])

    def cache_output(self, layers: int, new_rows: list[str]) -> None:
        """Makes the new keys and values an output: layer 0's keys, its values, layer 1's keys, ..."""
        base, graph = self.base, self.graph
        joined = graph.op("Concat", new_rows, "kv.joined", axis=0)
        shape: list[int | str] = ["2 * layers * R", base.kv_heads, base.head_size]
        graph.output("kv", joined, self.cache_type, shape)

    def angles(self, positions: str, name: str = "") -> str:
        """Rotary angles of positions [R]: [R, head_size / 2]."""
        base, graph = self.base, self.graph
        exponents = np.arange(0, base.head_size, 2, dtype=np.float64) / base.head_size
        frequencies = (1.0 / base.rope_base**exponents).reshape(1, -1)
        table = graph.constant(frequencies, np.float32)
        shape = graph.constant([-1, 1], np.int64)
        column = graph.op("Reshape", [positions, shape], f"{name}positions")
        floats = graph.op("Cast", [column], f"{name}positions.float", to=TensorProto.FLOAT)
        return graph.op("Mul", [floats, table], f"{name}angles")

    def sizes(self, rows_of: str) -> Sizes:
        """Sizes of a run whose rows are those of a graph input."""
        graph = self.graph
        rows = graph.op("Shape", [rows_of], "rows")
        tail = graph.op("Shape", ["tail.k.0"], "tail", start=0, end=1)
        tail_and_new = graph.op("Add", [rows, tail], "tail_and_new")
        zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
        first = graph.constant([0], np.int64)
        scalar_rows = graph.op("Squeeze", [rows, first], "rows.scalar")
        arange = graph.op("Range", [zero, scalar_rows, one], "row_indices")
        table_rows = graph.op("Unsqueeze", [arange, first], "table_rows")
        return Sizes(rows, tail, tail_and_new, table_rows)

    def past_mask(self, past: str, rows: str, name: str) -> str:
        """float [rows, P]: hides the placeholder where there is no past. `past`: int64 [1], P."""
        graph = self.graph
        seen, hidden = graph.constant(0, np.float32), graph.constant(-np.inf, np.float32)
        value = graph.op("Where", ["has_past", seen, hidden], f"{name}.value")
        shape = graph.op("Concat", [rows, past], f"{name}.shape", axis=0)
        return graph.op("Expand", [value, shape], name)

    def causal_mask(self, sizes: Sizes) -> str:
        """float [R, T + R]."""
        graph = self.graph
        shape = graph.op("Concat", [sizes.rows, sizes.tail_and_new], "mask.shape", axis=0)
        infinite = graph.op(
            "ConstantOfShape",
            [shape],
            "mask.full",
            value=onnx.numpy_helper.from_array(np.array([-np.inf], np.float32)),
        )
        diagonal = graph.op("Add", [sizes.tail, graph.constant([1], np.int64)], "mask.diagonal")
        return graph.op("Trilu", [infinite, diagonal], "mask", upper=1)

    def grouped_mask(self, mask: str, name: str) -> str:
        """A mask of rows as one of the rows of all query heads that share keys."""
        repeats = self.graph.constant([self.base.heads // self.base.kv_heads, 1], np.int64)
        return self.graph.op("Tile", [mask, repeats], name)

    def embed(self, table: tuple[str, str] | str, ids: str, name: str) -> str:
        """Rows [1, R, hidden] of an embedding table by ids [1, R]."""
        graph = self.graph
        if isinstance(table, str):
            return self.widen(graph.op("Gather", [table, ids], name))
        values, scales = table
        rows = graph.op("Gather", [values, ids], f"{name}.int8")
        floats = graph.op("Cast", [rows], f"{name}.float", to=TensorProto.FLOAT)
        scale = graph.op("Gather", [scales, ids], f"{name}.scale")
        axes = graph.constant([-1], np.int64)
        column = graph.op("Unsqueeze", [scale, axes], f"{name}.scale.column")
        return graph.op("Mul", [floats, column], name)

    def norm(
        self, name: str, weight: str, residual: str, delta: str | None
    ) -> tuple[str, str]:
        """RMS norm of residual + delta; returns the new residual stream and the normed rows."""
        base, graph = self.base, self.graph
        if delta is None:
            normed = graph.op(
                "SimplifiedLayerNormalization",
                [residual, weight],
                name,
                epsilon=base.norm_epsilon,
                axis=-1,
            )
            return residual, normed
        normed, _, _, total = graph.op(
            "SkipSimplifiedLayerNormalization",
            [residual, delta, weight],
            name,
            outputs=[name, "", "", f"{name}.residual"],
            domain=CONTRIB,
            epsilon=base.norm_epsilon,
        )
        return total, normed

    def layer_norm(
        self, layer: Layer, kind: str, residual: str, delta: str | None
    ) -> tuple[str, str]:
        """`attn_norm` or `ffn_norm` of a layer; see `norm`."""
        source = layer.source(f"{kind}.weight")
        weight = self.plan.float32(f"{layer.weights}.{kind}.weight", [self.base.hidden], [source])
        return self.norm(f"{layer.nodes}.{kind}", weight, residual, delta)

    def widen(self, values: str) -> str:
        """Values of an fp16 graph's products as float32; of other graphs as they are."""
        if not self.half:
            return values
        return self.graph.op("Cast", [values], f"{values}.wide", to=TensorProto.FLOAT)

    def narrow(self, values: str) -> str:
        """float32 values as an fp16 graph's products take them; of other graphs as they are."""
        if not self.half:
            return values
        return self.graph.op("Cast", [values], f"{values}.half", to=TensorProto.FLOAT16)

    def prepare(self, name: str, rows: str, narrow: bool = True) -> tuple[str, str] | str:
        """Rows as `linear` takes them. Not `narrow`: an fp16 graph has them in float16 already."""
        if self.block:
            return rows, self._block_sums(name, rows)
        if self.quantised:
            return self._quantise(name, rows)
        return self.narrow(rows) if narrow else rows

    def linear(
        self,
        name: str,
        rows: tuple[str, str] | str,
        shape: tuple[int, int],
        sources: list[Source],
        weights: str | None = None,
    ) -> str:
        """rows [1, R, K], as `prepare` gives them, times a weight [K, N]. What an fp16 graph returns is
        float16."""
        weights = weights or name
        if isinstance(rows, str):
            declare = self.plan.float16 if self.half else self.plan.float32
            weight = declare(weights, list(shape), sources, transpose=True)
            return self.graph.op("MatMul", [rows, weight], f"{name}.out")
        if self.block:
            return self._linear_by_block(name, rows, shape, sources, weights)
        return self.linear_by_channel(name, rows, shape, sources, weights)

    def _block_sums(self, name: str, rows: str) -> str:
        """[1, R, K / block]."""
        graph = self.graph
        shape = graph.constant([0, 0, -1, self.block], np.int64)
        blocks = graph.op("Reshape", [rows, shape], f"{name}.blocks")
        axes = graph.constant([-1], np.int64)
        return graph.op("ReduceSum", [blocks, axes], f"{name}.block_sums", keepdims=0)

    def _linear_by_block(
        self,
        name: str,
        rows: tuple[str, str],
        shape: tuple[int, int],
        sources: list[Source],
        weights: str,
    ) -> str:
        """A weight of 4-bit blocks: w = (q - 8) scale + offset, so each block's offset meets the sum
        of what the block meets. The kernel rounds rows to int8 by block, so an outlier spoils no more
        than its block. An even number of rows.
        """
        graph = self.graph
        inputs, outputs = shape
        weight, scales, offsets = self.plan.int4_with_offsets(
            weights, [outputs, inputs], self.block, sources
        )
        product = self.times_int4(rows[0], (weight, scales), shape, self.block, f"{name}.product")
        shift = graph.op(
            "FusedMatMul", [rows[1], offsets], f"{name}.shift", domain=CONTRIB, transB=1
        )
        return graph.op("Add", [product, shift], f"{name}.out")

    def times_int4(
        self, rows: str, weight: tuple[str, str], shape: tuple[int, int], block: int, name: str
    ) -> str:
        """An even number of rows [1, R, K] times a weight of `plan.int4`; shape is (K, N)."""
        inputs, outputs = shape
        return self.graph.op(
            "MatMulNBits",
            [rows, *weight],
            name,
            domain=CONTRIB,
            K=inputs,
            N=outputs,
            bits=4,
            block_size=block,
            accuracy_level=4,  # rows in int8, a scale for every block
        )

    def linear_by_channel(
        self,
        name: str,
        rows: tuple[str, str],
        shape: tuple[int, int],
        sources: list[Source],
        weights: str,
    ) -> str:
        """A weight of int8 with a scale an output channel; rows as `_quantise` gives them."""
        graph = self.graph
        quantised, row_scale = rows
        weight, scales = self.plan.int8(weights, list(shape), sources, transpose=True)
        one = graph.constant(1, np.float32)
        product = graph.op(
            "MatMulIntegerToFloat",
            [quantised, weight, one, scales, graph.constant(INT8_ZERO_POINT, np.uint8)],
            f"{name}.product",
            domain=CONTRIB,
        )
        result = graph.op("Mul", [product, row_scale], f"{name}.rescaled")
        if self.base.activation_bits == 8:
            return result
        axes = graph.constant([0], np.int64)
        return graph.op("ReduceSum", [result, axes], f"{name}.out", keepdims=1)

    def even(self, rows_of: str, name: str) -> Even | None:
        """For as many rows as a graph input has; None where an odd number is as good."""
        return self.paired(self.graph.op("Shape", [rows_of], f"{name}.count"), name) if self.block else None

    def paired(self, count: str, name: str) -> Even:
        """For `count` rows, int64 [1]."""
        graph = self.graph
        odd = graph.op("Mod", [count, graph.constant([2], np.int64)], f"{name}.odd")
        before, after = graph.constant([0] * 4, np.int64), graph.constant([0], np.int64)
        return Even(count, graph.op("Concat", [before, odd, after], f"{name}.pads", axis=0))

    def pad(self, rows: str, even: Even | None, name: str) -> str:
        """Rows [1, R, .], one more where R is odd."""
        return rows if even is None else self.graph.op("Pad", [rows, even.pads], name)

    def cut(self, rows: str, even: Even | None, name: str) -> str:
        """What `pad` was given."""
        if even is None:
            return rows
        start, axis = self.graph.constant([0], np.int64), self.graph.constant([1], np.int64)
        return self.graph.op("Slice", [rows, start, even.count, axis], name)

    def _quantise(self, name: str, rows: str) -> tuple[str, str]:
        """Symmetric uint8 (zero point 128) with a scale for each row: [D, R, K], [D, R, 1].

        With 8 bits D is 1. With 15 bits D is 2: the second row holds what rounding took from the
        first, 254 times as fine; the products of both are added. A model whose activations have
        outliers needs it (SmolLM2: perplexity +4.5 % with 8 bits), and the additional rows cost
        little where reading the weights takes the time.

        An all-zero row gets scale 0; whatever its quotients become is multiplied by that 0 again.
        """
        graph = self.graph
        magnitude = graph.op("Abs", [rows], f"{name}.abs")
        largest = graph.op(
            "ReduceMax", [magnitude, graph.constant([-1], np.int64)], f"{name}.max", keepdims=1
        )
        scale = graph.op("Mul", [largest, graph.constant(1 / 127, np.float32)], f"{name}.row_scale")
        scaled = graph.op("Div", [rows, scale], f"{name}.scaled")
        if self.base.activation_bits == 15:
            whole = graph.op("Round", [scaled], f"{name}.whole")
            rest = graph.op("Sub", [scaled, whole], f"{name}.rest")
            fine = graph.op("Mul", [rest, graph.constant(254, np.float32)], f"{name}.fine")
            scaled = graph.op("Concat", [whole, fine], f"{name}.both", axis=0)
            factors = graph.constant([[[1]], [[1 / 254]]], np.float32)
            scale = graph.op("Mul", [scale, factors], f"{name}.both_scales")
        one = graph.constant(1, np.float32)
        zero_point = graph.constant(INT8_ZERO_POINT, np.uint8)
        quantised = graph.op("QuantizeLinear", [scaled, one, zero_point], f"{name}.uint8")
        return quantised, scale

    def project(
        self, layer: Layer, normed: str, rotary: Rotary, even: Even | None = None
    ) -> tuple[str, str, str]:
        """Rotated queries [R, heads, d], rotated keys and values [R, kv_heads, d].

        `even` tells how the normed rows were made an even number. In fp16 graphs keys and values are
        float16, as the cache has them.
        """
        base, graph, name = self.base, self.graph, layer.nodes
        q_size, kv_size = base.heads * base.head_size, base.kv_heads * base.head_size
        size = q_size + 2 * kv_size
        prepared = self.prepare(f"{name}.qkv", normed)
        sources = [layer.source(f"attn_{part}.weight") for part in "qkv"]
        joined = self.linear(
            f"{name}.qkv", prepared, (base.hidden, size), sources, f"{layer.weights}.qkv"
        )
        joined = self.widen(joined)
        if base.qkv_bias:
            parts = [layer.source(f"attn_{part}.bias") for part in "qkv"]
            bias = self.plan.float32(f"{layer.weights}.qkv.bias", [size], parts)
            joined = graph.op("Add", [joined, bias], f"{name}.qkv.biased")
        joined = self.cut(joined, even, f"{name}.qkv.rows")
        split = graph.constant([q_size + kv_size, kv_size], np.int64)
        mixed, value = graph.op("Split", [joined, split], f"{name}.qk_v", outputs=2, axis=-1)
        rotated = graph.op(
            "RotaryEmbedding",
            [mixed, rotary.rows, rotary.cos, rotary.sin],
            f"{name}.rotated",
            domain=CONTRIB,
            num_heads=base.heads + base.kv_heads,
        )
        heads = graph.op(
            "Reshape",
            [rotated, graph.constant([-1, base.heads + base.kv_heads, base.head_size], np.int64)],
            f"{name}.qk.heads",
        )
        sizes = graph.constant([base.heads, base.kv_heads], np.int64)
        query, key = graph.op("Split", [heads, sizes], f"{name}.q_k", outputs=2, axis=1)
        value = graph.op(
            "Reshape",
            [value, graph.constant([-1, base.kv_heads, base.head_size], np.int64)],
            f"{name}.value",
        )
        return query, self.narrow(key), self.narrow(value)

    def attend(
        self, layer: Layer, query: str, key: str, value: str, window: Window
    ) -> tuple[str, tuple[str, str]]:
        """Attention over past blocks, what is behind them and new rows, then the output projection.

        Returns the rows and the keys and values of all that is behind the blocks.
        """
        base, graph, name = self.base, self.graph, f"{layer.nodes}.attn"
        group = graph.constant([base.kv_heads, -1, base.head_size], np.int64)
        keys = graph.op("Concat", [window.earlier[0], key], f"{name}.keys", axis=0)
        values = graph.op("Concat", [window.earlier[1], value], f"{name}.values", axis=0)

        # [R, heads, d] -> [kv_heads, heads/kv_heads * R, d]: a group's query heads share its keys.
        by_head = graph.op("Transpose", [query], f"{name}.by_head", perm=[1, 0, 2])
        grouped = graph.op("Reshape", [by_head, group], f"{name}.queries")
        mix = self._mix_half if self.half else self._mix_in_blocks
        mixed = mix(name, grouped, keys, values, window)
        by_head = graph.op(
            "Reshape",
            [mixed, graph.constant([base.heads, -1, base.head_size], np.int64)],
            f"{name}.mix.by_head",
        )
        by_row = graph.op("Transpose", [by_head], f"{name}.mix.by_row", perm=[1, 0, 2])
        width = base.heads * base.head_size
        rows = graph.op(
            "Reshape", [by_row, graph.constant([1, -1, width], np.int64)], f"{name}.rows"
        )
        rows = self.pad(rows, window.even, f"{name}.rows.even")
        output = self.linear(
            f"{layer.nodes}.attn_output",
            self.prepare(f"{layer.nodes}.attn_output", rows, narrow=False),
            (width, base.hidden),
            [layer.source("attn_output.weight")],
            f"{layer.weights}.attn_output",
        )
        return self.widen(output), (keys, values)

    def _mix_half(self, name: str, queries: str, keys: str, values: str, window: Window) -> str:
        """The values that queries [kv_heads, ., d] look at, in float16: one product over all."""
        assert window.mask is not None
        graph = self.graph
        scale = graph.constant(1 / float(np.sqrt(self.base.head_size)), np.float32)
        scaled = self.narrow(graph.op("Mul", [queries, scale], f"{name}.scaled"))
        all_keys = graph.op("Concat", [window.past[0], keys], f"{name}.all_keys", axis=0)
        all_values = graph.op("Concat", [window.past[1], values], f"{name}.all_values", axis=0)
        columns = graph.op("Transpose", [all_keys], f"{name}.key_columns", perm=[1, 2, 0])
        scores = self.widen(graph.op("MatMul", [scaled, columns], f"{name}.scores"))
        masked = graph.op("Add", [scores, window.mask], f"{name}.masked")
        weights = self.narrow(graph.op("Softmax", [masked], f"{name}.weights", axis=-1))
        rows = graph.op("Transpose", [all_values], f"{name}.value_rows", perm=[1, 0, 2])
        return graph.op("MatMul", [weights, rows], f"{name}.mix")

    def _mix_in_blocks(
        self, name: str, grouped: str, keys: str, values: str, window: Window
    ) -> str:
        """The values that queries [kv_heads, ., d] look at: whole blocks where they lie, the rest
        beside them."""
        base, graph = self.base, self.graph
        past_queries = graph.op(
            "Where",
            [window.has_past, grouped, graph.constant(1, np.float32)],
            f"{name}.past_queries",
        )
        scale = 1 / float(np.sqrt(base.head_size))
        past_scores = self._batched(
            [past_queries, window.past[0]], f"{name}.past_scores", transB=1, alpha=scale
        )
        scores = self._batched([grouped, keys], f"{name}.scores", transB=1, alpha=scale)
        if window.mask is not None:
            scores = graph.op("Add", [scores, window.mask], f"{name}.masked")
        joined = graph.op("Concat", [past_scores, scores], f"{name}.all_scores", axis=2)
        weights = graph.op("Softmax", [joined], f"{name}.weights", axis=-1)
        past_weights, new_weights = graph.op(
            "Split", [weights, window.sizes], f"{name}.split", outputs=2, axis=2
        )
        return graph.op(
            "Add",
            [
                self._batched([past_weights, window.past[1]], f"{name}.past_mix"),
                self._batched([new_weights, values], f"{name}.new_mix"),
            ],
            f"{name}.mix",
        )

    def _batched(self, inputs: list[str], name: str, **attributes: float) -> str:
        """A product whose second operand is stored position-major: [positions, kv_heads, d]."""
        return self.graph.op(
            "FusedMatMul", inputs, name, domain=CONTRIB, transBatchB=1, **attributes
        )

    def feed_forward(self, layer: Layer, normed: str) -> str:
        """down(SiLU(gate(x)) * up(x))."""
        base, graph, name = self.base, self.graph, f"{layer.nodes}.ffn"
        prepared = self.prepare(name, normed)
        gate, up = (
            self.linear(
                f"{name}_{part}",
                prepared,
                (base.hidden, base.ffn),
                [layer.source(f"ffn_{part}.weight")],
                f"{layer.weights}.ffn_{part}",
            )
            for part in ("gate", "up")
        )
        activated = graph.op("QuickGelu", [gate], f"{name}.silu", domain=CONTRIB, alpha=1.0)
        product = graph.op("Mul", [activated, up], f"{name}.product")
        output = self.linear(
            f"{name}_down",
            self.prepare(f"{name}_down", product, narrow=False),
            (base.ffn, base.hidden),
            [layer.source("ffn_down.weight")],
            f"{layer.weights}.ffn_down",
        )
        return self.widen(output)

    def top(self, logits: str, name: str) -> tuple[str, str, str]:
        """The TOP_K best logits, their int64 indices, and log sum exp of all, [1, M, .] each."""
        graph = self.graph
        count = graph.constant([TOP_K], np.int64)
        best, ids = graph.op("TopK", [logits, count], f"{name}.top", outputs=2, axis=-1, sorted=1)
        return best, ids, self.normalizer(logits, best, ids, name)

    def normalizer(self, logits: str, best: str, ids: str, name: str) -> str:
        """log sum exp of all logits, [1, M, 1]; `best` and `ids` are the largest ones, sorted."""
        graph = self.graph
        # The best token's logit less its log-probability: a quarter of the time of ReduceLogSumExp,
        # and a fiftieth of its error.
        first = [graph.constant([i], np.int64) for i in (0, 1, -1)]
        best_id = graph.op("Slice", [ids, *first], f"{name}.best_id")
        best_logit = graph.op("Slice", [best, *first], f"{name}.best")
        logs = graph.op("LogSoftmax", [logits], f"{name}.log_probabilities", axis=-1)
        log = graph.op("GatherElements", [logs, best_id], f"{name}.best_log", axis=-1)
        return graph.op("Sub", [best_logit, log], f"{name}.normalizer")
