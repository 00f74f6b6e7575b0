"""Measures against values by hand, brute force and counting."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tiny import BASE, LENGTH, base_model, make_cache, token_heads, train_config  # noqa: E402

from dynamo_training.bases import BASES  # noqa: E402
from dynamo_training.export.card import card  # noqa: E402
from dynamo_training.export.heads import HeadsSpec  # noqa: E402
from dynamo_training.export.pack import tensor_shapes, write_heads  # noqa: E402
from dynamo_training.measure import formulas  # noqa: E402
from dynamo_training.measure.evaluate import Model, accepted_length, evaluate  # noqa: E402
from dynamo_training.measure.overhead import CONTEXT, base_cost, heads_cost  # noqa: E402
from dynamo_training.measure.report import report  # noqa: E402
from dynamo_training.model.base_model import BaseModel  # noqa: E402
from dynamo_training.model.heads import KINDS, HeadsConfig, TokenHeads  # noqa: E402
from dynamo_training.suite import heads_files, starts  # noqa: E402
from dynamo_training.train import cache as caches  # noqa: E402
from dynamo_training.train import written  # noqa: E402

# Two positions; head 1 gives 1/2 and 1/8, head 2 gives 1/4 and 1/4, head 3 gives 1 and 1/16.
LOG_P = np.log([[1 / 2, 1 / 8], [1 / 4, 1 / 4], [1, 1 / 16]])


def test_perplexities_by_hand() -> None:
    assert formulas.perplexity(LOG_P, 1) == pytest.approx(4)
    assert formulas.perplexity(LOG_P, 2) == pytest.approx(4)
    assert formulas.perplexity(LOG_P, 3) == pytest.approx(4)
    assert formulas.joint_perplexity(LOG_P, 2) == pytest.approx(4)  # (8 * 32) ** (1/2 * 1/2)
    assert formulas.joint_perplexity(LOG_P, 3) == pytest.approx((8 * 512) ** (1 / 6))
    # One token at the first position, two at the second: 2 and 32 ** (1/2).
    dynamic = formulas.dynamic_perplexity(LOG_P, np.array([1, 2]))
    assert dynamic == pytest.approx((2 * 32**0.5) ** 0.5)


def test_confidence_is_that_of_the_tempered_top() -> None:
    logits = np.array([[3.0, 2.0, 0.0]])
    powers = np.exp(logits / formulas.TEMPERATURE)
    assert formulas.confidence(logits) == pytest.approx(powers[:, 0] / powers.sum())


@pytest.mark.parametrize("epsilon", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_orders_are_those_of_the_whole_joint(epsilon: float) -> None:
    rng = np.random.default_rng(0)
    heads = rng.dirichlet([0.2] * 5, (3, 200))
    heads = -np.sort(-heads, axis=-1)
    expected = []
    for first, second, third in heads.swapaxes(0, 1):
        joints = {2: np.outer(first, second), 3: np.einsum("i,j,k", first, second, third)}
        likely = [n for n in (3, 2) if (joints[n] >= epsilon ** (n - 1)).any()]
        expected.append(likely[0] if likely else 1)
    found = formulas.orders(heads[..., 0], epsilon)
    assert found.tolist() == ([1] * 200 if epsilon == 1 else expected)


def test_a_walk_equals_a_loop_over_drafts() -> None:
    rng = np.random.default_rng(0)
    for start, last in product((1, 5), (12, 40)):
        right = rng.random((2, 44)) < 0.6
        tokens, steps, at = 0, 0, start - 1
        while at + 3 <= last:
            emitted = 1
            for head in range(2):
                if not right[head, at]:
                    break
                emitted += 1
            at, tokens, steps = at + emitted, tokens + emitted, steps + 1
        assert formulas.walk(right, start, last) == (tokens, steps)


def written_cache(folder: Path, model: BaseModel, monkeypatch: pytest.MonkeyPatch) -> caches.Cache:
    monkeypatch.setattr(caches, "PART_ROWS", 8)
    source = make_cache(folder / "text", model)
    meta = {**source.meta, "written_from": LENGTH // 2, "end_of_text": -1}
    made = caches.Cache.create(folder / "written", meta, source.shortlist)
    caches.fill(made, model, written.written_rows(model, source, 0, 20), 1, lambda _: None)
    return made


def test_what_the_base_writes_is_its_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = written_cache(tmp_path, base_model(), monkeypatch)
    assert starts(made.meta) == [], "no heads that learning began from"
    part = made.open(0)
    start = LENGTH // 2
    assert part.ids.shape == (8, start + 20)
    assert np.array_equal(part.ids[:, start:], part.choice[:, start - 1 : -1])


def test_writing_goes_on_where_it_stopped() -> None:
    model = base_model()

    class Source:
        def parts(self) -> int:
            return 2

        def open(self, index: int) -> object:
            ids = np.random.default_rng(index).integers(0, BASE.vocabulary, (5, 8), dtype=np.int32)
            return type("Part", (), {"ids": ids})

    everything = list(written.written_rows(model, Source(), 0, 64))
    assert len(everything) == 10
    assert np.array_equal(list(written.written_rows(model, Source(), 6, 64)), everything[6:])


@pytest.mark.parametrize("kind", KINDS)
def test_accepted_length_is_that_of_real_drafting(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a loop that drafts from what is known alone, with a chain fed its own guesses."""
    model = base_model()
    heads = token_heads(HeadsConfig(kind, 3))
    cache = written_cache(tmp_path, model, monkeypatch)
    tokens = steps = 0
    for row in cache.open(0).ids.astype(np.int64):
        at = int(cache.meta["written_from"]) - 1
        while at + 3 <= len(row) - 1:
            known = torch.from_numpy(row[None, : at + 1])
            stem = model.stem(known).bfloat16().float()
            first = torch.from_numpy(row[None, at + 1 : at + 2])
            guesses: list[torch.Tensor] = []

            def guess(state: torch.Tensor, found: list[torch.Tensor] = guesses) -> torch.Tensor:
                found.append(model.logits(model.norm(state)).argmax(-1))
                return model.embedding(found[-1])

            embedded = model.embedding(known)
            states = heads.draft(stem, embedded, model.embedding(first).expand_as(stem), guess)
            if kind == "independent":
                for state in states:
                    guess(state)
            emitted = 1
            while emitted < 3 and guesses[emitted - 1][0, -1] == row[at + 1 + emitted]:
                emitted += 1
            at, tokens, steps = at + emitted, tokens + emitted, steps + 1
    everything = torch.arange(BASE.vocabulary)
    result = accepted_length(Model(model, heads, everything), cache, 8)
    assert result == {"accepted": tokens / steps, "accepted_steps": steps}
    assert 1 < result["accepted"] < 3


