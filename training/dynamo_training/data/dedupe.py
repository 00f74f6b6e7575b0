"""Exact and near duplicates among texts, and passages of texts that must not be learned.

Two texts are near duplicates when the Jaccard similarity of their sets of shingles (five
consecutive words or marks) is at least THRESHOLD. Candidates come from banded MinHash signatures
and are then compared exactly, so that a reported duplicate is one; of texts just above the
threshold, about one in a hundred goes unseen.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

SHINGLE = 5
THRESHOLD = 0.7
BANDS, ROWS = 16, 4
WINDOW = 80  # characters, whitespace collapsed

_TOKEN = re.compile(r"\w+|[^\w\s]")
_RANDOM = np.random.default_rng(20260101)
_FACTORS = _RANDOM.integers(1, 1 << 63, BANDS * ROWS, dtype=np.uint64) * 2 + 1
_OFFSETS = _RANDOM.integers(0, 1 << 63, BANDS * ROWS, dtype=np.uint64)


def normalised(text: str) -> str:
    """The text with each run of whitespace as one space."""
    return " ".join(text.split())


class Duplicates:
    """Takes texts one by one and says what the earlier ones make of each."""

    def __init__(self) -> None:
        self._exact: set[bytes] = set()
        self._bands: list[dict[bytes, list[int]]] = [{} for _ in range(BANDS)]
        self._shingles: list[np.ndarray] = []

    def add(self, text: str) -> str | None:
        """Remembers the text and returns None, or tells how it repeats an earlier one."""
        digest = hashlib.sha256(normalised(text).encode()).digest()
        if digest in self._exact:
            return "duplicate"
        found = shingles(text)
        bands = [row.tobytes() for row in signature(found).reshape(BANDS, ROWS)]
        near = {i for band, key in zip(self._bands, bands, strict=True) for i in band.get(key, ())}
        if any(jaccard(found, self._shingles[i]) >= THRESHOLD for i in near):
            return "near duplicate"
        self._exact.add(digest)
        for band, key in zip(self._bands, bands, strict=True):
            band.setdefault(key, []).append(len(self._shingles))
        self._shingles.append(found)
        return None


def shingles(text: str) -> np.ndarray:
    """Sorted hashes [n] of the text's different shingles, uint64; at least one."""
    words = _TOKEN.findall(text)
    known = {word: zlib.crc32(word.encode()) for word in set(words)}
    hashes = np.array([known[word] for word in words], np.uint64)
    hashes = np.pad(hashes, (0, max(0, SHINGLE - len(hashes))))
    count = len(hashes) - SHINGLE + 1
    mixed = np.zeros(count, np.uint64)
    for i in range(SHINGLE):
        mixed = (mixed ^ hashes[i : i + count]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed)


def signature(found: np.ndarray) -> np.ndarray:
    """MinHash signature [BANDS * ROWS], uint64: the least value under each of as many hashes."""
    return np.array(
        [(found * a + b).min() for a, b in zip(_FACTORS, _OFFSETS, strict=True)], np.uint64
    )


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Share of common elements of two sorted sets."""
    small, large = min(len(a), len(b)), max(len(a), len(b))
    if small < THRESHOLD * large:
        return small / large  # an upper bound, below the threshold already
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)


class Excluded:
    """Knows passages that no text may share: every run of WINDOW characters of the given texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        # A common run of WINDOW characters holds an aligned run of half its length, whatever its
        # offset: those are looked up first, and only where one is found every offset is.
        half = WINDOW // 2
        self._windows: set[str] = set()
        self._halves: set[str] = set()
        for text in map(normalised, texts):
            self._windows.update(_runs(text, WINDOW, 1))
            self._halves.update(_runs(text, half, 1))

    def shares(self, text: str) -> bool:
        if not self._windows:
            return False
        flat = normalised(text)
        if self._halves.isdisjoint(_runs(flat, WINDOW // 2, WINDOW // 2)):
            return False
        return not self._windows.isdisjoint(_runs(flat, WINDOW, 1))


def _runs(text: str, size: int, step: int) -> Iterator[str]:
    return (text[i : i + size] for i in range(0, len(text) - size + 1, step))
