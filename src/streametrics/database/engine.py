"""Connects to the database: SQLite on a local disk, or PostgreSQL by address."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, CursorResult, Engine, Float, event
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ClauseElement

from streametrics.concurrency.fail_fast import FailFast
from streametrics.database.change_tracking import Changes
from streametrics.database.driver_errors import translate_errors
from streametrics.database.postgresql import open_postgresql, vacuum
from streametrics.database.sqlite import file_identity, open_sqlite, overwrite_erased, require_whole, sqlite_file
from streametrics.database.timeouts import ANSWERING, READING, WORKING, Timeouts
from streametrics.errors import DatabaseDamaged, DatabaseUnavailable

#: Connections that one process keeps; as many again while they are needed.
POOL_SIZE = 8
#: For how long damage that was met counts in `require_answers`, in seconds: another query may not meet it.
DAMAGE_COUNTS_S = 60.0


class now(ColumnElement[float]):
    """Seconds since 1970 by the database's clock, so that hosts with different clocks agree on leases."""

    inherit_cache = True
    #: It has no parts. Said expressly, as a statement with it would else be compiled at each execution.
    _traverse_internals = []  # noqa: RUF012 - as the base class has it
    type = Float()


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: Any, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own signature
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: Any, **options: Any) -> str:  # noqa: ANN401
    return "extract(epoch from clock_timestamp())::float8"


class statement_now(ColumnElement[float]):
    """The time at which the statement began: for conditions by which an index is searched.

    PostgreSQL searches none by a clock that goes on within the statement, as that of `now` does.
    """

    inherit_cache = True
    #: It has no parts. Said expressly, as a statement with it would else be compiled at each execution.
    _traverse_internals = []  # noqa: RUF012 - as the base class has it
    type = Float()


@compiles(statement_now, "sqlite")
def _statement_now_sqlite(element: statement_now, compiler: Any, **options: Any) -> str:  # noqa: ANN401
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(statement_now, "postgresql")
def _statement_now_postgresql(element: statement_now, compiler: Any, **options: Any) -> str:  # noqa: ANN401
    return "extract(epoch from statement_timestamp())::float8"


#: Called with the jobs that have changed; None stands for all of them.
OnChange = Callable[[frozenset[str] | None], None]


class Database:
    """Runs short transactions on one database; safe to share between threads, not between processes.

    timeouts: ANSWERING for who answers clients: reads have connections of their own, which no waiting writer holds, and
    for a moment after one call found the database away the next ones fail at once instead of waiting too.
    """

    def __init__(self, url: str, on_change: OnChange = lambda _: None, *, timeouts: Timeouts = WORKING) -> None:
        self.engine = open_engine(url, timeouts)
        is_answering = timeouts == ANSWERING
        self._reads = open_engine(url, READING) if is_answering else self.engine
        self._no_reads = FailFast() if is_answering else None
        self._no_writes = FailFast() if is_answering else None
        self._file = sqlite_file(url)
        self._listeners = [on_change]
        #: When damage was met, and in which file.
        self._damage: tuple[float, object] | None = None
        event.listen(self.engine, "after_execute", _note_change)

    def listen(self, on_change: OnChange) -> None:
        """Call this too after each transaction that changed jobs as clients see them. It must not raise."""
        self._listeners.append(on_change)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a transaction that holds SQLite's write lock from its start, so that it cannot fail half-way.

        Raises DatabaseUnavailable.
        """
        changes = Changes()
        with self._watched(self._no_writes), self.engine.begin() as connection:
            yield connection.execution_options(streametrics_changes=changes)
        # After the commit: told before it, somebody could read the old row and cache it as the new one.
        if changes:
            for on_change in self._listeners:
                on_change(None if changes.every else frozenset(changes.task_ids))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a transaction that never waits for a writer. Raises DatabaseUnavailable."""
        with self._watched(self._no_reads), self._reads.connect() as connection:
            yield connection.execution_options(streametrics_read=True)

    def overwrite_erased(self, tables: Sequence[str], *, rewrites: bool) -> bool:
        """Let nothing of erased rows be left in the database's own files, as far as it can be done from here.

        tables: those from which they were erased. rewrites: whether more is done than may be done often. False where it
        has to be tried again. Raises DatabaseUnavailable.
        """
        with self._watched(self._no_writes):
            if self._file is None:
                return not rewrites or vacuum(self.engine, tables)
            return overwrite_erased(self.engine, self._file, rewrites=rewrites)

    def require_whole(self) -> None:
        """Look for damage that no query need meet. Raises DatabaseDamaged."""
        if self._file is not None:
            require_whole(self._file)
        if self._damage is not None:
            met_at, file = self._damage
            if time.monotonic() - met_at < DAMAGE_COUNTS_S and file == self._file_identity:
                raise DatabaseDamaged

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.engine.dispose()
        self._reads.dispose()

    @property
    def _file_identity(self) -> tuple[int, int] | None:
        return None if self._file is None else file_identity(self._file)

    @contextmanager
    def _watched(self, outage: FailFast | None) -> Iterator[None]:
        """Translate what the drivers raise, and remember that the database is away, or that it answers."""
        if outage is not None and not outage.allows():
            raise DatabaseUnavailable
        answered = True
        try:
            with translate_errors():
                yield
        except DatabaseDamaged:
            self._damage = time.monotonic(), self._file_identity
            raise
        except DatabaseUnavailable:
            answered = False
            raise
        finally:
            if outage is not None:
                (outage.succeeded if answered else outage.failed)()


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


def open_engine(url: str, timeouts: Timeouts = WORKING, *, create: bool = False) -> Engine:
    """Create an engine for a `sqlite:///file` or `postgresql+psycopg://…` address; create: SQLite's file if missing."""
    if url.startswith("sqlite"):
        return open_sqlite(url, timeouts, pool_size=POOL_SIZE, create=create)
    return open_postgresql(with_driver(url), timeouts, pool_size=POOL_SIZE)


def with_driver(url: str) -> str:
    """Add the driver, psycopg 3, to addresses as PostgreSQL's own tools print them."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url
