"""Renews, releases and frees leases: how long a claim holds, and what becomes of it afterwards.

Each write names the attempt it was made under, so that a worker that was thought dead cannot overwrite its successor.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, case, select, update

from streametrics.database.engine import Database, now, statement_now
from streametrics.database.jobs import stage_of
from streametrics.database.tables import jobs, parts
from streametrics.domain.job import Claim, JobKind, Stage, TaskMessage


@dataclass(frozen=True, slots=True)
class ExpiredLease:
    """A lease that ran out.

    overdue: it was renewed up to its deadline, so its worker lived and did not get the work done. A worker that died
    before counts as dead however late that is noticed: its job may have waited for the whole service to come back.
    held_by: the process, see `lease_holder`. time_left_s: to the deadline, negative when that has passed. age_s: since
    it ran out.
    """

    message: TaskMessage
    part_index: int | None
    attempt: int
    tries: int
    overdue: bool
    held_by: str | None = None
    time_left_s: float = 0.0
    age_s: float = 0.0


#: A worker's clock begins a little later than its claim; no deadline moves for that. Seconds.
GAP_TOLERANCE_S = 2.0


class Leases:
    """Renews, releases and frees what is claimed. The length of a lease is in seconds."""

    def __init__(self, database: Database, *, lease_s: float) -> None:
        self._database = database
        self._lease_s = lease_s

    def renew(self, claim: Claim, *, left_s: float = 0.0) -> bool:
        """Move the lease's end forward, never past the deadline; False when the claim is no longer ours.

        left_s: what the worker has left by its own clock. The deadline moves where that says more: the machine slept,
        and the database's clock went on.
        """
        table, held = held_row(claim)
        until, own = now() + self._lease_s, now() + left_s
        deadline = case((table.c.deadline_at < own - GAP_TOLERANCE_S, own), else_=table.c.deadline_at)
        bounded = case((deadline < until, deadline), else_=until)
        with self._database.write() as connection:
            return (
                connection.execute(
                    update(table).where(*held, deadline > now()).values(lease_until=bounded, deadline_at=deadline)
                ).rowcount
                == 1
            )

    def release(self, claim: Claim, *, after_s: float = 0.0) -> bool:
        """Release a claim without counting a try, claimable after `after_s`; False when it is no longer ours."""
        table, held = held_row(claim)
        with self._database.write() as connection:
            return (
                connection.execute(
                    update(table)
                    .where(*held)
                    .values(
                        lease_until=None,
                        claimed_by=None,
                        tries=table.c.tries - 1,
                        # 0, not now: what was put back for lack of room is known by it (`decoding_turns`).
                        not_before=now() + after_s if after_s else 0.0,
                        sent_at=now() + after_s,
                    )
                ).rowcount
                == 1
            )

    def put_back(self, claim: Claim, *, after_s: float, most_tries: int) -> bool:
        """Release a claim for another try, claimable after `after_s`.

        False where it was the last of `most_tries`, or the claim is no longer ours: it stays as it is then.
        """
        table, held = held_row(claim)
        later = now() + after_s
        with self._database.write() as connection:
            return (
                connection.execute(
                    update(table)
                    .where(*held, table.c.tries < most_tries)
                    .values(lease_until=None, claimed_by=None, not_before=later, sent_at=later)
                ).rowcount
                == 1
            )

    def release_all(self, worker: str) -> list[TaskMessage]:
        """Release all claims of a stopping worker, without counting a try; returns the messages to send."""
        messages: list[TaskMessage] = []
        with self._database.write() as connection:
            for table in (jobs, parts):
                its_processes = table.c.claimed_by.startswith(f"{worker}/", autoescape=True)
                held = [(table.c.claimed_by == worker) | its_processes, table.c.lease_until.is_not(None)]
                rows = connection.execute(select(table).where(*held)).all()
                messages.extend(_message(table, row) for row in rows)
                connection.execute(
                    update(table)
                    .where(*held)
                    .values(lease_until=None, claimed_by=None, tries=table.c.tries - 1, sent_at=now())
                )
        return messages

    def expired(self) -> list[ExpiredLease]:
        """Read every expired lease: its worker is dead, stuck, or cut off from the database."""
        found: list[ExpiredLease] = []
        with self._database.read() as connection:
            for table in (jobs, parts):
                # PostgreSQL's clock goes on within a statement.
                reached = (table.c.lease_until > table.c.deadline_at - 0.1).label("overdue")
                time_left_s = (table.c.deadline_at - now()).label("time_left_s")
                age_s = (now() - table.c.lease_until).label("age_s")
                query = select(table, reached, time_left_s, age_s).where(table.c.lease_until < statement_now())
                found.extend(
                    ExpiredLease(
                        message=_message(table, row),
                        part_index=row.part_index if table is parts else None,
                        attempt=row.attempt,
                        tries=row.tries,
                        overdue=bool(row.overdue),
                        held_by=row.claimed_by,
                        time_left_s=row.time_left_s,
                        age_s=row.age_s,
                    )
                    for row in connection.execute(query).all()
                )
        return found

    def free(self, expired: ExpiredLease, *, counts: bool = True) -> bool:
        """Free an expired lease, so that its row can be claimed again; False when it was freed or renewed meanwhile.

        counts: whether its try does.
        """
        table, still_expired = expired_row(expired)
        tries = table.c.tries if counts else table.c.tries - 1
        with self._database.write() as connection:
            return (
                connection.execute(
                    update(table)
                    .where(*still_expired)
                    .values(lease_until=None, claimed_by=None, tries=tries, sent_at=now())
                ).rowcount
                == 1
            )


def job_row(task_id: str) -> list[Any]:
    return [jobs.c.task_id == task_id]


def part_row(task_id: str, part_index: int) -> list[Any]:
    return [parts.c.task_id == task_id, parts.c.part_index == part_index]


def held_row(claim: Claim) -> tuple[Table, list[Any]]:
    """Make table and conditions of a claimed row, one of them that the claim still holds."""
    table, key = jobs, job_row(claim.task_id)
    if claim.part_index is not None:
        table, key = parts, part_row(claim.task_id, claim.part_index)
    return table, [*key, table.c.attempt == claim.attempt, table.c.lease_until.is_not(None)]


def expired_row(expired: ExpiredLease) -> tuple[Table, list[Any]]:
    """Make table and conditions of an expired lease's row, one of them that nobody has dealt with it since."""
    table, key = jobs, job_row(expired.message.task_id)
    if expired.part_index is not None:
        table, key = parts, part_row(expired.message.task_id, expired.part_index)
    return table, [*key, table.c.attempt == expired.attempt, table.c.lease_until < now()]


def released(**values: object) -> dict[str, object]:
    return {"lease_until": None, "deadline_at": None, "claimed_by": None, **values}


def _message(table: Table, row: Row[Any]) -> TaskMessage:
    if table is parts:
        return TaskMessage(row.task_id, Stage.TRANSCRIBE, JobKind.LONG, row.part_index * 1000 + row.attempt)
    return TaskMessage(row.task_id, stage_of(row.state), JobKind(row.kind), row.attempt)
