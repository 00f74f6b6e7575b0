"""The heads graph: all of a model's token heads, and a whole chain of them, in one run.

The base is frozen, so the stems that the trunk hands out are all that the heads need of it. They
are fed with *kept* rows only; a row is the stem at a place t together with the token x_{t+1} that
follows it, and A = tokens - 1 applications of the heads guess what comes next behind the last row.

Inputs (R = rows of this run, at successive places; the last is the one to predict from):

    stem          float  [1, R, hidden]
    next_ids      int32  [R]      the token behind each row; the last row's is what head 1 chose
    position_ids  int32  [R]      the rows' places, ascending
    noise         float  [A, TOP_K]   added to the best logits before a token is chosen: zeros for
                                  the greedy chain, temperature * Gumbel noise to sample it
    has_past, past.k.i, past.v.i, tail.k.i, tail.v.i   as in trunk.py, for each layer of the cache

Outputs:

    top.ids       int32  [1, A, TOP_K]   best tokens of each application, of the shortlist
    top.logits    float  [1, A, TOP_K]   their logits, without noise
    normalizer    float  [1, A, 1]       log sum exp of the shortlist's logits
    chosen        int32  [A]      the token that each application proposes
    states        float  [1, A, hidden]  before the final norm; for measuring
    kv            float  [2 * layers * R, kv_heads, head_size]  new rows, as in trunk.py

The kinds (model/heads.py) differ in what a row of the cache rests on:

* shared: the layers once for all applications. The cache holds what the first one makes of every
  row, which needs nothing but stem and next token. Application d >= 2 stands at place t + d - 1,
  takes the state before it and the token chosen last, and sees the cache and the chain's own rows;
  those never leave the run.
* independent: a cache for each head, made of stems alone; next_ids is not there.
* chained: a cache for each head. Head i's row at place t rests on x_{t+i}, so the last
  `provisional` = A - 1 rows rest on guesses: the caller does not keep them, and feeds their places
  again in the next run.

As in the trunk, a run must not cross a block border where its numbers are to be the same whatever
the runs are. But shared and independent heads of one layer make keys and values of each row by
itself, so their cache may be filled with any number of rows at once.

The embedding table and the final norm are the trunk's and stay in its weight file. The output
embedding holds the rows of the shortlist alone, taken from the same file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto

from ..bases import Base
from .layers import TOP_K, Layer, LayerBuilder, Rotary, Window
from .plan import Source, WeightPlan

# GGUF's names of a layer's tensors (layers.py asks by them) and the trained heads' own.
LAYER_TENSORS = {
    "attn_norm.weight": "attention_norm.weight",
    "attn_q.weight": "attention.q.weight",
    "attn_k.weight": "attention.k.weight",
    "attn_v.weight": "attention.v.weight",
    "attn_q.bias": "attention.q.bias",
    "attn_k.bias": "attention.k.bias",
    "attn_v.bias": "attention.v.bias",
    "attn_output.weight": "attention.output.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "ffn_gate.weight": "ffn.gate.weight",
    "ffn_up.weight": "ffn.up.weight",
    "ffn_down.weight": "ffn.down.weight",
}


@dataclass(frozen=True)
class HeadsSpec:
    """What decides on a heads graph beside the base."""

    kind: str
    tokens: int
    """n of Tn: n - 1 applications."""
    layers: int
    """Decoder layers a head."""
    shortlist: int
    """Tokens that the heads may propose."""

    def __post_init__(self) -> None:
        if self.kind not in ("shared", "independent", "chained"):
            raise ValueError(f"unknown kind of heads {self.kind!r}")
        if not (2 <= self.tokens <= 8 and 1 <= self.layers <= 4):
            raise ValueError(f"{self.tokens} tokens and {self.layers} layers: not what heads have")
        if self.shortlist < TOP_K:
            raise ValueError(f"a shortlist has at least {TOP_K} tokens, not {self.shortlist}")

    @property
    def applications(self) -> int:
        return self.tokens - 1

    @property
    def modules(self) -> int:
        """Heads with weights of their own."""
        return 1 if self.kind == "shared" else self.applications

    @property
    def cache_layers(self) -> int:
        return self.modules * self.layers

    @property
    def provisional(self) -> int:
        """Rows at a run's end whose keys and values rest on guesses."""
        return self.applications - 1 if self.kind == "chained" else 0

    def to_json(self) -> dict[str, object]:
        return asdict(self) | {"cacheLayers": self.cache_layers, "provisional": self.provisional}


