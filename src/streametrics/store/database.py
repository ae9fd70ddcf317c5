"""The connection to the database: SQLite on a local disk, or PostgreSQL by address."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import ColumnElement, Connection, Engine, Float, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles

from streametrics.errors import DatabaseUnavailable

#: How long a writer waits for another one before it gives up, in seconds.
BUSY_TIMEOUT_S = 5

MIGRATIONS = Path(__file__).parent / "migrations"


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


class Database:
    """One engine with short transactions; safe to share between threads, not between processes."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds SQLite's write lock from its start, so that it cannot fail half-way."""
        with _translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that never waits for a writer."""
        with _translated(), self.engine.connect() as connection:
            yield connection.execution_options(streametrics_read=True)

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailable from error


def open_engine(url: str) -> Engine:
    """An engine for a `sqlite:///file` or `postgresql+psycopg://…` address."""
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
    """Addresses as PostgreSQL's own tools print them name no driver; ours is psycopg 3."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def migrate(url: str) -> None:
    """Bring the database to the present tables; harmless when it already has them."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = open_engine(url)
    try:
        with _translated(), engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Two processes that start at once must not both create the tables.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5000)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
