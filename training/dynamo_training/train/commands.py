"""The commands `cache`, `write`, `train`, `plot`, `export`; PyTorch is imported when they run."""

from __future__ import annotations

import argparse
import hashlib
import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..bases import BASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np

    from ..model.base_model import BaseModel
    from .cache import Cache


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("cache", help="run the base over the corpus, once for all heads")
    _add_base(command)
    command.add_argument("--documents", type=Path, required=True, help="of the `corpus` command")
    command.add_argument("--split", choices=("train", "heldout"), required=True)
    command.add_argument("--code", action="store_true", help="leave prose (Markdown) out")
    command.add_argument("--shortlist", type=int, default=32_768, help="tokens heads may propose")
    command.add_argument("--length", type=int, default=512, help="tokens a row")
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(run=cache)

    command = commands.add_parser("write", help="a cache of text that the base itself writes")
    _add_base(command)
    command.add_argument("--cache", type=Path, required=True, help="its rows' halves are continued")
    command.add_argument("--tokens", type=int, default=64, help="that it adds to a row")
    command.set_defaults(run=write)

    command = commands.add_parser("train", help="train token heads")
    command.add_argument("--config", type=Path, required=True)
    command.add_argument("--gguf", type=Path, required=True, help="the base")
    command.add_argument("--cache", type=Path, required=True)
    command.add_argument("--parts", type=int, help="of the cache; all of them by default")
    command.add_argument("--heldout", type=Path, help="cache of held-out text, for the curves")
    command.add_argument("--out", type=Path, required=True)
    command.add_argument("--minutes", type=float, default=float("inf"), help="of this session")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    command.add_argument("--device", default="cpu", help="cpu or cuda")
    command.set_defaults(run=train)

    command = commands.add_parser("plot", help="curves.png of runs")
    command.add_argument("runs", type=Path, nargs="+")
    command.set_defaults(run=plot)

    command = commands.add_parser("export", help="a run's heads as a file of the suite")
    command.add_argument("--checkpoint", type=Path, required=True, help="a run's folder, or a file")
    command.add_argument("--out", type=Path, required=True, help="models/ID/heads-NAME.safetensors")
    command.add_argument("--shortlist", type=int, help="keep so many tokens, the most frequent")
    command.add_argument("--tokens", type=int, help="the first heads alone: 3 of a T4, say")
    command.set_defaults(run=export)


def _add_base(command: argparse.ArgumentParser) -> None:
    command.add_argument("--base", choices=BASES, required=True)
    command.add_argument("--gguf", type=Path, required=True)
    command.add_argument("--parts", type=int, required=True, help="of 128 rows, in all")
    command.add_argument("--out", type=Path, required=True)
    command.add_argument("--exact", action="store_true", help="for measuring: see train/cache.py")
    command.add_argument("--device", default="cpu", help="cpu or cuda")


def cache(options: argparse.Namespace) -> int:
    from ..data.rows import RowMaker, is_prose, read_documents, shortlist
    from ..gguf_file import read_tokenizer
    from .cache import PART_ROWS, Cache

    tokenizer, control = read_tokenizer(options.gguf)
    documents = read_documents(options.documents, "train")
    tokens, share = shortlist(tokenizer, documents, options.shortlist, control)
    print(f"the {len(tokens):,} most frequent tokens are {share:.2%} of the training text")
    if options.split != "train":
        documents = read_documents(options.documents, options.split)
    meta = {
        "base": options.base,
        "length": options.length,
        "shortlist": len(tokens),
        "exact": options.exact,
        "seed": options.seed,
        "split": options.split,
        "documents": hashlib.sha256(options.documents.read_bytes()).hexdigest(),
    }
    if options.code:
        documents = [document for document in documents if not is_prose(document)]
        meta["code"] = True
    made = Cache.create(options.out, meta, tokens)
    rows = RowMaker(tokenizer, control, options.length, options.seed).rows(documents)
    first = made.parts() * PART_ROWS
    return _fill(options, made, lambda _: islice(rows, first, None))


def write(options: argparse.Namespace) -> int:
    from ..gguf_file import read_tokenizer
    from .cache import PART_ROWS, Cache
    from .written import written_rows

    source = Cache(options.cache)
    if source.meta["base"] != options.base or "written_from" in source.meta:
        raise ValueError(f"{options.cache} is not a cache of text for {options.base}")
    start = int(source.meta["length"]) // 2
    _, control = read_tokenizer(options.gguf)
    own = {
        "length": start + options.tokens,
        "exact": options.exact,
        "written_from": start,
        "end_of_text": control["<|endoftext|>"],
    }
    made = Cache.create(options.out, {**source.meta, **own}, source.shortlist)
    first = made.parts() * PART_ROWS
    return _fill(options, made, lambda model: written_rows(model, source, first, options.tokens))


