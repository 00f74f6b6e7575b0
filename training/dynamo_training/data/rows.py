"""Token rows of equal length from the corpus: what the base reads while heads are trained.

Three layouts, those of the product's prompts (src/completion/prompt.ts): plain text, and the two
fill-in-the-middle orders of bases that have the control tokens for it. In suffix-first rows the
prompt's prefix and the middle are one text, so every position behind <|fim_middle|> is a place
where the product may be asked to complete.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

LAYOUTS = ("suffix-first", "prefix-first", "plain")
FIM_SHARES = (0.5, 0.1, 0.4)
PROSE = frozenset({"markdown", "text", "rst", "prose"})
SHORTEST = 64  # tokens: a shorter rest is not begun
BATCH = 256  # documents tokenised at a time
CHARACTERS_A_TOKEN = 6  # more than any text has on average, so that windows are long enough


@dataclass(frozen=True)
class Document:
    """One file of the corpus."""

    language: str
    text: str


def is_prose(document: Document) -> bool:
    return document.language.lower() in PROSE


def read_documents(path: Path, split: str) -> list[Document]:
    """The documents of one split ("train" or "heldout"), in the file's order."""
    with path.open(encoding="utf-8") as lines:
        records = (json.loads(line) for line in lines)
        return [
            Document(record["language"], record["text"])
            for record in records
            if record["split"] == split
        ]


class RowMaker:
    """Cuts documents into rows of `length` tokens, the same ones for the same seed."""

    def __init__(
        self, tokenizer: Tokenizer, control: dict[str, int], length: int, seed: int
    ) -> None:
        self.tokenizer = tokenizer
        self.length = length
        self.random = random.Random(seed)
        self.separator = control["<|endoftext|>"]
        names = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
        self.fim = [control[name] for name in names] if names[0] in control else None

    def rows(self, documents: list[Document]) -> Iterator[np.ndarray]:
        """Endless rows, int32 [length]; every pass takes one window of each document.

        Raises ValueError where a whole pass over the documents gives no row.
        """
        plain: list[int] = []
        made, before = 0, -1
        while made > before or plain:
            before = made
            order = list(range(len(documents)))
            self.random.shuffle(order)
            for index in order:
                document = documents[index]
                layout = self._layout(document)
                if layout == "plain":
                    plain += [*self._encode(self._window(document.text)), self.separator]
                    if len(plain) >= self.length:
                        made += 1
                        yield np.array(plain[: self.length], np.int32)
                        plain = []
                    continue
                row = self._fill_in_the_middle(document.text, layout)
                if row is not None:
                    made += 1
                    yield row
        raise ValueError(f"{len(documents)} documents do not fill a row of {self.length} tokens")

    def _layout(self, document: Document) -> str:
        if self.fim is None or is_prose(document):
            return "plain"
        return self.random.choices(LAYOUTS, FIM_SHARES)[0]

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def _window(self, text: str) -> str:
        """Text from a random line on, long enough for a row."""
        wanted = self.length * CHARACTERS_A_TOKEN
        latest = max(0, len(text) - self.length * 3)
        start = self.random.randint(0, latest)
        start = text.rfind("\n", 0, start) + 1
        return text[start : start + wanted]

    def _fill_in_the_middle(self, text: str, layout: str) -> np.ndarray | None:
        """A row of prefix, middle and suffix, or None where the document is too short for one."""
        assert self.fim is not None
        before, behind, middle = self.fim
        window = self._window(text)
        suffix_tokens = self.random.randint(16, self.length // 3)
        room = self.length - suffix_tokens - 3
        head = self._encode(window[: room * CHARACTERS_A_TOKEN])[:room]
        if len(head) < SHORTEST:
            return None
        # The suffix is tokenised by itself, as the product does, from where the head's text ends.
        end = len(self.tokenizer.decode(head))
        if self.random.random() < 0.7:
            line_end = window.rfind("\n", 0, end)
            if line_end > end // 2:
                head = self._encode(window[:line_end])
                end = line_end
        suffix = self._encode(window[end : end + suffix_tokens * CHARACTERS_A_TOKEN])
        suffix = suffix[:suffix_tokens]
        if layout == "suffix-first":
            row = [before, behind, *suffix, middle, *head, self.separator]
        else:
            cut = self.random.randint(0, len(head))
            row = [before, *head[:cut], behind, *suffix, middle, *head[cut:], self.separator]
        if len(row) < self.length:
            # What is left over is filled with the suffix's continuation, as a text of its own.
            rest = window[end + suffix_tokens * 3 :]
            row += self._encode(rest)[: self.length - len(row)]
        if len(row) < self.length:
            return None
        return np.array(row[: self.length], np.int32)


def tokenised(tokenizer: Tokenizer, documents: list[Document]) -> Iterator[np.ndarray]:
    """The token ids of each document, int32 [tokens]."""
    for start in range(0, len(documents), BATCH):
        texts = [document.text for document in documents[start : start + BATCH]]
        for encoded in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
            yield np.array(encoded.ids, np.int32)


def shortlist(
    tokenizer: Tokenizer, documents: list[Document], size: int, control: dict[str, int]
) -> tuple[np.ndarray, float]:
    """The `size` most frequent token ids of the documents, most frequent first, and their share.

    <|endoftext|> comes first. A shorter list is a prefix of a longer one.
    """
    counts = np.zeros(tokenizer.get_vocab_size(), np.int64)
    for ids in tokenised(tokenizer, documents):
        np.add.at(counts, ids, 1)
    total = counts.sum()
    ranked = counts.copy()
    ranked[control["<|endoftext|>"]] = total + 1
    best = np.argsort(-ranked, kind="stable")[:size]
    return best.astype(np.int32), float(counts[best].sum() / total)
