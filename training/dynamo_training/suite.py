"""Where the model suite is: one folder a base, with graphs, plans, heads and tables."""

from __future__ import annotations

from pathlib import Path

SUITE = Path(__file__).resolve().parents[2] / "models"
