"""Large buffers stay mapped."""

from __future__ import annotations

import numpy as np
import pytest

from dynamo_training.memory import keep_large_buffers

resource = pytest.importorskip("resource")


def test_a_large_buffer_is_not_faulted_in_again() -> None:
    if not keep_large_buffers():
        pytest.skip("not glibc")
    faults = [resource.getrusage(resource.RUSAGE_SELF).ru_minflt]
    for _ in range(4):
        buffer = np.empty(2**22)
        buffer.fill(1)
        del buffer
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    assert faults[-1] - faults[-2] < 2**22 * 8 / resource.getpagesize() / 10
