"""Infilling tasks: which ones, in which order, and where a single-line completion ends.

bench/infilling/tasks.ts and rule.ts say the same in TypeScript; a shared fixture holds them together.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import TypedDict


class Task(TypedDict):
    task_id: str
    entry_point: str
    prompt: str
    suffix: str
    canonical_solution: str
    test: str


def read_tasks(path: Path) -> list[Task]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def select(tasks: list[Task], count: int, seed: int) -> list[Task]:
    """The first `count` tasks after a shuffle that every language can repeat: ascending order of
    SHA-256("<seed>:<task_id>") in hexadecimal."""

    def key(task: Task) -> str:
        return hashlib.sha256(f"{seed}:{task['task_id']}".encode()).hexdigest()

    return sorted(tasks, key=key)[:count]


def completed_line(text: str) -> str | None:
    """`text` up to the first line feed behind visible text, or None when it has none yet.

    Visible is everything but space, tab, carriage return and line feed.

    Blank lines before the visible text are kept; the line feed itself is not part of the result.
    """
    visible = len(text) - len(text.lstrip(" \t\r\n"))
    end = text.find("\n", visible)
    return None if end < 0 else text[:end]
