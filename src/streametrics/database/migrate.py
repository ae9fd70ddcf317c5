"""Migrates a database. Apart from `engine`, because few processes migrate and Alembic takes long to import."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from streametrics.database.address import DatabaseUnusable, explain_errors, masked, newer_version, require_address
from streametrics.database.engine import open_engine
from streametrics.database.sqlite import sqlite_file
from streametrics.database.timeouts import MIGRATING

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str, *, setting: str = "DATABASE_URL") -> None:
    """Migrate the database to the present tables; harmless when it already has them.

    setting: where the address comes from, for the sentence. Raises DatabaseUnusable.
    """
    require_address(url, setting=setting)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with explain_errors(url, setting=setting):
        if (file := sqlite_file(url)) is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        engine = open_engine(url, MIGRATING, create=True)
        try:
            with engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    # Two processes that start at once must not both create the tables.
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5000)")
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseUnusable(
                f"The database {masked(url)} ({setting}) cannot be used: {newer_version(None)}. Update, or set another "
                f"{setting}."
            ) from error
        finally:
            engine.dispose()
