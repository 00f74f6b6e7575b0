"""Counts the co-occurrence table of a base: how much likelier tokens stand next to one another in the
training texts than independence has it (DynaMo, section 3.3).

    lift(a, b) = p(a, b) / (p(a) p(b)),   lift(a, b, c) = p(a, b, c) / (p(a) p(b) p(c))

with p the relative frequencies of tokens, pairs and triples within documents. Only n-grams seen
`least` times or more are kept, which bounds the frequency of the others (`resolution`); what the
decoder takes for those is src/decoding/cooccurrence.ts's business. The file's format is described,
and checked, in src/decoding/cooccurrence-file.ts; here is its writer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..bases import BASES
from ..suite import SUITE

MAGIC = 0x4F435944
VERSION = 1
CODES = 255  # steps of a lift's code


@dataclass(frozen=True)
class Table:
    """Rows in ascending order. `pairs` int64 [P, 2], `triples` int64 [T, 3], lifts float64."""

    vocabulary: int
    resolution: float
    unigrams: np.ndarray
    pairs: np.ndarray
    pair_lifts: np.ndarray
    triples: np.ndarray
    triple_lifts: np.ndarray


def count(texts: Iterable[np.ndarray], vocabulary: int, least: int) -> Table:
    """The table of token texts, each int [tokens]; n-grams do not span two of them.

    Raises ValueError where there is nothing to count.
    """
    joined, starts = _join(texts)
    if len(joined) == 0:
        raise ValueError("the texts hold no token")
    if least < 1:
        raise ValueError(f"an n-gram is kept from a count of at least 1 on, not {least}")
    unigrams = np.bincount(joined, minlength=vocabulary) / len(joined)
    pairs, pair_shares, resolution = _ngrams(joined, starts, vocabulary, 2, least)
    triples, triple_shares, finer = _ngrams(joined, starts, vocabulary, 3, least)
    return Table(
        vocabulary,
        max(resolution, finer),
        unigrams,
        pairs,
        pair_shares / unigrams[pairs].prod(1),
        triples,
        triple_shares / unigrams[triples].prod(1),
    )


def _join(texts: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All tokens, int64 [N], and whether each is the first of its text, bool [N]."""
    parts = [np.asarray(text, np.int64) for text in texts]
    parts = [part for part in parts if len(part) > 0]
    joined = np.concatenate(parts) if parts else np.empty(0, np.int64)
    starts = np.zeros(len(joined), bool)
    starts[np.cumsum([0, *(len(part) for part in parts)])[:-1]] = len(joined) > 0
    return joined, starts


