"""`transformers` must undo llama.cpp's permutation of q and k, and the oracle must tie embeddings.

The files are made here, tiny and random, so the test needs no model.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

import reference

LAYERS, WIDTH, HEADS, KV_HEADS, FFN = 1, 32, 4, 2, 48
TOKENS = [chr(c) for c in range(33, 127)] + ["ab"]


def permute(rows: np.ndarray, heads: int) -> np.ndarray:
    """What llama.cpp's converter does: the two halves of each head become interleaved rows."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(rows.shape)


def write(path: Path, architecture: str, flavour: str) -> dict[str, np.ndarray]:
    """Writes a random model; returns its matrices as the original model would hold them."""
    rng = np.random.default_rng(7)
    head = WIDTH // HEADS
    shapes = {
        "token_embd.weight": (len(TOKENS), WIDTH),
        "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.ffn_norm.weight": (WIDTH,),
        "blk.0.attn_q.weight": (HEADS * head, WIDTH),
        "blk.0.attn_k.weight": (KV_HEADS * head, WIDTH),
        "blk.0.attn_v.weight": (KV_HEADS * head, WIDTH),
        "blk.0.attn_output.weight": (WIDTH, HEADS * head),
        "blk.0.ffn_gate.weight": (FFN, WIDTH),
        "blk.0.ffn_up.weight": (FFN, WIDTH),
        "blk.0.ffn_down.weight": (WIDTH, FFN),
    }
    if architecture == "qwen2":
        shapes["output.weight"] = (len(TOKENS), WIDTH)
        shapes |= {
            f"blk.0.attn_{part}.bias": (heads * head,)
            for part, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS))
        }
    tensors = {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(flavour)
    writer.add_token_list(TOKENS)
    writer.add_token_types([1] * len(TOKENS))
    writer.add_token_merges(["a b"])
    for name, tensor in tensors.items():
        stored = tensor
        if architecture == "llama" and name.endswith("attn_q.weight"):
            stored = permute(tensor, HEADS)
        elif architecture == "llama" and name.endswith("attn_k.weight"):
            stored = permute(tensor, KV_HEADS)
        writer.add_tensor(name, stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


def test_llama_query_and_key_rows_are_unpermuted(tmp_path: Path) -> None:
    original = write(tmp_path / "tiny.gguf", "llama", "smollm")
    attention = reference.load(tmp_path / "tiny.gguf", "smollm2-135m").model.model.layers[0].self_attn
    for name, layer in (("q", attention.q_proj), ("k", attention.k_proj)):
        wanted = original[f"blk.0.attn_{name}.weight"]
        assert not np.array_equal(permute(wanted, HEADS), wanted), "the permutation must matter"
        np.testing.assert_array_equal(layer.weight.detach().numpy(), wanted)


def test_qwen_embeds_with_the_output_matrix(tmp_path: Path) -> None:
    original = write(tmp_path / "tiny.gguf", "qwen2", "qwen2")
    loaded = reference.load(tmp_path / "tiny.gguf", "qwen2.5-coder-0.5b")
    embedding = loaded.model.get_input_embeddings().weight
    np.testing.assert_array_equal(embedding.numpy(), original["output.weight"])
    assert embedding is loaded.model.get_output_embeddings().weight
    assert not np.array_equal(original["output.weight"], original["token_embd.weight"])


def test_qwen_rows_stay_as_stored(tmp_path: Path) -> None:
    original = write(tmp_path / "tiny.gguf", "qwen2", "qwen2")
    attention = reference.load(tmp_path / "tiny.gguf", "qwen2.5-coder-0.5b").model.model.layers[0].self_attn
    np.testing.assert_array_equal(
        attention.q_proj.weight.detach().numpy(), original["blk.0.attn_q.weight"]
    )
    assert torch.equal(attention.q_proj.bias, torch.from_numpy(original["blk.0.attn_q.bias"]))


def test_unknown_models_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown model"):
        reference.load(tmp_path / "tiny.gguf", "gpt-2")
    with pytest.raises(FileNotFoundError, match="--gguf"):
        reference.load(tmp_path / "none.gguf", "smollm2-135m")
