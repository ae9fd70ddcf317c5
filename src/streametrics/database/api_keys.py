"""Reads and writes API keys: a name for people, an id for jobs, and a digest. The key itself is stored nowhere."""

import uuid

from sqlalchemy import Connection, delete, func, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from streametrics.auth.principal import LOCAL, KeyRecord, NewKey, Principal, Scope
from streametrics.database.address import require_address
from streametrics.database.engine import Database, now
from streametrics.database.idempotency import IdempotentCall, remember
from streametrics.database.sqlite import sqlite_file
from streametrics.database.tables import keys
from streametrics.errors import KeyNameTaken, KeyUnknown, TooManyKeys, Unauthorized

#: How many keys that read for it a key may make: each request is compared with every key that there is.
MAX_READ_KEYS = 50


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

    def add(self, key: NewKey, *, maker: Principal = LOCAL, call: IdempotentCall | None = None) -> str:
        """Store a key and return its id. maker: who makes it; any but an administrator makes keys of its own owner.

        call: to be remembered. Raises CalledBefore, KeyNameTaken, KeyUnknown, TooManyKeys, Unauthorized where the
        maker's own key is gone meanwhile.
        """
        key_id = str(uuid.uuid4())
        try:
            with self._database.write() as connection:
                _require_still_there(connection, maker)
                if call is not None:
                    remember(connection, call, key_id)
                _require_room(connection, maker)
                owner = _owner(connection, key_id, key.reads_for, maker)
                values = {"key_id": key_id, "name": key.name, "scope": key.scope, "owner": owner, "digest": key.digest}
                connection.execute(insert(keys).values(**values, created_at=now()))
        except IntegrityError as error:
            raise KeyNameTaken(
                f"There is a key named {key.name!r} already: remove it first, or choose another name."
            ) from error
        return key_id

    def remove(self, key_id: str, *, remover: Principal = LOCAL) -> None:
        """Delete a key. Raises KeyUnknown, and Unauthorized where the remover's own key is gone meanwhile."""
        with self._database.write() as connection:
            _require_still_there(connection, remover)
            if connection.execute(delete(keys).where(keys.c.key_id == key_id)).rowcount == 0:
                raise KeyUnknown


def _require_still_there(connection: Connection, principal: Principal) -> None:
    """Check that a key was not removed since: what a process knows of keys is up to two seconds old."""
    if principal.key_id is None:
        return
    # Locked: it is removed before this transaction or after it, and what it makes is counted in turn.
    its_row = select(keys.c.key_id).where(keys.c.key_id == principal.key_id).with_for_update()
    if connection.execute(its_row).scalar() is None:
        raise Unauthorized("This key is not known here, or was removed.")


def _require_room(connection: Connection, maker: Principal) -> None:
    """Check that a key has not made as many as it may. Raises TooManyKeys."""
    if maker.scope is Scope.ADMIN:
        return
    of_owner = select(func.count()).where((keys.c.owner == maker.owner) & (keys.c.scope == Scope.READ))
    if connection.execute(of_owner).scalar_one() >= MAX_READ_KEYS:
        raise TooManyKeys(f"There are {MAX_READ_KEYS} keys that read for this one: revoke one first.")


def _owner(connection: Connection, key_id: str, reads_for: str | None, maker: Principal) -> str:
    """Find whose jobs a new key sees. Raises KeyUnknown, also where the key that is named is a stranger's."""
    is_admin = maker.scope is Scope.ADMIN
    if reads_for is None:
        return key_id if is_admin else maker.owner
    owner = connection.execute(select(keys.c.owner).where(keys.c.name == reads_for)).scalar()
    if owner is None or not (is_admin or owner == maker.owner):
        raise KeyUnknown(f"There is no key named {reads_for!r}.")
    return str(owner)


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
