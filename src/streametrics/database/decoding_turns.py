"""Decides which recordings may be decoded now: few lie decoded at once, as samples need a hundred times the upload.

Rows alone decide, so it holds over all workers, and a killed one takes no turn with it.
"""

from sqlalchemy import ColumnElement, Connection, func, select

from streametrics.database.engine import now
from streametrics.database.jobs import DECODED_CONTAINER
from streametrics.database.tables import UNFINISHED, facts, jobs
from streametrics.domain.job import JobKind, JobState

#: Recordings whose samples lie on the disk, or are being written.
_TAKES_ROOM: ColumnElement[bool] = (
    UNFINISHED
    & (jobs.c.state == JobState.TRANSCRIBING)
    & (jobs.c.kind == JobKind.LONG)
    & ((jobs.c.container == DECODED_CONTAINER) | jobs.c.lease_until.is_not(None))
)
#: Recordings that wait to be decoded.
WAITS_FOR_DECODING: ColumnElement[bool] = (
    UNFINISHED
    & jobs.c.state.in_((JobState.QUEUED, JobState.TRANSCRIBING))
    & (jobs.c.kind == JobKind.LONG)
    & jobs.c.container.is_distinct_from(DECODED_CONTAINER)
    & jobs.c.lease_until.is_(None)
    & (jobs.c.not_before <= now())
)
#: Of those, the ones that were put back because the disk had no room (`Leases.put_back`). What frees room is the end of
#: another recording, so they wait until none is decoded, and newer ones wait for them.
_NEEDS_ALL_ROOM: ColumnElement[bool] = WAITS_FOR_DECODING & (jobs.c.tries > 0) & (jobs.c.not_before > 0)


def may_decode(connection: Connection, task_id: str, most: int) -> bool:
    """Tell whether this waiting recording may be decoded, and let no other transaction decide meanwhile."""
    # On PostgreSQL two workers would else each count without the other's; SQLite has one writer anyway.
    connection.execute(select(facts.c.value).where(facts.c.name == "database_id").with_for_update())
    free = most - _count(connection, _TAKES_ROOM)
    needs_all = connection.execute(select(jobs.c.task_id).where(_NEEDS_ALL_ROOM)).scalars().all()
    return (free == most and task_id in needs_all) if needs_all else free > 0


def next_to_decode(connection: Connection, most: int) -> list[str]:
    """List the recordings that may be decoded now, the oldest first."""
    free = most - _count(connection, _TAKES_ROOM)
    in_order = jobs.c.received_at, jobs.c.task_id
    query = select(jobs.c.task_id).where(_NEEDS_ALL_ROOM).order_by(*in_order).limit(1)
    if needs_all := list(connection.execute(query).scalars()):
        return needs_all if free == most else []
    query = select(jobs.c.task_id).where(WAITS_FOR_DECODING).order_by(*in_order).limit(max(0, free))
    return list(connection.execute(query).scalars())


def count_held_back(connection: Connection, most: int) -> int:
    """Count the recordings that wait for others before they may be decoded."""
    return _count(connection, WAITS_FOR_DECODING) - len(next_to_decode(connection, most))


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(jobs).where(condition)).scalar_one()
