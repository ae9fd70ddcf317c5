"""Defines the tables. Times are seconds since 1970 by the database's own clock; lengths are seconds of sound."""

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    true,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData()

#: What a column is read as whose JSON is damaged: no reader takes it for a value of its own.
DAMAGED = object()


class StoredJson(TypeDecorator[Any]):
    """JSON of which a damaged value is `DAMAGED`, and takes no other rows of the same query with it."""

    impl = JSON
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ANN401 - as its base has it
        """Wrap the reader of the driver's value."""
        parse = super().result_processor(dialect, coltype)
        if parse is None:
            return None

        def read(value: Any) -> Any:  # noqa: ANN401
            try:
                return parse(value)
            except (ValueError, TypeError, RecursionError):
                return DAMAGED

        return read


def _only_where(condition: ColumnElement[bool]) -> dict[str, Any]:
    return {"sqlite_where": condition, "postgresql_where": condition}


def lease_columns() -> list[Column[object]]:
    """Make the columns of everything that a worker can claim."""
    return [
        #: Raised by every claim and carried by every write: an old value marks a worker that lost its lease.
        Column("attempt", Integer, nullable=False, default=0),
        #: Claims in the present stage that ended in neither a checkpoint nor a release.
        Column("tries", Integer, nullable=False, default=0),
        #: Null while nobody works on it.
        Column("lease_until", Float),
        Column("deadline_at", Float),
        Column("not_before", Float, nullable=False, default=0),
        #: The lease holder, so that a stopping worker can release what it holds.
        Column("claimed_by", String(200)),
        #: When its task message was last sent.
        Column("sent_at", Float),
    ]


#: No status shows what is in them: the columns of a lease, and those by which a chunk joins its stream.
UNSEEN_COLUMNS = frozenset({*(column.key for column in lease_columns()), "joins_stream", "session_id"})

jobs = Table(
    "jobs",
    metadata,
    Column("task_id", String(36), primary_key=True),
    Column("owner", String(64), nullable=False, default="local"),
    Column("kind", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    #: The stream that it has joined.
    Column("session_id", String(36)),
    Column("seq", Integer),
    Column("streamer", Text, nullable=False),
    Column("language", String(35), nullable=False),
    Column("game", Text, nullable=False),
    Column("time_raw", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("speech_language", String(8)),
    #: The sound track that was asked for; null for the one that holds a voice.
    Column("track", String(8)),
    #: The job whose transcript this one resummarizes.
    Column("parent_task_id", String(36)),
    #: Another model than the settings' one, and words added to the instruction.
    Column("summary_model", String(100)),
    Column("extra_instruction", Text, nullable=False, default="", server_default=""),
    Column("wants_summary", Boolean, nullable=False, default=True, server_default=true()),
    #: `short` or `long`; null for what suits the length of the recording.
    Column("summary_length", String(8)),
    #: `translate` for one whose words are to be English; null for one that is transcribed.
    Column("speech_task", String(16)),
    #: Whether a finished job is kept for JOB_RETENTION_DAYS, and not only for RESULT_TTL_S.
    Column("is_kept", Boolean, nullable=False, default=False, server_default=false()),
    #: SHA-256 of the sound and of what was asked for; null where equal requests are jobs of their own.
    Column("request_hash", String(64)),
    Column("offset_s", Float),
    #: Whether it is still to join its streamer's stream, once it has ended as a chunk; null where it is not.
    Column("joins_stream", Boolean),
    #: Length of the sound; null until it is decoded.
    Column("audio_s", Float),
    Column("received_at", Float, nullable=False),
    #: Key in the audio store; null once the transcript is stored.
    Column("audio_key", String(80)),
    #: Name of FFmpeg's demuxer for it, or `s16le` once it is decoded and cut into parts.
    Column("container", String(16)),
    *lease_columns(),
    Column("transcript", StoredJson(none_as_null=True)),
    Column("warnings", StoredJson, nullable=False, default=list),
    #: Whether the model server could not be reached when the job was last claimed.
    Column("model_server_missing", Boolean, nullable=False, default=False, server_default=false()),
    Column("result", StoredJson(none_as_null=True)),
    Column("error", Text),
    Column("error_code", String(40)),
    Column("finished_at", Float),
    #: When text and fields were erased; the row then only says that the id once existed.
    Column("erased_at", Float),
)
#: The condition of the index for jobs that have not ended, to be named by whoever looks for them by their state.
UNFINISHED: ColumnElement[bool] = jobs.c.finished_at.is_(None)
#: The condition of the index for jobs that have not joined their stream yet.
TO_JOIN: ColumnElement[bool] = jobs.c.joins_stream.is_(true())
# Most rows are tombstones. What maintenance looks for every few seconds has indexes without them, so that its time does
# not grow with them; see `engine.statement_now`.
Index("jobs_unfinished", jobs.c.state, jobs.c.received_at, **_only_where(UNFINISHED))
Index("jobs_by_lease", jobs.c.lease_until, **_only_where(jobs.c.lease_until.is_not(None)))
Index("jobs_by_retention", jobs.c.is_kept, jobs.c.finished_at, **_only_where(jobs.c.erased_at.is_(None)))
Index("jobs_by_erasure", jobs.c.erased_at, **_only_where(jobs.c.erased_at.is_not(None)))
Index("jobs_by_age", jobs.c.received_at, jobs.c.task_id, **_only_where(jobs.c.erased_at.is_(None)))
Index("jobs_by_owner", jobs.c.owner, jobs.c.received_at, jobs.c.task_id, **_only_where(jobs.c.erased_at.is_(None)))
Index("jobs_by_request", jobs.c.request_hash, **_only_where(jobs.c.request_hash.is_not(None)))
Index("jobs_to_join", jobs.c.received_at, **_only_where(TO_JOIN))
Index("jobs_by_audio", jobs.c.audio_key, **_only_where(jobs.c.audio_key.is_not(None)))

parts = Table(
    "parts",
    metadata,
    Column("task_id", String(36), ForeignKey("jobs.task_id", ondelete="CASCADE"), primary_key=True),
    Column("part_index", Integer, primary_key=True),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    *lease_columns(),
    #: Null until the part is transcribed; its times count from the part's own start.
    Column("transcript", StoredJson(none_as_null=True)),
)

notes = Table(
    "notes",
    metadata,
    Column("task_id", String(36), ForeignKey("jobs.task_id", ondelete="CASCADE"), primary_key=True),
    #: A hash of all that the note was made from.
    Column("key", String(80), primary_key=True),
    Column("text", Text, nullable=False),
    #: The stretch of the recording that it is about; null for notes on notes.
    Column("start_s", Float),
    Column("end_s", Float),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", String(36), primary_key=True),
    #: For people; the jobs know the id, so a new key of the same name does not inherit them.
    Column("name", String(64), nullable=False, unique=True),
    Column("scope", String(8), nullable=False),
    #: Whose jobs it sends and sees: its own id, or that of the key which it reads for.
    Column("owner", String(64), nullable=False),
    #: SHA-256 of the key, in hexadecimal; the key itself is kept nowhere.
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", String(64), primary_key=True),
    #: The route that was called, as `POST /v1/jobs`.
    Column("route", String(80), primary_key=True),
    Column("key", String(255), primary_key=True),
    #: SHA-256 of what was sent, in hexadecimal.
    Column("payload_hash", String(64), nullable=False),
    #: What the call made: the id of a job or of a key.
    Column("made_id", String(64), nullable=False, index=True),
    Column("created_at", Float, nullable=False, index=True),
)

facts = Table(
    "facts",
    metadata,
    #: `database_id`: tells API and workers that they look at the same database.
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
