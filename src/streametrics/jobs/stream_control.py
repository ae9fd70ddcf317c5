"""Serves what the owner of a stream says about it: to forget a stretch of it."""

import logging
import random
import threading
import time
from dataclasses import dataclass

from streametrics.auth.principal import Principal
from streametrics.database.idempotency import IdempotentCall
from streametrics.database.markers import Marker
from streametrics.database.redaction import Redacted, UnjoinedChunk
from streametrics.database.stream_joining import Overtaken
from streametrics.database.streams import StreamRecord
from streametrics.domain.transcript import TimeSpan
from streametrics.errors import DatabaseUnavailable, InvalidRequest, MarkerErased, StreamEnded, StreamTooShort
from streametrics.jobs.connections import Connections
from streametrics.jobs.streams import StreamService
from streametrics.streams.placing import SentChunk, falls_back, position_of
from streametrics.streams.redaction import meets

#: How often it is tried anew at once because chunks have joined meanwhile.
MOST_TRIES = 20
#: For how long at most it waits before that, in seconds.
LET_PASS_S = 0.05
#: What a chunk takes from its last sound to its last byte here, at most, in seconds: "now" is so much further on.
SENDING_S = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: start and end in seconds from the beginning of the stream's first chunk."""

    stream: StreamRecord
    start_s: float
    end_s: float
    segments: int
    jobs: int


class StreamControl:
    """Forgets stretches of streams for their owners. Thread-safe."""

    def __init__(self, connections: Connections, streams: StreamService) -> None:
        self._connections = connections
        self._streams = streams
        self._compacting = threading.Lock()

    def forget(
        self,
        stream_id: str,
        principal: Principal,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        last_s: float | None = None,
    ) -> Forgotten:
        """Forget what was said between two times, or in the last seconds, for good.

        Raises InvalidRequest, StreamTooShort, StreamUnknown, StreamErased.
        """
        done = Redacted()
        for tries in range(MOST_TRIES):
            stream = self._streams.get(stream_id, principal)
            span = _span(stream, start_s, end_s) if last_s is None else _last(stream, last_s)
            unjoined = self._unjoined(stream, span)
            try:
                done = self._connections.redaction.remember(stream, span, unjoined)
                break
            except Overtaken:
                if tries == MOST_TRIES - 1:
                    raise DatabaseUnavailable from None
                _let_pass()
        done.add(self._connections.redaction.carry_out(stream.number))
        self._stop(done)
        logger.info("event=forgotten stream=%s segments=%d jobs=%d", stream_id, done.segments, len(done.erased))
        return Forgotten(
            stream=self._streams.get(stream_id, principal),
            start_s=round(span.start_s - stream.start_s, 3),
            end_s=round(span.end_s - stream.start_s, 3),
            segments=done.segments,
            jobs=len(done.erased) + len(done.stopped),
        )

    def pause(self, stream_id: str, principal: Principal) -> StreamRecord:
        """Pause a live stream's streamer: no chunk is heard until it goes on, in whichever stream.

        Raises StreamUnknown, StreamErased, StreamEnded.
        """
        stream = self._streams.get(stream_id, principal)
        if stream.ended_at is not None:
            raise StreamEnded
        self.set_paused(stream.owner, stream.streamer_key, is_paused=True)
        return self._streams.get(stream_id, principal)

    def resume(self, stream_id: str, principal: Principal) -> StreamRecord:
        """Let a stream's streamer go on. Raises StreamUnknown, StreamErased."""
        stream = self._streams.get(stream_id, principal)
        self.set_paused(stream.owner, stream.streamer_key, is_paused=False)
        return self._streams.get(stream_id, principal)

    def set_paused(self, owner: str, streamer_key: str, *, is_paused: bool) -> None:
        """Pause a streamer, or let it go on; its newest stream tells of it. Changes nothing where that is so."""
        streamers = self._connections.streamers
        change = streamers.pause if is_paused else streamers.resume
        for _ in range(MOST_TRIES):
            newest = self._connections.streams.newest(owner, streamer_key)
            try:
                return change(owner, streamer_key, newest, 0.0 if newest is None else _spoken_s(newest))
            except Overtaken:
                _let_pass()
        raise DatabaseUnavailable

    def mark(
        self, stream: StreamRecord, position_s: float | None, description: str, call: IdempotentCall | None
    ) -> tuple[Marker, bool]:
        """Add a marker, where the stream stands if nothing is said; returns it, and whether the call is a repetition.

        Raises StreamTooShort, TooManyMarkers, MarkerErased.
        """
        at_s = _spoken_s(stream) if position_s is None else position_s + stream.start_s
        if at_s > _now_s(stream):
            raise StreamTooShort("This stream is not that long yet: leave 'position_s' away for where it stands now.")
        markers = self._connections.markers
        marker_id, is_replay = self._connections.idempotent_calls.once(
            call, lambda: markers.add(stream.number, at_s, description, call=call)
        )
        marker = markers.get(stream.number, marker_id)
        if marker is None:
            raise MarkerErased
        return marker, is_replay

    def compact(self) -> None:
        """Overwrite what was erased; retention does it where this process dies."""
        if not self._compacting.acquire(blocking=False):
            return  # one at a time, as other writers wait for it: retention does what comes meanwhile
        try:
            self._connections.stream_search.compact()
        except DatabaseUnavailable:
            logger.warning("event=compaction_put_off: retention tries again")
        finally:
            self._compacting.release()

    def _unjoined(self, stream: StreamRecord, span: TimeSpan) -> list[UnjoinedChunk]:
        """Find the chunks on their way into a stretch: in work, or ended and not joined yet."""
        found: list[UnjoinedChunk] = []
        for chunk in self._streams.waiting(stream):
            is_of_a_later_one = stream.ended_at is not None and chunk.received_at > stream.ended_at
            if is_of_a_later_one or falls_back(stream.timeline, chunk.time):
                continue  # another broadcast's; words of one that joins this stream after all are cut then
            start_s = position_of(stream.timeline, SentChunk(chunk.time, chunk.received_at, None))
            end_s = start_s + stream.timeline.chunk_s
            if meets([span], start_s, end_s):
                found.append(UnjoinedChunk(chunk.task_id, round(start_s, 3), round(end_s, 3)))
        return found

    def _stop(self, done: Redacted) -> None:
        for task_id, audio_key in done.stopped.items():
            self._connections.progress.cancel(task_id)
            self._connections.delete_audio(audio_key)


