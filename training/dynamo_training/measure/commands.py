"""The commands `measure`, `report` and `cards`. PyTorch is imported when they run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..suite import SUITE


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("measure", help="perplexities and accepted length of a run")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--checkpoint", type=Path, help="a run's folder or one of its checkpoints")
    what.add_argument("--config", type=Path, help="a configuration: heads as they start")
    command.add_argument("--gguf", type=Path, required=True)
    command.add_argument("--heldout", type=Path, required=True, help="cache of held-out text")
    command.add_argument("--written", type=Path, help="cache made by `write`: accepted length")
    command.add_argument("--rows", type=int, default=32, help="of each cache")
    command.add_argument("--tokens", type=int, help="of the first heads alone: 2 of a T3 or T4, say")
    command.add_argument("--shortlist", type=int, help="propose so many tokens, the most frequent")
    command.add_argument("--device", default="cpu")
    command.add_argument("--out", type=Path, help="default: measures[-tN][-S].json in the run's folder")
    command.set_defaults(run=measure)
    command = commands.add_parser("report", help="Markdown table of several runs")
    command.add_argument("runs", type=Path, nargs="+")
    command.set_defaults(run=report)
    command = commands.add_parser("cards", help="write MODEL_CARD.md of every model of the suite")
    command.add_argument("--models", type=Path, default=SUITE)
    command.set_defaults(run=cards)


def measure(options: argparse.Namespace) -> int:
    import torch

    from ..memory import keep_large_buffers
    from ..model.base_model import BaseModel
    from ..model.heads import TokenHeads
    from ..precision import product_type
    from ..train.cache import Cache
    from ..train.checkpoint import read_checkpoint
    from ..train.config import TrainConfig
    from ..train.first_weights import first_heads
    from .evaluate import Model, accepted_length, evaluate

    keep_large_buffers()
    state = None
    if options.checkpoint is None:
        config = TrainConfig.read(options.config)
    else:
        state = read_checkpoint(options.checkpoint)
        config = TrainConfig.from_json(state["config"])
    heldout = Cache(options.heldout)
    device = torch.device(options.device)
    base = BaseModel.from_gguf(options.gguf, config.base, product_type(device))
    if state is None:
        heads = first_heads(config, base)
    else:
        heads = TokenHeads(config.base, config.heads)
        heads.load_state_dict(state["heads"])
        if state["base"] is not None:
            base.load_state_dict(state["base"])
    if options.tokens is not None:
        heads = heads.first(options.tokens)
    size = config.shortlist if options.shortlist is None else options.shortlist
    shortlist = torch.from_numpy(heldout.shortlist[:size]).long()
    model = Model(
        base.to(device),
        heads.to(device),
        shortlist.to(device),
        learnt_base=config.learns_base and state is not None,
    )
    results = {
        "step": state["step"] if state is not None else 0,
        "tokens": heads.config.tokens,
        "shortlist": len(shortlist),
    }
    results |= evaluate(model, heldout, options.rows)
    if options.written is not None:
        results |= accepted_length(model, Cache(options.written), options.rows)
    text = json.dumps(results, indent=1)
    print(text)
    out = options.out
    if out is None and options.checkpoint is not None:
        folder = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
        part = "" if options.tokens is None else f"-t{options.tokens}"
        part += "" if options.shortlist is None else f"-{options.shortlist}"
        out = folder / f"measures{part}.json"
    if out is not None:
        out.write_text(text + "\n")
    return 0


def report(options: argparse.Namespace) -> int:
    from .report import report as table

    print(table(options.runs))
    return 0


def cards(options: argparse.Namespace) -> int:
    from ..export.card import write_cards

    for path in write_cards(options.models):
        print(path.relative_to(options.models))
    return 0
