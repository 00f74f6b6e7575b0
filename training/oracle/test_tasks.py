"""The rules that bench/infilling repeats in TypeScript; its tests have the same cases."""

from __future__ import annotations

from pathlib import Path

import pytest

import infilling
import tasks

DATA = Path(__file__).resolve().parents[2] / "bench/data/HumanEval-SingleLineInfilling.jsonl.gz"


def test_selection_is_the_harness_s() -> None:
    chosen = tasks.select(tasks.read_tasks(DATA), 4, 1)
    assert [task["task_id"].removeprefix("SingleLineInfilling/HumanEval/") for task in chosen] == [
        "95/L2",
        "70/L4",
        "82/L4",
        "131/L6",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("    return 1\n    more", "    return 1"),
        ("    return 1", None),
        ("\n  \n    return 1\nmore", "\n  \n    return 1"),
        ("\n\n", None),
        ("", None),
        ("x \nmore", "x "),
    ],
)
def test_a_line_ends_at_the_first_line_feed_behind_visible_text(text: str, line: str | None) -> None:
    assert tasks.completed_line(text) == line


def test_a_half_written_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert infilling.finished(path) == set()
    path.write_text('{"id": "a"}\n{"id": "b"}\n{"id": "c')
    assert infilling.finished(path) == {"a", "b"}
    assert path.read_text() == '{"id": "a"}\n{"id": "b"}\n'


def test_the_prompt_orders() -> None:
    class Letters:
        control = {"<|fim_prefix|>": 1, "<|fim_suffix|>": 2, "<|fim_middle|>": 3}

        def encode(self, text: str) -> list[int]:
            return [ord(c) for c in text]

    class NoMiddle(Letters):
        control = {"<|im_end|>": 1}

    def prompt(order: str, ref: Letters = Letters()) -> list[int]:
        return infilling.prompt_of(ref, "P", "S", order)  # type: ignore[arg-type]

    assert prompt("suffix-first") == [1, 2, ord("S"), 3, ord("P")]
    assert prompt("prefix-first") == [1, ord("P"), 2, ord("S"), 3]
    assert prompt("suffix-first", NoMiddle()) == [ord("P")]
