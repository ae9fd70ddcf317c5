"""Closes the chapters of streams, beside the answers to clients.

What is due stands in the rows of the streams, so a process that dies leaves nothing out; several may do it at once.
"""

import logging
from collections.abc import Callable

from streametrics.concurrency.periodic import PeriodicThread
from streametrics.database.chapters import ChapterRecords
from streametrics.database.stream_joining import Overtaken
from streametrics.database.streams import StreamRecord, StreamRecords
from streametrics.errors import StreametricsError
from streametrics.jobs.connections import Connections
from streametrics.jobs.joining import MOST_PERIOD_S
from streametrics.recap.boundaries import Boundary, Mark
from streametrics.recap.chapters import Chapter
from streametrics.recap.composing import BEFORE_S, chapter_of, chapter_text
from streametrics.recap.dividing import ClosedStretch, divided, in_order
from streametrics.recap.marks import certain_marks
from streametrics.recap.spoken import NumberedSegment, SpokenSentence, spoken_sentences
from streametrics.settings import Settings

BEGINNING_S, END_S = -1e12, 1e12

logger = logging.getLogger(__name__)


class ChapterThread:
    """Runs a round of `ChapterKeeping` every few seconds, in a worker; none while the API uses another database."""

    def __init__(self, connections: Connections) -> None:
        foreign = connections.foreign_check(needs_audio=False)
        keeping = ChapterKeeping(
            connections.chapters, connections.streams, connections.settings, may_write=lambda: not foreign.get()
        )
        period_s = min(connections.settings.maintenance_interval_s, MOST_PERIOD_S)
        self._keeping = keeping
        self._thread = PeriodicThread("chapters", self._round, period_s)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present round."""
        self._thread.stop(wait_s=10)

    def _round(self) -> None:
        self._keeping.round()


class ChapterKeeping:
    """Closes chapters, in rounds. may_write: whether this process uses the API's database."""

    def __init__(
        self,
        records: ChapterRecords,
        streams: StreamRecords,
        settings: Settings,
        *,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._records = records
        self._streams = streams
        self._may_write = may_write
        self._is_on = settings.stream_memory

    def round(self) -> int:
        """Close the chapters that are over; returns how many were. Raises DatabaseUnavailable."""
        if not self._is_on or not self._may_write():
            return 0
        closed = 0
        for number in self._records.due():
            try:
                closed += self.look_at(number)
            except Overtaken:
                continue  # a chunk has joined meanwhile: it is due again
            except StreametricsError:
                raise  # without a database none can be looked at
            except Exception:
                logger.exception("event=chapters_failed stream=%d: the others go on", number)
        return closed

    def look_at(self, number: int) -> int:
        """Close a stream's chapters that are over, and rewrite those that lost words; returns how many were closed.

        Raises Overtaken.
        """
        stream = self._streams.by_number(number)
        while stream is not None and not stream.is_erased and self._rewrite_stale(stream):
            stream = self._streams.by_number(number)
        if stream is None or stream.is_erased:
            return 0
        is_over = stream.ended_at is not None
        start_s = BEGINNING_S if stream.chapter_start_s is None else stream.chapter_start_s
        said = sentences_between(self._streams, number, start_s, END_S)
        said = [sentence for sentence in said if sentence.start_s >= start_s]
        marks = certain_marks(self._records.heard_chunks(number, start_s=start_s), is_over=is_over)
        begins = Mark(start_s, Boundary(stream.chapter_boundary or Boundary.START))
        found = list(divided(said, begins, reached_s=stream.end_s, is_over=is_over, marks=marks))
        closed = [self._chapter(stream, place, each) for place, each in enumerate(found, stream.chapter_count + 1)]
        self._records.write(stream, closed, found[-1].next_why if found else begins.why)
        if closed:
            logger.info("event=chapters_closed stream=%s chapters=%d", stream.id, len(closed))
        return len(closed)

    def _chapter(self, stream: StreamRecord, place: int, found: ClosedStretch) -> Chapter:
        start_s = max(found.begins.at_s, stream.start_s)
        before = self._said_before(stream.number, start_s)
        return chapter_of(place, start_s, found.end_s, found.begins.why, found.inside, before)

    def _said_before(self, number: int, start_s: float) -> list[SpokenSentence]:
        said = sentences_between(self._streams, number, start_s - BEFORE_S, start_s)
        return [sentence for sentence in said if sentence.start_s < start_s]

    def _rewrite_stale(self, stream: StreamRecord) -> bool:
        """Rewrite the first chapter that lost words, from those that are left; tells whether there was one."""
        for chapter in self._records.of(stream.number):
            if chapter.is_stale:
                said = sentences_between(self._streams, stream.number, chapter.start_s, chapter.end_s)
                inside = [sentence for sentence in said if chapter.start_s <= sentence.start_s < chapter.end_s]
                text = chapter_text(inside, self._said_before(stream.number, chapter.start_s))
                self._records.rewrite(stream, chapter, text)
                return True
        return False


def sentences_between(streams: StreamRecords, number: int, start_s: float, end_s: float) -> list[SpokenSentence]:
    """Read what was said between two positions, in sentences."""
    stored = streams.segments(number, start_s=start_s, end_s=end_s, with_words=False)
    return in_order(spoken_sentences(NumberedSegment(each.number, each.segment) for each in stored))
