"""Erases a job at its client's word: stopped while it is in work, emptied when it has ended.

One transaction decides which of the two it is, so that a cancel that meets the job's own end does one of them whole.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from streametrics.database.engine import Database, now
from streametrics.database.jobs import ERASED_VALUES, FINAL_STATES
from streametrics.database.leases import released
from streametrics.database.stream_erasure import take_out_words
from streametrics.database.tables import jobs, notes, parts
from streametrics.domain.job import JobState
from streametrics.errors import JobCancelled


@dataclass(frozen=True, slots=True)
class Erased:
    """What a call has changed. audio_key: of audio that is not needed any more."""

    was_stopped: bool = False
    was_erased: bool = False
    audio_key: str | None = None


class Erasure:
    """Cancels and empties jobs. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase(self, task_id: str) -> Erased:
        """End an unfinished job as cancelled, for good; empty a finished one.

        Whoever works on it finds its claim gone: each later write raises StaleAttempt. A second call changes nothing.
        """
        with self._database.write() as connection:
            job = connection.execute(select(jobs).where(jobs.c.task_id == task_id).with_for_update()).one_or_none()
            if job is not None and job.session_id is not None:
                take_out_words(connection, task_id, job.session_id)  # which outlive the job's own result
            return Erased() if job is None else empty(connection, job)


def empty(connection: Connection, job: Row[Any]) -> Erased:
    """Stop or empty a job whose row is locked, within the caller's transaction."""
    if job.erased_at is not None or job.error_code == JobCancelled.code:
        return Erased()
    this = update(jobs).where(jobs.c.task_id == job.task_id)
    if job.state in FINAL_STATES:
        connection.execute(this.values(erased_at=now(), **ERASED_VALUES))
        return Erased(was_erased=True)
    ending = {
        **ERASED_VALUES,
        **released(attempt=jobs.c.attempt + 1),
        "state": JobState.FAILED,
        "error": str(JobCancelled()),
        "error_code": JobCancelled.code,
        "audio_key": None,
        "finished_at": now(),
    }
    connection.execute(this.values(ending))
    connection.execute(delete(parts).where(parts.c.task_id == job.task_id))
    connection.execute(delete(notes).where(notes.c.task_id == job.task_id))
    return Erased(was_stopped=True, audio_key=job.audio_key)
