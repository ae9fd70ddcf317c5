"""Connects to Redis, which holds what processes share and may lose at any time.

The database says what holds for good. So a Redis that does not answer is a line in the log of whoever asks, never an
error of a job.
"""

import redis

#: How long a call may take before Redis counts as down, in seconds: a poll is answered from the row within 3 s.
TIMEOUT_S = 1.0
#: How long a job's keys are kept after their last write, in seconds.
EXPIRES_S = 3600


class RedisClient:
    """One process's connections. Thread-safe."""

    def __init__(self, url: str) -> None:
        self.commands = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
        )

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


def job_key(task_id: str, what: str) -> str:
    """Make the key under which something of a job is kept."""
    # The braces keep a job's keys on one node of a Redis cluster, where one script may touch several.
    return f"streametrics:job:{{{task_id}}}:{what}"