def _fill(
    options: argparse.Namespace,
    made: Cache,
    rows: Callable[[BaseModel], Iterable[np.ndarray]],
) -> int:
    """Adds what is missing of options.parts."""
    import torch
    from tqdm import tqdm

    from ..memory import keep_large_buffers
    from ..model.base_model import BaseModel
    from ..precision import product_type
    from .cache import fill

    keep_large_buffers()
    device = torch.device(options.device)
    model = BaseModel.from_gguf(options.gguf, BASES[options.base], product_type(device)).to(device)
    with tqdm(total=options.parts, initial=made.parts(), unit="part") as bar:
        fill(made, model, rows(model), options.parts, lambda _: bar.update())
    return 0


def train(options: argparse.Namespace) -> int:
    import torch

    from ..memory import keep_large_buffers
    from ..model.base_model import BaseModel
    from ..precision import product_type
    from . import sharding
    from .cache import Cache
    from .checkpoint import products_of
    from .config import TrainConfig
    from .curves import plot as draw
    from .first_weights import provenance
    from .run import Run
    from .trainer import Rows, Trainer

    keep_large_buffers()
    config = TrainConfig.read(options.config)
    device = sharding.start(options.device)
    source = Cache(options.cache)
    if source.meta["base"] != config.base_id:
        raise ValueError(f"{options.cache} is a cache of {source.meta['base']}")
    saved = options.resume and products_of(options.out)
    products = getattr(torch, saved) if saved else product_type(device)
    # A base that learns keeps its weights in float32.
    kind = torch.float32 if config.learns_base else products
    model = BaseModel.from_gguf(options.gguf, config.base, kind)
    if sharding.processes() == 1:
        model = model.to(device)
    rows = Rows(source, config, options.parts or source.parts(), device)
    heldout = None
    if options.heldout is not None:
        held = Cache(options.heldout)
        heldout = Rows(held, config, held.parts(), device)
    trainer = Trainer(config, model, source.shortlist, rows.length, device, products)
    run = Run(trainer, rows, heldout, options.out)
    run.prepare(options.resume)
    if run.first:
        data = rows.data | provenance(config)
        (options.out / "data.json").write_text(json.dumps(data, indent=1) + "\n")
    done = run.go(options.minutes)
    if run.first:
        draw(options.out)
        print(f"step {trainer.step} of {trainer.steps}, {run.seconds:,.0f} s: {options.out}")
        if not done:
            print("stopped before its end; --resume goes on")
    sharding.end()
    return 0


def plot(options: argparse.Namespace) -> int:
    from .curves import plot as draw

    for folder in options.runs:
        print(draw(folder))
    return 0


def export(options: argparse.Namespace) -> int:
    from ..export.pack import pack
    from ..model.heads import TokenHeads
    from .checkpoint import read_checkpoint
    from .config import TrainConfig

    state = read_checkpoint(options.checkpoint)
    config = TrainConfig.from_json(state["config"])
    if config.learns_base:
        raise ValueError("only heads on the base as published can be exported: this base learnt")
    heads = TokenHeads(config.base, config.heads)
    heads.load_state_dict(state["heads"])
    if options.tokens is not None:
        heads = heads.first(options.tokens)
    run = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
    data = json.loads((run / "data.json").read_text())
    record: dict[str, object] = {
        "training": state["config"],
        "data": data,
        "tokensSeen": state["step"] * config.batch_rows * data["length"],
        "seconds": round(state["seconds"]),
        "device": state["device"],
    }
    if "start" in data:
        record["start"] = data.pop("start")
    shortlist = state["shortlist"][: options.shortlist].int().numpy()
    measures = _measures(run, heads.config.tokens, len(shortlist))
    if measures is not None:
        record["measures"] = measures
    pack(options.out, heads, shortlist, record)
    print(f"{options.out}: now run `graphs` to make its graphs")
    return 0


def _measures(run: Path, tokens: int, shortlist: int) -> dict[str, object] | None:
    """What was measured of so many heads with that very shortlist."""
    for path in sorted(run.glob("measures*.json")):
        found = json.loads(path.read_text())
        if (found["tokens"], found["shortlist"]) == (tokens, shortlist):
            return found
    return None
