"""MODEL_CARD.md of a base with its heads: made from the catalogue and from what the trained heads
say of themselves, so that it never says more than the files do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..bases import BASES, Base
from ..measure.overhead import overhead
from ..model.heads import HeadsConfig
from ..suite import heads_files, starts
from .pack import read_record


def card(base: Base, entry: Mapping[str, Any], suite: Path) -> str:
    """The card of a catalogue entry. Empty measures are said to be missing, not left out."""
    source = entry["source"]
    names = [f"heads-{name}" for name in heads_names(entry)]
    lines = [
        f"# {entry['name']}" + (" with token heads" if names else ""),
        "",
        f"For {entry['purpose']}. The base is the publisher's, licence {entry['licence']}, file "
        f"`{source['file']}` ({source['bytes']:,} bytes, SHA-256 `{source['sha256']}`). It is "
        "frozen: head 1 is the base itself, and exact mode gives its text.",
    ]
    if names:
        lines[-1] += (
            " The heads were trained from copies of the base's last layer: they derive from it, and "
            "have its licence ([Apache-2.0](../LICENSE))."
        )
    files = heads_files(suite / base.id)
    if not names:
        lines += [
            "",
            "It has no trained heads yet: exact mode drafts from earlier text alone, and fast mode decodes "
            "as exact mode, or plainly where a threshold is set.",
        ]
    for index, name in enumerate(names):
        lines += ["", *_heads(base, name, files[name], default=index == 0)]
    table = entry.get("cooccurrence")
    if table is not None:
        lines += [
            "",
            "## Co-occurrence table",
            "",
            f"`cooccurrence.bin`, {table['bytes']:,} bytes: relative frequencies of tokens and lifts "
            "of the pairs and triples that the training texts hold most often. It serves the mask "
            "of fast mode with independent heads.",
        ]
    limits = (
        "What the model writes is as right, as safe and as free as the base's text: read it before "
        "you use it."
    )
    if names:
        limits = (
            "The heads were trained on permissively licensed source code and Markdown "
            "([which](../../training/corpus/packages.json)); other text is accepted less often. They "
            "propose tokens of their shortlist alone. "
        ) + limits
    lines += [
        "",
        "## Limits",
        "",
        limits,
        "",
        "Made by `python -m dynamo_training cards`.",
    ]
    return "\n".join(lines) + "\n"


def heads_names(entry: Mapping[str, Any]) -> list[str]:
    """The default heads first."""
    heads = entry.get("heads")
    return [] if heads is None else [heads["default"], *heads.get("others", [])]


def _heads(base: Base, name: str, file: Path, default: bool) -> list[str]:
    record = read_record(file, base)
    spec = record["heads"]
    config = HeadsConfig(spec["kind"], spec["tokens"], spec["layers"])
    parameters, flops = overhead(base, config, spec["shortlist"])
    training, data = record["training"], record["data"]
    facts = [
        ("kind", f"{spec['kind']}, {spec['layers']} decoder layer(s) a head, T{spec['tokens']}"),
        ("parameters", f"+{parameters:.1%}"),
        ("arithmetic a step", f"+{flops:.1%} of a token's"),
        ("shortlist", f"{spec['shortlist']:,} tokens"),
        ("objective", training["target"]),
        ("tokens seen", f"{record['tokensSeen']:,}, of {data['distinctTokens']:,} distinct ones"),
        ("training", f"{record['seconds']:,} s on {record['device']}"),
    ]
    for earlier in starts(record):
        before = earlier["record"]
        facts.append(
            (
                "before that",
                f"{before['tokensSeen']:,} tokens in {before['seconds']:,} s "
                f"(file with SHA-256 `{earlier['sha256'][:12]}…`)",
            )
        )
    measures = record.get("measures", {})
    measured = measures.get("shortlist", spec["shortlist"])
    if measured != spec["shortlist"]:
        facts.append(("measured with", f"a shortlist of {measured:,} tokens"))
    facts += [(f"PPL_{name}", f"{value:.2f}") for name, value in measures.get("ppl", {}).items()]
    for head, share in measures.get("agreement", {}).items():
        facts.append((f"head {head} chooses as the base does", f"{share:.1%}"))
    accepted = measures.get("accepted")
    facts.append(
        ("accepted length, exact mode", f"{accepted:.2f} tokens a step" if accepted else "-")
    )
    rows = [f"| {name} | {value} |" for name, value in facts]
    title = f"## {name}" + (" (default)" if default else "")
    return [title, "", "| what | |", "| --- | --- |", *rows]


def write_cards(suite: Path) -> list[Path]:
    """Writes the card of every model of the catalogue."""
    catalog = json.loads((suite / "catalog.json").read_text(encoding="utf-8"))
    written = []
    for entry in catalog["models"]:
        path = suite / entry["id"] / "MODEL_CARD.md"
        path.write_text(card(BASES[entry["id"]], entry, suite), encoding="utf-8")
        written.append(path)
    return written
