"""Job versions go on being read, whatever ends their reader; and no poll waits for one that hangs."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from streametrics.concurrency import background, supervised_task
from streametrics.concurrency.background import background_parts
from streametrics.redis import job_versions
from streametrics.redis.job_versions import JobVersionReader, JobVersionsUnavailable
from streametrics.status.long_poll import ChangeWatch

#: What takes longer has failed, in seconds.
LIMIT_S = 10.0

Mget = Callable[[], Awaitable[Any]]


class FakeRedis:
    """One client of redis-py; all clients of a test share what `mget` and `set` do."""

    def __init__(self, do: dict[str, Mget]) -> None:
        self._do = do
        self.is_closed = False

    async def mget(self, keys: list[str]) -> list[str | None]:
        assert not self.is_closed, "a client that was given up is used again"
        if "mget" in self._do:
            await self._do["mget"]()
        return ["all", *("own" for _ in keys[1:])]

    async def set(self, *_: object, **__: object) -> None:
        if "set" in self._do:
            await self._do["set"]()

    async def aclose(self) -> None:
        self.is_closed = True
        raise RuntimeError("the handler is closed")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "RETRY_S", 0.02)
    monkeypatch.setattr(job_versions, "RETRY_AFTER_S", 0.01)
    monkeypatch.setattr(job_versions, "WAIT_LIMIT_S", 0.2)
    monkeypatch.setattr(job_versions, "ROUND_TRIP_LIMIT_S", 0.1)


@pytest.fixture
def do(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mget]:
    """What the calls of Redis do before they answer."""
    done: dict[str, Mget] = {}
    monkeypatch.setattr(redis.asyncio.Redis, "from_url", lambda *_, **__: FakeRedis(done))
    return done


def raising(error: BaseException) -> Mget:
    async def call() -> None:
        raise error

    return call


async def recovered(read: Callable[[], Awaitable[Any]]) -> Any:
    """Read until it works again."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return await read()
            except JobVersionsUnavailable:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"),
        asyncio.CancelledError(),
        AssertionError("from a library"),
        GeneratorExit(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_reader_that_dies_is_told_of_and_starts_again(
    do: dict[str, Mget], error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def test() -> None:
        reader = JobVersionReader("redis://nowhere")
        try:
            assert await reader.read("job") == "all/own"
            do["mget"] = raising(error)
            # Expect many polls at once to be sent to the rows, none to wait
            polls = [reader.read(f"job{number}") for number in range(20)]
            async with asyncio.timeout(LIMIT_S):
                found = await asyncio.gather(*polls, return_exceptions=True)
            assert {type(each) for each in found} == {JobVersionsUnavailable}
            assert "job versions (failed" in background_parts.trouble()
            assert type(error).__name__ in background_parts.trouble()
            assert "a round of 'job versions' failed" in caplog.text
            # And, once the reason is gone, the next polls to be served, by themselves
            do.clear()
            assert await recovered(lambda: reader.read("job")) == "all/own"
            assert background_parts.trouble() == ""
            assert "event=background_recovered part='job versions'" in caplog.text
        finally:
            await reader.close()

    asyncio.run(test())


def test_a_reader_recovers_without_a_poll(do: dict[str, Mget]) -> None:
    async def test() -> None:
        reader = JobVersionReader("redis://nowhere")
        do["mget"] = raising(RuntimeError("once"))
        with pytest.raises(JobVersionsUnavailable):
            await reader.read("job")
        do.clear()
        async with asyncio.timeout(LIMIT_S):
            while background_parts.trouble():
                await asyncio.sleep(0.01)
        await reader.close()

    asyncio.run(test())


def test_a_redis_that_is_silent_keeps_no_poll(do: dict[str, Mget]) -> None:
    async def silent() -> None:
        await asyncio.get_running_loop().create_future()

    async def test() -> None:
        reader = JobVersionReader("redis://nowhere")
        do["mget"] = silent
        async with asyncio.timeout(LIMIT_S):
            with pytest.raises(JobVersionsUnavailable):
                await reader.read("job")
        # And it is Redis that is away, not the reader
        assert background_parts.trouble() == ""
        do.clear()
        assert await recovered(lambda: reader.read("job")) == "all/own"
        await reader.close()

    asyncio.run(test())


def test_a_loop_that_was_held_up_is_no_reader_that_hangs(do: dict[str, Mget]) -> None:
    async def held_up() -> None:
        # All limits are over when the loop goes on
        time.sleep(0.3)
        await asyncio.get_running_loop().create_future()

    async def test() -> None:
        reader = JobVersionReader("redis://nowhere")
        do["mget"] = held_up
        async with asyncio.timeout(LIMIT_S):
            with pytest.raises(JobVersionsUnavailable):
                await reader.read("job")
        assert background_parts.trouble() == ""
        await reader.close()

    asyncio.run(test())


def test_a_reader_that_cannot_be_cancelled_keeps_no_poll(do: dict[str, Mget]) -> None:
    async def test() -> None:
        may_end = asyncio.Event()

        async def stubborn() -> None:
            while not may_end.is_set():
                try:
                    await may_end.wait()
                except asyncio.CancelledError:
                    continue

        reader = JobVersionReader("redis://nowhere")
        do["mget"] = stubborn
        async with asyncio.timeout(LIMIT_S):
            with pytest.raises(JobVersionsUnavailable):
                await reader.read("job")
        assert "job versions (failed with TimeoutError)" in background_parts.trouble()
        do.clear()
        assert await recovered(lambda: reader.read("job")) == "all/own"
        may_end.set()
        await reader.close()

    asyncio.run(test())


@pytest.mark.parametrize("error", [RuntimeError("closed"), redis.ConnectionError("away")])
def test_a_first_version_that_cannot_be_written_is_no_error_of_the_poll(do: dict[str, Mget], error: Exception) -> None:
    async def test() -> None:
        reader = JobVersionReader("redis://nowhere")
        do["set"] = raising(error)
        await reader.create("job")
        assert await recovered(lambda: reader.read("job")) == "all/own"
        await reader.close()

    asyncio.run(test())


@pytest.mark.parametrize("error", [RuntimeError("closed"), asyncio.CancelledError()], ids=["error", "cancelled"])
def test_what_watches_for_changes_is_told_of_and_starts_again(
    do: dict[str, Mget], error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        reader = JobVersionReader("redis://nowhere")
        watch = ChangeWatch(reader)
        try:
            do["mget"] = raising(error)
            # Expect who waits to look at the row, long before its time is over
            async with asyncio.timeout(LIMIT_S):
                await watch.wait("job", "all/own", 3600.0)
            assert "long polls (failed" in background_parts.trouble()
            assert "a round of 'long polls' failed" in caplog.text
            do.clear()
            # And a later change to be seen
            async with asyncio.timeout(LIMIT_S):
                await watch.wait("job", "an older one", 3600.0)
            assert background_parts.trouble() == ""
        finally:
            await watch.close()
            await reader.close()

    asyncio.run(test())


def test_a_stopped_task_is_not_started_again_nor_told_of() -> None:
    async def test() -> None:
        async def body() -> None:
            await asyncio.get_running_loop().create_future()

        task = supervised_task.SupervisedTask("test", body)
        task.ensure_running()
        await asyncio.sleep(0)
        await task.stop()
        task.ensure_running()
        assert len(asyncio.all_tasks()) == 1
        assert background_parts.trouble() == ""

    asyncio.run(test())
