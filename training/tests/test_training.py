"""Runs that are stopped, resumed, broken and cut in two; caches; a language to be learnt."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tiny import (  # noqa: E402
    BASE,
    LENGTH,
    base_model,
    make_cache,
    random_rows,
    token_heads,
    train_config,
)

from dynamo_training.__main__ import main  # noqa: E402
from dynamo_training.bases import BASES  # noqa: E402
from dynamo_training.export.heads import HeadsSpec  # noqa: E402
from dynamo_training.export.pack import pack, unpack  # noqa: E402
from dynamo_training.model.heads import HeadsConfig  # noqa: E402
from dynamo_training.precision import product_type  # noqa: E402
from dynamo_training.train import cache as caches  # noqa: E402
from dynamo_training.train import run as runs  # noqa: E402
from dynamo_training.train import trainer as trainers  # noqa: E402
from dynamo_training.train.cache import Cache, fill  # noqa: E402
from dynamo_training.train.checkpoint import (  # noqa: E402
    checkpoints,
    products_of,
    read_checkpoint,
    save_checkpoint,
)
from dynamo_training.train.config import TrainConfig  # noqa: E402
from dynamo_training.train.curves import plot, read_log  # noqa: E402
from dynamo_training.train.first_weights import first_heads, provenance  # noqa: E402
from dynamo_training.train.run import Run  # noqa: E402
from dynamo_training.train.trainer import Batch, Diverged, Rows, Trainer  # noqa: E402

WIDE = replace(BASE, vocabulary=64)
LIVE = {"target": "labels", "rate_base": 1e-3, "rate_mixed": 1e-4}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setattr(caches, "PART_ROWS", 8)
    return make_cache(tmp_path / "cache", base_model(), parts=2)


def start(
    config: TrainConfig, cache: Cache, folder: Path, resume: bool = False, parts: int = 2
) -> Run:
    trainer = Trainer(config, base_model(), cache.shortlist, LENGTH)
    rows = Rows(cache, config, parts, torch.device("cpu"))
    run = Run(trainer, rows, Rows(cache, config, 1, torch.device("cpu")), folder)
    run.prepare(resume)
    return run


def before_step(run: Run, step: int, do: Callable[[], None]) -> None:
    """Does something when a run begins a step, counted from 0."""
    train_step = run.trainer.train_step

    def stepping(batch: Batch) -> list[float]:
        if run.trainer.step == step:
            do()
        return train_step(batch)

    run.trainer.train_step = stepping


@pytest.mark.parametrize("entries", [{}, {"optimiser": "adamw", "start": "random"}, LIVE])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(
    entries: dict[str, object], number: int, cache: Cache, tmp_path: Path
) -> None:
    config = train_config(**entries)
    whole = start(config, cache, tmp_path / "whole")
    assert whole.trainer.steps == 13 and whole.go()
    first = start(config, cache, tmp_path / "parts")
    before_step(first, 4, lambda: os.kill(os.getpid(), number))
    handler = signal.getsignal(number)
    assert not first.go()
    assert signal.getsignal(number) == handler
    torch.manual_seed(7)  # a resumed run must not depend on the generator's state
    second = start(config, cache, tmp_path / "parts", resume=True)
    assert second.trainer.step == 5 and second.seconds > 0
    assert second.go()
    ends = [read_checkpoint(tmp_path / name) for name in ("whole", "parts")]
    for end in ends:
        del end["seconds"]
    assert_same(*ends)
    assert read_log(tmp_path / "whole")[-1]["agreement"] == read_log(tmp_path / "parts")[-1][
        "agreement"
    ]


def assert_same(one: object, other: object) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    else:
        assert one == other


def test_a_run_ends_when_its_minutes_are_over(cache: Cache, tmp_path: Path) -> None:
    run = start(train_config(), cache, tmp_path / "run")
    assert not run.go(minutes=0)
    assert run.trainer.step == 0 and len(checkpoints(tmp_path / "run")) == 1


def test_the_log_of_a_resumed_run_has_no_step_twice(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LOG_STEPS", 2)
    folder = tmp_path / "run"
    run = start(train_config(), cache, folder)
    before_step(run, 5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    run.go()
    with (folder / "log.jsonl").open("a") as log:  # as after a crash behind the checkpoint
        log.write(json.dumps({"step": 8}) + "\n")
    start(train_config(), cache, folder, resume=True).go()
    entries = read_log(folder)
    assert [entry["step"] for entry in entries] == [2, 4, 6, 8, 10, 12, 13]
    assert entries[-1]["tokens"] == 13 * 4 * LENGTH
    assert 1 <= entries[-1]["accepted"] <= 3 and len(entries[-1]["agreement"]) == 2
    assert plot(folder).read_bytes()[:4] == b"\x89PNG"


def test_a_run_is_not_overwritten_or_mistaken(cache: Cache, tmp_path: Path) -> None:
    start(train_config(), cache, tmp_path / "run").go(minutes=0)
    with pytest.raises(ValueError, match="--resume"):
        start(train_config(), cache, tmp_path / "run")
    with pytest.raises(ValueError, match="another configuration"):
        start(train_config(seed=2), cache, tmp_path / "run", resume=True)
    with pytest.raises(ValueError, match="other parts of it"):
        start(train_config(), cache, tmp_path / "run", resume=True, parts=1)


def test_a_run_keeps_the_type_of_its_products(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is faster may change with what else the machine does; the run must not."""
    assert products_of(tmp_path) is None
    start(train_config(), cache, tmp_path / "run").go(minutes=0)
    assert products_of(tmp_path / "run") == str(product_type(torch.device("cpu")))[6:]
    other = {torch.float32: torch.bfloat16, torch.bfloat16: torch.float32}
    slower = other[product_type(torch.device("cpu"))]
    monkeypatch.setattr(trainers, "product_type", lambda device: slower)
    with pytest.raises(ValueError, match="products in"):
        start(train_config(), cache, tmp_path / "run", resume=True)


