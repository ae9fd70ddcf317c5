"""Writes job versions after each change, and reads them for the API process.

A job version tells one state of a job's status from another, as an ETag does (see `JobVersions.touch`): while it is
the same, a poll needs no look at the row. In Redis and in its keys it is called `stamp`.
"""

import asyncio
import logging
import secrets
from collections.abc import Collection, Sequence
from typing import Any

import redis
import redis.asyncio

from streametrics.redis.client import CONNECTION, EXPIRES_S, UNUSABLE, RedisClient, job_key

#: Where the part is kept that is common to all job versions: a write that may have changed any job needs one key.
ALL_JOBS_VERSION_KEY = "streametrics:jobs:stamp"
#: For how long Redis is not asked after a failure, in seconds: each poll would wait for it in vain.
RETRY_AFTER_S = 1.0
#: The most job versions in one read.
MAX_BATCH = 1000
#: A version has 16 characters; of anything longer no more is kept.
MAX_VERSION = 64

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
        self._redis = redis.asyncio.Redis.from_url(url, **CONNECTION)
        self._loop = asyncio.get_running_loop()
        self._pending: dict[str, list[asyncio.Future[str | None]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._unavailable_until = 0.0

    async def read(self, task_id: str) -> str | None:
        """Read a job's version, after this call began; None where it has none. Raises JobVersionsUnavailable."""
        self._check_available()
        future: asyncio.Future[str | None] = self._loop.create_future()
        self._pending.setdefault(task_id, []).append(future)
        if self._reader is None:
            self._reader = self._loop.create_task(self._read_pending())
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
            await self._redis.set(version_key(task_id), new_version(), nx=True, ex=EXPIRES_S)
        except (redis.RedisError, OSError) as error:
            self._back_off(error)

    async def close(self) -> None:
        """Close the connections."""
        if self._reader is not None:
            await self._reader
        await self._redis.aclose()

    async def _read_pending(self) -> None:
        """Read until nothing is pending: polls that come during a read share the next one."""
        while self._pending:
            pending, self._pending = self._pending, {}
            try:
                found = await self.read_many(list(pending))
            except JobVersionsUnavailable as error:
                for future in (future for futures in pending.values() for future in futures if not future.done()):
                    future.set_exception(error)
                continue
            for task_id, futures in pending.items():
                for future in futures:
                    # A poller that has gone away has cancelled its own.
                    if not future.done():
                        future.set_result(found[task_id])
        self._reader = None

    async def _fetch(self, task_ids: Sequence[str]) -> dict[str, str | None]:
        try:
            found: list[Any] = await self._redis.mget([ALL_JOBS_VERSION_KEY, *map(version_key, task_ids)])
        except UNUSABLE as error:
            self._back_off(error)
            raise JobVersionsUnavailable from error
        every, *own = found
        return {
            task_id: None if version is None else f"{str(every)[:MAX_VERSION]}/{str(version)[:MAX_VERSION]}"
            for task_id, version in zip(task_ids, own, strict=True)
        }

    def _check_available(self) -> None:
        if self._loop.time() < self._unavailable_until:
            raise JobVersionsUnavailable

    def _back_off(self, error: Exception) -> None:
        logger.warning("job versions not read, answers come from the rows: %s", error)
        self._unavailable_until = self._loop.time() + RETRY_AFTER_S


def new_version() -> str:
    """Make a random version: never used before, not even by a Redis that has lost its memory and counts anew."""
    return secrets.token_hex(8)


def version_key(task_id: str) -> str:
    """Make the key of a job's version."""
    return job_key(task_id, "stamp")