def _let_pass() -> None:
    """Let others go first who write to the same stream: each for another time, so that they do not meet again."""
    time.sleep(random.uniform(0.0, LET_PASS_S))  # noqa: S311 - no secret


def _spoken_s(stream: StreamRecord) -> float:
    """Tell where a stream stands: at its end, or so far behind its last chunk as the clock has gone on since."""
    if stream.ended_at is not None:
        return stream.end_s
    return max(stream.timeline.reached_s, stream.end_s) + max(stream.quiet_s, 0.0)


def _now_s(stream: StreamRecord) -> float:
    """Tell up to where a stream's words may have been said: what was said is sent a moment later."""
    return _spoken_s(stream) + (SENDING_S if stream.ended_at is None else 0.0)


def _span(stream: StreamRecord, start_s: float | None, end_s: float | None) -> TimeSpan:
    """Place a stretch of the transcript in the stream. Raises InvalidRequest, StreamTooShort."""
    assert start_s is not None and end_s is not None
    if start_s >= end_s:
        raise InvalidRequest("'start' is not before 'end': exchange them.")
    reached_s = _now_s(stream)
    if start_s + stream.start_s >= reached_s:
        raise StreamTooShort(
            f"This stream is {reached_s - stream.start_s:.0f} s long so far, and 'start' lies behind that: what is "
            "still to be said is not forgotten; pause the stream instead."
        )
    return TimeSpan(start_s + stream.start_s, min(end_s + stream.start_s, reached_s))


def _last(stream: StreamRecord, last_s: float) -> TimeSpan:
    """Place the last seconds in the stream, up to this moment while it is live."""
    reached_s = _now_s(stream)
    margin_s = 0.0 if stream.ended_at is not None else SENDING_S
    return TimeSpan(max(reached_s - margin_s - last_s, stream.start_s), reached_s)
