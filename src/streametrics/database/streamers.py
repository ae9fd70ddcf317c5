"""Reads and writes what owners say about their streamers: pauses, hidden words, how long words are kept.

A pause holds for all streams of the streamer, over their ends, and whichever process asks.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from streametrics.database.engine import Database, now
from streametrics.database.stream_joining import write_as_read
from streametrics.database.stream_tables import streamers, streams
from streametrics.database.streams import StreamRecord, settings_of, spans_json, with_new_version
from streametrics.database.tables import TO_JOIN, jobs
from streametrics.domain.job import JobRequest, JobState
from streametrics.domain.status import NOT_HEARD
from streametrics.domain.transcript import TimeSpan
from streametrics.streams.streamer_keys import streamer_key as key_of
from streametrics.streams.streamer_settings import StreamerSettings


class Streamers:
    """Keeps what is said about streamers. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_paused(self, owner: str, streamer_key: str) -> bool:
        """Tell whether chunks of a streamer are not to be heard."""
        query = select(streamers.c.paused_at).where(*_named(owner, streamer_key))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none() is not None

    def end_if_paused(self, task_id: str, request: JobRequest) -> bool:
        """End a waiting chunk as not heard where its streamer has paused; False where it is to be heard."""
        with self._database.write() as connection:
            waits = [jobs.c.task_id == task_id, jobs.c.state == JobState.QUEUED, jobs.c.lease_until.is_(None), TO_JOIN]
            owner = connection.execute(select(jobs.c.owner).where(*waits).with_for_update()).scalar_one_or_none()
            if owner is None:
                return False
            paused = select(streamers.c.paused_at).where(*_named(owner, key_of(request.streamer)))
            if connection.execute(paused).scalar_one_or_none() is None:
                return False
            values = {"state": JobState.DONE, "finished_at": now(), "audio_key": None}
            values |= {"transcript": NOT_HEARD.transcript.to_json(), "result": NOT_HEARD.to_json(request)}
            values |= {"warnings": [warning.to_json() for warning in NOT_HEARD.warnings]}
            connection.execute(update(jobs).where(jobs.c.task_id == task_id).values(values))
        return True

    def get(self, owner: str, streamer_key: str) -> StreamerSettings | None:
        """Read what is said about a streamer; None for nothing."""
        query = select(streamers).where(*_named(owner, streamer_key))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else settings_of(row)

    def write(self, owner: str, streamer_key: str, values: dict[str, object], *, hides: bool) -> None:
        """Write settings. hides: whether words that are there already are to be hidden.

        All streams of the streamer change with it, so that no chunk joins by the settings of before.
        """
        with self._database.write() as connection:
            _ensure(connection, owner, streamer_key)
            own = update(streamers).where(*_named(owner, streamer_key))
            connection.execute(own.values({**values, "updated_at": now(), **({"hides": True} if hides else {})}))
            theirs = [streams.c.owner == owner, streams.c.streamer_key == streamer_key, streams.c.erased_at.is_(None)]
            connection.execute(update(streams).where(*theirs).values(with_new_version()))

    def to_hide(self) -> list[tuple[str, str]]:
        """Read the owners and keys of streamers whose words are still to be hidden."""
        query = select(streamers.c.owner, streamers.c.streamer_key).where(streamers.c.hides.is_(True))
        with self._database.read() as connection:
            return [(row.owner, row.streamer_key) for row in connection.execute(query).all()]

    def hidden(self, owner: str, streamer_key: str, words: Sequence[str]) -> None:
        """Note that these words are hidden wherever they were, unless others were named meanwhile."""
        with self._database.write() as connection:
            query = select(streamers.c.hidden_words).where(*_named(owner, streamer_key)).with_for_update()
            if connection.execute(query).scalar_one_or_none() == list(words):
                own = update(streamers).where(*_named(owner, streamer_key))
                connection.execute(own.values(hides=False))

    def pause(self, owner: str, streamer_key: str, stream: StreamRecord | None, at_s: float) -> None:
        """Pause a streamer, which changes nothing where that is so. Raises Overtaken.

        stream: its newest one, which tells of it. at_s: where that stands, in seconds.
        """
        with self._database.write() as connection:
            _ensure(connection, owner, streamer_key)
            paused = update(streamers).where(*_named(owner, streamer_key), streamers.c.paused_at.is_(None))
            is_new = connection.execute(paused.values(paused_at=now(), updated_at=now())).rowcount > 0
            if is_new and stream is not None:
                _write_pauses(connection, stream, (*stream.pauses, TimeSpan(at_s, math.inf)))

    def resume(self, owner: str, streamer_key: str, stream: StreamRecord | None, at_s: float) -> None:
        """Let a streamer go on, which changes nothing where that is so; see `pause`. Raises Overtaken."""
        with self._database.write() as connection:
            resumed = update(streamers).where(*_named(owner, streamer_key), streamers.c.paused_at.is_not(None))
            is_new = connection.execute(resumed.values(paused_at=None, updated_at=now())).rowcount > 0
            if is_new and stream is not None:
                pauses = tuple(
                    replace(pause, end_s=max(at_s, pause.start_s)) if pause.end_s == math.inf else pause
                    for pause in stream.pauses
                )
                _write_pauses(connection, stream, pauses)


def _named(owner: str, streamer_key: str) -> list[Any]:
    return [streamers.c.owner == owner, streamers.c.streamer_key == streamer_key]


def _ensure(connection: Connection, owner: str, streamer_key: str) -> None:
    """Make a streamer's row where there is none."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    empty = {"owner": owner, "streamer_key": streamer_key, "hidden_words": [], "summary_languages": []}
    made = dialect.insert(streamers).values(**empty, updated_at=now())
    connection.execute(made.on_conflict_do_nothing())


def _write_pauses(connection: Connection, stream: StreamRecord, pauses: tuple[TimeSpan, ...]) -> None:
    """Write when a stream was paused, if it is as it was read. Raises Overtaken."""
    write_as_read(connection, stream, with_new_version(pauses=spans_json(pauses)))
