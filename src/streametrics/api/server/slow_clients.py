"""Cuts clients that are too slow: checks all connections once a second."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger(__name__)

#: The largest head of a request, in bytes: its line, its headers and the empty line after them.
MAX_HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class SlowLimits:
    """The limits of a client. The numbers admit a telephone's worst connection, and refuse an attack by slowness."""

    #: From the connection, or from a later request's first byte, to the end of the request's head, in seconds.
    head_s: float = 10.0
    #: A head larger than this is refused, in bytes: nothing else bounds what is kept of it. So are trailers.
    max_head_bytes: int = MAX_HEAD_BYTES
    #: The least that has to move within any `over_s` seconds: of a body on its way here, of an answer on its way there.
    least_bytes_s: float = 1_000.0
    over_s: float = 15.0
    #: The same for the rest of a body that is answered already; and how long it may go on at most, in seconds. Most
    #: clients send everything before they read: closed at once, they would see no answer.
    rest_bytes_s: float = 10_000.0
    rest_over_s: float = 5.0
    rest_s: float = 60.0
    #: How long a connection whose head was refused is still read from, so that its client finds the answer, in seconds.
    farewell_s: float = 2.0
    #: Between two checks, in seconds.
    look_interval_s: float = 1.0


class TransferRate:
    """Measures whether enough bytes move: keeps the sums of the last `over_s` seconds, one for each check."""

    def __init__(self, least_bytes_s: float, over_s: float) -> None:
        self._least_bytes_s, self._over_s = least_bytes_s, over_s
        self._seen: deque[tuple[float, int]] = deque()

    def restart(self) -> None:
        """Begin again: what was before says nothing about the client."""
        self._seen.clear()

    def is_too_slow(self, now: float, moved_bytes: int) -> bool:
        """Add the sum of all that has moved, and tell whether it is too little; never before `over_s` seconds."""
        self._seen.append((now, moved_bytes))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._over_s:
            self._seen.popleft()
        since, before_bytes = self._seen[0]
        watched_s = now - since
        return watched_s >= self._over_s and moved_bytes - before_bytes < self._least_bytes_s * watched_s


class WatchedConnection(Protocol):
    """A connection that can be checked."""

    def look(self, now: float) -> None:
        """Cut it when its client is too slow; `now` is the event loop's time."""

    def abort(self) -> None:
        """Close it at once."""


class SlowClients:
    """Checks all connections of one process, as long as there are any: one timer, however many they are."""

    def __init__(self, limits: SlowLimits) -> None:
        self.limits = limits
        self._watched: set[WatchedConnection] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: WatchedConnection, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a connection from now on."""
        self._watched.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(self.limits.look_interval_s, self._look, loop)

    def discard(self, connection: WatchedConnection) -> None:
        """Stop watching a connection, which is closed."""
        self._watched.discard(connection)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if not self._watched:
            return
        self._timer = loop.call_later(self.limits.look_interval_s, self._look, loop)
        now = loop.time()
        for connection in list(self._watched):
            try:
                connection.look(now)
            except Exception:
                # One that cannot be checked must not keep the others from it, nor stay.
                logger.exception("a connection could not be checked and is closed")
                self._watched.discard(connection)
                connection.abort()
