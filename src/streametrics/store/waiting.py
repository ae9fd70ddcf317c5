"""What waits for a worker, queue by queue: from the rows, which know it even when the queue has lost its messages."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, select, union_all

from streametrics.job import JobKind, JobState, QueueName
from streametrics.store.database import Database, now
from streametrics.store.models import jobs, parts
from streametrics.store.records import DECODED


@dataclass(frozen=True, slots=True)
class Backlog:
    """The work of one queue that could be done now and that nobody has taken.

    A waiting job counts once, a recording in parts once for each of its parts. oldest_s: the age of the one that has
    waited longest, in seconds, 0 where nothing waits: of an upload since its last byte, of all else since it was sent.
    """

    count: int = 0
    oldest_s: float = 0.0


class Waiting:
    """Counts what waits. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_queue(self) -> dict[QueueName, Backlog]:
        """Every queue's backlog, empty ones included. Raises DatabaseUnavailable."""
        found = dict.fromkeys(QueueName, Backlog())
        waiting = union_all(_waiting_jobs(), _waiting_parts()).subquery()
        query = select(waiting.c.queue, func.count().label("jobs"), (now() - func.min(waiting.c.since)).label("age"))
        with self._database.read() as connection:
            for row in connection.execute(query.group_by(waiting.c.queue)):
                found[QueueName(row.queue)] = Backlog(row.jobs, max(0.0, row.age))
        return found


def _waiting_jobs() -> Select[Any, Any]:
    for_sound = jobs.c.state.in_((JobState.QUEUED, JobState.TRANSCRIBING))
    queue: ColumnElement[str] = case(
        (for_sound & (jobs.c.kind == JobKind.LIVE), QueueName.LIVE),
        (for_sound, QueueName.LONG),
        else_=QueueName.SUMMARISE,
    )
    since: ColumnElement[float] = case((for_sound, jobs.c.received_at), else_=jobs.c.sent_at)
    return select(queue.label("queue"), since.label("since")).where(
        jobs.c.lease_until.is_(None),
        jobs.c.not_before <= now(),
        jobs.c.state.in_((JobState.QUEUED, JobState.TRANSCRIBING, JobState.TRANSCRIBED, JobState.SUMMARIZING)),
        # A recording in parts waits by its parts.
        (jobs.c.state != JobState.TRANSCRIBING) | jobs.c.container.is_distinct_from(DECODED),
    )


def _waiting_parts() -> Select[Any, Any]:
    return select(literal(QueueName.LONG.value).label("queue"), parts.c.sent_at.label("since")).where(
        parts.c.transcript.is_(None), parts.c.lease_until.is_(None), parts.c.not_before <= now()
    )
