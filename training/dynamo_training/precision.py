"""Which number format multiplies matrices fastest on a device: bfloat16 or float32."""

from __future__ import annotations

import time
from functools import cache

import torch

SIZE = 512  # rows and columns of the trial's matrices
REPEATS = 3


@cache
def product_type(device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU; on a CPU whichever is faster, tried once a process.

    Processors that lack bfloat16 products emulate them: on one with AVX2 alone they took eight times
    as long as float32.
    """
    if device.type != "cpu":
        return torch.bfloat16
    return min((torch.bfloat16, torch.float32), key=_seconds)


def autocast(device: torch.device, products: torch.dtype) -> torch.autocast:
    """Products in bfloat16, if that is the type; nothing is cast otherwise."""
    return torch.autocast(device.type, torch.bfloat16, enabled=products == torch.bfloat16)


@torch.inference_mode()
def _seconds(dtype: torch.dtype) -> float:
    """Of a product, the least of some: what else the machine does only adds to it."""
    square = torch.ones(SIZE, SIZE, dtype=dtype)

    def once() -> float:
        start = time.perf_counter()
        square @ square
        return time.perf_counter() - start

    return min(once() for _ in range(REPEATS + 1))
