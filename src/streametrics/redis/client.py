"""Connects to Redis, which holds what processes share and may lose at any time.

The database says what holds for good. So a Redis that does not answer is a line in the log of whoever asks, never an
error of a job.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.retry
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from streametrics.concurrency.fail_fast import FailFast

#: How long a call may take before Redis counts as down, in seconds: a poll is answered from the row within 3 s.
TIMEOUT_S = 1.0
#: How long a job's keys are kept after their last write, in seconds.
EXPIRES_S = 3600

#: A connection that Redis has closed is opened again once. What got no answer is not asked again, for another second:
#: redis-py itself would try three times more, and wait between them.
_RETRIED: tuple[type[redis.RedisError], ...] = (redis.ConnectionError,)


class RedisClient:
    """One process's connections. Thread-safe.

    outage: for a moment after one call found Redis away, the next ones fail at once; shared with whoever else uses it.
    """

    def __init__(self, url: str, outage: FailFast | None = None) -> None:
        options: dict[str, Any] = {
            "socket_timeout": TIMEOUT_S,
            "socket_connect_timeout": TIMEOUT_S,
            "retry": Retry(NoBackoff(), 1, supported_errors=_RETRIED),
            "decode_responses": True,
        }
        self.outage = outage or FailFast()
        self.commands = _Commands(self.outage, redis.ConnectionPool.from_url(url, **options))

    def answers(self) -> bool:
        """Tell whether Redis answers now."""
        try:
            return bool(self.commands.ping())
        except redis.RedisError:
            return False

    def queue_lengths(self, queues: tuple[str, ...]) -> dict[str, int] | None:
        """Count the messages in each queue, without those that a worker has taken; None when Redis does not answer."""
        try:
            pipeline = self.commands.pipeline(transaction=False)
            for queue in queues:
                pipeline.llen(queue)
            return dict(zip(queues, map(int, pipeline.execute()), strict=True))
        except redis.RedisError:
            return None

    def close(self) -> None:
        """Close the connections."""
        self.commands.close()
        self.commands.connection_pool.disconnect()


def asynchronous_client(url: str) -> "redis.asyncio.Redis":
    """Connect for an event loop, with the same limits."""
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=redis.asyncio.retry.Retry(NoBackoff(), 1, supported_errors=_RETRIED),
        decode_responses=True,
    )


@contextmanager
def _watched(outage: FailFast) -> Iterator[None]:
    if not outage.allows():
        raise redis.ConnectionError("Redis did not answer a moment ago")
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError):
        outage.failed()
        raise
    except redis.RedisError:
        outage.succeeded()  # it answered, if only with an error
        raise
    outage.succeeded()


class _Commands(redis.Redis):
    """Redis's commands, which fail at once while it is known to be away."""

    def __init__(self, outage: FailFast, pool: redis.ConnectionPool) -> None:
        super().__init__(connection_pool=pool)
        self._outage = outage

    def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as its base has it
        with _watched(self._outage):
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Collect commands, to be sent at once."""
        return _Pipeline(self._outage, self, transaction, shard_hint)


class _Pipeline(Pipeline):
    def __init__(self, outage: FailFast, client: redis.Redis, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._outage = outage

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send what was collected."""
        with _watched(self._outage):
            return list(super().execute(raise_on_error))


def job_key(task_id: str, what: str) -> str:
    """Make the key under which something of a job is kept."""
    # The braces keep a job's keys on one node of a Redis cluster, where one script may touch several.
    return f"streametrics:job:{{{task_id}}}:{what}"
