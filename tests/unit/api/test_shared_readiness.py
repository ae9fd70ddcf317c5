"""Readiness as many ask for it at once: one look for all, in bounded time, with what does not run in the background."""

import asyncio
import json
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streametrics.api import readiness
from streametrics.api.readiness import ReadinessChecks
from streametrics.concurrency.background import BackgroundPart, background_parts
from streametrics.database.backlog import Backlog
from streametrics.domain.job import QueueName, Stage
from streametrics.jobs.connections import Connections
from streametrics.redis.worker_registry import RegisteredWorker
from streametrics.settings import Settings
from streametrics.summarization.fake import FakeSummarizer

NOTHING = dict.fromkeys(QueueName, Backlog())


class Looks:
    """The parts that readiness looks at, with how often it did."""

    def __init__(self, look: Callable[[], None] = lambda: None) -> None:
        self.count = 0
        self.look = look
        self.workers = [RegisteredWorker("t", "transcribe", True, {}), RegisteredWorker("s", "summarize", True, {})]
        held = SimpleNamespace(
            settings=Settings(_env_file=None),
            registry=SimpleNamespace(workers=lambda: self.workers, other_service=None),
            redis=SimpleNamespace(answers=self._answers),
            database=SimpleNamespace(require_whole=lambda: None),
            audio=SimpleNamespace(require_usable=lambda: None),
            backlog=SimpleNamespace(by_queue=lambda: NOTHING, in_work=lambda: dict.fromkeys(Stage, 0)),
        )
        self.checks = ReadinessChecks(cast(Connections, held), FakeSummarizer())

    def _answers(self) -> bool:
        self.count += 1
        self.look()
        return True

    def body(self) -> dict[str, Any]:
        return self.checks.ready()[1]


def test_many_who_ask_share_one_look() -> None:
    async def test() -> None:
        looks = Looks()
        answers = await asyncio.gather(*(looks.checks.answer(client) for client in range(120)))
        assert looks.count == 1
        assert {answer.status_code for answer in answers} == {200}
        assert json.loads(answers[0].body)["status"] == "ready"

    asyncio.run(test())


def test_connections_in_a_loop_get_one_answer_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "READY_VALID_S", 0.2)

    async def test() -> None:
        looks = Looks()
        answered = 0

        async def loop(client: int) -> None:
            nonlocal answered
            while looks.count < 4:
                await looks.checks.answer(client)
                answered += 1

        async with asyncio.timeout(10):
            await asyncio.gather(*(loop(client) for client in range(50)))
        assert answered <= 50 * 5
        # Expect one that comes anew not to wait for their turn
        began = asyncio.get_running_loop().time()
        await looks.checks.answer("another")
        assert asyncio.get_running_loop().time() - began < 0.15

    asyncio.run(test())


def test_a_check_that_hangs_is_named_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "READY_LIMIT_S", 0.1)
    may_end = threading.Event()

    async def test() -> None:
        looks = Looks(lambda: may_end.wait(10) and None)
        answers = await asyncio.gather(*(looks.checks.answer(client) for client in range(20)))
        may_end.set()
        assert {answer.status_code for answer in answers} == {503}
        checks = json.loads(answers[0].body)["checks"]
        assert "does not come to its end" in checks["queue"]["detail"]
        assert looks.count == 1

    asyncio.run(test())


def test_a_check_that_fails_is_named_and_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise TypeError("of a kind that nobody expected")

    body = Looks(fail).body()
    assert body["status"] == "not_ready"
    assert body["checks"]["queue"] == {"ok": False, "detail": "This cannot be checked (TypeError): the log says why."}
    assert body["checks"]["database"]["ok"]
    assert "the check 'queue' failed" in caplog.text


def test_what_does_not_run_in_the_background_is_named() -> None:
    looks = Looks()
    assert looks.body()["checks"]["background"] == {"ok": True, "detail": "runs"}
    part = BackgroundPart("maintenance")
    background_parts.add(part)
    part.failed(RuntimeError("x"))
    try:
        body = looks.body()
    finally:
        background_parts.discard(part)
    assert body["status"] == "not_ready"
    assert "API: maintenance (failed with RuntimeError)" in body["checks"]["background"]["detail"]
    # And of a worker what its heartbeat says
    looks.workers.append(RegisteredWorker("x", "summarize", True, {"background": "lease renewal (stuck for 70 s)"}))
    body = looks.body()
    assert body["status"] == "not_ready"
    assert "summarize worker: lease renewal (stuck for 70 s)" in body["checks"]["background"]["detail"]
