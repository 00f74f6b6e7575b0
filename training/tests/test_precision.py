"""Matrices are multiplied in whichever format is faster."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from dynamo_training import precision  # noqa: E402

HALF, SINGLE = torch.bfloat16, torch.float32


@pytest.mark.parametrize("faster", [HALF, SINGLE])
def test_a_cpu_gets_the_faster_format(monkeypatch: pytest.MonkeyPatch, faster: torch.dtype) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda dtype: 1.0 if dtype == faster else 2.0)
    assert precision.product_type.__wrapped__(torch.device("cpu")) == faster


def test_a_gpu_gets_bfloat16_untried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda _: pytest.fail("tried"))
    assert precision.product_type.__wrapped__(torch.device("cuda")) == HALF


def test_the_trial_takes_time_and_gives_one_of_both() -> None:
    assert precision._seconds(SINGLE) > 0
    assert precision.product_type(torch.device("cpu")) in (HALF, SINGLE)


@pytest.mark.parametrize("products", [HALF, SINGLE])
def test_products_have_the_format(products: torch.dtype) -> None:
    with precision.autocast(torch.device("cpu"), products):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == products
