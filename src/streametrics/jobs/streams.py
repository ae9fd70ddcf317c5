"""Serves clients' requests about streams: which there are, where one stands, its words and its coverage, search."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from streametrics.auth.principal import Principal, Scope, may_see
from streametrics.database.stream_joining import WaitingChunk
from streametrics.database.stream_search import Hit
from streametrics.database.streams import StoredSegment, StreamerRecord, StreamRecord
from streametrics.errors import InvalidRequest, StreamErased, StreamStartUnknown, StreamUnknown
from streametrics.jobs.connections import Connections
from streametrics.streams.coverage import Coverage, coverage
from streametrics.streams.placing import SentChunk, position_of
from streametrics.streams.search_terms import phrases_of
from streametrics.streams.streamer_keys import key_in_path, streamer_key
from streametrics.streams.times import Clock

#: Coverages that are kept, each for one version of its stream.
KEPT_COVERAGES = 256
#: The most batches of an erased stream that are deleted before its client is answered; retention deletes the rest.
BATCHES_AT_ONCE = 20
DAY_S = 86_400


class TimesFrom(StrEnum):
    """From where the times of a transcript count."""

    UPLOAD = "upload"  #: the beginning of the first chunk
    STREAM = "stream"  #: the beginning of the broadcast
    CLOCK = "clock"  #: midnight (UTC) of the day on which the first chunk begins


@dataclass(frozen=True, slots=True)
class StreamTranscript:
    """A stream's words. zero_s: what a stored position is more than the time that is told; zero_at: when that is 0."""

    stream: StreamRecord
    segments: list[StoredSegment]
    zero_s: float
    zero_at: float | None


class StreamService:
    """Reads, ends and erases streams for clients. Thread-safe."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._records = connections.streams
        self._words_s = connections.settings.stream_transcript_days * DAY_S
        self._coverages: OrderedDict[tuple[int, int, tuple[float, ...]], Coverage] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, stream_id: str, principal: Principal) -> StreamRecord:
        """Read a stream. Raises StreamUnknown, StreamErased."""
        stream = None if "\x00" in stream_id else self._records.get(stream_id)
        if stream is None or not may_see(principal, stream.owner):
            raise StreamUnknown
        if stream.is_erased:
            raise StreamErased
        return stream

    def newest(self, key: str, principal: Principal) -> StreamRecord:
        """Read a streamer's newest stream. Raises StreamUnknown."""
        stream = None if "\x00" in key else self._records.newest(_owner(principal), key)
        if stream is None:
            raise StreamUnknown("There is no stream of this streamer: check the key, or send a chunk.")
        return stream

    def page(
        self,
        principal: Principal,
        *,
        streamer: str | None,
        is_live: bool | None,
        is_paused: bool | None = None,
        before: int | None,
        limit: int,
    ) -> list[StreamRecord]:
        """Read the principal's streams, the newest first; streamer: a key or a name."""
        return self._records.page(
            _owner(principal),
            streamer_key=_key(streamer),
            is_live=is_live,
            is_paused=is_paused,
            before=before,
            limit=limit,
        )

    def streamers(self, principal: Principal, *, before: int | None, limit: int) -> list[StreamerRecord]:
        """Read the streamers, those with the newest streams first."""
        return self._records.streamers(_owner(principal), before=before, limit=limit)

    def end(self, stream_id: str, principal: Principal) -> StreamRecord:
        """End a stream, which changes nothing where it has ended. Raises StreamUnknown, StreamErased."""
        self._records.end(self.get(stream_id, principal).number)
        return self.get(stream_id, principal)

    def erase(self, stream_id: str, principal: Principal) -> None:
        """Erase a stream and what waits to join it; harmless where it is erased. Raises StreamUnknown."""
        try:
            stream = self.get(stream_id, principal)
        except StreamErased:
            return
        waiting = [
            chunk.task_id
            for chunk in self.waiting(stream)
            if stream.ended_at is None or chunk.received_at <= stream.ended_at
        ]
        erasure = self._connections.stream_erasure
        erasure.erase(stream.number, waiting=waiting)
        for _ in range(BATCHES_AT_ONCE):
            if not erasure.delete_erased(stream.number, is_whole=True):
                break

    def coverage(self, stream: StreamRecord) -> Coverage:
        """Count how much of a stream was heard."""
        in_work = self._in_work(stream) if stream.ended_at is None else ()
        kept_as = (stream.number, stream.state_version, in_work)
        with self._lock:
            kept = self._coverages.get(kept_as)
        if kept is None:
            extents = self._records.extents(stream.number)
            kept = coverage(
                extents,
                clock=stream.timeline.clock,
                in_work=in_work,
                forgotten=stream.forgotten,
                pauses=stream.pauses,
            )
            with self._lock:
                self._coverages[kept_as] = kept
                while len(self._coverages) > KEPT_COVERAGES:
                    self._coverages.popitem(last=False)
        return kept

    def _in_work(self, stream: StreamRecord) -> tuple[float, ...]:
        """Find where the chunks lie that are not done, while later ones are."""
        positions = (
            position_of(stream.timeline, SentChunk(chunk.time, chunk.received_at, None))
            for chunk in self.waiting(stream)
        )
        return tuple(position for position in positions if position < stream.end_s)

    def waiting(self, stream: StreamRecord) -> list[WaitingChunk]:
        """Read the chunks of a stream's streamer that have not joined yet."""
        waiting = self._connections.joining.waiting(owner=stream.owner)
        return [chunk for chunk in waiting if streamer_key(chunk.streamer) == stream.streamer_key]

    def transcript(
        self, stream_id: str, principal: Principal, *, times: TimesFrom, start_s: float | None, end_s: float | None
    ) -> StreamTranscript:
        """Read a stream's words between two times. Raises StreamUnknown, StreamErased, StreamStartUnknown."""
        if start_s is not None and end_s is not None and start_s > end_s:
            raise InvalidRequest("'start' is after 'end': exchange them.")
        stream = self.get(stream_id, principal)
        days = stream.said.transcript_days
        kept_s = self._words_s if days is None else min(self._words_s, days * DAY_S)
        if stream.ended_for_s is not None and stream.ended_for_s >= kept_s:
            by = "STREAM_TRANSCRIPT_DAYS" if days is None else f"{days:g} days, as its streamer's settings say"
            raise StreamErased(f"This stream's words were erased: they are kept for {by}.")
        zero_s, zero_at = _ZEROS[times](stream)
        segments = self._records.segments(
            stream.number,
            start_s=-1e12 if start_s is None else start_s + zero_s,
            end_s=1e12 if end_s is None else end_s + zero_s,
        )
        return StreamTranscript(stream, segments, zero_s, zero_at)

    def zero_s(self, stream: StreamRecord, times: TimesFrom) -> float:
        """Tell which position is second 0 of these times. Raises StreamStartUnknown."""
        return _ZEROS[times](stream)[0]

    def search(
        self, query: str, principal: Principal, *, streamer: str | None, before: int | None, limit: int
    ) -> list[Hit]:
        """Find where all that is asked for is said. Raises InvalidRequest."""
        phrases = phrases_of(query)
        if not phrases:
            raise InvalidRequest("'q' has no letter or digit to be searched for.")
        return self._connections.stream_search.find(
            phrases, _owner(principal), streamer_key=_key(streamer), before=before, limit=limit
        )


