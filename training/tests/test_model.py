"""The base and its heads: shapes, what each position may see, and two ways to say the same."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from numpy_base import forward, random_weights  # noqa: E402
from tiny import BASE, LENGTH, base_model, token_heads  # noqa: E402

from dynamo_training.model.base_model import BaseModel  # noqa: E402
from dynamo_training.model.heads import KINDS, HeadsConfig, TokenHeads  # noqa: E402
from dynamo_training.model.transformer import rotary_tables  # noqa: E402

CHAINED = ("chained", "shared")


def ids(rows: int = 2, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, BASE.vocabulary, (rows, LENGTH), generator=generator)


def states_of(model: BaseModel, heads: TokenHeads, tokens: torch.Tensor) -> list[torch.Tensor]:
    return heads(model.stem(tokens), model.embedding(tokens))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokens", [2, 3, 4])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_model_has_a_state_for_each_head(kind: str, tokens: int, layers: int) -> None:
    model, heads = base_model(), token_heads(HeadsConfig(kind, tokens, layers))
    states = states_of(model, heads, ids())
    assert [tuple(state.shape) for state in states] == [(2, LENGTH, BASE.hidden)] * (tokens - 1)
    assert len(heads.heads) == (1 if kind == "shared" else tokens - 1)
    assert model.logits(states[0]).shape == (2, LENGTH, BASE.vocabulary)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_heads_say_what_they_say_among_all(kind: str) -> None:
    model, heads = base_model(), token_heads(HeadsConfig(kind, tokens=4))
    whole = states_of(model, heads, ids())
    for tokens in (2, 3, 4):
        first = heads.first(tokens)
        assert first.config == HeadsConfig(kind, tokens)
        for mine, same in zip(states_of(model, first, ids()), whole, strict=False):
            assert torch.equal(mine, same)
    with pytest.raises(ValueError, match="these heads are T4: no T5"):
        heads.first(5)


def test_stem_and_head_1_are_the_base() -> None:
    weights = random_weights(BASE, 3)
    model = base_model()
    model.load_state_dict(torch_state(weights))
    tokens = ids(rows=1)
    expected = forward(BASE, weights, tokens[0].numpy())
    stem = model.stem(tokens)
    logits = model.logits(model.head1(stem))
    assert np.allclose(stem[0], expected["stem"], atol=1e-4)
    assert np.allclose(logits[0], expected["logits"], atol=1e-4)


def torch_state(weights: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """The state of a BaseModel, from the names and layouts of numpy_base."""
    wide, narrow = BASE.heads * BASE.head_size, BASE.kv_heads * BASE.head_size
    state = {"embedding.weight": weights["embedding"], "norm.weight": weights["output_norm.weight"]}
    for layer in range(BASE.layers):
        theirs, ours = f"l{layer}.", f"layers.{layer}."
        cuts = np.split(weights[f"{theirs}qkv"], [wide, wide + narrow], axis=1)
        biases = np.split(weights[f"{theirs}qkv.bias"], [wide, wide + narrow])
        for name, matrix, bias in zip("qkv", cuts, biases, strict=True):
            state[f"{ours}attention.{name}.weight"] = matrix.T
            state[f"{ours}attention.{name}.bias"] = bias
        state[f"{ours}attention_norm.weight"] = weights[f"{theirs}attn_norm.weight"]
        state[f"{ours}attention.output.weight"] = weights[f"{theirs}attn_output"].T
        state[f"{ours}ffn_norm.weight"] = weights[f"{theirs}ffn_norm.weight"]
        for name in ("gate", "up", "down"):
            state[f"{ours}ffn.{name}.weight"] = weights[f"{theirs}ffn_{name}"].T
    return {name: torch.tensor(value) for name, value in state.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_no_head_sees_what_it_predicts(kind: str, layers: int) -> None:
    """Head i at t does not change with x_{t+i} and later; a chained one does with x_{t+i-1}."""
    model, heads, at = base_model(), token_heads(HeadsConfig(kind, 4, layers)), 9
    before = states_of(model, heads, ids())
    for changed in range(at + 1, at + 6):
        tokens = ids()
        tokens[:, changed:] = (tokens[:, changed:] + 1) % BASE.vocabulary
        after = states_of(model, heads, tokens)
        for head, (one, other) in enumerate(zip(before, after, strict=True), start=2):
            same = torch.equal(one[:, : at + 1], other[:, : at + 1])
            blind = changed >= at + head or kind == "independent"
            assert same == blind, f"head {head}, x_(t+{changed - at}) changed"


def naive_chain(
    heads: TokenHeads, stem: torch.Tensor, embedded: torch.Tensor, tail: torch.Tensor, at: int
) -> list[torch.Tensor]:
    """States [H] of heads 2..n at one position, computed one after the other from whole sequences.

    stem and embedded [T, H] are of the text; tail [n - 1, H] embeds the tokens behind position `at`
    that the chain is fed.
    """
    model_tables = rotary_tables(BASE, torch.arange(len(stem) + 4))

    def run(head: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
        tables = tuple(table[: len(rows)] for table in model_tables)
        out = rows[None]
        for layer in head.layers:
            out = layer(out, tables)
        return out[0]

    states, count = [], heads.config.tokens - 1
    if heads.config.kind == "shared":
        # One sequence: true inputs of places 0..at-1, then the chain's own rows.
        head = heads.heads[0]
        rows = [head.fusion(stem[s], embedded[s + 1]) for s in range(at)]
        state = stem[at]
        for token in tail[:count]:
            rows.append(head.fusion(state, token))
            state = run(head, torch.stack(rows))[-1]
            states.append(state)
        return states
    true, state = list(stem), stem[at]
    for depth, (head, token) in enumerate(zip(heads.heads, tail, strict=False), start=1):
        rows = [head.fusion(true[s], embedded[s + depth]) for s in range(at)]
        outputs = run(head, torch.stack([*rows, head.fusion(state, token)]))
        true, state = list(outputs[:-1]), outputs[-1]
        states.append(state)
    return states


@pytest.mark.parametrize("kind", CHAINED)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_chain_equals_its_evaluation_position_by_position(kind: str, layers: int) -> None:
    model, heads = base_model(), token_heads(HeadsConfig(kind, 4, layers))
    tokens = ids(rows=1)
    stem, embedded = model.stem(tokens), model.embedding(tokens)
    states = heads(stem, embedded)
    for at in (1, 7, LENGTH - 4):
        tail = embedded[0, at + 1 : at + 4]
        expected = naive_chain(heads, stem[0], embedded[0], tail, at)
        for state, wanted in zip(states, expected, strict=True):
            assert torch.allclose(state[0, at], wanted, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_states_of_chosen_places_are_those_of_all(kind: str, layers: int) -> None:
    model = base_model()
    heads = token_heads(HeadsConfig(kind, 4, layers)).requires_grad_(True)
    tokens = ids(rows=2)
    stem, embedded = model.stem(tokens), model.embedding(tokens)
    chosen = [torch.tensor([1, 4, LENGTH + 2]), torch.tensor([0]), torch.tensor([3, LENGTH])]
    every = heads(stem, embedded)
    wanted = [state.flatten(0, 1)[places] for state, places in zip(every, chosen, strict=True)]
    states = heads(stem, embedded, chosen)
    for state, other in zip(states, wanted, strict=True):
        assert torch.allclose(state, other, atol=1e-5)
    slopes, others = (
        torch.autograd.grad(sum(state.square().sum() for state in found), list(heads.parameters()))
        for found in (states, wanted)
    )
    for slope, other in zip(slopes, others, strict=True):
        assert torch.allclose(slope, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", CHAINED)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_draft_is_fed_its_own_guesses(kind: str, layers: int) -> None:
    model, heads = base_model(), token_heads(HeadsConfig(kind, 4, layers))
    tokens = ids(rows=1)
    stem, embedded = model.stem(tokens), model.embedding(tokens)
    fed: list[torch.Tensor] = [model.embedding((tokens + 5) % BASE.vocabulary)]

    def guess(state: torch.Tensor) -> torch.Tensor:
        fed.append(model.embedding(model.logits(model.norm(state)).argmax(-1)))
        return fed[-1]

    states = heads.draft(stem, embedded, fed[0], guess)
    for at in (1, 7, LENGTH - 4):
        tail = torch.stack([token[0, at] for token in fed[:3]])
        expected = naive_chain(heads, stem[0], embedded[0], tail, at)
        for state, wanted in zip(states, expected, strict=True):
            assert torch.allclose(state[0, at], wanted, atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
def test_heads_may_begin_as_the_last_layers(layers: int) -> None:
    model, heads = base_model(), TokenHeads(BASE, HeadsConfig("chained", 3, layers))
    heads.initialise(model, "last", 1)
    for head in heads.heads:
        for ours, theirs in zip(head.layers, model.layers[-layers:], strict=True):
            pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
            assert all(torch.equal(*pair) for pair in pairs)


def test_random_heads_depend_on_the_seed_alone() -> None:
    states = []
    for noise, seed in ((1, 1), (2, 1), (3, 2)):
        torch.manual_seed(noise)
        heads = TokenHeads(BASE, HeadsConfig("independent", 3))
        heads.initialise(base_model(seed=noise), "random", seed)
        states.append(torch.cat([p.flatten() for p in heads.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
