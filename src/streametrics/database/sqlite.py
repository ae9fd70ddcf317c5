"""Connects to SQLite on a local disk, and notices when its file is no longer the one that was opened."""

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DisconnectionError

from streametrics.database.timeouts import Timeouts
from streametrics.errors import DatabaseDamaged

#: What a database file begins with.
MAGIC = b"SQLite format 3\0"
#: Up to this size a database is written anew where words were forgotten: half a second, in which others wait.
MAX_REWRITTEN_MB = 100
#: Where the page's size and the number of pages stand in its header, in bytes.
_PAGE_SIZE_AT, _PAGES_AT, _HEADER_BYTES = 16, 28, 100


def open_sqlite(url: str, timeouts: Timeouts, *, pool_size: int, create: bool = False) -> Engine:
    """Create an engine. create: make the file where it is missing; else that is an error, whenever it is noticed."""
    engine = create_engine(
        url,
        connect_args={"timeout": timeouts.lock_s, "check_same_thread": False},
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=timeouts.pool_s,
        hide_parameters=True,  # what was said is for no log
    )
    file = sqlite_file(url)
    assert file is not None, "a database in memory is nobody else's"
    if not create:
        address = f"file:{quote(str(file))}?mode=rw"
        event.listen(engine, "do_connect", lambda _dialect, _record, _, named: _open(file, address, named))

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: Any) -> None:  # noqa: ANN401 - the driver's own types
        # The driver's own BEGIN comes too late (before the first write): ours is sent below.
        connection.isolation_level = None
        # Damaged text must not make a row unreadable: its job could never end.
        connection.text_factory = _decoded
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        # What is erased is overwritten in the file, and not left until its place is needed.
        connection.execute("PRAGMA secure_delete=ON")
        record.info["file"] = file_identity(file)

    @event.listens_for(engine, "checkout")
    def _check_file(connection: object, record: Any, proxy: object) -> None:  # noqa: ANN401
        # SQLite goes on in a deleted file as if nothing had happened: what is written there is lost at the next start.
        now = file_identity(file)
        if now is None:
            raise DatabaseDamaged(_GONE)
        if now != record.info.get("file"):
            raise DisconnectionError("another file has taken the database's place")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("streametrics_read", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


_GONE = (
    "The file of the service's database is gone: put it back, or start the service again with an empty one "
    "(DATA_DIR, DATABASE_URL)."
)


def _open(file: Path, address: str, options: dict[str, Any]) -> Any:  # noqa: ANN401
    if not file.exists():
        raise DatabaseDamaged(_GONE)
    return sqlite3.connect(address, uri=True, **options)


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def overwrite_erased(engine: Engine, file: Path, *, rewrites: bool) -> bool:
    """Let the file and its log hold no bytes of erased rows; False where others read or write for too long.

    rewrites: whether one of up to `MAX_REWRITTEN_MB` is written anew, as rows that were moved within it, or erased by a
    version before, can have left copies.
    """
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        if rewrites and file.stat().st_size <= MAX_REWRITTEN_MB * 1_000_000:
            cursor.execute("VACUUM")
        row = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return bool(row[0] == 0)
    except sqlite3.OperationalError:
        return False  # locked: it is tried again
    finally:
        connection.close()


def sqlite_file(url: str) -> Path | None:
    """Find the file of a SQLite address; None for any other address."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def file_identity(file: Path) -> tuple[int, int] | None:
    """Tell a file from another one of its name; None where there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def require_whole(file: Path) -> None:
    """Compare a database's file with its own header, which takes no longer for a large one. Raises DatabaseDamaged."""
    try:
        header, size_bytes = _header_and_size(file)
    except FileNotFoundError as error:
        raise DatabaseDamaged(_GONE) from error
    except OSError as error:
        raise DatabaseDamaged(f"The file of the service's database cannot be read: {error.strerror}.") from error
    if not header.startswith(MAGIC):
        raise DatabaseDamaged
    page_bytes = int.from_bytes(header[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2], "big")
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    if size_bytes < page_bytes * int.from_bytes(header[_PAGES_AT : _PAGES_AT + 4], "big"):
        raise DatabaseDamaged("The file of the service's database is cut off: put a backup of it in its place.")


#: Descriptors of the database files that this process has looked at. They are never closed: with any descriptor of a
#: file that a process closes, it loses all its locks on it, SQLite's own too (POSIX; section 2.2 of SQLite's "How To
#: Corrupt An SQLite Database File"). Another process then takes the database for its own and deletes the log, and what
#: is written from then on is lost.
_descriptors: dict[tuple[int, int], int] = {}
_opening = threading.Lock()


def _header_and_size(file: Path) -> tuple[bytes, int]:
    """Read a file's first bytes and its size. Raises OSError."""
    status = file.stat()
    identity = status.st_dev, status.st_ino
    if not hasattr(os, "pread"):  # Windows, where locks belong to who has taken them
        with file.open("rb") as opened:
            return opened.read(_HEADER_BYTES), status.st_size
    with _opening:
        descriptor = _descriptors.get(identity)
        if descriptor is None:
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            opened_status = os.fstat(descriptor)
            _descriptors[opened_status.st_dev, opened_status.st_ino] = descriptor
    return os.pread(descriptor, _HEADER_BYTES, 0), os.fstat(descriptor).st_size
