"""A database that is locked, hangs, is damaged or gone: each is told from the others, and no call waits for long."""

import contextlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from streametrics.database.engine import Database
from streametrics.database.migrate import migrate
from streametrics.database.postgresql import _bounded
from streametrics.database.tables import facts
from streametrics.database.timeouts import ANSWERING
from streametrics.errors import DatabaseDamaged, DatabaseUnavailable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "streametrics.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{file}", timeouts=ANSWERING)
    yield opened
    opened.close()


def read(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(facts.c.name)).scalars())


def write(database: Database, name: str = "one") -> None:
    with database.write() as connection:
        connection.execute(insert(facts).values(name=name, value=""))


@pytest.mark.slow
def test_only_the_first_writer_waits_for_a_lock_and_no_reader_does(file: Path, database: Database) -> None:
    write(database)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            write(database)
        waited_s = time.monotonic() - began
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                write(database)
        again_s = time.monotonic() - began - waited_s
        assert set(read(database)) == {"database_id", "one"}
    assert ANSWERING.lock_s <= waited_s
    assert again_s < waited_s / 2


@pytest.mark.slow
def test_a_server_that_says_nothing_is_given_up_and_then_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(f"postgresql://u:p@127.0.0.1:{port}/d", timeouts=ANSWERING)
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            read(database)
        waited_s = time.monotonic() - began
        with pytest.raises(DatabaseUnavailable):
            read(database)
        database.close()
    assert ANSWERING.connect_s * 0.9 <= waited_s
    assert time.monotonic() - began - waited_s < waited_s / 2


def test_a_call_is_given_up_after_silence_and_not_before() -> None:
    def call() -> Iterator[str]:
        while not (yield "reading"):
            pass

    steps = _bounded(call(), silence_s=0.05)
    assert next(steps) == "reading"
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        while True:
            steps.send(0)  # nothing has come
    assert time.monotonic() - began >= 0.05
    # A call that gets its answer ends with it
    steps = _bounded(call(), silence_s=60)
    next(steps)
    with pytest.raises(StopIteration):
        steps.send(1)


def test_a_deleted_file_takes_nothing_more(file: Path, database: Database) -> None:
    write(database)
    file.unlink()
    for call in (read, write):
        with pytest.raises(DatabaseDamaged, match="is gone"):
            call(database)
    with pytest.raises(DatabaseDamaged, match="is gone"):
        database.require_whole()
    # And no call makes another one in its place, which would be empty
    assert not file.exists()


def test_a_file_that_is_put_back_is_opened_again(file: Path, tmp_path: Path, database: Database) -> None:
    write(database)
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    backup = shutil.copy(file, tmp_path / "backup.db")
    write(database, "two")
    database.close()
    for path in tmp_path.glob("streametrics.db*"):
        path.unlink()
    backup.rename(file)
    assert set(read(database)) == {"database_id", "one"}
    database.require_whole()


@pytest.mark.parametrize("content", [b"", b"no database at all, and long enough for a header" * 100])
def test_another_file_in_its_place_is_no_database(file: Path, database: Database, content: bytes) -> None:
    database.close()
    file.write_bytes(content)
    for path in file.parent.glob("streametrics.db-*"):
        path.unlink()
    for call in (read, write):
        with pytest.raises(DatabaseDamaged):
            call(database)
    with pytest.raises(DatabaseDamaged):
        database.require_whole()


def test_damage_that_a_query_met_counts_until_another_file_is_there(file: Path, database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("DROP TABLE facts"))
    database.require_whole()
    with pytest.raises(DatabaseDamaged):
        read(database)
    with pytest.raises(DatabaseDamaged):
        database.require_whole()
    file.rename(file.with_name("elsewhere"))
    shutil.copy(file.with_name("elsewhere"), file)
    database.require_whole()


def test_a_file_that_is_cut_off_is_told_from_its_header(file: Path, database: Database) -> None:
    database.close()
    database.require_whole()
    with file.open("r+b") as opened:
        opened.truncate(8192)
    with pytest.raises(DatabaseDamaged, match="cut off"):
        database.require_whole()


def test_a_look_at_the_file_leaves_the_connections_their_locks(file: Path, database: Database) -> None:
    write(database)
    log = file.with_name(f"{file.name}-wal")
    before = log.stat().st_ino
    for name in ("two", "three"):
        database.require_whole()
        # When another process closes its last connection, expect the log to stay, and what follows to be seen there
        assert names_seen_elsewhere(file) >= {"one"}
        assert log.stat().st_ino == before
        write(database, name)
    assert names_seen_elsewhere(file) >= {"one", "two", "three"}


def names_seen_elsewhere(file: Path) -> set[str]:
    names = "sqlite3.connect(sys.argv[1]).execute('SELECT name FROM facts')"
    look = f"import sqlite3, sys; print(*(row[0] for row in {names}))"
    finished = subprocess.run(
        [sys.executable, "-c", look, file], capture_output=True, text=True, check=True, timeout=60
    )
    return set(finished.stdout.split())


def test_damaged_text_makes_no_row_unreadable(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO facts VALUES ('one', CAST(x'61ff62' AS TEXT))"))
    with database.read() as connection:
        assert connection.execute(select(facts.c.value).where(facts.c.name == "one")).scalar_one() == "a\ufffdb"
