"""Translates what SQLAlchemy and the drivers raise into our own errors."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from streametrics.errors import DatabaseDamaged, DatabaseUnavailable

#: What SQLite says of a file that is damaged, or is no database.
_DAMAGED = ("malformed", "not a database", "disk i/o error", "no such table", "no such column", "database corruption")
#: The same in PostgreSQL, by SQLSTATE: damaged data or index, and a table, column, schema or database that is gone.
_DAMAGED_STATES = ("XX001", "XX002", "42P01", "42703", "3F000", "3D000")

_NOT_WRITABLE = (
    "The service's database cannot be written to: free some space on its disk, or give this account its file "
    "(DATA_DIR, DATABASE_URL)."
)

logger = logging.getLogger(__name__)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the drivers' errors as DatabaseUnavailable or DatabaseDamaged; a mistake in a statement of ours stays."""
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except PoolTimeout as error:
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        if is_damage(error):
            logger.error("the database is damaged: %s", first_line(error))
            raise DatabaseDamaged from error
        if "readonly" in str(error.orig) or "database or disk is full" in str(error.orig):
            raise DatabaseUnavailable(_NOT_WRITABLE) from error
        if isinstance(error, ProgrammingError) and not error.connection_invalidated:
            raise
        raise DatabaseUnavailable from error


def is_damage(error: DBAPIError) -> bool:
    """Tell whether waiting will not help, because of what lies on the disk."""
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in _DAMAGED_STATES
    text = str(error.orig).lower()
    return any(words in text for words in _DAMAGED)


def first_line(error: BaseException) -> str:
    """Shorten a driver's message to its first line, without the statement that failed."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = str(cause).strip()
    return text.splitlines()[0] if text else type(cause).__name__
