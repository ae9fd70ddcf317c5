"""Counts how much of a stream was heard, and says why the rest was not."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streametrics.domain.transcript import TimeSpan
from streametrics.streams.times import Clock

#: How far two chunks' borders may lie apart, or over each other, without a gap or an overlap: what their clock
#: resolves, in seconds.
SLACK_S = {Clock.OFFSET: 1.5, Clock.WALL: 0.5, Clock.ARRIVAL: 0.001}


class ChunkState(StrEnum):
    """What became of a chunk's sound."""

    HEARD = "heard"  #: transcribed, whether or not somebody spoke
    FAILED = "failed"  #: no words will come of it
    FORGOTTEN = "forgotten"  #: its words were deleted by its client
    PAUSED = "paused"  #: its streamer had paused: nobody listened to it


class GapReason(StrEnum):
    """Why a stretch of a stream was not heard."""

    NOT_SENT = "not_sent"  #: no chunk of it came
    LOST = "lost"  #: by the chunks' numbers one was sent that is not here
    FAILED = "failed"  #: its chunk could not be transcribed
    LATE = "late"  #: its chunk is in work, after later ones are done
    FORGOTTEN = "forgotten"  #: it was deleted
    PAUSED = "paused"  #: its streamer had paused


_REASONS = {
    ChunkState.FAILED: GapReason.FAILED,
    ChunkState.FORGOTTEN: GapReason.FORGOTTEN,
    ChunkState.PAUSED: GapReason.PAUSED,
}


@dataclass(frozen=True, slots=True)
class Extent:
    """A chunk on its stream's timeline, in seconds. speech_s, transcribed_s: of it, speech, and speech with words."""

    start_s: float
    end_s: float
    state: ChunkState
    speech_s: float = 0.0
    transcribed_s: float = 0.0
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that was not heard, in seconds of the stream."""

    start_s: float
    end_s: float
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a stream was heard, in seconds: received and missing together are all of it."""

    start_s: float
    end_s: float
    received_s: float
    speech_s: float
    transcribed_s: float
    missing_s: float
    overlap_s: float
    gaps: tuple[Gap, ...]

    @property
    def ratio(self) -> float:
        """Received of elapsed, 0…1; silence counts as heard."""
        elapsed_s = self.end_s - self.start_s
        return round(self.received_s / elapsed_s, 3) if elapsed_s > 0 else (1.0 if self.received_s else 0.0)


NOTHING = Coverage(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ())


def coverage(
    chunks: Iterable[Extent],
    *,
    clock: Clock,
    in_work: Sequence[float] = (),
    forgotten: Sequence[TimeSpan] = (),
    pauses: Sequence[TimeSpan] = (),
) -> Coverage:
    """Count the coverage of these chunks.

    in_work: where chunks begin that are not transcribed yet. forgotten: what was heard and is not kept. pauses: when
    nothing was to be sent. Both in order, none over another.
    """
    ordered = sorted(chunks, key=lambda chunk: (chunk.start_s, chunk.end_s))
    if not ordered:
        return NOTHING
    slack_s = SLACK_S[clock]
    unheard = [chunk for chunk in ordered if chunk.state in _REASONS]
    start_s, end_s = ordered[0].start_s, max(chunk.end_s for chunk in ordered)
    gaps: list[Gap] = []
    overlap_s = 0.0
    reached_s, before = start_s, None
    for chunk in ordered:
        if chunk.state is not ChunkState.HEARD:
            continue
        if chunk.start_s > reached_s + slack_s:
            gaps += _explained(reached_s, chunk.start_s, before, chunk, unheard, in_work)
        elif reached_s - chunk.start_s > slack_s:
            overlap_s += min(reached_s, chunk.end_s) - chunk.start_s
        if chunk.end_s >= reached_s:
            reached_s, before = chunk.end_s, chunk
    if end_s > reached_s:
        gaps += _explained(reached_s, end_s, before, None, unheard, in_work)
    gaps = _joined(_with_forgotten(_with_pauses(gaps, pauses), _clipped(forgotten, start_s, end_s)))
    missing_s = sum(gap.end_s - gap.start_s for gap in gaps)
    return Coverage(
        start_s=start_s,
        end_s=end_s,
        received_s=round(end_s - start_s - missing_s, 3),
        speech_s=round(sum(chunk.speech_s for chunk in ordered), 3),
        transcribed_s=round(sum(chunk.transcribed_s for chunk in ordered), 3),
        missing_s=round(missing_s, 3),
        overlap_s=round(overlap_s, 3),
        gaps=tuple(gaps),
    )


