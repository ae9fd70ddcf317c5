"""Joins chunks that have ended to their streamers' streams, beside the answers to their clients.

What is to join stands in the rows of the jobs, so a process that dies loses none; several may do it at once.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from streametrics.concurrency.periodic import PeriodicThread
from streametrics.database.jobs import JobRecord
from streametrics.database.stream_joining import Found, NewStream, Overtaken, StreamJoining, WaitingChunk
from streametrics.domain.transcript import Transcript
from streametrics.domain.warnings import PAUSED
from streametrics.errors import JobCancelled, JobNotReady, StreametricsError
from streametrics.jobs.connections import Connections
from streametrics.jobs.status_view import transcript_in_result
from streametrics.observability.logging import about_job
from streametrics.settings import Settings
from streametrics.streams.chunks import ChunkSummary, JoiningChunk, fingerprint, heard
from streametrics.streams.coverage import ChunkState
from streametrics.streams.hidden_words import hide_in_text
from streametrics.streams.placing import Placement, SentChunk, falls_back, first_placement, place
from streametrics.streams.redaction import with_hidden, without_forgotten
from streametrics.streams.streamer_keys import streamer_key
from streametrics.streams.streamer_settings import StreamerSettings
from streametrics.streams.times import Clock

#: How long the pause between two rounds may be, in seconds.
MOST_PERIOD_S = 5.0
#: The most chunks that one round looks at; as many as may wait (MAX_WAITING).
MOST_WAITING = 5000
#: For how long a chunk waits for those of its streamer that were sent before it, once it has ended, in seconds.
ORDER_WAIT_S = 20.0
#: For how long a chunk whose time has fallen back waits for the next one, which says whether it is another broadcast.
NEXT_CHUNK_WAIT_S = 120.0
#: How often a chunk is placed anew at once because its stream has changed meanwhile.
MOST_TRIES = 5
#: For how long a chunk is left alone that could not be joined, in seconds.
RETRY_AFTER_S = 60.0
#: How often that is tried; then its stream goes on without it.
MOST_FAILURES = 5

#: Set when a chunk has ended in this process, so that it need not wait for the next round.
_ended = threading.Event()

logger = logging.getLogger(__name__)


def chunk_ended() -> None:
    """Let this process join what has ended, now."""
    _ended.set()


class StreamContested(Exception):
    """Other processes wrote to the stream each time that it was read."""


class JoiningThread:
    """Runs a round when a chunk ends in this process, and every `maintenance_interval_s`.

    in_worker: nothing while the API uses another database.
    """

    def __init__(self, connections: Connections, *, in_worker: bool = False) -> None:
        foreign = connections.foreign_check(needs_audio=False)
        self._joining = Joining(
            connections.joining, connections.settings, may_write=lambda: not (in_worker and foreign.get())
        )
        self._period_s = min(connections.settings.maintenance_interval_s, MOST_PERIOD_S)
        self._thread = PeriodicThread("joining", self._round, 0.0)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present round."""
        self._thread.stopped.set()
        _ended.set()
        self._thread.stop(wait_s=10)

    def _round(self) -> None:
        _ended.wait(self._period_s)
        if not self._thread.stopped.is_set():
            _ended.clear()
            self._joining.round()


