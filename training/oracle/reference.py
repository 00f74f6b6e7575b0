"""The oracle: a catalogued GGUF file in `transformers`, fp32, on the CPU.

It shares no code with the product's installer, tokenizer or graph, so agreement between the two is
evidence. What it corrects: Qwen's files hold the embedding twice (`token_embd` coarse, `output`
finer) and `transformers` embeds with the coarse one; the product, and so the oracle, uses
`output.weight` for both.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoModelForCausalLM

MODELS = ("smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")

# The split pattern of Qwen2's published tokenizer.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Reference:
    """A loaded model, its tokenizer for plain text, and the ids of its control tokens by name."""

    model_id: str
    sha256: str
    model: torch.nn.Module
    tokenizer: Tokenizer
    control: dict[str, int]

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; control-token look-alikes stay text."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False)

    @torch.inference_mode()
    def logits(self, ids: list[int]) -> torch.Tensor:
        """Logits after every token: float32 [len(ids), vocabulary]."""
        return self.model(torch.tensor([ids]), use_cache=False).logits[0]


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tokenizer_of(reader: GGUFReader) -> tuple[Tokenizer, dict[str, int]]:
    """The byte-level BPE that the file's metadata describes, and its control tokens.

    Control tokens are left out of the tokenizer's special tokens on purpose: text never becomes one.
    """
    tokens: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    types: list[int] = reader.fields["tokenizer.ggml.token_type"].contents()
    merges: list[str] = reader.fields["tokenizer.ggml.merges"].contents()
    flavour: str = reader.fields["tokenizer.ggml.pre"].contents()
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[tuple(merge.split(" ", 1)) for merge in merges],
        )
    )
    if flavour == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    elif flavour == "smollm":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    else:
        raise ValueError(f"unknown pre-tokenizer {flavour!r}; add it to tokenizer_of")
    tokenizer.decoder = decoders.ByteLevel()
    # Types of the GGUF specification: 3 control, 4 user defined. Qwen's files list the
    # fill-in-the-middle tokens under either, depending on the converter's age.
    control = {token: i for i, token in enumerate(tokens) if types[i] in (3, 4)}
    return tokenizer, control


def load(path: str | Path, model_id: str, *, threads: int | None = None) -> Reference:
    """Loads the model in float32 with its output embedding tied to `output.weight`, where given.

    Raises ValueError for an unknown model id and FileNotFoundError for a missing file.
    """
    path = Path(path)
    if model_id not in MODELS:
        raise ValueError(f"unknown model {model_id!r}; one of {', '.join(MODELS)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; give the model's GGUF with --gguf")
    if threads is not None:
        torch.set_num_threads(threads)
    reader = GGUFReader(path)
    tokenizer, control = tokenizer_of(reader)
    model = AutoModelForCausalLM.from_pretrained(
        str(path.parent), gguf_file=path.name, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    output = next((t for t in reader.tensors if t.name == "output.weight"), None)
    if output is not None:
        weight = torch.from_numpy(np.array(dequantize(output.data, output.tensor_type)))
        shared = torch.nn.Parameter(weight.to(torch.float32), requires_grad=False)
        model.get_input_embeddings().weight = shared
        model.get_output_embeddings().weight = shared
    return Reference(model_id, file_sha256(path), model, tokenizer, control)
