"""A Redis that does not answer costs the first call a second, and the calls after it nothing."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import redis

from streametrics.concurrency.fail_fast import FailFast
from streametrics.domain.job import JobKind, Stage, TaskMessage
from streametrics.errors import QueueUnavailable
from streametrics.jobs.broker import PUBLISH_TIMEOUT_S, Queue
from streametrics.redis.client import TIMEOUT_S, RedisClient, asynchronous_client
from streametrics.settings import Settings
from tests.support.doubles import ManualClock


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening:
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


@pytest.mark.slow
def test_only_the_first_call_waits(silent: str) -> None:
    client = RedisClient(silent)
    began = time.monotonic()
    assert not client.answers()
    waited_s = time.monotonic() - began
    assert client.queue_lengths(("live",)) is None
    for _ in range(3):
        with pytest.raises(redis.ConnectionError):
            client.commands.get("key")
    again_s = time.monotonic() - began - waited_s
    client.close()
    # redis-py by itself would try three times more
    assert TIMEOUT_S * 0.9 <= waited_s < 2 * TIMEOUT_S
    assert again_s < TIMEOUT_S / 2


@pytest.mark.slow
def test_an_event_loop_waits_for_one_try(silent: str) -> None:
    async def ask() -> float:
        client = asynchronous_client(silent)
        began = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            await client.get("key")
        await client.aclose()
        return time.monotonic() - began

    assert asyncio.run(ask()) < 2 * TIMEOUT_S


def test_an_answer_lets_all_through_again() -> None:
    clock = ManualClock()
    client = RedisClient("redis://127.0.0.1:1/0", FailFast(clock=clock))
    assert not client.answers()
    assert client.outage.is_resting
    clock.move(1)
    client.outage.succeeded()
    assert client.outage.allows()
    client.close()


@pytest.mark.slow
def test_many_messages_wait_no_longer_than_one(silent: str) -> None:
    queue = Queue(Settings(_env_file=None, redis_url=silent))
    failed: list[float] = []
    began = time.monotonic()

    def send() -> None:
        with pytest.raises(QueueUnavailable):
            queue.send(TaskMessage("task", Stage.TRANSCRIBE, JobKind.LIVE, 0))
        failed.append(time.monotonic() - began)

    threads = [threading.Thread(target=send) for _ in range(80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(QueueUnavailable):
        queue.require()
    queue.close()
    assert len(failed) == len(threads)
    # Twice, as the last ones may try once more; ten at a time would take ten times as long.
    assert max(failed) < 2.2 * PUBLISH_TIMEOUT_S
