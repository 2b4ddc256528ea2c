"""The processes that make one run together: who I am, sums over all of them, and waiting for the first.

Each takes its share of the rows of every step; gradients are added up before the optimiser moves, so all hold the same
weights at every step, and the batch is as large as the recipe says. The trainer below is told nothing of it: the loss is
taken in pieces that no wrapper around the model could see. The first one looks at dev, saves and tells. Started by
`torchrun`; gloo on CPUs, NCCL on CUDA devices. Example: of `Ranks(1, 2)` the share of `[4, 5, 6]` is `[5]`.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from whytune.errors import TrainingError

T = TypeVar("T")
_PATIENCE = timedelta(hours=24)
"""Others wait this long while the first looks at dev; a process that died is noticed by the launcher at once."""
_OF_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "ROLE_WORLD_SIZE", "GROUP_WORLD_SIZE")


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run. Alone, everything here costs nothing."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process looks at dev, saves and tells."""
        return self.rank == 0

    def share(self, rows: Sequence[T]) -> Sequence[T]:
        """The rows of a step that are this process's to compute."""
        return rows[self.rank :: self.world] if self.world > 1 else rows

    def add_up(self, parameters: Iterable[Any]) -> None:
        """Replace gradients by their sum over all processes; one that saw no row adds nothing."""
        if self.world == 1:
            return
        import torch

        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.reshape(-1).float() for parameter in trained])
        torch.distributed.all_reduce(flat)
        start = 0
        for parameter in trained:
            end = start + parameter.numel()
            parameter.grad.copy_(flat[start:end].reshape(parameter.shape))
            start = end

    def total(self, value: float) -> float:
        """The sum of a number over all processes."""
        return self._reduced([value], most=False)[0]

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag whether any process raised it: all then do the same."""
        return tuple(value > 0 for value in self._reduced([float(flag) for flag in flags], most=True))

    def told(self, value: T) -> T:
        """The first one's value, in all of them."""
        if self.world == 1:
            return value
        import torch

        held: list[Any] = [value if self.first else None]
        torch.distributed.broadcast_object_list(held, src=0)
        return held[0]  # type: ignore[no-any-return]

    def wait(self) -> None:
        """Until all are here."""
        if self.world > 1:
            self._reduced([0.0], most=True)

    def reseed(self, seed: int, step: int) -> None:
        """What dropout draws in a step follows from seed, step and process: nothing to keep, so a resumed run draws the same."""
        if self.world > 1:
            import torch

            torch.manual_seed((seed * 1_000_003 + step) * 1_009 + self.rank)

    def _reduced(self, values: Sequence[float], *, most: bool) -> list[float]:
        if self.world == 1:
            return list(values)
        import torch
        from torch import distributed

        place = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        numbers = torch.tensor(values, dtype=torch.float64, device=place)
        distributed.all_reduce(numbers, op=distributed.ReduceOp.MAX if most else distributed.ReduceOp.SUM)
        return [float(number) for number in numbers]


ALONE = Ranks()


def join(processes: int) -> Ranks:
    """This process's place among those that `torchrun` started. Raises TrainingError where it did not start so many."""
    if processes == 1:
        return ALONE
    from torch import distributed

    if not distributed.is_initialized():
        started = int(os.environ.get("WORLD_SIZE", "1"))
        if started != processes or "MASTER_ADDR" not in os.environ:
            raise TrainingError(
                f"The plan is for {processes} processes, and {started} was started" if started == 1 else f"The plan is for {processes} processes, and {started} were started",
                next=f"set launcher = \"torchrun\" under [training_run], or start it by torchrun --nproc-per-node {processes}",
            )
        import torch

        device = _own_device()
        distributed.init_process_group(
            "nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE, device_id=device
        )
        # While Python still stands: a group that is torn down with the libraries may abort when the others leave first.
        atexit.register(distributed.destroy_process_group)
        # From here on the libraries see one process with one device, which is all they need to know.
        for name in _OF_TORCHRUN:
            os.environ.pop(name, None)
    return Ranks(distributed.get_rank(), distributed.get_world_size())


def seat() -> None:
    """Leave this process only its own CUDA device; to be called before torch looks for devices."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    shown = given.split(",") if given else [str(number) for number in range(local + 1)]
    if local < len(shown):
        os.environ["CUDA_VISIBLE_DEVICES"] = shown[local]


def _own_device() -> Any:
    import torch

    return torch.device("cuda", 0) if torch.cuda.is_available() else None
