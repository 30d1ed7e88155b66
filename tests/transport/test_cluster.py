"""The engine on a Dask cluster: real worker processes on the loopback."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from omnidose.errors import DependencyError, InputError, OmnidoseError
from omnidose.transport import engine
from omnidose.transport import workers as module
from omnidose.transport.checks.cluster import (
    refusal_of_a_version,
    run,
    run_with_a_kill,
    same_bits,
    spoil_version,
    workers,
)
from omnidose.transport.checks.cube import small_cube
from omnidose.transport.cluster import ClusterRunner
from omnidose.transport.engine import Progress, simulate
from omnidose.transport.problem import compile_problem
from omnidose.transport.runner import LocalRunner
from omnidose.transport.tally import Tally
from omnidose.transport.workers import check_workers, connect, difference, identity

pytest.importorskip("distributed")
HISTORIES = 1e5


@pytest.fixture(scope="module")
def local() -> Tally:
    return run(HISTORIES, threads=1)


@pytest.fixture(scope="module")
def two(local: Tally) -> Iterator[object]:
    """Two processes; ``local`` first, so that they find compiled kernels."""
    with workers(2) as client:
        yield client


def test_two_processes_give_the_same_bits_and_tell_progress(two, local) -> None:  # type: ignore[no-untyped-def]
    seen: list[Progress] = []
    assert same_bits(local, run(HISTORIES, cluster=two, progress=seen.append))
    assert [p.fraction for p in seen] == sorted(p.fraction for p in seen)
    assert seen[-1].fraction == 1
    assert seen[-1].histories == local.histories


def test_any_grouping_gives_the_same_bits(two, local) -> None:  # type: ignore[no-untyped-def]
    scene, source, regions = small_cube()
    problem = compile_problem(scene, source, regions=regions, seed=3, voxel_map=True)
    here = LocalRunner(problem, 1)
    sums, counts = here.run(5, 9, 500), here.voxel_counts()
    for task_s in (1e-9, 1e9):
        there = ClusterRunner(problem, two, task_s=task_s)
        got = there.run(5, 9, 500)
        assert np.array_equal(sums.energies_kev, got.energies_kev)
        assert np.array_equal(sums.balance, got.balance)
        assert np.array_equal(counts, there.voxel_counts())


def test_precision_stops_where_it_does_locally(two, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(engine, "BATCH_HISTORIES", 200)
    scene, source, regions = small_cube()
    a, b = (
        simulate(
            scene, source, regions=regions, precision={"half": 0.005}, max_histories=1e5, seed=2, **where
        )
        for where in ({"backend": "cpu"}, {"cluster": two})
    )
    assert (a.stopped, b.stopped) == ("precision", "precision")
    assert a.batch_energy_kev.shape[0] > engine.BATCHES  # it looked more than once
    assert np.array_equal(a.batch_energy_kev, b.batch_energy_kev)


def test_a_worker_with_another_version_is_refused(two) -> None:  # type: ignore[no-untyped-def]
    said, seconds_s = refusal_of_a_version(two)
    assert said.startswith("worker tcp://127.0.0.1:")
    assert "has omnidose 0.0.1 instead of" in said
    assert "install the same" in said
    assert seconds_s < 5
    assert check_workers(two) == 2


def test_a_worker_that_came_later_with_another_version_is_refused(two) -> None:  # type: ignore[no-untyped-def]
    import omnidose

    scene, source, _regions = small_cube()
    runner = ClusterRunner(compile_problem(scene, source), two)
    worker = spoil_version(two, "0.0.2")
    try:
        with pytest.raises(InputError, match=f"worker {worker} has omnidose 0.0.2 instead of"):
            runner.run(0, 200, 10)
    finally:
        spoil_version(two, omnidose.__version__)


def test_progress_can_stop_the_run(two) -> None:  # type: ignore[no-untyped-def]
    def stop(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(HISTORIES, cluster=two, progress=stop)


def test_a_killed_worker_costs_its_batches_and_no_more(two, local) -> None:  # type: ignore[no-untyped-def]
    tally, again, given = run_with_a_kill(two, HISTORIES)
    assert same_bits(local, tally)
    assert 0 <= again <= given
    assert given > 0


def test_all_workers_lost_and_new_ones_come(local: Tally) -> None:
    """One process that is killed and started again: problem and dose maps are lost with it."""
    with workers(1) as client:
        tally, again, given = run_with_a_kill(client, HISTORIES)
    assert same_bits(local, tally)
    assert 0 < again <= given


def test_twenty_workers_give_the_same_bits(local: Tally) -> None:
    with workers(20, processes=False) as client:
        assert same_bits(local, run(HISTORIES, cluster=client))


def test_a_cluster_without_workers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    with workers(0, processes=False) as client:
        with pytest.raises(InputError, match="had no worker for"):
            check_workers(client)
        scene, source, _regions = small_cube()
        with pytest.raises(OmnidoseError, match="lost all its workers, and none came"):
            ClusterRunner(compile_problem(scene, source), client).run(0, 2, 10)


def test_the_question_travels_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is answered where omnidose is missing, or has no cluster module yet."""
    import cloudpickle

    question = cloudpickle.dumps(module._question())
    ours = identity()
    assert pickle.loads(question)() == ours
    monkeypatch.setitem(sys.modules, "omnidose.transport.workers", None)
    assert set(pickle.loads(question)()) == {"omnidose"}
    monkeypatch.setitem(sys.modules, "omnidose", None)
    answer = pickle.loads(question)()
    assert answer == {"omnidose": "not installed"}
    assert difference(ours, answer).startswith("omnidose not installed instead of")


def test_identities_differ_in_kernels_too() -> None:
    ours = identity()
    assert difference(ours, dict(ours, processor="other")) == ""
    assert difference(ours, dict(ours, kernels="abc")) == f"kernel source abc instead of {ours['kernels']}"


@pytest.mark.parametrize(
    "address", ["scheduler:8786", "http://a:1", "tcp://", "tcp://a", "tcp://:1", "inproc://a:1"]
)
def test_only_addresses_of_schedulers_are_taken(address: str) -> None:
    with pytest.raises(InputError, match="no address of a scheduler"), connect(address):
        pass


def test_an_estimate_refuses_a_bad_address_before_it_begins() -> None:
    from omnidose.exams.options import EstimateOptions

    assert EstimateOptions().cluster == ""
    assert EstimateOptions(cluster="tls://scheduler:8786").cluster == "tls://scheduler:8786"
    with pytest.raises(InputError, match="in --cluster"):
        EstimateOptions(cluster="scheduler:8786")


def test_a_missing_extra_and_a_silent_address_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_S", 0.2)
    with pytest.raises(InputError, match="no scheduler answers at tcp://"), connect("tcp://127.0.0.1:9"):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DependencyError, match=r"omnidose\[cluster\]"), connect("tcp://127.0.0.1:9"):
        pass


def test_a_thing_that_is_no_client_is_refused() -> None:
    with pytest.raises(InputError, match="cluster is no client"):
        run(1000, cluster="tcp://scheduler:8786")
