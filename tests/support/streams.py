"""Chunks that have ended, as workers leave them, and what their stream then is."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, insert, select, text, update

from streametrics.database.engine import Database, now
from streametrics.database.stream_erasure import StreamErasure
from streametrics.database.stream_joining import StreamJoining
from streametrics.database.stream_search import StreamSearch
from streametrics.database.stream_tables import stream_chunks, stream_segments, stream_words
from streametrics.database.streams import StreamRecord, StreamRecords
from streametrics.database.tables import jobs
from streametrics.domain.job import JobKind, JobState
from streametrics.domain.transcript import Segment, Transcript, Word
from streametrics.jobs.joining import Joining
from streametrics.settings import Settings


def said(words: str, *, start: float = 0.0, word_s: float = 0.5, language: str = "en") -> Transcript:
    """A transcript of one segment; a word lasts `word_s`."""
    texts = words.split()
    timed = tuple(
        Word(start + number * word_s, start + (number + 1) * word_s, f" {each}" if number else each)
        for number, each in enumerate(texts)
    )
    if not texts:
        return Transcript((), None)
    return Transcript((Segment(start, timed[-1].end, words, words=timed, language=language),), language)


@dataclass
class Streams:
    """A database with jobs that have ended, and all that works on streams there."""

    database: Database
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = Settings(_env_file=None, **self.changes)
        self.joining = Joining(StreamJoining(self.database), self.settings)
        self.records = StreamRecords(self.database)
        self.search = StreamSearch(self.database)
        self.erasure = StreamErasure(self.database)

    def chunk(
        self,
        words: str | None,
        *,
        time: str = "",
        ago_s: float = 0.0,
        audio_s: float | None = 30.0,
        streamer: str = "Zoé_TV",
        owner: str = "local",
        **values: Any,
    ) -> str:
        """A chunk that came so long ago and has ended: with these words, or failed with None."""
        task_id = str(uuid.uuid4())
        row = {
            "task_id": task_id,
            "owner": owner,
            "kind": JobKind.LIVE,
            "state": JobState.FAILED if words is None else JobState.DONE,
            "streamer": streamer,
            "language": "en",
            "game": "Chess",
            "time_raw": time,
            "title": "Finale",
            "audio_s": audio_s if words is not None else None,
            "received_at": now() - ago_s,
            "finished_at": now() - max(ago_s - 1.0, 0.0),
            "transcript": None if words is None else said(words).to_json(),
            "warnings": [],
            "joins_stream": True,
            "attempt": 1,
            "tries": 0,
            "not_before": 0.0,
            **values,
        }
        with self.database.write() as connection:
            connection.execute(insert(jobs).values(row))
        return task_id

    def finish(self, task_id: str, words: str) -> None:
        with self.database.write() as connection:
            ended = {"state": JobState.DONE, "transcript": said(words).to_json(), "audio_s": 30.0, "finished_at": now()}
            connection.execute(update(jobs).where(jobs.c.task_id == task_id).values(ended))

    def join(self) -> int:
        return self.joining.round()

    def all(self, owner: str | None = None) -> list[StreamRecord]:
        """All streams, the oldest first."""
        found = self.records.page(owner, streamer_key=None, is_live=None, before=None, limit=1000)
        return found[::-1]

    def texts(self, stream: StreamRecord) -> list[str]:
        return [each.segment.text for each in self.records.segments(stream.number, start_s=-1e12, end_s=1e12)]

    def spans(self, stream: StreamRecord) -> list[tuple[float, float]]:
        return [(round(each.start_s), round(each.end_s)) for each in self.records.extents(stream.number)]

    def to_join(self) -> int:
        query = select(func.count()).select_from(jobs).where(jobs.c.joins_stream.is_not(None))
        with self.database.read() as connection:
            return connection.execute(query).scalar_one()

    def rows(self) -> tuple[int, int, int]:
        """How many chunks, segments and entries of the index there are."""
        tables = stream_chunks, stream_segments, stream_words
        with self.database.read() as connection:
            counts = [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]
        return counts[0], counts[1], counts[2]

    def age(self, seconds: float) -> None:
        """Let all streams be older by so much."""
        with self.database.write() as connection:
            for column in ("ended_at", "erased_at", "last_received_at"):
                connection.execute(text(f"UPDATE streams SET {column} = {column} - {seconds}"))
