"""A training run in a folder: goes on from its last checkpoint, survives being stopped.

    log.jsonl   every LOG_STEPS steps: step, tokens, seconds, losses (means since the last line);
                every EVALUATION_STEPS also `agreement` of heads 2..n with the base on held-out
                rows, and `accepted`: tokens a step, were each of their positions a step's beginning
    curves.png  the same as a picture
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from . import sharding
from .checkpoint import checkpoints, read_checkpoint, save_checkpoint
from .trainer import Batch, Rows, Trainer

LOG_STEPS = 20
EVALUATION_STEPS = 200
EVALUATION_ROWS = 16
CHECKPOINT_SECONDS = 600


class Stop:
    """Whether SIGTERM or SIGINT came. A second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.wanted = False

    def ask(self, number: int, _frame: object) -> None:
        self.wanted = True
        signal.signal(number, signal.default_int_handler)

    @contextmanager
    def listening(self) -> Iterator[None]:
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = [signal.signal(number, self.ask) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


class Run:
    """Trains until the steps are done, the time is up or someone asks to stop."""

    def __init__(self, trainer: Trainer, rows: Rows, heldout: Rows | None, folder: Path) -> None:
        self.trainer = trainer
        self.rows = rows
        self.heldout = heldout
        self.folder = folder
        self.seconds = 0.0
        """Spent on training, earlier sessions included."""
        self.first = sharding.rank() == 0

    def prepare(self, resume: bool) -> None:
        """Makes the folder, or goes on from its last checkpoint.

        Raises ValueError where the folder has a run already that is not to be resumed, or has
        another one's.
        """
        state = None
        if checkpoints(self.folder):
            if not resume:
                raise ValueError(f"{self.folder} holds a run: --resume it or choose another folder")
            state = read_checkpoint(self.folder)
            if state["data"] != self.rows.data:
                raise ValueError("the checkpoint learnt from another cache, or from other parts of it")
            self.trainer.load_state(state)
            self.seconds = state["seconds"]
        sharding.wait()
        if not self.first:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        config = json.dumps(self.trainer.config.to_json(), indent=1) + "\n"
        (self.folder / "config.json").write_text(config)
        log = self.folder / "log.jsonl"
        lines = log.read_text().splitlines() if log.exists() and state else []
        kept = [line for line in lines if json.loads(line)["step"] <= self.trainer.step]
        log.write_text("".join(line + "\n" for line in kept))

    def go(self, minutes: float = float("inf")) -> bool:
        """Whether all steps are done. What was learnt is in a checkpoint in any case.

        Raises Diverged (trainer.py) where a loss is no number; the last checkpoint stays.
        """
        trainer, stop = self.trainer, Stop()
        began, earlier = time.monotonic(), self.seconds
        saved = began
        losses: list[list[float]] = []
        quiet = None if self.first else True  # None: quiet where nobody watches a terminal
        bar = tqdm(total=trainer.steps, initial=trainer.step, unit="step", disable=quiet)
        with stop.listening(), bar:
            while trainer.step < trainer.steps:
                if sharding.any_process(stop.wanted or self.seconds - earlier >= minutes * 60):
                    break
                losses.append(trainer.train_step(self.rows.batch(trainer.step)))
                self.seconds = earlier + time.monotonic() - began
                bar.update()
                if trainer.step % LOG_STEPS == 0 or trainer.step == trainer.steps:
                    bar.set_postfix_str(" ".join(f"{loss:.3f}" for loss in self._log(losses)))
                    losses.clear()
                if sharding.any_process(time.monotonic() - saved > CHECKPOINT_SECONDS):
                    self._save()
                    saved = time.monotonic()
        self._save()
        return trainer.step == trainer.steps

    def _save(self) -> None:
        own = {"data": self.rows.data, "seconds": self.seconds, "device": device_name()}
        state = {**self.trainer.state(), **own}
        if self.first:
            save_checkpoint(self.folder, state)
        sharding.wait()

    def _log(self, losses: list[list[float]]) -> list[float]:
        """Adds a line about the steps since the last one; returns their mean losses."""
        step = self.trainer.step
        means = [sum(column) / len(losses) for column in zip(*losses, strict=True)]
        entry: dict[str, object] = {
            "step": step,
            "tokens": step * self.rows.batch_tokens,
            "seconds": round(self.seconds, 1),
            "losses": [round(mean, 4) for mean in means],
        }
        evaluates = step % EVALUATION_STEPS == 0 or step == self.trainer.steps
        if self.heldout is not None and evaluates and sharding.processes() == 1:
            size = self.heldout.config.batch_rows
            count = max(1, min(EVALUATION_ROWS, len(self.heldout.places)) // size)
            entry |= evaluate(self.trainer, [self.heldout.batch(index) for index in range(count)])
        if self.first:
            with (self.folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
        return means


def device_name() -> str:
    """What trained, for the record."""
    if torch.cuda.is_available():
        return f"{sharding.processes()} x {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} CPU threads"


@torch.inference_mode()
def evaluate(trainer: Trainer, batches: list[Batch]) -> dict[str, object]:
    """`agreement` [n - 1] and `accepted` of a log line."""
    right = []
    for batch in batches:
        assert batch.choice is not None
        heads = trainer.guesses(batch)
        length = batch.ids.shape[1] - len(heads)
        shifted = [batch.choice[:, ahead : ahead + length] for ahead in range(1, len(heads) + 1)]
        pairs = zip(heads, shifted, strict=True)
        right.append(torch.stack([guess[:, :length] == choice for guess, choice in pairs]))
    hits = torch.cat(right, dim=1).float()
    return {
        "agreement": [round(share, 4) for share in hits.mean((1, 2)).tolist()],
        "accepted": round(1 + hits.cumprod(0).sum(0).mean().item(), 4),
    }