def test_a_loss_that_is_no_number_stops_the_run(cache: Cache, tmp_path: Path) -> None:
    run = start(train_config(), cache, tmp_path / "run")
    run.go(minutes=0)
    weights = run.trainer.heads.heads[0].layers[0].ffn.down.weight
    before_step(run, 3, lambda: weights.data.fill_(torch.nan))
    with pytest.raises(Diverged, match="losses of step 4 are .*nan.*learning rates"):
        run.go()
    assert read_checkpoint(tmp_path / "run")["step"] == 0


def test_two_checkpoints_are_kept_and_none_is_half_there(tmp_path: Path) -> None:
    for step in (3, 20, 100):
        save_checkpoint(tmp_path, {"step": step})
    names = [path.name for path in tmp_path.iterdir()]
    assert sorted(names) == ["checkpoint-00000020.pt", "checkpoint-00000100.pt"]
    (tmp_path / "checkpoint-00000200.tmp").write_bytes(b"the machine went down here")
    assert read_checkpoint(tmp_path)["step"] == 100


def test_every_row_comes_once_an_epoch(cache: Cache) -> None:
    rows = Rows(cache, train_config(), 2, torch.device("cpu"))
    epochs = [[rows.batch(4 * epoch + i).ids for i in range(4)] for epoch in range(2)]
    first, second = (sorted(map(tuple, torch.cat(epoch).tolist())) for epoch in epochs)
    assert first == second and len(set(first)) == 16
    assert not torch.equal(torch.cat(epochs[0]), torch.cat(epochs[1]))


def test_a_cache_goes_on_where_it_stopped(cache: Cache, tmp_path: Path) -> None:
    model = base_model()
    again = Cache.create(tmp_path / "again", cache.meta, cache.shortlist)
    rows = list(zip(range(16), random_rows(), strict=False))
    fill(again, model, (row for _, row in rows), 1, lambda _: None)
    (tmp_path / "again" / "0001.stem.npy").write_bytes(b"stopped here")
    assert again.parts() == 1
    fill(again, model, (row for _, row in rows[8:]), 2, lambda _: None)
    for index in range(2):
        one, other = cache.open(index), again.open(index)
        for field in caches.FIELDS:
            assert np.array_equal(getattr(one, field), getattr(other, field)), field
    with pytest.raises(ValueError, match="ask for 2 parts"):
        fill(again, model, iter(()), 3, lambda _: None)


def test_a_cache_is_not_mixed_with_another(cache: Cache) -> None:
    with pytest.raises(ValueError, match="something else"):
        Cache.create(cache.folder, {**cache.meta, "seed": 9}, cache.shortlist)
    with pytest.raises(ValueError, match="something else"):
        Cache.create(cache.folder, cache.meta, cache.shortlist[::-1])
    with pytest.raises(ValueError, match="16 bits"):
        Cache.create(cache.folder / "large", {}, np.arange(70_000))


