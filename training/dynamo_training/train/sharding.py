"""Several processes for bases that outgrow one GPU: FSDP over torchrun's processes.

Every parameter is cut among the processes and gathered, layer by layer, when it is needed. Each
process takes its share of a batch's rows. All else is as in one process; without torchrun, the
functions here do nothing.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from .full import FullModel


def start(device: str) -> torch.device:
    """Joins the processes of torchrun, if this is one; returns this process's device."""
    if "WORLD_SIZE" not in os.environ:
        return torch.device(device)
    if device == "cpu":
        dist.init_process_group("gloo")
        return torch.device("cpu")
    place = torch.device(device, int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(place)
    dist.init_process_group("nccl", device_id=place)
    return place


def processes() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def shard(model: FullModel, device: torch.device) -> None:
    """Cuts the base's layers one by one, and the rest (heads, embedding, norm) together."""
    if processes() == 1:
        return
    mesh = dist.init_device_mesh(device.type, (processes(),))
    for layer in model.base.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def mean(values: Tensor) -> Tensor:
    """The mean over processes."""
    if processes() > 1:
        dist.all_reduce(values)
        values = values / processes()
    return values


def end() -> None:
    """Leaves the processes of torchrun."""
    if dist.is_initialized():
        dist.destroy_process_group()


def wait() -> None:
    """Until all processes are here."""
    if processes() > 1:
        dist.barrier()


def any_process(flag: bool) -> bool:
    """Whether it holds in one of the processes, so that all of them decide alike."""
    if processes() == 1:
        return flag
    device = torch.accelerator.current_accelerator() if dist.get_backend() == "nccl" else "cpu"
    found = torch.tensor(float(flag), device=device)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return bool(found.item())


def gathered(tree: object) -> object:
    """A state dictionary with every cut tensor whole, as one process would have it.

    All processes must call it.
    """
    if isinstance(tree, DTensor):
        return tree.full_tensor()
    if isinstance(tree, dict):
        return {key: gathered(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [gathered(value) for value in tree]
    return tree


def load_module(module: nn.Module, state: dict[str, Tensor]) -> None:
    """load_state_dict of a whole state into a module that may be cut."""
    own = module.state_dict()
    module.load_state_dict({name: _cut_as(own.get(name), whole) for name, whole in state.items()})


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, object]) -> None:
    """The same for an optimiser: what has a parameter's shape is cut as the parameter is."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    entries = {
        index: {
            name: _cut_as(parameters[index], value) if _alike(parameters[index], value) else value
            for name, value in entry.items()
        }
        for index, entry in state["state"].items()
    }
    optimiser.load_state_dict({**state, "state": entries})


def _alike(parameter: Tensor, value: object) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape


def _cut_as(pattern: Tensor | None, whole: Tensor) -> Tensor:
    if not isinstance(pattern, DTensor):
        return whole
    return distribute_tensor(whole.to(pattern.device), pattern.device_mesh, pattern.placements)
