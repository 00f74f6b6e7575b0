"""Writes test/fixtures/cooccurrence.json: a table counted from random texts, as a file, and the lifts
that counting the same texts one by one finds.

The reader is TypeScript (src/decoding/cooccurrence-file.ts), the writer is Python
(dynamo_training/data/cooccurrence.py): this is where they meet.

    PYTHONPATH=training python training/goldens/cooccurrence.py
"""

import base64
import json
from collections import Counter
from pathlib import Path

import numpy as np

from dynamo_training.data.cooccurrence import count, to_bytes

TARGET = Path(__file__).parents[2] / "test" / "fixtures" / "cooccurrence.json"
VOCABULARY = 24
LEAST = 3


def main() -> None:
    rng = np.random.default_rng(1)
    # Frequent and rare tokens, and ones that do not occur.
    shares = np.append(0.8 ** np.arange(VOCABULARY - 2), [0, 0])
    texts = [
        rng.choice(VOCABULARY, rng.integers(0, 60), p=shares / shares.sum()) for _ in range(60)
    ]
    table = count(texts, VOCABULARY, LEAST)
    ones = Counter(token for text in texts for token in text.tolist())
    total = sum(ones.values())
    grams = {}
    for n in (2, 3):
        found = Counter(
            tuple(text[i : i + n].tolist()) for text in texts for i in range(len(text) - n + 1)
        )
        seen = sum(found.values())
        for gram, times in found.items():
            independent = np.prod([ones[token] / total for token in gram])
            lift = times / seen / independent if times >= LEAST else None
            grams[",".join(map(str, gram))] = lift
    content = {
        "file": base64.b64encode(to_bytes(table)).decode(),
        "unigrams": [ones[token] / total for token in range(VOCABULARY)],
        "lifts": grams,
    }
    TARGET.write_text(json.dumps(content, indent=1) + "\n")
    print(f"{TARGET.name}: {len(table.pairs)} pairs, {len(table.triples)} triples")


if __name__ == "__main__":
    main()
