"""Several processes that train one network, a GPU each, by torch.distributed: started, watched, and agreeing.

What asks the group (count, share, summed ...) answers for one process where there is none, and works as well in a group
that somebody else has begun, such as torchrun.
"""

import logging
import multiprocessing.connection
import signal
import threading
import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

from crossz.core.errors import CrosszError

log = logging.getLogger(__name__)

Net = TypeVar("Net", bound=nn.Module)

PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others before it gives up."""
_GRACE = 5.0  # seconds that the others have to end by themselves after one has failed
_LOOK = 0.2  # seconds between two looks at the processes


def count() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def number() -> int:
    """Number of this process, from 0; the first one writes and speaks."""
    return dist.get_rank() if dist.is_initialized() else 0


def share(size: int) -> slice:
    """Which of a batch of `size` objects are this process's."""
    return slice(size * number() // count(), size * (number() + 1) // count())


def summed(value: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all processes, in its place."""
    if count() > 1:
        dist.all_reduce(value)
    return value


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether any process says so: what one alone knows (a signal that came), all know after it."""
    return flag if count() == 1 else bool(summed(torch.tensor(float(flag), device=device)))


def wait() -> None:
    """Until all processes have come here."""
    if count() > 1:
        dist.barrier()


def synchronised(net: Net) -> Net:
    """`net` whose BatchNorm takes the statistics of the whole batch, not of a process's share of it; same parameters."""
    if count() == 1:
        return net
    net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for module in net.modules():
        if isinstance(module, nn.SyncBatchNorm) and next(net.parameters()).device.type == "cpu":
            module.__class__ = _BatchNormOnProcessors  # type: ignore[assignment]
    return net


def parallel(net: nn.Module, part_unused: bool) -> nn.Module:
    """`net` whose gradients are the mean over all processes; `part_unused`: a part of it has no say in its output."""
    if count() == 1:
        return net
    return nn.parallel.DistributedDataParallel(net, broadcast_buffers=False, find_unused_parameters=part_unused)


class _BatchNormOnProcessors(nn.modules.batchnorm._BatchNorm):
    # nn.SyncBatchNorm is for GPUs alone.
    def _check_input_dim(self, x: torch.Tensor) -> None:
        pass

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(x)
        from torch.distributed.nn.functional import all_reduce  # differentiable

        axes, shape = [0, *range(2, x.dim())], [1, -1, *[1] * (x.dim() - 2)]
        size = all_reduce(torch.tensor(x.numel() / x.shape[1]))
        mean = all_reduce(x.float().sum(axes)) / size
        apart = x.float() - mean.view(shape)
        var = all_reduce((apart**2).sum(axes)) / size
        # nn.BatchNorm2d as the networks have it: with running statistics and a fixed momentum.
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * size / (size - 1), self.momentum)
        scale = (self.weight * torch.rsqrt(var + self.eps)).view(shape)
        return (apart * scale + self.bias.view(shape)).to(x.dtype)


def run(processes: int, work: Callable[..., None], settings: dict, stop: Callable[[], bool]) -> None:
    """Run work(**settings, stop=...) in several processes of one group on this machine; the first one logs for all.

    When one process fails or is killed, the others are ended.

    Parameters
    ----------
    processes
        How many.
    work, settings
        A function that can be imported, and its arguments, which are pickled.
    stop
        Asked all the time. Once it says so, every process gets SIGTERM and sees it by its own `stop`.

    Raises
    ------
    CrosszError, OSError
        That of a process that ended with one; CrosszError when one was killed.
    torch.multiprocessing.ProcessRaisedException
        Any other error of a process, with its traceback.
    """
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    reports = multiprocessing.get_context("spawn").SimpleQueue()
    arguments = (processes, store.port, reports, work, settings)
    running = torch.multiprocessing.spawn(_process, arguments, processes, join=False)
    problems, killed, asked = [], None, False

    def listen() -> None:
        while not reports.empty():
            word = reports.get()
            if isinstance(word, str):
                log.info(word)
            else:
                problems.append(word)

    try:
        done = False
        while not done:
            for sentinel in multiprocessing.connection.wait(list(running.sentinels), _LOOK):
                running.processes[running.sentinels[sentinel]].join()
            listen()
            if stop() and not asked:
                asked = True
                for process in running.processes:
                    process.terminate()
            if any(process.exitcode for process in running.processes):
                time.sleep(1)  # the others fail because one is gone: was one killed?
                killed = next((k for k, process in enumerate(running.processes) if (process.exitcode or 0) < 0), None)
            done = running.join(0, _GRACE)
    except (torch.multiprocessing.ProcessRaisedException, torch.multiprocessing.ProcessExitedException) as error:
        listen()
        if problems:
            raise problems[0] from error
        if killed is None and getattr(error, "signal_name", None):
            killed = error.error_index
        if killed is None:
            raise
        name = signal.Signals(-running.processes[killed].exitcode).name
        why = "; it may have run out of memory" if name == "SIGKILL" else ""
        raise CrosszError(
            f"process {killed + 1} of {processes} was ended by {name}{why}; the others were stopped"
        ) from error
    finally:
        for process in running.processes:
            if process.is_alive():
                process.kill()
    listen()


class _ToParent(logging.Handler):
    # The first process speaks for all of them.
    def __init__(self, queue: multiprocessing.SimpleQueue):
        super().__init__()
        self._queue = queue

    def emit(self, record: logging.LogRecord) -> None:
        self._queue.put(self.format(record))


def _process(
    rank: int,
    processes: int,
    port: int,
    reports: multiprocessing.SimpleQueue,
    work: Callable[..., None],
    settings: dict,
) -> None:
    came = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: came.set())
    logger = logging.getLogger("crossz")
    logger.propagate = False
    if rank == 0:
        logger.setLevel(logging.INFO)
        logger.addHandler(_ToParent(reports))
    try:
        _join(rank, processes, port)
        work(**settings, stop=came.is_set)
    except (CrosszError, OSError) as error:
        reports.put(error)
        raise SystemExit(1) from error
    dist.destroy_process_group()


def _join(rank: int, processes: int, port: int) -> None:
    backend = "gloo"
    if torch.cuda.is_available():
        if (cards := torch.cuda.device_count()) < processes:
            raise CrosszError(f"{processes} GPUs are wanted for a training, {cards} are here; lower its resource gpu")
        torch.cuda.set_device(rank)
        warnings.filterwarnings("ignore", "CUDA reports that you have")  # of fork_rng: all cards are seen, one is used
        backend = "nccl"
    store = dist.TCPStore("127.0.0.1", port, is_master=False)
    dist.init_process_group(backend, store=store, rank=rank, world_size=processes, timeout=PATIENCE)