def test_what_is_cached_is_what_the_base_says(cache: Cache) -> None:
    model, part = base_model(), cache.open(1)
    ids = torch.from_numpy(part.ids.astype(np.int64))
    stem = model.stem(ids)
    shares = model.logits(model.head1(stem)).softmax(-1)
    assert torch.equal(caches.bf16_from_numpy(part.stem), stem.bfloat16())
    assert np.array_equal(part.choice, shares.argmax(-1))
    top = torch.from_numpy(part.top.astype(np.int64))
    assert torch.allclose(torch.tensor(part.share).float(), shares.gather(2, top), atol=1e-3)


# The toy language: a token is followed by one that it determines, SURE of the time, else by any.
SURE = 0.85


def toy_rows(count: int, seed: int, size: int = 24) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    successor = np.random.default_rng(0).permutation(size)
    rows = rng.integers(0, size, (count, LENGTH))
    for at in range(1, LENGTH):
        sure = rng.random(count) < SURE
        rows[sure, at] = successor[rows[sure, at - 1]]
    return torch.from_numpy(rows)


def right_shares(trainer: Trainer, ids: torch.Tensor) -> list[float]:
    """Share of positions at which a head's likeliest token is the text's, heads 1..3."""
    with torch.inference_mode():
        first = trainer.model.logits(trainer.model.head1(trainer.model.stem(ids))).argmax(-1)
    guesses = [first, *trainer.guesses(Batch(ids))]
    pairs = [(g[:, 2:-i], ids[:, 2 + i :]) for i, g in enumerate(guesses, start=1)]
    return [(guess == text).float().mean().item() for guess, text in pairs]


def test_base_and_heads_learn_a_language_as_far_as_it_can_be_known() -> None:
    """All three rates at work; then chained heads, which know the token before their own."""
    base = replace(BASE, hidden=32, layers=2, vocabulary=24)
    config = TrainConfig(
        "tiny",
        HeadsConfig("independent", 3),
        start="random",
        target="labels",
        optimiser="adamw",
        rate_heads=1e-2,
        rate_base=5e-3,
        rate_mixed=5e-4,
        tokens=120 * 32 * LENGTH,
        batch_rows=32,
        positions=1.0,
        shortlist=24,
    )
    trainer = Trainer(config, base_model(base), np.arange(24), LENGTH)
    for step in range(trainer.steps):
        trainer.train_step(Batch(toy_rows(32, step)))
    heldout = toy_rows(256, 10_000)
    noise = (1 - SURE) / 24
    # The chain must hold for i tokens, or be hit by chance.
    known = [SURE + noise, SURE**2 + (1 - SURE**2) / 24, SURE**3 + (1 - SURE**3) / 24]
    assert right_shares(trainer, heldout) == pytest.approx(known, abs=0.04)

    model = trainer.model.requires_grad_(False)
    heads = HeadsConfig("shared", 3)
    config = replace(config, heads=heads, rate_base=0, rate_mixed=0, tokens=120 * 32 * LENGTH)
    trainer = Trainer(config, model, np.arange(24), LENGTH)
    for step in range(trainer.steps):
        ids = toy_rows(32, step)
        with torch.no_grad():
            stem = model.stem(ids)
        trainer.train_step(Batch(ids, stem))
    assert right_shares(trainer, heldout) == pytest.approx([SURE + noise] * 3, abs=0.04)


def sharded_losses(rank: int, port: int, folder: Path) -> None:
    """One of two processes: trains, saves, trains; then another trainer goes on from the save."""
    import torch.distributed as dist

    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    losses, state = two_halves()
    if rank == 0:
        torch.save((losses, state), folder / "sharded.pt")
    dist.destroy_process_group()


def two_halves() -> tuple[list[list[float]], dict[str, object]]:
    """Losses of six steps with a checkpoint's round trip after three, and the last state."""
    config = train_config("chained", optimiser="adamw", **LIVE)
    losses, state = [], None
    for half in range(2):
        trainer = Trainer(config, base_model(), np.arange(40), LENGTH, torch.device("cpu"))
        if state is not None:
            trainer.load_state(state)
        for step in range(3 * half, 3 * half + 3):
            ids = np.stack([row for row, _ in zip(random_rows(seed=step), range(4), strict=False)])
            losses.append(trainer.train_step(Batch(torch.from_numpy(ids).long())))
        state = trainer.state()
    return losses, state


