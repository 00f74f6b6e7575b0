"""Stems and teacher distributions, computed once and kept on disk.

The stem is frozen, so what it says about a row never changes: every variant of heads and every
epoch reads the same files. About 2 KB a token for a hidden size of 896, in parts of PART_ROWS rows,
each written whole and then renamed, so that an interrupted run goes on with the next part.

    meta.json            base, row length, shortlist size, what made it; "written_from" in a cache of
                         rows that the base wrote itself: from here on the tokens are its own
    shortlist.npy        int32 [S]: token ids that heads may propose
    NNNN.ids.npy         int32 [rows, T]
    NNNN.stem.npy        bf16 as uint16 [rows, T, H]
    NNNN.top.npy         uint16 [rows, T, TEACHER_TOP]: places in the shortlist, likeliest first
    NNNN.share.npy       float16 [rows, T, TEACHER_TOP]: their probabilities within the shortlist
    NNNN.choice.npy      int32 [rows, T]: the base's likeliest next token; of the whole vocabulary
                         in a cache for measuring ("exact"), of the shortlist in one for training
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..model.base_model import BaseModel

PART_ROWS = 128
TEACHER_TOP = 48
LARGEST_SHORTLIST = 2**16
ROWS_A_RUN = 4
FIELDS = ("ids", "stem", "top", "share", "choice")


@dataclass
class Part:
    """Some rows of a cache, mapped from disk."""

    ids: np.ndarray
    stem: np.ndarray
    top: np.ndarray
    share: np.ndarray
    choice: np.ndarray


def bf16_to_numpy(values: Tensor) -> np.ndarray:
    return values.to(torch.bfloat16).cpu().contiguous().view(torch.uint16).numpy()


def bf16_from_numpy(values: np.ndarray) -> Tensor:
    return torch.tensor(values).view(torch.bfloat16)


class Cache:
    """A folder of parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        meta = folder / "meta.json"
        if not meta.is_file():
            raise FileNotFoundError(f"{folder} is not a cache: make it with the `cache` command")
        self.meta: dict[str, object] = json.loads(meta.read_text())
        self.shortlist: np.ndarray = np.load(folder / "shortlist.npy")

    @staticmethod
    def create(folder: Path, meta: dict[str, object], shortlist: np.ndarray) -> Cache:
        """Makes the folder, or opens it where it was made from the same things before."""
        if len(shortlist) > LARGEST_SHORTLIST:
            raise ValueError(f"a shortlist may have {LARGEST_SHORTLIST} tokens: places are 16 bits")
        file = folder / "meta.json"
        if file.is_file():
            cache = Cache(folder)
            if cache.meta != meta or not np.array_equal(cache.shortlist, shortlist):
                raise ValueError(f"{folder} holds a cache of something else; choose another folder")
            return cache
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "shortlist.npy", shortlist)
        file.write_text(json.dumps(meta, indent=1))
        return Cache(folder)

    def parts(self) -> int:
        """Parts that are complete."""
        return len(list(self.folder.glob("*.ids.npy")))

    def open(self, index: int) -> Part:
        return Part(*(np.load(self._path(index, field), mmap_mode="r") for field in FIELDS))

    def save(self, part: Part) -> None:
        """Adds a part; its ids come last, so that a part with ids is complete."""
        index = self.parts()
        for field in reversed(FIELDS):
            path = self._path(index, field)
            temporary = path.with_suffix(".tmp")
            with temporary.open("wb") as file:
                np.save(file, getattr(part, field))
            temporary.replace(path)

    def _path(self, index: int, field: str) -> Path:
        return self.folder / f"{index:04}.{field}.npy"


@torch.inference_mode()
def compute_part(model: BaseModel, rows: np.ndarray, shortlist: Tensor, exact: bool) -> Part:
    """Runs the base over rows, int32 [rows, T]. `shortlist` is int64 [S] on the model's device.

    Choices of the whole vocabulary (`exact`) come from float32 logits: in bf16, the best two often
    tie.
    """
    device = model.embedding.weight.device
    short = model.embedding.weight[shortlist]
    vocabulary = model.embedding.weight.float().T if exact else None
    pieces: list[tuple[np.ndarray, ...]] = []
    for start in range(0, len(rows), ROWS_A_RUN):
        ids = rows[start : start + ROWS_A_RUN]
        stem = model.stem(torch.from_numpy(ids.astype(np.int64)).to(device))
        states = model.head1(stem)
        top, share, choice = [], [], []
        for row in states:
            logits = (row @ short.T).float()
            best, places = logits.topk(min(TEACHER_TOP, len(shortlist)), dim=-1)
            top.append(places)
            share.append((best - logits.logsumexp(-1, keepdim=True)).exp())
            if vocabulary is None:
                choice.append(shortlist[places[:, 0]])
            else:
                choice.append((row.float() @ vocabulary).argmax(-1))
        pieces.append(
            (
                ids,
                bf16_to_numpy(stem),
                torch.stack(top).cpu().numpy().astype(np.uint16),
                torch.stack(share).half().cpu().numpy(),
                torch.stack(choice).int().cpu().numpy(),
            )
        )
    return Part(*(np.concatenate(field) for field in zip(*pieces, strict=True)))


def fill(
    cache: Cache,
    model: BaseModel,
    rows: Iterable[np.ndarray],
    parts: int,
    report: Callable[[int], None],
) -> None:
    """Adds parts until there are `parts`; `rows` begin with the first that is not there yet.

    Raises ValueError where the rows end before.
    """
    shortlist = torch.from_numpy(cache.shortlist.astype(np.int64))
    shortlist = shortlist.to(model.embedding.weight.device)
    source: Iterator[np.ndarray] = iter(rows)
    for index in range(cache.parts(), parts):
        batch = list(islice(source, PART_ROWS))
        if len(batch) < PART_ROWS:
            raise ValueError(f"the rows end within part {index}; ask for {index} parts")
        part = compute_part(model, np.stack(batch), shortlist, bool(cache.meta["exact"]))
        cache.save(part)
        report(index + 1)
