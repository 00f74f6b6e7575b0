"""Builds the corpus that token heads learn from: permissively licensed code and prose.

    python -m dynamo_training corpus --out DIR [--exclude FILE]... [--packages FILE]

Packages are fetched into DIR/archives and their texts written to DIR/documents.jsonl, one object a
line: package, path, language, split, text. The manifest tells what was kept and what was dropped.
The same packages, exclusions and limits give the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .archives import members
from .dedupe import Duplicates, Excluded
from .filters import decode, is_declaration, language_of, refused_path, refused_text
from .registries import Package, fetch, read_packages

TRAINING = Path(__file__).resolve().parents[2]
FOLDER = TRAINING / "corpus"
SEED = 20260101
TRAIN_CHARACTERS = 100_000_000
SHARES = {
    "python": 0.35, "typescript": 0.17, "javascript": 0.13, "rust": 0.10, "go": 0.08, "java": 0.10,
    "markdown": 0.07,
}  # fmt: skip
"""Of TRAIN_CHARACTERS; a language that has less gives all it has."""
PACKAGE_SHARE = 0.08
"""Of TRAIN_CHARACTERS, the most that one package gives of one language."""
DECLARATIONS = 300_000
"""Characters of type declarations per package."""


@dataclass(frozen=True)
class Document:
    package: str
    path: str
    language: str
    split: str
    text: str

    @property
    def order(self) -> str:
        """Sorts a package's documents at random, but always the same way."""
        return hashlib.sha256(f"{SEED}/{self.package}/{self.path}".encode()).hexdigest()


@dataclass
class Source:
    """A fetched package and what became of its files."""

    package: Package
    sha256: str
    documents: list[Document] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def keep(self, documents: list[Document], reason: str) -> None:
        """Leaves these documents; the others were dropped for the reason."""
        self.dropped[reason] += len(self.documents) - len(documents)
        self.documents = documents


def build(packages: list[Package], out: Path, excluded: Excluded) -> dict[str, object]:
    """Writes out/documents.jsonl and returns its manifest."""
    sources = []
    for package in sorted(packages, key=lambda p: (p.split != "heldout", p.archive)):
        path, digest = fetch(package, out / "archives")
        source = Source(package, digest)
        source.documents = list(read(package, path, excluded, source.dropped))
        sources.append(source)
        print(f"{package.name} {package.version}: {len(source.documents)} files", flush=True)
    drop_duplicates(sources)
    balance([s for s in sources if s.package.split == "train"], TRAIN_CHARACTERS)
    content = serialised(document for source in sources for document in source.documents)
    (out / "documents.jsonl").write_bytes(content)
    return manifest(sources, hashlib.sha256(content).hexdigest())


def read(
    package: Package, path: Path, excluded: Excluded, dropped: Counter[str]
) -> Iterator[Document]:
    """The archive's texts that pass every filter; counts the others by reason."""
    declared = 0
    for name, content in sorted(members(path, lambda name: chosen(package, name))):
        language, text = language_of(name), decode(content)
        if language is None or text is None:
            dropped["encoding"] += 1
            continue
        document = Document(package.name, inside(package, name), language, package.split, text)
        reason = refused_path(below(package, document.path)) or refused_text(text, language)
        if reason is None and is_declaration(name):
            declared += len(text)
            reason = "declarations" if declared > DECLARATIONS else None
        if reason is None and excluded.shares(text):
            reason = "excluded"
        if reason is None:
            yield document
        else:
            dropped[reason] += 1


def inside(package: Package, name: str) -> str:
    """A member's path below the archive's own top folder."""
    name = name.removeprefix("./")
    return name.partition("/")[2] if package.registry in ("npm", "crates") else name


def chosen(package: Package, name: str) -> bool:
    """Whether a member is source or prose in the folders that the package is limited to."""
    folders = package.folders or ("",)
    return language_of(name) is not None and inside(package, name).startswith(folders)


def below(package: Package, path: str) -> str:
    """The path below the listed folder that holds it, as a listed folder is never refused."""
    folder = next((f for f in package.folders if f.endswith("/") and path.startswith(f)), "")
    return path.removeprefix(folder)


