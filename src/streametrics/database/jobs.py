"""Reads and writes the rows of jobs for the API: inserted, read, expired, erased."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from streametrics.database.engine import Database, now, statement_now
from streametrics.database.idempotency import IdempotentCall, forget, remember
from streametrics.database.tables import facts, jobs, parts
from streametrics.domain.job import AUTO_TRACK, JobKind, JobRequest, JobState, Stage, Warn
from streametrics.domain.status import JobResult, ResultJson, result_from_json
from streametrics.domain.transcript import Transcript, TranscriptPart
from streametrics.errors import StoredDataDamaged

#: The container of a recording that is decoded and cut into parts: raw 16-bit mono samples at 16 kHz.
DECODED_CONTAINER = "s16le"

#: The most jobs that one statement of retention erases; the next round goes on.
MAX_ERASED_AT_ONCE = 1000

FINAL_STATES = (JobState.DONE, JobState.FAILED)

#: The values of an erased row: nothing in it tells who streamed what, or what was said.
ERASED_VALUES: dict[str, object] = {
    "streamer": "",
    "game": "",
    "time_raw": "",
    "title": "",
    "extra_instruction": "",
    "request_hash": None,
    "joins_stream": None,
    "transcript": None,
    "result": None,
    "error": None,
    "warnings": [],
}


class Place(NamedTuple):
    """Where a job stands among all, by age."""

    received_at: float
    task_id: str


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One row, as it was at one moment. `age_s` counts from the final state, None before it."""

    task_id: str
    owner: str
    kind: JobKind
    state: JobState
    transcript: Transcript | None
    warnings: tuple[Warn, ...]
    result: ResultJson | None
    error: str | None
    error_code: str | None
    age_s: float | None
    erased: bool
    request: JobRequest
    model_server_missing: bool
    #: None until the sound is decoded and cut, and again once it is transcribed.
    container: str | None = None
    #: Seconds since 1970, by the database's clock.
    received_at: float = 0.0
    #: Length of the sound in seconds; None until it is decoded.
    audio_s: float | None = None
    finished_at: float | None = None
    #: Whether it is kept for JOB_RETENTION_DAYS once it has ended, and not only for RESULT_TTL_S.
    is_kept: bool = False

    @property
    def place(self) -> Place:
        """Where it stands in a list by age."""
        return Place(self.received_at, self.task_id)


def request_of(row: Row[Any]) -> JobRequest:
    return JobRequest(
        streamer=row.streamer,
        language=row.language,
        game=row.game,
        time=row.time_raw,
        title=row.title,
        speech_language=row.speech_language,
        track=row.track or AUTO_TRACK,  # null as the version before leaves it
        parent_task_id=row.parent_task_id,
        summary_model=row.summary_model,
        extra_instruction=row.extra_instruction,
        wants_summary=row.wants_summary,
        summary_length=row.summary_length,
        speech_task="translate" if row.speech_task == "translate" else "transcribe",
    )


def warnings_of(row: Row[Any]) -> tuple[Warn, ...]:
    """Read a row's warnings. Raises StoredDataDamaged."""
    with _damage():
        return tuple(map(Warn.from_json, row.warnings))


def transcript_of(row: Row[Any]) -> Transcript | None:
    """Read the transcript of a job or part. Raises StoredDataDamaged."""
    with _damage():
        return None if row.transcript is None else Transcript.from_json(row.transcript)


def part_of(row: Row[Any, Any, Any] | Row[Any]) -> TranscriptPart:
    """Read a transcribed part. Raises StoredDataDamaged."""
    with _damage():
        return TranscriptPart(row.start_s, row.end_s, Transcript.from_json(row.transcript))


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise StoredDataDamaged from error


def _columns(request: JobRequest) -> dict[str, object]:
    return {
        "streamer": request.streamer,
        "language": request.language,
        "game": request.game,
        "time_raw": request.time,
        "title": request.title,
        "speech_language": request.speech_language,
        "track": None if request.track == AUTO_TRACK else request.track,
        "parent_task_id": request.parent_task_id,
        "summary_model": request.summary_model,
        "extra_instruction": request.extra_instruction,
        "wants_summary": request.wants_summary,
        "summary_length": request.summary_length,
        "speech_task": None if request.speech_task == "transcribe" else request.speech_task,
    }


