"""Stores notes on pieces of a long transcript, until its job ends."""

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from streametrics.database.engine import Database
from streametrics.database.jobs import FINAL_STATES
from streametrics.database.tables import jobs, notes
from streametrics.domain.transcript import Note, TimeSpan


class JobNotes:
    """Reads and writes one job's notes, by key. They are deleted with the job's end, for they tell what was said."""

    def __init__(self, database: Database, task_id: str) -> None:
        self._database = database
        self._task_id = task_id

    def get(self, key: str) -> str | None:
        """Read a note; None where there is none."""
        query = select(notes.c.text).where(notes.c.task_id == self._task_id, notes.c.key == key)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def put(self, key: str, text: str, span: TimeSpan | None = None) -> None:
        """Store a note; the first one under a key stays, and none is stored for a job that is gone or has ended."""
        values = {
            "task_id": self._task_id,
            "key": key,
            "text": text,
            "start_s": span.start_s if span else None,
            "end_s": span.end_s if span else None,
        }
        try:
            with self._database.write() as connection:
                # The lock: the job must not end between this look and the note, which nobody would then delete.
                this_job = select(jobs.c.state).where(jobs.c.task_id == self._task_id).with_for_update(read=True)
                if connection.execute(this_job).scalar_one_or_none() in (None, *FINAL_STATES):
                    return
                connection.execute(insert(notes).values(values))
        except IntegrityError:
            # Another worker wrote the same note at the same time.
            return

    def timed(self) -> list[Note]:
        """Read the notes that are about a stretch of the recording, in its order."""
        query = (
            select(notes.c.start_s, notes.c.end_s, notes.c.text)
            .where(notes.c.task_id == self._task_id, notes.c.start_s.is_not(None))
            .order_by(notes.c.start_s, notes.c.end_s)
        )
        with self._database.read() as connection:
            return [Note(TimeSpan(row.start_s, row.end_s), row.text) for row in connection.execute(query)]
