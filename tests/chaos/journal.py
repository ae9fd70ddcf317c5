"""The database's own witness: triggers that note each claim, each release and each effect in its transaction.

SQLite's; nothing that can be killed stands between a change and its entry. The service neither reads nor knows it.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.ledger import Entry

_NOW = "(julianday('now') - 2440587.5) * 86400.0"
_FINAL = "('done', 'failed')"


def _trigger(name: str, table: str, condition: str, event: str, *, part: str, state: str) -> str:
    return f"""
    CREATE TRIGGER chaos_{table}_{name} AFTER UPDATE ON {table} WHEN {condition} BEGIN
        INSERT INTO chaos_journal (task_id, at, event, state, attempt, part_index, worker)
        VALUES (NEW.task_id, {_NOW}, '{event}', {state}, NEW.attempt, {part}, NEW.claimed_by);
    END;
    """


_COMMON = {
    "claimed": "OLD.lease_until IS NULL AND NEW.lease_until IS NOT NULL",
    # A lease that ran out and was taken away; what gives one back or stores something changes more.
    "freed": """OLD.lease_until IS NOT NULL AND NEW.lease_until IS NULL
        AND NEW.tries = OLD.tries AND NEW.transcript IS OLD.transcript""",
    "transcribed": "OLD.transcript IS NULL AND NEW.transcript IS NOT NULL",
    "transcribed_over": "OLD.transcript IS NOT NULL AND NEW.transcript <> OLD.transcript",
}
_OF_JOBS = {
    "finished": f"OLD.state NOT IN {_FINAL} AND NEW.state IN {_FINAL}",
    "touched": f"""OLD.state IN {_FINAL} AND NEW.erased_at IS NULL AND (
        NEW.state IS NOT OLD.state OR NEW.result IS NOT OLD.result OR NEW.error IS NOT OLD.error
        OR NEW.error_code IS NOT OLD.error_code OR NEW.finished_at IS NOT OLD.finished_at)""",
}


def install(path: Path) -> None:
    """Put the triggers into a migrated database."""
    script = """
    CREATE TABLE chaos_journal (
        number INTEGER PRIMARY KEY, task_id TEXT, at REAL, event TEXT, state TEXT, attempt INTEGER, part_index INTEGER,
        worker TEXT
    );
    """
    for name, condition in _COMMON.items():
        event = name.removesuffix("_over")
        whole = (
            f"{condition} AND NEW.state IS OLD.state AND NEW.audio_key IS OLD.audio_key"
            if name == "freed"
            else condition
        )
        script += _trigger(name, "jobs", whole, event, part="NULL", state="NEW.state")
        script += _trigger(name, "parts", condition, event, part="NEW.part_index", state="'transcribing'")
    for name, condition in _OF_JOBS.items():
        script += _trigger(name, "jobs", condition, name, part="NULL", state="NEW.state")
    with _opened(path) as connection:
        connection.executescript(script)


def read(path: Path, *, since: float = 0.0) -> list[Entry]:
    """All entries of this moment (seconds since 1970) and later, in their order."""
    with _opened(path) as connection:
        rows = connection.execute(
            "SELECT task_id, at, event, state, attempt, part_index, worker FROM chaos_journal "
            "WHERE at >= ? ORDER BY number",
            (since,),
        ).fetchall()
    return [Entry(*row) for row in rows]


def held_by(path: Path, worker: str) -> list[tuple[str, int | None, int]]:
    """What this worker holds now: id, part, attempt."""
    with _opened(path) as connection:
        condition = "lease_until IS NOT NULL AND claimed_by LIKE ?"
        whole = connection.execute(f"SELECT task_id, NULL, attempt FROM jobs WHERE {condition}", (f"{worker}@%",))
        held = whole.fetchall()
        pieces = connection.execute(
            f"SELECT task_id, part_index, attempt FROM parts WHERE {condition}", (f"{worker}@%",)
        )
        return held + pieces.fetchall()


def can_be_written(path: Path) -> bool:
    """Whether a writer gets in. Those of the service are done within milliseconds."""
    with contextlib.closing(sqlite3.connect(path, timeout=0.3, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def unfinished(path: Path) -> list[str]:
    """Ids of all rows that have no final state, asked for by a client or not."""
    with _opened(path) as connection:
        rows = connection.execute(f"SELECT task_id FROM jobs WHERE state NOT IN {_FINAL}").fetchall()
    return [row[0] for row in rows]


def pretend_in_work(path: Path, task_id: str) -> None:
    """Make a waiting job look like one that somebody works on, for ten minutes."""
    with _opened(path) as connection:
        connection.execute(
            f"UPDATE jobs SET state = 'transcribing', attempt = 1, tries = 1, "
            f"lease_until = {_NOW} + 600, deadline_at = {_NOW} + 600 WHERE task_id = ?",
            (task_id,),
        )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=30)
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()
