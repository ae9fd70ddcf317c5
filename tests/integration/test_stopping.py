"""A worker that is told to stop ends within its limit, wherever it stands, and gives back what it holds."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import func, select

from streametrics.database.engine import open_engine
from streametrics.database.tables import jobs
from streametrics.redis.client import RedisClient
from streametrics.redis.worker_registry import RegisteredWorker, WorkerRegistry
from streametrics.supervisor.commands import SIGQUIT, WORKER_STOP_SEQUENCE
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until

GATED = "tests.support.workers.gated"
CHUNK = plain_wav(tone(3.0, 16_000), 16_000)
#: What the supervisor gives a worker after SIGQUIT, before it kills it; here with room for a machine that is busy.
ENDS_WITHIN_S = dict(WORKER_STOP_SEQUENCE)[SIGQUIT] * 5


@pytest.fixture
def service(fresh: Stack) -> Stack:
    """An API, and leases that no recovery ends."""
    fresh.settings["LEASE_S"] = "600"
    fresh.start_api()
    return fresh


def launch(stack: Stack, *, queues: str = "live,long", pool: str = "prefork") -> "subprocess.Popen[bytes]":
    return stack.launch_worker(app=GATED, queues=queues, pool=pool, name="first")


def wait_for(stack: Stack, pattern: str, *, other_than: tuple[Path, ...] = ()) -> Path:
    """The file by which a process in the gate says where it stands."""
    marks = until(lambda: set(stack.gate.glob(pattern)) - set(other_than), within_s=60, what=f"a process is {pattern}")
    return marks.pop()


def wait_until_it_listens(stack: Stack) -> None:
    until(lambda: "ready." in stack.log(), within_s=60, what="Celery is ready")


def expect_the_end(stack: Stack, worker: "subprocess.Popen[bytes]") -> None:
    """All of its processes end, and nothing is held."""
    worker.wait(timeout=ENDS_WITHIN_S)
    until(lambda: not has_processes(worker), within_s=ENDS_WITHIN_S, what="its children have ended")
    assert held(stack) == 0


def held(stack: Stack) -> int:
    """How many jobs are held by a worker."""
    engine = open_engine(stack.database_url)
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).where(jobs.c.lease_until.is_not(None))).scalar_one()
    engine.dispose()
    return int(count)


def announced(stack: Stack) -> list[RegisteredWorker]:
    """Every worker process that is said to be there."""
    client = RedisClient(stack.redis_url)
    workers = WorkerRegistry(client).workers()
    client.close()
    return workers


def has_processes(worker: "subprocess.Popen[bytes]") -> bool:
    """Whether a process of its group is there, the buried not counted."""
    try:
        os.killpg(worker.pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_ends_though_it_is_still_handling_the_first_signal(service: Stack, pool: str) -> None:
    (service.gate / "slow-stop").touch()
    worker = launch(service, pool=pool)
    wait_until_it_listens(service)
    waiting = [service.submit(CHUNK) for _ in range(3)]
    wait_for(service, "at-*")

    worker.terminate()
    wait_for(service, "stopping")
    worker.send_signal(signal.SIGQUIT)

    expect_the_end(service, worker)
    # And another one to take them at once, as if they had never been tried
    for mark in ("open", "open-summary"):
        (service.gate / mark).touch()
    service.start_worker(app=GATED, queues="live,long,summarise", pool="solo", name="second")
    assert [service.finished(task_id)["status"] for task_id in waiting] == ["done"] * 3


def test_a_second_sigterm_changes_nothing(service: Stack) -> None:
    worker = launch(service)
    wait_until_it_listens(service)
    task_id = service.submit(CHUNK)
    wait_for(service, "at-*")

    for _ in range(20):
        worker.terminate()
    until(lambda: "arm shutdown" in service.log(), within_s=30, what="it heard")
    (service.gate / "open").touch()

    expect_the_end(service, worker)
    assert service.status(task_id)["current_step"] == "transcription_complete"
    assert worker.returncode == 0


def test_a_worker_ends_while_its_model_loads(service: Stack) -> None:
    (service.gate / "slow-load").touch()
    worker = launch(service)
    wait_until_it_listens(service)
    wait_for(service, "loading-*")

    worker.terminate()
    until(lambda: "arm shutdown" in service.log(), within_s=30, what="it heard")
    worker.send_signal(signal.SIGQUIT)

    expect_the_end(service, worker)
    assert announced(service) == []


def test_a_worker_ends_while_a_child_is_being_replaced(service: Stack) -> None:
    worker = launch(service)
    wait_until_it_listens(service)
    service.submit(CHUNK)
    mark = wait_for(service, "at-*")
    # Given that its child was killed in the middle of a job, and another one loads
    (service.gate / "slow-load").touch()
    os.kill(int(mark.name.split("-")[1]), signal.SIGKILL)
    wait_for(service, "loading-*")

    worker.terminate()
    until(lambda: "arm shutdown" in service.log(), within_s=30, what="it heard")
    worker.send_signal(signal.SIGQUIT)

    expect_the_end(service, worker)
    assert announced(service) == []


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
@pytest.mark.parametrize("pool", ["prefork", "solo", "threads"])
def test_a_cold_stop_alone_is_enough(service: Stack, pool: str, number: signal.Signals) -> None:
    # Given a worker at work on the sound, or on the summary
    if pool == "threads":
        (service.gate / "open").touch()
        service.start_worker(app=GATED, name="hears")
    worker = launch(service, queues="summarise" if pool == "threads" else "live,long", pool=pool)
    until(lambda: "first@" in service.log() and "ready." in service.log(), within_s=60, what="Celery is ready")
    task_id = service.submit(CHUNK)
    wait_for(service, "summary-at-*" if pool == "threads" else "at-*")

    worker.send_signal(number)
    if number == signal.SIGINT:
        until(lambda: "arm shutdown" in service.log(), within_s=30, what="it heard")
        worker.send_signal(number)

    expect_the_end(service, worker)
    assert service.status(task_id)["status"] == "processing"
