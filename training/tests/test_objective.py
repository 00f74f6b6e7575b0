"""The losses: values, gradients, which token is whose label, which rate moves what."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dataclasses import replace  # noqa: E402

from tiny import BASE, LENGTH, base_model, token_heads, train_config  # noqa: E402

from dynamo_training.model.heads import KINDS, HeadsConfig  # noqa: E402
from dynamo_training.train.full import FullModel  # noqa: E402
from dynamo_training.train.muon import Muon, orthogonal  # noqa: E402
from dynamo_training.train.objective import CHUNK, cross_entropy  # noqa: E402
from dynamo_training.train.optimiser import Optimisers, learning_rate_factor  # noqa: E402
from dynamo_training.train.trainer import Batch, Trainer  # noqa: E402


@pytest.mark.parametrize("positions", [7, CHUNK + 9])
def test_cross_entropy_equals_that_of_whole_logits(positions: int) -> None:
    """Its value and both gradients, for distributions that miss some probability."""
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(positions, 8, generator=generator, requires_grad=True)
    embedding = torch.randn(30, 8, generator=generator, requires_grad=True)
    places = torch.stack([torch.randperm(30, generator=generator)[:4] for _ in range(positions)])
    shares = torch.rand(positions, 4, generator=generator) / 4
    loss = cross_entropy(states, embedding, (places, shares))
    (3 * loss).backward()
    found = [tensor.grad.clone() for tensor in (states, embedding)]
    states.grad = embedding.grad = None
    logs = torch.log_softmax(states @ embedding.T, dim=-1).gather(1, places)
    expected = -(shares * logs).sum(-1).mean()
    (3 * expected).backward()
    assert torch.allclose(loss, expected, rtol=1e-5)
    for gradient, tensor in zip(found, (states, embedding), strict=True):
        assert torch.allclose(gradient, tensor.grad, atol=1e-6)


class Oracle(torch.nn.Module):
    """Heads that are told: head i's state at t is the embedding of wanted[t + shifts[i - 2]]."""

    def __init__(self, wanted: torch.Tensor, shifts: tuple[int, int]) -> None:
        super().__init__()
        self.wanted, self.shifts = wanted, shifts

    def forward(
        self, stem: torch.Tensor, embedded: torch.Tensor, chosen: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        told = torch.nn.functional.one_hot(self.wanted, BASE.vocabulary).float()
        states = [torch.roll(told, -shift, dims=1) for shift in self.shifts]
        return [state.flatten(0, 1)[at] for state, at in zip(states, chosen, strict=True)]


SQUARE = replace(BASE, hidden=BASE.vocabulary)  # so that the embedding may be the identity


@pytest.mark.parametrize("target", ["labels", "distil", "live"])
@pytest.mark.parametrize("shift", [(0, 1), (1, 2), (2, 3), (3, 4)])
def test_only_the_right_shift_has_no_loss(target: str, shift: tuple[int, int]) -> None:
    """The text's token x_(t+i) for labels, the base's at t+i-1 for distillation."""
    live = {"rate_base": 1e-3} if target == "live" else {}
    config = train_config(
        "independent", target="distil" if target == "distil" else "labels", positions=1.0, **live
    )
    model = base_model(SQUARE)
    model.embedding.weight.data.copy_(10 * torch.eye(BASE.vocabulary))
    trainer = Trainer(config, model, np.arange(BASE.vocabulary), LENGTH)
    ids = torch.stack([torch.randperm(BASE.vocabulary)[:LENGTH] for _ in range(4)])
    told = ids.flip(1) if target == "distil" else ids
    batch = Batch(ids, model.stem(ids), told[..., None], torch.ones(4, LENGTH, 1))
    trainer.heads = Oracle(told, shift)
    if trainer.full is not None:
        trainer.full.heads = trainer.heads
    losses = torch.stack(trainer.losses(batch)[-2:])
    right = shift == ((1, 2) if target == "distil" else (2, 3))
    assert (losses < 1e-3).all() if right else (losses > 1).all()


def gradients(kind: str, factor: float, heads_count: bool) -> dict[str, torch.Tensor]:
    """Of all parameters, for the losses of all heads or head 1's alone."""
    model, heads = base_model(), token_heads(HeadsConfig(kind, 3))
    full = FullModel(model, heads, factor).requires_grad_(True)
    ids = torch.randint(0, 40, (2, LENGTH), generator=torch.Generator().manual_seed(5))
    chosen = [torch.arange(0, LENGTH - 3)] * 3
    losses = full(ids, chosen, [LENGTH - 3.0] * 3)
    sum(losses if heads_count else losses[:1]).backward()
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in full.named_parameters()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_each_learning_rate_reaches_its_parameters(kind: str) -> None:
    """Head 1's gradient counts once in the base, the heads' LR_MB / LR_B times; their own fully."""
    alone = gradients(kind, 0.5, heads_count=False)
    nothing, tenth, whole = (gradients(kind, factor, True) for factor in (0.0, 0.1, 1.0))
    for name, gradient in tenth.items():
        if name.startswith("heads."):
            assert gradient.any(), name
            assert torch.equal(gradient, whole[name]) and torch.equal(gradient, nothing[name])
            assert not alone[name].any()
            continue
        assert torch.allclose(nothing[name], alone[name], atol=1e-6), name
        mixed = nothing[name] + 0.1 * (whole[name] - nothing[name])
        assert torch.allclose(gradient, mixed, atol=1e-5), name
        shared = not name.startswith(f"base.layers.{BASE.layers - 1}.")
        moved = not torch.allclose(whole[name], nothing[name], atol=1e-7)
        # Keys' biases move no attention: their gradient is zero but for rounding.
        assert moved == shared or name.endswith("k.bias"), name


def test_heads_alone_leave_the_base_untouched() -> None:
    model = base_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = Trainer(train_config(target="labels"), model, np.arange(40), LENGTH)
    ids = torch.randint(0, 40, (4, LENGTH))
    heads = {name: value.clone() for name, value in trainer.heads.state_dict().items()}
    trainer.train_step(Batch(ids, model.stem(ids)))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    changed = [name for name, p in trainer.heads.state_dict().items() if not p.equal(heads[name])]
    assert len(changed) >= len(heads) - 1  # but for the keys' bias, which moves nothing


def test_the_rates_of_the_paper_are_three() -> None:
    config = train_config(
        "independent", target="labels", rate_base=1e-5, rate_heads=1e-3, rate_mixed=1e-6
    )
    trainer = Trainer(config, base_model(), np.arange(40), LENGTH)
    assert trainer.full is not None and trainer.full.factor == pytest.approx(0.1)
    rates = {
        id(parameter): group["peak"]
        for group in trainer.optimisers.groups()
        for parameter in group["params"]
    }
    assert {rates[id(p)] for p in trainer.heads.parameters()} == {1e-3}
    assert {rates[id(p)] for p in trainer.model.parameters()} == {1e-5}


def test_muon_steps_linear_layers_alone() -> None:
    model, heads = base_model(), token_heads(HeadsConfig("shared", 3))
    optimisers = Optimisers([(heads, 1e-3), (model, 1e-5)], "muon")
    adam, muon = (
        {id(p) for group in optimiser.param_groups for p in group["params"]}
        for optimiser in optimisers.all
    )
    assert id(model.embedding.weight) in adam
    assert id(heads.heads[0].fusion.mix.weight) in muon
    assert len(adam) + len(muon) == sum(1 for m in (model, heads) for _ in m.parameters())


def test_muon_steps_as_torch_s_does() -> None:
    torch.manual_seed(0)
    start = [torch.randn(24, 40), torch.randn(40, 24)]
    ours, theirs = ([torch.nn.Parameter(matrix.clone()) for matrix in start] for _ in range(2))
    muon = Muon([{"params": ours, "lr": 0.01}], torch.bfloat16)
    reference = torch.optim.Muon(
        theirs, lr=0.01, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(3):
        for pair in zip(ours, theirs, strict=True):
            slope = torch.randn_like(pair[0])
            for weight in pair:
                weight.grad = slope.clone()
        muon.step()
        reference.step()
    for mine, other, first in zip(ours, theirs, start, strict=True):
        assert (mine - first).norm() > 0.1
        assert torch.allclose(mine, other, atol=1e-6)


@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
def test_a_step_of_muon_is_nearly_orthogonal(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = left * torch.linspace(0.2, 3, 24) @ right
    step = orthogonal(matrix, torch.float32)
    values = left.T @ step @ right.T  # Same directions: what is left lies on the diagonal.
    assert torch.allclose(values, values.diagonal().diag(), atol=1e-4)
    assert values.diagonal().min() > 0.6 and values.diagonal().max() < 1.3


def test_the_schedule_warms_up_and_ends_at_nothing() -> None:
    assert learning_rate_factor(0.005) == pytest.approx(0.5)
    assert learning_rate_factor(0.01) == pytest.approx(1)
    assert learning_rate_factor(0.505) == pytest.approx(0.5)
    assert learning_rate_factor(1) == pytest.approx(0)
