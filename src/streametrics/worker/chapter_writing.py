"""Lets the model write of closed chapters while no chunk waits for it; a call is ended when one comes."""

import logging
import time
from collections.abc import Callable

from streametrics.concurrency.periodic import PeriodicThread
from streametrics.errors import DatabaseUnavailable, Interrupted, SummarizerError, SummarizerTimeout, SummaryUnusable
from streametrics.jobs.chapter_texts import LEASE_S, ChapterTexts, ChapterToWrite
from streametrics.jobs.connections import Connections
from streametrics.llm import factory as chat_model_factory
from streametrics.settings import Settings
from streametrics.summarization.chapter_writer import ChapterWriter

#: Between two rounds, and between two looks at whether a chunk waits, in seconds.
PERIOD_S, LOOK_EVERY_S = 3.0, 0.5
#: After a failure the model server is left alone for so long, in seconds.
REST_S = 60.0
#: Of its lease a call may use so much, so that it is over before another process may begin it, in seconds.
CALL_S = LEASE_S - 60.0

logger = logging.getLogger(__name__)


def asks_a_model(settings: Settings) -> bool:
    """Tell whether there is a model that can be asked."""
    return settings.stream_memory and settings.summarizer in ("ollama", "openai_compatible")


class ChapterWritingThread:
    """Writes a chapter a round, in a thread of its own: a call may take a minute."""

    def __init__(self, connections: Connections, settings: Settings) -> None:
        writer = ChapterWriter(chat_model_factory.create(settings))
        self._thread = PeriodicThread("chapter writing", self._round, PERIOD_S)
        self._writing = ChapterWriting(ChapterTexts(connections), writer, is_stopping=self._thread.stopped.is_set)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, ending a call that is in work."""
        self._thread.stop(wait_s=10)

    def _round(self) -> None:
        self._writing.round()


class ChapterWriting:
    """Writes chapters, one a round. clock: for tests; seconds."""

    def __init__(
        self,
        texts: ChapterTexts,
        writer: ChapterWriter,
        *,
        is_stopping: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._texts = texts
        self._writer = writer
        self._is_stopping = is_stopping
        self._clock = clock
        self._rests_until = 0.0

    def round(self) -> bool:
        """Write of the newest chapter that is due, unless a chunk waits; tells whether it did.

        Raises DatabaseUnavailable.
        """
        if self._clock() < self._rests_until or self._texts.chunk_waits():
            return False
        work = self._texts.claim()
        if work is None:
            return False
        try:
            return self._write(work)
        finally:
            self._texts.release(work)

    def _write(self, work: ChapterToWrite) -> bool:
        began = self._clock()
        try:
            found = self._writer.write([line.text for line in work.lines], work.language, check=self._check())
        except Interrupted:
            logger.info("event=chapter_interrupted stream=%s chapter=%d", work.stream.id, work.chapter.place)
            return False  # it is begun anew when nobody waits
        except (SummaryUnusable, SummarizerTimeout) as error:
            # A model that is too slow for this chapter is for the next try as well.
            logger.info("event=chapter_unusable stream=%s chapter=%d: %s", work.stream.id, work.chapter.place, error)
            self._texts.give_up(work)
            return False
        except SummarizerError as error:
            self._rests_until = self._clock() + REST_S
            logger.warning("event=chapter_failed code=%s: it stays as it was picked for now", error.code)
            return False
        sentences = [(sentence.text, sentence.lines) for sentence in found.sentences]
        is_kept = self._texts.settle(work, found.title, sentences, source=found.source, model=found.model)
        took_s = self._clock() - began
        logger.info(
            "event=chapter_written stream=%s chapter=%d kept=%s took_s=%.1f",
            *(work.stream.id, work.chapter.place, is_kept, took_s),
        )
        return is_kept

    def _check(self) -> Callable[[], None]:
        """Make the check that a call makes several times a second."""
        ends_at, look_at = self._clock() + CALL_S, self._clock() + LOOK_EVERY_S

        def check() -> None:
            nonlocal look_at
            if self._is_stopping():
                raise Interrupted
            if self._clock() >= ends_at:
                raise SummarizerTimeout(f"The model server needed more than {CALL_S:.0f} s for a chapter.")
            if self._clock() >= look_at:
                look_at = self._clock() + LOOK_EVERY_S
                try:
                    is_wanted = self._texts.chunk_waits()
                except DatabaseUnavailable:
                    is_wanted = True
                if is_wanted:
                    raise Interrupted

        return check
