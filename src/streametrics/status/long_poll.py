"""Waiting for a job to change: one look at the stamps for all who wait, however many they are."""

import asyncio
from dataclasses import dataclass

from streametrics.redis.job_versions import REST_S, Board, BoardSilent

#: Between two looks while anybody waits, in seconds: what a change may be late by.
LOOK_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    task_id: str
    stamp: str | None
    woken: asyncio.Event


class ChangeWatch:
    """Looks at the stamps of all jobs that somebody waits for; does nothing while nobody does. For one event loop."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._waiters: set[_Waiter] = set()
        self._looker: asyncio.Task[None] | None = None

    async def wait(self, task_id: str, stamp: str | None, timeout_s: float) -> None:
        """Return when the job's stamp is another one, when that cannot be known, or when the time is over."""
        waiter = _Waiter(task_id, stamp, asyncio.Event())
        self._waiters.add(waiter)
        if self._looker is None:
            self._looker = asyncio.create_task(self._look())
        try:
            await asyncio.wait_for(waiter.woken.wait(), timeout_s)
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)

    async def _look(self) -> None:
        while self._waiters:
            try:
                stamps = await self._board.stamps(list({waiter.task_id for waiter in self._waiters}))
            except BoardSilent:
                # Changes are in the rows alone now: all may look there, but not all the time.
                await asyncio.sleep(REST_S)
                for waiter in self._waiters:
                    waiter.woken.set()
                continue
            for waiter in self._waiters:
                if stamps.get(waiter.task_id, waiter.stamp) != waiter.stamp:
                    waiter.woken.set()
            await asyncio.sleep(LOOK_INTERVAL_S)
        self._looker = None