class JobRecords:
    """Reads and writes jobs where no claim is needed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(
        self,
        task_id: str,
        request: JobRequest,
        *,
        owner: str,
        kind: JobKind,
        audio_key: str,
        container: str,
        request_hash: str | None = None,
        is_kept: bool = False,
        call: IdempotentCall | None = None,
        joins_stream: bool = False,
    ) -> None:
        """Insert the row of an accepted upload, before anybody is told of it.

        Raises CalledBefore.
        """
        self._insert(
            request,
            call,
            task_id=task_id,
            owner=owner,
            kind=kind,
            is_kept=is_kept,
            state=JobState.QUEUED,
            audio_key=audio_key,
            container=container,
            request_hash=request_hash,
            joins_stream=joins_stream or None,
        )

    def insert_done(
        self,
        task_id: str,
        request: JobRequest,
        result: JobResult,
        *,
        owner: str,
        kind: JobKind,
        is_kept: bool = False,
        call: IdempotentCall | None = None,
        joins_stream: bool = False,
    ) -> None:
        """Insert the row of a job that is done with this result as it is accepted; see `insert`."""
        self._insert(
            request,
            call,
            task_id=task_id,
            owner=owner,
            kind=kind,
            is_kept=is_kept,
            state=JobState.DONE,
            joins_stream=joins_stream or None,
            transcript=result.transcript.to_json(),
            result=result.to_json(request),
            warnings=[warning.to_json() for warning in result.warnings],
            finished_at=now(),
        )

    def insert_resummarize(
        self,
        task_id: str,
        request: JobRequest,
        *,
        owner: str,
        transcript: Transcript,
        warnings: tuple[Warn, ...],
        is_kept: bool = False,
        call: IdempotentCall | None = None,
    ) -> None:
        """Insert the row of a job that resummarizes a transcript; see `insert`."""
        self._insert(
            request,
            call,
            task_id=task_id,
            owner=owner,
            kind=JobKind.LONG,
            is_kept=is_kept,
            state=JobState.TRANSCRIBED,
            transcript=transcript.to_json(),
            warnings=[warning.to_json() for warning in warnings],
        )

    def _insert(self, request: JobRequest, call: IdempotentCall | None, *, task_id: str, **values: object) -> None:
        with self._database.write() as connection:
            if call is not None:
                remember(connection, call, task_id)
            row = {"task_id": task_id, "received_at": now(), "sent_at": now(), **_columns(request), **values}
            connection.execute(insert(jobs).values(row))

    def delete(self, task_id: str) -> None:
        """Delete a job that could not be queued."""
        with self._database.write() as connection:
            forget(connection, task_id)
            connection.execute(delete(jobs).where(jobs.c.task_id == task_id))

    def get(self, task_id: str) -> JobRecord | None:
        """Read a job's row; None for an id that was never given out.

        Of a job that is done the transcript is left out, see `transcript`: its result has the text, and a poll of a
        long recording need not read the times of a hundred thousand words.
        """
        transcript = case((jobs.c.state == JobState.DONE, null()), else_=jobs.c.transcript)
        query = select_with(transcript=type_coerce(transcript, jobs.c.transcript.type)).where(jobs.c.task_id == task_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else record_of(row)

    def transcript(self, task_id: str) -> Transcript | None:
        """Read a job's stored transcript, with the times of words; None for none. Raises StoredDataDamaged."""
        query = select(jobs.c.transcript).where(jobs.c.task_id == task_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else transcript_of(row)

    def find_equal(self, request_hash: str, owner: str, *, max_age_s: float, ttl_s: float) -> str | None:
        """Find the newest job of this request that was received lately, has not failed, and has a result if it ended.

        ttl_s: how long a result is kept, as it may expire sooner than it is erased.
        """
        query = (
            select(jobs.c.task_id)
            .where(jobs.c.request_hash == request_hash, jobs.c.owner == owner, jobs.c.state != JobState.FAILED)
            .where(jobs.c.erased_at.is_(None), jobs.c.received_at > statement_now() - max_age_s)
            .where(or_(jobs.c.finished_at.is_(None), jobs.c.finished_at > statement_now() - ttl_s))
            .order_by(jobs.c.received_at.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def page(
        self,
        *,
        owner: str | None,
        states: Mapping[JobState, str],
        before: Place | None,
        limit: int,
        keep_s: Callable[[bool], float],
    ) -> list[JobRecord]:
        """Read jobs that are neither erased nor to be, the newest first.

        Transcripts and results are left out. owner: None for everybody's. states: with each the error's code that it
        must have, `!CODE` for one that it must not have, or nothing. before: where the page before ended.
        keep_s: for how long a job is kept after its end, by its `is_kept`.
        """
        query = (
            select_with(transcript=null(), result=null())
            .where(jobs.c.erased_at.is_(None), or_(*(_has_state(*wanted) for wanted in states.items())))
            .where(
                or_(jobs.c.finished_at.is_(None), *(_is_within(is_kept, keep_s(is_kept)) for is_kept in (False, True)))
            )
            .order_by(jobs.c.received_at.desc(), jobs.c.task_id.desc())
            .limit(limit)
        )
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        if before is not None:
            query = query.where(tuple_(jobs.c.received_at, jobs.c.task_id) < tuple_(before.received_at, before.task_id))
        with self._database.read() as connection:
            return [record_of(row) for row in connection.execute(query).all()]

    def finished_parts(self, task_id: str, *, from_s: float = 0.0) -> list[TranscriptPart]:
        """Read each transcribed part from `from_s` on, in the order of the recording."""
        query = (
            select(parts.c.start_s, parts.c.end_s, parts.c.transcript)
            .where(parts.c.task_id == task_id, parts.c.transcript.is_not(None), parts.c.start_s >= from_s)
            .order_by(parts.c.part_index)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [part_of(row) for row in rows]

    def database_id(self) -> str:
        """Read the id that tells this database from others. Raises DatabaseUnavailable."""
        query = select(facts.c.value).where(facts.c.name == "database_id")
        with self._database.read() as connection:
            return str(connection.execute(query).scalar_one())

    def keys_in_use(self) -> set[str]:
        """Read the keys of audio that an unfinished job still needs."""
        query = select(jobs.c.audio_key).where(jobs.c.audio_key.is_not(None))
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def erase_expired(self, ttl_s: float, *, is_kept: bool = False) -> int:
        """Erase those rows, kept ones or others, whose result is older than `ttl_s`; they then answer 'expired'."""
        expired = [
            jobs.c.erased_at.is_(None),
            jobs.c.is_kept.is_(is_kept),
            jobs.c.finished_at < statement_now() - ttl_s,
        ]
        with self._database.write() as connection:
            return connection.execute(
                update(jobs)
                .where(jobs.c.task_id.in_(_some_task_ids(connection, expired)), *expired)
                .values(erased_at=now(), **ERASED_VALUES)
            ).rowcount

    def delete_tombstones(self, age_s: float) -> int:
        """Delete rows that were erased more than `age_s` ago; their ids are unknown from then on."""
        old = [jobs.c.erased_at < statement_now() - age_s]
        with self._database.write() as connection:
            return connection.execute(
                delete(jobs).where(jobs.c.task_id.in_(_some_task_ids(connection, old)), *old)
            ).rowcount


def record_of(row: Row[Any]) -> JobRecord:
    """Read a job's row; one that is damaged reads as that of a failed job, which it is when it is claimed."""
    record = JobRecord(
        task_id=row.task_id,
        owner=row.owner,
        kind=JobKind(row.kind),
        state=JobState.FAILED,
        transcript=None,
        warnings=(),
        result=None,
        error=str(StoredDataDamaged()),
        error_code=StoredDataDamaged.code,
        age_s=row.age_s,
        erased=row.erased_at is not None,
        request=request_of(row),
        model_server_missing=row.model_server_missing,
        container=row.container,
        received_at=row.received_at,
        audio_s=row.audio_s,
        finished_at=row.finished_at,
        is_kept=row.is_kept,
    )
    try:
        return replace(
            record,
            state=JobState(row.state),
            transcript=transcript_of(row),
            warnings=warnings_of(row),
            result=result_from_json(row.result),
            error=row.error,
            error_code=row.error_code,
        )
    except (StoredDataDamaged, ValueError):
        return record


def select_with(**columns: ColumnElement[Any]) -> Select[Any]:
    """Select jobs and their age, with these in place of the columns of the same name."""
    selected = [columns[column.key].label(column.key) if column.key in columns else column for column in jobs.c]
    return select(*selected, (now() - jobs.c.finished_at).label("age_s"))


def _has_state(state: JobState, code: str) -> ColumnElement[bool]:
    if not code:
        return jobs.c.state == state
    has_code = func.coalesce(jobs.c.error_code, "") == code.removeprefix("!")
    return and_(jobs.c.state == state, ~has_code if code.startswith("!") else has_code)


def _is_within(is_kept: bool, keep_s: float) -> ColumnElement[bool]:
    return and_(jobs.c.is_kept.is_(is_kept), jobs.c.finished_at > statement_now() - keep_s)


def _some_task_ids(connection: Connection, conditions: list[ColumnElement[bool]]) -> list[str]:
    """Read the ids of jobs that meet the conditions: a write that names no job would change all job versions."""
    return list(connection.execute(select(jobs.c.task_id).where(*conditions).limit(MAX_ERASED_AT_ONCE)).scalars())


def stage_of(state: str) -> Stage:
    """Tell the stage that a waiting job in this state waits for."""
    waits_for_summary = state in (JobState.TRANSCRIBED, JobState.SUMMARIZING)
    return Stage.SUMMARIZE if waits_for_summary else Stage.TRANSCRIBE
