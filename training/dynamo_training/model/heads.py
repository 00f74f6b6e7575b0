"""Token heads 2..n: what turns a base model into a DynaMo model.

Head i reads the stem at position t and predicts token t+i. Three kinds:

* independent (the paper's): head i = its own decoder layers over the stem, and nothing else. All
  heads see x_1..x_t alone.
* chained: head i also sees the embedding of x_{t+i-1}, and continues from the state of the head
  before it (multi-token prediction modules of DeepSeek-V3, arXiv 2412.19437; Hydra, arXiv
  2402.05109). Its attention looks at its own inputs of earlier positions.
* shared: chained, with one set of weights for all heads (FastMTP, arXiv 2509.18362). Read as an
  autoregressive model of its own: the input at place t is (stem_t, x_{t+1}); its output state
  stands in for the stem that is not known yet when it is applied again, at place t+1. Every
  application looks at the true inputs of places up to t and, beyond them, at the chain's own (the
  attention of EAGLE-3's training-time test, arXiv 2503.01840). So one cache of keys and values
  serves all depths.

All heads share the base's final norm and output embedding; those stay the base's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn

from ..bases import Base
from .base_model import BaseModel
from .transformer import DecoderLayer, RMSNorm, rotary_tables

KINDS = ("independent", "chained", "shared")
STARTS = ("last", "random")

Seen = list[list[tuple[Tensor, Tensor]]]
"""Keys and values of a head's applications so far, by layer."""


