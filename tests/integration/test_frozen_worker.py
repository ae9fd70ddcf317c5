"""Readiness when a worker process is there and does nothing."""

import os
import signal
from typing import Any

import requests

from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until

CHUNK = plain_wav(tone(3.0, 16_000), 16_000)


def readiness(stack: Stack) -> dict[str, Any]:
    return dict(requests.get(f"{stack.url}/health/ready", timeout=10).json())


def test_a_worker_whose_consumer_is_frozen_is_not_ready_though_its_child_says_it_is_there(fresh: Stack) -> None:
    fresh.start_api()
    worker = fresh.start_worker(name="transcribe")
    fresh.start_worker(name="summarise", queues="summarise", pool="threads")
    assert readiness(fresh)["status"] == "ready"

    # Given a parent that takes no more messages, and a child whose model is warm
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        task_id = fresh.submit(CHUNK)

        def told() -> dict[str, Any] | None:
            body = readiness(fresh)
            return body if not body["checks"]["transcribe_worker"]["ok"] else None

        body = until(told, within_s=30, what="it is not ready")
        assert body["status"] == "not_ready"
        assert "nobody takes it" in body["checks"]["transcribe_worker"]["detail"]
        assert body["checks"]["summarise_worker"]["ok"]
    finally:
        os.kill(worker.pid, signal.SIGCONT)

    assert fresh.finished(task_id)["status"] == "done"
    until(lambda: readiness(fresh)["status"] == "ready", within_s=30, what="it is ready again")
