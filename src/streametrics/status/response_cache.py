"""Caches finished responses in memory, each for one job version and for a while."""

import math
from collections import OrderedDict
from dataclasses import dataclass

#: What a cached response costs beside its body, in bytes: objects, keys, the dictionary's slot.
_OVERHEAD_BYTES = 600


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """One job's status as it goes over the wire.

    owner: whose job it is; None where that is not known, and nothing is told of it. version: the job version it was
    made under; None where that is not known. expires_at: on the clock of the one who made it; never after the result's
    expiry, which is erased_at.
    """

    body: bytes
    owner: str | None
    is_final: bool
    version: str | None
    expires_at: float
    erased_at: float = math.inf
    http_status: int = 200


class ResponseCache:
    """Keeps the responses that were asked for most lately, up to so many bytes. For one thread."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._cache: OrderedDict[str, CachedResponse] = OrderedDict()
        self.size_bytes = 0

    def get(self, task_id: str, version: str, now: float) -> CachedResponse | None:
        """Get the response that is cached for this version and has not expired, else None."""
        answer = self._cache.get(task_id)
        if answer is None or answer.version != version or now >= answer.expires_at:
            return None
        self._cache.move_to_end(task_id)
        return answer

    def latest(self, task_id: str) -> CachedResponse | None:
        """Get the response that is cached, whatever its version and its age."""
        return self._cache.get(task_id)

    def put(self, task_id: str, answer: CachedResponse) -> None:
        """Cache a response in place of an older one; the least recently used ones make room."""
        self.drop(task_id)
        self._cache[task_id] = answer
        self.size_bytes += _size_of(answer)
        while self.size_bytes > self._max_bytes:
            _, oldest = self._cache.popitem(last=False)
            self.size_bytes -= _size_of(oldest)

    def drop(self, task_id: str) -> None:
        """Drop this job's response."""
        if (old := self._cache.pop(task_id, None)) is not None:
            self.size_bytes -= _size_of(old)

    def clear(self) -> None:
        """Drop every response."""
        self._cache.clear()
        self.size_bytes = 0


def _size_of(answer: CachedResponse) -> int:
    return len(answer.body) + _OVERHEAD_BYTES
