"""Waits for jobs to change: one read of job versions for all long polls, however many they are."""

import asyncio
from dataclasses import dataclass

from streametrics.concurrency.supervised_task import SupervisedTask
from streametrics.redis.job_versions import RETRY_AFTER_S, JobVersionReader, JobVersionsUnavailable

#: Between two reads while anybody waits, in seconds: what a change may be late by.
CHECK_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    task_id: str
    version: str | None
    changed: asyncio.Event


class ChangeWatch:
    """Reads the versions of all jobs that somebody waits for; does nothing while nobody does. For one event loop."""

    def __init__(self, version_reader: JobVersionReader) -> None:
        self._version_reader = version_reader
        self._waiters: set[_Waiter] = set()
        self._checker = SupervisedTask("long polls", self._check, on_failure=lambda _: self._let_all_look())

    async def wait(self, task_id: str, version: str | None, timeout_s: float) -> None:
        """Return when the job's version is another one, when that cannot be known, or when the time is over."""
        waiter = _Waiter(task_id, version, asyncio.Event())
        self._waiters.add(waiter)
        self._checker.ensure_running()
        try:
            await asyncio.wait_for(waiter.changed.wait(), timeout_s)
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)

    async def close(self) -> None:
        """Stop reading."""
        await self._checker.stop()

    async def _check(self) -> None:
        while self._waiters:
            try:
                versions = await self._version_reader.read_many(list({waiter.task_id for waiter in self._waiters}))
            except JobVersionsUnavailable:
                # Changes are in the rows alone now: all may look there, but not all the time.
                await asyncio.sleep(RETRY_AFTER_S)
                self._let_all_look()
                continue
            for waiter in self._waiters:
                if versions.get(waiter.task_id, waiter.version) != waiter.version:
                    waiter.changed.set()
            self._checker.succeeded()
            await asyncio.sleep(CHECK_INTERVAL_S)
        self._checker.succeeded()

    def _let_all_look(self) -> None:
        for waiter in self._waiters:
            waiter.changed.set()
