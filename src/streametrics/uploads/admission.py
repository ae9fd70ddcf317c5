"""Admits uploads, or refuses them before their body is read where they would wait too long.

An old client reads the refusal as an error and goes on with its next chunk; a new one waits for `Retry-After`.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

from anyio import CapacityLimiter

from streametrics.concurrency.ttl_cache import AsyncTtlCache
from streametrics.database.backlog import Backlog
from streametrics.domain.job import QueueName
from streametrics.errors import TooBusy
from streametrics.settings import Settings
from streametrics.uploads.disk_space import DiskSpace, Reservation

#: How long a look at what waits counts, in seconds: a flood costs one query a second.
VALID_S = 1.0
#: Jobs that are written at once.
MAX_WRITERS = 8

#: Tells whether a call was carried out before, by its key; asked only where it would be refused.
IsRepetition = Callable[[], Awaitable[bool]]


class Admission:
    """Enforces the limits of one API process. `waiting` may block; it is called in a thread."""

    def __init__(
        self,
        settings: Settings,
        waiting: Callable[[], Mapping[QueueName, Backlog]],
        free_bytes: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._disk_space = DiskSpace(settings.min_free_bytes, free_bytes)
        self._waiting = AsyncTtlCache(waiting, VALID_S, clock=clock)
        self._uploads = 0
        #: For the threads that write accepted jobs: however many uploads wait for the database, all else has threads.
        self.writers = CapacityLimiter(MAX_WRITERS)

    async def check_waiting(self, is_repetition: IsRepetition | None = None) -> None:
        """Check the backlog. Raises TooBusy where live chunks wait too long or too much waits, DatabaseUnavailable.

        A repetition is let pass, as it makes no work.
        """
        try:
            await self._check_backlog()
        except TooBusy:
            if is_repetition is None or not await is_repetition():
                raise

    async def _check_backlog(self) -> None:
        waiting = await self._waiting.get()
        limit_s, limit = self._settings.max_live_wait_s, self._settings.max_waiting
        live = waiting.get(QueueName.LIVE, Backlog())
        if live.count and live.oldest_s > limit_s:
            raise TooBusy(
                f"The oldest live chunk has waited for {live.oldest_s:.0f} s (the limit is {limit_s:g}, "
                "MAX_LIVE_WAIT_S), so nothing more is accepted for now: try again in a few seconds."
            )
        if sum(backlog.count for backlog in waiting.values()) >= limit:
            raise TooBusy(f"{limit} pieces of work are waiting (MAX_WAITING), so nothing more is accepted for now.")

    async def waiting_count(self) -> int:
        """Count the pieces of work that wait, as of a moment ago. Raises DatabaseUnavailable."""
        return sum(backlog.count for backlog in (await self._waiting.get()).values())

    async def check_upload(self, is_repetition: IsRepetition | None = None) -> None:
        """Check the backlog and the number of uploads that are coming in. Raises TooBusy, DatabaseUnavailable.

        is_repetition: see `check_waiting`; of uploads there are no more at once for it.
        """
        self._check_uploads()
        await self.check_waiting(is_repetition)

    @contextmanager
    def upload(self, announced_bytes: int | None) -> Iterator[Reservation]:
        """Hold one of the concurrent uploads, and reserve its disk space. Raises TooBusy, StorageFull.

        An upload that announces no length reserves its space as it comes.
        """
        self._check_uploads()  # again: others may have come in while the backlog was read
        self._uploads += 1
        try:
            space = self._disk_space.reserve(announced_bytes or 0)
            try:
                yield space
            finally:
                space.release()
        finally:
            self._uploads -= 1

    def _check_uploads(self) -> None:
        if self._uploads >= self._settings.max_uploads:
            raise TooBusy(f"{self._uploads} uploads are coming in at once (MAX_UPLOADS): try again in a few seconds.")
