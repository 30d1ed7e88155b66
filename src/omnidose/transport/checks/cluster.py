"""Many machines: real worker processes on the loopback, the same bits, and one that is killed."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from omnidose.errors import InputError
from omnidose.transport.checks._rows import judged_row, not_run_row
from omnidose.transport.checks.cube import small_cube
from omnidose.transport.engine import Progress, simulate
from omnidose.transport.tally import Tally
from omnidose.validation import Context, Row

if TYPE_CHECKING:
    from distributed import Client

SEED = 7


@contextmanager
def workers(count: int, *, processes: bool = True) -> Iterator[Client]:
    """Yield a client of a cluster on this machine, one thread per worker."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=processes,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            memory_limit=None,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def run(histories: float, *, voxel_map: bool = True, **options: Any) -> Tally:
    """Run the small cube, by default with its dose map, locally unless the options name a cluster."""
    scene, source, regions = small_cube()
    if "cluster" not in options:
        options["backend"] = "cpu"
    return simulate(
        scene, source, regions=regions, histories=histories, voxel_map=voxel_map, seed=SEED, **options
    )


def same_bits(a: Tally, b: Tally) -> bool:
    """Return whether every number of two tallies is the same."""
    assert a.voxel_dose_kev_g is not None
    assert b.voxel_dose_kev_g is not None
    return bool(
        np.array_equal(a.batch_energy_kev, b.batch_energy_kev)
        and np.array_equal(a.batch_primary_kev, b.batch_primary_kev)
        and np.array_equal(a.batch_analog_kev, b.batch_analog_kev)
        and np.array_equal(a.voxel_dose_kev_g, b.voxel_dose_kev_g)
    )


def run_with_a_kill(client: Client, histories: float, *, voxel_map: bool = True) -> tuple[Tally, int, int]:
    """Run, and kill one worker process when a third is done.

    Returns
    -------
    tally, again, given
        Result, batches that were begun more than once, batches that the killed worker had begun.
    """
    from omnidose.transport.cluster import TOPIC

    pids: dict[str, int] = client.run(os.getpid)
    before = len(client.get_events(TOPIC))
    victims: list[str] = []

    def kill(progress: Progress) -> None:
        if not victims and progress.fraction >= 1 / 3:
            begun = [message["worker"] for _time, message in client.get_events(TOPIC)[before:]]
            victims.append(max(pids, key=begun.count))
            os.kill(pids[victims[0]], signal.SIGKILL)

    tally = run(histories, voxel_map=voxel_map, cluster=client, progress=kill)
    events = [message for _time, message in client.get_events(TOPIC)[before:]]
    total = sum(e["n_batches"] for e in events)
    given = sum(e["n_batches"] for e in events if e["worker"] in victims)
    return tally, total - tally.batch_energy_kev.shape[0], given


def spoil_version(client: Client, version: str) -> str:
    """Make one worker believe that it is another version; return its address."""

    def set_version(version: str) -> None:
        import omnidose

        omnidose.__version__ = version

    worker = min(client.nthreads())
    client.run(set_version, version, workers=[worker])
    return str(worker)


def refusal_of_a_version(client: Client) -> tuple[str, float]:
    """Return what is said about a worker with another version, and the seconds that it took."""
    import omnidose

    worker = spoil_version(client, "0.0.1")
    tick = time.perf_counter()
    try:
        run(1e9, cluster=client)
    except InputError as error:
        said = str(error)
    else:
        said = "nothing"
    finally:
        spoil_version(client, omnidose.__version__)
    seconds_s = time.perf_counter() - tick
    return said if worker in said and "0.0.1" in said else f"(worker or version not named) {said}", seconds_s


def _row(name: str, ours: str, tolerance: str, passed: bool, note: str = "") -> Row:
    return judged_row(
        name,
        ours,
        passed,
        tolerance=tolerance,
        source="water cube of 20 cm",
        note=note,
    )


def check(context: Context) -> Iterator[Row]:
    """Yield the rows of the claim."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        yield not_run_row("Dask cluster", "needs the extra: pip install 'omnidose[cluster]'")
        return
    histories = 4e6 if context.full else 4e5
    local = run(histories, threads=1)
    kinds = [(1, True), (2, True), (20, context.full)]
    for count, processes in kinds:
        kind = "processes" if processes else "workers in one process"
        with workers(count, processes=processes) as client:
            got = run(histories, cluster=client)
            same = same_bits(local, got)
            yield _row(
                f"{count} {kind}: every batch and voxel as on this machine",
                "same bits" if same else "other bits",
                "same bits",
                same,
            )
            if (count, processes) != (2, True):
                continue
            said, seconds_s = refusal_of_a_version(client)
            yield _row(
                "a worker with another version is refused before any photon",
                said,
                "names worker and version, within 2 s",
                "instead of" in said and not said.startswith("(") and seconds_s < 2,
                f"{seconds_s:.2f} s",
            )
            tally, again, given = run_with_a_kill(client, histories)
            same = same_bits(local, tally)
            yield _row(
                "one of two worker processes killed: every batch and voxel as on this machine",
                "same bits" if same else "other bits",
                "same bits",
                same,
            )
            yield _row(
                "batches run again after that",
                str(again),
                "at most those that the killed worker had begun, which are some",
                0 <= again <= given and given > 0,
                f"it had begun {given} of {local.batch_energy_kev.shape[0]}; its part of the map was lost",
            )
    with workers(2, processes=True) as client:
        tally, again, given = run_with_a_kill(client, histories, voxel_map=False)
        same = np.array_equal(local.batch_energy_kev, tally.batch_energy_kev)
        yield _row(
            "the same without a dose map: batches run again",
            str(again) if same else "other bits",
            "same bits; fewer than it had begun (what is finished is not lost)",
            bool(same) and 0 <= again < given,
            f"it had begun {given}",
        )