@pytest.mark.skipif(sys.platform != "linux", reason="forks, to be spared importing PyTorch again")
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = (port, tmp_path)
    torch.multiprocessing.start_processes(sharded_losses, arguments, 2, start_method="fork")
    losses, state = torch.load(tmp_path / "sharded.pt", weights_only=True)
    alone, expected = two_halves()
    assert np.allclose(losses, alone, rtol=2e-3)
    for part in ("base", "heads"):
        for name, value in expected[part].items():
            assert torch.allclose(state[part][name], value, atol=5e-3), name


def test_heads_alone_are_not_sharded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamo_training.train.sharding.processes", lambda: 2)
    with pytest.raises(ValueError, match="without torchrun"):
        Trainer(train_config(), base_model(), np.arange(40), LENGTH)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"target": "guess"}, "unknown target"),
        ({"heads": {"kind": "hydra"}}, "unknown kind"),
        ({"rate_base": 1e-5}, "moving teacher"),
        ({"rate_mixed": 1e-5}, "base is frozen"),
        ({"rate": 1}, "rate.*entries are base_id"),
        ({"batch_rows": 0}, "at least 1"),
    ],
)
def test_a_wrong_configuration_is_refused(entries: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig.from_json({"base_id": "tiny", **entries})


def test_a_configuration_survives_json() -> None:
    config = train_config("chained", **LIVE)
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    with pytest.raises(ValueError, match="unknown base 'tiny': one of smollm2-135m"):
        _ = config.base


def test_a_failed_command_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"base_id": "smollm2-135m", "target": "guess"}')
    folders = ["--cache", str(tmp_path), "--out", str(tmp_path), "--gguf", "none"]
    assert main(["train", "--config", str(config), *folders]) == 1
    assert "train: " in capsys.readouterr().err
    assert main(["plot", str(tmp_path)]) == 1
    assert "not a run of `train`" in capsys.readouterr().err


def test_the_first_heads_of_a_run_are_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BASES, "tiny", WIDE)
    model = base_model(WIDE)
    config = replace(train_config(shortlist=64), heads=HeadsConfig("independent", 4))
    trainer = Trainer(config, model, np.arange(64), LENGTH)
    save_checkpoint(tmp_path, {**trainer.state(), "seconds": 1.0, "device": "none"})
    (tmp_path / "data.json").write_text(json.dumps({"length": LENGTH}))
    other = {"tokens": 3, "shortlist": 5, "accepted": 1.0}
    (tmp_path / "measures-t3-5.json").write_text(json.dumps(other))
    measures = {**other, "shortlist": 50, "accepted": 1.5}
    (tmp_path / "measures-t3-50.json").write_text(json.dumps(measures))
    out = tmp_path / "heads.safetensors"
    run = ["--checkpoint", str(tmp_path), "--out", str(out), "--tokens", "3", "--shortlist", "50"]
    assert main(["export", *run]) == 0
    heads, packed = unpack(out, WIDE)
    assert packed.spec == HeadsSpec("independent", 3, 1, 50)
    assert packed.record["measures"] == measures
    wanted = trainer.heads.state_dict()
    for name, value in heads.state_dict().items():
        assert (value - wanted[name]).abs().max() <= wanted[name].abs().max() / 127, name


def test_heads_of_the_suite_learn_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BASES, "tiny", WIDE)
    model, config = base_model(WIDE), train_config(start="heads-shared", shortlist=64)
    with pytest.raises(FileNotFoundError, match="start is one of last, random or heads"):
        first_heads(config, model, tmp_path)
    folder = tmp_path / "tiny"
    folder.mkdir()
    taught = token_heads(config.heads, WIDE, seed=5)
    pack(folder / "heads-shared_2.safetensors", taught, np.arange(64), {"tokensSeen": 7})
    found = first_heads(config, model, tmp_path).state_dict()
    for name, value in taught.state_dict().items():
        # int8 rows: at most half a step of the row's scale away.
        step = value.abs().amax(-1, keepdim=True) / 127 if value.dim() == 2 else value.abs() * 1e-6
        assert ((found[name] - value).abs() <= step / 2 + 1e-7).all(), name
    said = provenance(config, tmp_path)["start"]
    assert said["record"]["tokensSeen"] == 7 and len(said["sha256"]) == 64
    assert provenance(train_config()) == {}
    with pytest.raises(ValueError, match="holds heads of"):
        first_heads(train_config("independent", start="heads-shared"), model, tmp_path)
