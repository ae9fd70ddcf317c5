"""Stores checkpoints: what a worker's attempt leaves behind for good.

Each write names the attempt that it was made under, so that a worker that was thought dead cannot overwrite
its successor; such a write raises StaleAttempt and changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from streametrics.database.backlog import select_waiting_longer_than
from streametrics.database.engine import Database, now
from streametrics.database.jobs import DECODED_CONTAINER, FINAL_STATES, part_of
from streametrics.database.leases import ExpiredLease, expired_row, held_row, released
from streametrics.database.tables import jobs, notes, parts
from streametrics.domain.job import Claim, JobKind, JobState, Stage, TaskMessage, Warn, WarnJson
from streametrics.domain.status import JobResult
from streametrics.domain.transcript import TimeSpan, Transcript, TranscriptPart
from streametrics.domain.warnings import transcript_warnings
from streametrics.errors import JobFailed, StaleAttempt

#: Joins the parts' transcripts, given in the order of the recording.
Merge = Callable[[Sequence[TranscriptPart]], Transcript]


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that a write has ended. audio_key: of audio that is not needed any more."""

    audio_key: str | None


class Checkpoints:
    """Writes the outcome of claims. Lengths are in seconds of sound."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reroute(self, claim: Claim, kind: JobKind) -> None:
        """Release a job to the queue of the kind that it turned out to be, without counting a try."""
        self._write(
            claim,
            state=JobState.QUEUED,
            kind=kind,
            sent_at=now(),
            not_before=0.0,
            **released(tries=jobs.c.tries - 1),
        )

    def store_parts(
        self,
        claim: Claim,
        *,
        audio_key: str,
        audio_s: float,
        spans: Sequence[TimeSpan],
        warnings: tuple[Warn, ...],
    ) -> list[TaskMessage]:
        """Store a decoded recording and its parts, which can be claimed from here on; returns their task messages."""
        with self._database.write() as connection:
            self._update(
                connection,
                claim,
                audio_key=audio_key,
                container=DECODED_CONTAINER,
                kind=JobKind.LONG,
                joins_stream=None,
                audio_s=audio_s,
                warnings=_as_json(warnings),
                **released(),
            )
            connection.execute(
                insert(parts),
                [
                    {
                        "task_id": claim.task_id,
                        "part_index": index,
                        "start_s": span.start_s,
                        "end_s": span.end_s,
                        "attempt": 0,
                        "tries": 0,
                        "not_before": 0.0,
                    }
                    for index, span in enumerate(spans)
                ],
            )
            connection.execute(update(parts).where(parts.c.task_id == claim.task_id).values(sent_at=now()))
        return [TaskMessage(claim.task_id, Stage.TRANSCRIBE, JobKind.LONG, index + 1) for index in range(len(spans))]

    def store_part(self, claim: Claim, transcript: Transcript, merge: Merge) -> Transcript | None:
        """Store one part's transcript. With the last one the whole is merged and returned, else None."""
        with self._database.write() as connection:
            # The job's row first, in every writer of parts: two last parts must not each miss the other.
            job = select(jobs.c.warnings).where(jobs.c.task_id == claim.task_id).with_for_update()
            warnings = connection.execute(job).scalar_one_or_none() or []
            self._update(connection, claim, transcript=transcript.to_json(), **released())
            rows = connection.execute(
                select(parts).where(parts.c.task_id == claim.task_id).order_by(parts.c.part_index)
            ).all()
            if any(row.transcript is None for row in rows):
                return None
            merged = merge([part_of(row) for row in rows])
            connection.execute(
                update(jobs)
                .where(jobs.c.task_id == claim.task_id)
                .values(
                    state=JobState.TRANSCRIBED,
                    transcript=merged.to_json(),
                    warnings=[*warnings, *_as_json(transcript_warnings(merged))],
                    audio_key=None,
                    sent_at=now(),
                    **released(tries=0),
                )
            )
            connection.execute(delete(parts).where(parts.c.task_id == claim.task_id))
            return merged

    def store_transcript(
        self, claim: Claim, transcript: Transcript, *, audio_s: float, warnings: tuple[Warn, ...]
    ) -> None:
        """Store a job's transcript; the sound is never transcribed again."""
        self._write(
            claim,
            state=JobState.TRANSCRIBED,
            transcript=transcript.to_json(),
            audio_s=audio_s,
            audio_key=None,
            warnings=_as_json((*warnings, *transcript_warnings(transcript))),
            sent_at=now(),
            **released(tries=0),
        )

    def finish(self, claim: Claim, result: JobResult) -> None:
        """End the job as done, for good. Its transcript stays, as it has the times of words."""
        body = result.to_json(claim.request)
        with self._database.write() as connection:
            self._update(
                connection,
                claim,
                state=JobState.DONE,
                result=body,
                warnings=_as_json(result.warnings),
                finished_at=now(),
                **released(tries=0),
            )
            connection.execute(delete(notes).where(notes.c.task_id == claim.task_id))

    def fail(self, task_id: str, error: JobFailed, claim: Claim) -> EndedJob | None:
        """End the job as failed, for good; a part's failure ends the whole. None where it had ended already."""
        with self._database.write() as connection:
            job = _locked(connection, task_id)
            self._update(connection, claim, sent_at=now())
            return end_as_failed(connection, job, error)

    def fail_expired(self, expired: ExpiredLease, error: JobFailed) -> EndedJob | None:
        """End the job as failed, for good, because its lease expired. None where somebody has dealt with that lease.

        One write: between freeing the lease and failing the job a worker could claim it, or this process could die.
        """
        with self._database.write() as connection:
            job = _locked(connection, expired.message.task_id)
            table, still_expired = expired_row(expired)
            query = select(table.c.attempt).where(*still_expired).with_for_update()
            if connection.execute(query).one_or_none() is None:
                return None
            return end_as_failed(connection, job, error)

    def fail_waiting(self, task_id: str, error: JobFailed, limit_s: float) -> EndedJob | None:
        """End the job as failed, for good, because it waits for longer than `limit_s`. None where it does not."""
        with self._database.write() as connection:
            job = _locked(connection, task_id)
            too_long = select_waiting_longer_than(limit_s).subquery()
            query = select(too_long.c.task_id).where(too_long.c.task_id == task_id).limit(1)
            if connection.execute(query).one_or_none() is None:
                return None
            return end_as_failed(connection, job, error)

    def fail_without_audio(self, task_id: str, error: JobFailed, audio_key: str) -> EndedJob | None:
        """End the job as failed, for good, while it waits for this audio. None where it does not, or not any more."""
        with self._database.write() as connection:
            job = _locked(connection, task_id)
            if job is None or job.audio_key != audio_key or job.lease_until is not None:
                return None
            return end_as_failed(connection, job, error)

    def _write(self, claim: Claim, **values: object) -> None:
        with self._database.write() as connection:
            self._update(connection, claim, **values)

    def _update(self, connection: Connection, claim: Claim, **values: object) -> None:
        table, held = held_row(claim)
        if connection.execute(update(table).where(*held).values(**values)).rowcount != 1:
            raise StaleAttempt


def _locked(connection: Connection, task_id: str) -> Row[Any] | None:
    return connection.execute(select(jobs).where(jobs.c.task_id == task_id).with_for_update()).one_or_none()


def end_as_failed(connection: Connection, job: Row[Any] | None, error: JobFailed) -> EndedJob | None:
    """Fail a job whose row is locked, unless it has ended."""
    if job is None or job.state in FINAL_STATES:
        return None
    connection.execute(
        update(jobs)
        .where(jobs.c.task_id == job.task_id)
        .values(
            state=JobState.FAILED,
            error=str(error),
            error_code=error.code,
            audio_key=None,
            finished_at=now(),
            **released(),
        )
    )
    connection.execute(delete(parts).where(parts.c.task_id == job.task_id))
    connection.execute(delete(notes).where(notes.c.task_id == job.task_id))
    return EndedJob(job.audio_key)


def _as_json(warnings: tuple[Warn, ...]) -> list[WarnJson]:
    return [warning.to_json() for warning in warnings]
