"""Places chunks on their stream's timeline: by their time, else by when they came.

Positions are seconds from the beginning of the stream's first chunk. What its own clock, and the wall's, say at
position 0 is kept beside them; neither is reckoned from the other.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from streametrics.streams.times import Clock, Reading, read_time

#: A clock that falls back by more than this, in seconds, may belong to another broadcast; one that runs ahead of the
#: chunks' arrival by more was set.
JUMP_S = 300.0
#: Chunks without a time that come at most so late after the end of the one before follow it directly, in seconds.
ARRIVAL_SLACK_S = 10.0


@dataclass(frozen=True, slots=True)
class SentChunk:
    """What is known of a chunk where it is placed. received_at: seconds since 1970, by the database's clock.

    audio_s: its length in seconds; None where its sound could not be read.
    """

    time: str
    received_at: float
    audio_s: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where a stream stands.

    zero: what its clock says at position 0; None where that is arrival. zero_arrival: likewise of the arrival.
    last_reading: of the chunk that is furthest by its time. is_confirmed: whether the clock was seen to advance.
    has_jumped: whether it was set since, so that positions do not tell it any more. reached_s: the end of the
    furthest chunk.
    """

    clock: Clock
    zero: float | None
    zero_arrival: float
    last_reading: float | None
    last_received_at: float
    reached_s: float
    chunk_s: float
    is_confirmed: bool = False
    has_jumped: bool = False

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read what `to_json` has made; names of later versions are passed over."""
        known = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        return cls(**known | {"clock": Clock(stored["clock"])})


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a chunk lies, in seconds of its stream, and where the stream stands with it. is_late: others lie behind."""

    start_s: float
    end_s: float
    is_late: bool
    timeline: Timeline


def first_placement(chunk: SentChunk) -> Placement:
    """Begin a stream with this chunk."""
    length_s = chunk.audio_s or 0.0
    reading = read_time(chunk.time)
    timeline = Timeline(
        clock=reading.clock if reading else Clock.ARRIVAL,
        zero=reading.seconds if reading else None,
        zero_arrival=chunk.received_at - length_s,
        last_reading=reading.seconds if reading else None,
        last_received_at=chunk.received_at,
        reached_s=length_s,
        chunk_s=length_s,
    )
    return Placement(0.0, length_s, is_late=False, timeline=timeline)


def place(timeline: Timeline, chunk: SentChunk) -> Placement:
    """Place a further chunk of the stream."""
    timeline, start_s = _start(timeline, chunk)
    end_s = start_s + (chunk.audio_s or 0.0)
    is_late = start_s < timeline.reached_s and end_s <= timeline.reached_s and chunk.audio_s is not None
    reached = replace(
        timeline,
        reached_s=max(timeline.reached_s, end_s),
        last_received_at=max(timeline.last_received_at, chunk.received_at),
        chunk_s=chunk.audio_s or timeline.chunk_s,
    )
    return Placement(round(start_s, 3), round(end_s, 3), is_late, reached)


def falls_back(timeline: Timeline, time: str) -> bool:
    """Tell whether a chunk's offset is so far behind that it may be another broadcast's: two in a row are."""
    reading = _counting(timeline, read_time(time))
    if reading is None or reading.clock is not Clock.OFFSET or timeline.last_reading is None:
        return False
    return reading.seconds < timeline.last_reading - JUMP_S


def position_of(timeline: Timeline, chunk: SentChunk) -> float:
    """Estimate where a chunk will lie whose sound is in work."""
    return _start(timeline, replace(chunk, audio_s=chunk.audio_s or timeline.chunk_s))[1]


def _counting(timeline: Timeline, reading: Reading | None) -> Reading | None:
    """Leave out a time of another kind than the stream's: nobody knows what the one says of the other."""
    return reading if reading is not None and reading.clock is timeline.clock else None


def _start(timeline: Timeline, chunk: SentChunk) -> tuple[Timeline, float]:
    reading = _counting(timeline, read_time(chunk.time))
    zero = timeline.zero
    if reading is None or zero is None or timeline.last_reading is None:
        return timeline, _by_arrival(timeline, chunk)
    ahead_s = reading.seconds - timeline.last_reading
    since_s = chunk.received_at - timeline.last_received_at
    if ahead_s == 0 and not timeline.is_confirmed:
        # Always the same time: it is none.
        timeline = replace(timeline, clock=Clock.ARRIVAL, zero=None, last_reading=None)
        return timeline, _by_arrival(timeline, chunk)
    if ahead_s == 0 and since_s >= (chunk.audio_s or timeline.chunk_s) / 2:
        return timeline, _by_arrival(timeline, chunk)
    position_s = reading.seconds - zero
    if ahead_s > max(since_s, 0.0) + timeline.chunk_s + JUMP_S or position_s < -JUMP_S:
        return _set_anew(timeline, chunk, reading, since_s)
    if ahead_s > 0:
        timeline = replace(timeline, last_reading=reading.seconds, is_confirmed=True)
    return timeline, position_s


def _set_anew(timeline: Timeline, chunk: SentChunk, reading: Reading, since_s: float) -> tuple[Timeline, float]:
    """Place a chunk whose clock was set by when it came; those after it count from there."""
    start_s = _by_arrival(timeline, chunk)
    # One that was sent before the last one says nothing of the clock since. An offset that has fallen back is another
    # broadcast's, or one chunk's mistake: see `falls_back`.
    if since_s < 0 or (reading.clock is Clock.OFFSET and reading.seconds < (timeline.last_reading or 0.0)):
        return timeline, start_s
    return replace(timeline, zero=reading.seconds - start_s, last_reading=reading.seconds, has_jumped=True), start_s


def _by_arrival(timeline: Timeline, chunk: SentChunk) -> float:
    length_s = timeline.chunk_s if chunk.audio_s is None else chunk.audio_s
    start_s = chunk.received_at - length_s - timeline.zero_arrival
    if chunk.received_at < timeline.last_received_at:
        return start_s  # one that was worked on for longer than those sent after it
    return start_s if start_s > timeline.reached_s + ARRIVAL_SLACK_S else timeline.reached_s
