"""Answers polls: a finished body out of memory while the job's version is the same, else the row.

The order makes it right: a writer commits the row and then changes the version; a reader reads the version and then
the row. So what is cached under a version is as new as that version or newer.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from streametrics.auth.principal import LOCAL, Principal, may_see
from streametrics.errors import DatabaseUnavailable, JobExpired, JobUnknown, StreametricsError
from streametrics.jobs.service import JobService
from streametrics.redis.job_versions import JobVersionReader, JobVersionsUnavailable
from streametrics.status.long_poll import ChangeWatch
from streametrics.status.outage import LastKnown
from streametrics.status.response_cache import CachedResponse, ResponseCache

#: How long a response is cached, in seconds: of a job in work, and of one that has ended. A writer that was killed
#: between its commit and the new version tells nobody of its change.
CACHE_TTL_S, FINAL_CACHE_TTL_S = 5.0, 15.0
#: The most that the cached responses of one process take, in bytes.
MAX_CACHE_BYTES = 64_000_000
#: The most that is kept of it for the time in which the database is away, in bytes; most of it is in both.
MAX_LAST_KNOWN_BYTES = 64_000_000
#: Rows that are read at once: polls wait neither for uploads nor for each other's database.
MAX_READS = 16
#: The longest that a client may wait for a change, in seconds.
MAX_WAIT_S = 30.0

Answer = TypeVar("Answer")


class StatusReader:
    """Reads the status of jobs for polls, without work in the event loop. For one event loop.

    clock: monotonic seconds.
    """

    def __init__(
        self,
        jobs: JobService,
        version_reader: JobVersionReader,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_cache_bytes: int = MAX_CACHE_BYTES,
    ) -> None:
        self._jobs = jobs
        self._version_reader = version_reader
        self._clock = clock
        self._cache = ResponseCache(max_cache_bytes)
        self._reads: dict[tuple[str, str], asyncio.Task[CachedResponse]] = {}
        self._watch = ChangeWatch(version_reader)
        self._last_known = LastKnown(min(MAX_LAST_KNOWN_BYTES, max_cache_bytes), clock=clock)
        self._threads = CapacityLimiter(MAX_READS)

    def forget(self, task_ids: Collection[str] | None) -> None:
        """Forget what was told of these jobs (None: of all), as it may be erased; to be called in the event loop."""
        self._last_known.forget(task_ids)

    async def answer(self, task_id: str, principal: Principal = LOCAL) -> CachedResponse:
        """Read a job's status; while the database is away, what is known of it. Raises JobUnknown, JobExpired.

        JobUnknown also to who may not see it.
        """
        try:
            answer = await self._answer(task_id)
        except JobExpired:
            # That it once was is told to its owner alone; the row says who that is.
            await self._in_thread(lambda: self._jobs.row_and_status(task_id, principal))
            raise
        except DatabaseUnavailable as error:
            answer = self._last_known.answer(task_id, error)
        if answer.owner is not None and not may_see(principal, answer.owner):
            raise JobUnknown
        return answer

    async def answer_after_change(self, task_id: str, wait_s: float, principal: Principal = LOCAL) -> CachedResponse:
        """Read a job's status once it differs from now, the job has ended, or `wait_s` (30 at most) is over."""
        until = self._clock() + min(wait_s, MAX_WAIT_S)
        first = latest = await self.answer(task_id, principal)
        while not latest.is_final and latest.body == first.body and (left_s := until - self._clock()) > 0:
            await self._watch.wait(task_id, latest.version, min(left_s, CACHE_TTL_S))
            latest = await self.answer(task_id, principal)
        return latest

    async def close(self) -> None:
        """End what runs in the background."""
        await self._watch.close()

    async def _answer(self, task_id: str) -> CachedResponse:
        try:
            version = await self._version_reader.read(task_id)
        except JobVersionsUnavailable:
            # Changes go unnoticed until Redis answers again, so nothing that is cached can be trusted afterwards.
            self._cache.clear()
            return await self._read(task_id, None, queue_answers=False)
        if version is None:
            answer = await self._read(task_id, None)
            await self._version_reader.create(task_id)
            return answer
        return self._cache.get(task_id, version, self._clock()) or await self._read_once(task_id, version)

    async def _read_once(self, task_id: str, version: str) -> CachedResponse:
        """Read the row; polls that ask for the same version meanwhile share the answer."""
        key = (task_id, version)
        if (read := self._reads.get(key)) is None:
            read = self._reads[key] = asyncio.create_task(self._read_and_keep(task_id, version))
            read.add_done_callback(lambda _: self._reads.pop(key, None))
        # A client that goes away must not take the others' answer with it.
        return await asyncio.shield(read)

    async def _read_and_keep(self, task_id: str, version: str) -> CachedResponse:
        try:
            answer = await self._read(task_id, version)
        except StreametricsError:
            self._cache.drop(task_id)
            raise
        self._cache.put(task_id, answer)
        return answer

    async def _read(self, task_id: str, version: str | None, *, queue_answers: bool = True) -> CachedResponse:
        try:
            answer = await self._in_thread(lambda: self._render(task_id, version, queue_answers=queue_answers))
        except (JobUnknown, JobExpired):
            self._last_known.forget([task_id])
            raise
        self._last_known.keep(task_id, answer)
        return answer

    async def _in_thread(self, read: Callable[[], Answer]) -> Answer:
        return await to_thread.run_sync(read, limiter=self._threads)

    def _render(self, task_id: str, version: str | None, *, queue_answers: bool) -> CachedResponse:
        # The clock first: a response must not outlive its row by the time that reading takes.
        began = self._clock()
        record, status = self._jobs.row_and_status(task_id, queue_answers=queue_answers)
        ttl_s, left_s = CACHE_TTL_S, math.inf
        if record.age_s is not None:
            left_s = self._jobs.keep_s(record.is_kept) - record.age_s
            ttl_s = min(FINAL_CACHE_TTL_S, left_s)
        return CachedResponse(
            body=json.dumps(status.body(), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
            owner=record.owner,
            is_final=record.state.is_final,
            version=version,
            expires_at=began + ttl_s,
            erased_at=began + left_s,
        )
