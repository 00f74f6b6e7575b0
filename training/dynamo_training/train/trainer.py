"""The training loop's step: heads over cached stems, or everything over live ones.

A step is a function of the configuration, the step's number and what was learnt so far: rows are
drawn from seeds, never from a running generator. So a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..model.base_model import BaseModel
from ..model.guesses import best_tokens, head_states
from ..precision import autocast, product_type
from . import sharding
from .cache import Cache, bf16_from_numpy
from .config import TrainConfig
from .first_weights import first_heads
from .full import FullModel
from .objective import cross_entropy, label_targets
from .optimiser import Optimisers

LARGEST_GRADIENT = 1.0  # norm to which a step's gradient is clipped


class Diverged(ArithmeticError):
    """A loss is no number any more."""


@dataclass
class Batch:
    """B rows of T tokens. Without a stem, it is computed from the ids."""

    ids: Tensor
    stem: Tensor | None = None
    top: Tensor | None = None
    share: Tensor | None = None
    choice: Tensor | None = None


class Rows:
    """Draws batches: every row once an epoch, in an order that the seed and the epoch decide."""

    def __init__(self, cache: Cache, config: TrainConfig, parts: int, device: torch.device) -> None:
        if parts < 1 or parts > cache.parts():
            raise ValueError(f"the cache has {cache.parts()} parts, but {parts} are wanted")
        self.parts = [cache.open(index) for index in range(parts)]
        self.places = [(p, r) for p, part in enumerate(self.parts) for r in range(len(part.ids))]
        if len(self.places) < config.batch_rows:
            raise ValueError(f"batches of {config.batch_rows} rows, but only {len(self.places)}")
        self.length = self.parts[0].ids.shape[1]
        self.config = config
        self.device = device
        self.data = cache.meta | {"parts": parts, "distinctTokens": self.tokens}
        """What the rows are, for records, and to tell them from others."""

    @property
    def batch_tokens(self) -> int:
        return self.config.batch_rows * self.length

    @property
    def tokens(self) -> int:
        """Of all rows: what an epoch sees."""
        return len(self.places) * self.length

    def batch(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        size = self.config.batch_rows
        epoch, index = divmod(step, len(self.places) // size)
        order = np.random.default_rng((self.config.seed, epoch)).permutation(len(self.places))
        chosen = [self.places[i] for i in order[index * size : (index + 1) * size]]

        def stack(field: str) -> Tensor:
            rows = [np.asarray(getattr(self.parts[part], field)[row]) for part, row in chosen]
            stacked = np.stack(rows)
            if stacked.dtype == np.uint16:
                stacked = stacked.astype(np.int32)
            return torch.from_numpy(stacked).to(self.device)

        ids, choice = stack("ids").long(), stack("choice").long()
        if self.config.learns_base:
            return Batch(ids, choice=choice)
        stem = torch.stack([bf16_from_numpy(self.parts[part].stem[row]) for part, row in chosen])
        stem = stem.to(self.device)
        return Batch(ids, stem, stack("top").long(), stack("share").float(), choice)


class Trainer:
    """Owns the heads, and the base where that learns too."""

    def __init__(
        self,
        config: TrainConfig,
        model: BaseModel,
        shortlist: np.ndarray,
        length: int,
        device: torch.device | None = None,
        products: torch.dtype | None = None,
    ) -> None:
        """`device` is the model's where none is given; another is for a sharded model alone.
        `products` is the type of matrix products, the faster one where none is given."""
        if config.base_id != model.base.id:
            raise ValueError(f"the configuration is for {config.base_id}, not {model.base.id}")
        self.config = config
        self.model = model
        self.device = model.embedding.weight.device if device is None else device
        self.products = product_type(self.device) if products is None else products
        self.heads = first_heads(config, model).float().to(model.embedding.weight.device)
        self.shortlist = torch.from_numpy(shortlist[: config.shortlist].astype(np.int64))
        self.shortlist = self.shortlist.to(self.device)
        self.places = torch.full((model.base.vocabulary,), -1, device=self.device)
        self.places[self.shortlist] = torch.arange(len(self.shortlist), device=self.device)
        groups: list[tuple[nn.Module, float]] = [(self.heads, config.rate_heads)]
        self.full: FullModel | None = None
        self.embedding: Tensor | None = None
        if config.learns_base:
            self.full = FullModel(model, self.heads, config.rate_mixed / config.rate_base)
            self.full.requires_grad_(True)
            if config.batch_rows % sharding.processes():
                raise ValueError("batch_rows must be a multiple of the number of processes")
            sharding.shard(self.full, self.device)
            groups.append((model, config.rate_base))
        elif sharding.processes() > 1:
            raise ValueError("heads alone fit one device: run them without torchrun")
        else:
            self.embedding = model.embedding.weight[self.shortlist].detach()
        self.optimisers = Optimisers(groups, config.optimiser, self.products)
        self.steps = math.ceil(config.tokens / (config.batch_rows * length))
        self.step = 0

    def train_step(self, batch: Batch) -> list[float]:
        """One update; returns the losses of the heads, head 1's first where the base learns.

        Raises Diverged, before anything is updated, where a loss is no number.
        """
        losses = self.losses(batch)
        values = sharding.mean(torch.stack([loss.detach() for loss in losses])).tolist()
        if not all(map(math.isfinite, values)):
            raise Diverged(
                f"the losses of step {self.step + 1} are {values}: "
                "lower the learning rates and go on from the last checkpoint in another folder"
            )
        sum(losses).backward()
        nn.utils.clip_grad_norm_(self.optimisers.parameters(), LARGEST_GRADIENT)
        self.optimisers.step((self.step + 1) / self.steps)
        self.step += 1
        return values

    def losses(self, batch: Batch) -> list[Tensor]:
        """Of heads 2..n, and of head 1 before them where the base learns."""
        with autocast(self.device, self.products):
            if self.full is not None:
                return self._live_losses(batch)
            assert self.embedding is not None
            numbers = range(2, self.config.heads.tokens + 1)
            keep = [self._positions(batch.ids.shape, head) for head in numbers]
            chosen = [mask.flatten().nonzero()[:, 0] for mask in keep]
            states = self.heads(self._stem(batch), self.model.embedding(batch.ids), chosen)
            losses = []
            for head, places, state in zip(numbers, chosen, states, strict=True):
                targets = self._targets(batch, places, head)
                losses.append(cross_entropy(self.model.norm(state), self.embedding, targets))
            return losses

    def _stem(self, batch: Batch) -> Tensor | None:
        """Caches keep bfloat16."""
        return None if batch.stem is None else batch.stem.to(self.products)

    def _live_losses(self, batch: Batch) -> list[Tensor]:
        """This process's rows; a mean over processes is the mean over the batch."""
        assert self.full is not None
        count, rank = sharding.processes(), sharding.rank()
        rows = slice(*(len(batch.ids) // count * i for i in (rank, rank + 1)))
        keep = [
            self._positions(batch.ids.shape, head)
            for head in range(1, self.config.heads.tokens + 1)
        ]
        chosen = [mask[rows].flatten().nonzero()[:, 0] for mask in keep]
        return self.full(batch.ids[rows], chosen, [mask.sum().item() / count for mask in keep])

    def _positions(self, shape: torch.Size, head: int) -> Tensor:
        """Which positions enter a head's loss, bool [B, T]: drawn from those with a target."""
        rows, length = shape
        ahead = head if self.config.target == "labels" else head - 1
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)
        keep = torch.rand(rows, length, generator=generator) < self.config.positions
        keep[:, length - ahead :] = False
        return keep.to(self.device)

    def _targets(self, batch: Batch, chosen: Tensor, head: int) -> tuple[Tensor, Tensor]:
        """Places in the shortlist and shares, [P, K], of a head at the chosen positions."""
        if self.config.target == "labels":
            places = self.places[batch.ids.flatten()[chosen + head]]
            place, share = label_targets(places.clamp(min=0))
            return place, share * (places >= 0)[:, None]
        assert batch.top is not None and batch.share is not None
        place = batch.top.flatten(0, 1)[chosen + head - 1]
        share = batch.share.flatten(0, 1)[chosen + head - 1]
        known = place < len(self.shortlist)
        return place.clamp(max=len(self.shortlist) - 1), share * known

    @torch.inference_mode()
    def agreement(self, rows: list[Batch], choices: list[Tensor]) -> list[float]:
        """Share of positions at which head i's best token is the base's at position t+i-1.

        `choices`: the base's own best tokens, int64 [B, T], of each batch.
        """
        hits = torch.zeros(self.config.heads.tokens - 1)
        counts = torch.zeros_like(hits)
        for batch, choice in zip(rows, choices, strict=True):
            for index, guess in enumerate(self.guesses(batch)):
                ahead = index + 1
                right = guess[:, :-ahead] == choice[:, ahead:]
                hits[index] += right.sum().cpu()
                counts[index] += right.numel()
        return (hits / counts).tolist()

    @torch.inference_mode()
    def guesses(self, batch: Batch) -> list[Tensor]:
        """The best token of heads 2..n at every position, int64 [B, T] each."""
        table = self.model.embedding.weight[self.shortlist]
        with autocast(self.device, self.products):
            states = head_states(self.model, self.heads, batch.ids, self._stem(batch))
            return [best_tokens(state, table, self.shortlist) for state in states]

    def state(self) -> dict[str, object]:
        """All that a checkpoint needs; where the model is sharded, all processes must ask."""
        return {
            "config": self.config.to_json(),
            "products": str(self.products).removeprefix("torch."),
            "step": self.step,
            "shortlist": self.shortlist.cpu(),
            "heads": sharding.gathered(self.heads.state_dict()),
            "optimisers": sharding.gathered(self.optimisers.state_dict()),
            "base": sharding.gathered(self.model.state_dict()) if self.full is not None else None,
        }

    def load_state(self, state: dict[str, object]) -> None:
        """Raises ValueError where the checkpoint belongs to another configuration."""
        if state["config"] != self.config.to_json():
            raise ValueError("the checkpoint was made by another configuration; use its folder")
        if getattr(torch, state["products"]) != self.products:
            raise ValueError(f"the checkpoint was made with products in {state['products']}")
        if not torch.equal(state["shortlist"], self.shortlist.cpu()):
            raise ValueError("the checkpoint was made with another cache's shortlist")
        self.step = state["step"]
        sharding.load_module(self.heads, state["heads"])
        for optimiser, entries in zip(self.optimisers.all, state["optimisers"], strict=True):
            sharding.load_optimiser(optimiser, entries)
        if state["base"] is not None:
            sharding.load_module(self.model, state["base"])
