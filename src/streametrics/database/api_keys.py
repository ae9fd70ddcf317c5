"""Reads and writes API keys: a name for people, an id for jobs, and a digest. The key itself is stored nowhere."""

import uuid

from sqlalchemy import delete, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from streametrics.auth.principal import KeyRecord, Scope
from streametrics.database.address import require_address
from streametrics.database.engine import Database, now
from streametrics.database.sqlite import sqlite_file
from streametrics.database.tables import keys
from streametrics.errors import KeyNameTaken, KeyUnknown


class KeyRecords:
    """Reads and writes the rows of API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[KeyRecord]:
        """Read every key, the oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(keys).order_by(keys.c.created_at, keys.c.name)).all()
        return [
            KeyRecord(row.key_id, row.name, Scope(row.scope), row.owner, row.digest, row.created_at) for row in rows
        ]

    def add(self, name: str, scope: Scope, digest: str, *, reads_for: str | None = None) -> None:
        """Store a key's digest. `reads_for` names the key whose jobs it sees. Raises KeyNameTaken, KeyUnknown."""
        key_id = str(uuid.uuid4())
        try:
            with self._database.write() as connection:
                owner: str | None = key_id
                if reads_for is not None:
                    owner = connection.execute(select(keys.c.owner).where(keys.c.name == reads_for)).scalar()
                if owner is None:
                    raise KeyUnknown(f"There is no key named {reads_for!r}.")
                connection.execute(
                    insert(keys).values(
                        key_id=key_id, name=name, scope=scope, owner=owner, digest=digest, created_at=now()
                    )
                )
        except IntegrityError as error:
            raise KeyNameTaken(f"There is a key named {name!r} already: remove it first, or choose a name.") from error

    def remove(self, name: str) -> None:
        """Delete a key. Raises KeyUnknown."""
        with self._database.write() as connection:
            if connection.execute(delete(keys).where(keys.c.name == name)).rowcount == 0:
                raise KeyUnknown(f"There is no key named {name!r}.")


def has_keys(url: str) -> bool:
    """Tell whether there is a key, in a database that may not exist. Raises DatabaseUnavailable, DatabaseUnusable."""
    require_address(url)
    if (file := sqlite_file(url)) is not None and not file.exists():
        return False
    database = Database(url)
    try:
        with database.read() as connection:
            if not inspect(connection).has_table(keys.name):
                return False
        return bool(KeyRecords(database).all())
    finally:
        database.close()
