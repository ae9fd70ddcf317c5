"""What maintenance and admission ask every few seconds, and lists of jobs, read no tombstones."""

import contextlib
import re
import uuid
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, event, text

from streametrics.database.backlog import BacklogReader
from streametrics.database.claims import Claims
from streametrics.database.engine import Database
from streametrics.database.jobs import JobRecords, Place
from streametrics.database.leases import Leases
from streametrics.database.stream_joining import StreamJoining
from streametrics.domain.job import JobState, QueueName, Stage
from tests.support.stack import database

#: Enough for PostgreSQL to prefer an index where there is one.
TOMBSTONES = 20_000

_COLUMNS = (
    "task_id, owner, kind, state, streamer, language, game, time_raw, title, received_at, attempt, tries, not_before, "
    "warnings, finished_at, erased_at, extra_instruction"
)


def fill(connection: Connection, count: int) -> None:
    """Insert so many jobs that ended an hour and a half ago and are erased."""
    now = "(julianday('now') - 2440587.5) * 86400.0"
    ids, numbers = (
        "'t' || value",
        f"WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT {count}) ",
    )
    if connection.dialect.name == "postgresql":
        now, numbers = "extract(epoch from now())", f"WITH n(value) AS (SELECT generate_series(1, {count})) "
    values = (
        f"{ids}, 'local', 'live', 'done', '', 'en', '', '', '', {now} - 5400, 1, 0, 0, '[]', {now} - 5400, {now}, ''"
    )
    connection.execute(text(f"INSERT INTO jobs ({_COLUMNS}) {numbers} SELECT {values} FROM n"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with database(tmp_path_factory.mktemp("full")) as url, contextlib.closing(Database(url)) as made:
        with made.write() as connection:
            fill(connection, TOMBSTONES)
        with made.write() as connection:
            connection.execute(text("ANALYZE"))
        yield made


def page(made: Database, owner: str | None) -> object:
    states = dict.fromkeys(JobState, "")
    return JobRecords(made).page(
        owner=owner, states=states, before=Place(1e9, "x"), limit=20, keep_s=lambda is_kept: 3600
    )


QUESTIONS: dict[str, Callable[[Database], object]] = {
    "expired leases": lambda made: Leases(made, lease_s=10).expired(),
    "backlog": lambda made: BacklogReader(made).by_queue(),
    "held back": lambda made: BacklogReader(made).held_back(),
    "overdue": lambda made: [BacklogReader(made).overdue(queue, 5, 100) for queue in QueueName],
    "in work": lambda made: BacklogReader(made).in_work(),
    "nobody took them": lambda made: BacklogReader(made).longer_than(86_400),
    "expired results": lambda made: JobRecords(made).erase_expired(3600),
    "expired results that are kept": lambda made: JobRecords(made).erase_expired(3600, is_kept=True),
    "old tombstones": lambda made: JobRecords(made).delete_tombstones(30 * 86_400),
    "next chunks": lambda made: Claims(made, lease_s=10, deadline_s=600).claim_chunks(Stage.TRANSCRIBE, "w", most=8),
    "claims of a worker": lambda made: Leases(made, lease_s=10).release_all("w"),
    "audio in use": lambda made: JobRecords(made).keys_in_use(),
    "a page of all jobs": lambda made: page(made, None),
    "a page of an owner's jobs": lambda made: page(made, "somebody"),
    "an equal request": lambda made: JobRecords(made).find_equal("a" * 64, "somebody", max_age_s=3600, ttl_s=3600),
    "chunks to join": lambda made: StreamJoining(made).waiting(500),
    "one job": lambda made: JobRecords(made).get(str(uuid.uuid4())),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_of_maintenance_scans_the_jobs(full: Database, question: str) -> None:
    # Given what it asks
    asked: list[tuple[str, object]] = []

    def note(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(full.engine, "before_cursor_execute", note)
    QUESTIONS[question](full)
    event.remove(full.engine, "before_cursor_execute", note)
    statements = [(statement, parameters) for statement, parameters in asked if " jobs" in statement]
    assert statements
    for statement, parameters in statements:
        # When the database says how it goes about it
        with full.read() as connection:
            explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
            plan = [str(row) for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)]
        # Expect it to read an index, and not all rows
        assert not [step for step in plan if re.search(r"SCAN jobs(?! USING)|Seq Scan on jobs", step)], plan
