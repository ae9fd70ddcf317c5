"""Writes job versions after each change, and reads them for the API process.

A job version tells one state of a job's status from another, as an ETag does (see `JobVersions.touch`): while it is
the same, a poll needs no look at the row. In Redis and in its keys it is called `stamp`.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import redis
import redis.asyncio

from streametrics.concurrency.supervised_task import SupervisedTask
from streametrics.redis.client import EXPIRES_S, UNUSABLE, RedisClient, asynchronous_client, job_key

#: Where the part is kept that is common to all job versions: a write that may have changed any job needs one key.
ALL_JOBS_VERSION_KEY = "streametrics:jobs:stamp"
#: For how long Redis is not asked after a failure, in seconds: each poll would wait for it in vain.
RETRY_AFTER_S = 1.0
#: The longest that one round trip takes, a second try over a new connection included, in seconds.
ROUND_TRIP_LIMIT_S = 1.5
#: The longest that a poll waits for its job's version, whatever becomes of the reader, in seconds.
WAIT_LIMIT_S = 2.0
#: After which a reader that seems to hang is looked at once more, in seconds.
_SECOND_LOOK_S = 0.05
#: How long a client that is given up may take to close its connections, in seconds.
_CLOSE_LIMIT_S = 0.2
#: The most job versions in one read.
MAX_BATCH = 1000
#: A version has 16 characters; of anything longer no more is kept.
MAX_VERSION = 64

#: The polls that wait for each job's version.
_Pending = dict[str, list["asyncio.Future[str | None]"]]

logger = logging.getLogger(__name__)


class JobVersions:
    """Writes job versions. Thread-safe."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def touch(self, task_ids: Collection[str] | None) -> None:
        """Give these jobs (None: all of them) a new version, after their rows were written.

        Whoever has cached a response under the old version reads anew. Where a touch gets lost that happens later, as
        nothing is cached for long.
        """
        keys = [ALL_JOBS_VERSION_KEY] if task_ids is None else [version_key(task_id) for task_id in task_ids]
        expires_s = None if task_ids is None else EXPIRES_S
        try:
            pipeline = self._client.commands.pipeline(transaction=False)
            for key in keys:
                pipeline.set(key, new_version(), ex=expires_s)
            pipeline.execute()
        except redis.RedisError as error:
            logger.warning("job version not changed: %s", error)


class JobVersionsUnavailable(Exception):
    """Redis does not answer, so it is not known what has changed."""


