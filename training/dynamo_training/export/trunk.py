"""The trunk graph: stem and head 1, which together are the base model.

Inputs (R = token rows of this run, M = rows whose prediction is wanted):

    input_ids     int32  [R]
    position_ids  int32  [R]      absolute positions, ascending
    logit_rows    int32  [M]      indices into the R rows, ascending
    has_past      bool   [1]      false while `past` is only the placeholder
    past.k.i, past.v.i   float [P, kv_heads, head_size]   a layer's keys and values, whole blocks
    tail.k.i, tail.v.i   float [T, kv_heads, head_size]   those behind the last whole block, T >= 0

Outputs:

    top.ids       int32  [1, M, TOP_K]   most likely next tokens, largest logit first
    top.logits    float  [1, M, TOP_K]
    normalizer    float  [1, M, 1]       log sum exp of all logits
    logits        float  [1, M, vocabulary]  for measuring; costs nothing unless it is asked for
    stem          float  [1, R, hidden]  what enters the last layer: the input of the token heads
    kv            float  [2 * layers * R, kv_heads, head_size]  new rows: layer 0's R keys, its R
                         values, layer 1's keys, ...

Two properties shape the attention:

* Nothing is copied that does not change. Whole blocks of BLOCK positions are read where the caller
  keeps them; only the tail, shorter than a block, is joined with the new rows; only new rows leave.
* A row's numbers do not depend on which other rows share its run. Where `past` ends is a function
  of the position alone (the caller never lets a run cross a block border), each position's keys are
  summed in the same order whatever R is, and the rows of all query heads of a group are stacked,
  so that no product ever has the single row for which the kernels take another path.

An empty `past` is not allowed (the kernels divide by its size). Until the first block is full the
caller passes one placeholder position, keys -1e30 and values 0, and `has_past` = false: queries are
then replaced by ones, every score of the placeholder becomes hugely negative and its weight 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from ..bases import Base
from .graph import CONTRIB, Graph
from .plan import Source, WeightPlan

TOP_K = 50
INT8_ZERO_POINT = 128


@dataclass(frozen=True)
class Shared:
    """Values that every layer reads, computed once a run."""

    positions: str
    cos: str
    sin: str
    mask: str
    """float [heads / kv_heads * R, T + R]: 0 where a row may look, -inf where not."""
    selected_mask: str
    """The same for the M selected rows."""
    has_past: str
    sizes: str
    """int64 [2]: P, T + R."""
    logit_rows: str


class TrunkBuilder:
    """Builds the graph and the weight plan of one base in one precision, side by side."""

    def __init__(self, base: Base, precision: str) -> None:
        if precision not in ("int8", "fp32"):
            raise ValueError(f"unknown precision {precision!r}: use int8 or fp32")
        self.base = base
        self.quantised = precision == "int8"
        self.graph = Graph(f"{base.id}-trunk-{precision}")
        self.plan = WeightPlan(base.id, precision)

    def build(self) -> tuple[onnx.ModelProto, WeightPlan]:
        base, graph = self.base, self.graph
        ids = graph.input("input_ids", TensorProto.INT32, ["R"])
        shared = self._shared()
        residual = self._embed(ids)
        delta: str | None = None  # what the layer before adds to the residual stream
        new_rows: list[str] = []
        stem = residual
        for layer in range(base.layers):
            last = layer == base.layers - 1
            residual, normed = self._norm(f"l{layer}.attn_norm", residual, delta)
            if last:
                stem = residual
            query, key, value = self._project(layer, normed, shared)
            new_rows += [key, value]
            if last:
                residual = graph.op(
                    "Gather", [residual, shared.logit_rows], f"l{layer}.residual", axis=1
                )
                query = graph.op("Gather", [query, shared.logit_rows], f"l{layer}.query", axis=0)
            delta = self._attend(layer, query, key, value, shared, selected=last)
            residual, normed = self._norm(f"l{layer}.ffn_norm", residual, delta)
            delta = self._feed_forward(layer, normed)
        _, normed = self._norm("output_norm", residual, delta)
        self._predict(normed)

        joined = graph.op("Concat", new_rows, "kv.joined", axis=0)
        shape: list[int | str] = ["2 * layers * R", base.kv_heads, base.head_size]
        graph.output("kv", joined, TensorProto.FLOAT, shape)
        graph.output("stem", stem, TensorProto.FLOAT, [1, "R", base.hidden])
        return graph.build(self.plan.initializers), self.plan

    def _shared(self) -> Shared:
        """Rotary angles, causal mask and sizes."""
        base, graph = self.base, self.graph
        positions = graph.input("position_ids", TensorProto.INT32, ["R"])
        logit_rows = graph.input("logit_rows", TensorProto.INT32, ["M"])
        has_past = graph.input("has_past", TensorProto.BOOL, [1])
        cache_shape = [base.kv_heads, base.head_size]
        for layer in range(base.layers):
            for part in ("k", "v"):
                graph.input(f"past.{part}.{layer}", TensorProto.FLOAT, ["P", *cache_shape])
                graph.input(f"tail.{part}.{layer}", TensorProto.FLOAT, ["T", *cache_shape])

        # Rotary tables for these rows only: [R, head_size / 2], row r for position_ids[r].
        exponents = np.arange(0, base.head_size, 2, dtype=np.float64) / base.head_size
        frequencies = (1.0 / base.rope_base**exponents).reshape(1, -1)
        table = graph.constant(frequencies, np.float32)
        column = graph.op("Reshape", [positions, graph.constant([-1, 1], np.int64)], "positions")
        floats = graph.op("Cast", [column], "positions.float", to=TensorProto.FLOAT)
        angles = graph.op("Mul", [floats, table], "angles")

        rows = graph.op("Shape", ["input_ids"], "rows")
        tail = graph.op("Shape", ["tail.k.0"], "tail", start=0, end=1)
        tail_and_new = graph.op("Add", [rows, tail], "tail_and_new")
        zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
        scalar_rows = graph.op(
            "Squeeze", [rows, graph.constant([0], np.int64)], "rows.scalar"
        )
        arange = graph.op("Range", [zero, scalar_rows, one], "row_indices")
        table_rows = graph.op("Unsqueeze", [arange, graph.constant([0], np.int64)], "table_rows")

        mask_shape = graph.op("Concat", [rows, tail_and_new], "mask.shape", axis=0)
        infinite = graph.op(
            "ConstantOfShape",
            [mask_shape],
            "mask.full",
            value=onnx.numpy_helper.from_array(np.array([-np.inf], np.float32)),
        )
        diagonal = graph.op("Add", [tail, graph.constant([1], np.int64)], "mask.diagonal")
        mask = graph.op("Trilu", [infinite, diagonal], "mask", upper=1)
        selected = graph.op("Gather", [mask, logit_rows], "mask.selected")
        repeats = graph.constant([base.heads // base.kv_heads, 1], np.int64)
        past = graph.op("Shape", ["past.k.0"], "past", start=0, end=1)
        return Shared(
            positions=table_rows,
            cos=graph.op("Cos", [angles], "cos"),
            sin=graph.op("Sin", [angles], "sin"),
            mask=graph.op("Tile", [mask, repeats], "mask.grouped"),
            selected_mask=graph.op("Tile", [selected, repeats], "mask.selected.grouped"),
            has_past=has_past,
            sizes=graph.op("Concat", [past, tail_and_new], "attention.sizes", axis=0),
            logit_rows=logit_rows,
        )

    def _embed(self, ids: str) -> str:
        """Token embeddings, [1, R, hidden]."""
        base, graph = self.base, self.graph
        ids = graph.op("Unsqueeze", [ids, graph.constant([0], np.int64)], "input_ids.batched")
        shape = [base.vocabulary, base.hidden]
        sources = [Source(base.output_tensor)]
        if not self.quantised:
            table = self.plan.float32("embedding", shape, sources)
            return graph.op("Gather", [table, ids], "embedded")
        table, scales = self.plan.int8("embedding", shape, sources, transpose=False)
        rows = graph.op("Gather", [table, ids], "embedded.int8")
        floats = graph.op("Cast", [rows], "embedded.float", to=TensorProto.FLOAT)
        scale = graph.op("Gather", [scales, ids], "embedded.scale")
        column = graph.op(
            "Unsqueeze", [scale, graph.constant([-1], np.int64)], "embedded.scale.column"
        )
        return graph.op("Mul", [floats, column], "embedded")

    def _norm(self, name: str, residual: str, delta: str | None) -> tuple[str, str]:
        """RMS norm of residual + delta; returns the new residual stream and the normed rows."""
        base, graph = self.base, self.graph
        block, _, kind = name.rpartition(".")
        tensor = f"blk.{block[1:]}.{kind}.weight" if block else f"{kind}.weight"
        weight = self.plan.float32(f"{name}.weight", [base.hidden], [Source(tensor)])
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

    def _linear(
        self,
        name: str,
        rows: tuple[str, str] | str,
        shape: tuple[int, int],
        sources: list[Source],
    ) -> str:
        """rows [1, R, K] times a weight [K, N]; in int8 the rows come as (uint8 rows, row scales)."""
        graph = self.graph
        if isinstance(rows, str):
            weight = self.plan.float32(name, list(shape), sources, transpose=True)
            return graph.op("MatMul", [rows, weight], f"{name}.out")
        quantised, row_scale = rows
        weight, scales = self.plan.int8(name, list(shape), sources, transpose=True)
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

    def _prepare(self, name: str, rows: str) -> tuple[str, str] | str:
        return self._quantise(name, rows) if self.quantised else rows

    def _project(self, layer: int, normed: str, shared: Shared) -> tuple[str, str, str]:
        """Rotated queries [R, heads, d], rotated keys and values [R, kv_heads, d]."""
        base, graph = self.base, self.graph
        q_size, kv_size = base.heads * base.head_size, base.kv_heads * base.head_size
        prefix = f"blk.{layer}.attn_"
        unpermute = (base.heads, base.kv_heads) if base.permuted_rope else (None, None)
        sources = [
            Source(f"{prefix}q.weight", unpermute[0]),
            Source(f"{prefix}k.weight", unpermute[1]),
            Source(f"{prefix}v.weight"),
        ]
        size = q_size + 2 * kv_size
        prepared = self._prepare(f"l{layer}.qkv", normed)
        joined = self._linear(f"l{layer}.qkv", prepared, (base.hidden, size), sources)
        if base.qkv_bias:
            parts = [Source(f"{prefix}{part}.bias") for part in "qkv"]
            bias = self.plan.float32(f"l{layer}.qkv.bias", [size], parts)
            joined = graph.op("Add", [joined, bias], f"l{layer}.qkv.biased")
        split = graph.constant([q_size + kv_size, kv_size], np.int64)
        rotary, value = graph.op("Split", [joined, split], f"l{layer}.qk_v", outputs=2, axis=-1)
        rotated = graph.op(
            "RotaryEmbedding",
            [rotary, shared.positions, shared.cos, shared.sin],
            f"l{layer}.rotated",
            domain=CONTRIB,
            num_heads=base.heads + base.kv_heads,
        )
        heads = graph.op(
            "Reshape",
            [rotated, graph.constant([-1, base.heads + base.kv_heads, base.head_size], np.int64)],
            f"l{layer}.qk.heads",
        )
        sizes = graph.constant([base.heads, base.kv_heads], np.int64)
        query, key = graph.op("Split", [heads, sizes], f"l{layer}.q_k", outputs=2, axis=1)
        value = graph.op(
            "Reshape",
            [value, graph.constant([-1, base.kv_heads, base.head_size], np.int64)],
            f"l{layer}.value",
        )
        return query, key, value

    def _attend(
        self, layer: int, query: str, key: str, value: str, shared: Shared, selected: bool
    ) -> str:
        """Causal attention over past blocks, tail and new rows, then the output projection."""
        base, graph, name = self.base, self.graph, f"l{layer}.attn"
        group = graph.constant([base.kv_heads, -1, base.head_size], np.int64)
        keys = graph.op("Concat", [f"tail.k.{layer}", key], f"{name}.keys", axis=0)
        values = graph.op("Concat", [f"tail.v.{layer}", value], f"{name}.values", axis=0)

        # [R, heads, d] -> [kv_heads, heads/kv_heads * R, d]: a group's query heads share its keys.
        by_head = graph.op("Transpose", [query], f"{name}.by_head", perm=[1, 0, 2])
        grouped = graph.op("Reshape", [by_head, group], f"{name}.queries")
        past_queries = graph.op(
            "Where",
            [shared.has_past, grouped, graph.constant(1, np.float32)],
            f"{name}.past_queries",
        )
        scale = 1 / float(np.sqrt(base.head_size))
        past_scores = self._batched(
            [past_queries, f"past.k.{layer}"], f"{name}.past_scores", transB=1, alpha=scale
        )
        scores = self._batched([grouped, keys], f"{name}.scores", transB=1, alpha=scale)
        mask = shared.selected_mask if selected else shared.mask
        masked = graph.op("Add", [scores, mask], f"{name}.masked")
        joined = graph.op("Concat", [past_scores, masked], f"{name}.all_scores", axis=2)
        weights = graph.op("Softmax", [joined], f"{name}.weights", axis=-1)
        past_weights, new_weights = graph.op(
            "Split", [weights, shared.sizes], f"{name}.split", outputs=2, axis=2
        )
        mixed = graph.op(
            "Add",
            [
                self._batched([past_weights, f"past.v.{layer}"], f"{name}.past_mix"),
                self._batched([new_weights, values], f"{name}.new_mix"),
            ],
            f"{name}.mix",
        )
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
        return self._linear(
            f"l{layer}.attn_output",
            self._prepare(f"l{layer}.attn_output", rows),
            (width, base.hidden),
            [Source(f"blk.{layer}.attn_output.weight")],
        )

    def _batched(self, inputs: list[str], name: str, **attributes: float) -> str:
        """A product whose second operand is stored position-major: [positions, kv_heads, d]."""
        return self.graph.op(
            "FusedMatMul", inputs, name, domain=CONTRIB, transBatchB=1, **attributes
        )

    def _feed_forward(self, layer: int, normed: str) -> str:
        """down(SiLU(gate(x)) * up(x))."""
        base, graph, name = self.base, self.graph, f"l{layer}.ffn"
        prepared = self._prepare(name, normed)
        gate, up = (
            self._linear(
                f"{name}_{part}",
                prepared,
                (base.hidden, base.ffn),
                [Source(f"blk.{layer}.ffn_{part}.weight")],
            )
            for part in ("gate", "up")
        )
        activated = graph.op("QuickGelu", [gate], f"{name}.silu", domain=CONTRIB, alpha=1.0)
        product = graph.op("Mul", [activated, up], f"{name}.product")
        return self._linear(
            f"{name}_down",
            self._prepare(f"{name}_down", product),
            (base.ffn, base.hidden),
            [Source(f"blk.{layer}.ffn_down.weight")],
        )

    def _predict(self, normed: str) -> None:
        """Logits of the selected rows, of which only the best and the normaliser leave the graph."""
        base, graph = self.base, self.graph
        logits = self._linear(
            "output_embedding",
            self._prepare("output_embedding", normed),
            (base.hidden, base.vocabulary),
            [Source(base.output_tensor)],
        )
        count = graph.constant([TOP_K], np.int64)
        best, ids = graph.op("TopK", [logits, count], "logits.top", outputs=2, axis=-1, sorted=1)
        # The best token's logit less its log-probability: a quarter of the time of ReduceLogSumExp,
        # and a fiftieth of its error.
        first = [graph.constant([i], np.int64) for i in (0, 1, -1)]
        best_id = graph.op("Slice", [ids, *first], "logits.best_id")
        best_logit = graph.op("Slice", [best, *first], "logits.best")
        logs = graph.op("LogSoftmax", [logits], "logits.log_probabilities", axis=-1)
        log = graph.op("GatherElements", [logs, best_id], "logits.best_log", axis=-1)
        normalizer = graph.op("Sub", [best_logit, log], "logits.normalizer")
        narrow = graph.op("Cast", [ids], "logits.top.ids", to=TensorProto.INT32)
        graph.output("top.ids", narrow, TensorProto.INT32, [1, "M", TOP_K])
        graph.output("top.logits", best, TensorProto.FLOAT, [1, "M", TOP_K])
        shape: list[int | str] = [1, "M", base.vocabulary]
        graph.output("logits", logits, TensorProto.FLOAT, shape)
        graph.output("normalizer", normalizer, TensorProto.FLOAT, [1, "M", 1])


def build_trunk(base: Base, precision: str) -> tuple[onnx.ModelProto, WeightPlan]:
    """The trunk graph (initializers refer to the weight file) and its weight plan."""
    return TrunkBuilder(base, precision).build()
