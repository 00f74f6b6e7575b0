"""Lets glibc keep large buffers.

A step allocates and frees the same large tensors again and again. By default glibc maps each of
them anew and every page is faulted in again; measured, that is a sixth of a step on two cores.
"""

from __future__ import annotations

import ctypes
import sys

# Parameters of mallopt(3) and what they are set to: never map a buffer of its own, never give
# memory back, grow the heap by 256 MiB at a time. Values are C ints; -1 means without limit.
SETTINGS = {-3: 2**31 - 1, -1: -1, -2: 2**28}


def keep_large_buffers() -> bool:
    """Whether it worked: it is glibc's matter alone, and elsewhere nothing happens."""
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(option, value) for option, value in SETTINGS.items())