class Joining:
    """Joins chunks, in rounds. may_write: whether this process uses the API's database."""

    def __init__(
        self, records: StreamJoining, settings: Settings, *, may_write: Callable[[], bool] = lambda: True
    ) -> None:
        self._records = records
        self._may_write = may_write
        self._is_on = settings.stream_memory
        self._idle_s = settings.stream_idle_min * 60
        self._keeps_words = settings.stream_transcript_days > 0
        self._keeps_recaps = settings.stream_recap_days > 0
        #: Chunks that could not be joined, with how often, and when the last time.
        self._failed: dict[str, tuple[int, float]] = {}

    def round(self) -> int:
        """Join what has ended; returns how many chunks were. Raises DatabaseUnavailable."""
        if not self._is_on or not self._may_write():
            return 0
        waiting = self._records.waiting(MOST_WAITING)
        self._failed = {
            chunk.task_id: self._failed[chunk.task_id] for chunk in waiting if chunk.task_id in self._failed
        }
        ordered = sorted(waiting, key=_streamer)  # which keeps each one's chunks in order
        return sum(self._join_all(list(chunks)) for _, chunks in groupby(ordered, key=_streamer))

    def _join_all(self, chunks: Sequence[WaitingChunk]) -> int:
        """Join the chunks of one streamer, in the order in which they were sent."""
        joined, waits_for_others = 0, False
        for index, chunk in enumerate(chunks):
            if chunk.ended_for_s is None:
                waits_for_others = True
                continue
            if self._rests(chunk) or (waits_for_others and chunk.ended_for_s < ORDER_WAIT_S):
                continue
            try:
                with about_job(chunk.task_id):
                    if not self._join(chunk, chunks[index + 1 :]):
                        break
                joined += 1
            except StreametricsError:
                raise  # without a database none can be joined
            except Exception as error:  # noqa: BLE001 - whatever it is, it holds up no other chunk
                self._note_failure(chunk, error)
        return joined

    def _rests(self, chunk: WaitingChunk) -> bool:
        """Tell whether a chunk could not be joined a moment ago."""
        return chunk.task_id in self._failed and time.monotonic() - self._failed[chunk.task_id][1] < RETRY_AFTER_S

    def _note_failure(self, chunk: WaitingChunk, error: Exception) -> None:
        """Leave a chunk alone for a while, so that it holds up no other; one that never joins is given up."""
        tries = self._failed.get(chunk.task_id, (0, 0.0))[0] + 1
        self._failed[chunk.task_id] = tries, time.monotonic()
        with about_job(chunk.task_id):
            if tries < MOST_FAILURES:
                logger.warning("event=not_joined tries=%d: %s; it is tried again", tries, type(error).__name__)
                return
            logger.error("event=never_joined: its stream goes on without this chunk", exc_info=error)
        self._records.dismiss(chunk.task_id)

    def _join(self, waiting: WaitingChunk, later: Sequence[WaitingChunk]) -> bool:
        """Join one chunk, or find that it joins nothing; False where it has to wait, and those after it."""
        job = self._records.chunk(waiting.task_id)
        if job is None:
            return True
        transcript = _transcript_of(job)
        if job.erased or job.error_code == JobCancelled.code:
            self._records.dismiss(waiting.task_id)
            return True
        for _ in range(MOST_TRIES):
            try:
                return self._try(waiting, job, transcript, later)
            except Overtaken:
                continue
        raise StreamContested

    def _try(
        self,
        waiting: WaitingChunk,
        job: JobRecord,
        transcript: Transcript | None,
        later: Sequence[WaitingChunk],
    ) -> bool:
        mark = None if transcript is None else fingerprint(job.request, transcript, job.audio_s)
        key = streamer_key(job.request.streamer)
        found = self._records.find(job.owner, key, mark, received_at=job.received_at)
        is_paused = PAUSED.code in {warning.code for warning in job.warnings}
        # Nobody knows its length: it is taken for that of the others.
        audio_s = found.stream.timeline.chunk_s if is_paused and found is not None else job.audio_s
        sent = SentChunk(job.request.time, job.received_at, audio_s)
        is_new = found is None or self._is_over(found, sent)
        if not is_new and found is not None and found.twin is None and falls_back(found.stream.timeline, sent.time):
            is_new = any(falls_back(found.stream.timeline, each.time) for each in later[:1])
            if not later and waiting.received_for_s < NEXT_CHUNK_WAIT_S:
                return False
        if is_new:
            if transcript is None or is_paused:
                self._records.dismiss(job.task_id)  # nothing begins with a file that nobody has heard
                return True
            said = found.stream.said if found is not None else self._records.settings(job.owner, key)
            self._begin(key, waiting, job, transcript, mark, found, said)
        elif found is not None:
            placement = _placement(found, sent)
            heard_now = None if found.twin else transcript
            entry = self._entry(waiting, job, heard_now, mark, placement, found.stream.said)
            if is_paused:
                entry = replace(entry, state=ChunkState.PAUSED)
            elif found.twin and transcript is not None:
                entry = JoiningChunk(job.task_id, *found.twin, state=ChunkState.HEARD, seq=waiting.seq)
            self._records.join(found.stream, job, without_forgotten(entry, found.stream.forgotten), placement)
        return True

    def _is_over(self, found: Found, sent: SentChunk) -> bool:
        """Tell whether a stream has no place for a chunk that was received then."""
        ended_at = found.stream.ended_at
        if ended_at is not None and sent.received_at > ended_at:
            return True
        return sent.received_at - found.last_received_at > self._idle_s

    def _begin(
        self,
        key: str,
        waiting: WaitingChunk,
        job: JobRecord,
        transcript: Transcript,
        mark: str | None,
        found: Found | None,
        said: StreamerSettings,
    ) -> None:
        placement = first_placement(SentChunk(job.request.time, job.received_at, job.audio_s))
        timeline = placement.timeline
        is_wall = timeline.clock is Clock.WALL and timeline.zero is not None
        new = NewStream(
            id=f"strm_{secrets.token_hex(8)}",
            owner=job.owner,
            streamer_key=key,
            started_at=timeline.zero if is_wall and timeline.zero is not None else timeline.zero_arrival,
            summary_languages=said.summary_languages,
        )
        entry = self._entry(waiting, job, transcript, mark, placement, said)
        if self._records.begin(new, job, entry, placement, None if found is None else found.stream):
            logger.info("event=stream_started stream=%s clock=%s", new.id, timeline.clock)

    def _entry(
        self,
        waiting: WaitingChunk,
        job: JobRecord,
        transcript: Transcript | None,
        mark: str | None,
        placement: Placement,
        said: StreamerSettings,
    ) -> JoiningChunk:
        if transcript is None:
            return JoiningChunk(
                job.task_id, placement.start_s, placement.end_s, state=ChunkState.FAILED, seq=waiting.seq
            )
        entry = heard(
            job.task_id,
            transcript,
            placement.start_s,
            placement.end_s,
            seq=waiting.seq,
            fingerprint=mark,
            keeps_words=self._keeps_words and said.transcript_days != 0,
        )
        keeps_summary = self._keeps_recaps and said.recap_days != 0 and entry.speech_s
        summary = _summary_of(job, said) if keeps_summary else None
        entry = replace(entry, title=job.request.title, game=job.request.game, summary=summary)
        return with_hidden(entry, said.phrases)


def _placement(found: Found, sent: SentChunk) -> Placement:
    placement = place(found.stream.timeline, sent)
    if found.twin is None:
        return placement
    # The same sound again: the stream does not go on by it.
    return Placement(*found.twin, is_late=True, timeline=found.stream.timeline)


def _streamer(chunk: WaitingChunk) -> tuple[str, str]:
    return chunk.owner, streamer_key(chunk.streamer)


def _summary_of(job: JobRecord, said: StreamerSettings) -> ChunkSummary | None:
    """Find a chunk's own summary, without hidden words; None where it has none."""
    result = job.result
    if result is None or not result.get("summary"):
        return None
    language = job.request.language or result.get("speech_language")
    return ChunkSummary(
        hide_in_text(result["summary"], said.phrases), result["summary_source"], result.get("model"), language
    )


def _transcript_of(job: JobRecord) -> Transcript | None:
    """Find a chunk's words, in its result where a worker of the version before has finished it; None for none."""
    if job.transcript is not None:
        return job.transcript
    try:
        return transcript_in_result(job)
    except JobNotReady:
        return None  # damaged
