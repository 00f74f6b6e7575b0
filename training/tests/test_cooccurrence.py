"""The co-occurrence table: counts against counting by hand, and its file byte by byte."""

from __future__ import annotations

import struct
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from dynamo_training.data.cooccurrence import count, held, to_bytes

TEXTS = [[1, 2, 3, 1, 2, 3, 1, 2], [2, 2, 2, 1], [], [4]]


def arrays(texts: list[list[int]] = TEXTS) -> list[np.ndarray]:
    return [np.array(text, np.int32) for text in texts]


def by_hand(n: int) -> Counter[tuple[int, ...]]:
    return Counter(
        tuple(text[i : i + n]) for text in TEXTS for i in range(max(0, len(text) - n + 1))
    )


@pytest.mark.parametrize("least", [1, 2, 3])
def test_lifts_are_relative_frequencies_over_independence(least: int) -> None:
    table = count(arrays(), 6, least)
    ones, total = by_hand(1), sum(by_hand(1).values())
    assert np.allclose(table.unigrams, [ones[(i,)] / total for i in range(6)])
    resolution = 0.0
    for n, rows, lifts in (
        (2, table.pairs, table.pair_lifts),
        (3, table.triples, table.triple_lifts),
    ):
        counts = by_hand(n)
        kept = sorted(gram for gram, times in counts.items() if times >= least)
        assert [tuple(row) for row in rows.tolist()] == kept
        for gram, lift in zip(kept, lifts, strict=True):
            share = counts[gram] / sum(counts.values())
            independent = np.prod([ones[(token,)] / total for token in gram])
            assert lift == pytest.approx(share / independent)
        others = [times for times in counts.values() if times < least]
        resolution = max([resolution, *(times / sum(counts.values()) for times in others)])
    assert table.resolution == pytest.approx(resolution)


def test_random_texts_have_what_counting_one_by_one_finds() -> None:
    rng = np.random.default_rng(3)
    texts = [rng.integers(0, 5, rng.integers(0, 40)) for _ in range(30)]
    table = count(texts, 5, 4)
    pairs = Counter(pair for text in texts for pair in pairwise(text.tolist()))
    kept = sorted(pair for pair, times in pairs.items() if times >= 4)
    assert [tuple(row) for row in table.pairs.tolist()] == kept
    firsts = {tuple(row[:2]) for row in table.triples.tolist()}
    seconds = {tuple(row[1:]) for row in table.triples.tolist()}
    assert firsts | seconds <= set(kept)


def test_the_file_holds_what_its_format_says() -> None:
    table = count(arrays(), 6, 1)
    content = to_bytes(table)
    magic, version, vocabulary, pairs, triples = struct.unpack_from("<5I", content)
    assert (magic, version, vocabulary) == (0x4F435944, 1, 6)
    assert (pairs, triples) == (len(table.pairs), len(table.triples))
    _, low, step, _, _ = struct.unpack_from("<5f", content, 20)
    offset = 48 + 4 * 6
    starts = np.frombuffer(content, "<u4", 7, offset)
    second = np.frombuffer(content, "<u4", pairs, offset + 4 * 7)
    rows = [(a, int(b)) for a in range(6) for b in second[starts[a] : starts[a + 1]]]
    assert rows == [tuple(row) for row in table.pairs.tolist()]
    offset += 4 * (7 + pairs)
    triple_starts = np.frombuffer(content, "<u4", pairs + 1, offset)
    third = np.frombuffer(content, "<u4", triples, offset + 4 * (pairs + 1))
    grams = [
        (*row, int(c))
        for place, row in enumerate(rows)
        for c in third[triple_starts[place] : triple_starts[place + 1]]
    ]
    assert grams == [tuple(row) for row in table.triples.tolist()]
    offset += 4 * (pairs + 1 + triples)
    codes = np.frombuffer(content, np.uint8, pairs, offset)
    assert np.allclose(2.0 ** (low + step * codes), table.pair_lifts, rtol=2 ** (step / 2) - 1)
    assert len(content) == offset + -(-pairs // 4) * 4 + -(-triples // 4) * 4


def test_of_other_texts_it_holds_what_was_seen_often_enough() -> None:
    table = count(arrays(), 6, 2)
    assert held(table, arrays()) == (
        pytest.approx(sum(n for n in by_hand(2).values() if n > 1) / sum(by_hand(2).values())),
        pytest.approx(sum(n for n in by_hand(3).values() if n > 1) / sum(by_hand(3).values())),
    )
    assert held(table, arrays([[5, 5, 5]])) == (0, 0)


def test_nothing_to_count_is_an_error() -> None:
    with pytest.raises(ValueError, match="hold no token"):
        count([], 6, 1)
    with pytest.raises(ValueError, match="at least 1"):
        count(arrays(), 6, 0)
