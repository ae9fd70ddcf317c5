"""Migrates a database. Apart from `engine`, because few processes migrate and Alembic takes long to import."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from streametrics.database.engine import open_engine, translate_errors

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Migrate the database to the present tables; harmless when it already has them."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = open_engine(url)
    try:
        with translate_errors(), engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Two processes that start at once must not both create the tables.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5000)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
