"""Checks the address of a database at a start, and says in one sentence why what lies there cannot be used."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from streametrics.database.driver_errors import first_line, is_damage
from streametrics.database.engine import open_engine
from streametrics.database.sqlite import sqlite_file
from streametrics.errors import DatabaseDamaged, DatabaseUnavailable, StreametricsError

#: What an address may begin with; the last two are how PostgreSQL's own tools print theirs.
_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg", "postgresql", "postgres")
_VERSIONS = Path(__file__).parent / "migrations" / "versions"


class DatabaseUnusable(StreametricsError):
    """The database cannot be used."""

    code = "database_unusable"


def require_address(url: str, *, setting: str = "DATABASE_URL") -> None:
    """Check the form of an address. Raises DatabaseUnusable."""
    try:
        parsed = make_url(url)
        is_known = parsed.drivername in _DRIVERS and bool(parsed.database or parsed.drivername.startswith("postgres"))
    except (ArgumentError, ValueError):
        is_known = False
    if not is_known:
        raise DatabaseUnusable(
            f"{setting}={masked(url)} is no database's address: set sqlite:////absolute/path/file.db or "
            "postgresql://USER:PASSWORD@HOST:PORT/NAME, or remove it for SQLite in DATA_DIR."
        )


def require_usable(url: str, *, setting: str = "DATABASE_URL", newer: bool = False) -> None:
    """Check that a database answers and has our tables; newer: a later version's too. Raises DatabaseUnusable."""
    require_address(url, setting=setting)
    with explain_errors(url, setting=setting):
        if (file := sqlite_file(url)) is not None and not file.exists():
            raise _NotReady("it is not there yet", "Start the API first, which makes it")
        engine = open_engine(url)
        try:
            with engine.execution_options(streametrics_read=True).connect() as connection:
                if not inspect(connection).has_table("alembic_version"):
                    raise _NotReady("it has no tables of ours", "Start the API first, which makes them")
                version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        finally:
            engine.dispose()
        if not newer and not any(file.name.startswith(f"{version}_") for file in _VERSIONS.glob("*.py")):
            raise _NotReady(newer_version(version), "Update")


def newer_version(version: object) -> str:
    """Say what is the matter with a database whose tables are of a version that is not known here."""
    known = f" ({version})" if version else ""
    return f"its tables are of a newer version of StreaMetrics{known}"


class _NotReady(Exception):
    """What is wrong with a database that answers, and what to do."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.mend = mend


@contextmanager
def explain_errors(url: str, *, setting: str = "DATABASE_URL") -> Iterator[None]:
    """Raise DatabaseUnusable for whatever keeps the database from being used, with its address and the setting."""
    try:
        yield
    except (_NotReady, OSError, DBAPIError, DatabaseUnavailable) as error:
        mend = "Put a backup in its place" if sqlite_file(url) else "Start it"
        mend = error.mend if isinstance(error, _NotReady) else mend
        raise DatabaseUnusable(
            f"The database {masked(url)} ({setting}) cannot be used: {_reason(url, error)}. {mend}, or set another "
            f"{setting}."
        ) from error


def _reason(url: str, error: Exception) -> str:
    file = sqlite_file(url)
    if isinstance(error, DatabaseDamaged) or (isinstance(error, DBAPIError) and file and is_damage(error)):
        return "it is damaged, or no database of ours"
    if file is not None and not isinstance(error, _NotReady):
        if file.is_dir():
            return "it is a folder"
        if isinstance(error, OSError):
            return f"its folder {file.parent} cannot be made: {error.strerror}"
        if "readonly" in str(error) or "unable to open" in str(error):
            return f"this account may not read and write it or its folder ({first_line(error)})"
        return first_line(error)
    return str(error) if isinstance(error, _NotReady) else f"it does not answer, {first_line(error)}"


def masked(url: str) -> str:
    """Hide the password of an address, also of one that is none."""
    try:
        parsed: URL = make_url(url)
    except (ArgumentError, ValueError):
        return re.sub(r":[^:@/]*@", ":***@", url)
    if "password" in parsed.query:
        parsed = parsed.update_query_dict({"password": "***"})
    return parsed.render_as_string(hide_password=True)