class HeadsBuilder(LayerBuilder):
    """Builds the graph and the weight plan of one base's heads in one precision."""

    def __init__(
        self,
        base: Base,
        precision: str,
        spec: HeadsSpec,
        trunk: WeightPlan,
        file: dict[str, object] | None = None,
    ) -> None:
        plan = WeightPlan(base.id, precision, heads=(file or {}) | spec.to_json())
        super().__init__(base, precision, f"{base.id}-heads-{precision}", plan)
        self.spec = spec
        self.trunk = trunk
        self.new_rows: list[str] = []
        self.predictions: list[tuple[str, str, str, str, str]] = []
        """ids, logits, normaliser, chosen and state of each application so far."""
        self._grouped_mask: str | None = None
        self._known_sizes: set[str] = set()
        self._known_masks: set[str] = set()

    def build(self) -> tuple[onnx.ModelProto, WeightPlan]:
        base, graph, spec = self.base, self.graph, self.spec
        stem = graph.input("stem", TensorProto.FLOAT, [1, "R", base.hidden])
        if spec.kind != "independent":
            graph.input("next_ids", TensorProto.INT32, ["R"])
        positions = graph.input("position_ids", TensorProto.INT32, ["R"])
        noise = graph.input("noise", TensorProto.FLOAT, [spec.applications, TOP_K])
        graph.input("has_past", TensorProto.BOOL, [1])
        self.cache_inputs(spec.cache_layers)
        self.noise = [noise]
        if spec.applications > 1:
            self.noise = graph.op(
                "Split",
                [noise],
                "noise.row",
                outputs=spec.applications,
                axis=0,
                **({} if self.half else {"num_outputs": spec.applications}),
            )
        self.positions = positions
        self._row_sizes = self.sizes("position_ids")
        self._past = graph.op("Shape", ["past.k.0"], "past", start=0, end=1)
        self.shortlist = self.plan.int32(
            "shortlist", [spec.shortlist], [Source("shortlist", origin="heads")]
        )

        if spec.kind == "shared":
            self._shared(stem)
        elif spec.kind == "independent":
            self._independent(stem)
        else:
            self._chained(stem)
        self._outputs()
        return graph.build(self.plan.initializers), self.plan

    # The kinds.

    def _shared(self, stem: str) -> None:
        spec = self.spec
        windows = [self._window(index) for index in range(spec.layers)]
        state, ids, rotary = stem, "next_ids", self._rotary(self.angles(self.positions), "")
        for depth in range(1, spec.tokens):
            name = f"a{depth}."
            if depth > 1:
                rotary = self._chain_rotary(depth, name)
                windows = [
                    self._window(index, depth - 1, seen) for index, seen in enumerate(behind)
                ]
            fused = self._fuse(0, name, state, ids)
            residual, delta, behind = self._layers(
                0, name, fused, rotary, windows, every_row=False, keep=depth == 1
            )
            state, ids = self._predict(name, residual, delta)

    def _independent(self, stem: str) -> None:
        rotary = self._rotary(self.angles(self.positions), "")
        for index in range(self.spec.modules):
            name = f"a{index + 1}."
            windows = self._head_windows(index)
            residual, delta, _ = self._layers(
                index, name, (stem, None), rotary, windows, every_row=False, keep=True
            )
            self._predict(name, residual, delta)

    def _chained(self, stem: str) -> None:
        """Head i takes the state of the head before it at every row, so all but the last head's
        rows go through all layers."""
        graph, spec = self.graph, self.spec
        rotary = self._rotary(self.angles(self.positions), "")
        state, ids = stem, "next_ids"
        for index in range(spec.modules):
            name = f"a{index + 1}."
            final = index == spec.modules - 1
            fused = self._fuse(index, name, state, ids)
            windows = self._head_windows(index)
            residual, delta, _ = self._layers(
                index, name, fused, rotary, windows, every_row=not final, keep=True
            )
            if final:
                self._predict(name, residual, delta)
                return
            state = graph.op("Add", [residual, delta], f"{name}all_states")
            end = graph.op("Gather", [state, graph.constant([-1], np.int64)], f"{name}end", axis=1)
            _, chosen = self._predict(name, end, None)
            # Every row's token one place further on; the last one's is the guess.
            longer = graph.op("Concat", [ids, chosen], f"{name}longer", axis=0)
            bounds = [graph.constant([value], np.int64) for value in (1, 2**31, 0)]
            ids = graph.op("Slice", [longer, *bounds], f"{name}next_ids")

    # Parts of an application.

    def _layers(
        self,
        head: int,
        name: str,
        fused: tuple[str, str | None],
        rotary: Rotary,
        windows: list[Window],
        every_row: bool,
        keep: bool,
    ) -> tuple[str, str, list[tuple[str, str]]]:
        """A head's layers. Unless every row is wanted, only the last one goes on behind the last
        layer's keys and values. `keep`: these are the run's R rows, not one of a chain. Returns
        the stream, what is to be added to it, and each layer's keys and values behind the blocks.
        """
        graph, spec = self.graph, self.spec
        residual, delta = fused
        behind: list[tuple[str, str]] = []
        for index, window in enumerate(windows):
            layer = self._layer(head, index, name)
            residual, normed = self.layer_norm(layer, "attn_norm", residual, delta)
            query, key, value = self.project(layer, normed, rotary)
            if keep:
                self.new_rows += [key, value]
            alone = index == spec.layers - 1 and not every_row
            if keep and alone:
                last = graph.constant([-1], np.int64)
                residual = graph.op("Gather", [residual, last], f"{layer.nodes}.residual", axis=1)
                query = graph.op("Gather", [query, last], f"{layer.nodes}.query", axis=0)
            elif keep:
                window = replace(window, mask=self._mask())
            with self._one_row() if alone else nullcontext():
                delta, seen = self.attend(layer, query, key, value, window)
                behind.append(seen)
                residual, normed = self.layer_norm(layer, "ffn_norm", residual, delta)
                delta = self.feed_forward(layer, normed)
        assert delta is not None
        return residual, delta, behind

    def _layer(self, head: int, index: int, nodes: str) -> Layer:
        def source(tensor: str) -> Source:
            name = f"heads.{head}.layers.{index}.{LAYER_TENSORS[tensor]}"
            return Source(name, origin="heads")

        return Layer(f"h{head}.l{index}", f"{nodes}l{index}", source)

    def _fuse(self, head: int, name: str, state: str, ids: str) -> tuple[str, str]:
        """state and M [norm(state); norm(embedding of the tokens)], which are to be added."""
        base, graph = self.base, self.graph
        batched = graph.op("Unsqueeze", [ids, graph.constant([0], np.int64)], f"{name}ids.batched")
        embedded = self.embed(self._embedding(), batched, f"{name}embedded")
        normed = []
        for part, rows in (("state", state), ("token", embedded)):
            weight = self.plan.float32(
                f"h{head}.{part}_norm",
                [base.hidden],
                [Source(f"heads.{head}.fusion.{part}_norm.weight", origin="heads")],
            )
            normed.append(self.norm(f"{name}{part}_norm", weight, rows, None)[1])
        both = graph.op("Concat", normed, f"{name}fusion.rows", axis=-1)
        mixed = self.linear(
            f"{name}fusion",
            self.prepare(f"{name}fusion", both),
            (2 * base.hidden, base.hidden),
            [Source(f"heads.{head}.fusion.mix.weight", origin="heads")],
            f"h{head}.fusion",
        )
        return state, self.widen(mixed)

    @contextmanager
    def _one_row(self) -> Iterator[None]:
        """Products of a single row each: int8 graphs read their weights in 4 bits, where the base says so.

        Then reading takes all the time, and a guess that is a little worse costs a token now and then
        but never a text (experiments/head_bits.py). Products of more rows stay int8: there 4 bits would
        be slower, and a row's numbers would depend on how many there are.
        """
        self.block = self.base.head_block if self.quantised else 0
        yield
        self.block = 0

    def _predict(self, name: str, residual: str, delta: str | None) -> tuple[str, str]:
        """Predicts from one row; returns its state [1, 1, hidden] and the chosen token [1]."""
        base, graph = self.base, self.graph
        weight = self.plan.borrow(self.trunk, "output_norm.weight")
        state, normed = self.norm(f"{name}output_norm", weight, residual, delta)
        with self._one_row():
            logits = self.linear(
                f"{name}output_embedding",
                self.prepare(f"{name}output_embedding", normed),
                (base.hidden, self.spec.shortlist),
                [Source("embedding", origin="trunk", rows="shortlist")],
                "output_embedding",
            )
        best, places, normalizer = self.top(self.widen(logits), f"{name}logits")
        ids = graph.op("Gather", [self.shortlist, places], f"{name}ids")
        noisy = graph.op("Add", [best, self.noise[len(self.predictions)]], f"{name}noisy")
        choice = graph.op("ArgMax", [noisy], f"{name}choice", axis=-1, keepdims=1)
        chosen = graph.op("GatherElements", [ids, choice], f"{name}chosen", axis=-1)
        flat = graph.op("Reshape", [chosen, graph.constant([1], np.int64)], f"{name}chosen.id")
        self.predictions.append((ids, best, normalizer, flat, state))
        return state, flat

    def _outputs(self) -> None:
        base, graph, count = self.base, self.graph, self.spec.applications
        declared: list[tuple[str, int, list[int | str], int]] = [
            ("top.ids", TensorProto.INT32, [1, count, TOP_K], 1),
            ("top.logits", TensorProto.FLOAT, [1, count, TOP_K], 1),
            ("normalizer", TensorProto.FLOAT, [1, count, 1], 1),
            ("chosen", TensorProto.INT32, [count], 0),
            ("states", TensorProto.FLOAT, [1, count, base.hidden], 1),
        ]
        columns = zip(*self.predictions, strict=True)
        for (name, data_type, shape, axis), values in zip(declared, columns, strict=True):
            joined = graph.op("Concat", list(values), f"{name}.joined", axis=axis)
            graph.output(name, joined, data_type, shape)
        self.cache_output(self.spec.cache_layers, self.new_rows)

    # Values that several applications read.

    def _embedding(self) -> tuple[str, str] | str:
        table = self.plan.borrow(self.trunk, "embedding")
        if not self.quantised:
            return table
        return table, self.plan.borrow(self.trunk, "embedding.scale")

    def _mask(self) -> str:
        """The causal mask of the run's rows."""
        if self._grouped_mask is None:
            mask = self.causal_mask(self._row_sizes)
            if self.half:
                past = self.past_mask(self._past, self._row_sizes.rows, "mask.past")
                mask = self.graph.op("Concat", [past, mask], "mask.all", axis=1)
            self._grouped_mask = self.grouped_mask(mask, "mask.grouped")
        return self._grouped_mask

    def _rotary(self, angles: str, name: str, rows: str | None = None) -> Rotary:
        cos = self.graph.op("Cos", [angles], f"{name}cos")
        sin = self.graph.op("Sin", [angles], f"{name}sin")
        return Rotary(rows or self._row_sizes.table_rows, cos, sin)

    def _chain_rotary(self, depth: int, name: str) -> Rotary:
        """Of the chain's one row, d - 1 places behind the run's last."""
        graph = self.graph
        last = graph.constant([-1], np.int64)
        end = graph.op("Gather", [self.positions, last], f"{name}end")
        offset = graph.constant([depth - 1], np.int32)
        place = graph.op("Add", [end, offset], f"{name}place")
        return self._rotary(self.angles(place, name), name, graph.constant([[0]], np.int64))

    def _head_windows(self, head: int) -> list[Window]:
        layers = self.spec.layers
        return [self._window(head * layers + index) for index in range(layers)]

    def _window(
        self, cache: int, chain_rows: int = 0, earlier: tuple[str, str] | None = None
    ) -> Window:
        """What the last row sees of a layer of the cache, and of so many rows of its chain."""
        return Window(
            past=(f"past.k.{cache}", f"past.v.{cache}"),
            earlier=earlier or (f"tail.k.{cache}", f"tail.v.{cache}"),
            mask=self._row_mask(chain_rows) if self.half else None,
            sizes=self._attention_sizes(chain_rows),
            has_past="has_past",
        )

    def _row_mask(self, chain_rows: int) -> str:
        """float [1, .] for one row that sees everything but the placeholder."""
        graph, name = self.graph, f"mask.row.{chain_rows}"
        if name not in self._known_masks:
            one = graph.constant([1], np.int64)
            past = self.past_mask(self._past, one, f"{name}.past")
            shape = graph.op("Concat", [one, self._behind(chain_rows)], f"{name}.shape", axis=0)
            zeros = graph.op("ConstantOfShape", [shape], f"{name}.behind")
            graph.op("Concat", [past, zeros], name, axis=1)
            self._known_masks.add(name)
        return name

    def _attention_sizes(self, chain_rows: int) -> str:
        """int64 [2]: positions of the past, and all others."""
        name = f"attention.sizes.{chain_rows}"
        if name not in self._known_sizes:
            behind = self._behind(chain_rows)
            self._known_sizes.add(self.graph.op("Concat", [self._past, behind], name, axis=0))
        return name

    def _behind(self, chain_rows: int) -> str:
        """int64 [1]: positions that are not past."""
        name = f"attention.sizes.{chain_rows}.behind"
        if name not in self._known_sizes:
            more = self.graph.constant([chain_rows], np.int64)
            behind = [self._row_sizes.tail_and_new, more]
            self._known_sizes.add(self.graph.op("Add", behind, name))
        return name


def build_heads(
    base: Base,
    precision: str,
    spec: HeadsSpec,
    trunk: WeightPlan,
    file: dict[str, object] | None = None,
) -> tuple[onnx.ModelProto, WeightPlan]:
    """The heads graph and its weight plan, beside a trunk whose plan is given.

    `file` says in the plan which trained heads it is made of: their file's name and SHA-256.
    """
    return HeadsBuilder(base, precision, spec, trunk, file).build()