def drop_duplicates(sources: list[Source]) -> None:
    """Drops what repeats an earlier text; held-out packages come first, so train gives way."""
    seen = Duplicates()
    for source in sources:
        kept = []
        for document in source.documents:
            reason = seen.add(document.text)
            if reason is None:
                kept.append(document)
            else:
                source.dropped[reason] += 1
        source.documents = kept


def balance(sources: list[Source], characters: int) -> None:
    """Cuts each language to its share, from its largest packages, by whole documents."""
    for language, share in SHARES.items():
        sizes = {
            source.package.archive: sum(
                len(d.text) for d in source.documents if d.language == language
            )
            for source in sources
        }
        limit = level(list(sizes.values()), round(characters * share))
        limit = min(limit, round(characters * PACKAGE_SHARE))
        for source in sources:
            if sizes[source.package.archive] <= limit:
                continue
            left, kept = limit, set[str]()
            for document in sorted(source.documents, key=lambda d: d.order):
                if document.language == language and len(document.text) <= left:
                    left -= len(document.text)
                    kept.add(document.path)
            source.keep(
                [d for d in source.documents if d.language != language or d.path in kept], "share"
            )


def level(sizes: list[int], total: int) -> int:
    """The limit L with which sum(min(size, L)) is at most the total."""
    left = total
    for i, size in enumerate(sorted(sizes)):
        if size * (len(sizes) - i) > left:
            return left // (len(sizes) - i)
        left -= size
    return max(sizes, default=0)


def serialised(documents: Iterable[Document]) -> bytes:
    """JSON lines in a shuffled order that depends on the documents alone."""
    ordered = sorted(documents, key=lambda d: (d.split, d.package, d.path))
    random.Random(SEED).shuffle(ordered)
    lines = (json.dumps(asdict(d), ensure_ascii=False, sort_keys=True) + "\n" for d in ordered)
    return "".join(lines).encode("utf-8")


def manifest(sources: list[Source], sha256: str) -> dict[str, object]:
    """What the corpus is made of, in the order of package names."""
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    packages = []
    for source in sorted(sources, key=lambda s: s.package.archive):
        package = source.package
        for document in source.documents:
            totals[package.split][document.language] += len(document.text)
        packages.append(
            {
                "registry": package.registry,
                "name": package.name,
                "version": package.version,
                "licence": package.licence,
                "split": package.split,
                "sha256": source.sha256,
                "documents": len(source.documents),
                "characters": sum(len(d.text) for d in source.documents),
                "dropped": {k: n for k, n in sorted(source.dropped.items()) if n},
            }
        )
    return {
        "version": 1,
        "documents": {"sha256": sha256},
        "characters": {split: dict(sorted(totals[split].items())) for split in sorted(totals)},
        "packages": packages,
    }


def excluded_texts(path: Path) -> Iterator[str]:
    """A text file; of a file of JSON lines, packed or not, every string, and each prompt with its
    solution."""
    if path.suffix == ".txt":
        yield path.read_text(encoding="utf-8")
        return
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            yield from _strings(entry)
            if "canonical_solution" in entry:
                yield entry["prompt"] + entry["canonical_solution"] + entry.get("suffix", "")


def measured_texts() -> list[Path]:
    """What the project measures on: nothing of it is learnt from."""
    heldout = TRAINING / "oracle" / "heldout"
    return [
        *sorted((TRAINING.parent / "bench" / "data").glob("*.jsonl*")),
        *sorted(path for path in heldout.glob("*.txt") if path.name != "LICENCES.txt"),
    ]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("corpus", help="fetch packages and write the training texts")
    command.add_argument("--out", type=Path, required=True)
    command.add_argument(
        "--exclude", type=Path, action="append", help="instead of all that is measured on"
    )
    command.add_argument("--packages", type=Path, default=FOLDER / "packages.json")
    command.add_argument("--manifest", type=Path, default=FOLDER / "manifest.json")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    packages = read_packages(options.packages)
    files = measured_texts() if options.exclude is None else options.exclude
    excluded = Excluded(text for path in files for text in excluded_texts(path))
    options.out.mkdir(parents=True, exist_ok=True)
    result = build(packages, options.out, excluded)
    result["excluded"] = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)
    }
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    options.manifest.write_text(text, encoding="utf-8")
    print(json.dumps(result["characters"], indent=2))
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dynamo_training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_commands(commands)
    options = parser.parse_args(arguments)
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
