"""Answers to polls: a finished body out of memory while its stamp is the same, else the row.

The order makes it right: a writer commits the row and then changes the stamp; a reader reads the stamp and then
the row. So what is kept under a stamp is as new as that stamp or newer.
"""

import asyncio
import json
import time
from collections.abc import Callable

from anyio import to_thread

from streametrics.auth.principal import LOCAL, Caller, may_see
from streametrics.errors import JobExpired, JobUnknown, StreametricsError
from streametrics.jobs.service import JobService
from streametrics.redis.job_versions import Board, BoardSilent
from streametrics.status.long_poll import ChangeWatch
from streametrics.status.response_cache import Answer, AnswerCache

#: How long an answer counts though nothing is heard of a change, in seconds: of a job in work, and of one that has
#: ended. A writer that was killed between its commit and the new stamp tells nobody.
KEPT_S, FINAL_KEPT_S = 5.0, 15.0
#: Bodies kept in one process, in bytes.
MAX_KEPT_BYTES = 64_000_000
#: A client may wait for a change for so long at most, in seconds.
MAX_WAIT_S = 30.0


class Statuses:
    """Answers polls without work in the event loop. For one event loop.

    clock: monotonic seconds.
    """

    def __init__(
        self,
        jobs: JobService,
        board: Board,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_kept_bytes: int = MAX_KEPT_BYTES,
    ) -> None:
        self._jobs = jobs
        self._board = board
        self._clock = clock
        self._kept = AnswerCache(max_kept_bytes)
        self._reads: dict[tuple[str, str], asyncio.Task[Answer]] = {}
        self._watch = ChangeWatch(board)

    async def answer(self, task_id: str, caller: Caller = LOCAL) -> Answer:
        """Where the job stands now. Raises JobUnknown (also to who may not see it), JobExpired, DatabaseUnavailable."""
        try:
            answer = await self._answer(task_id)
        except JobExpired:
            # That it once was is told to its owner alone; the row says who that is.
            await to_thread.run_sync(lambda: self._jobs.look(task_id, caller))
            raise
        if not may_see(caller, answer.owner):
            raise JobUnknown
        return answer

    async def answer_after_change(self, task_id: str, wait_s: float, caller: Caller = LOCAL) -> Answer:
        """The same, as soon as it differs from what it is now, the job has ended, or `wait_s` (30 at most) is over."""
        until = self._clock() + min(wait_s, MAX_WAIT_S)
        first = latest = await self.answer(task_id, caller)
        while not latest.is_final and latest.body == first.body and (left_s := until - self._clock()) > 0:
            await self._watch.wait(task_id, latest.stamp, min(left_s, KEPT_S))
            latest = await self.answer(task_id, caller)
        return latest

    async def _answer(self, task_id: str) -> Answer:
        try:
            stamp = await self._board.stamp(task_id)
        except BoardSilent:
            # Changes go unheard until it speaks again, so nothing that is kept can be trusted afterwards.
            self._kept.clear()
            return await self._read(task_id, None, queue_answers=False)
        if stamp is None:
            answer = await self._read(task_id, None)
            await self._board.begin(task_id)
            return answer
        return self._kept.get(task_id, stamp, self._clock()) or await self._read_once(task_id, stamp)

    async def _read_once(self, task_id: str, stamp: str) -> Answer:
        """Read the row; polls that ask for the same version meanwhile share the answer."""
        key = (task_id, stamp)
        if (read := self._reads.get(key)) is None:
            read = self._reads[key] = asyncio.create_task(self._read_and_keep(task_id, stamp))
            read.add_done_callback(lambda _: self._reads.pop(key, None))
        # A client that goes away must not take the others' answer with it.
        return await asyncio.shield(read)

    async def _read_and_keep(self, task_id: str, stamp: str) -> Answer:
        try:
            answer = await self._read(task_id, stamp)
        except StreametricsError:
            self._kept.drop(task_id)
            raise
        self._kept.put(task_id, answer)
        return answer

    async def _read(self, task_id: str, stamp: str | None, *, queue_answers: bool = True) -> Answer:
        return await to_thread.run_sync(lambda: self._look(task_id, stamp, queue_answers=queue_answers))

    def _look(self, task_id: str, stamp: str | None, *, queue_answers: bool) -> Answer:
        # The clock first: an answer must not outlive its row by the time that reading takes.
        began = self._clock()
        record, status = self._jobs.look(task_id, queue_answers=queue_answers)
        kept_s = KEPT_S
        if record.age_s is not None:
            kept_s = min(FINAL_KEPT_S, self._jobs.result_ttl_s - record.age_s)
        return Answer(
            body=json.dumps(status.body(), ensure_ascii=False, separators=(",", ":")).encode(),
            owner=record.owner,
            is_final=record.state.is_final,
            stamp=stamp,
            good_until=began + kept_s,
        )
