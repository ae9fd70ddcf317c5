"""Who is there, as readiness sees it: no word of a worker outlives the worker."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streametrics.redis.client import RedisClient
from streametrics.redis.worker_registry import EXPIRES_S, RegisteredWorker, WorkerRegistry, withdraw_dead_workers
from tests.support.stack import Stack, redis_server, until


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[WorkerRegistry]:
    with redis_server(tmp_path) as url:
        client = RedisClient(url)
        yield WorkerRegistry(client)
        client.close()


def dead_pid() -> int:
    """The id of a process that has ended and is buried."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_a_start_withdraws_the_dead_of_its_host_and_nobody_else(registry: WorkerRegistry) -> None:
    here = socket.gethostname()
    # Given a process that was killed, one that lives, and one on another host of which nothing is known here
    names = [f"transcribe@{here}:{dead_pid()}", f"transcribe@{here}:{os.getpid()}", f"transcribe@other:{dead_pid()}"]
    for name in names:
        registry.announce(RegisteredWorker(name, "transcribe", True, {}), expires_s=EXPIRES_S)
    withdraw_dead_workers(registry)
    assert {worker.name for worker in registry.workers()} == set(names[1:])


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_that_is_stopped_is_gone_at_once(fresh: Stack, pool: str) -> None:
    worker = fresh.start_worker(name="only", pool=pool)
    # Given that it listens to signals too: its writer is there before Celery is
    until(lambda: re.search(r"only@\S+ ready", fresh.log()), within_s=20, what="Celery is ready")
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=30)
    # Expect its word to be withdrawn, not to run out
    client = RedisClient(fresh.redis_url)
    assert WorkerRegistry(client).workers() == []
    client.close()
