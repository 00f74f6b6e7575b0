"""Token rows: their length, their layouts, and that the seed alone decides them."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

tokenizers = pytest.importorskip("tokenizers")

from dynamo_training.data.rows import Document, RowMaker, shortlist  # noqa: E402

CONTROL = {"<|endoftext|>": 0, "<|fim_prefix|>": 1, "<|fim_middle|>": 2, "<|fim_suffix|>": 3}
LENGTH = 200
CODE = [Document("python", f"def f{i}():\n" + f"    x = {i}\n" * 150) for i in range(5)]


@pytest.fixture
def tokenizer() -> tokenizers.Tokenizer:
    """One token a byte, behind the control tokens."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {**CONTROL} | {letter: 4 + i for i, letter in enumerate(alphabet)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    return made


def rows(tokenizer: tokenizers.Tokenizer, documents: list[Document], seed: int) -> list[list[int]]:
    maker = RowMaker(tokenizer, CONTROL, LENGTH, seed)
    return [row.tolist() for row in islice(maker.rows(documents), 60)]


def test_rows_have_their_length_and_depend_on_the_seed(tokenizer: tokenizers.Tokenizer) -> None:
    made = rows(tokenizer, CODE, 1)
    assert {len(row) for row in made} == {LENGTH}
    assert made == rows(tokenizer, CODE, 1) != rows(tokenizer, CODE, 2)


def test_infilling_rows_are_the_prompts_of_the_product(tokenizer: tokenizers.Tokenizer) -> None:
    """In both orders, prefix, middle and suffix put together are a passage of the document."""
    before, behind, middle = (CONTROL[f"<|fim_{name}|>"] for name in ("prefix", "suffix", "middle"))
    made = rows(tokenizer, CODE, 1)
    orders = set()
    for row in made:
        if before not in row:
            continue
        assert row[0] == before and row.count(behind) == row.count(middle) == 1
        end = row.index(0) if 0 in row else LENGTH
        suffix_at, middle_at = row.index(behind), row.index(middle)
        head = row[1:suffix_at] + row[middle_at + 1 : end]
        orders.add("suffix-first" if suffix_at == 1 else "prefix-first")
        passage = tokenizer.decode(head + row[suffix_at + 1 : middle_at])
        assert any(passage in document.text for document in CODE)
    assert orders == {"suffix-first", "prefix-first"}


def test_prose_and_bases_without_the_tokens_have_plain_rows(
    tokenizer: tokenizers.Tokenizer,
) -> None:
    prose = [Document("markdown", document.text) for document in CODE]
    assert not any({1, 2, 3} & set(row) for row in rows(tokenizer, prose, 1))
    maker = RowMaker(tokenizer, {"<|endoftext|>": 0}, LENGTH, 1)
    assert not any({1, 2, 3} & set(row.tolist()) for row in islice(maker.rows(CODE), 60))


def test_short_documents_fill_rows_together_and_none_fill_none(
    tokenizer: tokenizers.Tokenizer,
) -> None:
    short = [Document("markdown", "a few words\n")]
    assert len(rows(tokenizer, short, 1)) == 60
    with pytest.raises(ValueError, match="0 documents do not fill a row"):
        rows(tokenizer, [], 1)


def test_a_shortlist_holds_what_is_frequent(tokenizer: tokenizers.Tokenizer) -> None:
    documents = [Document("markdown", "aaaabbbc" * 10)]
    ids, share = shortlist(tokenizer, documents, 3, CONTROL)
    letters = [tokenizer.token_to_id(letter) for letter in "ab"]
    assert ids.dtype == np.int32 and ids.tolist() == [0, *letters]
    assert share == pytest.approx(7 / 8)
