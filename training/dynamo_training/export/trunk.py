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
    logits        float  [1, M, vocabulary]  for measuring; costs nothing unless it is asked for. Of
                         two passes exact where it is large, else of a 4-bit product
    stem          float  [1, R, hidden]  what enters the last layer: the input of the token heads
    kv            float  [2 * layers * R, kv_heads, head_size]  new rows: layer 0's R keys, its R
                         values, layer 1's keys, ...

How the attention reads `past` and `tail`, and why, is in layers.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from ..bases import Base
from .layers import INT8_ZERO_POINT, TOP_K, Even, Layer, LayerBuilder, Rotary, Window
from .plan import Source, WeightPlan

CANDIDATES = 256
"""Tokens a row whose logits are computed exactly."""


@dataclass(frozen=True)
class Shared:
    """Values that every layer reads, computed once a run."""

    rotary: Rotary
    mask: str
    """float [heads / kv_heads * R, T + R]: 0 where a row may look, -inf where not."""
    selected_mask: str
    """The same for the M selected rows."""
    has_past: str
    sizes: str
    """int64 [2]: P, T + R."""
    logit_rows: str
    even: Even | None
    """Of the R rows."""
    selected_even: Even | None
    """Of the M selected rows."""


class TrunkBuilder(LayerBuilder):
    """Builds the graph and the weight plan of one base in one precision, side by side."""

    def __init__(self, base: Base, precision: str) -> None:
        plan = WeightPlan(base.id, precision)
        super().__init__(base, precision, f"{base.id}-trunk-{precision}", plan, base.block)
        self.table = ("", "")
        """The embedding table's integers and scales, in int8."""

    def build(self) -> tuple[onnx.ModelProto, WeightPlan]:
        base, graph = self.base, self.graph
        ids = graph.input("input_ids", TensorProto.INT32, ["R"])
        shared = self._shared()
        residual = self.pad(self._embed(ids), shared.even, "embedded.even")
        delta: str | None = None  # what the layer before adds to the residual stream
        new_rows: list[str] = []
        stem = residual
        for index in range(base.layers):
            layer = self._layer(index)
            last = index == base.layers - 1
            residual, normed = self.layer_norm(layer, "attn_norm", residual, delta)
            if last:
                stem = self.cut(residual, shared.even, "stem.rows")
            query, key, value = self.project(layer, normed, shared.rotary, shared.even)
            new_rows += [key, value]
            if last:
                residual = graph.op(
                    "Gather", [residual, shared.logit_rows], f"l{index}.residual", axis=1
                )
                residual = self.pad(residual, shared.selected_even, f"l{index}.residual.even")
                query = graph.op("Gather", [query, shared.logit_rows], f"l{index}.query", axis=0)
            window = Window(
                past=(f"past.k.{index}", f"past.v.{index}"),
                earlier=(f"tail.k.{index}", f"tail.v.{index}"),
                mask=shared.selected_mask if last else shared.mask,
                sizes=shared.sizes,
                has_past=shared.has_past,
                even=shared.selected_even if last else shared.even,
            )
            delta, _ = self.attend(layer, query, key, value, window)
            residual, normed = self.layer_norm(layer, "ffn_norm", residual, delta)
            delta = self.feed_forward(layer, normed)
        weight = self.plan.float32(
            "output_norm.weight", [base.hidden], [Source("output_norm.weight")]
        )
        _, normed = self.norm("output_norm", weight, residual, delta)
        self._predict(self.cut(normed, shared.selected_even, "output_norm.rows"))

        self.cache_output(base.layers, new_rows)
        graph.output("stem", stem, TensorProto.FLOAT, [1, "R", base.hidden])
        return graph.build(self.plan.initializers), self.plan

    def _layer(self, index: int) -> Layer:
        base = self.base
        permuted = {"attn_q.weight": base.heads, "attn_k.weight": base.kv_heads}

        def source(tensor: str) -> Source:
            heads = permuted.get(tensor) if base.permuted_rope else None
            return Source(f"blk.{index}.{tensor}", heads)

        return Layer(f"l{index}", f"l{index}", source)

    def _shared(self) -> Shared:
        """Rotary angles, causal mask and sizes."""
        base, graph = self.base, self.graph
        positions = graph.input("position_ids", TensorProto.INT32, ["R"])
        logit_rows = graph.input("logit_rows", TensorProto.INT32, ["M"])
        has_past = graph.input("has_past", TensorProto.BOOL, [1])
        self.cache_inputs(base.layers)
        # Rotary tables for these rows only: [R, head_size / 2], row r for position_ids[r].
        angles = self.angles(positions)
        sizes = self.sizes("input_ids")
        mask = self.causal_mask(sizes)
        if self.half:
            past = graph.op("Shape", ["past.k.0"], "past", start=0, end=1)
            hidden = self.past_mask(past, sizes.rows, "mask.past")
            mask = graph.op("Concat", [hidden, mask], "mask.all", axis=1)
        selected = graph.op("Gather", [mask, logit_rows], "mask.selected")
        if not self.half:
            past = graph.op("Shape", ["past.k.0"], "past", start=0, end=1)
        return Shared(
            rotary=Rotary(
                rows=sizes.table_rows,
                cos=graph.op("Cos", [angles], "cos"),
                sin=graph.op("Sin", [angles], "sin"),
            ),
            mask=self.grouped_mask(mask, "mask.grouped"),
            selected_mask=self.grouped_mask(selected, "mask.selected.grouped"),
            has_past=has_past,
            sizes=graph.op("Concat", [past, sizes.tail_and_new], "attention.sizes", axis=0),
            logit_rows=logit_rows,
            even=self.even("input_ids", "rows"),
            selected_even=self.even("logit_rows", "selected"),
        )

    def _embed(self, ids: str) -> str:
        """Token embeddings, [1, R, hidden]."""
        base, graph = self.base, self.graph
        ids = graph.op("Unsqueeze", [ids, graph.constant([0], np.int64)], "input_ids.batched")
        shape = [base.vocabulary, base.hidden]
        sources = [Source(base.output_tensor)]
        if self.half:
            self.table = (self.plan.float16("embedding", shape, sources), "")
            return self.embed(self.table[0], ids, "embedded")
        if not self.quantised:
            return self.embed(self.plan.float32("embedding", shape, sources), ids, "embedded")
        self.table = self.plan.int8("embedding", shape, sources, transpose=False)
        return self.embed(self.table, ids, "embedded")

    def _predict(self, normed: str) -> None:
        """Logits of the selected rows, of which only the best and the normaliser leave the graph."""
        base, graph = self.base, self.graph
        # Activations with outliers do not bear the first pass's own rounding: the perplexity of
        # SmolLM2 on held-out code would be 1.7 % above fp32 instead of 0.2 %.
        if self.half or (self.quantised and base.activation_bits == 8):
            logits, best, ids = self._two_passes(normed)
            normalizer = self.normalizer(logits, best, ids, "logits")
        else:
            logits = self._logits(normed)
            best, ids, normalizer = self.top(logits, "logits")
        narrow = graph.op("Cast", [ids], "logits.top.ids", to=TensorProto.INT32)
        graph.output("top.ids", narrow, TensorProto.INT32, [1, "M", TOP_K])
        graph.output("top.logits", best, TensorProto.FLOAT, [1, "M", TOP_K])
        shape: list[int | str] = [1, "M", base.vocabulary]
        graph.output("logits", logits, TensorProto.FLOAT, shape)
        graph.output("normalizer", normalizer, TensorProto.FLOAT, [1, "M", 1])

    def _logits(self, normed: str) -> str:
        """All of the selected rows, in one pass."""
        base, name = self.base, "output_embedding"
        shape, sources = (base.hidden, base.vocabulary), [Source(base.output_tensor)]
        if not self.quantised:
            return self.linear(name, normed, shape, sources)
        return self.linear_by_channel(name, self._quantise(name, normed), shape, sources, name)

    def _two_passes(self, normed: str) -> tuple[str, str, str]:
        """All logits, the TOP_K best of them, and their int64 ids.

        A first pass computes all logits roughly: in int8 graphs from a 4-bit copy of the output
        embedding, whose reading takes a quarter of a small model's step, in fp16 graphs because a
        float16 product is rounded to 1/64 where logits are about 20, and the best two are often
        closer. The CANDIDATES that it likes best are computed again from the rows of the embedding
        table, which is there in any case: in int8 from the same integers as one product would have,
        in fp16 in float32. So what is chosen is what one such product would have chosen, unless the
        first pass puts it behind all candidates; training/experiments/first_pass.py counts how far
        behind the first pass puts what matters. The other logits, which only the normaliser sees,
        stay as they are.
        """
        base, graph = self.base, self.graph
        start = graph.constant([0], np.int64)
        rough = self._rough_half(normed) if self.half else self._rough_int4(normed)
        wanted = graph.constant([min(CANDIDATES, base.vocabulary)], np.int64)
        _, candidates = graph.op("TopK", [rough, wanted], "first_pass", outputs=2, axis=-1, sorted=1)

        # Candidates' rows times the row, in floats that hold sums of its integers: [M, C, 1].
        table, table_scales = self.table
        flat = graph.op("Squeeze", [candidates, start], "candidates")
        rows = graph.op("Gather", [table, flat], "candidates.int8" if self.quantised else "candidates.half")
        floats = graph.op("Cast", [rows], "candidates.float", to=TensorProto.FLOAT)
        factor, row_scale = (normed, "") if self.half else self._centred(normed)
        columns = graph.op("Transpose", [factor], "output_embedding.columns", perm=[1, 2, 0])
        sums = graph.op("MatMul", [floats, columns], "candidates.sums")
        exact = graph.op("Transpose", [sums], "candidates.by_part", perm=[2, 0, 1])
        if not self.half:
            scale = graph.op("Gather", [table_scales, candidates], "candidates.scale")
            product = graph.op("Mul", [exact, scale], "candidates.product")
            exact = graph.op("Mul", [product, row_scale], "candidates.rescaled")
        best_count = graph.constant([TOP_K], np.int64)
        best, places = graph.op("TopK", [exact, best_count], "best", outputs=2, axis=-1, sorted=1)
        ids = graph.op("GatherElements", [candidates, places], "best.ids", axis=-1)
        logits = graph.op("ScatterElements", [rough, candidates, exact], "logits.all", axis=-1)
        return logits, best, ids

    def _rough_int4(self, normed: str) -> str:
        """All logits from 4 bits a weight, [1, M, vocabulary]."""
        base, graph, name = self.base, self.graph, "first_pass"
        hidden, source = base.hidden, Source(base.output_tensor)
        block = next(size for size in (128, 64, 32, 16) if hidden % size == 0)
        shape = [base.vocabulary, hidden]
        weights, scales = self.plan.int4(f"{name}.weight", shape, block, [source])
        even = self.paired(graph.op("Shape", [normed], f"{name}.rows", start=1, end=2), name)
        pairs = self.pad(normed, even, f"{name}.pairs")
        padded = self.times_int4(
            pairs, (weights, scales), (hidden, base.vocabulary), block, f"{name}.padded"
        )
        return self.cut(padded, even, f"{name}.logits")

    def _rough_half(self, normed: str) -> str:
        """All logits from a float16 product, [1, M, vocabulary]. The embedding table is read as it
        lies, [N, K], so that it is there once."""
        graph, name, first = self.graph, "first_pass", self.graph.constant([0], np.int64)
        rows = graph.op("Squeeze", [self.narrow(normed), first], f"{name}.rows")
        product = graph.op("Gemm", [rows, self.table[0]], f"{name}.product", transB=1)
        return graph.op("Unsqueeze", [self.widen(product), first], f"{name}.logits")

    def _centred(self, normed: str) -> tuple[str, str]:
        """Quantised rows as floats around 0, and their scales."""
        graph = self.graph
        quantised, row_scale = self._quantise("output_embedding", normed)
        shifted = graph.op("Cast", [quantised], "output_embedding.floats", to=TensorProto.FLOAT)
        zero = graph.constant(INT8_ZERO_POINT, np.float32)
        return graph.op("Sub", [shifted, zero], "output_embedding.integers"), row_scale


def build_trunk(base: Base, precision: str) -> tuple[onnx.ModelProto, WeightPlan]:
    """The trunk graph (initializers refer to the weight file) and its weight plan."""
    return TrunkBuilder(base, precision).build()
