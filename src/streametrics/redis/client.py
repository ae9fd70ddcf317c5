"""Connects to Redis, which holds what processes share and may lose at any time.

The database says what holds for good. So a Redis that does not answer is a line in the log of whoever asks, never an
error of a job. Nor is what it holds trusted, as others may write to one that has no password: a value that is no value
of ours counts as missing.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

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
#: What reading a value may raise: Redis does not answer, refuses, answers with something else, or the value is garbage.
UNUSABLE = (redis.RedisError, OSError, ValueError, TypeError, RecursionError, OverflowError)
#: The same garbage is told of again after this, in seconds.
TELL_AGAIN_S = 60.0
#: Of so many values at most it is remembered that garbage was told of.
_MOST_TOLD = 1000

#: Reads several values, none of which is longer than ARGV[1] bytes: a longer one is cut, so that it fills no memory.
BOUNDED_MGET = """
local found = redis.call('MGET', unpack(KEYS))
for index = 1, #KEYS do
  if found[index] then found[index] = string.sub(found[index], 1, ARGV[1]) end
end
return found
"""

#: How each process connects. Bytes that are no UTF-8 are no reason to fail: what they stand in is looked at anyway.
CONNECTION: Final[dict[str, Any]] = {
    "socket_timeout": TIMEOUT_S,
    "socket_connect_timeout": TIMEOUT_S,
    "decode_responses": True,
    "encoding_errors": "replace",
}

logger = logging.getLogger(__name__)

#: A connection that Redis has closed is opened again once. What got no answer is not asked again, for another second:
#: redis-py itself would try three times more, and wait between them.
_RETRIED: tuple[type[redis.RedisError], ...] = (redis.ConnectionError,)


class RedisClient:
    """One process's connections. Thread-safe.

    outage: for a moment after one call found Redis away, the next ones fail at once; shared with whoever else uses it.
    """

    def __init__(self, url: str, outage: FailFast | None = None) -> None:
        self.outage = outage or FailFast()
        retry = Retry(NoBackoff(), 1, supported_errors=_RETRIED)
        self.commands = _Commands(self.outage, redis.ConnectionPool.from_url(url, retry=retry, **CONNECTION))
        self._bounded_mget = self.commands.register_script(BOUNDED_MGET)
        self._told: dict[str, float] = {}

    def answers(self) -> bool:
        """Tell whether Redis answers now."""
        try:
            return bool(self.commands.ping())
        except UNUSABLE:
            return False

    def bounded_values(self, keys: Sequence[str], most_bytes: int) -> list[str | None]:
        """Read several values, of each so many bytes at most; None where there is none. Raises one of `UNUSABLE`."""
        return [None if value is None else str(value) for value in self._bounded_mget(keys=keys, args=[most_bytes])]

    def tell_of_garbage(self, key: str, error: Exception) -> None:
        """Write one line about a value that is none of ours; its content is never in it."""
        now = time.monotonic()
        if now - self._told.get(key, -TELL_AGAIN_S) >= TELL_AGAIN_S:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told[key] = now
            logger.warning("event=garbage_in_redis key=%r error=%s", key[:100], type(error).__name__)

    def mend_types(self, kinds: dict[str, str]) -> None:
        """Delete each of these keys that is of another type than ours, as nothing could use it. Raises RedisError."""
        pipeline = self.commands.pipeline(transaction=False)
        for key in kinds:
            pipeline.type(key)
        for (key, kind), found in zip(kinds.items(), pipeline.execute(), strict=True):
            if found not in (kind, "none"):
                self.tell_of_garbage(key, TypeError())
                self.commands.delete(key)

    def queue_lengths(self, queues: tuple[str, ...]) -> dict[str, int] | None:
        """Count the messages in each queue, without those that a worker has taken; None when Redis does not answer."""
        try:
            pipeline = self.commands.pipeline(transaction=False)
            for queue in queues:
                pipeline.llen(queue)
            return dict(zip(queues, map(int, pipeline.execute()), strict=True))
        except UNUSABLE:
            return None

    def close(self) -> None:
        """Close the connections."""
        self.commands.close()
        self.commands.connection_pool.disconnect()


def asynchronous_client(url: str) -> "redis.asyncio.Redis":
    """Connect for an event loop, with the same limits."""
    retry = redis.asyncio.retry.Retry(NoBackoff(), 1, supported_errors=_RETRIED)
    return redis.asyncio.Redis.from_url(url, retry=retry, **CONNECTION)


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


def printable(text: str, most: int) -> str:
    """Make one line of at most so many characters out of a text that ends in a log, on a terminal or in an answer."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:most])


def encodable(text: str) -> str:
    """Replace halves of characters, which JSON may name and UTF-8 has not: an answer with one could not be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def job_key(task_id: str, what: str) -> str:
    """Make the key under which something of a job is kept."""
    # The braces keep a job's keys on one node of a Redis cluster, where one script may touch several.
    return f"streametrics:job:{{{task_id}}}:{what}"
