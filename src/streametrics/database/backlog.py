"""Reads what waits for a worker, queue by queue: from the rows, as the queue may have lost its messages."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, select, union, union_all

from streametrics.database.decoding_turns import WAITS_FOR_DECODING, count_held_back, next_to_decode
from streametrics.database.engine import Database, now, statement_now
from streametrics.database.jobs import DECODED_CONTAINER, stage_of
from streametrics.database.tables import UNFINISHED, jobs, parts
from streametrics.domain.job import JobKind, JobState, QueueName, Stage, TaskMessage

_FOR_SOUND = jobs.c.state.in_((JobState.QUEUED, JobState.TRANSCRIBING))
_QUEUE: ColumnElement[str] = case(
    (_FOR_SOUND & (jobs.c.kind == JobKind.LIVE), QueueName.LIVE),
    (_FOR_SOUND, QueueName.LONG),
    else_=QueueName.SUMMARIZE,
)
_A_JOB_WAITS = (
    jobs.c.lease_until.is_(None)
    & UNFINISHED
    # A recording in parts waits by its parts.
    & ((jobs.c.state != JobState.TRANSCRIBING) | jobs.c.container.is_distinct_from(DECODED_CONTAINER))
    & (jobs.c.not_before <= now())
)
_A_PART_WAITS = parts.c.lease_until.is_(None) & parts.c.transcript.is_(None) & (parts.c.not_before <= now())


@dataclass(frozen=True, slots=True)
class Backlog:
    """The work of one queue that could be done now and that nobody has claimed.

    A waiting job counts once, a recording in parts once for each of its parts. oldest_s: the age of the one that has
    waited longest, in seconds, 0 where nothing waits: of an upload since its last byte, of all else since it was sent.
    """

    count: int = 0
    oldest_s: float = 0.0


class BacklogReader:
    """Reads what waits. Thread-safe; raises DatabaseUnavailable. most_decoded: see `Claims`."""

    def __init__(self, database: Database, *, most_decoded: int = 2) -> None:
        self._database = database
        self._most_decoded = most_decoded

    def by_queue(self) -> dict[QueueName, Backlog]:
        """Count every queue's backlog, empty ones included."""
        found = dict.fromkeys(QueueName, Backlog())
        since: ColumnElement[float] = case((_FOR_SOUND, jobs.c.received_at), else_=jobs.c.sent_at)
        whole = select(_QUEUE.label("queue"), since.label("since")).where(_A_JOB_WAITS)
        pieces = select(literal(QueueName.LONG.value).label("queue"), parts.c.sent_at.label("since"))
        waiting = union_all(whole, pieces.where(_A_PART_WAITS)).subquery()
        query = select(waiting.c.queue, func.count().label("jobs"), (now() - func.min(waiting.c.since)).label("age"))
        with self._database.read() as connection:
            for row in connection.execute(query.group_by(waiting.c.queue)):
                found[QueueName(row.queue)] = Backlog(row.jobs, max(0.0, row.age))
        return found

    def live_summary_is_due(self) -> bool:
        """Tell whether any chunk's summary waits, or is being written."""
        in_stage = jobs.c.state.in_((JobState.TRANSCRIBED, JobState.SUMMARIZING))
        query = select(jobs.c.task_id).where(UNFINISHED, in_stage, jobs.c.kind == JobKind.LIVE).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def held_back(self) -> int:
        """Count the waiting recordings that nobody may claim yet, because enough of them are decoded."""
        with self._database.read() as connection:
            return count_held_back(connection, self._most_decoded)

    def overdue(self, queue: QueueName, after_s: float, limit: int) -> list[TaskMessage]:
        """List what could be claimed and was sent to this queue more than `after_s` seconds ago, the oldest first."""
        whole = select(jobs).where(_A_JOB_WAITS, _QUEUE.in_([queue]), jobs.c.sent_at < now() - after_s)
        pieces = select(parts).where(_A_PART_WAITS, parts.c.sent_at < now() - after_s)
        with self._database.read() as connection:
            may_begin = jobs.c.task_id.in_(next_to_decode(connection, self._most_decoded))
            whole = whole.where(may_begin | ~WAITS_FOR_DECODING)
            job_rows = connection.execute(whole.order_by(jobs.c.received_at).limit(limit)).all()
            part_rows = (
                connection.execute(pieces.order_by(parts.c.sent_at, parts.c.part_index).limit(limit)).all()
                if queue is QueueName.LONG
                else []
            )
        found = [TaskMessage(row.task_id, stage_of(row.state), JobKind(row.kind), row.attempt) for row in job_rows]
        found += [
            TaskMessage(row.task_id, Stage.TRANSCRIBE, JobKind.LONG, row.part_index * 1000 + row.attempt)
            for row in part_rows
        ]
        return found[:limit]

    def in_work(self) -> dict[Stage, int]:
        """Count the jobs, and parts of recordings, that somebody works on, by stage."""
        found = dict.fromkeys(Stage, 0)
        whole = select(jobs.c.state).where(jobs.c.lease_until > statement_now())
        pieces = select(literal(JobState.TRANSCRIBING.value).label("state")).where(
            parts.c.lease_until > statement_now()
        )
        held = union_all(whole, pieces).subquery()
        with self._database.read() as connection:
            for row in connection.execute(select(held.c.state, func.count().label("jobs")).group_by(held.c.state)):
                found[stage_of(row.state)] += row.jobs
        return found

    def audio_waiting(self, after_s: float) -> list[tuple[str, str]]:
        """List the jobs that nobody works on, older than `after_s` seconds, with the keys of their audio."""
        query = select(jobs.c.task_id, jobs.c.audio_key).where(
            jobs.c.audio_key.is_not(None), jobs.c.lease_until.is_(None), jobs.c.received_at < now() - after_s
        )
        with self._database.read() as connection:
            return [(row.task_id, row.audio_key) for row in connection.execute(query)]

    def longer_than(self, limit_s: float) -> list[str]:
        """List the jobs of which something has waited for more than `limit_s` seconds."""
        with self._database.read() as connection:
            return list(connection.execute(select_waiting_longer_than(limit_s)).scalars())


def select_waiting_longer_than(limit_s: float) -> Select[Any, Any]:
    """Build the query for the ids of jobs of which something has waited for longer than `limit_s` seconds."""
    whole = select(jobs.c.task_id).where(_A_JOB_WAITS, jobs.c.sent_at < now() - limit_s)
    pieces = select(parts.c.task_id).where(_A_PART_WAITS, parts.c.sent_at < now() - limit_s)
    found = union(whole, pieces).subquery()
    return select(found.c.task_id)
