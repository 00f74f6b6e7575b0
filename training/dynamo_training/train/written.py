"""Text that the base wrote itself: greedy continuations of a cache's rows.

Two uses. Exact mode accepts a draft where it is what the base would write, so its accepted length
is measured on the base's own greedy text. And such text is good to learn from, for the same reason
(FastMTP, arXiv 2509.18362).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..model.base_model import BaseModel
from ..model.transformer import rotary_tables
from .cache import Cache

ROWS_A_RUN = 32


class _Sequence:
    """Keys and values of every layer for B rows of up to `room` positions."""

    def __init__(self, model: BaseModel, rows: int, room: int) -> None:
        base, weight = model.base, model.embedding.weight
        shape = (base.layers, 2, rows, base.kv_heads, room, base.head_size)
        self.model = model
        self.kept = torch.empty(shape, dtype=weight.dtype, device=weight.device)
        self.length = 0

    def feed(self, ids: Tensor) -> Tensor:
        """Appends ids [B, R], several to an empty sequence or one to any; the best next, [B]."""
        end = self.length + ids.shape[1]
        positions = torch.arange(self.length, end, device=ids.device)
        tables = rotary_tables(self.model.base, positions)
        # One row looks at everything, several (at the beginning) causally.
        everything = torch.ones(1, end, dtype=torch.bool, device=ids.device)
        mask = everything if ids.shape[1] == 1 else None
        rows = self.model.embedding(ids)
        for layer, kept in zip(self.model.layers, self.kept, strict=True):
            query, key, value = layer.attention.project(layer.attention_norm(rows), tables)
            kept[0, :, :, self.length : end], kept[1, :, :, self.length : end] = key, value
            rows = rows + layer.attention.mix(query, *kept[:, :, :, :end], mask)
            rows = rows + layer.ffn(layer.ffn_norm(rows))
        self.length = end
        return self.model.logits(self.model.norm(rows[:, -1])).argmax(-1)


@torch.inference_mode()
def continue_greedily(model: BaseModel, prompts: Tensor, count: int) -> Tensor:
    """Prompts int64 [B, P] with the `count` tokens that the base adds, [B, P + count]."""
    rows, length = prompts.shape
    sequence = _Sequence(model, rows, length + count)
    written = [prompts, sequence.feed(prompts)[:, None]]
    for _ in range(count - 1):
        written.append(sequence.feed(written[-1])[:, None])
    return torch.cat(written, dim=1)


def written_rows(
    model: BaseModel, source: Cache, first: int, count: int
) -> Iterator[np.ndarray]:
    """Rows int32 [T/2 + count] from row `first` on: halves of a cache's rows, continued."""
    device = model.embedding.weight.device
    for index in range(source.parts()):
        ids = source.open(index).ids
        for start in range(0, len(ids), ROWS_A_RUN):
            prompts = ids[start : start + ROWS_A_RUN, : ids.shape[1] // 2].astype(np.int64)
            if first >= len(prompts):
                first -= len(prompts)
                continue
            rows = continue_greedily(model, torch.from_numpy(prompts).to(device), count)
            yield from rows[first:].int().cpu().numpy()
            first = 0