class JobVersionReader:
    """Reads job versions for the API process; concurrent polls are batched into one MGET.

    For one event loop, in which it has to be made.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = asynchronous_client(url)
        self._loop = asyncio.get_running_loop()
        self._pending: _Pending = {}
        self._in_work: _Pending = {}
        self._task = SupervisedTask("job versions", self._read_pending, on_failure=self._reading_failed)
        self._unavailable_until = 0.0
        #: When the present round of reading began, by the loop's clock, and what looks whether it comes to its end.
        self._round_began = 0.0
        self._watch: asyncio.TimerHandle | None = None

    async def read(self, task_id: str) -> str | None:
        """Read a job's version, after this call began; None where it has none. Raises JobVersionsUnavailable."""
        self._check_available()
        future: asyncio.Future[str | None] = self._loop.create_future()
        if not self._pending and not self._in_work:
            self._round_began = self._loop.time()
        self._pending.setdefault(task_id, []).append(future)
        self._task.ensure_running()
        # One timer for all who wait: one for each took a sixth of a poll's time.
        if self._watch is None:
            self._watch = self._loop.call_later(WAIT_LIMIT_S, self._watch_round)
        return await future

    async def read_many(self, task_ids: Sequence[str]) -> dict[str, str | None]:
        """Read the versions of many jobs, in a round trip of their own. Raises JobVersionsUnavailable."""
        self._check_available()
        found: dict[str, str | None] = {}
        for start in range(0, len(task_ids), MAX_BATCH):
            found |= await self._fetch(task_ids[start : start + MAX_BATCH])
        return found

    async def create(self, task_id: str) -> None:
        """Give a job its first version, or the first one after Redis has lost its memory."""
        try:
            async with self._round_trip():
                await self._redis.set(version_key(task_id), new_version(), nx=True, ex=EXPIRES_S)
        except JobVersionsUnavailable:
            return  # the next poll tries again
        except Exception:
            logger.exception("job version not created")

    async def close(self) -> None:
        """Close the connections."""
        if self._watch is not None:
            self._watch.cancel()
        await self._task.stop()
        await self._close(self._redis)

    async def _read_pending(self) -> None:
        """Read until nothing is pending: polls that come during a read share the next one."""
        while self._pending or self._task.is_failing:
            self._in_work, self._pending = self._pending, {}
            self._round_began = self._loop.time()
            try:
                # After a failure without a poll: what all versions have in common, to see whether it works again.
                found = await (self.read_many(list(self._in_work)) if self._in_work else self._fetch([]))
            except JobVersionsUnavailable as error:
                _refuse(self._in_work, error)
            else:
                _answer(self._in_work, found)
            self._in_work = {}
            self._task.succeeded()

    def _watch_round(self, suspected: float | None = None) -> None:
        """Give the reader up where it hangs, though each round trip has a limit of its own.

        suspected: the beginning of a round that was too long at the last look. The loop itself may have been held up,
        and then a round trip that has reached its limit is about to end.
        """
        self._watch = None
        if not self._pending and not self._in_work:
            return
        began = self._round_began
        left_s = began + WAIT_LIMIT_S - self._loop.time()
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._watch_round)
            return
        if began != suspected:
            self._watch = self._loop.call_later(_SECOND_LOOK_S, self._watch_round, began)
            return
        error = TimeoutError("a round of reading job versions did not end")
        self._task.abandon(error)
        if self._pending or self._in_work:
            self._reading_failed(error)

    def _reading_failed(self, error: BaseException) -> None:
        """Send all who wait to the rows, and let nobody wait until the reader is started again."""
        self._back_off(error)
        for pending in (self._in_work, self._pending):
            _refuse(pending, JobVersionsUnavailable())
        self._in_work, self._pending = {}, {}

    async def _fetch(self, task_ids: Sequence[str]) -> dict[str, str | None]:
        async with self._round_trip():
            found: list[Any] = await self._redis.mget([ALL_JOBS_VERSION_KEY, *map(version_key, task_ids)])
        every, *own = found
        return {
            task_id: None if version is None else f"{str(every)[:MAX_VERSION]}/{str(version)[:MAX_VERSION]}"
            for task_id, version in zip(task_ids, own, strict=True)
        }

    @contextlib.asynccontextmanager
    async def _round_trip(self) -> AsyncIterator[None]:
        """Bound a call to Redis. Raises JobVersionsUnavailable where it does not answer, and what else goes wrong."""
        try:
            async with asyncio.timeout(ROUND_TRIP_LIMIT_S):
                yield
        except UNUSABLE as error:
            self._back_off(error)
            raise JobVersionsUnavailable from error
        except Exception as error:
            # uvloop raises RuntimeError for ever over a connection that it has closed itself, after a while without
            # a network (its issues 506 and 685). So nothing of this client is used again.
            self._back_off(error)
            given_up, self._redis = self._redis, asynchronous_client(self._url)
            await self._close(given_up)
            raise

    async def _close(self, client: redis.asyncio.Redis) -> None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                await client.aclose()

    def _check_available(self) -> None:
        if self._loop.time() < self._unavailable_until or self._task.is_resting:
            raise JobVersionsUnavailable

    def _back_off(self, error: BaseException) -> None:
        logger.warning("job versions not read, answers come from the rows: %s", str(error) or type(error).__name__)
        self._unavailable_until = self._loop.time() + RETRY_AFTER_S


def _answer(pending: _Pending, found: dict[str, str | None]) -> None:
    for task_id, futures in pending.items():
        for future in futures:
            # A poller that has gone away has cancelled its own.
            if not future.done():
                future.set_result(found[task_id])


def _refuse(pending: _Pending, error: JobVersionsUnavailable) -> None:
    for futures in pending.values():
        for future in futures:
            if not future.done():
                future.set_exception(error)


def new_version() -> str:
    """Make a random version: never used before, not even by a Redis that has lost its memory and counts anew."""
    return secrets.token_hex(8)


def version_key(task_id: str) -> str:
    """Make the key of a job's version."""
    return job_key(task_id, "stamp")
