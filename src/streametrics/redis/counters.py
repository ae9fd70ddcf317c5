"""Sums the metrics of all processes."""

import math
from collections.abc import Mapping

import redis

from streametrics.redis.client import UNUSABLE, RedisClient

_COUNTS = "streametrics:counts"
#: Many times what there is to count; a hash of more fields is none of ours.
MAX_COUNTS = 20_000


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
            outcomes = pipeline.execute(raise_on_error=False)
            # What is no number cannot be added to. Tried again with the others it would never come to an end.
            self._delete_garbage([name for name, found in zip(amounts, outcomes, strict=True) if _is_refusal(found)])
        except UNUSABLE:
            return False
        return not any(isinstance(found, Exception) and not _is_refusal(found) for found in outcomes)

    def sums(self) -> dict[str, float]:
        """Read the sums; empty when Redis does not answer, and without what is none of ours."""
        try:
            if self._client.commands.hlen(_COUNTS) > MAX_COUNTS:
                raise ValueError("too many")
            found = self._client.commands.hgetall(_COUNTS)
        except UNUSABLE as error:
            if not isinstance(error, redis.ConnectionError | redis.TimeoutError):
                self._client.tell_of_garbage(_COUNTS, error)
            return {}
        return {str(name): amount for name, value in found.items() if (amount := _amount(str(value))) is not None}

    def _delete_garbage(self, names: list[str]) -> None:
        if names:
            self._client.tell_of_garbage(_COUNTS, ValueError())
            self._client.mend_types({_COUNTS: "hash"})
            self._client.commands.hdel(_COUNTS, *names)


def _is_refusal(outcome: object) -> bool:
    return isinstance(outcome, redis.ResponseError) and str(outcome).startswith(
        ("WRONGTYPE", "hash value", "increment")
    )


def _amount(value: str) -> float | None:
    try:
        amount = float(value)
    except ValueError:
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None
