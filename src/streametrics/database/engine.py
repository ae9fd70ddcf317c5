"""Connects to the database: SQLite on a local disk, or PostgreSQL by address."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, CursorResult, Engine, Float, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ClauseElement

from streametrics.database.change_tracking import Changes
from streametrics.errors import DatabaseUnavailable

#: How long a writer waits for another one before it gives up, in seconds.
BUSY_TIMEOUT_S = 5


class now(ColumnElement[float]):
    """Seconds since 1970 by the database's clock, so that hosts with different clocks agree on leases."""

    inherit_cache = True
    type = Float()


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: Any, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own signature
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: Any, **options: Any) -> str:  # noqa: ANN401
    return "extract(epoch from clock_timestamp())::float8"


#: Called with the jobs that have changed; None stands for all of them.
OnChange = Callable[[frozenset[str] | None], None]


class Database:
    """Runs short transactions on one engine; safe to share between threads, not between processes.

    on_change: called after each transaction that changed jobs as clients see them. It must not raise.
    """

    def __init__(self, url: str, on_change: OnChange = lambda _: None) -> None:
        self.engine = open_engine(url)
        self._on_change = on_change
        event.listen(self.engine, "after_execute", _note_change)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a transaction that holds SQLite's write lock from its start, so that it cannot fail half-way."""
        changes = Changes()
        with translate_errors(), self.engine.begin() as connection:
            yield connection.execution_options(streametrics_changes=changes)
        # After the commit: told before it, somebody could read the old row and cache it as the new one.
        if changes:
            self._on_change(None if changes.every else frozenset(changes.task_ids))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a transaction that never waits for a writer."""
        with translate_errors(), self.engine.connect() as connection:
            yield connection.execution_options(streametrics_read=True)

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the driver's errors as DatabaseUnavailable."""
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailable from error


def _note_change(
    connection: Connection,
    statement: ClauseElement,
    many: object,
    parameters: object,
    options: object,
    result: CursorResult[Any],
) -> None:
    changes: Changes | None = connection.get_execution_options().get("streametrics_changes")
    if changes is not None:
        changes.note(statement, result.context.compiled_parameters, result.rowcount)


def open_engine(url: str) -> Engine:
    """Create an engine for a `sqlite:///file` or `postgresql+psycopg://…` address."""
    if not url.startswith("sqlite"):
        return create_engine(_with_driver(url), pool_pre_ping=True, connect_args={"connect_timeout": 3})
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: object) -> None:  # noqa: ANN401
        # The driver's own BEGIN comes too late (before the first write): ours is sent below.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("streametrics_read", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _with_driver(url: str) -> str:
    """Add the driver, psycopg 3, to addresses as PostgreSQL's own tools print them."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url