def test_a_text_of_the_world_is_not_what_the_base_wrote(tmp_path: Path) -> None:
    model = base_model()
    heads = token_heads(HeadsConfig("shared"))
    with pytest.raises(ValueError, match="`write` command"):
        accepted_length(Model(model, heads, torch.arange(9)), make_cache(tmp_path, model), 8)


@pytest.mark.parametrize("kind", KINDS)
def test_measures_equal_those_of_whole_logits(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "PART_ROWS", 8)
    model, heads = base_model(), token_heads(HeadsConfig(kind, 3))
    cache = make_cache(tmp_path, model)
    result = evaluate(Model(model, heads, torch.arange(BASE.vocabulary)), cache, 4)
    ids = torch.from_numpy(cache.open(0).ids[:4].astype(np.int64))
    stem = model.stem(ids).bfloat16().float()
    states = [model.head1(stem), *map(model.norm, heads(stem, model.embedding(ids)))]
    count = LENGTH - 3
    log_p, right = [], []
    for head, state in enumerate(states, start=1):
        every = model.logits(state).log_softmax(-1)[:, :count]
        targets = ids[:, head : head + count]
        log_p.append(every.gather(2, targets[..., None])[..., 0].flatten().double().numpy())
        right.append((every.argmax(-1) == targets).float().mean().item())
    log_p = np.array(log_p)
    for name, value in result["ppl"].items():
        formula = formulas.joint_perplexity if ":" in name else formulas.perplexity
        assert value == pytest.approx(formula(log_p, int(name[-1])), rel=1e-4)
    assert list(result["accuracy"].values()) == pytest.approx(right)
    last = result["ppl_d"][-1]
    assert last["tokens"] == 1 and last["ppl"] == pytest.approx(result["ppl"]["1"])
    assert result["ppl_d"][0]["ppl"] == pytest.approx(result["ppl"]["1:3"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_overhead_counts_what_is_there(kind: str, layers: int) -> None:
    for base in (BASE, replace(BASE, qkv_bias=False)):
        config = HeadsConfig(kind, 4, layers)
        model, heads = BaseModel(base), TokenHeads(base, config)
        assert base_cost(base, 8).parameters == sum(p.numel() for p in model.parameters())
        cost = heads_cost(base, config, 10, context=0)
        assert cost.parameters == sum(p.numel() for p in heads.parameters())
        matrices = sum(p.numel() for p in heads.parameters() if p.dim() == 2)
        uses = 3 if kind == "shared" else 1
        assert cost.flops == 2 * (uses * matrices + 3 * 10 * base.hidden)


def test_a_layer_more_costs_what_the_method_says() -> None:
    """One decoder layer of the 0.5B is 14.9 M of 494 M parameters."""
    base = BASES["qwen2.5-coder-0.5b"]
    whole = base_cost(base, 512)
    head = heads_cost(base, HeadsConfig("independent", 2), 32_768, 512)
    assert whole.parameters == 494_032_768
    assert head.parameters == 14_912_384


def test_a_report_has_a_row_for_each_run(tmp_path: Path) -> None:
    for name, tokens in (("one", 4_096), ("two", 8_192)):
        folder = tmp_path / name
        folder.mkdir()
        config = replace(train_config(), base_id="smollm2-135m")
        (folder / "config.json").write_text(json.dumps(config.to_json()))
        entry = {"step": 2, "tokens": tokens, "seconds": 3.2, "losses": [1.0, 2.0]}
        (folder / "log.jsonl").write_text(json.dumps(entry) + "\n")
    measures = {"ppl": {"1": 3.0, "1:2": 5.125}, "agreement": {"2": 0.5}, "accepted": 1.75}
    (tmp_path / "two" / "measures.json").write_text(json.dumps(measures))
    first = {"start": {"sha256": "", "record": {"tokensSeen": 400}}}
    start = {"start": {"sha256": "", "record": {"tokensSeen": 600, **first}}}
    (tmp_path / "two" / "data.json").write_text(json.dumps(start))
    head, _, one, two = report([tmp_path / "one", tmp_path / "two"]).splitlines()
    cells = dict(zip(head.split(" | "), two.split(" | "), strict=True))
    assert cells["| model"] == "| smollm2-135m T3-H"
    assert cells["tokens seen"] == "8,192 after 1,000" and cells["PPL_1:2"] == "5.12"
    assert cells["agreement 2"] == "50.0%" and cells["accepted length |"] == "1.750 |"
    assert "4,096" in one and one.count("|") == head.count("|")

    # Measured again with fewer heads and a shorter list: a row of its own, at its own cost.
    less = {"tokens": 2, "shortlist": 10, "agreement": {"2": 0.25}}
    (tmp_path / "two" / "measures-t2.json").write_text(json.dumps(less))
    head, _, short, _ = report([tmp_path / "two"]).splitlines()
    cells = dict(zip(head.split(" | "), short.split(" | "), strict=True))
    assert cells["| model"] == "| smollm2-135m T2-H" and cells["agreement 2"] == "25.0%"
    cost = heads_cost(BASES["smollm2-135m"], replace(config.heads, tokens=2), 10, CONTEXT)
    whole = base_cost(BASES["smollm2-135m"], CONTEXT)
    assert cells["FLOPs a token"] == f"+{cost.flops / whole.flops:.1%}"


def test_two_editions_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("heads-shared_10", "heads-independent"):
        (tmp_path / f"{name}.safetensors").touch()
    assert {name: path.stem for name, path in heads_files(tmp_path).items()} == {
        "heads-independent": "heads-independent",
        "heads-shared": "heads-shared_10",
    }
    (tmp_path / "heads-shared_9.safetensors").touch()
    with pytest.raises(ValueError, match="two editions of heads-shared"):
        heads_files(tmp_path)


def test_a_model_card_says_what_the_heads_say_of_themselves(tmp_path: Path) -> None:
    base = BASES["smollm2-135m"]
    spec = HeadsSpec("independent", 3, 1, 64)
    tensors = {name: np.zeros(shape) for name, shape in tensor_shapes(base, spec).items()}
    earlier = {"sha256": "ab" * 32, "record": {"tokensSeen": 1234, "seconds": 5}}
    record = {
        "training": {"target": "distil"},
        "data": {"distinctTokens": 100},
        "tokensSeen": 4321,
        "seconds": 60,
        "device": "2 CPU threads",
        "start": earlier,
        "measures": {"ppl": {"1:2": 4.5}, "agreement": {"2": 0.51}, "accepted": 1.625},
    }
    (tmp_path / base.id).mkdir()
    heads = tmp_path / base.id / "heads-independent.safetensors"
    write_heads(heads, base, spec, tensors, np.arange(64), record)
    entry = {
        "id": base.id,
        "name": "Small",
        "purpose": "tests",
        "licence": "Apache-2.0",
        "source": {"file": "small.gguf", "bytes": 98_362_432, "sha256": "cd" * 32},
        "heads": {"default": "independent"},
    }
    text = card(base, entry, tmp_path)
    for part in (
        "98,362,432 bytes",
        "## heads-independent (default)",
        "| parameters | +5.3% |",
        "4,321, of 100 distinct",
        "1,234 tokens in 5 s",
        "| PPL_1:2 | 4.50 |",
        "| head 2 chooses as the base does | 51.0% |",
        "1.62 tokens a step",
    ):
        assert part in text, part
    plain = card(base, {**entry, "heads": None}, tmp_path)
    assert "drafts from earlier text alone" in plain
    assert "heads" not in plain.replace("trained heads yet", "")