def _explained(
    start_s: float,
    end_s: float,
    before: Extent | None,
    after: Extent | None,
    all_unheard: Sequence[Extent],
    in_work: Sequence[float],
) -> list[Gap]:
    """Divide a stretch without sound by what is known of it, from one known chunk in it to the next.

    all_unheard: the stream's, in order.
    """
    first, last = (bisect_left(all_unheard, at_s, key=lambda each: each.start_s) for at_s in (start_s, end_s))
    unheard = all_unheard[first:last]
    known = [(each.start_s, each.end_s, _REASONS[each.state]) for each in unheard]
    known += [(start, start, GapReason.LATE) for start in in_work if start_s <= start < end_s]
    rest = GapReason.NOT_SENT
    if before is not None and after is not None and before.seq is not None and after.seq is not None:
        known_numbers = sum(each.seq is not None for each in unheard)
        rest = GapReason.LOST if after.seq - before.seq - 1 > known_numbers else GapReason.NOT_SENT
    gaps: list[Gap] = []
    reached_s = start_s
    known.sort()
    for index, (known_start_s, known_end_s, reason) in enumerate(known):
        if known_start_s > reached_s:
            gaps.append(Gap(reached_s, known_start_s, rest))
            reached_s = known_start_s
        # A chunk without a length reaches to the next thing that is known.
        next_s = known[index + 1][0] if index + 1 < len(known) else end_s
        reaches_s = min(known_end_s if known_end_s > known_start_s else next_s, end_s)
        if reaches_s > reached_s:
            gaps.append(Gap(reached_s, reaches_s, reason))
            reached_s = reaches_s
    if end_s > reached_s:
        gaps.append(Gap(reached_s, end_s, rest))
    return gaps


def _clipped(spans: Iterable[TimeSpan], start_s: float, end_s: float) -> list[TimeSpan]:
    """Keep of the spans what lies between two positions."""
    cut = (TimeSpan(max(span.start_s, start_s), min(span.end_s, end_s)) for span in spans)
    return [span for span in cut if span.start_s < span.end_s]


def _with_pauses(gaps: Iterable[Gap], pauses: Sequence[TimeSpan]) -> list[Gap]:
    """Say of what was not sent that it fell into a pause, where it did."""
    told: list[Gap] = []
    for gap in gaps:
        reached_s = gap.start_s
        for span in _clipped(pauses, gap.start_s, gap.end_s) if gap.reason is GapReason.NOT_SENT else ():
            told += [Gap(reached_s, span.start_s, gap.reason)] if span.start_s > reached_s else []
            told.append(Gap(span.start_s, span.end_s, GapReason.PAUSED))
            reached_s = span.end_s
        told += [Gap(reached_s, gap.end_s, gap.reason)] if gap.end_s > reached_s else []
    return told


def _with_forgotten(gaps: Sequence[Gap], forgotten: Iterable[TimeSpan]) -> list[Gap]:
    """Add what was forgotten of that which was heard."""
    told = list(gaps)
    for span in forgotten:
        reached_s = span.start_s
        for gap in gaps:
            if gap.end_s <= reached_s or gap.start_s >= span.end_s:
                continue
            told += [Gap(reached_s, gap.start_s, GapReason.FORGOTTEN)] if gap.start_s > reached_s else []
            reached_s = gap.end_s
        told += [Gap(reached_s, span.end_s, GapReason.FORGOTTEN)] if span.end_s > reached_s else []
    return sorted(told, key=lambda gap: gap.start_s)


def _joined(gaps: Iterable[Gap]) -> list[Gap]:
    """Join neighbors of one reason."""
    joined: list[Gap] = []
    for gap in gaps:
        if joined and joined[-1].reason is gap.reason and joined[-1].end_s == gap.start_s:
            joined[-1] = Gap(joined[-1].start_s, gap.end_s, gap.reason)
        else:
            joined.append(gap)
    return joined
