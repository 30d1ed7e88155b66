"""The workers of a Dask cluster: who they are, whether they compute as we do here, how to reach them."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omnidose.errors import DependencyError, InputError

if TYPE_CHECKING:
    from distributed import Client

INSTALL = "pip install 'omnidose[cluster]'"
SCHEMES = ("tcp://", "tls://")
#: How long a run waits for a first or a new worker, and for a scheduler.
PATIENCE_S = 60.0
CONNECT_S = 10.0


@cache
def _kernel_hash() -> str:
    """Return a hash of everything that a worker computes with."""
    here = Path(__file__).parent
    files = [
        *sorted((here / "kernels").glob("*.py")),
        *(here / f"{n}.py" for n in ("_records", "cpu", "runner")),
    ]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def identity() -> dict[str, str]:
    """Return what must be equal on all machines, and what should be (``processor``)."""
    import numba
    from llvmlite.binding import get_host_cpu_name

    import omnidose

    return {
        "omnidose": omnidose.__version__,
        "kernels": _kernel_hash(),
        "numba": numba.__version__,
        "numpy": np.__version__,
        "processor": str(numba.config.CPU_NAME or get_host_cpu_name()),
    }


def _question() -> Callable[[], dict[str, str]]:
    """Return a function that answers even where omnidose is another version or absent.

    Defined inside a function, it travels by value: the worker needs no module of ours to read it.
    """

    def answer() -> dict[str, str]:
        try:
            import omnidose
        except ImportError:
            return {"omnidose": "not installed"}
        try:
            from omnidose.transport.workers import identity
        except ImportError:
            return {"omnidose": str(getattr(omnidose, "__version__", "unknown"))}
        return identity()

    return answer


def difference(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """Return in words what differs between two identities, without the processor; empty if nothing does."""
    words = {"kernels": "kernel source"}
    return ", ".join(
        f"{words.get(key, key)} {theirs.get(key, 'unknown')} instead of {value}"
        for key, value in ours.items()
        if key != "processor" and theirs.get(key) != value
    )


def check_workers(client: Client) -> int:
    """Refuse a cluster whose workers would give other numbers; return the number of workers.

    Raises
    ------
    InputError
        If there is no worker, or one has another omnidose, other kernels, another numba or numpy. The message
        names the worker and both versions.

    Notes
    -----
    Other processors are warned about: compiled for another instruction set, sums may differ in the last bits.
    """
    if not hasattr(client, "submit") or not hasattr(client, "run"):
        raise InputError("cluster is no client", where="cluster", allowed="a connected distributed.Client")
    deadline_s = time.monotonic() + PATIENCE_S
    while not client.nthreads():
        if time.monotonic() > deadline_s:
            raise InputError(
                f"the cluster had no worker for {PATIENCE_S:.0f} s",
                where="cluster",
                todo="start some: dask worker ADDRESS --nthreads 1",
            )
        time.sleep(0.1)
    ours = identity()
    answers: dict[str, Any] = client.run(_question(), on_error="return")
    for worker, theirs in sorted(answers.items()):
        if isinstance(theirs, BaseException):
            what = f"worker {worker} cannot say what it runs: {theirs}"
            raise InputError(what, where="cluster") from theirs
        if found := difference(ours, theirs):
            raise InputError(
                f"worker {worker} has {found}",
                where="cluster",
                todo="install the same omnidose, numba and numpy on all machines and start the worker again",
            )
    processors = {answer["processor"] for answer in answers.values()} | {ours["processor"]}
    if len(processors) > 1:
        warnings.warn(
            f"machines with different processors ({', '.join(sorted(processors))}): results may differ in "
            "the last bits with the worker that ran a batch; NUMBA_CPU_NAME=generic everywhere prevents it",
            stacklevel=4,
        )
    return len(answers)


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """Connect to the scheduler that the user named, and leave it at the end.

    Raises
    ------
    DependencyError
        If the extra is not installed.
    InputError
        If the address is none, or no scheduler answers there.
    """
    check_address(address)
    try:
        from distributed import Client
    except ImportError as error:
        raise DependencyError(
            f"a cluster needs the package distributed ({error})", where="--cluster", todo=INSTALL
        ) from None
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise InputError(
            f"no scheduler answers at {address} ({type(error).__name__})",
            where="--cluster",
            todo="start one: dask scheduler",
        ) from error
    try:
        yield client
    finally:
        client.close()


def check_address(address: str) -> None:
    """Refuse what is no address of a scheduler.

    Raises
    ------
    InputError
        With what is allowed.
    """
    host, colon, port = address.partition("://")[2].rpartition(":")
    if not address.startswith(SCHEMES) or not host or not colon or not port.isdigit():
        raise InputError(
            f"'{address}' is no address of a scheduler",
            where="--cluster",
            allowed="tcp://HOST:PORT or, encrypted, tls://HOST:PORT",
        )