def _owner(principal: Principal) -> str | None:
    return None if principal.scope is Scope.ADMIN else principal.owner


def _key(streamer: str | None) -> str | None:
    return None if streamer is None else key_in_path(streamer)


def _since_upload(stream: StreamRecord) -> tuple[float, float | None]:
    timeline = stream.timeline
    if timeline.has_jumped or timeline.clock is Clock.OFFSET:
        return stream.start_s, None
    return stream.start_s, (timeline.zero or timeline.zero_arrival) + stream.start_s


def _since_broadcast(stream: StreamRecord) -> tuple[float, float | None]:
    timeline = stream.timeline
    if timeline.clock is not Clock.OFFSET or timeline.zero is None or timeline.has_jumped:
        raise StreamStartUnknown
    return -timeline.zero, None


def _by_the_clock(stream: StreamRecord) -> tuple[float, float | None]:
    timeline = stream.timeline
    if timeline.clock is Clock.OFFSET or timeline.has_jumped:
        raise StreamStartUnknown(
            "The time of day of this stream is not known, as its chunks were sent with offsets, or their clock was "
            "set meanwhile: send 'time' in milliseconds since 1970, or ask with 'offset=upload'."
        )
    zero = timeline.zero or timeline.zero_arrival
    first = datetime.fromtimestamp(zero + stream.start_s, UTC)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    return midnight - zero, midnight


_ZEROS: dict[TimesFrom, Callable[[StreamRecord], tuple[float, float | None]]] = {
    TimesFrom.UPLOAD: _since_upload,
    TimesFrom.STREAM: _since_broadcast,
    TimesFrom.CLOCK: _by_the_clock,
}