def _ngrams(
    joined: np.ndarray, starts: np.ndarray, vocabulary: int, n: int, least: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """n-grams seen `least` times or more [M, n], their relative frequencies [M], and the most that
    any other n-gram can have."""
    count = len(joined) - n + 1
    if count < 1:
        return np.empty((0, n), np.int64), np.empty(0), 0.0
    keys = np.zeros(count, np.int64)
    inside = np.ones(count, bool)
    for place in range(n):
        keys = keys * vocabulary + joined[place : place + count]
        if place > 0:
            inside &= ~starts[place : place + count]
    found, counts = np.unique(keys[inside], return_counts=True)
    total = counts.sum()
    kept = counts >= least
    found, shares = found[kept], counts[kept] / max(total, 1)
    columns = [found // vocabulary ** (n - 1 - place) % vocabulary for place in range(n)]
    dropped = counts[~kept]
    return np.stack(columns, 1), shares, float(dropped.max() / total) if len(dropped) else 0.0


def to_bytes(table: Table) -> bytes:
    """The file's content. Raises ValueError where a kept triple's pair is not kept."""
    pair_keys = table.pairs[:, 0] * table.vocabulary + table.pairs[:, 1]
    wanted = table.triples[:, 0] * table.vocabulary + table.triples[:, 1]
    place = np.searchsorted(pair_keys, wanted)
    if len(wanted) and not np.array_equal(pair_keys[place.clip(max=len(pair_keys) - 1)], wanted):
        raise ValueError("a triple is kept whose first pair is not")
    pair_codes, pair_low, pair_step = _coded(table.pair_lifts)
    triple_codes, triple_low, triple_step = _coded(table.triple_lifts)
    header = struct.pack(
        "<5I5f8x",
        *(MAGIC, VERSION, table.vocabulary, len(table.pairs), len(table.triples)),
        *(table.resolution, pair_low, pair_step, triple_low, triple_step),
    )
    sections = (
        table.unigrams.astype("<f4"),
        _row_starts(table.pairs[:, 0], table.vocabulary),
        table.pairs[:, 1].astype("<u4"),
        _row_starts(place, len(table.pairs)),
        table.triples[:, 2].astype("<u4"),
        pair_codes,
        triple_codes,
    )
    return header + b"".join(_padded(section.tobytes()) for section in sections)


def _row_starts(rows: np.ndarray, count: int) -> np.ndarray:
    """Where each of `count` rows begins, uint32 [count + 1], entries being sorted by row."""
    return np.searchsorted(rows, np.arange(count + 1)).astype("<u4")


def _coded(lifts: np.ndarray) -> tuple[np.ndarray, float, float]:
    """uint8 codes, and low and step of log2 lift = low + step * code."""
    if len(lifts) == 0:
        return np.empty(0, np.uint8), 0.0, 0.0
    logs = np.log2(lifts)
    low = float(np.float32(logs.min()))
    step = float(np.float32((logs.max() - low) / CODES))
    codes = np.rint((logs - low) / step) if step > 0 else np.zeros(len(logs))
    return codes.clip(0, CODES).astype(np.uint8), low, step


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def held(table: Table, texts: Iterable[np.ndarray]) -> tuple[float, float]:
    """Share of the pairs and of the triples of other texts that the table holds."""
    joined, starts = _join(texts)
    shares = []
    for n, rows in ((2, table.pairs), (3, table.triples)):
        found, frequencies, _ = _ngrams(joined, starts, table.vocabulary, n, 1)
        powers = table.vocabulary ** np.arange(n - 1, -1, -1)
        known = np.isin(found @ powers, rows @ powers, assume_unique=True)
        shares.append(float(frequencies[known].sum()))
    return shares[0], shares[1]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("cooccurrence", help="count a base's co-occurrence table")
    command.add_argument("--base", choices=BASES, required=True)
    command.add_argument("--gguf", type=Path, required=True, help="of the base: its tokenizer")
    command.add_argument("--documents", type=Path, required=True, help="of the `corpus` command")
    command.add_argument("--least", type=int, default=16, help="count from which an n-gram is kept")
    command.add_argument("--suite", type=Path, default=SUITE)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from ..gguf_file import read_tokenizer
    from .rows import read_documents, tokenised

    base = BASES[options.base]
    tokenizer, _ = read_tokenizer(options.gguf)
    read = {split: read_documents(options.documents, split) for split in ("train", "heldout")}
    table = count(tokenised(tokenizer, read["train"]), base.vocabulary, options.least)
    content = to_bytes(table)
    path = options.suite / base.id / "cooccurrence.bin"
    path.write_bytes(content)
    pairs, triples = held(table, tokenised(tokenizer, read["heldout"]))
    steps = [_coded(lifts)[2] for lifts in (table.pair_lifts, table.triple_lifts)]
    print(
        json.dumps(
            {
                "base": base.id,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "least": options.least,
                "resolution": table.resolution,
                "pairs": len(table.pairs),
                "triples": len(table.triples),
                "heldoutPairs": round(pairs, 4),
                "heldoutTriples": round(triples, 4),
                "largestRounding": [round(2 ** (step / 2), 4) for step in steps],
            },
            indent=1,
        )
    )
    return 0
