"""Sums the metrics of all processes."""

from collections.abc import Mapping

import redis

from streametrics.redis.client import RedisClient

_COUNTS = "streametrics:counts"


class Counters:
    """Adds to the sums and reads them. Thread-safe."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def add(self, amounts: Mapping[str, float]) -> bool:
        """Add to the sums of all processes; False where Redis does not answer."""
        try:
            pipeline = self._client.commands.pipeline(transaction=False)
            for name, amount in amounts.items():
                pipeline.hincrbyfloat(_COUNTS, name, amount)
            pipeline.execute()
        except redis.RedisError:
            return False
        return True

    def sums(self) -> dict[str, float]:
        """Read the sums; empty when Redis does not answer."""
        try:
            return {str(name): float(amount) for name, amount in self._client.commands.hgetall(_COUNTS).items()}
        except redis.RedisError:
            return {}