@dataclass(frozen=True)
class HeadsConfig:
    """What the heads of a model look like."""

    kind: str = "shared"
    tokens: int = 3
    """n of Tn: tokens a step at most, so n - 1 heads beyond head 1 are trained."""
    layers: int = 1
    """Decoder layers a head."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of heads {self.kind!r}: one of {', '.join(KINDS)}")
        if not 2 <= self.tokens <= 8:
            raise ValueError(f"tokens must lie between 2 and 8, not {self.tokens}")
        if not 1 <= self.layers <= 4:
            raise ValueError(f"layers must lie between 1 and 4, not {self.layers}")

    def to_json(self) -> dict[str, object]:
        return asdict(self)


class Fusion(nn.Module):
    """state + M [norm(state); norm(embedding)]: how a chained head takes the token before its own.

    M starts at zero, so a head that starts from the base's last layer starts as head 1.
    """

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.state_norm = RMSNorm(base.hidden, base.norm_epsilon)
        self.token_norm = RMSNorm(base.hidden, base.norm_epsilon)
        self.mix = nn.Linear(2 * base.hidden, base.hidden, bias=False)
        nn.init.zeros_(self.mix.weight)

    def forward(self, state: Tensor, token: Tensor) -> Tensor:
        return state + self.mix(torch.cat((self.state_norm(state), self.token_norm(token)), -1))


class TokenHead(nn.Module):
    """The weights of one head."""

    def __init__(self, base: Base, layers: int, fused: bool) -> None:
        super().__init__()
        self.fusion = Fusion(base) if fused else None
        self.layers = nn.ModuleList(DecoderLayer(base) for _ in range(layers))


class TokenHeads(nn.Module):
    """Heads 2..n of one base."""

    def __init__(self, base: Base, config: HeadsConfig) -> None:
        super().__init__()
        self.base = base
        self.config = config
        count = 1 if config.kind == "shared" else config.tokens - 1
        fused = config.kind != "independent"
        self.heads = nn.ModuleList(TokenHead(base, config.layers, fused) for _ in range(count))

    def first(self, tokens: int) -> TokenHeads:
        """The heads of T`tokens` among these, with the same weights.

        Independent heads know nothing of one another, and a frozen base knows nothing of them: the
        first ones of a Tn are what training a smaller one alone would have made (but for the
        clipping of gradients, whose norm is all heads'). Chained ones hold their first tokens as
        well, but learnt for the sake of those behind too.

        Raises ValueError where there are not as many.
        """
        if not 2 <= tokens <= self.config.tokens:
            raise ValueError(f"these heads are T{self.config.tokens}: no T{tokens} among them")
        config = replace(self.config, tokens=tokens)
        chosen = TokenHeads(self.base, config)
        chosen.heads = self.heads[: len(chosen.heads)]
        return chosen

    def initialise(self, model: BaseModel, start: str, seed: int) -> None:
        """Sets the first weights: `last` copies the base's last layer(s), `random` draws them.

        Random matrices are normal with deviation 0.02 / sqrt(2 * layers of the base) where they
        write to the residual stream and 0.02 elsewhere (GPT-2's rule); random biases are 0.
        """
        if start not in STARTS:
            raise ValueError(f"unknown start {start!r}: one of {', '.join(STARTS)}")
        generator = torch.Generator().manual_seed(seed)
        for head in self.heads:
            for index, layer in enumerate(head.layers):
                if start == "last":
                    source = model.layers[index - len(head.layers)]
                    layer.load_state_dict(source.state_dict())
                    continue
                for name, weight in layer.named_parameters():
                    if name.endswith("bias"):
                        nn.init.zeros_(weight)
                    if weight.dim() < 2:
                        continue
                    writes = name in ("attention.output.weight", "ffn.down.weight")
                    deviation = 0.02 / (2 * self.base.layers) ** 0.5 if writes else 0.02
                    drawn = torch.randn(weight.shape, generator=generator) * deviation
                    weight.data.copy_(drawn)

    def forward(
        self, stem: Tensor, embedded: Tensor, chosen: list[Tensor] | None = None
    ) -> list[Tensor]:
        """States of heads 2..n before the final norm, each [B, T, H].

        `chosen` holds places of the flattened B*T for each head, int64 [P]: its states are made for
        those alone then, [P, H], which saves most of a last layer's arithmetic.

        `embedded` holds the embeddings of the same tokens, [B, T, H]; chained heads see those of
        later positions. Near the end of the row, where they are not known, a chained head's state
        means nothing: head i is valid at positions t < T - i + 1.
        """
        wanted = [None] * (self.config.tokens - 1) if chosen is None else chosen
        if self.config.kind == "independent":
            tables = self._tables(stem, 1)
            return [
                self._run(head, stem, tables, self._unseen(head), chosen=places)
                for head, places in zip(self.heads, wanted, strict=True)
            ]
        causal = torch.ones(2 * stem.shape[1:2], dtype=torch.bool, device=stem.device).tril()
        states, state, seen = [], stem, None
        for depth in range(1, self.config.tokens):
            head = self._head(depth)
            if seen is None or self.config.kind == "chained":
                seen = self._unseen(head)
            rows = head.fusion(state, torch.roll(embedded, -depth, dims=1))
            places, tables = wanted[depth - 1], self._tables(stem, depth)
            last = depth == self.config.tokens - 1
            state = self._run(head, rows, tables, seen, causal, places if last else None)
            states.append(state if last or places is None else state.flatten(0, 1)[places])
        return states

    def draft(
        self, stem: Tensor, embedded: Tensor, first: Tensor, guess: Callable[[Tensor], Tensor]
    ) -> list[Tensor]:
        """As forward, but at every position the chain is fed its own guesses, not the text.

        `first` [B, T, H] embeds head 1's guesses; `guess` maps a state to the embedding of the
        token that it guesses. Inputs of earlier positions are the text's, as they are in decoding.
        """
        if self.config.kind == "independent":
            return self(stem, embedded)
        earlier = torch.ones(2 * stem.shape[1:2], dtype=torch.bool, device=stem.device).tril(-1)
        true, own, token, seen = stem, stem, first, None
        states = []
        for depth in range(1, self.config.tokens):
            head, tables = self._head(depth), self._tables(stem, depth)
            if seen is None or self.config.kind == "chained":
                seen = self._unseen(head)
                rows = head.fusion(true, torch.roll(embedded, -depth, dims=1))
                true = self._run(head, rows, tables, seen)
            own = self._run(head, head.fusion(own, token), tables, seen, earlier)
            states.append(own)
            token = guess(own)
        return states

    def _head(self, depth: int) -> TokenHead:
        """The weights of head depth + 1."""
        return self.heads[0 if self.config.kind == "shared" else depth - 1]

    def _tables(self, stem: Tensor, depth: int) -> tuple[Tensor, Tensor]:
        """Application d of the shared head at place t stands at position t + d - 1."""
        positions = torch.arange(stem.shape[1], device=stem.device)
        return rotary_tables(self.base, positions + (depth - 1) * (self.config.kind == "shared"))

    @staticmethod
    def _unseen(head: TokenHead) -> Seen:
        return [[] for _ in head.layers]

    @staticmethod
    def _run(
        head: TokenHead,
        rows: Tensor,
        tables: tuple[Tensor, Tensor],
        seen: Seen,
        first: Tensor | None = None,
        chosen: Tensor | None = None,
    ) -> Tensor:
        """Runs a head's layers, and adds its keys and values to `seen`; the states of all places,
        or of those `chosen`.

        Every place looks at the first application's keys as `first` [T, T] tells and, of the later
        ones and its own, at those of the same place. The first application is causal.
        """
        mask = None
        if seen[0]:
            same = torch.eye(rows.shape[1], dtype=torch.bool, device=rows.device)
            mask = torch.cat([first] + [same] * len(seen[0]), dim=1)
        for layer, parts in zip(head.layers, seen, strict=True):
            query, key, value = layer.attention.project(layer.attention_norm(rows), tables)
            parts.append((key, value))
            keys, values = (torch.cat(part, dim=2) for part in zip(*parts, strict=True))
            rows = rows + layer.attention.mix(query, keys, values, mask)
            if chosen is not None and layer is head.layers[-1]:
                rows = rows.flatten(0, 1)[chosen]
            rows = rows + layer.ffn(layer.ffn_norm(rows))
        return rows
