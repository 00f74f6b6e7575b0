"""Writes test/fixtures/oracle/decoding.json: decisions, Otsu thresholds and blurs to replay.

    python training/oracle/decoding_goldens.py test/fixtures/oracle/decoding.json

Only results are stored. The inputs come from the product's own random numbers, seeded with the case's
number; test/unit/decoding/oracle-cases.ts draws the same ones in the same order.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import correlate1d
from skimage.filters import threshold_otsu

from decoding import (
    Head,
    Settings,
    Table,
    TooClose,
    chained_joint,
    decide,
    independent_joint,
)

DECISIONS = 2600
IMAGES = 200
BLURS = 60
VOCABULARY = 60
WORD = 0xFFFFFFFF

Random = Callable[[], float]


def seeded_random(seed: int) -> Random:
    """xoshiro128** behind SplitMix32, as src/decoding/random.ts has it; uniform in [0, 1)."""
    fill = seed & WORD

    def split_mix() -> int:
        nonlocal fill
        fill = (fill + 0x9E3779B9) & WORD
        z = ((fill ^ fill >> 16) * 0x21F0AAAD) & WORD
        z = ((z ^ z >> 15) * 0x735A2D97) & WORD
        return z ^ z >> 15

    state = [split_mix() for _ in range(4)]

    def rotate(x: int, by: int) -> int:
        return (x << by | x >> (32 - by)) & WORD

    def draw() -> float:
        a, b, c, d = state
        result = (rotate((b * 5) & WORD, 7) * 9) & WORD
        shifted = (b << 9) & WORD
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        state[:] = [a, b, c ^ shifted, rotate(d, 11)]
        return result / 2**32

    return draw


def below(random: Random, limit: int) -> int:
    return int(random() * limit)


def draw_head(random: Random, k: int) -> Head:
    pool = list(range(VOCABULARY))
    for i in range(k):
        j = i + below(random, VOCABULARY - i)
        pool[i], pool[j] = pool[j], pool[i]
    spread = [0.1, 0.5, 2.0][below(random, 3)]
    logits = [np.float32(0)]
    for _ in range(k - 1):
        logits.append(np.float32(float(logits[-1]) - random() * spread))
    return Head(np.array(pool[:k]), np.array(logits), 3 + random())


def mix(salt: int, *ids: int) -> int:
    h = salt
    for token in ids:
        h = ((h ^ token) * 0x9E3779B1) & WORD
        h ^= h >> 15
    return h


def draw_table(random: Random) -> Table | None:
    salt = below(random, 2**32)
    share = below(random, 101)
    resolution = random() * 0.01
    present = random() < 0.8

    def lift(*ids: int) -> float | None:
        h = mix(salt, len(ids), *ids)
        return None if h % 100 >= share else (h >> 8 & 1023) / 64

    def unigram(token: int) -> float:
        h = mix(salt, 1, token)
        return 0.0 if h % 10 == 0 else (1 + (h >> 8 & 1023)) / 4096

    return Table(resolution, unigram, lift) if present else None


def decision(case: int) -> dict:
    random = seeded_random(case)
    most = 2 + below(random, 3)
    k = 2 + below(random, [49, 11, 5][most - 2])
    chains = below(random, 4) if random() < 0.3 else 0
    table = draw_table(random)
    settings = Settings(
        epsilon=[0, 1, random(), random() ** 3][below(random, 4)],
        temperature=0.3 + random() * 1.2,
        top_k=max(chains, 1) + below(random, 60),
        greedy=random() < 0.5,
        alpha=[0, 0.5, 1][below(random, 3)],
        unseen=[None, 0, 0.1][below(random, 3)],
        static=random() < 0.8,
        otsu=random() < 0.8,
        blur=random() < 0.8,
        penalty=1 + random(),
        window=below(random, 20),
        whole_ngram=random() < 0.3,
    )
    recent = [below(random, VOCABULARY) for _ in range(below(random, 20))]
    if chains:
        first = draw_head(random, max(k, chains))
        rows = [
            [(int(first.ids[row]), first)]
            + [(int(head.ids[0]), head) for head in (draw_head(random, k) for _ in range(most - 1))]
            for row in range(chains)
        ]
        joint_of = lambda n: chained_joint(rows, settings, n)  # noqa: E731
    else:
        heads = [draw_head(random, k) for _ in range(most)]
        joint_of = lambda n: independent_joint(heads, settings, n)  # noqa: E731
    return decide(joint_of, most, table, recent, settings, seeded_random(case)())


def image(random: Random) -> np.ndarray:
    """Values of three kinds: even, mostly small, mostly 0."""
    kind = below(random, 3)
    values = [random() for _ in range(1 + below(random, 400))]
    if kind == 1:
        values = [x**8 for x in values]
    if kind == 2:
        values = [x if x > 0.9 else 0.0 for x in values]
    return np.array(values)


def blurred(random: Random) -> list[float]:
    """Whole numbers on 1 to 4 axes; two axes by OpenCV, others by SciPy's mirror."""
    shape = [1 + below(random, 5) for _ in range(1 + below(random, 4))]
    values = np.array([below(random, 64) for _ in range(int(np.prod(shape)))], np.float64)
    values = values.reshape(shape)
    if len(shape) == 2:
        return cv2.GaussianBlur(values, (3, 3), 0).ravel().tolist()
    for axis, length in enumerate(shape):
        if length > 1:
            values = correlate1d(values, [0.25, 0.5, 0.25], axis=axis, mode="mirror")
    return values.ravel().tolist()


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.11g}")


def main(path: Path) -> None:
    decisions = []
    for case in range(DECISIONS):
        try:
            result = decision(case)
        except TooClose:
            continue
        tried = [[n, rounded(a), s, rounded(v), u, o] for n, a, s, v, u, o in result["tried"]]
        decisions.append([case, result["tokens"], rounded(result["joint"]), tried])
    otsu = [rounded(float(threshold_otsu(image(seeded_random(case))))) for case in range(IMAGES)]
    blurs = [blurred(seeded_random(case)) for case in range(BLURS)]
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in decisions)
    rest = json.dumps({"otsu": otsu, "blurs": blurs}, separators=(",", ":"))[1:]
    path.write_text(f'{{"decisions":[\n{lines}\n],\n{rest}\n')
    print(f"{len(decisions)} of {DECISIONS} decisions do not hang on rounding")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
